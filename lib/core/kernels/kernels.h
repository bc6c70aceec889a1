/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_H
#define INCLUDED_CSIFEEDBACK_KERNELS_H

#include <gnuradio/csifeedback/api.h>
#include <cstddef>

namespace gr {
namespace csifeedback {

// Inner loops that VOLK 2.5 lacks, built for several instruction sets with the choice
// made when the library is loaded (function multiversioning), so that portable binaries
// are fast. Pointers need no alignment; rows of 64-byte multiples are fastest.

/*!
 * \brief y = W x.
 * \param w    rows x cols, row-major
 * \param x    cols values
 * \param y    output, rows values
 */
CSIFEEDBACK_API void
gemv(const float* w, const float* x, float* y, size_t rows, size_t cols);

/*!
 * \brief y = W^T x.
 * \param w    rows x cols, row-major
 * \param x    rows values
 * \param y    output, cols values
 */
CSIFEEDBACK_API void
gemv_transposed(const float* w, const float* x, float* y, size_t rows, size_t cols);

/*!
 * \brief One proximal gradient step: out = soft(y - step g, threshold), where
 * soft(u, t) = sign(u) max(|u| - t, 0). A NaN stays a NaN.
 * \param y         n values
 * \param g         n values
 * \param step      factor of g
 * \param threshold t >= 0
 * \param out       output, n values; may be y
 * \param n         number of values
 */
CSIFEEDBACK_API void soft_threshold_step(
    const float* y, const float* g, float step, float threshold, float* out, size_t n);

/*!
 * \brief y += a x.
 * \param x n values
 * \param a factor
 * \param y n values, changed
 * \param n number of values
 */
CSIFEEDBACK_API void add_scaled(const float* x, float a, float* y, size_t n);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_H */
