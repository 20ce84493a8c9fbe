// SPDX-License-Identifier: MIT
// Kind `table`: schedules and every table derived from them, to 40 digits.
#include "process.hpp"
#include "support.hpp"

#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/ladders.hpp>

#include <boost/multiprecision/cpp_dec_float.hpp>

#include <cmath>
#include <functional>
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

namespace {

namespace ab = alphabar;

/// The values of the named table at every index of a case.
using tables = std::function<array(std::string const& name)>;

template <class Path>
using parts = std::map<std::string, double (Path::*)(double) const>;

/// Tables that are members of a path, at the times of the case.
template <class Path>
tables members(Path const& path, array const& t, parts<Path> const& named)
{
    return [=](std::string const& name) {
        auto const part = entry(named, name, "the table ");
        array values;
        for (double s : t)
            values.push_back((path.*part)(s));
        return values;
    };
}

/// The tables of a path given by its log-SNR.
template <class LogSnr>
tables of_log_snr(LogSnr const& function, array const& t)
{
    ab::log_snr_path<LogSnr> const path{function};
    return [=](std::string const& name) {
        array values;
        for (double s : t)
            values.push_back(name == "log_snr"               ? path.log_snr(s)
                             : name == "sqrt_alphas_cumprod" ? path.level(s).alpha
                                                             : path.level(s).sigma);
        return values;
    };
}

tables continuous_tables(json const& given)
{
    std::string const schedule = at(given, "schedule").get<std::string>();
    json const a = value(given, "arguments", json::object());
    array const t = given.contains("t") ? numbers(given["t"]) : array{};
    auto const of = [&](char const* name, double otherwise) { return value(a, name, otherwise); };
    if (schedule == "ve_sde") {
        ab::ve_ladder const ladder =
            ab::make_ve_ladder(at(given, "T").get<std::size_t>(), of("sigma_min", 0.01), of("sigma_max", 50));
        return [=](std::string const& name) { return name == "sigma" ? ladder.sigma : ladder.adjacent_diffusion; };
    }
    if (schedule == "vp_sde_continuous") {
        ab::vp_sde const path{of("beta_min", 0.1), of("beta_max", 20)};
        tables const own = members<ab::vp_sde>(path, t,
                                               {{"beta", &ab::vp_sde::beta},
                                                {"alphas_cumprod", &ab::vp_sde::alpha_bar},
                                                {"one_minus_alphas_cumprod", &ab::vp_sde::one_minus_alpha_bar},
                                                {"log_snr", &ab::vp_sde::log_snr},
                                                {"sigma", &ab::vp_sde::sigma_ratio},
                                                {"sub_vp_std", &ab::vp_sde::one_minus_alpha_bar}});
        tables const sub_vp =
            members<ab::sub_vp_sde>({path}, t, {{"sub_vp_diffusion_squared", &ab::sub_vp_sde::squared_diffusion}});
        return [=](std::string const& name) {
            auto const of_time = [&](auto const& f) {
                array values;
                for (double s : t)
                    values.push_back(f(s));
                return values;
            };
            if (name == "sqrt_alphas_cumprod")
                return of_time([&](double s) { return path.level(s).alpha; });
            if (name == "sqrt_one_minus_alphas_cumprod")
                return of_time([&](double s) { return path.level(s).sigma; });
            if (name == "log_mean_coeff")
                return of_time([&](double s) { return scaled(-path.exponent(s), -1).high; });
            if (name == "lambda")
                return of_time([&](double s) { return 0.5 * path.log_snr(s); });
            return name == "sub_vp_diffusion_squared" ? sub_vp(name) : own(name);
        };
    }
    if (schedule == "ve_sde_continuous") {
        ab::ve_sde const path{of("sigma_min", 0.01), of("sigma_max", 50)};
        tables const own =
            members<ab::ve_sde>(path, t, {{"sigma", &ab::ve_sde::sigma}, {"diffusion", &ab::ve_sde::diffusion}});
        return [=](std::string const& name) {
            if (name != "log_sigma")
                return own(name);
            array values;
            for (double s : t)
                values.push_back((log(ab::double_double(path.sigma_min)) + s * path.log_range()).high);
            return values;
        };
    }
    if (schedule == "edm_vp" || schedule == "edm_vp_inverse")
        return members<ab::edm_vp>(
            {of("beta_d", 19.9), of("beta_min", 0.1)}, t,
            {{"sigma", &ab::edm_vp::sigma_ratio}, {"scale", &ab::edm_vp::scale}, {"t", &ab::edm_vp::unbounded_time}});
    if (schedule == "log_snr_linear")
        return of_log_snr(ab::log_snr_linear{}, t);
    if (schedule == "log_snr_cosine")
        return of_log_snr(ab::log_snr_cosine{of("s", 0.008)}, t);
    if (schedule == "vdm_fixed_linear")
        return of_log_snr(ab::vdm_fixed_linear{of("gamma_min", -13.3), of("gamma_max", 5)}, t);
    if (schedule.starts_with("log_snr_simple_cosine"))
        return of_log_snr(
            ab::log_snr_simple_cosine{of("logsnr_min", -15), of("logsnr_max", 15), of("noise_d", 1), of("image_d", 1)},
            t);
    return {};
}

} // namespace

void replay_table(verdict& v)
{
    json const& given = v.given();
    tables of = continuous_tables(given);
    if (!of)
        of = [diffusion = ab::gaussian_diffusion(transformed_betas(given))](std::string const& name) {
            std::span<double const> const entries = diffusion[ab::parse_table(name)];
            return array(entries.begin(), entries.end());
        };
    for (auto const& [name, wanted] : v.expect().items()) {
        array const got = of(name);
        json const& index = at(wanted, "index");
        json const& want = at(wanted, "value");
        double worst = 0;
        for (std::size_t i = 0; i < index.size(); ++i)
            worst = std::max(worst, ulps(got.at(index[i].get<std::size_t>()), want.at(i).get<std::string>()));
        v.add(name, worst);
    }
}

} // namespace conformance
