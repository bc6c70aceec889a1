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

//! What csirs_estimator found out beside H.
struct CSIFEEDBACK_API csi_estimate {
    float noise = 0;  //!< variance of the least-squares estimates at the pilots
    float error = 0;  //!< mean variance of the entries of H
    float snr_db = 0; //!< mean power of H over `noise`
    float shift = 0;  //!< delay that the alignment removed, in samples
};

/*!
 * \brief Estimates H from the pilot symbols of a frame.
 *
 * Least squares at the pilots: the sequence and the cover codes are undone. The variance
 * of its error is sigma^2 / (pilot energy), the energy being that of all cells of a code:
 * cdm_frequency cdm_time pilot_amplitude()^2. The noise is measured at delays that no
 * path has, further from the strongest one than the cyclic prefix is long; if the pilots
 * do not show enough such delays, the caller's figure is taken. Then the earliest path
 * is moved to delay 0 as angular_delay_transform does it, and an interpolator makes H of
 * the result.
 *
 * Not to be used by two threads at once.
 */
class CSIFEEDBACK_API csirs_estimator
{
public:
    typedef std::shared_ptr<csirs_estimator> sptr;
    using cf = std::complex<float>;

    /*!
     * \brief Makes an estimator.
     * \param interpolator an object of its own; it has the frame
     * \param align        whether to move the earliest path to delay 0
     * \param threshold_db it is the first one at most this many dB below the strongest,
     *                     above 0, at most 100, and above the noise
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
     * \param grid  pilot_symbols() x nc cells, by ascending frequency, with the scale of
     *              the samples: DFT / fft_size
     * \param noise variance of a cell; < 0: not known
     * \param h     output, nc x nt
     * \param info  output, may be null
     * \return false if the grid is all zero or not finite; h is not to be used then
     */
    virtual bool
    estimate(const cf* grid, float noise, cf* h, csi_estimate* info = nullptr) = 0;

    //! The least-squares estimates alone: pilots() x nt, port fastest.
    virtual void least_squares(const cf* grid, cf* ls) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSIRS_ESTIMATOR_H */
