// SPDX-License-Identifier: MIT
#include "measures.hpp"

#include <alphabar/noise/stream.hpp>

#include <Eigen/Dense>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace mnist {

namespace {

using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using rows = Eigen::Map<matrix const>;

rows rows_of(std::span<float const> elements, std::size_t length)
{
    return {elements.data(), static_cast<Eigen::Index>(elements.size() / length), static_cast<Eigen::Index>(length)};
}
rows features_of(std::span<float const> elements) { return rows_of(elements, principal_components::count); }

/// Calls visit(i, distances) for each row i of `from`: the squared distances to every row of `to`.
template <class Visit>
void each_distances(rows const& from, rows const& to, Visit const& visit)
{
    constexpr Eigen::Index block = 128;
    Eigen::RowVectorXf const norms = to.rowwise().squaredNorm().transpose();
    for (Eigen::Index first = 0; first < from.rows(); first += block) {
        auto const some = from.middleRows(first, std::min(block, from.rows() - first));
        matrix distances = -2 * some * to.transpose();
        distances.rowwise() += norms;
        distances.colwise() += some.rowwise().squaredNorm();
        for (Eigen::Index i = 0; i < some.rows(); ++i)
            visit(first + i, distances.row(i));
    }
}

} // namespace

principal_components::principal_components(std::span<float const> images) : mean_(pixels), vectors_(count * pixels)
{
    rows const x = rows_of(images, pixels);
    auto const n = static_cast<float>(x.rows());
    Eigen::RowVectorXf const mean = x.cast<double>().colwise().mean().cast<float>();
    matrix const centred = x.rowwise() - mean;
    Eigen::MatrixXd const covariance = (centred.transpose() * centred / n).cast<double>();
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> const solver(covariance); // eigenvalues ascend
    std::ranges::copy(mean, mean_.begin());
    Eigen::Map<matrix>(vectors_.data(), count, pixels) =
        solver.eigenvectors().rightCols(count).rowwise().reverse().transpose().cast<float>();
}

features principal_components::project(std::span<float const> images) const
{
    matrix const centred = rows_of(images, pixels).cwiseMax(-1.0f).cwiseMin(1.0f).rowwise() -
                           Eigen::Map<Eigen::RowVectorXf const>(mean_.data(), pixels);
    features out(images.size() / pixels * count);
    Eigen::Map<matrix>(out.data(), centred.rows(), count).noalias() = centred * rows_of(vectors_, pixels).transpose();
    return out;
}

double nearest_neighbour_accuracy(std::span<float const> samples, std::span<float const> real)
{
    std::size_t const n = samples.size() / principal_components::count;
    std::vector<float> both(samples.begin(), samples.end());
    both.insert(both.end(), real.begin(), real.end());
    std::size_t alike = 0;
    each_distances(features_of(both), features_of(both), [&](Eigen::Index i, auto const& row) {
        Eigen::RowVectorXf distances = row;
        distances[i] = std::numeric_limits<float>::infinity();
        Eigen::Index nearest = 0;
        distances.minCoeff(&nearest);
        alike += (i < static_cast<Eigen::Index>(n)) == (nearest < static_cast<Eigen::Index>(n)) ? 1 : 0;
    });
    return static_cast<double>(alike) / static_cast<double>(2 * n);
}

double vote_share(std::span<float const> samples, std::span<std::uint8_t const> asked, std::span<float const> training,
                  std::span<std::uint8_t const> labels)
{
    std::size_t right = 0;
    std::vector<std::uint32_t> order(labels.size());
    each_distances(features_of(samples), features_of(training), [&](Eigen::Index i, auto const& distances) {
        for (std::uint32_t k = 0; k < order.size(); ++k)
            order[k] = k;
        auto const nearer = [&](std::uint32_t a, std::uint32_t b) { return distances[a] < distances[b]; };
        std::ranges::nth_element(order, order.begin() + 4, nearer);
        std::array<int, classes> votes{};
        for (std::size_t k = 0; k < 5; ++k)
            ++votes[labels[order[k]]];
        right += std::ranges::max_element(votes) - votes.begin() == asked[static_cast<std::size_t>(i)] ? 1 : 0;
    });
    return static_cast<double>(right) / static_cast<double>(asked.size());
}

double sliced_wasserstein(std::span<float const> samples, std::span<float const> real)
{
    constexpr std::size_t directions = 256;
    auto const noise = alphabar::noise_stream{.seed = 0}(alphabar::purpose::user, 0);
    Eigen::MatrixXf random(principal_components::count, directions);
    for (std::size_t d = 0; d < directions; ++d)
        noise.fill(d, 0, std::span(random.data() + d * principal_components::count, principal_components::count));
    random.colwise().normalize();

    Eigen::MatrixXf a = features_of(samples) * random, b = features_of(real) * random;
    double sum = 0;
    for (Eigen::Index d = 0; d < static_cast<Eigen::Index>(directions); ++d) {
        std::sort(a.col(d).begin(), a.col(d).end());
        std::sort(b.col(d).begin(), b.col(d).end());
        sum += std::sqrt((a.col(d) - b.col(d)).cast<double>().squaredNorm() / static_cast<double>(a.rows()));
    }
    return sum / directions;
}

} // namespace mnist
