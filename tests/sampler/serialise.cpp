// SPDX-License-Identifier: MIT
#include <alphabar/sampler/serialise.hpp>

#include <doctest/doctest.h>

#include <support/reference_sampler.hpp>

#include <nlohmann/json.hpp>

#include <limits>
#include <random>
#include <sstream>

namespace ab = alphabar;
using namespace ab::slots;

TEST_CASE("a plan that is written reads back as the same plan, bit by bit")
{
    for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
        ab::plan p = support::random_plan(seed, seed);
        if (seed % 2 == 0)
            number_draws(p);
        p.initial_scale = 1.0 / seed;
        p.stages[0].ends_step = seed % 3 != 0;
        for (ab::stage& s : p.stages)
            s.x *= 1.0 / 3.0;
        std::string const text = ab::write_plan(p);
        REQUIRE(ab::read_plan(text) == p);
        REQUIRE(ab::write_plan(ab::read_plan(text)) == text);
    }
}

TEST_CASE("the smallest, the largest and a negative zero keep their bits")
{
    using limits = std::numeric_limits<double>;
    for (double value : {limits::denorm_min(), limits::min(), limits::max(), -limits::max(), 0.1, 1e22, -0.0}) {
        ab::stage s;
        s.time = value;
        s.x = ab::row(std::vector<ab::term>{{x, value}});
        ab::plan const back = ab::read_plan(ab::write_plan(ab::plan{{s}}));
        CHECK(back.stages[0].time == value);
        CHECK(std::signbit(back.stages[0].time) == std::signbit(value));
        CHECK(back.stages[0].x[x] == value);
        CHECK(std::signbit(back.stages[0].x[x]) == std::signbit(value));
    }
    ab::stage s;
    s.time = limits::quiet_NaN();
    CHECK_THROWS_AS(ab::write_plan(ab::plan{{s}}), std::invalid_argument);
}

TEST_CASE("what is written is JSON, as another reader sees it")
{
    ab::stage s;
    s.time = 0.1;
    s.x = 0.3 * x - 0.25 * m(2);
    s.churn = ab::stage::churn_map{1, 0.5};
    auto const json = nlohmann::json::parse(ab::write_plan(ab::plan{{s, s}, 14.6}));
    CHECK(json["initial_scale"] == 14.6);
    REQUIRE(json["stages"].size() == 2);
    CHECK(json["stages"][1]["time"] == 0.1);
    CHECK(json["stages"][1]["x"]["m2"] == -0.25);
    CHECK(json["stages"][1]["churn"] == nlohmann::json::array({1.0, 0.5}));
}

TEST_CASE("other orders of fields and other spacing are read")
{
    ab::plan const p = ab::read_plan("{ \"stages\":[{\"x\":{\"F\":2e0,\n\"x\":1},\"time\":3}] ,\"alphabar_plan\":1}");
    REQUIRE(p.stages.size() == 1);
    CHECK(p.stages[0].x == 1.0 * x + 2.0 * F());
    CHECK(p.stages[0].time == 3);
    CHECK(p.heads == 1);
    CHECK(ab::read_plan("{\"alphabar_plan\": 1, \"stages\": []}").stages.empty());
}

TEST_CASE("the error says what is wrong and where")
{
    auto const fails = [](std::string const& text, char const* words, std::size_t line, std::size_t column) {
        try {
            ab::read_plan(text);
            FAIL("read: " << text);
        } catch (ab::plan_format_error const& e) {
            CHECK_MESSAGE(std::string(e.what()).find(words) != std::string::npos, e.what());
            CHECK(e.line() == line);
            CHECK(e.column() == column);
        }
    };
    fails("", "'{' is expected", 1, 1);
    fails("{}", "\"alphabar_plan\" is missing", 1, 3);
    fails("{\"alphabar_plan\": 1}", "\"stages\" is missing", 1, 21);
    fails("{\"alphabar_plan\": 2}", "this version", 1, 18);
    fails("{\"alphabar_plan\": 1, \"stages\": [\n  {\"time\": nan}]}", "a number is expected", 2, 12);
    fails("{\"alphabar_plan\": 1, \"stages\": [\n  {\"time\": 1e999}]}", "does not fit", 2, 12);
    fails("{\"alphabar_plan\": 1, \"stages\": [{\"time\": 1}]}", "no row \"x\"", 1, 33);
    fails("{\"alphabar_plan\": 1, \"stages\": [{\"x\": {\"q\": 1}}]}", "\"q\" is not known", 1, 40);
    fails("{\"alphabar_plan\": 1, \"stages\": [{\"x\": {\"m256\": 1}}]}", "\"m256\" is not known", 1, 40);
    fails("{\"alphabar_plan\": 1, \"stages\": [{\"x\": {\"x\": 1, \"x\": 1}}]}", "stands twice", 1, 48);
    fails("{\"alphabar_plan\": 1, \"heads\": 1.5}", "whole number", 1, 31);
    fails("{\"alphabar_plan\": 1, \"stages\": []} x", "after the plan", 1, 36);
    fails("{\"alphabar", "ends within a name", 1, 11);
}

TEST_CASE("no text crashes the reader")
{
    std::string const whole = ab::write_plan(support::random_plan(12, 12));
    std::mt19937 random(1);
    for (std::size_t length = 0; length + 2 < whole.size(); ++length)
        REQUIRE_THROWS_AS(ab::read_plan(std::string_view(whole).substr(0, length)), ab::plan_format_error);
    std::size_t read = 0;
    for (int trial = 0; trial < 20000; ++trial) {
        std::string text = whole;
        for (std::size_t change = 0, changes = 1 + random() % 3; change < changes; ++change)
            text[random() % text.size()] = "{}[]\":,.-+eE0123456789xyzFmd\\\0\xff"[random() % 31];
        try {
            ab::read_plan(text);
            ++read;
        } catch (ab::plan_format_error const&) {
        }
    }
    CHECK(read < 20000);
    std::string const deep(100000, '[');
    CHECK_THROWS_AS(ab::read_plan(deep), ab::plan_format_error);
    CHECK_THROWS_AS(ab::read_plan("{\"alphabar_plan\": 1, \"stages\": " + deep), ab::plan_format_error);
}

TEST_CASE("a plan prints as a table")
{
    ab::stage s;
    s.time = 999;
    s.memory = {1.25, -0.75};
    s.operation.what = ab::x0_operation::kind::clip;
    s.x = 0.5 * x - 0.25 * m() + 0.125 * z;
    ab::plan p{{s}};
    number_draws(p);
    std::ostringstream out;
    out << p;
    CHECK(out.str() ==
          "plan of 1 stage; x begins as N(0, 1)\n"
          " stage       time\n"
          "     0        999  F(x);  m0 = clip(1.25 x - 0.75 F, 1);  x' = 0.5 x - 0.25 m0 + 0.125 z;  z(64)\n");
    CHECK(to_string(ab::row{}) == "0");
    CHECK(to_string(1.0 * y - 1.0 * F(2)) == "y - F2");
}
