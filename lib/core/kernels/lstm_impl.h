/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The learned iteration of Csi-L2O, element by element: LSTM, activations, update and
// momentum; see kernels.h for the maths.

#include "kernels/registers.h"

namespace {

using gr::csifeedback::l2o_block;
using gr::csifeedback::l2o_elements;
using gr::csifeedback::lstm_weights;

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
// below 3e-7.
template <size_t n>
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
    constexpr float p[] = { 0.0018775767f, 0.0089893406f, 0.055826318f,
                            0.24015361f,   0.69315308f,   0.99999994f };
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
#endif
    for (size_t k = 0; k < n; k++)
        y[k] = f[k] * p[0] + p[1];
    for (size_t i = 2; i < 6; i++)
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

// 1 / x for x of 1 to 1e37, relative error below 3e-7.
template <size_t n>
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
        x[k] = y[k] * (2.0f - x[k] * y[k]);
#else
    for (size_t k = 0; k < n; k++)
        x[k] = 1.0f / x[k];
#endif
}

constexpr float log2_e = 1.44269504f;

inline vec sigmoid(vec x)
{
    vec e[] = { x * -log2_e };
    bounded_exp2(e);
    e[0] += 1.0f;
    reciprocal(e);
    return e[0];
}
inline vec hyperbolic_tangent(vec x)
{
    vec e[] = { x * (-2 * log2_e) };
    bounded_exp2(e);
    vec r[] = { 1.0f + e[0] };
    reciprocal(r);
    return (1.0f - e[0]) * r[0];
}

// Registers of elements whose four gates are computed at a time.
constexpr size_t lstm_registers = CSIFEEDBACK_LANES == 16 ? 4 : 2;

void lstm(const lstm_weights& l,
          const float* x,
          float* RESTRICT h,
          float* RESTRICT c,
          float* RESTRICT scratch,
          bool first)
{
    constexpr size_t strip = lstm_registers * lanes;
    const size_t unit = 4 * (1 + l.inputs + l.hidden);
    for (size_t at = 0; at < l2o_block; at += strip) {
        for (size_t j = 0; j < l.hidden; j++) {
            const float* w = l.weights + j * unit;
            vec gate[4][lstm_registers];
            for (size_t g = 0; g < 4; g++)
                for (size_t k = 0; k < lstm_registers; k++)
                    gate[g][k] = w[g] - vec{};
            const auto add = [&](const float* feature, size_t count) {
                for (size_t i = 0; i < count; i++) {
                    w += 4;
                    vec v[lstm_registers];
                    for (size_t k = 0; k < lstm_registers; k++)
                        v[k] = load_once(feature + i * l2o_block + at + k * lanes);
                    for (size_t g = 0; g < 4; g++) {
                        const float f = w[g];
                        for (size_t k = 0; k < lstm_registers; k++)
                            gate[g][k] += v[k] * f;
                    }
                }
            };
            add(x, l.inputs);
            if (!first)
                add(h, l.hidden);
            // Step by step for all registers, so that there is always one to go on with.
            vec cell[lstm_registers], e[lstm_registers];
            for (size_t g = 0; g < 4; g++)
                bounded_exp2(gate[g]);
            // sigmoid(i) tanh(g) with one reciprocal
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[0][k]) * (1.0f + gate[2][k]);
            reciprocal(e);
            for (size_t k = 0; k < lstm_registers; k++)
                cell[k] = (1.0f - gate[2][k]) * e[k];
            const size_t to = j * l2o_block + at;
            if (!first) {
                for (size_t k = 0; k < lstm_registers; k++)
                    e[k] = 1.0f + gate[1][k];
                reciprocal(e);
                for (size_t k = 0; k < lstm_registers; k++)
                    cell[k] += load(c + to + k * lanes) * e[k];
            }
            for (size_t k = 0; k < lstm_registers; k++) {
                store(c + to + k * lanes, cell[k]);
                cell[k] *= -2 * log2_e;
            }
            bounded_exp2(cell);
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[3][k]) * (1.0f + cell[k]);
            reciprocal(e);
            for (size_t k = 0; k < lstm_registers; k++)
                store(scratch + to + k * lanes, (1.0f - cell[k]) * e[k]);
        }
    }
    __builtin_memcpy(h, scratch, l.hidden * l2o_block * sizeof(float));
}

// The activations of a model file's `activation`.
inline vec activate(int kind, vec x)
{
    switch (kind) {
    case 1:
        return sigmoid(x);
    case 2:
        return 2.0f * sigmoid(x);
    case 3:
        return hyperbolic_tangent(x);
    default:
        return x;
    }
}

void l2o_update(const l2o_elements& e)
{
    for (size_t i = 0; i < l2o_block; i += lanes) {
        float* head = e.heads + i;
        const vec p = activate(e.activation[0], e.p + load(head)),
                  a = activate(e.activation[1], e.a + load(head + l2o_block)),
                  b = activate(e.activation[2], e.b + load(head + 2 * l2o_block));
        const vec x = load(e.x + i), y = load(e.y + i);
        const vec x_hat = x - p * load(e.gx + i), y_hat = y - p * load(e.gy + i);
        store(e.u + i, x_hat + b * (y_hat - x_hat) - load(head + 3 * l2o_block));
        store(head, p);
        store(head + l2o_block, a);
    }
}

void l2o_momentum(const float* u,
                  const float* v,
                  float gamma,
                  float a,
                  float* RESTRICT x,
                  float* RESTRICT y,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float next = u[i] + gamma * (v[i] - u[i]);
        y[i] = next + a * (next - x[i]);
        x[i] = next;
    }
}

void l2o_momentum_by_element(const float* u,
                             const float* v,
                             float gamma,
                             const float* heads,
                             float* RESTRICT x,
                             float* RESTRICT y)
{
    for (size_t i = 0; i < l2o_block; i++) {
        const float next = u[i] + gamma * (v[i] - u[i]);
        y[i] = next + heads[l2o_block + i] * (next - x[i]) + heads[4 * l2o_block + i];
        x[i] = next;
    }
}

} // namespace
