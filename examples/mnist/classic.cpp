// SPDX-License-Identifier: MIT
// The classic first network, told neither time nor class: it predicts epsilon under linear betas,
// as in DDPM.
#include "trained_model.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/denoiser/classic.hpp>
#include <alphabar/process/q_sample.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

namespace mnist {

namespace {

class classic_model final : public trained_model<alphabar::classic<float>> {
public:
    classic_model(training_config const& config, unsigned threads)
        : trained_model(config, threads), conditions_(config.batch), times_(config.batch), x_0_(config.batch * pixels),
          x_t_(x_0_.size()), eps_(x_0_.size())
    {
    }

    std::string title() const override { return "Two convolutions"; }
    bool conditional() const override { return false; }
    alphabar::network_form form() const override
    {
        return {.predicts = alphabar::prediction::epsilon, .input = alphabar::network_input::variance_preserving};
    }
    double step(labelled_images const& training) override
    {
        std::uint32_t const step = steps_done();
        auto const noise = noise_(alphabar::purpose::training, step);
        for (std::size_t i = 0; i < times_.size(); ++i) {
            std::uint64_t const digit =
                noise_(alphabar::purpose::data, step).word(i, 0) * std::uint64_t{training.count()} >> 32;
            std::ranges::copy(training.images.subspan(digit * pixels, pixels),
                              x_0_.begin() + static_cast<std::ptrdiff_t>(i * pixels));
            times_[i] = alphabar::time_draw(noise_, 1000, step, i);
            noise.fill(i, 0, std::span(eps_).subspan(i * pixels, pixels));
        }
        alphabar::shape const batch{times_.size(), side, side};
        alphabar::q_sample(diffusion_, alphabar::view(x_0_, batch), times_, alphabar::view(eps_, batch),
                           alphabar::view(x_t_, batch));
        return trainer_.step(x_t_, conditions_, eps_);
    }

private:
    alphabar::gaussian_diffusion diffusion_{alphabar::linear_betas(1000)};
    std::vector<alphabar::condition> conditions_;
    std::vector<std::size_t> times_;
    std::vector<float> x_0_, x_t_, eps_;
};

} // namespace

std::unique_ptr<model> make_classic(training_config const& config, unsigned threads)
{
    return std::make_unique<classic_model>(config, threads);
}

} // namespace mnist
