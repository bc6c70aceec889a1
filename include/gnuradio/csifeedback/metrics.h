/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_METRICS_H
#define INCLUDED_CSIFEEDBACK_METRICS_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

//! Mean of a set of values with the half width of its 95 % confidence interval.
struct CSIFEEDBACK_API mean_estimate {
    uint64_t count = 0;    //!< number of values
    double mean = 0;       //!< their mean
    double half_width = 0; //!< 1.96 standard errors of the mean
};

//! Running mean and variance (Welford).
class CSIFEEDBACK_API running_mean
{
public:
    void add(double x);
    mean_estimate estimate() const;
    void reset();

private:
    uint64_t d_count = 0;
    double d_mean = 0;
    double d_m2 = 0;
};

/*!
 * \brief ||h - h_hat||^2 / ||h||^2 of one matrix; NMSE is the mean of this ratio.
 * \param h     n values
 * \param h_hat n values
 * \param n     number of values
 * \return the ratio; infinite if h is zero and h_hat is not, NaN if both are zero
 */
CSIFEEDBACK_API double squared_error_ratio(const std::complex<float>* h,
                                           const std::complex<float>* h_hat,
                                           size_t n);

/*!
 * \brief Mean over the rows of |h_hat_k h_k^H| / (||h_hat_k|| ||h_k||), the rho of the
 * CSI feedback papers when the rows are subcarriers. Rows in which either is zero count
 * as 0.
 * \param h     rows x nt, row-major
 * \param h_hat rows x nt, row-major
 * \param rows  number of rows
 * \param nt    antenna ports
 * \return rho, [0, 1]; NaN if a value is NaN
 */
CSIFEEDBACK_API double cosine_similarity(const std::complex<float>* h,
                                         const std::complex<float>* h_hat,
                                         size_t rows,
                                         size_t nt);

/*!
 * \brief Squared generalized cosine similarity (SGCS) of precoders, layer by layer: the
 * mean over the subbands of |v^H w|^2 / (|v|^2 |w|^2), where v and w are the columns of
 * the layer. Subbands in which either is zero count as 0.
 * \param v          subbands x nt x rank, row-major: the eigenvectors
 * \param w          subbands x nt x rank, row-major: the reported precoders
 * \param subbands   number of subbands, 1 or more
 * \param nt         antenna ports
 * \param rank       layers
 * \param similarity output, rank values, [0, 1]; NaN if a value is NaN
 */
CSIFEEDBACK_API void sgcs(const std::complex<float>* v,
                          const std::complex<float>* w,
                          size_t subbands,
                          size_t nt,
                          size_t rank,
                          double* similarity);

/*!
 * \brief The value below which a percentage of all values lies, as in numpy.percentile().
 * \param x       n values without NaN
 * \param n       number of values
 * \param percent 0 to 100
 * \return interpolated between the two nearest values; NaN if n is 0
 */
CSIFEEDBACK_API double percentile(const double* x, size_t n, double percent);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_METRICS_H */
