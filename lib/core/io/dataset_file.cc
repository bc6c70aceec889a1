/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "io/file_array.h"
#include "io/h5.h"
#include <gnuradio/csifeedback/dataset_file.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

constexpr long max_samples = 1L << 28;

bool is_part(const std::string& path)
{
    static const std::string part = ".part";
    return path.size() > part.size() &&
           path.compare(path.size() - part.size(), part.size(), part) == 0;
}

class dataset_file_impl : public dataset_file
{
public:
    explicit dataset_file_impl(const std::string& path) : d_path(path)
    {
        // Mapped while the attributes are read; matrices are read with read(2), where a
        // file that is cut meanwhile is an error and no signal.
        const h5_reader file(path, "gr-csifeedback data set", true, &d_descriptor);
        if (!file.has_attribute("format") ||
            file.text("format") != "gr-csifeedback dataset")
            fail("is no gr-csifeedback data set");
        file.integer("format_version", 1, 1);
        d_domain = file.text("domain");
        if (d_domain != "H" && d_domain != "Ha" && d_domain != "W")
            fail("attribute 'domain' is '" + d_domain + "', allowed is H, Ha or W");
        d_whole = d_domain != "Ha";
        d_nc = file.integer("nc", 1, 65536);
        d_na = file.integer("na", 1, d_nc);
        d_nt = file.integer("nt", 1, 1024);
        d_precursor = file.integer("precursor", 0, d_na - 1);
        d_antennas = file_array(file, d_nt);
        d_align = file.integer("align", 0, 1);
        d_spacing_hz = file.real("spacing_hz", 0, 1e12);
        d_sample_interval_s = file.real("sample_interval_s", 0, 1e6);
        d_samples = file.integer("samples", 0, max_samples);
        if (d_samples == 0)
            fail("has no samples yet");
        for (const char* name : { "channel", "parameters", "command" })
            if (file.has_attribute(name))
                d_text[name] = file.text(name);
        for (const char* name : { "seed", "first" })
            if (file.has_attribute(name))
                d_integer[name] = file.integer(name, 0, std::numeric_limits<long>::max());
        if (file.has_attribute("nr"))
            d_integer["nr"] = file.integer("nr", 1, 64);

        const size_t rows = d_whole ? d_nc : d_na, nt = d_nt;
        d_array = file.locate(d_domain, { 0, rows, nt, 2 });
        if (d_array.float_size != 4 || d_array.item_size != 8)
            fail("array '" + d_domain + "' is not of complex numbers of twice 32 bits");
        if (d_array.shape[0] > max_samples)
            fail("has " + std::to_string(d_array.shape[0]) +
                 " matrices, allowed are up to " + std::to_string(max_samples));
        if (d_array.shape[0] < d_samples)
            fail("has " + std::to_string(d_array.shape[0]) + " matrices, but " +
                 std::to_string(d_samples) + " samples by its attribute");
        if (d_array.shape[0] > d_samples && !is_part(path))
            fail("is unfinished: it has " + std::to_string(d_samples) + " of " +
                 std::to_string(d_array.shape[0]) +
                 " samples; only files whose name ends in .part may be");
        d_energy = per_sample(file, "energy", std::numeric_limits<float>::max());
        d_energy_lost = per_sample(file, "energy_lost", 1);
    }

    const std::string& path() const override { return d_path; }
    const std::string& domain() const override { return d_domain; }
    bool whole() const override { return d_whole; }
    int nc() const override { return d_nc; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int precursor() const override { return d_precursor; }
    antenna_array array() const override { return d_antennas; }
    bool align() const override { return d_align; }
    double spacing_hz() const override { return d_spacing_hz; }
    double sample_interval_s() const override { return d_sample_interval_s; }
    uint64_t samples() const override { return d_samples; }
    std::string text(const std::string& name) const override
    {
        const auto found = d_text.find(name);
        return found == d_text.end() ? "" : found->second;
    }
    int64_t integer(const std::string& name) const override
    {
        const auto found = d_integer.find(name);
        return found == d_integer.end() ? -1 : found->second;
    }
    const std::vector<float>& energy() const override { return d_energy; }
    const std::vector<float>& energy_lost() const override { return d_energy_lost; }

    void read(uint64_t first, size_t count, std::complex<float>* matrices) const override
    {
        if (first > d_samples || count > d_samples - first)
            throw std::invalid_argument(d_path + ": first is " + std::to_string(first) +
                                        " and count " + std::to_string(count) +
                                        ", but there are " + std::to_string(d_samples) +
                                        " samples");
        const size_t size = size_t(d_whole ? d_nc : d_na) * d_nt;
        float* out = reinterpret_cast<float*>(matrices);
        uint8_t block[1 << 14];
        const uint64_t items_each = sizeof(block) / d_array.item_size;
        uint64_t item = first * size;
        for (uint64_t left = count * size; left > 0;) {
            const uint64_t n = std::min(left, items_each);
            read_bytes(
                d_array.address + item * d_array.item_size, n * d_array.item_size, block);
            if (!d_array.decode(block, n, out)) {
                const float* bad = std::find_if_not(
                    out, out + 2 * n, [](float x) { return std::isfinite(x); });
                fail("array '" + d_domain +
                     "' has a value that is not finite in sample " +
                     std::to_string((item + (bad - out) / 2) / size));
            }
            out += 2 * n;
            item += n;
            left -= n;
        }
    }

private:
    [[noreturn]] void fail(const std::string& text) const
    {
        throw std::invalid_argument(d_path + ": " + text);
    }

    std::vector<float>
    per_sample(const h5_reader& file, const char* name, float largest) const
    {
        std::vector<size_t> shape;
        std::vector<float> values = file.floats(name, { d_array.shape[0] }, shape);
        values.resize(d_samples);
        for (const float x : values)
            if (x < 0 || x > largest)
                fail("array '" + std::string(name) + "' has the value " +
                     std::to_string(x) + ", allowed is 0 to " + std::to_string(largest));
        return values;
    }

    void read_bytes(uint64_t address, size_t size, uint8_t* to) const
    {
        while (size > 0) {
            const ssize_t n = ::pread(d_descriptor.get(), to, size, address);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                fail(std::string("cannot be read: ") + std::strerror(errno));
            if (n == 0)
                fail("is truncated");
            to += n;
            address += n;
            size -= n;
        }
    }

    const std::string d_path;
    std::string d_domain;
    bool d_whole, d_align;
    int d_nc, d_na, d_nt, d_precursor;
    antenna_array d_antennas;
    double d_spacing_hz, d_sample_interval_s;
    uint64_t d_samples;
    std::map<std::string, std::string> d_text;
    std::map<std::string, int64_t> d_integer;
    std::vector<float> d_energy, d_energy_lost;
    h5_array d_array;
    descriptor d_descriptor;
};

} // namespace

dataset_file::sptr dataset_file::open(const std::string& path)
{
    return std::make_shared<dataset_file_impl>(path);
}

} // namespace csifeedback
} // namespace gr
