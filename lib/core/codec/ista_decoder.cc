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
#include <volk/volk.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Columns of W in a tile (of complex ones, each stands for two). An iteration reads a
// tile from memory for the gradient, and then from the cache for the projection.
constexpr size_t tile_columns = 512;

class ista_decoder_impl : public ista_decoder
{
public:
    ista_decoder_impl(const projection& p,
                      bool accelerate,
                      int iterations,
                      float lambda,
                      float tolerance,
                      bool warm_start)
        : d_na(p.na),
          d_nt(p.nt),
          d_codec_id(p.codec_id),
          d_model_id(p.model_id),
          d_code_size(p.rows),
          d_accelerate(accelerate),
          d_iterations(iterations),
          d_lambda(lambda),
          d_tolerance(tolerance),
          d_warm_start(warm_start),
          d_norm(p.rows + 1, -1.0f),
          d_projected(p.rows),
          d_projected_before(p.rows),
          d_residual(p.rows),
          d_gradient(p.cols),
          d_h(p.cols, 0.0f),
          d_before(p.cols, 0.0f),
          d_y(p.cols)
    {
        check_range("ista_decoder", "iterations", iterations, 1, 100000);
        check_range("ista_decoder", "lambda", lambda, 0.0f, 1.0f);
        check_range("ista_decoder", "tolerance", tolerance, 0.0f, 1.0f);
        for (size_t begin = 0; begin < p.span(); begin += tile_columns)
            d_tiles.push_back(p.columns(begin, std::min(tile_columns, p.span() - begin)));
        const float norm = lipschitz(p.rows);
        if (!(norm > 0 && std::isfinite(norm)))
            throw_bad("ista_decoder", "||W||^2", norm, "more than 0, finite");
    }

    std::string name() const override { return d_accelerate ? "fista" : "ista"; }
    uint8_t codec_id() const override { return d_codec_id; }
    uint16_t model_id() const override { return d_model_id; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int code_size() const override { return d_code_size; }

    void decode(const float* s, int m, float* h_vec) override
    {
        const float norm = lipschitz(m);
        // Weights are relative to the one above which the solution is zero.
        multiply_transposed(s, d_gradient.data(), m);
        float largest = 0;
        for (const float g : d_gradient)
            largest = std::max(largest, std::abs(g));
        if (!(norm > 0 && largest > 0 && std::isfinite(largest))) {
            clear(h_vec);
            return;
        }
        const float step = 1 / norm;
        const float threshold = d_lambda * largest * step;

        if (!d_warm_start)
            std::fill(d_h.begin(), d_h.end(), 0.0f);
        multiply(d_h.data(), d_projected.data(), m);
        float momentum = 0;
        float t = 1;
        for (int iteration = 0; iteration < d_iterations; iteration++) {
            // W y from the projections of the last two iterates, of which y is a linear
            // combination.
            for (int i = 0; i < m; i++) {
                const float change = d_projected[i] - d_projected_before[i];
                d_residual[i] =
                    d_projected[i] + (momentum ? momentum * change : 0.0f) - s[i];
            }
            // W^T s is known already, and is minus the gradient at zero.
            const bool first = iteration == 0 && !d_warm_start;
            // The new iterate replaces the one before the last.
            std::swap(d_projected, d_projected_before);
            std::fill_n(d_projected.begin(), m, 0.0f);
            size_t at = 0;
            for (const projection& tile : d_tiles) {
                if (!first)
                    tile.multiply_transposed(
                        d_residual.data(), d_gradient.data() + at, m);
                if (update(at, tile.cols, momentum, first ? -step : step, threshold))
                    tile.multiply_add(d_before.data() + at, d_projected.data(), m);
                at += tile.cols;
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
            output(h_vec);
    }

private:
    // d_h is tile by tile; h_vec has all real parts first.
    void output(float* h_vec) const
    {
        const float* from = d_h.data();
        float* to = h_vec;
        for (const projection& tile : d_tiles) {
            const size_t count = tile.span();
            std::copy_n(from, count, to);
            if (tile.is_complex)
                std::copy_n(from + count, count, to + d_h.size() / 2);
            from += tile.cols;
            to += count;
        }
    }

    void clear(float* h_vec)
    {
        std::fill(d_h.begin(), d_h.end(), 0.0f);
        output(h_vec);
    }

    // x = W^T s
    void multiply_transposed(const float* s, float* x, size_t m) const
    {
        for (const projection& tile : d_tiles) {
            tile.multiply_transposed(s, x, m);
            x += tile.cols;
        }
    }

    // s = W x
    void multiply(const float* x, float* s, size_t m) const
    {
        std::fill_n(s, m, 0.0f);
        for (const projection& tile : d_tiles) {
            tile.multiply_add(x, s, m);
            x += tile.cols;
        }
    }

    static float squared_norm(const volk::vector<float>& x)
    {
        float sum = 0;
        volk_32f_x2_dot_prod_32f(&sum, x.data(), x.data(), x.size());
        return sum;
    }

    // Writes entries [begin, begin + count) of the next iterate to d_before; returns
    // whether there are others than zeros.
    bool update(size_t begin, size_t count, float momentum, float step, float threshold)
    {
        const float* y = d_h.data() + begin;
        if (momentum) {
            for (size_t i = begin; i < begin + count; i++)
                d_y[i] = d_h[i] + momentum * (d_h[i] - d_before[i]);
            y = d_y.data() + begin;
        }
        float* next = d_before.data() + begin;
        kernels().soft_threshold_step(
            y, d_gradient.data() + begin, step, threshold, next, count);
        return std::any_of(next, next + count, [](float x) { return x != 0; });
    }

    // L = ||W||_2^2 of the first m rows.
    float lipschitz(size_t m)
    {
        if (d_norm[m] < 0)
            d_norm[m] = largest_eigenvalue(m, [=](const float* x, float* y) {
                multiply_transposed(x, d_y.data(), m);
                multiply(d_y.data(), y, m);
            });
        return d_norm[m];
    }

    bool converged()
    {
        volk_32f_x2_subtract_32f(d_y.data(), d_h.data(), d_before.data(), d_h.size());
        return squared_norm(d_y) <= d_tolerance * d_tolerance * squared_norm(d_h);
    }

    const int d_na;
    const int d_nt;
    const uint8_t d_codec_id;
    const uint16_t d_model_id;
    const int d_code_size;
    const bool d_accelerate;
    const int d_iterations;
    const float d_lambda;
    const float d_tolerance;
    const bool d_warm_start;
    std::vector<projection> d_tiles;
    volk::vector<float> d_norm; // L for each codeword length, negative: not known yet
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
