/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/cdl_panel_channel.h>
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <gnuradio/csifeedback/dataset_channel.h>
#include <gnuradio/csifeedback/dataset_file.h>
#include <gnuradio/csifeedback/scenario_channel.h>
#include <pybind11/stl.h>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstring>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

// Of one array: 64 GiB.
constexpr size_t max_values = size_t(1) << 33;

} // namespace

// The letter of "A", or of "cdl-a" as csifeedback_dataset calls it.
static char cdl_profile(const std::string& channel, const std::string& text)
{
    std::string name = text;
    for (char& c : name)
        c = std::toupper(static_cast<unsigned char>(c));
    if (name.rfind("CDL-", 0) == 0)
        name.erase(0, std::strlen("CDL-"));
    if (name.size() != 1)
        throw std::invalid_argument(channel + ": profile is " + text +
                                    ", allowed is A to E, or cdl-a to cdl-e");
    return name[0];
}

static scenario_parameters scenario_arguments(const std::string& scenario,
                                              double carrier_hz,
                                              double isd_m,
                                              double bs_height_m,
                                              double indoor_share,
                                              double high_loss_share,
                                              double downtilt_deg,
                                              bool sector_element,
                                              bool path_loss,
                                              double speed_mps,
                                              int slots_per_drop,
                                              double sample_interval_s,
                                              uint64_t seed,
                                              int release,
                                              const std::string& condition,
                                              const std::string& penetration)
{
    scenario_parameters p;
    p.scenario = scenario;
    p.release = release;
    p.condition = condition;
    p.penetration = penetration;
    p.carrier_hz = carrier_hz;
    p.isd_m = isd_m;
    p.bs_height_m = bs_height_m;
    p.indoor_share = indoor_share;
    p.high_loss_share = high_loss_share;
    p.downtilt_deg = downtilt_deg;
    p.sector_element = sector_element;
    p.path_loss = path_loss;
    p.speed_mps = speed_mps;
    p.slots_per_drop = slots_per_drop;
    p.sample_interval_s = sample_interval_s;
    p.seed = seed;
    return p;
}

static py::dict link_dictionary(const scenario_link& l)
{
    py::dict d;
    d["x_m"] = l.x_m;
    d["y_m"] = l.y_m;
    d["height_m"] = l.height_m;
    d["los"] = l.los;
    d["indoor"] = l.indoor;
    d["car"] = l.car;
    d["path_loss_db"] = l.path_loss_db;
    d["shadowing_db"] = l.shadowing_db;
    d["k_db"] = l.k_db;
    d["delay_spread_s"] = l.delay_spread_s;
    d["asd_deg"] = l.asd_deg;
    d["asa_deg"] = l.asa_deg;
    d["zsd_deg"] = l.zsd_deg;
    d["zsa_deg"] = l.zsa_deg;
    d["clusters"] = l.clusters;
    return d;
}

// count x nc x nr x ports values, or an error.
static py::array_t<cf> panel_matrices(py::ssize_t count, int nc, int nr, int ports)
{
    const size_t size = size_t(nc) * nr * ports;
    if (count < 0 || size_t(count) > max_values / size)
        throw std::invalid_argument("count is " + std::to_string(count) +
                                    ", allowed is 0 to " +
                                    std::to_string(max_values / size) + " at once");
    return py::array_t<cf>(std::vector<py::ssize_t>{ count, nc, nr, ports });
}

static void bind_scenarios(py::module& m)
{
    m.def(
        "scenario_channel",
        [](const std::string& scenario,
           int nc,
           int nt,
           double spacing_hz,
           double antenna_spacing,
           double carrier_hz,
           double isd_m,
           double bs_height_m,
           double indoor_share,
           double high_loss_share,
           double downtilt_deg,
           bool sector_element,
           bool path_loss,
           double speed_mps,
           int slots_per_drop,
           double sample_interval_s,
           bool align,
           bool normalize,
           uint64_t seed,
           bool receiver_aligned,
           int release,
           const std::string& condition,
           const std::string& penetration) {
            return scenario_channel::make(scenario_arguments(scenario,
                                                             carrier_hz,
                                                             isd_m,
                                                             bs_height_m,
                                                             indoor_share,
                                                             high_loss_share,
                                                             downtilt_deg,
                                                             sector_element,
                                                             path_loss,
                                                             speed_mps,
                                                             slots_per_drop,
                                                             sample_interval_s,
                                                             seed,
                                                             release,
                                                             condition,
                                                             penetration),
                                          { nc, nt, spacing_hz, antenna_spacing },
                                          align,
                                          normalize,
                                          receiver_aligned);
        },
        py::arg("scenario") = "uma",
        py::arg("nc") = 1024,
        py::arg("nt") = 32,
        py::arg("spacing_hz") = 20e6 / 1024,
        py::arg("antenna_spacing") = 0.5,
        py::arg("carrier_hz") = 3.5e9,
        py::arg("isd_m") = 0.0,
        py::arg("bs_height_m") = 0.0,
        py::arg("indoor_share") = -1.0,
        py::arg("high_loss_share") = 0.5,
        py::arg("downtilt_deg") = -1.0,
        py::arg("sector_element") = true,
        py::arg("path_loss") = false,
        py::arg("speed_mps") = 0.0,
        py::arg("slots_per_drop") = 1,
        py::arg("sample_interval_s") = 1e-3,
        py::arg("align") = true,
        py::arg("normalize") = false,
        py::arg("seed") = 1,
        py::arg("receiver_aligned") = false,
        py::arg("release") = 16,
        py::arg("condition") = "any",
        py::arg("penetration") = "low-high",
        "UEs of 3GPP TR 38.901, 7.5: scenario uma, umi, rma, inh-open or inh-mixed.");
    m.def(
        "scenario_link",
        [](const channel_model::sptr& channel, uint64_t index) {
            return link_dictionary(scenario_channel::link(channel, index));
        },
        py::arg("channel"),
        py::arg("index"),
        "Large-scale parameters of the UE of a sample of scenario_channel, as a "
        "dictionary.");
    m.def(
        "scenario_rays",
        [](const channel_model::sptr& channel, uint64_t index) {
            const auto rays = scenario_channel::rays(channel, index);
            py::array_t<double> found({ rays.size(), size_t(6) });
            double* out = found.mutable_data();
            for (const auto& r : rays)
                for (const double x :
                     { r.delay_s, r.power, r.aod_deg, r.zod_deg, r.aoa_deg, r.zoa_deg })
                    *out++ = x;
            return found;
        },
        py::arg("channel"),
        py::arg("index"),
        "Rays of a sample of scenario_channel, float64 (n, 6): delay in s, power, "
        "azimuth and "
        "zenith of departure, azimuth and zenith of arrival in degrees; the direct path "
        "first.");
    py::class_<scenario_panel_channel, scenario_panel_channel::sptr>(
        m,
        "scenario_panel_channel",
        "The scenarios of scenario_channel between a dual-polarized planar array of n1 x "
        "n2 "
        "elements and UEs with nr antennas, in turn vertical and horizontal.")
        .def(py::init([](const std::string& scenario,
                         int n1,
                         int n2,
                         int nr,
                         int nc,
                         double spacing_hz,
                         double carrier_hz,
                         double isd_m,
                         double bs_height_m,
                         double indoor_share,
                         double high_loss_share,
                         double downtilt_deg,
                         bool sector_element,
                         bool path_loss,
                         double speed_mps,
                         int slots_per_drop,
                         double sample_interval_s,
                         double spacing1,
                         double spacing2,
                         double slant_deg,
                         uint64_t seed,
                         int release,
                         const std::string& condition,
                         int rows_per_port,
                         double electrical_downtilt_deg,
                         const std::string& penetration) {
                 return scenario_panel_channel::make(scenario_arguments(scenario,
                                                                        carrier_hz,
                                                                        isd_m,
                                                                        bs_height_m,
                                                                        indoor_share,
                                                                        high_loss_share,
                                                                        downtilt_deg,
                                                                        sector_element,
                                                                        path_loss,
                                                                        speed_mps,
                                                                        slots_per_drop,
                                                                        sample_interval_s,
                                                                        seed,
                                                                        release,
                                                                        condition,
                                                                        penetration),
                                                     { n1,
                                                       n2,
                                                       spacing1,
                                                       spacing2,
                                                       slant_deg,
                                                       nr,
                                                       nc,
                                                       spacing_hz,
                                                       rows_per_port,
                                                       electrical_downtilt_deg });
             }),
             py::arg("scenario"),
             py::arg("n1") = 4,
             py::arg("n2") = 4,
             py::arg("nr") = 2,
             py::arg("nc") = 52,
             py::arg("spacing_hz") = 180e3,
             py::arg("carrier_hz") = 3.5e9,
             py::arg("isd_m") = 0.0,
             py::arg("bs_height_m") = 0.0,
             py::arg("indoor_share") = -1.0,
             py::arg("high_loss_share") = 0.5,
             py::arg("downtilt_deg") = -1.0,
             py::arg("sector_element") = true,
             py::arg("path_loss") = false,
             py::arg("speed_mps") = 0.0,
             py::arg("slots_per_drop") = 1,
             py::arg("sample_interval_s") = 1e-3,
             py::arg("spacing1") = 0.5,
             py::arg("spacing2") = 0.5,
             py::arg("slant_deg") = 45.0,
             py::arg("seed") = 1,
             py::arg("release") = 16,
             py::arg("condition") = "any",
             py::arg("rows_per_port") = 1,
             py::arg("electrical_downtilt_deg") = 0.0,
             py::arg("penetration") = "low-high")
        .def("ports", &scenario_panel_channel::ports)
        .def(
            "link",
            [](const scenario_panel_channel& self, uint64_t index) {
                return link_dictionary(self.link(index));
            },
            py::arg("index"),
            "Large-scale parameters of the UE of a sample, as a dictionary.")
        .def(
            "generate",
            [](const scenario_panel_channel& self, uint64_t first, py::ssize_t count) {
                const scenario_panel& p = self.panel();
                py::array_t<cf> h = panel_matrices(count, p.nc, p.nr, self.ports());
                cf* out = h.mutable_data();
                const size_t size = size_t(p.nc) * p.nr * self.ports();
                py::gil_scoped_release release;
                for (py::ssize_t i = 0; i < count; i++)
                    self.generate(first + i, out + i * size);
                return h;
            },
            py::arg("first"),
            py::arg("count"),
            "Samples first, first + 1 ..: H, complex64 (count, nc, nr, ports), ports by "
            "polarization, n1, n2.");
}

void bind_channels(py::module& m)
{
    py::class_<channel_model, channel_model::sptr>(
        m, "channel_model", "A source of channel matrices: a function of (seed, index).")
        .def("__repr__",
             [](const channel_model& self) { return "<" + self.name() + ">"; })
        .def("name", &channel_model::name)
        .def("parameters", &channel_model::parameters, "All parameters as JSON.")
        .def("nc", [](const channel_model& self) { return self.grid().nc; })
        .def("nt", [](const channel_model& self) { return self.grid().nt; })
        .def(
            "array",
            [](const channel_model& self) { return as_tuple(self.array()); },
            "(n1, n2, polarizations) of the ports; of a line (nt, 1, 1).")
        .def("spacing_hz",
             [](const channel_model& self) { return self.grid().spacing_hz; })
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
            "(delay in s, direction cosine of departure, complex gain) of every plane "
            "wave.")
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
            "Ha of sample `index`, complex64 (na, nt), the energy of the whole H, and "
            "the "
            "fraction of it that the cut lost.");

    m.def(
        "cost2100_channel",
        [](std::string scenario,
           int nc,
           int nt,
           double spacing_hz,
           double antenna_spacing,
           double area_m,
           int slots_per_drop,
           double sample_interval_s,
           double speed_mps,
           bool align,
           bool normalize,
           uint64_t seed,
           bool receiver_aligned) {
            cost2100_parameters p;
            // The names of csifeedback_dataset too.
            if (scenario.rfind("cost2100-", 0) == 0)
                scenario.erase(0, std::strlen("cost2100-"));
            p.scenario = scenario;
            p.grid = { nc, nt, spacing_hz, antenna_spacing };
            p.area_m = area_m;
            p.slots_per_drop = slots_per_drop;
            p.sample_interval_s = sample_interval_s;
            p.speed_mps = speed_mps;
            p.align = align;
            p.normalize = normalize;
            p.seed = seed;
            p.receiver_aligned = receiver_aligned;
            return cost2100_channel::make(p);
        },
        py::arg("scenario") = "indoor",
        py::arg("nc") = 1024,
        py::arg("nt") = 32,
        py::arg("spacing_hz") = 20e6 / 1024,
        py::arg("antenna_spacing") = 0.5,
        py::arg("area_m") = 0.0,
        py::arg("slots_per_drop") = 1,
        py::arg("sample_interval_s") = 1e-3,
        py::arg("speed_mps") = 1.0,
        py::arg("align") = true,
        py::arg("normalize") = true,
        py::arg("seed") = 1,
        py::arg("receiver_aligned") = false,
        "The COST 2100 model, scenario indoor, outdoor or outdoor-nlos.");
    bind_scenarios(m);
    py::class_<cdl_panel_channel, cdl_panel_channel::sptr>(
        m,
        "cdl_panel_channel",
        "CDL-A to E of 3GPP TR 38.901 between a dual-polarized planar array of n1 x n2 "
        "elements and a UE with nr antennas, in turn vertical and horizontal.")
        .def(py::init([](const std::string& profile,
                         int n1,
                         int n2,
                         int nr,
                         int nc,
                         double spacing_hz,
                         double delay_spread_s,
                         double angle_span_deg,
                         double spacing1,
                         double spacing2,
                         double slant_deg,
                         bool sector_element,
                         uint64_t seed,
                         int rows_per_port,
                         double electrical_downtilt_deg,
                         double asd_deg,
                         double asa_deg,
                         double zsd_deg,
                         double zsa_deg,
                         double bearing_deg,
                         double downtilt_deg,
                         double ue_bearing_deg) {
                 cdl_panel_parameters p;
                 p.rows_per_port = rows_per_port;
                 p.electrical_downtilt_deg = electrical_downtilt_deg;
                 p.profile = cdl_profile("cdl_panel_channel", profile);
                 p.n1 = n1;
                 p.n2 = n2;
                 p.nr = nr;
                 p.nc = nc;
                 p.spacing_hz = spacing_hz;
                 p.delay_spread_s = delay_spread_s;
                 p.angle_span_deg = angle_span_deg;
                 p.spacing1 = spacing1;
                 p.spacing2 = spacing2;
                 p.slant_deg = slant_deg;
                 p.sector_element = sector_element;
                 p.seed = seed;
                 p.asd_deg = asd_deg;
                 p.asa_deg = asa_deg;
                 p.zsd_deg = zsd_deg;
                 p.zsa_deg = zsa_deg;
                 p.bearing_deg = bearing_deg;
                 p.downtilt_deg = downtilt_deg;
                 p.ue_bearing_deg = ue_bearing_deg;
                 return cdl_panel_channel::make(p);
             }),
             py::arg("profile"),
             py::arg("n1") = 4,
             py::arg("n2") = 4,
             py::arg("nr") = 2,
             py::arg("nc") = 52,
             py::arg("spacing_hz") = 180e3,
             py::arg("delay_spread_s") = 100e-9,
             py::arg("angle_span_deg") = 0.0,
             py::arg("spacing1") = 0.5,
             py::arg("spacing2") = 0.5,
             py::arg("slant_deg") = 45.0,
             py::arg("sector_element") = false,
             py::arg("seed") = 1,
             py::arg("rows_per_port") = 1,
             py::arg("electrical_downtilt_deg") = 0.0,
             py::arg("asd_deg") = 0.0,
             py::arg("asa_deg") = 0.0,
             py::arg("zsd_deg") = 0.0,
             py::arg("zsa_deg") = 0.0,
             py::arg("bearing_deg") = 0.0,
             py::arg("downtilt_deg") = 0.0,
             py::arg("ue_bearing_deg") = 0.0)
        .def("ports", &cdl_panel_channel::ports)
        .def(
            "generate",
            [](const cdl_panel_channel& self, uint64_t first, py::ssize_t count) {
                const auto& p = self.parameters();
                if (count < 0)
                    throw std::invalid_argument("count is " + std::to_string(count) +
                                                ", allowed is 0 and more");
                py::array_t<cf> h(
                    std::vector<py::ssize_t>{ count, p.nc, p.nr, self.ports() });
                cf* out = h.mutable_data();
                const size_t size = size_t(p.nc) * p.nr * self.ports();
                py::gil_scoped_release release;
                for (py::ssize_t i = 0; i < count; i++)
                    self.generate(first + i, out + i * size);
                return h;
            },
            py::arg("first"),
            py::arg("count"),
            "Drops first, first + 1 ..: H, complex64 (count, nc, nr, ports), ports by "
            "polarization, n1, n2.")
        .def(
            "track",
            [](const cdl_panel_channel& self,
               uint64_t index,
               const py::array_t<double, py::array::c_style | py::array::forcecast>&
                   displacement) {
                const auto& p = self.parameters();
                if (displacement.ndim() != 2 || displacement.shape(1) != 2)
                    throw std::invalid_argument(
                        "displacement is not of two columns, x and y in wavelengths");
                const py::ssize_t count = displacement.shape(0);
                const double* const d = displacement.data();
                for (py::ssize_t i = 0; i < 2 * count; i++)
                    if (!std::isfinite(d[i]))
                        throw std::invalid_argument("displacement is not finite");
                py::array_t<cf> h = panel_matrices(count, p.nc, p.nr, self.ports());
                cf* out = h.mutable_data();
                const size_t size = size_t(p.nc) * p.nr * self.ports();
                py::gil_scoped_release release;
                for (py::ssize_t i = 0; i < count; i++)
                    self.generate(index, out + i * size, d[2 * i], d[2 * i + 1]);
                return h;
            },
            py::arg("index"),
            py::arg("displacement"),
            "A drop whose UE moves: displacement (n, 2), x and y in wavelengths; H, "
            "complex64 "
            "(n, nc, nr, ports).");
    m.def(
        "cdl_channel",
        [](const std::string& profile,
           int nc,
           int nt,
           double spacing_hz,
           double antenna_spacing,
           double carrier_hz,
           double delay_spread_s,
           double max_delay_spread_s,
           double speed_mps,
           double travel_azimuth_deg,
           double travel_zenith_deg,
           int slots_per_drop,
           double sample_interval_s,
           double angle_span_deg,
           bool sector_element,
           bool align,
           bool normalize,
           uint64_t seed,
           bool receiver_aligned) {
            cdl_parameters p;
            p.profile = cdl_profile("cdl_channel", profile);
            p.grid = { nc, nt, spacing_hz, antenna_spacing };
            p.carrier_hz = carrier_hz;
            p.delay_spread_s = delay_spread_s;
            p.max_delay_spread_s = max_delay_spread_s;
            p.speed_mps = speed_mps;
            p.travel_azimuth_deg = travel_azimuth_deg;
            p.travel_zenith_deg = travel_zenith_deg;
            p.slots_per_drop = slots_per_drop;
            p.sample_interval_s = sample_interval_s;
            p.angle_span_deg = angle_span_deg;
            p.sector_element = sector_element;
            p.align = align;
            p.normalize = normalize;
            p.seed = seed;
            p.receiver_aligned = receiver_aligned;
            return cdl_channel::make(p);
        },
        py::arg("profile") = "A",
        py::arg("nc") = 1024,
        py::arg("nt") = 32,
        py::arg("spacing_hz") = 20e6 / 1024,
        py::arg("antenna_spacing") = 0.5,
        py::arg("carrier_hz") = 3.5e9,
        py::arg("delay_spread_s") = 100e-9,
        py::arg("max_delay_spread_s") = 0.0,
        py::arg("speed_mps") = 0.0,
        py::arg("travel_azimuth_deg") = 0.0,
        py::arg("travel_zenith_deg") = 90.0,
        py::arg("slots_per_drop") = 1,
        py::arg("sample_interval_s") = 1e-3,
        py::arg("angle_span_deg") = 0.0,
        py::arg("sector_element") = false,
        py::arg("align") = true,
        py::arg("normalize") = false,
        py::arg("seed") = 1,
        py::arg("receiver_aligned") = false,
        "CDL-A to CDL-E of 3GPP TR 38.901.");
    m.def(
        "generate_channels",
        [](channel_model::sptr model,
           uint64_t first,
           size_t count,
           int na,
           int precursor,
           int threads) {
            if (!model)
                throw std::invalid_argument("generate_channels: model is null");
            const channel_grid& grid = model->grid();
            const size_t rows = na > 0 && na <= grid.nc ? na : grid.nc, nt = grid.nt;
            if (count > max_values / (rows * nt))
                throw std::invalid_argument(
                    "count is " + std::to_string(count) + ", allowed is 0 to " +
                    std::to_string(max_values / (rows * nt)) + " at once");
            py::array_t<cf> matrices({ count, rows, nt });
            py::array_t<double> energy(count), lost(count);
            cf* out = matrices.mutable_data();
            std::vector<channel_sample_info> info;
            // In steps of about a tenth of a second, so that Ctrl-C is heeded.
            size_t done = 0, step = 16;
            do {
                step = std::min(step, count - done);
                info.resize(step);
                const auto start = std::chrono::steady_clock::now();
                {
                    py::gil_scoped_release release;
                    generate_channels(model,
                                      first + done,
                                      step,
                                      na,
                                      precursor,
                                      threads,
                                      out + done * rows * nt,
                                      info.data());
                }
                if (PyErr_CheckSignals() != 0)
                    throw py::error_already_set();
                for (size_t i = 0; i < step; i++) {
                    energy.mutable_data()[done + i] = info[i].energy;
                    lost.mutable_data()[done + i] = info[i].energy_lost;
                }
                done += step;
                if (std::chrono::steady_clock::now() - start <
                    std::chrono::milliseconds(50))
                    step *= 2;
            } while (done < count);
            return py::make_tuple(matrices, energy, lost);
        },
        py::arg("model"),
        py::arg("first") = 0,
        py::arg("count") = 1,
        py::arg("na") = 0,
        py::arg("precursor") = 4,
        py::arg("threads") = 0,
        "Samples [first, first + count) made by several threads: the matrices, complex64 "
        "(count, rows, nt), the energy of each whole H, and the fraction lost by the cut "
        "to "
        "na rows. na = 0: whole matrices.");

    py::class_<dataset_file, dataset_file::sptr>(
        m, "dataset_file", "A data set of channel matrices, opened for reading.")
        .def(py::init(
                 [](const file_name& path) { return dataset_file::open(path.string()); }),
             py::arg("path"))
        .def("path", &dataset_file::path)
        .def("domain", &dataset_file::domain)
        .def("whole", &dataset_file::whole)
        .def("nc", &dataset_file::nc)
        .def("na", &dataset_file::na)
        .def("nt", &dataset_file::nt)
        .def("precursor", &dataset_file::precursor)
        .def("array", [](const dataset_file& self) { return as_tuple(self.array()); })
        .def("align", &dataset_file::align)
        .def("spacing_hz", &dataset_file::spacing_hz)
        .def("sample_interval_s", &dataset_file::sample_interval_s)
        .def("samples", &dataset_file::samples)
        .def("text", &dataset_file::text, py::arg("name"))
        .def("integer", &dataset_file::integer, py::arg("name"))
        .def("energy",
             [](const dataset_file& self) {
                 return py::array_t<float>(self.energy().size(), self.energy().data());
             })
        .def("energy_lost",
             [](const dataset_file& self) {
                 return py::array_t<float>(self.energy_lost().size(),
                                           self.energy_lost().data());
             })
        .def(
            "read",
            [](const dataset_file& self, uint64_t first, size_t count) {
                if (first > self.samples() || count > self.samples() - first)
                    throw std::invalid_argument(
                        self.path() + ": first is " + std::to_string(first) +
                        " and count " + std::to_string(count) + ", but there are " +
                        std::to_string(self.samples()) + " samples");
                const int rows = self.whole() ? self.nc() : self.na();
                py::array_t<cf> matrices({ count, size_t(rows), size_t(self.nt()) });
                cf* out = matrices.mutable_data();
                {
                    py::gil_scoped_release release;
                    self.read(first, count, out);
                }
                return matrices;
            },
            py::arg("first"),
            py::arg("count"),
            "Matrices [first, first + count), complex64 (count, rows, nt).");
    py::class_<dataset_channel, channel_model, dataset_channel::sptr>(
        m, "dataset_channel", "Replays the matrices of a data set, again and again.")
        .def(py::init([](const file_name& path, bool drop_zero) {
                 return dataset_channel::make(path.string(), drop_zero);
             }),
             py::arg("path"),
             py::arg("drop_zero") = false)
        .def("samples", &dataset_channel::samples);
}
