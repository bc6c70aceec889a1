/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/projection.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/ista_decoder.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class ista_decoder_impl : public ista_decoder
{
public:
    ista_decoder_impl(projection p,
                      bool accelerate,
                      int iterations,
                      float lambda,
                      float tolerance,
                      bool warm_start)
        : d_p(std::move(p)),
          d_accelerate(accelerate),
          d_iterations(iterations),
          d_lambda(lambda),
          d_tolerance(tolerance),
          d_warm_start(warm_start),
          d_transposed(d_p.rows * d_p.cols),
          d_norm(d_p.rows + 1, 0.0f),
          d_projected(d_p.rows),
          d_projected_before(d_p.rows),
          d_residual(d_p.rows),
          d_gradient(d_p.cols),
          d_h(d_p.cols),
          d_before(d_p.cols),
          d_y(d_p.cols)
    {
        check_range("ista_decoder", "iterations", iterations, 1, 100000);
        check_range("ista_decoder", "lambda", lambda, 0.0f, 1.0f);
        check_range("ista_decoder", "tolerance", tolerance, 0.0f, 1.0f);
        for (size_t r = 0; r < d_p.rows; r++)
            for (size_t c = 0; c < d_p.cols; c++)
                d_transposed[c * d_p.rows + r] = d_p.w[r * d_p.cols + c];
        d_norm[d_p.rows] = d_p.squared_norm(d_p.rows);
        if (!(d_norm[d_p.rows] > 0))
            throw_bad("ista_decoder", "||W||^2", d_norm[d_p.rows], "more than 0");
    }

    std::string name() const override { return d_accelerate ? "fista" : "ista"; }
    uint8_t codec_id() const override { return d_p.codec_id; }
    uint16_t model_id() const override { return d_p.model_id; }
    int na() const override { return d_p.na; }
    int nt() const override { return d_p.nt; }
    int code_size() const override { return d_p.rows; }

    void decode(const float* s, int m, float* h_vec) override
    {
        const size_t cols = d_p.cols;
        if (d_norm[m] == 0)
            d_norm[m] = d_p.squared_norm(m);
        const float step = 1 / d_norm[m];

        // Weights are relative to the one above which the solution is zero.
        gemv_transposed(d_p.w.data(), s, d_gradient.data(), m, cols);
        float largest = 0;
        for (const float g : d_gradient)
            largest = std::max(largest, std::abs(g));
        const float threshold = d_lambda * largest * step;

        if (d_warm_start) {
            project(m);
        } else {
            std::fill(d_h.begin(), d_h.end(), 0.0f);
            std::fill_n(d_projected.begin(), m, 0.0f);
        }
        float momentum = 0;
        float t = 1;
        for (int iteration = 0; iteration < d_iterations; iteration++) {
            // W y from the projections of the last two iterates, of which y is a linear
            // combination: no product with W is needed.
            for (int i = 0; i < m; i++) {
                const float change = d_projected[i] - d_projected_before[i];
                d_residual[i] =
                    d_projected[i] + (momentum ? momentum * change : 0.0f) - s[i];
            }
            const float* y = d_h.data();
            if (momentum) {
                for (size_t i = 0; i < cols; i++)
                    d_y[i] = d_h[i] + momentum * (d_h[i] - d_before[i]);
                y = d_y.data();
            }
            gemv_transposed(d_p.w.data(), d_residual.data(), d_gradient.data(), m, cols);
            // The new iterate replaces the one before the last.
            soft_threshold_step(
                y, d_gradient.data(), step, threshold, d_before.data(), cols);
            std::swap(d_h, d_before);
            std::swap(d_projected, d_projected_before);
            if (d_tolerance > 0 && converged())
                break;
            project(m);
            if (d_accelerate) {
                const float next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
                momentum = (t - 1) / next;
                t = next;
            }
        }
        std::copy(d_h.begin(), d_h.end(), h_vec);
    }

private:
    // d_projected = W d_h, of which most entries are zero: only the columns of the others
    // are read.
    void project(size_t m)
    {
        std::fill_n(d_projected.begin(), m, 0.0f);
        for (size_t c = 0; c < d_p.cols; c++)
            if (d_h[c] != 0)
                add_scaled(
                    d_transposed.data() + c * d_p.rows, d_h[c], d_projected.data(), m);
    }

    bool converged() const
    {
        float change = 0, size = 0;
        for (size_t i = 0; i < d_p.cols; i++) {
            const float difference = d_h[i] - d_before[i];
            change += difference * difference;
            size += d_h[i] * d_h[i];
        }
        return change <= d_tolerance * d_tolerance * size;
    }

    const projection d_p;
    const bool d_accelerate;
    const int d_iterations;
    const float d_lambda;
    const float d_tolerance;
    const bool d_warm_start;
    volk::vector<float> d_transposed; // W^T, cols x rows
    volk::vector<float> d_norm;       // L for each codeword length, 0: not known yet
    volk::vector<float> d_projected;  // W times d_h
    volk::vector<float> d_projected_before; // W times d_before
    volk::vector<float> d_residual;
    volk::vector<float> d_gradient;
    volk::vector<float> d_h; // the current iterate
    volk::vector<float> d_before;
    volk::vector<float> d_y;
};

} // namespace

decoder::sptr ista_decoder::make(model_file::sptr model,
                                 int code_size,
                                 bool accelerate,
                                 int iterations,
                                 float lambda,
                                 float tolerance,
                                 bool warm_start)
{
    if (!model)
        throw std::invalid_argument("ista_decoder: model is null");
    return std::make_shared<ista_decoder_impl>(
        projection::load("ista_decoder", *model, code_size),
        accelerate,
        iterations,
        lambda,
        tolerance,
        warm_start);
}

decoder::sptr ista_decoder::make_from_matrix(const std::vector<float>& w,
                                             int na,
                                             int nt,
                                             int model_id,
                                             bool accelerate,
                                             int iterations,
                                             float lambda,
                                             float tolerance,
                                             bool warm_start)
{
    return std::make_shared<ista_decoder_impl>(
        projection::from_matrix("ista_decoder", w, na, nt, model_id),
        accelerate,
        iterations,
        lambda,
        tolerance,
        warm_start);
}

} // namespace csifeedback
} // namespace gr
