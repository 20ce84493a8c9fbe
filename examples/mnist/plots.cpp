// SPDX-License-Identifier: MIT
#include "plots.hpp"

#include "canvas.hpp"
#include "progress.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mnist {

void plot_samples(std::filesystem::path const& path, std::span<float const> images, std::size_t columns)
{
    constexpr std::size_t scale = 2, space = 4, cell = side * scale + space;
    std::size_t const count = images.size() / pixels, rows = (count + columns - 1) / columns;
    canvas picture(columns * cell + space, rows * cell + space, gap);
    for (std::size_t i = 0; i < count; ++i)
        picture.image(static_cast<double>(space + i % columns * cell), static_cast<double>(space + i / columns * cell),
                      images.subspan(i * pixels, pixels), side, scale);
    picture.write(path);
}

namespace {

/// 1, 2, 5, 10, 20, ...: the first such number of at least `least`.
double round_number(double least)
{
    double const power = std::pow(10.0, std::floor(std::log10(least)));
    for (double const factor : {1.0, 2.0, 5.0, 10.0})
        if (factor * power >= least * (1 - 1e-9))
            return factor * power;
    return 10 * power;
}

/// The mean of the steps around each step: of about 1 % of all.
std::vector<double> running_mean(std::span<double const> values)
{
    std::size_t const n = values.size(), reach = std::max<std::size_t>(1, n / 150);
    std::vector<double> sums(n + 1), means(n);
    std::partial_sum(values.begin(), values.end(), sums.begin() + 1);
    for (std::size_t i = 0; i < n; ++i) {
        std::size_t const around = std::min({reach, i, n - 1 - i}); // narrower at both ends, so that it lags nowhere
        means[i] = (sums[i + around + 1] - sums[i - around]) / static_cast<double>(2 * around + 1);
    }
    return means;
}

} // namespace

void plot_loss(std::filesystem::path const& path, std::span<double const> loss, std::size_t batch,
               std::string const& title)
{
    constexpr double left = 76, top = 56, width = 760, height = 380, right = left + width, bottom = top + height;
    canvas picture(868, 512, white);
    std::vector<double> kept;
    std::ranges::copy_if(loss, std::back_inserter(kept), [](double l) { return std::isfinite(l) && l > 0; });
    if (kept.empty())
        kept = {1.0};
    std::vector<double> const mean = running_mean(kept);

    double const low = 0.85 * *std::ranges::min_element(mean), high = 1.15 * *std::ranges::max_element(mean);
    double const images = static_cast<double>(kept.size() * batch);
    auto const x_at = [&](double seen) { return left + width * seen / images; };
    auto const y_at = [&](double l) {
        return bottom - height * std::clamp(std::log(l / low) / std::log(high / low), 0.0, 1.0);
    };
    auto const seen_at = [&](std::size_t step) { return static_cast<double>((step + 1) * batch); };

    picture.text(left, 20, title, 2, ink);
    double last_label = bottom + 100; // labels keep their distance
    for (double power = 1e-4; power < 1e4; power *= 10)
        for (double const factor : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
            double const tick = factor * power;
            if (tick < low || tick > high || last_label - y_at(tick) < 26)
                continue;
            picture.line(left, y_at(tick), right, y_at(tick), 1, pale);
            picture.text_to(left - 8, y_at(tick) - 7, formatted("%g", tick), 2, grey);
            last_label = y_at(tick);
        }
    double const step = round_number(images / 7);
    for (int i = 0; i * step <= images * 1.0001; ++i) {
        double const x = x_at(i * step);
        picture.line(x, top, x, bottom, 1, pale);
        std::string const label = i * step >= 1000 ? formatted("%gk", i * step / 1000) : formatted("%g", i * step);
        picture.text(x - text_width(label, 2) / 2, bottom + 10, label, 2, grey);
    }
    picture.text(left, bottom + 40, "digits seen in training", 2, ink);
    picture.text_to(right, bottom + 40, formatted("loss at the end: %.4f", mean.back()), 2, blue);

    // Each step: one stroke a column of pixels, from the smallest to the largest loss there.
    double last = kept.front();
    for (std::size_t column = 0, i = 0; i < kept.size(); ++column) {
        double smallest = last, largest = last;
        for (; i < kept.size() && x_at(seen_at(i)) <= left + static_cast<double>(column) + 1; ++i) {
            last = kept[i];
            smallest = std::min(smallest, last), largest = std::max(largest, last);
        }
        double const x = left + static_cast<double>(column);
        picture.line(x, y_at(largest), x, y_at(smallest), 1, light_blue);
    }
    std::size_t const stride = std::max<std::size_t>(1, mean.size() / 380);
    for (std::size_t i = stride; i < mean.size(); i += stride)
        picture.line(x_at(seen_at(i - stride)), y_at(mean[i - stride]), x_at(seen_at(i)), y_at(mean[i]), 2.5, blue);
    picture.line(left, top, left, bottom, 1.5, ink);
    picture.line(left, bottom, right, bottom, 1.5, ink);
    picture.write(path);
}

void plot_samplers(std::filesystem::path const& path, std::vector<sampler_row> const& rows, std::string const& title)
{
    constexpr std::size_t scale = 2, cell = side * scale + 4, label = 306, head = 50;
    std::size_t const count = rows.front().images.size() / pixels;
    canvas picture(label + count * cell + 12, head + rows.size() * (cell + 10) + 6, night);
    picture.text(14, 16, title, 2, white);

    double slowest = 0, farthest = 0;
    for (sampler_row const& row : rows) {
        slowest = std::max(slowest, row.seconds);
        farthest = std::max(farthest, row.distance.value_or(0));
    }
    constexpr color slow{92, 142, 214}, far{230, 150, 80}, quiet{120, 128, 140};
    for (std::size_t r = 0; r < rows.size(); ++r) {
        sampler_row const& row = rows[r];
        auto const y = static_cast<double>(head + r * (cell + 10));
        picture.text(14, y, row.title, 2, white);
        picture.text(14, y + 20, row.calls, 1, quiet);
        // Two bars on one scale each: seconds, and the distance to the fine solution.
        double const bar = 130;
        picture.fill(14, y + 36, std::max(1.0, bar * row.seconds / slowest), 6, slow);
        picture.text(14 + bar + 10, y + 35, formatted("%.3f s", row.seconds), 1, slow);
        if (row.distance) {
            picture.fill(14, y + 48, std::max(1.0, bar * *row.distance / std::max(farthest, 1e-12)), 6, far);
            picture.text(14 + bar + 10, y + 47, formatted("%.3f from the fine solution", *row.distance), 1, far);
        }
        for (std::size_t i = 0; i < count; ++i)
            picture.image(static_cast<double>(label + i * cell), y, std::span(row.images).subspan(i * pixels, pixels),
                          side, scale);
    }
    picture.write(path);
}

} // namespace mnist
