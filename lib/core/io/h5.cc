/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "io/h5.h"
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

constexpr double largest_chunk = 1 << 26;

// Silences HDF5's error printing for the life of the object.
class h5_quiet
{
public:
    h5_quiet()
    {
        H5Eget_auto2(H5E_DEFAULT, &d_function, &d_data);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~h5_quiet() { H5Eset_auto2(H5E_DEFAULT, d_function, d_data); }

private:
    H5E_auto2_t d_function = nullptr;
    void* d_data = nullptr;
};

bool is_plain_float(hid_t type)
{
    for (const hid_t known :
         { H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE })
        if (H5Tequal(type, known) > 0)
            return true;
    return false;
}

bool is_complex_type(hid_t type)
{
    if (H5Tget_class(type) != H5T_COMPOUND || H5Tget_nmembers(type) != 2)
        return false;
    const h5_id a(H5Tget_member_type(type, 0)), b(H5Tget_member_type(type, 1));
    return is_plain_float(a) && is_plain_float(b) &&
           H5Tget_member_offset(type, 0) < H5Tget_member_offset(type, 1);
}

std::string shape_text(const std::vector<size_t>& shape)
{
    std::string text = "(";
    for (size_t i = 0; i < shape.size(); i++) {
        text += i ? ", " : "";
        text += shape[i] ? std::to_string(shape[i]) : "any";
    }
    return text + ")";
}

} // namespace

h5_id::~h5_id()
{
    if (d_id >= 0)
        H5Idec_ref(d_id);
}

h5_reader::h5_reader(const std::string& path, const char* what) : d_path(path)
{
    // Looks first: HDF5's own errors do not tell, and a FIFO would block.
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 ||
        (S_ISREG(status.st_mode) && ::access(path.c_str(), R_OK) != 0))
        fail(std::string("cannot be opened: ") + std::strerror(errno) + "; expected a " +
             what);
    if (!S_ISREG(status.st_mode))
        fail(std::string("is no regular file; expected a ") + what);
    const h5_quiet quiet;
    d_file = h5_id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
    if (!d_file.valid())
        fail(std::string("is no HDF5 file or damaged; expected a ") + what);
}

void h5_reader::fail(const std::string& text) const
{
    throw std::invalid_argument(d_path + ": " + text);
}

bool h5_reader::has(const std::string& name) const
{
    const h5_quiet quiet;
    // Only what lies in this file itself: links to others are not followed. Every group
    // on the way has to exist.
    const auto is_hard_link = [this](const std::string& path) {
        H5L_info_t info;
        return H5Lexists(d_file, path.c_str(), H5P_DEFAULT) > 0 &&
               H5Lget_info(d_file, path.c_str(), &info, H5P_DEFAULT) >= 0 &&
               info.type == H5L_TYPE_HARD;
    };
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1))
        if (!is_hard_link(name.substr(0, slash)))
            return false;
    return is_hard_link(name);
}

bool h5_reader::has_attribute(const std::string& name) const
{
    const h5_quiet quiet;
    return H5Aexists(d_file, name.c_str()) > 0;
}

std::string h5_reader::text(const std::string& name) const
{
    const h5_quiet quiet;
    const h5_id attribute(H5Aopen(d_file, name.c_str(), H5P_DEFAULT));
    if (!attribute.valid())
        fail("has no attribute '" + name + "'");
    const h5_id type(H5Aget_type(attribute)), space(H5Aget_space(attribute));
    if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1)
        fail("attribute '" + name + "' is no text");
    constexpr size_t limit = 65536;
    if (H5Tis_variable_str(type) > 0) {
        const h5_id memory(H5Tcopy(H5T_C_S1));
        H5Tset_size(memory, H5T_VARIABLE);
        H5Tset_cset(memory, H5Tget_cset(type));
        char* value = nullptr;
        if (H5Aread(attribute, memory, &value) < 0 || !value)
            fail("attribute '" + name + "' cannot be read");
        std::string result(value);
        H5free_memory(value);
        if (result.size() > limit)
            fail("attribute '" + name + "' is longer than 65536 bytes");
        return result;
    }
    const size_t size = H5Tget_size(type);
    if (size == 0 || size > limit)
        fail("attribute '" + name + "' is longer than 65536 bytes");
    std::string result(size, '\0');
    if (H5Aread(attribute, type, &result[0]) < 0)
        fail("attribute '" + name + "' cannot be read");
    return result.substr(0, result.find('\0'));
}

long h5_reader::integer(const std::string& name, long lo, long hi) const
{
    const h5_quiet quiet;
    const h5_id attribute(H5Aopen(d_file, name.c_str(), H5P_DEFAULT));
    if (!attribute.valid())
        fail("has no attribute '" + name + "'");
    const h5_id type(H5Aget_type(attribute)), space(H5Aget_space(attribute));
    long value = 0;
    if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_npoints(space) != 1 ||
        H5Aread(attribute, H5T_NATIVE_LONG, &value) < 0)
        fail("attribute '" + name + "' is no integer");
    if (value < lo || value > hi)
        fail("attribute '" + name + "' is " + std::to_string(value) + ", allowed is " +
             std::to_string(lo) + " to " + std::to_string(hi));
    return value;
}

h5_id h5_reader::open_dataset(const std::string& name) const
{
    if (!has(name))
        fail("has no array '" + name + "'");
    h5_id dataset(H5Dopen2(d_file, name.c_str(), H5P_DEFAULT));
    if (!dataset.valid())
        fail("'" + name + "' is no array");
    return dataset;
}

std::vector<size_t> h5_reader::shape(const std::string& name) const
{
    const h5_quiet quiet;
    const h5_id dataset = open_dataset(name);
    const h5_id type(H5Dget_type(dataset)), space(H5Dget_space(dataset));
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t dims[H5S_MAX_RANK];
    if (rank < 1 || H5Sget_simple_extent_dims(space, dims, nullptr) != rank)
        fail("'" + name + "' is no array");
    std::vector<size_t> shape(dims, dims + rank);
    if (is_complex_type(type))
        shape.push_back(2);
    else if (!is_plain_float(type))
        fail("array '" + name + "' is neither of real nor of complex floats");
    return shape;
}

void h5_reader::check_storage(const std::string& name, hid_t dataset) const
{
    const h5_id creation(H5Dget_create_plist(dataset));
    const H5D_layout_t layout = H5Pget_layout(creation);
    if (H5Pget_external_count(creation) != 0 ||
        (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED))
        fail("array '" + name + "' is not stored in the file itself");
    if (layout != H5D_CHUNKED)
        return;
    for (int i = 0; i < H5Pget_nfilters(creation); i++) {
        unsigned flags, config;
        size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(creation, i, &flags, &values, nullptr, 0, nullptr, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            fail("array '" + name +
                 "' has a filter other than gzip, shuffle, fletcher32");
    }
    // HDF5 allocates whole chunks, however small the array is.
    hsize_t dims[H5S_MAX_RANK];
    const int rank = H5Pget_chunk(creation, H5S_MAX_RANK, dims);
    const h5_id type(H5Dget_type(dataset));
    double bytes = H5Tget_size(type);
    for (int i = 0; i < rank; i++)
        bytes *= dims[i];
    if (rank < 1 || bytes > largest_chunk)
        fail("array '" + name + "' has chunks of more than 64 MiB");
}

std::vector<float> h5_reader::floats(const std::string& name,
                                     const std::vector<size_t>& expected,
                                     std::vector<size_t>& found,
                                     size_t first,
                                     size_t count,
                                     size_t limit) const
{
    const h5_quiet quiet;
    found = shape(name);
    bool fits = found.size() == expected.size();
    for (size_t i = 0; fits && i < found.size(); i++)
        fits = found[i] > 0 && (expected[i] == 0 || found[i] == expected[i]);
    if (!fits)
        fail("array '" + name + "' has shape " + shape_text(found) + ", expected " +
             shape_text(expected));
    if (first >= found[0] || count > found[0] - first)
        fail("array '" + name + "' has no rows up to " + std::to_string(first + count));
    if (count == 0)
        count = found[0] - first;

    size_t total = count;
    for (size_t i = 1; i < found.size(); i++) {
        if (found[i] > limit || total > limit / found[i])
            fail("array '" + name + "' has more than " + std::to_string(limit) +
                 " values");
        total *= found[i];
    }
    if (total > limit)
        fail("array '" + name + "' has more than " + std::to_string(limit) + " values");

    const h5_id dataset = open_dataset(name);
    const h5_id type(H5Dget_type(dataset));
    const bool is_complex = is_complex_type(type);
    check_storage(name, dataset);
    // An array with less storage than values would read as zeros of a size that costs the
    // file nothing. Deflate makes at most about 1032 bytes of one.
    hsize_t file_size = 0;
    H5Fget_filesize(d_file, &file_size);
    const double stored = std::min(H5Dget_storage_size(dataset), file_size);
    double wanted = H5Tget_size(type);
    for (size_t i = 0; i + (is_complex ? 1 : 0) < found.size(); i++)
        wanted *= found[i];
    if (wanted > 1100 * stored)
        fail("array '" + name + "' is larger than the data stored for it");

    const h5_id space(H5Dget_space(dataset));
    std::vector<hsize_t> start(found.size() - (is_complex ? 1 : 0), 0),
        extent(found.begin(), found.end() - (is_complex ? 1 : 0));
    start[0] = first;
    extent[0] = count;
    if (H5Sselect_hyperslab(
            space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) < 0)
        fail("array '" + name + "' cannot be read");
    const h5_id memory_space(H5Screate_simple(extent.size(), extent.data(), nullptr));
    h5_id memory_type;
    if (is_complex) {
        memory_type = h5_id(H5Tcreate(H5T_COMPOUND, 2 * sizeof(float)));
        for (unsigned i = 0; i < 2; i++) {
            char* member = H5Tget_member_name(type, i);
            const herr_t status =
                member
                    ? H5Tinsert(memory_type, member, i * sizeof(float), H5T_NATIVE_FLOAT)
                    : -1;
            H5free_memory(member);
            if (status < 0)
                fail("array '" + name + "' cannot be read");
        }
    } else {
        memory_type = h5_id(H5Tcopy(H5T_NATIVE_FLOAT));
    }

    std::vector<float> data(total);
    if (H5Dread(dataset, memory_type, memory_space, space, H5P_DEFAULT, data.data()) < 0)
        fail("array '" + name + "' cannot be read: the file is damaged");
    for (const float x : data)
        if (!std::isfinite(x))
            fail("array '" + name + "' has a value that is not finite");
    found[0] = count;
    return data;
}

} // namespace csifeedback
} // namespace gr
