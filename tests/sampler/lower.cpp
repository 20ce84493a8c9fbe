// SPDX-License-Identifier: MIT
#include <alphabar/sampler/lower.hpp>

#include <doctest/doctest.h>

#include <support/reference_sampler.hpp>

#include <limits>
#include <set>
#include <stdexcept>

namespace ab = alphabar;
using namespace ab::slots;
using kind = ab::operand::kind;

namespace {

ab::plan repeated(ab::stage const& s, std::size_t n) { return {std::vector<ab::stage>(n, s)}; }

/// The arrays that a pass reads.
std::set<int> arrays_read(ab::lowered_pass const& p)
{
    std::set<int> arrays;
    for (std::size_t r = 0; r < p.rows_written; ++r)
        for (std::size_t t = 0; t < p.rows[r].terms; ++t)
            if (p.rows[r].from[t].what == kind::array)
                arrays.insert(p.rows[r].from[t].index);
    return arrays;
}

} // namespace

TEST_CASE("a first-order plan needs no array beside x, and its memory is folded into one row")
{
    ab::stage s;
    s.memory = {2.0, 3.0};
    s.x = 0.5 * x + 0.25 * m();
    ab::lowered_plan const l = lower(repeated(s, 10));
    CHECK(l.registers() == 1);
    for (std::size_t i = 0; i < 10; ++i) {
        ab::lowered_pass const& p = l.pass(i, 0);
        CHECK(p.rows_written == 1);
        REQUIRE(p.rows[0].terms == 2);
        CHECK(p.rows[0].from[0] == ab::operand{kind::array, 0});
        CHECK(p.rows[0].coefficient[0] == 0.5 + 0.25 * 2.0);
        CHECK(p.rows[0].from[1] == ab::operand{kind::output, 0});
        CHECK(p.rows[0].coefficient[1] == 0.25 * 3.0);
        CHECK_FALSE(l.lift(i, 0).runs);
    }
}

TEST_CASE("two steps of history cost one array, three cost two, in place")
{
    for (std::size_t const depth : {std::size_t{1}, std::size_t{2}}) {
        std::vector<ab::stage> stages;
        for (std::size_t i = 0; i < 8; ++i) {
            ab::stage s;
            s.memory = {2.0, 3.0};
            s.x = 0.5 * x + 0.25 * m();
            for (std::size_t k = 1; k <= std::min(i, depth); ++k)
                s.x += 0.125 * m(k);
            stages.push_back(s);
        }
        ab::lowered_plan const l = ab::lower(ab::plan{stages});
        CHECK(l.registers() == 1 + depth);
        CHECK(l.pass(4, 0).rows_written == 2);
        CHECK(l.pass(7, 0).rows_written == 1); // the last memory is never read
        CHECK(l.pass(7, 0).rows[0].target == 0);
    }
}

TEST_CASE("an anchor that is x is a name")
{
    ab::stage predictor, corrector;
    predictor.x = 1.0 * x + 0.5 * m();
    predictor.y = ab::row(x);
    corrector.x = 1.0 * y + 0.25 * m(1) + 0.25 * m();
    ab::lowered_plan const l = ab::lower(ab::plan{{predictor, corrector}});
    CHECK(l.registers() == 3); // x', the old x, the derivative: Heun
    CHECK(l.pass(0, 0).rows_written == 2);
    CHECK(l.pass(1, 0).rows[0].target == 0);
}

TEST_CASE("a scaled input is written by the pass before, and its array is used again")
{
    ab::stage s;
    s.input_scale = 0.5;
    s.x = 1.0 * x + 0.5 * F();
    ab::lowered_plan const l = ab::lower(repeated(s, 5));
    CHECK(l.registers() == 2);
    CHECK(l.lift(0, 0).runs);
    for (std::size_t i = 1; i < 5; ++i)
        CHECK_FALSE(l.lift(i, 0).runs);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(l.pass(i, 0).writes_input);
        CHECK(l.pass(i, 0).input == l.input(i + 1));
    }
    CHECK_FALSE(l.pass(4, 0).writes_input);
}

TEST_CASE("no target of a pass is a value that a later stage still reads")
{
    for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
        ab::plan const p = support::random_plan(seed, seed);
        ab::lowered_plan const l = ab::lower(p);
        REQUIRE(l.registers() <= 12);
        for (std::size_t i = 0; i < l.stages(); ++i) {
            std::set<int> targets;
            ab::lowered_pass const& pass = l.pass(i, 0);
            for (std::size_t r = 0; r < pass.rows_written; ++r)
                REQUIRE(targets.insert(pass.rows[r].target).second);
            if (pass.writes_input)
                REQUIRE(targets.insert(pass.input).second);
            for (int a : arrays_read(pass))
                REQUIRE((l.live(i, true) >> a & 1) == 1);
        }
        REQUIRE(l.state(0) == 0);
        REQUIRE(l.state(l.stages()) == 0);
    }
}

TEST_CASE("noise whose coefficient is 0 is not made; the other draws keep their index")
{
    ab::stage first, second;
    first.x = 1.0 * x + 0.0 * z;
    second.calls = false;
    second.x = 1.0 * x + 1.0 * z;
    ab::lowered_plan const l = ab::lower(ab::plan{{first, second}});
    CHECK_FALSE(l.pass(0, 0).draws);
    CHECK(l.pass(1, 0).draws);
    CHECK(l.pass(1, 0).noise == ab::noise_index(1, 1));
}

TEST_CASE("plan_from keeps the noise of the whole plan")
{
    ab::stage s;
    s.x = 1.0 * x + 0.5 * F() + 1.0 * z;
    ab::plan const tail = ab::plan_from(repeated(s, 4), 2);
    REQUIRE(tail.stages.size() == 2);
    CHECK(tail.stages[0].noise == ab::noise_index(3, 0));
    CHECK_THROWS_AS(ab::plan_from(repeated(s, 4), 4), std::invalid_argument);
    ab::plan anchored;
    anchored.stages = {{.x = 0.5 * ab::slots::x, .y = ab::row(ab::slots::x)}, {.x = ab::row(ab::slots::y)}};
    CHECK(ab::plan_from(anchored, 0).stages.size() == 2);
    CHECK_THROWS_WITH_AS(ab::plan_from(anchored, 1), doctest::Contains("begin where a step begins"),
                         std::invalid_argument);
}

TEST_CASE("equal plans have equal fingerprints, others do not")
{
    ab::stage s;
    s.x = 1.0 * x + 0.5 * F();
    ab::plan a = repeated(s, 3), b = a;
    CHECK(ab::lower(a).fingerprint() == ab::lower(b).fingerprint());
    b.stages[1].x = 1.0 * x + std::nextafter(0.5, 1.0) * F();
    CHECK(ab::lower(a).fingerprint() != ab::lower(b).fingerprint());
    b = a;
    b.stages[2].time = 1;
    CHECK(ab::lower(a).fingerprint() != ab::lower(b).fingerprint());
}

TEST_CASE("what cannot be run is an error")
{
    ab::stage s;
    s.x = 1.0 * x + 0.5 * F();
    auto const fails = [](ab::plan const& p, char const* words) {
        CHECK_THROWS_WITH_AS(ab::lower(p), doctest::Contains(words), std::invalid_argument);
    };
    fails({}, "the plan is empty; it must have a stage");
    auto const with = [&](auto change) {
        ab::plan p{{s}};
        change(p.stages[0]);
        return p;
    };
    double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
    fails(with([&](ab::stage& t) { t.x = nan * x; }), "a coefficient in row x of stage 0 is NaN; it must be finite");
    fails(with([&](ab::stage& t) { t.time = infinite; }), "the time of stage 0 is inf");
    fails(with([&](ab::stage& t) { t.input_scale = nan; }), "input_scale of stage 0 is NaN");
    fails(with([&](ab::stage& t) { t.churn = ab::stage::churn_map{1, nan}; }), "churn.add of stage 0 is NaN");
    fails(with([&](ab::stage& t) { t.x = 1.0 * m(1); }),
          "row x of stage 0 is a reader of m(1); that memory has not been made yet");
    fails(with([&](ab::stage& t) { t.x = 1.0 * F(1); }), "the plan has fewer heads");
    fails(with([&](ab::stage& t) { t.calls = false; }), "a stage without a call has no F");
    fails(with([&](ab::stage& t) { t.spread = ab::noise_spread{}; }), "it needs a call with two heads");
    fails(with([&](ab::stage& t) { t.operation = {ab::x0_operation::kind::clip, 0.0}; }),
          "operation.bound of stage 0 is 0; it must be positive");
    fails(with([&](ab::stage& t) { t.operation = {ab::x0_operation::kind::dynamic_threshold, 1.0, 1.5}; }),
          "operation.quantile");
    fails(with([&](ab::stage& t) { t.operation = {ab::x0_operation::kind::dynamic_threshold, 2.0, 0.5, 1.0}; }),
          "operation.max");
    ab::plan none{{s}};
    none.heads = 0;
    fails(none, "heads is 0; it must lie in [1, 15]");

    ab::stage idle;
    idle.calls = false;
    idle.x = ab::row(x);
    std::vector<ab::plan> const different{ab::plan{{s, s}}, ab::plan{{s, idle}}};
    CHECK_THROWS_WITH_AS(ab::lower(different), doctest::Contains("plans that run together call in the same stages"),
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::lower(std::vector<ab::plan>{}), std::invalid_argument);
}
