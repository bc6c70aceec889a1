/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ENCODER_H
#define INCLUDED_CSIFEEDBACK_ENCODER_H

#include <gnuradio/csifeedback/api.h>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief The UE half of a codec: turns a CSI vector into a short codeword.
 *
 * A codec object, as the coders of gr-fec: the block csi_encoder takes one
 * and derives its item sizes from it, and feedback_framer its numbers. A new codec is one
 * new class that derives from this one.
 *
 * h_vec = [Re(Ha); Im(Ha)], each flattened row-major, 2 * na * nt floats, scaled such
 * that the squared norm is na * nt (see normalize_csi()). The codewords of an encoder are
 * nested: the first m of the code_size() values are the codeword of the ratio
 * m / (2 na nt).
 *
 * An object may hold work space: do not share one between two blocks.
 */
class CSIFEEDBACK_API encoder
{
public:
    typedef std::shared_ptr<encoder> sptr;
    virtual ~encoder() = default;

    //! Short name of the codec, for example "klt".
    virtual std::string name() const = 0;
    //! Number of the codec in a feedback frame, 0 to 255.
    virtual uint8_t codec_id() const = 0;
    //! Number of the trained model in a feedback frame, 0 to 65535.
    virtual uint16_t model_id() const = 0;
    //! Delay rows of Ha.
    virtual int na() const = 0;
    //! Antenna ports, columns of Ha.
    virtual int nt() const = 0;
    //! Length of h_vec: 2 * na * nt.
    int input_size() const { return 2 * na() * nt(); }
    //! M, the length of a codeword.
    virtual int code_size() const = 0;

    /*!
     * \brief Encodes one matrix.
     * \param h_vec input_size() finite floats
     * \param s     output, m floats
     * \param m     values wanted, 1 to code_size(); nothing is checked here
     */
    virtual void encode(const float* h_vec, float* s, int m) = 0;

    /*!
     * \brief How badly the last matrix that was encoded fits what the codec was trained
     * for: the part of its energy that the codec cannot represent, 0 (fits) and up.
     *
     * NaN before the first matrix, or if the codec does not tell. Where it does,
     * csi_encoder and the feedback frames carry it to the BS.
     */
    virtual float mismatch() const { return std::numeric_limits<float>::quiet_NaN(); }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ENCODER_H */
