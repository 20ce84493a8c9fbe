// SPDX-License-Identifier: MIT
// Writes docs/names.md from the tables of the code: names FILE. As a test: names --check FILE, which fails where the
// page is old.
#include "classes.hpp"

#include <alphabar/io/diffusers.hpp>
#include <alphabar/io/names.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ab = alphabar;

namespace {

using path = ab::gaussian_diffusion;

std::string digits(double value, int count)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", count, value);
    return text;
}
std::string number(double value) { return digits(value, 3); }

std::string name_of(ab::slot s)
{
    char const* const letters[] = {"x", "y", "F", "m", "z", "d"};
    std::string name = letters[static_cast<std::size_t>(s.what)];
    bool const counted = s.what == ab::slot::kind::memory || (s.what == ab::slot::kind::output && s.index > 0);
    return counted ? name + "(" + std::to_string(s.index) + ")" : name;
}

/// "0.9 x - 0.1 m(0)".
std::string shown(ab::row const& row)
{
    std::string text;
    for (ab::term const& t : row.terms()) {
        std::string const factor = number(std::abs(t.coefficient));
        text += text.empty() ? t.coefficient < 0 ? "-" : "" : t.coefficient < 0 ? " - " : " + ";
        text += (factor == "1" ? "" : factor + " ") + name_of(t.from);
    }
    return text.empty() ? "0" : text;
}

std::string shown(ab::stage const& s)
{
    std::string text;
    auto const say = [&](std::string const& what) { text += (text.empty() ? "" : "; ") + what; };
    if (s.churn)
        say("x <- " + number(s.churn->keep) + " x + " + number(s.churn->add) + " z");
    bool remembers = false;
    for (ab::term const& t : s.x.terms())
        remembers = remembers || t.from.what == ab::slot::kind::memory;
    if (s.calls && (remembers || s.operation.what != ab::x0_operation::kind::none)) {
        ab::row const m = (s.memory.x * ab::slots::x + s.memory.other * ab::slots::F()).pruned();
        say(std::string(s.operation.what == ab::x0_operation::kind::none ? "m(0) = " : "m(0) = clip of ") + shown(m));
    }
    say("x' = " + shown(s.x));
    if (s.y)
        say("y' = " + shown(*s.y));
    return text;
}

/// "5, 8 and 20".
std::string shown(std::vector<int> const& values)
{
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i)
        text += (i == 0 ? "" : i + 1 == values.size() ? " and " : ", ") + std::to_string(values[i]);
    return text;
}

std::string quoted(std::string_view code)
{
    std::string text(code);
    for (std::size_t at; (at = text.find("detail::")) != text.npos;)
        text.erase(at, 8);
    for (std::size_t at = 0; (at = text.find('|', at)) != text.npos; at += 2)
        text.insert(at, "\\");
    return "`" + text + "`";
}

std::string names(std::string_view all)
{
    std::string text;
    for (std::string_view name : ab::detail::names_of(all))
        text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

/// Nearly equal, 0 too: relative to the larger one.
bool equal(double a, double b)
{
    return a == b || std::abs(a - b) <= 1e-9 * std::max({1e-3, std::abs(a), std::abs(b)});
}
bool equal(ab::pair_map const& a, ab::pair_map const& b) { return equal(a.x, b.x) && equal(a.other, b.other); }
bool equal(ab::row const& a, ab::row const& b)
{
    auto const held = [](ab::row const& one, ab::row const& other) {
        return std::ranges::all_of(one.terms(), [&](ab::term const& t) { return equal(one[t.from], other[t.from]); });
    };
    return held(a, b) && held(b, a);
}
bool same(ab::plan const& a, ab::plan const& b)
{
    if (a.stages.size() != b.stages.size())
        return false;
    for (std::size_t i = 0; i < a.stages.size(); ++i) {
        ab::stage const &s = a.stages[i], &t = b.stages[i];
        if (!equal(s.x, t.x) || !equal(s.time, t.time) || !equal(s.memory.x, t.memory.x) ||
            !equal(s.memory.other, t.memory.other) || s.y.has_value() != t.y.has_value() || (s.y && !equal(*s.y, *t.y)))
            return false;
    }
    return true;
}

/// A grid whose levels stand once: classes of two calls a step list them twice.
ab::diffusers_grid once(ab::diffusers_grid const& g)
{
    if (g.sigmas.size() < 4 || g.sigmas[1] != g.sigmas[2])
        return g;
    ab::diffusers_grid single;
    for (std::size_t i = 0; i < g.times.size(); i += 2)
        single.times.push_back(g.times[i]), single.sigmas.push_back(g.sigmas[i]);
    single.sigmas.push_back(g.sigmas.back());
    return single;
}

bool equal(ab::noise_spread const& a, ab::noise_spread const& b)
{
    return a.what == b.what && equal(a.log_min, b.log_min) && equal(a.log_max, b.log_max);
}
bool equal(ab::stage::churn_map const& a, ab::stage::churn_map const& b)
{
    return equal(a.keep, b.keep) && equal(a.add, b.add);
}
bool equal(ab::langevin_step const& a, ab::langevin_step const& b) { return a == b; }
template <class T>
bool equal(std::optional<T> const& a, std::optional<T> const& b)
{
    return a.has_value() == b.has_value() && (!a || equal(*a, *b));
}

/// What of the stages differs; "" for nothing. That the class counts each call as a step does not count.
std::string difference(ab::stage const& s, ab::stage const& t, bool noise_counts)
{
    std::string text;
    auto const see = [&](bool alike, char const* what) { text += alike ? "" : std::string(" ") + what; };
    see(equal(s.x, t.x), "x");
    see(equal(s.y, t.y), "y");
    see(equal(s.time, t.time), "time");
    see(equal(s.input_scale, t.input_scale), "input_scale");
    see(equal(s.memory, t.memory), "memory");
    see(s.operation == t.operation, "operation");
    see(equal(s.recall, t.recall), "recall");
    see(equal(s.churn, t.churn), "churn");
    see(equal(s.masked, t.masked), "masked");
    see(equal(s.spread, t.spread), "spread");
    see(equal(s.langevin, t.langevin), "langevin");
    see(s.calls == t.calls, "calls");
    see(!noise_counts || (s.noise == t.noise && s.churn_noise == t.churn_noise), "noise");
    return text;
}

/// The same of plans.
std::string difference(ab::plan const& a, ab::plan const& b, bool noise_counts)
{
    if (a.stages.size() != b.stages.size() || a.heads != b.heads)
        return "stages " + std::to_string(a.stages.size()) + " and " + std::to_string(b.stages.size());
    for (std::size_t i = 0; i < a.stages.size(); ++i)
        if (std::string const text = difference(a.stages[i], b.stages[i], noise_counts); !text.empty())
            return "stage " + std::to_string(i) + ":" + text + "\n  " + shown(a.stages[i]) + "\n  " +
                   shown(b.stages[i]);
    return "";
}

/// What a macro kept of a call, without the spaces of its line breaks.
std::string one_line(std::string_view code)
{
    std::string text(code);
    for (char const* gap : {"( ", "{ .", "{ {"})
        for (std::size_t at; (at = text.find(gap)) != text.npos;)
            text.erase(at + 1, 1);
    return text;
}

/// The lines of classes.hpp that the page shows.
std::string definitions()
{
    std::ifstream file(ALPHABAR_DOCS_SOURCE "/classes.hpp");
    std::string line, text;
    for (int marks = 0; std::getline(file, line);)
        if (line == "// ----")
            ++marks;
        else if (marks == 1)
            text += line + "\n";
    if (text.empty())
        throw std::runtime_error("classes.hpp is not to be read");
    return text;
}

/// The call of a class, compared with its plan. Throws where it makes another one.
std::string compared(classes::class_call const& row, ab::diffusers_scheduler const& scheduler)
{
    std::string start;
    for (int n : row.steps) {
        ab::plan const of_class = scheduler.plan(n), of_call = row.make(static_cast<std::size_t>(n));
        std::string const text = difference(of_class, of_call, !row.numbers_noise_otherwise);
        if (!text.empty())
            throw std::runtime_error("with " + std::to_string(n) +
                                     " steps the call of classes.hpp makes another plan than the class: " + text);
        if (!equal(of_class.initial_scale, of_call.initial_scale))
            start = digits(of_class.initial_scale, 6) + " z, not " + digits(of_call.initial_scale, 6) + " z";
    }
    std::string text = ::quoted(one_line(row.code));
    if (!row.note.empty())
        text += ", " + std::string(row.note);
    if (!start.empty())
        text += ", and the class begins at " + start;
    return text;
}

/// What has no default.
std::string needed(std::string const& name)
{
    return name == "RFD4Proteina"
               ? R"(, "schedule_mode": "log", "noise_mode": "tan", "tsr_k": 2, "tsr_sigma": 0.1, "tail_steps": 2)"
               : "";
}

/// The names of the table whose solvers, on the class's own grid and with its kind of network, make this plan.
std::string names_with(ab::plan const& p, ab::diffusers_config const& c, ab::diffusers_grid const& g)
{
    using ab::detail::sigma_path;
    bool const table = g.sigmas.size() <= g.times.size();
    std::vector<ab::network_form> networks{ab::detail::flow_network, ab::detail::flow_network};
    networks.back().output_scale = -1;
    if (c.has("sigma_data") && c.has("prediction_type"))
        networks.push_back(ab::detail::edm_network_of(c));
    try {
        networks.push_back(ab::detail::network_of(c));
        if (!table)
            networks.push_back(ab::detail::ve_network_of(c));
    } catch (std::exception const&) { // a class without a prediction_type
    }
    std::vector<std::string> found;
    for (auto const& solver : ab::named_solvers<ab::variance_exploding>())
        for (sigma_path on : {sigma_path::exploding, sigma_path::preserving, sigma_path::flow})
            for (ab::network_form const& network : networks)
                try {
                    ab::grid levels{.times = g.times, .levels = {}, .direction = ab::grid::course::as_given};
                    if (table) {
                        ab::detail::table_levels const level(c);
                        for (double t : g.times)
                            levels.levels.push_back(level(t));
                        levels.levels.push_back(level(-1));
                    } else {
                        levels = ab::detail::grid_of(g, on);
                    }
                    std::string const name(ab::detail::names_of(solver.names).front());
                    if (!solver.flow && same(p, solver.make({}, levels, {.network = network})) &&
                        std::ranges::find(found, name) == found.end())
                        found.push_back(name);
                } catch (std::exception const&) { // not this solver
                }
    std::string text;
    for (std::string const& name : found)
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

void write(std::ostream& out)
{
    out << "# Names, and the plans that they stand for\n\n"
           "This page is written by tests/docs/names.cpp from the tables of the code, and a test compares the two.\n\n"
           "```cpp\n"
           "#include <alphabar/alphabar.hpp>\n"
           "#include <alphabar/io/names.hpp>\n\n"
           "#include <iostream>\n\n"
           "namespace ab = alphabar;\n\n"
           "int main()\n"
           "{\n"
           "    auto const path = ab::stable_diffusion_path();\n"
           "    auto const plan = ab::named_plan(\"DPM++ 2M Karras\", path, 20);\n"
           "    std::cout << plan;\n\n"
           "    // ComfyUI's names: the scheduler stands behind the sampler, for it has no schedule of its own.\n"
           "    auto const other = ab::named_plan(\"dpmpp_2m_sde_gpu sgm_uniform\", path, 20, {.from = "
           "ab::software::comfyui});\n\n"
           "    // SD3, Flux: the shift of the model goes around the schedule.\n"
           "    auto const flow = ab::named_plan(\"euler\", ab::rectified_flow{}, "
           "ab::shifted_grid(ab::named_grid(\"simple\", 20), 3.0));\n"
           "    return plan.stages.size() + other.stages.size() + flow.stages.size() == 60 ? 0 : 1;\n"
           "}\n"
           "```\n\n"
           "Case, spaces, underscores and hyphens do not matter, + is p, and `sample_`, `get_sigmas_`, `k_` before and "
           "`_gpu` behind a sampler's name are left out.\n\n"
           "## Samplers of the WebUI, Forge, ComfyUI and k-diffusion\n\n"
           "In the plans `path` is the model's path, `g` the schedule's grid and `o` the `name_options`; eta is 1 in a "
           "stochastic solver and 0 in DDIM unless given. The schedule is the one that the WebUI and Forge take where "
           "none is named; ComfyUI and k-diffusion have none: name it behind the sampler. \"One level less\" says "
           "whose "
           "schedule has N + 1 noisy levels, of which the last is left out. ComfyUI and Forge tell the network the "
           "nearest whole "
           "time. k-diffusion's functions are `sample_` and the name. \"timesteps\" are the times that the WebUI's "
           "samplers of the first Stable Diffusion count in: they make about N calls and end above sigma = 0.\n\n"
           "| names | plan | schedule | one level less | |\n|---|---|---|---|---|\n";
    for (auto const& row : ab::named_solvers<path>())
        out << "| " << names(row.names)
            << (row.flow      ? " (rectified flow)"
                : row.of == 9 ? " (WebUI)"
                              : "")
            << " | " << quoted(row.call) << " | " << row.schedule << " | "
            << (row.discards == 0   ? ""
                : row.discards == 9 ? "WebUI"
                : row.discards == 2 ? "ComfyUI"
                                    : "both")
            << " | " << row.note << " |\n";
    for (auto const& [name, why] : ab::detail::names_without_plan)
        out << "| " << names(name) << " | none: " << why << " | | | |\n";
    out << "\n## Schedules\n\n| names | whose | grid |\n|---|---|---|\n";
    for (auto const& row : ab::named_schedules<path>())
        out << "| " << names(row.names) << (row.flow ? " (rectified flow)" : "") << " | "
            << (row.of == 9 ? "WebUI" : "") << " | " << quoted(row.call) << " |\n";
    out << "\n## Classes of diffusers\n\n"
           "`ab::read_diffusers_config(\"scheduler_config.json\").plan(20)` makes the plan that a class computes. "
           "Below stands for each class the call of this library that makes the same plan for the class's default "
           "configuration: the two are compared, coefficient by coefficient, with "
        << shown(classes::class_call{}.steps)
        << " steps. The namespace is left out.\n\n"
           "`n` is the number of steps; `path`, `cosine` and `sd` are tables of 1,000 betas, `flow` is rectified flow, "
           "`exploding` and `mild` are tables in sigma / alpha; a network of `seen` sees x / sqrt(1 + sigma^2); "
           "`clip` clips x_0 to [-1, 1]:\n\n```cpp\n"
        << definitions()
        << "```\n\n"
           "Where no one call does it, there is the fourth call with 8 steps: x is the state, F the network's output, "
           "m(0), m(1), ... what is remembered of this call and the ones before it, y the anchor, z noise. The names "
           "are those of the table above whose solver makes the same plan on the class's grid.\n\n"
           "| class | network calls of 8 steps | call | names |\n|---|---|---|---|\n";
    auto row = classes::calls().begin();
    std::string wrong;
    for (auto const& [name, maker] : ab::detail::plan_makers()) {
        if (row == classes::calls().end() || row->name != name)
            throw std::runtime_error("classes.hpp has no row for " + name + " in its alphabetical place");
        out << "| " << name << "Scheduler | ";
        ab::diffusers_scheduler const scheduler =
            ab::parse_diffusers_config("{\"_class_name\": \"" + name + "Scheduler\"" + needed(name) + "}");
        int const steps = name == "SCM" ? 2 : 8; // which takes no other number by itself
        ab::plan const plan = scheduler.plan(steps);
        std::size_t const at = std::min<std::size_t>(3, plan.stages.size() - 1);
        std::size_t called = 0;
        for (ab::stage const& s : plan.stages)
            called += s.calls;
        out << called << " | ";
        try {
            if (row->make)
                out << compared(*row, scheduler);
            else
                out << "none: " << row->note << ". " << shown(plan.stages[at]);
        } catch (std::exception const& problem) {
            wrong += name + ": " + problem.what() + "\n";
        }
        out << " | " << names_with(plan, scheduler.config(), once(scheduler.grid(steps))) << " |\n";
        ++row;
    }
    if (!wrong.empty() || row != classes::calls().end())
        throw std::runtime_error(wrong.empty() ? "classes.hpp has rows of no class" : wrong);
}

} // namespace

int main(int count, char** arguments)
{
    bool const checks = count == 3 && std::string_view(arguments[1]) == "--check";
    if (!checks && (count != 2 || arguments[1][0] == '-'))
        return std::fputs("names [--check] FILE\n", stderr), 2;
    std::ostringstream page;
    try {
        write(page);
    } catch (std::exception const& problem) {
        return std::fprintf(stderr, "%s\n", problem.what()), 1;
    }
    if (!checks) {
        std::ofstream(arguments[1]) << page.str();
        return 0;
    }
    std::ifstream file(arguments[count - 1]);
    std::string const now{std::istreambuf_iterator<char>(file), {}};
    if (now == page.str())
        return 0;
    std::fprintf(stderr, "%s is old; write it again: docs.names %s\n", arguments[count - 1], arguments[count - 1]);
    return 1;
}
