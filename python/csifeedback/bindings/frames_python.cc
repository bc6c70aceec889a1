/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/link_model.h>
#include <gnuradio/csifeedback/normalize.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;

void bind_frames(py::module& m)
{
    py::class_<feedback_header>(m, "feedback_header", "Header of a feedback frame.")
        .def(py::init<>())
        .def_readwrite("version", &feedback_header::version)
        .def_readwrite("quantizer_type", &feedback_header::quantizer_type)
        .def_readwrite("ue_id", &feedback_header::ue_id)
        .def_readwrite("frame_number", &feedback_header::frame_number)
        .def_readwrite("codec_id", &feedback_header::codec_id)
        .def_readwrite("model_id", &feedback_header::model_id)
        .def_readwrite("code_size", &feedback_header::code_size)
        .def_readwrite("bits", &feedback_header::bits)
        .def_readwrite("gain", &feedback_header::gain)
        .def_readwrite("residual_energy", &feedback_header::residual_energy);
    m.def("residual_energy_to_code",
          &residual_energy_to_code,
          py::arg("residual_energy_db"));
    m.def("residual_energy_from_code", &residual_energy_from_code, py::arg("code"));
    py::enum_<frame_status>(m, "frame_status")
        .value("ok", frame_status::ok)
        .value("too_short", frame_status::too_short)
        .value("bad_crc", frame_status::bad_crc)
        .value("bad_version", frame_status::bad_version)
        .value("unknown_model", frame_status::unknown_model)
        .value("unknown_quantizer", frame_status::unknown_quantizer)
        .value("bad_code_size", frame_status::bad_code_size)
        .value("bad_length", frame_status::bad_length)
        .value("bad_signature", frame_status::bad_signature)
        .value("unknown_ue", frame_status::unknown_ue)
        .value("stale", frame_status::stale)
        .value("replayed", frame_status::replayed)
        .value("unconfirmed", frame_status::unconfirmed)
        .value("no_clock", frame_status::no_clock)
        .value("unknown_configuration", frame_status::unknown_configuration);
    m.attr("feedback_overhead_bytes") = feedback_overhead_bytes;
    m.def(
        "pack_frame",
        [](const feedback_header& header, const std::string& payload) {
            std::string frame(feedback_overhead(header.version) + payload.size(), '\0');
            pack_frame(header,
                       reinterpret_cast<const uint8_t*>(payload.data()),
                       payload.size(),
                       reinterpret_cast<uint8_t*>(&frame[0]));
            return py::bytes(frame);
        },
        py::arg("header"),
        py::arg("payload"),
        "A feedback frame as bytes.");
    m.def(
        "unpack_frame",
        [](const std::string& frame) {
            feedback_header header;
            const uint8_t* payload = nullptr;
            size_t n = 0;
            const frame_status status =
                unpack_frame(reinterpret_cast<const uint8_t*>(frame.data()),
                             frame.size(),
                             header,
                             payload,
                             n);
            return py::make_tuple(
                status, header, py::bytes(reinterpret_cast<const char*>(payload), n));
        },
        py::arg("frame"),
        "Status, header and payload of a frame.");
    m.def("gain_to_code",
          &gain_to_code,
          py::arg("gain_db"),
          "16-bit code of a gain in dB.");
    m.def("gain_from_code", &gain_from_code, py::arg("code"), "Gain in dB of a code.");

    py::class_<link_model, link_model::sptr>(
        m, "link_model", "An imperfect uplink: bit errors and lost frames.")
        .def(py::init([](double bit_error_rate,
                         double erasure_rate,
                         double mean_burst_length,
                         uint64_t seed) {
                 link_parameters p;
                 p.bit_error_rate = bit_error_rate;
                 p.erasure_rate = erasure_rate;
                 p.mean_burst_length = mean_burst_length;
                 p.seed = seed;
                 return link_model::make(p);
             }),
             py::arg("bit_error_rate") = 0.0,
             py::arg("erasure_rate") = 0.0,
             py::arg("mean_burst_length") = 0.0,
             py::arg("seed") = 1)
        .def("set_rates",
             &link_model::set_rates,
             py::arg("bit_error_rate"),
             py::arg("erasure_rate"))
        .def(
            "transmit",
            [](link_model& self, std::string frame) -> py::object {
                size_t errors;
                if (!self.transmit(
                        reinterpret_cast<uint8_t*>(&frame[0]), frame.size(), errors))
                    return py::none();
                return py::bytes(frame);
            },
            py::arg("frame"),
            "The frame as it arrives, or None if it is lost.");
}
