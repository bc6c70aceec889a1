/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include <gnuradio/csifeedback/model_directories.h>
#include <gnuradio/csifeedback/model_file.h>
#include <pybind11/stl.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;

void bind_model(py::module& m)
{
    m.def("model_directories",
          &model_directories,
          "Where names of models are looked for: the directories of CSIFEEDBACK_MODELS, "
          "then "
          "those of the installed module.");
    py::class_<model_file, model_file::sptr>(
        m, "model_file", "A trained model in an HDF5 file, opened for reading.")
        .def(py::init(
                 [](const file_name& path) { return model_file::open(path.string()); }),
             py::arg("path"),
             "Opens a model by file name, or by the name of an installed model. Raises "
             "ValueError naming the file and what is wrong with it.")
        .def("__repr__",
             [](const model_file& self) {
                 return "<" + self.codec() + ", " + std::to_string(self.na()) + " x " +
                        std::to_string(self.nt()) + ">";
             })
        .def_property_readonly("path", &model_file::path)
        .def_property_readonly("codec", &model_file::codec)
        .def_property_readonly("domain", &model_file::domain)
        .def_property_readonly("nc", &model_file::nc)
        .def_property_readonly("na", &model_file::na)
        .def_property_readonly("nt", &model_file::nt)
        .def_property_readonly("precursor", &model_file::precursor)
        .def_property_readonly(
            "array",
            [](const model_file& self) { return as_tuple(self.array()); },
            "(n1, n2, polarizations) of the antenna ports; of a line (nt, 1, 1).")
        .def_property_readonly("model_id", &model_file::model_id)
        .def("text",
             &model_file::text,
             py::arg("name"),
             "A text attribute, '' if missing.")
        .def("has", &model_file::has, py::arg("name"), "Whether an array is there.")
        .def(
            "read",
            [](const model_file& self, const std::string& name) {
                // The shape is whatever it is: the caller is Python.
                std::string failures;
                for (size_t rank = 1; rank <= 8; rank++) {
                    try {
                        const float_array a =
                            self.read(name, std::vector<size_t>(rank, 0));
                        return py::array_t<float>(
                            std::vector<py::ssize_t>(a.shape.begin(), a.shape.end()),
                            a.data.data());
                    } catch (const std::invalid_argument& e) {
                        failures = e.what();
                        // Another rank is tried; what else is wrong stays wrong.
                        if (failures.find(" has shape ") == std::string::npos)
                            throw;
                    }
                }
                throw std::invalid_argument(failures);
            },
            py::arg("name"),
            "An array as float32; complex ones get a last dimension of 2.");
}
