/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHANNEL_SOURCE_H
#define INCLUDED_CSIFEEDBACK_CHANNEL_SOURCE_H

#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Channel matrices from a channel model, one per item.
 * \ingroup csifeedback
 *
 * Output 0: complex, one matrix per item, row-major: H (nc x nt), or Ha (na x nt) if
 * `na` > 0. The first item carries the tag `frame` (uint64), the number of the sample;
 * the items after it are numbered consecutively.
 *
 * Message port `ack` (in): with `window` > 0, at most that many matrices are in flight:
 * connect it to the port `ack` of csi_metrics. Message queues have no back-pressure of
 * their own, so without it a flowgraph that runs as fast as it can would lose feedback
 * frames. A message is a frame number, or a PDU with the key `frame`; it acknowledges all
 * frames up to that one. After 200 ms without a message, a single matrix is sent anyway.
 * Message port `tick` (out): before matrices are sent, the number of the last of them
 * (uint64), the clock of csi_hold and feedback_deframer.
 */
class CSIFEEDBACK_API channel_source : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<channel_source> sptr;

    /*!
     * \brief Makes the block.
     * \param model     the channel
     * \param count     matrices to send before the flowgraph ends; 0: no end
     * \param first     number of the first sample
     * \param na        0: full-band matrices H; 1 to nc: delay rows of Ha
     * \param precursor rows of Ha before delay zero, 0 to na - 1; ignored if na = 0
     * \param window    largest number of matrices in flight; 0: no limit
     * \throws std::invalid_argument if a parameter is out of range or model is null
     */
    static sptr make(channel_model::sptr model,
                     uint64_t count = 0,
                     uint64_t first = 0,
                     int na = 0,
                     int precursor = 4,
                     int window = 0);

    //! Mean energy fraction outside the kept delay rows so far (na > 0), [0, 1].
    virtual double energy_lost() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHANNEL_SOURCE_H */
