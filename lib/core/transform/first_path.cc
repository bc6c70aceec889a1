/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "transform/first_path.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

void delay_profile(const std::complex<float>* delay, int nc, int nt, float* profile)
{
    // A Hann window over the subcarriers, in the delay domain: its side lobes are 31
    // dB down, those of the plain DFT (13 dB) would pass for paths.
    std::fill_n(profile, nc, 0.0f);
    for (int n = 0; n < nt; n++) {
        const std::complex<float>* d = delay + size_t(n) * nc;
        for (int r = 0; r < nc; r++) {
            const std::complex<float> before = d[r ? r - 1 : nc - 1],
                                      after = d[r + 1 < nc ? r + 1 : 0];
            profile[r] += std::norm(d[r] - 0.5f * (before + after));
        }
    }
}

float first_path(const float* profile, int nc, float threshold, float least)
{
    const int strongest = std::max_element(profile, profile + nc) - profile;
    if (!(profile[strongest] > 0))
        return 0;
    least = std::max(profile[strongest] * threshold, least);
    const auto at = [&](int r) { return profile[((r % nc) + nc) % nc]; };
    // Delays are known modulo nc rows: what comes up to half of that before the
    // strongest path is early.
    int first = strongest;
    for (int r = strongest - nc / 2 + 1; r < strongest; r++) {
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
    return shift > nc / 2 ? shift - nc : shift;
}

} // namespace csifeedback
} // namespace gr
