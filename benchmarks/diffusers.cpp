// SPDX-License-Identifier: MIT
// How much faster is a step of each scheduler class than diffusers' own scheduler.step?
//
// Both in one run, float, one thread, 16 x 3 x 256 x 256 and 1 x 4 x 64 x 64, every class with its default
// configuration and 12 steps: the best of the calls in the middle, without the network. A step is next() and take(),
// which make the noise and the next call's input too. The peer runs where python3 has torch and diffusers; elsewhere it
// is left out.
#include <alphabar/core/aligned.hpp>
#include <alphabar/io/diffusers.hpp>
#include <alphabar/sampler/executor.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <utility>

namespace ab = alphabar;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The best call in the middle of a run.
double best_step(ab::lowered_plan const& plan, ab::shape const& s, int runs)
{
    ab::aligned_vector<float> x(s.size()), output(s.size() * plan.heads(), 0.25f), data(s.size()), mask(s.size(), 1.0f);
    std::size_t const first = plan.stages() > 10 ? 5 : plan.stages() / 3;
    std::size_t const last = plan.stages() > 10 ? 10 : plan.stages();
    double best = 1e9;
    for (int run = 0; run < runs; ++run) {
        std::fill(x.begin(), x.end(), 0.5f);
        ab::executor all(plan, ab::view(x.data(), s), ab::noise_stream{1},
                         ab::known(ab::view(data.data(), s), ab::view(mask.data(), s))); // RePaint reads them
        auto const out = ab::view(output.data(), all.output_shape());
        for (;;) {
            double const start = now();
            auto const call = all.next();
            if (!call || call.stage >= last)
                break;
            all.take(out);
            if (call.stage >= first)
                best = std::min(best, now() - start);
        }
    }
    return best;
}

std::string text_of(std::exception const& e)
{
    std::string const text = e.what();
    return text.substr(0, text.find('\n'));
}

} // namespace

int main()
{
    std::map<std::string, ab::plan> plans;
    std::string names;
    for (std::string const& name : ab::diffusers_classes()) {
        try {
            plans[name] = ab::parse_diffusers_config("{\"_class_name\": \"" + name + "Scheduler\"}").plan(12);
            names += " " + name;
        } catch (std::exception const& e) {
            std::printf("%s is left out: %s\n", name.c_str(), text_of(e).c_str());
        }
    }

    std::map<std::pair<std::string, std::size_t>, double> peer;
    std::string const command =
        "OMP_NUM_THREADS=1 python3 " ALPHABAR_BENCHMARKS "/diffusers_peer.py" + names + " 2>/dev/null";
    std::FILE* const python = popen(command.c_str(), "r");
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
        std::printf("%s\n%-28s %6s %12s %14s %8s %8s\n", to_string(s).c_str(), "class", "noise", "alphabar/us",
                    "diffusers/us", "ratio", "target");
        bool const large = s.batch() > 1;
        for (auto const& [name, plan] : plans) {
            auto const lowered = ab::lower(plan);
            double const own = best_step(lowered, s, large ? 4 : 200);
            double const target = !large ? 20 : lowered.draws() ? 10 : 4;
            auto const found = peer.find({name, s.size()});
            std::printf("%-28s %6s %12.1f", name.c_str(), lowered.draws() ? "yes" : "", 1e6 * own);
            if (found != peer.end())
                std::printf(" %14.1f %8.1f %8.0f%s", 1e6 * found->second, found->second / own, target,
                            found->second / own >= target ? "" : "  below");
            std::printf("\n");
        }
    }
}
