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
#include <cmath>
#include <complex>
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
