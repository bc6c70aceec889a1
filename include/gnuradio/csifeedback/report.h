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
 * \brief How a feedback frame describes the bits of a report.
 *
 * Frames have a field `quantizer_type` of 4 bits, a field `bits` of 16 and a field
 * `code_size` of 16. Reports are of type 14 and have the number of their bits in
 * `code_size`; those made of a codeword and a quantizer have the fields of the quantizer.
 */
struct CSIFEEDBACK_API report_format {
    //! Type of reports that are not quantized codewords.
    static constexpr int bits_type = 14;

    //! Reports that are not quantized codewords.
    report_format() = default;
    //! Reports that are codewords of this quantizer, not null.
    explicit report_format(const quantizer::sptr& quantizer)
        : type(quantizer->type_id()), bits(quantizer->bits()), levels(quantizer)
    {
    }

    int type = bits_type; //!< 0 to 15
    int bits = 0;         //!< 0 to 65535
    //! The quantizer of quantized codewords, else null.
    quantizer::sptr levels;

    //! The field `code_size` of a report of n bits.
    int size_of(int n) const;
    //! Bits of a report with this field `code_size`.
    int bits_of(int size) const { return levels ? levels->total_bits(size) : size; }
};

/*!
 * \brief The UE half of CSI feedback in bits: CSI to a bit string.
 *
 * For codecs whose transform, quantizer and entropy code are one unit. A codec with
 * codewords and a quantizer can also be one, see quantized_report. Layout and scale of
 * h_vec are those of encoder; the gain is not part of a report, the feedback frame
 * carries it.
 */
class CSIFEEDBACK_API report_encoder : public codec_part
{
public:
    typedef std::shared_ptr<report_encoder> sptr;

    //! Largest number of bits that a report can have.
    static constexpr int max_report_bits = 65535;

    //! What encode() returns.
    struct result {
        int bits = 0;                                    //!< bits used of the budget
        float residual_energy_db = encoder::no_residual; //!< as from encoder::encode()
    };

    /*!
     * \brief Makes the report encoder for a trained model of any codec.
     * \param model   the file
     * \param options "name=value,..": those of the codec's own reports; for codecs with
     *                codewords: code_size (M, 0: the longest), quantizer (uniform,
     *                lloyd-max, lloyd-max-per-entry, allocated, predictive, or entropy, see
     *                entropy_report_encoder) and bits (per value)
     * \throws std::invalid_argument if the codec or an option is unknown or does not fit
     */
    static sptr from_model(model_file::sptr model, const std::string& options = "");

    //! Fewest bits that carry anything, >= 1.
    int min_bits() const { return d_min_bits; }
    //! Largest number of bits that encode() uses, min_bits() to max_report_bits.
    int max_bits() const { return d_max_bits; }
    const report_format& format() const { return d_format; }

    /*!
     * \brief Encodes one matrix.
     * \param h_vec  h_size() finite floats, as for encoder
     * \param bits   output, (budget + 7) / 8 bytes, most significant bit first; the bits
     *               that fill the last byte are zero
     * \param budget largest number of bits, >= min_bits(); bits above max_bits() are not
     *               used
     * \return the bits used, min_bits() to budget, and the residual energy
     * \throws std::invalid_argument if budget is below min_bits()
     */
    result encode(const float* h_vec, uint8_t* bits, int budget);

protected:
    report_encoder(codec_info info,
                   int min_bits,
                   int max_bits,
                   report_format format = {});

    //! Implements encode(); budget is min_bits() to max_bits() and the bytes are zeroed.
    virtual result do_encode(const float* h_vec, uint8_t* bits, int budget) = 0;

private:
    const int d_min_bits, d_max_bits;
    const report_format d_format;
};

/*!
 * \brief The BS half: a bit string to CSI.
 */
class CSIFEEDBACK_API report_decoder : public codec_part
{
public:
    typedef std::shared_ptr<report_decoder> sptr;

    /*!
     * \brief Makes the report decoder for a trained model of any codec.
     * \param model   the file
     * \param options the same as the encoder's
     * \param method  for codecs with codewords: as for decoder::from_model()
     * \throws std::invalid_argument if something is unknown or does not fit
     */
    static sptr from_model(model_file::sptr model,
                           const std::string& options = "",
                           const std::string& method = "");

    //! Largest number of bits of a report, as for the encoder.
    int max_bits() const { return d_max_bits; }
    const report_format& format() const { return d_format; }

    /*!
     * \brief Decodes one report.
     *
     * Any bit string is decoded to finite values; bits beyond max_bits() are
     * ignored.
     * \param bits  (count + 7) / 8 bytes, most significant bit first
     * \param count number of bits, >= 0; 0 decodes to zero
     * \param h_vec output, h_size() finite floats
     */
    void decode(const uint8_t* bits, int count, float* h_vec);

protected:
    report_decoder(codec_info info, int max_bits, report_format format = {});

    //! Implements decode(), for 1 to max_bits() bits.
    virtual void do_decode(const uint8_t* bits, int count, float* h_vec) = 0;

private:
    const int d_max_bits;
    const report_format d_format;
};

/*!
 * \brief Reports that are quantized codewords.
 *
 * The bits are those of pack_levels(). If the budget is smaller than the whole codeword,
 * the codeword is shortened to the largest number of values that fits.
 */
struct CSIFEEDBACK_API quantized_report {
    /*!
     * \brief Makes the UE's half.
     * \param encoder   not null; the report holds it
     * \param quantizer not null, of the encoder's code_size
     * \throws std::invalid_argument if they do not fit or there are more than 65535 bits
     */
    static report_encoder::sptr make_encoder(encoder::sptr encoder,
                                             quantizer::sptr quantizer);
    //! Makes the BS's half, from a decoder with at least the quantizer's code_size.
    static report_decoder::sptr make_decoder(decoder::sptr decoder,
                                             quantizer::sptr quantizer);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_REPORT_H */
