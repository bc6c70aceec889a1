/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// All kernels and their table, for one instruction set; the rules of registers.h hold.

#include "kernels/complex_linear_algebra_impl.h"
#include "kernels/convolution_impl.h"
#include "kernels/linear_algebra_impl.h"
#include "kernels/local_weights_impl.h"
#include "kernels/lstm_impl.h"
#include "kernels/shrinkage_impl.h"

#include "kernels/path_impl.h"

namespace {

constexpr gr::csifeedback::kernel_table table(const char* name)
{
    return { name,
             gemv,
             energy,
             add_rows,
             gemv_complex,
             add_rows_complex,
             add_chosen_rows,
             add_chosen_rows_complex,
             sum_of_products,
             soft_threshold_step,
             gemm,
             sparse_gemm,
             add_dot_products,
             soft_threshold_top,
             lstm,
             l2o_update,
             l2o_momentum,
             l2o_momentum_by_element,
             soft_threshold_each,
             quarter_turn,
             add_complex_parts,
             squared_distances,
             select_smallest,
             difference_products,
             local_systems,
             bilinear,
             bilinear_jet,
             add_outer,
             cubics,
             largest_powers,
             fir,
             add_integers,
             phase_analysis,
             phase_synthesis };
}

} // namespace
