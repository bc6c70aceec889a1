/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The way of a received frame: unpack_frame(), the checks of its header, unpack_levels()
// and dequantize(). Every input runs as it is and once more with its checksum put right.

#include "fuzz.h"
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

using namespace gr::csifeedback;

namespace {

void require(bool condition)
{
    if (!condition)
        std::abort();
}

// Entries of all numbers of bits, 0 to 10.
quantizer::sptr mixed_quantizer()
{
    std::vector<int> bits;
    std::vector<float> levels;
    for (int i = 0; i < 130; i++) {
        bits.push_back(i * 7 % 11);
        for (int level = 0; level < 1 << bits.back(); level++)
            levels.push_back(level);
    }
    return scalar_quantizer::make(
        std::vector<float>(bits.size(), 0.5f), bits, levels, 3, 4);
}

const quantizer& the_quantizer()
{
    static const quantizer::sptr q = mixed_quantizer();
    return *q;
}

void receive(const uint8_t* frame, size_t n)
{
    feedback_header header;
    const uint8_t* payload = nullptr;
    size_t payload_bytes = 0;
    const frame_status status = unpack_frame(frame, n, header, payload, payload_bytes);
    require(frame_status_name(status) != nullptr);
    require((n < feedback_overhead_bytes) <= (status == frame_status::too_short));
    require(status != frame_status::too_short || n < feedback_overhead(2));
    if (status != frame_status::ok) {
        require(status == frame_status::too_short || status == frame_status::bad_crc ||
                status == frame_status::bad_version);
        return;
    }
    require(header.version == 1 || header.version == 2);
    require(payload + payload_bytes == frame + n - feedback_crc_bytes);
    require(payload_bytes == n - feedback_overhead(header.version));
    std::vector<uint8_t> again(n);
    pack_frame(header, payload, payload_bytes, again.data());
    require(std::memcmp(again.data(), frame, n) == 0);

    const quantizer& q = the_quantizer();
    const int m = header.code_size;
    if (m < 1 || m > q.code_size() || payload_bytes != (q.total_bits(m) + 7) / 8)
        return;
    // Of exactly this size, so that a sanitizer sees any access beyond.
    const std::unique_ptr<uint8_t[]> copy(new uint8_t[payload_bytes]),
        repacked(new uint8_t[payload_bytes]);
    std::memcpy(copy.get(), payload, payload_bytes);
    const std::unique_ptr<int16_t[]> level(new int16_t[m]);
    const std::unique_ptr<float[]> s(new float[m]);
    unpack_levels(q, copy.get(), m, level.get());
    for (int i = 0; i < m; i++)
        require(level[i] >= 0 && level[i] < 1 << q.entry_bits(i));
    q.dequantize(level.get(), m, s.get());
    for (int i = 0; i < m; i++)
        require(std::isfinite(s[i]));
    // All bits come back but those that fill the last byte.
    pack_levels(q, level.get(), m, repacked.get());
    if (const int used = q.total_bits(m) % 8)
        copy[payload_bytes - 1] &= 0xff << (8 - used);
    require(std::memcmp(copy.get(), repacked.get(), payload_bytes) == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    receive(data, size);
    if (size < feedback_overhead_bytes)
        return 0;
    std::vector<uint8_t> frame(data, data + size);
    const size_t checked = size - feedback_crc_bytes;
    for (int version = 1; version <= 2; version++) {
        frame[0] = version << 4 | (frame[0] & 15);
        const uint32_t crc = crc24a(frame.data(), checked);
        for (int i = 0; i < 3; i++)
            frame[checked + i] = crc >> (16 - 8 * i);
        receive(frame.data(), size);
    }
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    const quantizer& q = the_quantizer();
    for (int m = 1; m <= q.code_size(); m++) {
        feedback_header header;
        header.version = 1 + m % 2;
        header.quantizer_type = q.type_id();
        header.code_size = m;
        header.bits = q.bits();
        const std::vector<uint8_t> payload((q.total_bits(m) + 7) / 8, uint8_t(m));
        corpus.emplace_back(payload.size() + feedback_overhead(header.version));
        pack_frame(header, payload.data(), payload.size(), corpus.back().data());
    }
    return corpus;
}
