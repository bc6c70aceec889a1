/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "dsp/first_path.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

int fast_size(int n)
{
    while (!has_fast_fft(n))
        n++;
    return n;
}

} // namespace

delay_profiler::delay_profiler(int nc, int nt)
    : d_nc(nc),
      d_nt(nt),
      d_bins(fast_size(nc)),
      d_to_delay(d_bins, nt, 1, d_bins, 1, d_bins, FFTW_BACKWARD, false, true)
{
    for (int k = 0; k < nc; k++)
        d_hann.push_back(0.5 - 0.5 * std::cos(2 * M_PI * (k + 0.5) / nc));
}

void delay_profiler::run(const std::complex<float>* h,
                         volk::vector<std::complex<float>>& work,
                         float* profile) const
{
    const size_t values = size_t(d_bins) * d_nt;
    // The second half begins as aligned as the first.
    const size_t stride = (values + 7) / 8 * 8;
    if (work.size() != 2 * stride)
        work.resize(2 * stride);
    std::complex<float>*windowed = work.data(), *delay = windowed + stride;
    // Transposed in blocks that stay in the cache.
    constexpr int block = 16;
    for (int from = 0; from < d_nc; from += block) {
        const int to = std::min(d_nc, from + block);
        for (int n = 0; n < d_nt; n++)
            for (int k = from; k < to; k++)
                windowed[size_t(n) * d_bins + k] = d_hann[k] * h[size_t(k) * d_nt + n];
    }
    for (int n = 0; n < d_nt; n++)
        std::fill_n(
            windowed + size_t(n) * d_bins + d_nc, d_bins - d_nc, std::complex<float>(0));
    d_to_delay.run(windowed, delay);
    std::fill_n(profile, d_bins, 0.0f);
    for (int n = 0; n < d_nt; n++, delay += d_bins)
        for (int r = 0; r < d_bins; r++)
            profile[r] +=
                delay[r].real() * delay[r].real() + delay[r].imag() * delay[r].imag();
}

float first_path(const float* profile, int count, float threshold, float least)
{
    const int strongest = std::max_element(profile, profile + count) - profile;
    if (!(profile[strongest] > 0))
        return 0;
    least = std::max(profile[strongest] * threshold, least);
    const auto at = [&](int r) { return profile[((r % count) + count) % count]; };
    // Delays are known modulo the profile's length: what comes up to half of that before
    // the strongest path is early.
    int first = strongest;
    for (int r = strongest - count / 2 + 1; r < strongest; r++) {
        if (at(r) >= least && at(r) >= at(r - 1) && at(r) >= at(r + 1)) {
            first = r;
            break;
        }
    }
    // Vertex of the parabola through the logarithms around the peak: the window's
    // main lobe is close to a Gaussian.
    const float floor = std::numeric_limits<float>::min();
    const float a = std::log(std::max(at(first - 1), floor)),
                b = std::log(std::max(at(first), floor)),
                c = std::log(std::max(at(first + 1), floor));
    const float curvature = a - 2 * b + c;
    float shift = first;
    if (curvature < 0)
        shift += std::min(0.5f, std::max(-0.5f, 0.5f * (a - c) / curvature));
    return shift > count / 2 ? shift - count : shift;
}

} // namespace csifeedback
} // namespace gr
