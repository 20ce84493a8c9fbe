// SPDX-License-Identifier: MIT
// A diffusers scheduler_config.json, read and checked: every field has a value of the right kind and range, or an error
// names the field and the byte. Needs nlohmann-json.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/io/diffusers_defaults.hpp>
#include <alphabar/io/diffusers_rules.hpp>
#include <alphabar/io/edit_distance.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
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
        : std::invalid_argument("scheduler config: " + field + (field.empty() || byte == no_byte ? "" : ", ") +
                                (byte == no_byte ? "" : "byte " + std::to_string(byte)) + ": " + what),
          why_(why), field_(std::move(field)), reason_(what), byte_(byte)
    {
    }
    kind why() const { return why_; }
    /// With its path: "beta_start", "trained_betas[2]", "tau_func.low".
    std::string const& field() const { return field_; }
    /// The message without field and byte.
    std::string const& reason() const { return reason_; }
    /// Counted from 0; the size of the text where a default is at fault, no_byte where there is no text.
    static constexpr std::size_t no_byte = std::string::npos;
    std::size_t byte() const { return byte_; }

private:
    kind why_;
    std::string field_;
    std::string reason_;
    std::size_t byte_;
};

class diffusers_config;

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

/// The first pass over the text: where the values begin, and the entries of lists; duplicate keys and excessive depth
/// are errors.
class config_scan : public nlohmann::json_sax<nlohmann::json> {
public:
    static constexpr std::size_t max_depth = 32;

    explicit config_scan(std::string const& text) : text_(text), furthest_(text.data())
    {
        counting_iterator const begin{text.data(), &furthest_}, end{text.data() + text.size(), &furthest_};
        nlohmann::json::sax_parse(begin, end, static_cast<nlohmann::json_sax<nlohmann::json>*>(this));
    }
    /// Of each field of the top level: its value's place, then those of its entries.
    std::map<std::string, std::vector<std::size_t>, std::less<>> const& bytes() const { return bytes_; }

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t) override { return value(); }
    bool number_float(number_float_t, string_t const&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(std::size_t) override { return (levels_.empty() || value()) && open(false); }
    bool start_array(std::size_t) override { return value() && open(true); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override
    {
        std::size_t const begin = next();
        levels_.back().key = name;
        if (!levels_.back().keys.insert(name).second)
            throw config_error(config_error::kind::duplicate, path(), begin, "the key stands twice");
        seen_ = offset();
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
        std::size_t byte = std::min(next(), position > 0 ? position - 1 : 0);
        std::size_t const part = std::min(value_, text_.size()); // 02 is one value, but JSON's is the 0
        if (!levels_.empty() && value_ > 0 && text_.find_first_of(" \t\r\n,:[]{}\"", part) >= position && byte > value_)
            byte = value_, levels_.back().entries -= levels_.back().list ? 1 : 0;
        if (text_.compare(byte, 3, "NaN") == 0)
            what = "NaN, which Python writes, is not JSON and no value of a field";
        throw config_error(overflow ? config_error::kind::range : config_error::kind::syntax, path(), byte, what);
    }

private:
    /// An object or a list that is open, and where in it the reader is.
    struct level {
        bool list = false;
        std::size_t entries = 0;
        std::string key{};
        std::set<std::string> keys{};
    };

    std::size_t offset() const { return static_cast<std::size_t>(furthest_ - text_.data()); }
    /// Where the token after the last one begins.
    std::size_t next() const { return std::min(text_.find_first_not_of(", \t\r\n:", seen_), text_.size()); }
    std::string path() const
    {
        std::string path;
        for (level const& l : levels_)
            path += l.list ? "[" + std::to_string(l.entries) + "]" : (path.empty() ? "" : ".") + l.key;
        return path;
    }
    bool value()
    {
        if (levels_.empty())
            throw config_error(config_error::kind::syntax, "", 0, "it must be a JSON object");
        value_ = next();
        if (levels_.size() == 1 || (levels_.size() == 2 && levels_.back().list))
            bytes_[levels_.front().key].push_back(value_);
        ++levels_.back().entries;
        seen_ = offset();
        return true;
    }
    bool open(bool list)
    {
        if (!levels_.empty())
            --levels_.back().entries; // until it is closed the reader is in it
        if (levels_.size() == max_depth)
            throw config_error(config_error::kind::syntax, path(), offset() - 1, "nested deeper than 32 levels");
        levels_.push_back({.list = list});
        value_ = 0;
        seen_ = offset();
        return true;
    }
    bool close()
    {
        levels_.pop_back();
        if (!levels_.empty())
            ++levels_.back().entries;
        value_ = 0;
        seen_ = offset();
        return true;
    }

    std::string const& text_;
    char const* furthest_;
    std::vector<level> levels_;
    std::size_t seen_ = 0;  ///< the end of the last token, with what was read ahead
    std::size_t value_ = 0; ///< where the last value began, if it was the last token
    std::map<std::string, std::vector<std::size_t>, std::less<>> bytes_;
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

/// Throws a config_error where fields that are allowed alone do not go together.
void check_combinations(diffusers_config const& c);

inline nlohmann::json const& diffusers_class_defaults()
{
    static nlohmann::json const defaults = nlohmann::json::parse(diffusers_defaults);
    return defaults;
}

} // namespace detail

/// The fields of a scheduler configuration, each with the default of its class where the file leaves it out. Fields
/// that the class does not know are ignored, as diffusers does; `unknown_fields` names them.
///
/// Every field that the class knows is checked at construction: type, range, words (detail::field_rules), and what does
/// not go together (detail::check_combinations). config_error says what is wrong. Words that a class takes for another
/// are read as that one; a flag that is null is false, where diffusers takes it so.
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
            fail(config_error::kind::syntax, "", config_error::no_byte, "it must be a JSON object");
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
    ///     levels           of the time itself: never counted from the wrong end, or by position
    ///     DDIM             a step goes to the next time, whatever the spacing; its inverse calls at the state's level
    ///     PNDM, UnCLIP     go to the next time, too
    ///     IPNDM            the first call is used
    ///     KarrasVe         sigma where the class has its square
    ///     DDPM             noise at every step but the last; `learned` is a log variance, `fixed_large_log` works
    ///     Euler, EDMEuler  churn before the call
    ///     FlowMatchHeun    the same, with a smaller signal; s_churn is shared by the steps, not the calls
    ///     LMS              the order counts from where the plan begins
    ///     DPM-Solver(++)   order 3 has order 3, and its SDE the right constant
    ///     SA-Solver        exact second-order weights
    ///     flow matching    one shift; tokens go towards the data; UniPC starts at sigma = 1 itself
    ///     LTX              without noise (s_noise = 0) the limit of a little noise: the state is scaled to its level
    ///     HeliosDMD        each step draws its own noise, and its level is that of its time
    ///     laplace          alpha-bar where the class has its root
    ///     EDM              sigmas among the arguments are noise levels
    ///
    /// What is a choice of the configuration stays: spacings, final levels, midpoint or bh1 rules, the order of a
    /// method (FlowMatchHeun has Heun's of the velocity, IPNDM fixed weights on unequal steps), the clamped schedule of
    /// Wuerstchen. So does 2^-24 as the last alpha-bar of zero terminal SNR, without which sigma would be infinite.
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

    /// Throws a config_error about a field of this configuration, "name" or "name[i]".
    [[noreturn]] void fail(config_error::kind why, std::string_view name, std::string const& what) const
    {
        std::size_t const bracket = name.find('[');
        auto const at = bytes_.find(name.substr(0, bracket));
        std::size_t const entry =
            bracket == std::string_view::npos ? 0 : 1 + std::stoul(std::string(name.substr(bracket + 1)));
        fail(why, name, at == bytes_.end() ? size_ : at->second.at(entry < at->second.size() ? entry : 0), what);
    }
    /// The same of a field whose value is not allowed: "is VALUE; RULE".
    [[noreturn]] void refuse(std::string_view name, std::string const& rule) const
    {
        fail(config_error::kind::range, name, "is " + fields_.at(std::string(name)).dump() + "; " + rule);
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
            unsupported("_class_name", "is " + shortened(name->dump()) +
                                           (detail::among(class_name_, detail::token_classes)
                                                ? "; it works on tokens, which is outside this library"
                                                : "; no such class is known" + nearest_class()));
        if (class_name_.ends_with("Scheduler"))
            class_name_.resize(class_name_.size() - 9);
        fields_ = *defaults;
        for (auto const& [key, value] : given.items()) {
            if (fields_.contains(key))
                fields_[key] = value;
            else if (!key.starts_with('_'))
                unknown_[key] = value;
        }
        for (auto& [key, value] : fields_.items()) {
            check(key, value, (*defaults)[key].is_null());
            if (value.is_null() && (*defaults)[key].is_boolean())
                value = false;
        }
        detail::check_combinations(*this);
        for (auto& [key, value] : fields_.items()) // words that mean another
            if (detail::field_rule const* rule = detail::rule_of(class_name_, key); rule && value.is_string())
                value = read_as(value.get<std::string>(), *rule).value_or(value.get<std::string>());
    }
    /// "; the nearest: NAME", or nothing where none is near.
    std::string nearest_class() const
    {
        std::string_view const given = std::string_view(class_name_).substr(0, 64);
        std::string best;
        std::size_t least = given.size() / 2 + 1;
        for (auto const& [known, fields] : detail::diffusers_class_defaults().items())
            for (std::string const& as : {known, known.substr(0, known.size() - 9)})
                if (std::size_t const far = detail::edit_distance(given, as); far < least)
                    least = far, best = "; the nearest: " + known;
        return best;
    }
    /// The word that a word of a rule stands for; none where it is not one of the rule's.
    static std::optional<std::string> read_as(std::string const& word, detail::field_rule const& rule)
    {
        if (detail::among(word, rule.words) && word.find('=') == std::string::npos)
            return word;
        std::string const all = " " + std::string(rule.words) + " ";
        std::size_t const at = word.find_first_of(" =") == std::string::npos ? all.find(" " + word + "=") : all.npos;
        if (at == all.npos)
            return std::nullopt;
        std::size_t const begin = at + word.size() + 2;
        return all.substr(begin, all.find(' ', begin) - begin);
    }
    /// "it must be a, b or c".
    static std::string allowed_words(std::string_view words)
    {
        std::string said;
        for (std::size_t begin = 0; begin < words.size();) {
            std::size_t const end = std::min(words.find(' ', begin), words.size());
            std::string_view const word = words.substr(begin, end - begin);
            said += (begin == 0            ? ""
                     : end == words.size() ? " or "
                                           : ", ") +
                    std::string(word.substr(0, word.find('=')));
            begin = end + 1;
        }
        return "it must be " + said;
    }
    void check_number(double value, std::string const& name, detail::interval const& range, bool whole) const
    {
        if (whole && value != std::floor(value))
            fail(config_error::kind::type, name, "is " + shown(value) + "; it must be a whole number");
        auto const [low, high, open] = range;
        if (open ? value > low && value < high : value >= low && value <= high)
            return;
        fail(config_error::kind::range, name,
             "is " + shown(value) + "; it must " +
                 (open && high >= 1e30 ? "be finite and above " + shown(low)
                                       : "lie in " + std::string(open ? "(" : "[") + shown(low) + ", " + shown(high) +
                                             (open ? ")" : "]")));
    }
    void check(std::string const& name, nlohmann::json const& value, bool null_by_default) const
    {
        using enum detail::field_rule::kind;
        detail::field_rule const* const rule = detail::rule_of(class_name_, name);
        if (!rule)
            return;
        auto const must = [&](bool right, std::string const& what) {
            if (!right)
                fail(config_error::kind::type, name, "is " + shortened(value.dump()) + "; it must be " + what);
        };
        if (value.is_null()) {
            using null = detail::field_rule::null_rule;
            bool const allowed = rule->null == null::always || (rule->null == null::as_default && null_by_default);
            if (!allowed && rule->what == word)
                fail(config_error::kind::type, name, "is null; " + allowed_words(rule->words));
            must(allowed, "a value");
            return;
        }
        bool const whole_numbers = rule->what == whole || rule->what == whole_list;
        switch (rule->what) {
        case whole:
        case real: check_number(as_number(value, name), name, rule->range, whole_numbers); break;
        case flag: must(value.is_boolean(), "true or false"); break;
        case object: must(value.is_object(), "an object"); break;
        case list:
        case whole_list: {
            must(value.is_array(), "a list of numbers");
            for (std::size_t i = 0; i < value.size(); ++i) {
                std::string const entry = name + "[" + std::to_string(i) + "]";
                check_number(as_number(value[i], entry), entry, rule->range, whole_numbers);
            }
            break;
        }
        case word:
            must(value.is_string(), "a string");
            if (!read_as(value.get<std::string>(), *rule))
                fail(config_error::kind::range, name,
                     "is " + shortened(value.dump()) + "; " + allowed_words(rule->words));
            break;
        case nothing: unsupported(name, "is " + shortened(value.dump()) + "; only null is supported");
        }
    }
    static std::string shortened(std::string const& text)
    {
        return text.size() <= 80 ? text : text.substr(0, 77) + "...";
    }

    std::string class_name_;
    nlohmann::json fields_;
    std::map<std::string, std::vector<std::size_t>, std::less<>> bytes_;
    nlohmann::json unknown_ = nlohmann::json::object();
    bool correct_ = false;
    std::size_t size_ = config_error::no_byte;
};

inline void detail::check_combinations(diffusers_config const& c)
{
    std::string const& name = c.class_name();
    auto const refuse = [&](bool wrong, std::string_view field, std::string const& rule) {
        if (wrong)
            c.refuse(field, rule);
    };
    // ranges whose ends are two fields
    bool const scheduled = c.has("beta_start") && c.has("beta_end") && !c.has("trained_betas");
    refuse(scheduled && c.number("beta_start") > c.number("beta_end"), "beta_start",
           scheduled ? "it must not be above beta_end, " + shown(c.number("beta_end")) : "");
    bool const ranged = c.has("sigma_min") && c.has("sigma_max");
    refuse(ranged && c.number("sigma_min") >= c.number("sigma_max"), "sigma_min",
           ranged ? "it must be below sigma_max, " + shown(c.number("sigma_max")) : "");
    // lists and their lengths
    if (c.has("trained_betas")) {
        std::size_t const given = c.numbers("trained_betas").size();
        auto const T = static_cast<std::size_t>(c.integer("num_train_timesteps"));
        if (name == "IPNDM" ? given < 2 : given != T)
            c.fail(config_error::kind::range, "trained_betas",
                   "has " + std::to_string(given) + " entries; " +
                       (name == "IPNDM" ? "it needs at least 2" : "num_train_timesteps is " + std::to_string(T)));
    }
    if (c.has("stage_range")) {
        std::vector<double> const edges = c.numbers("stage_range");
        refuse(std::ranges::adjacent_find(edges, std::greater_equal{}) != edges.end(), "stage_range", "it must rise");
        refuse(edges.size() <= static_cast<std::size_t>(c.integer("stages")), "stage_range",
               "it must have more entries than there are stages, " + std::to_string(c.integer("stages")));
    }
    if (c.has("tau_func"))
        for (char const* part : {"low", "high", "inside", "outside"}) {
            auto const number = c["tau_func"].find(part);
            if (number == c["tau_func"].end() || !number->is_number())
                c.fail(config_error::kind::type, "tau_func",
                       "is " + c["tau_func"].dump() + "; it must have the numbers low, high, inside and outside");
        }
    // switches
    std::string_view spaced;
    for (std::string_view other : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"}) {
        if (!c.flag(other))
            continue;
        refuse(!spaced.empty(), other, "so is " + std::string(spaced) + ", and only one of them can be");
        spaced = other;
    }
    bool const flow = c.flag("use_flow_sigmas"), shifts = name == "UniPCMultistep" && spaced == "use_karras_sigmas";
    refuse(flow && !spaced.empty() && !shifts, spaced,
           "with use_flow_sigmas, whose levels end at 1, its levels sigma / alpha are not of the path");
    refuse(flow && c.flag("use_lu_lambdas"), "use_lu_lambdas", "with use_flow_sigmas there are no such levels");
    refuse(c.has("shift_terminal") && c.has("use_flow_sigmas") && !flow, "shift_terminal",
           "it must be null unless use_flow_sigmas is true");
    refuse(c.integer("tail_steps", 0) > 0 && c.integer("tail_step_multiplier") < 2, "tail_step_multiplier",
           "it must be at least 2 unless tail_steps is 0");
    refuse(name == "Helios" && c.flag("thresholding"), "thresholding", "the class cannot threshold");
    // words
    std::string const algorithm = c.text("algorithm_type"), predicts = c.text("prediction_type");
    refuse(c.has("algorithm_type") && !algorithm.ends_with("++") && c.text("final_sigmas_type") == "zero",
           "algorithm_type", "it must end in ++ unless final_sigmas_type is sigma_min");
    bool const noise = algorithm == "dpmsolver" || algorithm == "sde-dpmsolver" || algorithm == "noise_prediction";
    bool const epsilon = name != "DEISMultistep" && (noise || (c.has("predict_x0") && !c.flag("predict_x0")));
    refuse(epsilon && predicts == "flow_prediction" && c.text("scheduler_type", "unipc") == "unipc", "prediction_type",
           "with " + (noise ? "algorithm_type " + algorithm : "predict_x0 false") +
               " it must be epsilon, sample or v_prediction");
}

} // namespace alphabar
