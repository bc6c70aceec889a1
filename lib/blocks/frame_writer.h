/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FRAME_WRITER_H
#define INCLUDED_CSIFEEDBACK_FRAME_WRITER_H

#include "common.h"
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/normalize.h>
#include <pmt/pmt.h>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace gr {
namespace csifeedback {

//! Of an item or PDU without a residual energy.
constexpr double no_residual_energy = std::numeric_limits<double>::quiet_NaN();

//! What goes into a feedback frame beside its payload.
struct frame_content {
    uint64_t frame = 0;
    float gain_db = 0;
    double residual_energy_db = no_residual_energy;
    int type = 0;      //!< field `quantizer_type`
    int bits = 0;      //!< field `bits`
    int code_size = 0; //!< field `code_size`
};

/*!
 * \brief Makes the PDUs of feedback frames of one UE and counts them.
 */
class frame_writer
{
public:
    /*!
     * \param where   name of the block, for errors
     * \param key     empty: frames are not signed
     * \param compact for compact frames, else none
     * \throws std::invalid_argument if ue_id or compact is out of range or they differ
     */
    frame_writer(const char* where,
                 int codec_id,
                 int model_id,
                 int ue_id,
                 const std::vector<uint8_t>& key,
                 const std::optional<compact_configuration>& compact)
        : d_compact(compact)
    {
        check_range(where, "ue_id", ue_id, 0, 65535);
        if (d_compact) {
            d_compact->check();
            check_range<int>(where,
                             "ue_id with this compact configuration",
                             ue_id,
                             d_compact->ue_id,
                             d_compact->ue_id);
        }
        if (!key.empty())
            d_signer = std::make_unique<feedback_signer>(key);
        d_header.codec_id = codec_id;
        d_header.model_id = model_id;
        d_header.ue_id = ue_id;
    }

    uint64_t frames() const { return d_frames; }
    uint64_t bits_sent() const { return d_bits; }

    //! Whether a frame can carry this gain; if not, counts and logs it as discarded.
    bool has_gain(float gain_db, burst_counter& discarded, gr::logger& logger) const
    {
        const float low = d_compact ? d_compact->gain_from_code(0) : min_gain_db;
        const float high = d_compact ? d_compact->max_gain_db() : max_gain_db;
        const float half = (d_compact ? compact_gain_step_db : gain_step_db) / 2;
        // Without bits for it the gain is what UE and BS have agreed on.
        if (d_compact && d_compact->gain_bits == 0
                ? std::isfinite(gain_db)
                : gain_db > low - half && gain_db < high + half)
            return true;
        if (discarded.bad())
            logger.warn("discarding CSI of gain {:g} dB, allowed is {:g} to {:g} dB",
                        gain_db,
                        low,
                        high);
        return false;
    }

    //! The PDU of a frame with a payload of so many bits, in whole bytes.
    pmt::pmt_t write(const frame_content& c, const uint8_t* payload, size_t payload_bits)
    {
        return d_compact ? write_compact(c, payload, payload_bits)
                         : write_full(c, payload, (payload_bits + 7) / 8);
    }

private:
    pmt::pmt_t
    write_full(const frame_content& c, const uint8_t* payload, size_t payload_bytes)
    {
        const bool has_residual_energy = !std::isnan(c.residual_energy_db);
        d_header.version = has_residual_energy ? 2 : 1;
        d_header.residual_energy =
            has_residual_energy ? residual_energy_to_code(c.residual_energy_db) : 0;
        d_header.quantizer_type = c.type;
        d_header.bits = c.bits;
        d_header.frame_number = c.frame & 0xffff;
        d_header.code_size = c.code_size;
        d_header.gain = gain_to_code(c.gain_db);
        const size_t frame_size = feedback_overhead(d_header.version) + payload_bytes;
        size_t size = frame_size + (d_signer ? feedback_signature_bytes : 0);
        const pmt::pmt_t bytes = pmt::make_u8vector(size, 0);
        uint8_t* const out = pmt::u8vector_writable_elements(bytes, size);
        pack_frame(d_header, payload, payload_bytes, out);
        if (d_signer)
            d_signer->sign(out, frame_size, c.frame, out + frame_size);
        count(8 * size);
        return pmt::cons(pmt::PMT_NIL, bytes);
    }

    pmt::pmt_t
    write_compact(const frame_content& c, const uint8_t* payload, size_t payload_bits)
    {
        compact_header header;
        header.frame_number = c.frame & 0xffff;
        header.gain = d_compact->gain_to_code(c.gain_db);
        if (!std::isnan(c.residual_energy_db))
            header.residual_energy = residual_energy_to_code(c.residual_energy_db);
        const size_t bits = d_compact->overhead_bits() + payload_bits +
                            (d_signer ? 8 * feedback_signature_bytes : 0);
        size_t size = closed_bytes(bits);
        const pmt::pmt_t bytes = pmt::make_u8vector(size, 0);
        uint8_t* const out = pmt::u8vector_writable_elements(bytes, size);
        const size_t unsigned_bits =
            pack_compact_frame(*d_compact, header, payload, payload_bits, out);
        if (d_signer)
            sign_compact_frame(*d_signer, out, unsigned_bits, c.frame);
        count(bits);
        return pmt::cons(pmt::PMT_NIL, bytes);
    }

    void count(size_t bits)
    {
        d_frames++;
        d_bits += bits;
    }

    const std::optional<compact_configuration> d_compact;
    feedback_header d_header;
    std::unique_ptr<feedback_signer> d_signer;
    std::atomic<uint64_t> d_frames{ 0 };
    std::atomic<uint64_t> d_bits{ 0 };
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FRAME_WRITER_H */
