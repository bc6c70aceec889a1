/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SUBBAND_EIGENVECTORS_H
#define INCLUDED_CSIFEEDBACK_SUBBAND_EIGENVECTORS_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief Dominant eigenvectors of the covariance of each subband: the best precoders.
 *
 * The covariance of a subband is the sum of h^H h over its rows and receive antennas,
 * where h is a row of nt values; its eigenvectors are the dominant right singular vectors
 * of the stacked rows. Row k of `rows` belongs to subband floor(k subbands / rows).
 *
 * An object holds workspace: do not use it from two threads at once.
 */
class CSIFEEDBACK_API subband_eigenvectors
{
public:
    typedef std::shared_ptr<subband_eigenvectors> sptr;

    /*!
     * \brief Makes the object.
     * \param subbands number of subbands, 1 to 65536
     * \param nt       antenna ports, 1 to 1024
     * \param rank     number of eigenvectors, 1 to min(nt, 64)
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(int subbands, int nt, int rank);
    virtual ~subband_eigenvectors() = default;

    virtual int subbands() const = 0;
    virtual int nt() const = 0;
    virtual int rank() const = 0;
    /*!
     * \brief Computes the eigenvectors.
     * \param h     finite, rows x nr x nt, row-major
     * \param rows  subcarriers or resource blocks, at least subbands()
     * \param nr    receive antennas, 1 or more
     * \param v     output, subbands x nt x rank, row-major: columns of unit norm, largest
     *              eigenvalue first, and columns of zeros if there are fewer nonzero
     *              eigenvalues; their phases are arbitrary
     * \param power output, subbands x rank: the eigenvalues; may be null
     */
    virtual void compute(const std::complex<float>* h,
                         int rows,
                         int nr,
                         std::complex<float>* v,
                         float* power = nullptr) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SUBBAND_EIGENVECTORS_H */
