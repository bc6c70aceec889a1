/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ISTA_DECODER_H
#define INCLUDED_CSIFEEDBACK_ISTA_DECODER_H

#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Sparse reconstruction by (fast) iterative soft thresholding.
 *
 * Minimizes 1/2 ||s - W h||^2 + lambda ||W^T s||_inf ||h||_1 by proximal gradient steps
 * h <- soft(y - W^T (W y - s) / L, lambda ||W^T s||_inf / L), Csi-L2O eqs. (7) and (8),
 * with L = ||W||_2^2 by power iteration. lambda is relative to the smallest weight for
 * which the solution is zero, so that it does not depend on the scale of W or h. FISTA
 * adds the momentum of Beck and Teboulle (2009); ISTA has y = h. L is that of the first m
 * rows; it is computed when the first codeword of that length arrives.
 *
 * A codeword that is zero, not finite or so large that floats overflow decodes to zero.
 */
class CSIFEEDBACK_API ista_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder for the linear encoder of a model file.
     * \param model      the file
     * \param code_size  length of the longest codeword, 1 to the rows of W; 0: all
     * \param accelerate true: FISTA, false: ISTA
     * \param iterations largest number of iterations, 1 to 100000
     * \param lambda     weight of the l1 norm, 0 to 1
     * \param tolerance  stops once an iteration changes h by less than this, relative to
     *                   ||h||; 0: always runs all iterations
     * \param warm_start true: starts from the previous result, for slowly varying
     *                   channels
     * \throws std::invalid_argument if a parameter is out of range
     */
    static decoder::sptr make(model_file::sptr model,
                              int code_size,
                              bool accelerate = true,
                              int iterations = 20,
                              float lambda = 0.02f,
                              float tolerance = 0,
                              bool warm_start = false);

    //! The same for any matrix, see linear_encoder::make_from_matrix().
    static decoder::sptr make_from_matrix(const std::vector<float>& w,
                                          int na,
                                          int nt,
                                          int model_id,
                                          bool accelerate = true,
                                          int iterations = 20,
                                          float lambda = 0.02f,
                                          float tolerance = 0,
                                          bool warm_start = false);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ISTA_DECODER_H */
