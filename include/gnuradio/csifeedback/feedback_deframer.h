/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/quantizer.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Checks feedback frames and takes the level numbers out (BS).
 * \ingroup csifeedback
 *
 * Message port `pdus` (in): PDUs of bytes. Message port `pdus` (out): PDUs of 1 to M
 * shorts with the keys `frame` (uint64, unwrapped from its 16 bits to the number nearest
 * to the last one), `ue_id`, `gain_db`, `codec_id`, `model_id`, `code_size`,
 * `frame_bits`, `quantizer` (see csi_quantizer), and from frames of version 2
 * `residual_energy_db`.
 *
 * A frame that is damaged, or meant for another model or quantizer, is counted by its
 * reason, logged once a burst and discarded: it never reaches the output.
 */
class CSIFEEDBACK_API feedback_deframer : virtual public gr::block
{
public:
    typedef std::shared_ptr<feedback_deframer> sptr;

    /*!
     * \brief Makes the block.
     * \param quantizer the quantizer object of the UE
     * \param codec_id  decoder::codec_id(), 0 to 255
     * \param model_id  decoder::model_id(), 0 to 65535
     * \param ue_id     UE to listen to, 0 to 65535; -1: all. Frames of others are ignored
     * \throws std::invalid_argument if a parameter is out of range or quantizer is null
     */
    static sptr
    make(quantizer::sptr quantizer, int codec_id, int model_id, int ue_id = -1);

    /*!
     * \brief Exchanges the quantizer, also while the flowgraph runs.
     * \param quantizer for codewords of the same size
     * \throws std::invalid_argument if it is null or of another size
     */
    virtual void set_quantizer(quantizer::sptr quantizer) = 0;

    //! Frames whose outcome was `status`, a number of frame_status (0: delivered).
    virtual uint64_t count(int status) const = 0;
    //! Messages that were no PDU of bytes.
    virtual uint64_t malformed() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_DEFRAMER_H */
