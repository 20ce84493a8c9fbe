// SPDX-License-Identifier: MIT
#pragma once

#include <boost/multiprecision/cpp_dec_float.hpp>

namespace support {

using big = boost::multiprecision::cpp_dec_float_50;

// phi_k(z) = sum_n z^n / (n + k)!, summed with 50 digits; large |z| loses no more than 20 of them.
inline big exact_phi(unsigned k, big z)
{
    big term = 1, sum = 0;
    for (unsigned n = 2; n <= k; ++n)
        term /= n;
    for (unsigned n = 1; n < 400; ++n) {
        sum += term;
        term *= z / (k + n);
    }
    return sum;
}

} // namespace support
