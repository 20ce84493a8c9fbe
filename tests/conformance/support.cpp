// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numbers>

namespace conformance {

double number(json const& value)
{
    if (value.is_number())
        return value.get<double>();
    if (!value.is_string())
        throw malformed("not a number: " + value.dump());
    std::string const& text = value.get_ref<std::string const&>();
    char* end = nullptr;
    double const result = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != 0)
        throw malformed("not a number: \"" + text + "\"");
    return result;
}

array numbers(json const& list)
{
    if (list.is_number() || list.is_string())
        return {number(list)};
    if (!list.is_array())
        throw malformed("not a list of numbers: " + list.dump().substr(0, 60));
    array values;
    values.reserve(list.size());
    for (json const& value : list) {
        if (value.is_array())
            for (double inner : numbers(value))
                values.push_back(inner);
        else
            values.push_back(number(value));
    }
    return values;
}

json const& at(json const& object, char const* name)
{
    auto const field = object.find(name);
    if (field == object.end())
        throw malformed("the field \"" + std::string(name) + "\" is missing");
    return *field;
}

// ---- comparing --------------------------------------------------------------------------------------------

verdict::verdict(json const& row) : given_(&at(row, "given")), expect_(&at(row, "expect"))
{
    if (!given_->is_object() || !expect_->is_object())
        throw malformed("\"given\" and \"expect\" must be objects");
    in_ulps_ = row.contains("ulps");
    tolerance_ = number(at(row, in_ulps_ ? "ulps" : "tolerance"));
    per_sample_ = value(row, "per_sample", false);
    samples_ = per_sample_ && given_->contains("shape") ? at(*given_, "shape").at(0).get<std::size_t>() : 1;
}

void verdict::add(std::string const& name, double error)
{
    compared_.insert(name);
    if (!(error <= worst_)) { // a NaN counts as the worst
        worst_ = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
        worst_name_ = name;
    }
}

void verdict::add_arrays(std::string const& name, std::span<double const> got, array const& want)
{
    double error = got.size() == want.size() ? 0.0 : std::numeric_limits<double>::infinity();
    std::size_t const parts = samples_ > 1 && !want.empty() && want.size() % samples_ == 0 ? samples_ : 1;
    std::size_t const length = want.size() / parts;
    for (std::size_t part = 0; part < parts && error < std::numeric_limits<double>::infinity(); ++part) {
        double scale = 0, difference = 0;
        for (std::size_t i = part * length; i < (part + 1) * length; ++i) {
            bool const same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
            if (std::isfinite(want[i]))
                scale = std::max(scale, std::abs(want[i]));
            if (same)
                continue;
            double const d = std::abs(got[i] - want[i]);
            difference = std::isfinite(d) ? std::max(difference, d) : std::numeric_limits<double>::infinity();
        }
        error = std::max(error, difference / (scale > 0 ? scale : 1.0));
    }
    add(name, error);
}

void verdict::compare(std::string const& name, std::span<double const> got)
{
    json const& wanted = at(*expect_, name.c_str());
    if (in_ulps_ && wanted.is_array() && !wanted.empty() && wanted[0].is_string()) {
        double worst = got.size() == wanted.size() ? 0.0 : std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < got.size() && i < wanted.size(); ++i)
            worst = std::max(worst, ulps(got[i], wanted[i].get<std::string>()));
        return add(name, worst);
    }
    add_arrays(name, got, numbers(at(*expect_, name.c_str())));
}

void verdict::compare(std::string const& name, std::string const& index, std::span<double const> got)
{
    json const& map = at(*expect_, name.c_str());
    if (!map.contains(index))
        return;
    indices_[name].insert(index);
    add_arrays(name, got, numbers(map[index]));
}

void verdict::compare_times(std::string const& name, std::span<double const> got)
{
    array want, kept;
    std::size_t i = 0;
    bool longer = false;
    auto const take = [&](json const& wanted) {
        longer = longer || i >= got.size();
        if (!wanted.is_null() && !longer) {
            want.push_back(number(wanted));
            kept.push_back(got[i]);
        }
        ++i;
    };
    for (json const& wanted : at(*expect_, name.c_str())) {
        if (wanted.is_array())
            for (json const& inner : wanted)
                take(inner);
        else
            take(wanted);
    }
    if (longer || i != got.size())
        add(name, std::numeric_limits<double>::infinity());
    else
        add_arrays(name, kept, want);
}

void verdict::compare_words(std::string const& name, std::span<std::string const> got)
{
    json const& want = at(*expect_, name.c_str());
    bool same = want.size() == got.size();
    for (std::size_t i = 0; same && i < got.size(); ++i)
        same = want[i] == got[i];
    add(name, same ? 0.0 : std::numeric_limits<double>::infinity());
}

void verdict::refused() { add("error", expects("error") ? 0.0 : std::numeric_limits<double>::infinity()); }

std::string verdict::left_out() const
{
    for (auto const& [name, wanted] : expect_->items()) {
        auto const indices = indices_.find(name);
        if (indices != indices_.end()) {
            for (auto const& [index, unused] : wanted.items())
                if (!indices->second.contains(index))
                    return name + "[" + index + "]";
        } else if (!compared_.contains(name)) {
            return name;
        }
    }
    return {};
}

// ---- stand-ins --------------------------------------------------------------------------------------------

extents shape_of(json const& given) { return at(given, "shape").get<extents>(); }

std::size_t size_of(extents const& shape)
{
    std::size_t n = 1;
    for (std::size_t extent : shape)
        n *= extent;
    return n;
}

namespace {

template <class Formula>
array filled(std::size_t n, Formula formula)
{
    array values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = formula(static_cast<double>(i + 1));
    return values;
}

/// f(x, t) on every element; t is the time of the element's leading block.
template <class Formula>
array mapped(std::span<double const> x, std::span<double const> times, Formula formula)
{
    array values(x.size());
    std::size_t const block = times.empty() ? x.size() : x.size() / times.size();
    for (std::size_t i = 0; i < x.size(); ++i)
        values[i] = formula(x[i], times.empty() ? 0.0 : times[i / block]);
    return values;
}

array joined(array head, array const& second)
{
    head.insert(head.end(), second.begin(), second.end());
    return head;
}

double tanh_model(double x, double t) { return 0.6 * std::tanh(x) + 0.2 * x * t / 1000; }

} // namespace

array initial(std::size_t n, double scale)
{
    return filled(n, [=](double k) { return scale * std::numbers::sqrt2 * std::sin(1.1 * k + 0.5); });
}

array data(std::size_t n)
{
    return filled(n, [](double k) { return 0.8 * std::sin(0.37 * k); });
}

array noise(std::size_t n, std::size_t s, std::size_t j)
{
    double const phase = 2.3 * static_cast<double>(s) + 0.9 * static_cast<double>(j);
    return filled(n, [=](double k) { return std::numbers::sqrt2 * std::sin(1.7 * k + phase); });
}

model model_named(std::string const& name)
{
    using in = std::span<double const>;
    static std::map<std::string, model> const models = {
        {"tanh", [](in x, in t) { return mapped(x, t, tanh_model); }},
        {"tanh_timeless",
         [](in x, in t) { return mapped(x, t, [](double u, double) { return 0.6 * std::tanh(u) + 0.1 * u; }); }},
        {"tanh_unit",
         [](in x, in t) { return mapped(x, t, [](double u, double v) { return 0.6 * std::tanh(u) + 0.2 * u * v; }); }},
        {"tanh_learned_variance",
         [](in x, in t) {
             return joined(mapped(x, t, tanh_model),
                           mapped(x, t, [](double u, double v) { return std::sin(u + v / 1000); }));
         }},
        {"tanh_positive_variance",
         [](in x, in t) {
             return joined(mapped(x, t, tanh_model),
                           mapped(x, t, [](double u, double v) { return 0.05 + 0.02 * std::sin(u + v / 1000); }));
         }},
        {"soft",
         [](in x, in t) {
             return mapped(x, t, [](double u, double s) { return (u + 0.5 * s * s * std::tanh(u)) / (1 + s * s); });
         }},
        {"soft_score",
         [](in x, in t) {
             return mapped(x, t, [](double u, double s) { return (0.5 * std::tanh(u) - u) / (1 + s * s); });
         }},
    };
    if (name.starts_with("tanh_grid:")) // of pi-Flow, and how many heads
        return [heads = std::stoul(name.substr(10))](in x, in t) {
            array all;
            for (std::size_t g = 0; g < heads; ++g)
                all = joined(all, mapped(x, t, [g](double u, double v) {
                                 return tanh_model(u + 0.1 * static_cast<double>(g), v);
                             }));
            return all;
        };
    return entry(models, name, "the model ");
}

} // namespace conformance
