/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/pmi_report.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

codec_info info_of(
    const csi_report_format::sptr& format, int rows, int codec_id, int model_id, int nr)
{
    const char* where = "pmi_report";
    const auto codebook = not_null(where, "format", format)->codebook();
    check_range(where, "nr", nr, 1, 64);
    if (codebook->ranks().back() > nr)
        throw_bad(where,
                  "largest rank",
                  codebook->ranks().back(),
                  "1 to nr, " + std::to_string(nr));
    check_range(where, "rows", rows, codebook->subbands(), 65536 / nr);
    check_range(where, "codec_id", codec_id, 0, 255);
    check_range(where, "model_id", model_id, 0, 65535);
    codec_info info;
    info.name = codebook->name();
    info.codec_id = codec_id;
    info.model_id = model_id;
    info.domain = "H";
    info.rows = rows * nr;
    info.nt = codebook->ports();
    info.array = { codebook->array().n1, codebook->array().n2, 2 };
    return info;
}

// Bits with which the beams are in a report, whatever its coefficients.
int least_bits(const csi_report_format& format)
{
    int bits = 1;
    for (const int rank : format.codebook()->ranks())
        bits = std::max(bits,
                        format.total_bits(rank, format.codebook()->max_count(rank), 1));
    return bits;
}

class pmi_report_encoder_impl : public pmi_report_encoder
{
public:
    pmi_report_encoder_impl(csi_report_format::sptr format,
                            codec_info info,
                            double snr_db,
                            int nr)
        : pmi_report_encoder(std::move(info), least_bits(*format), format->max_bits()),
          d_report_format(format),
          d_nr(nr),
          d_snr(std::pow(10, snr_db / 10)),
          d_h(size_t(rows()) * nt())
    {
    }

protected:
    result do_encode(const float* h_vec, uint8_t* bits, int budget) override
    {
        const size_t n = d_h.size();
        for (size_t i = 0; i < n; i++)
            d_h[i] = cf(h_vec[i], h_vec[n + i]);
        d_report_format->report(d_h.data(), rows() / d_nr, d_nr, d_snr, budget, d_report);
        result r;
        r.bits = d_report_format->pack(d_report, bits, budget);
        return r;
    }

private:
    const csi_report_format::sptr d_report_format;
    const int d_nr;
    const double d_snr;
    std::vector<cf> d_h;
    csi_report d_report;
};

class pmi_report_decoder_impl : public pmi_report_decoder
{
public:
    pmi_report_decoder_impl(csi_report_format::sptr format, codec_info info, int nr)
        : pmi_report_decoder(std::move(info), format->max_bits()),
          d_report_format(format),
          d_nr(nr),
          d_w(size_t(format->codebook()->subbands()) * nt() *
              format->codebook()->ranks().back())
    {
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        const size_t n = size_t(rows()) * nt();
        const auto codebook = d_report_format->codebook();
        std::fill_n(h_vec, 2 * n, 0.0f);
        if (!d_report_format->unpack(bits, count, d_report).empty() || !d_report.groups)
            return;
        codebook->precoder(d_report.precoding, d_w.data());
        const int rank = d_report.precoding.rank;
        const float scale = std::sqrt(float(nt()));
        for (int row = 0; row < rows(); row++) {
            const int layer = row % d_nr;
            if (layer >= rank)
                continue;
            const int subband =
                int64_t(row / d_nr) * codebook->subbands() / (rows() / d_nr);
            const cf* w = d_w.data() + size_t(subband) * nt() * rank + layer;
            float* re = h_vec + size_t(row) * nt();
            for (int k = 0; k < nt(); k++) {
                re[k] = scale * w[size_t(k) * rank].real();
                re[n + k] = -scale * w[size_t(k) * rank].imag();
            }
        }
    }

private:
    const csi_report_format::sptr d_report_format;
    const int d_nr;
    std::vector<cf> d_w;
    csi_report d_report;
};

} // namespace

pmi_report_encoder::sptr pmi_report_encoder::make(csi_report_format::sptr format,
                                                  int rows,
                                                  double snr_db,
                                                  int codec_id,
                                                  int model_id,
                                                  int nr)
{
    check_range("pmi_report_encoder", "snr_db", snr_db, -100.0, 100.0);
    return std::make_shared<pmi_report_encoder_impl>(
        format, info_of(format, rows, codec_id, model_id, nr), snr_db, nr);
}

pmi_report_decoder::sptr pmi_report_decoder::make(
    csi_report_format::sptr format, int rows, int codec_id, int model_id, int nr)
{
    return std::make_shared<pmi_report_decoder_impl>(
        format, info_of(format, rows, codec_id, model_id, nr), nr);
}

} // namespace csifeedback
} // namespace gr
