/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_LINK_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_LINK_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/link_model.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief An imperfect uplink for PDUs of bytes: bit errors, lost frames and delay.
 * \ingroup csifeedback
 *
 * Message port `pdus` (in and out). See link_model for the errors. With `delay` = d, a
 * frame is output when the d-th frame after it arrives.
 */
class CSIFEEDBACK_API feedback_link : virtual public gr::block
{
public:
    typedef std::shared_ptr<feedback_link> sptr;

    /*!
     * \brief Makes the block.
     * \param bit_error_rate    probability of a bit error, 0 to 0.5
     * \param erasure_rate      share of frames lost, 0 to 1
     * \param mean_burst_length mean number of frames lost in a row, >= 1; 0: independent
     * \param delay             delay in frames, 0 to 65535
     * \param seed              of the random numbers
     * \throws std::invalid_argument if a parameter is out of range, see
     * link_model::make()
     */
    static sptr make(double bit_error_rate = 0,
                     double erasure_rate = 0,
                     double mean_burst_length = 0,
                     int delay = 0,
                     uint64_t seed = 1);

    //! Changes the bit error rate; throws like make().
    virtual void set_bit_error_rate(double rate) = 0;
    //! Changes the erasure rate; throws like make().
    virtual void set_erasure_rate(double rate) = 0;

    //! Frames received at the input.
    virtual uint64_t frames() const = 0;
    //! Frames lost.
    virtual uint64_t erased() const = 0;
    //! Bits flipped in the frames that were not lost.
    virtual uint64_t bit_errors() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_LINK_H */
