/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products of complex matrices and vectors.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>
#include <complex>

namespace {

class complex_products : public kernels_test
{
protected:
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

TEST_P(complex_products, of_all_sizes_to_40)
{
    for (size_t rows = 1; rows <= 40; rows++)
        for (size_t cols = 1; cols <= 40; cols++)
            check_complex(rows, cols, 1 + rows % 2, cols % 2, (rows + cols) % 4);
}

TEST_P(complex_products, of_a_large_size) { check_complex(256, 1024, 2, true, 1); }

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

INSTANTIATE_TEST_SUITE_P(all,
                         complex_products,
                         testing::ValuesIn(supported_kernels()),
                         table_name);

} // namespace
