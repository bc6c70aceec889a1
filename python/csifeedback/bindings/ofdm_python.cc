/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/channel_estimator.h>
#include <gnuradio/csifeedback/checked_file_sink.h>
#include <gnuradio/csifeedback/csi_import.h>
#include <gnuradio/csifeedback/csi_sync.h>
#include <gnuradio/csifeedback/csirs_frame.h>
#include <gnuradio/csifeedback/csirs_source.h>
#include <gnuradio/csifeedback/mimo_channel.h>
#include <pybind11/stl.h>
#include <algorithm>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

template <typename T>
using sync_class =
    py::class_<T, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<T>>;
template <typename T>
using block_class = py::class_<T, gr::block, gr::basic_block, std::shared_ptr<T>>;

} // namespace

void bind_ofdm(py::module& m)
{
    py::class_<csirs_frame, csirs_frame::sptr>(
        m, "csirs_frame", "Frames of pilots for every antenna port: their description.")
        .def(py::init([](int nt,
                         int fft_size,
                         int cp_length,
                         int nc,
                         double spacing_hz,
                         int comb,
                         int cdm_frequency,
                         int cdm_time,
                         const std::string& cover,
                         int cell_id,
                         int slot,
                         double power,
                         int gap) {
                 csirs_parameters p;
                 p.nt = nt;
                 p.fft_size = fft_size;
                 p.cp_length = cp_length;
                 p.nc = nc;
                 p.spacing_hz = spacing_hz;
                 p.comb = comb;
                 p.cdm_frequency = cdm_frequency;
                 p.cdm_time = cdm_time;
                 p.cover = cover;
                 p.cell_id = cell_id;
                 p.slot = slot;
                 p.power = power;
                 p.gap = gap;
                 return csirs_frame::make(p);
             }),
             py::arg("nt") = 8,
             py::arg("fft_size") = 512,
             py::arg("cp_length") = 36,
             py::arg("nc") = 300,
             py::arg("spacing_hz") = 15e3,
             py::arg("comb") = 4,
             py::arg("cdm_frequency") = 1,
             py::arg("cdm_time") = 2,
             py::arg("cover") = "walsh",
             py::arg("cell_id") = 0,
             py::arg("slot") = 0,
             py::arg("power") = 1.0,
             py::arg("gap") = 0)
        .def_static(
            "preset",
            [](int bandwidth_mhz, int spacing_khz) {
                const csirs_parameters p =
                    csirs_frame::preset(bandwidth_mhz, spacing_khz);
                py::dict d;
                d["fft_size"] = p.fft_size;
                d["cp_length"] = p.cp_length;
                d["nc"] = p.nc;
                d["spacing_hz"] = p.spacing_hz;
                return d;
            },
            py::arg("bandwidth_mhz"),
            py::arg("spacing_khz"),
            "Sizes of an NR carrier, as keyword arguments: "
            "csirs_frame(nt=32, **csirs_frame.preset(20, 15)).")
        .def("__repr__",
             [](const csirs_frame& f) {
                 return "<" + std::to_string(f.parameters().nc) + " x " +
                        std::to_string(f.parameters().nt) + ", " +
                        std::to_string(f.symbols()) + " symbols>";
             })
        .def("nt", [](const csirs_frame& f) { return f.parameters().nt; })
        .def("nc", [](const csirs_frame& f) { return f.parameters().nc; })
        .def("fft_size", [](const csirs_frame& f) { return f.parameters().fft_size; })
        .def("cp_length", [](const csirs_frame& f) { return f.parameters().cp_length; })
        .def("spacing_hz", [](const csirs_frame& f) { return f.parameters().spacing_hz; })
        .def("power", [](const csirs_frame& f) { return f.parameters().power; })
        .def("symbols", &csirs_frame::symbols)
        .def("header_symbols", &csirs_frame::header_symbols)
        .def("first_pilot", &csirs_frame::first_pilot)
        .def("pilot_symbols", &csirs_frame::pilot_symbols)
        .def("pilots", &csirs_frame::pilots)
        .def("pilot_distance", &csirs_frame::pilot_distance)
        .def(
            "pilot_offset",
            [](const csirs_frame& f, int port) {
                if (port < 0 || port >= f.parameters().nt)
                    throw std::invalid_argument("port is " + std::to_string(port) +
                                                ", allowed is 0 to " +
                                                std::to_string(f.parameters().nt - 1));
                return f.pilot_offset(port);
            },
            py::arg("port"))
        .def("pilot_amplitude", &csirs_frame::pilot_amplitude)
        .def("frame_length", &csirs_frame::frame_length, "In samples, gap included.")
        .def("sample_rate", &csirs_frame::sample_rate, "In samples/s.")
        .def("hash", &csirs_frame::hash)
        .def(
            "grid",
            [](const csirs_frame& f, uint32_t frame) {
                const csirs_parameters& p = f.parameters();
                py::array_t<cf> grid({ p.nt, f.symbols(), p.nc });
                for (int n = 0; n < p.nt; n++)
                    for (int l = 0; l < f.symbols(); l++)
                        f.grid(frame, n, l, grid.mutable_data(n, l, 0));
                return grid;
            },
            py::arg("frame") = 0,
            "What every port sends, complex64 (nt, symbols, nc), without amplitudes.")
        .def(
            "sequence",
            [](const csirs_frame& f, int symbol) {
                if (symbol < 0 || symbol >= f.symbols())
                    throw std::invalid_argument("symbol is " + std::to_string(symbol) +
                                                ", allowed is 0 to " +
                                                std::to_string(f.symbols() - 1));
                return py::array_t<cf>(f.parameters().nc, f.sequence(symbol));
            },
            py::arg("symbol"),
            "The sequence of a symbol, complex64 (nc).");
    m.def(
        "gold_sequence",
        [](uint32_t c_init, size_t count) {
            const auto c = gold_sequence(c_init, count);
            return py::array_t<uint8_t>(c.size(), c.data());
        },
        py::arg("c_init"),
        py::arg("count"),
        "The pseudo-random sequence of TS 38.211, clause 5.2.1: uint8 (count).");

    sync_class<csirs_source>(m, "csirs_source", "Frames of pilots for all antenna ports.")
        .def(py::init(&csirs_source::make),
             py::arg("frame"),
             py::arg("count") = 0,
             py::arg("first") = 0,
             py::arg("window") = 0)
        .def("frames", &csirs_source::frames);
    block_class<mimo_channel>(
        m, "mimo_channel", "The radio channel from nt ports to nr antennas.")
        .def(py::init(&mimo_channel::make),
             py::arg("models"),
             py::arg("sample_rate"),
             py::arg("max_delay") = 64,
             py::arg("snr_db") = 300.0,
             py::arg("signal_power") = 1.0,
             py::arg("seed") = 1,
             py::arg("updates") = 1,
             py::arg("frame") = nullptr)
        .def("delay", &mimo_channel::delay)
        .def("set_snr_db", &mimo_channel::set_snr_db, py::arg("snr_db"))
        .def("energy_lost", &mimo_channel::energy_lost)
        .def("frames", &mimo_channel::frames);
    m.def(
        "mimo_channel_from_taps",
        [](const array_in<cf>& taps,
           int nc,
           double spacing_hz,
           double sample_rate,
           double snr_db,
           double signal_power,
           uint64_t seed,
           int updates,
           csirs_frame::sptr frame) {
            if (taps.ndim() != 3 && taps.ndim() != 4)
                throw std::invalid_argument(
                    "taps has " + std::to_string(taps.ndim()) +
                    " dimensions, allowed is (nr, nt, length) or (count, nr, nt, "
                    "length)");
            const auto* shape = taps.shape() + (taps.ndim() - 3);
            return mimo_channel::make_from_taps(
                std::vector<cf>(taps.data(), taps.data() + taps.size()),
                std::min<py::ssize_t>(shape[0], 1 << 20),
                std::min<py::ssize_t>(shape[1], 1 << 20),
                std::min<py::ssize_t>(shape[2], 1 << 20),
                nc,
                spacing_hz,
                sample_rate,
                snr_db,
                signal_power,
                seed,
                updates,
                frame);
        },
        py::arg("taps"),
        py::arg("nc"),
        py::arg("spacing_hz"),
        py::arg("sample_rate"),
        py::arg("snr_db") = 300.0,
        py::arg("signal_power") = 1.0,
        py::arg("seed") = 1,
        py::arg("updates") = 1,
        py::arg("frame") = nullptr,
        "A mimo_channel of given taps, complex (nr, nt, length), or (count, nr, nt, "
        "length) for one after the other.");

    py::class_<channel_interpolator, channel_interpolator::sptr>(
        m, "channel_interpolator", "H on all subcarriers of H at the pilots.")
        .def("__repr__",
             [](const channel_interpolator& self) {
                 return "<" + std::string(self.name()) + ">";
             })
        .def("name", &channel_interpolator::name)
        .def("frame", &channel_interpolator::frame)
        .def(
            "profile",
            [](const channel_interpolator& self) {
                const auto profile = self.profile();
                return py::array_t<float>(profile.size(), profile.data());
            },
            "Power at the delays, half a row apart, that an LMMSE estimate is for.");
    m.def("linear_interpolator",
          &channel_interpolator::make_linear,
          py::arg("frame"),
          "Straight lines between the pilots.");
    m.def("dft_interpolator",
          &channel_interpolator::make_dft,
          py::arg("frame"),
          py::arg("before") = 4,
          py::arg("after") = 0,
          "Keeps the delay rows -before to after - 1 (0: the cyclic prefix).");
    m.def("lmmse_interpolator",
          &channel_interpolator::make_lmmse,
          py::arg("frame"),
          py::arg("before") = 4,
          py::arg("after") = 0,
          py::arg("profile") = std::vector<float>(),
          "Least mean squared error for a delay profile, given or learned.");
    py::class_<csirs_estimator, csirs_estimator::sptr>(
        m, "csirs_estimator", "Estimates H from the pilot symbols of a frame.")
        .def(py::init(&csirs_estimator::make),
             py::arg("interpolator"),
             py::arg("align") = true,
             py::arg("threshold_db") = 20.0f)
        .def(
            "estimate",
            [](csirs_estimator& self, const array_in<cf>& grid, float noise) {
                const csirs_frame& f = *self.frame();
                const py::ssize_t nc = f.parameters().nc, nt = f.parameters().nt;
                const batch b = as_batch(grid, "grid", { f.pilot_symbols(), nc });
                auto h = results<cf>(b, { nc, nt });
                py::list infos;
                for (py::ssize_t i = 0; i < b.count; i++) {
                    csi_estimate info;
                    if (!self.estimate(grid.data() + i * f.pilot_symbols() * nc,
                                       noise,
                                       h.mutable_data() + i * nc * nt,
                                       &info))
                        throw std::invalid_argument("grid: item " + std::to_string(i) +
                                                    " is all zero or not finite");
                    py::dict d;
                    d["noise"] = info.noise;
                    d["error"] = info.error;
                    d["snr_db"] = info.snr_db;
                    d["shift"] = info.shift;
                    infos.append(d);
                }
                return py::make_tuple(h, b.front.empty() ? py::object(infos[0]) : infos);
            },
            py::arg("grid"),
            py::arg("noise") = -1.0f,
            "H of pilot symbols, complex (symbols, nc) or (n, symbols, nc), and a "
            "dictionary (or n of them) of noise, error, snr_db and shift. noise: "
            "variance "
            "of a cell, below 0: not known.");

    block_class<csi_sync>(m, "csi_sync", "Finds pilot frames in received samples.")
        .def(py::init(&csi_sync::make),
             py::arg("frame"),
             py::arg("nr") = 1,
             py::arg("max_offset") = 4.0)
        .def("frames", &csi_sync::frames)
        .def("unknown", &csi_sync::unknown)
        .def("bad_headers", &csi_sync::bad_headers)
        .def("broken", &csi_sync::broken)
        .def("bad_samples", &csi_sync::bad_samples);
    block_class<channel_estimator>(
        m, "channel_estimator", "H from the pilot symbols of a frame.")
        .def(py::init(&channel_estimator::make),
             py::arg("interpolator"),
             py::arg("align") = true,
             py::arg("threshold_db") = 20.0f)
        .def("estimated", &channel_estimator::estimated)
        .def("discarded", &channel_estimator::discarded);
    block_class<csi_import>(m, "csi_import", "CSI that other receivers estimated.")
        .def(py::init(&csi_import::make),
             py::arg("nc"),
             py::arg("item_size") = 8,
             py::arg("carriers") = "",
             py::arg("fft_order") = false)
        .def("imported", &csi_import::imported)
        .def("discarded", &csi_import::discarded);
    sync_class<checked_file_sink>(
        m,
        "checked_file_sink",
        "Writes a stream to a file, and knows whether all is there.")
        .def(py::init([](const file_name& path, size_t item_size) {
                 return checked_file_sink::make(path.string(), item_size);
             }),
             py::arg("path"),
             py::arg("item_size") = 8)
        .def("recorded", &checked_file_sink::recorded)
        .def("error", &checked_file_sink::error)
        .def("finish",
             &checked_file_sink::finish,
             py::call_guard<py::gil_scoped_release>(),
             "Waits until all is on the disk; what went wrong, or an empty text.");
}
