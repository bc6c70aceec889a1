/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "dsp/fft_plan.h"
#include "ofdm/convolutional.h"
#include <gnuradio/csifeedback/csirs_frame.h>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

std::vector<uint8_t> gold_sequence(uint32_t c_init, size_t count)
{
    constexpr size_t discarded = 1600; // N_C
    // Bit i is x(n + i).
    uint32_t x1 = 1, x2 = c_init & 0x7fffffff;
    std::vector<uint8_t> c(count);
    for (size_t n = 0; n < discarded + count; n++) {
        if (n >= discarded)
            c[n - discarded] = (x1 ^ x2) & 1;
        x1 = x1 >> 1 | ((x1 ^ x1 >> 3) & 1) << 30;
        x2 = x2 >> 1 | ((x2 ^ x2 >> 1 ^ x2 >> 2 ^ x2 >> 3) & 1) << 30;
    }
    return c;
}

uint32_t csirs_c_init(int slot, int symbol, int cell_id)
{
    const uint64_t id = cell_id;
    return ((uint64_t(14 * slot + symbol + 1) * (2 * id + 1) << 10) + id) & 0x7fffffff;
}

namespace {

constexpr const char* where = "csirs_frame";
constexpr int number_bits = 32, crc_bits = 16, header_bits = number_bits + crc_bits;
constexpr int min_header_cells = 600;
using header_code = convolutional_code<header_bits>;
// Repetitions of a coded bit are far apart, and neighbours in the code too.
constexpr int header_stride = 61;
static_assert(header_code::coded % header_stride != 0 && header_code::coded == 162, "");

bool one_of(int x, std::initializer_list<int> allowed)
{
    return std::find(allowed.begin(), allowed.end(), x) != allowed.end();
}

// CRC16 of TS 38.212, clause 5.1.
uint16_t crc16(const uint8_t* bits, int count)
{
    uint32_t crc = 0;
    for (int i = 0; i < count; i++) {
        const bool top = ((crc >> 15) ^ bits[i]) & 1;
        crc = (crc << 1 & 0xffff) ^ (top ? 0x1021 : 0);
    }
    return crc;
}

uint16_t hash_of(const csirs_parameters& p)
{
    std::ostringstream text;
    text << "1 " << p.nt << ' ' << p.fft_size << ' ' << p.cp_length << ' ' << p.nc << ' '
         << p.comb << ' ' << p.cdm_frequency << ' ' << p.cdm_time << ' ' << p.cover << ' '
         << p.cell_id << ' ' << p.slot;
    // FNV-1a, folded.
    uint32_t h = 2166136261u;
    for (const char c : text.str())
        h = (h ^ uint8_t(c)) * 16777619u;
    return h >> 16 ^ h;
}

const csirs_parameters& checked(const csirs_parameters& p)
{
    check_range(where, "nt", p.nt, 1, 64);
    check_range(where, "fft_size", p.fft_size, 64, 8192);
    if (p.fft_size % 2)
        throw_bad(where, "fft_size", p.fft_size, "an even number");
    check_range(where, "cp_length", p.cp_length, 1, p.fft_size / 2);
    check_range(where, "nc", p.nc, 24, p.fft_size);
    if (p.nc % 2)
        throw_bad(where, "nc", p.nc, "an even number");
    if (!(p.spacing_hz > 0 && p.spacing_hz <= 1e9))
        throw_bad(where, "spacing_hz", p.spacing_hz, "above 0, at most 1e9");
    check_range(where, "comb", p.comb, 1, 16);
    if (!one_of(p.cdm_frequency, { 1, 2, 4 }))
        throw_bad(where, "cdm_frequency", p.cdm_frequency, "1, 2 or 4");
    if (!one_of(p.cdm_time, { 1, 2, 4, 8 }))
        throw_bad(where, "cdm_time", p.cdm_time, "1, 2, 4 or 8");
    const int distance = p.comb * p.cdm_frequency;
    if (p.nc % distance || p.nc / distance < 4)
        throw_bad(where,
                  "nc",
                  p.nc,
                  "a multiple of comb times cdm_frequency, " + std::to_string(distance) +
                      ", and at least 4 times that");
    if (p.cover != "walsh" && p.cover != "dft")
        throw_bad(where, "cover", p.cover, "walsh or dft");
    check_range(where, "cell_id", p.cell_id, 0, 1023);
    check_range(where, "slot", p.slot, 0, 159);
    if (!(p.power > 0 && p.power <= 1e12))
        throw_bad(where, "power", p.power, "above 0, at most 1e12");
    check_range(where, "gap", p.gap, 0, 10000000);
    return p;
}

class csirs_frame_impl : public csirs_frame
{
public:
    explicit csirs_frame_impl(const csirs_parameters& parameters)
        : d_p(checked(parameters)),
          d_code_length(d_p.cdm_frequency * d_p.cdm_time),
          d_symbol_length(d_p.fft_size + d_p.cp_length),
          d_headers((min_header_cells + d_p.nc - 1) / d_p.nc),
          d_pilot_symbols((d_p.nt + d_code_length * d_p.comb - 1) /
                          (d_code_length * d_p.comb) * d_p.cdm_time),
          d_symbols(2 + d_headers + d_pilot_symbols + 1),
          d_hash(hash_of(d_p)),
          d_to_time(d_p.fft_size, 1, 1, 0, 1, 0, FFTW_BACKWARD, true, true)
    {
        d_sequence.resize(size_t(d_symbols) * d_p.nc);
        for (int l = 0; l < d_symbols; l++)
            make_sequence(l);
        volk::vector<cf> cells(d_p.nc);
        d_preamble.resize(2 * size_t(d_symbol_length));
        for (int l = 0; l < 2; l++) {
            std::copy_n(sequence(l), d_p.nc, cells.begin());
            to_time(cells.data(),
                    l ? d_p.nc : d_p.nc / 2,
                    &d_preamble[size_t(l) * d_symbol_length]);
        }
        d_pilots.resize(size_t(d_p.nt) * d_p.cdm_time * d_symbol_length);
        for (int n = 0; n < d_p.nt; n++)
            for (int j = 0; j < d_p.cdm_time; j++) {
                pilot_cells(n, j, cells.data());
                to_time(cells.data(),
                        d_p.nc / d_p.comb,
                        &d_pilots[(size_t(n) * d_p.cdm_time + j) * d_symbol_length]);
            }
    }

    const csirs_parameters& parameters() const override { return d_p; }
    int symbols() const override { return d_symbols; }
    int header_symbols() const override { return d_headers; }
    int first_pilot() const override { return 2 + d_headers; }
    int pilot_symbols() const override { return d_pilot_symbols; }
    int frame_length() const override { return d_symbols * d_symbol_length + d_p.gap; }
    double sample_rate() const override { return d_p.fft_size * d_p.spacing_hz; }
    uint16_t hash() const override { return d_hash; }
    int pilots() const override { return d_p.nc / pilot_distance(); }
    double pilot_offset(int port) const override
    {
        return comb_offset(port) * d_p.cdm_frequency + (d_p.cdm_frequency - 1) / 2.0;
    }
    int pilot_distance() const override { return d_p.comb * d_p.cdm_frequency; }
    float pilot_amplitude() const override
    {
        return std::sqrt(d_p.power * d_p.comb / d_p.nc);
    }

    void grid(uint32_t frame, int port, int symbol, cf* out) const override
    {
        check_range(where, "port", port, 0, d_p.nt - 1);
        check_range(where, "symbol", symbol, 0, d_symbols - 1);
        const int pilot = symbol - first_pilot();
        if (pilot >= 0 && pilot < d_pilot_symbols) {
            const int j = pilot - slot_of(port) * d_p.cdm_time;
            if (j >= 0 && j < d_p.cdm_time)
                pilot_cells(port, j, out);
            else
                std::fill_n(out, d_p.nc, cf(0));
            return;
        }
        std::copy_n(sequence(symbol), d_p.nc, out);
        if (symbol >= 2 && pilot < 0)
            put_bits(encode(frame), symbol - 2, out);
        for (int k = 0; k < d_p.nc; k++)
            out[k] *= port_weight(port);
    }

    const cf* sequence(int symbol) const override
    {
        return &d_sequence[size_t(symbol) * d_p.nc];
    }

    cf port_weight(int port) const override
    {
        const int64_t n = port, nt = d_p.nt;
        const int64_t square = nt % 2 ? n * (n + 1) : n * n;
        return cf(std::polar(1.0, M_PI * double(square % (2 * nt)) / nt));
    }

    cf cover(int port, int chip) const override
    {
        const int s = port % d_code_length;
        if (d_p.cover == "walsh")
            return __builtin_parity(unsigned(s & chip)) ? -1 : 1;
        return cf(
            std::polar(1.0, -2 * M_PI * (s * chip % d_code_length) / d_code_length));
    }

    void write_header(uint32_t frame, cf* out) const override
    {
        const coded_bits bits = encode(frame);
        for (int l = 0; l < d_headers; l++) {
            cf* samples = out + size_t(l) * d_symbol_length;
            // The first nc values are the cells until they are moved to their bins.
            std::copy_n(sequence(2 + l), d_p.nc, samples);
            put_bits(bits, l, samples);
            to_time(samples, d_p.nc, samples);
        }
    }

    void write(const cf* header, int port, int first, int count, cf* out) const override
    {
        const cf weight = port_weight(port);
        while (count > 0) {
            const int symbol = first / d_symbol_length;
            if (symbol >= d_symbols) {
                std::fill_n(out, count, cf(0));
                return;
            }
            const int from = first % d_symbol_length;
            const int here = std::min(count, d_symbol_length - from);
            const int pilot = symbol - first_pilot();
            if (pilot >= 0 && pilot < d_pilot_symbols) {
                const int j = pilot - slot_of(port) * d_p.cdm_time;
                if (j >= 0 && j < d_p.cdm_time)
                    std::copy_n(
                        &d_pilots[(size_t(port) * d_p.cdm_time + j) * d_symbol_length +
                                  from],
                        here,
                        out);
                else
                    std::fill_n(out, here, cf(0));
            } else {
                const cf* samples =
                    symbol < 2  ? &d_preamble[size_t(symbol) * d_symbol_length]
                    : pilot < 0 ? header + size_t(symbol - 2) * d_symbol_length
                                : &d_preamble[d_symbol_length];
                volk_32fc_s32fc_multiply_32fc(
                    out, samples + from, lv_cmake(weight.real(), weight.imag()), here);
            }
            first += here;
            out += here;
            count -= here;
        }
    }

    csirs_header decode_header(const float* soft) const override
    {
        std::array<float, header_code::coded> sums{};
        for (int i = 0; i < d_headers * d_p.nc; i++)
            sums[coded_bit(i)] += soft[i];
        std::array<uint8_t, header_bits> bits = header_code::decode(sums);
        csirs_header h;
        uint16_t crc = 0;
        for (int i = 0; i < number_bits; i++)
            h.frame = h.frame << 1 | bits[i];
        for (int i = number_bits; i < header_bits; i++)
            crc = crc << 1 | bits[i];
        h.valid = crc == (crc16(bits.data(), number_bits) ^ d_hash);
        return h;
    }

private:
    using coded_bits = std::array<uint8_t, header_code::coded>;

    int comb_offset(int port) const { return port / d_code_length % d_p.comb; }
    int slot_of(int port) const { return port / d_code_length / d_p.comb; }

    void make_sequence(int symbol)
    {
        cf* r = &d_sequence[size_t(symbol) * d_p.nc];
        if (symbol == d_symbols - 1) {
            std::copy_n(sequence(1), d_p.nc, r);
            return;
        }
        const auto c =
            gold_sequence(csirs_c_init(d_p.slot, symbol, d_p.cell_id), 2 * d_p.nc);
        for (int m = 0; m < d_p.nc; m++)
            r[m] = cf(1 - 2 * c[2 * m], 1 - 2 * c[2 * m + 1]) * float(M_SQRT1_2);
        if (symbol == 0)
            for (int k = 0; k < d_p.nc; k++)
                if ((k - d_p.nc / 2) % 2)
                    r[k] = 0;
    }

    // The cells of symbol j of a port's slot.
    void pilot_cells(int port, int j, cf* out) const
    {
        const int width = d_p.cdm_frequency, distance = pilot_distance();
        const cf* r = sequence(first_pilot() + slot_of(port) * d_p.cdm_time + j);
        std::fill_n(out, d_p.nc, cf(0));
        for (int g = 0; g < pilots(); g++)
            for (int i = 0; i < width; i++)
                out[g * distance + comb_offset(port) * width + i] =
                    r[g * width + i] * cover(port, i + width * j);
    }

    coded_bits encode(uint32_t frame) const
    {
        std::array<uint8_t, header_bits> bits;
        for (int i = 0; i < number_bits; i++)
            bits[i] = frame >> (number_bits - 1 - i) & 1;
        const uint16_t crc = crc16(bits.data(), number_bits) ^ d_hash;
        for (int i = 0; i < crc_bits; i++)
            bits[number_bits + i] = crc >> (crc_bits - 1 - i) & 1;
        return header_code::encode(bits);
    }

    // The coded bit on cell i of the header.
    static int coded_bit(int i)
    {
        return int64_t(i) * header_stride % header_code::coded;
    }

    void put_bits(const coded_bits& bits, int symbol, cf* cells) const
    {
        for (int k = 0; k < d_p.nc; k++)
            if (bits[coded_bit(symbol * d_p.nc + k)])
                cells[k] = -cells[k];
    }

    // nc cells, of which `sent` are not 0, to a symbol with its prefix; out may be cells.
    void to_time(const cf* cells, int sent, cf* out) const
    {
        static thread_local volk::vector<cf> bins;
        const int half = d_p.nc / 2, n = d_p.fft_size;
        bins.resize(n);
        std::fill(bins.begin(), bins.end(), cf(0));
        const float amplitude = std::sqrt(d_p.power / sent);
        for (int k = 0; k < d_p.nc; k++)
            bins[k < half ? n - half + k : k - half] = amplitude * cells[k];
        d_to_time.run(bins.data(), bins.data());
        std::copy_n(bins.data() + n - d_p.cp_length, d_p.cp_length, out);
        std::copy_n(bins.data(), n, out + d_p.cp_length);
    }

    const csirs_parameters d_p;
    const int d_code_length;
    const int d_symbol_length;
    const int d_headers;
    const int d_pilot_symbols;
    const int d_symbols;
    const uint16_t d_hash;
    const fft_plan d_to_time;
    std::vector<cf> d_sequence; // symbols x nc
    std::vector<cf> d_preamble; // samples of symbols 0 and 1
    std::vector<cf> d_pilots;   // nt x cdm_time x samples of a symbol
};

struct carrier {
    int spacing_khz, bandwidth_mhz, blocks;
};
// TS 38.101-1, Table 5.3.2-1.
constexpr carrier carriers[] = {
    { 15, 5, 25 },   { 15, 10, 52 },  { 15, 15, 79 },  { 15, 20, 106 },  { 15, 25, 133 },
    { 15, 30, 160 }, { 15, 40, 216 }, { 15, 50, 270 }, { 30, 5, 11 },    { 30, 10, 24 },
    { 30, 15, 38 },  { 30, 20, 51 },  { 30, 25, 65 },  { 30, 30, 78 },   { 30, 40, 106 },
    { 30, 50, 133 }, { 30, 60, 162 }, { 30, 80, 217 }, { 30, 100, 273 }, { 60, 10, 11 },
    { 60, 15, 18 },  { 60, 20, 24 },  { 60, 25, 31 },  { 60, 30, 38 },   { 60, 40, 51 },
    { 60, 50, 65 },  { 60, 60, 79 },  { 60, 80, 107 }, { 60, 100, 135 },
};

} // namespace

csirs_frame::sptr csirs_frame::make(const csirs_parameters& parameters)
{
    return std::make_shared<csirs_frame_impl>(parameters);
}

csirs_parameters csirs_frame::preset(int bandwidth_mhz, int spacing_khz)
{
    if (!one_of(spacing_khz, { 15, 30, 60 }))
        throw_bad("csirs_frame preset", "spacing_khz", spacing_khz, "15, 30 or 60");
    std::string allowed;
    for (const carrier& c : carriers) {
        if (c.spacing_khz != spacing_khz)
            continue;
        if (c.bandwidth_mhz == bandwidth_mhz) {
            csirs_parameters p;
            p.nc = 12 * c.blocks;
            p.spacing_hz = spacing_khz * 1e3;
            p.fft_size = 64;
            while (10 * p.fft_size < 11 * p.nc)
                p.fft_size *= 2;
            p.cp_length = 9 * p.fft_size / 128;
            return p;
        }
        allowed += (allowed.empty() ? "" : ", ") + std::to_string(c.bandwidth_mhz);
    }
    throw_bad("csirs_frame preset", "bandwidth_mhz", bandwidth_mhz, allowed);
}

} // namespace csifeedback
} // namespace gr
