/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// LSTM, update and momentum of the learned iteration.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>

namespace {

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

} // namespace
