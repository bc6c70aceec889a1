/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSIRS_ESTIMATOR_H
#define INCLUDED_CSIFEEDBACK_CSIRS_ESTIMATOR_H

#include <gnuradio/csifeedback/channel_interpolator.h>

namespace gr {
namespace csifeedback {

//! What csirs_estimator determines besides H.
struct CSIFEEDBACK_API csi_estimate {
    float noise = 0;  //!< error variance of the least-squares estimates at the pilots
    float error = 0;  //!< mean error variance of the entries of H
    float snr_db = 0; //!< mean power of H over `noise`
    float shift = 0;  //!< delay that the alignment removed, in samples
};

/*!
 * \brief Estimates H from the pilot symbols of a frame.
 *
 * At the pilots it computes least-squares estimates by removing the sequence and the
 * cover codes. Their error variance is sigma^2 / (pilot energy), where the energy is that
 * of all resource elements of a code: cdm_frequency cdm_time pilot_amplitude()^2. The
 * noise is measured at delays that no path has: those farther from the strongest one than
 * the length of the cyclic prefix. If the pilots do not resolve enough such delays, the
 * caller's value is used. Then the earliest path is moved to delay 0 as in
 * angular_delay_transform, and an interpolator computes H from the result.
 *
 * Do not use one object from two threads at once.
 */
class CSIFEEDBACK_API csirs_estimator
{
public:
    typedef std::shared_ptr<csirs_estimator> sptr;
    using cf = std::complex<float>;

    /*!
     * \brief Makes an estimator.
     * \param interpolator used by this estimator alone; it has the frame
     * \param align        whether to move the earliest path to delay 0
     * \param threshold_db the earliest path is the first one above the noise and at most
     *                     this many dB below the strongest; above 0, at most 100
     * \throws std::invalid_argument if a parameter is out of range or interpolator is
     * null
     */
    static sptr make(channel_interpolator::sptr interpolator,
                     bool align = true,
                     float threshold_db = 20);
    virtual ~csirs_estimator() = default;

    virtual csirs_frame::sptr frame() const = 0;

    /*!
     * \brief Estimates H.
     * \param grid  pilot_symbols() x nc resource elements, in order of ascending
     *              frequency, scaled as DFT / fft_size of the samples
     * \param noise noise variance of a resource element; < 0: unknown
     * \param h     output, nc x nt
     * \param info  output, may be null
     * \return false if the grid is all zero or not finite; h must not be used then
     */
    virtual bool
    estimate(const cf* grid, float noise, cf* h, csi_estimate* info = nullptr) = 0;

    //! The least-squares estimates alone: pilots() x nt, port fastest.
    virtual void least_squares(const cf* grid, cf* ls) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSIRS_ESTIMATOR_H */
