/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHANNEL_ESTIMATOR_H
#define INCLUDED_CSIFEEDBACK_CHANNEL_ESTIMATOR_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/csirs_estimator.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief H from the pilot symbols of a frame.
 * \ingroup csifeedback
 *
 * Input 0: complex, pilot_symbols() x nc resource elements per item, with the tags
 * `frame` and `sync`, as csi_sync sends them. Output 0 (optional): complex, H, nc x nt
 * per item, with the tag `frame` wherever the numbers are not consecutive. Output 1
 * (optional): float, mean error variance of the entries of H. Message port `pdus` (out):
 * H as a PDU with `frame` (uint64), `error_variance`, `snr_db` (mean power of H over the
 * noise of the least-squares estimates), `shift` (delay that the alignment removed, in
 * samples) and the entries of the tag `sync`: `start`, `offset_hz`, `noise`.
 *
 * See csirs_estimator. The common phase is not corrected: it rotates from frame to frame
 * with the receiver's oscillator, and nothing that a precoder depends on is affected by
 * it.
 */
class CSIFEEDBACK_API channel_estimator : virtual public gr::block
{
public:
    typedef std::shared_ptr<channel_estimator> sptr;

    //! Makes the block; for parameters and errors see csirs_estimator::make().
    static sptr make(channel_interpolator::sptr interpolator,
                     bool align = true,
                     float threshold_db = 20);

    virtual uint64_t estimated() const = 0; //!< number of frames
    virtual uint64_t discarded() const = 0; //!< items that were all zero or not finite
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHANNEL_ESTIMATOR_H */
