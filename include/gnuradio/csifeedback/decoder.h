/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DECODER_H
#define INCLUDED_CSIFEEDBACK_DECODER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The BS half of a codec: reconstructs a CSI vector from a codeword.
 *
 * The counterpart of encoder; the block csi_decoder takes one. See encoder for the layout
 * and scale of h_vec.
 */
class CSIFEEDBACK_API decoder : public codec_part
{
public:
    typedef std::shared_ptr<decoder> sptr;

    //! Largest magnitude of a value in a codeword; see decode().
    static constexpr float max_value = 1e15f;

    /*!
     * \brief Makes a decoder for a trained model of any codec.
     * \param model     the file
     * \param code_size length of the longest codeword; 0: that of the model
     * \param method    a decoder of this codec with its options, for example
     *                  "fista,iterations=100" or "l2o,profile=paper"; empty: the codec's
     *                  default one
     * \throws std::invalid_argument if the codec of the model is unknown or has no such
     *         decoder or option; the message lists those that exist
     */
    static sptr
    from_model(model_file::sptr model, int code_size = 0, const std::string& method = "");

    //! Length of h_vec: 2 rows nt.
    int output_size() const { return h_size(); }

    /*!
     * \brief Decodes one codeword.
     * \param s     m floats
     * \param m     length of this codeword, 1 to code_size(); not checked
     * \param h_vec output, output_size() finite floats. All are zero if a value of s is
     *              not finite or its magnitude is above max_value, or if the codec's
     *              result overflows; the state kept between codewords is as if such a
     *              codeword had not occurred.
     */
    void decode(const float* s, int m, float* h_vec) { decode_batch(s, m, h_vec, 1); }

    /*!
     * \brief Decodes several codewords of the same length, with the results of decode().
     * \param s     count x m floats
     * \param m     length of the codewords, 1 to code_size(); not checked
     * \param h_vec output, count x output_size() floats
     * \param count number of codewords
     */
    void decode_batch(const float* s, int m, float* h_vec, int count);

protected:
    //! \throws std::invalid_argument if a size is out of range
    explicit decoder(codec_info info);

    //! Implements decode(), for values up to max_value. Calls do not overlap. May throw
    //! std::exception; the codeword is then lost, and blocks log and count it.
    virtual void do_decode(const float* s, int m, float* h_vec) = 0;
    //! Implements decode_batch(). Unless overridden, calls do_decode() for each codeword.
    virtual void do_decode_batch(const float* s, int m, float* h_vec, int count);

private:
    std::vector<float> d_bounded; // with zeros for bad codewords
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DECODER_H */
