/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DECODER_H
#define INCLUDED_CSIFEEDBACK_DECODER_H

#include <gnuradio/csifeedback/api.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief The BS half of a codec: reconstructs a CSI vector from a codeword.
 *
 * The counterpart of encoder; the block csi_decoder takes one. See there for the layout
 * and scale of h_vec. An object may hold work space: do not share one between two blocks.
 */
class CSIFEEDBACK_API decoder
{
public:
    typedef std::shared_ptr<decoder> sptr;
    virtual ~decoder() = default;

    //! Short name of the method, for example "fista".
    virtual std::string name() const = 0;
    //! Codec number of the frames that it decodes, 0 to 255.
    virtual uint8_t codec_id() const = 0;
    //! Model number of the frames that it decodes, 0 to 65535.
    virtual uint16_t model_id() const = 0;
    //! Delay rows of Ha.
    virtual int na() const = 0;
    //! Antenna ports, columns of Ha.
    virtual int nt() const = 0;
    //! Length of h_vec: 2 * na * nt.
    int output_size() const { return 2 * na() * nt(); }
    //! M, the length of the longest codeword that it decodes.
    virtual int code_size() const = 0;

    /*!
     * \brief Decodes one codeword.
     * \param s     m finite floats
     * \param m     length of this codeword, 1 to code_size(); nothing is checked here
     * \param h_vec output, output_size() floats
     */
    virtual void decode(const float* s, int m, float* h_vec) = 0;
    /*!
     * \brief Decodes several codewords of the same length, with the results of decode().
     * \param s     count x m finite floats
     * \param m     length of the codewords, 1 to code_size(); nothing is checked here
     * \param h_vec output, count x output_size() floats
     * \param count number of codewords
     */
    virtual void decode_batch(const float* s, int m, float* h_vec, int count)
    {
        for (int i = 0; i < count; i++)
            decode(s + size_t(i) * m, m, h_vec + size_t(i) * output_size());
    }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DECODER_H */
