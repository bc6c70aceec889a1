/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_LSTM_STEP_IMPL_H
#define INCLUDED_CSIFEEDBACK_KERNELS_LSTM_STEP_IMPL_H

// The step of an element-wise LSTM, for floats and pairs of shorter numbers; see kernels.h
// for the maths.

#include "kernels/matrix_products_impl.h"

namespace {

using gr::csifeedback::l2o_block;

// max and min whose result is x where x is not a number.
inline vec at_least(vec x, float least)
{
    const vec y = least - vec{};
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)y, (__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)y, (__m256)x);
#else
    return x < y ? y : x;
#endif
}
inline vec at_most(vec x, float most)
{
    const vec y = most - vec{};
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)y, (__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)y, (__m256)x);
#else
    return x > y ? y : x;
#endif
}

// 2^x for x up to 60, beyond which it stays at that value, so that products of two
// results are finite; values below 2^-60 may be zero. A NaN stays a NaN. Relative error
// below 3e-7; coarse, for results that are rounded to bfloat16: below 8e-5.
template <bool coarse = false, size_t n>
inline void bounded_exp2(vec (&x)[n])
{
    constexpr float bound = 60;
    vec f[n], y[n];
    for (size_t k = 0; k < n; k++)
        x[k] = at_most(x[k], bound);
#if defined(__AVX512F__)
    // The part behind the point, rounded down; 0 for infinities.
    for (size_t k = 0; k < n; k++)
        f[k] = (vec)_mm512_reduce_ps((__m512)x[k], _MM_FROUND_TO_NEG_INF);
    constexpr float fine_p[] = { 0.0018775767f, 0.0089893406f, 0.055826318f,
                                 0.24015361f,   0.69315308f,   0.99999994f };
    constexpr float coarse_p[] = { 0.078024521f, 0.22606716f, 0.69583354f, 0.99992522f };
    constexpr size_t terms = coarse ? 4 : 6;
    const float* const p = coarse ? coarse_p : fine_p;
#else
    // Adding 1.5 * 2^23 rounds to a whole number, in the low bits.
    const vec magic = 12582912.0f - vec{};
    for (size_t k = 0; k < n; k++) {
        const vec t = at_least(x[k], -bound);
        x[k] = t + magic;
        f[k] = t - (x[k] - magic);
    }
    constexpr float p[] = { 0.0013276472f, 0.0096755419f, 0.05550713f,
                            0.2402212f,    0.69314694f,   1.0000001f };
    constexpr size_t terms = 6;
#endif
    for (size_t k = 0; k < n; k++)
        y[k] = f[k] * p[0] + p[1];
    for (size_t i = 2; i < terms; i++)
        for (size_t k = 0; k < n; k++)
            y[k] = y[k] * f[k] + p[i];
#if defined(__AVX512F__)
    // Takes the whole part, rounded down, by itself.
    for (size_t k = 0; k < n; k++)
        x[k] = (vec)_mm512_scalef_ps((__m512)y[k], (__m512)x[k]);
#else
    for (size_t k = 0; k < n; k++)
        x[k] = y[k] * (vec)(((int_vec)x[k] << 23) + 0x3f800000);
#endif
}

// 1 / x for x of 1 to 1e37, relative error below 3e-7; coarse: below 7e-5.
template <bool coarse = false, size_t n>
inline void reciprocal(vec (&x)[n])
{
#if defined(__AVX512F__) || defined(__AVX2__)
    vec y[n];
    for (size_t k = 0; k < n; k++)
#if defined(__AVX512F__)
        y[k] = (vec)_mm512_rcp14_ps((__m512)x[k]);
#else
        y[k] = (vec)_mm256_rcp_ps((__m256)x[k]);
#endif
    for (size_t k = 0; k < n; k++)
        x[k] = coarse ? y[k] : y[k] * (2.0f - x[k] * y[k]);
#else
    for (size_t k = 0; k < n; k++)
        x[k] = 1.0f / x[k];
#endif
}

constexpr float log2_e = 1.44269504f;

// Registers of elements whose four gates are computed at a time.
constexpr size_t lstm_registers = CSIFEEDBACK_LANES == 16 ? 4 : 2;

// Weights of an LSTM layer begin with the bias of a gate, as a float.
inline float as_float(float x) { return x; }
inline float as_float(gr::csifeedback::bf16_pair x)
{
    float f;
    __builtin_memcpy(&f, &x, 4);
    return f;
}

// The step of an LSTM layer whose inputs and hidden states are words of memory, `inputs`
// and `states` of an element; the new hidden states are in `output`.
template <bool coarse, typename word>
inline void lstm_step(const word* weights,
                      size_t inputs,
                      size_t states,
                      size_t hidden,
                      const word* x,
                      const word* h,
                      float* RESTRICT c,
                      float* RESTRICT output,
                      bool first)
{
    constexpr size_t strip = lstm_registers * lanes;
    const size_t unit = 4 * (1 + inputs + states);
    for (size_t at = 0; at < l2o_block; at += strip) {
        for (size_t j = 0; j < hidden; j++) {
            const word* w = weights + j * unit;
            vec gate[4][lstm_registers];
            for (size_t g = 0; g < 4; g++)
                for (size_t k = 0; k < lstm_registers; k++)
                    gate[g][k] = as_float(w[g]) - vec{};
            const auto add = [&](const word* feature, size_t count) {
                for (size_t i = 0; i < count; i++) {
                    w += 4;
                    decltype(load_once(feature)) v[lstm_registers];
                    for (size_t k = 0; k < lstm_registers; k++)
                        v[k] = load_once(feature + i * l2o_block + at + k * lanes);
                    for (size_t g = 0; g < 4; g++) {
                        const word f = w[g];
                        for (size_t k = 0; k < lstm_registers; k++)
                            add_product(gate[g][k], v[k], f);
                    }
                }
            };
            add(x, inputs);
            if (!first)
                add(h, states);
            // Step by step for all registers, so that there is always one to go on with.
            vec cell[lstm_registers], e[lstm_registers];
            for (size_t g = 0; g < 4; g++)
                bounded_exp2<coarse>(gate[g]);
            // sigmoid(i) tanh(g) with one reciprocal
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[0][k]) * (1.0f + gate[2][k]);
            reciprocal<coarse>(e);
            for (size_t k = 0; k < lstm_registers; k++)
                cell[k] = (1.0f - gate[2][k]) * e[k];
            const size_t to = j * l2o_block + at;
            if (!first) {
                for (size_t k = 0; k < lstm_registers; k++)
                    e[k] = 1.0f + gate[1][k];
                reciprocal<coarse>(e);
                for (size_t k = 0; k < lstm_registers; k++)
                    cell[k] += load(c + to + k * lanes) * e[k];
            }
            for (size_t k = 0; k < lstm_registers; k++) {
                store(c + to + k * lanes, cell[k]);
                cell[k] *= -2 * log2_e;
            }
            bounded_exp2<coarse>(cell);
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[3][k]) * (1.0f + cell[k]);
            reciprocal<coarse>(e);
            for (size_t k = 0; k < lstm_registers; k++)
                store(output + to + k * lanes, (1.0f - cell[k]) * e[k]);
        }
    }
}

} // namespace

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_LSTM_STEP_IMPL_H */
