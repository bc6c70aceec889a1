/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The feedback receiver and signer, and the PDUs of blocks in Python.

#include "arrays.h"
#include "common.h"
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <pybind11/stl.h>

using namespace csifeedback_python;
using namespace gr::csifeedback;

namespace {

// (metadata, values) of a PDU, or None if the message is no PDU of such values.
template <typename T>
py::object read_pdu_of(const foreign_pdu& pdu)
{
    size_t n;
    const T* const values = pdu.elements<T>(n);
    if (!values)
        return py::none();
    py::dict metadata;
    for (pmt::pmt_t rest = pdu.metadata(); !pmt::is_null(rest); rest = pmt::cdr(rest)) {
        const pmt::pmt_t name = pmt::car(pmt::car(rest)),
                         value = pmt::cdr(pmt::car(rest));
        uint64_t number;
        if (!pmt::is_symbol(name))
            continue;
        const py::str key(py::reinterpret_steal<py::object>(
            PyUnicode_DecodeUTF8(pmt::symbol_to_string(name).data(),
                                 pmt::symbol_to_string(name).size(),
                                 "replace")));
        if (metadata.contains(key))
            continue; // the first entry counts
        if (to_number(value, number))
            metadata[key] = number;
        else if (pmt::is_integer(value))
            metadata[key] = pmt::to_long(value);
        else if (pmt::is_real(value))
            metadata[key] = pmt::to_double(value);
    }
    return py::make_tuple(metadata, py::array_t<T>(n, values));
}

py::object read_pdu(const pmt::pmt_t& message, const py::object& type)
{
    const py::dtype wanted = py::dtype::from_args(type);
    const foreign_pdu pdu(message);
    if (wanted.equal(py::dtype::of<std::complex<float>>()))
        return read_pdu_of<std::complex<float>>(pdu);
    if (wanted.equal(py::dtype::of<float>()))
        return read_pdu_of<float>(pdu);
    if (wanted.equal(py::dtype::of<int16_t>()))
        return read_pdu_of<int16_t>(pdu);
    if (wanted.equal(py::dtype::of<uint8_t>()))
        return read_pdu_of<uint8_t>(pdu);
    throw std::invalid_argument("read_pdu: dtype is " +
                                std::string(py::str(py::handle(wanted))) +
                                ", allowed is complex64, float32, int16 or uint8");
}

} // namespace

void bind_feedback(py::module& m)
{
    py::class_<feedback_signer>(
        m,
        "feedback_signer",
        "Signs feedback frames: the counterpart of feedback_receiver.\n\n"
        "key: 16 to 65536 bytes.")
        .def(py::init([](const py::bytes& key) {
                 return feedback_signer(key_from_bytes(key));
             }),
             py::arg("key"))
        .def(
            "sign",
            [](const feedback_signer& self, const py::bytes& message, uint64_t frame) {
                const std::string bytes = message;
                std::string signature(feedback_signature_bytes, '\0');
                self.sign(byte_data(bytes),
                          bytes.size(),
                          frame,
                          reinterpret_cast<uint8_t*>(&signature[0]));
                return py::bytes(signature);
            },
            py::arg("message"),
            py::arg("frame"),
            "The signature of a message, 8 bytes, which covers the last 32 bits of the "
            "whole frame number too.");
    m.attr("feedback_signature_bytes") = feedback_signature_bytes;

    py::class_<feedback_receiver, feedback_receiver::sptr>(
        m,
        "feedback_receiver",
        "Decides which messages of an uplink are feedback frames to be used: well "
        "formed, "
        "known, signed, fresh and in order. The rules are in feedback_receiver.h.\n\n"
        "quantizer: the quantizer object of the UEs. codec_id, model_id: of the decoder. "
        "ue_ids: UEs whose frames are accepted, empty: any. max_age: age in frames above "
        "which frames are stale, 0 to 65535, needs the clock; -1: any age. max_lead: "
        "frames by which a frame may be ahead of the clock, 0 to 65535. in_order: "
        "whether "
        "frames have to be in order also where max_age is -1.")
        .def(py::init([](quantizer::sptr quantizer,
                         uint8_t codec_id,
                         uint16_t model_id,
                         const std::vector<uint16_t>& ue_ids,
                         int max_age,
                         int max_lead,
                         bool in_order) {
                 feedback_rules rules;
                 rules.codec_id = codec_id;
                 rules.model_id = model_id;
                 rules.ue_ids = ue_ids;
                 rules.max_age = max_age;
                 rules.max_lead = max_lead;
                 rules.in_order = in_order;
                 return feedback_receiver::make(quantizer, rules);
             }),
             py::arg("quantizer"),
             py::arg("codec_id"),
             py::arg("model_id"),
             py::arg("ue_ids") = std::vector<uint16_t>(),
             py::arg("max_age") = -1,
             py::arg("max_lead") = 0,
             py::arg("in_order") = false)
        .def(
            py::init([](report_decoder::sptr decoder,
                        const std::vector<uint16_t>& ue_ids,
                        int max_age,
                        int max_lead,
                        bool in_order) {
                if (!decoder)
                    throw std::invalid_argument("feedback_receiver: decoder is null");
                feedback_rules rules;
                rules.codec_id = decoder->codec_id();
                rules.model_id = decoder->model_id();
                rules.ue_ids = ue_ids;
                rules.max_age = max_age;
                rules.max_lead = max_lead;
                rules.in_order = in_order;
                return feedback_receiver::make(
                    decoder->format(), decoder->max_bits(), rules);
            }),
            "Of reports: the codec, the model and the form of the reports are those of a "
            "report decoder.",
            py::arg("decoder"),
            py::arg("ue_ids") = std::vector<uint16_t>(),
            py::arg("max_age") = -1,
            py::arg("max_lead") = 0,
            py::arg("in_order") = false)
        .def("set_quantizer", &feedback_receiver::set_quantizer, py::arg("quantizer"))
        .def(
            "set_key",
            [](feedback_receiver& self, int ue_id, const py::bytes& key) {
                self.set_key(ue_id, key_from_bytes(key));
            },
            py::arg("ue_id"),
            py::arg("key"),
            "Sets the key of a UE, 16 to 65536 bytes, or with ue_id -1 that of all that "
            "have none of their own. From the first key on every frame has to be signed.")
        .def("add_configuration",
             &feedback_receiver::add_configuration,
             py::arg("configuration"),
             "Accepts compact frames of a configuration, in place of another with the "
             "same "
             "number.")
        .def("set_now",
             &feedback_receiver::set_now,
             py::arg("frame"),
             "Sets the clock: the number of the frame that the BS sends now.")
        .def(
            "receive",
            [](feedback_receiver& self, const py::bytes& message) {
                const std::string bytes = message;
                const feedback_result r = self.receive(byte_data(bytes), bytes.size());
                if (r.status != frame_status::ok)
                    return py::make_tuple(r.status, r.header, py::none(), py::bytes());
                return py::make_tuple(
                    r.status,
                    r.header,
                    r.frame,
                    py::bytes(reinterpret_cast<const char*>(r.payload), r.payload_bytes));
            },
            py::arg("message"),
            "Judges a message. Returns (frame_status, feedback_header, whole frame "
            "number, "
            "payload); the last two are None and empty unless the status is ok.")
        .def(
            "admit",
            [](feedback_receiver& self,
               int kind,
               uint16_t ue_id,
               uint16_t frame_number,
               const py::bytes& message) {
                const std::string bytes = message;
                uint64_t frame = 0;
                const frame_status status = self.admit(
                    kind, ue_id, frame_number, byte_data(bytes), bytes.size(), frame);
                return py::make_tuple(status,
                                      status == frame_status::ok
                                          ? py::object(py::int_(frame))
                                          : py::none());
            },
            py::arg("kind"),
            py::arg("ue_id"),
            py::arg("frame_number"),
            py::arg("message"),
            "Judges UE, signature, age and order of a message of another kind, 1 to 3. "
            "Returns (frame_status, whole frame number or None).")
        .def("signature_bytes",
             &feedback_receiver::signature_bytes,
             "Bytes of the signature at the end of every message, 0 without a key.")
        .def(
            "counts",
            [](const feedback_receiver& self) {
                return count_by_status(
                    [&self](frame_status status) { return self.count(status); });
            },
            "Number of messages by outcome.");

    m.def("read_pdu",
          &read_pdu,
          py::arg("message"),
          py::arg("dtype"),
          "What a message handler gets, as a PDU, whatever it is. dtype: complex64, "
          "float32, int16 or uint8. Returns (metadata, values): a dictionary of the "
          "entries that are numbers, and an array of that dtype; or None if the message "
          "is not a pair of a proper dictionary of at most 256 entries and a vector of "
          "such values.");
}
