/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/normalize.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

// Mean of re^2 + im^2. A NaN or an infinity anywhere makes it one, since no term is
// negative.
float mean_power(const float* h_vec, size_t n)
{
    float power = 0;
    volk_32f_x2_dot_prod_32f(&power, h_vec, h_vec, 2 * n);
    return power / n;
}

// Divides by a power of two, so that the squares of what is left are far from the limits
// of a float. Returns its exponent, or 0 if there is none.
int scale_to_one(float* h_vec, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        if (!std::isfinite(h_vec[i]))
            return 0;
        largest = std::max(largest, std::abs(h_vec[i]));
    }
    if (largest == 0)
        return 0;
    int exponent;
    std::frexp(largest, &exponent);
    for (size_t i = 0; i < 2 * n; i++)
        h_vec[i] = std::ldexp(h_vec[i], -exponent);
    return exponent;
}

} // namespace

float normalize_csi(const std::complex<float>* ha, size_t n, float* h_vec)
{
    constexpr float lowest = 1e-26f; // squares that are lost below do not count
    volk_32fc_deinterleave_32f_x2(h_vec, h_vec + n, ha, n);
    float power = mean_power(h_vec, n);
    int exponent = 0;
    if (!std::isfinite(power) || power < lowest) {
        exponent = scale_to_one(h_vec, n);
        power = mean_power(h_vec, n);
        if (!std::isfinite(power) || power < std::numeric_limits<float>::min())
            return std::numeric_limits<float>::quiet_NaN();
    }
    volk_32f_s32f_multiply_32f(h_vec, h_vec, 1 / std::sqrt(power), 2 * n);
    const float gain_db = 10 * std::log10(power);
    return exponent ? float(gain_db + 20 * std::log10(2.0) * exponent) : gain_db;
}

void denormalize_csi(const float* h_vec, size_t n, float gain_db, std::complex<float>* ha)
{
    constexpr float largest = std::numeric_limits<float>::max();
    float* const out = reinterpret_cast<float*>(ha);
    volk_32f_x2_interleave_32fc(ha, h_vec, h_vec + n, n);
    const float factor = std::pow(10.0f, gain_db / 20);
    if (factor <= 1e19f) {
        volk_32f_s32f_multiply_32f(out, out, factor, 2 * n);
        return;
    }
    // Products may be too large.
    for (size_t i = 0; i < 2 * n; i++)
        if (out[i] != 0)
            out[i] = std::min(std::max(-largest, out[i] * factor), largest);
}

uint16_t gain_to_code(float gain_db)
{
    const float code = std::round((gain_db - min_gain_db) / gain_step_db);
    // In this order a NaN becomes 0.
    return static_cast<uint16_t>(std::min(std::max(0.0f, code), 65535.0f));
}

float gain_from_code(uint16_t code) { return min_gain_db + gain_step_db * code; }

} // namespace csifeedback
} // namespace gr
