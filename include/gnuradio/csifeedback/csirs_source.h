/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSIRS_SOURCE_H
#define INCLUDED_CSIFEEDBACK_CSIRS_SOURCE_H

#include <gnuradio/csifeedback/csirs_frame.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Sends frames of pilots for all antenna ports, one after the other.
 * \ingroup csifeedback
 *
 * Outputs 0 to nt - 1: complex, the samples of each port at frame->sample_rate(). The
 * first sample of a frame carries the tag `frame` (uint64) on every port. Message port
 * `tick` (out): the number of each frame (uint64) before its first sample, the clock of
 * csi_hold and feedback_deframer.
 * Message port `ack` (in): a frame number or a PDU with the key `frame`; it acknowledges
 * all frames up to that one.
 */
class CSIFEEDBACK_API csirs_source : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csirs_source> sptr;

    /*!
     * \brief Makes the block.
     * \param frame the frame's description
     * \param count frames to send before the flowgraph ends; 0: no end
     * \param first number of the first frame, 0 to 2^32 - 1; numbers wrap around after
     *              2^32 - 1
     * \param window largest number of frames in flight, 0 to 32768; 0: no limit. With a
     *              window the source waits for acknowledgements at `ack`: message queues
     *              have no back-pressure, and what is in flight when the source ends is
     *              lost. After the last frame it sends one frame length of zeros, and
     *              then waits until all frames are acknowledged, or until no
     *              acknowledgement has come for 3 s
     * \throws std::invalid_argument if a parameter is out of range or frame is null
     */
    static sptr
    make(csirs_frame::sptr frame, uint64_t count = 0, uint64_t first = 0, int window = 0);

    //! Number of complete frames sent so far.
    virtual uint64_t frames() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSIRS_SOURCE_H */
