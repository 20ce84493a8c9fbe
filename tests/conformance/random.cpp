// SPDX-License-Identifier: MIT
//
// Kind `random`: the words of counter-based generators.
#include "support.hpp"

#include <alphabar/core/philox.hpp>

#include <array>
#include <cstdint>
#include <cstdio>

namespace conformance {
namespace {

template <std::size_t N>
std::array<std::uint32_t, N> words(json const& list)
{
    std::array<std::uint32_t, N> result{};
    for (std::size_t i = 0; i < N; ++i)
        result[i] = static_cast<std::uint32_t>(std::stoul(list.at(i).get<std::string>(), nullptr, 16));
    return result;
}

/// The rounds are a template argument: the numbers of rounds that the cases know.
std::array<std::uint32_t, 4> block(int rounds, std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key)
{
    switch (rounds) {
    case 7: return alphabar::philox4x32<7>(counter, key);
    case 10: return alphabar::philox4x32<10>(counter, key);
    default: throw unsupported("philox4x32 of " + std::to_string(rounds) + " rounds");
    }
}

} // namespace

void replay_random(verdict& v)
{
    json const& g = v.given();
    std::string const generator = at(g, "generator").get<std::string>();
    std::array<std::uint32_t, 4> counter{};
    std::array<std::uint32_t, 2> key{};
    std::vector<std::size_t> wanted; // places in the stream of words
    if (generator == "philox4x32") {
        counter = words<4>(at(g, "counter"));
        key = words<2>(at(g, "key"));
        for (std::size_t i = 0; i < value<std::size_t>(g, "blocks", 1) * 4; ++i)
            wanted.push_back(i);
    } else if (generator == "std::philox4x32" &&
               g.contains("seed")) { // the C++ engine: blocks of the counters 0, 1, ...
        std::string const seed = g["seed"].get<std::string>();
        key[0] = seed == "default" ? 20111115u : static_cast<std::uint32_t>(std::stoull(seed));
        wanted = at(g, "index").get<std::vector<std::size_t>>();
    } else {
        throw unsupported("the generator " + generator);
    }
    std::vector<std::string> got;
    for (std::size_t i = 0, place = 0; place < wanted.size(); ++i) {
        auto const output = block(value(g, "rounds", 10), counter, key);
        for (; place < wanted.size() && wanted[place] / 4 == i; ++place) {
            char text[9];
            std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(output[wanted[place] % 4]));
            got.emplace_back(text);
        }
        for (std::uint32_t& digit : counter) // one little-endian number
            if (++digit != 0)
                break;
    }
    v.compare_words("words", got);
}

} // namespace conformance
