/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Every kernel of every instruction set against plain loops in double precision.

#include "kernels/kernels.h"
#include "random.h"
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <complex>
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

// A sum of n products of magnitude `size` in float, in any order.
double rounding(size_t n, double size) { return (n + 2) * 6e-8 * size; }

class kernels_test : public testing::TestWithParam<const kernel_table*>
{
protected:
    const kernel_table& k = *GetParam();

    // offset: floats by which all pointers are moved off alignment
    void check_real(size_t rows, size_t cols, size_t offset, uint64_t seed)
    {
        const size_t stride = cols + seed % 3;
        const auto w = normal_vector(offset + rows * stride, seed),
                   x = normal_vector(offset + std::max(rows, cols), seed + 1),
                   start = normal_vector(offset + std::max(rows, cols) + 1, seed + 2);
        const float *wo = w.data() + offset, *xo = x.data() + offset;

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

    // About half of the numbers below n, out of order and some of them twice.
    static std::vector<uint32_t> some(size_t n, uint64_t seed)
    {
        random_engine engine = make_engine(seed, 1);
        std::vector<uint32_t> chosen((n + 1) / 2);
        for (uint32_t& value : chosen)
            value = engine() % n;
        return chosen;
    }

    void
    check_complex(size_t rows, size_t cols, size_t step, bool conjugate, size_t offset)
    {
        const size_t stride = 2 * cols + 1, n = std::max(rows, cols);
        const auto w = normal_vector(offset + rows * stride, rows * 131 + cols),
                   x_re = normal_vector(offset + n * step, 1),
                   x_im = normal_vector(offset + n * step, 2),
                   start_re = normal_vector(offset + n * step + 1, 3),
                   start_im = normal_vector(offset + n * step + 1, 4);
        const complex_rows u{ w.data() + offset, w.data() + offset + cols, stride };
        const auto entry = [&](size_t r, size_t c) {
            return std::complex<double>(u.re[r * stride + c],
                                        (conjugate ? -1 : 1) *
                                            double(u.im[r * stride + c]));
        };

        auto re = start_re, im = start_im;
        k.gemv_complex(u,
                       conjugate,
                       x_re.data() + offset,
                       x_im.data() + offset,
                       re.data() + offset,
                       im.data() + offset,
                       step,
                       rows,
                       cols);
        for (size_t r = 0; r < rows; r++) {
            const size_t at = offset + r * step;
            std::complex<double> sum(start_re[at], start_im[at]);
            double size = std::abs(sum);
            for (size_t c = 0; c < cols; c++) {
                const std::complex<double> term =
                    entry(r, c) *
                    std::complex<double>(x_re[offset + c], x_im[offset + c]);
                sum += term;
                size += 2 * std::abs(term);
            }
            ASSERT_NEAR(re[at], sum.real(), rounding(2 * cols, size)) << rows << cols;
            ASSERT_NEAR(im[at], sum.imag(), rounding(2 * cols, size)) << rows << cols;
        }
        ASSERT_EQ(re[offset + rows * step], start_re[offset + rows * step]);
        ASSERT_EQ(im[offset + rows * step], start_im[offset + rows * step]);

        re = start_re;
        im = start_im;
        k.add_rows_complex(u,
                           conjugate,
                           x_re.data() + offset,
                           x_im.data() + offset,
                           step,
                           rows,
                           re.data() + offset,
                           im.data() + offset,
                           cols);
        for (size_t c = 0; c < cols; c++) {
            std::complex<double> sum(start_re[offset + c], start_im[offset + c]);
            double size = std::abs(sum);
            for (size_t r = 0; r < rows; r++) {
                const std::complex<double> term =
                    entry(r, c) * std::complex<double>(x_re[offset + r * step],
                                                       x_im[offset + r * step]);
                sum += term;
                size += 2 * std::abs(term);
            }
            ASSERT_NEAR(re[offset + c], sum.real(), rounding(2 * rows, size));
            ASSERT_NEAR(im[offset + c], sum.imag(), rounding(2 * rows, size));
        }
        ASSERT_EQ(re[offset + cols], start_re[offset + cols]);
        ASSERT_EQ(im[offset + cols], start_im[offset + cols]);

        re = start_re;
        im = start_im;
        const std::vector<uint32_t> chosen = some(rows, cols);
        k.add_chosen_rows_complex(u,
                                  conjugate,
                                  chosen.data(),
                                  chosen.size(),
                                  x_re.data() + offset,
                                  x_im.data() + offset,
                                  re.data() + offset,
                                  im.data() + offset,
                                  cols);
        for (size_t c = 0; c < cols; c++) {
            std::complex<double> sum(start_re[offset + c], start_im[offset + c]);
            double size = std::abs(sum);
            for (const uint32_t r : chosen) {
                const std::complex<double> term =
                    entry(r, c) *
                    std::complex<double>(x_re[offset + r], x_im[offset + r]);
                sum += term;
                size += 2 * std::abs(term);
            }
            ASSERT_NEAR(re[offset + c], sum.real(), rounding(2 * rows, size));
            ASSERT_NEAR(im[offset + c], sum.imag(), rounding(2 * rows, size));
        }
        ASSERT_EQ(re[offset + cols], start_re[offset + cols]);
        ASSERT_EQ(im[offset + cols], start_im[offset + cols]);
    }
};

TEST_P(kernels_test, products_of_all_sizes_to_70)
{
    for (size_t rows = 1; rows <= 70; rows++)
        for (size_t cols = 1; cols <= 70; cols++)
            check_real(rows, cols, (rows + cols) % 4, rows * 71 + cols);
}

TEST_P(kernels_test, products_of_large_sizes)
{
    check_real(512, 2048, 1, 1);
    check_real(3, 100003, 0, 2);
    check_real(10007, 5, 3, 3);
    check_complex(256, 1024, 2, true, 1);
}

TEST_P(kernels_test, complex_products_of_all_sizes_to_40)
{
    for (size_t rows = 1; rows <= 40; rows++)
        for (size_t cols = 1; cols <= 40; cols++)
            check_complex(rows, cols, 1 + rows % 2, cols % 2, (rows + cols) % 4);
}

TEST_P(kernels_test, sums_of_products)
{
    const size_t sizes[][3] = { { 0, 3, 16 }, { 1, 1, 16 },  { 2, 2, 16 },
                                { 5, 3, 32 }, { 7, 32, 48 }, { 150, 33, 64 } };
    for (const auto& [count, rows, columns] : sizes) {
        for (size_t offset = 0; offset < 4; offset++) {
            const auto row = normal_vector(offset + 2 * count * rows, 1),
                       re = normal_vector(offset + count * columns, 2),
                       im = normal_vector(offset + count * columns, 3);
            // What was there before must not count.
            std::vector<float> out_re(offset + rows * columns + 1, nan), out_im = out_re;
            k.sum_of_products(row.data() + offset,
                              re.data() + offset,
                              im.data() + offset,
                              count,
                              rows,
                              columns,
                              out_re.data() + offset,
                              out_im.data() + offset);
            for (size_t r = 0; r < rows; r++)
                for (size_t m = 0; m < columns; m++) {
                    std::complex<double> sum = 0;
                    double size = 0;
                    for (size_t p = 0; p < count; p++) {
                        const float* f = row.data() + offset + 2 * (p * rows + r);
                        const size_t at = offset + p * columns + m;
                        const std::complex<double> term =
                            std::complex<double>(f[0], f[1]) *
                            std::complex<double>(re[at], im[at]);
                        sum += term;
                        size += 2 * std::abs(term);
                    }
                    const size_t at = offset + r * columns + m;
                    ASSERT_NEAR(out_re[at], sum.real(), rounding(2 * count, size));
                    ASSERT_NEAR(out_im[at], sum.imag(), rounding(2 * count, size));
                }
            for (const auto& out : { out_re, out_im }) {
                ASSERT_TRUE(std::isnan(out.back())) << "wrote beyond the result";
                for (size_t i = 0; i < offset; i++)
                    ASSERT_TRUE(std::isnan(out[i])) << "wrote before the result";
            }
        }
    }
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
    k.soft_threshold_step(x.data(), x.data(), 1, x.data(), 1, 1, y.data(), 0);
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

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// An LSTM layer with weights as in PyTorch, for the kernel.
struct layer {
    size_t inputs, hidden;
    std::vector<float> weight, bias; // (4 hidden) x (inputs + hidden), 4 hidden

    std::vector<float> packed() const
    {
        std::vector<float> p;
        for (size_t j = 0; j < hidden; j++) {
            for (size_t g = 0; g < 4; g++)
                p.push_back(lstm_gate_scale[g] * bias[g * hidden + j]);
            for (size_t i = 0; i < inputs + hidden; i++)
                for (size_t g = 0; g < 4; g++)
                    p.push_back(lstm_gate_scale[g] *
                                weight[(g * hidden + j) * (inputs + hidden) + i]);
        }
        return p;
    }
    // The step of one element in double precision.
    void step(const std::vector<double>& x,
              std::vector<double>& h,
              std::vector<double>& c) const
    {
        std::vector<double> features = x;
        features.insert(features.end(), h.begin(), h.end());
        for (size_t j = 0; j < hidden; j++) {
            double gate[4];
            for (size_t g = 0; g < 4; g++) {
                gate[g] = bias[g * hidden + j];
                for (size_t i = 0; i < features.size(); i++)
                    gate[g] +=
                        weight[(g * hidden + j) * features.size() + i] * features[i];
            }
            c[j] = logistic(gate[1]) * c[j] + logistic(gate[0]) * std::tanh(gate[2]);
            h[j] = logistic(gate[3]) * std::tanh(c[j]);
        }
    }
};

TEST_P(kernels_test, lstm_against_its_definition)
{
    for (const auto& [inputs, hidden] : { std::pair<size_t, size_t>{ 2, 1 },
                                          { 2, 2 },
                                          { 1, 3 },
                                          { 2, 20 },
                                          { 20, 20 } }) {
        layer l{ inputs,
                 hidden,
                 normal_vector(4 * hidden * (inputs + hidden), 1),
                 normal_vector(4 * hidden, 2) };
        const auto weights = l.packed();
        // What was there before must not count.
        std::vector<float> h(hidden * l2o_block + 1, nan), c = h,
                                                           scratch(hidden * l2o_block);
        std::vector<std::vector<double>> h_double(l2o_block, std::vector<double>(hidden)),
            c_double = h_double;
        for (int step = 0; step < 5; step++) {
            const auto x = normal_vector(inputs * l2o_block, 10 + step);
            k.lstm({ weights.data(), inputs, hidden },
                   x.data(),
                   h.data(),
                   c.data(),
                   scratch.data(),
                   step == 0);
            for (size_t e = 0; e < l2o_block; e++) {
                std::vector<double> in;
                for (size_t i = 0; i < inputs; i++)
                    in.push_back(x[i * l2o_block + e]);
                l.step(in, h_double[e], c_double[e]);
                for (size_t j = 0; j < hidden; j++) {
                    ASSERT_NEAR(h[j * l2o_block + e], h_double[e][j], 5e-6);
                    ASSERT_NEAR(c[j * l2o_block + e], c_double[e][j], 1e-5);
                }
            }
            ASSERT_TRUE(std::isnan(h.back()) && std::isnan(c.back()))
                << "wrote beyond the states";
        }
    }
}

// Arguments over the whole range of floats, both signs.
std::vector<float> all_sizes()
{
    std::vector<float> x;
    for (const float sign : { 1.0f, -1.0f }) {
        for (float value = 1e-45f; value < infinity; value *= 1.9f)
            x.push_back(sign * value);
        for (float value = 0; value < 100; value += 0.0173f)
            x.push_back(sign * value);
        for (const float value : { 3.4e38f, infinity, 0.0f, 88.0f, 88.73f, 103.9f })
            x.push_back(sign * value);
    }
    return x;
}

TEST_P(kernels_test, gates_over_the_whole_range)
{
    // One gate after the other gets x, the others are wide open: i, f and o one, g one.
    const std::vector<float> all = all_sizes();
    const auto check = [&](const layer& l,
                           size_t varied,
                           const std::vector<float>& x,
                           const std::vector<float>& argument) {
        const auto weights = l.packed();
        std::vector<float> h(l2o_block, 0.0f), c(l2o_block, 0.75f), scratch(l2o_block);
        k.lstm({ weights.data(), 1, 1 },
               x.data(),
               h.data(),
               c.data(),
               scratch.data(),
               false);
        for (size_t e = 0; e < l2o_block; e++) {
            const double z = argument[e];
            if (std::isnan(z)) {
                ASSERT_TRUE(std::isnan(h[e]));
                ASSERT_TRUE(std::isnan(c[e]) || varied == 3);
                continue;
            }
            const double i = varied == 0 ? logistic(z) : 1,
                         f = varied == 1 ? logistic(z) : 1,
                         g = varied == 2 ? std::tanh(z) : 1,
                         o = varied == 3 ? logistic(z) : 1;
            const double cell = 0.75 * f + i * g;
            ASSERT_NEAR(c[e], cell, 1e-6) << "gate " << varied << " " << z;
            ASSERT_NEAR(h[e], o * std::tanh(cell), 1e-6) << "gate " << varied << " " << z;
        }
    };
    for (size_t varied = 0; varied < 4; varied++) {
        layer l{ 1, 1, std::vector<float>(8, 0.0f), { 50, 50, 50, 50 } };
        l.bias[varied] = 0;
        l.weight[2 * varied] = 1;
        // An infinity times a weight of zero is a NaN, in the other gates.
        std::vector<float> finite;
        for (const float x : all)
            if (std::isfinite(x))
                finite.push_back(x);
        for (size_t begin = 0; begin < finite.size(); begin += l2o_block) {
            std::vector<float> x(l2o_block, nan);
            std::copy_n(finite.begin() + begin,
                        std::min(l2o_block, finite.size() - begin),
                        x.begin());
            check(l, varied, x, x);
        }
        l.weight[2 * varied] = 0;
        for (const float bias : { infinity, -infinity, nan }) {
            l.bias[varied] = bias;
            check(l,
                  varied,
                  std::vector<float>(l2o_block, 0.0f),
                  std::vector<float>(l2o_block, bias));
        }
    }
}

TEST_P(kernels_test, cells_over_the_whole_range)
{
    // An open forget gate keeps the cell, a closed input gate adds nothing.
    const layer l{ 1, 1, std::vector<float>(8, 0.0f), { -50, 50, 0, 50 } };
    const auto weights = l.packed();
    const std::vector<float> all = all_sizes();
    for (size_t begin = 0; begin < all.size(); begin += l2o_block) {
        std::vector<float> x(l2o_block), h(l2o_block), c(l2o_block, nan),
            scratch(l2o_block);
        const size_t count = std::min(l2o_block, all.size() - begin);
        std::copy_n(all.begin() + begin, count, c.begin());
        const auto before = c;
        k.lstm({ weights.data(), 1, 1 },
               x.data(),
               h.data(),
               c.data(),
               scratch.data(),
               false);
        for (size_t e = 0; e < l2o_block; e++) {
            if (std::isnan(before[e])) {
                ASSERT_TRUE(std::isnan(h[e]) && std::isnan(c[e]));
                continue;
            }
            if (std::isinf(before[e]))
                ASSERT_EQ(c[e], before[e]);
            else
                ASSERT_NEAR(c[e], before[e], 1e-6 * std::max(1.0f, std::abs(before[e])));
            ASSERT_NEAR(h[e], std::tanh(double(before[e])), 1e-6) << before[e];
        }
    }
}

TEST_P(kernels_test, update_of_elements)
{
    const auto apply = [](int kind, double x) {
        return kind == 0   ? x
               : kind == 1 ? logistic(x)
               : kind == 2 ? 2 * logistic(x)
                           : std::tanh(x);
    };
    for (int kind = 0; kind < 64; kind++) {
        const int activation[] = { kind % 4, kind / 4 % 4, kind / 16 };
        const auto x = normal_vector(l2o_block, 1), gx = normal_vector(l2o_block, 2),
                   y = normal_vector(l2o_block, 3), gy = normal_vector(l2o_block, 4);
        auto heads = normal_vector(5 * l2o_block, 5);
        // The ends of the activations too.
        for (size_t e = 0; e < 8; e++)
            for (size_t feature = 0; feature < 3; feature++)
                heads[feature * l2o_block + e] *= 20;
        const auto before = heads;
        std::vector<float> u(l2o_block + 1, nan);
        k.l2o_update({ x.data(),
                       gx.data(),
                       y.data(),
                       gy.data(),
                       heads.data(),
                       0.3f,
                       -0.2f,
                       0.1f,
                       activation,
                       u.data() });
        for (size_t e = 0; e < l2o_block; e++) {
            const auto head = [&](size_t feature) {
                return double(before[feature * l2o_block + e]);
            };
            const double p = apply(activation[0], head(0) + 0.3f),
                         a = apply(activation[1], head(1) - 0.2f),
                         b = apply(activation[2], head(2) + 0.1f);
            const double u_double =
                (1 - b) * (x[e] - p * gx[e]) + b * (y[e] - p * gy[e]) - head(3);
            const double size = (1 + std::abs(b)) * (1 + std::abs(p)) * 4;
            ASSERT_NEAR(u[e], u_double, 2e-6 * size) << kind;
            ASSERT_NEAR(heads[e], p, 1e-6 * std::max(1.0, std::abs(p)) * 2);
            ASSERT_NEAR(heads[l2o_block + e], a, 1e-6 * std::max(1.0, std::abs(a)) * 2);
            for (size_t feature = 2; feature < 5; feature++)
                ASSERT_EQ(heads[feature * l2o_block + e],
                          before[feature * l2o_block + e]);
        }
        ASSERT_TRUE(std::isnan(u.back()));
    }
    // Activations over the whole range.
    const std::vector<float> all = all_sizes(), zeros(l2o_block, 0.0f);
    for (size_t begin = 0; begin < all.size(); begin += l2o_block)
        for (int kind = 0; kind < 4; kind++) {
            const int activation[] = { kind, kind, 0 };
            std::vector<float> heads(5 * l2o_block, 0.0f), u(l2o_block);
            std::fill_n(heads.begin(), 2 * l2o_block, nan);
            const size_t count = std::min(l2o_block, all.size() - begin);
            std::copy_n(all.begin() + begin, count, heads.begin());
            std::copy_n(all.begin() + begin, count, heads.begin() + l2o_block);
            k.l2o_update({ zeros.data(),
                           zeros.data(),
                           zeros.data(),
                           zeros.data(),
                           heads.data(),
                           0,
                           0,
                           0,
                           activation,
                           u.data() });
            for (size_t e = 0; e < l2o_block; e++)
                for (const float got : { heads[e], heads[l2o_block + e] }) {
                    if (e >= count)
                        ASSERT_TRUE(std::isnan(got));
                    else if (kind == 0)
                        ASSERT_EQ(got, all[begin + e]);
                    else
                        ASSERT_NEAR(
                            got, apply(kind, all[begin + e]), kind == 2 ? 2e-6 : 1e-6);
                }
        }
}

TEST_P(kernels_test, momentum)
{
    const auto u = normal_vector(l2o_block, 1), v = normal_vector(l2o_block, 2),
               x = normal_vector(l2o_block, 3), heads = normal_vector(5 * l2o_block, 4);
    for (const bool by_element : { false, true }) {
        auto next = x, y = u;
        if (by_element)
            k.l2o_momentum_by_element(
                u.data(), v.data(), 0.7f, heads.data(), next.data(), y.data());
        else
            k.l2o_momentum(
                u.data(), v.data(), 0.7f, 0.4f, next.data(), y.data(), l2o_block - 3);
        for (size_t e = 0; e < l2o_block; e++) {
            if (!by_element && e >= l2o_block - 3) {
                ASSERT_EQ(next[e], x[e]);
                ASSERT_EQ(y[e], u[e]);
                continue;
            }
            const double a = by_element ? heads[l2o_block + e] : 0.4f,
                         b2 = by_element ? heads[4 * l2o_block + e] : 0;
            const double next_double = u[e] + 0.7f * (double(v[e]) - u[e]);
            ASSERT_NEAR(next[e], next_double, 1e-6);
            ASSERT_NEAR(y[e], next_double + a * (next_double - x[e]) + b2, 4e-6);
        }
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

TEST_P(kernels_test, complex_parts)
{
    const size_t half = 5, stride = 16, rows = 3;
    const auto x = normal_vector(rows * stride, 1), p = normal_vector(rows * stride, 2),
               q = normal_vector(rows * stride, 3);
    std::vector<float> turned(rows * stride, 7.0f);
    k.quarter_turn(x.data(), half, stride, rows, turned.data());
    for (const bool from_x : { false, true })
        for (const bool in_place : { false, true }) {
            std::vector<float> sum = in_place ? p : std::vector<float>(p.size(), 7.0f);
            k.add_complex_parts(from_x ? x.data() : nullptr,
                                in_place ? sum.data() : p.data(),
                                q.data(),
                                0.3f,
                                half,
                                stride,
                                rows,
                                sum.data());
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < stride; i++) {
                    const size_t at = r * stride + i;
                    if (i >= 2 * half) {
                        ASSERT_EQ(turned[at], 7.0f);
                        ASSERT_EQ(sum[at], in_place ? p[at] : 7.0f);
                        continue;
                    }
                    const size_t re = r * stride + i % half, im = re + half;
                    const std::complex<double> z(x[re], x[im]), pz(p[re], p[im]),
                        qz(q[re], q[im]);
                    const std::complex<double> back = z * std::complex<double>(0, -1);
                    const std::complex<double> all =
                        (from_x ? z : 0.0) +
                        double(0.3f) * (pz + std::complex<double>(0, 1) * qz);
                    ASSERT_EQ(turned[at], float(i < half ? back.real() : back.imag()));
                    ASSERT_NEAR(sum[at], i < half ? all.real() : all.imag(), 1e-6);
                }
        }
}

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

std::string table_name(const testing::TestParamInfo<const kernel_table*>& info)
{
    return info.param->name;
}

INSTANTIATE_TEST_SUITE_P(all,
                         kernels_test,
                         testing::ValuesIn(supported_kernels()),
                         table_name);

TEST(kernels, the_fastest_are_the_last_supported)
{
    EXPECT_EQ(&kernels(), supported_kernels().back());
    EXPECT_STREQ(supported_kernels().front()->name, "generic");
}

} // namespace
