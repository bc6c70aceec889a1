/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/angular_delay.h>
#include <gnuradio/csifeedback/angular_delay_inverse.h>
#include <gnuradio/csifeedback/channel_source.h>
#include <gnuradio/csifeedback/csi_decoder.h>
#include <gnuradio/csifeedback/csi_dequantizer.h>
#include <gnuradio/csifeedback/csi_encoder.h>
#include <gnuradio/csifeedback/csi_hold.h>
#include <gnuradio/csifeedback/csi_metrics.h>
#include <gnuradio/csifeedback/csi_quantizer.h>
#include <gnuradio/csifeedback/csi_report_decoder.h>
#include <gnuradio/csifeedback/csi_report_encoder.h>
#include <gnuradio/csifeedback/csi_spectral_efficiency.h>
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/csifeedback/feedback_framer.h>
#include <gnuradio/csifeedback/feedback_link.h>
#include <gnuradio/csifeedback/report_deframer.h>
#include <gnuradio/csifeedback/report_framer.h>
#include <pybind11/stl.h>

using namespace csifeedback_python;
using namespace gr::csifeedback;

template <typename T>
using sync_class =
    py::class_<T, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<T>>;
template <typename T>
using block_class = py::class_<T, gr::block, gr::basic_block, std::shared_ptr<T>>;

// None, one or several.
static std::vector<compact_configuration> configurations_of(const py::object& compact)
{
    if (compact.is_none())
        return {};
    if (py::isinstance<compact_configuration>(compact))
        return { compact.cast<compact_configuration>() };
    return compact.cast<std::vector<compact_configuration>>();
}

// Says in Python that the numbers of a constructor are now an object.
static void warn_of_numbers(const char* old, const char* now)
{
    const std::string text = std::string(old) + " is now " + now +
                             "; the old form will be removed in the next release";
    if (PyErr_WarnEx(PyExc_DeprecationWarning, text.c_str(), 1))
        throw py::error_already_set();
}

// The deprecated make() of a block.
template <class block, class... types>
static std::shared_ptr<block> with_numbers(types&&... numbers)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return block::make(std::forward<types>(numbers)...);
#pragma GCC diagnostic pop
}

void bind_blocks(py::module& m)
{
    sync_class<channel_source>(
        m, "channel_source", "Channel matrices from a channel model, one per item.")
        .def(py::init(&channel_source::make),
             py::arg("model"),
             py::arg("count") = 0,
             py::arg("first") = 0,
             py::arg("na") = 0,
             py::arg("precursor") = 4,
             py::arg("window") = 0)
        .def("energy_lost", &channel_source::energy_lost);
    sync_class<angular_delay>(m, "angular_delay", "H to Ha, cut to na delay rows.")
        .def(py::init(
                 py::overload_cast<const csi_shape&, bool, float>(&angular_delay::make)),
             py::arg("shape"),
             py::arg("align") = false,
             py::arg("threshold_db") = 20.0f)
        .def(py::init([](int nc,
                         int nt,
                         int na,
                         int precursor,
                         bool align,
                         float threshold_db) {
                 warn_of_numbers("angular_delay(nc, nt, na, precursor)",
                                 "angular_delay(shape)");
                 return with_numbers<angular_delay>(
                     nc, nt, na, precursor, align, threshold_db);
             }),
             "The form of earlier releases.",
             py::arg("nc"),
             py::arg("nt"),
             py::arg("na"),
             py::arg("precursor") = 4,
             py::arg("align") = false,
             py::arg("threshold_db") = 20.0f)
        .def("energy_lost", &angular_delay::energy_lost);
    sync_class<angular_delay_inverse>(m, "angular_delay_inverse", "Ha to H.")
        .def(py::init(py::overload_cast<const csi_shape&>(&angular_delay_inverse::make)),
             py::arg("shape"))
        .def(py::init([](int nc, int nt, int na, int precursor) {
                 warn_of_numbers("angular_delay_inverse(nc, nt, na, precursor)",
                                 "angular_delay_inverse(shape)");
                 return with_numbers<angular_delay_inverse>(nc, nt, na, precursor);
             }),
             "The form of earlier releases.",
             py::arg("nc"),
             py::arg("nt"),
             py::arg("na"),
             py::arg("precursor") = 4)
        .def("discarded", &angular_delay_inverse::discarded);
    block_class<csi_encoder>(m, "csi_encoder", "Compresses angular-delay CSI (UE).")
        .def(py::init(&csi_encoder::make), py::arg("encoder"))
        .def("discarded", &csi_encoder::discarded);
    sync_class<csi_decoder>(m, "csi_decoder", "Reconstructs angular-delay CSI (BS).")
        .def(py::init(&csi_decoder::make), py::arg("decoder"))
        .def("discarded", &csi_decoder::discarded)
        .def("decoded", &csi_decoder::decoded)
        .def("mean_time", &csi_decoder::mean_time);
    block_class<csi_report_encoder>(
        m, "csi_report_encoder", "CSI to reports in bits (UE).")
        .def(py::init(&csi_report_encoder::make),
             py::arg("encoder"),
             py::arg("budget") = 0)
        .def("set_budget", &csi_report_encoder::set_budget, py::arg("budget"))
        .def("budget", &csi_report_encoder::budget)
        .def("reports", &csi_report_encoder::reports)
        .def("bits", &csi_report_encoder::bits)
        .def("discarded", &csi_report_encoder::discarded);
    sync_class<csi_report_decoder>(m, "csi_report_decoder", "Reports to CSI (BS).")
        .def(py::init(&csi_report_decoder::make),
             py::arg("decoder"),
             py::arg("max_bits") = 0)
        .def("discarded", &csi_report_decoder::discarded)
        .def("decoded", &csi_report_decoder::decoded)
        .def("mean_time", &csi_report_decoder::mean_time);
    sync_class<csi_quantizer>(m, "csi_quantizer", "Quantizes codewords.")
        .def(py::init(&csi_quantizer::make), py::arg("quantizer"))
        .def("set_quantizer", &csi_quantizer::set_quantizer, py::arg("quantizer"))
        .def("discarded", &csi_quantizer::discarded);
    sync_class<csi_dequantizer>(m, "csi_dequantizer", "Level numbers to codewords.")
        .def(py::init(&csi_dequantizer::make), py::arg("quantizer"))
        .def("set_quantizer", &csi_dequantizer::set_quantizer, py::arg("quantizer"))
        .def("discarded", &csi_dequantizer::discarded);
    sync_class<feedback_framer>(m, "feedback_framer", "Packs feedback frames (UE).")
        .def(py::init([](quantizer::sptr quantizer,
                         encoder::sptr encoder,
                         int ue_id,
                         const py::bytes& key,
                         const std::optional<compact_configuration>& compact) {
                 return feedback_framer::make(
                     quantizer, encoder, ue_id, key_from_bytes(key), compact);
             }),
             py::arg("quantizer"),
             py::arg("encoder"),
             py::arg("ue_id") = 0,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def(py::init([](quantizer::sptr quantizer,
                         int codec_id,
                         int model_id,
                         int ue_id,
                         const py::bytes& key,
                         const std::optional<compact_configuration>& compact) {
                 warn_of_numbers("feedback_framer(quantizer, codec_id, model_id)",
                                 "feedback_framer(quantizer, encoder)");
                 return with_numbers<feedback_framer>(
                     quantizer, codec_id, model_id, ue_id, key_from_bytes(key), compact);
             }),
             "The form of earlier releases.",
             py::arg("quantizer"),
             py::arg("codec_id"),
             py::arg("model_id"),
             py::arg("ue_id") = 0,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def("set_quantizer", &feedback_framer::set_quantizer, py::arg("quantizer"))
        .def("frames", &feedback_framer::frames)
        .def("bits_sent", &feedback_framer::bits_sent)
        .def("discarded", &feedback_framer::discarded);
    sync_class<report_framer>(m, "report_framer", "Packs reports into frames (UE).")
        .def(py::init([](report_encoder::sptr encoder,
                         int ue_id,
                         int budget,
                         const py::bytes& key,
                         const std::optional<compact_configuration>& compact) {
                 return report_framer::make(
                     encoder, ue_id, budget, key_from_bytes(key), compact);
             }),
             py::arg("encoder"),
             py::arg("ue_id") = 0,
             py::arg("budget") = 0,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def("frames", &report_framer::frames)
        .def("bits_sent", &report_framer::bits_sent)
        .def("discarded", &report_framer::discarded);
    block_class<report_deframer>(
        m, "report_deframer", "Checks frames and takes the reports out (BS).")
        .def(py::init([](report_decoder::sptr decoder,
                         int ue_id,
                         int max_age,
                         int max_lead,
                         bool in_order,
                         const py::bytes& key,
                         const py::object& compact) {
                 return report_deframer::make(decoder,
                                              ue_id,
                                              max_age,
                                              max_lead,
                                              in_order,
                                              key_from_bytes(key),
                                              configurations_of(compact));
             }),
             py::arg("decoder"),
             py::arg("ue_id") = -1,
             py::arg("max_age") = -1,
             py::arg("max_lead") = 0,
             py::arg("in_order") = false,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def(
            "counts",
            [](const report_deframer& self) {
                return count_by_status(
                    [&self](frame_status status) { return self.count(int(status)); });
            },
            "Number of frames by outcome.")
        .def("malformed", &report_deframer::malformed);
    block_class<feedback_deframer>(
        m, "feedback_deframer", "Checks and opens feedback frames (BS).")
        .def(py::init([](quantizer::sptr quantizer,
                         decoder::sptr decoder,
                         int ue_id,
                         int max_age,
                         int max_lead,
                         bool in_order,
                         const py::bytes& key,
                         const py::object& compact) {
                 return feedback_deframer::make(quantizer,
                                                decoder,
                                                ue_id,
                                                max_age,
                                                max_lead,
                                                in_order,
                                                key_from_bytes(key),
                                                configurations_of(compact));
             }),
             py::arg("quantizer"),
             py::arg("decoder"),
             py::arg("ue_id") = -1,
             py::arg("max_age") = -1,
             py::arg("max_lead") = 0,
             py::arg("in_order") = false,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def(py::init([](quantizer::sptr quantizer,
                         int codec_id,
                         int model_id,
                         int ue_id,
                         int max_age,
                         int max_lead,
                         bool in_order,
                         const py::bytes& key,
                         const py::object& compact) {
                 warn_of_numbers("feedback_deframer(quantizer, codec_id, model_id)",
                                 "feedback_deframer(quantizer, decoder)");
                 return with_numbers<feedback_deframer>(quantizer,
                                                        codec_id,
                                                        model_id,
                                                        ue_id,
                                                        max_age,
                                                        max_lead,
                                                        in_order,
                                                        key_from_bytes(key),
                                                        configurations_of(compact));
             }),
             "The form of earlier releases.",
             py::arg("quantizer"),
             py::arg("codec_id"),
             py::arg("model_id"),
             py::arg("ue_id") = -1,
             py::arg("max_age") = -1,
             py::arg("max_lead") = 0,
             py::arg("in_order") = false,
             py::arg("key") = py::bytes(),
             py::arg("compact") = py::none())
        .def("set_quantizer", &feedback_deframer::set_quantizer, py::arg("quantizer"))
        .def(
            "counts",
            [](const feedback_deframer& self) {
                return count_by_status(
                    [&self](frame_status status) { return self.count(int(status)); });
            },
            "Number of frames by outcome.")
        .def("malformed", &feedback_deframer::malformed);
    block_class<feedback_link>(
        m, "feedback_link", "Bit errors, lost frames and delay of the uplink.")
        .def(py::init(&feedback_link::make),
             py::arg("bit_error_rate") = 0.0,
             py::arg("erasure_rate") = 0.0,
             py::arg("mean_burst_length") = 0.0,
             py::arg("delay") = 0,
             py::arg("seed") = 1)
        .def("set_bit_error_rate", &feedback_link::set_bit_error_rate, py::arg("rate"))
        .def("set_erasure_rate", &feedback_link::set_erasure_rate, py::arg("rate"))
        .def("frames", &feedback_link::frames)
        .def("erased", &feedback_link::erased)
        .def("bit_errors", &feedback_link::bit_errors);
    block_class<csi_hold>(
        m, "csi_hold", "The CSI that the BS has at hand at every frame.")
        .def(py::init(&csi_hold::make), py::arg("max_gap") = 100)
        .def("received", &csi_hold::received)
        .def("held", &csi_hold::held)
        .def("discarded", &csi_hold::discarded)
        .def("mean_age", &csi_hold::mean_age);
    block_class<csi_metrics>(
        m, "csi_metrics", "Compares reconstructed CSI with the truth.")
        .def(py::init(py::overload_cast<const csi_shape&, int, int, int, int, double>(
                 &csi_metrics::make)),
             py::arg("shape"),
             py::arg("history") = 256,
             py::arg("interval") = 0,
             py::arg("subbands") = 0,
             py::arg("nr") = 1,
             py::arg("snr_db") = 10.0)
        .def(
            py::init(
                [](int rows, int nt, bool delay_rows, int nc, int history, int interval) {
                    warn_of_numbers("csi_metrics(rows, nt, delay_rows, nc)",
                                    "csi_metrics(shape)");
                    return with_numbers<csi_metrics>(
                        rows, nt, delay_rows, nc, history, interval);
                }),
            "The form of earlier releases.",
            py::arg("rows"),
            py::arg("nt"),
            py::arg("delay_rows") = false,
            py::arg("nc") = 1024,
            py::arg("history") = 256,
            py::arg("interval") = 0)
        .def(
            "report",
            [](const csi_metrics& self) {
                const csi_metrics_report r = self.report();
                py::dict d;
                d["truths"] = r.truths;
                d["matched"] = r.matched;
                d["held"] = r.held;
                d["unmatched"] = r.unmatched;
                d["malformed"] = r.malformed;
                d["nmse"] = r.nmse.mean;
                d["nmse_half_width"] = r.nmse.half_width;
                d["nmse_db"] = r.nmse_db;
                d["nmse_db_low"] = r.nmse_db_low;
                d["nmse_db_high"] = r.nmse_db_high;
                d["rho"] = r.rho.mean;
                d["rho_half_width"] = r.rho.half_width;
                if (r.sgcs.count) {
                    d["sgcs"] = r.sgcs.mean;
                    d["sgcs_half_width"] = r.sgcs.half_width;
                    d["sgcs_5"] = r.sgcs_5;
                }
                if (!r.rank_share.empty()) {
                    for (const char* name : { "nmse",
                                              "nmse_half_width",
                                              "nmse_db",
                                              "nmse_db_low",
                                              "nmse_db_high",
                                              "rho",
                                              "rho_half_width" })
                        d.attr("pop")(name);
                    py::list means, low;
                    for (size_t i = 0; i < r.sgcs_layers.size(); i++) {
                        const bool some = r.sgcs_layers[i].count > 0;
                        means.append(some ? py::object(py::float_(r.sgcs_layers[i].mean))
                                          : py::object(py::none()));
                        low.append(some ? py::object(py::float_(r.sgcs_layers_5[i]))
                                        : py::object(py::none()));
                    }
                    d["rank_share"] = r.rank_share;
                    d["sgcs_layers"] = means;
                    d["sgcs_layers_5"] = low;
                    d["se"] = r.se.mean;
                    d["se_half_width"] = r.se.half_width;
                    d["se_perfect"] = r.se_perfect.mean;
                    d["se_perfect_half_width"] = r.se_perfect.half_width;
                }
                d["age"] = r.age.mean;
                d["bits_per_csi"] = r.bits_per_csi;
                return d;
            },
            "All figures so far, as a dictionary.")
        .def("reset", &csi_metrics::reset);
    sync_class<csi_spectral_efficiency>(
        m,
        "csi_spectral_efficiency",
        "Spectral efficiency of a downlink precoded with reconstructed CSI.")
        .def(py::init(py::overload_cast<int,
                                        const csi_shape&,
                                        const std::vector<double>&,
                                        const std::string&,
                                        bool,
                                        bool,
                                        int,
                                        int,
                                        int>(&csi_spectral_efficiency::make)),
             py::arg("users"),
             py::arg("shape"),
             py::arg("snr_db"),
             py::arg("precoding") = "zero-forcing",
             py::arg("normalize") = true,
             py::arg("by_frame") = false,
             py::arg("history") = 256,
             py::arg("interval") = 0,
             py::arg("nr") = 1)
        .def(py::init([](int users,
                         int nc,
                         int nt,
                         const std::vector<double>& snr_db,
                         const std::string& precoding,
                         bool normalize,
                         bool by_frame,
                         int history,
                         int interval) {
                 warn_of_numbers("csi_spectral_efficiency(users, nc, nt)",
                                 "csi_spectral_efficiency(users, shape)");
                 return with_numbers<csi_spectral_efficiency>(users,
                                                              nc,
                                                              nt,
                                                              snr_db,
                                                              precoding,
                                                              normalize,
                                                              by_frame,
                                                              history,
                                                              interval);
             }),
             "The form of earlier releases.",
             py::arg("users"),
             py::arg("nc"),
             py::arg("nt"),
             py::arg("snr_db"),
             py::arg("precoding") = "zero-forcing",
             py::arg("normalize") = true,
             py::arg("by_frame") = false,
             py::arg("history") = 256,
             py::arg("interval") = 0)
        .def(
            "report",
            [](const csi_spectral_efficiency& self) {
                const csi_spectral_efficiency_report r = self.report();
                py::dict d;
                d["truths"] = r.truths;
                d["groups"] = r.groups;
                d["discarded"] = r.discarded;
                d["unmatched"] = r.unmatched;
                d["malformed"] = r.malformed;
                d["snr_db"] = self.snr_db();
                const auto add = [&d](const std::string& name,
                                      const std::vector<mean_estimate>& x) {
                    std::vector<double> mean, half_width;
                    for (const mean_estimate& e : x) {
                        mean.push_back(e.mean);
                        half_width.push_back(e.half_width);
                    }
                    d[name.c_str()] = mean;
                    d[(name + "_half_width").c_str()] = half_width;
                };
                add("reconstructed", r.reconstructed);
                add("perfect", r.perfect);
                return d;
            },
            "All figures so far, as a dictionary.")
        .def("snr_db", &csi_spectral_efficiency::snr_db)
        .def("reset", &csi_spectral_efficiency::reset);
}
