/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_DECODER_H
#define INCLUDED_CSIFEEDBACK_CSI_DECODER_H

#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Reconstructs angular-delay CSI from a codeword (BS).
 * \ingroup csifeedback
 *
 * Input 0: float, s, M = code_size() of the decoder object per item. Input 1: float, gain
 * in dB. Output 0: complex, Ha^, na x nt per item. Message port `pdus` (in and out): the
 * same for PDUs of 1 to M floats with the key `gain_db` (0 if it is missing), metadata
 * kept.
 *
 * A PDU of another length or type, or with a value that is not finite, is counted, logged
 * once per burst and discarded. On the stream such an item becomes zeros.
 */
class CSIFEEDBACK_API csi_decoder : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csi_decoder> sptr;

    /*!
     * \brief Makes the block.
     * \param decoder codec object, used by this block alone
     * \throws std::invalid_argument if decoder is null
     */
    static sptr make(decoder::sptr decoder);

    //! PDUs and items discarded so far.
    virtual uint64_t discarded() const = 0;
    //! Codewords decoded so far.
    virtual uint64_t decoded() const = 0;
    //! Mean time of one decoding in s, NaN before the first.
    virtual double mean_time() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_DECODER_H */
