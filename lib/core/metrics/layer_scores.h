/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LAYER_SCORES_H
#define INCLUDED_CSIFEEDBACK_LAYER_SCORES_H

#include <gnuradio/csifeedback/subband_eigenvectors.h>
#include <volk/volk_alloc.hh>
#include <complex>
#include <cstddef>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Rows of which figures of subbands are made: all of nc, or eight evenly spaced ones
 * of each subband. Row k is of subband floor(k subbands / nc).
 */
std::vector<size_t> rows_of_subbands(size_t nc, size_t subbands);

/*!
 * \brief SGCS of the dominant eigenvectors of subbands of matrices nc x nt.
 *
 * An object holds work space: it is not for two threads at once.
 */
class subband_similarity
{
public:
    //! nc, nt, subbands: 1 or more; with fewer subcarriers than subbands each is one.
    subband_similarity(size_t nc, int nt, int subbands);

    //! SGCS of a true and a reconstructed matrix, 0 to 1, without allocating memory.
    double compute(const std::complex<float>* h, const std::complex<float>* h_hat);

private:
    void vectors(const std::complex<float>* h, std::complex<float>* v);

    const size_t d_subbands;
    const size_t d_nt;
    const subband_eigenvectors::sptr d_eigenvectors;
    const std::vector<size_t> d_rows; // that count
    volk::vector<std::complex<float>> d_picked, d_v, d_w;
};

/*!
 * \brief Figures of the layers of a report, of a UE with nr antennas: rank, SGCS of each
 * layer, and the spectral efficiency log2 det(I + snr (H W)^H H W) beside that of the
 * eigenvectors of the subbands with equal power and the best rank.
 *
 * The true matrix is nc x nr x nt. The report is of the same size: row k nr + l is the
 * conjugate precoder of layer l on subcarrier k, or zero from the rank on. True channels
 * are scaled to a mean |h|^2 of 1, precoders to a Frobenius norm of 1 on each subcarrier.
 *
 * An object holds work space: it is not for two threads at once.
 */
class layer_scores
{
public:
    //! nc, nt, subbands: 1 or more. nr: 1 to 8. snr_db: at a receive antenna.
    layer_scores(size_t nc, int nr, int nt, int subbands, double snr_db);

    /*!
     * \brief Computes the figures of a report, without allocating memory.
     * \return false, and no figures, if a value is not finite or the true matrix is zero
     */
    bool compute(const std::complex<float>* h, const std::complex<float>* found);

    //! Layers that a report may have, min(nr, nt).
    int layers() const { return d_layers; }
    //! Layers of the report, 0 to layers().
    int rank() const { return d_rank; }
    //! SGCS of a layer below the rank.
    double sgcs(int layer) const { return d_sgcs[layer]; }
    //! Spectral efficiency in bit/s/Hz of the report, and of eigenvectors.
    double efficiency() const { return d_efficiency; }
    double perfect() const { return d_perfect; }

private:
    double take(const std::complex<float>* found, std::complex<float>* w);
    double rate(size_t row, const std::complex<float>* w, int rank, double snr) const;
    double similarity(int layer) const;

    const size_t d_subbands;
    const int d_nr;
    const size_t d_nt;
    const int d_layers;
    const double d_snr;
    const std::vector<size_t> d_rows; // that count, and the first of each subband
    std::vector<size_t> d_first;
    const subband_eigenvectors::sptr d_eigenvectors;
    volk::vector<std::complex<float>> d_h, d_w, d_v;
    std::vector<double> d_sgcs;
    int d_rank = 0;
    double d_efficiency = 0, d_perfect = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LAYER_SCORES_H */
