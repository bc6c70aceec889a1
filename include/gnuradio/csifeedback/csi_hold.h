/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_HOLD_H
#define INCLUDED_CSIFEEDBACK_CSI_HOLD_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/api.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Gives the latest CSI of a BS at every frame (zero-order hold).
 * \ingroup csifeedback
 *
 * Message port `pdus` (in): PDUs of any complex values with the key `frame`, up to 2^62.
 * Message port `pdus` (out): a PDU for every frame number, beginning with the first one
 * received, with `frame` set and the key `age`, in frames: 0 if CSI of this frame
 * arrived.
 *
 * Gaps in the frame numbers are filled with the CSI before them, at most the last
 * `max_gap` frames of a gap. Message port `tick` (in): a frame number, or a PDU
 * with the key `frame`: the current frame of the BS. The CSI is held up to that one
 * without waiting for the next arrival. CSI of a frame that a tick has already passed is
 * held from the next frame on.
 *
 * CSI that is not newer than the last one is discarded and counted. So is CSI more than
 * 1024 frames ahead of it, since a damaged or forged number is the more likely cause. The
 * fourth refused PDU in a row is accepted if each was 1 to 1024 frames ahead of the one
 * before, and output continues from its number: a sender that restarts, or a wrong
 * number, costs at most three PDUs. The same holds for ticks.
 */
class CSIFEEDBACK_API csi_hold : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_hold> sptr;

    /*!
     * \brief Makes the block.
     * \param max_gap longest gap that is filled, 0 to 65535 frames
     * \throws std::invalid_argument if max_gap is out of range
     */
    static sptr make(int max_gap = 100);

    //! Frames that were received.
    virtual uint64_t received() const = 0;
    //! Frames that were filled in.
    virtual uint64_t held() const = 0;
    //! PDUs discarded: late, too far ahead, of another type, or without a frame number.
    virtual uint64_t discarded() const = 0;
    //! Mean age of all PDUs sent so far, in frames.
    virtual double mean_age() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_HOLD_H */
