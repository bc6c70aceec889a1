/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/l2o/l2o_model.h"
#include "codec/linear/mmse.h"
#include "codec/linear/projection.h"
#include "codec/linear/projection_tiles.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

namespace gr {
namespace csifeedback {

namespace {

// Codewords that are decoded together at most, and bytes of their LSTM's states.
constexpr size_t max_together = 8;
constexpr size_t state_bytes = size_t(4) << 20;
constexpr size_t max_state_bytes = size_t(1) << 30;
// Bytes of W that stay in the cache from the gradient to the next projection.
constexpr size_t cached_bytes = size_t(512) << 10;
// Delay rows that go through all layers of the transform at a time.
constexpr size_t rows_together = 32;
// In bfloat16 transforms stay in floats for codewords of more than this part of the
// matrix's values: the error that is left is that small.
constexpr size_t rounded_part = 8;
// ||W x0 - s|| / ||s|| of a first estimate x0 that has codeword s.
constexpr double exact = 1e-5;

class l2o_decoder_impl : public l2o_decoder
{
public:
    l2o_decoder_impl(const model_file& model,
                     int code_size,
                     const std::string& profile,
                     int iterations,
                     float tolerance,
                     const std::string& precision)
        : l2o_decoder_impl(projection::load("l2o_decoder", model, code_size),
                           model,
                           profile,
                           iterations,
                           tolerance,
                           precision)
    {
    }

private:
    l2o_decoder_impl(projection p,
                     const model_file& model,
                     const std::string& profile,
                     int iterations,
                     float tolerance,
                     const std::string& precision)
        : l2o_decoder(p.info("l2o")),
          d_p(std::move(p)),
          d_model(model, profile),
          d_layout(d_p.na, d_p.nt),
          d_w(d_p, d_layout),
          d_iterations(iterations ? iterations : d_model.iterations()),
          d_tolerance(tolerance),
          d_bf16(precision == "bf16" ? bf16_kernels() : nullptr),
          d_state_size(l2o_block * (2 * d_model.hidden * d_model.lstm.size() + 1))
    {
        check_range("l2o_decoder", "iterations", iterations, 0, 100000);
        check_range("l2o_decoder", "tolerance", tolerance, 0.0f, 1.0f);
        if (precision != "float32" && precision != "bf16")
            throw_bad("l2o_decoder", "precision", precision, "float32 or bf16");
        if (d_model.start == 2 && d_p.codec != "klt")
            d_estimate = std::make_unique<mmse_estimate>(model, d_p.cols, 0.0f);
        const size_t blocks = d_layout.size / l2o_block,
                     bytes = blocks * d_state_size * 4;
        if (d_model.hidden && bytes > max_state_bytes)
            throw_bad("l2o_decoder", "memory of the LSTM's states", bytes, "1 GiB");
        d_together = d_tolerance > 0 ? 1 : max_together;
        if (d_model.hidden)
            d_together = std::min(d_together, std::max<size_t>(1, state_bytes / bytes));

        const size_t vectors = d_together * d_w.planes();
        d_x.resize(vectors * d_layout.size, 0.0f);
        d_y.resize(vectors * d_layout.size, 0.0f);
        d_gx.resize(vectors * d_layout.size, 0.0f);
        d_gy.resize(vectors * d_layout.size, 0.0f);
        d_u.resize(d_together * d_layout.size, 0.0f);
        d_v.resize(d_together * d_layout.size, 0.0f);
        d_code.resize(vectors * d_w.code_stride(), 0.0f);
        d_projected_x.resize(vectors * d_w.code_stride(), 0.0f);
        d_projected_y.resize(vectors * d_w.code_stride(), 0.0f);
        d_next_x.resize(vectors * d_w.code_stride(), 0.0f);
        d_next_y.resize(vectors * d_w.code_stride(), 0.0f);
        if (d_tolerance > 0)
            d_before.resize(d_layout.size);
        size_t widest = 0;
        for (const auto* layers : { &d_model.forward, &d_model.inverse })
            for (const l2o_layer& layer : *layers)
                widest = std::max(widest, layer.stride);
        for (auto& rows : d_rows)
            rows.resize(widest * rows_together, 0.0f);
        if (d_model.hidden) {
            d_state.resize(d_together * blocks * d_state_size, 0.0f);
            // Biases are the weights of a feature that is one.
            for (size_t at = d_state_size; at <= d_state.size(); at += d_state_size)
                std::fill_n(d_state.begin() + at - l2o_block, l2o_block, 1.0f);
            d_scratch.resize((d_model.hidden + 1) * l2o_block, 1.0f);
            d_heads.resize(d_together * blocks * 5 * l2o_block, 0.0f);
        }
        if (d_model.has_phases()) {
            d_last.resize(vectors * d_layout.size, 0.0f);
            d_image = make_phase_image(d_layout.na, d_layout.nt, d_planes);
        }
        if (d_bf16)
            prepare_bf16(vectors, blocks, widest);
        const float norm = prepare(d_p.rows).norm;
        if (!(norm > 0 && std::isfinite(norm)))
            throw_bad("l2o_decoder", "||W||^2", norm, "more than 0, finite");
    }


protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        do_decode_batch(s, m, h_vec, 1);
    }

    void do_decode_batch(const float* s, int m, float* h_vec, int count) override
    {
        const length& l = prepare(m);
        for (size_t left = count; left > 0;) {
            const size_t n = std::min(left, d_together);
            decode_together(l, s, h_vec, n);
            s += n * m;
            h_vec += n * d_p.cols;
            left -= n;
        }
    }

private:
    // What belongs to the codewords of m values.
    struct length {
        size_t m;
        float norm; // L = ||W||_2^2 of the first m rows
        float consistency;
        std::vector<l2o_parameters> parameters; // by iteration
        std::vector<l2o_phase> phases;
        std::unique_ptr<projection_tiles> start;
        bool exact;           // whether the first estimate has the codeword
        bool round_transform; // with bfloat16
        size_t columns;       // of W that stay in the cache
    };

    // Buffers for products in bfloat16.
    void prepare_bf16(size_t vectors, size_t blocks, size_t widest)
    {
        d_model.add_bf16();
        d_w.add_bf16();
        d_x0.resize(d_together * d_layout.size, 0.0f);
        d_change.resize(d_w.planes() * d_layout.size, 0.0f);
        for (auto* pairs : { &d_pairs_x, &d_pairs_y })
            pairs->resize(vectors * d_layout.size / 2, 0);
        for (auto* pairs : { &d_residual_x, &d_residual_y })
            pairs->resize(vectors * d_w.code_stride() / 2, 0);
        d_row_pairs.resize(std::max(widest, d_layout.stride) * rows_together / 2, 0);
        const size_t features = (d_model.hidden + 1) / 2 * l2o_block;
        d_hidden.resize(d_together * blocks * features * d_model.lstm.size(), 0);
        d_mlp_pairs.resize(features, 0);
    }

    const length& prepare(size_t m)
    {
        const auto found = d_lengths.find(m);
        if (found != d_lengths.end())
            return found->second;
        length l;
        l.m = m;
        l.norm = largest_eigenvalue(m, [&](const float* x, float* y) {
            d_w.split(x, d_code.data(), m);
            d_w.multiply_transposed(
                d_code.data(), d_w.planes(), m, d_gy.data(), 0, d_layout.size);
            combine(nullptr, d_gy.data(), 1, 0, d_layout.na, d_y.data());
            turn(d_y.data(), 0, d_layout.na);
            std::fill_n(d_code.begin(), d_w.planes() * d_w.code_stride(), 0.0f);
            d_w.multiply_add(
                d_y.data(), d_w.planes(), m, d_code.data(), 0, d_layout.size);
            d_w.join(d_code.data(), y, m);
        });
        l.consistency = d_model.consistency(m);
        l.parameters = d_model.parameters(m);
        l.phases = d_model.phases(m);
        if (d_estimate)
            l.start =
                std::make_unique<projection_tiles>(d_estimate->vectors(d_p, m), d_layout);
        l.exact = start_is_exact(l);
        l.round_transform = d_bf16 && m * rounded_part <= d_p.cols;
        const size_t tile_bytes = d_w.column_bytes(m) * d_w.tile();
        l.columns = d_w.tile() * std::max<size_t>(1, cached_bytes / tile_bytes);
        return d_lengths.emplace(m, std::move(l)).first->second;
    }

    // Whether W x = s for the first estimate x of some codeword s.
    bool start_is_exact(const length& l)
    {
        if (d_model.start == 0)
            return false;
        std::vector<float> s(l.m), back(l.m);
        for (size_t i = 0; i < l.m; i++)
            s[i] = std::cos(float(i * i + 1));
        estimate(l, s.data(), 1);
        project(l, d_y, 1, d_projected_y);
        d_w.join(d_projected_y.data(), back.data(), l.m);
        double error = 0, energy = 0;
        for (size_t i = 0; i < l.m; i++) {
            error += std::pow(double(back[i]) - s[i], 2);
            energy += std::pow(double(s[i]), 2);
        }
        return error <= exact * exact * energy;
    }

    void decode_together(const length& l, const float* s, float* h_vec, size_t n)
    {
        const size_t vector = d_w.planes() * d_layout.size,
                     code = d_w.planes() * d_w.code_stride();
        for (size_t i = 0; i < n; i++)
            d_w.split(s + i * l.m, d_code.data() + i * code, l.m);
        begin(l, s, n);
        for (int t = 0; t < d_iterations; t++) {
            iterate(l, t, n);
            if (d_tolerance > 0 && t + 1 < d_iterations && converged())
                break;
        }
        if (l.consistency != 0)
            descend(l, n, l.consistency, d_x);
        // x is x of the phase before, too.
        std::copy_n(d_x.begin(), d_last.size(), d_last.begin());
        for (const l2o_phase& p : l.phases)
            phase(l, p, n);
        for (size_t i = 0; i < n; i++) {
            d_layout.to_h_vec(d_x.data() + i * vector, h_vec);
            const float* first = s + i * l.m;
            if (!std::isfinite(squared_norm(h_vec, d_p.cols)) ||
                std::all_of(first, first + l.m, [](float x) { return x == 0; }))
                std::fill_n(h_vec, d_p.cols, 0.0f);
            h_vec += d_p.cols;
        }
    }

    // x -= step / L grad f(x).
    void descend(const length& l, size_t n, float step, volk::vector<float>& x)
    {
        const size_t vector = d_w.planes() * d_layout.size;
        for (size_t i = 0; i < n; i++)
            prepare_projection(x.data() + i * vector, i, 0, d_layout.na, d_pairs_x);
        std::fill(d_projected_x.begin(), d_projected_x.end(), 0.0f);
        add_projection(l, x, d_pairs_x, n, d_projected_x, 0, d_layout.size);
        residual(l, d_projected_x, n, d_residual_x);
        gradient(l, d_projected_x, d_residual_x, n, 0, d_layout.size, d_gx);
        for (size_t i = 0; i < n; i++)
            combine(x.data() + i * vector,
                    d_gx.data() + i * vector,
                    -step / l.norm,
                    0,
                    d_layout.na,
                    x.data() + i * vector);
    }

    // A FISTA step with convolutions.
    void phase(const length& l, const l2o_phase& p, size_t n)
    {
        const size_t vector = d_w.planes() * d_layout.size;
        for (size_t i = 0; i < n; i++)
            for (size_t e = i * vector; e < i * vector + d_layout.size; e++) {
                const float x = d_x[e];
                d_x[e] = x + p.momentum * (x - d_last[e]);
                d_last[e] = x;
            }
        descend(l, n, p.step, d_x);
        const l2o_convolutions& c = *p.convolutions;
        for (size_t i = 0; i < n; i++) {
            float* x = d_x.data() + i * vector;
            for (size_t r = 0; r < d_layout.na; r++)
                for (size_t part = 0; part < 2; part++)
                    std::copy_n(x + r * d_layout.stride + part * d_layout.nt,
                                d_layout.nt,
                                d_planes.begin() + part * d_image.plane +
                                    (r + 1) * d_image.stride + phase_margin);
            float limits[phase_channels];
            kernels().phase_analysis(c.weights(), d_image, limits);
            for (float& limit : limits)
                limit /= d_layout.na * d_layout.nt;
            c.limits(limits, limits);
            kernels().phase_synthesis(c.weights(), d_image, limits, x, d_layout.stride);
        }
    }

    // x = y = the first estimate, and the projection of y.
    void begin(const length& l, const float* s, size_t n)
    {
        // With what an overflow has left.
        const size_t used = n * d_w.planes() * d_layout.size;
        std::fill_n(d_x.begin(), used, 0.0f);
        std::fill_n(d_y.begin(), used, 0.0f);
        std::fill(d_projected_y.begin(), d_projected_y.end(), 0.0f);
        if (d_model.start != 0)
            estimate(l, s, n);
        if (d_bf16) {
            // From here on projections are those of the change since the first estimate,
            // and d_code is what that must become: rounding errors are relative to it.
            if (l.exact)
                std::fill(d_code.begin(), d_code.end(), 0.0f);
            else if (d_model.start != 0) {
                project(l, d_y, n, d_projected_y);
                for (size_t k = 0; k < n * d_w.planes() * d_w.code_stride(); k++)
                    d_code[k] -= d_projected_y[k];
                std::fill(d_projected_y.begin(), d_projected_y.end(), 0.0f);
            }
            for (size_t i = 0; i < n; i++)
                std::copy_n(d_x.begin() + i * d_w.planes() * d_layout.size,
                            d_layout.size,
                            d_x0.begin() + i * d_layout.size);
        } else if (d_model.start != 0 && !l.exact)
            project(l, d_y, n, d_projected_y);
    }

    // x = y = the first estimate, of zeros.
    void estimate(const length& l, const float* s, size_t n)
    {
        const projection_tiles& w = l.start ? *l.start : d_w;
        const size_t code = w.planes() * w.code_stride();
        for (size_t i = 0; i < n; i++)
            w.split(s + i * l.m, d_projected_x.data() + i * code, l.m);
        w.multiply_transposed(
            d_projected_x.data(), n * w.planes(), l.m, d_gx.data(), 0, d_layout.size);
        const size_t vector = d_w.planes() * d_layout.size;
        for (size_t i = 0; i < n; i++) {
            float* y = d_y.data() + i * vector;
            combine_parts(w.planes(),
                          nullptr,
                          d_gx.data() + i * w.planes() * d_layout.size,
                          d_model.start == 1 ? 1 / l.norm : 1,
                          0,
                          d_layout.na,
                          y);
            std::copy_n(y, d_layout.size, d_x.data() + i * vector);
        }
    }

    // One iteration; leaves the projections of the next x and y.
    void iterate(const length& l, size_t t, size_t n)
    {
        const l2o_parameters* p =
            &l.parameters[std::min(t, d_model.iterations() - 1) * d_model.rows()];
        const bool last = t + 1 == size_t(d_iterations), both = d_model.hidden > 0;
        // Of an exact first estimate the gradient is zero.
        const bool still = t == 0 && l.exact;
        if (!still)
            residual(l, d_projected_y, n, d_residual_y);
        if (both && t > 0)
            residual(l, d_projected_x, n, d_residual_x);
        if (d_tolerance > 0)
            std::copy_n(d_x.begin(), d_layout.size, d_before.begin());
        std::fill(d_next_x.begin(), d_next_x.end(), 0.0f);
        std::fill(d_next_y.begin(), d_next_y.end(), 0.0f);
        if (still)
            std::fill_n(d_gy.begin(), n * d_w.planes() * d_layout.size, 0.0f);
        for (size_t begin = 0; begin < d_layout.size; begin += l.columns) {
            const size_t end = std::min(begin + l.columns, d_layout.size);
            if (!still)
                gradient(l, d_projected_y, d_residual_y, n, begin, end, d_gy);
            if (both && t > 0)
                gradient(l, d_projected_x, d_residual_x, n, begin, end, d_gx);
            for (size_t i = 0; i < n; i++)
                update(l, p, t, i, begin, end, last);
            if (last)
                continue;
            add_projection(l, d_y, d_pairs_y, n, d_next_y, begin, end);
            if (both)
                add_projection(l, d_x, d_pairs_x, n, d_next_x, begin, end);
        }
        std::swap(d_next_x, d_projected_x);
        std::swap(d_next_y, d_projected_y);
    }

    // f(parameters, row, rows) for delay rows [first, first + rows): for all of them, or one
    // by one where each has parameters of its own.
    template <typename function>
    void by_rows(const l2o_parameters* p, size_t first, size_t rows, function f) const
    {
        if (d_model.rows() == 1) {
            f(*p, first, rows);
            return;
        }
        for (size_t r = first; r < first + rows; r++)
            f(p[r], r, 1);
    }

    // f(parameters, at, n) for the elements [at, at + n) of a block that belong to one row.
    template <typename function>
    void by_parts(const l2o_parameters* p, size_t at, function f) const
    {
        const size_t end = at + l2o_block, rows = d_model.rows();
        while (at < end) {
            const size_t r = std::min(at / d_layout.stride, rows - 1),
                         n = r + 1 < rows ? std::min(end, (r + 1) * d_layout.stride) - at
                                          : end - at;
            f(p[r], at, n);
            at += n;
        }
    }

    // Columns [begin, end) of the next x and y of codeword i.
    void update(const length& l,
                const l2o_parameters* p,
                size_t t,
                size_t i,
                size_t begin,
                size_t end,
                bool last)
    {
        const size_t vector = d_w.planes() * d_layout.size;
        float *x = d_x.data() + i * vector, *y = d_y.data() + i * vector,
              *gx = d_gx.data() + i * vector, *gy = d_gy.data() + i * vector,
              *u = d_u.data() + i * d_layout.size, *v = d_v.data() + i * d_layout.size;
        float* heads = d_model.hidden ? d_heads.data() + i * 5 * d_layout.size : nullptr;
        const size_t first = begin / d_layout.stride,
                     rows = std::min(end / d_layout.stride, d_layout.na) - first;
        const float step = 1 / l.norm;
        if (d_model.hidden) {
            combine(nullptr, gy, step, first, rows, gy);
            if (t > 0)
                combine(nullptr, gx, step, first, rows, gx);
            for (size_t at = begin; at < end; at += l2o_block)
                update_block(
                    p, t == 0, i, at, x, t > 0 ? gx : gy, y, gy, heads + at * 5, u);
            d_layout.clear_padding(u);
        } else {
            by_rows(p, first, rows, [&](const l2o_parameters& q, size_t r, size_t n) {
                combine(y, gy, -q.step * step, r, n, u);
            });
        }
        if (!d_model.forward.empty())
            transform(l, p, t, u, first, rows, v);
        else if (d_model.hidden)
            for (size_t block = begin; block < end; block += l2o_block)
                by_parts(p, block, [&](const l2o_parameters& q, size_t at, size_t n) {
                    kernels().soft_threshold_each(u + at,
                                                  heads + block * 5 + at - block,
                                                  q.threshold * step,
                                                  v + at,
                                                  n);
                });
        else {
            std::copy(u + begin, u + end, v + begin);
            by_rows(p, first, rows, [&](const l2o_parameters& q, size_t r, size_t n) {
                const size_t size = n * d_layout.stride;
                const float threshold = q.threshold * q.step * step;
                kernels().soft_threshold_top(
                    v + r * d_layout.stride, size, 1, size, std::max(threshold, 0.0f), 0);
            });
        }
        if (d_model.hidden) {
            // Rows with gammas of their own have them in v already.
            const bool own = d_model.rows() > 1;
            for (size_t r = first; own && r < first + rows; r++)
                for (size_t k = r * d_layout.stride; k < (r + 1) * d_layout.stride; k++)
                    v[k] = u[k] + p[r].gamma * (v[k] - u[k]);
            for (size_t at = begin; at < end; at += l2o_block)
                kernels().l2o_momentum_by_element(
                    u + at, v + at, own ? 1 : p->gamma, heads + at * 5, x + at, y + at);
        } else
            by_rows(p, first, rows, [&](const l2o_parameters& q, size_t r, size_t n) {
                const size_t at = r * d_layout.stride;
                kernels().l2o_momentum(u + at,
                                       v + at,
                                       q.gamma,
                                       q.momentum,
                                       x + at,
                                       y + at,
                                       n * d_layout.stride);
            });
        if (last)
            return;
        prepare_projection(y, i, first, rows, d_pairs_y);
        if (d_model.hidden)
            prepare_projection(x, i, first, rows, d_pairs_x);
    }

    // Eqs. (20) and (19) for a block of elements.
    void update_block(const l2o_parameters* p,
                      bool first,
                      size_t i,
                      size_t at,
                      const float* x,
                      const float* gx,
                      const float* y,
                      const float* gy,
                      float* heads,
                      float* u)
    {
        const size_t block = i * (d_layout.size / l2o_block) + at / l2o_block;
        float* state = d_state.data() + block * d_state_size;
        if (d_bf16)
            heads_bf16(block, x + at, gx + at, first, state, heads);
        else
            heads_float(x + at, gx + at, first, state, heads);
        // Rows with parameters of their own have them in the heads already.
        const bool own = d_model.rows() > 1;
        if (own)
            by_parts(p, at, [&](const l2o_parameters& q, size_t part, size_t n) {
                const float values[] = { q.p, q.a, q.b };
                for (size_t k = 0; k < 3; k++)
                    for (size_t e = part - at; e < part - at + n; e++)
                        heads[k * l2o_block + e] += values[k];
            });
        kernels().l2o_update({ x + at,
                               gx + at,
                               y + at,
                               gy + at,
                               heads,
                               own ? 0 : p->p,
                               own ? 0 : p->a,
                               own ? 0 : p->b,
                               d_model.activation,
                               u + at });
    }

    // LSTM and MLP of a block of elements.
    void
    heads_float(const float* x, const float* gx, bool first, float* state, float* heads)
    {
        const size_t h = d_model.hidden, layers = d_model.lstm.size();
        alignas(64) float input[2 * l2o_block];
        std::copy_n(x, l2o_block, input);
        std::copy_n(gx, l2o_block, input + l2o_block);
        // Cell states first, then hidden states, that of the last layer with a feature
        // that is one behind it.
        const float* features = input;
        float *cell = state, *hidden = state + layers * h * l2o_block;
        for (size_t k = 0; k < layers; k++) {
            const lstm_weights layer{ d_model.lstm[k].data(), k ? h : 2, h };
            kernels().lstm(layer, features, hidden, cell, d_scratch.data(), first);
            features = hidden;
            hidden += h * l2o_block;
            cell += h * l2o_block;
        }
        kernels().gemm(d_model.mlp.data(),
                       h + 1,
                       features,
                       l2o_block,
                       nullptr,
                       0,
                       d_scratch.data(),
                       l2o_block,
                       h,
                       h + 1,
                       l2o_block,
                       true);
        kernels().gemm(d_model.heads.data(),
                       h + 1,
                       d_scratch.data(),
                       l2o_block,
                       nullptr,
                       0,
                       heads,
                       l2o_block,
                       5,
                       h + 1,
                       l2o_block,
                       false);
    }

    void heads_bf16(size_t block,
                    const float* x,
                    const float* gx,
                    bool first,
                    float* cell,
                    float* heads)
    {
        const size_t h = d_model.hidden, layers = d_model.lstm.size(),
                     pairs = (h + 1) / 2;
        alignas(64) bf16_pair input[l2o_block];
        d_bf16->interleave(x, gx, l2o_block, input);
        const bf16_pair* features = input;
        size_t inputs = 1;
        bf16_pair* hidden = d_hidden.data() + block * layers * pairs * l2o_block;
        for (size_t k = 0; k < layers; k++) {
            const lstm_weights_bf16 layer{ d_model.lstm_pairs[k].data(), inputs, h };
            d_bf16->lstm(layer, features, hidden, cell, d_scratch.data(), first);
            features = hidden;
            inputs = pairs;
            hidden += pairs * l2o_block;
            cell += h * l2o_block;
        }
        d_bf16->gemm(d_model.mlp_pairs.data(),
                     pairs,
                     features,
                     l2o_block,
                     d_model.mlp_bias.data(),
                     l2o_block,
                     d_scratch.data(),
                     l2o_block,
                     h,
                     pairs,
                     l2o_block,
                     true);
        for (size_t j = 0; j < h; j += 2)
            d_bf16->interleave(d_scratch.data() + j * l2o_block,
                               j + 1 < h ? d_scratch.data() + (j + 1) * l2o_block
                                         : nullptr,
                               l2o_block,
                               d_mlp_pairs.data() + j / 2 * l2o_block);
        d_bf16->gemm(d_model.heads_pairs.data(),
                     pairs,
                     d_mlp_pairs.data(),
                     l2o_block,
                     d_model.heads_bias.data(),
                     l2o_block,
                     heads,
                     l2o_block,
                     5,
                     pairs,
                     l2o_block,
                     false);
    }

    // The learned sparse transform, threshold and inverse of some delay rows.
    void transform(const length& l,
                   const l2o_parameters* p,
                   size_t t,
                   const float* u,
                   size_t first,
                   size_t rows,
                   float* v)
    {
        for (size_t r = first; r < first + rows; r += rows_together) {
            const size_t n = std::min(rows_together, first + rows - r);
            const float* from = u + r * d_layout.stride;
            size_t from_stride = d_layout.stride;
            size_t into = 0;
            for (const l2o_layer& layer : d_model.forward) {
                const bool last = &layer == &d_model.forward.back();
                apply(l,
                      layer,
                      from,
                      from_stride,
                      d_rows[into].data(),
                      layer.stride,
                      n,
                      t,
                      !last);
                from = d_rows[into].data();
                from_stride = layer.stride;
                into = 1 - into;
            }
            const l2o_layer& middle = d_model.forward.back();
            by_rows(p, r, n, [&](const l2o_parameters& q, size_t row, size_t count) {
                kernels().soft_threshold_top(d_rows[1 - into].data() +
                                                 (row - r) * middle.stride,
                                             middle.stride,
                                             count,
                                             middle.outputs,
                                             q.threshold,
                                             d_model.keep);
            });
            for (const l2o_layer& layer : d_model.inverse) {
                const bool last = &layer == &d_model.inverse.back();
                float* to = last ? v + r * d_layout.stride : d_rows[into].data();
                // Few values are left by the threshold.
                if (&layer != &d_model.inverse.front() ||
                    !layer.apply_sparse(from, from_stride, to, layer.stride, n, t, !last))
                    apply(l, layer, from, from_stride, to, layer.stride, n, t, !last);
                from = to;
                from_stride = layer.stride;
                into = 1 - into;
            }
        }
    }

    // A layer of the transform.
    void apply(const length& l,
               const l2o_layer& layer,
               const float* x,
               size_t x_stride,
               float* y,
               size_t y_stride,
               size_t rows,
               size_t t,
               bool relu)
    {
        if (!l.round_transform) {
            layer.apply(x, x_stride, y, y_stride, rows, t, relu);
            return;
        }
        d_bf16->round_pairs(x, rows * x_stride, d_row_pairs.data());
        layer.apply(d_row_pairs.data(), x_stride / 2, y, y_stride, rows, t, relu);
    }

    // Of projections, which become residuals; with bfloat16 as pairs too.
    void residual(const length& l,
                  volk::vector<float>& projected,
                  size_t n,
                  volk::vector<bf16_pair>& pairs)
    {
        const size_t stride = d_w.code_stride(), all = n * d_w.planes() * stride,
                     length = d_w.length(l.m);
        for (size_t k = 0; k < all; k++)
            projected[k] -= d_code[k];
        for (size_t i = 0; i < n; i++)
            d_w.clear_rest(projected.data() + i * d_w.planes() * stride, l.m);
        if (!d_bf16)
            return;
        if (length % 2)
            for (size_t k = length; k < all; k += stride)
                projected[k] = 0;
        d_bf16->round_pairs(projected.data(), all, pairs.data());
    }

    // The parts of W^T times residuals.
    void gradient(const length& l,
                  const volk::vector<float>& residuals,
                  const volk::vector<bf16_pair>& pairs,
                  size_t n,
                  size_t begin,
                  size_t end,
                  volk::vector<float>& g)
    {
        if (d_bf16)
            d_w.multiply_transposed(
                pairs.data(), n * d_w.planes(), l.m, g.data(), begin, end);
        else
            d_w.multiply_transposed(
                residuals.data(), n * d_w.planes(), l.m, g.data(), begin, end);
    }

    // Some rows of vector i become what add_projection() takes.
    void prepare_projection(
        float* x, size_t i, size_t first, size_t rows, volk::vector<bf16_pair>& pairs)
    {
        if (!d_bf16) {
            turn(x, first, rows);
            return;
        }
        const size_t begin = first * d_layout.stride, size = rows * d_layout.stride;
        const float* x0 = d_x0.data() + i * d_layout.size;
        for (size_t k = begin; k < begin + size; k++)
            d_change[k] = x[k] - x0[k];
        turn(d_change.data(), first, rows);
        for (size_t part = 0; part < d_w.planes(); part++)
            d_bf16->round_pairs(
                d_change.data() + part * d_layout.size + begin,
                size,
                pairs.data() + ((i * d_w.planes() + part) * d_layout.size + begin) / 2);
    }

    // Adds the projections of columns [begin, end) of vectors.
    void add_projection(const length& l,
                        const volk::vector<float>& x,
                        const volk::vector<bf16_pair>& pairs,
                        size_t n,
                        volk::vector<float>& projected,
                        size_t begin,
                        size_t end)
    {
        if (d_bf16)
            d_w.multiply_add(
                pairs.data(), n * d_w.planes(), l.m, projected.data(), begin, end);
        else
            d_w.multiply_add(
                x.data(), n * d_w.planes(), l.m, projected.data(), begin, end);
    }

    // All of the projections of vectors.
    void project(const length& l,
                 volk::vector<float>& x,
                 size_t n,
                 volk::vector<float>& projected)
    {
        for (size_t i = 0; i < n; i++)
            turn(x.data() + i * d_w.planes() * d_layout.size, 0, d_layout.na);
        std::fill(projected.begin(), projected.end(), 0.0f);
        d_w.multiply_add(
            x.data(), n * d_w.planes(), l.m, projected.data(), 0, d_layout.size);
    }

    // The second part of a vector from the first.
    void turn(float* x, size_t first, size_t rows) const
    {
        if (d_w.planes() == 2) {
            x += first * d_layout.stride;
            kernels().quarter_turn(
                x, d_layout.nt, d_layout.stride, rows, x + d_layout.size);
        }
    }

    // out = y + scale W^T s, or without y, for some rows from the parts g of W^T s.
    void combine(const float* y,
                 const float* g,
                 float scale,
                 size_t first,
                 size_t rows,
                 float* out) const
    {
        combine_parts(d_w.planes(), y, g, scale, first, rows, out);
    }
    void combine_parts(size_t planes,
                       const float* y,
                       const float* g,
                       float scale,
                       size_t first,
                       size_t rows,
                       float* out) const
    {
        const size_t at = first * d_layout.stride;
        if (planes == 2) {
            kernels().add_complex_parts(y ? y + at : nullptr,
                                        g + at,
                                        g + d_layout.size + at,
                                        scale,
                                        d_layout.nt,
                                        d_layout.stride,
                                        rows,
                                        out + at);
            return;
        }
        for (size_t i = at; i < at + rows * d_layout.stride; i++)
            out[i] = (y ? y[i] : 0.0f) + scale * g[i];
    }

    static float squared_norm(const float* x, size_t n)
    {
        float sum = 0;
        volk_32f_x2_dot_prod_32f(&sum, x, x, n);
        return sum;
    }

    bool converged()
    {
        for (size_t i = 0; i < d_layout.size; i++)
            d_before[i] -= d_x[i];
        return squared_norm(d_before.data(), d_layout.size) <=
               d_tolerance * d_tolerance * squared_norm(d_x.data(), d_layout.size);
    }

    const projection d_p;
    l2o_model d_model;
    const row_layout d_layout;
    projection_tiles d_w;
    const int d_iterations;
    const float d_tolerance;
    const bf16_table* const d_bf16; // null: all products of floats
    const size_t d_state_size;      // of a block of elements
    size_t d_together;              // codewords
    std::unique_ptr<mmse_estimate> d_estimate;
    std::map<size_t, length> d_lengths;

    // Of each codeword a vector, or two: d_w.planes().
    volk::vector<float> d_x, d_y;
    volk::vector<float> d_gx, d_gy; // gradients
    volk::vector<float> d_u, d_v;   // always one
    volk::vector<float> d_before;
    // With phases: the x before, and the channels of one.
    volk::vector<float> d_last, d_planes;
    phase_image d_image{};
    // Codewords and projections, in the layout of d_w.
    volk::vector<float> d_code;
    volk::vector<float> d_projected_x, d_projected_y, d_next_x, d_next_y;
    // Delay rows between the layers of the transform.
    volk::vector<float> d_rows[2];
    // Of each codeword and block of elements: the LSTM's states, and the MLP's outputs.
    volk::vector<float> d_state, d_scratch, d_heads;

    // With bfloat16: first estimates and the change of one since then; what is multiplied
    // as pairs, of vectors, residuals, delay rows, hidden states and the MLP.
    volk::vector<float> d_x0, d_change;
    volk::vector<bf16_pair> d_pairs_x, d_pairs_y, d_residual_x, d_residual_y, d_row_pairs,
        d_hidden, d_mlp_pairs;
};

} // namespace

decoder::sptr l2o_decoder::make(model_file::sptr model,
                                int code_size,
                                const std::string& profile,
                                int iterations,
                                float tolerance,
                                const std::string& precision)
{
    not_null("l2o_decoder", "model", model);
    return std::make_shared<l2o_decoder_impl>(
        *model, code_size, profile, iterations, tolerance, precision);
}

} // namespace csifeedback
} // namespace gr
