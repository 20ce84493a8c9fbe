// SPDX-License-Identifier: MIT
#include "replay_plan.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/sampler/sample.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace conformance {
namespace {

/// The heads of a network stand along the channels of each sample; the stand-ins give them one after the other.
void interleave(std::span<double const> heads, std::size_t samples, std::size_t size, std::span<double> output)
{
    std::size_t const block = size / samples, count = heads.size() / size;
    for (std::size_t s = 0; s < samples; ++s)
        for (std::size_t h = 0; h < count; ++h)
            std::copy_n(heads.data() + h * size + s * block, block, output.data() + (s * count + h) * block);
}

/// (calls, draws since the last) of the indices in which 64 draws or more without a call have counted as calls.
std::map<std::uint32_t, std::pair<std::size_t, std::size_t>> long_draws(alphabar::plan const& p)
{
    std::map<std::uint32_t, std::pair<std::size_t, std::size_t>> found;
    std::uint32_t calls = 0, counted = 0, draws = 0;
    auto const draw = [&](std::uint32_t index) {
        if (counted + draws / 64 > 0)
            found[index] = {calls, index - 64 * (calls + counted)};
        ++draws;
    };
    for (alphabar::stage const& s : p.stages) {
        if (s.churn && s.churn->add != 0.0)
            draw(s.churn_noise);
        if (s.calls)
            ++calls, counted += draws / 64, draws = 0;
        if (draws_noise(s))
            draw(s.noise);
    }
    return found;
}

} // namespace

recording run(std::vector<alphabar::plan> const& plans, array state, extents const& shape, model const& network,
              noise_source const& draw, known_values known, std::function<void(std::span<double>)> const& constrain)
{
    recording r;
    std::size_t const samples = plans.size() > 1 ? plans.size() : shape.front(), size = state.size();
    extents sizes{samples, 1, size / samples};
    if (plans.size() == 1 && shape.size() > 1)
        sizes = {samples, shape[1], size / samples / shape[1]};
    alphabar::shape const s{std::span<std::size_t const>(sizes)};
    auto const x = alphabar::view(state, s);
    std::vector<alphabar::stage> const& stages = plans.front().stages;
    bool new_step = true;
    auto const call = [&](auto const& input, std::span<double const> times, auto& output) {
        std::span<double const> const in(input.data, size);
        array const at = plans.size() > 1 ? array(times.begin(), times.end()) : array{times.front()};
        if (new_step)
            r.first_call.push_back(r.inputs.size());
        new_step = false;
        r.inputs.emplace_back(in.begin(), in.end());
        r.times.push_back(at);
        array const heads = network(in, at);
        interleave(heads, samples, size, std::span(output.data, output.shape.size()));
    };
    auto const after = [&](std::size_t stage, auto const& now) {
        if (constrain)
            constrain(std::span(now.data, size));
        if (!stages[stage].ends_step)
            return;
        r.steps.emplace_back(now.data, now.data + size);
        new_step = true;
    };
    auto const numbered = long_draws(plans.front());
    auto const noise = [&](std::uint32_t index) {
        auto const place = numbered.find(index);
        array values =
            place == numbered.end() ? draw(index / 64, index % 64) : draw(place->second.first, place->second.second);
        noise_tensor z{std::move(values), s};
        return z;
    };
    if (known.mask.empty())
        alphabar::sample(plans, x, noise, call, after);
    else
        alphabar::sample(plans, x, noise, call,
                         alphabar::known(alphabar::view(known.data, s), alphabar::view(known.mask, s)), after);
    r.final = state;
    return r;
}

void compare(verdict& v, recording const& r, std::string const& times_name)
{
    if (v.expects("samples"))
        for (std::size_t k = 0; k < r.steps.size(); ++k)
            v.compare("samples", std::to_string(k), r.steps[k]);
    if (v.expects("final"))
        v.compare("final", r.final);
    if (v.expects("inputs"))
        for (std::size_t k = 0; k < r.inputs.size(); ++k)
            v.compare("inputs", std::to_string(k), r.inputs[k]);
    if (v.expects("step_inputs"))
        for (std::size_t k = 0; k < r.first_call.size(); ++k)
            v.compare("step_inputs", std::to_string(k), r.inputs[r.first_call[k]]);
    if (!v.expects(times_name))
        return;
    array times;
    for (array const& call : r.times) {
        bool const equal = std::ranges::all_of(call, [&](double t) { return t == call.front(); });
        times.insert(times.end(), call.begin(), call.begin() + static_cast<std::ptrdiff_t>(equal ? 1 : call.size()));
    }
    v.compare_times(times_name, times);
}

} // namespace conformance
