// SPDX-License-Identifier: MIT
// One hash over every table of several schedules, built at run time. Every compiler and every flag must print the same
// line.
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace ab = alphabar;

int main(int count, char** arguments)
{
    // the compiler does not know T, so nothing is computed at compile time
    std::size_t const T = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1000;
    std::uint64_t hash = 0xcbf29ce484222325u; // FNV-1a, a word at a time
    auto const add = [&](double x) { hash = (hash ^ std::bit_cast<std::uint64_t>(x)) * 0x100000001b3u; };
    auto const add_tables = [&](ab::beta_schedule const& betas) {
        ab::gaussian_diffusion const diffusion(betas);
        for (std::size_t i = 0; i < ab::table_count; ++i)
            for (double x : diffusion[static_cast<ab::table>(i)])
                add(x);
    };
    add_tables(ab::linear_betas(T));
    add_tables(ab::scaled_linear_betas(T));
    add_tables(ab::cosine_betas(T));
    add_tables(ab::cosine_betas_normalised(T));
    add_tables(ab::simple_cosine_betas(T));
    add_tables(ab::sigmoid_betas(T));
    add_tables(ab::sigmoid_alpha_bar_betas(T));
    add_tables(ab::exp_betas(T));
    add_tables(ab::laplace_betas(T));
    add_tables(ab::jsd_betas(T));
    add_tables(ab::zero_terminal_snr(ab::scaled_linear_betas(T)));
    add_tables(ab::snr_shift(ab::scaled_linear_betas(T), 3.0));
    add_tables(ab::constant_betas(T, 0.9));
    ab::vp_sde const vp;
    ab::log_snr_path<ab::log_snr_simple_cosine> const cosine;
    for (int i = 1; i <= 1024; ++i) {
        double const t = i * 0x1p-10; // exact, also where a division may become a product
        add(vp.log_snr(t));
        add(cosine.log_snr(t));
        add(cosine.level(t).alpha);
    }
    std::printf("tables %016llx\n", static_cast<unsigned long long>(hash));
}
