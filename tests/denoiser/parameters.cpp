// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/parameters.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("the list is without gaps, and its tensors begin as asked")
{
    parameter_list list;
    CHECK(list.total() == 0);
    CHECK(list.add("n", {3, 3, 100, 20}, initial::normal, 0.5) == 0);
    CHECK(list.add("z", {7}, initial::zero) == 18000);
    CHECK(list.add("u", {100, 100}, initial::uniform, 0.1) == 18007);
    CHECK(list.total() == 28007);
    auto const values = initial_parameters<double>(list, {5});
    CHECK(values == initial_parameters<double>(list, {5}));
    CHECK(values != initial_parameters<double>(list, {6}));

    auto const moment = [&](parameter const& p, double power) {
        double sum = 0;
        for (std::size_t i = 0; i < p.size; ++i)
            sum += std::pow(values[p.offset + i], power);
        return sum / static_cast<double>(p.size);
    };
    CHECK(std::abs(moment(list[0], 1)) < 5 * 0.5 / std::sqrt(18000.0));
    CHECK(moment(list[0], 2) == Approx(0.25).epsilon(0.05));
    CHECK(moment(list[0], 4) == Approx(3 * 0.0625).epsilon(0.1));
    CHECK(moment(list[1], 2) == 0);
    CHECK(std::abs(moment(list[2], 1)) < 5 * 0.058 / 100);
    CHECK(moment(list[2], 2) == Approx(0.01 / 3).epsilon(0.05));
    for (std::size_t i = 18007; i < 28007; ++i)
        CHECK(std::abs(values[i]) < 0.1);
}
