/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products in bfloat16, against sums of the rounded values in double precision; and the
// LSTM, against its definition. Skipped where the processor has no such instructions.

#include "kernels/kernels.h"
#include "random.h"
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normal_vector(size_t size, uint64_t seed)
{
    std::vector<float> x(size);
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : x)
        value = normal(engine);
    return x;
}

float from_bf16(uint16_t bits)
{
    const uint32_t wide = uint32_t(bits) << 16;
    float x;
    std::memcpy(&x, &wide, sizeof(x));
    return x;
}
float first(bf16_pair p) { return from_bf16(p & 0xffff); }
float second(bf16_pair p) { return from_bf16(p >> 16); }

class kernels_bf16 : public testing::Test
{
protected:
    void SetUp() override
    {
        if (!bf16_kernels())
            GTEST_SKIP() << "no AVX-512 BF16";
    }
};

TEST(bf16, is_rounded_to_nearest_even)
{
    EXPECT_EQ(to_bf16(1.0f), 0x3f80);
    EXPECT_EQ(to_bf16(-2.0f), 0xc000);
    EXPECT_EQ(from_bf16(to_bf16(1 + 1 / 256.0f)), 1.0f);
    EXPECT_EQ(from_bf16(to_bf16(1 + 3 / 256.0f)), 1 + 4 / 256.0f);
    EXPECT_EQ(from_bf16(to_bf16(1 + 1.01f / 256)), 1 + 2 / 256.0f);
    EXPECT_EQ(from_bf16(to_bf16(infinity)), infinity);
    EXPECT_TRUE(std::isnan(from_bf16(to_bf16(nan))));
    for (const float x : normal_vector(1000, 3))
        EXPECT_LE(std::abs(from_bf16(to_bf16(x)) - x), std::abs(x) / 256);
}

TEST_F(kernels_bf16, pairs_are_rounded_the_same)
{
    std::vector<float> x = normal_vector(4 * 16, 1), y = normal_vector(4 * 16, 2);
    x[3] = infinity;
    x[17] = -infinity;
    for (const size_t n : { 16, 32, 48, 64 }) {
        std::vector<bf16_pair> pairs(n / 2 + 1, 7), mixed(n + 1, 7), padded(n + 1, 7);
        bf16_kernels()->round_pairs(x.data(), n, pairs.data());
        bf16_kernels()->interleave(x.data(), y.data(), n, mixed.data());
        bf16_kernels()->interleave(x.data(), nullptr, n, padded.data());
        for (size_t i = 0; i < n / 2; i++)
            EXPECT_EQ(pairs[i], to_bf16_pair(x[2 * i], x[2 * i + 1])) << i;
        for (size_t i = 0; i < n; i++) {
            EXPECT_EQ(mixed[i], to_bf16_pair(x[i], y[i])) << i;
            EXPECT_EQ(padded[i], to_bf16_pair(x[i], 0)) << i;
        }
        EXPECT_EQ(pairs.back(), 7u);
        EXPECT_EQ(mixed.back(), 7u);
        EXPECT_EQ(padded.back(), 7u);
    }
    x[5] = nan;
    bf16_pair out[8];
    bf16_kernels()->round_pairs(x.data(), 16, out);
    EXPECT_TRUE(std::isnan(second(out[2])));
}

std::vector<bf16_pair> some_pairs(size_t size, uint64_t seed)
{
    const std::vector<float> x = normal_vector(2 * size, seed);
    std::vector<bf16_pair> pairs(size);
    for (size_t i = 0; i < size; i++)
        pairs[i] = to_bf16_pair(x[2 * i], x[2 * i + 1]);
    return pairs;
}

double product(bf16_pair a, bf16_pair b)
{
    return double(first(a)) * first(b) + double(second(a)) * second(b);
}

TEST_F(kernels_bf16, gemm_against_plain_loops)
{
    for (const size_t rows : { 1, 2, 3, 5, 6, 12, 32 })
        for (const size_t depth : { 1, 11, 64, 130 })
            for (const size_t cols : { 16, 64, 80 }) {
                const size_t a_stride = depth + 3, b_stride = cols + 16;
                const auto a = some_pairs(rows * a_stride, 1),
                           b = some_pairs(depth * b_stride, 2);
                const std::vector<float> start = normal_vector(cols, 3);
                std::vector<float> c(rows * cols + 1, nan);
                for (const bool relu : { false, true }) {
                    bf16_kernels()->gemm(a.data(),
                                         a_stride,
                                         b.data(),
                                         b_stride,
                                         start.data(),
                                         0,
                                         c.data(),
                                         cols,
                                         rows,
                                         depth,
                                         cols,
                                         relu);
                    for (size_t r = 0; r < rows; r++)
                        for (size_t k = 0; k < cols; k++) {
                            double sum = start[k];
                            for (size_t d = 0; d < depth; d++)
                                sum += product(a[r * a_stride + d], b[d * b_stride + k]);
                            if (relu)
                                sum = std::max(sum, 0.0);
                            ASSERT_NEAR(c[r * cols + k], sum, 2e-5)
                                << rows << " x " << depth << " x " << cols;
                        }
                    ASSERT_TRUE(std::isnan(c.back()));
                }
            }
}

TEST_F(kernels_bf16, dot_products_against_plain_loops)
{
    for (const size_t a_rows : { 1, 2, 5, 16 })
        for (const size_t b_rows : { 1, 4, 7, 64 })
            for (const size_t depth : { 16, 256 }) {
                const auto a = some_pairs(a_rows * depth, 1),
                           b = some_pairs(b_rows * (depth + 16), 2);
                const std::vector<float> before = normal_vector(a_rows * b_rows, 3);
                std::vector<float> c = before;
                bf16_kernels()->add_dot_products(a.data(),
                                                 depth,
                                                 b.data(),
                                                 depth + 16,
                                                 c.data(),
                                                 b_rows,
                                                 a_rows,
                                                 b_rows,
                                                 depth);
                for (size_t i = 0; i < a_rows; i++)
                    for (size_t j = 0; j < b_rows; j++) {
                        double sum = before[i * b_rows + j];
                        for (size_t d = 0; d < depth; d++)
                            sum += product(a[i * depth + d], b[j * (depth + 16) + d]);
                        ASSERT_NEAR(c[i * b_rows + j], sum, 1e-4);
                    }
            }
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

TEST_F(kernels_bf16, lstm_against_its_definition)
{
    // Of the rounded weights, inputs and hidden states, so that what is left are the errors
    // of the activations and, of every step, half a unit of the rounded result.
    for (const auto& [inputs, hidden] : { std::pair<size_t, size_t>{ 1, 1 },
                                          { 1, 2 },
                                          { 2, 3 },
                                          { 1, 20 },
                                          { 10, 20 } }) {
        const size_t pairs = (hidden + 1) / 2, unit = 4 * (1 + inputs + pairs);
        const auto values = normal_vector(hidden * unit * 2, 1);
        std::vector<bf16_pair> weights(hidden * unit);
        for (size_t j = 0; j < hidden; j++)
            for (size_t i = 0; i < unit; i++) {
                const float* v = &values[2 * (j * unit + i)];
                bf16_pair& w = weights[j * unit + i];
                if (i < 4)
                    std::memcpy(&w, v, 4);
                else
                    // The last of an odd number of hidden units has no partner.
                    w = to_bf16_pair(v[0] / 4,
                                     hidden % 2 && i >= unit - 4 ? 0 : v[1] / 4);
            }
        std::vector<bf16_pair> h(pairs * l2o_block, 0xffffffff);
        std::vector<float> c(hidden * l2o_block, nan), scratch(hidden * l2o_block);
        for (int step = 0; step < 3; step++) {
            const auto x = some_pairs(inputs * l2o_block, 10 + step);
            const auto h_before = h;
            const auto c_before = c;
            bf16_kernels()->lstm({ weights.data(), inputs, hidden },
                                 x.data(),
                                 h.data(),
                                 c.data(),
                                 scratch.data(),
                                 step == 0);
            for (size_t e = 0; e < l2o_block; e++)
                for (size_t j = 0; j < hidden; j++) {
                    const bf16_pair* w = &weights[j * unit];
                    double gate[4];
                    for (size_t g = 0; g < 4; g++) {
                        float bias;
                        std::memcpy(&bias, w + g, 4);
                        gate[g] = bias;
                        for (size_t i = 0; i < inputs; i++)
                            gate[g] += product(w[4 * (1 + i) + g], x[i * l2o_block + e]);
                        for (size_t i = 0; i < pairs && step > 0; i++)
                            gate[g] += product(w[4 * (1 + inputs + i) + g],
                                               h_before[i * l2o_block + e]);
                        gate[g] /= lstm_gate_scale[g];
                    }
                    const size_t at = j * l2o_block + e;
                    const double cell = (step ? logistic(gate[1]) * c_before[at] : 0) +
                                        logistic(gate[0]) * std::tanh(gate[2]);
                    const double out = logistic(gate[3]) * std::tanh(cell);
                    ASSERT_NEAR(c[at], cell, 4e-4);
                    const bf16_pair p = h[j / 2 * l2o_block + e];
                    ASSERT_NEAR(j % 2 ? second(p) : first(p), out, 4e-4 + 1 / 256.0);
                    if (j + 1 == hidden && hidden % 2) {
                        ASSERT_EQ(p >> 16, 0u);
                    }
                }
        }
    }
}

} // namespace
