/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Names and numbers are those of the "HDF5 File Format Specification Version 3.0".

#include "io/h5.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

constexpr uint64_t max_file_bytes = uint64_t(1) << 30;
constexpr uint64_t undefined_address = ~uint64_t(0);
// Far more than a model's groups have; ends searches in trees that bite their tails.
constexpr int max_tree_nodes = 1024;
// Ends of lists of names.
constexpr uint64_t max_name_length = 64, max_names = 64;

enum message_type : unsigned {
    dataspace = 0x01,
    datatype = 0x03,
    external_files = 0x07,
    data_layout = 0x08,
    attribute_message = 0x0c,
    continuation = 0x10,
    symbol_table = 0x11,
};
constexpr unsigned shared_flag = 0x02;

enum type_class : unsigned {
    fixed_point = 0,
    floating_point = 1,
    fixed_text = 3,
    compound = 6,
    variable_length = 9
};

std::string shape_text(const std::vector<size_t>& shape, const char* zero)
{
    std::string text = "(";
    for (size_t i = 0; i < shape.size(); i++) {
        text += i ? ", " : "";
        text += shape[i] ? std::to_string(shape[i]) : zero;
    }
    return text + ")";
}

// The number that 2, 4 or 8 bytes of an IEEE float stand for.
double real_of(uint64_t bits, int bytes)
{
    if (bytes == 8) {
        double x;
        std::memcpy(&x, &bits, 8);
        return x;
    }
    if (bytes == 4) {
        const uint32_t word = bits;
        float x;
        std::memcpy(&x, &word, 4);
        return x;
    }
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x;
    if (exponent == 31)
        x = fraction ? std::numeric_limits<double>::quiet_NaN()
                     : std::numeric_limits<double>::infinity();
    else
        x = exponent ? std::ldexp(1024 + fraction, exponent - 25)
                     : std::ldexp(fraction, -24);
    return bits >> 15 & 1 ? -x : x;
}

uint64_t padded(uint64_t size) { return (size + 7) / 8 * 8; }

} // namespace

void h5_reader::fail(const std::string& text) const
{
    throw std::invalid_argument(d_path + ": " + text);
}

h5_reader::h5_reader(const std::string& path,
                     const char* what,
                     bool map,
                     descriptor* kept)
    : d_path(path)
{
    const std::string expected = std::string("; expected a ") + what;
    // Opening a FIFO must not wait for a writer.
    descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
        fail(std::string("cannot be opened: ") + std::strerror(errno) + expected);
    if (!S_ISREG(status.st_mode))
        fail("is no regular file" + expected);
    // An empty file cannot be mapped, but is not damaged more than others.
    if (map && status.st_size > 0) {
        d_size = status.st_size;
        void* const start =
            ::mmap(nullptr, d_size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (start == MAP_FAILED)
            fail(std::string("cannot be read: ") + std::strerror(errno) + expected);
        d_file = std::shared_ptr<const uint8_t>(
            static_cast<const uint8_t*>(start), [size = d_size](const uint8_t* p) {
                ::munmap(const_cast<uint8_t*>(p), size);
            });
    } else {
        if (uint64_t(status.st_size) > max_file_bytes)
            fail("is larger than 1 GiB" + expected);
        const auto bytes = std::make_shared<std::vector<uint8_t>>(status.st_size);
        for (size_t got = 0; got < bytes->size();) {
            const ssize_t n =
                ::read(file.get(), bytes->data() + got, bytes->size() - got);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                fail(std::string("cannot be read: ") + std::strerror(errno) + expected);
            if (n == 0)
                bytes->resize(got);
            got += n;
        }
        d_size = bytes->size();
        d_file = std::shared_ptr<const uint8_t>(bytes, bytes->data());
    }

    static const uint8_t signature[] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
    if (d_size < 96 || std::memcmp(d_file.get(), signature, 8) != 0)
        fail("is no HDF5 file" + expected);
    const uint8_t* const head = d_file.get();
    const unsigned version = head[8];
    if (version > 1 || head[13] != 8 || head[14] != 8)
        fail("is an HDF5 file of a newer format than is read here (superblock " +
             std::to_string(version) + "); write it with libver=\"earliest\"");
    // Version 1 has four bytes more in front of the addresses.
    const uint64_t addresses = version ? 28 : 24;
    if (number(at(addresses, 8), 0, 8) != 0)
        fail("is an HDF5 file that does not begin at its first byte");
    if (number(at(addresses + 16, 8), 0, 8) > d_size)
        fail("is truncated");
    d_root = number(at(addresses + 40, 8), 0, 8);
    messages(d_root);
    if (kept)
        *kept = std::move(file);
}

h5_reader::span h5_reader::part(span whole, uint64_t offset, uint64_t size) const
{
    if (offset > whole.size || size > whole.size - offset)
        fail("is damaged: something points beyond its end");
    return { whole.data + offset, size };
}

h5_reader::span h5_reader::at(uint64_t address, uint64_t size) const
{
    return part({ d_file.get(), d_size }, address, size);
}

// A little-endian number.
uint64_t h5_reader::number(span whole, uint64_t offset, int bytes) const
{
    const span from = part(whole, offset, bytes);
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | from.data[i];
    return value;
}

void h5_reader::check_signature(span whole, const char* signature) const
{
    if (std::memcmp(part(whole, 0, 4).data, signature, 4) != 0)
        fail(std::string("is damaged: no ") + signature + " where one should be");
}

// The messages of an object header, version 1.
std::vector<h5_reader::message> h5_reader::messages(uint64_t header) const
{
    const span prefix = at(header, 16);
    if (prefix.data[0] != 1)
        fail("is damaged: an object header has an unknown version");
    size_t left = number(prefix, 2, 2);
    std::vector<message> found;
    std::vector<span> blocks{ at(header + 16, number(prefix, 8, 4)) };
    for (size_t b = 0; b < blocks.size(); b++) {
        const span block = blocks[b];
        for (uint64_t offset = 0; left > 0 && block.size - offset >= 8; left--) {
            const uint64_t size = number(block, offset + 2, 2);
            const message m{ unsigned(number(block, offset, 2)),
                             unsigned(number(block, offset + 4, 1)),
                             part(block, offset + 8, size) };
            if (m.type == continuation)
                blocks.push_back(at(number(m.body, 0, 8), number(m.body, 8, 8)));
            found.push_back(m);
            offset += 8 + size;
        }
    }
    return found;
}

bool h5_reader::search_tree(uint64_t node,
                            span names,
                            int& nodes_left,
                            const visitor& visit) const
{
    if (nodes_left-- == 0)
        fail("is damaged: a group has too many nodes");
    const bool is_leaf = std::memcmp(at(node, 8).data, "SNOD", 4) == 0;
    if (is_leaf) {
        const uint64_t count = number(at(node, 8), 6, 2);
        const span entries = at(node + 8, 40 * count);
        for (uint64_t i = 0; i < count; i++) {
            const span entry = part(entries, 40 * i, 40);
            const uint64_t offset = number(entry, 0, 8);
            if (offset < names.size &&
                visit({ names.data + offset, names.size - offset }, entry))
                return true;
        }
        return false;
    }
    const span head = at(node, 24);
    check_signature(head, "TREE");
    if (head.data[4] != 0)
        fail("is damaged: a group's tree is of another type");
    const uint64_t count = number(head, 6, 2);
    const span children = at(node + 24, 16 * count + 8);
    for (uint64_t i = 0; i < count; i++)
        if (search_tree(number(children, 16 * i + 8, 8), names, nodes_left, visit))
            return true;
    return false;
}

bool h5_reader::search_group(uint64_t group, const visitor& visit) const
{
    for (const message& m : messages(group)) {
        if (m.type != symbol_table)
            continue;
        const span heap = at(number(m.body, 8, 8), 32);
        check_signature(heap, "HEAP");
        const span names = at(number(heap, 24, 8), number(heap, 8, 8));
        int nodes_left = max_tree_nodes;
        return search_tree(number(m.body, 0, 8), names, nodes_left, visit);
    }
    return false; // no group
}

bool h5_reader::find_child(uint64_t group, const std::string& name, uint64_t& child) const
{
    bool found = false;
    search_group(group, [&](span from, span entry) {
        // The name with the zero that ends it, if there is room for it.
        if (from.size <= name.size() ||
            std::memcmp(from.data, name.c_str(), name.size() + 1) != 0)
            return false;
        // Type 2 is a symbolic link.
        found = number(entry, 16, 4) != 2;
        if (found)
            child = number(entry, 8, 8);
        return true;
    });
    return found;
}

std::vector<std::string> h5_reader::names(const std::string& group) const
{
    std::vector<std::string> found;
    uint64_t object;
    if (!find(group, object))
        return found;
    search_group(object, [&](span from, span) {
        std::string name;
        for (uint64_t i = 0; i < from.size && from.data[i] && i < max_name_length; i++)
            name += from.data[i] >= 32 && from.data[i] < 127 ? from.data[i] : '?';
        found.push_back(name);
        return found.size() == max_names;
    });
    return found;
}

bool h5_reader::find(const std::string& name, uint64_t& object) const
{
    object = d_root;
    for (size_t begin = 0; begin <= name.size();) {
        const size_t end = std::min(name.find('/', begin), name.size());
        if (end == begin || !find_child(object, name.substr(begin, end - begin), object))
            return false;
        begin = end + 1;
    }
    return true;
}

bool h5_reader::has(const std::string& name) const
{
    uint64_t object;
    return find(name, object);
}

bool h5_reader::find_attribute(const std::string& name, attribute& found) const
{
    for (const message& m : messages(d_root)) {
        if (m.type != attribute_message || m.flags & shared_flag)
            continue;
        const unsigned version = number(m.body, 0, 1);
        const uint64_t flags = number(m.body, 1, 1);
        if (version < 1 || version > 3 || (version > 1 && flags != 0))
            continue;
        uint64_t offset = version == 3 ? 9 : 8;
        span parts[3]; // name, type and space
        for (int i = 0; i < 3; i++) {
            const uint64_t size = number(m.body, 2 + 2 * i, 2);
            parts[i] = part(m.body, offset, size);
            offset += version == 1 ? padded(size) : size;
        }
        if (parts[0].size <= name.size() ||
            std::memcmp(parts[0].data, name.c_str(), name.size() + 1) != 0)
            continue;
        found.type = parts[1];
        found.space = parts[2];
        found.data = part(m.body,
                          std::min(offset, m.body.size),
                          m.body.size - std::min(offset, m.body.size));
        return true;
    }
    return false;
}

bool h5_reader::has_attribute(const std::string& name) const
{
    attribute found;
    return find_attribute(name, found);
}

// Sizes of a dataspace; none for a single value. A null one gets a size of 0.
std::vector<uint64_t> h5_reader::shape_of(span space) const
{
    const unsigned version = number(space, 0, 1), rank = number(space, 1, 1);
    if (version < 1 || version > 2 || rank > 32)
        fail("is damaged: a dataspace has an unknown version or rank");
    if (version == 2 && number(space, 3, 1) == 2)
        return { 0 };
    std::vector<uint64_t> shape;
    for (unsigned i = 0; i < rank; i++)
        shape.push_back(number(space, (version == 1 ? 8 : 4) + 8 * i, 8));
    return shape;
}

std::string h5_reader::text(const std::string& name) const
{
    attribute a;
    if (!find_attribute(name, a))
        fail("has no attribute '" + name + "'");
    const std::vector<uint64_t> shape = shape_of(a.space);
    const unsigned type = number(a.type, 0, 1) & 15;
    const bool is_variable = type == variable_length && (number(a.type, 1, 1) & 15) == 1;
    if ((type != fixed_text && !is_variable) ||
        !(shape.empty() || shape == std::vector<uint64_t>{ 1 }))
        fail("attribute '" + name + "' is no text");
    span value;
    if (is_variable) {
        const uint64_t size = number(a.data, 0, 4), collection = number(a.data, 4, 8),
                       index = number(a.data, 12, 4);
        if (size == 0)
            return "";
        // The global heap: objects with a header of 16 bytes each, one after the other.
        const span head = at(collection, 16);
        check_signature(head, "GCOL");
        const span heap = at(collection, number(head, 8, 8));
        uint64_t offset = 16;
        while (number(heap, offset, 2) != index) {
            if (number(heap, offset, 2) == 0)
                fail("attribute '" + name + "' cannot be read");
            const uint64_t skipped =
                part(heap, offset + 16, number(heap, offset + 8, 8)).size;
            offset += 16 + padded(skipped);
        }
        value = part(part(heap, offset + 16, number(heap, offset + 8, 8)), 0, size);
    } else {
        value = part(a.data, 0, number(a.type, 4, 4));
    }
    const uint8_t* end = std::find(value.data, value.data + value.size, 0);
    return std::string(value.data, end);
}

long h5_reader::integer(const std::string& name, long lo, long hi) const
{
    attribute a;
    if (!find_attribute(name, a))
        fail("has no attribute '" + name + "'");
    const std::vector<uint64_t> shape = shape_of(a.space);
    const uint64_t size = number(a.type, 4, 4);
    if ((number(a.type, 0, 1) & 15) != fixed_point ||
        !(size == 1 || size == 2 || size == 4 || size == 8) ||
        number(a.type, 8, 2) != 0 || number(a.type, 10, 2) != 8 * size ||
        !(shape.empty() || shape == std::vector<uint64_t>{ 1 }))
        fail("attribute '" + name + "' is no integer");
    const bool big_endian = number(a.type, 1, 1) & 1,
               is_signed = number(a.type, 1, 1) & 8;
    uint64_t bits = 0;
    for (uint64_t i = 0; i < size; i++)
        bits = bits << 8 | number(a.data, big_endian ? i : size - 1 - i, 1);
    // The sign to the top and back; what no long can hold is out of range anyway.
    const int unused = 64 - 8 * size;
    const long value =
        is_signed ? long(bits << unused) >> unused
                  : long(std::min<uint64_t>(bits, std::numeric_limits<long>::max()));
    if (value < lo || value > hi)
        fail("attribute '" + name + "' is " + std::to_string(value) + ", allowed is " +
             std::to_string(lo) + " to " + std::to_string(hi));
    return value;
}

double h5_reader::real(const std::string& name, double lo, double hi) const
{
    attribute a;
    if (!find_attribute(name, a))
        fail("has no attribute '" + name + "'");
    const std::vector<uint64_t> shape = shape_of(a.space);
    const int size = float_size(a.type), bytes = std::abs(size);
    if (size == 0 || !(shape.empty() || shape == std::vector<uint64_t>{ 1 }))
        fail("attribute '" + name + "' is no floating-point number");
    uint64_t bits = 0;
    for (int i = 0; i < bytes; i++)
        bits = bits << 8 | number(a.data, size < 0 ? i : bytes - 1 - i, 1);
    const double value = real_of(bits, bytes);
    if (!(value >= lo && value <= hi))
        fail("attribute '" + name + "' is " + std::to_string(value) + ", allowed is " +
             std::to_string(lo) + " to " + std::to_string(hi));
    return value;
}

// 2, 4 or 8 for an IEEE float, negative if big-endian; 0 for other types.
int h5_reader::float_size(span type) const
{
    if (type.size < 20 || (type.data[0] & 15) != floating_point)
        return 0;
    const int size = number(type, 4, 4);
    // Byte order, implied leading one; place of the sign; then the fields.
    static const uint8_t properties[][12] = {
        { 0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0 },
        { 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0 },
        { 0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0 },
    };
    if ((size != 2 && size != 4 && size != 8) || (type.data[1] & ~1) != 0x20 ||
        type.data[2] != 8 * size - 1 ||
        std::memcmp(type.data + 8, properties[size / 4], 12) != 0)
        return 0;
    return type.data[1] & 1 ? -size : size;
}

h5_array h5_reader::locate(const std::string& name,
                           const std::vector<size_t>& expected) const
{
    const std::string array = "array '" + name + "'";
    uint64_t object;
    if (!find(name, object))
        fail("has no " + array);
    span type{ nullptr, 0 }, space = type, layout = type;
    for (const message& m : messages(object)) {
        if (m.type == external_files)
            fail(array + " is not stored in the file itself");
        if (m.type != datatype && m.type != dataspace && m.type != data_layout)
            continue;
        if (m.flags & shared_flag)
            fail(array + " has a named type");
        (m.type == datatype ? type : m.type == dataspace ? space : layout) = m.body;
    }
    if (!type.data || !space.data || !layout.data)
        fail("'" + name + "' is no array");

    // One float, or two in a compound.
    h5_array found;
    found.item_size = number(type, 4, 4);
    found.float_size = float_size(type);
    if ((number(type, 0, 1) & 15) == compound && number(type, 1, 2) == 2) {
        const unsigned version = type.data[0] >> 4;
        uint64_t offset = 8;
        int sizes[2];
        for (int i = 0; i < 2; i++) {
            const uint64_t begin = offset;
            while (number(type, offset, 1) != 0)
                offset++;
            offset = version < 3 ? begin + padded(offset + 1 - begin) : offset + 1;
            const int bytes = version < 3 ? 4 : 1;
            found.offsets[i] = number(type, offset, bytes);
            // Version 1 has the dimensions of a member here.
            if (version == 1 && number(type, offset + 4, 1) != 0)
                fail(array + " is neither of real nor of complex floats");
            offset += version == 1 ? 32 : bytes;
            sizes[i] =
                float_size(part(type, offset, type.size - std::min(offset, type.size)));
            offset += 20;
        }
        found.parts = 2;
        found.float_size = sizes[0] == sizes[1] ? sizes[0] : 0;
        if (found.offsets[0] >= found.offsets[1] ||
            found.offsets[1] + std::abs(found.float_size) > found.item_size)
            found.float_size = 0;
    }
    if (found.float_size == 0)
        fail(array + " is neither of real nor of complex floats");
    const std::vector<uint64_t> shape = shape_of(space);
    if (shape.empty())
        fail("'" + name + "' is no array");
    found.shape.assign(shape.begin(), shape.end());
    if (found.parts == 2)
        found.shape.push_back(2);
    bool fits = found.shape.size() == expected.size();
    for (size_t i = 0; fits && i < expected.size(); i++)
        fits = found.shape[i] > 0 && (expected[i] == 0 || found.shape[i] == expected[i]);
    if (!fits)
        fail(array + " has shape " + shape_text(found.shape, "0") + ", expected " +
             shape_text(expected, "any"));

    if (number(layout, 0, 1) != 3 || number(layout, 1, 1) > 1)
        fail(array + " is chunked or stored in another way that is not read here");
    span data;
    if (number(layout, 1, 1) == 0) {
        data = part(layout, 4, number(layout, 2, 2));
    } else {
        const uint64_t address = number(layout, 2, 8);
        if (address == undefined_address)
            fail(array + " has no data");
        data = at(address, number(layout, 10, 8));
    }
    found.address = data.data - d_file.get();
    found.items = 1;
    for (const uint64_t n : shape) {
        if (n > data.size / found.item_size / found.items)
            fail(array + " is larger than the data stored for it");
        found.items *= n;
    }
    return found;
}

bool h5_array::decode(const uint8_t* from, size_t count, float* to) const
{
    const int bytes = std::abs(float_size);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // As nearly all files have it, and as it lies in memory.
    if (float_size == 4 && item_size == 4u * parts && offsets[0] == 0 &&
        (parts == 1 || offsets[1] == 4)) {
        const size_t floats = count * parts;
        std::memcpy(to, from, 4 * floats);
        bool finite = true;
        for (size_t i = 0; i < floats; i++)
            finite &= std::isfinite(to[i]);
        return finite;
    }
#endif
    for (size_t i = 0; i < count; i++, from += item_size)
        for (int p = 0; p < parts; p++) {
            uint64_t bits = 0;
            for (int b = 0; b < bytes; b++)
                bits =
                    bits << 8 | from[offsets[p] + (float_size < 0 ? b : bytes - 1 - b)];
            const double x = real_of(bits, bytes);
            // Beyond the range of float is not finite either.
            *to = std::abs(x) <= std::numeric_limits<float>::max()
                      ? float(x)
                      : std::numeric_limits<float>::infinity();
            if (!std::isfinite(*to++))
                return false;
        }
    return true;
}

std::vector<float> h5_reader::floats(const std::string& name,
                                     const std::vector<size_t>& expected,
                                     std::vector<size_t>& shape) const
{
    const h5_array array = locate(name, expected);
    shape = array.shape;
    std::vector<float> values(array.items * array.parts);
    if (!array.decode(d_file.get() + array.address, array.items, values.data()))
        fail("array '" + name + "' has a value that is not finite");
    return values;
}

} // namespace csifeedback
} // namespace gr
