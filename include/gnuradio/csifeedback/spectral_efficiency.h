/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SPECTRAL_EFFICIENCY_H
#define INCLUDED_CSIFEEDBACK_SPECTRAL_EFFICIENCY_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Spectral efficiency of a downlink to K users whose precoder is computed from
 * reconstructed CSI.
 *
 * **Users with one antenna**: on every subcarrier the BS sends with the vectors w_k of a
 * precoder, computed from the reconstructed channels, and with the power P / K for each
 * user. Through the true channels, user k has
 *
 *     SINR_k = P/K |h_k w_k|^2 / (P/K sum_{j != k} |h_k w_j|^2 + sigma^2),
 *
 * and the spectral efficiency is the sum over the users of log2(1 + SINR_k), averaged
 * over the subcarriers, in bit/s/Hz. The users know their SINR.
 *
 * SNR is P / sigma^2. With `normalize`, the true H of each user is scaled to a mean
 * |h|^2 of 1 over its subcarriers and antennas, so SNR is what a user receives on average
 * from an antenna that sends with power P, the same for all users. Otherwise the channels
 * are used as they are. The scale of reconstructed CSI has no influence.
 *
 * **Users with nr antennas** report the precoders of up to nr layers: row k nr + l of a
 * reconstruction is the conjugate precoder of layer l on subcarrier k, or zero, as from
 * pmi_report_decoder. Each nonzero row is a stream. The BS precodes with the rows of all
 * users, like those of users with one antenna; with S streams on a subcarrier, each has
 * the power P / S. Each user separates its streams with a linear MMSE receiver: stream i
 * with the received vector f_i = H_k w_i has the SINR
 *
 *     P/S f_i^H (P/S sum_{j != i} f_j f_j^H + sigma^2 I)^-1 f_i,
 *
 * where the sum is over all other streams. SNR is that at a receive antenna.
 *
 * An object holds workspace: do not use it from two threads at once.
 */
class CSIFEEDBACK_API spectral_efficiency
{
public:
    typedef std::shared_ptr<spectral_efficiency> sptr;

    /*!
     * \brief Makes the object.
     * \param users     K, 1 to 64
     * \param nc        subcarriers, 1 to 65536
     * \param nt        antenna ports, 1 to 1024
     * \param snr_db    SNRs in dB, 1 to 1000 of them, each -100 to 100
     * \param precoding type of precoder: "zero-forcing", "regularized-zero-forcing" or
     *                  "maximum-ratio". The loading of the second one is
     *                  S / (SNR nt) for S streams, K with one antenna each: the one
     *                  for channels of unit mean power
     * \param normalize whether to scale true channels to unit mean power
     * \param nr        antennas of each user, 1 to 8, with users * nr up to 64
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(int users,
                     int nc,
                     int nt,
                     const std::vector<double>& snr_db,
                     const std::string& precoding = "zero-forcing",
                     bool normalize = true,
                     int nr = 1);
    virtual ~spectral_efficiency() = default;

    virtual int users() const = 0;
    virtual int nc() const = 0;
    virtual int nt() const = 0;
    virtual int nr() const = 0;
    virtual const std::vector<double>& snr_db() const = 0;
    /*!
     * \brief The spectral efficiency of one group of users, without allocating memory.
     * \param h     K pointers to the true matrices, nc x nr x nt each, row-major
     * \param h_hat K pointers to the reconstructed matrices, from which the precoder is
     *              computed, of the same size
     * \param se    output, one value per SNR, in bit/s/Hz
     * \return false, and no result, if a value is not finite or too large to be squared,
     *         or if with `normalize` a true matrix is zero
     */
    virtual bool compute(const std::complex<float>* const* h,
                         const std::complex<float>* const* h_hat,
                         double* se) = 0;
    /*!
     * \brief The same with perfect CSI at the BS: the true matrices for users with one
     * antenna; for others the dominant eigenvectors on each subcarrier, as many as the
     * reconstruction has layers.
     */
    virtual bool compute_perfect(const std::complex<float>* const* h,
                                 const std::complex<float>* const* h_hat,
                                 double* se) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SPECTRAL_EFFICIENCY_H */
