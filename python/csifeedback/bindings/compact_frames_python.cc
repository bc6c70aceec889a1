/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <algorithm>
#include <iterator>
#include <utility>

using namespace csifeedback_python;
using namespace gr::csifeedback;

namespace {

constexpr std::pair<const char*, frame_checksum> checksum_names[] = {
    { "none", frame_checksum::none },
    { "crc11", frame_checksum::crc11 },
    { "crc16", frame_checksum::crc16 },
    { "crc24", frame_checksum::crc24 },
};

compact_configuration make_configuration(uint8_t number,
                                         uint16_t ue_id,
                                         const std::string& checksum,
                                         int number_bits,
                                         int gain_bits,
                                         float min_gain_db,
                                         bool residual_energy)
{
    compact_configuration c;
    c.number = number;
    c.ue_id = ue_id;
    const auto found =
        std::find_if(std::begin(checksum_names),
                     std::end(checksum_names),
                     [&](const auto& entry) { return checksum == entry.first; });
    if (found == std::end(checksum_names))
        throw std::invalid_argument("compact_configuration: checksum is " + checksum +
                                    ", allowed is none, crc11, crc16 or crc24");
    c.checksum = found->second;
    c.number_bits = number_bits;
    c.gain_bits = gain_bits;
    c.min_gain_db = min_gain_db;
    c.residual_energy = residual_energy;
    c.check();
    return c;
}

std::string name_of(const compact_configuration& c)
{
    return checksum_names[int(c.checksum)].first;
}

} // namespace

void bind_compact_frames(py::module& m)
{
    py::class_<compact_configuration>(
        m,
        "compact_configuration",
        "What UE and BS configure once for compact feedback frames, as RRC does in NR; "
        "framers and deframers take it as `compact`.\n\n"
        "number: of the configuration, 0 to 255. ue_id: who sends with it, 0 to 65535. "
        "checksum: crc24, crc16, crc11 or none. number_bits: of the frame number that "
        "are "
        "sent, 8 to 10. gain_bits: 0 to 12, in steps of 1/8 dB; 0: the gain is always "
        "min_gain_db. min_gain_db: gain of code 0, -256 to 255 dB. residual_energy: "
        "whether frames have one.")
        .def(py::init(&make_configuration),
             py::arg("number") = 0,
             py::arg("ue_id") = 0,
             py::arg("checksum") = "crc24",
             py::arg("number_bits") = 10,
             py::arg("gain_bits") = 9,
             py::arg("min_gain_db") = compact_configuration().min_gain_db,
             py::arg("residual_energy") = false)
        .def_readonly("number", &compact_configuration::number)
        .def_readonly("ue_id", &compact_configuration::ue_id)
        .def_property_readonly("checksum", &name_of)
        .def_readonly("number_bits", &compact_configuration::number_bits)
        .def_readonly("gain_bits", &compact_configuration::gain_bits)
        .def_readonly("min_gain_db", &compact_configuration::min_gain_db)
        .def_readonly("residual_energy", &compact_configuration::residual_energy)
        .def("max_gain_db",
             &compact_configuration::max_gain_db,
             "Gain of the largest code in dB.")
        .def("gain_to_code",
             &compact_configuration::gain_to_code,
             py::arg("gain_db"),
             "Nearest code of a gain in dB, limited to what gain_bits allow.")
        .def("gain_from_code",
             &compact_configuration::gain_from_code,
             py::arg("code"),
             "Gain in dB of a code.")
        .def("overhead_bits",
             &compact_configuration::overhead_bits,
             "Bits of a frame beside its payload, without a signature.");
    m.def(
        "pack_compact_frame",
        [](const compact_configuration& c,
           uint16_t frame_number,
           uint16_t gain,
           const py::bytes& payload,
           size_t payload_bits,
           uint8_t residual_energy) {
            const std::string bytes = payload;
            if (payload_bits > 8 * bytes.size() ||
                payload_bits > compact_configuration::max_payload_bits)
                throw std::invalid_argument(
                    "payload_bits is " + std::to_string(payload_bits) +
                    ", allowed is up to the bits of payload and 65535");
            std::string frame(closed_bytes(payload_bits + c.overhead_bits()), '\0');
            pack_compact_frame(c,
                               { frame_number, gain, residual_energy },
                               byte_data(bytes),
                               payload_bits,
                               reinterpret_cast<uint8_t*>(&frame[0]));
            return py::bytes(frame);
        },
        py::arg("configuration"),
        py::arg("frame_number"),
        py::arg("gain"),
        py::arg("payload"),
        py::arg("payload_bits"),
        py::arg("residual_energy") = 0,
        "A compact frame as bytes. gain: see compact_configuration.gain_to_code(). "
        "payload: bytes, of which payload_bits bits are sent, most significant first. "
        "residual_energy: see residual_energy_to_code().");
    m.def(
        "unpack_compact_frame",
        [](const compact_configuration& c, const py::bytes& frame) {
            const std::string bytes = frame;
            compact_header header;
            std::string payload(bytes.size(), '\0');
            size_t bits, payload_bits = 0;
            frame_status status = frame_status::bad_length;
            if (closed_bits(byte_data(bytes), bytes.size(), bits))
                status = unpack_compact_frame(c,
                                              byte_data(bytes),
                                              bits,
                                              header,
                                              reinterpret_cast<uint8_t*>(&payload[0]),
                                              payload_bits);
            payload.resize((payload_bits + 7) / 8);
            return py::make_tuple(status,
                                  header.frame_number,
                                  header.gain,
                                  py::bytes(payload),
                                  payload_bits,
                                  header.residual_energy);
        },
        py::arg("configuration"),
        py::arg("frame"),
        "(frame_status, frame_number, gain, payload, payload_bits, residual_energy) of a "
        "compact frame without a signature.");
    m.def(
        "sign_compact_frame",
        [](const feedback_signer& signer, const py::bytes& frame, uint64_t number) {
            std::string bytes = frame;
            size_t bits;
            if (!closed_bits(byte_data(bytes), bytes.size(), bits))
                throw std::invalid_argument("sign_compact_frame: frame is not ended as "
                                            "pack_compact_frame() does");
            bytes.resize(closed_bytes(bits + 8 * feedback_signature_bytes));
            sign_compact_frame(
                signer, reinterpret_cast<uint8_t*>(&bytes[0]), bits, number);
            return py::bytes(bytes);
        },
        py::arg("signer"),
        py::arg("frame"),
        py::arg("number"),
        "A compact frame with its signature behind it. frame: what pack_compact_frame() "
        "returned. number: whole frame number, of which the last 32 bits are signed.");
}
