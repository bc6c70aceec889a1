/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "report/entropy/coefficient_coder.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace gr {
namespace csifeedback {

namespace {

constexpr int more = entropy_model::symbols - 1;
// Longest number of bits of what a magnitude is above `more`.
constexpr int max_length = 17;
constexpr int max_near = 8;

int bit_length(uint32_t x) { return 32 - __builtin_clz(x); }

// Bits of a magnitude beside its symbol's.
float other_bits(int magnitude, int low)
{
    const int high = magnitude >> low;
    return float(low + (magnitude > 0) +
                 (high >= more ? 2 * bit_length(high - more + 1) - 1 : 0));
}

void encode_magnitude(range_encoder& coder, const frequency_table& table, int m, int low)
{
    const int high = m >> low;
    table.encode(coder, std::min(high, more));
    if (high >= more) {
        const uint32_t rest = high - more + 1;
        const int length = bit_length(rest);
        for (int i = 1; i < length; i++)
            coder.encode(1, 1, 2);
        if (length < max_length)
            coder.encode(0, 1, 2);
        for (int i = length - 2; i >= 0; i--)
            coder.encode(rest >> i & 1, 1, 2);
    }
    if (low)
        coder.encode(m & ((1 << low) - 1), 1, 1 << low);
}

uint32_t decode_bit(range_decoder& coder)
{
    const uint32_t bit = coder.peek(2);
    coder.take(bit, 1, 2);
    return bit;
}

int decode_magnitude(range_decoder& coder, const frequency_table& table, int low)
{
    int high = table.decode(coder);
    if (high == more) {
        int length = 1;
        while (length < max_length && decode_bit(coder))
            length++;
        uint32_t rest = 1;
        for (int i = 1; i < length; i++)
            rest = rest << 1 | decode_bit(coder);
        high += rest - 1;
    }
    if (!low)
        return high;
    const uint32_t value = coder.peek(1u << low);
    coder.take(value, 1, 1u << low);
    return high << low | int(value);
}

constexpr int max_high = more - 1 + ((1 << max_length) - 1);

float point(const float* shift, int magnitude)
{
    return magnitude ? magnitude - shift[std::min(magnitude, entropy_model::shifts) - 1]
                     : 0;
}

} // namespace

coefficient_coder::coefficient_coder(std::shared_ptr<const entropy_model> model,
                                     int rows,
                                     int columns)
    : d_model(std::move(model)),
      d_rows(rows),
      d_columns(columns),
      d_pitch(columns + 2),
      d_near((rows + 2) * d_pitch, 0),
      d_q(2 * size_t(rows) * columns, 0)
{
}

// Calls work(row, column, part, class, context), which returns the magnitude, for all
// values that are sent.
template <typename worker>
void coefficient_coder::walk(const int* row_level,
                             const int* column_level,
                             int step,
                             worker&& work)
{
    for (int k = 0; k < d_rows; k++) {
        uint8_t* near = &d_near[(k + 2) * d_pitch + 2];
        const uint8_t *above = near - d_pitch, *two_above = above - d_pitch;
        for (int j = 0; j < d_columns; j++) {
            const int c =
                entropy_model::coefficient_class(row_level[k] + column_level[j], step);
            if (c < 0) {
                near[j] = 0;
                continue;
            }
            const int around =
                2 * near[j - 1] + near[j - 2] + 2 * above[j] + two_above[j];
            const int re = work(k, j, 0, c, entropy_model::context(around));
            const int im = work(
                k, j, 1, c, entropy_model::context(around + 4 * std::min(re, max_near)));
            near[j] = std::min(re + im, max_near);
        }
    }
}

coefficient_coder::outcome coefficient_coder::quantize(const coefficient_grid& x,
                                                       const int* row_level,
                                                       const int* column_level,
                                                       int step,
                                                       int rate,
                                                       float mu)
{
    outcome result;
    const float* costs = d_model->costs(rate);
    const float inverse = 1 / d_model->step(step);
    std::fill(d_q.begin(), d_q.end(), 0);
    double gain = 0;
    // A product for each value, eight more for the two magnitudes that are compared.
    constexpr int compared = 8;
    uint64_t values = 0, chosen = 0;
    walk(row_level, column_level, step, [&](int k, int j, int part, int c, int context) {
        const float value = (part ? x.im : x.re)[k * x.stride + j];
        const float y = std::abs(value) * inverse;
        values++;
        const float* cost =
            costs + (c * entropy_model::contexts + context) * entropy_model::symbols;
        const int low = entropy_model::low_bits(c);
        const float nothing = cost[0] + low;
        if (!(y >= 0.45f)) {
            result.bits += nothing;
            return 0;
        }
        chosen++;
        const float* shift = d_model->shift(c);
        const int nearest = int(std::min(y + 0.55f, float(max_high) * float(1 << low)));
        int best = 0;
        float best_bits = nothing, best_gain = 0;
        for (int m = nearest; m >= std::max(nearest - 1, 1); m--) {
            const float p = point(shift, m);
            const float bits = cost[std::min(m >> low, more)] + other_bits(m, low);
            const float g = p * (2 * y - p);
            if (g - mu * bits > best_gain - mu * best_bits) {
                best = m;
                best_bits = bits;
                best_gain = g;
            }
        }
        result.bits += best_bits;
        gain += best_gain;
        d_q[2 * (k * d_columns + j) + part] = value < 0 ? -best : best;
        return best;
    });
    result.gain = gain;
    d_operations += values + compared * chosen;
    return result;
}

void coefficient_coder::encode(range_encoder& coder,
                               const int* row_level,
                               const int* column_level,
                               int step,
                               int rate)
{
    walk(row_level, column_level, step, [&](int k, int j, int part, int c, int context) {
        const int q = d_q[2 * (k * d_columns + j) + part], m = std::abs(q);
        encode_magnitude(
            coder, d_model->magnitudes(rate, c)[context], m, entropy_model::low_bits(c));
        if (m)
            coder.encode(q < 0, 1, 2);
        return m;
    });
}

void coefficient_coder::decode(range_decoder& coder,
                               const int* row_level,
                               const int* column_level,
                               int step,
                               int rate,
                               float* re,
                               float* im,
                               size_t stride)
{
    for (int k = 0; k < d_rows; k++) {
        std::fill_n(re + k * stride, d_columns, 0.0f);
        std::fill_n(im + k * stride, d_columns, 0.0f);
    }
    const float unit = d_model->step(step);
    walk(row_level, column_level, step, [&](int k, int j, int part, int c, int context) {
        if (coder.is_beyond())
            return 0;
        const int m = decode_magnitude(
            coder, d_model->magnitudes(rate, c)[context], entropy_model::low_bits(c));
        if (!m)
            return 0;
        const float value = unit * point(d_model->shift(c), m);
        (part ? im : re)[k * stride + j] = decode_bit(coder) ? -value : value;
        return m;
    });
}

void coefficient_coder::visit(const coefficient_grid& x,
                              const int* row_level,
                              const int* column_level,
                              int step,
                              const std::function<void(const symbol&)>& f)
{
    const float inverse = 1 / d_model->step(step);
    walk(row_level, column_level, step, [&](int k, int j, int part, int c, int context) {
        const int m = std::abs(d_q[2 * (k * d_columns + j) + part]);
        f({ c, context, m, std::abs((part ? x.im : x.re)[k * x.stride + j]) * inverse });
        return m;
    });
}

} // namespace csifeedback
} // namespace gr
