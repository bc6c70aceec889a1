/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LAYER_GRAM_H
#define INCLUDED_CSIFEEDBACK_LAYER_GRAM_H

#include <complex>

namespace gr {
namespace csifeedback {

/*!
 * \brief G = I + sum of scale y y^H of small vectors: what rates and SINR of a receiver of
 * several layers or antennas are made of.
 *
 * With the rows of H W as y, scale being the SNR, log2 det G is the rate of all layers and
 * 1 / (G^-1)_ll - 1 the SINR of layer l behind an MMSE receiver. With what the antennas
 * receive of each stream of others as y, G is the covariance of interference and noise, and
 * y^H G^-1 y the SINR of one's own y.
 */
class layer_gram
{
public:
    static constexpr int max_size = 8;

    //! size: of the vectors, 1 to max_size.
    explicit layer_gram(int size);
    //! Adds scale y y^H.
    void add(const std::complex<double>* y, double scale);
    /*!
     * \brief Computes the Cholesky factor, in place of G.
     * \return log2 det G
     */
    double factorize();
    //! After factorize(): element (l, l) of G^-1.
    double inverse_diagonal(int l) const;
    //! After factorize(): y^H G^-1 y.
    double inverse_form(const std::complex<double>* y) const;

private:
    const int d_size;
    std::complex<double> d_gram[max_size][max_size]; // the lower half
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LAYER_GRAM_H */
