// SPDX-License-Identifier: MIT
// A network in training: what the program needs of it, whichever network it is.
#pragma once

#include "config.hpp"
#include "digits.hpp"

#include <alphabar/sampler/network_form.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mnist {

class model {
public:
    virtual ~model() = default;

    virtual std::string title() const = 0;
    virtual double training_flop() const = 0; ///< for one image
    virtual std::uint32_t steps() const = 0;  ///< in all
    virtual std::uint32_t steps_done() const = 0;
    virtual bool conditional() const = 0; ///< whether the class asked for means anything to it
    virtual alphabar::network_form form() const = 0;

    /// One step of training; returns its loss.
    virtual double step(labelled_images const& training) = 0;

    /// The averaged network on images x; labels[i] is -1 for no class.
    virtual void predict(std::span<float const> x, double log_sigma, std::span<int const> labels,
                         std::span<float> output) = 0;

    /// One array of the network, in each of the four states that training keeps of it.
    struct array {
        std::string name;
        std::vector<std::uint64_t> shape;
        std::size_t offset, size;
    };
    struct state {
        char const* name;
        std::span<float> values;
    };
    virtual std::vector<array> arrays() const = 0;
    virtual std::vector<state> states() = 0;
    /// To be called once the states hold what they held after so many steps.
    virtual void resume(std::uint32_t steps_done) = 0;
};

std::unique_ptr<model> make_unet(training_config const& config, unsigned threads);
std::unique_ptr<model> make_classic(training_config const& config, unsigned threads);

inline std::unique_ptr<model> make_model(training_config const& config, unsigned threads)
{
    return config.network == "classic" ? make_classic(config, threads) : make_unet(config, threads);
}

} // namespace mnist
