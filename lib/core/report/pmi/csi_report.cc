/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "feedback/bits.h"
#include "metrics/layer_gram.h"
#include "report/pmi/beams.h"
#include <gnuradio/csifeedback/csi_report.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
using table = std::array<cqi_table::entry, cqi_table::size>;

constexpr table tables[4] = {
    { { { 0, 0 },
        { 2, 78 },
        { 2, 120 },
        { 2, 193 },
        { 2, 308 },
        { 2, 449 },
        { 2, 602 },
        { 4, 378 },
        { 4, 490 },
        { 4, 616 },
        { 6, 466 },
        { 6, 567 },
        { 6, 666 },
        { 6, 772 },
        { 6, 873 },
        { 6, 948 } } },
    { { { 0, 0 },
        { 2, 78 },
        { 2, 193 },
        { 2, 449 },
        { 4, 378 },
        { 4, 490 },
        { 4, 616 },
        { 6, 466 },
        { 6, 567 },
        { 6, 666 },
        { 6, 772 },
        { 6, 873 },
        { 8, 711 },
        { 8, 797 },
        { 8, 885 },
        { 8, 948 } } },
    { { { 0, 0 },
        { 2, 30 },
        { 2, 50 },
        { 2, 78 },
        { 2, 120 },
        { 2, 193 },
        { 2, 308 },
        { 2, 449 },
        { 2, 602 },
        { 4, 378 },
        { 4, 490 },
        { 4, 616 },
        { 6, 466 },
        { 6, 567 },
        { 6, 666 },
        { 6, 772 } } },
    { { { 0, 0 },
        { 2, 78 },
        { 2, 193 },
        { 2, 449 },
        { 4, 378 },
        { 4, 616 },
        { 6, 567 },
        { 6, 666 },
        { 6, 772 },
        { 6, 873 },
        { 8, 711 },
        { 8, 797 },
        { 8, 885 },
        { 8, 948 },
        { 10, 853 },
        { 10, 948 } } },
};

// As reported for a subband.
int differential(int subband, int wideband)
{
    const int offset = subband - wideband;
    return offset < 0 ? 3 : std::min(offset, 2);
}

class csi_report_format_impl : public csi_report_format
{
public:
    csi_report_format_impl(pmi_codebook::sptr codebook, const configuration& c)
        : d_codebook(codebook),
          d_has_cqi(c.cqi != "none"),
          d_has_subbands(c.cqi == "subband"),
          d_table(c.cqi_table),
          d_gap_db(c.gap_db)
    {
    }

    pmi_codebook::sptr codebook() const override { return d_codebook; }

    int part1_bits() const override
    {
        return d_codebook->ri_bits() + (d_has_cqi ? 4 : 0) +
               (d_has_subbands ? 2 * d_codebook->cqi_subbands() : 0) +
               d_codebook->count_bits();
    }

    int total_bits(int rank, int count, int groups) const override
    {
        int sum = part1_bits();
        for (int group = 0; group < groups; group++)
            sum += second_bits(rank, group) + d_codebook->group_bits(rank, count, group);
        return sum;
    }

    int max_bits() const override
    {
        int most = 0;
        for (const int rank : d_codebook->ranks())
            most = std::max(
                most,
                total_bits(rank, d_codebook->max_count(rank), pmi_codebook::group_count));
        return most;
    }

    int pack(const csi_report& r, uint8_t* bits, int budget) const override
    {
        const char* where = "csi_report_format";
        const std::string bad = d_codebook->check(r.precoding);
        if (!bad.empty())
            throw std::invalid_argument(std::string(where) + ": " + bad);
        if (budget < part1_bits())
            throw_bad(
                where, "budget", budget, std::to_string(part1_bits()) + " bits and more");
        const int rank = r.precoding.rank, codewords = rank > 4 ? 2 : 1;
        for (int k = 0; d_has_cqi && k < codewords; k++) {
            check_range(where, "CQI", r.cqi[k], 0, cqi_table::size - 1);
            if (!d_has_subbands)
                continue;
            check_range<int>(where,
                             "number of subband CQIs",
                             r.subband_cqi[k].size(),
                             d_codebook->cqi_subbands(),
                             d_codebook->cqi_subbands());
            for (const int one : r.subband_cqi[k])
                check_range(where, "differential CQI", one, 0, 3);
        }
        size_t at = 0;
        const auto put = [&](int value, int width) {
            write_bits(bits, at, value, width);
            at += width;
        };
        const auto& ranks = d_codebook->ranks();
        put(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin(),
            d_codebook->ri_bits());
        if (d_has_cqi)
            put(r.cqi[0], 4);
        if (d_has_subbands)
            for (const int one : r.subband_cqi[0])
                put(one, 2);
        const int count = d_codebook->count(r.precoding);
        put(std::max(count - 1, 0), d_codebook->count_bits());
        for (int group = 0; group < pmi_codebook::group_count; group++) {
            if (total_bits(rank, count, group + 1) > budget)
                break;
            if (group == 0 && second_bits(rank, 0))
                put(r.cqi[1], 4);
            if (group > 0 && second_bits(rank, group))
                for (size_t t = group - 1; t < r.subband_cqi[1].size(); t += 2)
                    put(r.subband_cqi[1][t], 2);
            d_codebook->pack(r.precoding, group, bits, at);
            at += d_codebook->group_bits(rank, count, group);
        }
        return at;
    }

    std::string unpack(const uint8_t* bits, int count, csi_report& r) const override
    {
        if (count < part1_bits())
            return "the report has " + std::to_string(count) + " bits, part 1 has " +
                   std::to_string(part1_bits());
        size_t at = 0;
        const auto get = [&](int width) {
            const int value = int(read_bits(bits, at, width));
            at += width;
            return value;
        };
        const auto& ranks = d_codebook->ranks();
        const size_t ri = get(d_codebook->ri_bits());
        if (ri >= ranks.size())
            return "RI is " + std::to_string(ri) + ", allowed is 0 to " +
                   std::to_string(ranks.size() - 1);
        const int rank = ranks[ri];
        r.precoding.rank = rank;
        r.cqi = { d_has_cqi ? get(4) : 0, 0 };
        for (auto& all : r.subband_cqi)
            all.assign(d_has_subbands ? d_codebook->cqi_subbands() : 0, 0);
        for (int& one : r.subband_cqi[0])
            one = get(2);
        int number = 0;
        if (d_codebook->max_count(rank) > 0) {
            number = get(d_codebook->count_bits()) + 1;
            const std::string bad = d_codebook->check_count(rank, number);
            if (!bad.empty())
                return bad;
        }
        std::array<size_t, pmi_codebook::group_count> starts = {};
        r.groups = 0;
        for (int group = 0; group < pmi_codebook::group_count; group++) {
            if (total_bits(rank, number, group + 1) > count)
                break;
            if (group == 0 && second_bits(rank, 0))
                r.cqi[1] = get(4);
            if (group > 0 && second_bits(rank, group))
                for (size_t t = group - 1; t < r.subband_cqi[1].size(); t += 2)
                    r.subband_cqi[1][t] = get(2);
            starts[group] = at;
            at += d_codebook->group_bits(rank, number, group);
            r.groups++;
        }
        if (!r.groups)
            return "";
        return d_codebook->unpack(
            rank, number, r.groups, bits, starts.data(), r.precoding);
    }

    using csi_report_format::report;

    void
    report(const cf* h, int rows, int nr, double snr, int budget, csi_report& r) override
    {
        const char* where = "csi_report_format";
        if (budget < part1_bits())
            throw_bad(
                where, "budget", budget, std::to_string(part1_bits()) + " bits and more");
        check_range(where, "snr", snr, 1e-10, 1e10);
        check_range(where, "rows", rows, d_codebook->subbands(), 65536);
        const auto& ranks = d_codebook->ranks();
        if (ranks.size() == 1 && !d_has_cqi) { // nothing to choose by
            d_codebook->select(h, rows, nr, ranks.front(), r.precoding);
            r.groups = groups_of(r.precoding, budget);
            r.cqi = { 0, 0 };
            for (auto& all : r.subband_cqi)
                all.clear();
            return;
        }
        double best = -1;
        for (const int rank : ranks) {
            if (rank > nr || rank > d_codebook->ports())
                continue;
            d_codebook->select(h, rows, nr, rank, d_trial.precoding);
            d_trial.groups = groups_of(d_trial.precoding, budget);
            const double rate =
                d_trial.groups == 0
                    ? without_precoder(d_trial)
                    : qualities(h, rows, nr, snr, received(d_trial), d_trial);
            if (rate > best) {
                best = rate;
                std::swap(r, d_trial);
            }
        }
        if (best < 0)
            throw_bad(where,
                      "receive antennas",
                      nr,
                      std::to_string(ranks.front()) + " and more");
    }

private:
    const pmi_codebook::sptr d_codebook;
    const bool d_has_cqi, d_has_subbands;
    const int d_table;
    const double d_gap_db;
    csi_report d_trial;
    pmi d_received;
    std::vector<uint8_t> d_bits; // of part 2
    std::vector<cf> d_w;
    std::vector<double> d_sinr; // rows x rank

    // Bits of the second codeword before a group of part 2.
    int second_bits(int rank, int group) const
    {
        if (rank <= 4 || !d_has_cqi)
            return 0;
        if (group == 0)
            return 4;
        const int subbands = d_codebook->cqi_subbands();
        return d_has_subbands ? 2 * (group == 1 ? (subbands + 1) / 2 : subbands / 2) : 0;
    }

    // Groups of part 2 that fit.
    int groups_of(const pmi& p, int budget) const
    {
        const int count = d_codebook->count(p);
        int groups = 0;
        while (groups < pmi_codebook::group_count &&
               total_bits(p.rank, count, groups + 1) <= budget)
            groups++;
        return groups;
    }

    // What the BS makes of the groups of a report, at least one.
    const pmi& received(const csi_report& r)
    {
        if (r.groups == pmi_codebook::group_count)
            return r.precoding;
        const int rank = r.precoding.rank, count = d_codebook->count(r.precoding);
        std::array<size_t, pmi_codebook::group_count> starts = {};
        size_t at = 0;
        for (int group = 0; group < r.groups; group++) {
            starts[group] = at;
            at += d_codebook->group_bits(rank, count, group);
        }
        d_bits.assign(at / 8 + 1, 0);
        for (int group = 0; group < r.groups; group++)
            d_codebook->pack(r.precoding, group, d_bits.data(), starts[group]);
        d_codebook->unpack(
            rank, count, r.groups, d_bits.data(), starts.data(), d_received);
        return d_received;
    }

    // The BS cannot send with this report; its rate is 0.
    double without_precoder(csi_report& r) const
    {
        r.cqi = { 0, 0 };
        for (auto& all : r.subband_cqi)
            all.assign(d_has_subbands ? d_codebook->cqi_subbands() : 0, 0);
        return 0;
    }

    // Sets the CQI of a report for the precoders of p; the rate in bit/s/Hz of all
    // codewords.
    double
    qualities(const cf* h, int rows, int nr, double snr, const pmi& p, csi_report& r)
    {
        const int rank = p.rank, ports = d_codebook->ports(), n3 = d_codebook->subbands(),
                  subbands = d_codebook->cqi_subbands();
        d_w.resize(size_t(n3) * ports * rank);
        d_sinr.resize(size_t(rows) * rank);
        d_codebook->precoder(p, d_w.data());
        for (int k = 0; k < rows; k++)
            post_equalization_sinr(h + size_t(k) * nr * ports,
                                   d_w.data() +
                                       size_t(int64_t(k) * n3 / rows) * ports * rank,
                                   nr,
                                   ports,
                                   rank,
                                   snr,
                                   d_sinr.data() + size_t(k) * rank);
        double rate = 0;
        r.cqi = { 0, 0 };
        for (int codeword = 0; codeword < (rank > 4 ? 2 : 1); codeword++) {
            const auto layers = csi_report::codeword_layers(rank, codeword);
            const double sinr = effective(0, rows, rank, layers);
            rate += layers.second * std::log2(1 + sinr);
            r.cqi[codeword] = cqi_table::select(d_table, sinr, d_gap_db);
            auto& all = r.subband_cqi[codeword];
            all.assign(d_has_subbands ? subbands : 0, 0);
            for (size_t s = 0; s < all.size(); s++) {
                const int first = (s * rows + subbands - 1) / subbands,
                          end = ((s + 1) * rows + subbands - 1) / subbands;
                all[s] = differential(
                    cqi_table::select(
                        d_table, effective(first, end, rank, layers), d_gap_db),
                    r.cqi[codeword]);
            }
        }
        for (int codeword = rank > 4 ? 2 : 1; codeword < 2; codeword++)
            r.subband_cqi[codeword].assign(d_has_subbands ? subbands : 0, 0);
        return rate;
    }

    // Of some layers in rows [first, end).
    double effective(int first, int end, int rank, std::pair<int, int> layers) const
    {
        double sum = 0;
        for (int k = first; k < end; k++)
            for (int l = layers.first; l < layers.first + layers.second; l++)
                sum += std::log2(1 + d_sinr[size_t(k) * rank + l]);
        return std::exp2(sum / (double(end - first) * layers.second)) - 1;
    }
};

} // namespace

const std::array<cqi_table::entry, cqi_table::size>& cqi_table::get(int number)
{
    check_range("cqi_table", "number of the table", number, 1, 4);
    return tables[number - 1];
}

int cqi_table::select(int number, double sinr, double gap_db)
{
    const auto& all = get(number);
    const double rate = std::log2(1 + sinr / std::pow(10, gap_db / 10));
    int cqi = 0;
    while (cqi + 1 < size && all[cqi + 1].efficiency() <= rate)
        cqi++;
    return cqi;
}

double effective_sinr(const double* sinr, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += std::log2(1 + sinr[i]);
    return std::exp2(sum / n) - 1;
}

void post_equalization_sinr(
    const cf* h, const cf* w, int nr, int nt, int rank, double snr, double* sinr)
{
    layer_gram gram(rank);
    for (int r = 0; r < nr; r++) {
        cd y[layer_gram::max_size] = {};
        for (int n = 0; n < nt; n++) {
            const cf x = h[size_t(r) * nt + n];
            for (int l = 0; l < rank; l++) {
                const cf a = w[size_t(n) * rank + l];
                y[l] += cd(double(x.real()) * a.real() - double(x.imag()) * a.imag(),
                           double(x.real()) * a.imag() + double(x.imag()) * a.real());
            }
        }
        gram.add(y, snr);
    }
    gram.factorize();
    for (int l = 0; l < rank; l++)
        sinr[l] = std::max(1 / gram.inverse_diagonal(l) - 1, 0.0);
}

std::pair<int, int> csi_report::codeword_layers(int rank, int codeword)
{
    if (rank <= 4)
        return { 0, rank };
    return codeword == 0 ? std::make_pair(0, rank / 2)
                         : std::make_pair(rank / 2, rank - rank / 2);
}

csi_report_format::sptr csi_report_format::make(pmi_codebook::sptr codebook,
                                                const configuration& c)
{
    const char* where = "csi_report_format";
    not_null(where, "codebook", codebook);
    if (c.cqi != "none" && c.cqi != "wideband" && c.cqi != "subband")
        throw_bad(where, "cqi", c.cqi, "none, wideband or subband");
    check_range(where, "cqi_table", c.cqi_table, 1, 4);
    check_range(where, "gap_db", c.gap_db, -20.0, 20.0);
    return std::make_shared<csi_report_format_impl>(codebook, c);
}

} // namespace csifeedback
} // namespace gr
