/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include "python_codecs.h"
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/network.h>
#include <pybind11/stl.h>

using namespace gr::csifeedback;
using namespace csifeedback_python;

namespace {

const char* name_of(network::part half)
{
    return half == network::part::encoder ? "encoder" : "decoder";
}

network::part part_of(const std::string& name)
{
    for (const auto half : { network::part::encoder, network::part::decoder })
        if (name == name_of(half))
            return half;
    throw std::invalid_argument("half is " + name + ", allowed is encoder or decoder");
}

// A network that a library in Python runs: run(half, array) -> array.
class python_network : public network
{
public:
    python_network(const std::string& path,
                   network_info info,
                   bool encoder,
                   bool decoder,
                   py::object run)
        : network(path, std::move(info)),
          d_encoder(encoder),
          d_decoder(decoder),
          d_run(new py::object(std::move(run)), [](py::object* object) {
              if (!Py_IsInitialized())
                  return;
              py::gil_scoped_acquire acquire;
              delete object;
          })
    {
    }

    bool has(part half) const override
    {
        return half == part::encoder ? d_encoder : d_decoder;
    }

    array run(part half, const float* in, const std::vector<int64_t>& shape) override
    {
        py::gil_scoped_acquire acquire;
        try {
            const py::array_t<float> values(
                std::vector<py::ssize_t>(shape.begin(), shape.end()), in);
            const py::object result = (*d_run)(name_of(half), values);
            const auto out = array_in<float>::ensure(result);
            if (!out)
                throw std::runtime_error("the " + std::string(name_of(half)) +
                                         " gives no array of numbers");
            return { { out.shape(), out.shape() + out.ndim() },
                     { out.data(), out.data() + out.size() } };
        } catch (py::error_already_set& error) {
            if (error.matches(PyExc_KeyboardInterrupt))
                throw;
            throw std::runtime_error(reason(error.value()
                                                ? std::string(py::str(error.value()))
                                                : std::string(py::str(error.type()))));
        }
    }

private:
    const bool d_encoder, d_decoder;
    const std::shared_ptr<py::object> d_run;
};

py::dict as_dict(const network_info& i)
{
    py::dict d;
    d["name"] = i.name;
    d["title"] = i.title;
    d["number"] = i.number;
    d["model_id"] = i.model_id;
    d["domain"] = i.domain;
    d["rows"] = i.rows;
    d["nt"] = i.nt;
    d["nc"] = i.nc;
    d["precursor"] = i.precursor;
    d["array"] = i.array.n1 ? as_tuple(i.array) : py::object(py::none());
    d["code_size"] = i.code_size;
    d["nested"] = i.nested;
    d["part"] = i.part;
    d["decoder"] = i.decoder;
    return d;
}

} // namespace

void bind_networks(py::module& m)
{
    using release = py::call_guard<py::gil_scoped_release>;
    py::class_<network, network::sptr>(
        m, "network", "A codec in files that some library runs, such as PyTorch.")
        .def_property_readonly("path", &network::path)
        .def(
            "info",
            [](const network& self) { return as_dict(self.info()); },
            "What it states and what was found, as a dictionary.")
        .def(
            "has",
            [](const network& self, const std::string& half) {
                return self.has(part_of(half));
            },
            py::arg("half"),
            "Whether it has the \"encoder\" or the \"decoder\".")
        .def(
            "can_send",
            [](const network& self, int m) {
                return network_codec::can_send(self.info(), m);
            },
            py::arg("code_size"),
            "Whether codewords of this length are any that it makes.")
        .def("encoder",
             &network_codec::make_encoder,
             py::arg("code_size") = 0,
             py::arg("model_id") = -1,
             release(),
             "The UE's half, tried with random matrices: ValueError if what it gives for "
             "one "
             "depends on the others of a batch.")
        .def("decoder",
             &network_codec::make_decoder,
             py::arg("code_size") = 0,
             py::arg("model_id") = -1,
             release(),
             "The BS's half likewise.");
    m.def(
        "make_network",
        [](const file_name& path,
           int number,
           const std::vector<std::string>& texts,
           const std::vector<std::string>& halves,
           py::object run) {
            bool has[2] = { false, false };
            for (const std::string& half : halves)
                has[part_of(half) == network::part::decoder] = true;
            const network_info info = network_info::read(path.string(), number, texts);
            const network::sptr net = std::make_shared<python_network>(
                path.string(), info, has[0], has[1], run);
            network_codec::check(*net);
            return net;
        },
        py::arg("path"),
        py::arg("number"),
        py::arg("texts"),
        py::arg("halves"),
        py::arg("run"),
        "A network that Python runs: texts, \"name=value,..\", say what it is, later "
        "ones with "
        "precedence; halves: \"encoder\", \"decoder\"; run(half, array) gives its "
        "result.");
    m.def(
        "read_network_info",
        [](const file_name& path, int number, const std::vector<std::string>& texts) {
            return as_dict(network_info::read(path.string(), number, texts));
        },
        py::arg("path"),
        py::arg("number"),
        py::arg("texts"),
        "What such texts say, checked, as a dictionary.");
    m.def(
        "crc24a",
        [](const py::bytes& bytes) {
            const std::string_view view = bytes;
            return crc24a(reinterpret_cast<const uint8_t*>(view.data()), view.size());
        },
        py::arg("bytes"),
        "The checksum of feedback frames, CRC-24A, of any bytes.");
}
