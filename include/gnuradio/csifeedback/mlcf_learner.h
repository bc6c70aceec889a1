/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MLCF_LEARNER_H
#define INCLUDED_CSIFEEDBACK_MLCF_LEARNER_H

#include <gnuradio/csifeedback/api.h>
#include <cstdint>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Landmarks of a set of samples: Algorithm 1 of MLCF (Cao et al., 2024).
 *
 * Minimizes eq. (16), the error of every sample x_i as a sum of its k nearest landmarks
 * d_j with weights w_ji that sum to one,
 *
 *     sum_i ( ||x_i - sum_j w_ji d_j||^2 + lambda sum_j w_ji^2 ||x_i - d_j||^2 )
 *         + mu sum_j ||w_j*||,
 *
 * alternately over the landmarks, eq. (19), one after the other, and over the weights,
 * eq. (22).
 *
 * The paper's Theorem 3, that every iteration lowers (16), holds as long as a sample
 * keeps its neighbours. If the k nearest landmarks have changed, the weights for the
 * former ones are also computed, and each sample takes whichever gives the lowest value,
 * its former weights included. Then (16) never rises, whatever the data, except for a
 * rounding error of 1e-10.
 *
 * mu is absolute: samples should have about unit power per entry. Sums are in double
 * precision. Results do not depend on the number of threads. Do not use one object from
 * two threads at once.
 */
class CSIFEEDBACK_API mlcf_learner
{
public:
    using sptr = std::shared_ptr<mlcf_learner>;

    //! Everything that iterate() continues from.
    struct state {
        int iterations = 0;
        std::vector<double> landmarks; //!< count x dim
        std::vector<int32_t> index;    //!< samples x k, the neighbours
        std::vector<float> weight;     //!< samples x k
    };

    /*!
     * \brief Takes random samples as landmarks, distinct ones as far as possible, and the
     * weights of eq. (22) with mu = 0.
     * \param samples    n x dim floats, one sample per row, finite
     * \param dim        values of a sample, > 0
     * \param landmarks  number of landmarks L, 1 to n
     * \param neighbours k, 1 to L
     * \param lambda     weight of the distances, >= 0
     * \param mu         weight of the norms of the rows of W, >= 0
     * \param seed       of the random choice
     * \param threads    1 to 256; 0: as many as the machine runs concurrently
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(const std::vector<float>& samples,
                     int dim,
                     int landmarks,
                     int neighbours,
                     float lambda,
                     float mu,
                     uint64_t seed,
                     int threads);
    virtual ~mlcf_learner() = default;

    //! One iteration; returns objective().
    virtual double iterate() = 0;
    //! Eq. (16) for the current landmarks and weights, divided by the number of samples.
    virtual double objective() const = 0;
    //! Number of iterations so far.
    virtual int iterations() const = 0;
    virtual int samples() const = 0;
    virtual int dim() const = 0;
    virtual int neighbours() const = 0;

    /*!
     * \brief The landmarks, L' x dim floats, except those for which samples have no
     * weights (||w_j*|| up to 1e-3 of the root mean square of all).
     *
     * The omitted ones have no counterpart in the other space. L' may be less than k.
     */
    virtual std::vector<float> landmarks() const = 0;

    /*!
     * \brief The landmarks' counterparts in another space: Y W^T (W W^T)^-1, eq. (24).
     *
     * Solved by Cholesky decomposition, with 1e-10 of the mean of the diagonal added to
     * it.
     * \param y   the samples in that space, n x dim floats, one sample per row, finite
     * \param dim values of each of these samples, > 0
     * \returns L' x dim floats, for landmarks()
     * \throws std::invalid_argument if y does not fit
     * \throws std::runtime_error if W W^T is singular
     */
    virtual std::vector<float> fit(const std::vector<float>& y, int dim) const = 0;

    virtual state get_state() const = 0;
    /*!
     * \brief Continues from the state of a learner with the same samples and parameters.
     * \throws std::invalid_argument if the state does not fit
     */
    virtual void set_state(const state& s) = 0;
};

/*!
 * \brief Maps samples to another space by landmarks and their counterparts there,
 * eqs. (33) and (34), or (36): what the codec does with every column of a matrix.
 * \param landmarks  count x dim floats, one landmark per row
 * \param images     count x image_dim floats, their counterparts
 * \param dim        values of a sample
 * \param image_dim  values of its image
 * \param samples    n x dim floats, one sample per row
 * \param neighbours k, 1 to count
 * \param lambda     weight of the distances, >= 0
 * \param threads    1 to 256; 0: as many as the machine runs concurrently
 * \returns n x image_dim floats
 * \throws std::invalid_argument if a parameter is out of range
 */
CSIFEEDBACK_API std::vector<float> mlcf_transfer(const std::vector<float>& landmarks,
                                                 int dim,
                                                 const std::vector<float>& images,
                                                 int image_dim,
                                                 const std::vector<float>& samples,
                                                 int neighbours,
                                                 float lambda,
                                                 int threads);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MLCF_LEARNER_H */
