/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// A module of its own: importing gnuradio.csifeedback must not load ONNX Runtime.

#include <gnuradio/csifeedback/onnx_network.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;
using namespace gr::csifeedback;

PYBIND11_MODULE(csifeedback_onnx, m)
{
    using release = py::call_guard<py::gil_scoped_release>;
    m.doc() = "Codecs in ONNX files, run by ONNX Runtime.";
    py::module::import("gnuradio.csifeedback.csifeedback_python");
    m.def("open_network",
          &onnx_network::open,
          py::arg("path"),
          py::arg("options") = "",
          py::arg("defaults") = "",
          release(),
          "Loads an ONNX file; options: what it does not state, \"rows=32,nt=32,..\". "
          "Raises ValueError with one line.");
    m.def("stated",
          &onnx_network::stated,
          py::arg("path"),
          release(),
          "What an ONNX file states, \"name=value,..\".");
    m.def("library_version", &onnx_network::library_version, "Version of ONNX Runtime.");
}
