/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#define CSIFEEDBACK_LANES 8
#include "kernels/kernels_impl.h"

namespace gr {
namespace csifeedback {

extern const kernel_table kernels_avx2;
const kernel_table kernels_avx2 = ::table("avx2");

} // namespace csifeedback
} // namespace gr
