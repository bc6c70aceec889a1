/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PMI_REPORT_H
#define INCLUDED_CSIFEEDBACK_PMI_REPORT_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/csi_report.h>
#include <gnuradio/csifeedback/report.h>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief Reports of a PMI codebook for a UE with one or several antennas: the UE's half.
 *
 * Takes full-band matrices H, (rows nr) x ports: row k nr + a is antenna a on subcarrier
 * k. Columns are ports in 3GPP's order. A report is part 1, with the rank, and part 2 of
 * the format; groups that do not fit into the budget are omitted. The encoder chooses the
 * rank whose precoders have the largest rate with the remaining groups.
 */
class CSIFEEDBACK_API pmi_report_encoder : public report_encoder
{
public:
    typedef std::shared_ptr<pmi_report_encoder> sptr;

    /*!
     * \brief Makes an encoder that has the format's codebook to itself.
     * \param format   not null, of ranks up to nr; no other object may use it or its
     * codebook
     * \param rows     subcarriers or resource blocks, at least the codebook's subbands()
     * \param snr_db   SNR at the UE's antenna, for the CQI, -100 to 100
     * \param codec_id codec number in feedback frames, 0 to 255
     * \param model_id model number in feedback frames: identifies the configuration
     * \param nr       antennas of the UE, 1 to 64; rows nr is at most 65536
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(csi_report_format::sptr format,
                     int rows,
                     double snr_db = 10,
                     int codec_id = 255,
                     int model_id = 0,
                     int nr = 1);

protected:
    using report_encoder::report_encoder;
};

/*!
 * \brief The BS's half.
 *
 * A report becomes a matrix of the same size: row k nr + l is the conjugate precoder of
 * layer l in the subband of k, with the norm sqrt(ports / rank); rows of layers from the
 * rank on are zero. This is the direction of the channel, without its phase and gain. The
 * matrix is zero if the bits are refused or the precoder is not in the report.
 */
class CSIFEEDBACK_API pmi_report_decoder : public report_decoder
{
public:
    typedef std::shared_ptr<pmi_report_decoder> sptr;

    //! Makes a decoder; parameters as for the encoder.
    static sptr make(csi_report_format::sptr format,
                     int rows,
                     int codec_id = 255,
                     int model_id = 0,
                     int nr = 1);

protected:
    using report_decoder::report_decoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PMI_REPORT_H */
