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

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

constexpr int max_layers = 2, max_two_l = 8;
constexpr uint8_t weak_phases = 4; // QPSK

std::string wrong(const std::string& name, int64_t value, int64_t least, int64_t most)
{
    return name + " is " + std::to_string(value) + ", allowed is " +
           std::to_string(least) + " to " + std::to_string(most);
}

class type2_codebook_impl : public type2_codebook
{
public:
    explicit type2_codebook_impl(const configuration& c)
        : type2_codebook("type2_codebook", c.array, c.subbands, 1, c.ranks),
          d_l(checked(c)),
          d_phases(c.phase_alphabet),
          d_has_amplitudes(c.subband_amplitude),
          d_projection(c.array, c.subbands, d_l)
    {
        for (const int rank : ranks())
            check_range("type2_codebook", "rank", rank, 1, max_layers);
        d_amplitude.push_back(0);
        for (int k = 1; k < 8; k++)
            d_amplitude.push_back(std::pow(2.0f, (k - 7) / 2.0f));
    }

    std::string name() const override { return "type2"; }
    int count_bits() const override
    {
        return (ranks().back() == 1 ? 1 : 2) * layer_count_bits();
    }
    int count(const pmi& p) const override
    {
        return to_count(number_of(p, 0), p.rank > 1 ? number_of(p, 1) : 1);
    }
    int max_count(int rank) const override
    {
        return to_count(2 * d_l, rank > 1 ? 2 * d_l : 1);
    }
    std::string check_count(int rank, int count) const override
    {
        for (int l = 0; l < (ranks().back() == 1 ? 1 : 2); l++) {
            const int m = number_of_count(count, l), most = l < rank ? 2 * d_l : 1;
            if (m < 1 || m > most)
                return wrong("M of layer " + std::to_string(l), m, 1, most);
        }
        return "";
    }

    std::vector<field> fields(int rank, int count) const override
    {
        int phases = 0, amplitudes = 0;
        for (int l = 0; l < rank; l++) {
            phases += phase_bits(number_of_count(count, l));
            amplitudes += amplitude_bits(number_of_count(count, l));
        }
        return { { "i11", rotation_bits() },
                 { "i12", field_bits(d_projection.sets()) },
                 { "i13", rank * field_bits(2 * d_l) },
                 { "i14", rank * 3 * (2 * d_l - 1) },
                 { "i21", subbands() * phases },
                 { "i22", subbands() * amplitudes } };
    }

    int group_bits(int rank, int count, int group) const override
    {
        if (group == 0)
            return rotation_bits() + field_bits(d_projection.sets()) +
                   rank * (field_bits(2 * d_l) + 3 * (2 * d_l - 1));
        int sum = 0;
        for (int l = 0; l < rank; l++)
            sum += phase_bits(number_of_count(count, l)) +
                   amplitude_bits(number_of_count(count, l));
        return (group == 1 ? (subbands() + 1) / 2 : subbands() / 2) * sum;
    }

    std::string check(const pmi& p) const override
    {
        if (!std::count(ranks().begin(), ranks().end(), p.rank))
            return "rank is " + std::to_string(p.rank) + ", which is not allowed";
        const std::string bad = check_beams(p);
        if (!bad.empty())
            return bad;
        const size_t size = size_t(p.rank) * subbands() * 2 * d_l;
        if (p.i21.size() != size || p.i22.size() != size)
            return "i21 or i22 has not the length " + std::to_string(size);
        for (int l = 0; l < p.rank; l++) {
            const auto kinds = kinds_of(p, l);
            for (int t = 0; t < subbands(); t++)
                for (int i = 0; i < 2 * d_l; i++) {
                    const size_t k = at(l, t, i);
                    const int most = kinds[i].phases - 1,
                              least = kinds[i].amplitude ? 0 : 1;
                    if (p.i21[k] > most)
                        return wrong("i21", p.i21[k], 0, most);
                    if (p.i22[k] < least || p.i22[k] > 1)
                        return wrong("i22", p.i22[k], least, 1);
                }
        }
        return "";
    }

    void pack(const pmi& p, int group, uint8_t* bits, size_t here) const override
    {
        const auto put = [&](int value, int width) {
            write_bits(bits, here, value, width);
            here += width;
        };
        if (group == 0) {
            put(p.q1 * array().o2() + p.q2, rotation_bits());
            put(p.i12, field_bits(d_projection.sets()));
            for (int l = 0; l < p.rank; l++) {
                put(p.i13_layer[l], field_bits(2 * d_l));
                for (int i = 0; i < 2 * d_l; i++)
                    if (i != p.i13_layer[l])
                        put(p.i14[l * 2 * d_l + i], 3);
            }
            return;
        }
        all_kinds kinds;
        for (int l = 0; l < p.rank; l++)
            kinds[l] = kinds_of(p, l);
        for (int t = group - 1; t < subbands(); t += 2) {
            for (int l = 0; l < p.rank; l++)
                for (int i = 0; i < 2 * d_l; i++)
                    put(p.i21[at(l, t, i)], field_bits(kinds[l][i].phases));
            for (int l = 0; l < p.rank; l++)
                for (int i = 0; i < 2 * d_l; i++)
                    if (kinds[l][i].amplitude)
                        put(p.i22[at(l, t, i)], 1);
        }
    }

    std::string unpack(int rank,
                       int number,
                       int groups,
                       const uint8_t* bits,
                       const size_t* starts,
                       pmi& p) const override
    {
        const std::string bad_count = check_count(rank, number);
        if (!bad_count.empty())
            return bad_count;
        size_t here = starts[0];
        const auto get = [&](int width) {
            const int value = int(read_bits(bits, here, width));
            here += width;
            return value;
        };
        p.rank = rank;
        const int rotation = get(rotation_bits());
        p.q1 = rotation / array().o2();
        p.q2 = rotation % array().o2();
        p.i12 = get(field_bits(d_projection.sets()));
        p.i13_layer.assign(rank, 0);
        p.i14.assign(rank * 2 * d_l, 7);
        for (int l = 0; l < rank; l++) {
            p.i13_layer[l] = get(field_bits(2 * d_l));
            if (p.i13_layer[l] >= 2 * d_l)
                return wrong("i13", p.i13_layer[l], 0, 2 * d_l - 1);
            for (int i = 0; i < 2 * d_l; i++)
                if (i != p.i13_layer[l])
                    p.i14[l * 2 * d_l + i] = get(3);
        }
        const std::string bad = check_beams(p);
        if (!bad.empty())
            return bad;
        all_kinds kinds;
        for (int l = 0; l < rank; l++) {
            if (number_of(p, l) != number_of_count(number, l))
                return "i14 of layer " + std::to_string(l) + " has " +
                       std::to_string(number_of(p, l)) + " coefficients, M is " +
                       std::to_string(number_of_count(number, l));
            kinds[l] = kinds_of(p, l);
        }
        p.i21.assign(size_t(rank) * subbands() * 2 * d_l, 0);
        p.i22.assign(p.i21.size(), 1);
        for (int group = 1; group < groups; group++) {
            here = starts[group];
            for (int t = group - 1; t < subbands(); t += 2) {
                for (int l = 0; l < rank; l++)
                    for (int i = 0; i < 2 * d_l; i++)
                        p.i21[at(l, t, i)] = get(field_bits(kinds[l][i].phases));
                for (int l = 0; l < rank; l++)
                    for (int i = 0; i < 2 * d_l; i++)
                        if (kinds[l][i].amplitude)
                            p.i22[at(l, t, i)] = get(1);
            }
        }
        if (groups == 2)
            for (int l = 0; l < rank; l++)
                for (int t = 1; t < subbands(); t += 2)
                    for (int i = 0; i < 2 * d_l; i++) {
                        p.i21[at(l, t, i)] = p.i21[at(l, t - 1, i)];
                        p.i22[at(l, t, i)] = p.i22[at(l, t - 1, i)];
                    }
        return "";
    }

    void precoder(const pmi& p, cf* w) const override
    {
        const int rank = p.rank, n = ports() / 2;
        cf v[beam_projection::max_beams * beam_projection::max_elements];
        d_projection.vectors(p, v);
        for (int l = 0; l < rank; l++) {
            const auto kinds = kinds_of(p, l);
            for (int t = 0; t < subbands(); t++) {
                cf a[max_two_l];
                float power = 0;
                for (int i = 0; i < 2 * d_l; i++) {
                    a[i] = level(p.i14[l * 2 * d_l + i],
                                 p.i22[at(l, t, i)],
                                 p.i21[at(l, t, i)],
                                 kinds[i].phases);
                    power += std::norm(a[i]);
                }
                const float scale = 1 / std::sqrt(power * n * rank);
                cf* out = w + size_t(t) * ports() * rank;
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
        p.rank = rank;
        p.i13_layer.assign(rank, 0);
        p.i14.assign(rank * 2 * d_l, 0);
        p.i21.assign(size_t(rank) * subbands() * 2 * d_l, 0);
        p.i22.assign(p.i21.size(), 1);
        d_projection.compute(h, rows, nr, rank, p);
        for (int l = 0; l < rank; l++)
            quantize(l, p);
    }

private:
    //! How a coefficient is reported in each subband.
    struct kind {
        uint8_t phases; // values of its phase, 1: not reported
        bool amplitude; // whether i22 has it
    };
    using layer_kinds = std::array<kind, max_two_l>;
    using all_kinds = std::array<layer_kinds, max_layers>;

    const int d_l, d_phases;
    const bool d_has_amplitudes;
    beam_projection d_projection;
    std::vector<float> d_amplitude;

    static int checked(const configuration& c)
    {
        const char* where = "type2_codebook";
        const int ports = c.array.ports();
        if (ports < 4)
            throw_bad(where, "number of ports", ports, "4 and more");
        check_range(where, "beams", c.beams, 2, ports == 4 ? 2 : 4);
        if (c.phase_alphabet != 4 && c.phase_alphabet != 8)
            throw_bad(where, "phase_alphabet", c.phase_alphabet, "4 or 8");
        return c.beams;
    }

    size_t at(int l, int t, int i) const
    {
        return (size_t(l) * subbands() + t) * 2 * d_l + i;
    }
    int rotation_bits() const { return field_bits(array().o1() * array().o2()); }
    int layer_count_bits() const { return field_bits(2 * d_l - 1); }
    // K^(2), coefficients of full resolution.
    int full_resolution(int m) const { return std::min(m, d_l == 4 ? 6 : 4); }
    int phase_bits(int m) const
    {
        const int bits = field_bits(d_phases);
        if (!d_has_amplitudes)
            return (m - 1) * bits;
        const int full = full_resolution(m);
        return (full - 1) * bits + 2 * (m - full);
    }
    int amplitude_bits(int m) const
    {
        return d_has_amplitudes ? full_resolution(m) - 1 : 0;
    }

    // The numbers M of both layers as one: the fields of part 1, and 1.
    int to_count(int first, int second) const
    {
        return ranks().back() == 1 ? first : ((first - 1) << layer_count_bits()) + second;
    }
    int number_of_count(int count, int l) const
    {
        if (ranks().back() == 1)
            return count;
        const int bits = layer_count_bits();
        return ((count - 1) >> (l == 0 ? bits : 0) & ((1 << bits) - 1)) + 1;
    }
    // M, coefficients of a layer.
    int number_of(const pmi& p, int l) const
    {
        const auto first = p.i14.begin() + l * 2 * d_l;
        return 2 * d_l - std::count(first, first + 2 * d_l, 0);
    }

    std::string check_beams(const pmi& p) const
    {
        const std::string bad = d_projection.check(p);
        if (!bad.empty())
            return bad;
        if (int(p.i13_layer.size()) != p.rank || int(p.i14.size()) != p.rank * 2 * d_l)
            return "i13 or i14 has not a value for each layer or coefficient";
        for (int l = 0; l < p.rank; l++) {
            if (p.i13_layer[l] < 0 || p.i13_layer[l] >= 2 * d_l)
                return wrong("i13", p.i13_layer[l], 0, 2 * d_l - 1);
            for (int i = 0; i < 2 * d_l; i++)
                if (p.i14[l * 2 * d_l + i] > 7)
                    return wrong("i14", p.i14[l * 2 * d_l + i], 0, 7);
            if (p.i14[l * 2 * d_l + p.i13_layer[l]] != 7)
                return "the strongest coefficient of layer " + std::to_string(l) +
                       " has not i14 = 7";
        }
        return "";
    }

    layer_kinds kinds_of(const pmi& p, int l) const
    {
        layer_kinds kinds;
        kinds.fill({ 1, false });
        const uint8_t* k1 = p.i14.data() + l * 2 * d_l;
        // Those of full resolution but the strongest: of equal ones the first.
        int left = d_has_amplitudes ? full_resolution(number_of(p, l)) - 1 : 2 * d_l;
        for (int k = 7; k >= 1; k--)
            for (int i = 0; i < 2 * d_l; i++) {
                if (k1[i] != k || i == p.i13_layer[l])
                    continue;
                const bool full = left-- > 0;
                kinds[i] = { full ? uint8_t(d_phases) : weak_phases,
                             full && d_has_amplitudes };
            }
        return kinds;
    }

    cf level(int k1, int k2, int c, int phases) const
    {
        return cf(std::polar(double(d_amplitude[k1]) * (k2 ? 1 : M_SQRT1_2),
                             2 * M_PI * c / phases));
    }

    // The nearest phase and amplitude of x at wideband amplitude k1; the squared error.
    float
    nearest(cf x, int k1, int phases, bool with_amplitude, uint8_t& c, uint8_t& k2) const
    {
        c = (int(std::lround(std::arg(x) * phases / (2 * M_PI))) + phases) % phases;
        k2 = 1;
        float error = std::norm(x - level(k1, 1, c, phases));
        if (with_amplitude) {
            const float other = std::norm(x - level(k1, 0, c, phases));
            if (other < error) {
                error = other;
                k2 = 0;
            }
        }
        return error;
    }

    void quantize(int l, pmi& p) const
    {
        const int two_l = 2 * d_l;
        float powers[max_two_l] = {};
        for (int t = 0; t < subbands(); t++)
            for (int i = 0; i < two_l; i++)
                powers[i] += std::norm(d_projection.coefficients(l, t)[i]);
        const int strongest = std::max_element(powers, powers + two_l) - powers;
        const float scale =
            powers[strongest] > 0 ? std::sqrt(subbands() / powers[strongest]) : 0;
        // Relative to the strongest, whose phase is 0 in each subband.
        const auto relative = [&](int t, int i) {
            const cf* a = d_projection.coefficients(l, t);
            const float size = std::abs(a[strongest]);
            return size > 0 ? scale / size * std::conj(a[strongest]) * a[i] : cf(0);
        };
        p.i13_layer[l] = strongest;
        uint8_t* k1 = p.i14.data() + l * two_l;
        uint8_t c, k2;
        for (int i = 0; i < two_l; i++) {
            float best = 0;
            for (int t = 0; t < subbands(); t++)
                best += std::norm(relative(t, i));
            k1[i] = 0;
            for (int k = 1; k < 8 && i != strongest; k++) {
                float error = 0;
                for (int t = 0; t < subbands(); t++)
                    error +=
                        nearest(relative(t, i), k, d_phases, d_has_amplitudes, c, k2);
                if (error < best) {
                    best = error;
                    k1[i] = k;
                }
            }
        }
        k1[strongest] = 7;
        const auto kinds = kinds_of(p, l);
        for (int i = 0; i < two_l; i++)
            for (int t = 0; t < subbands() && kinds[i].phases > 1; t++) {
                nearest(
                    relative(t, i), k1[i], kinds[i].phases, kinds[i].amplitude, c, k2);
                p.i21[at(l, t, i)] = c;
                p.i22[at(l, t, i)] = k2;
            }
    }
};

} // namespace

pmi_codebook::sptr type2_codebook::make(const configuration& c)
{
    return std::make_shared<type2_codebook_impl>(c);
}

} // namespace csifeedback
} // namespace gr
