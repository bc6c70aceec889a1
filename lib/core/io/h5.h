/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_H5_H
#define INCLUDED_CSIFEEDBACK_H5_H

#include <hdf5.h>
#include <string>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

//! Owns one HDF5 identifier of any kind.
class h5_id
{
public:
    h5_id() = default;
    explicit h5_id(hid_t id) : d_id(id) {}
    h5_id(h5_id&& other) noexcept : d_id(std::exchange(other.d_id, H5I_INVALID_HID)) {}
    h5_id& operator=(h5_id&& other) noexcept
    {
        std::swap(d_id, other.d_id);
        return *this;
    }
    ~h5_id();
    operator hid_t() const { return d_id; }
    bool valid() const { return d_id >= 0; }

private:
    hid_t d_id = H5I_INVALID_HID;
};

/*!
 * \brief An HDF5 file of untrusted content, open for reading.
 *
 * All methods throw std::invalid_argument with the file's name in the text. Links to
 * other places and files, data outside the file and filters but gzip, shuffle and
 * fletcher32 are refused. The HDF5 library's own error printing is off while they run.
 * Not thread-safe, as HDF5 itself.
 */
class h5_reader
{
public:
    h5_reader(const std::string& path, const char* what);

    const std::string& path() const { return d_path; }
    bool has(const std::string& name) const;
    bool has_attribute(const std::string& name) const;
    //! A text attribute of the root, at most 65536 bytes.
    std::string text(const std::string& name) const;
    //! An integer attribute of the root within [lo, hi].
    long integer(const std::string& name, long lo, long hi) const;
    //! Sizes of a data set; complex ones (compound of two floats) get a last size of 2.
    std::vector<size_t> shape(const std::string& name) const;
    /*!
     * \brief Reads a data set, or rows [first, first + count) of its first dimension.
     * \param name  data set
     * \param shape its shape as it must be; 0 stands for any size from 1 on
     * \param found output, the shape found
     * \param first, count rows to read; count 0: all
     * \param limit most values that may be read
     */
    std::vector<float> floats(const std::string& name,
                              const std::vector<size_t>& shape,
                              std::vector<size_t>& found,
                              size_t first = 0,
                              size_t count = 0,
                              size_t limit = size_t(1) << 28) const;

private:
    [[noreturn]] void fail(const std::string& text) const;
    h5_id open_dataset(const std::string& name) const;
    void check_storage(const std::string& name, hid_t dataset) const;

    std::string d_path;
    h5_id d_file;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_H5_H */
