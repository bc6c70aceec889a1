/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MLCF_DECODER_H
#define INCLUDED_CSIFEEDBACK_MLCF_DECODER_H

#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief The BS half of MLCF: see mlcf_encoder.
 *
 * The weights of every antenna's embedding y among its k nearest landmarks in D_L, eq.
 * (35), by the formula of the encoder, take the landmarks' channels to that of the
 * antenna, eq. (36): h = D_H w. A file has pairs of dictionaries for some dimensions d'.
 * A codeword of m values is decoded with the largest d' for which d' nt <= m, without the
 * values beyond; if there is none, with the smallest d' and zeros for what is missing.
 */
class CSIFEEDBACK_API mlcf_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder of a model file (its group `decoder`).
     * \param model     a file of the codec `mlcf`
     * \param code_size longest codeword, up to the longest of the model's encoder; 0:
     *                  that one
     * \throws std::invalid_argument if code_size is out of range, the model is of another
     *         codec or domain, its arrays do not fit each other, or lambda is 0 where
     *         there are more neighbours than dimensions
     */
    static decoder::sptr make(model_file::sptr model, int code_size = 0);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MLCF_DECODER_H */
