// SPDX-License-Identifier: MIT
// Guidance with a scale for each band of frequencies (FDG).
#pragma once

#include <alphabar/backends/span.hpp>
#include <alphabar/core/pyramid.hpp>
#include <alphabar/guidance/adaptive_projected.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/interval.hpp>
#include <alphabar/guidance/rescale.hpp>

namespace alphabar {

/// Guidance of one level: a scale, what is kept of the difference along c, phi of `rescaled`, and the steps (else c).
struct frequency_level {
    per_sample scale = 5.0;
    double parallel = 1.0;
    per_sample rescale = 0.0;
    step_window window{};
};

/// Guides the levels of laplacian_pyramid of c and u, the finest first, each by `adaptive_projected` without a radius,
/// and adds them up. Predictions: c, u [batch, channels, height, width], row-major. Sadat et al. 2025, arXiv
/// 2506.19713.
///
/// Rescaling acts on the result with the finest level's phi, or without `rescale_image` on every level. Allocates the
/// pyramids. Throws std::invalid_argument unless 2^(levels - 1) divides height and width, and as `guide` does.
struct frequency_decoupled {
    std::vector<frequency_level> levels;
    bool rescale_image = true;
    bool from_u = false; ///< diffusers' form where parallel is not 1, as in adaptive_projected

    /// Whether u counts.
    combination<1> weights(guidance_point const& p) const
    {
        auto const counts = [&](frequency_level const& level) {
            return level.window(p) && (level.scale(p, "frequency_decoupled") != 1 || (from_u && level.parallel != 1));
        };
        return {1.0, {levels.empty() || std::ranges::any_of(levels, counts) ? 1.0 : 0.0}};
    }
    template <class Out, tensor C, tensor U>
    void combine(guidance_point const& at, Out&& out, C const& c, U const& u) const
    {
        using T = compute_t<value_t<Out>>;
        static_assert(traits_of<C>::order == storage_order::row_major,
                      "alphabar: frequency_decoupled reads images in row-major order; show them as a tensor_view");
        static_assert(detail::expect_host_memory<C>());
        shape const s = traits_of<C>::shape(c);
        detail::require_call("frequency_decoupled", s, std::tie(out), c, u);
        std::size_t const count = levels.size(), part = count > 0 && count <= 32 ? std::size_t{1} << (count - 1) : 0;
        require(part > 0 && s.rank() == 4 && s[2] % part == 0 && s[3] % part == 0, "frequency_decoupled", "the shape",
                to_string(s),
                "it must be [batch, channels, height, width], 2^(levels - 1) a divisor of the last two, for 1 to 32 "
                "levels");
        std::vector<T> image(s.size());
        auto const pyramid = [&](auto const& prediction) {
            transform(detail::identity{}, view(image, s), prediction);
            return laplacian_pyramid(image, s[2], s[3], count);
        };
        auto of_c = pyramid(c);
        auto const of_u = pyramid(u);
        for (std::size_t l = 0; l < count; ++l) {
            shape const size{s[0], s[1], s[2] >> l, s[3] >> l};
            auto const band = view(of_c[l], size);
            auto const& [scale, parallel, phi, window] = levels[l];
            adaptive_projected const rule{.scale = scale, .eta = parallel, .from_u = from_u};
            guide(rescaled{within{rule, window}, rescale_image ? 0.0 : phi}, at, band, band, view(of_u[l], size));
        }
        image = from_laplacian_pyramid(std::move(of_c), s[2], s[3]);
        guide(rescaled{classifier_free{0.0}, rescale_image ? levels[0].rescale : 0.0}, at, out, c, view(image, s));
    }
};

} // namespace alphabar
