/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_REPORT_FRAMER_H
#define INCLUDED_CSIFEEDBACK_REPORT_FRAMER_H

#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/report.h>
#include <gnuradio/sync_block.h>
#include <cstdint>
#include <optional>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Packs reports and gain into feedback frames (UE).
 * \ingroup csifeedback
 *
 * Input 0: bytes, (budget + 7) / 8 per item, as from csi_report_encoder, with the
 * tag `report_bits`. Input 1: float, gain in dB. Message port `pdus` (in): PDUs of bytes
 * with the keys `report_bits`, `gain_db` and `frame`. Message port `pdus` (out): PDUs of
 * bytes, one frame each. Frames are those of feedback_framer: quantized codewords have
 * the fields of their quantizer, other reports are of type 14 with the number of their
 * bits in `code_size`.
 *
 * Frame numbers come from the tag `frame` of the stream, or its item count, modulo 65536.
 * A residual energy, tag or key `residual_energy_db`, is sent in a frame of version 2.
 */
class CSIFEEDBACK_API report_framer : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<report_framer> sptr;

    /*!
     * \brief Makes the block.
     * \param encoder the report encoder object; only its numbers and sizes are used, so
     *                that csi_report_encoder may hold it
     * \param ue_id   number of this UE, 0 to 65535
     * \param budget  that of csi_report_encoder, 1 to 65535 bits; 0: max_bits() of the
     *                object
     * \param key     as for feedback_framer; empty: frames are not signed
     * \param compact as for feedback_framer: for compact frames
     * \throws std::invalid_argument if a parameter is out of range or encoder is null
     */
    static sptr make(report_encoder::sptr encoder,
                     int ue_id = 0,
                     int budget = 0,
                     const std::vector<uint8_t>& key = {},
                     const std::optional<compact_configuration>& compact = {});

    //! Frames sent so far.
    virtual uint64_t frames() const = 0;
    //! Bits sent so far, header and checksum included.
    virtual uint64_t bits_sent() const = 0;
    //! Reports discarded because of their type or length.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_REPORT_FRAMER_H */
