/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/channel_model.h>
#include <pybind11/stl.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

void bind_channels(py::module& m)
{
    py::class_<channel_model, channel_model::sptr>(
        m, "channel_model", "A source of channel matrices: a function of (seed, index).")
        .def("name", &channel_model::name)
        .def("parameters", &channel_model::parameters, "All parameters as JSON.")
        .def("nc", [](const channel_model& self) { return self.grid().nc; })
        .def("nt", [](const channel_model& self) { return self.grid().nt; })
        .def("spacing_hz", [](const channel_model& self) { return self.grid().spacing_hz; })
        .def("sample_interval_s", &channel_model::sample_interval_s)
        .def(
            "paths",
            [](const channel_model& self, uint64_t index) {
                py::list paths;
                for (const propagation_path& p : self.paths(index))
                    paths.append(py::make_tuple(p.delay_s, p.u, p.gain));
                return paths;
            },
            py::arg("index"),
            "(delay in s, direction cosine of departure, complex gain) of every plane wave.")
        .def(
            "generate",
            [](const channel_model& self, uint64_t index) {
                py::array_t<cf> h({ self.grid().nc, self.grid().nt });
                self.generate(index, h.mutable_data());
                return h;
            },
            py::arg("index"),
            "H of sample `index`, complex64 (nc, nt).")
        .def(
            "generate_truncated",
            [](const channel_model& self, uint64_t index, int na, int precursor) {
                if (na < 1 || na > self.grid().nc)
                    throw std::invalid_argument("na is " + std::to_string(na) +
                                                ", allowed is 1 to " +
                                                std::to_string(self.grid().nc));
                py::array_t<cf> ha({ na, self.grid().nt });
                channel_sample_info info;
                self.generate_truncated(index, na, precursor, ha.mutable_data(), &info);
                return py::make_tuple(ha, info.energy, info.energy_lost);
            },
            py::arg("index"),
            py::arg("na"),
            py::arg("precursor") = 4,
            "Ha of sample `index`, complex64 (na, nt), the energy of the whole H, and the "
            "fraction of it that the cut lost.");
}
