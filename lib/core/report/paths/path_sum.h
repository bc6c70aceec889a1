/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_SUM_H
#define INCLUDED_CSIFEEDBACK_PATH_SUM_H

#include "report/paths/dirichlet_axis.h"
#include <volk/volk_alloc.hh>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief The sum of all paths of a report, whose gains are those of path_basis.
 *
 * path_basis makes the orthonormal matrices one after the other, since the UE chooses
 * while it goes on. The BS knows all paths at once, so it decomposes the matrix of their
 * products, U' U (Cholesky), and solves U x = y for the gains x of the paths.
 *
 * Nothing is allocated once an object is made.
 */
class path_sum
{
public:
    path_sum(std::shared_ptr<const dirichlet_axis> rows,
             std::shared_ptr<const dirichlet_axis> columns,
             int max_paths);

    //! Begins a sum of `count` paths, up to max_paths.
    void start(int count);
    //! States path k; all have to be stated.
    void set(int k, float delay, float angle);
    /*!
     * \brief Gains of the paths, of those of the orthonormal matrices.
     *
     * A path that adds less than path_basis::min_norm to those before it has none.
     * \param re, im   a value for each path
     * \param x_re, x_im output, likewise
     */
    void gains(const float* re, const float* im, float* x_re, float* x_im);
    /*!
     * \brief The sum of all matrices times their gains.
     * \param re, im as of gains()
     * \param h      output, rows of real and then imaginary parts
     */
    void sum(const float* re, const float* im, float* h);

private:
    const std::shared_ptr<const dirichlet_axis> d_rows, d_columns;
    const size_t d_max; // in whole registers
    size_t d_count = 0, d_stride = 0;
    // Vectors of the paths, a row each, and the same with a column for each.
    volk::vector<float> d_s, d_a, d_s_columns, d_a_columns;
    volk::vector<float> d_factor, d_products; // U, and some rows of products of angles
    volk::vector<float> d_unit, d_scale;      // 1 / U_kk or 0, and a column of U
    volk::vector<float> d_x, d_z;             // gains of the paths, and rows times them

    void decompose();
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_SUM_H */
