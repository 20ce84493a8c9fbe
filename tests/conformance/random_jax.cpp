// SPDX-License-Identifier: MIT
// Kind `random`: JAX.
#include "random.hpp"

#include <alphabar/noise/jax.hpp>

namespace conformance {
namespace {

namespace jax = alphabar::jax;

template <class Word>
std::vector<std::string> bits(jax::key const& k, std::size_t n)
{
    std::vector<std::string> words;
    for (std::size_t i = 0; i < n; ++i)
        words.push_back(hexadecimal(jax::bits<Word>(k, i, n), sizeof(Word) * 8));
    return words;
}

std::vector<std::string> words_of(std::vector<jax::key> const& keys)
{
    std::vector<std::string> words;
    for (jax::key const& k : keys)
        for (std::uint32_t word : k.words)
            words.push_back(hexadecimal(word, 32));
    return words;
}

} // namespace

void replay_random_jax(verdict& v)
{
    json const& g = v.given();
    jax::key const k(seed_of(g), at(g, "partitionable").get<bool>());
    std::string const function = at(g, "function").get<std::string>(), dtype = value<std::string>(g, "dtype", "");
    std::size_t const n = g.contains("shape") ? size_of(shape_of(g)) : value<std::size_t>(g, "n", 0);
    if (function == "key")
        return v.compare_words("words", words_of({k}));
    if (function == "split")
        return v.compare_words("words", words_of(jax::split(k, at(g, "num").get<std::size_t>())));
    if (function == "fold_in")
        return v.compare_words("words", words_of({jax::fold_in(k, at(g, "data").get<std::uint32_t>())}));
    if (function == "bits" && dtype == "uint8")
        return v.compare_words("words", bits<std::uint8_t>(k, n));
    if (function == "bits" && dtype == "uint16")
        return v.compare_words("words", bits<std::uint16_t>(k, n));
    if (function == "bits" && dtype == "uint32")
        return v.compare_words("words", bits<std::uint32_t>(k, n));
    if (function == "bits" && dtype == "uint64")
        return v.compare_words("words", bits<std::uint64_t>(k, n));
    if (function == "uniform")
        return v.compare("values", drawn(dtype, n, [&](auto out) { jax::uniform(k, out); }));
    if (function == "normal")
        return v.compare("values", drawn(dtype, n, [&](auto out) { jax::normal(k, out); }));
    if (function == "randint" && dtype == "int32") {
        std::vector<std::int32_t> out(n);
        jax::randint(k, std::span(out), at(g, "low").get<std::int32_t>(), at(g, "high").get<std::int32_t>());
        return v.compare("values", as_doubles(out));
    }
    if (function == "bernoulli") // JAX ran in its 64-bit mode
        return v.compare("values", as_doubles(jax::bernoulli(k, at(g, "p").get<double>(), n)));
    if (function == "permutation")
        return v.compare("values", as_doubles(jax::permutation(k, n)));
    throw unsupported("the function " + function + " " + dtype);
}

} // namespace conformance
