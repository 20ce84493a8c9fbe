// SPDX-License-Identifier: MIT
#include <alphabar/sampler/plan.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using namespace ab::slots;

TEST_CASE("a row is written as mathematics")
{
    ab::row const r = 0.5 * m(1) + 2.0 * x + 0.25 * F();
    CHECK(r.terms().size() == 3);
    CHECK(r[x] == 2.0);
    CHECK(r[F()] == 0.25);
    CHECK(r[m(1)] == 0.5);
    CHECK(r[z] == 0.0);
    CHECK(r.reads(m(1)));
    CHECK_FALSE(r.reads(m(0)));
    CHECK(r == 2.0 * x + 0.25 * F() + 0.5 * m(1));
    CHECK(2.0 * r == 4.0 * x + 0.5 * F() + 1.0 * m(1));
    CHECK((r + 1.0 * x)[x] == 3.0);
}

TEST_CASE("terms stand in the order of their slots, a slot once")
{
    ab::row const r(std::vector<ab::term>{{z, 1.0}, {x, 2.0}, {F(1), 3.0}, {F(), 4.0}, {x, 5.0}});
    REQUIRE(r.terms().size() == 4);
    CHECK(r.terms()[0] == ab::term{x, 7.0});
    CHECK(r.terms()[1] == ab::term{F(), 4.0});
    CHECK(r.terms()[2] == ab::term{F(1), 3.0});
    CHECK(r.terms()[3] == ab::term{z, 1.0});
}

TEST_CASE("a coefficient of 0 stays until it is pruned")
{
    ab::row const r = 0.0 * x + 1.0 * z;
    CHECK(r.reads(x));
    CHECK_FALSE(r.pruned().reads(x));
    CHECK(ab::row{}.empty());
}

TEST_CASE("a draw's index counts the calls before it and the draws since the last one")
{
    // Draws: churn before the first call, after it, in a stage without a call, before the second call, after it.
    ab::stage first, idle, second;
    first.churn = ab::stage::churn_map{1, 0.5};
    first.x = 1.0 * x + 1.0 * z;
    idle.calls = false;
    idle.x = 1.0 * x + 1.0 * z;
    second.churn = ab::stage::churn_map{1, 0.5};
    second.x = ab::row(x);
    second.y = 1.0 * x + 1.0 * z;
    ab::plan p{{first, idle, second}};
    number_draws(p);
    CHECK(p.stages[0].churn_noise == ab::noise_index(0, 0));
    CHECK(p.stages[0].noise == ab::noise_index(1, 0));
    CHECK(p.stages[1].noise == ab::noise_index(1, 1));
    CHECK(p.stages[2].churn_noise == ab::noise_index(1, 2));
    CHECK(p.stages[2].noise == ab::noise_index(2, 0));
    CHECK(p.stages[1].churn_noise == ab::stage::automatic);

    ab::plan again = p;
    number_draws(again);
    CHECK(again == p);
    again.stages[1].noise = 3;
    number_draws(again);
    CHECK(again.stages[1].noise == 3);
    CHECK(again != p);
}

TEST_CASE("a churn that adds nothing draws nothing")
{
    ab::stage s;
    s.churn = ab::stage::churn_map{0.5, 0.0};
    s.x = 1.0 * x + 1.0 * z;
    ab::plan p{{s}};
    number_draws(p);
    CHECK(p.stages[0].churn_noise == ab::stage::automatic);
    CHECK(p.stages[0].noise == 64);
}

TEST_CASE("more than 64 draws without a call: every index is there once")
{
    ab::stage jump{.x = 0.9 * x + 0.1 * z, .calls = false}, call;
    call.x = 1.0 * x + 1.0 * z;
    ab::plan p{std::vector<ab::stage>(200, jump)};
    p.stages.push_back(call);
    p.stages.push_back(jump);
    number_draws(p);
    CHECK(p.stages[63].noise == 63);
    CHECK(p.stages[64].noise == 64);
    CHECK(p.stages[199].noise == 199);
    CHECK(p.stages[200].noise == ab::noise_index(3 + 1, 0));
    CHECK(p.stages[201].noise == ab::noise_index(3 + 1, 1));
}
