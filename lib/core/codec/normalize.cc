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

float normalize_csi(const std::complex<float>* ha, size_t n, float* h_vec)
{
    volk_32fc_deinterleave_32f_x2(h_vec, h_vec + n, ha, n);
    float power = 0;
    volk_32f_x2_dot_prod_32f(&power, h_vec, h_vec, 2 * n);
    power /= n;
    // A NaN or an infinity anywhere makes the sum one, since all its terms are >= 0.
    if (!std::isfinite(power) || power < std::numeric_limits<float>::min())
        return std::numeric_limits<float>::quiet_NaN();
    volk_32f_s32f_multiply_32f(h_vec, h_vec, 1 / std::sqrt(power), 2 * n);
    return 10 * std::log10(power);
}

void denormalize_csi(const float* h_vec, size_t n, float gain_db, std::complex<float>* ha)
{
    volk_32f_x2_interleave_32fc(ha, h_vec, h_vec + n, n);
    volk_32f_s32f_multiply_32f(reinterpret_cast<float*>(ha),
                               reinterpret_cast<const float*>(ha),
                               std::pow(10.0f, gain_db / 20),
                               2 * n);
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
