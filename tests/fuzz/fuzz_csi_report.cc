/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// CSI reports of PMI codebooks: bits of any content and number. What is taken must be a PMI
// of the codebook, have finite precoders, and be packed again to the same bits.

#include "feedback/bits.h"
#include "fuzz.h"
#include <gnuradio/csifeedback/csi_report.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace gr::csifeedback;

namespace {

void require(bool condition)
{
    if (!condition)
        std::abort();
}

csi_report_format::sptr
type1(const pmi_array& array, int mode, const char* cqi, const std::vector<int>& ranks)
{
    type1_codebook::configuration c;
    c.array = array;
    c.mode = mode;
    c.ranks = ranks;
    c.subbands = 5;
    return csi_report_format::make(type1_codebook::make(c), { cqi, 1, 2 });
}

csi_report_format::sptr
type2(const pmi_array& array, int beams, bool amplitudes, const std::vector<int>& ranks)
{
    type2_codebook::configuration c;
    c.array = array;
    c.subbands = 5;
    c.beams = beams;
    c.subband_amplitude = amplitudes;
    c.ranks = ranks;
    return csi_report_format::make(type2_codebook::make(c), { "subband", 1, 2 });
}

csi_report_format::sptr etype2(const pmi_array& array,
                               int subbands,
                               int combination,
                               int per_cqi,
                               const std::vector<int>& ranks)
{
    etype2_codebook::configuration c;
    c.array = array;
    c.subbands = subbands;
    c.param_combination = combination;
    c.per_cqi = per_cqi;
    c.ranks = ranks;
    return csi_report_format::make(etype2_codebook::make(c), { "wideband", 1, 2 });
}

const std::vector<csi_report_format::sptr>& formats()
{
    static const std::vector<csi_report_format::sptr> all = {
        type1({ 3, 2 }, 1, "subband", { 1, 2, 3, 4, 5, 6, 7 }),
        type1({ 12, 1 }, 2, "none", { 1, 2, 4 }),
        type1({ 4, 3 }, 1, "wideband", { 2, 3, 8 }),
        type2({ 3, 2 }, 3, true, { 1, 2 }),
        type2({ 4, 3 }, 4, false, { 1 }),
        etype2({ 4, 1 }, 13, 1, 1, { 1, 2 }),
        etype2({ 4, 3 }, 26, 6, 2, { 1, 2, 3, 4 }),
        etype2({ 4, 4 }, 3, 2, 1, { 1 }),
        etype2({ 8, 2 }, 18, 8, 1, { 1 })
    };
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 2)
        return 0;
    const auto& format = formats()[data[0] % formats().size()];
    const auto codebook = format->codebook();
    const std::vector<uint8_t> bits(data + 2, data + size);
    const int count = std::max(int(8 * bits.size()) - data[1] % 8, 0);
    csi_report r;
    if (!format->unpack(bits.data(), count, r).empty() || !r.groups)
        return 0;
    require(codebook->check(r.precoding).empty());
    std::vector<std::complex<float>> w(size_t(codebook->subbands()) * codebook->ports() *
                                       r.precoding.rank);
    codebook->precoder(r.precoding, w.data());
    for (const auto& x : w)
        require(std::isfinite(x.real()) && std::isfinite(x.imag()));
    if (r.groups < pmi_codebook::group_count)
        return 0;
    std::vector<uint8_t> again(format->max_bits() / 8 + 1);
    const int used = format->pack(r, again.data(), format->max_bits());
    require(used <= count);
    for (int k = 0; k < used; k++)
        require(read_bits(again.data(), k, 1) == read_bits(bits.data(), k, 1));
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    for (size_t k = 0; k < formats().size(); k++) {
        const auto& format = formats()[k];
        const auto codebook = format->codebook();
        // A wave that is different for every antenna.
        const int rows = codebook->subbands(), nr = 8;
        std::vector<std::complex<float>> h(size_t(rows) * nr * codebook->ports());
        for (size_t i = 0; i < h.size(); i++)
            h[i] = std::polar(1.0f, float(i * i % 97));
        for (const double snr : { 0.01, 1000.0 }) {
            csi_report r;
            format->report(h.data(), rows, nr, snr, r);
            std::vector<uint8_t> one(2 + format->max_bits() / 8 + 1);
            one[0] = k;
            const int used = format->pack(r, one.data() + 2, format->max_bits());
            one[1] = (8 - used % 8) % 8;
            one.resize(2 + (used + 7) / 8);
            corpus.push_back(one);
        }
    }
    return corpus;
}
