/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// PMI codebooks of TS 38.214: precoders and field widths against vectors of another
// implementation, bits, omission, any bits, selection, CQI.

#include "feedback/bits.h"
#include "random.h"
#include <gnuradio/csifeedback/csi_report.h>
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <gnuradio/csifeedback/subband_eigenvectors.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;

const std::vector<pmi_array> arrays = { { 2, 1 }, { 2, 2 }, { 4, 1 }, { 3, 2 }, { 6, 1 },
                                        { 4, 2 }, { 8, 1 }, { 4, 3 }, { 6, 2 }, { 12, 1 },
                                        { 4, 4 }, { 8, 2 }, { 16, 1 } };

std::string show(const pmi_array& a)
{
    return "(" + std::to_string(a.n1) + ", " + std::to_string(a.n2) + ")";
}

int draw(random_engine& engine, int64_t low, int64_t high)
{
    return low + int64_t(engine() % uint64_t(high - low + 1));
}

std::vector<cf> noise(random_engine& engine, size_t n)
{
    boost::random::normal_distribution<float> normal;
    std::vector<cf> x(n);
    for (cf& one : x) {
        // Arguments of a call have no order, and compilers for other processors take another one.
        const float im = normal(engine), re = normal(engine);
        one = cf(re, im);
    }
    return x;
}

// A channel of a few plane waves, dual-polarized: rows x nr x ports.
std::vector<cf>
waves(random_engine& engine, const pmi_array& array, int rows, int nr, int paths)
{
    const int n = array.n1 * array.n2;
    std::vector<cf> h(size_t(rows) * nr * 2 * n);
    const auto uniform = [&] { return engine() / 4294967296.0; };
    for (int k = 0; k < paths; k++) {
        const double delay = uniform() * 2, u1 = uniform(), u2 = uniform();
        const auto gains = noise(engine, 2 * nr);
        for (int row = 0; row < rows; row++)
            for (int r = 0; r < nr; r++)
                for (int p = 0; p < 2; p++)
                    for (int i = 0; i < n; i++)
                        h[((size_t(row) * nr + r) * 2 + p) * n + i] +=
                            gains[2 * r + p] *
                            cf(std::polar(1.0,
                                          -2 * M_PI *
                                              (delay * row / rows + u1 * (i / array.n2) +
                                               u2 * (i % array.n2))));
    }
    return h;
}

std::vector<cf> precoder(const pmi_codebook& codebook, const pmi& p)
{
    std::vector<cf> w(size_t(codebook.subbands()) * codebook.ports() * p.rank);
    codebook.precoder(p, w.data());
    return w;
}

// Columns a and b of rows x columns: a^H b.
std::complex<double> product(const cf* w, int rows, int columns, int a, int b)
{
    std::complex<double> sum = 0;
    for (int i = 0; i < rows; i++)
        sum += std::complex<double>(std::conj(w[i * columns + a]) * w[i * columns + b]);
    return sum;
}

// y = h w of rows x inner and inner x columns.
std::vector<cf> times(const cf* h, const cf* w, int rows, int inner, int columns)
{
    std::vector<cf> y(rows * columns);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < inner; i++)
            for (int k = 0; k < columns; k++)
                y[r * columns + k] += h[r * inner + i] * w[i * columns + k];
    return y;
}

// log2 det(I + scale y^H y) by elimination.
double log_det(const std::vector<cf>& y, int rows, int n, double scale)
{
    std::vector<std::complex<double>> a(n * n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            a[i * n + k] = scale * product(y.data(), rows, n, i, k) + double(i == k);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += std::log2(a[i * n + i].real());
        for (int j = i + 1; j < n; j++) {
            const auto factor = a[j * n + i] / a[i * n + i];
            for (int k = i; k < n; k++)
                a[j * n + k] -= factor * a[i * n + k];
        }
    }
    return sum;
}

// Mean over subbands of |v^H w|^2 / (|v|^2 |w|^2) of layer l.
double similarity(const std::vector<cf>& v,
                  const std::vector<cf>& w,
                  const pmi_codebook& codebook,
                  int rank,
                  int l)
{
    double sum = 0;
    for (int t = 0; t < codebook.subbands(); t++) {
        double aa = 0, bb = 0;
        std::complex<double> ab = 0;
        for (int i = 0; i < codebook.ports(); i++) {
            const size_t at = (size_t(t) * codebook.ports() + i) * rank + l;
            aa += std::norm(v[at]);
            bb += std::norm(w[at]);
            ab += std::complex<double>(std::conj(v[at]) * w[at]);
        }
        if (aa * bb > 0)
            sum += std::norm(ab) / (aa * bb);
    }
    return sum / codebook.subbands();
}

std::vector<cf> eigenvectors(
    const std::vector<cf>& h, const pmi_codebook& codebook, int rows, int nr, int rank)
{
    std::vector<cf> v(size_t(codebook.subbands()) * codebook.ports() * rank);
    subband_eigenvectors::make(codebook.subbands(), codebook.ports(), rank)
        ->compute(h.data(), rows, nr, v.data());
    return v;
}

pmi_codebook::sptr
type1(const pmi_array& array, int subbands, int mode, const std::vector<int>& ranks)
{
    type1_codebook::configuration c;
    c.array = array;
    c.subbands = subbands;
    c.mode = mode;
    c.ranks = ranks;
    return type1_codebook::make(c);
}

pmi_codebook::sptr etype2(const pmi_array& array,
                          int subbands,
                          int combination,
                          const std::vector<int>& ranks,
                          int per_cqi = 1)
{
    etype2_codebook::configuration c;
    c.array = array;
    c.subbands = subbands;
    c.param_combination = combination;
    c.ranks = ranks;
    c.per_cqi = per_cqi;
    return etype2_codebook::make(c);
}

pmi_codebook::sptr type2(const pmi_array& array,
                         int subbands,
                         int beams,
                         int phases,
                         bool amplitudes,
                         const std::vector<int>& ranks)
{
    type2_codebook::configuration c;
    c.array = array;
    c.subbands = subbands;
    c.beams = beams;
    c.phase_alphabet = phases;
    c.subband_amplitude = amplitudes;
    c.ranks = ranks;
    return type2_codebook::make(c);
}

struct golden_case {
    std::string name;
    pmi_codebook::sptr codebook;
    pmi p;
    int count = 0;
    std::map<std::string, int> widths;
    int total = 0, count_bits = 0, m = 0, k0 = 0;
    std::vector<int> subbands; // whose precoders there are
    std::vector<cf> w;
};

template <typename T>
void read(std::istream& in, std::vector<T>& all, size_t n)
{
    all.resize(n);
    for (T& one : all) {
        int64_t value;
        in >> value;
        one = T(value);
    }
}

// data/pmi.txt: fields and widths, data/pmi_precoders.f32: W of some subbands.
std::vector<golden_case> golden()
{
    std::ifstream in(CSIFEEDBACK_TEST_DATA "/pmi.txt"),
        precoders(CSIFEEDBACK_TEST_DATA "/pmi_precoders.f32", std::ios::binary);
    std::vector<golden_case> cases;
    std::string kind;
    while (in >> kind) {
        golden_case c;
        pmi& p = c.p;
        int n1, n2, n3;
        in >> n1 >> n2 >> n3;
        std::vector<std::string> names;
        if (kind == "etype2") {
            int r, combination;
            in >> r >> combination >> p.rank >> c.m >> c.k0 >> c.count;
            c.codebook = etype2({ n1, n2 }, n3, combination, { 1, p.rank }, r);
            // Vectors of rank 1 have part 1 of ranks up to 2, but where only 1 is allowed.
            in >> p.q1 >> p.q2 >> p.i12 >> p.i15;
            read(in, p.i16, p.rank);
            read(in, p.i18, p.rank);
            read(in, p.i23, 2 * p.rank);
            const size_t size =
                p.rank * c.m *
                std::dynamic_pointer_cast<etype2_codebook>(c.codebook)->beams() * 2;
            read(in, p.i17, size);
            read(in, p.i24, size);
            read(in, p.i25, size);
            names = { "i11", "i12", "i18", "i23", "i15", "i16", "i24", "i25", "i17" };
        } else if (kind == "type2") {
            int beams, phases, amplitudes;
            in >> beams >> phases >> amplitudes >> p.rank;
            c.codebook = type2({ n1, n2 }, n3, beams, phases, amplitudes, { p.rank });
            in >> p.q1 >> p.q2 >> p.i12;
            read(in, p.i13_layer, p.rank);
            read(in, p.i14, p.rank * 2 * beams);
            read(in, p.i21, p.rank * n3 * 2 * beams);
            read(in, p.i22, p.rank * n3 * 2 * beams);
            c.count = c.codebook->count(p);
            names = { "i11", "i12", "i13", "i14", "i21", "i22" };
        } else {
            int mode;
            in >> mode >> p.rank;
            c.codebook = type1({ n1, n2 }, n3, mode, { p.rank });
            in >> p.i11 >> p.i12 >> p.i13;
            read(in, p.i2, n3);
            names = { "i11", "i12", "i13", "i2" };
        }
        for (const std::string& name : names)
            in >> c.widths[name];
        if (kind == "etype2")
            in >> c.total >> c.count_bits;
        const std::set<int> some = { 0, 1, n3 / 2, n3 - 1 };
        c.subbands.assign(some.begin(), some.end());
        c.w.resize(some.size() * c.codebook->ports() * p.rank);
        precoders.read(reinterpret_cast<char*>(c.w.data()), c.w.size() * sizeof(cf));
        c.name = kind + " " + show({ n1, n2 }) + " N3 " + std::to_string(n3) + " rank " +
                 std::to_string(p.rank);
        if (!in || !precoders)
            throw std::runtime_error("vectors are missing");
        cases.push_back(c);
    }
    return cases;
}

// Any PMI of a codebook, by packing random fields that are in range: random bits until they
// are taken, or a selection for a random channel.
pmi any(random_engine& engine, pmi_codebook& codebook, int rank)
{
    const auto h = waves(engine, codebook.array(), codebook.subbands(), rank, 4);
    pmi p;
    codebook.select(h.data(), codebook.subbands(), rank, rank, p);
    return p;
}

} // namespace

TEST(Pmi, PrecodersAreThoseOfAnotherImplementation)
{
    const auto cases = golden();
    EXPECT_EQ(cases.size(), 54u);
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        ASSERT_EQ(c.codebook->check(c.p), "");
        const auto w = precoder(*c.codebook, c.p);
        const size_t size = size_t(c.codebook->ports()) * c.p.rank;
        for (size_t k = 0; k < c.subbands.size(); k++)
            for (size_t i = 0; i < size; i++)
                ASSERT_NEAR(
                    std::abs(w[c.subbands[k] * size + i] - c.w[k * size + i]), 0, 1e-6);
    }
}

TEST(Pmi, FieldsHaveTheWidthsOfAnotherImplementation)
{
    for (const auto& c : golden()) {
        SCOPED_TRACE(c.name);
        int sum = 0;
        for (const auto& field : c.codebook->fields(c.p.rank, c.count)) {
            EXPECT_EQ(field.bits, c.widths.at(field.name)) << field.name;
            sum += field.bits;
        }
        EXPECT_EQ(c.codebook->part2_bits(c.p.rank, c.count), sum);
        if (!c.total)
            continue;
        EXPECT_EQ(sum, c.total);
        const auto& codebook = dynamic_cast<const etype2_codebook&>(*c.codebook);
        EXPECT_EQ(codebook.taps(c.p.rank), c.m);
        EXPECT_EQ(codebook.max_layer_count(), c.k0);
        EXPECT_EQ(codebook.count(c.p), c.count);
    }
}

// Table 6.3.2.1.2-8: K0 values if only rank 1 is allowed, else 2 K0.
TEST(Pmi, IndicatorOfTheNumberOfCoefficients)
{
    EXPECT_EQ(etype2({ 4, 4 }, 13, 6, { 1 })->count_bits(), 5);
    EXPECT_EQ(etype2({ 4, 4 }, 13, 6, { 1, 2 })->count_bits(), 6);
    EXPECT_EQ(etype2({ 4, 4 }, 13, 1, { 1 })->count_bits(), 2);
    for (const auto& c : golden())
        if (c.count_bits) {
            // The vectors have the field for all ranks but for combinations 7 and 8.
            const int values = 2 * c.k0;
            EXPECT_EQ(c.count_bits, int(std::ceil(std::log2(values)))) << c.name;
        }
}

TEST(Pmi, LargestReportsOf32Ports)
{
    // Combination, N3, bits of part 2 for ranks 1 to 4.
    const std::vector<std::vector<int>> table = { { 1, 13, 62, 113, 100, 111 },
                                                  { 1, 18, 78, 143, 138, 157 },
                                                  { 2, 13, 91, 169, 156, 167 },
                                                  { 2, 18, 114, 213, 208, 227 },
                                                  { 3, 13, 111, 207, 187, 207 },
                                                  { 3, 18, 138, 259, 251, 283 },
                                                  { 4, 13, 168, 319, 299, 319 },
                                                  { 4, 18, 209, 399, 391, 423 },
                                                  { 5, 13, 225, 431, 471, 511 },
                                                  { 5, 18, 279, 539, 591, 643 },
                                                  { 6, 13, 279, 539, 527, 567 },
                                                  { 6, 18, 357, 693, 675, 727 },
                                                  { 7, 13, 243 },
                                                  { 7, 18, 301 },
                                                  { 8, 13, 328 },
                                                  { 8, 18, 407 } };
    for (const auto& row : table) {
        std::vector<int> ranks(row.size() - 2);
        std::iota(ranks.begin(), ranks.end(), 1);
        const auto codebook = etype2({ 4, 4 }, row[1], row[0], ranks);
        for (const int rank : ranks)
            EXPECT_EQ(codebook->part2_bits(rank, codebook->max_count(rank)),
                      row[1 + rank])
                << "combination " << row[0] << " N3 " << row[1] << " rank " << rank;
        EXPECT_EQ(etype2({ 16, 1 }, row[1], row[0], { 1 })
                      ->part2_bits(1, codebook->max_count(1)),
                  row[2] - 2);
    }
}

// Table 6.3.1.1.2-1, from the number of indices.
TEST(Pmi, TypeOneHasColumnsOfEqualNormAndNoPrecoderTwice)
{
    for (const pmi_array& array : arrays)
        for (const int mode : { 1, 2 })
            for (int rank = 1; rank <= std::min(8, array.ports()); rank++) {
                SCOPED_TRACE(show(array) + " mode " + std::to_string(mode) + " rank " +
                             std::to_string(rank));
                const auto codebook = type1(array, 1, mode, { rank });
                const auto fields = codebook->fields(rank, 0);
                pmi p;
                p.rank = rank;
                p.i2 = { 0 };
                std::set<std::vector<int>> seen;
                int pmis = 0;
                const int most[4] = { 1 << fields[0].bits,
                                      1 << fields[1].bits,
                                      1 << fields[2].bits,
                                      1 << fields[3].bits };
                for (p.i11 = 0; p.i11 < most[0]; p.i11++)
                    for (p.i12 = 0; p.i12 < most[1]; p.i12++)
                        for (p.i13 = 0; p.i13 < most[2]; p.i13++)
                            for (p.i2[0] = 0; p.i2[0] < most[3]; p.i2[0]++) {
                                if (!codebook->check(p).empty())
                                    continue;
                                pmis++;
                                const auto w = precoder(*codebook, p);
                                for (int a = 0; a < rank; a++)
                                    for (int b = 0; b <= a; b++)
                                        ASSERT_NEAR(
                                            std::abs(
                                                product(
                                                    w.data(), array.ports(), rank, a, b) -
                                                (a == b ? 1.0 / rank : 0.0)),
                                            0,
                                            1e-5);
                                std::vector<int> rounded;
                                for (const cf& x : w) {
                                    rounded.push_back(std::lround(1000 * x.real()));
                                    rounded.push_back(std::lround(1000 * x.imag()));
                                }
                                seen.insert(rounded);
                            }
                // Beams of mode 2 overlap for one dimension: nothing is twice otherwise.
                if (mode == 1 && rank != 4 && rank < 7) {
                    EXPECT_EQ(int(seen.size()), pmis);
                }
                EXPECT_GT(pmis, most[0] * most[1] * most[2] * most[3] / 4);
            }
}

TEST(Pmi, PacksAndUnpacks)
{
    random_engine engine = make_engine(1, 0);
    const auto same = [](const pmi& a, const pmi& b) {
        return a.rank == b.rank && a.i11 == b.i11 && a.q1 == b.q1 && a.q2 == b.q2 &&
               a.i12 == b.i12 && a.i13 == b.i13 && a.i15 == b.i15 && a.i2 == b.i2 &&
               a.i16 == b.i16 && a.i18 == b.i18 && a.i17 == b.i17 && a.i23 == b.i23 &&
               a.i24 == b.i24 && a.i25 == b.i25 && a.i13_layer == b.i13_layer &&
               a.i14 == b.i14 && a.i21 == b.i21 && a.i22 == b.i22;
    };
    const auto round_trip = [&](pmi_codebook::sptr codebook, const pmi& p) {
        for (const char* cqi : { "none", "wideband", "subband" }) {
            const auto format = csi_report_format::make(codebook, { cqi, 2, 2 });
            csi_report r;
            r.precoding = p;
            r.cqi = { draw(engine, 0, 15), draw(engine, 0, 15) };
            for (auto& all : r.subband_cqi) {
                all.resize(codebook->cqi_subbands());
                for (int& one : all)
                    one = draw(engine, 0, 3);
            }
            std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
            const int used = format->pack(r, bits.data(), format->max_bits());
            ASSERT_EQ(used, format->total_bits(p.rank, codebook->count(p), 3));
            ASSERT_LE(used, format->max_bits());
            csi_report back;
            ASSERT_EQ(format->unpack(bits.data(), used, back), "");
            EXPECT_TRUE(same(back.precoding, p));
            EXPECT_EQ(back.groups, 3);
            const bool has_cqi = std::string(cqi) != "none";
            EXPECT_EQ(back.cqi[0], has_cqi ? r.cqi[0] : 0);
            EXPECT_EQ(back.cqi[1], has_cqi && p.rank > 4 ? r.cqi[1] : 0);
            if (std::string(cqi) == "subband") {
                EXPECT_EQ(back.subband_cqi[0], r.subband_cqi[0]);
                if (p.rank > 4) {
                    EXPECT_EQ(back.subband_cqi[1], r.subband_cqi[1]);
                }
            }
        }
    };
    for (const auto& c : golden()) {
        SCOPED_TRACE(c.name);
        round_trip(c.codebook, c.p);
    }
    for (const pmi_array& array : arrays) {
        for (const int mode : { 1, 2 })
            for (int rank = 1; rank <= std::min(8, array.ports()); rank++) {
                SCOPED_TRACE(show(array) + " type 1, rank " + std::to_string(rank));
                const auto codebook = type1(array, 5, mode, { rank });
                round_trip(codebook, any(engine, *codebook, rank));
            }
        for (int beams = 2; beams <= (array.ports() == 4 ? 2 : 4); beams++)
            for (const int phases : { 4, 8 })
                for (const bool amplitudes : { false, true })
                    for (const int rank : { 1, 2 })
                        for (const bool others : { false, true }) {
                            SCOPED_TRACE(show(array) + " type 2, rank " +
                                         std::to_string(rank));
                            const auto codebook =
                                type2(array,
                                      5,
                                      beams,
                                      phases,
                                      amplitudes,
                                      others ? std::vector<int>{ 1, 2 }
                                             : std::vector<int>{ rank });
                            const pmi p = any(engine, *codebook, rank);
                            ASSERT_EQ(codebook->check(p), "");
                            round_trip(codebook, p);
                        }
        for (int combination = 1; combination <= 8; combination++)
            for (int rank = 1; rank <= 4; rank++)
                for (const int n3 : { 1, 13, 26, 36 }) {
                    // So few coefficients are not enough for a third layer.
                    if (rank > 2 && n3 == 1 && combination == 1)
                        continue;
                    if ((combination > 2 && array.ports() == 4) ||
                        (combination > 6 && (array.ports() < 32 || rank > 1 || n3 > 19)))
                        continue;
                    SCOPED_TRACE(show(array) + " eType II " +
                                 std::to_string(combination) + ", rank " +
                                 std::to_string(rank) + ", N3 " + std::to_string(n3));
                    const auto codebook =
                        etype2(array, n3, combination, { rank }, n3 > 19 ? 2 : 1);
                    const pmi p = any(engine, *codebook, rank);
                    ASSERT_EQ(codebook->check(p), "");
                    round_trip(codebook, p);
                }
    }
}

// The bits of eType II in the words of Table 6.3.2.1.2-5A and clause 5.2.3.
TEST(Pmi, OrderOfTheBits)
{
    for (const auto& c : golden()) {
        if (c.codebook->name() != "etype2")
            continue;
        SCOPED_TRACE(c.name);
        const pmi& p = c.p;
        const int rank = p.rank, m = c.m, size = int(p.i17.size()) / rank,
                  two_l = size / m, n3 = c.codebook->subbands();
        // Taps, decoded as the clause says.
        std::vector<std::vector<int>> taps(rank, std::vector<int>(m));
        const auto choose = [](int x, int y) {
            double result = 1;
            for (int i = 0; i < y; i++)
                result = result * (x - i) / (i + 1);
            return x < y ? 0.0 : std::round(result);
        };
        for (int l = 0; l < rank; l++) {
            double s = 0;
            const int n = n3 <= 19 ? n3 : 2 * m, start = p.i15 ? p.i15 - 2 * m : 0;
            for (int f = 1; f < m; f++) {
                int x = n - 1 - f;
                while (p.i16[l] - s < choose(x, m - f))
                    x--;
                s += choose(x, m - f);
                taps[l][f] = n - 1 - x;
                if (n3 > 19 && taps[l][f] > start + 2 * m - 1)
                    taps[l][f] += n3 - 2 * m;
            }
        }
        // All coefficients by Pri.
        std::vector<std::pair<int, int>> all;
        for (int l = 0; l < rank; l++)
            for (int f = 0; f < m; f++)
                for (int i = 0; i < two_l; i++) {
                    const int pi = std::min(2 * taps[l][f], 2 * (n3 - taps[l][f]) - 1);
                    all.emplace_back(two_l * rank * pi + rank * i + l + 1,
                                     l * size + f * two_l + i);
                }
        std::sort(all.begin(), all.end());
        std::string text;
        const auto put = [&](int64_t x, int width) {
            for (int k = width - 1; k >= 0; k--)
                text += char('0' + (x >> k & 1));
        };
        std::vector<int> strongest;
        for (int l = 0; l < rank; l++) {
            int i = p.i18[l];
            if (rank == 1)
                for (int seen = i = -1; seen < p.i18[0];)
                    seen += p.i17[++i];
            strongest.push_back(i);
        }
        const pmi_array& array = c.codebook->array();
        put(p.q1 * array.o2() + p.q2, c.widths.at("i11"));
        put(p.i12, c.widths.at("i12"));
        for (int l = 0; l < rank; l++)
            put(p.i18[l], c.widths.at("i18") / rank);
        const size_t end0 = text.size();
        for (int l = 0; l < rank; l++)
            put(p.i23[2 * l + (strongest[l] < two_l / 2 ? 1 : 0)], 4);
        put(p.i15, c.widths.at("i15"));
        for (int l = 0; l < rank; l++)
            put(p.i16[l], c.widths.at("i16") / rank);
        std::vector<int> reported;
        for (const auto& one : all) {
            const int l = one.second / size;
            if (p.i17[one.second] && one.second != l * size + strongest[l])
                reported.push_back(one.second);
        }
        const int better = std::max(0, (c.count + 1) / 2 - rank),
                  bitmap = rank * size - c.count / 2;
        size_t end1 = 0;
        for (const bool first : { true, false }) {
            for (const auto* values : { &p.i24, &p.i25 })
                for (int k = first ? 0 : better;
                     k < (first ? better : int(reported.size()));
                     k++)
                    put((*values)[reported[k]], values == &p.i24 ? 3 : 4);
            for (int k = first ? 0 : bitmap; k < (first ? bitmap : rank * size); k++)
                put(p.i17[all[k].second], 1);
            if (first)
                end1 = text.size();
        }
        ASSERT_EQ(int(text.size()), c.total);
        const size_t ends[3] = { end0, end1, text.size() };
        size_t at = 0;
        for (int group = 0; group < 3; group++) {
            std::vector<uint8_t> bits(200);
            c.codebook->pack(p, group, bits.data(), at);
            std::string found;
            for (size_t k = at; k < ends[group]; k++)
                found += char('0' + read_bits(bits.data(), k, 1));
            EXPECT_EQ(found, text.substr(at, ends[group] - at)) << "group " << group;
            EXPECT_EQ(c.codebook->group_bits(rank, c.count, group),
                      int(ends[group] - at));
            at = ends[group];
        }
    }
}

// Table 6.3.2.1.2-3 to -5 for Type I of two codewords.
TEST(Pmi, OrderOfTheBitsOfTwoCodewords)
{
    const auto codebook = type1({ 4, 4 }, 3, 1, { 2, 4, 5 });
    const auto format = csi_report_format::make(codebook, { "subband", 1, 2 });
    csi_report r;
    r.precoding.rank = 5;
    r.precoding.i11 = 9;
    r.precoding.i12 = 6;
    r.precoding.i2 = { 1, 0, 1 };
    r.cqi = { 12, 3 };
    r.subband_cqi = { std::vector<int>{ 1, 2, 3 }, std::vector<int>{ 2, 0, 1 } };
    std::vector<uint8_t> bits(8);
    const int used = format->pack(r, bits.data(), 64);
    std::string text;
    for (int k = 0; k < used; k++)
        text += char('0' + read_bits(bits.data(), k, 1));
    EXPECT_EQ(text,
              "10"
              "1100"
              "01"
              "10"
              "11" // RI, CQI and subband CQI of part 1
              "0011"
              "1001"
              "0110" // second CQI, i11, i12
              "10"
              "01"
              "1"
              "1" // even subbands: CQI, i2
              "00"
              "0"); // odd ones
}

TEST(Pmi, ShortPayloadsOmitGroups)
{
    random_engine engine = make_engine(2, 0);
    for (const char* cqi : { "none", "subband" })
        for (const auto& codebook : { type1({ 4, 4 }, 13, 1, { 1, 2, 5 }),
                                      type1({ 4, 4 }, 13, 2, { 1, 2 }),
                                      type2({ 4, 4 }, 13, 4, 8, true, { 1, 2 }),
                                      type2({ 6, 1 }, 7, 3, 4, false, { 1 }),
                                      etype2({ 4, 4 }, 13, 6, { 1, 2 }),
                                      etype2({ 4, 2 }, 4, 2, { 1, 2, 3, 4 }),
                                      etype2({ 4, 4 }, 3, 4, { 1 }),
                                      etype2({ 8, 2 }, 26, 5, { 1, 2 }, 2) }) {
            const auto format = csi_report_format::make(codebook, { cqi, 1, 2 });
            for (const int rank : codebook->ranks()) {
                SCOPED_TRACE(codebook->name() + " rank " + std::to_string(rank));
                double sums[4] = {};
                for (int n = 0; n < 20; n++) {
                    const int nr = std::max(rank, 2);
                    const auto h =
                        waves(engine, codebook->array(), codebook->subbands(), nr, 6);
                    csi_report r, back;
                    codebook->select(
                        h.data(), codebook->subbands(), nr, rank, r.precoding);
                    for (auto& all : r.subband_cqi)
                        all.assign(codebook->cqi_subbands(), 2);
                    const int count = codebook->count(r.precoding);
                    const auto v =
                        eigenvectors(h, *codebook, codebook->subbands(), nr, rank);
                    for (int groups = 0; groups <= 3; groups++)
                        for (const int spare : { 0, 1 }) {
                            // One bit below the next level is not enough for it.
                            const int most = format->total_bits(rank, count, groups),
                                      budget = spare && groups < 3
                                                   ? format->total_bits(
                                                         rank, count, groups + 1) -
                                                         1
                                                   : most;
                            if (budget < most)
                                continue; // a group without bits
                            std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
                            const int used = format->pack(r, bits.data(), budget);
                            ASSERT_EQ(used, most);
                            ASSERT_EQ(format->unpack(bits.data(), used, back), "");
                            ASSERT_GE(back.groups, groups);
                            EXPECT_EQ(back.precoding.rank, rank);
                            if (!groups)
                                continue;
                            ASSERT_EQ(codebook->check(back.precoding), "");
                            if (!spare)
                                sums[groups] +=
                                    similarity(v,
                                               precoder(*codebook, back.precoding),
                                               *codebook,
                                               rank,
                                               0);
                        }
                    csi_report none;
                    std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
                    EXPECT_THROW(format->pack(r, bits.data(), format->part1_bits() - 1),
                                 std::invalid_argument);
                    EXPECT_NE(format->unpack(bits.data(), format->part1_bits() - 1, none),
                              "");
                }
                // Of more layers of Type I the best order is not that of the eigenvectors.
                if (codebook->name() == "type1" && rank > 1)
                    continue;
                EXPECT_LE(sums[2], sums[3] + 1e-3);
                EXPECT_LE(sums[1], sums[2] + 1e-3);
                if (rank <= 2) {
                    EXPECT_LT(sums[1], sums[3] - 0.1);
                }
            }
        }
}

// Without group 2 what is left is what the full PMI has among the better half.
TEST(Pmi, OmissionKeepsTheBetterHalf)
{
    for (const auto& c : golden()) {
        if (c.codebook->name() != "etype2")
            continue;
        SCOPED_TRACE(c.name);
        const auto format = csi_report_format::make(c.codebook, { "none", 1, 2 });
        csi_report r, back;
        r.precoding = c.p;
        std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
        const int used =
            format->pack(r, bits.data(), format->total_bits(c.p.rank, c.count, 2));
        ASSERT_EQ(format->unpack(bits.data(), used, back), "");
        EXPECT_EQ(back.groups, 2);
        int kept = 0;
        for (size_t i = 0; i < c.p.i17.size(); i++)
            if (back.precoding.i17[i]) {
                kept++;
                EXPECT_TRUE(c.p.i17[i]);
                EXPECT_EQ(back.precoding.i24[i], c.p.i24[i]);
                EXPECT_EQ(back.precoding.i25[i], c.p.i25[i]);
            }
        EXPECT_EQ(kept, std::max((c.count + 1) / 2, c.p.rank));
        EXPECT_EQ(back.precoding.i16, c.p.i16);
        EXPECT_EQ(back.precoding.i23, c.p.i23);
    }
}

TEST(Pmi, AnyBitsAreDecodedOrRefusedWithTheReason)
{
    random_engine engine = make_engine(3, 0);
    int taken = 0, refused = 0;
    std::set<std::string> reasons;
    for (int n = 0; n < 6000; n++) {
        const pmi_array array = arrays[draw(engine, 0, arrays.size() - 1)];
        pmi_codebook::sptr codebook;
        if (n % 4 == 0) {
            std::vector<int> ranks;
            for (int rank = 1; rank <= std::min(8, array.ports()); rank++)
                if (draw(engine, 0, 1) || rank == 1)
                    ranks.push_back(rank);
            codebook = type1(array, draw(engine, 1, 19), draw(engine, 1, 2), ranks);
        } else if (n % 4 == 1) {
            codebook = type2(array,
                             draw(engine, 1, 19),
                             draw(engine, 2, array.ports() == 4 ? 2 : 4),
                             4 * draw(engine, 1, 2),
                             draw(engine, 0, 1),
                             draw(engine, 0, 1) ? std::vector<int>{ 1 }
                                                : std::vector<int>{ 1, 2 });
        } else {
            const int n3 = draw(engine, 1, 36), r = n3 > 19 ? 2 : 1;
            const int combination = draw(engine,
                                         1,
                                         array.ports() == 4              ? 2
                                         : array.ports() == 32 && r == 1 ? 8
                                                                         : 6);
            codebook = etype2(array,
                              n3,
                              combination,
                              combination > 6    ? std::vector<int>{ 1 }
                              : combination == 1 ? std::vector<int>{ 1, 2 }
                                                 : std::vector<int>{ 1, 2, 3 },
                              r);
        }
        const char* cqi[] = { "none", "wideband", "subband" };
        const auto format = csi_report_format::make(codebook, { cqi[n % 3], 1, 2 });
        std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
        int count = draw(engine, 0, format->max_bits());
        csi_report r;
        if (n / 4 % 2) { // a valid report with a few bits changed
            const int rank =
                codebook->ranks()[draw(engine, 0, codebook->ranks().size() - 1)];
            r.precoding = any(engine, *codebook, rank);
            for (auto& all : r.subband_cqi)
                all.assign(codebook->cqi_subbands(), 2);
            count = format->pack(r, bits.data(), format->max_bits());
            for (int k = n % 5; k > 0; k--)
                bits[draw(engine, 0, (count - 1) / 8)] ^= 1 << draw(engine, 0, 7);
        } else {
            for (uint8_t& byte : bits)
                byte = draw(engine, 0, 255);
        }
        // Of exactly this size, so that a sanitizer sees any access beyond.
        const std::vector<uint8_t> copy(bits.begin(), bits.begin() + (count + 7) / 8);
        const std::string reason = format->unpack(copy.data(), count, r);
        if (!reason.empty()) {
            refused++;
            reasons.insert(reason.substr(0, reason.find(' ')));
            continue;
        }
        taken++;
        if (!r.groups)
            continue;
        ASSERT_EQ(codebook->check(r.precoding), "");
        const auto w = precoder(*codebook, r.precoding);
        for (int t = 0; t < codebook->subbands(); t++) {
            const int size = codebook->ports() * r.precoding.rank;
            // Coefficients may cancel: then a layer is not served.
            ASSERT_LT(product(w.data() + t * size, size, 1, 0, 0).real(), 1 + 1e-4);
        }
        if (r.groups < 3)
            continue;
        std::vector<uint8_t> again(format->max_bits() / 8 + 1);
        const int used = format->pack(r, again.data(), format->max_bits());
        ASSERT_LE(used, count);
        for (int k = 0; k < used; k++)
            ASSERT_EQ(read_bits(again.data(), k, 1), read_bits(bits.data(), k, 1));
    }
    EXPECT_GT(taken, 500);
    EXPECT_GT(refused, 500);
    for (const char* name : { "i11",
                              "K^NZ",
                              "i12",
                              "i13",
                              "i14",
                              "M",
                              "i16",
                              "i17",
                              "i18",
                              "i23",
                              "RI",
                              "the" })
        EXPECT_TRUE(reasons.count(name)) << name;
}

TEST(Pmi, TypeOneRankOneIsExhaustive)
{
    random_engine engine = make_engine(4, 0);
    for (const pmi_array& array : arrays)
        for (const int mode : { 1, 2 }) {
            SCOPED_TRACE(show(array) + " mode " + std::to_string(mode));
            const int subbands = 3, rows = 7, nr = 2;
            const auto codebook = type1(array, subbands, mode, { 1 });
            const auto one = type1(array, 1, mode, { 1 });
            const auto h = waves(engine, array, rows, nr, 5);
            const int ports = array.ports();
            const auto power = [&](int t, const cf* w) {
                double sum = 0;
                for (int row = 0; row < rows; row++)
                    for (int r = 0; r < nr && row * subbands / rows == t; r++) {
                        cf y = 0;
                        for (int i = 0; i < ports; i++)
                            y += h[(size_t(row) * nr + r) * ports + i] * w[i];
                        sum += std::norm(y);
                    }
                return sum;
            };
            const auto fields = one->fields(1, 0);
            double best = 0;
            pmi p;
            p.i2 = { 0 };
            for (p.i11 = 0; p.i11 < 1 << fields[0].bits; p.i11++)
                for (p.i12 = 0; p.i12 < 1 << fields[1].bits; p.i12++) {
                    double sums[3] = {};
                    for (p.i2[0] = 0; p.i2[0] < 1 << fields[3].bits; p.i2[0]++) {
                        if (!one->check(p).empty())
                            continue;
                        const auto w = precoder(*one, p);
                        for (int t = 0; t < subbands; t++)
                            sums[t] = std::max(sums[t], power(t, w.data()));
                    }
                    best = std::max(best, sums[0] + sums[1] + sums[2]);
                }
            pmi found;
            codebook->select(h.data(), rows, nr, 1, found);
            ASSERT_EQ(codebook->check(found), "");
            const auto w = precoder(*codebook, found);
            double sum = 0;
            for (int t = 0; t < subbands; t++)
                sum += power(t, w.data() + t * ports);
            EXPECT_NEAR(sum, best, 1e-4 * best);
        }
}

// Of several layers: near the best of all PMIs, far better than any of them.
TEST(Pmi, TypeOneOfMoreLayersIsNearTheBest)
{
    random_engine engine = make_engine(5, 0);
    for (const int rank : { 2, 3, 4, 5, 8 })
        for (const pmi_array& array :
             { pmi_array{ 2, 2 }, pmi_array{ 4, 1 }, pmi_array{ 4, 2 } })
            for (const int mode : { 1, 2 }) {
                SCOPED_TRACE(show(array) + " rank " + std::to_string(rank));
                const auto codebook = type1(array, 1, mode, { rank });
                double sum = 0, best_sum = 0, mean_sum = 0;
                for (int n = 0; n < 5; n++) {
                    const int ports = array.ports(), nr = rank;
                    const auto h = waves(engine, array, 1, nr, 12);
                    const double scale =
                        10 * ports * nr / product(h.data(), nr * ports, 1, 0, 0).real();
                    const auto rate = [&](const pmi& p) {
                        const auto w = precoder(*codebook, p);
                        return log_det(
                            times(h.data(), w.data(), nr, ports, rank), nr, rank, scale);
                    };
                    const auto fields = codebook->fields(rank, 0);
                    pmi p;
                    p.rank = rank;
                    p.i2 = { 0 };
                    double best = 0, mean = 0;
                    int pmis = 0;
                    for (p.i11 = 0; p.i11 < 1 << fields[0].bits; p.i11++)
                        for (p.i12 = 0; p.i12 < 1 << fields[1].bits; p.i12++)
                            for (p.i13 = 0; p.i13 < 1 << fields[2].bits; p.i13++)
                                for (p.i2[0] = 0; p.i2[0] < 1 << fields[3].bits;
                                     p.i2[0]++)
                                    if (codebook->check(p).empty()) {
                                        const double one = rate(p);
                                        best = std::max(best, one);
                                        mean += one;
                                        pmis++;
                                    }
                    pmi found;
                    codebook->select(h.data(), 1, nr, rank, found);
                    sum += rate(found);
                    best_sum += best;
                    mean_sum += mean / pmis;
                }
                EXPECT_GT(sum, 0.9 * best_sum);
                // As many layers as ports fill the space whatever the PMI: no one is better.
                if (rank == array.ports())
                    EXPECT_NEAR(sum, mean_sum, 1e-6 * mean_sum);
                else
                    EXPECT_GT(sum, mean_sum);
            }
}

TEST(Pmi, MoreBitsOfEtype2AreMoreLikeTheEigenvectors)
{
    random_engine engine = make_engine(6, 0);
    for (const int rank : { 1, 2 }) {
        std::vector<double> sums(8);
        for (int n = 0; n < 30; n++) {
            const int rows = 26, nr = 4;
            const auto h = waves(engine, { 4, 4 }, rows, nr, 4);
            for (int combination = 0; combination <= 7; combination++) {
                const auto codebook =
                    combination == 7 ? type2({ 4, 4 }, 13, 4, 8, true, { rank })
                    : combination    ? etype2({ 4, 4 }, 13, combination, { rank })
                                     : type1({ 4, 4 }, 13, 1, { rank });
                pmi p;
                codebook->select(h.data(), rows, nr, rank, p);
                ASSERT_EQ(codebook->check(p), "");
                const auto v = eigenvectors(h, *codebook, rows, nr, rank);
                sums[combination] +=
                    similarity(v, precoder(*codebook, p), *codebook, rank, 0) / 30;
            }
        }
        EXPECT_GT(sums[2], sums[0] + 0.05);
        EXPECT_GT(sums[2], sums[1]);
        EXPECT_GT(sums[4], sums[3]);
        EXPECT_GT(sums[5], sums[4]);
        EXPECT_GT(sums[6], sums[4]);
        EXPECT_GT(sums[6], 0.8);
        // Type II of Release 15, four beams: that of combination 6 for more bits.
        EXPECT_GT(sums[7], sums[3]);
        EXPECT_GT(sums[7], 0.8);
    }
}

// One wave on a beam of the grid and a tap: nothing but quantized co-phasing is lost.
TEST(Pmi, Etype2FindsBeamsAndTaps)
{
    const pmi_array array{ 4, 4 };
    for (const int n3 : { 13, 19, 26, 36 })
        for (int delay = 0; delay < 3; delay++) {
            const auto codebook = etype2(array, n3, 6, { 1 }, n3 > 19 ? 2 : 1);
            std::vector<cf> h(size_t(n3) * 32);
            for (int t = 0; t < n3; t++)
                for (int i = 0; i < 32; i++) {
                    const int n = i % 16;
                    // Two beams of the same rotation, one of them some taps later.
                    h[t * 32 + i] =
                        cf(std::polar(
                            1.0, -2 * M_PI * (n / 4 * 5 / 16.0 + n % 4 * 3 / 16.0))) +
                        cf(std::polar(0.5,
                                      -2 * M_PI * (n / 4 * 9 / 16.0 + n % 4 * 7 / 16.0) -
                                          2 * M_PI * delay * t / n3)) *
                            (i < 16 ? cf(1) : cf(0, 1));
                }
            pmi p;
            codebook->select(h.data(), n3, 1, 1, p);
            EXPECT_EQ(p.q1, 1);
            EXPECT_EQ(p.q2, 3);
            const auto v = eigenvectors(h, *codebook, n3, 1, 1);
            EXPECT_GT(similarity(v, precoder(*codebook, p), *codebook, 1, 0), 0.995)
                << "N3 " << n3 << " delay " << delay;
        }
}

TEST(Pmi, SubbandEigenvectors)
{
    random_engine engine = make_engine(7, 0);
    for (const int rows : { 5, 12, 60 })
        for (const int nr : { 1, 2, 4 })
            for (const int rank : { 1, 2 }) {
                const int nt = 12, subbands = 5;
                const auto h = noise(engine, size_t(rows) * nr * nt);
                std::vector<cf> v(subbands * nt * rank);
                std::vector<float> power(subbands * rank);
                subband_eigenvectors::make(subbands, nt, rank)
                    ->compute(h.data(), rows, nr, v.data(), power.data());
                for (int s = 0; s < subbands; s++) {
                    std::vector<int> mine;
                    for (int row = 0; row < rows; row++)
                        if (row * subbands / rows == s)
                            mine.push_back(row);
                    const int n = mine.size() * nr;
                    const cf* a = h.data() + size_t(mine[0]) * nr * nt;
                    const cf* found = v.data() + s * nt * rank;
                    // Any vector grows along the dominant one.
                    auto x = noise(engine, nt);
                    double largest = 0;
                    for (int k = 0; k < 400; k++) {
                        const auto y = times(a, x.data(), n, nt, 1);
                        std::vector<cf> next(nt);
                        for (int r = 0; r < n; r++)
                            for (int i = 0; i < nt; i++)
                                next[i] += std::conj(a[r * nt + i]) * y[r];
                        largest = std::sqrt(product(next.data(), nt, 1, 0, 0).real());
                        for (int i = 0; i < nt; i++)
                            x[i] = next[i] / float(largest);
                    }
                    EXPECT_NEAR(power[s * rank], largest, 1e-3 * largest);
                    for (int l = 0; l < rank; l++) {
                        if (l >= n) {
                            EXPECT_EQ(product(found, nt, rank, l, l).real(), 0);
                            EXPECT_EQ(power[s * rank + l], 0);
                            continue;
                        }
                        // R v = power v, columns orthonormal.
                        const auto y = times(a, found, n, nt, rank);
                        for (int i = 0; i < nt; i++) {
                            cf sum = 0;
                            for (int r = 0; r < n; r++)
                                sum += std::conj(a[r * nt + i]) * y[r * rank + l];
                            EXPECT_NEAR(
                                std::abs(sum - power[s * rank + l] * found[i * rank + l]),
                                0,
                                1e-4 * largest);
                        }
                        for (int k = 0; k <= l; k++)
                            EXPECT_NEAR(std::abs(product(found, nt, rank, l, k) -
                                                 (k == l ? 1.0 : 0.0)),
                                        0,
                                        1e-4);
                        EXPECT_LE(power[s * rank + l], power[s * rank] * 1.0001);
                    }
                }
            }
    EXPECT_THROW(subband_eigenvectors::make(0, 4, 1), std::invalid_argument);
    EXPECT_THROW(subband_eigenvectors::make(4, 4, 5), std::invalid_argument);
}

TEST(Pmi, CqiTables)
{
    // Efficiencies that the tables print.
    EXPECT_NEAR(cqi_table::get(1)[1].efficiency(), 0.1523, 5e-5);
    EXPECT_NEAR(cqi_table::get(1)[9].efficiency(), 2.4063, 5e-5);
    EXPECT_NEAR(cqi_table::get(1)[15].efficiency(), 5.5547, 5e-5);
    EXPECT_NEAR(cqi_table::get(2)[11].efficiency(), 5.1152, 5e-5);
    EXPECT_NEAR(cqi_table::get(2)[15].efficiency(), 7.4063, 5e-5);
    EXPECT_NEAR(cqi_table::get(3)[1].efficiency(), 0.0586, 5e-5);
    EXPECT_NEAR(cqi_table::get(3)[15].efficiency(), 4.5234, 5e-5);
    EXPECT_NEAR(cqi_table::get(4)[14].efficiency(), 8.3301, 5e-5);
    EXPECT_NEAR(cqi_table::get(4)[15].efficiency(), 9.2578, 5e-5);
    EXPECT_THROW(cqi_table::get(5), std::invalid_argument);
    for (int number = 1; number <= 4; number++)
        for (int cqi = 1; cqi < cqi_table::size; cqi++) {
            const double efficiency = cqi_table::get(number)[cqi].efficiency();
            EXPECT_GT(efficiency, cqi_table::get(number)[cqi - 1].efficiency());
            const double sinr = 2 * (std::exp2(efficiency) - 1);
            const double gap = 10 * std::log10(2.0);
            EXPECT_EQ(cqi_table::select(number, sinr * 1.0001, gap), cqi);
            EXPECT_EQ(cqi_table::select(number, sinr * 0.9999, gap), cqi - 1);
        }
    const double two[] = { 1, 7 };
    EXPECT_NEAR(effective_sinr(two, 2), 3, 1e-9);
    EXPECT_EQ(csi_report::codeword_layers(4, 0), std::make_pair(0, 4));
    EXPECT_EQ(csi_report::codeword_layers(5, 0), std::make_pair(0, 2));
    EXPECT_EQ(csi_report::codeword_layers(5, 1), std::make_pair(2, 3));
    EXPECT_EQ(csi_report::codeword_layers(7, 1), std::make_pair(3, 4));
}

TEST(Pmi, SinrBehindTheReceiver)
{
    random_engine engine = make_engine(8, 0);
    // One layer: the power received. Two orthogonal ones: each its own.
    const auto h = noise(engine, 3 * 8), w = noise(engine, 8);
    double sinr[2];
    post_equalization_sinr(h.data(), w.data(), 3, 8, 1, 0.5, sinr);
    const auto y = times(h.data(), w.data(), 3, 8, 1);
    EXPECT_NEAR(sinr[0], 0.5 * product(y.data(), 3, 1, 0, 0).real(), 1e-4 * sinr[0]);
    const cf unit[] = { 2, 0, 0, 1 };
    const cf identity[] = { 1, 0, 0, 1 };
    post_equalization_sinr(unit, identity, 2, 2, 2, 10, sinr);
    EXPECT_NEAR(sinr[0], 40, 1e-9);
    EXPECT_NEAR(sinr[1], 10, 1e-9);
    // The same channel of both: a receiver cannot tell them apart.
    const cf same[] = { 1, 1, 1, 1 };
    post_equalization_sinr(same, identity, 2, 2, 2, 1e6, sinr);
    EXPECT_NEAR(sinr[0], 1, 1e-3);
}

TEST(Pmi, RankAndCqiFollowTheSnr)
{
    random_engine engine = make_engine(9, 0);
    const auto codebook = type1({ 4, 2 }, 4, 1, { 1, 2, 3, 4, 5, 6, 7, 8 });
    const auto format = csi_report_format::make(codebook, { "subband", 1, 2 });
    double ranks[3] = {}, qualities[3] = {};
    const double snrs[3] = { 0.03, 3, 300 };
    for (int n = 0; n < 10; n++) {
        const auto h = noise(engine, size_t(8) * 8 * 16);
        for (int k = 0; k < 3; k++) {
            csi_report r;
            format->report(h.data(), 8, 8, snrs[k], r);
            ASSERT_EQ(codebook->check(r.precoding), "");
            ranks[k] += r.precoding.rank;
            qualities[k] += r.cqi[0];
            std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
            csi_report back;
            const int used = format->pack(r, bits.data(), format->max_bits());
            ASSERT_EQ(format->unpack(bits.data(), used, back), "");
            EXPECT_EQ(back.cqi[0], r.cqi[0]);
            EXPECT_EQ(back.subband_cqi[0], r.subband_cqi[0]);
        }
        // A single antenna receives one layer.
        csi_report one;
        format->report(h.data(), 8, 1, 1e6, one);
        EXPECT_EQ(one.precoding.rank, 1);
    }
    EXPECT_LT(ranks[0], ranks[1]);
    EXPECT_LT(ranks[1], ranks[2]);
    EXPECT_LT(qualities[0], qualities[2]);
    const auto two = csi_report_format::make(type1({ 4, 2 }, 4, 1, { 2 }));
    csi_report r;
    const auto h = noise(engine, 8 * 16);
    EXPECT_THROW(two->report(h.data(), 8, 1, 1, r), std::invalid_argument);
}

TEST(Pmi, RankFollowsTheBudget)
{
    // Of every rank the precoders that the BS has after the omission, through the bits.
    random_engine engine = make_engine(31, 0);
    const double snr = 100;
    for (const auto& codebook : { type1({ 4, 2 }, 8, 1, { 1, 2, 3, 4, 5, 6 }),
                                  type2({ 4, 2 }, 8, 4, 8, true, { 1, 2 }),
                                  etype2({ 4, 4 }, 8, 6, { 1, 2 }),
                                  etype2({ 4, 2 }, 8, 5, { 1, 2, 3, 4 }) }) {
        SCOPED_TRACE(codebook->name());
        const auto format = csi_report_format::make(codebook, { "wideband", 1, 2 });
        const int nr = codebook->ranks().back(), rows = 16, ports = codebook->ports();
        int lower = 0, better = 0;
        for (int n = 0; n < 15; n++) {
            const auto h = waves(engine, codebook->array(), rows, nr, 6);
            csi_report all;
            format->report(h.data(), rows, nr, snr, all);
            EXPECT_EQ(all.groups, 3);
            for (int budget = format->part1_bits(); budget <= format->max_bits();
                 budget += 7) {
                std::map<int, double> rates;
                std::map<int, int> quality;
                for (const int rank : codebook->ranks()) {
                    csi_report one, back;
                    codebook->select(h.data(), rows, nr, rank, one.precoding);
                    std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
                    const int used = format->pack(one, bits.data(), budget);
                    ASSERT_EQ(format->unpack(bits.data(), used, back), "");
                    if (back.groups == 0) {
                        rates[rank] = 0;
                        continue;
                    }
                    std::vector<cf> w(size_t(8) * ports * rank);
                    codebook->precoder(back.precoding, w.data());
                    const int codewords = rank > 4 ? 2 : 1;
                    for (int c = 0; c < codewords; c++) {
                        const auto layers = csi_report::codeword_layers(rank, c);
                        std::vector<double> some;
                        for (int k = 0; k < rows; k++) {
                            double sinr[8];
                            post_equalization_sinr(h.data() + size_t(k) * nr * ports,
                                                   w.data() +
                                                       size_t(k / 2) * ports * rank,
                                                   nr,
                                                   ports,
                                                   rank,
                                                   snr,
                                                   sinr);
                            some.insert(some.end(),
                                        sinr + layers.first,
                                        sinr + layers.first + layers.second);
                        }
                        const double sinr = effective_sinr(some.data(), some.size());
                        rates[rank] += layers.second * std::log2(1 + sinr);
                        if (c == 0)
                            quality[rank] = cqi_table::select(1, sinr, 2);
                    }
                }
                csi_report r;
                format->report(h.data(), rows, nr, snr, budget, r);
                const auto best = std::max_element(
                    rates.begin(), rates.end(), [](const auto& a, const auto& b) {
                        return a.second < b.second;
                    });
                EXPECT_NEAR(rates[r.precoding.rank], best->second, 1e-9) << budget;
                EXPECT_EQ(r.cqi[0], quality[r.precoding.rank]);
                std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
                csi_report back;
                const int used = format->pack(r, bits.data(), budget);
                ASSERT_EQ(format->unpack(bits.data(), used, back), "");
                EXPECT_EQ(back.groups, r.groups);
                lower += r.precoding.rank < all.precoding.rank;
                better += best->second > 1.02 * rates[all.precoding.rank];
            }
        }
        EXPECT_GT(lower, 10);
        EXPECT_GT(better, 10);
        csi_report r;
        const auto h = waves(engine, codebook->array(), rows, nr, 6);
        EXPECT_THROW(format->report(h.data(), rows, nr, snr, format->part1_bits() - 1, r),
                     std::invalid_argument);
    }
}

TEST(Pmi, RefusesWrongParameters)
{
    const auto refused = [](const std::function<void()>& make, const std::string& what) {
        try {
            make();
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(what), std::string::npos)
                << error.what();
            return;
        }
        ADD_FAILURE() << what;
    };
    refused([] { type1({ 5, 1 }, 4, 1, { 1 }); }, "(N1, N2) is (5, 1)");
    refused([] { type1({ 1, 2 }, 4, 1, { 1 }); }, "(N1, N2)");
    refused([] { type1({ 4, 1 }, 0, 1, { 1 }); }, "subbands is 0");
    refused([] { type1({ 4, 1 }, 37, 1, { 1 }); }, "subbands is 37");
    refused([] { type1({ 4, 1 }, 4, 3, { 1 }); }, "mode is 3");
    refused([] { type1({ 4, 1 }, 4, 1, { 9 }); }, "rank is 9");
    refused([] { type1({ 2, 1 }, 4, 1, { 5 }); }, "rank is 5");
    refused([] { type1({ 2, 1 }, 4, 1, {}); }, "number of ranks");
    refused([] { etype2({ 1, 1 }, 4, 1, { 1 }); }, "ports");
    refused([] { type2({ 1, 1 }, 4, 2, 8, true, { 1 }); }, "ports");
    refused([] { type2({ 2, 1 }, 4, 3, 8, true, { 1 }); }, "beams is 3");
    refused([] { type2({ 4, 1 }, 4, 5, 8, true, { 1 }); }, "beams is 5");
    refused([] { type2({ 4, 1 }, 4, 4, 6, true, { 1 }); }, "phase_alphabet is 6");
    refused([] { type2({ 4, 1 }, 4, 4, 8, true, { 3 }); }, "rank is 3");
    refused([] { etype2({ 4, 1 }, 4, 9, { 1 }); }, "param_combination is 9");
    refused([] { etype2({ 2, 1 }, 4, 3, { 1 }); }, "1 and 2 with 4 ports");
    refused([] { etype2({ 4, 2 }, 4, 7, { 1 }); }, "below 32 ports");
    refused([] { etype2({ 4, 4 }, 4, 7, { 1 }, 2); }, "CQI subband");
    refused([] { etype2({ 4, 4 }, 4, 8, { 1, 2 }); }, "ranks above 1");
    refused([] { etype2({ 4, 4 }, 4, 6, { 5 }); }, "rank is 5");
    refused([] { etype2({ 4, 4 }, 4, 6, { 1 }, 3); }, "CQI subband is 3");
    refused([] { etype2({ 4, 4 }, 1, 1, { 1, 3 }); }, "1 to 2");
    refused([] { etype2({ 4, 4 }, 21, 6, { 1 }); }, "subbands is 21");
    refused([] { csi_report_format::make(nullptr); }, "null");
    refused(
        [] {
            csi_report_format::make(type1({ 4, 1 }, 4, 1, { 1 }), { "all", 1, 2 });
        },
        "cqi is all");
    const auto codebook = etype2({ 4, 4 }, 13, 6, { 1 });
    std::vector<cf> h(13 * 32, 1);
    pmi p;
    refused([&] { codebook->select(h.data(), 12, 1, 1, p); }, "rows is 12");
    refused([&] { codebook->select(h.data(), 13, 1, 2, p); }, "rank is 2");
    refused(
        [&] {
            etype2({ 4, 4 }, 13, 6, { 2 })->select(h.data(), 13, 1, 2, p);
        },
        "receive antennas is 1");
}

// Tables 6.3.2.1.2-1, -3 to -5 for Type II of two layers with amplitudes in subbands.
TEST(Pmi, OrderOfTheBitsOfTypeTwo)
{
    const auto codebook = type2({ 2, 2 }, 3, 3, 8, true, { 1, 2 });
    const auto format = csi_report_format::make(codebook, { "none", 1, 2 });
    csi_report r;
    pmi& p = r.precoding;
    p.rank = 2;
    p.q1 = 2;
    p.q2 = 1;
    p.i12 = 3;
    p.i13_layer = { 1, 5 };
    // Layer 0: 6 coefficients, 4 of them of full resolution: 1 (strongest), 0, 2, 4.
    // Layer 1: 2 coefficients, 5 (strongest) and 3.
    p.i14 = { 6, 7, 5, 1, 5, 4, /**/ 0, 0, 0, 2, 0, 7 };
    p.i21 = { 7, 0, 6, 3, 5, 2, 1, 0, 2, 0, 3, 1, 4, 0, 5, 1, 6, 3, //
              0, 0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0 };
    p.i22 = { 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, //
              1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1 };
    ASSERT_EQ(codebook->check(p), "");
    std::vector<uint8_t> bits(32);
    const int used = format->pack(r, bits.data(), 256);
    std::string text;
    for (int k = 0; k < used; k++)
        text += char('0' + read_bits(bits.data(), k, 1));
    EXPECT_EQ(text,
              "1"
              "101"
              "001" // RI, M - 1 of both layers
              "1001"
              "11" // i11, i12
              "001"
              "110"
              "101"
              "001"
              "101"
              "100" // i13, i14 of layer 0
              "101"
              "000"
              "000"
              "000"
              "010"
              "000" // of layer 1
              "111"
              "110"
              "11"
              "101"
              "10"
              "111"
              "010"
              "0" // subband 0
              "100"
              "101"
              "01"
              "110"
              "11"
              "010"
              "001"
              "0" // subband 2
              "001"
              "010"
              "00"
              "011"
              "01"
              "001"
              "100"
              "1"); // subband 1
    csi_report back;
    ASSERT_EQ(format->unpack(bits.data(), used, back), "");
    EXPECT_EQ(back.precoding.i14, p.i14);
    EXPECT_EQ(back.precoding.i21, p.i21);
    EXPECT_EQ(back.precoding.i22, p.i22);
    // Another M than i14 has.
    bits[0] ^= 0x10;
    EXPECT_EQ(format->unpack(bits.data(), used, back),
              "i14 of layer 0 has 6 coefficients, M is 5");
}

// Two ports: the four codewords of Table 5.2.2.2.1-1.
TEST(Pmi, TwoPorts)
{
    const auto codebook = type1({ 1, 1 }, 1, 1, { 1, 2 });
    EXPECT_EQ(codebook->part2_bits(1, 0), 2);
    EXPECT_EQ(codebook->part2_bits(2, 0), 1);
    pmi p;
    p.rank = 2;
    p.i2 = { 1 };
    const auto w = precoder(*codebook, p);
    const cf expected[] = { 0.5f, 0.5f, cf(0, 0.5f), cf(0, -0.5f) };
    for (int i = 0; i < 4; i++)
        EXPECT_NEAR(std::abs(w[i] - expected[i]), 0, 1e-6);
}
