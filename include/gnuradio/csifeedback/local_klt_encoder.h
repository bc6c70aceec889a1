/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LOCAL_KLT_ENCODER_H
#define INCLUDED_CSIFEEDBACK_LOCAL_KLT_ENCODER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Local KLT: coordinates in the best-fitting patch of the channel's manifold.
 *
 * The model has P bases over the rows of Ha and Q over its columns, each the principal
 * components of a part of the training set. For each matrix the encoder selects the most
 * likely pair, and sends the coordinates in the separable basis of this pair, in order of
 * their expected power. The first log2 P + log2 Q values of a codeword are the bits of
 * the two basis numbers, sent as signs, which any quantizer preserves.
 */
class CSIFEEDBACK_API local_klt_encoder : public encoder
{
public:
    using encoder::encoder;
    /*!
     * \brief Makes the encoder of a model file of codec `local-klt`.
     * \param model     the file
     * \param code_size M, more than log2 P + log2 Q, up to that + 2 na nt, or as many as
     *                  the file has quantizers for; 0: the largest
     * \throws std::invalid_argument if code_size is out of range or the file does not fit
     */
    static encoder::sptr make(model_file::sptr model, int code_size);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LOCAL_KLT_ENCODER_H */
