/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MODEL_WRITER_H
#define INCLUDED_CSIFEEDBACK_MODEL_WRITER_H

#include <hdf5.h>
#include <complex>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

//! Arrays of a model to be, by name: shape and values. A test may make some bad.
using named_arrays =
    std::map<std::string, std::pair<std::vector<hsize_t>, std::vector<float>>>;

//! Adds an array, all of whose values are x.
inline void add_filled(named_arrays& all,
                       const std::string& name,
                       std::vector<hsize_t> shape,
                       float x)
{
    size_t n = 1;
    for (const hsize_t k : shape)
        n *= k;
    all[name] = { std::move(shape), std::vector<float>(n, x) };
}

//! Writes model files with HDF5's C API, for tests: well-formed ones and, since nothing
//! is checked, others.
class model_writer
{
public:
    //! latest: in the newest format that HDF5 knows, not in the most compatible one
    explicit model_writer(const std::string& path, bool latest = false)
    {
        const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        if (latest)
            H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
        d_file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
        H5Pclose(access);
        if (d_file < 0)
            throw std::runtime_error(path + ": cannot be created");
    }
    model_writer(const model_writer&) = delete;
    model_writer& operator=(const model_writer&) = delete;
    ~model_writer() { H5Fclose(d_file); }

    hid_t file() const { return d_file; }

    void text(const char* name, const std::string& value)
    {
        const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
        H5Tset_size(type, value.size() + 1);
        attribute(name, type, space, value.c_str());
        H5Tclose(type);
        H5Sclose(space);
    }

    void variable_text(const char* name, const char* value)
    {
        const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
        H5Tset_size(type, H5T_VARIABLE);
        attribute(name, type, space, &value);
        H5Tclose(type);
        H5Sclose(space);
    }

    void integer(const char* name, long value)
    {
        const hid_t space = H5Screate(H5S_SCALAR);
        attribute(name, H5T_NATIVE_LONG, space, &value);
        H5Sclose(space);
    }

    void attribute(const char* name, hid_t type, hid_t space, const void* value)
    {
        if (H5Aexists(d_file, name) > 0)
            H5Adelete(d_file, name);
        const hid_t id = H5Acreate2(d_file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        if (value)
            H5Awrite(id, type, value);
        H5Aclose(id);
    }

    //! The attributes that every model has.
    void header(const std::string& codec, int nc, int na, int nt, int model_id = 7)
    {
        text("format", "gr-csifeedback model");
        integer("format_version", 1);
        text("codec", codec);
        integer("nc", nc);
        integer("na", na);
        integer("nt", nt);
        integer("precursor", 0);
        integer("model_id", model_id);
    }

    //! An array of floats; with data null it gets no storage.
    void array(const char* name,
               const std::vector<hsize_t>& shape,
               const float* data,
               hid_t creation = H5P_DEFAULT,
               hid_t type = H5T_IEEE_F32LE)
    {
        const hid_t links = H5Pcreate(H5P_LINK_CREATE);
        H5Pset_create_intermediate_group(links, 1);
        const hid_t space = H5Screate_simple(shape.size(), shape.data(), nullptr);
        const hid_t id =
            H5Dcreate2(d_file, name, type, space, links, creation, H5P_DEFAULT);
        if (data && id >= 0)
            H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
        if (id >= 0)
            H5Dclose(id);
        H5Sclose(space);
        H5Pclose(links);
    }
    void array(const char* name,
               const std::vector<hsize_t>& shape,
               const std::vector<float>& data)
    {
        array(name, shape, data.data());
    }

    //! An array of complex numbers, as h5py writes them.
    void complex_array(const char* name,
                       const std::vector<hsize_t>& shape,
                       const std::vector<std::complex<float>>& data)
    {
        const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
        H5Tinsert(type, "r", 0, H5T_IEEE_F32LE);
        H5Tinsert(type, "i", 4, H5T_IEEE_F32LE);
        array(name, shape, nullptr, H5P_DEFAULT, type);
        const hid_t id = H5Dopen2(d_file, name, H5P_DEFAULT);
        H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data());
        H5Dclose(id);
        H5Tclose(type);
    }

private:
    hid_t d_file;
};

//! A fresh directory, removed with all it holds.
class scratch_directory
{
public:
    scratch_directory()
    {
        char name[] = "/tmp/csifeedback_test_XXXXXX";
        if (!mkdtemp(name))
            throw std::runtime_error("mkdtemp failed");
        d_path = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory()
    {
        if (std::system(("rm -rf " + d_path).c_str()))
            std::abort();
    }
    std::string file(const std::string& name) const { return d_path + "/" + name; }

private:
    std::string d_path;
};

#endif /* INCLUDED_CSIFEEDBACK_MODEL_WRITER_H */
