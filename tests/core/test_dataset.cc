/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Data set files, good ones and bad ones, written with HDF5's C API, and their replay as
// a channel model against the DFT's definition.

#include "dataset_writer.h"
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/dataset_channel.h>
#include <gnuradio/csifeedback/dataset_file.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <thread>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

constexpr int nc = 12, na = 5, nt = 3, precursor = 2, samples = 4;

std::vector<cf> noise(size_t size)
{
    std::mt19937 engine(1);
    std::normal_distribution<float> normal;
    std::vector<cf> x(size);
    for (cf& value : x)
        value = { normal(engine), normal(engine) };
    return x;
}

// The unitary 2D-DFT: all nc delay rows, row 0 first.
std::vector<cd> angular_delay(const cf* h)
{
    std::vector<cd> ha(nc * nt);
    for (int d = 0; d < nc; d++)
        for (int b = 0; b < nt; b++)
            for (int k = 0; k < nc; k++)
                for (int n = 0; n < nt; n++)
                    ha[d * nt + b] +=
                        cd(h[k * nt + n]) *
                        std::polar(1 / std::sqrt(double(nc * nt)),
                                   2 * M_PI * (double(k * d) / nc - double(n * b) / nt));
    return ha;
}

template <typename X>
double energy(const std::vector<X>& x)
{
    double sum = 0;
    for (const X& value : x)
        sum += std::norm(value);
    return sum;
}

class dataset : public testing::Test
{
protected:
    const scratch_directory directory;
    const std::string path = directory.file("data.h5");
    const std::vector<cf> h = noise(samples * nc * nt), ha = noise(samples * na * nt);
    const std::vector<float> energies{ 1, 2, 3, 4 }, lost{ 0, 0.25, 0.5, 1 };

    static void real(model_writer& file, const char* name, double value)
    {
        const hid_t space = H5Screate(H5S_SCALAR);
        file.attribute(name, H5T_NATIVE_DOUBLE, space, &value);
        H5Sclose(space);
    }

    //! A good file of H or Ha, with changes.
    void write(
        bool whole,
        const std::function<void(model_writer&)>& change = [](model_writer&) {})
    {
        model_writer file(path);
        file.text("format", "gr-csifeedback dataset");
        file.integer("format_version", 1);
        file.text("domain", whole ? "H" : "Ha");
        file.integer("nc", nc);
        file.integer("na", na);
        file.integer("nt", nt);
        file.integer("precursor", precursor);
        file.integer("align", 1);
        real(file, "spacing_hz", 15e3);
        real(file, "sample_interval_s", 0);
        file.integer("samples", samples);
        file.variable_text("channel", "test \"1\"");
        file.text("command", "none");
        file.integer("seed", 7);
        if (whole)
            file.complex_array("H", { samples, nc, nt }, h);
        else
            file.complex_array("Ha", { samples, na, nt }, ha);
        file.array("energy", { samples }, energies);
        file.array("energy_lost", { samples }, lost);
        change(file);
    }

    static std::string error_of(const std::function<void()>& call)
    {
        try {
            call();
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "no exception";
    }

    void expect_error(const std::function<void(model_writer&)>& change,
                      const std::string& text)
    {
        write(false, change);
        const std::string found = error_of([this] { dataset_file::open(path); });
        EXPECT_NE(found.find(text), std::string::npos) << found;
        EXPECT_EQ(found.find(path), 0u) << found;
    }

    //! Takes an array away, to write another.
    static void drop(model_writer& file, const char* name)
    {
        H5Ldelete(file.file(), name, H5P_DEFAULT);
    }
};

} // namespace

TEST_F(dataset, has_what_was_written)
{
    for (const bool whole : { false, true }) {
        write(whole);
        const auto file = dataset_file::open(path);
        EXPECT_EQ(file->path(), path);
        EXPECT_EQ(file->whole(), whole);
        EXPECT_EQ(file->nc(), nc);
        EXPECT_EQ(file->na(), na);
        EXPECT_EQ(file->nt(), nt);
        EXPECT_EQ(file->precursor(), precursor);
        EXPECT_TRUE(file->align());
        EXPECT_EQ(file->spacing_hz(), 15e3);
        EXPECT_EQ(file->sample_interval_s(), 0);
        EXPECT_EQ(file->samples(), uint64_t(samples));
        EXPECT_EQ(file->text("channel"), "test \"1\"");
        EXPECT_EQ(file->text("command"), "none");
        EXPECT_EQ(file->text("parameters"), "");
        EXPECT_EQ(file->integer("seed"), 7);
        EXPECT_EQ(file->integer("first"), -1);
        EXPECT_EQ(file->energy(), energies);
        EXPECT_EQ(file->energy_lost(), lost);
        const std::vector<cf>& expected = whole ? h : ha;
        const size_t size = expected.size() / samples;
        std::vector<cf> all(expected.size()), two(2 * size);
        file->read(0, samples, all.data());
        EXPECT_EQ(all, expected);
        file->read(1, 2, two.data());
        EXPECT_TRUE(std::equal(two.begin(), two.end(), expected.begin() + size));
        file->read(samples, 0, nullptr);
    }
}

TEST_F(dataset, array_of_the_ports)
{
    write(true);
    EXPECT_EQ(dataset_file::open(path)->array(), (antenna_array{ nt, 1, 1 }));
    const auto plane = [](int n1, int n2, int polarizations) {
        return [=](model_writer& f) {
            f.integer("n1", n1);
            f.integer("n2", n2);
            f.integer("polarizations", polarizations);
        };
    };
    expect_error(plane(3, 1, 2), "'n1', 'n2' and 'polarizations' are 3, 1 and 2");
    expect_error(plane(-1, 3, 1), "attribute 'n1' is -1");
    expect_error(plane(3, 1, 0), "attribute 'polarizations' is 0");
    expect_error([](model_writer& f) { f.integer("n2", 3); }, "'n1'");

    // As a channel it is transformed as the array says.
    write(true, plane(1, 3, 1));
    const antenna_array vertical{ 1, 3, 1 };
    EXPECT_EQ(dataset_file::open(path)->array(), vertical);
    const auto channel = dataset_channel::make(path);
    EXPECT_EQ(csi_shape(channel).array, vertical);
    std::vector<cf> found(na * nt);
    channel->generate_truncated(1, na, precursor, found.data());
    const std::vector<cd> expected = angular_delay(h.data() + nc * nt);
    for (int r = 0; r < na; r++)
        for (int b = 0; b < nt; b++)
            EXPECT_LT(std::abs(cd(found[r * nt + b]) -
                               expected[(r - precursor + nc) % nc * nt + b]),
                      1e-5);
}

TEST_F(dataset, eigenvectors_are_whole_matrices)
{
    write(true, [&](model_writer& f) {
        f.text("domain", "W");
        f.complex_array("W", { samples, nc, nt }, h);
    });
    const auto file = dataset_file::open(path);
    EXPECT_EQ(file->domain(), "W");
    EXPECT_TRUE(file->whole());
    std::vector<cf> found(h.size());
    file->read(0, samples, found.data());
    EXPECT_EQ(found, h);
}

TEST_F(dataset, an_unfinished_one_has_the_samples_that_are_done)
{
    write(false, [](model_writer& file) { file.integer("samples", 2); });
    // Under the name of a finished one it is a mistake.
    const std::string refused = error_of([this] { dataset_file::open(path); });
    EXPECT_NE(refused.find("is unfinished: it has 2 of 4 samples"), std::string::npos)
        << refused;
    std::filesystem::rename(path, path + ".part");
    const auto file = dataset_file::open(path + ".part");
    EXPECT_EQ(file->samples(), 2u);
    EXPECT_EQ(file->energy(), (std::vector<float>{ 1, 2 }));
    std::vector<cf> out(3 * na * nt);
    file->read(0, 2, out.data());
    EXPECT_THROW(file->read(0, 3, out.data()), std::invalid_argument);
    EXPECT_THROW(file->read(3, 0, out.data()), std::invalid_argument);
    EXPECT_THROW(file->read(1, std::numeric_limits<size_t>::max(), out.data()),
                 std::invalid_argument);
    expect_error([](model_writer& f) { f.integer("samples", 0); }, "no samples yet");
}

TEST_F(dataset, other_floats_are_converted)
{
    write(false, [this](model_writer& file) {
        drop(file, "energy");
        file.array("energy", { samples }, energies.data(), H5P_DEFAULT, H5T_IEEE_F64BE);
    });
    EXPECT_EQ(dataset_file::open(path)->energy(), energies);
}

TEST_F(dataset, bad_attributes_are_refused)
{
    const struct {
        const char* name;
        long value;
        const char* text;
    } integers[] = {
        { "format_version", 0, "attribute 'format_version' is 0" },
        { "format_version", 2, "attribute 'format_version' is 2" },
        { "nc", 0, "attribute 'nc' is 0" },
        { "nc", 65537, "attribute 'nc' is 65537" },
        { "nc", na - 1, "attribute 'na' is 5, allowed is 1 to 4" },
        { "na", 0, "attribute 'na' is 0" },
        { "na", nc + 1, "attribute 'na' is 13, allowed is 1 to 12" },
        { "na", na + 1, "array 'Ha' has shape (4, 5, 3, 2)" },
        { "nt", 0, "attribute 'nt' is 0" },
        { "nt", 1025, "attribute 'nt' is 1025" },
        { "nt", nt - 1, "array 'Ha' has shape (4, 5, 3, 2)" },
        { "precursor", -1, "attribute 'precursor' is -1" },
        { "precursor", na, "attribute 'precursor' is 5, allowed is 0 to 4" },
        { "align", 2, "attribute 'align' is 2" },
        { "samples", -1, "attribute 'samples' is -1" },
        { "samples", samples + 1, "has 4 matrices, but 5 samples by its attribute" },
        { "samples", 1L << 40, "attribute 'samples' is 1099511627776" },
        { "seed", -1, "attribute 'seed' is -1" },
    };
    for (const auto& bad : integers)
        expect_error([&](model_writer& f) { f.integer(bad.name, bad.value); }, bad.text);
    for (const double value : { -1.0, double(NAN), double(INFINITY) }) {
        expect_error([&](model_writer& f) { real(f, "spacing_hz", value); },
                     "attribute 'spacing_hz'");
        expect_error([&](model_writer& f) { real(f, "sample_interval_s", value); },
                     "attribute 'sample_interval_s'");
    }
    expect_error([](model_writer& f) { f.text("domain", "h"); },
                 "attribute 'domain' is 'h', allowed is H, Ha or W");
    expect_error([](model_writer& f) { f.text("domain", "W"); }, "'W'");
    expect_error([](model_writer& f) { f.text("format", "gr-csifeedback model"); },
                 "is no gr-csifeedback data set");
    expect_error([](model_writer& f) { H5Adelete(f.file(), "format"); },
                 "is no gr-csifeedback data set");
    for (const char* name : { "format_version",
                              "domain",
                              "nc",
                              "na",
                              "nt",
                              "precursor",
                              "align",
                              "spacing_hz",
                              "sample_interval_s",
                              "samples" })
        expect_error([name](model_writer& f) { H5Adelete(f.file(), name); },
                     std::string("has no attribute '") + name + "'");
}

TEST_F(dataset, bad_arrays_are_refused)
{
    expect_error([](model_writer& f) { drop(f, "Ha"); }, "has no array 'Ha'");
    expect_error([](model_writer& f) { drop(f, "energy"); }, "has no array 'energy'");
    expect_error([](model_writer& f) { drop(f, "energy_lost"); },
                 "has no array 'energy_lost'");
    expect_error(
        [this](model_writer& f) {
            drop(f, "Ha");
            f.complex_array("Ha", { samples, nt, na }, ha);
        },
        "array 'Ha' has shape (4, 3, 5, 2)");
    expect_error(
        [this](model_writer& f) {
            drop(f, "Ha");
            f.array(
                "Ha", { samples, na, nt, 2 }, reinterpret_cast<const float*>(ha.data()));
        },
        "array 'Ha' is not of complex numbers");
    expect_error(
        [](model_writer& f) {
            drop(f, "energy");
            f.array("energy", { 2 }, { 1, 2 });
        },
        "array 'energy' has shape");
    for (const float bad : { -0.5f, 1.5f, NAN, INFINITY })
        expect_error(
            [bad](model_writer& f) {
                drop(f, "energy_lost");
                f.array("energy_lost", { samples }, { 0, 0, bad, 0 });
            },
            "array 'energy_lost' has ");
}

TEST_F(dataset, values_that_are_not_finite_are_found_when_read)
{
    auto bad = ha;
    bad[2 * na * nt + 1] = { 0, NAN };
    write(false, [&](model_writer& f) {
        drop(f, "Ha");
        f.complex_array("Ha", { samples, na, nt }, bad);
    });
    const auto file = dataset_file::open(path);
    std::vector<cf> out(samples * na * nt);
    file->read(0, 2, out.data());
    file->read(3, 1, out.data());
    const std::string text = error_of([&] { file->read(0, samples, out.data()); });
    EXPECT_NE(text.find("not finite in sample 2"), std::string::npos) << text;
    EXPECT_THROW(dataset_channel::make(path), std::invalid_argument);
}

TEST_F(dataset, files_that_cannot_be_read)
{
    write(false);
    const auto size = std::filesystem::file_size(path);
    for (const uintmax_t kept : { uintmax_t(0), uintmax_t(50), size / 2, size - 1 }) {
        write(false);
        std::filesystem::resize_file(path, kept);
        const std::string text = error_of([this] { dataset_file::open(path); });
        EXPECT_EQ(text.find(path), 0u) << kept << ": " << text;
    }
    // Cut while it is open.
    write(true);
    const auto file = dataset_file::open(path);
    std::filesystem::resize_file(path, 200);
    std::vector<cf> out(samples * nc * nt);
    const std::string text = error_of([&] { file->read(0, samples, out.data()); });
    EXPECT_NE(text.find("is truncated"), std::string::npos) << text;

    EXPECT_THROW(dataset_file::open(directory.file("absent")), std::invalid_argument);
    EXPECT_THROW(dataset_file::open(directory.file("")), std::invalid_argument);
    const std::string fifo = directory.file("fifo");
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_THROW(dataset_file::open(fifo), std::invalid_argument);
}

TEST_F(dataset, one_file_is_read_though_its_name_changes_hands)
{
    // Of different sizes: what one file says of itself must not be looked for in another.
    const std::string one = directory.file("one.h5"), other = directory.file("other.h5"),
                      link = directory.file("link.h5");
    write_dataset(one, false, 8, 4, 2, 3, false);
    write_dataset(other, true, 16, 4, 3, 5, false);
    const auto exchange = [&](const std::string& with) {
        std::filesystem::create_hard_link(with, link);
        std::filesystem::rename(link, path);
    };
    exchange(one);
    std::atomic<bool> done{ false };
    std::thread writer([&] {
        while (!done) {
            exchange(other);
            exchange(one);
        }
    });
    for (int i = 0; i < 3000; i++) {
        const auto file = dataset_file::open(path);
        const size_t size = size_t(file->whole() ? file->nc() : file->na()) * file->nt();
        std::vector<cf> matrix(size);
        const uint64_t last = file->samples() - 1;
        const std::string text = error_of([&] { file->read(last, 1, matrix.data()); });
        EXPECT_EQ(text, "no exception");
        EXPECT_EQ(matrix, std::vector<cf>(size, cf(last + 1, 1)));
        if (HasFailure())
            break;
    }
    done = true;
    writer.join();
}

TEST_F(dataset, replay_repeats_the_matrices)
{
    for (const bool whole : { false, true }) {
        write(whole);
        const auto channel = dataset_channel::make(path);
        EXPECT_EQ(channel->name(), "dataset");
        EXPECT_EQ(channel->samples(), uint64_t(samples));
        EXPECT_EQ(channel->grid().nc, nc);
        EXPECT_EQ(channel->grid().nt, nt);
        EXPECT_EQ(channel->grid().spacing_hz, 15e3);
        EXPECT_TRUE(channel->paths(0).empty());
        EXPECT_NE(channel->parameters().find("\"channel\": \"test \\\"1\\\"\""),
                  std::string::npos)
            << channel->parameters();
        std::vector<cf> out(nc * nt);
        channel_sample_info info;
        for (const uint64_t index : { 0, 3, 4, 7, 4001 }) {
            const size_t i = index % samples;
            if (whole) {
                channel->generate(index, out.data(), &info);
                EXPECT_TRUE(std::equal(out.begin(), out.end(), h.begin() + i * nc * nt));
            } else {
                channel->generate_truncated(index, na, precursor, out.data(), &info);
                EXPECT_TRUE(std::equal(
                    out.begin(), out.begin() + na * nt, ha.begin() + i * na * nt));
            }
            EXPECT_EQ(info.energy, energies[i]);
            EXPECT_NEAR(info.energy_lost, lost[i], 1e-6);
        }
    }
}

TEST_F(dataset, replay_transforms_to_the_other_domain)
{
    // H in the file: any cut of its 2D-DFT, and the energy that it loses.
    write(true, [](model_writer& f) {
        drop(f, "energy_lost");
        f.array("energy_lost", { samples }, { 0, 0, 0, 0 });
    });
    auto channel = dataset_channel::make(path);
    for (int s = 0; s < samples; s++) {
        const std::vector<cd> full = angular_delay(h.data() + s * nc * nt);
        for (const auto& [rows, before] : { std::pair(5, 2), { 1, 0 }, { nc, 7 } }) {
            std::vector<cf> out(rows * nt);
            channel_sample_info info;
            channel->generate_truncated(s, rows, before, out.data(), &info);
            for (int r = 0; r < rows; r++)
                for (int b = 0; b < nt; b++)
                    EXPECT_LT(std::abs(cd(out[r * nt + b]) -
                                       full[(r - before + nc) % nc * nt + b]),
                              1e-5);
            EXPECT_NEAR(info.energy_lost, 1 - energy(out) / energy(full), 1e-5);
        }
    }

    // Ha in the file: the rows that it has, zeros elsewhere, in any cut and in H.
    write(false);
    channel = dataset_channel::make(path);
    for (int s = 0; s < samples; s++) {
        const cf* in_file = ha.data() + s * na * nt;
        std::vector<cf> whole(nc * nt);
        channel->generate(s, whole.data(), nullptr);
        const std::vector<cd> full = angular_delay(whole.data());
        for (int d = 0; d < nc; d++)
            for (int b = 0; b < nt; b++) {
                const int row = (d + precursor) % nc;
                const cd expected = row < na ? cd(in_file[row * nt + b]) : cd(0);
                EXPECT_LT(std::abs(full[d * nt + b] - expected), 1e-5);
            }
        for (const auto& [rows, before] : { std::pair(3, 0), { 3, 2 }, { nc, 7 } }) {
            std::vector<cf> out(rows * nt);
            channel_sample_info info;
            channel->generate_truncated(s, rows, before, out.data(), &info);
            for (int r = 0; r < rows; r++)
                for (int b = 0; b < nt; b++)
                    EXPECT_LT(std::abs(cd(out[r * nt + b]) -
                                       full[(r - before + nc) % nc * nt + b]),
                              1e-5);
            // What the file lost before, and what this cut loses of the rest.
            const std::vector<cf> there(in_file, in_file + na * nt);
            EXPECT_NEAR(
                info.energy_lost, 1 - (1 - lost[s]) * energy(out) / energy(there), 1e-5);
        }
        EXPECT_THROW(channel->generate_truncated(s, nc + 1, 0, whole.data(), nullptr),
                     std::invalid_argument);
        EXPECT_THROW(channel->generate_truncated(s, na, na, whole.data(), nullptr),
                     std::invalid_argument);
    }
}

TEST_F(dataset, replay_by_many_threads)
{
    write(true);
    const auto channel = dataset_channel::make(path);
    constexpr size_t count = 200;
    std::vector<cf> one(count * na * nt), many(count * na * nt);
    std::vector<channel_sample_info> info(count);
    generate_channels(channel, 1, count, na, 1, 1, one.data(), info.data());
    generate_channels(channel, 1, count, na, 1, 8, many.data(), info.data());
    EXPECT_EQ(one, many);
}
