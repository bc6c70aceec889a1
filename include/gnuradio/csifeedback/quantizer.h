/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_QUANTIZER_H
#define INCLUDED_CSIFEEDBACK_QUANTIZER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/model_file.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief Turns a codeword into level numbers and back, entry by entry.
 *
 * The blocks csi_quantizer, csi_dequantizer, feedback_framer and feedback_deframer take
 * such an object. All methods are const and may be called from any thread.
 */
class CSIFEEDBACK_API quantizer
{
public:
    typedef std::shared_ptr<quantizer> sptr;
    virtual ~quantizer() = default;

    /*!
     * \brief Makes a quantizer for a trained model by its name.
     * \param model     the file, with the statistics of its codewords
     * \param name      uniform, lloyd-max, lloyd-max-per-entry, allocated or predictive
     * \param code_size M, the length of the longest codeword; 0: that of the model
     * \param bits      bits per value, 1 to 10; "allocated" and "predictive" distribute M
     *                  times as many among the values
     * \throws std::invalid_argument if a parameter is out of range or the model lacks
     *         the arrays
     */
    static sptr
    from_model(model_file::sptr model, const std::string& name, int code_size, int bits);

    //! Short name, for example "lloyd-max".
    virtual std::string name() const = 0;
    //! Number of the method in a feedback frame, 0 to 15.
    virtual uint8_t type_id() const = 0;
    //! The number that sets its resolution: bits per entry, or the budget of a codeword.
    virtual int bits() const = 0;
    //! M, the length of the longest codeword that it is for.
    virtual int code_size() const = 0;
    //! Bits of entry i, 0 to 10.
    virtual int entry_bits(int i) const = 0;
    //! Bits of the first m entries together.
    size_t total_bits(int m) const
    {
        size_t sum = 0;
        for (int i = 0; i < m; i++)
            sum += entry_bits(i);
        return sum;
    }

    /*!
     * \brief Finds the level of each value.
     * \param s     m floats; a NaN gets level 0
     * \param m     1 to code_size(); not checked
     * \param level output, m numbers, that of entry i in 0 .. 2^entry_bits(i) - 1
     */
    virtual void quantize(const float* s, int m, int16_t* level) const = 0;

    /*!
     * \brief Maps each level to its reconstruction value.
     * \param level m numbers; the bits above entry_bits(i) are ignored
     * \param m     1 to code_size(); not checked
     * \param s     output, m floats; entries of zero bits become 0
     */
    virtual void dequantize(const int16_t* level, int m, float* s) const = 0;
};

//! Writes the first m levels as a bit string, most significant bit first:
//! (q.total_bits(m) + 7) / 8 bytes, the last one zero-filled.
CSIFEEDBACK_API void
pack_levels(const quantizer& q, const int16_t* level, int m, uint8_t* bytes);

//! The inverse of pack_levels(); the bits that fill the last byte are ignored.
CSIFEEDBACK_API void
unpack_levels(const quantizer& q, const uint8_t* bytes, int m, int16_t* level);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_QUANTIZER_H */
