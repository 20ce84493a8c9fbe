// SPDX-License-Identifier: MIT
//
// How near is one stage of each solver to what memory allows?
//
// For every solver, at 16 x 3 x 256 x 256 floats and on one thread: the time of a stage in the middle of a plan against the
// faster of two plain loops that read and write the same arrays, and, where noise is drawn, against filling an array with it.
// All in one run; ratio = ceiling / stage, larger is better.
#include <alphabar/core/fill.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/deis.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/executor.hpp>
#include <alphabar/sampler/heun.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
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

template <std::size_t R, std::size_t W>
double ceiling_of(float* const* in, float* const* out)
{
    double best = 1e9;
    for (int trial = 0; trial < 9; ++trial) {
        double const start = now();
        plain_loop<R, W>(in, out, 0, n);
        double const middle = now();
        for (std::size_t first = 0; first < n; first += 4096)
            plain_loop<R, W>(in, out, first, std::min(first + 4096, n));
        best = std::min({best, middle - start, now() - middle});
    }
    return best;
}

double ceiling(streams s, std::vector<ab::aligned_vector<float>>& arrays)
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
        case 1: return ceiling_of<R, 1>(in, out);
        case 2: return ceiling_of<R, 2>(in, out);
        case 3: return ceiling_of<R, 3>(in, out);
        default: return ceiling_of<R, 4>(in, out);
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

} // namespace

int main()
{
    auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
    auto const spec = ab::linspace_grid(12);
    struct solver {
        char const* name;
        ab::plan plan;
    };
    ab::network_form clipped;
    clipped.operation.what = ab::x0_operation::kind::clip;
    std::vector<solver> const solvers{
        {"ddpm", ab::ddpm(diffusion, spec)},
        {"ddpm, clipped", ab::ddpm(diffusion, spec, {.network = clipped})},
        {"ddim", ab::ddim(diffusion, spec)},
        {"ddim, clipped", ab::ddim(diffusion, spec, {.network = clipped})},
        {"euler", ab::euler(diffusion, spec)},
        {"euler, ancestral", ab::euler_ancestral(diffusion, spec)},
        {"heun", ab::heun(diffusion, spec)},
        {"dpmpp_2m", ab::dpmpp_2m(diffusion, spec)},
        {"dpmpp_2m, clipped", ab::dpmpp_2m(diffusion, spec, {.network = clipped})},
        {"dpmpp_2m_sde", ab::dpmpp_2m_sde(diffusion, spec)},
        {"dpmpp_3m", ab::dpmpp_3m(diffusion, spec)},
        {"deis", ab::deis(diffusion, spec)},
        {"unipc", ab::unipc(diffusion, spec)},
        {"sa_solver", ab::sa_solver(diffusion, spec)},
    };
    std::vector<ab::aligned_vector<float>> arrays(9, ab::aligned_vector<float>(n + 1024, 0.5f));
    ab::aligned_vector<float> x(n, 0.5f), output(n, 0.25f), noise(n);
    auto const noisy = ab::view(noise.data(), sizes);
    double fill = 1e9;
    for (std::uint32_t trial = 0; trial < 5; ++trial) {
        double const start = now();
        ab::fill(noisy, ab::noise_stream{1}(ab::purpose::sampler, trial));
        fill = std::min(fill, now() - start);
    }
    std::printf("noise fill %.2f ms\n%-20s %6s %6s %6s %11s %11s %8s %10s\n", 1e3 * fill, "solver", "reads", "writes",
                "both", "ceiling/ms", "stage/ms", "ratio", "over fill");
    bool good = true;
    for (auto const& [name, plan] : solvers) {
        auto const lowered = ab::lower(plan);
        std::size_t const middle = plan.stages.size() / 2;
        for (std::size_t const at : {middle, middle + 1}) {
            if (at == middle + 1 && std::string(name) != "heun")
                continue;
            streams const s = streams_of(lowered.pass(at, 0));
            double stage = 1e9, limit = 1e9;
            for (int trial = 0; trial < 3; ++trial) { // in turns, so that a slow moment hits both
                limit = std::min(limit, ceiling(s, arrays));
                for (int run = 0; run < 5; ++run) {
                    std::fill(x.begin(), x.end(), 0.5f);
                    ab::executor all(lowered, ab::view(x.data(), sizes), ab::noise_stream{1});
                    auto const out = ab::view(output.data(), sizes);
                    while (all.stage() < at) {
                        all.next();
                        all.take(out);
                    }
                    all.next();
                    double const start = now();
                    all.take(out);
                    stage = std::min(stage, now() - start);
                }
            }
            double const bound = s.noise ? std::max(limit, fill) : limit;
            std::printf("%-20s %6zu %6zu %6zu %11.2f %11.2f %8.2f", name, s.read, s.written, s.both, 1e3 * limit,
                        1e3 * stage, bound / stage);
            if (s.noise)
                std::printf(" %10.2f", stage / fill);
            std::printf("\n");
            good = good && bound / stage >= 0.9;
        }
    }
    std::printf("%s\n", good ? "every stage is within 0.9 of its ceiling" : "a stage is below 0.9 of its ceiling");
}
