/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SHORT_VECTORS_H
#define INCLUDED_CSIFEEDBACK_SHORT_VECTORS_H

#include <cstddef>

namespace gr {
namespace csifeedback {

//! The sum of a_i b_i over n values, a multiple of 16. Written so that compilers use
//! vectors; a call of VOLK takes longer for some 32 values.
inline float dot(const float* a, const float* b, size_t n)
{
    float sum[16] = {};
    for (size_t i = 0; i < n; i += 16)
        for (size_t k = 0; k < 16; k++)
            sum[k] += a[i + k] * b[i + k];
    for (size_t k = 8; k; k /= 2)
        for (size_t i = 0; i < k; i++)
            sum[i] += sum[i + k];
    return sum[0];
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SHORT_VECTORS_H */
