// SPDX-License-Identifier: MIT
// Kind `random`: NumPy and Python's module `random`.
#include "random.hpp"

#include <alphabar/noise/numpy.hpp>
#include <alphabar/noise/python.hpp>

#include <algorithm>

namespace conformance {
namespace {

namespace numpy = alphabar::numpy;
using words = std::vector<std::uint32_t>;

/// A decimal number of any size as 32-bit words, the lowest first.
words words_of(std::string const& decimal)
{
    words number{0};
    for (char digit : decimal) {
        std::uint64_t carry = static_cast<std::uint64_t>(digit - '0');
        for (std::uint32_t& word : number) {
            carry += std::uint64_t{word} * 10;
            word = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0)
            number.push_back(static_cast<std::uint32_t>(carry));
    }
    return number;
}

template <std::size_t N>
std::array<std::uint64_t, N> words_64(std::string const& decimal)
{
    words halves = words_of(decimal);
    halves.resize(2 * N);
    std::array<std::uint64_t, N> number;
    for (std::size_t i = 0; i < N; ++i)
        number[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
    return number;
}

/// A list of words "[1, 2]" or one number.
numpy::seed_sequence sequence_of(json const& seed)
{
    if (seed.is_array()) {
        words list;
        for (json const& word : seed)
            list.push_back(word.is_string() ? static_cast<std::uint32_t>(std::stoul(word.get<std::string>()))
                                            : word.get<std::uint32_t>());
        return numpy::seed_sequence(list);
    }
    std::string const text = seed.get<std::string>();
    return text.starts_with("[") ? sequence_of(json::parse(text)) : numpy::seed_sequence(words_of(text));
}

template <class T, class F>
array drawn(std::size_t n, F const& f)
{
    std::vector<T> out(n);
    f(std::span<T>(out));
    return array(out.begin(), out.end());
}

template <class Word>
std::vector<std::string> shown(std::span<Word const> list)
{
    std::vector<std::string> text;
    for (Word word : list)
        text.push_back(hexadecimal(word, sizeof(Word) * 8));
    return text;
}
template <class Word, class F>
std::vector<std::string> shown(std::size_t n, F const& draw)
{
    std::vector<Word> list(n);
    std::ranges::generate(list, draw);
    return shown(std::span<Word const>(list));
}

std::string function_of(json const& call) { return at(call, "function").get<std::string>(); }
std::size_t count_of(json const& call) { return at(call, "n").get<std::size_t>(); }
std::string name_of(std::size_t k) { return "call_" + std::to_string(k); }

/// For each call, f(k, call).
template <class F>
void for_calls(verdict& v, F const& f)
{
    json const& calls = at(v.given(), "calls");
    for (std::size_t k = 0; k < calls.size(); ++k)
        f(k, calls[k]);
}

template <class Engine>
void replay_generator(verdict& v, Engine const& engine)
{
    numpy::generator<Engine> g(engine);
    for_calls(v, [&](std::size_t k, json const& call) {
        std::string const function = function_of(call), dtype = value<std::string>(call, "dtype", "");
        if constexpr (requires { engine.key(); }) {
            if (function == "counter")
                return v.compare_words(name_of(k), shown(std::span<std::uint64_t const>(engine.counter())));
            if (function == "key")
                return v.compare_words(name_of(k), shown(std::span<std::uint64_t const>(engine.key())));
        }
        std::size_t const n = count_of(call);
        if (function == "words") {
            if constexpr (requires { g.word_32(); }) {
                if (v.expect()[name_of(k)].at(0).template get<std::string>().size() == 8)
                    return v.compare_words(name_of(k), shown<std::uint32_t>(n, [&] { return g.word_32(); }));
            }
            v.compare_words(name_of(k), shown<std::uint64_t>(n, [&] { return g.word_64(); }));
        } else if (function == "random" && dtype == "float32") {
            compare_call(v, k, drawn<float>(n, [&](auto out) { g.random(out); }));
        } else if (function == "random" && dtype == "float64") {
            compare_call(v, k, drawn<double>(n, [&](auto out) { g.random(out); }));
        } else if (function == "standard_normal" && dtype == "float32") {
            compare_call(v, k, drawn<float>(n, [&](auto out) { g.standard_normal(out); }));
        } else if (function == "standard_normal" && dtype == "float64") {
            compare_call(v, k, drawn<double>(n, [&](auto out) { g.standard_normal(out); }));
        } else if (function == "integers") {
            auto const low = at(call, "low").get<std::int64_t>(), high = at(call, "high").get<std::int64_t>();
            compare_call(v, k, drawn<std::int64_t>(n, [&](auto out) { g.integers(out, low, high); }));
        } else {
            throw unsupported("the function " + function);
        }
    });
}

void replay_state(verdict& v)
{
    numpy::random_state g(static_cast<std::uint32_t>(seed_of(v.given())));
    for_calls(v, [&](std::size_t k, json const& call) {
        std::string const function = function_of(call);
        std::size_t const n = count_of(call);
        if (function == "words") {
            v.compare_words(name_of(k), shown<std::uint32_t>(n, [&] { return g.word(); }));
        } else if (function == "randn") {
            compare_call(v, k, drawn<double>(n, [&](auto out) { g.randn(out); }));
        } else if (function == "random_sample") {
            compare_call(v, k, drawn<double>(n, [&](auto out) { g.random_sample(out); }));
        } else if (function == "randint") {
            auto const low = at(call, "low").get<std::int64_t>(), high = at(call, "high").get<std::int64_t>();
            compare_call(v, k, drawn<std::int64_t>(n, [&](auto out) { g.randint(out, low, high); }));
        } else {
            throw unsupported("the function " + function);
        }
    });
}

void replay_sequence(verdict& v)
{
    numpy::seed_sequence const sequence = sequence_of(at(v.given(), "seed"));
    for_calls(v, [&](std::size_t k, json const& call) {
        std::string const function = function_of(call);
        auto const child = value<std::uint32_t>(call, "child", 0);
        numpy::seed_sequence const from = function == "spawn_generate_state" ? sequence.child(child) : sequence;
        std::size_t const n = count_of(call);
        if (at(call, "bits").get<int>() == 32)
            return v.compare_words(name_of(k), shown(std::span<std::uint32_t const>(from.generate_state(n))));
        if (n != 4)
            throw unsupported("a state of " + std::to_string(n) + " words of 64 bits");
        v.compare_words(name_of(k), shown(std::span<std::uint64_t const>(from.words_64<4>())));
    });
}

void replay_python(verdict& v)
{
    alphabar::python_random g(seed_of(v.given()));
    for_calls(v, [&](std::size_t k, json const& call) {
        std::string const function = function_of(call);
        std::size_t const n = count_of(call);
        if (function == "getrandbits") {
            int const bits = at(call, "bits").get<int>();
            v.compare_words(name_of(k), shown<std::uint32_t>(n, [&] { return g.getrandbits(bits); }));
        } else if (function == "random") {
            compare_call(v, k,
                         drawn<double>(n, [&](auto out) { std::ranges::generate(out, [&] { return g.random(); }); }));
        } else if (function == "gauss") {
            compare_call(v, k, drawn<double>(n, [&](auto out) { g.randn(out); }));
        } else {
            throw unsupported("the function " + function);
        }
    });
}

} // namespace

void replay_random_numpy(verdict& v, std::string const& generator)
{
    json const& g = v.given();
    if (generator == "python.random")
        replay_python(v);
    else if (generator == "numpy.RandomState")
        replay_state(v);
    else if (generator == "numpy.SeedSequence")
        replay_sequence(v);
    else if (generator == "numpy.Philox" && g.contains("key") && !g["key"].is_null())
        replay_generator(v, numpy::philox(words_64<2>(g["key"].get<std::string>()),
                                          words_64<4>(value<std::string>(g, "counter", "0"))));
    else if (generator == "numpy.Philox")
        replay_generator(v, numpy::philox(sequence_of(at(g, "seed"))));
    else if (generator == "numpy.PCG64")
        replay_generator(v, numpy::pcg64(sequence_of(at(g, "seed"))));
    else if (generator == "numpy.PCG64DXSM")
        replay_generator(v, numpy::pcg64_dxsm(sequence_of(at(g, "seed"))));
    else if (generator == "numpy.SFC64")
        replay_generator(v, numpy::sfc64(sequence_of(at(g, "seed"))));
    else if (generator == "numpy.MT19937")
        replay_generator(v, numpy::mt19937(sequence_of(at(g, "seed"))));
    else
        throw unsupported("the generator " + generator);
}

} // namespace conformance
