/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <pybind11/stl.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;

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

} // namespace

void bind_quantizers(py::module& m)
{
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
        "A quantizer by its name: uniform, lloyd-max, lloyd-max-per-entry, allocated or "
        "predictive; these two share out code_size times as many bits among the "
        "values.");
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
    m.def("predictive_quantizer",
          &scalar_quantizer::make_predictive,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("total_bits") = 512,
          "The same for what the entries before do not predict, for models with "
          "correlated codewords (Csi-L2O).");
    m.def("scalar_quantizer",
          &scalar_quantizer::make,
          py::arg("std_dev"),
          py::arg("entry_bits"),
          py::arg("levels"),
          py::arg("type_id") = 15,
          py::arg("bits") = 0,
          "A quantizer of given levels.");
}
