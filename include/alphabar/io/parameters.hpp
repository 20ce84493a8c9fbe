// SPDX-License-Identifier: MIT
// The text that the Stable Diffusion WebUI writes with a picture, "Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7,
// Seed: 42, ...": read, kept, and made a plan, a guidance scale and a noise source.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/interval.hpp>
#include <alphabar/io/names.hpp>
#include <alphabar/noise/torch_cuda.hpp>
#include <alphabar/noise/webui.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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

    /// "CFG scale", the w of u + w (c - u); "Hires CFG Scale" in the second run of "Hires. fix" where Forge says it.
    /// CFG++ of the WebUI's DDIM has w / 12.5. Throws parameter_error where it is missing.
    double guidance_scale(webui_pass pass = webui_pass::first) const
    {
        bool const second = pass == webui_pass::hires;
        double const w =
            needed(number(second && find("Hires CFG Scale") ? "Hires CFG Scale" : "CFG scale"), "CFG scale");
        return detail::plain_name(sampler(pass)).starts_with("ddimcfgpp") ? w / 12.5 : w;
    }
    /// "Sampler", or "Hires sampler" in the second run; empty where there is none.
    std::string sampler(webui_pass pass = webui_pass::first) const { return of_pass("Sampler", "Hires sampler", pass); }
    /// "Schedule type" ("Scheduler" in other programs), or that of the second run; empty where there is none.
    std::string schedule(webui_pass pass = webui_pass::first) const
    {
        return of_pass(find("Schedule type") ? "Schedule type" : "Scheduler", "Hires schedule type", pass);
    }
    /// Whether the picture was made in two runs, by "Hires. fix"; a "First pass size" is its old form.
    bool two_runs() const
    {
        return std::ranges::any_of(
            fields, [](field const& f) { return f.name.starts_with("Hires ") || f.name == "First pass size"; });
    }
    /// Whether it was made from an image.
    bool from_image() const { return !two_runs() && find("Denoising strength"); }
    /// Whether Forge made it, whose "Version" begins with f.
    bool by_forge() const { return text("Version").starts_with('f'); }
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
        if (std::max(from.first, from.second) > 65536)
            fail("Seed resize from", "each side must be at most 65536");
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
        if (at == fields.end()) {
            std::string like;
            for (field const& f : fields)
                if (detail::plain_name(f.name) == detail::plain_name(name))
                    like = "; there is \"" + f.name + "\", but case matters";
            throw parameter_error(std::string(name), 0, "is missing; " + rule + like);
        }
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
    std::string of_pass(std::string_view name, std::string_view in_second, webui_pass pass) const
    {
        std::string const second = pass == webui_pass::hires ? text(in_second) : std::string{};
        return second.empty() || second.starts_with("Use same ") ? text(name) : second;
    }
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
        auto const code_at = [&](std::size_t u) -> std::uint32_t { // of \uXXXX, whose u is there
            std::uint32_t code = 0;
            std::string_view const digits = line.substr(std::min(u + 1, line.size()), 4);
            auto const [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
            bool const known = line[u] == 'u' && problem == std::errc{} && stop == digits.data() + 4;
            return known ? code : 0xffffffffu;
        };
        std::uint32_t code = kind ? code_at(i) : 0xffffffffu;
        std::size_t const behind = i + 5;
        if (code >= 0xd800 && code < 0xdc00 && line.substr(std::min(behind, line.size()), 2) == "\\u") { // a pair
            std::uint32_t const low = code_at(behind + 1);
            code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff)) : code;
        }
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            throw parameter_error(name, base + i - 1, "an unknown escape in a quoted value");
        i += code >= 0x10000 ? 10 : 4;
        if (code >= 0x10000) // UTF-8
            value += static_cast<char>(0xf0 | code >> 18), value += static_cast<char>(0x80 | (code >> 12 & 0x3f));
        else if (code >= 0x800)
            value += static_cast<char>(0xe0 | code >> 12);
        if (code >= 0x800)
            value += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        else if (code >= 0x80)
            value += static_cast<char>(0xc0 | code >> 6);
        value += static_cast<char>(code < 0x80 ? code : 0x80 | (code & 0x3f));
    }
    throw parameter_error(name, base + at, "a quoted value without its end");
}

/// Where the list or object of JSON ends that begins at `begin`; there itself where none does, or none ends. `budget`:
/// how far a line may be read in vain, all its fields together.
inline std::size_t json_end(std::string_view line, std::size_t begin, std::size_t& budget)
{
    std::string_view const start = line.substr(begin, 2);
    bool const begins = start == "{\"" || start == "[\"" || start == "[{" || start == "{}" || start == "[]";
    bool quoted = false;
    int depth = 0;
    std::size_t const stop = std::min(line.size(), begin + budget);
    for (std::size_t i = begin; begins && i < stop; ++i) {
        if (line[i] == '"')
            quoted = !quoted;
        else if (quoted && line[i] == '\\')
            ++i;
        else if (!quoted)
            depth += line[i] == '{' || line[i] == '[' ? 1 : line[i] == '}' || line[i] == ']' ? -1 : 0;
        if (depth == 0)
            return i + 1;
    }
    budget -= begins ? stop - begin : 0;
    return begin;
}

/// "name: value, name: value, ...". What stands between commas without a name belongs to the value before it.
inline std::vector<generation_parameters::field> parameter_fields(std::string_view line, std::size_t base)
{
    std::vector<generation_parameters::field> fields;
    std::size_t budget = 1u << 20, comma = std::min(line.find(','), line.size());
    for (std::size_t at = 0; at < line.size();) {
        if (comma < at)
            comma = std::min(line.find(',', at), line.size());
        std::string_view const part = line.substr(at, comma - at);
        std::size_t const colon = at + std::min(part.find(':'), part.size());
        if (colon >= comma) {
            std::string_view const more = trimmed(part);
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
            end = std::min(line.find(',', json_end(line, begin, budget)), line.size());
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

/// The options of a name that fields say: Eta, Sigma churn, Schedule rho, UniPC order, ...; those of `o` where they say
/// nothing. As in the WebUI a rho, tmax or schedule's sigma of 0 says nothing. Throws parameter_error for a bad value.
inline name_options options_of(generation_parameters const& p, name_options o = {}, webui_pass pass = webui_pass::first)
{
    auto const set = [&](auto& to, char const* name, bool zero_counts = true) {
        if (auto const value = p.number(name); value && (zero_counts || *value != 0.0))
            to = *value;
    };
    auto const one_of = [&]<class T>(T& to, char const* name,
                                     std::initializer_list<std::pair<std::string_view, T>> const& known) {
        if (!p.find(name))
            return;
        auto const* const at = std::ranges::find(known, p.text(name), &std::pair<std::string_view, T>::first);
        if (at == known.end()) {
            std::string words;
            for (auto const& [word, meant] : known)
                words.append(words.empty() ? "" : ", ").append(word);
            p.fail(name, "it must be one of " + words);
        }
        to = at->second;
    };
    if (p.by_forge() && o.from == software::webui)
        o.from = software::forge;
    set(o.eta, p.sampler(pass).starts_with("DDIM") ? "Eta DDIM" : "Eta");
    set(o.churn.amount, "Sigma churn");
    set(o.churn.low, "Sigma tmin");
    set(o.churn.high, "Sigma tmax", false);
    set(o.churn.noise_scale, "Sigma noise");
    set(o.noise_scale, "Sigma noise");
    set(o.range.sigma_min, "Schedule min sigma", false);
    set(o.range.sigma_max, "Schedule max sigma", false);
    set(o.rho, "Schedule rho", false);
    set(o.beta_alpha, "Beta schedule alpha");
    set(o.beta_beta, "Beta schedule beta");
    o.discard_penultimate = o.discard_penultimate || p.flag("Discard penultimate sigma");
    using enum unipc_variant;
    using enum unipc_skip;
    one_of(o.unipc.variant, "UniPC variant", {{"bh1", bh1}, {"bh2", bh2}, {"vary_coeff", vary_shipped}});
    one_of(o.skip, "UniPC skip type",
           {{"time_uniform", time_uniform}, {"time_quadratic", time_quadratic}, {"logSNR", log_snr}});
    if (auto const order = p.whole("UniPC order")) {
        if (*order < 1 || *order >= max_nodes)
            p.fail("UniPC order", "it must lie in [1, 7]");
        o.unipc.order = static_cast<unsigned>(*order);
    }
    if (p.find("UniPC lower order final"))
        o.unipc.lower_order_final = p.flag("UniPC lower order final");
    return o;
}

/// One run of a picture: its plan, and where it starts.
struct webui_run {
    alphabar::plan plan;
    noise_level start;          ///< x = start.alpha image + start.sigma noise; without an image the noise alone
    std::vector<double> sigmas; ///< that the WebUI compares with NGMS, call by call; none where NGMS is not above 0
    std::size_t calls = 0;      ///< as the WebUI reckons them, for Skip Early CFG
};

/// The run of a text of parameters on a path, stable_diffusion_path() for Stable Diffusion 1 and 2: as the WebUI makes
/// it. With a "Denoising strength" and no field of "Hires. fix" it is image to image: the last floor(strength N) + 1
/// steps of the grid. `pass` chooses the run of a picture made with Hires. fix.
///
/// DDIM, DDIM CFG++, PLMS and UniPC count in times: they have no "Schedule type", start at the unscaled noise, make
/// about 1000 / (1000 // N) calls, UniPC one more, and end above sigma = 0. From an image they add the noise of one
/// time above the first call's, of floor(strength N) times.
///
/// Throws parameter_error where Steps or Sampler are missing or a field has a bad value, and as named_plan does.
template <noise_path Path>
webui_run run_of(generation_parameters const& p, Path const& path, name_options options = {},
                 webui_pass pass = webui_pass::first)
{
    bool const second = pass == webui_pass::hires, from_image = second || p.from_image();
    options = options_of(p, std::move(options), pass);
    if (second && !p.two_runs())
        p.fail("Hires steps", "there is no second run");
    std::string const steps_name = second && p.whole("Hires steps").value_or(0) != 0 ? "Hires steps" : "Steps";
    std::size_t const asked = p.needed(p.whole(steps_name), steps_name);
    if (asked < 1 || asked > 10000)
        p.fail(steps_name, "it must lie in [1, 10000]");
    std::string const sampler = p.sampler(pass);
    if (sampler.empty())
        p.fail("Sampler", "it is needed");
    auto const found = detail::name_lookup<Path>::parse(sampler, options.from);
    auto const& solver = *found.solver;
    if (!solver.reads_eta())
        options.eta.reset();
    detail::check_eta(solver, options);

    std::size_t steps = asked, kept = asked; // of the steps of the whole grid the last `kept` + 1, in the WebUI's t_enc
    if (from_image) {
        double const strength = p.needed(p.number("Denoising strength"), "Denoising strength");
        if (!(strength >= 0.0 && strength <= 1.0))
            p.fail("Denoising strength", "it must lie in [0, 1]");
        double const part = std::min(strength, 0.999), count = static_cast<double>(asked);
        if (second && !(count / part <= 10000.0))
            p.fail("Denoising strength", "it is 0, or needs more than 10000 steps");
        kept = second ? asked - 1 : static_cast<std::size_t>(count * part);
        if (second)
            steps = static_cast<std::size_t>(count / part);
    }
    webui_run run{.plan = {}, .start = {0.0, 1.0}, .sigmas = {}, .calls = from_image ? kept + 1 : asked};
    grid g;
    bool const counted = solver.schedule.ends_with("timesteps") && is_webui(options.from);
    if constexpr (table_path<Path>) {
        if (counted) {
            std::size_t const n = steps + (options.discard_penultimate ? 1 : 0);
            std::vector<double> const times = detail::webui_timesteps(path.T(), n);
            if (from_image && kept < (solver.schedule == "timesteps" ? 2 : options.unipc.order))
                p.fail("Denoising strength", "it leaves no call, or fewer than the order of UniPC");
            if (from_image)
                run.start = path.level(times.at(kept));
            std::optional<std::size_t> const used = from_image ? std::optional(kept) : std::nullopt;
            g = solver.schedule == "timesteps" ? detail::webui_timesteps_grid(n, used)(path)
                                               : detail::webui_unipc_grid(n, options, used)(path);
        }
    } else if (counted) {
        p.fail("Sampler", "it counts the times of a table; this path has none");
    }
    if (!counted) {
        g = named_plan_grid(sampler, path, steps, options, found.schedule ? std::string{} : p.schedule(pass));
        if (from_image) {
            auto const cut = static_cast<std::ptrdiff_t>(std::min(steps - kept - 1, g.steps() - 1));
            g.times.erase(g.times.begin(), g.times.begin() + cut);
            g.levels.erase(g.levels.begin(), g.levels.begin() + cut);
        }
        run.start = {from_image ? g.levels[0].alpha : 0.0, g.levels[0].sigma};
        if (!from_image && p.flag("SGM noise multiplier") && usual_prediction(path) != prediction::flow)
            run.start.sigma = std::hypot(g.levels[0].alpha, g.levels[0].sigma);
    }
    if (from_image) { // the extra noise is added to x / alpha, on rectified flow to x
        double const alpha = usual_prediction(path) == prediction::flow ? 1.0 : run.start.alpha;
        run.start.sigma += p.number("Extra noise").value_or(0.0) * alpha;
        run.start.sigma *= second ? 1.0 : p.number("Noise multiplier").value_or(1.0);
    }
    run.plan = solver.make(path, g, options);
    run.plan.initial_scale = run.start.sigma;
    if (p.number("NGMS").value_or(0.0) > 0.0) {
        name_options plain = options; // whose times are the path's
        plain.network.clock = network_clock::path;
        plain.network.time_scale = 1.0;
        for (stage const& s : solver.make(path, g, plain).stages)
            if (s.calls) // the WebUI 1.10 compares the time of these samplers
                run.sigmas.push_back(counted && options.from != software::forge ? s.time
                                                                                : sigma_of(path, path.level(s.time)));
    }
    if (solver.two_calls())
        run.calls *= 2;
    run.plan = detail::as_called(solver, std::move(run.plan), options);
    return run;
}

/// The plan of `run_of`. It begins at the noise that the WebUI makes, initial_scale times the source's normals, and
/// from an image at start.alpha image besides. Throws as run_of does.
template <noise_path Path>
plan named_plan(generation_parameters const& p, Path const& path, name_options options = {},
                webui_pass pass = webui_pass::first)
{
    return run_of(p, path, std::move(options), pass).plan;
}

/// The calls of a run in which the WebUI guides; in the others the conditional prediction stands alone.
struct webui_guided_calls {
    std::vector<bool> guided;
    bool operator()(guidance_point const& p) const { return p.call >= guided.size() || guided[p.call]; }
};

/// What makes a picture again, as far as its text says it.
struct reproduction {
    /// A field that is not in the other members, or not as the WebUI has it, and why.
    struct left_out {
        std::string field, value, why;
    };
    alphabar::plan plan;
    noise_level start; ///< x = start.alpha image + start.sigma noise.initial(); start.alpha is 0 without an image
    within<classifier_free, webui_guided_calls> guidance; ///< predictions: conditional, unconditional
    webui_noise<webui_generator> noise;
    /// Without those that concern the network and the picture alone: model, size, prompts, upscaler, ...
    std::vector<left_out> not_reproduced;
};

/// What a text does not say.
struct reproduction_options {
    name_options names{};                ///< the network, and what fields do not name
    webui_pass pass = webui_pass::first; ///< of a picture made with Hires. fix
    std::optional<cuda_device> device{}; ///< the graphics card, where the noise is its own
};

namespace detail {

/// Fields that plan, start, guidance and noise follow.
inline constexpr std::string_view fields_used[] = {"Steps",
                                                   "Sampler",
                                                   "Schedule type",
                                                   "Scheduler",
                                                   "CFG scale",
                                                   "Seed",
                                                   "Variation seed",
                                                   "Variation seed strength",
                                                   "Seed resize from",
                                                   "ENSD",
                                                   "RNG",
                                                   "Denoising strength",
                                                   "Eta",
                                                   "Eta DDIM",
                                                   "Sigma churn",
                                                   "Sigma tmin",
                                                   "Sigma tmax",
                                                   "Sigma noise",
                                                   "Schedule min sigma",
                                                   "Schedule max sigma",
                                                   "Schedule rho",
                                                   "Beta schedule alpha",
                                                   "Beta schedule beta",
                                                   "Discard penultimate sigma",
                                                   "UniPC variant",
                                                   "UniPC skip type",
                                                   "UniPC order",
                                                   "UniPC lower order final",
                                                   "SGM noise multiplier",
                                                   "NGMS",
                                                   "NGMS all steps",
                                                   "Skip Early CFG",
                                                   "Extra noise",
                                                   "Noise multiplier",
                                                   "Hires steps",
                                                   "Hires sampler",
                                                   "Hires schedule type",
                                                   "Hires CFG Scale"};

/// Fields that concern the network, its conditions, the decoder or the size: the caller's own. Those that end in * are
/// beginnings.
inline constexpr std::string_view fields_elsewhere[] = {"Size",
                                                        "Model",
                                                        "Model hash",
                                                        "VAE*",
                                                        "Version",
                                                        "User",
                                                        "Clip skip",
                                                        "Face restoration",
                                                        "Lora hashes",
                                                        "TI*",
                                                        "TI hashes",
                                                        "Hashes",
                                                        "Hypernet*",
                                                        "Token merging ratio*",
                                                        "FP8 weight",
                                                        "Cache FP16 weight for LoRA",
                                                        "Pad conds*",
                                                        "Emphasis",
                                                        "Module *",
                                                        "Hires Module *",
                                                        "Hires checkpoint",
                                                        "Hires prompt",
                                                        "Hires negative prompt",
                                                        "Hires upscale*",
                                                        "Hires resize",
                                                        "First pass size",
                                                        "Init image hash",
                                                        "Tiling",
                                                        "Diffusion in Low Bits",
                                                        "Template",
                                                        "Negative Template",
                                                        "Old prompt editing timelines",
                                                        "Batch size",
                                                        "Batch pos"};

/// Fields of which it is known what they change.
inline constexpr std::pair<std::string_view, std::string_view> fields_left_out[] = {
    {"Noise Schedule", "it changes the path: give one of rescaled betas"},
    {"Downcast alphas_cumprod", "it changes the path: alpha-bar was rounded to half precision"},
    {"Shift", "it changes the schedule: shift the grid of a named_plan"},
    {"Refiner*", "from there on another network is called"},
    {"Hires refiner", "from there on another network is called"},
    {"Image CFG scale", "three predictions are guided: weighted scales of image and text"},
    {"Distilled CFG Scale", "it is an input of the network"},
    {"Hires Distilled CFG Scale", "it is an input of the network"},
    {"Mask*", "the WebUI blends the image in at each call"},
    {"Inpaint area", "the WebUI blends the image in at each call"},
    {"Conditional mask weight", "it is an input of the network"},
};

inline bool is_named(std::string_view pattern, std::string_view name)
{
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

/// Why a field is not reproduced; empty where it is, or concerns nothing here.
inline std::string_view why_left_out(std::string_view name)
{
    auto const meant = [&](std::string_view pattern) { return is_named(pattern, name); };
    if (std::ranges::any_of(fields_used, meant) || std::ranges::any_of(fields_elsewhere, meant))
        return {};
    for (auto const& [pattern, why] : fields_left_out)
        if (meant(pattern))
            return why;
    return "it is not known here";
}

} // namespace detail

/// All that a text of parameters says of how a picture was made, ready to run:
///
///     auto const r = reproduce(parse_parameters(text), path, {1, 4, 64, 64});
///     auto noise = r.noise;
///     x = noise.initial() times r.start.sigma;
///     sample(r.plan, x, noise, guided(r.plan, r.guidance, conditional, unconditional));
///
/// `latent` is [pictures, channels, height, width] of this pass; the pictures after the first are those of its batch.
/// NGMS and Skip Early CFG leave calls unguided as the WebUI does. The network of DDIM CFG++ has two heads, which
/// `guided` makes: F(0) the unconditional and F(1) the guided prediction. Fields that matter and are not reproduced are
/// listed, and those that are not known.
///
/// Throws as run_of, and std::invalid_argument where the latent has not four extents.
template <noise_path Path>
reproduction reproduce(generation_parameters const& p, Path const& path, shape const& latent,
                       reproduction_options o = {})
{
    o.names = options_of(p, std::move(o.names), o.pass);
    webui_run run = run_of(p, path, o.names, o.pass);
    double const early = p.number("Skip Early CFG").value_or(0.0), least = p.number("NGMS").value_or(0.0);
    bool const all = p.flag("NGMS all steps");
    webui_guided_calls calls{};
    std::size_t const count = static_cast<std::size_t>(std::ranges::count_if(run.plan.stages, &stage::calls));
    for (std::size_t i = 0; i < count; ++i) {
        bool const skipped_early = early != 0.0 && static_cast<double>(i) <= early * static_cast<double>(run.calls);
        calls.guided.push_back(!skipped_early && !(least > 0.0 && (i % 2 == 1 || all) && run.sigmas[i] < least));
    }
    require(latent.rank() == 4, "reproduce", "the number of extents", latent.rank(),
            "it must be 4: [pictures, channels, height, width]");
    webui_source const source = p.noise_source();
    if (source == webui_source::gpu && !o.device)
        p.fail("RNG", "the noise is the graphics card's: name the card, reproduction_options::device");
    reproduction r{.plan = std::move(run.plan),
                   .start = run.start,
                   .guidance = {{p.guidance_scale(o.pass)}, std::move(calls)},
                   .noise = {p.seeds(latent[0]), latent,
                             [source, device = o.device.value_or(cuda_devices::rtx_4090)](std::uint64_t seed) {
                                 return webui_generator(source, seed, device);
                             }},
                   .not_reproduced = {}};
    for (auto const& [name, value, byte] : p.fields)
        if (std::string_view const why = detail::why_left_out(name); !why.empty())
            r.not_reproduced.push_back({name, value, std::string(why)});
    bool const draws = std::ranges::any_of(r.plan.stages, draws_noise);
    std::string const sampler = p.sampler(o.pass);
    if (draws && detail::name_lookup<Path>::parse(sampler, o.names.from).solver->note == detail::one_tree)
        r.not_reproduced.push_back(
            {"Sampler", sampler, "the WebUI draws from one Brownian tree, this from its generator"});
    if (o.names.churn.amount > 0.0 && (p.find("Sigma tmin") || p.find("Sigma tmax")))
        r.not_reproduced.push_back(
            {"Sigma churn", p.text("Sigma churn"), "the WebUI draws noise outside its window too and does not use it"});
    for (std::string const* prompt : {&p.prompt, &p.negative_prompt})
        if (prompt->find(" AND ") != prompt->npos)
            r.not_reproduced.push_back(
                {"prompt", "AND", "each part of the prompt has a prediction and a scale of its own"});
    return r;
}

} // namespace alphabar
