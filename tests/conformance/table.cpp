// SPDX-License-Identifier: MIT
//
// Kind `table`: schedules and every table derived from them, to 40 digits.
#include "process.hpp"
#include "support.hpp"

#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <boost/multiprecision/cpp_dec_float.hpp>

#include <cmath>
#include <limits>

namespace conformance {

double ulps(double got, std::string const& want)
{
    double const nearest = number(json(want));
    if (nearest == 0.0 || std::isinf(nearest))
        return got == nearest ? 0.0 : std::numeric_limits<double>::infinity();
    if (!std::isfinite(got))
        return std::numeric_limits<double>::infinity();
    int exponent = 0;
    std::frexp(nearest, &exponent);
    double const unit = std::ldexp(1.0, std::max(exponent - 53, -1074));
    using wide = boost::multiprecision::number<boost::multiprecision::cpp_dec_float<60>>;
    wide const difference = wide(got) - wide(want);
    return std::abs((difference / wide(unit)).convert_to<double>());
}

void replay_table(verdict& v)
{
    json const& given = v.given();
    if (given.contains("t"))
        throw unsupported("the continuous schedule " + at(given, "schedule").get<std::string>());
    alphabar::gaussian_diffusion const diffusion(transformed_betas(given));
    for (auto const& [name, wanted] : v.expect().items()) {
        std::span<double const> const got = diffusion[alphabar::parse_table(name)];
        json const& index = at(wanted, "index");
        json const& want = at(wanted, "value");
        double worst = 0;
        for (std::size_t i = 0; i < index.size(); ++i)
            worst = std::max(worst, ulps(got[index[i].get<std::size_t>()], want.at(i).get<std::string>()));
        v.add(name, worst);
    }
}

} // namespace conformance
