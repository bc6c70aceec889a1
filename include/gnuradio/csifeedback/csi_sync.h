/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_SYNC_H
#define INCLUDED_CSIFEEDBACK_CSI_SYNC_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/csirs_frame.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Finds csirs_frames in received samples: timing, carrier offset, frame number.
 * \ingroup csifeedback
 *
 * Inputs 0 to nr - 1: complex samples of receivers that share one clock, at
 * frame->sample_rate(). Outputs 0 to nr - 1: complex, the pilot symbols of one frame per
 * item, pilot_symbols() x nc, in order of ascending frequency, with the carrier offset
 * removed and the first path at delay 0 to within a fraction of a sample. Each item has
 * the tag `frame` (uint64) and the tag `sync`, a dictionary of `start` (uint64: number of
 * the frame's first sample) and the doubles `offset_hz` (carrier offset), `snr_db` (SNR
 * of a preamble subcarrier) and `noise` (noise variance of a resource element).
 *
 * Frames of another cell or configuration, frames with lost samples, and whatever is not
 * a frame at all are refused and counted.
 */
class CSIFEEDBACK_API csi_sync : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_sync> sptr;

    /*!
     * \brief Makes the block.
     * \param frame      the frame's description
     * \param nr         receivers, 1 to 4
     * \param max_offset largest carrier offset in subcarriers, 0 to nc / 4
     * \throws std::invalid_argument if a parameter is out of range or frame is null
     */
    static sptr make(csirs_frame::sptr frame, int nr = 1, double max_offset = 4);

    virtual uint64_t frames() const = 0;      //!< frames found
    virtual uint64_t unknown() const = 0;     //!< with another preamble, or none at all
    virtual uint64_t bad_headers() const = 0; //!< with a bad checksum, or false ones
    virtual uint64_t broken() const = 0;      //!< with lost samples
    virtual uint64_t bad_samples() const = 0; //!< samples that were not finite
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_SYNC_H */
