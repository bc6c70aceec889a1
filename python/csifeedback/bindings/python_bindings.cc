/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/version.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_blocks(py::module& m);
void bind_channels(py::module& m);
void bind_codebooks(py::module& m);
void bind_codecs(py::module& m);
void bind_compact_frames(py::module& m);
void bind_feedback(py::module& m);
void bind_frames(py::module& m);
void bind_metrics(py::module& m);
void bind_mlcf_training(py::module& m);
void bind_model(py::module& m);
void bind_networks(py::module& m);
void bind_ofdm(py::module& m);
void bind_quantizers(py::module& m);
void bind_receive_antennas(py::module& m);
void bind_shapes(py::module& m);
void bind_transform(py::module& m);

PYBIND11_MODULE(csifeedback_python, m)
{
    // The base classes of all blocks.
    py::module::import("gnuradio.gr");
    m.attr("__version__") = gr::csifeedback::version();
    bind_channels(m);
    bind_receive_antennas(m);
    bind_model(m);
    bind_quantizers(m);
    bind_transform(m);
    bind_frames(m);
    bind_compact_frames(m);
    bind_metrics(m);
    bind_codecs(m);
    bind_codebooks(m);
    bind_feedback(m);
    bind_ofdm(m);
    bind_shapes(m);
    bind_blocks(m);
    bind_mlcf_training(m);
    bind_networks(m);
}
