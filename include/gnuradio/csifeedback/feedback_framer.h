/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_FRAMER_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_FRAMER_H

#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/sync_block.h>
#include <cstdint>
#include <optional>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Packs level numbers and gain into feedback frames (UE).
 * \ingroup csifeedback
 *
 * Input 0: short, M = code_size() of the quantizer object per item. Input 1: float, gain
 * in dB. Message port `pdus` (in): PDUs of 1 to M shorts with the keys `gain_db` and
 * `frame`. Message port `pdus` (out): PDUs of bytes, one frame each (see
 * feedback_header), for a feedback_link or GNU Radio's socket and ZMQ PDU blocks.
 *
 * A codeword with the tag or key `residual_energy_db` (see csi_encoder) is sent in a
 * frame of version 2, others in one of version 1.
 *
 * Gains are -256 to almost 256 dB (min_gain_db to max_gain_db); others are discarded.
 *
 * Frame numbers come from the tag `frame` of the stream, or its item count, modulo 65536.
 *
 * Level numbers whose tag or key `quantizer` (see csi_quantizer) names another quantizer
 * are discarded. When the quantizer of a running chain changes, these are at most a few.
 */
class CSIFEEDBACK_API feedback_framer : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<feedback_framer> sptr;

    /*!
     * \brief Makes the block.
     * \param quantizer the quantizer object that made the levels
     * \param encoder   the encoder object that made the codewords; only its numbers and
     *                  sizes are used, so that csi_encoder may hold it
     * \param ue_id     number of this UE, 0 to 65535
     * \param key       16 to 65536 bytes: sign each frame, with 8 bytes appended that
     *                  also cover the full frame number, see feedback_receiver. Empty:
     *                  frames are not signed
     * \param compact   send compact frames instead of version 1 and 2; its ue_id must be
     *                  this one. Gains are those of the configuration, and a residual
     *                  energy is sent if the configuration says so (-60 dB if there is
     *                  none)
     * \throws std::invalid_argument if a parameter is out of range, quantizer or encoder
     *         is null, or the quantizer is for longer codewords than the encoder's
     */
    static sptr make(quantizer::sptr quantizer,
                     encoder::sptr encoder,
                     int ue_id = 0,
                     const std::vector<uint8_t>& key = {},
                     const std::optional<compact_configuration>& compact = {});

    /*!
     * \brief Makes the block with codec_id(), 0 to 255, and model_id(), 0 to 65535, of an
     * encoder.
     * \deprecated Pass the encoder. This form will be removed in the next release.
     */
    [[deprecated("give the encoder in place of its numbers")]] static sptr
    make(quantizer::sptr quantizer,
         int codec_id,
         int model_id,
         int ue_id = 0,
         const std::vector<uint8_t>& key = {},
         const std::optional<compact_configuration>& compact = {});

    /*!
     * \brief Replaces the quantizer, even while the flowgraph runs.
     * \param quantizer for codewords of the same size
     * \throws std::invalid_argument if it is null or of another size
     */
    virtual void set_quantizer(quantizer::sptr quantizer) = 0;

    //! Frames sent so far.
    virtual uint64_t frames() const = 0;
    //! Bits sent so far, header and checksum included.
    virtual uint64_t bits_sent() const = 0;
    //! Codewords discarded because of their length, type, gain or quantizer.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_FRAMER_H */
