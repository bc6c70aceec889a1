/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The kernels of the search for paths. Included by kernels_impl.h; its rules hold here
// too.

namespace {

// out[0] and out[1] are the sums over a and b.
inline void sums_of_two(vec a, vec b, float* out)
{
    float sum[4];
    sums(a, b, vec{}, vec{}, sum);
    out[0] = sum[0];
    out[1] = sum[1];
}

// Registers [first, first + n) of columns of s' M for one or three vectors s.
template <size_t n, size_t vectors>
inline void column_sums(const float* m,
                        size_t stride,
                        size_t rows,
                        const float* const* s,
                        vec (&sum)[vectors][n])
{
    for (size_t k = 0; k < vectors; k++)
        for (size_t i = 0; i < n; i++)
            sum[k][i] = vec{};
    for (size_t r = 0; r < rows; r++, m += stride) {
        vec x[n];
        for (size_t i = 0; i < n; i++)
            x[i] = load_once(m + i * lanes);
        for (size_t k = 0; k < vectors; k++) {
            const float f = s[k][r];
            for (size_t i = 0; i < n; i++)
                sum[k][i] += x[i] * f;
        }
    }
}

void bilinear(
    const float* m, size_t half, size_t rows, const float* s, const float* a, float* out)
{
    vec total[2] = {};
    const float* const vectors[1] = { s };
    size_t c = 0;
    for (; c + 4 * lanes <= half; c += 4 * lanes)
        for (size_t part = 0; part < 2; part++) {
            vec sum[1][4];
            column_sums<4, 1>(m + part * half + c, 2 * half, rows, vectors, sum);
            for (size_t i = 0; i < 4; i++)
                total[part] += sum[0][i] * load(a + c + i * lanes);
        }
    for (; c < half; c += lanes)
        for (size_t part = 0; part < 2; part++) {
            vec sum[1][1];
            column_sums<1, 1>(m + part * half + c, 2 * half, rows, vectors, sum);
            total[part] += sum[0][0] * load(a + c);
        }
    sums_of_two(total[0], total[1], out);
}

void bilinear_jet(const float* m,
                  size_t half,
                  size_t rows,
                  const float* const* s,
                  const float* const* a,
                  float* out)
{
    vec total[12] = {};
    for (size_t c = 0; c < half; c += lanes) {
        const vec a0 = load(a[0] + c), a1 = load(a[1] + c), a2 = load(a[2] + c);
        for (size_t part = 0; part < 2; part++) {
            vec p[3][1];
            column_sums<1, 3>(m + part * half + c, 2 * half, rows, s, p);
            total[part] += p[0][0] * a0;
            total[2 + part] += p[1][0] * a0;
            total[4 + part] += p[0][0] * a1;
            total[6 + part] += p[2][0] * a0;
            total[8 + part] += p[0][0] * a2;
            total[10 + part] += p[1][0] * a1;
        }
    }
    for (size_t k = 0; k < 12; k += 4)
        sums(total[k], total[k + 1], total[k + 2], total[k + 3], out + k);
}

void add_outer(
    const float* s, const float* z, size_t rows, size_t cols, float* RESTRICT m)
{
    size_t r = 0;
    for (; r + 4 <= rows; r += 4, m += 4 * cols) {
        const float f0 = s[r], f1 = s[r + 1], f2 = s[r + 2], f3 = s[r + 3];
        for (size_t c = 0; c < cols; c += lanes) {
            const vec v = load_once(z + c);
            store(m + c, load(m + c) + v * f0);
            store(m + cols + c, load(m + cols + c) + v * f1);
            store(m + 2 * cols + c, load(m + 2 * cols + c) + v * f2);
            store(m + 3 * cols + c, load(m + 3 * cols + c) + v * f3);
        }
    }
    for (; r < rows; r++, m += cols)
        for (size_t c = 0; c < cols; c += lanes)
            store(m + c, load(m + c) + load(z + c) * s[r]);
}

void cubics(const float* t,
            size_t stride,
            float x,
            size_t n,
            float* value,
            float* first,
            float* half_second)
{
    for (size_t i = 0; i < n; i += lanes) {
        const vec t0 = load(t + i), t1 = load(t + stride + i),
                  t2 = load(t + 2 * stride + i), t3 = load(t + 3 * stride + i);
        const vec t3x = t3 * x;
        store(value + i, t0 + (t1 + (t2 + t3x) * x) * x);
        if (first) {
            store(first + i, t1 + (t2 * 2 + t3x * 3) * x);
            store(half_second + i, t2 + t3x * 3);
        }
    }
}

void largest_powers(const float* m, size_t half, size_t rows, float* out)
{
    for (size_t r = 0; r < rows; r++, m += 2 * half) {
        vec most = {};
        for (size_t c = 0; c < half; c += lanes) {
            const vec re = load(m + c), im = load(m + half + c);
            const vec power = re * re + im * im;
            most = power > most ? power : most;
        }
        float largest = 0;
        for (size_t i = 0; i < lanes; i++)
            largest = most[i] > largest ? most[i] : largest;
        out[r] = largest;
    }
}

void add_integers(const uint32_t* x,
                  size_t x_stride,
                  size_t rows,
                  size_t n,
                  uint32_t* RESTRICT y,
                  size_t y_stride)
{
    typedef uint32_t words
        __attribute__((vector_size(4 * CSIFEEDBACK_LANES), aligned(4), may_alias));
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride)
        for (size_t i = 0; i < n; i += lanes)
            *reinterpret_cast<words*>(y + i) += *reinterpret_cast<const words*>(x + i);
}

void fir(const float* x,
         size_t x_stride,
         const float* taps,
         size_t count,
         size_t step,
         size_t rows,
         size_t n,
         float* RESTRICT y,
         size_t y_stride)
{
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride)
        for (size_t i = 0; i < n; i += lanes) {
            vec sum = load(x + i) * taps[0];
            for (size_t k = 1; k < count; k++)
                sum += load(x + i + k * step) * taps[k];
            store(y + i, sum);
        }
}

} // namespace
