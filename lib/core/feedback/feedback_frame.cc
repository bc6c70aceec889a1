/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/feedback_frame.h>
#include <boost/crc.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

namespace {

constexpr float min_residual_energy_db = -60, residual_energy_steps = 4;

uint8_t* put16(uint8_t* to, uint16_t value)
{
    *to++ = value >> 8;
    *to++ = value & 0xff;
    return to;
}

uint16_t get16(const uint8_t* from) { return from[0] << 8 | from[1]; }

} // namespace

const char* frame_status_name(frame_status status)
{
    switch (status) {
    case frame_status::ok:
        return "ok";
    case frame_status::too_short:
        return "too_short";
    case frame_status::bad_crc:
        return "bad_crc";
    case frame_status::bad_version:
        return "bad_version";
    case frame_status::unknown_model:
        return "unknown_model";
    case frame_status::unknown_quantizer:
        return "unknown_quantizer";
    case frame_status::bad_code_size:
        return "bad_code_size";
    case frame_status::bad_length:
        return "bad_length";
    case frame_status::bad_signature:
        return "bad_signature";
    case frame_status::unknown_ue:
        return "unknown_ue";
    case frame_status::stale:
        return "stale";
    case frame_status::replayed:
        return "replayed";
    case frame_status::unconfirmed:
        return "unconfirmed";
    case frame_status::no_clock:
        return "no_clock";
    case frame_status::unknown_configuration:
        return "unknown_configuration";
    }
    return "unknown";
}

uint8_t residual_energy_to_code(float residual_energy_db)
{
    const float code =
        std::round((residual_energy_db - min_residual_energy_db) * residual_energy_steps);
    return code > 0 ? static_cast<uint8_t>(std::min(code, 255.0f)) : 0;
}

float residual_energy_from_code(uint8_t code)
{
    return min_residual_energy_db + code / residual_energy_steps;
}

uint32_t crc24a(const uint8_t* bytes, size_t n)
{
    boost::crc_optimal<24, 0x864cfb, 0, 0, false, false> crc;
    crc.process_bytes(bytes, n);
    return crc.checksum();
}

void pack_frame(const feedback_header& header,
                const uint8_t* payload,
                size_t payload_bytes,
                uint8_t* frame)
{
    uint8_t* to = frame;
    *to++ = (header.version & 15) << 4 | (header.quantizer_type & 15);
    to = put16(to, header.ue_id);
    to = put16(to, header.frame_number);
    *to++ = header.codec_id;
    to = put16(to, header.model_id);
    to = put16(to, header.code_size);
    to = put16(to, header.bits);
    to = put16(to, header.gain);
    if (header.version == 2)
        *to++ = header.residual_energy;
    if (payload_bytes)
        std::memcpy(to, payload, payload_bytes);
    to += payload_bytes;
    const uint32_t crc = crc24a(frame, to - frame);
    *to++ = crc >> 16;
    put16(to, crc & 0xffff);
}

frame_status unpack_frame(const uint8_t* frame,
                          size_t n,
                          feedback_header& header,
                          const uint8_t*& payload,
                          size_t& payload_bytes)
{
    if (n < feedback_overhead_bytes)
        return frame_status::too_short;
    const uint8_t* crc = frame + n - feedback_crc_bytes;
    if (crc24a(frame, n - feedback_crc_bytes) !=
        (uint32_t(crc[0]) << 16 | get16(crc + 1)))
        return frame_status::bad_crc;
    header.version = frame[0] >> 4;
    header.quantizer_type = frame[0] & 15;
    header.ue_id = get16(frame + 1);
    header.frame_number = get16(frame + 3);
    header.codec_id = frame[5];
    header.model_id = get16(frame + 6);
    header.code_size = get16(frame + 8);
    header.bits = get16(frame + 10);
    header.gain = get16(frame + 12);
    header.residual_energy = 0;
    payload = frame + feedback_header_bytes;
    payload_bytes = n - feedback_overhead_bytes;
    if (header.version == 1)
        return frame_status::ok;
    if (header.version != 2)
        return frame_status::bad_version;
    if (n < feedback_overhead(2))
        return frame_status::too_short;
    header.residual_energy = *payload++;
    payload_bytes--;
    return frame_status::ok;
}

} // namespace csifeedback
} // namespace gr
