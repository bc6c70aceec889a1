/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

void bind_transform(py::module& m)
{
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
}
