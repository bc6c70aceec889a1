/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "bits.h"
#include "check.h"
#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/normalize.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

constexpr int version = 3, version_bits = 4, configuration_bits = 8;
constexpr int residual_energy_bits = 8;

// A cyclic redundancy check with its remainder in the upper bits of 32.
class crc
{
public:
    // polynomial: without its leading term
    constexpr crc(int bits, uint32_t polynomial)
        : d_bits(bits), d_polynomial(polynomial << (32 - bits)), d_table{}
    {
        for (uint32_t byte = 0; byte < 256; byte++)
            d_table[byte] = shift(byte << 24, 8);
    }

    uint32_t of(const uint8_t* bits, size_t n) const
    {
        uint32_t rest = 0;
        for (; n >= 8; n -= 8)
            rest = rest << 8 ^ d_table[rest >> 24 ^ *bits++];
        if (n)
            rest = shift(rest ^ (uint32_t(*bits) >> (8 - n) << (32 - n)), n);
        return rest >> (32 - d_bits);
    }

private:
    constexpr uint32_t shift(uint32_t rest, int n) const
    {
        for (int i = 0; i < n; i++)
            rest = rest << 1 ^ (rest >> 31 ? d_polynomial : 0);
        return rest;
    }

    int d_bits;
    uint32_t d_polynomial;
    std::array<uint32_t, 256> d_table;
};

constexpr crc crc11(11, 0x621), crc16(16, 0x1021), crc24(24, 0xb2b117);

} // namespace

int checksum_bits(frame_checksum checksum)
{
    switch (checksum) {
    case frame_checksum::none:
        break;
    case frame_checksum::crc11:
        return 11;
    case frame_checksum::crc16:
        return 16;
    case frame_checksum::crc24:
        return 24;
    }
    return 0;
}

uint32_t checksum_of(frame_checksum checksum, const uint8_t* bits, size_t n)
{
    switch (checksum) {
    case frame_checksum::none:
        break;
    case frame_checksum::crc11:
        return crc11.of(bits, n);
    case frame_checksum::crc16:
        return crc16.of(bits, n);
    case frame_checksum::crc24:
        return crc24.of(bits, n);
    }
    return 0;
}

float compact_configuration::gain_from_code(uint16_t code) const
{
    // As the gain of other frames, which is a multiple of 1/128 dB.
    return csifeedback::gain_from_code(csifeedback::gain_to_code(min_gain_db)) +
           compact_gain_step_db * code;
}

float compact_configuration::max_gain_db() const
{
    return gain_from_code((1 << gain_bits) - 1);
}

uint16_t compact_configuration::gain_to_code(float gain_db) const
{
    const float code = std::round((gain_db - gain_from_code(0)) / compact_gain_step_db);
    // In this order a NaN becomes 0.
    return static_cast<uint16_t>(
        std::min(std::max(0.0f, code), float((1 << gain_bits) - 1)));
}

int compact_configuration::overhead_bits() const
{
    return version_bits + configuration_bits + number_bits + gain_bits +
           (residual_energy ? residual_energy_bits : 0) + checksum_bits(checksum);
}

void compact_configuration::check() const
{
    const char* where = "compact_configuration";
    check_range(where,
                "checksum",
                int(checksum),
                int(frame_checksum::none),
                int(frame_checksum::crc24));
    check_range(where, "number_bits", number_bits, 8, 10);
    check_range(where, "gain_bits", gain_bits, 0, 12);
    check_range(where, "min_gain_db", min_gain_db, csifeedback::min_gain_db, 255.0f);
    if (max_gain_db() > csifeedback::max_gain_db)
        throw_bad(where, "largest gain", max_gain_db(), "up to 255.992 dB");
}

void close_bits(uint8_t* bits, size_t n)
{
    const int used = n % 8;
    bits[n / 8] = (used ? bits[n / 8] & (0xff00 >> used) : 0) | 0x80 >> used;
}

bool closed_bits(const uint8_t* bytes, size_t n, size_t& bits)
{
    bits = 0;
    if (n == 0 || bytes[n - 1] == 0)
        return false;
    bits = 8 * n - 1;
    for (int zeros = 0; !(bytes[n - 1] >> zeros & 1); zeros++)
        bits--;
    return true;
}

size_t pack_compact_frame(const compact_configuration& c,
                          const compact_header& header,
                          const uint8_t* payload,
                          size_t payload_bits,
                          uint8_t* frame)
{
    size_t at = 0;
    const auto put = [&](uint32_t x, int n) {
        write_bits(frame, at, x, n);
        at += n;
    };
    put(version, version_bits);
    put(c.number, configuration_bits);
    put(header.frame_number, c.number_bits);
    put(header.gain, c.gain_bits);
    if (c.residual_energy)
        put(header.residual_energy, residual_energy_bits);
    copy_bits(frame, at, payload, 0, payload_bits);
    at += payload_bits;
    put(~checksum_of(c.checksum, frame, at), checksum_bits(c.checksum));
    close_bits(frame, at);
    return at;
}

bool compact_frame_configuration(const uint8_t* frame, size_t bits, uint8_t& number)
{
    if (bits < version_bits + configuration_bits ||
        read_bits(frame, 0, version_bits) != version)
        return false;
    number = read_bits(frame, version_bits, configuration_bits);
    return true;
}

frame_status unpack_compact_frame(const compact_configuration& c,
                                  const uint8_t* frame,
                                  size_t bits,
                                  compact_header& header,
                                  uint8_t* payload,
                                  size_t& payload_bits)
{
    if (bits < size_t(c.overhead_bits()))
        return frame_status::too_short;
    uint8_t number;
    if (!compact_frame_configuration(frame, bits, number) || number != c.number)
        return frame_status::bad_version;
    if (bits > c.overhead_bits() + compact_configuration::max_payload_bits)
        return frame_status::bad_length;
    const int length = checksum_bits(c.checksum);
    const size_t end = bits - length;
    const uint32_t expected =
        ~checksum_of(c.checksum, frame, end) & ((uint64_t(1) << length) - 1);
    if (read_bits(frame, end, length) != expected)
        return frame_status::bad_crc;
    size_t at = version_bits + configuration_bits;
    const auto get = [&](int n) {
        at += n;
        return read_bits(frame, at - n, n);
    };
    header.frame_number = get(c.number_bits);
    header.gain = get(c.gain_bits);
    header.residual_energy = c.residual_energy ? get(residual_energy_bits) : 0;
    payload_bits = end - at;
    if (payload_bits)
        payload[(payload_bits - 1) / 8] = 0;
    copy_bits(payload, 0, frame, at, payload_bits);
    return frame_status::ok;
}

} // namespace csifeedback
} // namespace gr
