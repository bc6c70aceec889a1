/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LOCAL_WEIGHTS_H
#define INCLUDED_CSIFEEDBACK_LOCAL_WEIGHTS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The k nearest landmarks of a sample and the weights that add up to it best, MLCF
 * eqs. (22) and (33).
 *
 * w = A^-1 e / (e' A^-1 e) with A = R + lambda phi(R) + diag(extra) + (eps trace(R)/k) I,
 * R_ij = (x - d_i)'(x - d_j), phi(R) its diagonal and eps = 1e-6: the weights with sum
 * one for which w' A w is least. Where trace(R)/k is below 1e-30, or above 1e30, they are
 * uniform.
 *
 * Samples are the columns of a row-major matrix, as in h_vec and in codewords. Landmarks
 * are ordered by distance, and by number where equal. Nothing is allocated after
 * construction. Not for two threads at once.
 */
class local_weights
{
public:
    /*!
     * \param landmarks count x dim floats, row-major, finite
     * \param count     landmarks, at least 1
     * \param dim       at least 1
     * \param k         nearest landmarks that are taken, 1 to count
     * \param lambda    0 or more, finite
     */
    local_weights(const float* landmarks, int count, int dim, int k, float lambda);

    //! Other landmarks of the same sizes.
    void set_landmarks(const float* landmarks);

    /*!
     * \brief Finds neighbours and weights.
     * \param x        dim x columns floats, row-major
     * \param columns  any number of samples
     * \param extra    a value of 0 or more for every landmark (training: mu g_jj), or
     *                 null: zeros. A landmark's weight vanishes as it goes to infinity.
     * \param index    output, columns x k numbers of landmarks, nearest first
     * \param weight   output, columns x k weights
     * \param value    output, columns values w' A w, or null
     * \param residual output, columns values ||x - D w||^2, or null
     */
    void solve(const float* x,
               int columns,
               const float* extra,
               int32_t* index,
               float* weight,
               float* value,
               float* residual);

    //! The same for given neighbours: index holds columns x k different numbers.
    void solve_given(const float* x,
                     int columns,
                     const float* extra,
                     const int32_t* index,
                     float* weight,
                     float* value);

    int count() const { return d_count; }
    int dim() const { return d_dim; }
    int neighbours() const { return d_k; }

private:
    void solve_blocks(const float* x,
                      int columns,
                      const float* extra,
                      const int32_t* given,
                      int32_t* index,
                      float* weight,
                      float* value,
                      float* residual);
    void load_sample(size_t lane);
    void solve_block(const float* extra, size_t n);
    void solve_exactly(const float* extra, size_t lane);
    float residual(size_t lane);

    const size_t d_count, d_dim, d_k;
    const size_t d_stride; // of a landmark, zeros at the end
    const float d_lambda;
    std::vector<float> d_landmarks;
    std::vector<float> d_between; // squared distances, count x count

    // Of a block of samples.
    std::vector<float> d_x;
    std::vector<float> d_distances; // from all landmarks
    std::vector<int32_t> d_index;   // in the order of the result
    std::vector<float> d_nearest;   // distances from those
    std::vector<int32_t> d_slots;   // with the one that the others refer to first
    std::vector<float> d_ridge, d_products, d_weights;
    std::vector<float> d_half, d_mean, d_pivot;
    std::vector<size_t> d_first; // which one came first in d_slots

    // Of one sample.
    std::vector<float> d_sample, d_difference;
    std::vector<float> d_dense; // weights of all landmarks, zero but in between
    std::vector<uint32_t> d_rows;
    std::vector<double> d_differences, d_matrix, d_solution;

    std::vector<float> d_scratch;
    std::vector<int32_t> d_order;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LOCAL_WEIGHTS_H */
