/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include <cstring>

// This file has compile flags of its own, see lib/CMakeLists.txt.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define MULTIVERSION \
    __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define MULTIVERSION
#endif

namespace gr {
namespace csifeedback {

namespace {

// 16 floats: one, two or four registers, as the instruction set has them.
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
constexpr size_t lane_count = 16;

} // namespace

MULTIVERSION
void gemv(const float* w, const float* x, float* y, size_t rows, size_t cols)
{
    const size_t whole = cols - cols % lane_count;
    size_t r = 0;
    // Four rows at a time share the loads of x and keep four sums in flight.
    for (; r + 4 <= rows; r += 4) {
        const float* w0 = w + r * cols;
        const float* w1 = w0 + cols;
        const float* w2 = w1 + cols;
        const float* w3 = w2 + cols;
        lanes a0 = {}, a1 = {}, a2 = {}, a3 = {};
        for (size_t c = 0; c < whole; c += lane_count) {
            const lanes v = *reinterpret_cast<const lanes*>(x + c);
            a0 += *reinterpret_cast<const lanes*>(w0 + c) * v;
            a1 += *reinterpret_cast<const lanes*>(w1 + c) * v;
            a2 += *reinterpret_cast<const lanes*>(w2 + c) * v;
            a3 += *reinterpret_cast<const lanes*>(w3 + c) * v;
        }
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (size_t i = 0; i < lane_count; i++) {
            s0 += a0[i];
            s1 += a1[i];
            s2 += a2[i];
            s3 += a3[i];
        }
        for (size_t c = whole; c < cols; c++) {
            s0 += w0[c] * x[c];
            s1 += w1[c] * x[c];
            s2 += w2[c] * x[c];
            s3 += w3[c] * x[c];
        }
        y[r] = s0;
        y[r + 1] = s1;
        y[r + 2] = s2;
        y[r + 3] = s3;
    }
    for (; r < rows; r++) {
        const float* w0 = w + r * cols;
        lanes a0 = {};
        for (size_t c = 0; c < whole; c += lane_count)
            a0 += *reinterpret_cast<const lanes*>(w0 + c) *
                  *reinterpret_cast<const lanes*>(x + c);
        float s0 = 0;
        for (size_t i = 0; i < lane_count; i++)
            s0 += a0[i];
        for (size_t c = whole; c < cols; c++)
            s0 += w0[c] * x[c];
        y[r] = s0;
    }
}

MULTIVERSION
void gemv_transposed(const float* w, const float* x, float* y, size_t rows, size_t cols)
{
    std::memset(y, 0, cols * sizeof(float));
    const size_t whole = cols - cols % lane_count;
    size_t r = 0;
    // Eight rows at a time, so that y is read and written once for eight rows of W.
    for (; r + 8 <= rows; r += 8) {
        const float* wr = w + r * cols;
        const float* xr = x + r;
        for (size_t c = 0; c < whole; c += lane_count) {
            lanes a = *reinterpret_cast<const lanes*>(y + c);
            lanes b = {};
            for (size_t i = 0; i < 8; i += 2) {
                a += *reinterpret_cast<const lanes*>(wr + i * cols + c) * xr[i];
                b += *reinterpret_cast<const lanes*>(wr + (i + 1) * cols + c) * xr[i + 1];
            }
            *reinterpret_cast<lanes*>(y + c) = a + b;
        }
        for (size_t c = whole; c < cols; c++)
            for (size_t i = 0; i < 8; i++)
                y[c] += wr[i * cols + c] * xr[i];
    }
    for (; r < rows; r++) {
        const float* wr = w + r * cols;
        for (size_t c = 0; c < cols; c++)
            y[c] += wr[c] * x[r];
    }
}

MULTIVERSION
void soft_threshold_step(
    const float* y, const float* g, float step, float threshold, float* out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float u = y[i] - step * g[i];
        const float clipped =
            u > threshold ? threshold : (u < -threshold ? -threshold : u);
        out[i] = u - clipped;
    }
}

MULTIVERSION
void add_scaled(const float* x, float a, float* y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

} // namespace csifeedback
} // namespace gr
