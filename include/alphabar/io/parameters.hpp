// SPDX-License-Identifier: MIT
// The text that the Stable Diffusion WebUI writes with a picture, "Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7,
// Seed: 42, ...": read, kept, and made a plan, a guidance scale and a noise source.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/io/names.hpp>
#include <alphabar/noise/webui.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// What is wrong with a text of parameters: the field, and where its value begins, counted from 0.
class parameter_error : public std::invalid_argument {
public:
    parameter_error(std::string field, std::size_t byte, std::string const& what)
        : std::invalid_argument("parameters: " + (field.empty() ? "" : field + ", ") + "byte " + std::to_string(byte) +
                                ": " + what),
          field_(std::move(field)), byte_(byte)
    {
    }
    std::string const& field() const { return field_; }
    std::size_t byte() const { return byte_; }

private:
    std::string field_;
    std::size_t byte_;
};

/// From whose generator the noise is: torch's on the graphics card, torch's on the processor, or the WebUI's own copy
/// of the first (torch_cuda_generator, torch_cpu_generator, webui_nv_generator).
enum class webui_source : std::uint8_t { gpu, cpu, nv };

/// Which of the two runs of a picture made with "Hires. fix".
enum class webui_pass : std::uint8_t { first, hires };

/// A parsed text. Every field is kept, in its order, with the value it has in the text, known or not.
struct generation_parameters {
    struct field {
        std::string name;
        std::string value; ///< without quotes
        std::size_t byte = 0;
        friend bool operator==(field const& a, field const& b) { return a.name == b.name && a.value == b.value; }
    };
    std::string prompt{};
    std::string negative_prompt{};
    std::vector<field> fields{};
    std::string rest{}; ///< lines behind the fields

    /// The field, null where there is none. Throws parameter_error where it stands twice with two values.
    field const* find(std::string_view name) const
    {
        auto const at = std::ranges::find(fields, name, &field::name);
        for (auto again = at; again != fields.end(); ++again)
            if (again->name == name && again->value != at->value)
                throw parameter_error(again->name, again->byte, "stands twice, with two values");
        return at == fields.end() ? nullptr : &*at;
    }
    std::string text(std::string_view name, std::string_view otherwise = {}) const
    {
        field const* const at = find(name);
        return at ? at->value : std::string(otherwise);
    }
    /// Throws parameter_error where it is there and no finite number.
    std::optional<double> number(std::string_view name) const
    {
        std::optional<double> const value = read<double>(name, "a number");
        if (value && !std::isfinite(*value))
            fail(name, "it must be finite");
        return value;
    }
    /// Throws parameter_error where it is there and no whole number from 0 to 2^64 - 1.
    std::optional<std::uint64_t> whole(std::string_view name) const
    {
        return read<std::uint64_t>(name, "a whole number");
    }
    bool flag(std::string_view name) const
    {
        std::string const value = text(name, "False");
        if (value != "True" && value != "False")
            fail(name, "it must be True or False");
        return value == "True";
    }
    /// WIDTHxHEIGHT. Throws parameter_error where it is there and has another form.
    std::optional<std::pair<std::size_t, std::size_t>> size(std::string_view name = "Size") const
    {
        field const* const at = find(name);
        if (!at)
            return std::nullopt;
        std::size_t const x = std::min(at->value.find('x'), at->value.size());
        auto const width = from_text<std::size_t>(std::string_view(at->value).substr(0, x)),
                   height =
                       from_text<std::size_t>(std::string_view(at->value).substr(std::min(x + 1, at->value.size())));
        if (!width || !height)
            fail(name, "it must be WIDTHxHEIGHT");
        return std::pair(*width, *height);
    }

    /// "CFG scale", the w of u + w (c - u). Throws parameter_error where it is missing.
    double guidance_scale() const { return needed(number("CFG scale"), "CFG scale"); }
    /// "RNG"; where it is missing the WebUI's usual source, the graphics card.
    webui_source noise_source() const
    {
        std::string const name = text("RNG", "GPU");
        if (name != "GPU" && name != "CPU" && name != "NV")
            fail("RNG", "it must be GPU, CPU or NV");
        return name == "GPU" ? webui_source::gpu : name == "CPU" ? webui_source::cpu : webui_source::nv;
    }
    /// The seeds of `pictures` pictures, the first of which is this one, for webui_noise.
    webui_seeds seeds(std::size_t pictures = 1) const
    {
        webui_seeds s{};
        s.subseed_strength = number("Variation seed strength").value_or(0.0);
        s.eta_noise_seed_delta = whole("ENSD").value_or(0);
        auto const from = size("Seed resize from").value_or(std::pair<std::size_t, std::size_t>{});
        s.resize_width = from.first / 8, s.resize_height = from.second / 8;
        std::uint64_t const seed = needed(whole("Seed"), "Seed"), subseed = whole("Variation seed").value_or(0);
        for (std::uint64_t i = 0; i < pictures; ++i) {
            s.seeds.push_back(seed + (s.subseed_strength == 0 ? i : 0));
            s.subseeds.push_back(subseed + i);
        }
        return s;
    }

    /// Throws a parameter_error about a field of this text.
    [[noreturn]] void fail(std::string_view name, std::string const& rule) const
    {
        auto const at = std::ranges::find(fields, name, &field::name);
        if (at == fields.end())
            throw parameter_error(std::string(name), 0, "is missing; " + rule);
        throw parameter_error(at->name, at->byte, "is \"" + at->value.substr(0, 64) + "\"; " + rule);
    }
    template <class T>
    T needed(std::optional<T> value, std::string_view name) const
    {
        if (!value)
            fail(name, "it is needed");
        return *value;
    }

    friend bool operator==(generation_parameters const&, generation_parameters const&) = default;

private:
    template <class T>
    static std::optional<T> from_text(std::string_view text)
    {
        T value{};
        char const* const end = text.data() + text.size();
        auto const [stop, problem] = std::from_chars(text.data(), end, value);
        return problem == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
    }
    template <class T>
    std::optional<T> read(std::string_view name, char const* kind) const
    {
        field const* const at = find(name);
        if (!at)
            return std::nullopt;
        std::optional<T> const value = from_text<T>(at->value);
        if (!value)
            fail(name, std::string("it must be ") + kind);
        return value;
    }
};

namespace detail {

inline std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    std::size_t const first = text.find_first_not_of(blank);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(blank) + 1 - first);
}

/// A value in quotes, as Python's json writes it; `at` goes behind it. `base`: the byte at which `line` begins.
inline std::string unquoted(std::string_view line, std::size_t& at, std::string const& name, std::size_t base)
{
    constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    std::string value;
    for (std::size_t i = at + 1; i < line.size(); ++i) {
        if (line[i] == '"') {
            at = i + 1;
            return value;
        }
        if (line[i] != '\\') {
            value += line[i];
            continue;
        }
        char const kind = ++i < line.size() ? line[i] : '\0';
        if (std::size_t const known = kind ? from.find(kind) : from.npos; known != from.npos) {
            value += to[known];
            continue;
        }
        unsigned code = 0;
        std::string_view const digits = line.substr(std::min(i + 1, line.size()), 4);
        auto const [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (kind != 'u' || problem != std::errc{} || stop != digits.data() + 4 || (code >= 0xd800 && code < 0xe000))
            throw parameter_error(name, base + i - 1, "an unknown escape in a quoted value");
        i += 4;
        if (code >= 0x800) // UTF-8
            value += static_cast<char>(0xe0 | code >> 12), value += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        else if (code >= 0x80)
            value += static_cast<char>(0xc0 | code >> 6);
        value += static_cast<char>(code < 0x80 ? code : 0x80 | (code & 0x3f));
    }
    throw parameter_error(name, base + at, "a quoted value without its end");
}

/// "name: value, name: value, ...". What stands between commas without a name belongs to the value before it.
inline std::vector<generation_parameters::field> parameter_fields(std::string_view line, std::size_t base)
{
    std::vector<generation_parameters::field> fields;
    for (std::size_t at = 0; at < line.size();) {
        std::size_t const comma = std::min(line.find(',', at), line.size()), colon = line.find(':', at);
        if (colon >= comma) {
            std::string_view const more = trimmed(line.substr(at, comma - at));
            if (fields.empty())
                throw parameter_error("", base + at, "a field must be \"name: value\"");
            if (!more.empty())
                fields.back().value.append(", ").append(more);
            at = comma + 1;
            continue;
        }
        std::string const name(trimmed(line.substr(at, colon - at)));
        if (name.empty())
            throw parameter_error("", base + at, "a field without a name");
        std::size_t const begin = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
        std::size_t end = begin;
        std::string value;
        if (begin < line.size() && line[begin] == '"') {
            value = unquoted(line, end, name, base);
        } else {
            for (int depth = 0; end < line.size() && (line[end] != ',' || depth > 0);
                 ++end) // lists and objects of JSON
                depth += line[end] == '{' || line[end] == '[' ? 1 : line[end] == '}' || line[end] == ']' ? -1 : 0;
            value = trimmed(line.substr(begin, end - begin));
        }
        fields.push_back({name, value, base + begin});
        at = end;
        if (at < line.size() && line[at] == ',')
            ++at;
    }
    return fields;
}

} // namespace detail

/// Reads the text that the WebUI writes with a picture: prompt, "Negative prompt: ...", and the line of fields, which
/// begins with "Steps: " (or is the last of the text); or that line alone. Values in quotes may hold commas. Throws
/// parameter_error where there is no such line or it is not "name: value, ...", and where the text is longer than 4
/// MiB.
inline generation_parameters parse_parameters(std::string_view text)
{
    if (text.size() > (4u << 20))
        throw parameter_error("", 4u << 20, "longer than 4 MiB: not a picture's parameters");
    std::size_t begin = text.npos, last = 0;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t const stop = std::min(text.find('\n', at), text.size());
        std::string_view const line = detail::trimmed(text.substr(at, stop - at));
        if (line.starts_with("Steps:"))
            begin = at;
        if (!line.empty())
            last = at;
        at = stop + 1;
    }
    if (begin == text.npos)
        begin = last;
    std::size_t const end = std::min(text.find('\n', begin), text.size());
    generation_parameters p;
    p.fields = detail::parameter_fields(text.substr(begin, end - begin), begin);
    if (p.fields.empty())
        throw parameter_error("", begin, "there are no fields, \"Steps: 20, Sampler: Euler a, ...\"");
    p.rest = detail::trimmed(text.substr(end));
    std::string* part = &p.prompt;
    for (std::string_view above = text.substr(0, begin); !above.empty();) {
        std::size_t const stop = std::min(above.find('\n'), above.size());
        std::string_view line = detail::trimmed(above.substr(0, stop));
        above.remove_prefix(std::min(stop + 1, above.size()));
        constexpr std::string_view negative = "Negative prompt:";
        if (line.starts_with(negative)) {
            part = &p.negative_prompt;
            line = detail::trimmed(line.substr(negative.size()));
        }
        if (!part->empty())
            *part += '\n';
        *part += line;
    }
    p.prompt = detail::trimmed(p.prompt);
    p.negative_prompt = detail::trimmed(p.negative_prompt);
    return p;
}

/// The text of parameters as the WebUI writes it: parse_parameters gives the same value again.
inline std::string to_text(generation_parameters const& p)
{
    std::string text = p.prompt;
    if (!p.negative_prompt.empty())
        text.append(text.empty() ? "" : "\n").append("Negative prompt: ").append(p.negative_prompt);
    text.append(text.empty() ? "" : "\n");
    for (std::size_t i = 0; i < p.fields.size(); ++i) {
        auto const& [name, value, byte] = p.fields[i];
        text.append(i == 0 ? "" : ", ").append(name).append(": ");
        if (value.find_first_of(",:\"\\\n\r\t[]{}") == value.npos && detail::trimmed(value) == value) {
            text += value;
            continue;
        }
        text += '"';
        for (char c : value) {
            std::size_t const special = std::string_view("\n\r\t\"\\").find(c);
            if (special == std::string_view::npos)
                text += c;
            else
                text.append(1, '\\').append(1, "nrt\"\\"[special]);
        }
        text += '"';
    }
    return text.append(p.rest.empty() ? "" : "\n").append(p.rest);
}

/// The options of a name that fields say: Eta, Sigma churn, Schedule rho, ...; those of `o` where they say nothing.
/// Throws parameter_error for a bad value and for options of UniPC that no name has.
inline name_options options_of(generation_parameters const& p, name_options o = {})
{
    auto const set = [&](auto& to, char const* name) {
        if (auto const value = p.number(name))
            to = *value;
    };
    set(o.eta, p.text("Sampler").starts_with("DDIM") ? "Eta DDIM" : "Eta");
    set(o.churn.amount, "Sigma churn");
    set(o.churn.low, "Sigma tmin");
    set(o.churn.high, "Sigma tmax");
    set(o.churn.noise_scale, "Sigma noise");
    set(o.noise_scale, "Sigma noise");
    set(o.range.sigma_min, "Schedule min sigma");
    set(o.range.sigma_max, "Schedule max sigma");
    set(o.rho, "Schedule rho");
    set(o.beta_alpha, "Beta schedule alpha");
    set(o.beta_beta, "Beta schedule beta");
    o.discard_penultimate = o.discard_penultimate || p.flag("Discard penultimate sigma");
    for (auto const& [name, only] :
         {std::pair{"UniPC skip type", "time_uniform"}, {"UniPC order", "3"}, {"UniPC lower order final", "True"}})
        if (p.text(name, only) != only)
            p.fail(name, std::string("only ") + only + " has a name; make the plan with unipc");
    return o;
}

/// The plan of a text of parameters on a path, stable_diffusion_path() for Stable Diffusion 1 and 2. It begins at the
/// noise that the WebUI makes, initial_scale times the source's normals. With a "Denoising strength" and no field of
/// "Hires. fix" it is image to image: the last floor(strength N) + 1 steps of the grid (floor(strength N) with DDIM and
/// PLMS), from the image at the level of the first. `pass` chooses the run of a picture made with Hires. fix.
///
/// Throws parameter_error where Steps or Sampler are missing or a field has a bad value, and as named_plan does.
template <noise_path Path>
plan named_plan(generation_parameters const& p, Path const& path, name_options options = {},
                webui_pass pass = webui_pass::first)
{
    bool const two_passes = std::ranges::any_of(p.fields, [](auto const& f) { return f.name.starts_with("Hires "); });
    bool const second = pass == webui_pass::hires;
    auto const of_pass = [&](std::string const& name, std::string const& in_second) {
        return p.text(second && p.find(in_second) ? in_second : name);
    };
    options = options_of(p, std::move(options));
    if (second && !two_passes)
        p.fail("Hires steps", "there is no second run");
    std::string const steps_name = second && p.find("Hires steps") ? "Hires steps" : "Steps";
    std::size_t steps = p.needed(p.whole(steps_name), steps_name);
    if (steps < 1 || steps > 10000)
        p.fail(steps_name, "it must lie in [1, 10000]");
    std::string sampler = of_pass("Sampler", "Hires sampler");
    if (sampler.empty())
        p.fail("Sampler", "it is needed");
    if (sampler == "UniPC" && p.text("UniPC variant", "bh1") == "bh2")
        sampler = "UniPC bh2";
    std::size_t left = steps; // of the steps asked for; a grid may have more
    bool from_below = false;  // the software counts from the last step, not from the first
    if (second || (!two_passes && p.find("Denoising strength"))) {
        double const strength = p.needed(p.number("Denoising strength"), "Denoising strength");
        if (!(strength > 0.0 && strength <= 1.0))
            p.fail("Denoising strength", "it must lie in (0, 1]");
        double const part = std::min(strength, 0.999);
        auto const& row = *detail::name_lookup<Path>::parse(sampler, options.from).solver;
        if (row.schedule == "time_uniform")
            p.fail("Sampler", "image to image with UniPC has no name; make the plan with unipc");
        double const count = static_cast<double>(steps);
        from_below = row.schedule == "timesteps";
        left = second ? steps : static_cast<std::size_t>(count * part) + 1;
        left -= from_below;
        if (left < 1 || (second && count / part > 10000.0))
            p.fail("Denoising strength", "it leaves no step, or needs more than 10000");
        if (second)
            steps = static_cast<std::size_t>(count / part);
    }
    grid g = named_plan_grid(sampler, path, steps, options, of_pass("Schedule type", "Hires schedule type"));
    if (left != steps) {
        std::size_t const first = from_below ? g.steps() - left : std::min(steps - left, g.steps() - 1);
        auto const cut = static_cast<std::ptrdiff_t>(first);
        g.times.erase(g.times.begin(), g.times.begin() + cut);
        g.levels.erase(g.levels.begin(), g.levels.begin() + cut);
    }
    plan made = detail::name_lookup<Path>::parse(sampler, options.from).solver->make(path, g, options);
    made.initial_scale = g.levels.front().sigma;
    return made;
}

} // namespace alphabar
