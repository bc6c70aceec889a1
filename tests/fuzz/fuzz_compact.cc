/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Messages for a feedback_receiver with compact configurations, with and without a key and a
// clock: bytes of any content, as they are and with their checksum put right. What is
// accepted must be packed again to the same bits.

#include "feedback/bits.h"
#include "fuzz.h"
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <algorithm>
#include <cstdlib>
#include <memory>

using namespace gr::csifeedback;

namespace {

constexpr int configurations = 24, values = 20;

void require(bool condition)
{
    if (!condition)
        std::abort();
}

compact_configuration configuration(int number)
{
    compact_configuration c;
    c.number = number;
    c.ue_id = number % 3;
    c.checksum = frame_checksum(number % 4);
    c.number_bits = 8 + number % 3;
    c.gain_bits = number % 13;
    c.min_gain_db = -256;
    c.residual_energy = number % 5 == 0;
    return c;
}

quantizer::sptr the_quantizer()
{
    static const quantizer::sptr q = [] {
        std::vector<int> bits;
        std::vector<float> levels;
        for (int i = 0; i < values; i++) {
            bits.push_back(1 + i % 5);
            for (int level = 0; level < 1 << bits.back(); level++)
                levels.push_back(level);
        }
        return scalar_quantizer::make(std::vector<float>(values, 1), bits, levels, 15, 2);
    }();
    return q;
}

const std::vector<uint8_t>& the_key()
{
    static const std::vector<uint8_t> key(16, 7);
    return key;
}

feedback_receiver::sptr make_receiver(bool reports, bool clock, bool key)
{
    feedback_rules rules;
    rules.max_age = clock ? 100 : -1;
    rules.in_order = !clock;
    report_format format;
    const auto receiver = reports ? feedback_receiver::make(format, 100, rules)
                                  : feedback_receiver::make(the_quantizer(), rules);
    for (int number = 0; number < configurations; number++)
        receiver->add_configuration(configuration(number));
    if (key)
        receiver->set_key(-1, the_key());
    if (clock || key)
        receiver->set_now(1000);
    return receiver;
}

void receive(feedback_receiver& receiver, const uint8_t* message, size_t n)
{
    // Of exactly this size, so that a sanitizer sees any access beyond.
    const std::unique_ptr<uint8_t[]> copy(new uint8_t[n]);
    std::copy_n(message, n, copy.get());
    const feedback_result r = receiver.receive(copy.get(), n);
    require(int(r.status) < frame_status_count);
    if (r.status != frame_status::ok || r.header.version != 3)
        return;
    size_t bits;
    require(closed_bits(message, n, bits) && bits == r.frame_bits);
    bits -= 8 * receiver.signature_bytes();
    uint8_t number;
    require(compact_frame_configuration(message, bits, number));
    require(number < configurations);
    const compact_configuration c = configuration(number);
    require(r.header.ue_id == c.ue_id);
    const size_t payload_bits = bits - c.overhead_bits();
    require(r.payload_bytes == (payload_bits + 7) / 8);
    compact_header header;
    header.frame_number = r.frame;
    header.gain = c.gain_to_code(-256 + r.header.gain / 128.0f);
    header.residual_energy = r.header.residual_energy;
    std::vector<uint8_t> again(closed_bytes(bits));
    require(pack_compact_frame(c, header, r.payload, payload_bits, again.data()) == bits);
    for (size_t i = 0; i < bits; i++)
        require(read_bits(again.data(), i, 1) == read_bits(message, i, 1));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    for (int kind = 0; kind < 8; kind++) {
        const auto receiver = make_receiver(kind & 1, kind & 2, kind & 4);
        receive(*receiver, data, size);
        // With the right version, configuration, checksum and signature.
        size_t bits;
        if (!closed_bits(data, size, bits))
            continue;
        std::vector<uint8_t> frame(data, data + size);
        const size_t signature_bits = 8 * receiver->signature_bytes();
        write_bits(frame.data(), 0, 3, 4);
        const compact_configuration c = configuration(frame[size - 1] % configurations);
        if (bits < signature_bits + c.overhead_bits())
            continue;
        write_bits(frame.data(), 4, c.number, 8);
        bits -= signature_bits;
        const int length = checksum_bits(c.checksum);
        write_bits(frame.data(),
                   bits - length,
                   ~checksum_of(c.checksum, frame.data(), bits - length),
                   length);
        if (signature_bits) {
            close_bits(frame.data(), bits);
            bits = sign_compact_frame(feedback_signer(the_key()),
                                      frame.data(),
                                      bits,
                                      1000 - 1000 % 64 + frame[1] % 64);
        }
        receive(*receiver, frame.data(), frame.size());
    }
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    for (int number = 0; number < configurations; number++)
        for (const bool key : { false, true }) {
            const compact_configuration c = configuration(number);
            const size_t payload_bits = the_quantizer()->total_bits(1 + number % values);
            const std::vector<uint8_t> payload(payload_bits / 8 + 1,
                                               uint8_t(number * 37));
            std::vector<uint8_t> frame(
                closed_bytes(c.overhead_bits() + payload_bits + 64));
            size_t bits = pack_compact_frame(
                c, { 990, 3, 4 }, payload.data(), payload_bits, frame.data());
            if (key)
                bits = sign_compact_frame(
                    feedback_signer(the_key()), frame.data(), bits, 990);
            frame.resize(closed_bytes(bits));
            corpus.push_back(frame);
        }
    return corpus;
}
