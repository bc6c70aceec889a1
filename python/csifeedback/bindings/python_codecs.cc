/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "python_codecs.h"
#include <type_traits>
#include <algorithm>
#include <cmath>

using namespace gr::csifeedback;

namespace csifeedback_python {

namespace {

std::string one_line(std::string text)
{
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

} // namespace

codec_failure::codec_failure(std::string text)
    : std::runtime_error(one_line(std::move(text)))
{
}

std::string error_line(const py::error_already_set& error)
{
    std::string text = py::str(error.type().attr("__name__"));
    const std::string value = error.value() ? std::string(py::str(error.value())) : "";
    text += (value.empty() ? "" : ": ") + one_line(value);
    // Where it was raised: the last frame.
    py::object trace = error.trace();
    if (!trace || trace.is_none())
        return text;
    while (!trace.attr("tb_next").is_none())
        trace = trace.attr("tb_next");
    const std::string file =
        py::str(trace.attr("tb_frame").attr("f_code").attr("co_filename"));
    return text + " (" + file.substr(file.rfind('/') + 1) + ":" +
           std::string(py::str(trace.attr("tb_lineno"))) + ")";
}

namespace {

using cf = std::complex<float>;

template <typename T>
T attribute(const py::object& codec, const char* name)
{
    try {
        return codec.attr(name).cast<T>();
    } catch (const py::error_already_set&) {
        throw std::invalid_argument(std::string(py::str(py::type::of(codec))) +
                                    " has no attribute " + name);
    } catch (const py::cast_error&) {
        throw std::invalid_argument(std::string(py::str(py::type::of(codec))) + ": " +
                                    name + " is " +
                                    std::string(py::repr(codec.attr(name))) +
                                    ", which is of another type than it has to be");
    }
}

codec_info info_of(const py::object& codec)
{
    const int codec_id = attribute<int>(codec, "codec_id"),
              model_id = attribute<int>(codec, "model_id");
    if (codec_id < 0 || codec_id > 255 || model_id < 0 || model_id > 65535)
        throw std::invalid_argument(
            std::string(py::str(py::type::of(codec))) + ": codec_id and model_id are " +
            std::to_string(codec_id) + " and " + std::to_string(model_id) +
            ", allowed is 0 to 255 and 0 to 65535");
    return { attribute<std::string>(codec, "name"),
             uint8_t(codec_id),
             uint16_t(model_id),
             attribute<std::string>(codec, "domain"),
             attribute<int>(codec, "rows"),
             attribute<int>(codec, "nt"),
             attribute<int>(codec, "code_size"),
             attribute<int>(codec, "nc"),
             attribute<int>(codec, "precursor"),
             as_antenna_array(codec.attr("array")) };
}

//! A Python object that may be let go by any thread.
class held_object
{
public:
    explicit held_object(py::object object) : d_object(std::move(object)) {}
    held_object(const held_object&) = delete;
    held_object& operator=(const held_object&) = delete;
    ~held_object()
    {
        if (!Py_IsInitialized()) {
            d_object.release();
            return;
        }
        py::gil_scoped_acquire acquire;
        d_object = py::object();
    }
    //! Calls f() with the interpreter's lock; what Python raises in it becomes a
    //! codec_failure, all but Ctrl-C.
    template <typename function>
    void call(const std::string& name, const char* method, function&& f) const
    {
        py::gil_scoped_acquire acquire;
        try {
            f(d_object.attr(method));
        } catch (py::error_already_set& error) {
            if (error.matches(PyExc_KeyboardInterrupt))
                throw;
            throw codec_failure(name + ", " + method + "(): " + error_line(error));
        }
    }

private:
    py::object d_object;
};

std::string shape_of(const py::array& array)
{
    std::string text;
    for (py::ssize_t i = 0; i < array.ndim(); i++)
        text += (i ? ", " : "") + std::to_string(array.shape(i));
    return "(" + text + ")";
}

// An array of a method's result, of the right kind and shape.
template <typename T>
array_in<T> checked(const std::string& name,
                    const char* method,
                    const py::object& result,
                    const std::vector<py::ssize_t>& shape)
{
    // NumPy would drop imaginary parts.
    if (!std::is_same<T, cf>::value && py::isinstance<py::array>(result) &&
        py::reinterpret_borrow<py::array>(result).dtype().kind() == 'c')
        throw codec_failure(name + ", " + method +
                            "() gave complex values, allowed are real ones");
    const array_in<T> array = array_in<T>::ensure(result);
    if (!array)
        throw codec_failure(name + ", " + method + "() gave " +
                            std::string(py::repr(py::type::of(result))) +
                            ", allowed is an array of numbers");
    bool fits = array.ndim() == py::ssize_t(shape.size());
    std::string allowed;
    for (size_t i = 0; i < shape.size(); i++) {
        fits = fits && array.shape(i) == shape[i];
        allowed += (i ? ", " : "") + std::to_string(shape[i]);
    }
    if (!fits)
        throw codec_failure(name + ", " + method + "() gave shape " + shape_of(array) +
                            ", allowed is (" + allowed + ")");
    return array;
}

// Complex matrices (count, rows, nt) of h_vecs, and back.
py::array_t<cf> to_matrices(const float* h_vec, py::ssize_t count, int rows, int nt)
{
    py::array_t<cf> matrices({ count, py::ssize_t(rows), py::ssize_t(nt) });
    cf* out = matrices.mutable_data();
    const size_t n = size_t(rows) * nt;
    for (py::ssize_t k = 0; k < count; k++, h_vec += 2 * n)
        for (size_t i = 0; i < n; i++)
            *out++ = { h_vec[i], h_vec[n + i] };
    return matrices;
}

void to_h_vec(const cf* in, py::ssize_t count, size_t n, float* h_vec)
{
    for (py::ssize_t k = 0; k < count; k++, h_vec += 2 * n, in += n)
        for (size_t i = 0; i < n; i++) {
            h_vec[i] = in[i].real();
            h_vec[n + i] = in[i].imag();
        }
}

class python_encoder : public encoder
{
public:
    explicit python_encoder(const py::object& codec)
        : encoder(info_of(codec)), d_codec(codec)
    {
    }

protected:
    float do_encode(const float* h_vec, float* s, int m) override
    {
        float residual;
        do_encode_batch(h_vec, s, m, 1, &residual);
        return residual;
    }
    void do_encode_batch(
        const float* h_vec, float* s, int m, int count, float* residual_db) override
    {
        const char* method = "encode_array";
        d_codec.call(name(), method, [&](const py::object& encode) {
            py::object result = encode(to_matrices(h_vec, count, rows(), nt()));
            std::vector<float> residuals(count, no_residual);
            if (py::isinstance<py::tuple>(result) && py::len(result) == 2) {
                const auto pair = result.cast<py::tuple>();
                const auto r = checked<float>(name(), method, pair[1], { count });
                std::copy_n(r.data(), count, residuals.begin());
                result = pair[0];
            }
            const auto array =
                checked<float>(name(), method, result, { count, code_size() });
            for (int k = 0; k < count; k++) {
                const float* row = array.data() + size_t(k) * code_size();
                if (!std::all_of(row, row + m, [](float x) { return std::isfinite(x); }))
                    throw codec_failure(name() + ", encode_array() gave values that "
                                                 "are not finite");
                std::copy_n(row, m, s + size_t(k) * m);
            }
            if (residual_db)
                std::copy(residuals.begin(), residuals.end(), residual_db);
        });
    }

private:
    const held_object d_codec;
};

class python_decoder : public decoder
{
public:
    explicit python_decoder(const py::object& codec)
        : decoder(info_of(codec)), d_codec(codec)
    {
    }

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        do_decode_batch(s, m, h_vec, 1);
    }
    void do_decode_batch(const float* s, int m, float* h_vec, int count) override
    {
        const char* method = "decode_array";
        d_codec.call(name(), method, [&](const py::object& decode) {
            py::array_t<float> codes({ py::ssize_t(count), py::ssize_t(code_size()) });
            float* to = codes.mutable_data();
            std::fill_n(to, codes.size(), 0.0f);
            for (int k = 0; k < count; k++)
                std::copy_n(s + size_t(k) * m, m, to + size_t(k) * code_size());
            const auto array =
                checked<cf>(name(), method, decode(codes), { count, rows(), nt() });
            to_h_vec(array.data(), count, size_t(rows()) * nt(), h_vec);
        });
    }

private:
    const held_object d_codec;
};

class python_report_encoder : public report_encoder
{
public:
    explicit python_report_encoder(const py::object& codec)
        : report_encoder(info_of(codec),
                         attribute<int>(codec, "min_bits"),
                         attribute<int>(codec, "max_bits")),
          d_codec(codec)
    {
    }

protected:
    result do_encode(const float* h_vec, uint8_t* bits, int budget) override
    {
        const char* method = "encode_bits";
        result r;
        d_codec.call(name(), method, [&](const py::object& encode) {
            const auto array = array_in<uint8_t>::ensure(
                encode(to_matrices(h_vec, 1, rows(), nt())[py::int_(0)], budget));
            if (!array)
                throw codec_failure(name() + ", encode_bits() gave no array of bits");
            if (array.ndim() != 1 || array.size() < 1 || array.size() > budget)
                throw codec_failure(name() + ", encode_bits() gave shape " +
                                    shape_of(array) + ", allowed is (n) with 1 to " +
                                    std::to_string(budget) + " bits");
            for (py::ssize_t i = 0; i < array.size(); i++) {
                if (array.data()[i] > 1)
                    throw codec_failure(name() + ", encode_bits() gave the value " +
                                        std::to_string(array.data()[i]) +
                                        ", allowed is 0 and 1");
                bits[i / 8] |= array.data()[i] << (7 - i % 8);
            }
            r.bits = array.size();
        });
        return r;
    }

private:
    const held_object d_codec;
};

class python_report_decoder : public report_decoder
{
public:
    explicit python_report_decoder(const py::object& codec)
        : report_decoder(info_of(codec), attribute<int>(codec, "max_bits")),
          d_codec(codec)
    {
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        const char* method = "decode_bits";
        d_codec.call(name(), method, [&](const py::object& decode) {
            py::array_t<uint8_t> array(count);
            for (int i = 0; i < count; i++)
                array.mutable_data()[i] = bits[i / 8] >> (7 - i % 8) & 1;
            const auto h = checked<cf>(name(), method, decode(array), { rows(), nt() });
            to_h_vec(h.data(), 1, size_t(rows()) * nt(), h_vec);
        });
    }

private:
    const held_object d_codec;
};

} // namespace

encoder::sptr make_python_encoder(py::object codec)
{
    if (py::isinstance<encoder>(codec))
        return codec.cast<encoder::sptr>();
    return std::make_shared<python_encoder>(codec);
}
decoder::sptr make_python_decoder(py::object codec)
{
    if (py::isinstance<decoder>(codec))
        return codec.cast<decoder::sptr>();
    return std::make_shared<python_decoder>(codec);
}
report_encoder::sptr make_python_report_encoder(py::object codec)
{
    if (py::isinstance<report_encoder>(codec))
        return codec.cast<report_encoder::sptr>();
    return std::make_shared<python_report_encoder>(codec);
}
report_decoder::sptr make_python_report_decoder(py::object codec)
{
    if (py::isinstance<report_decoder>(codec))
        return codec.cast<report_decoder::sptr>();
    return std::make_shared<python_report_decoder>(codec);
}

} // namespace csifeedback_python
