// SPDX-License-Identifier: MIT
//
// How much faster is a step of each solver than diffusers' scheduler.step?
//
// Both in one run, float, one thread, 16 x 3 x 256 x 256 and 1 x 4 x 64 x 64: the best of the steps in the middle of a run of
// 12, without the network. A step is next() and take(), which make the noise and the next call's input too. The peer runs
// where python3 has torch and diffusers; elsewhere it is left out.
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
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ab = alphabar;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The best step in the middle of a run.
double best_step(ab::lowered_plan const& plan, ab::shape const& s, int runs)
{
    ab::aligned_vector<float> x(s.size()), output(s.size(), 0.25f);
    auto const out = ab::view(output.data(), s);
    double best = 1e9;
    for (int run = 0; run < runs; ++run) {
        std::fill(x.begin(), x.end(), 0.5f);
        ab::executor all(plan, ab::view(x.data(), s), ab::noise_stream{1});
        for (;;) {
            double const start = now();
            auto const call = all.next();
            if (!call)
                break;
            all.take(out);
            if (call.stage >= 5 && call.stage < 10)
                best = std::min(best, now() - start);
        }
    }
    return best;
}

} // namespace

int main()
{
    auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
    auto const spec = ab::linspace_grid(12);
    ab::network_form clipped;
    clipped.operation.what = ab::x0_operation::kind::clip;
    std::vector<std::pair<std::string, ab::plan>> const solvers{
        {"ddpm", ab::ddpm(diffusion, spec)},
        {"ddpm, clipped", ab::ddpm(diffusion, spec, {.network = clipped})},
        {"ddim", ab::ddim(diffusion, spec)},
        {"euler", ab::euler(diffusion, spec)},
        {"euler, ancestral", ab::euler_ancestral(diffusion, spec)},
        {"heun", ab::heun(diffusion, spec)},
        {"dpmpp_2m", ab::dpmpp_2m(diffusion, spec)},
        {"dpmpp_2m_sde", ab::dpmpp_2m_sde(diffusion, spec)},
        {"deis", ab::deis(diffusion, spec)},
        {"unipc", ab::unipc(diffusion, spec)},
        {"sa_solver", ab::sa_solver(diffusion, spec)},
    };

    std::map<std::pair<std::string, std::size_t>, double> peer;
    std::FILE* const python =
        popen("OMP_NUM_THREADS=1 python3 " ALPHABAR_BENCHMARKS "/diffusers_peer.py 2>/dev/null", "r");
    char line[256];
    while (python != nullptr && std::fgets(line, sizeof line, python) != nullptr) {
        std::string const text = line;
        std::size_t const first = text.find('|'), second = text.find('|', first + 1);
        if (second != std::string::npos)
            peer[{text.substr(0, first), std::strtoull(text.c_str() + first + 1, nullptr, 10)}] =
                std::strtod(text.c_str() + second + 1, nullptr);
    }
    if (python != nullptr)
        pclose(python);
    if (peer.empty())
        std::printf("diffusers is left out: python3 has no torch and diffusers here\n");

    for (ab::shape const& s : {ab::shape{16, 3, 256, 256}, ab::shape{1, 4, 64, 64}}) {
        std::printf("%s\n%-20s %14s %14s %8s %8s\n", to_string(s).c_str(), "solver", "alphabar/us", "diffusers/us",
                    "ratio", "target");
        bool const large = s.batch() > 1;
        for (auto const& [name, plan] : solvers) {
            auto const lowered = ab::lower(plan);
            double const own = best_step(lowered, s, large ? 4 : 200);
            double const target = !large ? 20 : lowered.draws() ? 10 : 4;
            auto const found = peer.find({name, s.size()});
            std::printf("%-20s %14.1f", name.c_str(), 1e6 * own);
            if (found != peer.end())
                std::printf(" %14.1f %8.1f %8.0f%s", 1e6 * found->second, found->second / own, target,
                            found->second / own >= target ? "" : "  below");
            std::printf("\n");
        }
    }
}
