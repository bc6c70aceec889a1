/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_ENCODER_H
#define INCLUDED_CSIFEEDBACK_CSI_ENCODER_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/encoder.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Compresses angular-delay CSI to a short codeword (UE).
 * \ingroup csifeedback
 *
 * Input 0: complex, Ha, na x nt per item. Output 0: float, s, M = code_size() of the
 * encoder object per item. Output 1: float, gain of the matrix, 10 log10(mean |Ha|^2) in
 * dB. Message port `pdus` (in and out): the same for PDUs, the gain as key `gain_db`.
 *
 * If the encoder returns a residual energy, every item and PDU carries it as tag or key
 * `residual_energy_db` (double, dB, at least -100).
 *
 * A matrix that is all zero or has a value that is not finite is counted, logged once per
 * burst and discarded; the item after it carries the tag `frame` (uint64), so that frame
 * numbers downstream stay correct. Without such tags items are numbered from 0.
 */
class CSIFEEDBACK_API csi_encoder : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_encoder> sptr;

    /*!
     * \brief Makes the block.
     * \param encoder codec object, used by this block alone
     * \throws std::invalid_argument if encoder is null
     */
    static sptr make(encoder::sptr encoder);

    //! Matrices discarded so far.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_ENCODER_H */
