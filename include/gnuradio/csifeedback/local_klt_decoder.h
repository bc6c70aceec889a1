/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LOCAL_KLT_DECODER_H
#define INCLUDED_CSIFEEDBACK_LOCAL_KLT_DECODER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

//! Decoder for local_klt_encoder: the point of the patch with the given coordinates.
class CSIFEEDBACK_API local_klt_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder of a model file of codec `local-klt`.
     * \param model     the file
     * \param code_size M as for the encoder; 0: the largest
     * \throws std::invalid_argument if code_size is out of range or the file does not fit
     */
    static decoder::sptr make(model_file::sptr model, int code_size);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LOCAL_KLT_DECODER_H */
