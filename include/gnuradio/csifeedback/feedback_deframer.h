/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Checks feedback frames and extracts the level numbers (BS).
 * \ingroup csifeedback
 *
 * Message port `pdus` (in): PDUs of bytes. Message port `pdus` (out): PDUs of 1 to M
 * shorts with the keys `frame` (uint64, the full number), `ue_id`, `gain_db`, `codec_id`,
 * `model_id`, `code_size`, `frame_bits`, `quantizer` (see csi_quantizer), and for frames
 * of version 2 `residual_energy_db`. Message port `tick` (in): the clock, a frame number
 * or a PDU with the key `frame`: the frame that the BS sends now. csirs_source,
 * channel_source (`tick`) and mimo_channel (`truth`) send it.
 *
 * A feedback_receiver decides what is accepted; see there. By default no clock is needed
 * and only frames that are damaged, or meant for another model or quantizer, are refused;
 * `max_age`, `in_order` and `key` add the checks needed on a link with other senders. A
 * refused frame is counted by its reason, logged once per burst and never reaches the
 * output.
 */
class CSIFEEDBACK_API feedback_deframer : virtual public gr::block
{
public:
    typedef std::shared_ptr<feedback_deframer> sptr;

    /*!
     * \brief Makes the block.
     * \param quantizer the quantizer object of the UE
     * \param decoder   the decoder object; only its numbers and sizes are used, so that
     *                  csi_decoder may hold it
     * \param ue_id     UE to listen to, 0 to 65535; -1: all. Frames of others are counted
     *                  as unknown_ue and not logged
     * \param max_age   age in frames above which frames are refused, 0 to 65535; needs
     *                  the clock; frames out of order are also refused. -1: any age
     * \param max_lead  frames by which a frame may be ahead of the clock, 0 to 65535;
     *                  max_age + max_lead must be below 65536
     * \param in_order  refuse frames that are not newer than the last one of their UE,
     *                  even if max_age is -1
     * \param key       16 to 65536 bytes: refuse frames without the signature of
     *                  feedback_framer with the same key; needs the clock. Empty: none
     * \param compact   accept compact frames of these configurations too
     * \throws std::invalid_argument if a parameter is out of range, quantizer or decoder
     *         is null, or the quantizer is for longer codewords than the decoder's
     */
    static sptr make(quantizer::sptr quantizer,
                     decoder::sptr decoder,
                     int ue_id = -1,
                     int max_age = -1,
                     int max_lead = 0,
                     bool in_order = false,
                     const std::vector<uint8_t>& key = {},
                     const std::vector<compact_configuration>& compact = {});

    /*!
     * \brief Makes the block with codec_id(), 0 to 255, and model_id(), 0 to 65535, of a
     * decoder.
     * \deprecated Pass the decoder. This form will be removed in the next release.
     */
    [[deprecated("give the decoder in place of its numbers")]] static sptr
    make(quantizer::sptr quantizer,
         int codec_id,
         int model_id,
         int ue_id = -1,
         int max_age = -1,
         int max_lead = 0,
         bool in_order = false,
         const std::vector<uint8_t>& key = {},
         const std::vector<compact_configuration>& compact = {});

    /*!
     * \brief Replaces the quantizer, even while the flowgraph runs.
     * \param quantizer for codewords of the same size
     * \throws std::invalid_argument if it is null or of another size
     */
    virtual void set_quantizer(quantizer::sptr quantizer) = 0;

    //! Frames whose outcome was `status`, a number of frame_status (0: delivered).
    virtual uint64_t count(int status) const = 0;
    //! Messages that were not PDUs of bytes.
    virtual uint64_t malformed() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H */
