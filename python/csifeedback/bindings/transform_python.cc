/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include "python_codecs.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/csirs_frame.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/report.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

// Objects of a class are shapes, also where a shape is asked for.
template <class T>
void is_shape(py::class_<csi_shape>& shape)
{
    shape.def(py::init([](const std::shared_ptr<T>& object, int nc) {
                  const csi_shape s(object);
                  return nc ? s.with_nc(nc) : s;
              }),
              py::arg("object"),
              py::arg("nc") = 0);
    py::implicitly_convertible<T, csi_shape>();
}

} // namespace

void bind_shapes(py::module& m)
{
    py::class_<csi_shape> shape(
        m,
        "csi_shape",
        "Which matrices a stream carries: csi_shape(domain, rows, nt, nc, precursor, "
        "array), "
        "or "
        "csi_shape(object) of an encoder, decoder, report, model file, pilot frame, "
        "channel model or transform, with another nc if it is given. Blocks take these "
        "objects themselves too.");
    shape
        .def(py::init([](const std::string& domain,
                         int rows,
                         int nt,
                         int nc,
                         int precursor,
                         const py::object& array) {
                 return csi_shape(
                     domain, rows, nt, nc, precursor, as_antenna_array(array));
             }),
             py::arg("domain"),
             py::arg("rows"),
             py::arg("nt"),
             py::arg("nc") = 0,
             py::arg("precursor") = -1,
             py::arg("array") = py::none(),
             "domain: \"H\", nc x nt, or \"Ha\", delay rows x nt. rows: 1 to 65536. nt: "
             "1 to 1024. nc: subcarriers, 0: unknown. precursor: rows of Ha before delay "
             "zero, -1: unknown. array: (n1, n2, polarizations) of the ports, whose "
             "product "
             "is nt; None: a line.")
        .def(py::init([](const csi_shape& other, int nc) {
                 return nc ? other.with_nc(nc) : other;
             }),
             py::arg("object"),
             py::arg("nc") = 0)
        .def("__repr__",
             [](const csi_shape& self) {
                 return "<" + self.domain + ", " + std::to_string(self.rows) + " x " +
                        std::to_string(self.nt) + ">";
             })
        .def_readonly("domain", &csi_shape::domain)
        .def_readonly("rows", &csi_shape::rows)
        .def_readonly("nt", &csi_shape::nt)
        .def_readonly("nc", &csi_shape::nc)
        .def_readonly("precursor", &csi_shape::precursor)
        .def_property_readonly(
            "array",
            [](const csi_shape& self) { return as_tuple(self.array); },
            "(n1, n2, polarizations) of the ports; of a line (nt, 1, 1).");
    is_shape<encoder>(shape);
    is_shape<decoder>(shape);
    is_shape<report_encoder>(shape);
    is_shape<report_decoder>(shape);
    is_shape<model_file>(shape);
    is_shape<csirs_frame>(shape);
    is_shape<channel_model>(shape);
    is_shape<angular_delay_transform>(shape);
    // Codecs in Python: they come last, as any object would do here.
    shape.def(py::init([](const py::object& object, int nc) {
                  if (!py::isinstance<python_codec_part>(object))
                      throw py::type_error("csi_shape: " + std::string(py::repr(object)) +
                                           " is no object that knows its sizes");
                  const csi_shape s(object.attr("domain").cast<std::string>(),
                                    object.attr("rows").cast<int>(),
                                    object.attr("nt").cast<int>(),
                                    object.attr("nc").cast<int>(),
                                    object.attr("precursor").cast<int>(),
                                    as_antenna_array(object.attr("array")));
                  return nc ? s.with_nc(nc) : s;
              }),
              py::arg("object"),
              py::arg("nc") = 0);
    py::implicitly_convertible<python_codec_part, csi_shape>();
}

void bind_transform(py::module& m)
{
    py::class_<angular_delay_transform, angular_delay_transform::sptr>(
        m,
        "angular_delay_transform",
        "The unitary, truncated DFT of CSI to delays and angles: 2-D of a line of ports, "
        "3-D "
        "of a plane, whose polarizations stay an axis.")
        .def(py::init(py::overload_cast<int, int, int, int, bool, float>(
                 &angular_delay_transform::make)),
             py::arg("nc"),
             py::arg("nt"),
             py::arg("na"),
             py::arg("precursor") = 4,
             py::arg("align") = false,
             py::arg("threshold_db") = 20.0f)
        .def(py::init(py::overload_cast<const csi_shape&, bool, float>(
                 &angular_delay_transform::make)),
             py::arg("shape"),
             py::arg("align") = false,
             py::arg("threshold_db") = 20.0f)
        .def("nc", &angular_delay_transform::nc)
        .def("nt", &angular_delay_transform::nt)
        .def("na", &angular_delay_transform::na)
        .def("precursor", &angular_delay_transform::precursor)
        .def(
            "array",
            [](const angular_delay_transform& self) { return as_tuple(self.array()); },
            "(n1, n2, polarizations) of the ports.")
        .def(
            "forward",
            [](angular_delay_transform& self, const array_in<cf>& h) {
                const batch b = as_batch(h, "H", { self.nc(), self.nt() });
                auto ha = results<cf>(b, { self.na(), self.nt() });
                auto lost = results<float>(b, {});
                auto shift = results<float>(b, {});
                for (py::ssize_t i = 0; i < b.count; i++) {
                    angular_delay_info info;
                    self.forward(h.data() + i * self.nc() * self.nt(),
                                 ha.mutable_data() + i * self.na() * self.nt(),
                                 &info);
                    lost.mutable_data()[i] = info.energy_lost;
                    shift.mutable_data()[i] = info.shift;
                }
                return py::make_tuple(ha, lost, shift);
            },
            py::arg("h"),
            "H, complex (nc, nt) or (n, nc, nt), to Ha, with the fraction of energy lost "
            "and the delay shift in rows.")
        .def(
            "inverse",
            [](angular_delay_transform& self, const array_in<cf>& ha) {
                const batch b = as_batch(ha, "Ha", { self.na(), self.nt() });
                auto h = results<cf>(b, { self.nc(), self.nt() });
                for (py::ssize_t i = 0; i < b.count; i++)
                    self.inverse(ha.data() + i * self.na() * self.nt(),
                                 h.mutable_data() + i * self.nc() * self.nt());
                return h;
            },
            py::arg("ha"),
            "Ha, complex (na, nt) or (n, na, nt), to H.");
}
