/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LINEAR_ENCODER_H
#define INCLUDED_CSIFEEDBACK_LINEAR_ENCODER_H

#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief s = W h: a linear projection without bias, Csi-L2O eq. (4).
 *
 * The rows of W are ordered so that its first m rows serve the ratio m / (2 na nt): one
 * matrix for every ratio.
 */
class CSIFEEDBACK_API linear_encoder : public encoder
{
public:
    using encoder::encoder;
    /*!
     * \brief Makes the encoder of a model file (its array `encoder/W`).
     * \param model     the file
     * \param code_size M, 1 to the rows of W; 0: all of them
     * \throws std::invalid_argument if code_size is out of range or W does not fit
     */
    static encoder::sptr make(model_file::sptr model, int code_size);

    /*!
     * \brief Makes an encoder from any matrix.
     * \param w         code_size x 2 na nt floats, row-major, finite
     * \param na        delay rows, > 0
     * \param nt        antenna ports, > 0
     * \param model_id  number for the feedback frames
     * \throws std::invalid_argument if the sizes do not fit
     */
    static encoder::sptr
    make_from_matrix(const std::vector<float>& w, int na, int nt, int model_id);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LINEAR_ENCODER_H */
