/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_REPORT_DECODER_H
#define INCLUDED_CSIFEEDBACK_CSI_REPORT_DECODER_H

#include <gnuradio/csifeedback/report.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Reconstructs CSI from reports (BS).
 * \ingroup csifeedback
 *
 * Input 0: bytes, (max_bits + 7) / 8 per item, most significant bit first. The tag
 * `report_bits` (long) sets the number of valid bits for that item and those after it;
 * before the first tag it is max_bits. Input 1: float, gain in dB. Output 0: complex, Ha^
 * or H^, rows x nt per item. Message port `pdus` (in and out): the same for PDUs of bytes
 * with the keys `report_bits` (all bits of the bytes if it is missing) and `gain_db` (0
 * if it is missing), metadata kept.
 *
 * A PDU of another type, one with no bits or more than the object can have, or one on
 * which the codec fails is counted, logged once per burst and discarded. On the stream
 * such an item becomes zeros.
 */
class CSIFEEDBACK_API csi_report_decoder : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csi_report_decoder> sptr;

    /*!
     * \brief Makes the block.
     * \param decoder  report decoder object, used by this block alone
     * \param max_bits the budget of csi_report_encoder, 1 to 65535; 0: max_bits() of the
     *                 object
     * \throws std::invalid_argument if decoder is null or belongs to another block, or
     *         max_bits is out of range
     */
    static sptr make(report_decoder::sptr decoder, int max_bits = 0);

    //! PDUs and items discarded so far.
    virtual uint64_t discarded() const = 0;
    //! Reports decoded so far.
    virtual uint64_t decoded() const = 0;
    //! Mean time of one decoding in s, NaN before the first.
    virtual double mean_time() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_REPORT_DECODER_H */
