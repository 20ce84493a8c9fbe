// SPDX-License-Identifier: MIT
// Kind `random`: the words of counter-based engines and of the standard library's own.
#include "random.hpp"

#include <alphabar/noise/counter_engines.hpp>

#include <algorithm>
#include <array>
#include <random>

namespace conformance {
namespace {

template <class Word, std::size_t N>
std::array<Word, N> words(json const& list)
{
    std::array<Word, N> result{};
    for (std::size_t i = 0; i < N; ++i)
        result[i] = static_cast<Word>(std::stoull(list.at(i).get<std::string>(), nullptr, 16));
    return result;
}

/// Which words of a stream a case looks at.
std::vector<std::size_t> wanted(json const& g, std::size_t block)
{
    if (g.contains("index"))
        return g["index"].get<std::vector<std::size_t>>();
    std::vector<std::size_t> places(value<std::size_t>(g, "blocks", 1) * block);
    for (std::size_t i = 0; i < places.size(); ++i)
        places[i] = i;
    return places;
}

/// The words of consecutive counters, which count as one little-endian number.
template <class Word, std::size_t N, class Block>
void compare_blocks(verdict& v, std::array<Word, N> counter, Block const& block)
{
    std::vector<std::size_t> const places = wanted(v.given(), N);
    std::vector<std::string> got;
    for (std::size_t i = 0, place = 0; place < places.size(); ++i) {
        std::array<Word, N> const output = block(counter);
        for (; place < places.size() && places[place] / N == i; ++place)
            got.push_back(hexadecimal(output[places[place] % N], sizeof(Word) * 8));
        for (Word& digit : counter)
            if (++digit != 0)
                break;
    }
    v.compare_words("words", got);
}

template <class Word, std::size_t N, int... Rounds>
void replay_counter(verdict& v, bool is_threefry, std::integer_sequence<int, Rounds...>)
{
    json const& g = v.given();
    auto const counter = words<Word, N>(at(g, "counter"));
    int const rounds = at(g, "rounds").get<int>();
    auto const replay = [&](auto number) {
        constexpr int known = decltype(number)::value;
        if (rounds != known)
            return false;
        if (is_threefry)
            compare_blocks(v, counter, [key = words<Word, N>(at(g, "key"))](auto const& c) {
                return alphabar::threefry<Word, N, known>(c, key);
            });
        else
            compare_blocks(v, counter, [key = words<Word, N / 2>(at(g, "key"))](auto const& c) {
                return alphabar::philox<Word, N, known>(c, key);
            });
        return true;
    };
    if (!(replay(std::integral_constant<int, Rounds>{}) || ...))
        throw unsupported(std::to_string(rounds) + " rounds");
}

/// An engine of <random>, by the words at the case's positions.
template <class Engine>
void replay_standard(verdict& v)
{
    json const& g = v.given();
    Engine engine;
    if (g.contains("seed_seq")) {
        auto const list = g["seed_seq"].get<std::vector<std::uint32_t>>();
        std::seed_seq sequence(list.begin(), list.end());
        engine.seed(sequence);
    } else if (g["seed"] != "default") {
        engine.seed(static_cast<typename Engine::result_type>(seed_of(g)));
    }
    std::size_t const digits = v.expect()["words"].at(0).get<std::string>().size();
    std::vector<std::string> got;
    std::size_t made = 0;
    for (std::size_t place : wanted(g, 1)) {
        engine.discard(place - made);
        got.push_back(hexadecimal(engine(), static_cast<int>(digits * 4)));
        made = place + 1;
    }
    v.compare_words("words", got);
}

void replay_seed_seq(verdict& v)
{
    auto const list = at(v.given(), "seed_seq").get<std::vector<std::uint32_t>>();
    std::seed_seq sequence(list.begin(), list.end());
    std::vector<std::size_t> const places = wanted(v.given(), 1);
    std::vector<std::uint32_t> made(*std::ranges::max_element(places) + 1);
    sequence.generate(made.begin(), made.end());
    std::vector<std::string> got;
    for (std::size_t place : places)
        got.push_back(hexadecimal(made[place], 32));
    v.compare_words("words", got);
}

/// The counter-based engine of C++26: the seed is word 0 of the key, and the counters are 0, 1, ...
template <class Word>
void replay_standard_philox(verdict& v)
{
    std::uint64_t const seed = v.given()["seed"] == "default" ? 20111115 : seed_of(v.given());
    compare_blocks(v, std::array<Word, 4>{}, [key = std::array<Word, 2>{static_cast<Word>(seed)}](auto const& c) {
        return alphabar::philox<Word, 4>(c, key);
    });
}

} // namespace

void replay_random_engine(verdict& v, std::string const& generator)
{
    using replay = void (*)(verdict&);
    static std::map<std::string, replay> const standard{
        {"std::mt19937", replay_standard<std::mt19937>},
        {"std::mt19937_64", replay_standard<std::mt19937_64>},
        {"std::minstd_rand0", replay_standard<std::minstd_rand0>},
        {"std::minstd_rand", replay_standard<std::minstd_rand>},
        {"std::ranlux24", replay_standard<std::ranlux24>},
        {"std::ranlux48", replay_standard<std::ranlux48>},
        {"std::knuth_b", replay_standard<std::knuth_b>},
        {"std::seed_seq", replay_seed_seq},
        {"std::philox4x32", replay_standard_philox<std::uint32_t>},
        {"std::philox4x64", replay_standard_philox<std::uint64_t>},
    };
    if (auto const found = standard.find(generator); found != standard.end())
        return found->second(v);
    bool const is_threefry = generator.starts_with("threefry");
    std::string const width = generator.substr(is_threefry ? 8 : 6);
    std::integer_sequence<int, 7, 10, 13, 20, 32, 72> const rounds;
    if (width == "2x32")
        replay_counter<std::uint32_t, 2>(v, is_threefry, rounds);
    else if (width == "4x32")
        replay_counter<std::uint32_t, 4>(v, is_threefry, rounds);
    else if (width == "2x64")
        replay_counter<std::uint64_t, 2>(v, is_threefry, rounds);
    else if (width == "4x64")
        replay_counter<std::uint64_t, 4>(v, is_threefry, rounds);
    else
        throw unsupported("the generator " + generator);
}

} // namespace conformance
