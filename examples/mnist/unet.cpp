// SPDX-License-Identifier: MIT
// The U-Net, told time and class, trained as a rectified flow.
#include "trained_model.hpp"

#include <alphabar/denoiser/unet.hpp>

namespace mnist {

namespace {

class unet_model final : public trained_model<alphabar::unet<float>> {
public:
    using trained_model::trained_model;

    std::string title() const override { return "U-Net"; }
    bool conditional() const override { return true; }
    alphabar::network_form form() const override
    {
        return {.predicts = alphabar::prediction::flow, .input = alphabar::network_input::rectified_flow};
    }
    double step(labelled_images const& training) override { return trainer_.step({training.images, training.labels}); }
};

} // namespace

std::unique_ptr<model> make_unet(training_config const& config, unsigned threads)
{
    return std::make_unique<unet_model>(config, threads);
}

} // namespace mnist
