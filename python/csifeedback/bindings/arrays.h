/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ARRAYS_H
#define INCLUDED_CSIFEEDBACK_ARRAYS_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <pybind11/complex.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>
#include <complex>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace csifeedback_python {

namespace py = pybind11;

// What users hand over: any array that converts, made contiguous.
template <typename T>
using array_in = py::array_t<T, py::array::c_style | py::array::forcecast>;

// Arrays of antenna ports are tuples (n1, n2, polarizations) in Python; None is a line.
inline py::tuple as_tuple(const gr::csifeedback::antenna_array& a)
{
    return py::make_tuple(a.n1, a.n2, a.polarizations);
}
inline gr::csifeedback::antenna_array as_antenna_array(const py::object& given)
{
    if (given.is_none())
        return {};
    try {
        const auto numbers = given.cast<std::vector<int>>();
        if (numbers.size() == 3)
            return { numbers[0], numbers[1], numbers[2] };
    } catch (const py::cast_error&) {
    }
    throw std::invalid_argument("array is " + std::string(py::repr(given)) +
                                ", allowed is None, a line, or (n1, n2, polarizations)");
}

// File names: text, bytes, or a path object.
using file_name = std::filesystem::path;

/*!
 * \brief Matrices (rows, nt) or a batch of them, from what users hand over.
 *
 * Real numbers whose shape is that of real and imaginary parts, as the files of CsiNet have
 * them, are refused: they would be taken for something else.
 */
inline array_in<std::complex<float>>
as_matrices(const py::object& given, const std::string& name, int rows, int nt)
{
    const py::array any = py::array::ensure(given);
    if (!any) {
        PyErr_Clear();
        throw std::invalid_argument(name + " is no array of numbers");
    }
    const char kind = any.dtype().kind();
    const py::ssize_t d = any.ndim(), last = d ? any.shape(d - 1) : 0;
    const bool parts =
        d >= 3 && any.shape(d - 3) == 2 && any.shape(d - 2) == rows && last == nt;
    if (kind != 'c' && (parts || (d >= 1 && last == py::ssize_t(2) * rows * nt))) {
        const std::string x = parts ? name
                                    : name + ".reshape(-1, 2, " + std::to_string(rows) +
                                          ", " + std::to_string(nt) + ")";
        throw std::invalid_argument(name +
                                    " is real, with the shape of real and imaginary "
                                    "parts; allowed are complex matrices: x[..., 0, :, "
                                    ":] + 1j * x[..., 1, :, :] with x = " +
                                    x + ", less what the parts are shifted by");
    }
    auto matrices = array_in<std::complex<float>>::ensure(any);
    if (!matrices) {
        PyErr_Clear();
        throw std::invalid_argument(name + " is no array of numbers");
    }
    return matrices;
}

/*!
 * \brief An array whose last dimensions are fixed and that may have one more, the batch,
 * before them.
 */
struct batch {
    py::ssize_t count;              // 1 without a batch dimension
    std::vector<py::ssize_t> front; // the batch dimension of the results, if any
};

template <typename T>
batch as_batch(const array_in<T>& x,
               const char* name,
               const std::vector<py::ssize_t>& item)
{
    const py::ssize_t extra = x.ndim() - py::ssize_t(item.size());
    bool fits = extra == 0 || extra == 1;
    for (size_t i = 0; fits && i < item.size(); i++)
        fits = x.shape(extra + i) == item[i];
    if (!fits) {
        std::string found, allowed;
        for (py::ssize_t i = 0; i < x.ndim(); i++)
            found += (i ? ", " : "") + std::to_string(x.shape(i));
        for (size_t i = 0; i < item.size(); i++)
            allowed += (i ? ", " : "") + std::to_string(item[i]);
        throw std::invalid_argument(std::string(name) + " has shape (" + found +
                                    "), allowed is (" + allowed + ") or (n, " + allowed +
                                    ")");
    }
    batch b;
    b.count = extra ? x.shape(0) : 1;
    if (extra)
        b.front.push_back(b.count);
    return b;
}

//! A new array of the batch's results.
template <typename T>
py::array_t<T> results(const batch& b, std::vector<py::ssize_t> item)
{
    item.insert(item.begin(), b.front.begin(), b.front.end());
    return py::array_t<T>(item);
}

// The bytes of a py::bytes that has become a string.
inline const uint8_t* byte_data(const std::string& x)
{
    return reinterpret_cast<const uint8_t*>(x.data());
}

//! A secret; pybind11 does not make bytes a vector.
inline std::vector<uint8_t> key_from_bytes(const py::bytes& key)
{
    const std::string bytes = key;
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

//! A dictionary of uint64_t count(frame_status).
template <typename T>
py::dict count_by_status(T&& count)
{
    using namespace gr::csifeedback;
    py::dict d;
    for (int i = 0; i < frame_status_count; i++) {
        const auto status = static_cast<frame_status>(i);
        d[frame_status_name(status)] = count(status);
    }
    return d;
}

} // namespace csifeedback_python

#endif /* INCLUDED_CSIFEEDBACK_ARRAYS_H */
