/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_REPORT_DEFRAMER_H
#define INCLUDED_CSIFEEDBACK_REPORT_DEFRAMER_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/report.h>
#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Unpacks reports from feedback frames (BS).
 * \ingroup csifeedback
 *
 * Message port `pdus` (in): PDUs of bytes. Message port `pdus` (out): PDUs of the bytes
 * of a report with the keys `report_bits`, `frame` (uint64, the full number), `ue_id`,
 * `gain_db`, `codec_id`, `model_id`, `frame_bits`, and for frames of version 2
 * `residual_energy_db`. Message port `tick` (in): the clock, as for feedback_deframer.
 *
 * A feedback_receiver decides what is accepted; see there. A refused frame is counted by
 * its reason, logged once per burst and never reaches the output.
 */
class CSIFEEDBACK_API report_deframer : virtual public gr::block
{
public:
    typedef std::shared_ptr<report_deframer> sptr;

    /*!
     * \brief Makes the block.
     * \param decoder  the report decoder object; only its numbers and sizes are used, so
     *                 that csi_report_decoder may hold it
     * \param ue_id    UE to listen to, 0 to 65535; -1: all
     * \param max_age  as for feedback_deframer: age in frames above which frames are
     *                 refused; -1: any age
     * \param max_lead frames by which a frame may be ahead of the clock
     * \param in_order refuse frames that are not newer than the last one of their UE
     * \param key      refuse frames without the signature of this key; empty: none
     * \param compact  accept compact frames of these configurations too
     * \throws std::invalid_argument if a parameter is out of range or decoder is null
     */
    static sptr make(report_decoder::sptr decoder,
                     int ue_id = -1,
                     int max_age = -1,
                     int max_lead = 0,
                     bool in_order = false,
                     const std::vector<uint8_t>& key = {},
                     const std::vector<compact_configuration>& compact = {});

    //! Frames with this outcome, a frame_status.
    virtual uint64_t count(int status) const = 0;
    //! Messages that were not PDUs of bytes.
    virtual uint64_t malformed() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_REPORT_DEFRAMER_H */
