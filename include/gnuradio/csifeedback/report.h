/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_REPORT_H
#define INCLUDED_CSIFEEDBACK_REPORT_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <cstdint>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief How the bits of a report stand in a feedback frame.
 *
 * Frames have a field `quantizer_type` of 4 bits, a field `bits` of 16 and a field
 * `code_size` of 16. Reports are of type 14 with the number of their bits in `code_size`;
 * those that are made of a codeword and a quantizer have the fields of the quantizer.
 */
struct CSIFEEDBACK_API report_format {
    //! Type of reports that are no quantized codewords.
    static constexpr int bits_type = 14;

    //! Reports that are no quantized codewords.
    report_format() = default;
    //! Reports that are codewords of this quantizer, not null.
    explicit report_format(const quantizer::sptr& quantizer)
        : type(quantizer->type_id()), bits(quantizer->bits()), levels(quantizer)
    {
    }

    int type = bits_type; //!< 0 to 15
    int bits = 0;         //!< 0 to 65535
    //! Of quantized codewords, else null.
    quantizer::sptr levels;

    //! The field `code_size` of a report of n bits.
    int size_of(int n) const;
    //! Bits of a report with this field `code_size`.
    int bits_of(int size) const { return levels ? levels->total_bits(size) : size; }
};

/*!
 * \brief The UE half of CSI feedback in bits: CSI to a string of bits.
 *
 * For everything in which transform, quantizer and entropy code are one thing. A codec
 * with codewords and a quantizer is one too, see quantized_report. Layout and scale of
 * h_vec are those of encoder; the gain is not part of a report, the feedback frame
 * carries it.
 */
class CSIFEEDBACK_API report_encoder : public codec_part
{
public:
    typedef std::shared_ptr<report_encoder> sptr;

    //! Most bits that a report can have.
    static constexpr int max_report_bits = 65535;

    //! What encode() tells.
    struct result {
        int bits = 0;                                    //!< used of the budget
        float residual_energy_db = encoder::no_residual; //!< as of encoder::encode()
    };

    /*!
     * \brief Makes the report encoder of a trained model, whatever its codec.
     * \param model   the file
     * \param options "name=value,..": those of the codec's own reports; of codecs with
     *                codewords code_size (M, 0: the longest), quantizer (uniform,
     *                lloyd-max, lloyd-max-per-entry, allocated, predictive, or entropy, see
     *                entropy_report_encoder) and bits (per value)
     * \throws std::invalid_argument if the codec or an option is unknown or does not fit
     */
    static sptr from_model(model_file::sptr model, const std::string& options = "");

    //! Fewest bits that carry anything, >= 1.
    int min_bits() const { return d_min_bits; }
    //! Most bits that encode() uses, min_bits() to max_report_bits.
    int max_bits() const { return d_max_bits; }
    const report_format& format() const { return d_format; }

    /*!
     * \brief Encodes one matrix.
     * \param h_vec  h_size() finite floats, as for encoder
     * \param bits   output, (budget + 7) / 8 bytes, most significant bit first; what
     *               fills the last byte is zero
     * \param budget most bits, >= min_bits(); what is above max_bits() is not used
     * \return the bits used, min_bits() to budget, and the residual energy
     * \throws std::invalid_argument if budget is below min_bits()
     */
    result encode(const float* h_vec, uint8_t* bits, int budget);

protected:
    report_encoder(codec_info info,
                   int min_bits,
                   int max_bits,
                   report_format format = {});

    //! As encode(), with a budget of min_bits() to max_bits() and the bytes zeroed.
    virtual result do_encode(const float* h_vec, uint8_t* bits, int budget) = 0;

private:
    const int d_min_bits, d_max_bits;
    const report_format d_format;
};

/*!
 * \brief The BS half: a string of bits to CSI.
 */
class CSIFEEDBACK_API report_decoder : public codec_part
{
public:
    typedef std::shared_ptr<report_decoder> sptr;

    /*!
     * \brief Makes the report decoder of a trained model, whatever its codec.
     * \param model   the file
     * \param options the same as the encoder's
     * \param method  of codecs with codewords: as for decoder::from_model()
     * \throws std::invalid_argument if something is unknown or does not fit
     */
    static sptr from_model(model_file::sptr model,
                           const std::string& options = "",
                           const std::string& method = "");

    //! Most bits of a report, as of the encoder.
    int max_bits() const { return d_max_bits; }
    const report_format& format() const { return d_format; }

    /*!
     * \brief Decodes one report.
     *
     * Any string of bits is decoded, to something finite; bits beyond max_bits() are
     * ignored.
     * \param bits  (count + 7) / 8 bytes, most significant bit first
     * \param count number of bits, >= 0; 0 decodes to zero
     * \param h_vec output, h_size() finite floats
     */
    void decode(const uint8_t* bits, int count, float* h_vec);

protected:
    report_decoder(codec_info info, int max_bits, report_format format = {});

    //! As decode(), of 1 to max_bits() bits.
    virtual void do_decode(const uint8_t* bits, int count, float* h_vec) = 0;

private:
    const int d_max_bits;
    const report_format d_format;
};

/*!
 * \brief Reports that are quantized codewords.
 *
 * The bits are those of pack_levels(). A budget below the bits of the whole codeword cuts
 * it to the longest one of fewer values that fits.
 */
struct CSIFEEDBACK_API quantized_report {
    /*!
     * \brief Makes the UE's half.
     * \param encoder   not null; the report holds it
     * \param quantizer not null, of the encoder's code_size
     * \throws std::invalid_argument if they do not fit or the bits are more than 65535
     */
    static report_encoder::sptr make_encoder(encoder::sptr encoder,
                                             quantizer::sptr quantizer);
    //! Makes the BS's half, of a decoder of at least the quantizer's code_size.
    static report_decoder::sptr make_decoder(decoder::sptr decoder,
                                             quantizer::sptr quantizer);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_REPORT_H */
