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
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

// Beams that a selection of more than one layer tries for each offset.
constexpr int tried = 2;

std::string wrong(const char* name, int64_t value, int64_t most)
{
    std::ostringstream text;
    text << name << " is " << value << ", allowed is 0 to " << most;
    return text.str();
}

class type1_codebook_impl : public type1_codebook
{
public:
    explicit type1_codebook_impl(const configuration& c)
        : type1_codebook("type1_codebook", c.array, c.subbands, 1, c.ranks),
          d_mode(c.mode),
          d_snr(std::pow(10, c.snr_db / 10)),
          d_grid(c.array),
          d_power(d_grid),
          d_half_power(d_grid, c.array.n1 > 1),
          d_w(ports() * 8)
    {
        const char* where = "type1_codebook";
        check_range(where, "mode", c.mode, 1, 2);
        check_range(where, "snr_db", c.snr_db, -100.0, 100.0);
        for (const int rank : ranks())
            check_range(where, "rank", rank, 1, std::min(8, ports()));
    }

    std::string name() const override { return "type1"; }
    int count_bits() const override { return 0; }
    int count(const pmi&) const override { return 0; }
    int max_count(int) const override { return 0; }

    std::vector<field> fields(int rank, int) const override
    {
        return { { "i11", field_bits(values11(rank)) },
                 { "i12", field_bits(values12(rank)) },
                 { "i13", offset_bits(rank) },
                 { "i2", subbands() * i2_bits(rank) } };
    }

    int group_bits(int rank, int, int group) const override
    {
        if (group == 0)
            return field_bits(values11(rank)) + field_bits(values12(rank)) +
                   offset_bits(rank);
        return (group == 1 ? (subbands() + 1) / 2 : subbands() / 2) * i2_bits(rank);
    }

    std::string check(const pmi& p) const override
    {
        if (!std::count(ranks().begin(), ranks().end(), p.rank))
            return "rank is " + std::to_string(p.rank) + ", which is not allowed";
        std::string bad = check_beams(p);
        if (bad.empty() && int(p.i2.size()) != subbands())
            bad = "i2 has " + std::to_string(p.i2.size()) + " values, allowed is " +
                  std::to_string(subbands());
        for (size_t t = 0; bad.empty() && t < p.i2.size(); t++)
            if (p.i2[t] < 0 || p.i2[t] >= 1 << i2_bits(p.rank))
                bad = wrong("i2", p.i2[t], (1 << i2_bits(p.rank)) - 1);
        return bad;
    }

    void pack(const pmi& p, int group, uint8_t* bits, size_t at) const override
    {
        const auto put = [&](int value, int width) {
            write_bits(bits, at, value, width);
            at += width;
        };
        if (group == 0) {
            put(p.i11, field_bits(values11(p.rank)));
            put(p.i12, field_bits(values12(p.rank)));
            put(p.i13, offset_bits(p.rank));
        } else {
            for (int t = group - 1; t < subbands(); t += 2)
                put(p.i2[t], i2_bits(p.rank));
        }
    }

    std::string unpack(int rank,
                       int,
                       int groups,
                       const uint8_t* bits,
                       const size_t* at,
                       pmi& p) const override
    {
        size_t here = at[0];
        const auto get = [&](int width) {
            const int value = int(read_bits(bits, here, width));
            here += width;
            return value;
        };
        p.rank = rank;
        p.i11 = get(field_bits(values11(rank)));
        p.i12 = get(field_bits(values12(rank)));
        p.i13 = get(offset_bits(rank));
        p.i2.assign(subbands(), 0);
        for (int group = 1; group < groups; group++) {
            here = at[group];
            for (int t = group - 1; t < subbands(); t += 2)
                p.i2[t] = get(i2_bits(rank));
        }
        if (groups == 2)
            for (int t = 1; t < subbands(); t += 2)
                p.i2[t] = p.i2[t - 1];
        return check_beams(p);
    }

    void precoder(const pmi& p, cf* w) const override
    {
        const size_t size = size_t(ports()) * p.rank;
        for (int t = 0; t < subbands(); t++)
            matrix(p, p.i2[t], w + t * size);
    }

protected:
    void do_select(const cf* h, int rows, int nr, int rank, pmi& p) override
    {
        p.rank = rank;
        p.i13 = 0;
        p.i2.assign(subbands(), 0);
        if (rank == 1)
            select_one(h, rows, nr, p);
        else
            select_more(h, rows, nr, p);
    }

private:
    const int d_mode;
    const double d_snr;
    const beam_grid d_grid;
    beam_power d_power, d_half_power;
    mutable std::vector<cf> d_w; // of a candidate, ports x rank
    std::vector<float> d_score;
    std::vector<std::array<float, 4>> d_phases; // subband x beam: power by i2
    std::vector<cf> d_candidates;
    std::vector<double> d_rates;

    int n1() const { return array().n1; }
    int n2() const { return array().n2; }
    int o1() const { return array().o1(); }
    int o2() const { return array().o2(); }
    // Ranks 3 and 4 of large arrays: beams of half the array.
    bool has_halves(int rank) const { return (rank == 3 || rank == 4) && ports() >= 16; }
    // Mode 2 has four beams in a PMI of ranks 1 and 2.
    bool has_groups(int rank) const { return d_mode == 2 && rank <= 2 && ports() > 2; }

    int values11(int rank) const
    {
        const bool half =
            has_groups(rank) || has_halves(rank) || (rank >= 7 && n1() == 4 && n2() == 1);
        return n1() * o1() / (half ? 2 : 1);
    }
    int values12(int rank) const
    {
        const bool half =
            (has_groups(rank) && n2() > 1) || (rank >= 7 && n1() > 2 && n2() == 2);
        return n2() * o2() / (half ? 2 : 1);
    }
    int i2_bits(int rank) const
    {
        return (rank == 1 ? 2 : 1) + (has_groups(rank) ? 2 : 0);
    }
    // Values of i13.
    int offsets(int rank) const
    {
        if (rank < 2 || rank > 4 || ports() == 2)
            return 1;
        if (has_halves(rank))
            return 4;
        if (rank == 2)
            return n1() == 2 && n2() == 1 ? 2 : 4;
        if (n2() == 1)
            return n1() == 2 ? 1 : n1() == 4 ? 3 : 4;
        return n1() == 2 ? 3 : 4;
    }
    int offset_bits(int rank) const { return field_bits(offsets(rank)); }

    std::string check_beams(const pmi& p) const
    {
        if (p.i11 < 0 || p.i11 >= values11(p.rank))
            return wrong("i11", p.i11, values11(p.rank) - 1);
        if (p.i12 < 0 || p.i12 >= values12(p.rank))
            return wrong("i12", p.i12, values12(p.rank) - 1);
        if (p.i13 < 0 || p.i13 >= offsets(p.rank))
            return wrong("i13", p.i13, offsets(p.rank) - 1);
        return "";
    }

    // Offset of the second beam, tables 5.2.2.2.1-3 and -4.
    void offset(int rank, int i13, int& k1, int& k2) const
    {
        k1 = k2 = 0;
        if (rank == 2) {
            if (n2() == 1)
                k1 = i13 * o1();
            else if (n1() == n2()) {
                k1 = i13 % 2 * o1();
                k2 = i13 / 2 * o2();
            } else {
                k1 = i13 == 1 ? o1() : i13 == 3 ? 2 * o1() : 0;
                k2 = i13 == 2 ? o2() : 0;
            }
        } else if (n2() == 1) {
            k1 = (i13 + 1) * o1();
        } else {
            k1 = i13 == 3 ? 2 * o1() : i13 != 1 ? o1() : 0;
            k2 = i13 == 1 || i13 == 2 ? o2() : 0;
        }
    }

    // A column of W: beam of the first polarization, factor of the second one.
    struct column {
        int l, m;
        cf factor;
        cf half; // of the second half of the array; of no meaning for whole beams
    };

    // The columns of ranks and i2, tables 5.2.2.2.1-5 to -12.
    void columns(const pmi& p, int i2, column* c) const
    {
        static const cf turns[] = { { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 } };
        const int l = p.i11, m = p.i12, rank = p.rank;
        if (rank <= 2) {
            const int phases = rank == 1 ? 4 : 2;
            const cf phi = turns[i2 % phases];
            int first = l, second = m, k1, k2;
            if (has_groups(rank)) {
                const int beam = i2 / phases;
                first = 2 * l + (n2() > 1 ? beam % 2 : beam);
                second = n2() > 1 ? 2 * m + beam / 2 : 0;
            }
            offset(rank, p.i13, k1, k2);
            c[0] = { first, second, phi, 1 };
            if (rank == 2)
                c[1] = { first + k1, second + k2, -phi, 1 };
            return;
        }
        const cf phi = turns[i2];
        if (has_halves(rank)) {
            const cf theta = cf(std::polar(1.0, M_PI * p.i13 / 4));
            c[0] = { l, m, phi, theta };
            c[1] = { l, m, phi, -theta };
            c[2] = { l, m, -phi, theta };
            c[3] = { l, m, -phi, -theta };
            return;
        }
        if (rank <= 4) {
            int k1, k2;
            offset(rank, p.i13, k1, k2);
            c[0] = { l, m, phi, 1 };
            c[1] = { l + k1, m + k2, phi, 1 };
            c[2] = { l, m, -phi, 1 };
            c[3] = { l + k1, m + k2, -phi, 1 };
            return;
        }
        // Ranks 5 to 8: three or four orthogonal beams.
        std::array<int, 4> beam1, beam2;
        if (n2() == 1) {
            beam1 = { l, l + o1(), l + 2 * o1(), l + 3 * o1() };
            beam2 = { 0, 0, 0, 0 };
        } else if (rank <= 6) {
            beam1 = { l, l + o1(), l + o1(), 0 };
            beam2 = { m, m, m + o2(), 0 };
        } else {
            beam1 = { l, l + o1(), l, l + o1() };
            beam2 = { m, m, m + o2(), m + o2() };
        }
        // Co-phasing i2 turns the first beam, from rank 6 on also the second one.
        const cf second = rank == 5 ? cf(1) : phi;
        int at = 0;
        const auto put = [&](int beam, cf factor) {
            c[at++] = { beam1[beam], beam2[beam], factor, 1 };
        };
        put(0, phi);
        put(0, -phi);
        put(1, second);
        if (rank != 7)
            put(1, -second);
        put(2, 1);
        if (rank >= 6)
            put(2, -1);
        if (rank >= 7) {
            put(3, 1);
            put(3, -1);
        }
    }

    // W of one subband, ports x rank.
    void matrix(const pmi& p, int i2, cf* w) const
    {
        std::array<column, 8> all;
        columns(p, i2, all.data());
        const int rank = p.rank, n = n1() * n2(), half = n / 2;
        const float scale = 1 / std::sqrt(float(rank) * ports());
        cf v[16];
        for (int k = 0; k < rank; k++) {
            const column& c = all[k];
            if (has_halves(rank)) {
                d_grid.beam(2 * c.l, c.m, v, n1() / 2);
                for (int i = 0; i < half; i++)
                    v[half + i] = c.half * v[i];
            } else {
                d_grid.beam(c.l, c.m, v);
            }
            for (int i = 0; i < n; i++) {
                w[i * rank + k] = scale * v[i];
                w[(n + i) * rank + k] = scale * c.factor * v[i];
            }
        }
    }

    void add_rows(beam_power& power, const cf* h, int nr, int first, int end) const
    {
        for (int k = first * nr; k < end * nr; k++)
            power.add(h + size_t(k) * ports(), 1, true);
    }

    void select_one(const cf* h, int rows, int nr, pmi& p)
    {
        const int beams1 = d_grid.columns1(), beams2 = d_grid.columns2(),
                  beams = beams1 * beams2;
        const bool groups = has_groups(1);
        d_score.assign(beams, 0);
        d_phases.resize(size_t(subbands()) * beams);
        for (int t = 0; t < subbands(); t++) {
            d_power.clear();
            add_rows(d_power, h, nr, first_row(t, rows), first_row(t + 1, rows));
            d_power.compute(true);
            const float* power = d_power.power();
            const cf* cross = d_power.cross();
            auto* phases = d_phases.data() + size_t(t) * beams;
            for (int b = 0; b < beams; b++)
                phases[b] = { power[b] + 2 * cross[b].real(),
                              power[b] - 2 * cross[b].imag(),
                              power[b] - 2 * cross[b].real(),
                              power[b] + 2 * cross[b].imag() };
            if (!groups) {
                for (int b = 0; b < beams; b++)
                    d_score[b] += *std::max_element(phases[b].begin(), phases[b].end());
                continue;
            }
            for (int i11 = 0; i11 < values11(1); i11++)
                for (int i12 = 0; i12 < values12(1); i12++)
                    d_score[i11 * beams2 + i12] += best_of_group(phases, i11, i12).first;
        }
        float best = -1;
        for (int i11 = 0; i11 < values11(1); i11++)
            for (int i12 = 0; i12 < values12(1); i12++)
                if (d_score[i11 * beams2 + i12] > best) {
                    best = d_score[i11 * beams2 + i12];
                    p.i11 = i11;
                    p.i12 = i12;
                }
        for (int t = 0; t < subbands(); t++) {
            const auto* phases = d_phases.data() + size_t(t) * beams;
            if (groups) {
                p.i2[t] = best_of_group(phases, p.i11, p.i12).second;
            } else {
                const auto& four = phases[p.i11 * beams2 + p.i12];
                p.i2[t] = std::max_element(four.begin(), four.end()) - four.begin();
            }
        }
    }

    // The largest power of the 16 values of i2 in mode 2, and i2.
    std::pair<float, int>
    best_of_group(const std::array<float, 4>* phases, int i11, int i12) const
    {
        const int beams1 = d_grid.columns1(), beams2 = d_grid.columns2();
        std::pair<float, int> best(-1, 0);
        for (int beam = 0; beam < 4; beam++) {
            const int l = (2 * i11 + (n2() > 1 ? beam % 2 : beam)) % beams1,
                      m = n2() > 1 ? 2 * i12 + beam / 2 : 0;
            for (int n = 0; n < 4; n++) {
                const float power = phases[l * beams2 + m][n];
                if (power > best.first)
                    best = { power, 4 * beam + n };
            }
        }
        return best;
    }

    // The beams of a PMI of several layers with the most power, for every i13, then the
    // largest sum of log2 det(I + snr W^H R W).
    void select_more(const cf* h, int rows, int nr, pmi& p)
    {
        const int rank = p.rank, beams1 = d_grid.columns1(), beams2 = d_grid.columns2();
        beam_power& power = has_halves(rank) ? d_half_power : d_power;
        power.clear();
        add_rows(power, h, nr, 0, rows);
        power.compute(false);
        double total = 0; // of the ports, to normalize by
        for (int64_t i = 0; i < int64_t(rows) * nr * ports(); i++)
            total += std::norm(h[i]);
        // W is scaled for unit power: with R of unit power per port, snr is that of a port.
        const double scale = d_snr * rows * nr * ports() / std::max(total, 1e-300);
        double best = -1;
        pmi found = p, trial = p;
        std::array<column, 8> all;
        for (int i13 = 0; i13 < offsets(rank); i13++) {
            trial.i13 = i13;
            std::array<std::pair<float, int>, tried> top;
            top.fill({ -1, 0 });
            for (int i11 = 0; i11 < values11(rank); i11++)
                for (int i12 = 0; i12 < values12(rank); i12++) {
                    trial.i11 = i11;
                    trial.i12 = i12;
                    columns(trial, 0, all.data());
                    float sum = 0;
                    for (int k = 0; k < rank; k++)
                        sum +=
                            power.power()[all[k].l % beams1 * beams2 + all[k].m % beams2];
                    std::pair<float, int> one(sum, i11 * values12(rank) + i12);
                    for (auto& other : top)
                        if (one.first > other.first)
                            std::swap(one, other);
                }
            for (const auto& one : top) {
                if (one.first < 0)
                    continue;
                trial.i11 = one.second / values12(rank);
                trial.i12 = one.second % values12(rank);
                const double score = best_phases(h, rows, nr, scale, trial);
                if (score > best) {
                    best = score;
                    found.i11 = trial.i11;
                    found.i12 = trial.i12;
                    found.i13 = i13;
                    found.i2 = trial.i2;
                }
            }
        }
        p = found;
    }

    // Chooses i2 of each subband; the sum of the rates.
    double best_phases(const cf* h, int rows, int nr, double scale, pmi& p) const
    {
        const int values = 1 << i2_bits(p.rank);
        std::array<double, subbands_max> best;
        best.fill(-1);
        for (int i2 = 0; i2 < values; i2++) {
            matrix(p, i2, d_w.data());
            for (int t = 0; t < subbands(); t++) {
                const double rate =
                    log_det(h + size_t(first_row(t, rows)) * nr * ports(),
                            (first_row(t + 1, rows) - first_row(t, rows)) * nr,
                            p.rank,
                            scale * subbands() / rows);
                if (rate > best[t]) {
                    best[t] = rate;
                    p.i2[t] = i2;
                }
            }
        }
        double sum = 0;
        for (int t = 0; t < subbands(); t++)
            sum += best[t];
        return sum;
    }
    static constexpr int subbands_max = 36;

    // log2 det(I + scale sum of (h W)^H (h W)) over rows of h.
    double log_det(const cf* h, int rows, int rank, double scale) const
    {
        const int nt = ports();
        layer_gram gram(rank);
        for (int r = 0; r < rows; r++, h += nt) {
            cf product[layer_gram::max_size] = {};
            const cf* w = d_w.data();
            for (int n = 0; n < nt; n++, w += rank)
                for (int k = 0; k < rank; k++)
                    product[k] += h[n] * w[k];
            cd y[layer_gram::max_size];
            std::copy_n(product, rank, y);
            gram.add(y, scale);
        }
        return gram.factorize();
    }
};

} // namespace

pmi_codebook::sptr type1_codebook::make(const configuration& c)
{
    return std::make_shared<type1_codebook_impl>(c);
}

} // namespace csifeedback
} // namespace gr
