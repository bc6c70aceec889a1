/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Data sets of any content: all that is read from one, by itself and as a channel model.
// Only std::invalid_argument may come out, all values must be finite and within the
// limits of the header, and no allocation may be large.

#include "dataset_writer.h"
#include "fuzz.h"
#include "fuzz_file.h"
#include <gnuradio/csifeedback/dataset_channel.h>
#include <gnuradio/csifeedback/dataset_file.h>
#include <algorithm>
#include <cmath>

using namespace gr::csifeedback;

namespace {

using complex_vector = std::vector<std::complex<float>>;

// Matrices above this are not read: their memory is the caller's, who knows their size.
constexpr size_t max_matrix = 1 << 13;

std::vector<uint8_t> make_file(bool whole, bool latest)
{
    const std::string path = scratch("corpus");
    write_dataset(path, whole, 8, 4, 2, 3, latest);
    return take_file(path);
}

// One with a plane of ports.
std::vector<uint8_t> make_plane_file()
{
    const std::string path = scratch("corpus");
    write_dataset(path, true, 8, 4, 4, 3, false, true);
    return take_file(path);
}

void check_matrix(const complex_vector& matrix)
{
    for (const std::complex<float>& x : matrix)
        require(std::isfinite(x.real()) && std::isfinite(x.imag()));
}

void read_all(const std::string& path)
{
    const auto file = dataset_file::open(path);
    require(file->nc() >= 1 && file->nc() <= 65536);
    require(file->na() >= 1 && file->na() <= file->nc());
    require(file->nt() >= 1 && file->nt() <= 1024);
    require(file->precursor() >= 0 && file->precursor() < file->na());
    require(file->array().ports() == file->nt() && file->array().n1 >= 1);
    require(std::isfinite(file->spacing_hz()) && file->spacing_hz() >= 0);
    require(std::isfinite(file->sample_interval_s()) && file->sample_interval_s() >= 0);
    require(file->samples() >= 1);
    require(file->energy().size() == file->samples());
    require(file->energy_lost().size() == file->samples());
    for (const float x : file->energy())
        require(std::isfinite(x) && x >= 0);
    for (const float x : file->energy_lost())
        require(x >= 0 && x <= 1);
    require(file->integer("seed") >= -1);
    file->text("channel");

    const size_t size = size_t(file->whole() ? file->nc() : file->na()) * file->nt();
    if (size > max_matrix)
        return;
    for (uint64_t i = 0; i < std::min<uint64_t>(file->samples(), 4); i++) {
        complex_vector matrix(size);
        attempt([&] {
            file->read(i, 1, matrix.data());
            check_matrix(matrix);
        });
    }
    bool refused = false;
    try {
        file->read(file->samples(), 1, nullptr);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    require(refused);
}

void use_as_channel(const std::string& path)
{
    const auto channel = dataset_channel::make(path);
    channel->parameters();
    const channel_grid& grid = channel->grid();
    if (size_t(grid.nc) * grid.nt > max_matrix)
        return;
    complex_vector h(size_t(grid.nc) * grid.nt);
    channel_sample_info info;
    channel->generate(0, h.data(), &info);
    channel->generate_truncated(1, 1, 0, h.data(), &info);
    require(info.energy_lost >= 0 && info.energy_lost <= 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const scratch_input input(data, size);
    const memory_limit limit;
    attempt([&] { read_all(input.path()); });
    attempt([&] { use_as_channel(input.path()); });
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    return { make_file(false, false),
             make_file(true, false),
             make_file(false, true),
             make_plane_file() };
}
