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
 * \brief The latest CSI of a BS at every frame (zero-order hold).
 * \ingroup csifeedback
 *
 * Message port `pdus` (in): PDUs of any complex values with the key `frame`, up to 2^62.
 * Message port `pdus` (out): a PDU for every frame number from the first that was
 * received on, with `frame` set and the key `age`, in frames: 0 for one that arrived.
 *
 * Frames that a gap in the numbers shows to be lost are filled with the CSI before them,
 * at most the last `max_gap` of them. Message port `tick` (in): a frame number, or a PDU
 * with the key `frame`: the frame that the BS is at now; the CSI is held up to that one
 * without waiting for the next arrival. CSI of a frame that a tick has passed by is held
 * from the next frame on.
 *
 * CSI that is not newer than the last one is discarded and counted, and so is CSI more
 * than 1024 frames ahead of it, since one damaged or forged number is the more likely
 * cause. The fourth PDU in a row that is refused, if each was 1 to 1024 frames ahead of
 * the one before, is taken, and output goes on from its number: a sender that begins
 * anew, and any wrong number, cost three PDUs at most. The same holds for ticks.
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
