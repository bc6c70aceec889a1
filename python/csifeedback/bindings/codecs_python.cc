/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "arrays.h"
#include "python_codecs.h"
#include <gnuradio/csifeedback/codec_registry.h>
#include <gnuradio/csifeedback/entropy_report.h>
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/path_report.h>
#include <gnuradio/csifeedback/report.h>
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <algorithm>
#include <cmath>

using namespace gr::csifeedback;
using namespace csifeedback_python;
using cf = std::complex<float>;

namespace {

// Matrices that are normalized or decoded together.
constexpr py::ssize_t at_once = 16;

// h_vec and gain of matrices [first, first + count), or an error that names one.
void normalize(const cf* in,
               size_t n,
               py::ssize_t first,
               py::ssize_t count,
               float* h_vec,
               float* gain)
{
    for (py::ssize_t k = 0; k < count; k++) {
        gain[first + k] = normalize_csi(in + (first + k) * n, n, h_vec + k * 2 * n);
        if (std::isnan(gain[first + k]))
            throw std::invalid_argument("Ha: matrix " + std::to_string(first + k) +
                                        " is all zero or not finite");
    }
}

// Calls f, the work of a codec, which may be anybody's: what it throws says whose it is.
template <typename function>
void guarded(const codec_part& part, function&& f)
{
    try {
        f();
    } catch (const std::invalid_argument&) { // of the arguments
        throw;
    } catch (const codec_failure&) {
        throw;
    } catch (const py::error_already_set&) { // Ctrl-C
        throw;
    } catch (const std::exception& error) {
        throw codec_failure(part.name() + ": " + error.what());
    }
}

py::tuple encode(encoder& self, const py::object& given, bool with_residual_energy)
{
    const array_in<cf> ha = as_matrices(given, "Ha", self.rows(), self.nt());
    const batch b = as_batch(ha, "Ha", { self.rows(), self.nt() });
    const size_t n = size_t(self.rows()) * self.nt();
    const int m = self.code_size();
    auto s = results<float>(b, { m });
    auto gain = results<float>(b, {}), residual = results<float>(b, {});
    const cf* in = ha.data();
    float *s_out = s.mutable_data(), *gain_out = gain.mutable_data(),
          *residual_out = residual.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<float> h_vec(std::min(b.count, at_once) * 2 * n);
        for (py::ssize_t i = 0; i < b.count; i += at_once) {
            const py::ssize_t count = std::min(b.count - i, at_once);
            normalize(in, n, i, count, h_vec.data(), gain_out);
            guarded(self, [&] {
                self.encode_batch(
                    h_vec.data(), s_out + i * m, m, count, residual_out + i);
            });
        }
    }
    return with_residual_energy ? py::make_tuple(s, gain, residual)
                                : py::make_tuple(s, gain);
}

array_in<float> gains_of(const py::object& gain_db, py::ssize_t count)
{
    array_in<float> gain = array_in<float>::ensure(gain_db);
    if (!gain || (gain.size() != 1 && gain.size() != count))
        throw std::invalid_argument("gain_db is not one number or one for each matrix");
    for (py::ssize_t i = 0; i < gain.size(); i++)
        if (!is_gain(gain.data()[i]))
            throw std::invalid_argument("gain_db is " + std::to_string(gain.data()[i]) +
                                        ", allowed is -1000 to 780");
    return gain;
}

py::array_t<cf> decode(decoder& self, const array_in<float>& s, py::object gain_db)
{
    const py::ssize_t m = s.ndim() ? s.shape(s.ndim() - 1) : 0;
    if (m < 1 || m > self.code_size())
        throw std::invalid_argument("s has codewords of length " + std::to_string(m) +
                                    ", allowed is 1 to " +
                                    std::to_string(self.code_size()));
    const batch b = as_batch(s, "s", { m });
    const array_in<float> gain = gains_of(gain_db, b.count);
    const size_t n = size_t(self.rows()) * self.nt();
    auto ha = results<cf>(b, { self.rows(), self.nt() });
    const float *in = s.data(), *gain_in = gain.data();
    const bool one_gain = gain.size() == 1;
    cf* out = ha.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<float> h_vec(std::min(b.count, at_once) * 2 * n);
        for (py::ssize_t i = 0; i < b.count; i += at_once) {
            const py::ssize_t count = std::min(b.count - i, at_once);
            guarded(self, [&] { self.decode_batch(in + i * m, m, h_vec.data(), count); });
            for (py::ssize_t k = i; k < i + count; k++)
                denormalize_csi(h_vec.data() + (k - i) * 2 * n,
                                n,
                                gain_in[one_gain ? 0 : k],
                                out + k * n);
        }
    }
    return ha;
}

py::tuple encode_report(report_encoder& self, const py::object& given, int budget)
{
    const array_in<cf> h = as_matrices(given, "h", self.rows(), self.nt());
    const batch b = as_batch(h, "h", { self.rows(), self.nt() });
    const size_t n = size_t(self.rows()) * self.nt();
    if (budget == 0)
        budget = self.max_bits();
    if (budget < self.min_bits() || budget > report_encoder::max_report_bits)
        throw std::invalid_argument("budget is " + std::to_string(budget) +
                                    ", allowed is " + std::to_string(self.min_bits()) +
                                    " to " +
                                    std::to_string(report_encoder::max_report_bits));
    const py::ssize_t bytes = (budget + 7) / 8;
    auto bits = results<uint8_t>(b, { bytes });
    auto count = results<int>(b, {});
    auto gain = results<float>(b, {});
    const cf* in = h.data();
    uint8_t* bits_out = bits.mutable_data();
    int* count_out = count.mutable_data();
    float* gain_out = gain.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<float> h_vec(2 * n);
        for (py::ssize_t i = 0; i < b.count; i++) {
            normalize(in, n, i, 1, h_vec.data(), gain_out);
            guarded(self, [&] {
                count_out[i] =
                    self.encode(h_vec.data(), bits_out + i * bytes, budget).bits;
            });
        }
    }
    return py::make_tuple(bits, count, gain);
}

py::array_t<cf> decode_report(report_decoder& self,
                              const array_in<uint8_t>& bits,
                              py::object counts,
                              py::object gain_db)
{
    const py::ssize_t bytes = bits.ndim() ? bits.shape(bits.ndim() - 1) : 0;
    if (bytes < 1)
        throw std::invalid_argument("bits are 0 bytes, allowed is 1 and more");
    const batch b = as_batch(bits, "bits", { bytes });
    const array_in<int> count = array_in<int>::ensure(counts);
    if (!count || (count.size() != 1 && count.size() != b.count))
        throw std::invalid_argument("count is not one number or one for each report");
    for (py::ssize_t i = 0; i < count.size(); i++)
        if (count.data()[i] < 0 || count.data()[i] > 8 * bytes)
            throw std::invalid_argument("count is " + std::to_string(count.data()[i]) +
                                        ", allowed is 0 to " + std::to_string(8 * bytes));
    const array_in<float> gain = gains_of(gain_db, b.count);
    const size_t n = size_t(self.rows()) * self.nt();
    auto h = results<cf>(b, { self.rows(), self.nt() });
    const uint8_t* in = bits.data();
    const int* count_in = count.data();
    const float* gain_in = gain.data();
    const bool one_count = count.size() == 1, one_gain = gain.size() == 1;
    cf* out = h.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<float> h_vec(2 * n);
        for (py::ssize_t i = 0; i < b.count; i++) {
            guarded(self, [&] {
                self.decode(in + i * bytes, count_in[one_count ? 0 : i], h_vec.data());
            });
            denormalize_csi(h_vec.data(), n, gain_in[one_gain ? 0 : i], out + i * n);
        }
    }
    return h;
}

void check_report(const array_in<uint8_t>& bits, int count)
{
    if (bits.ndim() != 1)
        throw std::invalid_argument("bits has " + std::to_string(bits.ndim()) +
                                    " dimensions, allowed is 1");
    if (count < 0 || count > 8 * bits.size())
        throw std::invalid_argument("count is " + std::to_string(count) +
                                    ", allowed is 0 to " +
                                    std::to_string(8 * bits.size()));
}

py::tuple path_list(path_report_decoder& self,
                    const array_in<uint8_t>& bits,
                    int count,
                    float gain_db)
{
    check_report(bits, count);
    const auto paths = self.paths(bits.data(), count);
    const py::ssize_t n = paths.size();
    py::array_t<float> delay(n), angle(n);
    py::array_t<cf> gain(n);
    const float scale = std::pow(10.0f, gain_db / 20);
    for (py::ssize_t k = 0; k < n; k++) {
        delay.mutable_at(k) = paths[k].delay_rows;
        angle.mutable_at(k) = paths[k].angle_columns;
        gain.mutable_at(k) = scale * paths[k].gain;
    }
    return py::make_tuple(delay, angle, gain);
}

py::array_t<cf> path_response(path_report_decoder& self,
                              const array_in<uint8_t>& bits,
                              int count,
                              const std::vector<double>& subcarriers,
                              const std::vector<double>& antennas,
                              float gain_db)
{
    check_report(bits, count);
    py::array_t<cf> h({ py::ssize_t(subcarriers.size()), py::ssize_t(antennas.size()) });
    const float scale = std::pow(10.0f, gain_db / 20);
    std::vector<cf> found;
    {
        py::gil_scoped_release release;
        found = self.response(bits.data(), count, subcarriers, antennas);
    }
    std::transform(found.begin(), found.end(), h.mutable_data(), [scale](cf x) {
        return scale * x;
    });
    return h;
}

py::tuple
path_content(path_report_decoder& self, const array_in<uint8_t>& bits, int count)
{
    check_report(bits, count);
    const auto all = self.read(bits.data(), count);
    py::array_t<int> counts({ py::ssize_t(all.counts.size()), py::ssize_t(2) });
    py::array_t<int> paths({ py::ssize_t(all.paths.size()), py::ssize_t(9) });
    int* out = counts.mutable_data();
    for (const auto& c : all.counts) {
        *out++ = c.first;
        *out++ = c.second;
    }
    out = paths.mutable_data();
    for (const auto& p : all.paths)
        for (const int value : { p.group,
                                 p.a,
                                 p.b,
                                 p.resolution,
                                 p.delay,
                                 p.angle,
                                 p.row,
                                 p.column,
                                 p.level })
            *out++ = value;
    return py::make_tuple(
        py::make_tuple(all.size_class, all.step, all.top), counts, paths);
}

py::dict count_symbols(entropy_report_encoder& self, const array_in<cf>& h, int budget)
{
    const batch b = as_batch(h, "h", { self.rows(), self.nt() });
    const size_t n = size_t(self.rows()) * self.nt();
    entropy_report_encoder::counts all;
    {
        py::gil_scoped_release release;
        std::vector<float> h_vec(2 * n), gain(b.count);
        for (py::ssize_t i = 0; i < b.count; i++) {
            normalize(h.data(), n, i, 1, h_vec.data(), gain.data());
            guarded(self, [&] { self.count(h_vec.data(), budget, all); });
        }
    }
    py::dict result;
    const auto add = [&result](const char* name, const std::vector<double>& x) {
        result[name] = py::array_t<double>(x.size(), x.data());
    };
    add("steps", all.steps);
    add("magnitudes", all.magnitudes);
    add("rows", all.rows);
    add("columns", all.columns);
    add("often", all.often);
    add("below", all.below);
    return result;
}

// Sizes by name, as a dictionary.
py::dict sizes_dict(const std::vector<std::pair<std::string, int>>& sizes)
{
    py::dict result;
    for (const auto& size : sizes)
        result[size.first.c_str()] = size.second;
    return result;
}

// Short, as GRC shows it in a block.
template <typename codec>
std::string describe(const codec& self)
{
    return "<" + self.name() + ", M " + std::to_string(self.code_size()) + ">";
}

// What encoders, decoders and reports have in common.
template <typename part>
py::class_<part, std::shared_ptr<part>>
codec_class(py::module& m, const char* name, const char* doc)
{
    return py::class_<part, std::shared_ptr<part>>(m, name, doc)
        .def("__repr__", &describe<part>)
        .def("name", [](const part& self) { return self.name(); })
        .def("codec_id", [](const part& self) { return self.codec_id(); })
        .def("model_id", [](const part& self) { return self.model_id(); })
        .def("domain", [](const part& self) { return self.domain(); })
        .def("rows", [](const part& self) { return self.rows(); })
        .def("na", [](const part& self) { return self.na(); })
        .def("nt", [](const part& self) { return self.nt(); })
        .def("nc", [](const part& self) { return self.nc(); })
        .def("precursor", [](const part& self) { return self.precursor(); })
        .def("array", [](const part& self) { return as_tuple(self.array()); })
        .def("code_size", [](const part& self) { return self.code_size(); });
}

// A function in Python, which may be copied, called and let go by any thread.
std::shared_ptr<py::object> keep(py::object function)
{
    return std::shared_ptr<py::object>(new py::object(std::move(function)),
                                       [](py::object* object) {
                                           if (!Py_IsInitialized())
                                               return;
                                           py::gil_scoped_acquire acquire;
                                           delete object;
                                       });
}

py::list describe_options(const std::vector<codec_option>& options)
{
    py::list list;
    for (const codec_option& o : options) {
        py::dict d;
        d["name"] = o.name;
        d["type"] = o.kind == codec_option::type::text      ? "text"
                    : o.kind == codec_option::type::flag    ? "flag"
                    : o.kind == codec_option::type::integer ? "integer"
                                                            : "real";
        d["fallback"] = o.fallback;
        d["min"] = o.min;
        d["max"] = o.max;
        d["help"] = o.help;
        list.append(d);
    }
    return list;
}

py::dict counts(const operation_counts& parts)
{
    py::dict d;
    for (const auto& part : parts)
        d[part.first.c_str()] = part.second;
    return d;
}

// An object that a function in Python makes; what it raises becomes invalid_argument.
template <typename maker, typename... types>
auto made_in_python(const std::string& codec,
                    const py::object& function,
                    maker&& make,
                    types&&... arguments)
{
    py::gil_scoped_acquire acquire;
    try {
        return make(function(std::forward<types>(arguments)...));
    } catch (py::error_already_set& error) {
        if (error.matches(PyExc_KeyboardInterrupt))
            throw;
        if (error.matches(PyExc_ValueError))
            throw std::invalid_argument(std::string(py::str(error.value())));
        throw std::invalid_argument("codec " + codec + ": " + error_line(error));
    }
}

// Registers a codec whose objects Python makes: make_encoder(model, code_size) and
// make_decoder(model, code_size), with decoders of one method of the codec's name, and
// likewise make_report_encoder(model) and make_report_decoder(model).
void register_codec(const std::string& name,
                    int number,
                    const std::string& title,
                    const std::string& domain,
                    const std::string& help,
                    py::object make_encoder,
                    py::object make_decoder,
                    py::object make_report_encoder,
                    py::object make_report_decoder)
{
    codec_descriptor codec;
    codec.name = name;
    codec.number = number;
    codec.title = title;
    codec.domain = domain;
    codec.help = help;
    decoder_descriptor decoder;
    const bool has_codewords = !make_encoder.is_none();
    if (has_codewords) {
        const auto encoder_function = keep(make_encoder),
                   decoder_function = keep(make_decoder);
        codec.make_encoder = [name, encoder_function](model_file::sptr model, int m) {
            return made_in_python(name, *encoder_function, make_python_encoder, model, m);
        };
        decoder.name = name;
        decoder.help = help;
        decoder.make = [name, decoder_function](
                           model_file::sptr model, int m, const option_values&) {
            return made_in_python(name, *decoder_function, make_python_decoder, model, m);
        };
        codec.decoders = { { name, "" } };
    }
    if (!make_report_encoder.is_none()) {
        const auto encoder_function = keep(make_report_encoder),
                   decoder_function = keep(make_report_decoder);
        codec.make_report_encoder = [name, encoder_function](model_file::sptr model,
                                                             const option_values&) {
            return made_in_python(
                name, *encoder_function, make_python_report_encoder, model);
        };
        codec.make_report_decoder = [name, decoder_function](model_file::sptr model,
                                                             const option_values&) {
            return made_in_python(
                name, *decoder_function, make_python_report_decoder, model);
        };
    }
    codec_registry& registry = codec_registry::instance();
    if (has_codewords)
        registry.add(codec, decoder);
    else
        registry.add(codec);
}

void bind_registry(py::module& m)
{
    m.def(
        "codec_names",
        [] { return codec_registry::instance().codecs(); },
        "Names of all codecs that are registered in C++.");
    m.def(
        "load_codecs",
        [](const file_name& path) { codec_registry::instance().load(path.string()); },
        py::arg("path"),
        "Loads a plug-in, a shared library with codecs. Raises ValueError with one line "
        "if it is none, is for another version, or its codecs clash.");
    m.def(
        "describe_codec",
        [](const std::string& name) {
            const codec_descriptor& c = codec_registry::instance().codec(name);
            py::dict d;
            d["name"] = c.name;
            d["number"] = c.number;
            d["title"] = c.title;
            d["domain"] = c.domain;
            d["learned"] = c.learned;
            d["help"] = c.help;
            py::dict decoders;
            for (const auto& use : c.decoders) {
                const decoder_descriptor& method =
                    codec_registry::instance().decoder(use.decoder);
                py::dict one;
                one["help"] = method.help;
                one["options"] = describe_options(method.options);
                decoders[use.decoder.c_str()] = one;
            }
            d["decoders"] = decoders;
            d["has_codewords"] = bool(c.make_encoder);
            d["has_reports"] = bool(c.make_report_encoder);
            d["report_options"] = describe_options(c.report_options);
            return d;
        },
        py::arg("name"),
        "What the registry knows of a codec, as a dictionary.");
    m.def(
        "parse_decoder",
        [](const std::string& codec, const std::string& text) {
            const auto method = codec_registry::instance().parse(codec, text);
            py::dict d, options;
            d["decoder"] = method.decoder->name;
            d["label"] = method.label();
            for (const codec_option& o : method.options.options())
                if (method.options.given(o.name))
                    options[o.name.c_str()] = method.options.text(o.name);
            d["options"] = options;
            d["all_options"] = describe_options(method.options.options());
            return d;
        },
        py::arg("codec"),
        py::arg("text") = "",
        "Reads DECODER,name=value,.. of a codec: the decoder, its label for tables, and "
        "the "
        "options that were given. Raises ValueError if there is no such decoder or "
        "option.");
    m.def(
        "can_send",
        [](model_file::sptr model, int m) {
            const codec_descriptor& c = codec_registry::instance().codec(model->codec());
            return !c.can_send || c.can_send(*model, m);
        },
        py::arg("model"),
        py::arg("code_size"),
        "Whether the encoder of a model makes codewords of this length, up to the "
        "longest.");
    m.def(
        "decoder_variants",
        [](model_file::sptr model) {
            const codec_descriptor& c = codec_registry::instance().codec(model->codec());
            std::vector<std::string> all;
            if (c.variants)
                all = c.variants(*model);
            if (all.empty() && !c.decoders.empty())
                all.push_back(c.decoders.front().decoder);
            return all;
        },
        py::arg("model"),
        "The decoders with options that are worth measuring for a model.");
    m.def(
        "operation_counts",
        [](model_file::sptr model, int m, const std::string& text) {
            const auto method = codec_registry::instance().parse(model->codec(), text);
            return py::make_tuple(
                method.codec->operations ? counts(method.codec->operations(*model, m))
                                         : py::dict(),
                method.decoder->operations
                    ? counts(method.decoder->operations(*model, m, method.options))
                    : py::dict());
        },
        py::arg("model"),
        py::arg("code_size"),
        py::arg("decoder") = "",
        "Multiply-adds for one matrix by part: those of the encoder, those of the "
        "decoder.");
    m.def("register_codec",
          &register_codec,
          py::arg("name"),
          py::arg("number"),
          py::arg("title"),
          py::arg("domain"),
          py::arg("help") = "",
          py::arg("make_encoder") = py::none(),
          py::arg("make_decoder") = py::none(),
          py::arg("make_report_encoder") = py::none(),
          py::arg("make_report_decoder") = py::none());
}

void bind_reports(py::module& m)
{
    codec_class<report_encoder>(m, "report_encoder", "CSI to a string of bits (UE).")
        .def(py::init(&make_python_report_encoder), py::arg("codec"))
        .def("min_bits", &report_encoder::min_bits)
        .def("max_bits", &report_encoder::max_bits)
        .def("encode",
             &encode_report,
             py::arg("h"),
             py::arg("budget") = 0,
             "Encodes matrices, complex (rows, nt) or (n, rows, nt), in at most `budget` "
             "bits each, 0 for as many as a report can have. Returns the bits, uint8 "
             "(bytes,) or (n, bytes), most significant first, their number(s), and the "
             "gain(s) in dB. Raises ValueError for another shape, a budget below "
             "min_bits() "
             "or a matrix that is all zero or not finite.")
        .def(
            "operations",
            [](report_encoder& self) {
                if (auto* entropy = dynamic_cast<entropy_report_encoder*>(&self)) {
                    const auto sum = entropy->operations_so_far();
                    return counts({ { "transform", sum.transform },
                                    { "quantization", sum.quantization } });
                }
                const codec_descriptor* codec =
                    codec_registry::instance().find(self.name());
                return codec && codec->report_operations
                           ? counts(codec->report_operations(self))
                           : py::dict();
            },
            "Multiply-adds by part that it has done so far, of all matrices; empty where "
            "they do not depend on the matrix and the registry has them.");
    py::implicitly_convertible<python_codec_part, report_encoder>();
    codec_class<report_decoder>(m, "report_decoder", "A string of bits to CSI (BS).")
        .def(py::init(&make_python_report_decoder), py::arg("codec"))
        .def("max_bits", &report_decoder::max_bits)
        .def(
            "frame_bits",
            [](const report_decoder& self, int code_size) {
                return self.format().bits_of(code_size);
            },
            py::arg("code_size"),
            "Bits of the report in a feedback frame whose header has this code_size.")
        .def("decode",
             &decode_report,
             py::arg("bits"),
             py::arg("count"),
             py::arg("gain_db") = 0.0,
             "Decodes reports: bits, uint8 (bytes,) or (n, bytes), the number(s) of bits "
             "that count, and gain(s) in dB. Returns H^, complex64 (rows, nt) or (n, "
             "rows, "
             "nt), which is finite whatever the bits.");
    py::implicitly_convertible<python_codec_part, report_decoder>();
    py::class_<path_report_encoder, report_encoder, path_report_encoder::sptr>(
        m, "path_report_encoder", "Reports of the codec path (UE).")
        .def(py::init(&path_report_encoder::make),
             py::arg("model"),
             py::arg("snr_db") = 100.0,
             py::arg("fast") = false);
    py::class_<path_report_decoder, report_decoder, path_report_decoder::sptr>(
        m, "path_report_decoder", "The decoder of path_report_encoder (BS).")
        .def(py::init(&path_report_decoder::make), py::arg("model"))
        .def_static(
            "on_grid",
            &path_report_decoder::on_grid,
            py::arg("model"),
            py::arg("subcarriers"),
            py::arg("antennas"),
            "A report decoder, for csi_report_decoder too, to H on these subcarriers "
            "and antennas, measured or not: what response() has of each report.")
        .def("paths",
             &path_list,
             py::arg("bits"),
             py::arg("count"),
             py::arg("gain_db") = 0.0f,
             "The plane waves in one report, uint8 (bytes,) with `count` bits: delays in "
             "rows and angles in columns of Ha, float32 (paths,) each, and gains, "
             "complex64 "
             "(paths,), in the scale of the CSI.")
        .def("response",
             &path_response,
             py::arg("bits"),
             py::arg("count"),
             py::arg("subcarriers"),
             py::arg("antennas"),
             py::arg("gain_db") = 0.0f,
             "H of the paths in one report, uint8 (bytes,) with `count` bits, on any "
             "subcarriers and antennas, measured or not: their positions, 0 is the first "
             "one that was measured, fractions are between them, within +-1e6. Returns "
             "complex64 (subcarriers, antennas), in the scale of the CSI.")
        .def("read",
             &path_content,
             py::arg("bits"),
             py::arg("count"),
             "What is coded in one report, for training: (size class, step, top), counts "
             "int32 (n, 2) with table and symbol, and paths int32 (n, 9): group, a, b, "
             "resolution, delay, angle, row, column, level.")
        .def_static(
            "table_sizes",
            [] { return sizes_dict(path_report_decoder::table_sizes()); },
            "Sizes of the tables in a model file, by name.");
    py::class_<entropy_report_encoder, report_encoder, entropy_report_encoder::sptr>(
        m,
        "entropy_report_encoder",
        "Entropy-coded reports of a codec with codewords (UE).")
        .def(py::init(&entropy_report_encoder::make),
             py::arg("model"),
             py::arg("code_size") = 0)
        .def("count",
             &count_symbols,
             py::arg("h"),
             py::arg("budget"),
             "Encodes matrices, complex64 (rows, nt) or (n, rows, nt), and tells how "
             "often "
             "each symbol was coded, for training: a dictionary of float64 arrays, flat, "
             "in the order of the arrays of the model file; empty where nothing was "
             "coded.")
        .def_static(
            "table_sizes",
            [] { return sizes_dict(entropy_report_encoder::table_sizes()); },
            "Sizes of the tables in a model file, by name.");
    py::class_<entropy_report_decoder, report_decoder, entropy_report_decoder::sptr>(
        m, "entropy_report_decoder", "The decoder of entropy_report_encoder (BS).")
        .def(py::init(&entropy_report_decoder::make),
             py::arg("model"),
             py::arg("code_size") = 0,
             py::arg("decoder") = "");
    m.def("report_encoder_from_model",
          &report_encoder::from_model,
          py::arg("model"),
          py::arg("options") = "",
          "The report encoder of a model, whatever its codec. Options of codecs with "
          "codewords: code_size, quantizer and bits (per value); others have their own.");
    m.def("report_decoder_from_model",
          &report_decoder::from_model,
          py::arg("model"),
          py::arg("options") = "",
          py::arg("decoder") = "",
          "The report decoder of a model, with the same options; decoder as in "
          "decoder_from_model.");
    m.def("quantized_report_encoder",
          &quantized_report::make_encoder,
          py::arg("encoder"),
          py::arg("quantizer"),
          "Reports that are quantized codewords, with the bits of quantizer.pack().");
    m.def("quantized_report_decoder",
          &quantized_report::make_decoder,
          py::arg("decoder"),
          py::arg("quantizer"),
          "The decoder of quantized_report_encoder.");
}

} // namespace

void bind_codecs(py::module& m)
{
    py::register_exception<codec_failure>(m, "CodecError", PyExc_RuntimeError).doc() =
        "An encoder or decoder failed.";
    py::class_<python_codec_part>(
        m,
        "codec_part",
        "Base class of codecs in Python; see Encoder, Decoder and others.")
        .def(py::init<>());
    codec_class<encoder>(m, "encoder", "The UE half of a codec: CSI to codeword.")
        .def(py::init(&make_python_encoder), py::arg("codec"))
        .def("encode",
             &encode,
             py::arg("ha"),
             py::arg("with_residual_energy") = false,
             "Encodes Ha, complex (na, nt) or (n, na, nt). Returns the codeword(s) s, "
             "float32 (M,) or (n, M), and the gain(s) in dB; if asked for also the "
             "residual "
             "energy in dB, NaN where the codec does not tell. Raises ValueError for "
             "another "
             "shape, or a matrix that is all zero or not finite.");
    py::implicitly_convertible<python_codec_part, encoder>();
    codec_class<decoder>(m, "decoder", "The BS half of a codec: codeword to CSI.")
        .def(py::init(&make_python_decoder), py::arg("codec"))
        .def("decode",
             &decode,
             py::arg("s"),
             py::arg("gain_db") = 0.0,
             "Decodes s, float (m,) or (n, m) with 1 <= m <= M, with its gain(s) in dB. "
             "Returns Ha^, complex64 (na, nt) or (n, na, nt).");
    py::implicitly_convertible<python_codec_part, decoder>();
    m.def(
        "encoder_from_model",
        &encoder::from_model,
        py::arg("model"),
        py::arg("code_size") = 0,
        "The encoder of a model, whatever its codec; code_size is M, 0 for the longest.");
    m.def(
        "decoder_from_model",
        &decoder::from_model,
        py::arg("model"),
        py::arg("code_size") = 0,
        py::arg("decoder") = "",
        "The decoder of a model, whatever its codec: `decoder` names one of the codec's "
        "with its options, for example 'fista,iterations=100'; empty: the usual one.");
    m.def(
        "linear_encoder",
        &linear_encoder::make,
        py::arg("model"),
        py::arg("code_size") = 0,
        "s = W h with the matrix of a model file; code_size is M, 0 for all rows of W.");
    m.def(
        "linear_encoder_from_matrix",
        [](const array_in<float>& w, int na, int nt, int model_id) {
            if (w.ndim() != 2)
                throw std::invalid_argument("w has " + std::to_string(w.ndim()) +
                                            " dimensions, allowed is 2");
            return linear_encoder::make_from_matrix(
                std::vector<float>(w.data(), w.data() + w.size()), na, nt, model_id);
        },
        py::arg("w"),
        py::arg("na"),
        py::arg("nt"),
        py::arg("model_id") = 0,
        "s = W h with any matrix W, float (M, 2 na nt).");
    m.def("linear_decoder",
          &linear_decoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("noise_variance") = 0.0f,
          "The best linear reconstruction for the encoder of a model file.");
    m.def("local_klt_encoder",
          &local_klt_encoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          "Coordinates in the patch that fits best; code_size is M, 0 for the model's "
          "largest.");
    m.def("local_klt_decoder",
          &local_klt_decoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          "The decoder of local_klt_encoder.");
    m.def("l2o_decoder",
          &l2o_decoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("profile") = "realtime",
          py::arg("iterations") = 0,
          py::arg("tolerance") = 0.0f,
          py::arg("precision") = "float32",
          "The learned decoder of a Csi-L2O or MS4L2O model file: `profile` names one of "
          "those in the file, iterations = 0 takes as many as were trained, and with a "
          "tolerance decoding ends once an iteration changes the result by less, "
          "relative. precision = \"bf16\" multiplies in bfloat16 where the processor has "
          "AVX-512 BF16.");
    m.def("mlcf_encoder",
          &mlcf_encoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          "Embeddings of the columns of whole matrices by their nearest landmarks; "
          "code_size is a multiple of nt, 0 for all dimensions.");
    m.def("mlcf_decoder",
          &mlcf_decoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          "The decoder of an MLCF model file; code_size 0 for the longest codeword.");
    m.def("ista_decoder",
          &ista_decoder::make,
          py::arg("model"),
          py::arg("code_size") = 0,
          py::arg("accelerate") = true,
          py::arg("iterations") = 20,
          py::arg("lambda_") = 0.02f,
          py::arg("tolerance") = 0.0f,
          py::arg("warm_start") = false,
          "ISTA, or FISTA with accelerate = True, for the encoder of a model file.");
    m.def(
        "ista_decoder_from_matrix",
        [](const array_in<float>& w,
           int na,
           int nt,
           int model_id,
           bool accelerate,
           int iterations,
           float lambda,
           float tolerance,
           bool warm_start) {
            if (w.ndim() != 2)
                throw std::invalid_argument("w has " + std::to_string(w.ndim()) +
                                            " dimensions, allowed is 2");
            return ista_decoder::make_from_matrix(
                std::vector<float>(w.data(), w.data() + w.size()),
                na,
                nt,
                model_id,
                accelerate,
                iterations,
                lambda,
                tolerance,
                warm_start);
        },
        py::arg("w"),
        py::arg("na"),
        py::arg("nt"),
        py::arg("model_id") = 0,
        py::arg("accelerate") = true,
        py::arg("iterations") = 20,
        py::arg("lambda_") = 0.02f,
        py::arg("tolerance") = 0.0f,
        py::arg("warm_start") = false,
        "ISTA or FISTA for any matrix W, float (M, 2 na nt).");
    bind_registry(m);
    bind_reports(m);
}
