/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/linear/projection.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/ista_decoder.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class ista_decoder_impl : public ista_decoder
{
public:
    ista_decoder_impl(const projection& p,
                      bool accelerate,
                      int iterations,
                      float lambda,
                      float tolerance,
                      bool warm_start)
        : ista_decoder(p.info(accelerate ? "fista" : "ista")),
          d_accelerate(accelerate),
          d_iterations(iterations),
          d_lambda(lambda),
          d_tolerance(tolerance),
          d_warm_start(warm_start),
          d_w(p),
          d_norm(p.rows + 1, -1.0f),
          d_code(d_w.split_size()),
          d_projected(d_w.split_size()),
          d_projected_before(d_w.split_size()),
          d_residual(d_w.split_size()),
          d_gradient(p.cols),
          d_h(p.cols, 0.0f),
          d_before(p.cols, 0.0f),
          d_y(p.cols)
    {
        check_range("ista_decoder", "iterations", iterations, 1, 100000);
        check_range("ista_decoder", "lambda", lambda, 0.0f, 1.0f);
        check_range("ista_decoder", "tolerance", tolerance, 0.0f, 1.0f);
        const float norm = lipschitz(p.rows);
        if (!(norm > 0 && std::isfinite(norm)))
            throw_bad("ista_decoder", "||W||^2", norm, "more than 0, finite");
    }


protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        const float norm = lipschitz(m);
        d_w.split(s, d_code.data(), m);
        // Weights are relative to the one above which the solution is zero.
        d_w.multiply_transposed(d_code.data(), d_gradient.data(), m, 0, d_w.count());
        float largest = 0;
        for (const float g : d_gradient)
            largest = std::max(largest, std::abs(g));
        if (!(norm > 0 && largest > 0 && std::isfinite(largest))) {
            clear(h_vec);
            return;
        }
        const float step = 1 / norm;
        const float threshold = d_lambda * largest * step;

        std::fill(d_projected.begin(), d_projected.end(), 0.0f);
        if (d_warm_start)
            d_w.multiply_add(d_h.data(), d_projected.data(), m, 0, d_w.count());
        else
            std::fill(d_h.begin(), d_h.end(), 0.0f);
        float momentum = 0;
        float t = 1;
        for (int iteration = 0; iteration < d_iterations; iteration++) {
            // W y from the projections of the last two iterates, of which y is a linear
            // combination.
            for (size_t i = 0; i < d_residual.size(); i++) {
                const float change = d_projected[i] - d_projected_before[i];
                d_residual[i] =
                    d_projected[i] + (momentum ? momentum * change : 0.0f) - d_code[i];
            }
            d_w.clear_rest(d_residual.data(), m);
            // W^T s is known already, and is minus the gradient at zero.
            const bool first = iteration == 0 && !d_warm_start;
            const bool last = iteration == d_iterations - 1;
            // The new iterate replaces the one before the last.
            std::swap(d_projected, d_projected_before);
            std::fill(d_projected.begin(), d_projected.end(), 0.0f);
            // A block of W is read from memory for the gradient, and then what is needed
            // of it from the cache for the projection.
            for (size_t begin = 0; begin < d_w.count(); begin += d_w.block()) {
                const size_t end = std::min(begin + d_w.block(), d_w.count());
                if (!first)
                    d_w.multiply_transposed(
                        d_residual.data(), d_gradient.data(), m, begin, end);
                for (size_t part = 0; part < d_w.parts(); part++)
                    update(part * d_w.count() + begin,
                           end - begin,
                           momentum,
                           first ? -step : step,
                           threshold);
                if (!last)
                    d_w.multiply_add(d_before.data(), d_projected.data(), m, begin, end);
            }
            std::swap(d_h, d_before);
            if (d_tolerance > 0 && converged())
                break;
            if (d_accelerate) {
                const float next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
                momentum = (t - 1) / next;
                t = next;
            }
        }
        // An overflow must not spoil the next codewords.
        if (!std::isfinite(squared_norm(d_h)))
            clear(h_vec);
        else
            std::copy(d_h.begin(), d_h.end(), h_vec);
    }

private:
    void clear(float* h_vec)
    {
        std::fill(d_h.begin(), d_h.end(), 0.0f);
        std::copy(d_h.begin(), d_h.end(), h_vec);
    }

    static float squared_norm(const volk::vector<float>& x)
    {
        float sum = 0;
        volk_32f_x2_dot_prod_32f(&sum, x.data(), x.data(), x.size());
        return sum;
    }

    // Writes entries [begin, begin + count) of the next iterate to d_before.
    void update(size_t begin, size_t count, float momentum, float step, float threshold)
    {
        const float* h = d_h.data() + begin;
        float* before = d_before.data() + begin;
        kernels().soft_threshold_step(h,
                                      momentum ? before : h,
                                      momentum,
                                      d_gradient.data() + begin,
                                      step,
                                      threshold,
                                      before,
                                      count);
    }

    // L = ||W||_2^2 of the first m rows.
    float lipschitz(size_t m)
    {
        if (d_norm[m] < 0)
            d_norm[m] = largest_eigenvalue(m, [=](const float* x, float* y) {
                d_w.split(x, d_residual.data(), m);
                d_w.multiply_transposed(d_residual.data(), d_y.data(), m, 0, d_w.count());
                std::fill(d_residual.begin(), d_residual.end(), 0.0f);
                d_w.multiply_add(d_y.data(), d_residual.data(), m, 0, d_w.count());
                d_w.join(d_residual.data(), y, m);
            });
        return d_norm[m];
    }

    bool converged()
    {
        volk_32f_x2_subtract_32f(d_y.data(), d_h.data(), d_before.data(), d_h.size());
        return squared_norm(d_y) <= d_tolerance * d_tolerance * squared_norm(d_h);
    }

    const bool d_accelerate;
    const int d_iterations;
    const float d_lambda;
    const float d_tolerance;
    const bool d_warm_start;
    const projection_columns d_w;
    volk::vector<float> d_norm; // L for each codeword length, negative: not known yet
    // Codewords, in the layout of d_w.
    volk::vector<float> d_code;
    volk::vector<float> d_projected;        // W times d_h
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
    not_null("ista_decoder", "model", model);
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
