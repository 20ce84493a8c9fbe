// SPDX-License-Identifier: MIT
// A diffusers scheduler_config.json, read and checked: every field has a value of the right kind and range, or an error
// names the field and the byte. Needs nlohmann-json.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/io/diffusers_defaults.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alphabar {

/// What is wrong with a configuration, which field it is, and where its value begins in the file.
class config_error : public std::invalid_argument {
public:
    enum class kind {
        syntax,     ///< not JSON, or not an object
        duplicate,  ///< a key stands twice in an object
        type,       ///< a value of another JSON type, or a missing class name
        range,      ///< a value that is not allowed
        unsupported ///< a class or an option that diffusers knows and this library does not
    };
    config_error(kind why, std::string field, std::size_t byte, std::string const& what)
        : std::invalid_argument("scheduler config: " + (field.empty() ? "" : field + ", ") + "byte " +
                                std::to_string(byte) + ": " + what),
          why_(why), field_(std::move(field)), reason_(what), byte_(byte)
    {
    }
    kind why() const { return why_; }
    std::string const& field() const { return field_; }
    /// The message without field and byte.
    std::string const& reason() const { return reason_; }
    /// Counted from 0; the size of the text where a default is at fault.
    std::size_t byte() const { return byte_; }

private:
    kind why_;
    std::string field_;
    std::string reason_;
    std::size_t byte_;
};

namespace detail {

/// Reads characters and tells how far the reader has come.
struct counting_iterator {
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = char const*;
    using reference = char const&;
    using iterator_category = std::forward_iterator_tag;

    char const* at;
    char const** furthest;

    char const& operator*() const { return *at; }
    counting_iterator& operator++()
    {
        *furthest = ++at;
        return *this;
    }
    counting_iterator operator++(int)
    {
        counting_iterator const before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(counting_iterator a, counting_iterator b) { return a.at == b.at; }
};

/// The first pass over the text: where the values of the top level begin; duplicate keys and excessive depth are
/// errors.
class config_scan : public nlohmann::json_sax<nlohmann::json> {
public:
    static constexpr std::size_t max_depth = 32;

    explicit config_scan(std::string const& text) : text_(text), furthest_(text.data())
    {
        counting_iterator const begin{text.data(), &furthest_}, end{text.data() + text.size(), &furthest_};
        nlohmann::json::sax_parse(begin, end, static_cast<nlohmann::json_sax<nlohmann::json>*>(this));
    }
    std::map<std::string, std::size_t, std::less<>> const& bytes() const { return bytes_; }

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t) override { return value(); }
    bool number_float(number_float_t, string_t const&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(std::size_t) override { return open(); }
    bool start_array(std::size_t) override { return value() && open(); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override
    {
        std::size_t const end = offset();
        if (keys_.size() == 1)
            field_ = name;
        if (!keys_.back().insert(name).second)
            throw config_error(config_error::kind::duplicate, name, end - 1, "the key stands twice");
        std::size_t const begin = text_.find_first_not_of(": \t\r\n", end);
        if (keys_.size() == 1)
            bytes_[name] = begin == std::string::npos ? text_.size() : begin;
        return true;
    }
    bool parse_error(std::size_t position, std::string const&, nlohmann::json::exception const& problem) override
    {
        bool const overflow = problem.id == 406;
        std::string what = problem.what();
        if (auto const colon = what.find("; "); !overflow && colon != std::string::npos)
            what = "not JSON: " + what.substr(what.find(": ") + 2);
        else if (overflow)
            what = "the number does not fit a double";
        if (position > 0 && text_.compare(position - 1, 3, "NaN") == 0)
            what = "NaN, which Python writes, is not JSON and no value of a field";
        throw config_error(overflow ? config_error::kind::range : config_error::kind::syntax, field_,
                           position > 0 ? position - 1 : 0, what);
    }

private:
    std::size_t offset() const { return static_cast<std::size_t>(furthest_ - text_.data()); }
    bool value() const
    {
        if (keys_.empty())
            throw config_error(config_error::kind::syntax, "", 0, "it must be a JSON object");
        return true;
    }
    bool open()
    {
        if (keys_.size() == max_depth)
            throw config_error(config_error::kind::syntax, field_, offset(), "nested deeper than 32 levels");
        keys_.emplace_back();
        return true;
    }
    bool close()
    {
        keys_.pop_back();
        return true;
    }

    std::string const& text_;
    char const* furthest_;
    std::vector<std::set<std::string>> keys_;
    std::string field_;
    std::map<std::string, std::size_t, std::less<>> bytes_;
};

/// Python's json writes the infinities bare, which JSON has not: -Infinity becomes "-inf", of the same length with
/// spaces.
inline std::string quoted_infinities(std::string text)
{
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (inside && text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            inside = !inside;
        else if (!inside && text.compare(i, 9, "-Infinity") == 0)
            text.replace(i, 9, "\"-inf\"   "), i += 8;
        else if (!inside && text.compare(i, 8, "Infinity") == 0)
            text.replace(i, 8, "\"inf\"   "), i += 7;
    }
    return text;
}

/// What is known of a field by its name, whatever class it belongs to.
struct field_rule {
    enum class kind { whole, real, boolean, word, list };
    std::string_view name;
    kind what;
    double low = 0, high = 0; ///< of numbers; the ends are allowed unless `open`
    bool open = false;
    std::string_view allowed = {}; ///< of texts, separated by spaces
};

inline std::vector<field_rule> const& field_rules()
{
    using enum field_rule::kind;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    static std::vector<field_rule> const rules = {
        {"num_train_timesteps", whole, 1, 10000},
        {"steps_offset", whole, 0, 10000},
        {"solver_order", whole, 1, 8},
        {"predictor_order", whole, 1, 8},
        {"corrector_order", whole, 1, 8},
        {"n_grid", whole, 2, 15},
        {"num_policy_substeps", whole, 1, 10000},
        {"stages", whole, 1, 16},
        {"correct_steps", whole, 0, 1000},
        {"tail_steps", whole, 0, 10000},
        {"tail_step_multiplier", whole, 1, 100},
        {"beta_start", real, 0, 1, true},
        {"beta_end", real, 0, 1, true},
        {"clip_sample_range", real, 0, infinity, true},
        {"dynamic_thresholding_ratio", real, 0, 1},
        {"sample_max_value", real, 0, infinity, true},
        {"flow_shift", real, 0, infinity, true},
        {"shift", real, 0, infinity, true},
        {"shift_terminal", real, 0, 1, true},
        {"sigma_min", real, 0, 1e30, true},
        {"sigma_max", real, 0, 1e30, true},
        {"sigma_data", real, 0, 1e30, true},
        {"rho", real, 0, infinity, true},
        {"tsr_k", real, 0, infinity, true},
        {"tsr_sigma", real, 0, infinity, true},
        {"sampling_eps", real, 0, 1, true},
        {"lambda_min_clipped", real, -infinity, infinity},
        {"original_inference_steps", whole, 1, 10000},
        {"beta_min", real, 0, 1e30},
        {"beta_max", real, 0, 1e30, true},
        {"s_churn", real, 0, 1e30},
        {"s_noise", real, 0, 1e30},
        {"eta", real, 0, 1e30},
        {"s", real, 0, 1e30},
        {"scaler", real, 0, 1e30, true},
        {"snr", real, 0, 1e30, true},
        {"snr_shift_scale", real, 0, 1e30, true},
        {"timestep_scaling", real, 0, 1e30, true},
        {"final_step_size_scale", real, 0, 1e30, true},
        {"gamma", real, 0, 1e30, true},
        {"eps", real, 0, 1, true},
        {"t_lim_ode", real, 0, 1},
        {"t_lim_ode_below", real, 0, 1},
        {"beta_schedule", word, 0, 0, false, "linear scaled_linear squaredcos_cap_v2 sigmoid exp laplace"},
        {"prediction_type", word, 0, 0, false, "epsilon sample v_prediction flow_prediction trigflow"},
        {"timestep_spacing", word, 0, 0, false, "linspace leading trailing"},
        {"variance_type", word, 0, 0, false,
         "fixed_small fixed_small_log fixed_large fixed_large_log learned learned_range"},
        {"final_sigmas_type", word, 0, 0, false, "zero sigma_min"},
        {"interpolation_type", word, 0, 0, false, "linear log_linear"},
        {"timestep_type", word, 0, 0, false, "discrete continuous"},
        {"time_shift_type", word, 0, 0, false, "exponential linear"},
        {"sigma_schedule", word, 0, 0, false, "karras exponential"},
        {"algorithm_type", word, 0, 0, false,
         "dpmsolver dpmsolver++ sde-dpmsolver sde-dpmsolver++ deis data_prediction noise_prediction"},
        {"solver_type", word, 0, 0, false, "midpoint heun bh1 bh2 logrho"},
        {"schedule_mode", word, 0, 0, false, "log power"},
        {"noise_mode", word, 0, 0, false, "tan 1/t"},
        {"trained_betas", list, 0, 1, true},
        {"disable_corrector", list, 0, 10000},
        {"stage_range", list, 0, 1},
        {"skip_prk_steps", boolean},
        {"clip_sample", boolean},
        {"set_alpha_to_one", boolean},
        {"thresholding", boolean},
        {"rescale_betas_zero_snr", boolean},
        {"lower_order_final", boolean},
        {"euler_at_final", boolean},
        {"predict_x0", boolean},
        {"invert_sigmas", boolean},
        {"stochastic_sampling", boolean},
        {"use_karras_sigmas", boolean},
        {"use_exponential_sigmas", boolean},
        {"use_beta_sigmas", boolean},
        {"use_lu_lambdas", boolean},
        {"use_flow_sigmas", boolean},
        {"use_dynamic_shifting", boolean},
    };
    return rules;
}

inline nlohmann::json const& diffusers_class_defaults()
{
    static nlohmann::json const defaults = nlohmann::json::parse(diffusers_defaults);
    return defaults;
}

} // namespace detail

/// The fields of a scheduler configuration, each with the default of its class where the file leaves it out. Fields
/// that the class does not know are ignored, as diffusers does; `unknown_fields` names them.
///
/// Everything is checked at construction; config_error says what is wrong.
class diffusers_config {
public:
    static constexpr std::size_t max_bytes = 4u << 20;

    /// Reads the text of a scheduler_config.json. A bare Infinity or -Infinity, which Python writes, is understood.
    explicit diffusers_config(std::string_view text)
    {
        size_ = text.size();
        if (text.size() > max_bytes)
            fail(config_error::kind::syntax, "", max_bytes, "longer than 4 MiB: not a scheduler's configuration");
        std::string const json = detail::quoted_infinities(std::string(text));
        bytes_ = detail::config_scan(json).bytes();
        read(nlohmann::json::parse(json));
    }
    /// The same from a JSON object that is already parsed.
    template <std::same_as<nlohmann::json> Json> // not what merely converts to one
    explicit diffusers_config(Json const& fields)
    {
        if (!fields.is_object())
            fail(config_error::kind::syntax, "", 0, "it must be a JSON object");
        read(fields);
    }

    /// The class without its ending "Scheduler": "DDIM", "EulerDiscrete".
    std::string const& class_name() const { return class_name_; }
    std::vector<std::string> unknown_fields() const
    {
        std::vector<std::string> names;
        for (auto const& [name, value] : unknown_.items())
            names.push_back(name);
        return names;
    }
    /// The fields that the class does not know, with their values, as they stand in the file.
    nlohmann::json const& unknown() const { return unknown_; }

    /// This configuration, but everything made from it is mathematically right where diffusers is not:
    ///
    ///     times            not cut to integers, or exact integers; one step is at the noisiest time
    ///     DDIM             a step goes to the next time, whatever the spacing; its inverse calls at the state's level
    ///     PNDM, UnCLIP     go to the next time, too
    ///     KarrasVe         sigma where the class has its square
    ///     DDPM             noise at every step but the last; `learned` is a log variance, `fixed_large_log` works
    ///     Euler, EDMEuler  churn before the call
    ///     LMS              the order counts from where the plan begins
    ///     DPM-Solver(++)   order 3 has order 3, and its SDE the right constant
    ///     SA-Solver        exact second-order weights
    ///     flow matching    one shift; tokens go towards the data; UniPC starts at sigma = 1 itself
    ///     laplace          alpha-bar where the class has its root
    ///     EDM              sigmas among the arguments are noise levels
    ///
    /// What is a choice of the configuration (spacings, final levels, midpoint or bh1 rules) stays, and so does 2^-24
    /// as the last alpha-bar of zero terminal SNR, without which sigma would be infinite.
    diffusers_config corrected() const
    {
        diffusers_config right = *this;
        right.correct_ = true;
        return right;
    }
    bool correct() const { return correct_; }

    /// Whether the class knows the field and it is not null.
    bool has(std::string_view name) const
    {
        auto const at = fields_.find(std::string(name));
        return at != fields_.end() && !at->is_null();
    }
    /// The value of a field that must be there; the others take what stands for a field the class does not know, or
    /// null.
    nlohmann::json const& operator[](std::string_view name) const
    {
        if (!has(name))
            fail(config_error::kind::type, name, "must have a value");
        return *fields_.find(std::string(name));
    }
    double number(std::string_view name) const { return as_number((*this)[name], name); }
    double number(std::string_view name, double otherwise) const { return has(name) ? number(name) : otherwise; }
    int integer(std::string_view name) const
    {
        double const value = number(name);
        if (!(std::abs(value) <= 1e9 && value == std::floor(value)))
            fail(config_error::kind::range, name, "must be a whole number within a thousand millions");
        return static_cast<int>(value);
    }
    int integer(std::string_view name, int otherwise) const { return has(name) ? integer(name) : otherwise; }
    bool flag(std::string_view name) const
    {
        if (has(name) && !(*this)[name].is_boolean())
            fail(config_error::kind::type, name, "must be true or false");
        return has(name) && (*this)[name].get<bool>();
    }
    std::string text(std::string_view name, std::string_view otherwise = "") const
    {
        if (has(name) && !(*this)[name].is_string())
            fail(config_error::kind::type, name, "must be a string");
        return has(name) ? (*this)[name].get<std::string>() : std::string(otherwise);
    }
    std::vector<double> numbers(std::string_view name) const
    {
        std::vector<double> values;
        if (!has(name))
            return values;
        if (!(*this)[name].is_array())
            fail(config_error::kind::type, name, "must be a list of numbers");
        for (nlohmann::json const& value : (*this)[name])
            values.push_back(as_number(value, std::string(name) + "[" + std::to_string(values.size()) + "]"));
        return values;
    }

    /// Throws a config_error about a field of this configuration.
    [[noreturn]] void fail(config_error::kind why, std::string_view name, std::string const& what) const
    {
        auto const at = bytes_.find(name.substr(0, name.find('[')));
        fail(why, name, at == bytes_.end() ? size_ : at->second, what);
    }
    [[noreturn]] void unsupported(std::string_view name, std::string const& what) const
    {
        fail(config_error::kind::unsupported, name, what);
    }

private:
    [[noreturn]] static void fail(config_error::kind why, std::string_view name, std::size_t byte,
                                  std::string const& what)
    {
        throw config_error(why, std::string(name), byte, what);
    }
    double as_number(nlohmann::json const& value, std::string_view name) const
    {
        if (value == "-inf")
            return -std::numeric_limits<double>::infinity();
        if (value == "inf")
            return std::numeric_limits<double>::infinity();
        if (!value.is_number())
            fail(config_error::kind::type, name, "is " + value.dump() + "; it must be a number");
        return value.get<double>();
    }
    void read(nlohmann::json const& given)
    {
        fields_ = {};
        auto const name = given.find("_class_name");
        if (name == given.end() || !name->is_string())
            fail(config_error::kind::type, "_class_name", "must be the name of a scheduler");
        class_name_ = name->get<std::string>();
        auto const defaults = detail::diffusers_class_defaults().find(class_name_);
        if (defaults == detail::diffusers_class_defaults().end())
            fail(config_error::kind::unsupported, "_class_name", "is " + name->dump() + "; no such class is known");
        if (class_name_.ends_with("Scheduler"))
            class_name_.resize(class_name_.size() - 9);
        fields_ = *defaults;
        for (auto const& [key, value] : given.items()) {
            if (fields_.contains(key)) {
                if (value.is_null() && !fields_[key].is_null())
                    fail(config_error::kind::type, key, "is null; it must have a value");
                fields_[key] = value;
            } else if (!key.starts_with('_')) {
                unknown_[key] = value;
            }
        }
        for (detail::field_rule const& rule : detail::field_rules())
            if (has(rule.name))
                check(rule);
        if (has("beta_start") && has("beta_end") && !has("trained_betas") && number("beta_start") > number("beta_end"))
            fail(config_error::kind::range, "beta_start",
                 "is " + shown(number("beta_start")) + "; it must not be above beta_end, " + shown(number("beta_end")));
        std::vector<double> const edges = numbers("stage_range");
        if (std::ranges::adjacent_find(edges, std::greater_equal{}) != edges.end())
            fail(config_error::kind::range, "stage_range", "must rise");
        if (has("trained_betas") &&
            numbers("trained_betas").size() != static_cast<std::size_t>(integer("num_train_timesteps")))
            fail(config_error::kind::range, "trained_betas",
                 "has " + std::to_string(numbers("trained_betas").size()) + " entries; num_train_timesteps is " +
                     std::to_string(integer("num_train_timesteps")));
    }
    void check(detail::field_rule const& rule) const
    {
        using enum detail::field_rule::kind;
        auto const in_range = [&](double value, std::string const& name) {
            bool const allowed =
                rule.open ? value > rule.low && value < rule.high : value >= rule.low && value <= rule.high;
            if (!allowed)
                fail(config_error::kind::range, name,
                     "is " + shown(value) + "; it must lie in " + (rule.open ? "(" : "[") + shown(rule.low) + ", " +
                         shown(rule.high) + (rule.open ? ")" : "]"));
        };
        switch (rule.what) {
        case whole:
            if (double const value = number(rule.name); value != std::floor(value))
                fail(config_error::kind::type, rule.name, "is " + shown(value) + "; it must be an integer");
            in_range(number(rule.name), std::string(rule.name));
            break;
        case real: in_range(number(rule.name), std::string(rule.name)); break;
        case boolean: flag(rule.name); break;
        case list: {
            std::vector<double> const values = numbers(rule.name);
            if (values.empty() && rule.open)
                fail(config_error::kind::range, rule.name, "is empty");
            for (std::size_t i = 0; i < values.size(); ++i)
                in_range(values[i], std::string(rule.name) + "[" + std::to_string(i) + "]");
            break;
        }
        case word: {
            std::string const value = " " + text(rule.name) + " ";
            if ((" " + std::string(rule.allowed) + " ").find(value) == std::string::npos ||
                text(rule.name).find(' ') != std::string::npos)
                fail(config_error::kind::range, rule.name,
                     "is \"" + text(rule.name) + "\"; it must be one of: " + std::string(rule.allowed));
            break;
        }
        }
    }

    std::string class_name_;
    nlohmann::json fields_;
    std::map<std::string, std::size_t, std::less<>> bytes_;
    nlohmann::json unknown_ = nlohmann::json::object();
    bool correct_ = false;
    std::size_t size_ = 0;
};

} // namespace alphabar
