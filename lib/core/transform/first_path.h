/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FIRST_PATH_H
#define INCLUDED_CSIFEEDBACK_FIRST_PATH_H

#include <complex>

namespace gr {
namespace csifeedback {

/*!
 * \brief The power at each delay, of all antennas together, under a Hann window over the
 * subcarriers.
 * \param delay   nt x nc, delay fastest: inverse DFTs over the subcarriers
 * \param profile output, nc values
 */
void delay_profile(const std::complex<float>* delay, int nc, int nt, float* profile);

/*!
 * \brief The delay of the earliest path in rows and fractions, -nc / 2 to nc / 2.
 * \param profile   nc values from delay_profile()
 * \param threshold the earliest path is the first one of at least this part of the
 *                  strongest one's power
 * \param least     and at least this power
 */
float first_path(const float* profile, int nc, float threshold, float least = 0);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FIRST_PATH_H */
