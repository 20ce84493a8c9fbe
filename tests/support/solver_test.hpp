// SPDX-License-Identifier: MIT
// What the tests of solvers begin with: the test-bed, its paths, the usual table and the names.
#pragma once

#include <doctest/doctest.h>
#include <support/convergence.hpp>
#include <support/lambda_path.hpp>
#include <support/table.hpp>

using namespace alphabar;
using namespace alphabar::slots;
using doctest::Approx;
using support::path_kind;
using support::state;
