// SPDX-License-Identifier: MIT
// How near is one stage of each solver to what memory allows, and how long does it take to make its plan?
//
// For every solver, at 16 x 3 x 256 x 256 floats, on one thread and on two: the time of each stage in the middle of a
// plan against the faster of two plain loops that read and write the same arrays and, where noise is drawn, against
// filling an array with it. Of each solver the stage with the worst ratio is printed. All in one run; ratio = ceiling /
// stage, larger is better.
#include <alphabar/alphabar.hpp>
#include <alphabar/backends/threads.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace ab = alphabar;

namespace {

ab::shape const sizes{16, 3, 256, 256};
std::size_t const n = sizes.size();

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The arrays of a stage: read, written, and how many of the written are read too.
struct streams {
    std::size_t read = 0, written = 0, both = 0;
    bool noise = false;
    auto key() const { return std::tuple(read, written, both); }
};

streams streams_of(ab::lowered_pass const& p)
{
    std::set<int> read, written;
    for (std::size_t r = 0; r < p.rows_written; ++r) {
        written.insert(p.rows[r].target);
        for (std::size_t t = 0; t < p.rows[r].terms; ++t) {
            ab::operand const from = p.rows[r].from[t];
            if (from.what == ab::operand::kind::array)
                read.insert(from.index);
            if (from.what == ab::operand::kind::output)
                read.insert(1000 + from.index);
            if (from.what == ab::operand::kind::memory)
                read.insert({p.state, 1000});
        }
    }
    if (p.spreads)
        read.insert(1001);
    if (p.writes_input)
        written.insert(p.input);
    streams s{read.size(), written.size(), 0, p.draws};
    for (int w : written)
        s.both += read.count(w);
    return s;
}

/// Plain loops over R arrays read and W written, `both` of them in place. One loop over everything, or piece by piece.
template <std::size_t R, std::size_t W>
void plain_loop(float* const* in, float* const* out, std::size_t begin, std::size_t end)
{
    float const* from[R];
    float* to[W];
    std::copy_n(in, R, from);
    std::copy_n(out, W, to);
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
    for (std::size_t i = begin; i < end; ++i) {
        float sum = 0.25f * from[0][i];
        for (std::size_t k = 1; k < R; ++k)
            sum += 0.125f * from[k][i];
        for (std::size_t k = 0; k < W; ++k)
            to[k][i] = sum;
    }
}

/// Best of several trials of work(begin, end) over [0, n), cut for the threads of a team.
template <class Work>
double best_of(ab::thread_team& team, Work const& work)
{
    double best = 1e9;
    for (int trial = 0; trial < 7; ++trial) {
        double const start = now();
        team.for_ranges(n / 4096, [&](std::size_t begin, std::size_t end) { work(4096 * begin, 4096 * end); });
        best = std::min(best, now() - start);
    }
    return best;
}

template <std::size_t R, std::size_t W>
double ceiling_of(ab::thread_team& team, float* const* in, float* const* out)
{
    return std::min(best_of(team, [&](std::size_t begin, std::size_t end) { plain_loop<R, W>(in, out, begin, end); }),
                    best_of(team, [&](std::size_t begin, std::size_t end) {
                        for (std::size_t first = begin; first < end; first += 4096)
                            plain_loop<R, W>(in, out, first, first + 4096);
                    }));
}

double ceiling(ab::thread_team& team, streams s, std::vector<ab::aligned_vector<float>>& arrays)
{
    float* in[8];
    float* out[8];
    std::size_t next = 0;
    for (std::size_t k = 0; k < s.read; ++k)
        in[k] = arrays[next++].data() + 80 * k;
    for (std::size_t k = 0; k < s.written; ++k)
        out[k] = k < s.both ? in[k] : arrays[next].data() + 80 * next, next += k < s.both ? 0 : 1;
    auto const by_writes = [&]<std::size_t R>(std::integral_constant<std::size_t, R>) {
        switch (s.written) {
        case 1: return ceiling_of<R, 1>(team, in, out);
        case 2: return ceiling_of<R, 2>(team, in, out);
        case 3: return ceiling_of<R, 3>(team, in, out);
        default: return ceiling_of<R, 4>(team, in, out);
        }
    };
    switch (s.read) {
    case 1: return by_writes(std::integral_constant<std::size_t, 1>{});
    case 2: return by_writes(std::integral_constant<std::size_t, 2>{});
    case 3: return by_writes(std::integral_constant<std::size_t, 3>{});
    case 4: return by_writes(std::integral_constant<std::size_t, 4>{});
    case 5: return by_writes(std::integral_constant<std::size_t, 5>{});
    default: return by_writes(std::integral_constant<std::size_t, 6>{});
    }
}

struct solver {
    char const* name;
    std::function<ab::plan(std::size_t steps)> plan;
};

std::vector<solver> solvers()
{
    static auto const table = ab::gaussian_diffusion(ab::linear_betas(1000));
    static ab::network_form const clipped{.operation = {.what = ab::x0_operation::kind::clip}};
    auto const on = [](auto const& make, auto... options) {
        return [=](std::size_t steps) { return make(table, ab::linspace_grid(steps), options...); };
    };
#define SOLVER(name) [](auto const&... a) { return ab::name(a...); }
    return {
        {"ddpm", on(SOLVER(ddpm))},
        {"ddpm, clipped", on(SOLVER(ddpm), ab::ddpm_options{.network = clipped})},
        {"ddpm, learned range", on(SOLVER(ddpm), ab::ddpm_options{.variance = ab::ddpm_variance::learned_range})},
        {"ddim", on(SOLVER(ddim))},
        {"ddim, eta 1", on(SOLVER(ddim), ab::ddim_options{.eta = 1.0})},
        {"ddim, clipped", on(SOLVER(ddim), ab::ddim_options{.network = clipped})},
        {"consistency", on(SOLVER(consistency))},
        {"euler", on(SOLVER(euler))},
        {"euler_ancestral", on(SOLVER(euler_ancestral))},
        {"heun", on(SOLVER(heun))},
        {"dpm_2", on(SOLVER(dpm_2))},
        {"dpm_2_ancestral", on(SOLVER(dpm_2_ancestral))},
        {"dpmpp_2s_ancestral", on(SOLVER(dpmpp_2s_ancestral))},
        {"dpmpp_sde", on(SOLVER(dpmpp_sde))},
        {"dpm_solver", on(SOLVER(dpm_solver))},
        {"dpmpp_2m", on(SOLVER(dpmpp_2m))},
        {"dpmpp_2m, clipped", on(SOLVER(dpmpp_2m), ab::dpm_options{.network = clipped})},
        {"dpmpp_2m_sde", on(SOLVER(dpmpp_2m_sde))},
        {"dpmpp_3m", on(SOLVER(dpmpp_3m))},
        {"dpmpp_3m_sde", on(SOLVER(dpmpp_3m_sde))},
        {"dpm_singlestep, 3", on(SOLVER(dpm_singlestep), ab::dpm_singlestep_options{.order = 3})},
        {"res_multistep", on(SOLVER(res_multistep))},
        {"res_2s", on(SOLVER(runge_kutta))},
        {"rk_4", on(SOLVER(runge_kutta), ab::runge_kutta_options{.methods = {ab::rk_4()}})},
        {"deis", on(SOLVER(deis))},
        {"unipc, 2", on(SOLVER(unipc))},
        {"unipc, 3", on(SOLVER(unipc), ab::unipc_options{.order = 3})},
        {"sa_solver", on(SOLVER(sa_solver))},
        {"er_sde", on(SOLVER(er_sde))},
        {"euler_cfg_pp", on(SOLVER(euler_cfg_pp))},
        {"dpmpp_2m_cfg_pp", on(SOLVER(dpmpp_2m_cfg_pp))},
    };
#undef SOLVER
}

/// The best time of each stage.
std::vector<double> stage_times(ab::lowered_plan const& plan, ab::thread_team& team, int runs)
{
    static ab::aligned_vector<float> x(n), output(2 * n, 0.25f);
    std::vector<double> best(plan.stages(), 1e9);
    for (int run = 0; run < runs; ++run) {
        std::fill(x.begin(), x.end(), 0.5f);
        auto view = ab::view(x.data(), sizes);
        ab::executor all(plan, ab::on_threads(view, team), ab::noise_stream{1});
        auto const out = ab::view(output.data(), all.output_shape());
        while (auto const call = all.next()) {
            double const start = now();
            all.take(out);
            best[call.stage] = std::min(best[call.stage], now() - start);
        }
    }
    return best;
}

} // namespace

int main()
{
    std::vector<ab::aligned_vector<float>> arrays(11, ab::aligned_vector<float>(n + 1024, 0.5f));
    ab::aligned_vector<float> made(n);
    std::printf("plan: microseconds to make the plan of 50 steps\n");
    for (std::size_t const threads : {1, 2}) {
        ab::thread_team team(threads);
        auto to = ab::view(made.data(), sizes);
        double fill = 1e9;
        for (std::uint32_t trial = 0; trial < 7; ++trial) {
            double const start = now();
            ab::fill(ab::on_threads(to, team), ab::noise_stream{1}(ab::purpose::sampler, trial));
            fill = std::min(fill, now() - start);
        }
        std::printf("%zu thread%s, noise fill %.2f ms\n%-20s %6s %6s %6s %11s %9s %6s %9s %7s\n", threads,
                    threads > 1 ? "s" : "", 1e3 * fill, "solver", "reads", "writes", "both", "ceiling/ms", "stage/ms",
                    "ratio", "over fill", "plan/us");
        std::map<decltype(streams{}.key()), double> limits;
        bool good = true;
        for (auto const& [name, make] : solvers()) {
            double construction = 1e9;
            for (int trial = 0; trial < 20; ++trial) {
                double const start = now();
                ab::plan const p = make(50);
                construction = std::min(construction, now() - start);
            }
            auto const lowered = ab::lower(make(12));
            std::vector<double> const times = stage_times(lowered, team, 4);
            std::size_t const stages = lowered.stages();
            double worst = 1e9, worst_bound = 0;
            std::size_t at = 0;
            for (std::size_t i = stages / 3; i < 2 * stages / 3; ++i) {
                streams const s = streams_of(lowered.pass(i, 0));
                auto& limit = limits.try_emplace(s.key(), 0.0).first->second;
                if (limit == 0.0)
                    limit = ceiling(team, s, arrays);
                double const bound = s.noise ? std::max(limit, fill) : limit;
                if (bound / times[i] < worst)
                    worst = bound / times[i], worst_bound = limit, at = i;
            }
            streams const s = streams_of(lowered.pass(at, 0));
            std::printf("%-20s %6zu %6zu %6zu %11.2f %9.2f %6.2f", name, s.read, s.written, s.both, 1e3 * worst_bound,
                        1e3 * times[at], worst);
            if (s.noise)
                std::printf(" %9.2f", times[at] / fill);
            else
                std::printf(" %9s", "");
            std::printf(" %7.0f\n", 1e6 * construction);
            good = good && worst >= 0.9;
        }
        std::printf("%s\n", good ? "every stage is within 0.9 of its ceiling" : "a stage is below 0.9 of its ceiling");
    }
}
