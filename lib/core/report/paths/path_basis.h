/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_BASIS_H
#define INCLUDED_CSIFEEDBACK_PATH_BASIS_H

#include "report/paths/dirichlet_axis.h"
#include <volk/volk_alloc.hh>
#include <cstdint>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief Orthonormal versions of paths in the order in which they are sent: each path
 * less its projection on those before it.
 *
 * Gains of the orthonormal matrices are independent of each other, so the errors of their
 * quantization add up and no more. Both ends compute the same ones from the positions, the
 * BS all at once (path_sum).
 */
class path_basis
{
public:
    path_basis(std::shared_ptr<const dirichlet_axis> rows,
               std::shared_ptr<const dirichlet_axis> columns,
               int max_paths);

    //! Squared norm that a path must have beyond those before it.
    static constexpr float min_norm = 1e-3f;

    int size() const { return d_size; }
    //! Multiply-adds of prepare(), project() and accept() so far.
    uint64_t operations() const { return d_operations; }
    //! Takes the last ones away.
    void resize(int size) { d_size = size; }

    /*!
     * \brief Prepares a path as the next one.
     * \return the squared norm that it has beyond those before it
     */
    float prepare(float delay, float angle);
    //! Vectors of the path that was prepared.
    const float* s() const { return &d_s[d_size * d_rows->stride()]; }
    const float* a() const { return &d_a[d_size * d_columns->stride()]; }
    /*!
     * \brief Gain of its orthonormal matrix.
     * \param correlation of the path with a matrix; becomes the gain
     * \param gains       of those before it, all real and all imaginary parts
     */
    void project(float* correlation, const float* re, const float* im) const;
    //! Adds it. The matrix of one that is below min_norm is zero.
    void accept();

private:
    const std::shared_ptr<const dirichlet_axis> d_rows, d_columns;
    const size_t d_max;
    int d_size = 0;
    float d_norm = 0;
    mutable uint64_t d_operations = 0;
    // Vectors of the paths, a row each, and the matrices as sums of the paths.
    volk::vector<float> d_s, d_a, d_inverse;
    // Products of the path that was prepared with the paths and with the matrices.
    volk::vector<float> d_gram, d_products;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_BASIS_H */
