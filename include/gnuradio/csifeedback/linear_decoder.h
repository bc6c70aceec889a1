/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LINEAR_DECODER_H
#define INCLUDED_CSIFEEDBACK_LINEAR_DECODER_H

#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief The optimal linear reconstruction, h^ = R W^T (W R W^T + D)^-1 s.
 *
 * R is the covariance of h_vec, which the model file stores as its leading principal
 * components (`decoder/basis`, `decoder/variance`, `decoder/floor`), and D the diagonal
 * covariance of the codeword's error: noise_variance times the variance of each entry.
 * With a KLT encoder and no noise this is the KLT's inverse h^ = W^T s.
 */
class CSIFEEDBACK_API linear_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder of a model file.
     * \param model          the file
     * \param code_size      length of the longest codeword, 1 to the rows of W; 0: all
     * \param noise_variance error variance of a codeword entry relative to its variance,
     *                       >= 0; for a quantizer of B bits about 4^-B
     * \throws std::invalid_argument if a parameter is out of range or the file lacks the
     *         arrays
     */
    static decoder::sptr
    make(model_file::sptr model, int code_size, float noise_variance = 0);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LINEAR_DECODER_H */
