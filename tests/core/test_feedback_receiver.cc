/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "feedback/frame_order.h"
#include "feedback/sha256.h"
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using bytes = std::vector<uint8_t>;

std::string hex(const sha256::digest& digest)
{
    std::string text;
    for (const uint8_t byte : digest)
        for (const int digit : { byte >> 4, byte & 15 })
            text += "0123456789abcdef"[digit];
    return text;
}

bytes from_text(const std::string& text) { return { text.begin(), text.end() }; }

std::string hash(const std::string& text, size_t step)
{
    sha256 h;
    const bytes x = from_text(text);
    for (size_t i = 0; i < x.size(); i += step)
        h.update(x.data() + i, std::min(step, x.size() - i));
    return hex(h.finish());
}

std::string mac(const bytes& key, const bytes& message)
{
    hmac_sha256 h(key.data(), key.size());
    h.update(message.data(), message.size());
    return hex(h.finish());
}

// The examples that NIST publishes for FIPS 180-4.
TEST(sha256, nist_vectors)
{
    const std::vector<std::pair<std::string, std::string>> vectors = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmno"
          "pqklmnopqrlmnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
        { std::string(1000000, 'a'),
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    };
    for (const auto& [message, expected] : vectors)
        for (const size_t step : { 1, 7, 64, 1000 })
            EXPECT_EQ(hash(message, step), expected) << message.substr(0, 8);
}

// Test cases 1 to 4, 6 and 7 of RFC 4231.
TEST(hmac_sha256, rfc_4231)
{
    bytes counting(25);
    for (size_t i = 0; i < counting.size(); i++)
        counting[i] = i + 1;
    EXPECT_EQ(mac(bytes(20, 0x0b), from_text("Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(mac(from_text("Jefe"), from_text("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(mac(bytes(20, 0xaa), bytes(50, 0xdd)),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(mac(counting, bytes(50, 0xcd)),
              "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    EXPECT_EQ(mac(bytes(131, 0xaa),
                  from_text("Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(
        mac(bytes(131, 0xaa),
            from_text("This is a test using a larger than block-size key and a larger "
                      "than block-size data. The key needs to be hashed before being "
                      "used by the HMAC algorithm.")),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(nearest_number, any_width)
{
    EXPECT_EQ(nearest_number(5, 65530, 16), 65541u);
    EXPECT_EQ(nearest_number(65535, 65541, 16), 65535u);
    EXPECT_EQ(nearest_number(65535, 5, 16), 65535u); // nothing is below zero
    EXPECT_EQ(nearest_number(0x1234, 0x51233, 8), 0x51234u);
    EXPECT_EQ(nearest_number(0xff, 0x51200, 8), 0x511ffu);
    EXPECT_EQ(nearest_number(3, 0xfffffffe, 32), 0x100000003u);
    for (int bits = 1; bits <= 32; bits++)
        for (int64_t step = bits == 1 ? 0 : -1; step <= 0; step++) {
            const uint64_t known = (uint64_t(1) << 40) + 12345;
            const uint64_t number = known + step * (int64_t(1) << (bits - 1));
            EXPECT_EQ(nearest_number(number, known, bits), number) << bits;
        }
}

using verdict = frame_order::verdict;

TEST(frame_order, in_order_gaps_and_late_ones)
{
    frame_order order;
    EXPECT_FALSE(order.known());
    for (const uint64_t number : { 7, 8, 9, 20, 1044 })
        EXPECT_EQ(order.take(number), verdict::next) << number;
    EXPECT_EQ(order.take(1044), verdict::late);
    EXPECT_EQ(order.take(1043), verdict::late);
    EXPECT_EQ(order.take(1045), verdict::next);
    EXPECT_EQ(order.take(1045 + 1025), verdict::ahead);
    EXPECT_EQ(order.last(), 1045u);
}

// Every frame twice, the second time some frames later.
TEST(frame_order, repetitions_stay_late)
{
    for (const uint64_t delay : { 0, 1, 5 }) {
        frame_order order;
        for (uint64_t number = 100; number < 200; number++) {
            EXPECT_EQ(order.take(number), verdict::next);
            if (number >= 100 + delay) {
                EXPECT_EQ(order.take(number - delay), verdict::late);
            }
        }
    }
}

// A wrong number wherever it comes costs at most three genuine ones.
TEST(frame_order, one_wrong_number)
{
    for (const uint64_t wrong : { uint64_t(0),
                                  uint64_t(900),
                                  uint64_t(1100),
                                  uint64_t(2000),
                                  uint64_t(1000 + 32767),
                                  uint64_t(1) << 40,
                                  uint64_t(1) << 62 })
        for (uint64_t when = 999; when < 1010; when++) {
            frame_order order;
            int lost = 0;
            for (uint64_t number = 1000; number < 1600; number++) {
                if (number == when + 1)
                    order.take(wrong);
                lost += !is_believed(order.take(number));
            }
            EXPECT_LE(lost, 3) << wrong << " before " << when + 1;
            EXPECT_EQ(order.last(), 1599u);
        }
}

TEST(frame_order, a_sender_that_begins_anew)
{
    for (const uint64_t restart : { uint64_t(3), uint64_t(5000000) }) {
        frame_order order;
        for (uint64_t number = 70000; number < 70010; number++)
            order.take(number);
        for (int i = 0; i < 3; i++)
            EXPECT_FALSE(is_believed(order.take(restart + 2 * i)));
        EXPECT_EQ(order.take(restart + 6), verdict::jump);
        EXPECT_EQ(order.take(restart + 7), verdict::next);
    }
}

quantizer::sptr the_quantizer()
{
    static const quantizer::sptr q = scalar_quantizer::make(
        { 1, 1, 1 }, { 2, 2, 2 }, { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3 }, 3, 2);
    return q;
}

struct message_options {
    uint16_t ue_id = 7;
    uint8_t codec_id = 4;
    const bytes* key = nullptr;
};

bytes message(uint64_t frame, const message_options& options = {})
{
    feedback_header h;
    h.quantizer_type = 3;
    h.ue_id = options.ue_id;
    h.frame_number = frame;
    h.codec_id = options.codec_id;
    h.model_id = 1000;
    h.code_size = 3;
    h.bits = 2;
    const bytes payload = { 0x6c };
    bytes x(feedback_overhead(1) + payload.size());
    pack_frame(h, payload.data(), payload.size(), x.data());
    if (options.key) {
        const size_t n = x.size();
        x.resize(n + feedback_signature_bytes);
        feedback_signer(*options.key).sign(x.data(), n, frame, x.data() + n);
    }
    return x;
}

feedback_rules the_rules()
{
    feedback_rules rules;
    rules.codec_id = 4;
    rules.model_id = 1000;
    return rules;
}

frame_status judge(feedback_receiver& receiver, const bytes& x)
{
    return receiver.receive(x.data(), x.size()).status;
}

uint64_t number_of(feedback_receiver& receiver, const bytes& x)
{
    const feedback_result r = receiver.receive(x.data(), x.size());
    EXPECT_EQ(r.status, frame_status::ok);
    return r.frame;
}

constexpr uint64_t now = 200000;

TEST(feedback_receiver, well_formed_and_known)
{
    feedback_rules rules = the_rules();
    rules.ue_ids = { 9, 7 };
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    bytes x = message(now);
    const feedback_result r = receiver->receive(x.data(), x.size());
    EXPECT_EQ(r.status, frame_status::ok);
    EXPECT_EQ(r.header.ue_id, 7);
    EXPECT_EQ(r.payload, x.data() + 14);
    EXPECT_EQ(r.payload_bytes, 1u);
    EXPECT_EQ(judge(*receiver, bytes(x.begin(), x.begin() + 16)),
              frame_status::too_short);
    EXPECT_EQ(judge(*receiver, {}), frame_status::too_short);
    x[15] ^= 1;
    EXPECT_EQ(judge(*receiver, x), frame_status::bad_crc);
    EXPECT_EQ(judge(*receiver, message(now, { 8 })), frame_status::unknown_ue);
    // Of a UE that is not listened to nothing else counts.
    EXPECT_EQ(judge(*receiver, message(now, { 8, 5 })), frame_status::unknown_ue);
    EXPECT_EQ(judge(*receiver, message(now, { 7, 5 })), frame_status::unknown_model);

    const auto changed = [&](auto&& change) {
        feedback_header h;
        const uint8_t* payload;
        size_t n;
        const bytes good = message(now);
        unpack_frame(good.data(), good.size(), h, payload, n);
        bytes body(payload, payload + n);
        change(h, body);
        bytes frame(feedback_overhead(h.version) + body.size());
        pack_frame(h, body.data(), body.size(), frame.data());
        return judge(*receiver, frame);
    };
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.version = 3; }),
              frame_status::bad_version);
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.model_id++; }),
              frame_status::unknown_model);
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.quantizer_type = 1; }),
              frame_status::unknown_quantizer);
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.bits = 3; }),
              frame_status::unknown_quantizer);
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.code_size = 0; }),
              frame_status::bad_code_size);
    EXPECT_EQ(changed([](feedback_header& h, bytes&) { h.code_size = 4; }),
              frame_status::bad_code_size);
    EXPECT_EQ(changed([](feedback_header&, bytes& body) { body.push_back(0); }),
              frame_status::bad_length);
    EXPECT_EQ(receiver->count(frame_status::unknown_model), 2u);
    EXPECT_EQ(receiver->count(frame_status::ok), 1u);
}

// What Cell.receive() of the base station asks for.
TEST(feedback_receiver, fresh_and_in_order)
{
    feedback_rules rules = the_rules();
    rules.max_age = 100;
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    EXPECT_EQ(judge(*receiver, message(now)), frame_status::no_clock);
    receiver->set_now(now);
    EXPECT_EQ(number_of(*receiver, message(now - 100)), now - 100);
    EXPECT_EQ(number_of(*receiver, message(now - 3)), now - 3);
    EXPECT_EQ(judge(*receiver, message(now - 3)), frame_status::replayed);
    EXPECT_EQ(judge(*receiver, message(now - 5)), frame_status::replayed);
    for (const uint64_t frame :
         { now - 101, now + 1, now + 30000, now - 30000, now + 32767, now - 65535 })
        EXPECT_EQ(judge(*receiver, message(frame)), frame_status::stale) << frame;
    // Another UE has numbers of its own.
    EXPECT_EQ(judge(*receiver, message(now - 4, { 8 })), frame_status::ok);
    EXPECT_EQ(judge(*receiver, message(now)), frame_status::ok);
    receiver->set_now(now + 1);
    EXPECT_EQ(number_of(*receiver, message(now + 1)), now + 1);
}

TEST(feedback_receiver, ahead_of_a_clock_that_is_late)
{
    feedback_rules rules = the_rules();
    rules.max_age = 100;
    rules.max_lead = 10;
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    receiver->set_now(now);
    EXPECT_EQ(judge(*receiver, message(now - 101)), frame_status::stale);
    EXPECT_EQ(judge(*receiver, message(now - 100)), frame_status::ok);
    EXPECT_EQ(number_of(*receiver, message(now + 10)), now + 10);
    EXPECT_EQ(judge(*receiver, message(now + 11)), frame_status::stale);
}

TEST(feedback_receiver, the_first_frames_of_all)
{
    feedback_rules rules = the_rules();
    rules.max_age = 65535;
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    receiver->set_now(0);
    EXPECT_EQ(judge(*receiver, message(65535)), frame_status::stale);
    EXPECT_EQ(number_of(*receiver, message(0)), 0u);
    receiver->set_now(10);
    EXPECT_EQ(judge(*receiver, message(11)), frame_status::stale);
    EXPECT_EQ(number_of(*receiver, message(10)), 10u);
}

// The clock of csirs_source wraps round after 2^32 - 1, and may be set back.
TEST(feedback_receiver, clocks)
{
    feedback_rules rules = the_rules();
    rules.max_age = 100;
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    const uint64_t end = uint64_t(1) << 32;
    for (uint64_t frame = end - 5; frame < end + 5; frame++) {
        receiver->set_now(frame % end);
        EXPECT_EQ(number_of(*receiver, message(frame)), frame);
    }
    receiver->set_now(1000);
    EXPECT_EQ(judge(*receiver, message(1000)), frame_status::ok);
    EXPECT_EQ(judge(*receiver, message(1000)), frame_status::replayed);
    receiver->set_now(500);
    EXPECT_EQ(judge(*receiver, message(500)), frame_status::ok);
    EXPECT_EQ(judge(*receiver, message(500)), frame_status::replayed);
    EXPECT_THROW(receiver->set_now((uint64_t(1) << 62) + 1), std::invalid_argument);
}

// One forged number of any size, at any time, shuts out at most three genuine frames,
// with or without a clock, whether order counts or not.
TEST(feedback_receiver, a_forged_number_does_not_shut_out_genuine_ones)
{
    for (const bool clock : { false, true })
        for (const bool in_order : { false, true })
            for (int forged = 0; forged < 65536; forged += 257) {
                feedback_rules rules = the_rules();
                rules.in_order = in_order;
                rules.max_age = clock ? 100 : -1;
                const auto receiver = feedback_receiver::make(the_quantizer(), rules);
                int lost = 0, wrong = 0;
                const uint64_t first = 70000, delay = 3;
                for (uint64_t frame = first; frame < first + 40; frame++) {
                    if (clock)
                        receiver->set_now(frame + delay);
                    if (frame == first + 10)
                        judge(*receiver, message(forged));
                    const bytes x = message(frame);
                    const feedback_result r = receiver->receive(x.data(), x.size());
                    lost += r.status != frame_status::ok;
                    const uint64_t expected = clock ? frame : frame - 65536;
                    wrong += r.status == frame_status::ok && r.frame != expected;
                }
                EXPECT_LE(lost, in_order || clock ? 3 : 0) << forged << clock << in_order;
                EXPECT_EQ(wrong, 0) << forged << clock << in_order;
            }
}

// Without a clock the numbers are counted on from the 16 bits of the first.
TEST(feedback_receiver, without_a_clock)
{
    feedback_rules rules = the_rules();
    auto receiver = feedback_receiver::make(the_quantizer(), rules);
    for (uint64_t frame = 65000; frame < 200000; frame += 900)
        EXPECT_EQ(number_of(*receiver, message(frame)), frame);
    // Anything is delivered,
    for (const uint64_t frame : { 5, 5, 60000, 100 })
        EXPECT_EQ(judge(*receiver, message(frame)), frame_status::ok);
    // unless order counts.
    rules.in_order = true;
    receiver = feedback_receiver::make(the_quantizer(), rules);
    EXPECT_EQ(judge(*receiver, message(70000)), frame_status::ok);
    EXPECT_EQ(judge(*receiver, message(70000)), frame_status::replayed);
    EXPECT_EQ(judge(*receiver, message(69999)), frame_status::replayed);
    EXPECT_EQ(judge(*receiver, message(72000)), frame_status::unconfirmed);
    EXPECT_EQ(judge(*receiver, message(70001)), frame_status::ok);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(judge(*receiver, message(75000 + i)), frame_status::unconfirmed);
    EXPECT_EQ(judge(*receiver, message(75003)), frame_status::ok);
}

TEST(feedback_receiver, signatures)
{
    const bytes key(16, 0x5a), other(20, 0xa5), third(16, 0x11);
    feedback_rules rules = the_rules();
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    EXPECT_EQ(receiver->signature_bytes(), 0u);
    receiver->set_key(-1, key);
    receiver->set_key(8, other);
    EXPECT_EQ(receiver->signature_bytes(), 8u);
    EXPECT_EQ(judge(*receiver, message(now, { 7, 4, &key })), frame_status::no_clock);
    receiver->set_now(now);
    EXPECT_EQ(judge(*receiver, {}), frame_status::too_short);
    EXPECT_EQ(judge(*receiver, message(now)),
              frame_status::too_short); // 8 bytes are missing
    EXPECT_EQ(judge(*receiver, message(now, { 7, 4, &third })),
              frame_status::bad_signature);
    // Keys of the UEs: one does not sign for another.
    EXPECT_EQ(judge(*receiver, message(now, { 7, 4, &other })),
              frame_status::bad_signature);
    EXPECT_EQ(judge(*receiver, message(now, { 8, 4, &key })),
              frame_status::bad_signature);
    const bytes good = message(now, { 7, 4, &key });
    for (size_t i = 0; i < good.size(); i++) {
        bytes x = good;
        x[i] ^= 1;
        EXPECT_NE(judge(*receiver, x), frame_status::ok) << i;
    }
    EXPECT_EQ(number_of(*receiver, good), now);
    EXPECT_EQ(judge(*receiver, good), frame_status::replayed);
    EXPECT_EQ(judge(*receiver, message(now, { 8, 4, &other })), frame_status::ok);
    // The same frame one round of 16 bits later, and one of 32 bits.
    receiver->set_now(now + 65536);
    EXPECT_EQ(judge(*receiver, good), frame_status::bad_signature);
    EXPECT_EQ(judge(*receiver, message(now + 65536, { 7, 4, &key })), frame_status::ok);
}

// The signature of the programs (Python's hmac): message 00 01 .. 1f, key 00 01 .. 0f,
// frame 0x123456789, of which 32 bits count.
TEST(feedback_signer, fixed_example)
{
    bytes key(16), x(32);
    for (size_t i = 0; i < key.size(); i++)
        key[i] = i;
    for (size_t i = 0; i < x.size(); i++)
        x[i] = i;
    bytes signature(8);
    const feedback_signer signer(key);
    signer.sign(x.data(), x.size(), 0x123456789, signature.data());
    EXPECT_EQ(signature, (bytes{ 0xea, 0xd3, 0x9d, 0xd9, 0x6a, 0x2e, 0xc7, 0x40 }));
    bytes again(8);
    feedback_signer copy(bytes(16, 1));
    copy = signer;
    copy.sign(x.data(), x.size(), 0x23456789, again.data());
    EXPECT_EQ(again, signature);
}

TEST(feedback_receiver, other_kinds_of_messages)
{
    const bytes key(16, 0x5a);
    feedback_rules rules = the_rules();
    rules.max_age = 100;
    rules.ue_ids = { 7 };
    const auto receiver = feedback_receiver::make(the_quantizer(), rules);
    receiver->set_key(7, key);
    receiver->set_now(now);
    const auto admit =
        [&](int kind, uint16_t ue_id, uint64_t frame, uint64_t signed_frame) {
            bytes x = { 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0 };
            feedback_signer(key).sign(x.data(), 3, signed_frame, x.data() + 3);
            uint64_t number = 0;
            const frame_status status =
                receiver->admit(kind, ue_id, frame, x.data(), x.size(), number);
            if (status == frame_status::ok) {
                EXPECT_EQ(number, frame);
            }
            return status;
        };
    EXPECT_EQ(admit(1, 7, now - 2, now - 2), frame_status::ok);
    EXPECT_EQ(admit(1, 7, now - 2, now - 2), frame_status::replayed);
    EXPECT_EQ(admit(2, 7, now - 2, now - 2), frame_status::ok);
    EXPECT_EQ(admit(1, 7, now - 1, now - 2), frame_status::bad_signature);
    EXPECT_EQ(admit(1, 8, now - 1, now - 1), frame_status::unknown_ue);
    EXPECT_EQ(admit(1, 7, now - 101, now - 101), frame_status::stale);
    EXPECT_EQ(judge(*receiver, message(now - 2, { 7, 4, &key })), frame_status::ok);
    uint64_t number;
    EXPECT_EQ(receiver->admit(1, 7, now % 65536, nullptr, 0, number),
              frame_status::bad_signature);
    EXPECT_THROW(receiver->admit(0, 7, 0, nullptr, 0, number), std::invalid_argument);
}

TEST(feedback_receiver, parameters)
{
    const auto text = [](auto&& change) {
        feedback_rules rules;
        change(rules);
        try {
            feedback_receiver::make(the_quantizer(), rules);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(text([](feedback_rules& r) { r.max_age = -2; }),
              "feedback_receiver: max_age is -2, allowed is -1 to 65535");
    EXPECT_EQ(text([](feedback_rules& r) { r.max_lead = -1; }),
              "feedback_receiver: max_lead is -1, allowed is 0 to 65535");
    EXPECT_EQ(
        text([](feedback_rules& r) {
            r.max_age = 65000;
            r.max_lead = 536;
        }),
        "feedback_receiver: max_age + max_lead is 65536, allowed is 0 to 65535, since "
        "a frame has 16 bits of its number");
    EXPECT_THROW(feedback_receiver::make(nullptr, {}), std::invalid_argument);
    const auto receiver = feedback_receiver::make(the_quantizer(), {});
    EXPECT_THROW(receiver->set_quantizer(nullptr), std::invalid_argument);
    EXPECT_THROW(receiver->set_key(-2, bytes(16)), std::invalid_argument);
    EXPECT_THROW(receiver->set_key(1, bytes(15)), std::invalid_argument);
    EXPECT_THROW(receiver->set_key(1, bytes(65537)), std::invalid_argument);
}

} // namespace
