/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/mlcf_embedding.h>
#include <gnuradio/csifeedback/mlcf_learner.h>
#include <pybind11/stl.h>
#include <algorithm>

using namespace gr::csifeedback;
using namespace csifeedback_python;

namespace {

std::vector<float> rows_of(const array_in<float>& x, const char* name)
{
    if (x.ndim() != 2 || x.shape(0) < 1 || x.shape(1) < 1)
        throw std::invalid_argument(
            std::string(name) + " has " + std::to_string(x.ndim()) + " dimensions and " +
            std::to_string(x.size()) + " values, allowed is (n, values)");
    return std::vector<float>(x.data(), x.data() + x.size());
}

template <typename T>
py::array_t<T> matrix_of(const std::vector<T>& values, py::ssize_t cols)
{
    return py::array_t<T>({ py::ssize_t(values.size()) / cols, cols }, values.data());
}

// A state as a tuple: iterations, landmarks, index, weight.
py::tuple state_of(const mlcf_learner& self)
{
    const mlcf_learner::state s = self.get_state();
    return py::make_tuple(s.iterations,
                          matrix_of(s.landmarks, self.dim()),
                          matrix_of(s.index, self.neighbours()),
                          matrix_of(s.weight, self.neighbours()));
}

template <typename T>
std::vector<T> values_of(const py::handle& x)
{
    const array_in<T> array = array_in<T>::ensure(x);
    if (!array)
        throw std::invalid_argument("the state is not one that state() gave");
    return std::vector<T>(array.data(), array.data() + array.size());
}

py::tuple embed(const std::string& method,
                const array_in<float>& samples,
                int dimensions,
                int neighbours,
                int threads)
{
    const std::vector<float> x = rows_of(samples, "samples");
    const int dim = samples.shape(1);
    mlcf_embedding result;
    {
        py::gil_scoped_release release;
        if (method == "pca")
            result = pca_embedding(x, dim, dimensions);
        else if (method == "lle")
            result = lle_embedding(x, dim, dimensions, neighbours, threads);
        else if (method == "ltsa")
            result = ltsa_embedding(x, dim, dimensions, neighbours, threads);
        else
            throw std::invalid_argument("method is " + method +
                                        ", allowed are pca, lle and ltsa");
    }
    return py::make_tuple(
        matrix_of(result.y, dimensions),
        py::array_t<double>(result.values.size(), result.values.data()));
}

} // namespace

void bind_mlcf_training(py::module& m)
{
    py::class_<mlcf_learner, mlcf_learner::sptr>(
        m, "mlcf_learner", "Algorithm 1 of MLCF: landmarks of a set of samples.")
        .def(py::init([](const array_in<float>& samples,
                         int landmarks,
                         int neighbours,
                         float lambda,
                         float mu,
                         uint64_t seed,
                         int threads) {
                 const std::vector<float> x = rows_of(samples, "samples");
                 const int dim = samples.shape(1);
                 py::gil_scoped_release release;
                 return mlcf_learner::make(
                     x, dim, landmarks, neighbours, lambda, mu, seed, threads);
             }),
             py::arg("samples"),
             py::arg("landmarks"),
             py::arg("neighbours"),
             py::arg("lambda_") = 1e-3f,
             py::arg("mu") = 1e-3f,
             py::arg("seed") = 1,
             py::arg("threads") = 0,
             "samples: float (n, dim), about unit power per entry. Begins with random "
             "ones "
             "of them as landmarks.")
        .def("iterate",
             &mlcf_learner::iterate,
             py::call_guard<py::gil_scoped_release>(),
             "One iteration; returns objective().")
        .def("objective", &mlcf_learner::objective, "Eq. (16) divided by n.")
        .def("iterations", &mlcf_learner::iterations)
        .def(
            "landmarks",
            [](const mlcf_learner& self) {
                return matrix_of(self.landmarks(), self.dim());
            },
            "Those that a sample has a weight for, float32 (L', dim).")
        .def(
            "fit",
            [](const mlcf_learner& self, const array_in<float>& y) {
                const std::vector<float> values = rows_of(y, "y");
                const int dim = y.shape(1);
                std::vector<float> result;
                {
                    py::gil_scoped_release release;
                    result = self.fit(values, dim);
                }
                return matrix_of(result, dim);
            },
            py::arg("y"),
            "The landmarks' counterparts where the samples are y, float (n, d), eq. "
            "(24): "
            "float32 (L', d).")
        .def("state",
             &state_of,
             "What iterate() goes on from: (iterations, landmarks float64 (L, dim), "
             "neighbours int32 (n, k), weights float32 (n, k)).")
        .def(
            "set_state",
            [](mlcf_learner& self, const py::tuple& s) {
                if (s.size() != 4)
                    throw std::invalid_argument("the state is not one that state() gave");
                self.set_state({ s[0].cast<int>(),
                                 values_of<double>(s[1]),
                                 values_of<int32_t>(s[2]),
                                 values_of<float>(s[3]) });
            },
            py::arg("state"),
            "Goes on from a state of a learner with the same samples and parameters.");

    m.def(
        "mlcf_transfer",
        [](const array_in<float>& landmarks,
           const array_in<float>& images,
           const array_in<float>& samples,
           int neighbours,
           float lambda,
           int threads) {
            const std::vector<float> from = rows_of(landmarks, "landmarks"),
                                     to = rows_of(images, "images"),
                                     x = rows_of(samples, "samples");
            const int dim = landmarks.shape(1), image_dim = images.shape(1);
            if (samples.shape(1) != dim)
                throw std::invalid_argument(
                    "samples have " + std::to_string(samples.shape(1)) +
                    " values, allowed are " + std::to_string(dim) +
                    ", as the landmarks have");
            std::vector<float> result;
            {
                py::gil_scoped_release release;
                result = mlcf_transfer(
                    from, dim, to, image_dim, x, neighbours, lambda, threads);
            }
            return matrix_of(result, image_dim);
        },
        py::arg("landmarks"),
        py::arg("images"),
        py::arg("samples"),
        py::arg("neighbours"),
        py::arg("lambda_") = 1e-3f,
        py::arg("threads") = 0,
        "Samples, float (n, dim), carried over to the space of the landmarks' images as "
        "the "
        "codec does: float32 (n, image_dim).");

    m.def(
        "mlcf_embedding",
        &embed,
        py::arg("method"),
        py::arg("samples"),
        py::arg("dimensions"),
        py::arg("neighbours") = 100,
        py::arg("threads") = 0,
        "Samples, float (n, dim), in fewer dimensions by pca, lle or ltsa. Returns y, "
        "float32 (n, dimensions), and the eigenvalue of each dimension. `neighbours` and "
        "`threads` have no meaning for pca.");
}
