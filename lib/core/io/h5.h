/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_H5_H
#define INCLUDED_CSIFEEDBACK_H5_H

#include <unistd.h>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

//! Where an array of floats, or of pairs of them, lies in a file, and how it is coded.
struct h5_array {
    std::vector<size_t> shape;      //!< pairs have a last size of 2
    uint64_t address = 0;           //!< of the first item
    uint64_t items = 0;             //!< floats or pairs
    uint64_t item_size = 0;         //!< in bytes
    int parts = 1;                  //!< floats of an item, 1 or 2
    int float_size = 0;             //!< bytes of a float, 2, 4 or 8; negative: big-endian
    uint64_t offsets[2] = { 0, 0 }; //!< of the floats in an item

    //! Decodes items as floats of this machine; false if one is not finite.
    bool decode(const uint8_t* from, size_t count, float* to) const;
};

//! A file descriptor that closes itself, or -1.
class descriptor
{
public:
    explicit descriptor(int fd = -1) : d_fd(fd) {}
    descriptor(descriptor&& other) noexcept : d_fd(std::exchange(other.d_fd, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(d_fd, other.d_fd);
        return *this;
    }
    ~descriptor()
    {
        if (d_fd >= 0)
            ::close(d_fd);
    }
    int get() const { return d_fd; }

private:
    int d_fd;
};

/*!
 * \brief An HDF5 file of untrusted content, held in memory.
 *
 * The HDF5 library itself crashes on many damaged files, so this reads the part of the
 * format that model files need, with every access checked: files in the most compatible
 * format (h5py's libver="earliest", the default of the C library), groups, arrays of
 * floats and complex floats stored in one piece, and attributes of the root. Links,
 * chunked, compressed and external data are refused; `h5repack -l CONTI -f NONE` rewrites
 * such arrays. No more memory is allocated than a small multiple of the file's size.
 *
 * All methods throw std::invalid_argument with the file's name in the text.
 */
class h5_reader
{
public:
    /*!
     * \brief Reads a regular file of at most 1 GiB, or maps one of any size.
     * \param path its name
     * \param what the kind of file that is expected, for error texts
     * \param map  maps it into memory: nobody may shorten it while this object lives
     * \param kept output, the file that was read: its name may belong to another one soon
     */
    h5_reader(const std::string& path,
              const char* what,
              bool map = false,
              descriptor* kept = nullptr);

    const std::string& path() const { return d_path; }
    //! Whether there is a group or array of this name, such as "encoder/W".
    bool has(const std::string& name) const;
    //! Names of the groups and arrays of a group, in the order of the file; none if there
    //! is no such group. Characters that do not print are '?'.
    std::vector<std::string> names(const std::string& group) const;
    //! Whether the root has this attribute.
    bool has_attribute(const std::string& name) const;
    //! A text attribute of the root.
    std::string text(const std::string& name) const;
    //! An integer attribute of the root within [lo, hi].
    long integer(const std::string& name, long lo, long hi) const;
    //! A floating-point attribute of the root within [lo, hi].
    double real(const std::string& name, double lo, double hi) const;
    /*!
     * \brief Finds an array of floats, or of complex ones, which get a last size of 2.
     * \param name  array
     * \param shape its shape as it must be; 0 stands for any size from 1 on
     */
    h5_array locate(const std::string& name, const std::vector<size_t>& shape) const;
    /*!
     * \brief Reads an array of floats, or of complex ones, which get a last size of 2.
     * \param name  array
     * \param shape its shape as it must be; 0 stands for any size from 1 on
     * \param found output, the shape found
     * \return the values, all finite
     */
    std::vector<float> floats(const std::string& name,
                              const std::vector<size_t>& shape,
                              std::vector<size_t>& found) const;

private:
    // A part of the file, or of a part.
    struct span {
        const uint8_t* data;
        uint64_t size;
    };
    struct message {
        unsigned type;
        unsigned flags;
        span body;
    };
    struct attribute {
        span type;
        span space;
        span data;
    };

    [[noreturn]] void fail(const std::string& text) const;
    span part(span whole, uint64_t offset, uint64_t size) const;
    span at(uint64_t address, uint64_t size) const;
    uint64_t number(span whole, uint64_t offset, int bytes) const;
    void check_signature(span whole, const char* signature) const;

    std::vector<message> messages(uint64_t header) const;
    bool find_child(uint64_t group, const std::string& name, uint64_t& child) const;
    // Called with the rest of a group's names from an entry's on, and the entry itself;
    // ends the search by returning true.
    using visitor = std::function<bool(span name, span entry)>;
    bool search_group(uint64_t group, const visitor& visit) const;
    bool
    search_tree(uint64_t node, span names, int& nodes_left, const visitor& visit) const;
    bool find(const std::string& name, uint64_t& object) const;
    bool find_attribute(const std::string& name, attribute& found) const;
    std::vector<uint64_t> shape_of(span space) const;
    int float_size(span type) const;

    std::string d_path;
    std::shared_ptr<const uint8_t> d_file;
    uint64_t d_size;
    uint64_t d_root; // address of the root group's header
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_H5_H */
