/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// A module of its own: importing gnuradio.csifeedback must not load libtorch.

#include <gnuradio/csifeedback/torch_decoder.h>
#include <gnuradio/csifeedback/torch_encoder.h>
#include <gnuradio/csifeedback/torch_network.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;
using namespace gr::csifeedback;

PYBIND11_MODULE(csifeedback_torch, m)
{
    using release = py::call_guard<py::gil_scoped_release>;
    m.doc() = "Codecs in TorchScript files, run by libtorch.";
    py::module::import("gnuradio.csifeedback.csifeedback_python");
    m.def("open_network",
          &torch_network::open,
          py::arg("path"),
          py::arg("options") = "",
          py::arg("defaults") = "",
          release(),
          "Loads a TorchScript file, which executes what is in it; options: what it does "
          "not state, \"rows=32,nt=32,..\". Raises ValueError with one line.");
    m.def("stated",
          &torch_network::stated,
          py::arg("path"),
          release(),
          "What a TorchScript file states, \"name=value,..\".");
    m.def("torch_encoder",
          &torch_encoder::make,
          py::arg("path"),
          py::arg("options") = "",
          py::arg("code_size") = 0,
          py::arg("model_id") = -1,
          release(),
          "The encoder in a TorchScript file.");
    m.def("torch_decoder",
          &torch_decoder::make,
          py::arg("path"),
          py::arg("options") = "",
          py::arg("code_size") = 0,
          py::arg("model_id") = -1,
          release(),
          "The decoder in a TorchScript file.");
    m.def("library_version", &torch_network::library_version, "Version of libtorch.");
}
