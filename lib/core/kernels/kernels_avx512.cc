/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#define CSIFEEDBACK_LANES 16
#include "kernels/kernels_impl.h"

namespace gr {
namespace csifeedback {

extern const kernel_table kernels_avx512;
const kernel_table kernels_avx512 = ::table("avx512");

} // namespace csifeedback
} // namespace gr
