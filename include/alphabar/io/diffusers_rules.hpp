// SPDX-License-Identifier: MIT
// What each field of a diffusers scheduler may hold, by class: type, range, words.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

namespace alphabar::detail {

/// Whether a word stands in a list of them, separated by spaces.
constexpr bool among(std::string_view word, std::string_view list)
{
    for (std::size_t begin = 0; begin <= list.size();) {
        std::size_t const end = std::min(list.find(' ', begin), list.size());
        if (end > begin && list.substr(begin, end - begin) == word)
            return true;
        begin = end + 1;
    }
    return false;
}

struct interval {
    double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
    bool open = false; ///< the ends are outside
};

/// What the fields named may hold. Where a class's default is null, null may stand, and in a flag it is false.
struct field_rule {
    enum class kind {
        whole,
        real,
        flag,
        word,
        list,       ///< of numbers
        whole_list, ///< of whole numbers
        object,
        nothing ///< only null is supported
    };
    std::string_view fields; ///< separated by spaces
    kind what;
    interval range{};           ///< of numbers
    std::string_view words{};   ///< "a b=c": a, and b, which is read as c
    std::string_view classes{}; ///< which it is for; none: all that have no row above
    enum class null_rule { as_default, always, never } null = null_rule::as_default;
};

/// The first row that has the field and the class is the rule.
inline constexpr auto field_rules = [] {
    using enum field_rule::kind;
    using enum field_rule::null_rule;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr interval positive{0, 1e30, true}, not_negative{0, 1e30}, within_one{0, 1, true}, up_to_one{0, 1};
    return std::to_array<field_rule>({
        {"num_train_timesteps", whole, {1009, 10000}, {}, "ConsistencyDecoder"}, // its first call is 1008
        {"num_train_timesteps original_inference_steps num_policy_substeps", whole, {1, 10000}},
        {"base_image_seq_len max_image_seq_len", whole, {1, 1e9}},
        {"steps_offset tail_steps", whole, {0, 10000}},
        {"noise_sampler_seed", whole},
        {"solver_order", whole, {1, 3}, {}, "DPMSolverSinglestep"},
        {"solver_order", whole, {1, 2}, {}, "CosineDPMSolverMultistep"},
        {"solver_order", whole, {1, 8}},
        {"predictor_order corrector_order", whole, {1, 4}},
        {"n_grid", whole, {2, 15}},
        {"stages", whole, {1, 16}},
        {"correct_steps", whole, {0, 1000}},
        {"tail_step_multiplier", whole, {1, 100}},
        {"disable_corrector", whole_list, {0, 10000}},

        {"beta_start beta_end shift_terminal sampling_eps eps", real, within_one},
        {"dynamic_thresholding_ratio t_lim_ode t_lim_ode_below", real, up_to_one},
        {"clip_sample_range sample_max_value flow_shift shift rho", real, positive},
        {"tsr_k tsr_sigma", real, positive, {}, {}, never},
        {"sigma_min sigma_max sigma_data scaler snr snr_shift_scale timestep_scaling gamma beta_max", real, positive},
        {"eta", real, up_to_one, {}, "RePaint LTXEulerAncestralRF"},
        {"beta_min s_churn s_min s_noise s eta", real, not_negative},
        {"s_max", real, {0, infinity}},
        {"final_step_size_scale", real, {0x1p-1022, 1}},
        {"lambda_min_clipped", real},
        {"base_shift max_shift", real, {-1e30, 1e30}},
        {"trained_betas", list, up_to_one, {}, "IPNDM"}, // the class's sigmas
        {"trained_betas", list, within_one},
        {"stage_range", list, up_to_one},
        {"scale_factors", list, positive},

        {"beta_schedule", word, {}, "linear scaled_linear squaredcos_cap_v2 sigmoid laplace", "DDPM DDPMParallel"},
        {"beta_schedule", word, {}, "linear scaled_linear squaredcos_cap_v2 exp", "HeunDiscrete"},
        {"beta_schedule", word, {}, "linear scaled_linear squaredcos_cap_v2 sigmoid", "RePaint"},
        {"beta_schedule", word, {}, "squaredcos_cap_v2", "UnCLIP"},
        {"beta_schedule", word, {}, "linear scaled_linear squaredcos_cap_v2"},
        {"prediction_type",
         word,
         {},
         "epsilon v_prediction",
         "PNDM EulerAncestralDiscrete KDPM2Discrete KDPM2AncestralDiscrete DPMSolverSDE EDMEuler EDMDPMSolverMultistep "
         "CosineDPMSolverMultistep"},
        {"prediction_type", word, {}, "epsilon sample", "UnCLIP"},
        {"prediction_type", word, {}, "epsilon sample original_sample=sample v_prediction", "EulerDiscrete"},
        {"prediction_type",
         word,
         {},
         "epsilon sample v_prediction flow_prediction",
         "DPMSolverMultistep DPMSolverMultistepInverse DPMSolverSinglestep DEISMultistep UniPCMultistep SASolver "
         "Helios"},
        {"prediction_type", word, {}, "trigflow", "SCM"},
        {"prediction_type", word, {}, "flow_prediction", "HeliosDMD"},
        {"prediction_type", word, {}, "epsilon sample v_prediction"},
        {"timestep_spacing", word, {}, "leading trailing", "DDIMInverse"},
        {"timestep_spacing", word, {}, "linspace leading trailing"},
        {"variance_type", word, {}, "fixed_small_log learned_range", "UnCLIP"},
        {"variance_type", word, {}, "fixed_small fixed_small_log fixed_large fixed_large_log learned learned_range"},
        {"final_sigmas_type", word, {}, "zero sigma_min"},
        {"interpolation_type", word, {}, "linear log_linear"},
        {"timestep_type", word, {}, "discrete continuous"},
        {"time_shift_type", word, {}, "exponential linear"},
        {"sigma_schedule", word, {}, "karras exponential"},
        {"algorithm_type", word, {}, "dpmsolver++ sde-dpmsolver++ deis=dpmsolver++", "EDMDPMSolverMultistep"},
        {"algorithm_type", word, {}, "dpmsolver dpmsolver++ sde-dpmsolver++ deis=dpmsolver++", "DPMSolverSinglestep"},
        {"algorithm_type", word, {}, "dpmsolver dpmsolver++ deis=dpmsolver++", "DPMSolverMultistepInverse"},
        {"algorithm_type", word, {}, "deis dpmsolver=deis dpmsolver++=deis", "DEISMultistep"},
        {"algorithm_type", word, {}, "data_prediction noise_prediction", "SASolver"},
        {"algorithm_type", word, {}, "dpmsolver dpmsolver++ sde-dpmsolver sde-dpmsolver++ deis=dpmsolver++"},
        {"solver_type", word, {}, "bh1 bh2 midpoint=bh2 heun=bh2 logrho=bh2", "UniPCMultistep Helios"},
        {"solver_type", word, {}, "logrho midpoint=logrho heun=logrho bh1=logrho bh2=logrho", "DEISMultistep"},
        {"solver_type", word, {}, "midpoint heun logrho=midpoint bh1=midpoint bh2=midpoint"},
        {"scheduler_type", word, {}, "unipc euler"},
        {"schedule_mode", word, {}, "log power", {}, never},
        {"noise_mode", word, {}, "tan 1/t", {}, never},
        {"upscale_mode", word, {}, "nearest linear bilinear bicubic trilinear area nearest-exact", {}, always},

        {"use_karras_sigmas use_exponential_sigmas use_beta_sigmas", flag, {}, {}, {}, never},
        {"skip_prk_steps clip_sample clip_denoised set_alpha_to_one thresholding rescale_betas_zero_snr "
         "lower_order_final "
         "euler_at_final predict_x0 invert_sigmas stochastic_sampling use_lu_lambdas use_flow_sigmas "
         "use_dynamic_shifting",
         flag,
         {},
         {},
         {},
         always},
        {"tau_func", object},
        {"solver_p", nothing},
    });
}();

/// Null where there is none.
constexpr field_rule const* rule_of(std::string_view class_name, std::string_view field)
{
    for (field_rule const& rule : field_rules)
        if (among(field, rule.fields) && (rule.classes.empty() || among(class_name, rule.classes)))
            return &rule;
    return nullptr;
}

/// Schedulers of diffusers that work on tokens.
inline constexpr std::string_view token_classes =
    "AmusedScheduler BlockRefinementScheduler DiscreteDDIMScheduler EntropyBoundScheduler VQDiffusionScheduler";

} // namespace alphabar::detail
