// SPDX-License-Identifier: MIT
#include <alphabar/loss/losses.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <support/reductions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace ab = alphabar;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// What torch 2.13 gives in float64 for shape [2, 7]: the losses of both samples and two elements of the gradient.
struct recorded {
    std::array<double, 2> weights;
    std::array<double, 2> loss;
    double gradient_3;
    double gradient_11;
};

template <class Loss>
void check_recorded(Loss const& loss, recorded const& want, ab::reduction over = ab::reduction::mean)
{
    auto const x = support::stand_in_prediction(14), y = support::stand_in_data(14);
    ab::shape const s{2, 7};
    std::vector<double> gradient(14, not_a_number);
    std::array<double, 2> values{not_a_number, not_a_number}, alone{not_a_number, not_a_number};
    ab::loss_options const options{.weights = want.weights, .over = over};
    ab::sample_losses(loss, ab::view(x, s), ab::view(y, s), values, ab::view(gradient, s), options);
    for (std::size_t r = 0; r < 2; ++r)
        CHECK(std::abs(values[r] - want.loss[r]) <= 1e-13 * std::abs(want.loss[r]));
    CHECK(std::abs(gradient[3] - want.gradient_3) <= 1e-13 * std::abs(want.gradient_3));
    CHECK(std::abs(gradient[11] - want.gradient_11) <= 1e-13 * std::abs(want.gradient_11));

    ab::sample_losses(loss, ab::view(x, s), ab::view(y, s), alone, options);
    CHECK(alone == values);

    // the batch: the mean of the weighted losses, and its gradient is that of the sum over the batch size
    std::vector<double> batch_gradient(14);
    double const batch = ab::batch_loss(loss, ab::view(x, s), ab::view(y, s), ab::view(batch_gradient, s), options);
    double const part = over == ab::reduction::mean ? 0.5 : 1.0;
    CHECK(batch == doctest::Approx(part * (want.weights[0] * values[0] + want.weights[1] * values[1])).epsilon(1e-14));
    CHECK(batch == ab::batch_loss(loss, ab::view(x, s), ab::view(y, s), options));
    CHECK(batch_gradient[11] == doctest::Approx(part * gradient[11]).epsilon(1e-14));
}

} // namespace

// The equations hold before anything runs.
static_assert(ab::mse{}(3.0).value == 9 && ab::mse{}(-3.0).derivative == -6);
static_assert(ab::l1{}(-3.0f).value == 3 && ab::l1{}(-3.0f).derivative == -1 && ab::l1{}(0.0f).derivative == 0);
static_assert(ab::huber{2}(1.0).value == 0.5 && ab::huber{2}(1.0).derivative == 1);
static_assert(ab::huber{2}(-5.0).value == 8 && ab::huber{2}(-5.0).derivative == -2);
static_assert(ab::smooth_l1{2}(1.0).value == 0.25 && ab::smooth_l1{2}(1.0).derivative == 0.5);
static_assert(ab::smooth_l1{2}(-5.0).value == 4 && ab::smooth_l1{2}(-5.0).derivative == -1);
static_assert(ab::smooth_l1{0}(-5.0).value == 5 && ab::smooth_l1{0}(0.0).derivative == 0);

TEST_CASE("losses and gradients are torch's")
{
    check_recorded(ab::mse{},
                   {{0.5, 1.5}, {0.5978724878850963, 0.5959725179252316}, -0.1895039534544946, 0.550538348525618});
    check_recorded(ab::mse{}, {{1, 1}, {4.185107415195674, 4.171807625476622}, -2.653055348362925, 2.5691789597862176},
                   ab::reduction::sum);
    check_recorded(ab::l1{},
                   {{0.5, 1.5}, {0.598716363885629, 0.6081641495003492}, -0.07142857142857142, 0.21428571428571427});
    check_recorded(ab::smooth_l1{1},
                   {{0.5, 1.5}, {0.29000042764636463, 0.2866157934086793}, -0.07142857142857142, 0.21428571428571427});
    check_recorded(ab::smooth_l1{0.1},
                   {{0.5, 1.5}, {0.548716363885629, 0.5609443941177951}, -0.07142857142857142, 0.21428571428571427});
    check_recorded(ab::smooth_l1{0},
                   {{1, 1}, {0.598716363885629, 0.6081641495003492}, -0.14285714285714285, 0.14285714285714285});
    check_recorded(
        ab::pseudo_huber_loss(0.001),
        {{0.5, 1.5}, {0.0011954365773040115, 0.0012143347013575043}, -0.00014285710226526435, 0.0004285712987147473});
    check_recorded(ab::pseudo_huber_loss(0.1),
                   {{1, 1}, {0.1032456456448708, 0.10600459731259936}, -0.028490589166742224, 0.028485248899410984});
    check_recorded(ab::pseudo_huber_loss(1),
                   {{1, 1}, {0.473473264269961, 0.47466862941012217}, -0.22814935639065054, 0.22545477569181432});
    check_recorded(ab::pseudo_smooth_l1_loss(0.001),
                   {{1, 1}, {1.1954365773040116, 1.2143347013575045}, -0.2857142045305287, 0.28571419914316487});
    check_recorded(ab::lcm_huber_loss(),
                   {{0.5, 1.5}, {0.5977182886520058, 0.6071673506787523}, -0.07142855113263218, 0.21428564935737363});
    check_recorded(ab::lcm_huber_loss(0.03),
                   {{0.5, 1.5}, {0.5704305168076129, 0.5808421460321254}, -0.07141031207933546, 0.21422730264469506});
}

TEST_CASE("one root over a sample is torch's")
{
    auto const x = support::stand_in_prediction(14), y = support::stand_in_data(14);
    ab::shape const s{2, 7};
    std::vector<double> gradient(14);
    std::array<double, 2> values{}, alone{};
    std::array<double, 2> const weights{0.5, 1.5};
    ab::sample_losses(ab::sample_pseudo_huber{0.03}, ab::view(x, s), ab::view(y, s), values, ab::view(gradient, s),
                      {.weights = weights});
    CHECK(values[0] == doctest::Approx(2.0159734639519824).epsilon(1e-14));
    CHECK(values[1] == doctest::Approx(2.012720643033849).epsilon(1e-14));
    CHECK(gradient[3] == doctest::Approx(-0.3241800779808636).epsilon(1e-13));
    CHECK(gradient[11] == doctest::Approx(0.9432930667297975).epsilon(1e-13));
    ab::sample_losses(ab::sample_pseudo_huber{0.03}, ab::view(x, s), ab::view(y, s), alone);
    CHECK(alone == values);
    // c = 0 is the norm, and where it is 0 so is its gradient
    ab::sample_losses(ab::sample_pseudo_huber{}, ab::view(x, s), ab::view(x, s), values, ab::view(gradient, s));
    CHECK(values[0] == 0);
    CHECK(gradient == std::vector<double>(14, 0.0));
}

TEST_CASE("derivatives are the slopes of the values")
{
    auto const check = [](auto const& loss) {
        for (double const e : {-3.1, -1.2, -0.4, -0.03, 0.02, 0.7, 1.3, 40.0}) {
            double const h = 1e-6;
            double const slope = (loss(e + h).value - loss(e - h).value) / (2 * h);
            CHECK(loss(e).derivative == doctest::Approx(slope).epsilon(1e-7));
        }
        CHECK(loss(0.0).value == 0);
        CHECK(loss(0.0).derivative == 0);
        CHECK(std::isnan(loss(not_a_number).value));
        CHECK(std::isnan(loss(not_a_number).derivative));
        CHECK(loss(-infinity).value == infinity);
    };
    check(ab::mse{});
    check(ab::l1{});
    check(ab::huber{});
    check(ab::huber{0.1});
    check(ab::smooth_l1{});
    check(ab::smooth_l1{0.1});
    check(ab::smooth_l1{0});
    check(ab::pseudo_huber_loss(0.5));
    check(ab::pseudo_huber{0, 3});
}

TEST_CASE_TEMPLATE("the square root of the loops is std::sqrt to two units in the last place", T, float, double)
{
    double worst = 0;
    for (int i = -200; i <= 200; ++i) {
        T const x = static_cast<T>(std::exp(0.35 * i + 0.001 * (i % 7)) * (sizeof(T) == 4 ? 1.0 : std::exp(1.5 * i)));
        worst = std::max(worst, static_cast<double>(std::abs(ab::detail::square_root(x) / std::sqrt(x) - 1)));
    }
    CHECK(worst <= 2 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    CHECK(ab::detail::square_root(T(0)) == 0);
    CHECK(std::isnan(ab::detail::square_root(std::numeric_limits<T>::quiet_NaN())));
}

TEST_CASE("pseudo-Huber keeps its digits near 0")
{
    // sqrt(e^2 + c^2) - c = c (e/c)^2 / 2 (1 - (e/c)^2 / 4 + ...)
    CHECK(ab::lcm_huber_loss(1)(1e-9).value == doctest::Approx(0.5e-18).epsilon(1e-12));
}

TEST_CASE_TEMPLATE("the target may be a generator, in float and double", T, float, double)
{
    struct made {
        void fill(std::size_t row, std::size_t first, std::span<float> out) const
        {
            for (float& value : out)
                value = static_cast<float>(std::sin(static_cast<double>(100 * row + 3 * first++)));
        }
    };
    ab::shape const s{3, 700};
    std::vector<T> x(2100), z(2100), a(2100), b(2100);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<T>(std::cos(static_cast<double>(i)));
    ab::fill(ab::view(z, s), made{});
    std::array<double, 3> from_tensor{}, from_generator{};
    ab::sample_losses(ab::mse{}, ab::view(x, s), ab::view(z, s), from_tensor, ab::view(a, s));
    ab::sample_losses(ab::mse{}, ab::view(x, s), made{}, from_generator, ab::view(b, s));
    CHECK(from_tensor == from_generator);
    CHECK(a == b);
    ab::thread_team team(3);
    std::vector<T> c(2100);
    auto const c_view = ab::view(c, s);
    ab::sample_losses(ab::mse{}, ab::view(x, s), made{}, from_generator, ab::on_threads(c_view, team));
    CHECK(from_tensor == from_generator);
    CHECK(a == c);
}

TEST_CASE("the gradient may be the prediction itself")
{
    auto x = support::stand_in_prediction(14);
    auto const y = support::stand_in_data(14);
    ab::shape const s{2, 7};
    std::vector<double> apart(14);
    std::array<double, 2> a{}, b{};
    ab::sample_losses(ab::huber{}, ab::view(x, s), ab::view(y, s), a, ab::view(apart, s));
    ab::sample_losses(ab::huber{}, ab::view(x, s), ab::view(y, s), b, ab::view(x, s));
    CHECK(a == b);
    CHECK(x == apart);
}

TEST_CASE("NaN stays in its sample and its element")
{
    std::vector<double> x(600, 1.0), y(600, 0.0), gradient(600);
    x[350] = not_a_number;
    ab::shape const s{2, 300};
    std::array<double, 2> values{};
    ab::sample_losses(ab::smooth_l1{}, ab::view(x, s), ab::view(y, s), values, ab::view(gradient, s));
    CHECK(values[0] == 0.5);
    CHECK(std::isnan(values[1]));
    for (std::size_t i = 0; i < 600; ++i)
        CHECK(std::isnan(gradient[i]) == (i == 350));
}

TEST_CASE("empty batches and samples are fine")
{
    std::vector<double> none;
    CHECK(ab::batch_loss(ab::mse{}, ab::view(none, {0, 3}), ab::view(none, {0, 3}), ab::view(none, {0, 3})) == 0);
    CHECK(ab::batch_loss(ab::mse{}, ab::view(none, {2, 0}), ab::view(none, {2, 0})) == 0);
}

TEST_CASE("bad input throws and nothing is written")
{
    std::vector<double> x(6, 1.0), y(6, 0.5), gradient(6, 7.0);
    std::array<double, 2> values{3, 3};
    std::array<double, 3> three{1, 1, 1};
    ab::shape const s{2, 3};
    auto const run = [&](auto const& loss, std::span<double> out, ab::loss_options const& options = {}) {
        ab::sample_losses(loss, ab::view(x, s), ab::view(y, s), out, ab::view(gradient, s), options);
    };
    CHECK_THROWS_WITH_AS(run(ab::huber{0}, values),
                         "alphabar::sample_losses: huber's delta is 0; it must be positive and finite",
                         std::invalid_argument);
    CHECK_THROWS_AS(run(ab::huber{not_a_number}, values), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::smooth_l1{-1}, values), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::smooth_l1{infinity}, values), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::pseudo_huber_loss(-1), values), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::sample_pseudo_huber{not_a_number}, values), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::mse{}, three), std::invalid_argument);
    CHECK_THROWS_AS(run(ab::mse{}, values, {.weights = three}), std::invalid_argument);
    CHECK_THROWS_AS(ab::sample_losses(ab::mse{}, ab::view(x, s), ab::view(y, {3, 2}), values, ab::view(gradient, s)),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::sample_losses(ab::sample_pseudo_huber{}, ab::view(x, s), ab::view(y, {3, 2}), values,
                                      ab::view(gradient, s)),
                    std::invalid_argument);
    CHECK(gradient == std::vector<double>(6, 7.0));
    CHECK(values == std::array<double, 2>{3, 3});
}
