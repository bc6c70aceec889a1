/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ENTROPY_REPORT_H
#define INCLUDED_CSIFEEDBACK_ENTROPY_REPORT_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/report.h>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Entropy-coded reports of a codec with codewords (UE).
 *
 * Instead of levels with a fixed number of bits, values are integer multiples of a step
 * that each report chooses. They are coded by a range coder, with frequencies that depend
 * on the expected size of the value and on its neighbours. The step is the finest one
 * whose report fits into the budget. The manual describes the code.
 *
 * 16 to 8192 bits. The model needs the arrays of the group `entropy`, which
 * csifeedback_train makes.
 */
class CSIFEEDBACK_API entropy_report_encoder : public report_encoder
{
public:
    typedef std::shared_ptr<entropy_report_encoder> sptr;

    /*!
     * \brief Makes an encoder.
     * \param model     not null; of a codec with an encoder
     * \param code_size number of values of the codeword that are coded, 0: all; for a
     *                  local KLT, whose tables belong to patches, only 0 is allowed
     * \throws std::invalid_argument if the model lacks the tables or code_size is out of
     *         range
     */
    static sptr make(model_file::sptr model, int code_size = 0);

    //! Multiply-adds by part: coefficients and the choice of patches; trials of steps.
    struct operations {
        uint64_t transform = 0, quantization = 0;
    };
    //! Those for all matrices encoded so far.
    virtual operations operations_so_far() = 0;

    //! How often symbols were coded, for training; the order is that of the model's arrays.
    struct counts {
        std::vector<double> steps, magnitudes, rows, columns;
        //! For each class and magnitude 1, 2, 3 and above: how often it occurred, and the
        //! sum of the amounts by which the value was below the magnitude.
        std::vector<double> often, below;
    };
    //! Encodes a matrix like encode(), and adds its symbols to counts.
    virtual void count(const float* h_vec, int budget, counts& all) = 0;
    //! Sizes of the tables in a model file, by name; training must write these.
    static std::vector<std::pair<std::string, int>> table_sizes();

protected:
    using report_encoder::report_encoder;
};

//! The BS half.
class CSIFEEDBACK_API entropy_report_decoder : public report_decoder
{
public:
    typedef std::shared_ptr<entropy_report_decoder> sptr;

    /*!
     * \brief Makes a decoder.
     * \param model     not null
     * \param code_size as for the encoder
     * \param method    of the codec's decoder, as for decoder::from_model()
     * \throws std::invalid_argument if the model lacks the tables or something does not fit
     */
    static sptr
    make(model_file::sptr model, int code_size = 0, const std::string& method = "");

protected:
    using report_decoder::report_decoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ENTROPY_REPORT_H */
