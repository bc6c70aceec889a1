/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SCALAR_QUANTIZER_H
#define INCLUDED_CSIFEEDBACK_SCALAR_QUANTIZER_H

#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The scalar quantizers: uniform, Lloyd-Max, Lloyd-Max with bits allocated by
 * variance, and the same with prediction.
 *
 * All scale entry i by its standard deviation over the training set (`quantizer/std` of
 * the model file) and look the result up in a table of increasing levels. The predictive
 * one does so with what is left of an entry after its prediction.
 */
class CSIFEEDBACK_API scalar_quantizer : public quantizer
{
public:
    /*!
     * \brief Uniform levels, mid-rise.
     * \param model     file with `quantizer/std`, and `quantizer/uniform_range` unless
     *                  range is given
     * \param code_size M, 1 to the length of `quantizer/std`; 0: all
     * \param bits      B of every entry, 1 to 10
     * \param range     levels cover +-range standard deviations, > 0; 0: the range with
     *                  the least error on the training set
     * \throws std::invalid_argument if a parameter is out of range or an array is missing
     */
    static quantizer::sptr
    make_uniform(model_file::sptr model, int code_size, int bits, float range = 0);

    /*!
     * \brief Lloyd-Max levels trained on the training set.
     * \param model     file with `quantizer/std` and `quantizer/global_B`, or
     *                  `quantizer/entry_B`
     * \param code_size M, 1 to the length of `quantizer/std`; 0: all
     * \param bits      B of every entry, 1 to 10
     * \param per_entry true: a table for every entry; false: one table for all entries
     * \throws std::invalid_argument if a parameter is out of range or an array is missing
     */
    static quantizer::sptr make_lloyd_max(model_file::sptr model,
                                          int code_size,
                                          int bits,
                                          bool per_entry = false);

    /*!
     * \brief Lloyd-Max with a budget of bits distributed over the entries: each bit goes
     * where it most reduces the mean squared error on the training set.
     * \param model      file with `quantizer/std`, `quantizer/global_B` for B = 1 to 10
     *                   and `quantizer/global_mse`, the mean squared error for
     *                   unit variance at 0 to 10 bits, convex
     * \param code_size  M, 1 to the length of `quantizer/std`; 0: all
     * \param total_bits bits of a whole codeword, 1 to 10 * code_size, at most 65535
     * \throws std::invalid_argument if a parameter is out of range or an array is missing
     */
    static quantizer::sptr
    make_allocated(model_file::sptr model, int code_size, int total_bits);

    /*!
     * \brief Allocated Lloyd-Max levels for the innovation of each entry: its prediction
     * from the reconstructed entries before it is subtracted before quantization, and
     * added afterwards.
     *
     * For codewords with correlated entries, like those of Csi-L2O: bits are spent on
     * what the preceding entries do not predict. Codewords without correlation gain
     * nothing. quantize() and dequantize() take m (m - 1) / 2 multiply-adds each. A wrong
     * level also corrupts the entries after it, which stay within 1000 standard
     * deviations.
     *
     * \param model      file with `quantizer/std`, `quantizer/prediction`, the weights of
     *                   the preceding entries for each entry, `quantizer/innovation_std`,
     *                   `quantizer/innovation_B` for B = 1 to 10 and
     *                   `quantizer/innovation_mse`, convex
     * \param code_size  M, 1 to the length of `quantizer/std`, which is 2 to 4096; 0: all
     * \param total_bits bits of a whole codeword, 1 to 10 * code_size, at most 65535
     * \throws std::invalid_argument if a parameter is out of range or an array is missing
     */
    static quantizer::sptr
    make_predictive(model_file::sptr model, int code_size, int total_bits);

    /*!
     * \brief A quantizer with given levels, for tests and for codewords without a model.
     * \param std_dev    M scales, >= 0
     * \param entry_bits bits of each of the M entries, 0 to 10
     * \param levels     the 2^entry_bits[i] increasing levels of every entry in turn, for
     *                   entries scaled to unit standard deviation
     * \param type_id    number in a feedback frame, 0 to 15
     * \param bits       resolution written to a feedback frame, 0 to 65535
     * \throws std::invalid_argument if the sizes do not fit or levels do not increase
     */
    static quantizer::sptr make(const std::vector<float>& std_dev,
                                const std::vector<int>& entry_bits,
                                const std::vector<float>& levels,
                                int type_id,
                                int bits);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SCALAR_QUANTIZER_H */
