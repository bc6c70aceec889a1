/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Kernels of the path codec against plain loops in double precision.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>

namespace {

constexpr size_t halves[] = { 16, 32, 48, 64 };

// s' M a, real and imaginary part.
void bilinear(const std::vector<float>& m,
              size_t half,
              size_t rows,
              const float* s,
              const float* a,
              double (&y)[2])
{
    for (int part = 0; part < 2; part++) {
        y[part] = 0;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < half; c++)
                y[part] += double(s[r]) * m[(2 * r + part) * half + c] * a[c];
    }
}

TEST_P(kernels_test, bilinear_against_its_definition)
{
    for (const size_t half : halves)
        for (const size_t rows : { 1, 2, 3, 5, 32 }) {
            const auto m = normal_vector(2 * half * rows, 1),
                       s = normal_vector(3 * rows, 2), a = normal_vector(3 * half, 3);
            const double limit = rounding(rows * half, 10 * std::sqrt(rows * half));
            double exact[2];
            float found[12];
            k.bilinear(m.data(), half, rows, s.data(), a.data(), found);
            bilinear(m, half, rows, s.data(), a.data(), exact);
            for (int part = 0; part < 2; part++)
                ASSERT_NEAR(found[part], exact[part], limit);
            const float* const si[] = { &s[0], &s[rows], &s[2 * rows] };
            const float* const ai[] = { &a[0], &a[half], &a[2 * half] };
            k.bilinear_jet(m.data(), half, rows, si, ai, found);
            const int pairs[6][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 },
                                      { 2, 0 }, { 0, 2 }, { 1, 1 } };
            for (int p = 0; p < 6; p++) {
                bilinear(m, half, rows, si[pairs[p][0]], ai[pairs[p][1]], exact);
                for (int part = 0; part < 2; part++)
                    ASSERT_NEAR(found[2 * p + part], exact[part], limit);
            }
        }
}

TEST_P(kernels_test, add_outer_against_its_definition)
{
    for (const size_t cols : halves)
        for (const size_t rows : { 1, 3, 4, 7, 32 }) {
            const auto s = normal_vector(rows, 1), z = normal_vector(cols, 2),
                       before = normal_vector(rows * cols, 3);
            auto m = before;
            k.add_outer(s.data(), z.data(), rows, cols, m.data());
            for (size_t i = 0; i < m.size(); i++)
                ASSERT_NEAR(m[i], before[i] + double(s[i / cols]) * z[i % cols], 2e-6);
        }
}

TEST_P(kernels_test, cubics_against_their_definition)
{
    for (const size_t n : halves) {
        const size_t stride = n + 5;
        const auto t = normal_vector(4 * stride, 1);
        const double x = 0.37f;
        std::vector<float> value(n), first(n), second(n), alone(n);
        k.cubics(t.data(), stride, x, n, value.data(), first.data(), second.data());
        k.cubics(t.data(), stride, x, n, alone.data(), nullptr, nullptr);
        for (size_t i = 0; i < n; i++) {
            const double a = t[i], b = t[stride + i], c = t[2 * stride + i],
                         d = t[3 * stride + i];
            const double exact = a + x * (b + x * (c + x * d));
            ASSERT_NEAR(value[i], exact, 2e-6);
            ASSERT_NEAR(alone[i], exact, 2e-6);
            ASSERT_NEAR(first[i], b + x * (2 * c + 3 * x * d), 4e-6);
            ASSERT_NEAR(second[i], c + 3 * x * d, 4e-6);
        }
    }
}

TEST_P(kernels_test, largest_powers_against_their_definition)
{
    for (const size_t half : halves)
        for (const size_t rows : { 1, 2, 7 }) {
            auto m = normal_vector(2 * half * rows, half);
            m[3] = nan;
            std::vector<float> found(rows);
            k.largest_powers(m.data(), half, rows, found.data());
            for (size_t r = 0; r < rows; r++) {
                float largest = 0;
                for (size_t c = 0; c < half; c++) {
                    const float re = m[2 * half * r + c], im = m[2 * half * r + half + c];
                    const float power = re * re + im * im;
                    if (power > largest)
                        largest = power;
                }
                ASSERT_NEAR(found[r], largest, 1e-6 * largest);
            }
        }
}

TEST_P(kernels_test, fir_against_its_definition)
{
    for (const size_t n : halves)
        for (const size_t count : { 1, 2, 5, 6 })
            for (const size_t step : { size_t(1), size_t(2), n })
                for (const size_t rows : { 1, 3 }) {
                    const size_t x_stride = n + (count - 1) * step + 1, y_stride = n + 2;
                    const auto x = normal_vector(rows * x_stride, n),
                               taps = normal_vector(count, count);
                    std::vector<float> y(rows * y_stride, 7.0f);
                    k.fir(x.data(),
                          x_stride,
                          taps.data(),
                          count,
                          step,
                          rows,
                          n,
                          y.data(),
                          y_stride);
                    for (size_t r = 0; r < rows; r++) {
                        for (size_t i = 0; i < n; i++) {
                            double sum = 0;
                            for (size_t t = 0; t < count; t++)
                                sum += double(taps[t]) * x[r * x_stride + i + t * step];
                            ASSERT_NEAR(y[r * y_stride + i], sum, rounding(count, 10));
                        }
                        // Nothing beyond.
                        ASSERT_EQ(y[r * y_stride + n], 7.0f);
                    }
                }
}

TEST_P(kernels_test, add_integers_against_its_definition)
{
    for (const size_t n : halves)
        for (const size_t rows : { 1, 2, 5 }) {
            const size_t x_stride = n + 3, y_stride = n + 1;
            random_engine engine = make_engine(n, rows);
            std::vector<uint32_t> x(rows * x_stride), before(rows * y_stride);
            for (auto* some : { &x, &before })
                for (uint32_t& value : *some)
                    value = engine();
            auto y = before;
            k.add_integers(x.data(), x_stride, rows, n, y.data(), y_stride);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < y_stride; i++)
                    ASSERT_EQ(y[r * y_stride + i],
                              i < n ? before[r * y_stride + i] + x[r * x_stride + i]
                                    : before[r * y_stride + i]);
        }
}

} // namespace
