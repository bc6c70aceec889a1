/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Distances, selection and small systems of equations.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>

namespace {

// A block of samples, value i of sample e at i * weights_block + e.
std::vector<float> block_of(size_t values, uint64_t seed)
{
    return normal_vector(values * weights_block, seed);
}

TEST_P(kernels_test, squared_distances)
{
    for (const size_t rows : { 1, 5, 12, 13, 29 })
        for (const size_t depth : { 1, 7, 32, 33, 96 }) {
            const size_t stride = depth + 3;
            auto a = normal_vector(rows * stride, rows);
            const auto x = block_of(depth, depth);
            // The last row is the first sample.
            for (size_t d = 0; d < depth; d++)
                a[(rows - 1) * stride + d] = x[d * weights_block];
            std::vector<float> out(rows * weights_block + 1, 7.0f);
            k.squared_distances(a.data(), stride, rows, x.data(), depth, out.data());
            ASSERT_EQ(out.back(), 7.0f);
            for (size_t r = 0; r < rows; r++)
                for (size_t e = 0; e < weights_block; e++) {
                    double sum = 0;
                    for (size_t d = 0; d < depth; d++)
                        sum += std::pow(
                            double(a[r * stride + d]) - x[d * weights_block + e], 2);
                    ASSERT_NEAR(out[r * weights_block + e], sum, 2e-6 * sum)
                        << rows << " x " << depth << " row " << r << " sample " << e;
                }
            ASSERT_EQ(out[(rows - 1) * weights_block], 0.0f);
        }
}

TEST_P(kernels_test, select_smallest)
{
    for (const size_t rows : { 1, 2, 17, 64, 400 })
        for (const size_t most : { 1, 2, 50, 400 }) {
            const size_t n = std::min(rows, most);
            std::vector<float> values = block_of(rows, rows + n);
            for (size_t i = 0; i < values.size(); i++) {
                values[i] *= values[i];
                // Few different values in some samples, and one alone.
                if (i % weights_block % 3 == 1)
                    values[i] = std::floor(4 * values[i]);
                if (i % weights_block == 5)
                    values[i] = 0;
                if (i % weights_block == 6 && i % 5 == 0)
                    values[i] = infinity;
            }
            std::vector<int32_t> index(n * weights_block + 1, -7),
                order(n * weights_block);
            std::vector<float> chosen(n * weights_block + 1, -7.0f),
                scratch(n * weights_block);
            k.select_smallest(values.data(),
                              rows,
                              n,
                              index.data(),
                              chosen.data(),
                              scratch.data(),
                              order.data());
            ASSERT_EQ(index.back(), -7);
            ASSERT_EQ(chosen.back(), -7.0f);
            for (size_t e = 0; e < weights_block; e++) {
                std::vector<int32_t> expected(rows);
                for (size_t r = 0; r < rows; r++)
                    expected[r] = r;
                std::stable_sort(
                    expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
                        return values[a * weights_block + e] <
                               values[b * weights_block + e];
                    });
                for (size_t i = 0; i < n; i++) {
                    ASSERT_EQ(index[i * weights_block + e], expected[i])
                        << n << " of " << rows << " sample " << e << " place " << i;
                    ASSERT_EQ(chosen[i * weights_block + e],
                              values[expected[i] * weights_block + e]);
                }
            }
        }
}

TEST_P(kernels_test, difference_products)
{
    const size_t depth = 48, stride = 50, rows = 9;
    const auto a = normal_vector(rows * stride, 1), p = normal_vector(depth, 2),
               u = normal_vector(depth, 3);
    for (size_t count = 1; count <= rows; count++)
        for (const bool square : { false, true }) {
            std::vector<int32_t> index(count * weights_block, -1);
            for (size_t i = 0; i < count; i++)
                index[i * weights_block] = i * 4 % rows;
            std::vector<float> out(count * weights_block, 7.0f);
            k.difference_products(a.data(),
                                  stride,
                                  index.data(),
                                  count,
                                  p.data(),
                                  square ? nullptr : u.data(),
                                  depth,
                                  out.data());
            for (size_t i = 0; i < out.size(); i++) {
                if (i % weights_block) {
                    ASSERT_EQ(out[i], 7.0f);
                    continue;
                }
                double sum = 0, size = 0;
                for (size_t d = 0; d < depth; d++) {
                    const double difference = double(a[index[i] * stride + d]) - p[d];
                    const double term = difference * (square ? difference : u[d]);
                    sum += term;
                    size += std::abs(term);
                }
                ASSERT_NEAR(out[i], sum, rounding(depth, 2 * size)) << i;
            }
        }
}

// The weights make the gradient of w' (R + diag(a)) w the same in all directions.
TEST_P(kernels_test, local_systems)
{
    const size_t dim = 30, landmarks = 40, stride = 41;
    const auto d = normal_vector(landmarks * dim, 1), x = block_of(dim, 2);
    std::vector<float> between(landmarks * stride);
    const auto difference_product = [&](size_t e, size_t i, size_t j) {
        double sum = 0;
        for (size_t c = 0; c < dim; c++)
            sum += (double(x[c * weights_block + e]) - d[i * dim + c]) *
                   (double(x[c * weights_block + e]) - d[j * dim + c]);
        return sum;
    };
    for (size_t i = 0; i < landmarks; i++)
        for (size_t j = 0; j < landmarks; j++) {
            double sum = 0;
            for (size_t c = 0; c < dim; c++)
                sum += std::pow(double(d[i * dim + c]) - d[j * dim + c], 2);
            between[i * stride + j] = sum;
        }
    for (const size_t n : { 1, 2, 3, 4, 5, 6, 8, 13, 20 }) {
        std::vector<int32_t> index(n * weights_block);
        std::vector<float> b(n * weights_block), ridge(n * weights_block),
            half(weights_block), w(n * weights_block + 1, 7.0f), smallest(weights_block),
            scratch(local_systems_scratch(n) + 1, 7.0f);
        for (size_t e = 0; e < weights_block; e++) {
            half[e] = 0.5f / (20 + e);
            for (size_t i = 0; i < n; i++) {
                const size_t at = i * weights_block + e;
                index[at] = (e + 3 * i) % landmarks;
                ridge[at] = 0.01f * (1 + (i + e) % 4);
                double sum = 0;
                for (size_t c = 0; c < dim; c++)
                    sum += (double(d[index[at] * dim + c]) - d[index[e] * dim + c]) *
                           (double(x[c * weights_block + e]) - d[index[e] * dim + c]);
                b[at] = sum;
            }
        }
        k.local_systems(between.data(),
                        stride,
                        index.data(),
                        n,
                        half.data(),
                        ridge.data(),
                        1e-6f,
                        b.data(),
                        w.data(),
                        smallest.data(),
                        scratch.data());
        ASSERT_EQ(w.back(), 7.0f);
        ASSERT_EQ(scratch.back(), 7.0f);
        for (size_t e = 0; e < weights_block; e++) {
            double sum = 0, least = 1e9, most = -1e9;
            for (size_t i = 0; i < n; i++) {
                sum += w[i * weights_block + e];
                double gradient =
                    double(ridge[i * weights_block + e]) * w[i * weights_block + e];
                for (size_t j = 0; j < n; j++)
                    gradient += 2.0 * half[e] *
                                difference_product(e,
                                                   index[i * weights_block + e],
                                                   index[j * weights_block + e]) *
                                w[j * weights_block + e];
                least = std::min(least, gradient);
                most = std::max(most, gradient);
            }
            ASSERT_NEAR(sum, 1, 1e-5) << n << " sample " << e;
            ASSERT_LT(most - least, 2e-5 * most) << n << " sample " << e;
            ASSERT_GT(smallest[e], 0) << n << " sample " << e;
            ASSERT_LE(smallest[e], 1) << n << " sample " << e;
        }
    }
}

} // namespace
