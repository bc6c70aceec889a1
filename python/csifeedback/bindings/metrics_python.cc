/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/metrics.h>
#include <gnuradio/csifeedback/precoder.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <pybind11/stl.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

py::dict estimate_to_dict(const mean_estimate& e)
{
    py::dict d;
    d["count"] = e.count;
    d["mean"] = e.mean;
    d["half_width"] = e.half_width;
    return d;
}

// compare(x, x_hat, rows, nt) of every matrix of two batches of the same shape.
template <class Compare>
py::array_t<double>
compare_matrices(const array_in<cf>& h, const array_in<cf>& h_hat, Compare compare)
{
    if (h.ndim() != 2 && h.ndim() != 3)
        throw std::invalid_argument("h is not a matrix or a batch of matrices");
    const std::vector<py::ssize_t> item(h.shape() + h.ndim() - 2, h.shape() + h.ndim());
    const batch b = as_batch(h, "h", item);
    if (as_batch(h_hat, "h_hat", item).count != b.count || h_hat.ndim() != h.ndim())
        throw std::invalid_argument("h and h_hat have different shapes");
    const size_t n = item[0] * item[1];
    auto result = results<double>(b, {});
    for (py::ssize_t i = 0; i < b.count; i++)
        result.mutable_data()[i] =
            compare(h.data() + i * n, h_hat.data() + i * n, item[0], item[1]);
    return result;
}

// A figure of spectral_efficiency of every group of two batches of groups.
py::array_t<double> efficiency_of(spectral_efficiency& self,
                                  const array_in<cf>& h,
                                  const array_in<cf>& h_hat,
                                  bool (spectral_efficiency::*figure)(const cf* const*,
                                                                      const cf* const*,
                                                                      double*))
{
    const py::ssize_t users = self.users(), snrs = self.snr_db().size();
    std::vector<py::ssize_t> item{ users, self.nc(), self.nr(), self.nt() };
    if (self.nr() == 1)
        item.erase(item.begin() + 2);
    const batch b = as_batch(h, "h", item);
    if (as_batch(h_hat, "h_hat", item).count != b.count)
        throw std::invalid_argument("h and h_hat have different shapes");
    auto se = results<double>(b, { snrs });
    std::vector<const cf*> one(users), other(users);
    const size_t size = size_t(self.nc()) * self.nr() * self.nt();
    const cf *in = h.data(), *in_hat = h_hat.data();
    double* out = se.mutable_data();
    py::gil_scoped_release release;
    for (py::ssize_t i = 0; i < b.count; i++) {
        for (py::ssize_t k = 0; k < users; k++) {
            one[k] = in + (i * users + k) * size;
            other[k] = in_hat + (i * users + k) * size;
        }
        if (!(self.*figure)(one.data(), other.data(), out + i * snrs))
            throw std::invalid_argument("group " + std::to_string(i) +
                                        " has a matrix that is all zero or not finite");
    }
    return se;
}

} // namespace

void bind_metrics(py::module& m)
{
    py::class_<running_mean>(m, "running_mean", "Mean with its 95 % confidence interval.")
        .def(py::init<>())
        .def("add", &running_mean::add, py::arg("x"))
        .def("reset", &running_mean::reset)
        .def("estimate",
             [](const running_mean& self) { return estimate_to_dict(self.estimate()); });
    m.def(
        "squared_error_ratio",
        [](const array_in<cf>& h, const array_in<cf>& h_hat) {
            return compare_matrices(
                h, h_hat, [](const cf* x, const cf* x_hat, size_t rows, size_t nt) {
                    return squared_error_ratio(x, x_hat, rows * nt);
                });
        },
        py::arg("h"),
        py::arg("h_hat"),
        "||h - h_hat||^2 / ||h||^2 of every matrix, complex (rows, nt) or (n, rows, "
        "nt).");
    m.def(
        "cosine_similarity",
        [](const array_in<cf>& h, const array_in<cf>& h_hat) {
            return compare_matrices(
                h, h_hat, [](const cf* x, const cf* x_hat, size_t rows, size_t nt) {
                    return cosine_similarity(x, x_hat, rows, nt);
                });
        },
        py::arg("h"),
        py::arg("h_hat"),
        "Mean over the rows of |h_hat_k h_k^H| / (||h_hat_k|| ||h_k||), rows = "
        "subcarriers.");

    m.def(
        "sgcs",
        [](const array_in<cf>& v, const array_in<cf>& w) {
            if (v.ndim() != 3 && v.ndim() != 4)
                throw std::invalid_argument("v has " + std::to_string(v.ndim()) +
                                            " dimensions, allowed is (subbands, nt, "
                                            "rank) or (n, subbands, nt, rank)");
            const std::vector<py::ssize_t> item(v.shape() + v.ndim() - 3,
                                                v.shape() + v.ndim());
            const batch b = as_batch(v, "v", item);
            if (as_batch(w, "w", item).count != b.count || w.ndim() != v.ndim())
                throw std::invalid_argument("v and w have different shapes");
            auto result = results<double>(b, { item[2] });
            const size_t n = item[0] * item[1] * item[2];
            for (py::ssize_t i = 0; i < b.count; i++)
                sgcs(v.data() + i * n,
                     w.data() + i * n,
                     item[0],
                     item[1],
                     item[2],
                     result.mutable_data() + i * item[2]);
            return result;
        },
        py::arg("v"),
        py::arg("w"),
        "Squared generalized cosine similarity of each layer, float64 (rank,) or (n, "
        "rank), of eigenvectors v and precoders w, complex (subbands, nt, rank) or (n, "
        "subbands, nt, rank): the mean over the subbands of |v^H w|^2 / (|v|^2 |w|^2).");
    m.def(
        "percentile",
        [](const array_in<double>& x, double percent) {
            return percentile(x.data(), x.size(), percent);
        },
        py::arg("x"),
        py::arg("percent"),
        "The value below which `percent` of all values are, as that of NumPy.");

    py::class_<precoder, precoder::sptr>(
        m,
        "precoder",
        "Precoding vectors of users with one antenna, from their channels.")
        .def(py::init(&precoder::make),
             py::arg("users"),
             py::arg("nt"),
             py::arg("type") = "zero-forcing",
             py::arg("loading") = 1.0)
        .def("users", &precoder::users)
        .def("nt", &precoder::nt)
        .def("set_loading",
             &precoder::set_loading,
             py::arg("loading"),
             "Another loading of regularized zero-forcing from now on, 0 to 1e12.")
        .def(
            "compute",
            [](precoder& self, const array_in<cf>& h) {
                const batch b = as_batch(h, "h", { self.users(), self.nt() });
                auto w = results<cf>(b, { self.users(), self.nt() });
                std::vector<const cf*> rows(self.users());
                const cf* in = h.data();
                cf* out = w.mutable_data();
                const size_t size = rows.size() * self.nt();
                for (py::ssize_t i = 0; i < b.count; i++) {
                    for (size_t k = 0; k < rows.size(); k++)
                        rows[k] = in + i * size + k * self.nt();
                    self.compute(rows.data(), out + i * size);
                }
                return w;
            },
            py::arg("h"),
            "The users' vectors as rows, complex64 (users, nt) or (n, users, nt), for "
            "their "
            "channels h in the same shape, of finite values.");
    py::class_<spectral_efficiency, spectral_efficiency::sptr>(
        m,
        "spectral_efficiency",
        "Spectral efficiency of a downlink precoded with reconstructed CSI.")
        .def(py::init(&spectral_efficiency::make),
             py::arg("users"),
             py::arg("nc"),
             py::arg("nt"),
             py::arg("snr_db"),
             py::arg("precoding") = "zero-forcing",
             py::arg("normalize") = true,
             py::arg("nr") = 1)
        .def("users", &spectral_efficiency::users)
        .def("nc", &spectral_efficiency::nc)
        .def("nt", &spectral_efficiency::nt)
        .def("nr", &spectral_efficiency::nr)
        .def("snr_db", &spectral_efficiency::snr_db)
        .def(
            "compute",
            [](spectral_efficiency& self,
               const array_in<cf>& h,
               const array_in<cf>& h_hat) {
                return efficiency_of(self, h, h_hat, &spectral_efficiency::compute);
            },
            py::arg("h"),
            py::arg("h_hat"),
            "Spectral efficiency at each SNR, float64 (snrs,) or (n, snrs), in bit/s/Hz, "
            "of groups of users: true and reconstructed H, complex (users, nc, nt) or "
            "(n, "
            "users, nc, nt); with several antennas (users, nc, nr, nt) or (n, users, nc, "
            "nr, "
            "nt), of which the reconstructed ones are the conjugate precoders of layers, "
            "or "
            "zero.")
        .def(
            "compute_perfect",
            [](spectral_efficiency& self,
               const array_in<cf>& h,
               const array_in<cf>& h_hat) {
                return efficiency_of(
                    self, h, h_hat, &spectral_efficiency::compute_perfect);
            },
            py::arg("h"),
            py::arg("h_hat"),
            "The same with perfect CSI: h, or eigenvectors of as many layers as h_hat "
            "has.");
}
