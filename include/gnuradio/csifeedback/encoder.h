/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ENCODER_H
#define INCLUDED_CSIFEEDBACK_ENCODER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <limits>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief The UE half of a codec: turns a CSI vector into a short codeword.
 *
 * A codec object, like the coders of gr-fec: the block csi_encoder takes one and derives
 * its item sizes from it, and feedback_framer its codec and model numbers. A new codec is
 * a class that derives from this one, and a descriptor in the codec_registry.
 *
 * h_vec = [Re(Ha); Im(Ha)], each flattened row-major, 2 rows nt floats, scaled such
 * that the squared norm is rows nt (see normalize_csi()). The codewords of an encoder are
 * nested: the first m of the code_size() values are the codeword of the compression ratio
 * m / (2 rows nt).
 */
class CSIFEEDBACK_API encoder : public codec_part
{
public:
    typedef std::shared_ptr<encoder> sptr;

    //! What encode() returns if the codec does not report its residual energy.
    static constexpr float no_residual = std::numeric_limits<float>::quiet_NaN();

    /*!
     * \brief Makes the encoder for a trained model of any codec.
     * \param model     the file
     * \param code_size M, the length of a codeword; 0: the longest
     * \throws std::invalid_argument if the codec of the model is unknown, or cannot send
     *         codewords of this length
     */
    static sptr from_model(model_file::sptr model, int code_size = 0);

    //! Length of h_vec: 2 rows nt.
    int input_size() const { return h_size(); }

    /*!
     * \brief Encodes one matrix.
     * \param h_vec input_size() finite floats
     * \param s     output, m floats
     * \param m     number of values wanted, 1 to code_size(); not checked
     * \return the residual energy in dB: the part of the energy of h_vec that the codec
     *         cannot represent, at least -100; large values show that the codec was not
     *         trained for such channels. NaN if the codec does not report it.
     */
    float encode(const float* h_vec, float* s, int m)
    {
        const auto locked = lock();
        return do_encode(h_vec, s, m);
    }

    /*!
     * \brief Encodes several matrices, with the results of encode().
     * \param h_vec              count x input_size() finite floats
     * \param s                  output, count x m floats
     * \param m                  number of values wanted, 1 to code_size(); not checked
     * \param count              number of matrices
     * \param residual_energy_db output, count values in dB; may be null
     */
    void encode_batch(
        const float* h_vec, float* s, int m, int count, float* residual_energy_db)
    {
        const auto locked = lock();
        do_encode_batch(h_vec, s, m, count, residual_energy_db);
    }

protected:
    //! \throws std::invalid_argument if a size is out of range
    explicit encoder(codec_info info);

    //! Implements encode(). Calls do not overlap. May throw std::exception; the matrix is
    //! then lost, and blocks log and count it.
    virtual float do_encode(const float* h_vec, float* s, int m) = 0;
    //! Implements encode_batch(). Unless overridden, calls do_encode() for each matrix.
    virtual void do_encode_batch(
        const float* h_vec, float* s, int m, int count, float* residual_energy_db);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ENCODER_H */
