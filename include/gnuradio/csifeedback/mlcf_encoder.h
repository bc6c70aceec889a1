/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MLCF_ENCODER_H
#define INCLUDED_CSIFEEDBACK_MLCF_ENCODER_H

#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief The UE half of MLCF (Cao et al., "A manifold learning-based CSI feedback
 * framework for FDD massive MIMO"): each antenna's channel from its nearest landmarks.
 *
 * Works on full-band matrices H (na = nc, no angular_delay), one column h of
 * H~ = [Re H; Im H], 2 na x nt, at a time. Its k nearest landmarks d_j (columns of D_H)
 * have the weights of eq. (33),
 *
 *     w = (R + lambda phi(R))^-1 e / (e' (R + lambda phi(R))^-1 e),
 *     R_ij = (h - d_i)'(h - d_j), phi(R) its diagonal,
 *
 * which sum to one, with 1e-6 trace(R) / k added to the diagonal. The same weights of the
 * landmarks' embeddings give the embedding of h, eq. (34): y = D_L w. In the codeword,
 * s[r nt + n] is component r of antenna n, so that its first d' nt values are the
 * embedding truncated to d' dimensions.
 *
 * The residual energy is ||H~ - D_H W||_F^2 / ||H~||_F^2: how far channels are from the
 * landmarks. It rises if the surroundings of a UE were not in the training set.
 */
class CSIFEEDBACK_API mlcf_encoder : public encoder
{
public:
    using encoder::encoder;
    /*!
     * \brief Makes the encoder of a model file (its group `encoder`).
     * \param model     a file of the codec `mlcf`
     * \param code_size a multiple of nt up to d nt, where d is the dimension of the
     *                  embedding; 0: d nt
     * \throws std::invalid_argument if code_size is none of these, the model is of
     *         another codec or domain, or its arrays do not fit each other
     */
    static encoder::sptr make(model_file::sptr model, int code_size = 0);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MLCF_ENCODER_H */
