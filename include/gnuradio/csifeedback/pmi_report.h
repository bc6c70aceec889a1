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
 * \brief Reports of a PMI codebook for a UE with one antenna: the UE's half.
 *
 * Takes whole matrices H, rows x ports, whose columns are ports in 3GPP's order. A report
 * is part 1 and part 2 of the format; groups that the budget has no room for are omitted.
 */
class CSIFEEDBACK_API pmi_report_encoder : public report_encoder
{
public:
    typedef std::shared_ptr<pmi_report_encoder> sptr;

    /*!
     * \brief Makes an encoder, for its own use of the format's codebook.
     * \param format   not null, of rank 1 alone; no other object may use it or its codebook
     * \param rows     subcarriers or resource blocks, at least the codebook's subbands()
     * \param snr_db   SNR at the UE's antenna, for the CQI, -100 to 100
     * \param codec_id in feedback frames, 0 to 255
     * \param model_id in feedback frames: a number of the configuration
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(csi_report_format::sptr format,
                     int rows,
                     double snr_db = 10,
                     int codec_id = 255,
                     int model_id = 0);

protected:
    using report_encoder::report_encoder;
};

/*!
 * \brief The BS's half.
 *
 * A report becomes the matrix whose rows are the conjugate precoder of their subband, each
 * with the norm sqrt(ports): the direction of the channel, without its phase and gain. The
 * matrix is zero where bits are refused or the precoder is not in the report.
 */
class CSIFEEDBACK_API pmi_report_decoder : public report_decoder
{
public:
    typedef std::shared_ptr<pmi_report_decoder> sptr;

    //! Makes a decoder; parameters as for the encoder.
    static sptr
    make(csi_report_format::sptr format, int rows, int codec_id = 255, int model_id = 0);

protected:
    using report_decoder::report_decoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PMI_REPORT_H */
