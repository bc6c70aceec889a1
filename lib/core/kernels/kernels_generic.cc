/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#define CSIFEEDBACK_LANES 4
#include "kernels/kernels_impl.h"

namespace gr {
namespace csifeedback {

extern const kernel_table kernels_generic;
const kernel_table kernels_generic = ::table("generic");

} // namespace csifeedback
} // namespace gr
