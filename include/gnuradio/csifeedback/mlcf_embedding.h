/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MLCF_EMBEDDING_H
#define INCLUDED_CSIFEEDBACK_MLCF_EMBEDDING_H

#include <gnuradio/csifeedback/api.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Samples in a space of fewer dimensions, as required for training MLCF.
 *
 * The first dimensions of an embedding are the embedding in fewer dimensions (except for
 * LTSA, which then has other tangent spaces). Every dimension has mean zero, and a sign
 * that makes its entry of largest magnitude positive.
 */
struct mlcf_embedding {
    std::vector<float> y;       //!< n x dimensions, one sample per row
    std::vector<double> values; //!< the eigenvalue of every dimension
};

/*!
 * \brief Principal components: y = U' (x - mean), each with its own variance (over n
 * samples, divided by n), which is its eigenvalue.
 *
 * \param samples    n x dim floats, one sample per row, finite
 * \param dim        values of a sample, > 0
 * \param dimensions 1 to dim
 * \throws std::invalid_argument if a parameter is out of range, or the samples span fewer
 * dimensions
 */
CSIFEEDBACK_API mlcf_embedding pca_embedding(const std::vector<float>& samples,
                                             int dim,
                                             int dimensions);

/*!
 * \brief Locally linear embedding (Roweis and Saul, 2000), every dimension with
 * variance 1.
 *
 * The eigenvectors of (I - W)' (I - W) with the smallest eigenvalues, except the constant
 * one. Row i of W has the weights with which the nearest neighbours of x_i best add up to
 * x_i, with 1e-3 of the trace added to the diagonal of their Gram matrix. Needs 8 n^2
 * bytes of memory.
 *
 * \param samples    n x dim floats, one sample per row, finite
 * \param dim        values of a sample, > 0
 * \param dimensions 1 to n - 2
 * \param neighbours 1 to n - 1
 * \param threads    1 to 256; 0: as many as the machine runs concurrently
 * \throws std::invalid_argument if a parameter is out of range
 * \throws std::runtime_error if the eigenvectors are not found
 */
CSIFEEDBACK_API mlcf_embedding lle_embedding(const std::vector<float>& samples,
                                             int dim,
                                             int dimensions,
                                             int neighbours,
                                             int threads);

/*!
 * \brief Local tangent space alignment (Zhang and Zha, 2004), every dimension with
 * variance 1.
 *
 * The eigenvectors with the smallest eigenvalues, except the constant one, of the matrix
 * that measures how far an embedding is from a linear map of each sample's neighbours in
 * their tangent space, which has as many dimensions as the embedding. Needs 8 n^2 bytes
 * of memory. Exceptions are those of lle_embedding().
 *
 * \param samples, dim, threads as for lle_embedding()
 * \param dimensions 1 to n - 2, less than neighbours
 * \param neighbours 2 to n - 1
 */
CSIFEEDBACK_API mlcf_embedding ltsa_embedding(const std::vector<float>& samples,
                                              int dim,
                                              int dimensions,
                                              int neighbours,
                                              int threads);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MLCF_EMBEDDING_H */
