// SPDX-License-Identifier: MIT
// From real digits to new ones: trains a network, samples it, measures the samples.
#include "checkpoint.hpp"
#include "digits.hpp"
#include "interrupt.hpp"
#include "measures.hpp"
#include "model.hpp"
#include "options.hpp"
#include "output.hpp"
#include "plots.hpp"
#include "progress.hpp"
#include "samplers.hpp"
#include "sampling.hpp"

#include <alphabar/io/idx.hpp>
#include <alphabar/io/png.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

namespace mnist {

namespace {

/// The options do not go with each other or with a file.
struct wrong_options : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The config of a resumed run. Only its budget may be another one; other training options that the
/// user names must agree.
training_config resumed_config(options const& asked, training_config const& saved)
{
    training_config config = saved;
    if (asked.chosen.contains("budget"))
        config.budget = asked.training.budget;
    training_config const& t = asked.training;
    auto const agree = [&](char const* option, auto const& wanted, auto const& there) {
        if (asked.chosen.contains(option) && wanted != there)
            throw wrong_options(std::string("--") + option + " is another than in the checkpoint; leave it out");
    };
    agree("network", t.network, saved.network);
    agree("seed", t.seed, saved.seed);
    agree("batch", t.batch, saved.batch);
    agree("rate", t.rate, saved.rate);
    agree("drop-label", t.drop_label, saved.drop_label);
    agree("ema", t.ema, saved.ema);
    return config;
}

/// Trains to the end, to --stop-after or to Ctrl-C, and always leaves a checkpoint. False where it
/// stopped early.
bool train(model& network, training_config const& config, digits const& data, options const& asked,
           output_folder const& out, std::vector<double>& loss)
{
    std::uint32_t const total = network.steps();
    std::uint32_t const goal = std::min(total, asked.stop_after.value_or(total));
    double recent = 0, weight = 0; // a running mean over about 100 steps
    for (double const l : loss)
        recent = 0.99 * recent + 0.01 * l, weight = 0.99 * weight + 0.01;
    auto const save = [&] { write_checkpoint(out.checkpoint(), config, data.checksum(), network, loss); };
    {
        progress bar("training", total, network.steps_done());
        while (network.steps_done() < goal && !interrupt()) {
            double const l = network.step(data.training());
            if (!std::isfinite(l))
                throw std::runtime_error("the loss is not finite any more after " + shown_count(loss.size() + 1) +
                                         " steps; try a smaller --rate");
            loss.push_back(l);
            recent = 0.99 * recent + 0.01 * l, weight = 0.99 * weight + 0.01;
            bar.at(network.steps_done(), formatted("loss %.4f", recent / weight), config.batch, "images");
        }
        save();
    }
    if (network.steps_done() == total && !interrupt())
        return true;
    std::fprintf(stderr,
                 "Stopped after %s of %s steps. To go on: examples/mnist/run --data '%s' --resume '%s' --output '%s'\n",
                 shown_count(network.steps_done()).c_str(), shown_count(total).c_str(), asked.data.c_str(),
                 out.checkpoint().c_str(), out.folder.c_str());
    throw_if_interrupted();
    return false;
}

/// The classes of the samples: in turn, or all the one asked for.
std::vector<std::uint8_t> classes_of(options const& asked)
{
    std::vector<std::uint8_t> all(asked.samples);
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<std::uint8_t>(asked.only_class.value_or(i % classes));
    return all;
}

void sample_and_measure(model& network, training_config const& config, digits const& data, options const& asked,
                        output_folder const& out)
{
    sampler_kind const& kind = sampler_named(!asked.sampler.empty()  ? asked.sampler
                                             : network.conditional() ? "dpmpp_2m"
                                                                     : "ddpm");
    std::uint32_t const calls = asked.calls ? asked.calls : kind.usual_calls;
    sampler const with = kind.make(calls, network.form());
    std::vector<std::uint8_t> const labels = classes_of(asked);

    std::vector<float> samples;
    {
        progress bar("sampling", labels.size());
        samples = draw(network, with, labels,
                       {.seed = config.seed, .guidance = asked.guidance, .on_sample = [&](std::size_t done) {
                            throw_if_interrupted();
                            bar.at(done, kind.title + formatted(" %u", calls), 1, "digits");
                        }});
    }
    std::vector<std::uint8_t> bytes(samples.size());
    if (std::size_t const bad = alphabar::to_bytes(samples, bytes))
        std::fprintf(stderr, "Warning: %s pixels of the samples are not finite\n", shown_count(bad).c_str());
    alphabar::write_idx<std::uint8_t>(out.sample_images(), {labels.size(), side, side}, bytes);
    alphabar::write_idx<std::uint8_t>(out.sample_labels(), {labels.size()}, labels);
    // Ten of each class, a class in a row.
    std::vector<float> shown;
    for (std::size_t i = 0; i < 100; ++i) {
        std::size_t const from = asked.only_class ? i : i % 10 * classes + i / 10;
        shown.insert(shown.end(), samples.begin() + static_cast<std::ptrdiff_t>(from * pixels),
                     samples.begin() + static_cast<std::ptrdiff_t>((from + 1) * pixels));
    }
    plot_samples(out.samples(), shown, 10);

    // The measures, beside those of real digits; where only one class was asked for, against the
    // real digits of that class.
    throw_if_interrupted();
    labelled_images const training = data.training();
    auto const chosen = [&](labelled_images const& all) {
        return digits::of_class(all, static_cast<std::uint8_t>(asked.only_class.value_or(0)));
    };
    std::optional<digits> own_training, own_held_out;
    if (asked.only_class)
        own_training = chosen(training), own_held_out = chosen(data.held_out());
    labelled_images const like_training = own_training ? own_training->all() : training;
    labelled_images const like_held_out = own_held_out ? own_held_out->all() : data.held_out();
    std::size_t const n = std::min({labels.size(), like_training.count(), like_held_out.count()});
    if (n < 10) {
        std::printf("\nToo few real digits of this class to measure the samples against.\n");
        return;
    }
    principal_components const components(training.images);
    features const all = components.project(training.images), real = components.project(like_held_out.first(n).images);
    struct row {
        char const* source;
        features of;
        std::span<std::uint8_t const> labels;
    };
    std::span const own_labels = std::span(labels).first(n);
    std::vector<row> const rows{
        {"these samples", components.project(std::span(samples).first(n * pixels)), own_labels},
        {"real digits (training)", components.project(like_training.first(n).images), like_training.labels.first(n)},
        {"real digits (held out)", real, like_held_out.labels.first(n)},
    };
    std::string const guidance = network.conditional() ? formatted(", guidance %g", asked.guidance) : "";
    std::printf("\n%s %u%s; %s digits of each source\n\n  %-24s %7s %7s %7s\n", kind.title, calls, guidance.c_str(),
                shown_count(n).c_str(), "source", "nn", "vote", "SW");
    for (row const& r : rows) {
        bool const is_real = r.of == real, is_sample = &r == &rows.front();
        std::string const vote = is_sample && !network.conditional()
                                     ? "-"
                                     : formatted("%.3f", vote_share(r.of, r.labels, all, training.labels));
        std::printf("  %-24s %7s %7s %7s\n", r.source,
                    is_real ? "-" : formatted("%.3f", nearest_neighbour_accuracy(r.of, real)).c_str(), vote.c_str(),
                    is_real ? "-" : formatted("%.3f", sliced_wasserstein(r.of, real)).c_str());
    }
    std::printf("\n  nn    how often a nearest-neighbour test tells them from held-out digits: 0.5 "
                "never, 1 always\n"
                "  vote  share whose 5 nearest training digits are of their class\n"
                "  SW    sliced Wasserstein distance to the held-out digits\n");
    std::fflush(stdout);
}

/// The same noise through several samplers, and how far each ends from the fine solution of the
/// same equation.
void compare_samplers(model& network, training_config const& config, options const& asked, output_folder const& out)
{
    std::vector<std::uint8_t> asked_classes(10);
    for (std::size_t i = 0; i < asked_classes.size(); ++i)
        asked_classes[i] = static_cast<std::uint8_t>(asked.only_class.value_or(i));
    auto const time = [] { return std::chrono::steady_clock::now(); };
    auto const run = [&](sampler const& with, std::string title, std::string calls) {
        auto const start = time();
        sampler_row row{std::move(title),
                        std::move(calls),
                        0,
                        {},
                        draw(network, with, asked_classes,
                             {.seed = config.seed, .guidance = asked.guidance, .on_sample = [](std::size_t) {
                                  throw_if_interrupted();
                              }})};
        row.seconds = std::chrono::duration<double>(time() - start).count();
        return row;
    };

    std::vector<sampler_row> rows;
    rows.push_back(run(fine_solution(network.form()), "Fine solution", "Heun, 100 steps"));
    struct entry {
        char const* name;
        std::uint32_t calls;
    };
    for (auto const& [name, calls] : {entry{"ddpm", 1000}, {"ddim", 50}, {"euler", 10}, {"dpmpp_2m", 10}}) {
        sampler_kind const& kind = sampler_named(name);
        sampler_row row = run(kind.make(calls, network.form()), kind.title + formatted(" %u", calls),
                              kind.stochastic ? "draws noise: goes elsewhere" : formatted("%u network calls", calls));
        double square = 0;
        for (std::size_t i = 0; i < row.images.size(); ++i)
            square += std::pow(double{row.images[i]} - double{rows.front().images[i]}, 2);
        row.distance = std::sqrt(square / static_cast<double>(row.images.size()));
        rows.push_back(std::move(row));
    }
    std::printf("\nSamplers: 10 digits each from the same noise\n\n  %-24s %9s %9s\n", "sampler", "seconds",
                "distance");
    for (sampler_row const& row : rows)
        std::printf("  %-24s %9.3f %9s%s\n", row.title.c_str(), row.seconds,
                    row.distance ? formatted("%.3f", *row.distance).c_str() : "0",
                    row.calls.starts_with("draws") ? "  (it draws noise: other digits)" : "");
    std::printf("\n  distance  root mean square difference of the pixels, which lie in [-1, 1], "
                "from the fine solution\n");
    plot_samplers(out.samplers(), rows, "The same noise and the same network");
}

int run(options asked)
{
    std::optional<checkpoint> saved;
    training_config config = asked.training;
    if (asked.resume) {
        saved.emplace(*asked.resume);
        config = resumed_config(asked, saved->config());
    }
    digits const data(asked.data);
    if (saved && saved->data_checksum() != data.checksum())
        throw wrong_options("the digits of " + asked.data.string() + " are not those that " + asked.resume->string() +
                            " was trained on");
    output_folder const out{asked.output};
    out.prepare(16'000'000 + std::uintmax_t{asked.samples} * (pixels + 1));

    std::unique_ptr<model> const network = make_model(config, asked.threads);
    if (network->steps() >= 1u << 24)
        throw wrong_options("a budget of " + formatted("%g", config.budget) +
                            " needs more than 2^24 steps; take a larger --batch");
    std::vector<double> loss;
    if (saved) {
        if (saved->loss().size() > network->steps())
            throw wrong_options("the checkpoint has been trained for longer than the budget");
        saved->restore(*network);
        loss = saved->loss();
        saved.reset();
    }
    std::fprintf(stderr, "digits    %s to train with, %s held out (%s)\n", shown_count(data.training().count()).c_str(),
                 shown_count(data.held_out().count()).c_str(), asked.data.c_str());
    std::fprintf(stderr, "network   %s: %s weights, %.1f MFLOP to train with one image\n", network->title().c_str(),
                 shown_count(network->states().front().values.size()).c_str(), network->training_flop() / 1e6);
    std::fprintf(stderr, "budget    %g TFLOP: %s steps of %u digits; %u thread%s, seed %llu\n", config.budget,
                 shown_count(network->steps()).c_str(), config.batch, asked.threads, asked.threads == 1 ? "" : "s",
                 static_cast<unsigned long long>(config.seed));

    catch_interrupts();
    if (!train(*network, config, data, asked, out, loss))
        return 0;
    plot_loss(out.loss(), loss, config.batch,
              "Loss of training: " + network->title() + formatted(", %g TFLOP", config.budget));
    sample_and_measure(*network, config, data, asked, out);
    if (asked.comparison)
        compare_samplers(*network, config, asked, out);
    std::printf("\nThe pictures, samples and checkpoint are in %s\n", out.folder.c_str());
    return 0;
}

} // namespace

} // namespace mnist

int main(int argc, char** argv)
{
    try {
        mnist::command const command = mnist::read_command_line(argc, argv);
        return command.exit_code ? *command.exit_code : mnist::run(command.asked);
    } catch (mnist::interrupted const& stop) {
        return 128 + stop.signal;
    } catch (mnist::wrong_options const& error) {
        std::fprintf(stderr, "mnist: %s\n", error.what());
        return 2;
    } catch (alphabar::file_error const& error) {
        std::fprintf(stderr, "mnist: %s\n", error.what());
        return 2;
    } catch (std::exception const& error) {
        std::fprintf(stderr, "mnist: %s\n", error.what());
        return 1;
    }
}
