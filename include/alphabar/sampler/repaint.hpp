// SPDX-License-Identifier: MIT
// Inpainting by an unconditional model: in any solver's plan, and RePaint's with its jumps back to noise.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

/// The known data at this level.
inline row known_at(noise_level level) { return level.alpha * slots::d + level.sigma * slots::z; }

/// Any solver's plan, made on `g`, for inpainting: where the mask is 1 the state at each level of the grid is the known
/// data made noisy, alpha' d + sigma' z, with the z that the step draws or one of its own; at sigma' = 0 the data
/// themselves. Levels between the grid's stay the solver's. Data and mask are `sample`'s. A run that begins in the
/// middle is plan_from(inpainted(p, g), stage). Throws std::invalid_argument unless the plan has a step, or a stage,
/// for each step of the grid. Source: Song et al. 2021, arXiv 2011.13456, appendix I.2; latent diffusion's samplers.
inline plan inpainted(plan p, grid const& g)
{
    auto const ends = static_cast<std::size_t>(std::ranges::count(p.stages, true, &stage::ends_step));
    bool const all = p.stages.size() == g.steps(); // each call of a singlestep method has its level
    require(all || ends == g.steps(), "inpainted", "the plan's number of steps", ends, "it must be that of the grid");
    number_draws(p); // what it draws already keeps its index
    auto to = g.levels.begin();
    std::vector<stage> stages;
    for (stage& s : p.stages) {
        bool const ends_level = all || s.ends_step;
        bool const apart = ends_level && (s.spread || s.langevin); // whose z is scaled, and which must be alone
        s.ends_step = s.ends_step && !apart;
        stages.push_back(s);
        if (apart)
            stages.push_back({.time = s.time, .x = slots::x, .calls = false});
        if (ends_level)
            stages.back().masked = known_at(*++to).pruned();
    }
    p.stages = std::move(stages);
    number_draws(p);
    return p;
}

struct repaint_options {
    network_form network{};
    double eta = 1.0;
    std::size_t jump_length = 10;   ///< steps that a jump goes back
    std::size_t jump_n_sample = 10; ///< how often each stretch between jumps is walked; 1: no jumps
};

/// RePaint along these moves. A move to less noise calls the network, and takes DDIM's row where the mask is 0 and the
/// known data at the new level, alpha' d + sigma' z, where it is 1; a move to more noise is the forward process,
/// without a call. Data and mask are `sample`'s. Throws as `ddim_stage` does. Lugmayr et al. 2022, arXiv 2201.09865,
/// algorithm 1.
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
        s.masked = known_at(to);
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
