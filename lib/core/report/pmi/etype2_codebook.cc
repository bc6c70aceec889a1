/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "feedback/bits.h"
#include "report/pmi/beam_projection.h"
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

// Table 5.2.2.2.5-1: L, p in eighths for ranks 1 and 2, and 3 and 4, beta in quarters.
constexpr int combinations[8][4] = { { 2, 2, 1, 1 }, { 2, 2, 1, 2 }, { 4, 2, 1, 1 },
                                     { 4, 2, 1, 2 }, { 4, 2, 2, 3 }, { 4, 4, 2, 2 },
                                     { 6, 2, 0, 2 }, { 6, 2, 0, 3 } };
// Up to this N3 sets of taps are coded among all, above in a window.
constexpr int largest_without_window = 19;
constexpr int max_taps = 18, max_coefficients = 8 * max_taps, max_layers = 4,
              max_subbands = 36;

int divide_up(int x, int y) { return (x + y - 1) / y; }

std::string wrong(const std::string& name, int64_t value, int64_t least, int64_t most)
{
    std::ostringstream text;
    text << name << " is " << value << ", allowed is " << least << " to " << most;
    return text.str();
}

class etype2_codebook_impl : public etype2_codebook
{
public:
    explicit etype2_codebook_impl(const configuration& c)
        : etype2_codebook("etype2_codebook", c.array, c.subbands, c.per_cqi, c.ranks),
          d_per_cqi(c.per_cqi),
          d_l(combinations[checked(c.param_combination) - 1][0]),
          d_projection(c.array, c.subbands, d_l)
    {
        const char* where = "etype2_codebook";
        const int number = c.param_combination;
        for (const int rank : ranks())
            check_range(where, "rank", rank, 1, max_layers);
        if (ports() < 4)
            throw_bad(where, "number of ports", ports(), "4 and more");
        const auto refuse = [&](const std::string& why) {
            throw_bad(where, "param_combination", number, why);
        };
        if (number > 2 && ports() == 4)
            refuse("1 and 2 with 4 ports");
        if (number > 6 && ports() < 32)
            refuse("1 to 6 below 32 ports");
        if (number > 6 && c.per_cqi == 2)
            refuse("1 to 6 with 2 precoders for each CQI subband");
        if (number > 6 && ranks().back() > 1)
            refuse("1 to 6 with ranks above 1");
        const int* row = combinations[number - 1];
        d_low = row[1];
        d_high = row[2];
        d_k0 = divide_up(row[3] * 2 * d_l * taps(1), 4);
        // The smallest numbers have not a coefficient for each layer.
        check_range(where, "largest rank", ranks().back(), 1, std::min(4, 2 * d_k0));
        if (subbands() > largest_without_window && 2 * taps(1) > subbands())
            throw_bad(where,
                      "number of subbands",
                      subbands(),
                      "one with 2 M <= N3 for this param_combination and R");
        for (int t = 0; t < subbands(); t++)
            d_turn.push_back(cf(std::polar(1.0, 2 * M_PI * t / subbands())));
        for (int k = 0; k < 16; k++) {
            d_polarization.push_back(std::pow(2.0f, -(15 - k) / 4.0f));
            d_phase.push_back(cf(std::polar(1.0, 2 * M_PI * k / 16)));
        }
        for (int k = 0; k < 8; k++)
            d_amplitude.push_back(std::pow(2.0f, -(7 - k) / 2.0f));
    }

    std::string name() const override { return "etype2"; }
    int beams() const override { return d_l; }
    int taps(int rank) const override
    {
        return divide_up((rank <= 2 ? d_low : d_high) * subbands(), 8 * d_per_cqi);
    }
    int max_layer_count() const override { return d_k0; }
    int max_count(int rank) const override
    {
        return std::min((rank == 1 ? 1 : 2) * d_k0, rank * layer_size(rank));
    }
    int count_bits() const override
    {
        return field_bits(ranks().back() == 1 ? d_k0 : 2 * d_k0);
    }
    int count(const pmi& p) const override
    {
        return std::count(p.i17.begin(), p.i17.end(), 1);
    }

    std::vector<field> fields(int rank, int count) const override
    {
        return { { "i11", field_bits(array().o1() * array().o2()) },
                 { "i12", field_bits(d_projection.sets()) },
                 { "i18", rank * strongest_bits(rank, count) },
                 { "i23", 4 * rank },
                 { "i15", window_bits(rank) },
                 { "i16", rank * field_bits(tap_sets(rank)) },
                 { "i24", 3 * (count - rank) },
                 { "i25", 4 * (count - rank) },
                 { "i17", rank * layer_size(rank) } };
    }

    int group_bits(int rank, int count, int group) const override
    {
        if (group == 0)
            return field_bits(array().o1() * array().o2()) +
                   field_bits(d_projection.sets()) + rank * strongest_bits(rank, count);
        const int better = std::max(0, (count + 1) / 2 - rank);
        if (group == 1)
            return 4 * rank + window_bits(rank) + rank * field_bits(tap_sets(rank)) +
                   7 * better + rank * layer_size(rank) - count / 2;
        return 7 * (count - rank - better) + count / 2;
    }

    std::string check(const pmi& p) const override
    {
        if (!std::count(ranks().begin(), ranks().end(), p.rank))
            return "rank is " + std::to_string(p.rank) + ", which is not allowed";
        const std::string bad = check_sets(p);
        if (!bad.empty())
            return bad;
        const int rank = p.rank, size = layer_size(rank);
        for (const auto* all : { &p.i17, &p.i24, &p.i25 })
            if (int(all->size()) != rank * size)
                return "i17, i24 or i25 has " + std::to_string(all->size()) +
                       " values, allowed is " + std::to_string(rank * size);
        if (int(p.i23.size()) != 2 * rank)
            return "i23 has " + std::to_string(p.i23.size()) + " values, allowed is " +
                   std::to_string(2 * rank);
        int total = 0;
        for (int l = 0; l < rank; l++) {
            const uint8_t *bitmap = p.i17.data() + l * size,
                          *amplitude = p.i24.data() + l * size,
                          *phase = p.i25.data() + l * size;
            int n = 0;
            for (int i = 0; i < size; i++) {
                if (bitmap[i] > 1)
                    return wrong("i17", bitmap[i], 0, 1);
                n += bitmap[i];
                if (amplitude[i] > 7)
                    return wrong("i24", amplitude[i], 0, 7);
                if (phase[i] > 15)
                    return wrong("i25", phase[i], 0, 15);
            }
            if (n < 1 || n > d_k0)
                return wrong("number of coefficients of a layer", n, 1, d_k0);
            total += n;
            for (int polarization = 0; polarization < 2; polarization++) {
                const int k = p.i23[2 * l + polarization];
                if (k < 1 || k > 15)
                    return wrong("i23", k, 1, 15);
            }
            const int strongest = strongest_of(p, l);
            if (strongest < 0)
                return "i18 of layer " + std::to_string(l) + " is " +
                       std::to_string(p.i18[l]) + ", which i17 does not have";
            if (p.i23[2 * l + strongest / d_l] != 15 || amplitude[strongest] != 7 ||
                phase[strongest] != 0)
                return "the strongest coefficient of layer " + std::to_string(l) +
                       " has not i23 = 15, i24 = 7, i25 = 0";
        }
        if (total > max_count(rank))
            return wrong("number of coefficients", total, rank, max_count(rank));
        return "";
    }

    void pack(const pmi& p, int group, uint8_t* bits, size_t at) const override
    {
        const auto put = [&](int64_t value, int width) {
            if (width > 32) {
                write_bits(bits, at, uint32_t(value >> 32), width - 32);
                at += width - 32;
                width = 32;
            }
            write_bits(bits, at, uint32_t(value), width);
            at += width;
        };
        const int rank = p.rank, all = count(p);
        if (group == 0) {
            put(p.q1 * array().o2() + p.q2, field_bits(array().o1() * array().o2()));
            put(p.i12, field_bits(d_projection.sets()));
            for (int l = 0; l < rank; l++)
                put(p.i18[l], strongest_bits(rank, all));
            return;
        }
        if (group == 1) {
            for (int l = 0; l < rank; l++)
                put(p.i23[2 * l + 1 - strongest_of(p, l) / d_l], 4);
            put(p.i15, window_bits(rank));
            for (int l = 0; l < rank; l++)
                put(p.i16[l], field_bits(tap_sets(rank)));
        }
        order sorted;
        sort(p, sorted);
        const auto strongest = all_strongest(p);
        const int better = std::max(0, (all + 1) / 2 - rank),
                  bitmap = sorted.size - all / 2;
        for (const auto* values : { &p.i24, &p.i25 }) {
            int number = 0;
            for (int k = 0; k < sorted.size; k++) {
                const int i = sorted.at[k];
                if (!p.i17[i] || i == strongest[i / layer_size(rank)])
                    continue;
                if ((number++ < better) == (group == 1))
                    put((*values)[i], values == &p.i24 ? 3 : 4);
            }
        }
        for (int k = group == 1 ? 0 : bitmap; k < (group == 1 ? bitmap : sorted.size);
             k++)
            put(p.i17[sorted.at[k]], 1);
    }

    std::string unpack(int rank,
                       int number,
                       int groups,
                       const uint8_t* bits,
                       const size_t* at,
                       pmi& p) const override
    {
        size_t here = at[0];
        const auto get = [&](int width) {
            int64_t value = 0;
            if (width > 32) {
                value = int64_t(read_bits(bits, here, width - 32)) << 32;
                here += width - 32;
                width = 32;
            }
            value |= read_bits(bits, here, width);
            here += width;
            return value;
        };
        const int size = layer_size(rank), total = rank * size;
        const std::string bad_count = check_count(rank, number);
        if (!bad_count.empty())
            return bad_count;
        p.rank = rank;
        const int rotation = get(field_bits(array().o1() * array().o2()));
        p.q1 = rotation / array().o2();
        p.q2 = rotation % array().o2();
        p.i12 = get(field_bits(d_projection.sets()));
        p.i18.assign(rank, 0);
        for (int& one : p.i18)
            one = get(strongest_bits(rank, number));
        p.i15 = 0;
        p.i16.assign(rank, 0);
        p.i23.assign(2 * rank, 15);
        for (auto* all : { &p.i17, &p.i24, &p.i25 })
            all->assign(total, 0);
        if (groups < 2)
            return finish_one_beam(p);
        here = at[1];
        std::array<uint8_t, max_layers> weaker;
        for (int l = 0; l < rank; l++)
            weaker[l] = get(4);
        p.i15 = get(window_bits(rank));
        for (int64_t& one : p.i16)
            one = get(field_bits(tap_sets(rank)));
        const std::string bad = check_sets(p);
        if (!bad.empty())
            return bad;
        order sorted;
        sort(p, sorted);
        // The bitmap stands behind the coefficients that it tells of.
        const int better = std::max(0, (number + 1) / 2 - rank),
                  known = total - number / 2;
        size_t amplitudes[2] = { here, at[2] };
        size_t phases[2] = { here + 3 * better,
                             at[2] + 3 * size_t(number - rank - better) };
        here = phases[0] + 4 * better;
        for (int k = 0; k < known; k++)
            p.i17[sorted.at[k]] = get(1);
        if (groups == 3) {
            here = phases[1] + 4 * size_t(number - rank - better);
            for (int k = known; k < total; k++)
                p.i17[sorted.at[k]] = get(1);
            if (count(p) != number)
                return "i17 has " + std::to_string(count(p)) + " set bits, K^NZ is " +
                       std::to_string(number);
        } else {
            find_strongest(p, sorted, known);
        }
        const auto strongest = all_strongest(p);
        for (int l = 0; l < rank; l++) {
            if (strongest[l] < 0)
                return "i18 of layer " + std::to_string(l) + " is " +
                       std::to_string(p.i18[l]) + ", which i17 does not have";
            p.i23[2 * l + 1 - strongest[l] % size / d_l] = weaker[l];
        }
        int taken = 0;
        for (int k = 0; k < total; k++) {
            const int i = sorted.at[k];
            if (!p.i17[i])
                continue;
            if (i == strongest[i / size]) {
                p.i24[i] = 7;
                continue;
            }
            const int group = taken < better ? 0 : 1;
            if (group == 1 && groups < 3) {
                p.i17[i] = 0;
                continue;
            }
            p.i24[i] = read_bits(bits, amplitudes[group], 3);
            p.i25[i] = read_bits(bits, phases[group], 4);
            amplitudes[group] += 3;
            phases[group] += 4;
            taken++;
        }
        if (taken < better)
            return "i17 has fewer set bits than K^NZ says";
        if (rank == 1)
            p.i18[0] = std::count(p.i17.begin(), p.i17.begin() + strongest[0], 1);
        return check(p);
    }

    void precoder(const pmi& p, cf* w) const override
    {
        const int rank = p.rank, n = ports() / 2, m = taps(rank), two_l = 2 * d_l;
        cf v[beam_projection::max_beams * beam_projection::max_elements];
        d_projection.vectors(p, v);
        int tap[max_layers][max_taps];
        for (int l = 0; l < rank; l++)
            find_taps(p, l, tap[l]);
        for (int t = 0; t < subbands(); t++) {
            cf* out = w + size_t(t) * ports() * rank;
            for (int l = 0; l < rank; l++) {
                cf a[12] = {};
                const int first = l * m * two_l;
                for (int f = 0; f < m; f++) {
                    const cf y = d_turn[tap[l][f] * t % subbands()];
                    for (int i = 0; i < two_l; i++) {
                        const int k = first + f * two_l + i;
                        if (p.i17[k])
                            a[i] += d_polarization[p.i23[2 * l + i / d_l]] *
                                    d_amplitude[p.i24[k]] * d_phase[p.i25[k]] * y;
                    }
                }
                float power = 0;
                for (int i = 0; i < two_l; i++)
                    power += std::norm(a[i]);
                // Coefficients may cancel each other.
                const float scale = power > 1e-20f ? 1 / std::sqrt(power * n * rank) : 0;
                for (int polarization = 0; polarization < 2; polarization++)
                    for (int k = 0; k < n; k++) {
                        cf sum = 0;
                        for (int i = 0; i < d_l; i++)
                            sum += v[i * n + k] * a[polarization * d_l + i];
                        out[(polarization * n + k) * rank + l] = scale * sum;
                    }
            }
        }
    }

protected:
    void do_select(const cf* h, int rows, int nr, int rank, pmi& p) override
    {
        const int n3 = subbands(), two_l = 2 * d_l, m = taps(rank);
        p.rank = rank;
        p.i15 = 0;
        p.i16.assign(rank, 0);
        p.i18.assign(rank, 0);
        p.i23.assign(2 * rank, 15);
        for (auto* all : { &p.i17, &p.i24, &p.i25 })
            all->assign(rank * m * two_l, 0);
        d_projection.compute(h, rows, nr, rank, p);
        for (int l = 0; l < rank; l++)
            for (int t = 0; t < n3; t++)
                std::copy_n(d_projection.coefficients(l, t), two_l, d_layer[l].a[t]);
        for (int l = 0; l < rank; l++)
            align(l, m, -1);
        if (n3 > largest_without_window) {
            const int window = best_window(rank, m);
            p.i15 = window;
            for (int l = 0; l < rank; l++)
                align(l, m, window);
        }
        for (int l = 0; l < rank; l++)
            normalize(l, m);
        quantize(rank, p);
    }

private:
    const int d_per_cqi, d_l;
    beam_projection d_projection;
    int d_low, d_high, d_k0;
    std::vector<cf> d_turn; // exp(2 pi j t / N3)
    std::vector<float> d_polarization, d_amplitude;
    std::vector<cf> d_phase;

    static int checked(int combination)
    {
        check_range("etype2_codebook", "param_combination", combination, 1, 8);
        return combination;
    }

    //! What is found for a layer.
    struct layer {
        cf a[max_subbands][12]; // in the beams, by subband
        cf c[max_subbands][12]; // by tap
        int tap[max_taps];      // ascending, shifted so that the strongest is 0
        int strongest;          // beam of the strongest coefficient
        cf chosen[max_taps * 12];
        float weight; // 1 / sum of |chosen|^2
    };
    layer d_layer[max_layers];
    int d_shift[max_layers] = {}; // taps of the strongest coefficients

    int layer_size(int rank) const { return 2 * d_l * taps(rank); }
    bool has_window() const { return subbands() > largest_without_window; }
    int64_t tap_sets(int rank) const
    {
        const int m = taps(rank);
        return choose((has_window() ? 2 * m : subbands()) - 1, m - 1);
    }
    int window_bits(int rank) const
    {
        return has_window() ? field_bits(2 * taps(rank)) : 0;
    }
    int strongest_bits(int rank, int count) const
    {
        return field_bits(rank == 1 ? count : 2 * d_l);
    }

    // The indices whose range is not a power of two.
    std::string check_sets(const pmi& p) const
    {
        const int rank = p.rank, m = taps(rank);
        const std::string bad = d_projection.check(p);
        if (!bad.empty())
            return bad;
        if (p.i15 < 0 || p.i15 >= (has_window() ? 2 * m : 1))
            return wrong("i15", p.i15, 0, has_window() ? 2 * m - 1 : 0);
        if (int(p.i16.size()) != rank || int(p.i18.size()) != rank)
            return "i16 or i18 has not a value for each layer";
        for (int l = 0; l < rank; l++) {
            if (p.i16[l] < 0 || p.i16[l] >= tap_sets(rank))
                return wrong("i16", p.i16[l], 0, tap_sets(rank) - 1);
            if (p.i18[l] < 0 || p.i18[l] >= 2 * d_l)
                return wrong("i18", p.i18[l], 0, 2 * d_l - 1);
        }
        return "";
    }

    // The beam of the strongest coefficient of a layer, which is one of tap 0; -1: none.
    int strongest_of(const pmi& p, int l) const
    {
        const uint8_t* bitmap = p.i17.data() + l * layer_size(p.rank);
        if (p.rank > 1)
            return bitmap[p.i18[l]] ? p.i18[l] : -1;
        int left = p.i18[0];
        for (int i = 0; i < 2 * d_l; i++)
            if (bitmap[i] && left-- == 0)
                return i;
        return -1;
    }
    // The same of all layers, as places in i17.
    std::array<int, max_layers> all_strongest(const pmi& p) const
    {
        std::array<int, max_layers> all;
        all.fill(-1);
        for (int l = 0; l < p.rank; l++) {
            const int i = strongest_of(p, l);
            all[l] = i < 0 ? -1 : l * layer_size(p.rank) + i;
        }
        return all;
    }

    // Taps of a layer, ascending from 0.
    void find_taps(const pmi& p, int l, int* tap) const
    {
        const int m = taps(p.rank), n3 = subbands();
        tap[0] = 0;
        if (m == 1)
            return;
        // Of the numbers 1 to N - 1: those below are counted from 0 on.
        const int n = has_window() ? 2 * m : n3;
        index_to_set(p.i16[l], n - 1, m - 1, tap + 1);
        const int last = window_start(p.i15, m) + 2 * m - 1;
        for (int f = 1; f < m; f++) {
            tap[f]++;
            if (has_window() && tap[f] > last)
                tap[f] += n3 - 2 * m;
        }
    }
    // M_initial.
    static int window_start(int i15, int m) { return i15 ? i15 - 2 * m : 0; }
    int64_t taps_to_index(const int* tap, int i15, int m) const
    {
        const int n3 = subbands(), n = has_window() ? 2 * m : n3;
        const int last = window_start(i15, m) + 2 * m - 1;
        int set[max_taps];
        for (int f = 1; f < m; f++)
            set[f - 1] =
                (has_window() && tap[f] > last ? tap[f] - (n3 - 2 * m) : tap[f]) - 1;
        return m > 1 ? set_to_index(set, n - 1, m - 1) : 0;
    }

    // Coefficients in the order of Pri(l, i, f), the highest priority first.
    struct order {
        int size;
        std::array<int16_t, max_coefficients * max_layers> at;
    };
    void sort(const pmi& p, order& sorted) const
    {
        const int rank = p.rank, m = taps(rank), two_l = 2 * d_l, n3 = subbands();
        int8_t by_key[max_layers][2 * max_subbands];
        for (int l = 0; l < rank; l++) {
            int tap[max_taps];
            find_taps(p, l, tap);
            std::fill_n(by_key[l], 2 * n3, int8_t(-1));
            for (int f = 0; f < m; f++)
                by_key[l][std::min(2 * tap[f], 2 * (n3 - tap[f]) - 1)] = f;
        }
        sorted.size = 0;
        for (int key = 0; key < 2 * n3; key++)
            for (int i = 0; i < two_l; i++)
                for (int l = 0; l < rank; l++)
                    if (by_key[l][key] >= 0)
                        sorted.at[sorted.size++] = (l * m + by_key[l][key]) * two_l + i;
    }

    // Without group 1: one beam a layer.
    std::string finish_one_beam(pmi& p) const
    {
        const std::string bad = check_sets(p);
        if (!bad.empty())
            return bad;
        for (int l = 0; l < p.rank; l++) {
            // Of rank 1 the number among the coefficients of tap 0: all of them, likely.
            const int i = l * layer_size(p.rank) + p.i18[l];
            p.i17[i] = 1;
            p.i24[i] = 7;
        }
        if (p.rank == 1)
            p.i18[0] = 0;
        return "";
    }

    // Without group 2: sets the strongest coefficient where its bit is not known.
    void find_strongest(pmi& p, const order& sorted, int known) const
    {
        const int size = layer_size(p.rank);
        for (int k = known; k < sorted.size; k++) {
            const int i = sorted.at[k], l = i / size;
            if (i % size >= 2 * d_l)
                continue;
            if (p.rank > 1 ? i % size == p.i18[l] : strongest_of(p, 0) < 0)
                p.i17[i] = 1;
        }
    }

    // Turns the phases of the subbands so that M taps have as much power as they can, and
    // finds these taps: first by the phases of the strongest beam, then by those of the sum
    // of the taps found. window: i15, or -1 for the best one.
    void align(int l, int m, int window)
    {
        layer& d = d_layer[l];
        const int n3 = subbands(), two_l = 2 * d_l;
        if (window < 0) {
            float powers[12] = {};
            for (int t = 0; t < n3; t++)
                for (int i = 0; i < two_l; i++)
                    powers[i] += std::norm(d.a[t][i]);
            const int beam = std::max_element(powers, powers + two_l) - powers;
            for (int t = 0; t < n3; t++)
                turn(d.a[t], std::conj(d.a[t][beam]));
        }
        constexpr int rounds = 6;
        for (int round = 0; round < rounds; round++) {
            to_taps(d);
            choose_taps(d, m, window);
            if (round == rounds - 1)
                break;
            for (int t = 0; t < n3; t++) {
                cf product = 0;
                for (int f = 0; f < m; f++) {
                    const int k = (d.tap[f] + d_shift[l]) % n3;
                    cf sum = 0;
                    for (int i = 0; i < two_l; i++)
                        sum += std::conj(d.a[t][i]) * d.c[k][i];
                    product += sum * d_turn[k * t % n3];
                }
                turn(d.a[t], product);
            }
        }
    }
    // Multiplies by the phase of x.
    void turn(cf* a, cf x) const
    {
        const float size = std::abs(x);
        if (!(size > 0))
            return;
        x /= size;
        for (int i = 0; i < 2 * d_l; i++)
            a[i] *= x;
    }

    void to_taps(layer& d) const
    {
        const int n3 = subbands(), two_l = 2 * d_l;
        for (int k = 0; k < n3; k++) {
            cf sum[12] = {};
            int at = 0;
            for (int t = 0; t < n3; t++) {
                const cf y = std::conj(d_turn[at]);
                at += k;
                if (at >= n3)
                    at -= n3;
                for (int i = 0; i < two_l; i++)
                    sum[i] += y * d.a[t][i];
            }
            for (int i = 0; i < two_l; i++)
                d.c[k][i] = sum[i] / float(n3);
        }
    }

    // M taps, ascending behind the one of the strongest coefficient.
    void choose_taps(layer& d, int m, int window)
    {
        const int n3 = subbands(), two_l = 2 * d_l, l = &d - d_layer;
        float power[max_subbands], largest = -1;
        int shift = 0;
        for (int k = 0; k < n3; k++) {
            power[k] = 0;
            for (int i = 0; i < two_l; i++) {
                const float one = std::norm(d.c[k][i]);
                power[k] += one;
                if (one > largest) {
                    largest = one;
                    shift = k;
                    d.strongest = i;
                }
            }
        }
        d_shift[l] = shift;
        float best = -1;
        const int windows = has_window() && window < 0 ? 2 * m : 1;
        for (int w = 0; w < windows; w++) {
            int tap[max_taps];
            const float sum =
                taps_in_window(power, shift, m, window < 0 ? w : window, tap);
            if (sum > best) {
                best = sum;
                std::copy_n(tap, m, d.tap);
            }
        }
    }

    // The best taps of a window, shifted; their power.
    float taps_in_window(const float* power, int shift, int m, int i15, int* tap) const
    {
        const int n3 = subbands();
        std::array<std::pair<float, int>, max_subbands> candidates;
        int n = 0;
        const int first = has_window() ? window_start(i15, m) : 0,
                  count = has_window() ? 2 * m : n3;
        for (int i = 0; i < count; i++) {
            const int k = (first + i + n3) % n3;
            if (k)
                candidates[n++] = { power[(k + shift) % n3], k };
        }
        std::partial_sort(candidates.begin(),
                          candidates.begin() + (m - 1),
                          candidates.begin() + n,
                          std::greater<>());
        float sum = power[shift];
        tap[0] = 0;
        for (int f = 1; f < m; f++) {
            sum += candidates[f - 1].first;
            tap[f] = candidates[f - 1].second;
        }
        std::sort(tap + 1, tap + m);
        return sum;
    }

    // The window, which all layers share, with the most power.
    int best_window(int rank, int m)
    {
        float best = -1;
        int found = 0;
        for (int w = 0; w < 2 * m; w++) {
            float sum = 0;
            for (int l = 0; l < rank; l++) {
                const layer& d = d_layer[l];
                float power[max_subbands];
                for (int k = 0; k < subbands(); k++) {
                    power[k] = 0;
                    for (int i = 0; i < 2 * d_l; i++)
                        power[k] += std::norm(d.c[k][i]);
                }
                int tap[max_taps];
                sum += taps_in_window(power, d_shift[l], m, w, tap);
            }
            if (sum > best) {
                best = sum;
                found = w;
            }
        }
        return found;
    }

    // Coefficients of the taps, the strongest of which is 1.
    void normalize(int l, int m)
    {
        layer& d = d_layer[l];
        const int n3 = subbands(), two_l = 2 * d_l;
        const cf strongest = d.c[d_shift[l]][d.strongest];
        const cf scale = std::norm(strongest) > 0 ? 1.0f / strongest : cf(0);
        float power = 0;
        for (int f = 0; f < m; f++)
            for (int i = 0; i < two_l; i++) {
                const cf c = scale * d.c[(d.tap[f] + d_shift[l]) % n3][i];
                d.chosen[f * two_l + i] = c;
                power += std::norm(c);
            }
        d.weight = power > 0 ? 1 / power : 0;
    }

    // The level whose error is least, and how much less it is than that of no coefficient.
    float quantize_one(cf c, float polarization, uint8_t& amplitude, uint8_t& phase) const
    {
        const float size = std::abs(c), relative = size / polarization;
        phase = int(std::lround(std::arg(c) * float(16 / (2 * M_PI)))) & 15;
        int k = 7;
        while (k > 0 && relative < 0.5f * (d_amplitude[k] + d_amplitude[k - 1]))
            k--;
        amplitude = k;
        const cf level = polarization * d_amplitude[k] * d_phase[phase];
        return std::norm(c) - std::norm(c - level);
    }

    void quantize(int rank, pmi& p)
    {
        const int m = taps(rank), two_l = 2 * d_l, size = m * two_l;
        // Gains of all coefficients but the strongest ones, by layer.
        std::array<std::pair<float, int>, max_coefficients * max_layers> gains;
        int n = 0;
        for (int l = 0; l < rank; l++) {
            const layer& d = d_layer[l];
            const int weaker = 1 - d.strongest / d_l, first = l * size;
            // The amplitude of the weaker polarization with the largest gain of its best
            // coefficients.
            float best = -1;
            for (int k = 1; k <= 15; k++) {
                float sum = 0;
                for (int f = 0; f < m; f++)
                    for (int i = weaker * d_l; i < (weaker + 1) * d_l; i++) {
                        uint8_t amplitude, phase;
                        sum += std::max(0.0f,
                                        quantize_one(d.chosen[f * two_l + i],
                                                     d_polarization[k],
                                                     amplitude,
                                                     phase));
                    }
                if (sum > best) {
                    best = sum;
                    p.i23[2 * l + weaker] = k;
                }
            }
            for (int i = 0; i < size; i++) {
                uint8_t &amplitude = p.i24[first + i], &phase = p.i25[first + i];
                const int polarization = p.i23[2 * l + i % two_l / d_l];
                const float gain = quantize_one(
                    d.chosen[i], d_polarization[polarization], amplitude, phase);
                if (i == d.strongest) {
                    p.i17[first + i] = 1;
                    amplitude = 7;
                    phase = 0;
                } else if (gain > 0) {
                    gains[n++] = { gain * d.weight, first + i };
                }
            }
            p.i16[l] = taps_to_index(d.tap, p.i15, m);
        }
        std::sort(gains.begin(), gains.begin() + n, std::greater<>());
        int left = max_count(rank) - rank;
        std::array<int, max_layers> layer_left;
        layer_left.fill(d_k0 - 1);
        for (int k = 0; k < n && left > 0; k++) {
            int& here = layer_left[gains[k].second / size];
            if (here == 0)
                continue;
            here--;
            left--;
            p.i17[gains[k].second] = 1;
        }
        for (int i = 0; i < rank * size; i++)
            if (!p.i17[i])
                p.i24[i] = p.i25[i] = 0;
        for (int l = 0; l < rank; l++) {
            const int strongest = d_layer[l].strongest;
            p.i18[l] = strongest;
            if (rank == 1)
                p.i18[0] =
                    std::count(p.i17.begin(), p.i17.begin() + strongest + 1, 1) - 1;
        }
    }
};

} // namespace

etype2_codebook::sptr etype2_codebook::make(const configuration& c)
{
    return std::make_shared<etype2_codebook_impl>(c);
}

} // namespace csifeedback
} // namespace gr
