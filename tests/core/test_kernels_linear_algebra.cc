/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products of real matrices and vectors.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace {

class real_products : public kernels_test
{
protected:
    // offset: floats by which all pointers are moved off alignment
    void check_real(size_t rows, size_t cols, size_t offset, uint64_t seed)
    {
        const size_t stride = cols + seed % 3;
        const auto w = normal_vector(offset + rows * stride, seed),
                   x = normal_vector(offset + std::max(rows, cols), seed + 1),
                   start = normal_vector(offset + std::max(rows, cols) + 1, seed + 2);
        const float *wo = w.data() + offset, *xo = x.data() + offset;

        double squares = 0;
        for (size_t c = 0; c < cols; c++)
            squares += double(xo[c]) * xo[c];
        ASSERT_NEAR(k.energy(xo, cols), squares, rounding(cols, squares));
        for (const float bad : { std::numeric_limits<float>::infinity(),
                                 -std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN(),
                                 1e20f }) {
            auto spoilt = x;
            spoilt[offset + seed % cols] = bad;
            ASSERT_FALSE(std::isfinite(k.energy(spoilt.data() + offset, cols)));
        }

        auto y = start;
        k.gemv(wo, stride, xo, y.data() + offset, rows, cols);
        for (size_t r = 0; r < rows; r++) {
            double sum = start[offset + r], size = std::abs(sum);
            for (size_t c = 0; c < cols; c++) {
                sum += double(wo[r * stride + c]) * xo[c];
                size += std::abs(double(wo[r * stride + c]) * xo[c]);
            }
            ASSERT_NEAR(y[offset + r], sum, rounding(cols, size))
                << rows << " x " << cols << " row " << r;
        }
        ASSERT_EQ(y[offset + rows], start[offset + rows]) << "wrote beyond y";

        y = start;
        k.add_rows(wo, stride, xo, rows, y.data() + offset, cols);
        for (size_t c = 0; c < cols; c++) {
            double sum = start[offset + c], size = std::abs(sum);
            for (size_t r = 0; r < rows; r++) {
                sum += double(wo[r * stride + c]) * xo[r];
                size += std::abs(double(wo[r * stride + c]) * xo[r]);
            }
            ASSERT_NEAR(y[offset + c], sum, rounding(rows, size))
                << rows << " x " << cols << " column " << c;
        }
        ASSERT_EQ(y[offset + cols], start[offset + cols]) << "wrote beyond y";

        y = start;
        const std::vector<uint32_t> chosen = some(rows, seed);
        k.add_chosen_rows(
            wo, stride, chosen.data(), chosen.size(), xo, y.data() + offset, cols);
        for (size_t c = 0; c < cols; c++) {
            double sum = start[offset + c], size = std::abs(sum);
            for (const uint32_t r : chosen) {
                sum += double(wo[r * stride + c]) * xo[r];
                size += std::abs(double(wo[r * stride + c]) * xo[r]);
            }
            ASSERT_NEAR(y[offset + c], sum, rounding(rows, size))
                << rows << " x " << cols << " column " << c;
        }
        ASSERT_EQ(y[offset + cols], start[offset + cols]) << "wrote beyond y";
    }
};

TEST_P(real_products, of_all_sizes_to_70)
{
    for (size_t rows = 1; rows <= 70; rows++)
        for (size_t cols = 1; cols <= 70; cols++)
            check_real(rows, cols, (rows + cols) % 4, rows * 71 + cols);
}

TEST_P(real_products, of_large_sizes)
{
    check_real(512, 2048, 1, 1);
    check_real(3, 100003, 0, 2);
    check_real(10007, 5, 3, 3);
}

TEST_P(kernels_test, no_rows_or_columns_change_nothing)
{
    const std::vector<float> w(64, 1.0f), x(64, 1.0f);
    std::vector<float> y(64, 3.0f);
    k.gemv(w.data(), 8, x.data(), y.data(), 0, 8);
    k.gemv(w.data(), 8, x.data(), y.data(), 8, 0);
    k.add_rows(w.data(), 8, x.data(), 0, y.data(), 8);
    k.add_rows(w.data(), 8, x.data(), 8, y.data(), 0);
    const uint32_t index = 0;
    k.add_chosen_rows(w.data(), 8, &index, 0, x.data(), y.data(), 8);
    k.add_chosen_rows(w.data(), 8, &index, 1, x.data(), y.data(), 0);
    EXPECT_EQ(y, std::vector<float>(64, 3.0f));
}

TEST_P(kernels_test, products_pass_on_nan_and_infinities)
{
    // One bad value at every place of a row reaches its sum and no other.
    const size_t rows = 9, cols = 37;
    for (size_t at = 0; at < rows * cols; at++) {
        for (const float bad : { nan, infinity, -infinity }) {
            std::vector<float> w(rows * cols, 1.0f), y(rows, 0.0f);
            const std::vector<float> x(cols, 1.0f);
            w[at] = bad;
            k.gemv(w.data(), cols, x.data(), y.data(), rows, cols);
            for (size_t r = 0; r < rows; r++) {
                if (r != at / cols)
                    ASSERT_EQ(y[r], float(cols));
                else if (std::isnan(bad))
                    ASSERT_TRUE(std::isnan(y[r]));
                else
                    ASSERT_EQ(y[r], bad);
            }
            std::vector<float> t(cols, 0.0f);
            k.add_rows(w.data(), cols, x.data(), rows, t.data(), cols);
            for (size_t c = 0; c < cols; c++) {
                if (c != at % cols)
                    ASSERT_EQ(t[c], float(rows));
                else if (std::isnan(bad))
                    ASSERT_TRUE(std::isnan(t[c]));
                else
                    ASSERT_EQ(t[c], bad);
            }
        }
    }
    // 0 * infinity and infinity - infinity are NaN.
    const float w[] = { infinity, -infinity }, zeros[] = { 0, 1 }, ones[] = { 1, 1 };
    float y = 0;
    k.gemv(w, 2, zeros, &y, 1, 2);
    EXPECT_TRUE(std::isnan(y));
    y = 0;
    k.gemv(w, 2, ones, &y, 1, 2);
    EXPECT_TRUE(std::isnan(y));
}

TEST_P(kernels_test, products_of_huge_values)
{
    const std::vector<float> w(40, 1e19f), x(40, 1e19f), small(40, 1e-30f);
    float y = 0;
    k.gemv(w.data(), 40, small.data(), &y, 1, 40);
    EXPECT_NEAR(y, 4e-10, 4e-16);
    y = 0;
    k.gemv(w.data(), 40, x.data(), &y, 1, 40); // 40e38 overflows
    EXPECT_EQ(y, infinity);
}

TEST_P(kernels_test, matrix_products)
{
    const size_t sizes[][3] = { { 1, 1, 16 },    { 2, 3, 16 },   { 3, 64, 32 },
                                { 4, 65, 48 },   { 5, 63, 64 },  { 6, 64, 80 },
                                { 7, 128, 96 },  { 8, 200, 16 }, { 9, 1, 64 },
                                { 10, 70, 112 }, { 13, 20, 64 }, { 32, 64, 256 } };
    for (const auto& [rows, depth, cols] : sizes)
        for (size_t offset = 0; offset < 3; offset++) {
            const size_t a_stride = depth + offset, b_stride = cols + offset,
                         c_stride = cols + 2 * offset;
            const auto a = normal_vector(offset + rows * a_stride, 1),
                       b = normal_vector(offset + depth * b_stride, 2),
                       start = normal_vector(offset + rows * c_stride + 1, 3);
            // From zeros, the same row for all, other rows, and c itself.
            for (int from = 0; from < 4; from++)
                for (const bool relu : { false, true }) {
                    std::vector<float> c(start.size(), nan);
                    if (from == 3)
                        c = start;
                    const float* first =
                        from == 0 ? nullptr
                                  : (from == 3 ? c.data() : start.data()) + offset;
                    const size_t first_stride = from == 1 ? 0 : c_stride;
                    k.gemm(a.data() + offset,
                           a_stride,
                           b.data() + offset,
                           b_stride,
                           first,
                           first_stride,
                           c.data() + offset,
                           c_stride,
                           rows,
                           depth,
                           cols,
                           relu);
                    for (size_t r = 0; r < rows; r++) {
                        for (size_t j = 0; j < cols; j++) {
                            double sum =
                                from ? start[offset + r * first_stride + j] : 0.0f;
                            double size = std::abs(sum);
                            for (size_t d = 0; d < depth; d++) {
                                const double term = double(a[offset + r * a_stride + d]) *
                                                    b[offset + d * b_stride + j];
                                sum += term;
                                size += std::abs(term);
                            }
                            ASSERT_NEAR(c[offset + r * c_stride + j],
                                        relu ? std::max(sum, 0.0) : sum,
                                        rounding(depth, size))
                                << rows << " " << depth << " " << cols;
                        }
                        for (size_t j = cols; j < c_stride && r + 1 < rows; j++)
                            ASSERT_TRUE(from == 3 ||
                                        std::isnan(c[offset + r * c_stride + j]))
                                << "wrote beside the result";
                    }
                    // A value does not depend on the rows beside it.
                    std::vector<float> one(cols);
                    k.gemm(a.data() + offset + (rows - 1) * a_stride,
                           a_stride,
                           b.data() + offset,
                           b_stride,
                           from ? start.data() + offset + (rows - 1) * first_stride
                                : nullptr,
                           0,
                           one.data(),
                           cols,
                           1,
                           depth,
                           cols,
                           relu);
                    for (size_t j = 0; j < cols; j++)
                        ASSERT_EQ(one[j], c[offset + (rows - 1) * c_stride + j]);
                }
        }
}

TEST_P(kernels_test, matrix_products_pass_on_nan_and_infinities)
{
    const size_t rows = 7, depth = 70, cols = 80;
    for (const bool relu : { false, true })
        for (const float bad : { nan, infinity, -infinity, 3e38f })
            for (size_t at = 0; at < rows * depth; at += 13) {
                std::vector<float> a(rows * depth, 1.0f), b(depth * cols, 2.0f),
                    c(rows * cols);
                a[at] = bad;
                k.gemm(a.data(),
                       depth,
                       b.data(),
                       cols,
                       nullptr,
                       0,
                       c.data(),
                       cols,
                       rows,
                       depth,
                       cols,
                       relu);
                for (size_t i = 0; i < rows * cols; i++) {
                    const float expected =
                        i / cols != at / depth ? 2.0f * depth : 2 * bad;
                    if (std::isnan(expected))
                        ASSERT_TRUE(std::isnan(c[i]));
                    else
                        ASSERT_EQ(c[i], relu ? std::max(expected, 0.0f) : expected);
                }
            }
}

TEST_P(kernels_test, sparse_matrix_products)
{
    const size_t sizes[][3] = { { 1, 1, 16 },    { 2, 37, 32 },  { 3, 16, 48 },
                                { 32, 256, 64 }, { 5, 300, 80 }, { 4, 64, 128 } };
    for (const auto& [rows, depth, cols] : sizes)
        for (const bool relu : { false, true })
            for (const size_t every : { 4, 17, 1000 }) {
                const size_t a_stride = depth + 3, b_stride = cols + 2,
                             c_stride = cols + 5;
                auto a = normal_vector(rows * a_stride, 1);
                const auto b = normal_vector(depth * b_stride, 2),
                           start = normal_vector(cols, 3);
                for (size_t i = 0; i < a.size(); i++)
                    if (i % every != 3)
                        a[i] = i % 2 ? -0.0f : 0.0f;
                std::vector<float> c(rows * c_stride, nan), dense(rows * cols);
                ASSERT_EQ(k.sparse_gemm(a.data(),
                                        a_stride,
                                        b.data(),
                                        b_stride,
                                        start.data(),
                                        c.data(),
                                        c_stride,
                                        rows,
                                        depth,
                                        cols,
                                        relu),
                          true);
                k.gemm(a.data(),
                       a_stride,
                       b.data(),
                       b_stride,
                       start.data(),
                       0,
                       dense.data(),
                       cols,
                       rows,
                       depth,
                       cols,
                       relu);
                for (size_t r = 0; r < rows; r++) {
                    for (size_t j = 0; j < cols; j++)
                        ASSERT_NEAR(c[r * c_stride + j], dense[r * cols + j], 1e-4)
                            << rows << " " << depth << " " << cols;
                    for (size_t j = cols; j < c_stride; j++)
                        ASSERT_TRUE(std::isnan(c[r * c_stride + j]));
                }
            }
    // A matrix that is not sparse is left to gemm(), a NaN is not lost.
    std::vector<float> a(2 * 40, 1.0f), b(40 * 16, 1.0f), start(16), c(2 * 16, 7.0f);
    EXPECT_FALSE(k.sparse_gemm(
        a.data(), 40, b.data(), 16, start.data(), c.data(), 16, 2, 40, 16, false));
    for (const float x : c)
        EXPECT_EQ(x, 7.0f);
    std::fill(a.begin(), a.end(), 0.0f);
    a[40 + 39] = nan;
    EXPECT_TRUE(k.sparse_gemm(
        a.data(), 40, b.data(), 16, start.data(), c.data(), 16, 2, 40, 16, true));
    for (size_t i = 0; i < c.size(); i++)
        EXPECT_EQ(std::isnan(c[i]), i >= 16);
}

TEST_P(kernels_test, dot_products)
{
    const size_t sizes[][3] = { { 1, 1, 16 },  { 2, 4, 32 },   { 3, 5, 48 },
                                { 4, 9, 64 },  { 5, 2, 80 },   { 6, 3, 512 },
                                { 7, 64, 16 }, { 16, 10, 176 } };
    for (const auto& [a_rows, b_rows, depth] : sizes)
        for (size_t offset = 0; offset < 3; offset++) {
            const size_t stride = depth + 7 * offset, c_stride = b_rows + offset;
            const auto a = normal_vector(offset + a_rows * stride, 1),
                       b = normal_vector(offset + b_rows * stride, 2),
                       start = normal_vector(a_rows * c_stride + 1, 3);
            auto c = start;
            k.add_dot_products(a.data() + offset,
                               stride,
                               b.data() + offset,
                               stride,
                               c.data(),
                               c_stride,
                               a_rows,
                               b_rows,
                               depth);
            for (size_t i = 0; i < a_rows; i++) {
                // A value does not depend on the rows beside it.
                std::vector<float> one(start.begin() + i * c_stride,
                                       start.begin() + i * c_stride + b_rows);
                k.add_dot_products(a.data() + offset + i * stride,
                                   stride,
                                   b.data() + offset,
                                   stride,
                                   one.data(),
                                   b_rows,
                                   1,
                                   b_rows,
                                   depth);
                for (size_t j = 0; j < b_rows; j++) {
                    double sum = start[i * c_stride + j], size = std::abs(sum);
                    for (size_t d = 0; d < depth; d++) {
                        const double term = double(a[offset + i * stride + d]) *
                                            b[offset + j * stride + d];
                        sum += term;
                        size += std::abs(term);
                    }
                    ASSERT_NEAR(c[i * c_stride + j], sum, rounding(depth, size));
                    ASSERT_EQ(c[i * c_stride + j], one[j]);
                }
                for (size_t j = i * c_stride + b_rows; j < (i + 1) * c_stride; j++)
                    ASSERT_EQ(c[j], start[j]) << "wrote beside the result";
            }
            ASSERT_EQ(c.back(), start.back()) << "wrote beyond the result";
        }
}

TEST(kernels, the_fastest_are_the_last_supported)
{
    EXPECT_EQ(&kernels(), supported_kernels().back());
    EXPECT_STREQ(supported_kernels().front()->name, "generic");
}

INSTANTIATE_TEST_SUITE_P(all,
                         real_products,
                         testing::ValuesIn(supported_kernels()),
                         table_name);

} // namespace
