/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The convolutions of a phase of FISTA-Net; see kernels.h for the maths.

#include "kernels/registers.h"

namespace {

using gr::csifeedback::phase_channels;
using gr::csifeedback::phase_image;
using gr::csifeedback::phase_margin;
using gr::csifeedback::phase_weights;

// Channels whose sums fit in the registers.
constexpr size_t phase_block = lanes == 16 ? 16 : 8;

// out_o = sum over k of w[k][o] x_k, o a block of channels; x_k is at(k).
template <typename input>
inline void phase_sums(const float* w, size_t depth, input at, vec* out)
{
    for (size_t first = 0; first < phase_channels; first += phase_block) {
        vec sum[phase_block] = {};
        for (size_t k = 0; k < depth; k++) {
            const vec x = at(k);
            const float* row = w + k * phase_channels + first;
            for (size_t o = 0; o < phase_block; o++)
                sum[o] += row[o] * x;
        }
        for (size_t o = 0; o < phase_block; o++)
            out[first + o] = sum[o];
    }
}

inline vec phase_relu(vec x) { return x > vec{} ? x : vec{}; }

void phase_analysis(const phase_weights& w, const phase_image& image, float* magnitudes)
{
    const size_t stride = image.stride, plane = image.plane;
    vec sum[phase_channels] = {};
    for (size_t r = 0; r < image.rows; r++)
        for (size_t c = 0; c < image.cols; c += lanes) {
            const float* x = image.x + (r + 1) * stride + phase_margin + c;
            float* z = image.z + (r + 1) * stride + phase_margin + c;
            vec a[phase_channels], b[phase_channels];
            phase_sums(
                w.into,
                18,
                [&](size_t k) {
                    const size_t tap = k % 9;
                    return load(x + k / 9 * plane + tap / 3 * stride + tap % 3 - stride -
                                1);
                },
                a);
            // Columns beyond the last one stay zero in all channels.
            if (c + lanes > image.cols)
                for (vec& v : a)
                    for (size_t i = image.cols - c; i < lanes; i++)
                        v[i] = 0;
            phase_sums(
                w.forward, phase_channels, [&](size_t k) { return a[k]; }, b);
            phase_sums(
                w.forward + phase_channels * phase_channels,
                phase_channels,
                [&](size_t k) { return phase_relu(b[k]); },
                a);
            for (size_t k = 0; k < phase_channels; k++) {
                store(z + k * plane, a[k]);
                sum[k] += a[k] > vec{} ? a[k] : -a[k];
            }
        }
    for (size_t k = 0; k < phase_channels; k++) {
        magnitudes[k] = 0;
        for (size_t i = 0; i < lanes; i++)
            magnitudes[k] += sum[k][i];
    }
}

void phase_synthesis(const phase_weights& w,
                     const phase_image& image,
                     const float* limits,
                     float* x,
                     size_t x_stride)
{
    const size_t stride = image.stride, plane = image.plane;
    for (size_t r = 0; r < image.rows; r++)
        for (size_t c = 0; c < image.cols; c += lanes) {
            float* z = image.z + (r + 1) * stride + phase_margin + c;
            vec a[phase_channels], b[phase_channels];
            for (size_t k = 0; k < phase_channels; k++) {
                const vec v = load(z + k * plane), upper = limits[k] - vec{};
                a[k] = v - (v > upper ? upper : (v < -upper ? -upper : v));
            }
            phase_sums(
                w.inverse, phase_channels, [&](size_t k) { return a[k]; }, b);
            phase_sums(
                w.inverse + phase_channels * phase_channels,
                phase_channels,
                [&](size_t k) { return phase_relu(b[k]); },
                a);
            for (size_t k = 0; k < phase_channels; k++)
                store(z + k * plane, a[k]);
        }
    for (size_t r = 0; r < image.rows; r++)
        for (size_t c = 0; c < image.cols; c += lanes) {
            const float* z = image.z + r * stride + phase_margin + c - 1;
            // One sum for each row of taps, so that they need not wait for each other.
            vec re[3] = {}, im[3] = {};
            for (size_t k = 0; k < phase_channels; k++)
                for (size_t row = 0; row < 3; row++)
                    for (size_t tap = 0; tap < 3; tap++) {
                        const vec v = load_once(z + k * plane + row * stride + tap);
                        const float* weight = w.out + 2 * (9 * k + 3 * row + tap);
                        re[row] += weight[0] * v;
                        im[row] += weight[1] * v;
                    }
            const vec real = re[0] + re[1] + re[2], imaginary = im[0] + im[1] + im[2];
            const size_t count = image.cols - c < lanes ? image.cols - c : lanes;
            float* to = x + r * x_stride + c;
            if (count == lanes) {
                store(to, load(to) + real);
                store(to + image.cols, load(to + image.cols) + imaginary);
            } else
                for (size_t i = 0; i < count; i++) {
                    to[i] += real[i];
                    to[image.cols + i] += imaginary[i];
                }
        }
}

} // namespace
