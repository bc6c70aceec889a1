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
 * The embedding y of every antenna is written as a weighted sum of its k nearest
 * landmarks in D_L, eq. (35), with weights by the formula of the encoder. Applied to the
 * landmarks' channels, the same weights give that of the antenna, eq. (36): h = D_H w. A
 * file has pairs of dictionaries for some dimensions d'. A codeword of m values is
 * decoded with the largest d' for which d' nt <= m, ignoring the values beyond; if there
 * is none, with the smallest d' and zeros for the missing values.
 */
class CSIFEEDBACK_API mlcf_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder of a model file (its group `decoder`).
     * \param model     a file of the codec `mlcf`
     * \param code_size length of the longest codeword, up to the longest of the model's
     *                  encoder; 0: that one
     * \throws std::invalid_argument if code_size is out of range, the model is of another
     *         codec or domain, its arrays do not fit each other, or lambda is 0 and there
     *         are more neighbours than dimensions
     */
    static decoder::sptr make(model_file::sptr model, int code_size = 0);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MLCF_DECODER_H */
