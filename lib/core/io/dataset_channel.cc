/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "transform/transform_pool.h"
#include <gnuradio/csifeedback/dataset_channel.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

constexpr size_t max_in_memory = size_t(256) << 20;

std::string quoted(const std::string& text)
{
    std::string json = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\')
            json += '\\';
        if (c < 0x20) {
            char code[8];
            std::snprintf(code, sizeof(code), "\\u%04x", c);
            json += code;
        } else {
            json += c;
        }
    }
    return json + "\"";
}

class dataset_channel_impl : public dataset_channel
{
public:
    dataset_channel_impl(const std::string& path, bool drop_zero)
        : d_file(dataset_file::open(path)),
          d_rows(d_file->whole() ? d_file->nc() : d_file->na()),
          d_size(size_t(d_rows) * d_file->nt()),
          d_transforms(d_file->nc(), d_file->nt(), d_file->array())
    {
        d_grid.nc = d_file->nc();
        d_grid.nt = d_file->nt();
        if (d_file->spacing_hz() > 0)
            d_grid.spacing_hz = d_file->spacing_hz();
        for (uint64_t i = 0; i < d_file->samples(); i++)
            if (!drop_zero || d_file->energy()[i] > 0)
                d_numbers.push_back(i);
        if (d_numbers.empty())
            throw std::invalid_argument(path + ": all matrices are zero");
        if (d_file->samples() <= max_in_memory / sizeof(cf) / d_size) {
            d_matrices.resize(d_file->samples() * d_size);
            d_file->read(0, d_file->samples(), d_matrices.data());
        }
    }

    std::string name() const override { return "dataset"; }
    std::string parameters() const override
    {
        return "{\"model\": \"dataset\", \"file\": " + quoted(d_file->path()) +
               ", \"channel\": " + quoted(d_file->text("channel")) +
               ", \"command\": " + quoted(d_file->text("command")) + "}";
    }
    const channel_grid& grid() const override { return d_grid; }
    antenna_array array() const override { return d_file->array(); }
    double sample_interval_s() const override { return d_file->sample_interval_s(); }
    uint64_t samples() const override { return d_numbers.size(); }
    std::vector<propagation_path> paths(uint64_t) const override { return {}; }

    void generate(uint64_t index, cf* H, channel_sample_info* info) const override
    {
        index = d_numbers[index % samples()];
        if (d_file->whole()) {
            std::copy_n(get(index), d_size, H);
        } else {
            const auto transform = d_transforms.borrow(d_file->na(), d_file->precursor());
            transform->inverse(get(index), H);
        }
        if (info)
            *info = { 0, d_file->energy()[index], d_file->energy_lost()[index] };
    }

    void generate_truncated(uint64_t index,
                            int na,
                            int precursor,
                            cf* Ha,
                            channel_sample_info* info) const override
    {
        check_range("generate_truncated", "na", na, 1, d_grid.nc);
        check_range("generate_truncated", "precursor", precursor, 0, na - 1);
        index = d_numbers[index % samples()];
        const int nt = d_grid.nt;
        const cf* const matrix = get(index);
        if (d_file->whole()) {
            const auto transform = d_transforms.borrow(na, precursor);
            transform->forward(matrix, Ha);
        } else {
            // Row r of the file is delay r - d_file->precursor(), modulo nc.
            std::fill(Ha, Ha + size_t(na) * nt, cf(0));
            for (int r = 0; r < d_rows; r++) {
                const int to =
                    (r - d_file->precursor() + precursor + d_grid.nc) % d_grid.nc;
                if (to < na)
                    std::copy_n(matrix + size_t(r) * nt, nt, Ha + size_t(to) * nt);
            }
        }
        if (info) {
            const double there = energy(matrix, d_size),
                         kept = energy(Ha, size_t(na) * nt);
            const double lost = d_file->energy_lost()[index];
            *info = { 0,
                      d_file->energy()[index],
                      there > 0
                          ? std::min(1.0, std::max(0.0, 1 - (1 - lost) * kept / there))
                          : lost };
        }
    }

private:
    // A sample, which is in memory or is read into memory of this thread until the next
    // call.
    const cf* get(uint64_t index) const
    {
        if (!d_matrices.empty())
            return d_matrices.data() + index * d_size;
        static thread_local volk::vector<cf> buffer;
        buffer.resize(d_size);
        d_file->read(index, 1, buffer.data());
        return buffer.data();
    }

    static double energy(const cf* x, size_t n)
    {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += std::norm(x[i]);
        return sum;
    }

    const dataset_file::sptr d_file;
    const int d_rows;
    const size_t d_size;
    channel_grid d_grid;
    std::vector<uint64_t> d_numbers; // in the file, of the samples
    std::vector<cf> d_matrices;      // empty if they are too many
    mutable transform_pool d_transforms;
};

} // namespace

dataset_channel::sptr dataset_channel::make(const std::string& path, bool drop_zero)
{
    return std::make_shared<dataset_channel_impl>(path, drop_zero);
}

} // namespace csifeedback
} // namespace gr
