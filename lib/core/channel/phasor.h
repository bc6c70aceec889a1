/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PHASOR_H
#define INCLUDED_CSIFEEDBACK_PHASOR_H

#include <complex>
#include <cstdint>
#include <cstring>

namespace gr {
namespace csifeedback {

/*!
 * \brief exp(j 2 pi turns), to 2e-15.
 *
 * Without branches and calls, several times faster than std::polar, and exact at
 * multiples of a quarter turn.
 * \param turns finite, below 1e15 in magnitude
 */
inline std::complex<double> phasor(double turns)
{
    // Adding 1.5 * 2^52 rounds to an integer and leaves its low bits in the mantissa.
    constexpr double round = 6755399441055744.0;
    const double shifted = 4 * turns + round;
    uint64_t quarters;
    std::memcpy(&quarters, &shifted, sizeof(quarters));
    // At most an eighth of a turn is left: Taylor series in the square of the angle.
    const double x = 6.283185307179586 * (turns - 0.25 * (shifted - round)), y = x * x;
    constexpr double cosine[] = {
        1,          -1. / 2,       1. / 24,        -1. / 720,
        1. / 40320, -1. / 3628800, 1. / 479001600, -1. / 87178291200.
    };
    constexpr double sine[] = {
        1,           -1. / 6,        1. / 120,         -1. / 5040,
        1. / 362880, -1. / 39916800, 1. / 6227020800., -1. / 1307674368000.
    };
    double c = 0, s = 0;
    for (int i = 7; i >= 0; i--) {
        c = c * y + cosine[i];
        s = s * y + sine[i];
    }
    s *= x;
    static constexpr double turned[5] = { 1, 0, -1, 0, 1 }; // cosines of the quarters
    const double a = turned[quarters & 3], b = turned[(quarters & 3) + 1];
    return { a * c + b * s, a * s - b * c };
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PHASOR_H */
