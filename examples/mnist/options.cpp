// SPDX-License-Identifier: MIT
#include "options.hpp"

#include "samplers.hpp"

#include <alphabar/core/error.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mnist {

namespace {

/// CLI11's help with the samplers below it.
std::string footer()
{
    std::string text = "Samplers, and the network calls each makes for one digit unless --calls says otherwise:\n";
    for (sampler_kind const& kind : sampler_kinds()) {
        std::string const name = kind.name, calls = std::to_string(kind.usual_calls);
        text += "  " + name + std::string(16 - name.size(), ' ') + std::string(5 - calls.size(), ' ') + calls + "  " +
                kind.title + "\n";
    }
    return text + R"(
Budgets, and what the U-Net makes of them (training time on two cores with AVX-512, at 6,300 images/s):
  0.3   about  2 s   two thirds of the digits can be read
  1     about  7 s   nine in ten
  3     about 21 s   nearly all; the usual choice
  10    about 70 s   more variety

Examples:
  examples/mnist/run                           train, sample, measure, compare
  examples/mnist/run --budget 0.3              a first look
  examples/mnist/run --data ~/mnist            your own train-images-idx3-ubyte and train-labels-idx1-ubyte
  examples/mnist/run --network classic         two convolutions, as in blogs: a fine loss curve, and blobs
  examples/mnist/run --resume mnist-output/checkpoint.safetensors --class 7
                                               go on with a run; one that is finished only samples

Files in the output folder: samples.png, loss.png, samplers.png, samples-idx3-ubyte, samples-labels-idx1-ubyte,
checkpoint.safetensors.

Exit codes: 0 done, 2 a wrong option or a bad file, 130 stopped with Ctrl-C, 143 by SIGTERM (both leave a checkpoint),
1 anything else.)";
}

/// A check that shows nothing in the help and rejects NaN.
CLI::Validator within(double low, double high)
{
    return {[=](std::string& text) {
                double value = 0;
                bool const number = CLI::detail::lexical_cast(text, value);
                return number && value >= low && value <= high
                           ? std::string()
                           : "must lie in [" + alphabar::shown(low) + ", " + alphabar::shown(high) + "]";
            },
            ""};
}

CLI::Validator one_of(std::vector<std::string> names)
{
    return {[names = std::move(names)](std::string& text) {
                if (std::ranges::find(names, text) != names.end())
                    return std::string();
                std::string said = "must be one of:";
                for (std::string const& name : names)
                    said += " " + name;
                return said;
            },
            ""};
}

} // namespace

command read_command_line(int argc, char const* const* argv)
{
    command result;
    options& o = result.asked;
    training_config& t = o.training;
    o.data = MNIST_DATA_FOLDER;
    o.threads = std::clamp(std::thread::hardware_concurrency(), 1u, 64u);

    CLI::App app{"Trains a small diffusion model on handwritten digits and samples new ones.", "examples/mnist/run"};
    app.get_formatter()->column_width(26);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.footer(footer());
    app.set_help_flag("-h,--help", "Print this and exit");

    std::string data, output = o.output.string(), resume;
    std::uint32_t only_class = 0, stop_after = 0;
    bool no_comparison = false;
    std::vector<std::string> names;
    for (sampler_kind const& kind : sampler_kinds())
        names.emplace_back(kind.name);

    app.add_option("--data", data, "Folder of the digits (the 10,000 that come with the program)")
        ->type_name("FOLDER")
        ->group("Files");
    app.add_option("--output", output, "Folder for the results (mnist-output)")->type_name("FOLDER")->group("Files");
    CLI::Option* const resume_option =
        app.add_option("--resume", resume, "Go on from a checkpoint, which brings its training options")
            ->type_name("FILE")
            ->group("Files");

    std::vector<CLI::Option*> const trained{
        app.add_option("--budget", t.budget, "10^12 floating-point operations to train with (3)")
            ->type_name("TFLOP")
            ->check(within(1e-4, 1e4)),
        app.add_option("--network", t.network, "unet, or classic: two convolutions (unet)")
            ->type_name("NAME")
            ->check(one_of({"unet", "classic"})),
        app.add_option("--seed", t.seed, "Every random number follows from it (42)")->type_name("N"),
        app.add_option("--batch", t.batch, "Digits in a step (32; classic: 128)")
            ->type_name("N")
            ->check(within(1, 4096)),
        app.add_option("--rate", t.rate, "Adam's highest step size (0.007; classic: 0.001)")
            ->type_name("X")
            ->check(within(1e-6, 1)),
        app.add_option("--drop-label", t.drop_label,
                       "Share of digits whose class is hidden (0.15); guidance needs some")
            ->type_name("X")
            ->check(within(0, 1)),
        app.add_option("--ema", t.ema, "How slowly the averaged weights follow, 0 to 1 (0.995)")
            ->type_name("X")
            ->check(within(0, 0.999999)),
    };
    CLI::Option* const stop_option =
        app.add_option("--stop-after", stop_after, "Stop after so many steps in all; leaves a checkpoint")
            ->type_name("STEPS")
            ->group("Training")
            ->check(within(1, 1 << 24));
    for (CLI::Option* const option : trained)
        option->group("Training");

    app.add_option("--sampler", o.sampler, "One of those below (dpmpp_2m; classic: ddpm)")
        ->type_name("NAME")
        ->group("Sampling")
        ->check(one_of(names));
    app.add_option("--calls,--steps", o.calls, "Network calls for one digit (as below)")
        ->type_name("N")
        ->group("Sampling")
        ->check(within(1, 1000));
    app.add_option("--guidance", o.guidance, "1: as trained; more: clearer digits, less variety (1.5)")
        ->type_name("X")
        ->group("Sampling")
        ->check(within(0, 20));
    CLI::Option* const class_option = app.add_option("--class", only_class, "Only this digit, 0 to 9")
                                          ->type_name("DIGIT")
                                          ->group("Sampling")
                                          ->check(within(0, 9));
    app.add_option("--samples", o.samples, "How many (2000)")
        ->type_name("N")
        ->group("Sampling")
        ->check(within(100, 1e6));
    app.add_flag("--no-comparison", no_comparison, "Leave out the comparison of samplers")->group("Sampling");
    app.add_option("--threads", o.threads, "Threads (one for each core); any number gives the same bits")
        ->type_name("N")
        ->check(within(1, 64));

    try {
        app.parse(argc, argv);
    } catch (CLI::CallForHelp const&) {
        std::cout << app.help();
        result.exit_code = 0;
        return result;
    } catch (CLI::ParseError const& error) {
        std::string text = error.what();
        std::ranges::replace(text, '\n', ' ');
        std::cerr << "mnist: " << text << " (--help lists the options)\n";
        result.exit_code = 2;
        return result;
    }

    if (!data.empty())
        o.data = data;
    o.output = output;
    if (*resume_option)
        o.resume = resume;
    if (*stop_option)
        o.stop_after = stop_after;
    if (*class_option)
        o.only_class = only_class;
    o.comparison = !no_comparison;
    for (CLI::Option* const option : trained)
        if (*option)
            o.chosen.insert(option->get_name().substr(2));
    if (t.network == "classic") {
        if (!o.chosen.contains("batch"))
            t.batch = 128;
        if (!o.chosen.contains("rate"))
            t.rate = 1e-3;
    }
    return result;
}

} // namespace mnist
