// SPDX-License-Identifier: MIT
#include <alphabar/sampler/unipc.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace {

using vec = std::vector<double>;

vec solve(std::vector<vec> A, vec b)
{
    for (std::size_t c = 0; c < b.size(); ++c)
        for (std::size_t r = 0; r < b.size(); ++r)
            if (r != c) {
                double const f = A[r][c] / A[c][c];
                for (std::size_t k = 0; k < b.size(); ++k)
                    A[r][k] -= f * A[c][k];
                b[r] -= f * b[c];
            }
    for (std::size_t r = 0; r < b.size(); ++r)
        b[r] /= A[r][r];
    return b;
}

// One step as the paper's algorithms 5 to 8 and its repository write it: the coefficients of x,
// then of m at the new level (corrector only), at the step's start and at earlier ones.
vec published(grid const& g, std::size_t i, unsigned order, bool corrects, bool bh2, bool x_0)
{
    auto const lambda = [&](std::size_t k) { return std::log(g.levels[k].alpha / g.levels[k].sigma); };
    auto const [alpha, sigma] = g.levels[i + 1];
    double const h = lambda(i + 1) - lambda(i), hh = x_0 ? -h : h, B = bh2 ? std::expm1(hh) : hh;
    vec r;
    for (std::size_t k = 1; k < order; ++k)
        r.push_back((lambda(i - k) - lambda(i)) / h);
    r.push_back(1.0);
    std::vector<vec> R;
    vec b;
    double h_phi = std::expm1(hh) / hh - 1, factorial = 1;
    for (unsigned k = 1; k <= order; ++k) {
        R.emplace_back();
        for (double v : r)
            R.back().push_back(std::pow(v, k - 1));
        b.push_back(h_phi * factorial / B);
        factorial *= k + 1;
        h_phi = h_phi / hh - 1 / factorial;
    }
    vec rho;
    if (corrects) {
        rho = order == 1 ? vec{0.5} : solve(R, b);
    } else if (order == 2) {
        rho = {0.5};
    } else if (order > 2) {
        std::vector<vec> inner(R.begin(), R.end() - 1);
        for (vec& line : inner)
            line.pop_back();
        rho = solve(inner, vec(b.begin(), b.end() - 1));
    }
    // x' = a x - c (e^hh - 1) m0 - c B (sum_k rho_k (m_k - m0) / r_k + rho_last (m_new - m0))
    double const a = x_0 ? sigma / g.levels[i].sigma : alpha / g.levels[i].alpha, c = x_0 ? alpha : sigma;
    vec row{a, 0.0, -c * std::expm1(hh)};
    for (std::size_t k = 0; k + 1 < order; ++k) {
        row.push_back(-c * B * rho[k] / r[k]);
        row[2] -= row.back();
    }
    if (corrects)
        row[1] = -c * B * rho.back(), row[2] -= row[1];
    return row;
}

} // namespace

TEST_CASE("predictor and corrector are the published linear systems with B(h)")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 9, true);
    for (unsigned order : {1u, 2u, 3u})
        for (bool bh2 : {false, true})
            for (bool x_0 : {false, true}) {
                memory_form const form = x_0 ? memory_form::x_0 : memory_form::epsilon;
                unipc_options o{.order = order,
                                .form = form,
                                .variant = bh2 ? unipc_variant::bh2 : unipc_variant::bh1,
                                .lower_order_final = false,
                                .split = true};
                plan const p = unipc(g, o);
                for (std::size_t i = 4; i < 8; ++i) { // stage 2 i - 1 corrects step i - 1, stage 2 i predicts step i
                    vec const predicted = published(g, i, order, false, bh2, x_0),
                              corrected = published(g, i - 1, order, true, bh2, x_0);
                    row const& ahead = p.stages[2 * i].x;
                    row const& back = p.stages[2 * i - 1].x;
                    CHECK(ahead[x] == Approx(predicted[0]).epsilon(1e-13));
                    CHECK(back[y] == Approx(1.0));
                    CHECK(p.stages[2 * i].y->operator[](x) ==
                          Approx(published(g, i, order, true, bh2, x_0)[0]).epsilon(1e-13));
                    for (std::size_t j = 0; j < order; ++j)
                        CHECK(ahead[m(j)] == Approx(predicted[j + 2]).epsilon(1e-10));
                    for (std::size_t j = 0; j <= order; ++j)
                        CHECK(back[m(j)] == Approx(corrected[j + 1]).epsilon(1e-10));
                }
            }
}

TEST_CASE("the shipped vary_coeff corrector: NumPy's inverse of its matrix, one step")
{
    // step lambda -0.5 -> 0.3 on the variance-preserving path, nodes 0.8, 0, -0.9, -1.5
    transition const step = make_transition(support::level_at(path_kind::variance_preserving, -0.5),
                                            support::level_at(path_kind::variance_preserving, 0.3), memory_form::x_0);
    node_values const w = vary_shipped_weights(step, std::vector<double>{0.8, 0.0, -0.9, -1.5}, {});
    vec const want{0.022598896351294962, 0.5309664653070281, -0.17528390945843175, 0.06419782163075706};
    for (std::size_t j = 0; j < 4; ++j)
        CHECK(w[j] == Approx(want[j]).epsilon(1e-12));
    node_values const two = vary_shipped_weights(step, std::vector<double>{0.8, 0.0}, {});
    CHECK(two[0] == Approx(0.2504283224436296));
    CHECK(vary_shipped_weights(step, std::vector<double>{0.0}, {}) == integral(step, std::vector<double>{0.0}));
}

TEST_CASE("as users write it, and the ends")
{
    auto const diffusion = support::table();
    plan const p = unipc(diffusion, karras_grid(20), {.order = 3});
    CHECK(p.stages.size() == 20);
    CHECK(!p.stages.front().x.reads(y));
    CHECK(p.stages.back().x == row(m(0)));
    CHECK(unipc(diffusion, karras_grid(20), {.lower_order_final = false}).stages.back().x == row(m(0)));
    CHECK(unipc(diffusion, trailing_grid(1)).stages.size() == 1);
    plan const some = unipc(diffusion, karras_grid(6), {.disable_corrector = {0, 2}});
    CHECK(!some.stages[0].y);
    CHECK(some.stages[1].y);
    CHECK(!some.stages[2].y);
    // from alpha = 0: the first step is x_0, corrected by x_0 of the second call
    plan const flow = unipc(rectified_flow{}, trailing_grid(5));
    CHECK(flow.stages[0].x[m(0)] == Approx(0.2));
    CHECK(flow.stages[1].x[y] > 0.0);
    CHECK_THROWS_AS(unipc(diffusion, karras_grid(20), {.order = 8}), std::invalid_argument);
    CHECK_THROWS_AS(unipc(diffusion, karras_grid(20), {.order = 0}), std::invalid_argument);
}
