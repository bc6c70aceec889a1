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
const kernel_table kernels_avx2 = { "avx2",
                                    ::gemv,
                                    ::add_rows,
                                    ::gemv_complex,
                                    ::add_rows_complex,
                                    ::add_chosen_rows,
                                    ::add_chosen_rows_complex,
                                    ::sum_of_products,
                                    ::soft_threshold_step };

} // namespace csifeedback
} // namespace gr
