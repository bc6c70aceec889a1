/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The learned iteration of Csi-L2O, element by element: LSTM, activations, update and
// momentum; see kernels.h for the maths.

#include "kernels/lstm_step_impl.h"

namespace {

using gr::csifeedback::l2o_elements;
using gr::csifeedback::lstm_weights;

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

void lstm(const lstm_weights& l,
          const float* x,
          float* RESTRICT h,
          float* RESTRICT c,
          float* RESTRICT scratch,
          bool first)
{
    lstm_step<false>(l.weights, l.inputs, l.hidden, l.hidden, x, h, c, scratch, first);
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
