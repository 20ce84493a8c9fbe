// SPDX-License-Identifier: MIT
// RePaint: inpainting by an unconditional model, with jumps back to noise.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

struct repaint_options {
    network_form network{};
    double eta = 1.0;
    std::size_t jump_length = 10;   ///< steps that a jump goes back
    std::size_t jump_n_sample = 10; ///< how often each stretch between jumps is walked; 1: no jumps
};

/// RePaint along these moves. A move to less noise calls the network, and takes DDIM's row where the mask is 0 and the
/// known data at the new level, alpha' d + sigma' z, where it is 1; a move to more noise is the forward process,
/// without a call. Data and mask are `sample`'s. Throws as `ddim_stage` does. Source: Lugmayr et al. 2022, arXiv
/// 2201.09865, algorithm 1.
inline plan repaint_along(std::vector<grid_step> const& moves, repaint_options const& o = {})
{
    using namespace slots;
    return plan_of(o.network, moves, "repaint", [&](grid_step const& move, std::size_t) {
        auto const& [time, from, to] = move;
        if (to.sigma * from.alpha > from.sigma * to.alpha) {
            auto const [keep, add] = make_forward_step(from, to);
            return stage{.time = time, .x = keep * x + add * z, .calls = false};
        }
        stage s = ddim_stage(o.network, move, {.eta = o.eta, .network_epsilon = true});
        s.masked = to.alpha * d + to.sigma * z;
        return s;
    });
}

/// RePaint on a grid: after every jump_length steps back up by as many, jump_n_sample - 1 times, in one stage. Throws
/// std::invalid_argument unless both are at least 1, and as `check` and `ddim_stage` do. Ibid., appendix.
inline constexpr solver_function repaint("repaint", [](grid const& g, repaint_options const& o) {
    require(o.jump_length >= 1, "repaint", "jump_length", o.jump_length, "it must be at least 1");
    require(o.jump_n_sample >= 1, "repaint", "jump_n_sample", o.jump_n_sample, "it must be at least 1");
    std::size_t const n = g.steps();
    std::vector<std::size_t> jumps(n, 0); // left, by the calls that are to come
    for (std::size_t j = 0; j + o.jump_length < n; j += o.jump_length)
        jumps[j] = o.jump_n_sample - 1;
    std::vector<grid_step> moves;
    for (std::size_t at = 0; at < n;) {
        moves.push_back({g.times[at], g.levels[at], g.levels[at + 1]});
        std::size_t const left = n - 1 - at++;
        if (jumps[left] > 0) {
            --jumps[left];
            moves.push_back({0.0, g.levels[at], g.levels[at - o.jump_length]});
            at -= o.jump_length;
        }
    }
    return repaint_along(moves, o);
});

} // namespace alphabar
