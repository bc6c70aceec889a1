/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/csi_report.h>
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <gnuradio/csifeedback/pmi_report.h>
#include <gnuradio/csifeedback/subband_eigenvectors.h>
#include <pybind11/stl.h>
#include <algorithm>
#include <cmath>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

void refuse(const std::string& reason)
{
    if (!reason.empty())
        throw std::invalid_argument(reason);
}

void check_rank(const pmi_codebook& codebook, int rank, int count)
{
    for (const int one : codebook.ranks())
        if (one == rank) {
            refuse(codebook.check_count(rank, count));
            return;
        }
    throw std::invalid_argument("rank is " + std::to_string(rank) +
                                ", which the codebook does not allow");
}

// rows x nr x ports, or rows x ports of one receive antenna.
struct channel {
    int rows, nr;
};
channel channel_of(const array_in<cf>& h, int ports)
{
    const auto n = h.ndim();
    if ((n != 2 && n != 3) || h.shape(n - 1) != ports)
        throw std::invalid_argument("h has not the shape (rows, " +
                                    std::to_string(ports) + ") or (rows, nr, " +
                                    std::to_string(ports) + ")");
    double sum = 0;
    for (py::ssize_t i = 0; i < h.size(); i++)
        sum += std::norm(h.data()[i]);
    if (!(sum > 0) || !std::isfinite(sum))
        throw std::invalid_argument("h is all zero or not finite");
    return { int(h.shape(0)), n == 3 ? int(h.shape(1)) : 1 };
}

py::array_t<cf> precoder(const pmi_codebook& self, const pmi& p)
{
    refuse(self.check(p));
    py::array_t<cf> w(std::vector<py::ssize_t>{ self.subbands(), self.ports(), p.rank });
    self.precoder(p, w.mutable_data());
    return w;
}

// Vectors of h, (rows, nr, nt) or (n, rows, nr, nt).
py::array_t<cf> eigenvectors(const array_in<cf>& h, int subbands, int rank)
{
    const auto n = h.ndim();
    if (n != 3 && n != 4)
        throw std::invalid_argument("h has " + std::to_string(n) +
                                    " dimensions, allowed is (rows, nr, nt) or (n, "
                                    "rows, nr, nt)");
    const py::ssize_t rows = h.shape(n - 3), nr = h.shape(n - 2), nt = h.shape(n - 1);
    const batch b = as_batch(h, "h", { rows, nr, nt });
    if (rows < subbands || nr < 1)
        throw std::invalid_argument("h has " + std::to_string(rows) +
                                    " rows, allowed is " + std::to_string(subbands) +
                                    " and more");
    const auto object = subband_eigenvectors::make(subbands, nt, rank);
    auto v = results<cf>(b, { subbands, nt, rank });
    const cf* in = h.data();
    cf* out = v.mutable_data();
    py::gil_scoped_release release;
    for (py::ssize_t i = 0; i < b.count; i++)
        object->compute(
            in + i * rows * nr * nt, rows, nr, out + i * subbands * nt * rank);
    return v;
}

} // namespace

void bind_codebooks(py::module& m)
{
    py::class_<pmi>(m,
                    "pmi",
                    "A precoding matrix indicator: the indices of TS 38.214 by their "
                    "names. Those that a codebook does not have are 0 or empty. i17, i24 "
                    "and i25 are lists of layers x taps x 2L values.")
        .def(py::init<>())
        .def_readwrite("rank", &pmi::rank)
        .def_readwrite("i11", &pmi::i11)
        .def_readwrite("q1", &pmi::q1)
        .def_readwrite("q2", &pmi::q2)
        .def_readwrite("i12", &pmi::i12)
        .def_readwrite("i13", &pmi::i13)
        .def_readwrite("i15", &pmi::i15)
        .def_readwrite("i2", &pmi::i2)
        .def_readwrite("i16", &pmi::i16)
        .def_readwrite("i18", &pmi::i18)
        .def_readwrite("i17", &pmi::i17)
        .def_readwrite("i23", &pmi::i23)
        .def_readwrite("i24", &pmi::i24)
        .def_readwrite("i25", &pmi::i25)
        .def_readwrite("i13_layer", &pmi::i13_layer)
        .def_readwrite("i14", &pmi::i14)
        .def_readwrite("i21", &pmi::i21)
        .def_readwrite("i22", &pmi::i22);

    py::class_<pmi_codebook, pmi_codebook::sptr>(
        m, "pmi_codebook", "A PMI codebook of TS 38.214; see docs/codebooks.md.")
        .def("name", &pmi_codebook::name)
        .def("n1", [](const pmi_codebook& self) { return self.array().n1; })
        .def("n2", [](const pmi_codebook& self) { return self.array().n2; })
        .def("ports", &pmi_codebook::ports)
        .def("subbands", &pmi_codebook::subbands, "N3, precoders of a PMI.")
        .def("cqi_subbands", &pmi_codebook::cqi_subbands)
        .def("ranks", [](const pmi_codebook& self) { return self.ranks(); })
        .def("ri_bits", &pmi_codebook::ri_bits)
        .def("count_bits",
             &pmi_codebook::count_bits,
             "Bits of the number of coefficients in part 1.")
        .def("count",
             &pmi_codebook::count,
             py::arg("pmi"),
             "K^NZ of a PMI of eType II, both M of Type II as one number, 0 for Type I.")
        .def(
            "max_count",
            [](const pmi_codebook& self, int rank) {
                check_rank(self, rank, self.max_count(rank));
                return self.max_count(rank);
            },
            py::arg("rank"),
            "The largest count() of this rank.")
        .def(
            "fields",
            [](const pmi_codebook& self, int rank, int count) {
                check_rank(self, rank, count);
                std::vector<std::pair<std::string, int>> all;
                for (const auto& field : self.fields(rank, count))
                    all.emplace_back(field.name, field.bits);
                return all;
            },
            py::arg("rank"),
            py::arg("count") = 0,
            "Names and bits of the fields of part 2, for this count().")
        .def(
            "part2_bits",
            [](const pmi_codebook& self, int rank, int count) {
                check_rank(self, rank, count);
                return self.part2_bits(rank, count);
            },
            py::arg("rank"),
            py::arg("count") = 0)
        .def("check",
             &pmi_codebook::check,
             py::arg("pmi"),
             "What is wrong with a PMI, empty if nothing is.")
        .def("precoder",
             &precoder,
             py::arg("pmi"),
             "W, complex64 (subbands, ports, rank), of Frobenius norm 1 in each subband. "
             "Raises ValueError if the PMI is none of this codebook.")
        .def(
            "select",
            [](pmi_codebook& self, const array_in<cf>& h, int rank) {
                const channel c = channel_of(h, self.ports());
                pmi p;
                const cf* in = h.data();
                py::gil_scoped_release release;
                self.select(in, c.rows, c.nr, rank, p);
                return p;
            },
            py::arg("h"),
            py::arg("rank") = 1,
            "The PMI for a channel, complex (rows, ports) or (rows, nr, ports), whose "
            "row k is of subband floor(k subbands / rows). Raises ValueError for another "
            "shape or rank, or values that are all zero or not finite.");
    m.def(
        "type1_codebook",
        [](int n1,
           int n2,
           int subbands,
           int mode,
           const std::vector<int>& ranks,
           double snr_db) {
            type1_codebook::configuration c;
            c.array = { n1, n2 };
            c.subbands = subbands;
            c.mode = mode;
            c.ranks = ranks;
            c.snr_db = snr_db;
            return type1_codebook::make(c);
        },
        py::arg("n1"),
        py::arg("n2"),
        py::arg("subbands") = 13,
        py::arg("mode") = 1,
        py::arg("ranks") = std::vector<int>{ 1 },
        py::arg("snr_db") = 10.0,
        "Type I single panel codebook: mode is codebookMode, ranks those allowed, snr_db "
        "serves the selection of ranks above 1.");
    m.def(
        "type2_codebook",
        [](int n1,
           int n2,
           int subbands,
           int beams,
           int phase_alphabet,
           bool subband_amplitude,
           const std::vector<int>& ranks) {
            type2_codebook::configuration c;
            c.array = { n1, n2 };
            c.subbands = subbands;
            c.beams = beams;
            c.phase_alphabet = phase_alphabet;
            c.subband_amplitude = subband_amplitude;
            c.ranks = ranks;
            return type2_codebook::make(c);
        },
        py::arg("n1"),
        py::arg("n2"),
        py::arg("subbands") = 13,
        py::arg("beams") = 4,
        py::arg("phase_alphabet") = 8,
        py::arg("subband_amplitude") = true,
        py::arg("ranks") = std::vector<int>{ 1 },
        "Type II codebook of Release 15: beams is L, phase_alphabet N_PSK, 4 or 8.");
    m.def(
        "etype2_codebook",
        [](int n1,
           int n2,
           int subbands,
           int param_combination,
           const std::vector<int>& ranks,
           int per_cqi) {
            etype2_codebook::configuration c;
            c.array = { n1, n2 };
            c.subbands = subbands;
            c.param_combination = param_combination;
            c.ranks = ranks;
            c.per_cqi = per_cqi;
            return etype2_codebook::make(c);
        },
        py::arg("n1"),
        py::arg("n2"),
        py::arg("subbands") = 13,
        py::arg("param_combination") = 6,
        py::arg("ranks") = std::vector<int>{ 1 },
        py::arg("per_cqi") = 1,
        "Enhanced Type II codebook of Release 16: subbands is N3, per_cqi is R.");

    py::class_<csi_report>(m,
                           "csi_report",
                           "What a CSI report says: PMI with rank, groups of part 2 that "
                           "are there (0 to 3), CQI of both codewords, differential CQI "
                           "of the subbands as reported.")
        .def(py::init<>())
        .def_readwrite("precoding", &csi_report::precoding)
        .def_readwrite("groups", &csi_report::groups)
        .def_readwrite("cqi", &csi_report::cqi)
        .def_readwrite("subband_cqi", &csi_report::subband_cqi);
    py::class_<csi_report_format, csi_report_format::sptr>(
        m,
        "csi_report_format",
        "CSI reports of RI, CQI and PMI in two parts, bit by bit as in TS 38.212.")
        .def(py::init([](pmi_codebook::sptr codebook,
                         const std::string& cqi,
                         int cqi_table,
                         double gap_db) {
                 return csi_report_format::make(codebook, { cqi, cqi_table, gap_db });
             }),
             py::arg("codebook"),
             py::arg("cqi") = "wideband",
             py::arg("cqi_table") = 1,
             py::arg("gap_db") = 2.0)
        .def("codebook", &csi_report_format::codebook)
        .def("part1_bits", &csi_report_format::part1_bits)
        .def("max_bits", &csi_report_format::max_bits)
        .def(
            "total_bits",
            [](const csi_report_format& self, int rank, int count, int groups) {
                check_rank(*self.codebook(), rank, count);
                if (groups < 0 || groups > pmi_codebook::group_count)
                    throw std::invalid_argument("groups is " + std::to_string(groups) +
                                                ", allowed is 0 to 3");
                return self.total_bits(rank, count, groups);
            },
            py::arg("rank"),
            py::arg("count") = 0,
            py::arg("groups") = 3,
            "Bits of both parts with so many groups of part 2.")
        .def(
            "report",
            [](csi_report_format& self,
               const array_in<cf>& h,
               double snr_db,
               int budget) {
                const channel c = channel_of(h, self.codebook()->ports());
                csi_report r;
                if (budget == 0)
                    budget = self.max_bits();
                const cf* in = h.data();
                py::gil_scoped_release release;
                self.report(in, c.rows, c.nr, std::pow(10, snr_db / 10), budget, r);
                return r;
            },
            py::arg("h"),
            py::arg("snr_db") = 10.0,
            py::arg("budget") = 0,
            "The report for a channel, complex (rows, ports) or (rows, nr, ports): rank "
            "of the largest rate at this transmit power over noise with at most `budget` "
            "bits (0: all), PMI and CQI.")
        .def(
            "pack",
            [](const csi_report_format& self, const csi_report& r, int budget) {
                if (budget == 0)
                    budget = self.max_bits();
                if (budget < 0 || budget > 65535)
                    throw std::invalid_argument("budget is " + std::to_string(budget) +
                                                ", allowed is 0 to 65535");
                py::array_t<uint8_t> bits((budget + 7) / 8);
                std::fill_n(bits.mutable_data(), bits.size(), uint8_t(0));
                const int used = self.pack(r, bits.mutable_data(), budget);
                return py::make_tuple(bits, used);
            },
            py::arg("report"),
            py::arg("budget") = 0,
            "The bits of a report, at most `budget` (0: all), uint8 (bytes,), most "
            "significant first, and their number.")
        .def(
            "unpack",
            [](const csi_report_format& self, const array_in<uint8_t>& bits, int count) {
                if (bits.ndim() != 1 || count < 0 || count > 8 * bits.size())
                    throw std::invalid_argument(
                        "count is " + std::to_string(count) + ", allowed is 0 to " +
                        std::to_string(8 * bits.size()) + ", the bits of a 1-D array");
                csi_report r;
                refuse(self.unpack(bits.data(), count, r));
                return r;
            },
            py::arg("bits"),
            py::arg("count"),
            "The report in bits, uint8 (bytes,). Raises ValueError with the reason if "
            "they are none of this format.");

    py::class_<pmi_report_encoder, report_encoder, pmi_report_encoder::sptr>(
        m,
        "pmi_report_encoder",
        "Reports of a PMI codebook. Takes H, (rows nr, nt): row k nr + a is antenna a on "
        "subcarrier k.")
        .def(py::init(&pmi_report_encoder::make),
             py::arg("format"),
             py::arg("rows"),
             py::arg("snr_db") = 10.0,
             py::arg("codec_id") = 255,
             py::arg("model_id") = 0,
             py::arg("nr") = 1);
    py::class_<pmi_report_decoder, report_decoder, pmi_report_decoder::sptr>(
        m,
        "pmi_report_decoder",
        "The decoder of pmi_report_encoder (BS): row k nr + l is the conjugate precoder "
        "of layer l, zero from the rank on.")
        .def(py::init(&pmi_report_decoder::make),
             py::arg("format"),
             py::arg("rows"),
             py::arg("codec_id") = 255,
             py::arg("model_id") = 0,
             py::arg("nr") = 1);

    m.def("subband_eigenvectors",
          &eigenvectors,
          py::arg("h"),
          py::arg("subbands"),
          py::arg("rank") = 1,
          "Dominant eigenvectors of the covariance of each subband, complex64 (subbands, "
          "nt, rank) or (n, subbands, nt, rank), of channels, complex (rows, nr, nt) or "
          "(n, rows, nr, nt).");
    m.def(
        "cqi",
        [](double sinr_db, int table, double gap_db) {
            return cqi_table::select(table, std::pow(10, sinr_db / 10), gap_db);
        },
        py::arg("sinr_db"),
        py::arg("table") = 1,
        py::arg("gap_db") = 2.0,
        "The largest CQI, 0 to 15, whose efficiency is at most log2(1 + SINR / gap).");
    m.def(
        "cqi_efficiency",
        [](int table) {
            std::vector<double> all;
            for (const auto& entry : cqi_table::get(table))
                all.push_back(entry.efficiency());
            return all;
        },
        py::arg("table") = 1,
        "Bits per resource element of CQI 0 to 15 of a table of TS 38.214, 1 to 4.");
}
