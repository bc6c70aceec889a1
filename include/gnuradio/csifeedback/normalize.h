/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_NORMALIZE_H
#define INCLUDED_CSIFEEDBACK_NORMALIZE_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

/*!
 * \brief Turns Ha into h_vec: splits it into real and imaginary parts and removes the
 * gain.
 *
 * \param ha    n = na * nt complex values, row-major
 * \param n     number of values, > 0
 * \param h_vec output, 2 n floats: real parts, then imaginary parts, with squared norm n
 * \return the gain 10 log10(mean |ha|^2) in dB, from about -980 to 774 dB: any matrix of
 *         finite floats has one. NaN, with h_vec unspecified, if a value is not finite or
 *         if all are zero. Feedback frames carry min_gain_db to max_gain_db.
 */
CSIFEEDBACK_API float
normalize_csi(const std::complex<float>* ha, size_t n, float* h_vec);

/*!
 * \brief The inverse of normalize_csi().
 * \param h_vec   2 n floats, as from a decoder, whose squared norm is a finite float
 * \param n       number of complex values
 * \param gain_db gain to restore, in dB, not NaN
 * \param ha      output, n complex values, all finite: values beyond the range of a float
 *                become its largest number
 */
CSIFEEDBACK_API void
denormalize_csi(const float* h_vec, size_t n, float gain_db, std::complex<float>* ha);

//! Whether a gain in dB can be that of a matrix of floats, -1000 to 780; false for NaN.
inline bool is_gain(float gain_db) { return gain_db >= -1000 && gain_db <= 780; }

//! Gain of one step of the 16-bit gain field of a feedback frame, in dB.
constexpr float gain_step_db = 1.0f / 128;
//! Gain of code 0 of that field, in dB.
constexpr float min_gain_db = -256.0f;
//! Gain of code 65535 of that field, in dB: almost 256 dB.
constexpr float max_gain_db = min_gain_db + 65535 * gain_step_db;

//! Nearest code of a gain in dB, limited to 0..65535; 0 for NaN.
CSIFEEDBACK_API uint16_t gain_to_code(float gain_db);
//! Gain in dB of a code.
CSIFEEDBACK_API float gain_from_code(uint16_t code);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_NORMALIZE_H */
