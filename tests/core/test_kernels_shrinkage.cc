/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Soft thresholds, with and without selection.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

TEST_P(kernels_test, soft_threshold_against_its_definition)
{
    for (size_t n : { 1,  2,  3,  4,  5,  6,  7,  8,   9,    15,   16,
                      17, 31, 32, 33, 63, 64, 65, 100, 2048, 10001 }) {
        for (const float threshold : { 0.0f, 0.3f, 2.0f, 1e6f }) {
            for (size_t offset = 0; offset < 4; offset++) {
                const float momentum = offset % 2 ? 0.6f : 0;
                const auto h = normal_vector(n + offset, n), g = normal_vector(n + 3, 5),
                           before = normal_vector(n + 1, 6);
                std::vector<float> out(n + 1, 7.0f);
                k.soft_threshold_step(h.data() + offset,
                                      before.data(),
                                      momentum,
                                      g.data(),
                                      0.7f,
                                      threshold,
                                      out.data(),
                                      n);
                for (size_t i = 0; i < n; i++) {
                    const double now = h[i + offset],
                                 y = now + double(momentum) * (now - before[i]),
                                 u = y - double(0.7f) * g[i];
                    const double soft =
                        std::copysign(std::max(std::abs(u) - double(threshold), 0.0), u);
                    ASSERT_NEAR(out[i],
                                soft,
                                2e-7 * (std::abs(now) + std::abs(before[i]) +
                                        std::abs(y) + std::abs(u)));
                }
                ASSERT_EQ(out[n], 7.0f);
                // In place of either.
                std::vector<float> same(h.begin() + offset, h.end());
                k.soft_threshold_step(same.data(),
                                      before.data(),
                                      momentum,
                                      g.data(),
                                      0.7f,
                                      threshold,
                                      same.data(),
                                      n);
                std::vector<float> other(before);
                k.soft_threshold_step(h.data() + offset,
                                      other.data(),
                                      momentum,
                                      g.data(),
                                      0.7f,
                                      threshold,
                                      other.data(),
                                      n);
                for (size_t i = 0; i < n; i++) {
                    ASSERT_EQ(same[i], out[i]);
                    ASSERT_EQ(other[i], out[i]);
                }
            }
        }
    }
}

TEST_P(kernels_test, soft_threshold_edges)
{
    // One value alone, and whole registers of it.
    for (const size_t n : { 1, 16 }) {
        const std::vector<float> g(n, 0.0f);
        const auto soft = [&](float value, float threshold) {
            const std::vector<float> y(n, value);
            std::vector<float> out(n);
            k.soft_threshold_step(
                y.data(), y.data(), 0, g.data(), 1, threshold, out.data(), n);
            for (const float x : out)
                EXPECT_TRUE(x == out[0] || std::isnan(out[0]));
            return out[0];
        };
        EXPECT_EQ(soft(1, 1), 0.0f); // exactly at the threshold
        EXPECT_EQ(soft(-1, 1), 0.0f);
        EXPECT_TRUE(std::isnan(soft(nan, 1)));
        EXPECT_FALSE(std::isfinite(soft(infinity, 1)));
        EXPECT_FALSE(std::isfinite(soft(-infinity, 1)));
        EXPECT_EQ(soft(3e38f, 1), 3e38f);
        EXPECT_EQ(soft(-3e38f, 1), -3e38f);
        EXPECT_GT(soft(1.0000001f, 1), 0.0f);
        // A threshold of zero is the plain gradient step.
        for (const float value : { 1.0f, -1.0f, 3e38f, -3e38f, 1.0000001f })
            EXPECT_EQ(soft(value, 0), value);
        EXPECT_TRUE(std::isnan(soft(nan, 0)));
    }
}

TEST_P(kernels_test, soft_threshold_of_nothing)
{
    const std::vector<float> x(64, 1.0f);
    std::vector<float> y(64, 3.0f);
    k.soft_threshold_step(x.data(), x.data(), 1, x.data(), 1, 1, y.data(), 0);
    EXPECT_EQ(y, std::vector<float>(64, 3.0f));
}

// Magnitude as a number for which a NaN is the largest.
double order(float x)
{
    return std::isnan(x) ? 1e301 : std::isinf(x) ? 1e300 : std::abs(double(x));
}

// soft() and selection by their definitions: a stable sort.
std::vector<float> soft_top(std::vector<float> x, float threshold, size_t keep)
{
    for (float& u : x)
        if (!std::isnan(u))
            u = std::copysign(std::max(std::abs(double(u)) - double(threshold), 0.0),
                              double(u));
    std::vector<size_t> index(x.size());
    for (size_t i = 0; i < x.size(); i++)
        index[i] = i;
    std::stable_sort(index.begin(), index.end(), [&](size_t a, size_t b) {
        return order(x[a]) > order(x[b]);
    });
    for (size_t i = keep; keep && i < x.size(); i++)
        x[index[i]] = 0;
    return x;
}

TEST_P(kernels_test, soft_threshold_with_selection)
{
    random_engine engine = make_engine(9, 0);
    for (const size_t cols : { 1, 5, 15, 16, 17, 33, 64, 250, 256, 301 })
        for (const float threshold : { 0.0f, 0.25f, 1.0f, 100.0f })
            for (const size_t keep : { 0, 1, 2, 7, 51, 200, 300, 301 }) {
                const size_t rows = 5, stride = cols + cols % 3;
                std::vector<float> x(rows * stride + 1, 7.0f);
                for (size_t r = 0; r < rows; r++) {
                    float* row = &x[r * stride];
                    const auto normal = normal_vector(cols, engine());
                    for (size_t i = 0; i < cols; i++) {
                        // Gaussian; few values, so that many are equal; of all sizes;
                        // one value; and zeros but for one.
                        const float whole = int(engine() % 9) - 4;
                        const float values[] = { normal[i],
                                                 0.5f * whole,
                                                 std::ldexp(normal[i],
                                                            int(engine() % 250) - 125),
                                                 engine() % 2 ? 1.5f : -1.5f,
                                                 i == cols / 2 ? 3.0f : 0.0f };
                        row[i] = values[r];
                    }
                }
                const auto before = x;
                k.soft_threshold_top(x.data(), stride, rows, cols, threshold, keep);
                for (size_t r = 0; r < rows; r++) {
                    const auto expected =
                        soft_top({ &before[r * stride], &before[r * stride] + cols },
                                 threshold,
                                 keep);
                    for (size_t i = 0; i < cols; i++)
                        ASSERT_EQ(x[r * stride + i], expected[i])
                            << cols << " columns, threshold " << threshold << ", keep "
                            << keep << ", row " << r << ", " << i;
                    for (size_t i = r * stride + cols; i < (r + 1) * stride; i++)
                        ASSERT_EQ(x[i], 7.0f);
                }
                ASSERT_EQ(x.back(), 7.0f);
            }
}

TEST_P(kernels_test, selection_among_huge_values_nan_and_infinities)
{
    const uint32_t all_ones = 0x7fffffff;
    float last_nan;
    std::memcpy(&last_nan, &all_ones, 4);
    const float kinds[] = { nan,    last_nan, infinity, -infinity, 3.4e38f, -3.4e38f,
                            1e-45f, -1e-40f,  0.0f,     -0.0f,     1.0f,    -2.0f };
    random_engine engine = make_engine(10, 0);
    for (int trial = 0; trial < 3000; trial++) {
        const size_t cols = 1 + engine() % 70, keep = 1 + engine() % 70;
        const size_t variety = 1 + engine() % 12;
        std::vector<float> x(cols);
        for (float& value : x)
            value = kinds[(trial + engine() % variety) % 12];
        const auto before = x;
        k.soft_threshold_top(x.data(), cols, 1, cols, 0, keep);
        // Of each magnitude, as many as there is room for.
        size_t kept = 0, room = 0;
        for (const float value : x)
            kept += value != 0;
        for (const float value : before)
            room += value != 0;
        ASSERT_EQ(kept, std::min(room, keep));
        double least = 1e302, discarded = 0;
        for (size_t i = 0; i < cols; i++) {
            if (x[i] != 0) {
                // Bit by bit what it was, but a NaN may get another payload.
                ASSERT_TRUE(x[i] == before[i] ||
                            (std::isnan(x[i]) && std::isnan(before[i])));
                least = std::min(least, order(x[i]));
            } else {
                discarded = std::max(discarded, order(before[i]));
            }
        }
        ASSERT_TRUE(kept == 0 || least >= discarded);
    }
}

TEST_P(kernels_test, thresholds_of_each_element)
{
    for (const size_t n : { 1, 7, 64, 100 }) {
        auto u = normal_vector(n, 1), p = normal_vector(n, 2);
        if (n == 100) {
            u[3] = nan;
            u[4] = infinity;
            u[5] = -infinity;
            u[6] = 3e38f;
        }
        std::vector<float> out(n + 1, 7.0f);
        k.soft_threshold_each(u.data(), p.data(), 0.5f, out.data(), n);
        for (size_t i = 0; i < n; i++) {
            const double t = std::max(0.5 * p[i], 0.0);
            if (std::isnan(u[i]))
                ASSERT_TRUE(std::isnan(out[i]));
            else if (std::isinf(u[i]))
                ASSERT_EQ(out[i], u[i]);
            else
                ASSERT_NEAR(out[i],
                            std::copysign(std::max(std::abs(u[i]) - t, 0.0), u[i]),
                            1e-6 * std::max(1.0f, std::abs(u[i])));
        }
        ASSERT_EQ(out[n], 7.0f);
    }
}

} // namespace
