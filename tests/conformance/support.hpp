// SPDX-License-Identifier: MIT
// What every kind of conformance case needs: the verdict, the comparison rules and the deterministic stand-ins of the
// format (README.md in this folder).
#pragma once

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace conformance {

using json = nlohmann::json;
using array = std::vector<double>;
using extents = std::vector<std::size_t>;

/// The case asks for something that the library does not have.
struct unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The case is not one of the format: a field is missing or of the wrong kind.
struct malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A number of the format: a JSON number, or "inf", "-inf", "nan", or a decimal string.
double number(json const&);
array numbers(json const&);

/// The field of an object; malformed where it is missing.
json const& at(json const& object, char const* name);
template <class T>
T value(json const& object, char const* name, T otherwise)
{
    auto const field = object.find(name);
    return field == object.end() || field->is_null() ? otherwise : field->template get<T>();
}

/// The entry of this name; where there is none, `what` and the name are what is not supported.
template <class T>
T const& entry(std::map<std::string, T> const& table, std::string const& name, std::string const& what)
{
    auto const found = table.find(name);
    if (found == table.end())
        throw unsupported(what + name);
    return found->second;
}

/// Collects the errors of one case. Every name under `expect` must be compared, or the case fails.
class verdict {
public:
    explicit verdict(json const& row);

    json const& given() const { return *given_; }
    json const& expect() const { return *expect_; }
    bool expects(std::string const& name) const { return expect_->contains(name); }

    /// max|got - want| / max|want|; for each sample where the case says so. In units in the last place where the case
    /// counts in them.
    void compare(std::string const& name, std::span<double const> got);
    /// The same for one array under expect[name], a map by index ("samples": {"0": [...]}).
    void compare(std::string const& name, std::string const& index, std::span<double const> got);
    /// Where an entry of the wanted list is null it is not compared.
    void compare_times(std::string const& name, std::span<double const> got);
    /// Hexadecimal words.
    void compare_words(std::string const& name, std::span<std::string const> got);
    /// The case expects that the arguments are refused.
    void refused();
    /// A name that needs no comparison.
    void skip(std::string const& name) { compared_.insert(name); }
    /// An error, measured elsewhere, for the table kind.
    void add(std::string const& name, double error);

    double error() const { return worst_; }
    double tolerance() const { return tolerance_; }
    bool in_ulps() const { return in_ulps_; }
    /// The first name under `expect` that was not compared; empty where all were.
    std::string left_out() const;
    bool passed() const { return left_out().empty() && worst_ <= tolerance_; }
    /// The name of the array with the largest error.
    std::string const& worst_name() const { return worst_name_; }

private:
    void add_arrays(std::string const& name, std::span<double const> got, array const& want);

    json const *given_, *expect_;
    double tolerance_;
    bool in_ulps_, per_sample_;
    std::size_t samples_;
    double worst_ = 0;
    std::string worst_name_;
    std::set<std::string> compared_;
    std::map<std::string, std::set<std::string>> indices_;
};

/// |got - want| in units of the last place of the double nearest to `want`; what is exactly 0 or infinite must be met.
double ulps(double got, std::string const& want);

// ---- stand-ins --------------------------------------------------------------------------------------------

extents shape_of(json const& given);
std::size_t size_of(extents const&);

array initial(std::size_t n, double scale);
array data(std::size_t n);
/// s = model evaluations made so far, j = draws made since the last one.
array noise(std::size_t n, std::size_t s, std::size_t j);

/// A deterministic network: output = model(x, times). `times` holds one time, or one for each of the leading elements
/// (they divide the size of x evenly). Two-headed models put the heads one after the other here, not along the
/// channels.
using model = std::function<array(std::span<double const> x, std::span<double const> times)>;
model model_named(std::string const& name);

// ---- kinds: each replays one case -------------------------------------------------------------------------

void replay_trajectory(verdict&);
void replay_grid(verdict&);
void replay_forward(verdict&);
void replay_flow_forward(verdict&);
void replay_sampler(verdict&);
void replay_sigmas(verdict&);
void replay_table(verdict&);
void replay_gaussian(verdict&);
void replay_loss(verdict&);
void replay_random(verdict&);
void replay_function(verdict&);
void replay_guidance(verdict&);
void replay_parameters(verdict&);

} // namespace conformance
