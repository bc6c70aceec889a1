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
 * \brief Precoding vectors of K users with one antenna each, from their channels on one
 * subcarrier.
 *
 * User k receives y_k = h_k sum_j w_j x_j + noise, h_k being a row of nt entries of its
 * matrix H. With the rows h_k / ||h_k|| stacked to A (K x nt):
 *
 * - "zero-forcing": the columns of A^H (A A^H)^-1, each scaled to unit norm. This is
 *   eigen zero-forcing: that takes the dominant right singular vector v_k of the channel
 *   of each user, V (V^H V)^-1 with V = [v_1 ... v_K], and the channel of a user with one
 *   antenna is a single row, of which v_k = h_k^H / ||h_k||.
 * - "regularized-zero-forcing": the columns of A^H (A A^H + loading I)^-1, likewise. For
 *   users that each receive the power g from a vector of unit norm in the direction of
 *   their channel, in noise of the power 1 and with the power P / K for each of them, the
 *   loading of the least mean squared error is K / (P g).
 * - "maximum-ratio": the columns of A^H.
 *
 * A row of zeros, CSI that is not known, gets a vector of zeros: the user is not served.
 * Where rows depend on each other the pseudo-inverse takes the place of the inverse:
 * users with the same row share one vector.
 *
 * An object holds work space: it is not for two threads at once.
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
     * \param loading of "regularized-zero-forcing" alone, 0 to 1e12
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr
    make(int users, int nt, const std::string& type = "zero-forcing", double loading = 1);
    virtual ~precoder() = default;

    virtual int users() const = 0;
    virtual int nt() const = 0;
    /*!
     * \brief Another loading from now on; other types than "regularized-zero-forcing" do
     * not mind.
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
