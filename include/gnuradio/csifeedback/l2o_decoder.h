/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_L2O_DECODER_H
#define INCLUDED_CSIFEEDBACK_L2O_DECODER_H

#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief The learned decoder of Csi-L2O and, with other arrays, that of MS4L2O.
 *
 * For a codeword s of m values, with W the first m rows of the encoder's matrix,
 * L = ||W||_2^2 and grad f(z) = W^T (W z - s), each iteration is Csi-L2O eq. (19),
 *
 *     x^ = x - p/L grad f(x)
 *     y^ = y - p/L grad f(y)
 *     u  = (1 - b) x^ + b y^ - b1
 *     x' = u + gamma (prox(u) - u)
 *     y' = x' + a (x' - x) + b2
 *
 * prox(u) takes each delay row [Re u, Im u] (2 nt values) through the learned sparse
 * transform, eq. (10): f_i(top_G(soft(f_t(row), theta))). Both f are linear layers with
 * ReLU between them. A model without a transform has soft(u, p theta / L) instead, where
 * a threshold below zero counts as zero. p, a and b are learned numbers of the iteration.
 * With an LSTM, they and b1, b2 come element by element from eq. (20): the inputs of the
 * LSTM are x_e and grad f(x)_e / L, and an MLP makes the five outputs from its state, to
 * which the learned numbers are added. Without one, b = 1 and b1 = b2 = 0. The result is
 * x - consistency / L grad f(x) at the end. A profile may have phases of FISTA-Net (Guo
 * et al., 2022) after that: y = x + momentum (x - x_before), u = y - step / L grad f(y),
 * and x' = u + F~(soft(F(u), limits)), with 3x3 and 1x1 convolutions of 16 channels over
 * the matrix and a limit for each channel that a small network makes from its mean
 * magnitude.
 *
 * The numbers are interpolated over log2(m) between the code sizes used in training, so
 * that one model decodes every length. The arrays of the model file are those of the
 * group `l2o/<profile>/`; docs/files.md lists them. Sizes are taken from the file: any
 * na, nt, hidden size, number of LSTM and transform layers, iterations and G.
 *
 * A codeword that is zero, not finite or so large that floats overflow decodes to zero.
 * Several codewords are decoded faster together than one by one, since they share each
 * pass over W and the weights. Results are the same.
 */
class CSIFEEDBACK_API l2o_decoder : public decoder
{
public:
    using decoder::decoder;
    /*!
     * \brief Makes the decoder of a model file.
     *
     * Whatever depends on the length of a codeword (L, and the matrix of the first
     * estimate) is computed here for code_size, and for other lengths when the first
     * codeword of that length arrives.
     * \param model      the file
     * \param code_size  length of the longest codeword, 1 to the rows of W; 0: all
     * \param profile    decoder in the file, for example "realtime" or "paper"
     * \param iterations 1 to 100000; iterations beyond the trained ones use the
     *                   parameters of the last; 0: as many as were trained
     * \param tolerance  stops once an iteration changes x by less than this, relative to
     *                   ||x||, 0 to 1; 0: never. With a value above 0, codewords are
     *                   decoded one by one.
     * \param precision  of the products: "float32", or "bf16" for bfloat16 on processors
     *                   with AVX-512 BF16 and float32 on others. bfloat16 is faster, and
     *                   the NMSE rises by less than 0.02 dB (measured on COST 2100
     *                   indoor). For codewords longer than an eighth of the matrix's
     *                   values, the transforms stay in float32.
     * \throws std::invalid_argument if a parameter is out of range, the file lacks the
     *         profile, or arrays do not fit each other; the message names the array and
     *         what is allowed, or the profiles of the file and what it was trained for
     */
    static decoder::sptr make(model_file::sptr model,
                              int code_size = 0,
                              const std::string& profile = "realtime",
                              int iterations = 0,
                              float tolerance = 0,
                              const std::string& precision = "float32");
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_L2O_DECODER_H */
