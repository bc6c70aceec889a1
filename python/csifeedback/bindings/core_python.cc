/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/link_model.h>
#include <gnuradio/csifeedback/metrics.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/precoder.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <pybind11/stl.h>
#include <algorithm>
#include <cmath>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

// Maps the last dimension of an array of codewords, of any length up to the quantizer's.
template <typename in_t, typename out_t, typename function>
py::array_t<out_t> map_codewords(const quantizer& self,
                                 const array_in<in_t>& x,
                                 const char* name,
                                 function&& f)
{
    const py::ssize_t m = x.ndim() ? x.shape(x.ndim() - 1) : 0;
    if (m < 1 || m > self.code_size())
        throw std::invalid_argument(std::string(name) + " has codewords of length " +
                                    std::to_string(m) + ", allowed is 1 to " +
                                    std::to_string(self.code_size()));
    const batch b = as_batch(x, name, { m });
    auto y = results<out_t>(b, { m });
    for (py::ssize_t i = 0; i < b.count; i++)
        f(x.data() + i * m, m, y.mutable_data() + i * m);
    return y;
}

py::dict estimate_to_dict(const mean_estimate& e)
{
    py::dict d;
    d["count"] = e.count;
    d["mean"] = e.mean;
    d["half_width"] = e.half_width;
    return d;
}

} // namespace

void bind_core(py::module& m)
{
    py::class_<model_file, model_file::sptr>(
        m, "model_file", "A trained model in an HDF5 file, opened for reading.")
        .def(py::init(&model_file::open),
             py::arg("path"),
             "Opens a model by file name, or by the name of an installed model. Raises "
             "ValueError naming the file and what is wrong with it.")
        .def("__repr__",
             [](const model_file& self) {
                 return "<" + self.codec() + ", " + std::to_string(self.na()) + " x " +
                        std::to_string(self.nt()) + ">";
             })
        .def_property_readonly("path", &model_file::path)
        .def_property_readonly("codec", &model_file::codec)
        .def_property_readonly("domain", &model_file::domain)
        .def_property_readonly("nc", &model_file::nc)
        .def_property_readonly("na", &model_file::na)
        .def_property_readonly("nt", &model_file::nt)
        .def_property_readonly("precursor", &model_file::precursor)
        .def_property_readonly("model_id", &model_file::model_id)
        .def("text",
             &model_file::text,
             py::arg("name"),
             "A text attribute, '' if missing.")
        .def("has", &model_file::has, py::arg("name"), "Whether an array is there.")
        .def(
            "read",
            [](const model_file& self, const std::string& name) {
                // The shape is whatever it is: the caller is Python.
                std::string failures;
                for (size_t rank = 1; rank <= 4; rank++) {
                    try {
                        const float_array a =
                            self.read(name, std::vector<size_t>(rank, 0));
                        return py::array_t<float>(
                            std::vector<py::ssize_t>(a.shape.begin(), a.shape.end()),
                            a.data.data());
                    } catch (const std::invalid_argument& e) {
                        failures = e.what();
                        // Another rank is tried; what else is wrong stays wrong.
                        if (failures.find(" has shape ") == std::string::npos)
                            throw;
                    }
                }
                throw std::invalid_argument(failures);
            },
            py::arg("name"),
            "An array as float32; complex ones get a last dimension of 2.");

    py::class_<quantizer, quantizer::sptr>(
        m, "quantizer", "Codewords to level numbers and back.")
        .def("__repr__",
             [](const quantizer& self) {
                 return "<" + self.name() + ", bits " + std::to_string(self.bits()) +
                        ", M " + std::to_string(self.code_size()) + ">";
             })
        .def("name", &quantizer::name)
        .def("type_id", &quantizer::type_id)
        .def("bits", &quantizer::bits)
        .def("code_size", &quantizer::code_size)
        .def(
            "entry_bits",
            [](const quantizer& self) {
                std::vector<int> bits(self.code_size());
                for (int i = 0; i < self.code_size(); i++)
                    bits[i] = self.entry_bits(i);
                return bits;
            },
            "Bits of every entry.")
        .def(
            "total_bits",
            [](const quantizer& self, int m) {
                if (m < 0 || m > self.code_size())
                    throw std::invalid_argument("m is " + std::to_string(m) +
                                                ", allowed is 0 to " +
                                                std::to_string(self.code_size()));
                return self.total_bits(m ? m : self.code_size());
            },
            py::arg("m") = 0,
            "Bits of the first m entries, 0 for all.")
        .def(
            "quantize",
            [](const quantizer& self, const array_in<float>& s) {
                return map_codewords<float, int16_t>(
                    self, s, "s", [&self](const float* in, int m, int16_t* out) {
                        self.quantize(in, m, out);
                    });
            },
            py::arg("s"),
            "Level numbers, int16, of codewords, float (m,) or (n, m).")
        .def(
            "dequantize",
            [](const quantizer& self, const array_in<int16_t>& level) {
                return map_codewords<int16_t, float>(
                    self, level, "level", [&self](const int16_t* in, int m, float* out) {
                        self.dequantize(in, m, out);
                    });
            },
            py::arg("level"),
            "Codewords, float32, of level numbers, (m,) or (n, m).")
        .def(
            "pack",
            [](const quantizer& self, const array_in<int16_t>& level) {
                if (level.ndim() != 1 || level.size() < 1 ||
                    level.size() > self.code_size())
                    throw std::invalid_argument("level is not a codeword of 1 to " +
                                                std::to_string(self.code_size()) +
                                                " numbers");
                std::string bytes((self.total_bits(level.size()) + 7) / 8, '\0');
                pack_levels(self,
                            level.data(),
                            level.size(),
                            reinterpret_cast<uint8_t*>(&bytes[0]));
                return py::bytes(bytes);
            },
            py::arg("level"),
            "The levels of one codeword as a string of bits, most significant first.")
        .def(
            "unpack",
            [](const quantizer& self, const std::string& bytes, int m) {
                if (m < 1 || m > self.code_size() ||
                    bytes.size() != (self.total_bits(m) + 7) / 8)
                    throw std::invalid_argument(
                        std::to_string(bytes.size()) + " bytes are no codeword of " +
                        std::to_string(m) + " entries of this quantizer");
                py::array_t<int16_t> level(m);
                unpack_levels(self,
                              reinterpret_cast<const uint8_t*>(bytes.data()),
                              m,
                              level.mutable_data());
                return level;
            },
            py::arg("bytes"),
            py::arg("m"),
            "The inverse of pack() for a codeword of m entries.");
    m.def(
        "make_quantizer",
        &quantizer::from_model,
        py::arg("model"),
        py::arg("name"),
        py::arg("code_size") = 0,
        py::arg("bits") = 6,
        "A quantizer by its name: uniform, lloyd-max, lloyd-max-per-entry, or allocated, "
        "which shares out code_size times as many bits among the values.");
    m.def("uniform_quantizer",
          &scalar_quantizer::make_uniform,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("bits") = 6,
          py::arg("range") = 0.0f,
          "Uniform levels over +-range standard deviations, 0 for the best range.");
    m.def("lloyd_max_quantizer",
          &scalar_quantizer::make_lloyd_max,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("bits") = 6,
          py::arg("per_entry") = false,
          "Lloyd-Max levels trained on the training set.");
    m.def("allocated_quantizer",
          &scalar_quantizer::make_allocated,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("total_bits") = 512,
          "Lloyd-Max levels with a budget of bits shared out over the entries.");
    m.def("scalar_quantizer",
          &scalar_quantizer::make,
          py::arg("std_dev"),
          py::arg("entry_bits"),
          py::arg("levels"),
          py::arg("type_id") = 15,
          py::arg("bits") = 0,
          "A quantizer of given levels.");

    py::class_<angular_delay_transform, angular_delay_transform::sptr>(
        m, "angular_delay_transform", "The unitary, truncated 2D-DFT of CSI.")
        .def(py::init(&angular_delay_transform::make),
             py::arg("nc"),
             py::arg("nt"),
             py::arg("na"),
             py::arg("precursor") = 4,
             py::arg("align") = false,
             py::arg("threshold_db") = 20.0f)
        .def("nc", &angular_delay_transform::nc)
        .def("nt", &angular_delay_transform::nt)
        .def("na", &angular_delay_transform::na)
        .def("precursor", &angular_delay_transform::precursor)
        .def(
            "forward",
            [](angular_delay_transform& self, const array_in<cf>& h) {
                const batch b = as_batch(h, "H", { self.nc(), self.nt() });
                auto ha = results<cf>(b, { self.na(), self.nt() });
                auto lost = results<float>(b, {});
                auto shift = results<float>(b, {});
                for (py::ssize_t i = 0; i < b.count; i++) {
                    angular_delay_info info;
                    self.forward(h.data() + i * self.nc() * self.nt(),
                                 ha.mutable_data() + i * self.na() * self.nt(),
                                 &info);
                    lost.mutable_data()[i] = info.energy_lost;
                    shift.mutable_data()[i] = info.shift;
                }
                return py::make_tuple(ha, lost, shift);
            },
            py::arg("h"),
            "H, complex (nc, nt) or (n, nc, nt), to Ha, with the fraction of energy lost "
            "and the delay shift in rows.")
        .def(
            "inverse",
            [](angular_delay_transform& self, const array_in<cf>& ha) {
                const batch b = as_batch(ha, "Ha", { self.na(), self.nt() });
                auto h = results<cf>(b, { self.nc(), self.nt() });
                for (py::ssize_t i = 0; i < b.count; i++)
                    self.inverse(ha.data() + i * self.na() * self.nt(),
                                 h.mutable_data() + i * self.nc() * self.nt());
                return h;
            },
            py::arg("ha"),
            "Ha, complex (na, nt) or (n, na, nt), to H.");

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
        .value("no_clock", frame_status::no_clock);
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

    py::class_<running_mean>(m, "running_mean", "Mean with its 95 % confidence interval.")
        .def(py::init<>())
        .def("add", &running_mean::add, py::arg("x"))
        .def("reset", &running_mean::reset)
        .def("estimate",
             [](const running_mean& self) { return estimate_to_dict(self.estimate()); });
    m.def(
        "squared_error_ratio",
        [](const array_in<cf>& h, const array_in<cf>& h_hat) {
            if (h.ndim() != 2 && h.ndim() != 3)
                throw std::invalid_argument("h is not a matrix or a batch of matrices");
            const std::vector<py::ssize_t> item(h.shape() + h.ndim() - 2,
                                                h.shape() + h.ndim());
            const batch b = as_batch(h, "h", item);
            if (as_batch(h_hat, "h_hat", item).count != b.count ||
                h_hat.ndim() != h.ndim())
                throw std::invalid_argument("h and h_hat have different shapes");
            const size_t n = item[0] * item[1];
            auto ratio = results<double>(b, {});
            for (py::ssize_t i = 0; i < b.count; i++)
                ratio.mutable_data()[i] =
                    squared_error_ratio(h.data() + i * n, h_hat.data() + i * n, n);
            return ratio;
        },
        py::arg("h"),
        py::arg("h_hat"),
        "||h - h_hat||^2 / ||h||^2 of every matrix, complex (rows, nt) or (n, rows, "
        "nt).");
    m.def(
        "cosine_similarity",
        [](const array_in<cf>& h, const array_in<cf>& h_hat) {
            if (h.ndim() != 2 && h.ndim() != 3)
                throw std::invalid_argument("h is not a matrix or a batch of matrices");
            const std::vector<py::ssize_t> item(h.shape() + h.ndim() - 2,
                                                h.shape() + h.ndim());
            const batch b = as_batch(h, "h", item);
            if (as_batch(h_hat, "h_hat", item).count != b.count ||
                h_hat.ndim() != h.ndim())
                throw std::invalid_argument("h and h_hat have different shapes");
            const size_t n = item[0] * item[1];
            auto rho = results<double>(b, {});
            for (py::ssize_t i = 0; i < b.count; i++)
                rho.mutable_data()[i] = cosine_similarity(
                    h.data() + i * n, h_hat.data() + i * n, item[0], item[1]);
            return rho;
        },
        py::arg("h"),
        py::arg("h_hat"),
        "Mean over the rows of |h_hat_k h_k^H| / (||h_hat_k|| ||h_k||), rows = "
        "subcarriers.");

    py::class_<precoder, precoder::sptr>(
        m,
        "precoder",
        "Precoding vectors of users with one antenna, from their channels.")
        .def(py::init(&precoder::make),
             py::arg("users"),
             py::arg("nt"),
             py::arg("type") = "zero-forcing")
        .def("users", &precoder::users)
        .def("nt", &precoder::nt)
        .def(
            "compute",
            [](precoder& self, const array_in<cf>& h) {
                const batch b = as_batch(h, "h", { self.users(), self.nt() });
                auto w = results<cf>(b, { self.users(), self.nt() });
                std::vector<const cf*> rows(self.users());
                const cf* in = h.data();
                cf* out = w.mutable_data();
                const size_t size = rows.size() * self.nt();
                for (py::ssize_t i = 0; i < b.count; i++) {
                    for (size_t k = 0; k < rows.size(); k++)
                        rows[k] = in + i * size + k * self.nt();
                    self.compute(rows.data(), out + i * size);
                }
                return w;
            },
            py::arg("h"),
            "The users' vectors as rows, complex64 (users, nt) or (n, users, nt), for "
            "their "
            "channels h in the same shape, of finite values.");
    py::class_<spectral_efficiency, spectral_efficiency::sptr>(
        m,
        "spectral_efficiency",
        "Spectral efficiency of a downlink precoded with reconstructed CSI.")
        .def(py::init(&spectral_efficiency::make),
             py::arg("users"),
             py::arg("nc"),
             py::arg("nt"),
             py::arg("snr_db"),
             py::arg("precoding") = "zero-forcing",
             py::arg("normalize") = true)
        .def("users", &spectral_efficiency::users)
        .def("nc", &spectral_efficiency::nc)
        .def("nt", &spectral_efficiency::nt)
        .def("snr_db", &spectral_efficiency::snr_db)
        .def(
            "compute",
            [](spectral_efficiency& self,
               const array_in<cf>& h,
               const array_in<cf>& h_hat) {
                const py::ssize_t users = self.users(), snrs = self.snr_db().size();
                const std::vector<py::ssize_t> item{ users, self.nc(), self.nt() };
                const batch b = as_batch(h, "h", item);
                if (as_batch(h_hat, "h_hat", item).count != b.count)
                    throw std::invalid_argument("h and h_hat have different shapes");
                auto se = results<double>(b, { snrs });
                std::vector<const cf*> one(users), other(users);
                const size_t size = size_t(self.nc()) * self.nt();
                const cf *in = h.data(), *in_hat = h_hat.data();
                double* out = se.mutable_data();
                py::gil_scoped_release release;
                for (py::ssize_t i = 0; i < b.count; i++) {
                    for (py::ssize_t k = 0; k < users; k++) {
                        one[k] = in + (i * users + k) * size;
                        other[k] = in_hat + (i * users + k) * size;
                    }
                    if (!self.compute(one.data(), other.data(), out + i * snrs))
                        throw std::invalid_argument(
                            "group " + std::to_string(i) +
                            " has a matrix that is all zero or not finite");
                }
                return se;
            },
            py::arg("h"),
            py::arg("h_hat"),
            "Spectral efficiency at each SNR, float64 (snrs,) or (n, snrs), in bit/s/Hz, "
            "of "
            "groups of users: true and reconstructed H, complex (users, nc, nt) or (n, "
            "users, nc, nt).");
}
