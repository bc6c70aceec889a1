/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "bits.h"
#include "check.h"
#include "frame_order.h"
#include "sha256.h"
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/normalize.h>
#include <unordered_map>
#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>

namespace gr {
namespace csifeedback {

struct feedback_signer::prepared_key {
    hmac_sha256 hmac;
};

namespace {

constexpr const char* where = "feedback_receiver";
constexpr int frame_number_bits = 16; // of versions 1 and 2
constexpr int compact_frame_version = 3;
constexpr size_t min_key_bytes = 16, max_key_bytes = 65536;

const std::vector<uint8_t>& checked_key(const std::vector<uint8_t>& key)
{
    check_range(
        "feedback_signer", "length of the key", key.size(), min_key_bytes, max_key_bytes);
    return key;
}

void check_rules(const feedback_rules& rules)
{
    check_range(where, "max_age", rules.max_age, -1, 65535);
    check_range(where, "max_lead", rules.max_lead, 0, 65535);
    if (rules.max_age + rules.max_lead > 65535)
        throw_bad(where,
                  "max_age + max_lead",
                  rules.max_age + rules.max_lead,
                  "0 to 65535, since a frame has 16 bits of its number");
}

class feedback_receiver_impl : public feedback_receiver
{
public:
    // max_size: of the field code_size
    feedback_receiver_impl(const report_format& format,
                           int max_size,
                           const feedback_rules& rules)
        : d_format(format), d_max_size(max_size), d_rules(rules)
    {
        std::sort(d_rules.ue_ids.begin(), d_rules.ue_ids.end());
    }

    void set_quantizer(quantizer::sptr quantizer) override
    {
        not_null(where, "quantizer", quantizer);
        d_format = report_format(quantizer);
        d_max_size = quantizer->code_size();
    }

    void set_key(int ue_id, const std::vector<uint8_t>& key) override
    {
        check_range(where, "ue_id", ue_id, -1, 65535);
        d_signers.insert_or_assign(ue_id, feedback_signer(key));
    }

    void add_configuration(const compact_configuration& c) override
    {
        c.check();
        if (!is_heard(c.ue_id))
            throw_bad(
                where, "ue_id of a configuration", c.ue_id, "one that is listened to");
        check_range(where,
                    "max_age + max_lead with a compact configuration",
                    d_rules.max_age + d_rules.max_lead,
                    -1,
                    (1 << c.number_bits) - 1);
        d_configurations[c.number] = c;
        d_has_configurations = true;
    }

    void set_now(uint64_t frame) override
    {
        check_range(where, "now", frame, uint64_t(0), uint64_t(1) << 62);
        d_now =
            d_has_clock && frame >> 32 == 0 ? nearest_number(frame, d_now, 32) : frame;
        d_has_clock = true;
    }

    feedback_result receive(const uint8_t* message, size_t n) override
    {
        feedback_result result;
        result.status = judge(message, n, result);
        d_count[int(result.status)]++;
        return result;
    }

    frame_status admit(int kind,
                       uint16_t ue_id,
                       uint16_t frame_number,
                       const uint8_t* message,
                       size_t n,
                       uint64_t& frame) override
    {
        check_range(where, "kind", kind, 1, 3);
        const frame_status status =
            is_heard(ue_id)
                ? judge_number(
                      kind, ue_id, frame_number, frame_number_bits, message, n, frame)
                : frame_status::unknown_ue;
        d_count[int(status)]++;
        return status;
    }

    size_t signature_bytes() const override
    {
        return d_signers.empty() ? 0 : feedback_signature_bytes;
    }

    uint64_t count(frame_status status) const override { return d_count[int(status)]; }

private:
    // What is known of the frames of one kind from one UE.
    struct history {
        frame_order order;  // without a clock
        bool known = false; // with a clock: whether one was accepted,
        uint64_t last = 0;  // and the last one
    };

    bool is_heard(uint16_t ue_id) const
    {
        return d_rules.ue_ids.empty() ||
               std::binary_search(d_rules.ue_ids.begin(), d_rules.ue_ids.end(), ue_id);
    }

    frame_status judge(const uint8_t* message, size_t n, feedback_result& result)
    {
        if (n < signature_bytes())
            return frame_status::too_short;
        if (d_has_configurations && n > 0 && message[0] >> 4 == compact_frame_version)
            return judge_compact(message, n, result);
        const frame_status status = unpack_frame(message,
                                                 n - signature_bytes(),
                                                 result.header,
                                                 result.payload,
                                                 result.payload_bytes);
        if (status != frame_status::ok)
            return status;
        const feedback_header& header = result.header;
        if (!is_heard(header.ue_id))
            return frame_status::unknown_ue;
        if (header.codec_id != d_rules.codec_id || header.model_id != d_rules.model_id)
            return frame_status::unknown_model;
        if (header.quantizer_type != d_format.type || header.bits != d_format.bits)
            return frame_status::unknown_quantizer;
        if (header.code_size < 1 || header.code_size > d_max_size)
            return frame_status::bad_code_size;
        if (result.payload_bytes != (size_t(d_format.bits_of(header.code_size)) + 7) / 8)
            return frame_status::bad_length;
        result.has_residual_energy = header.version == 2;
        result.frame_bits = 8 * n;
        return judge_number(0,
                            header.ue_id,
                            header.frame_number,
                            frame_number_bits,
                            message,
                            n,
                            result.frame);
    }

    frame_status judge_compact(const uint8_t* message, size_t n, feedback_result& result)
    {
        const size_t signature_bits = 8 * signature_bytes();
        size_t bits;
        uint8_t number;
        if (!closed_bits(message, n, bits))
            return frame_status::bad_length;
        if (bits < signature_bits ||
            !compact_frame_configuration(message, bits - signature_bits, number))
            return frame_status::too_short;
        if (!d_configurations[number])
            return frame_status::unknown_configuration;
        const compact_configuration& c = *d_configurations[number];
        // First what was signed and the signature, then the payload.
        bits -= signature_bits;
        const size_t signed_bytes = closed_bytes(bits);
        const size_t message_bytes = signed_bytes + signature_bytes();
        d_buffer.resize(message_bytes + (bits + 7) / 8);
        std::copy_n(message, signed_bytes, d_buffer.begin());
        close_bits(d_buffer.data(), bits);
        copy_bits(d_buffer.data(), 8 * signed_bytes, message, bits, signature_bits);
        compact_header compact;
        uint8_t* const payload = d_buffer.data() + message_bytes;
        size_t payload_bits;
        const frame_status status = unpack_compact_frame(
            c, d_buffer.data(), bits, compact, payload, payload_bits);
        if (status != frame_status::ok)
            return status;
        feedback_header& header = result.header;
        header.version = compact_frame_version;
        header.quantizer_type = d_format.type;
        header.ue_id = c.ue_id;
        header.frame_number = compact.frame_number;
        header.codec_id = d_rules.codec_id;
        header.model_id = d_rules.model_id;
        header.bits = d_format.bits;
        header.gain = gain_to_code(c.gain_from_code(compact.gain));
        header.residual_energy = compact.residual_energy;
        const int size = d_format.size_of(payload_bits);
        if (size < 1 || size > d_max_size ||
            size_t(d_format.bits_of(size)) != payload_bits)
            return frame_status::bad_length;
        header.code_size = size;
        result.has_residual_energy = c.residual_energy;
        result.payload = payload;
        result.payload_bytes = (payload_bits + 7) / 8;
        result.frame_bits = bits + signature_bits;
        return judge_number(0,
                            c.ue_id,
                            compact.frame_number,
                            c.number_bits,
                            d_buffer.data(),
                            message_bytes,
                            result.frame);
    }

    frame_status judge_number(int kind,
                              uint16_t ue_id,
                              uint16_t low,
                              int number_bits,
                              const uint8_t* message,
                              size_t n,
                              uint64_t& frame)
    {
        if (!d_has_clock && (d_rules.max_age >= 0 || !d_signers.empty()))
            return frame_status::no_clock;
        const uint32_t sender = uint32_t(kind) << 16 | ue_id;
        if (!d_has_clock)
            return judge_without_clock(d_history[sender], low, number_bits, frame);

        const uint64_t newest = d_now + d_rules.max_lead;
        const uint64_t back = (newest - low) & ((1u << number_bits) - 1);
        // Before the first of all frames: then it is modulo 2^64, of which 32 bits count.
        const uint64_t number = newest - back;
        if (!is_signed(ue_id, message, n, number))
            return frame_status::bad_signature;
        if (back > newest ||
            (d_rules.max_age >= 0 && back > uint64_t(d_rules.max_age) + d_rules.max_lead))
            return frame_status::stale;
        history& past = d_history[sender];
        if (past.known && past.last > newest)
            past.known = false;
        const bool in_order =
            d_rules.in_order || d_rules.max_age >= 0 || !d_signers.empty();
        if (in_order && past.known && number <= past.last)
            return frame_status::replayed;
        past.known = true;
        past.last = number;
        frame = number;
        return frame_status::ok;
    }

    frame_status judge_without_clock(history& past,
                                     uint16_t low,
                                     int number_bits,
                                     uint64_t& frame) const
    {
        frame = past.order.known() ? nearest_number(low, past.order.last(), number_bits)
                                   : low;
        const frame_order::verdict verdict = past.order.take(frame, number_bits);
        if (!d_rules.in_order || is_believed(verdict))
            return frame_status::ok;
        return verdict == frame_order::verdict::late ? frame_status::replayed
                                                     : frame_status::unconfirmed;
    }

    bool is_signed(uint16_t ue_id, const uint8_t* message, size_t n, uint64_t frame) const
    {
        if (d_signers.empty())
            return true;
        auto signer = d_signers.find(ue_id);
        if (signer == d_signers.end())
            signer = d_signers.find(-1);
        if (signer == d_signers.end() || n < feedback_signature_bytes)
            return false;
        n -= feedback_signature_bytes;
        uint8_t expected[feedback_signature_bytes];
        signer->second.sign(message, n, frame, expected);
        // In a time that does not tell how many bytes are right.
        uint8_t difference = 0;
        for (size_t i = 0; i < feedback_signature_bytes; i++)
            difference |= expected[i] ^ message[n + i];
        return difference == 0;
    }

    report_format d_format;
    int d_max_size;
    bool d_has_configurations = false;
    std::array<std::optional<compact_configuration>, 256> d_configurations; // by number
    std::vector<uint8_t> d_buffer; // of a compact frame
    feedback_rules d_rules;        // with ue_ids in order
    std::map<int, feedback_signer> d_signers;
    bool d_has_clock = false;
    uint64_t d_now = 0;
    std::unordered_map<uint32_t, history> d_history; // by kind and UE
    // Read by other threads.
    std::atomic<uint64_t> d_count[frame_status_count] = {};
};

} // namespace

feedback_receiver::sptr feedback_receiver::make(quantizer::sptr quantizer,
                                                const feedback_rules& rules)
{
    not_null(where, "quantizer", quantizer);
    check_rules(rules);
    return std::make_shared<feedback_receiver_impl>(
        report_format(quantizer), quantizer->code_size(), rules);
}

feedback_receiver::sptr feedback_receiver::make(const report_format& format,
                                                int max_bits,
                                                const feedback_rules& rules)
{
    check_range(where, "max_bits", max_bits, 1, int(report_encoder::max_report_bits));
    check_rules(rules);
    return std::make_shared<feedback_receiver_impl>(
        format, format.levels ? format.levels->code_size() : max_bits, rules);
}

feedback_signer::feedback_signer(const std::vector<uint8_t>& key)
    : d_key(new prepared_key{ { checked_key(key).data(), key.size() } })
{
}

feedback_signer::feedback_signer(const feedback_signer& other)
    : d_key(new prepared_key(*other.d_key))
{
}

feedback_signer& feedback_signer::operator=(const feedback_signer& other)
{
    *d_key = *other.d_key;
    return *this;
}

feedback_signer::~feedback_signer() = default;

void feedback_signer::sign(const uint8_t* message,
                           size_t n,
                           uint64_t frame,
                           uint8_t* signature) const
{
    hmac_sha256 hmac = d_key->hmac;
    hmac.update(message, n);
    uint8_t number[4];
    for (int i = 0; i < 4; i++)
        number[i] = frame >> (24 - 8 * i);
    hmac.update(number, sizeof(number));
    const sha256::digest digest = hmac.finish();
    std::copy_n(digest.begin(), feedback_signature_bytes, signature);
}

size_t sign_compact_frame(const feedback_signer& signer,
                          uint8_t* frame,
                          size_t bits,
                          uint64_t number)
{
    uint8_t signature[feedback_signature_bytes];
    signer.sign(frame, closed_bytes(bits), number, signature);
    copy_bits(frame, bits, signature, 0, 8 * feedback_signature_bytes);
    bits += 8 * feedback_signature_bytes;
    close_bits(frame, bits);
    return bits;
}

} // namespace csifeedback
} // namespace gr
