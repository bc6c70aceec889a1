/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PRECODER_H
#define INCLUDED_CSIFEEDBACK_PRECODER_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief Precoding vectors for K users with one antenna each, from their channels on one
 * subcarrier.
 *
 * User k receives y_k = h_k sum_j w_j x_j + noise, where h_k is a row of nt entries of
 * its matrix H. With the rows h_k / ||h_k|| stacked to A (K x nt):
 *
 * - "zero-forcing": the columns of A^H (A A^H)^-1, each scaled to unit norm. This is
 *   eigen zero-forcing, V (V^H V)^-1 with V = [v_1 ... v_K], where v_k is the dominant
 *   right singular vector of the channel of user k: with one antenna per user the channel
 *   is a single row, and v_k = h_k^H / ||h_k||.
 * - "regularized-zero-forcing": the columns of A^H (A A^H + loading I)^-1, each scaled to
 *   unit norm. If each user receives the power g from a unit-norm vector in the direction
 *   of its channel, with a noise power of 1 and the transmit power P / K per user, the
 *   loading with the least mean squared error is K / (P g).
 * - "maximum-ratio": the columns of A^H.
 *
 * A row of zeros, CSI that is not known, gets a vector of zeros: the user is not served.
 * If rows are linearly dependent, the pseudo-inverse replaces the inverse: users with the
 * same row share one vector.
 *
 * An object holds workspace: do not use it from two threads at once.
 */
class CSIFEEDBACK_API precoder
{
public:
    typedef std::shared_ptr<precoder> sptr;

    /*!
     * \brief Makes a precoder.
     * \param users   K, 1 to 64
     * \param nt      antenna ports, 1 to 1024
     * \param type    "zero-forcing", "regularized-zero-forcing" or "maximum-ratio"
     * \param loading for "regularized-zero-forcing" only, 0 to 1e12
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr
    make(int users, int nt, const std::string& type = "zero-forcing", double loading = 1);
    virtual ~precoder() = default;

    virtual int users() const = 0;
    virtual int nt() const = 0;
    /*!
     * \brief Sets another loading from now on; types other than
     * "regularized-zero-forcing" ignore it.
     * \throws std::invalid_argument if it is out of range
     */
    virtual void set_loading(double loading) = 0;
    /*!
     * \brief Computes the vectors, without allocating memory.
     * \param h K pointers to rows of nt finite values
     * \param w output, K x nt values: w[k nt + n] is the weight of port n for user k; the
     *          norm of each row is 1, or 0 for a user that is not served
     */
    virtual void compute(const std::complex<float>* const* h, std::complex<float>* w) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PRECODER_H */
