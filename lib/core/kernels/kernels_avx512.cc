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
const kernel_table kernels_avx512 = { "avx512",
                                      ::gemv,
                                      ::add_rows,
                                      ::gemv_complex,
                                      ::add_rows_complex,
                                      ::add_chosen_rows,
                                      ::add_chosen_rows_complex,
                                      ::sum_of_products,
                                      ::soft_threshold_step,
                                      ::gemm,
                                      ::add_dot_products,
                                      ::soft_threshold_top,
                                      ::lstm,
                                      ::l2o_update,
                                      ::l2o_momentum,
                                      ::l2o_momentum_by_element,
                                      ::soft_threshold_each,
                                      ::quarter_turn,
                                      ::add_complex_parts };

} // namespace csifeedback
} // namespace gr
