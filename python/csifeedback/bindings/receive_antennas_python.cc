/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/receive_antennas.h>

using namespace gr::csifeedback;
namespace py = pybind11;

void bind_receive_antennas(py::module& m)
{
    const char* name = "receive_antennas";
    m.def(
        name,
        [](cdl_panel_channel::sptr panel,
           int antenna,
           uint64_t drop,
           double step,
           bool align) {
            return receive_antennas::make(std::move(panel),
                                          { antenna, drop, step, align });
        },
        py::arg("panel"),
        py::arg("antenna") = -1,
        py::arg("samples_per_drop") = 1,
        py::arg("step_wavelengths") = 0.0,
        py::arg("align") = false,
        "Channels of UEs with several antennas as a channel_model: matrices (nc nr, nt), "
        "of which row k nr + a is antenna a on subcarrier k; or (nc, nt) of one "
        "antenna, 0 to nr - 1. A UE moves by step_wavelengths along x from sample to "
        "sample of a drop. align moves the earliest path of each matrix to delay zero, "
        "as "
        "a receiver does.");
    m.def(
        name,
        [](scenario_panel_channel::sptr panel, int antenna, bool align) {
            return receive_antennas::make(std::move(panel), { antenna, 1, 0, align });
        },
        py::arg("panel"),
        py::arg("antenna") = -1,
        py::arg("align") = false,
        "Likewise, of UEs of a scenario.");
    m.def(
        name,
        [](channel_model::sptr antennas, int nr, int antenna, uint64_t first) {
            return receive_antennas::make(std::move(antennas), nr, antenna, first);
        },
        py::arg("antennas"),
        py::arg("nr"),
        py::arg("antenna") = -1,
        py::arg("first") = 0,
        "Likewise, of a model whose samples i nr to i nr + nr - 1 are the antennas of UE "
        "i, such as dataset_channel of a data set of panels. Sample 0 is of UE `first`.");
}
