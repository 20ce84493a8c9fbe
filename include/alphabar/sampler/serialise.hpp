// SPDX-License-Identifier: MIT
// Plans as text: a table to read, and JSON that reads back as the same plan, bit by bit.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/sampler/plan.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace alphabar {

/// Why a text is not a plan, and where: line and column count from 1, position from 0 in bytes.
class plan_format_error : public std::runtime_error {
public:
    plan_format_error(std::string const& what, std::size_t position, std::size_t line, std::size_t column)
        : std::runtime_error("alphabar::read_plan: line " + std::to_string(line) + ", column " +
                             std::to_string(column) + ": " + what),
          position_(position), line_(line), column_(column)
    {
    }
    std::size_t position() const { return position_; }
    std::size_t line() const { return line_; }
    std::size_t column() const { return column_; }

private:
    std::size_t position_, line_, column_;
};

/// The slot's name in texts: x, y, F, F1, F2, ..., m0, m1, ..., z, d.
inline std::string to_string(slot s)
{
    switch (s.what) {
    case slot::kind::state: return "x";
    case slot::kind::anchor: return "y";
    case slot::kind::output: return s.index == 0 ? "F" : "F" + std::to_string(s.index);
    case slot::kind::memory: return "m" + std::to_string(s.index);
    case slot::kind::noise: return "z";
    case slot::kind::data: return "d";
    }
    return "?";
}

/// "0.5 x - 0.25 m0 + 0.1 z"; "0" for an empty row. Six digits.
inline std::string to_string(row const& r)
{
    std::string text;
    for (term const& t : r.terms()) {
        bool const negative = std::signbit(t.coefficient);
        char number[32];
        std::snprintf(number, sizeof number, "%.6g ", std::fabs(t.coefficient));
        text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
        text += t.coefficient == 1.0 || t.coefficient == -1.0 ? "" : number;
        text += to_string(t.from);
    }
    return text.empty() ? "0" : text;
}

namespace detail {

inline std::string short_number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

/// The shortest text that reads back as `value`. A locale does not change it.
inline std::string exact_number(double value)
{
    require(std::isfinite(value), "write_plan", "a number of the plan", value, "it must be finite");
    char text[40];
    auto const end = std::to_chars(text, text + sizeof text, value).ptr;
    return std::string(text, end);
}

inline std::string line_of(stage const& s, bool waits)
{
    auto const index = [](std::uint32_t i) {
        return i == stage::automatic ? std::string() : "(" + std::to_string(i) + ")";
    };
    auto const x_and = [](pair_map const& p, char const* other) {
        std::string const name(other);
        if (p.x == 0.0)
            return p.other == 1.0 ? name : short_number(p.other) + " " + name;
        std::string text = (p.x == 1.0 ? "" : short_number(p.x) + " ") + std::string("x");
        if (p.other != 0.0)
            text += (std::signbit(p.other) ? " - " : " + ") +
                    (std::fabs(p.other) == 1.0 ? "" : short_number(std::fabs(p.other)) + " ") + name;
        return text;
    };
    std::string text;
    if (s.churn)
        text += "x <- " + to_string(s.churn->keep * slots::x + s.churn->add * slots::z) + index(s.churn_noise) + ";  ";
    if (s.calls) {
        text += "F(" + (s.input_scale == 1.0 ? "" : short_number(s.input_scale) + " ") + "x)";
        if (waits || s.operation.what != x0_operation::kind::none || s.recall != pair_map{0.0, 1.0}) {
            std::string m = x_and(s.memory, "F");
            if (s.operation.what == x0_operation::kind::clip)
                m = "clip(" + m + ", " + short_number(s.operation.bound) + ")";
            else if (s.operation.what == x0_operation::kind::dynamic_threshold)
                m = "threshold(" + m + ", " + short_number(s.operation.quantile) + ", " +
                    short_number(s.operation.bound) + " .. " + short_number(s.operation.max) + ")";
            if (s.recall != pair_map{0.0, 1.0})
                m = x_and(s.recall, m.c_str());
            text += ";  m0 = " + m;
        }
        text += ";  ";
    }
    text += "x' = " + to_string(s.x);
    if (s.y)
        text += ";  y' = " + to_string(*s.y);
    if (s.masked)
        text += ";  where masked x' = " + to_string(*s.masked);
    if (draws_noise(s) && s.noise != stage::automatic)
        text += ";  z" + index(s.noise);
    if (s.langevin)
        text += ";  m0 times e, z times sqrt(2 e), e = 2 (" + short_number(s.langevin->snr) + " |z| / |m0|)^2" +
                (s.langevin->over_batch ? " of the batch's mean norms" : "");
    if (s.spread) {
        if (s.spread->what == noise_spread::kind::range)
            text += ";  log var z in [" + short_number(s.spread->log_min) + ", " + short_number(s.spread->log_max) +
                    "] by F1";
        else
            text += s.spread->what == noise_spread::kind::variance ? ";  var z = F1" : ";  log var z = F1";
    }
    return text;
}

} // namespace detail

/// The plan as a table, a line for each stage, to be read by people: numbers have six digits.
inline std::string to_string(plan const& p)
{
    std::string text = "plan of " + std::to_string(p.stages.size()) + (p.stages.size() == 1 ? " stage" : " stages") +
                       "; x begins as " + (p.initial_scale == 1.0 ? "" : detail::short_number(p.initial_scale) + " ") +
                       "N(0, 1)";
    if (p.heads != 1)
        text += "; the output has " + std::to_string(p.heads) + " heads";
    text += "\n stage       time\n";
    for (std::size_t i = 0; i < p.stages.size(); ++i) {
        stage const& s = p.stages[i];
        bool remembers = false;
        for (std::size_t k = i; k < p.stages.size() && !remembers; ++k)
            for (row const* r : {&p.stages[k].x, p.stages[k].y ? &*p.stages[k].y : nullptr,
                                 p.stages[k].masked ? &*p.stages[k].masked : nullptr})
                for (std::size_t t = 0; r != nullptr && t < r->terms().size(); ++t)
                    remembers = remembers || r->terms()[t].from.what == slot::kind::memory;
        char head[48];
        std::snprintf(head, sizeof head, "%6zu %10s  ", i, s.calls ? detail::short_number(s.time).c_str() : "-");
        text += head + detail::line_of(s, remembers) + "\n";
    }
    return text;
}

inline std::ostream& operator<<(std::ostream& out, row const& r) { return out << to_string(r); }
inline std::ostream& operator<<(std::ostream& out, plan const& p) { return out << to_string(p); }

/// The plan as JSON: every field that is not at its default, each double as the shortest text that reads back as it.
/// Throws std::invalid_argument where a number is not finite.
inline std::string write_plan(plan const& p)
{
    using detail::exact_number;
    auto const pair = [](double a, double b) { return "[" + exact_number(a) + ", " + exact_number(b) + "]"; };
    auto const object = [](row const& r) {
        std::string text = "{";
        for (term const& t : r.terms())
            text += (text.size() > 1 ? ", \"" : "\"") + to_string(t.from) + "\": " + exact_number(t.coefficient);
        return text + "}";
    };
    std::string text = "{\"alphabar_plan\": 1, \"initial_scale\": " + exact_number(p.initial_scale) +
                       ", \"heads\": " + std::to_string(p.heads) + ", \"stages\": [";
    char const* separator = "\n  ";
    stage const usual;
    for (stage const& s : p.stages) {
        text += separator;
        separator = ",\n  ";
        text += "{\"time\": " + exact_number(s.time) + ", \"x\": " + object(s.x);
        if (s.y)
            text += ", \"y\": " + object(*s.y);
        if (s.masked)
            text += ", \"masked\": " + object(*s.masked);
        if (s.memory != usual.memory)
            text += ", \"memory\": " + pair(s.memory.x, s.memory.other);
        if (s.recall != usual.recall)
            text += ", \"recall\": " + pair(s.recall.x, s.recall.other);
        if (s.input_scale != 1.0)
            text += ", \"input_scale\": " + exact_number(s.input_scale);
        if (s.churn)
            text += ", \"churn\": " + pair(s.churn->keep, s.churn->add);
        if (s.operation != usual.operation) {
            constexpr char const* names[] = {"none", "clip", "dynamic_threshold"};
            text += ", \"operation\": {\"what\": \"" + std::string(names[static_cast<int>(s.operation.what)]) +
                    "\", \"bound\": " + exact_number(s.operation.bound) +
                    ", \"quantile\": " + exact_number(s.operation.quantile) +
                    ", \"max\": " + exact_number(s.operation.max) + "}";
        }
        if (s.spread) {
            constexpr char const* names[] = {"range", "variance", "log_variance"};
            text += ", \"spread\": {\"what\": \"" + std::string(names[static_cast<int>(s.spread->what)]) +
                    "\", \"log_min\": " + exact_number(s.spread->log_min) +
                    ", \"log_max\": " + exact_number(s.spread->log_max) + "}";
        }
        if (s.langevin)
            text += ", \"langevin\": {\"snr\": " + exact_number(s.langevin->snr) +
                    ", \"over_batch\": " + (s.langevin->over_batch ? "true}" : "false}");
        if (!s.calls)
            text += ", \"calls\": false";
        if (s.churn_noise != stage::automatic)
            text += ", \"churn_noise\": " + std::to_string(s.churn_noise);
        if (s.noise != stage::automatic)
            text += ", \"noise\": " + std::to_string(s.noise);
        if (!s.ends_step)
            text += ", \"ends_step\": false";
        text += "}";
    }
    return text + "\n]}\n";
}

namespace detail {

/// A reader of the JSON that write_plan writes. Nesting is that of a plan, so there is no recursion and no depth to
/// bound; memory is taken only for what has been read.
class plan_reader {
public:
    explicit plan_reader(std::string_view text) : text_(text) {}

    plan read()
    {
        plan p;
        bool versioned = false, staged = false;
        object([&](std::string_view key) {
            if (key == "alphabar_plan") {
                std::size_t const start = at_;
                if (number() != 1.0)
                    fail("this version of a plan is not known; 1 is", start);
                versioned = true;
            } else if (key == "initial_scale") {
                p.initial_scale = number();
            } else if (key == "heads") {
                p.heads = integer(255);
            } else if (key == "stages") {
                array([&] { p.stages.push_back(read_stage()); });
                staged = true;
            } else {
                return false;
            }
            return true;
        });
        space();
        if (at_ != text_.size())
            fail("something stands after the plan", at_);
        if (!versioned)
            fail("\"alphabar_plan\" is missing", at_);
        if (!staged)
            fail("\"stages\" is missing", at_);
        return p;
    }

private:
    [[noreturn]] void fail(std::string const& what, std::size_t position) const
    {
        std::size_t line = 1, column = 1;
        for (std::size_t k = 0; k < position && k < text_.size(); ++k)
            if (text_[k] == '\n')
                ++line, column = 1;
            else
                ++column;
        throw plan_format_error(what, position, line, column);
    }

    void space()
    {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool accept(char c)
    {
        space();
        if (at_ == text_.size() || text_[at_] != c)
            return false;
        ++at_;
        return true;
    }
    void expect(char c)
    {
        if (!accept(c))
            fail(std::string("'") + c + "' is expected", at_);
    }

    /// A string without escapes: no name in a plan has one.
    std::string_view string()
    {
        expect('"');
        std::size_t const begin = at_;
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] == '\\' || static_cast<unsigned char>(text_[at_]) < 0x20)
                fail("a name of a plan has no such character", at_);
            ++at_;
        }
        if (at_ == text_.size())
            fail("the text ends within a name", at_);
        return text_.substr(begin, at_++ - begin);
    }

    double number()
    {
        space();
        double value = 0;
        char const* const begin = text_.data() + at_;
        char const* const end = text_.data() + text_.size();
        auto const [stop, error] = std::from_chars(begin, end, value);
        bool const digit_first = begin != end && (*begin == '-' || (*begin >= '0' && *begin <= '9'));
        if (!digit_first || error == std::errc::invalid_argument || !std::isfinite(value))
            fail("a number is expected", at_);
        if (error == std::errc::result_out_of_range)
            fail("the number does not fit a double", at_);
        at_ += static_cast<std::size_t>(stop - begin);
        return value;
    }

    std::uint32_t integer(std::uint32_t largest)
    {
        space();
        std::size_t const start = at_;
        double const value = number();
        if (!(value >= 0 && value <= largest) || value != std::floor(value))
            fail("it must be a whole number in [0, " + std::to_string(largest) + "]", start);
        return static_cast<std::uint32_t>(value);
    }

    bool boolean()
    {
        space();
        for (std::string_view const word : {"true", "false"})
            if (text_.substr(at_, word.size()) == word) {
                at_ += word.size();
                return word == "true";
            }
        fail("true or false is expected", at_);
    }

    template <class F>
    void array(F const& element)
    {
        expect('[');
        if (accept(']'))
            return;
        do
            element();
        while (accept(','));
        expect(']');
    }

    /// field(name) reads the value and returns true, or returns false for a name that it does not know.
    template <class F>
    void object(F const& field)
    {
        std::vector<std::string_view> seen;
        expect('{');
        if (accept('}'))
            return;
        do {
            space();
            std::size_t const start = at_;
            std::string_view const key = string();
            for (std::string_view const other : seen)
                if (other == key)
                    fail("\"" + std::string(key) + "\" stands twice", start);
            if (seen.size() >= 1024)
                fail("an object of a plan has at most 1024 fields", start);
            seen.push_back(key);
            expect(':');
            if (!field(key))
                fail("\"" + std::string(key) + "\" is not known here", start);
        } while (accept(','));
        expect('}');
    }

    static bool read_slot(std::string_view name, slot& s)
    {
        if (name == "x" || name == "y" || name == "z" || name == "d" || name == "F") {
            s = name == "x"   ? slots::x
                : name == "y" ? slots::y
                : name == "z" ? slots::z
                : name == "d" ? slots::d
                              : slots::F();
            return true;
        }
        if (name.size() < 2 || (name[0] != 'F' && name[0] != 'm'))
            return false;
        std::uint8_t index = 0;
        auto const [stop, error] = std::from_chars(name.data() + 1, name.data() + name.size(), index);
        bool const canonical = name[1] != '0' || (name.size() == 2 && name[0] == 'm');
        s = name[0] == 'F' ? slots::F(index) : slots::m(index);
        return error == std::errc() && stop == name.data() + name.size() && canonical;
    }

    row read_row()
    {
        row r;
        object([&](std::string_view key) {
            slot s{};
            if (!read_slot(key, s))
                return false;
            r += number() * s;
            return true;
        });
        return r;
    }

    std::pair<double, double> read_pair()
    {
        expect('[');
        double const a = number();
        expect(',');
        double const b = number();
        expect(']');
        return {a, b};
    }

    template <std::size_t N>
    std::size_t one_of(std::string_view const (&names)[N])
    {
        space();
        std::size_t const start = at_;
        std::string_view const name = string();
        for (std::size_t k = 0; k < N; ++k)
            if (names[k] == name)
                return k;
        fail("\"" + std::string(name) + "\" is not known here", start);
    }

    stage read_stage()
    {
        stage s;
        bool has_x = false;
        std::size_t const start = at_;
        object([&](std::string_view key) {
            if (key == "time") {
                s.time = number();
            } else if (key == "x") {
                s.x = read_row();
                has_x = true;
            } else if (key == "y") {
                s.y = read_row();
            } else if (key == "masked") {
                s.masked = read_row();
            } else if (key == "memory" || key == "recall" || key == "churn") {
                auto const [a, b] = read_pair();
                if (key == "churn")
                    s.churn = stage::churn_map{a, b};
                else
                    (key == "memory" ? s.memory : s.recall) = {a, b};
            } else if (key == "input_scale") {
                s.input_scale = number();
            } else if (key == "operation") {
                object([&](std::string_view field) {
                    if (field == "what")
                        s.operation.what =
                            static_cast<x0_operation::kind>(one_of({"none", "clip", "dynamic_threshold"}));
                    else if (field == "bound" || field == "quantile" || field == "max")
                        (field == "bound" ? s.operation.bound
                         : field == "max" ? s.operation.max
                                          : s.operation.quantile) = number();
                    else
                        return false;
                    return true;
                });
            } else if (key == "spread") {
                s.spread = noise_spread{};
                object([&](std::string_view field) {
                    if (field == "what")
                        s.spread->what = static_cast<noise_spread::kind>(one_of({"range", "variance", "log_variance"}));
                    else if (field == "log_min" || field == "log_max")
                        (field == "log_min" ? s.spread->log_min : s.spread->log_max) = number();
                    else
                        return false;
                    return true;
                });
            } else if (key == "langevin") {
                s.langevin = langevin_step{};
                object([&](std::string_view field) {
                    if (field == "snr")
                        s.langevin->snr = number();
                    else if (field == "over_batch")
                        s.langevin->over_batch = boolean();
                    else
                        return false;
                    return true;
                });
            } else if (key == "calls") {
                s.calls = boolean();
            } else if (key == "ends_step") {
                s.ends_step = boolean();
            } else if (key == "churn_noise") {
                s.churn_noise = integer(std::numeric_limits<std::uint32_t>::max());
            } else if (key == "noise") {
                s.noise = integer(std::numeric_limits<std::uint32_t>::max());
            } else {
                return false;
            }
            return true;
        });
        if (!has_x)
            fail("a stage has no row \"x\"", start);
        return s;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

} // namespace detail

/// The plan that write_plan wrote. Fields may stand in any order; fields that are left out have their defaults.
///
/// Throws plan_format_error, with the place, for anything else. Whether a plan can be run is `lower`'s question.
inline plan read_plan(std::string_view text) { return detail::plan_reader(text).read(); }

} // namespace alphabar
