/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Model files, good ones and every kind of bad ones, written with HDF5's C API.

#include "model_writer.h"
#include <gnuradio/csifeedback/codec_registry.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/report.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <complex>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

class model : public testing::Test
{
protected:
    const scratch_directory directory;
    const std::string path = directory.file("model.h5");

    void write(const std::function<void(model_writer&)>& change)
    {
        model_writer file(path);
        file.header("klt", 64, 32, 2, 9);
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

    void expect_error(const std::function<void()>& call,
                      const std::vector<std::string>& words,
                      const std::string& file)
    {
        const std::string text = error_of(call);
        EXPECT_NE(text.find(file), std::string::npos) << text;
        for (const std::string& word : words)
            EXPECT_NE(text.find(word), std::string::npos) << text << " lacks " << word;
    }

    void expect_bad_file(const std::vector<std::string>& words)
    {
        expect_error([&] { model_file::open(path); }, words, path);
    }

    // Writes an array x, and expects the error of reading it as `shape`.
    void expect_bad_array(const std::function<void(model_writer&)>& write_x,
                          const std::vector<size_t>& shape,
                          const std::vector<std::string>& words)
    {
        write(write_x);
        const auto file = model_file::open(path);
        expect_error([&] { file->read("x", shape); }, words, path);
    }
};

TEST_F(model, attributes_and_arrays)
{
    write([](model_writer& f) {
        f.text("channel", "indoor");
        f.array("encoder/W", { 2, 3 }, { 1, 2, 3, 4, 5, 6 });
    });
    const auto file = model_file::open(path);
    EXPECT_EQ(file->path(), path);
    EXPECT_EQ(file->codec(), "klt");
    EXPECT_EQ(file->nc(), 64);
    EXPECT_EQ(file->na(), 32);
    EXPECT_EQ(file->nt(), 2);
    EXPECT_EQ(file->precursor(), 0);
    EXPECT_EQ(file->model_id(), 9);
    EXPECT_EQ(file->text("channel"), "indoor");
    EXPECT_EQ(file->text("command"), "");
    EXPECT_TRUE(file->has("encoder/W"));
    EXPECT_TRUE(file->has("encoder"));
    for (const char* name :
         { "encoder/V", "decoder/W", "W", "", "/", "//", "encoder/W/x", "." })
        EXPECT_FALSE(file->has(name)) << name;
    for (const std::vector<size_t>& shape :
         { std::vector<size_t>{ 2, 3 }, { 0, 3 }, { 2, 0 }, { 0, 0 } }) {
        const float_array a = file->read("encoder/W", shape);
        EXPECT_EQ(a.shape, (std::vector<size_t>{ 2, 3 }));
        EXPECT_EQ(a.data, (std::vector<float>{ 1, 2, 3, 4, 5, 6 }));
    }
}

TEST_F(model, array_of_the_ports)
{
    write([](model_writer&) {});
    EXPECT_EQ(model_file::open(path)->array(), (antenna_array{ 2, 1, 1 }));
    const auto plane = [](int n1, int n2, int polarizations) {
        return [=](model_writer& f) {
            f.integer("n1", n1);
            f.integer("n2", n2);
            f.integer("polarizations", polarizations);
        };
    };
    write(plane(1, 1, 2));
    const auto file = model_file::open(path);
    EXPECT_EQ(file->array(), (antenna_array{ 1, 1, 2 }));
    EXPECT_EQ(csi_shape(file).array, file->array());
    write(plane(1, 2, 1));
    EXPECT_EQ(model_file::open(path)->array(), (antenna_array{ 1, 2, 1 }));

    write(plane(2, 1, 2));
    expect_bad_file({ "'n1', 'n2' and 'polarizations' are 2, 1 and 2", "'nt' = 2" });
    write(plane(0, 1, 2));
    expect_bad_file({ "'n1' is 0" });
    write(plane(1, 1025, 2));
    expect_bad_file({ "'n2' is 1025" });
    write(plane(1, 1, 3));
    expect_bad_file({ "'polarizations' is 3", "1 to 2" });
    write([](model_writer& f) { f.integer("polarizations", 2); });
    expect_bad_file({ "'n1'" });
}

TEST_F(model, domain)
{
    write([](model_writer&) {});
    EXPECT_EQ(model_file::open(path)->domain(), "Ha");
    write([](model_writer& f) { f.text("domain", "Ha"); });
    EXPECT_EQ(model_file::open(path)->domain(), "Ha");
    write([](model_writer& f) {
        f.text("domain", "H");
        f.integer("na", 64);
    });
    const auto file = model_file::open(path);
    EXPECT_EQ(file->domain(), "H");
    EXPECT_EQ(file->na(), 64);

    write([](model_writer& f) { f.text("domain", "ha"); });
    expect_bad_file({ "'domain' is 'ha'", "'Ha' or 'H'" });
    write([](model_writer& f) { f.text("domain", ""); });
    expect_bad_file({ "'domain' is ''" });
    // 32 of 64 rows, or rows before delay zero.
    write([](model_writer& f) { f.text("domain", "H"); });
    expect_bad_file({ "'na' and 'precursor' are 32 and 0", "64 and 0" });
    write([](model_writer& f) {
        f.text("domain", "H");
        f.integer("na", 64);
        f.integer("precursor", 4);
    });
    expect_bad_file({ "'na' and 'precursor' are 64 and 4", "64 and 0" });
}

TEST_F(model, text_of_variable_length)
{
    write([](model_writer& f) {
        f.variable_text("format", "gr-csifeedback model");
        f.variable_text("codec", "gaussian");
    });
    EXPECT_EQ(model_file::open(path)->codec(), "gaussian");
}

TEST_F(model, other_float_types_are_converted)
{
    const std::vector<float> x{ 1.5f, -2, 3e5f };
    for (const hid_t type :
         { H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE }) {
        write([&](model_writer& f) { f.array("x", { 3 }, x.data(), H5P_DEFAULT, type); });
        EXPECT_EQ(model_file::open(path)->read("x", { 3 }).data, x);
    }
}

// IEEE float16, which HDF5 1.10 has no name for.
hid_t half_type(H5T_order_t order)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_ebias(type, 15);
    H5Tset_size(type, 2);
    H5Tset_order(type, order);
    return type;
}

TEST_F(model, half_floats_are_read)
{
    // Among them the largest, the smallest normal and the smallest of all.
    const std::vector<float> x{
        0, 1, -2.5f, 65504, std::ldexp(1.0f, -14), -std::ldexp(1.0f, -24), 0.333251953125f
    };
    for (const H5T_order_t order : { H5T_ORDER_LE, H5T_ORDER_BE }) {
        write([&](model_writer& f) {
            f.array("x", { x.size() }, x.data(), H5P_DEFAULT, half_type(order));
        });
        EXPECT_EQ(model_file::open(path)->read("x", { 0 }).data, x);
        const float infinite = std::numeric_limits<float>::infinity();
        write([&](model_writer& f) {
            f.array("x", { 1 }, &infinite, H5P_DEFAULT, half_type(order));
        });
        EXPECT_THROW(model_file::open(path)->read("x", { 0 }), std::invalid_argument);
    }
}

hid_t complex_type(hid_t real, const char* re = "r", const char* im = "i")
{
    const size_t size = H5Tget_size(real);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * size);
    H5Tinsert(type, re, 0, real);
    H5Tinsert(type, im, size, real);
    return type;
}

TEST_F(model, complex_arrays_get_a_last_size_of_two)
{
    const std::vector<std::complex<float>> x{ { 1, 2 }, { 3, 4 }, { 5, 6 } };
    for (const hid_t real : { H5T_IEEE_F32LE, H5T_IEEE_F64BE }) {
        write([&](model_writer& f) {
            const hid_t type = complex_type(real, "real", "imag"),
                        memory = complex_type(H5T_NATIVE_FLOAT, "real", "imag");
            const hsize_t size = 3;
            const hid_t space = H5Screate_simple(1, &size, nullptr),
                        id = H5Dcreate2(f.file(),
                                        "x",
                                        type,
                                        space,
                                        H5P_DEFAULT,
                                        H5P_DEFAULT,
                                        H5P_DEFAULT);
            H5Dwrite(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, x.data());
            H5Dclose(id);
            H5Sclose(space);
            H5Tclose(type);
            H5Tclose(memory);
        });
        const float_array a = model_file::open(path)->read("x", { 0, 2 });
        EXPECT_EQ(a.shape, (std::vector<size_t>{ 3, 2 }));
        EXPECT_EQ(a.data, (std::vector<float>{ 1, 2, 3, 4, 5, 6 }));
    }
}

TEST_F(model, compact_arrays)
{
    write([](model_writer& f) {
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_layout(creation, H5D_COMPACT);
        const float x[] = { 1, 2, 3 };
        f.array("x", { 3 }, x, creation);
        H5Pclose(creation);
    });
    EXPECT_EQ(model_file::open(path)->read("x", { 0 }).data,
              (std::vector<float>{ 1, 2, 3 }));
}

TEST_F(model, many_arrays_and_attributes)
{
    // Groups of several tree nodes, headers of several blocks.
    write([](model_writer& f) {
        for (int i = 0; i < 300; i++) {
            f.array(("a/b/x" + std::to_string(i)).c_str(), { 1 }, { float(i) });
            f.text(("note" + std::to_string(i)).c_str(), std::to_string(i));
        }
    });
    const auto file = model_file::open(path);
    for (int i = 0; i < 300; i++) {
        EXPECT_EQ(file->read("a/b/x" + std::to_string(i), { 1 }).data[0], i);
        EXPECT_EQ(file->text("note" + std::to_string(i)), std::to_string(i));
    }
    EXPECT_FALSE(file->has("a/b/x300"));
    EXPECT_FALSE(file->has("a/b/x29/c"));
}

TEST_F(model, chunked_and_compressed_arrays_are_refused)
{
    for (const bool compressed : { false, true })
        expect_bad_array(
            [&](model_writer& f) {
                const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
                const hsize_t chunk = 50;
                H5Pset_chunk(creation, 1, &chunk);
                if (compressed)
                    H5Pset_deflate(creation, 9);
                f.array("x", { 100 }, std::vector<float>(100, 1).data(), creation);
                H5Pclose(creation);
            },
            { 100 },
            { "'x'", "chunked" });
}

TEST_F(model, newer_format_is_refused)
{
    {
        model_writer file(path, true);
        file.header("klt", 64, 32, 2);
    }
    expect_bad_file({ "libver=\"earliest\"" });
}

TEST_F(model, files_that_cannot_be_opened)
{
    expect_error([&] { model_file::open(directory.file("none.h5")); },
                 { "No such file" },
                 "none.h5");
    expect_error([&] { model_file::open(directory.file(".")); }, { "regular" }, "/.");
    ASSERT_EQ(mkfifo(directory.file("fifo").c_str(), 0600), 0);
    expect_error(
        [&] { model_file::open(directory.file("fifo")); }, { "regular" }, "fifo");
    expect_error([] { model_file::open("/dev/zero"); }, { "regular" }, "/dev/zero");
    expect_error([] { model_file::open(""); }, { "model ''" }, "");

    std::ofstream(path) << "this is no HDF5 file, but as long as one might be";
    expect_bad_file({ "no HDF5 file" });
    std::ofstream(path).close();
    expect_bad_file({ "no HDF5 file" });

    write([](model_writer&) {});
    ASSERT_EQ(chmod(path.c_str(), 0), 0);
    if (geteuid() != 0)
        expect_bad_file({ "Permission denied" });
}

TEST_F(model, truncated_anywhere)
{
    write([](model_writer& f) {
        f.array("encoder/W", { 2, 128 }, std::vector<float>(256, 1));
    });
    std::ifstream in(path, std::ios::binary);
    const std::string whole{ std::istreambuf_iterator<char>(in), {} };
    for (size_t size = 0; size < whole.size(); size += 1 + size / 40) {
        std::ofstream(path, std::ios::binary).write(whole.data(), size);
        const std::string text =
            error_of([&] { linear_encoder::make(model_file::open(path), 0); });
        EXPECT_NE(text.find(path), std::string::npos) << size << ": " << text;
    }
    std::ofstream(path, std::ios::binary).write(whole.data(), whole.size());
    EXPECT_EQ(linear_encoder::make(model_file::open(path), 0)->code_size(), 2);
}

TEST_F(model, not_a_model)
{
    write([](model_writer& f) { H5Adelete(f.file(), "format"); });
    expect_bad_file({ "'format'" });
    write([](model_writer& f) { f.text("format", "gr-csifeedback dataset"); });
    expect_bad_file({ "'format'" });
    write([](model_writer& f) { f.integer("format", 1); });
    expect_bad_file({ "'format'", "text" });
}

TEST_F(model, bad_attributes)
{
    struct limits {
        const char* name;
        long lo, hi;
    };
    for (const limits& l : { limits{ "format_version", 1, 1 },
                             { "nc", 1, 65536 },
                             { "nt", 1, 1024 },
                             { "na", 1, 64 },
                             { "precursor", 0, 31 },
                             { "model_id", 0, 65535 } }) {
        const std::string quoted = std::string("'") + l.name + "'";
        write([&](model_writer& f) { H5Adelete(f.file(), l.name); });
        expect_bad_file({ "no attribute " + quoted });
        for (const long value : { l.lo - 1,
                                  l.hi + 1,
                                  std::numeric_limits<long>::min(),
                                  std::numeric_limits<long>::max() }) {
            write([&](model_writer& f) { f.integer(l.name, value); });
            expect_bad_file({ quoted + " is " + std::to_string(value),
                              std::to_string(l.lo) + " to " + std::to_string(l.hi) });
        }
        write([&](model_writer& f) { f.text(l.name, "12"); });
        expect_bad_file({ quoted, "no integer" });
        write([&](model_writer& f) {
            const hid_t space = H5Screate(H5S_SCALAR);
            const float value = 1;
            f.attribute(l.name, H5T_NATIVE_FLOAT, space, &value);
            H5Sclose(space);
        });
        expect_bad_file({ quoted, "no integer" });
        write([&](model_writer& f) {
            const hsize_t size = 2;
            const hid_t space = H5Screate_simple(1, &size, nullptr);
            const long values[] = { 1, 1 };
            f.attribute(l.name, H5T_NATIVE_LONG, space, values);
            H5Sclose(space);
        });
        expect_bad_file({ quoted, "no integer" });
        write([&](model_writer& f) {
            const hid_t space = H5Screate(H5S_NULL);
            f.attribute(l.name, H5T_NATIVE_LONG, space, nullptr);
            H5Sclose(space);
        });
        expect_bad_file({ quoted, "no integer" });
        write([&](model_writer& f) {
            const hid_t space = H5Screate(H5S_SCALAR);
            const unsigned long long value = ~0ull;
            f.attribute(l.name, H5T_NATIVE_ULLONG, space, &value);
            H5Sclose(space);
        });
        expect_bad_file({ quoted, "allowed" });
    }
}

TEST_F(model, bad_texts)
{
    write([](model_writer& f) { H5Adelete(f.file(), "codec"); });
    expect_bad_file({ "no attribute 'codec'" });
    write([](model_writer& f) { f.integer("codec", 3); });
    expect_bad_file({ "'codec'", "no text" });
    write([](model_writer& f) {
        const hsize_t size = 2;
        const hid_t space = H5Screate_simple(1, &size, nullptr), type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, 3);
        f.attribute("codec", type, space, "abcdef");
        H5Tclose(type);
        H5Sclose(space);
    });
    expect_bad_file({ "'codec'", "no text" });
    write([](model_writer& f) {
        f.variable_text("codec", std::string(70000, 'x').substr(0, 60000).c_str());
    });
    EXPECT_EQ(model_file::open(path)->codec().size(), 60000u);
    // A text that was never written
    write([](model_writer& f) {
        const hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        f.attribute("codec", type, space, nullptr);
        H5Tclose(type);
        H5Sclose(space);
    });
    EXPECT_EQ(model_file::open(path)->codec(), "");
    // Texts that are not needed are checked when asked for.
    write([](model_writer& f) { f.integer("channel", 3); });
    const auto file = model_file::open(path);
    expect_error([&] { file->text("channel"); }, { "'channel'", "no text" }, path);
}

TEST_F(model, missing_arrays_and_wrong_shapes)
{
    const auto two_by_three = [](model_writer& f) {
        f.array("x", { 2, 3 }, { 1, 2, 3, 4, 5, 6 });
    };
    expect_bad_array([](model_writer&) {}, { 0 }, { "no array 'x'" });
    expect_bad_array(two_by_three, { 2, 4 }, { "'x'", "(2, 3)", "(2, 4)" });
    expect_bad_array(two_by_three, { 6 }, { "'x'", "(2, 3)", "(6)" });
    expect_bad_array(two_by_three, { 0, 0, 0 }, { "'x'", "(any, any, any)" });
    expect_bad_array(
        [](model_writer& f) {
            H5Gclose(H5Gcreate2(f.file(), "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        },
        { 0 },
        { "'x' is no array" });
    expect_bad_array(
        [](model_writer& f) {
            f.array("x", { 0, 3 }, nullptr);
        },
        { 0, 3 },
        { "'x'" });
    for (const H5S_class_t kind : { H5S_SCALAR, H5S_NULL })
        expect_bad_array(
            [&](model_writer& f) {
                const hid_t space = H5Screate(kind);
                H5Dclose(H5Dcreate2(f.file(),
                                    "x",
                                    H5T_IEEE_F32LE,
                                    space,
                                    H5P_DEFAULT,
                                    H5P_DEFAULT,
                                    H5P_DEFAULT));
                H5Sclose(space);
            },
            { 0 },
            { "'x'" });
}

TEST_F(model, wrong_types)
{
    for (const hid_t type : { H5T_STD_I32LE, H5T_STD_U8LE, H5T_STD_B32LE })
        expect_bad_array(
            [&](model_writer& f) {
                const float x[] = { 1, 2 };
                f.array("x", { 2 }, x, H5P_DEFAULT, type);
            },
            { 2 },
            { "'x'", "floats" });
    expect_bad_array(
        [&](model_writer& f) { f.array("x", { 2 }, nullptr, H5P_DEFAULT, H5T_C_S1); },
        { 2 },
        { "'x'", "floats" });
    // Floats of a format that nobody has
    expect_bad_array(
        [&](model_writer& f) {
            const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
            H5Tset_fields(type, 31, 20, 11, 0, 20);
            const float x[] = { 1, 2 };
            f.array("x", { 2 }, x, H5P_DEFAULT, type);
            H5Tclose(type);
        },
        { 2 },
        { "'x'", "floats" });
    // Compounds that are no complex numbers
    for (const hid_t part : { H5T_STD_I32LE, H5T_IEEE_F32LE })
        expect_bad_array(
            [&](model_writer& f) {
                const hid_t type = H5Tcreate(H5T_COMPOUND, 12);
                H5Tinsert(type, "a", 0, H5T_IEEE_F32LE);
                H5Tinsert(type, "b", 4, part);
                if (part == H5T_IEEE_F32LE)
                    H5Tinsert(type, "c", 8, part);
                f.array("x", { 2 }, nullptr, H5P_DEFAULT, type);
                H5Tclose(type);
            },
            { 2, 2 },
            { "'x'", "floats" });
}

TEST_F(model, values_that_are_not_finite)
{
    for (const float bad : { std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity() })
        for (size_t at = 0; at < 6; at++)
            expect_bad_array(
                [&](model_writer& f) {
                    std::vector<float> x(6, 1);
                    x[at] = bad;
                    f.array("x", { 2, 3 }, x);
                },
                { 2, 3 },
                { "'x'", "not finite" });
    // Too large for a float
    expect_bad_array(
        [&](model_writer& f) {
            const double x = 1e300;
            const hsize_t size = 1;
            const hid_t space = H5Screate_simple(1, &size, nullptr),
                        id = H5Dcreate2(f.file(),
                                        "x",
                                        H5T_IEEE_F64LE,
                                        space,
                                        H5P_DEFAULT,
                                        H5P_DEFAULT,
                                        H5P_DEFAULT);
            H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &x);
            H5Dclose(id);
            H5Sclose(space);
        },
        { 1 },
        { "'x'", "not finite" });
}

TEST_F(model, arrays_without_data)
{
    expect_bad_array(
        [](model_writer& f) {
            f.array("x", { 1000000, 200 }, nullptr);
        },
        { 0, 0 },
        { "'x'", "no data" });
}

TEST_F(model, sizes_beyond_the_data)
{
    // The sizes of the array changed in the file, to more than is stored.
    constexpr uint64_t rows = 7777;
    for (const uint64_t claimed : { rows + 1,
                                    uint64_t(1) << 32,
                                    uint64_t(1) << 60,
                                    uint64_t(1) << 62,
                                    ~uint64_t(0) }) {
        write([&](model_writer& f) {
            f.array("x", { rows, 4 }, std::vector<float>(4 * rows, 1));
        });
        std::ifstream in(path, std::ios::binary);
        std::string whole{ std::istreambuf_iterator<char>(in), {} };
        const std::string before(reinterpret_cast<const char*>(&rows), 8),
            after(reinterpret_cast<const char*>(&claimed), 8);
        const size_t at = whole.find(before);
        ASSERT_NE(at, std::string::npos);
        whole.replace(at, 8, after);
        std::ofstream(path, std::ios::binary).write(whole.data(), whole.size());
        const auto file = model_file::open(path);
        expect_error([&] { file->read("x", { 0, 4 }); }, { "'x'", "larger" }, path);
        expect_error([&] { file->read("x", { rows, 4 }); }, { "'x'", "shape" }, path);
    }
}

TEST_F(model, data_outside_the_file)
{
    // Another file's bytes as an array
    const std::string other = directory.file("secret");
    std::ofstream(other) << "abcdefgh";
    expect_bad_array(
        [&](model_writer& f) {
            const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
            H5Pset_external(creation, other.c_str(), 0, 8);
            f.array("x", { 2 }, nullptr, creation);
            H5Pclose(creation);
        },
        { 2 },
        { "'x'", "itself" });
    // A virtual array
    const std::string source = directory.file("source.h5");
    {
        model_writer f(source);
        f.array("y", { 2 }, { 1, 2 });
    }
    expect_bad_array(
        [&](model_writer& f) {
            const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
            const hsize_t size = 2;
            const hid_t space = H5Screate_simple(1, &size, nullptr);
            H5Pset_virtual(creation, space, source.c_str(), "y", space);
            f.array("x", { 2 }, nullptr, creation);
            H5Sclose(space);
            H5Pclose(creation);
        },
        { 2 },
        { "'x'", "stored in another way" });
    // Links
    expect_bad_array(
        [&](model_writer& f) {
            H5Lcreate_external(
                source.c_str(), "y", f.file(), "x", H5P_DEFAULT, H5P_DEFAULT);
        },
        { 2 },
        { "no array 'x'" });
    expect_bad_array(
        [&](model_writer& f) {
            f.array("y", { 2 }, { 1, 2 });
            H5Lcreate_soft("/y", f.file(), "x", H5P_DEFAULT, H5P_DEFAULT);
        },
        { 2 },
        { "no array 'x'" });
}

TEST_F(model, lookup_by_name)
{
    write([](model_writer&) {});
    const std::string name = "model";
    unsetenv("CSIFEEDBACK_MODELS");
    expect_error([&] { model_file::open(name); }, { "CSIFEEDBACK_MODELS" }, "'model'");
    for (const std::string& directories : { directory.file(""),
                                            "/nowhere:" + directory.file(""),
                                            ":" + directory.file("") + ":",
                                            directory.file("") + ":/nowhere" }) {
        setenv("CSIFEEDBACK_MODELS", directories.c_str(), 1);
        EXPECT_EQ(model_file::open(name)->codec(), "klt") << directories;
        EXPECT_EQ(model_file::open("model.h5")->codec(), "klt") << directories;
        expect_error(
            [&] { model_file::open("other"); }, { "other", directory.file("") }, "");
    }
    // The first directory wins.
    ASSERT_EQ(mkdir(directory.file("first").c_str(), 0700), 0);
    {
        model_writer f(directory.file("first/model.h5"));
        f.header("gaussian", 64, 32, 2);
    }
    setenv("CSIFEEDBACK_MODELS",
           (directory.file("first") + ":" + directory.file("")).c_str(),
           1);
    EXPECT_EQ(model_file::open(name)->codec(), "gaussian");
    // Not beyond the directories.
    expect_error([&] { model_file::open("../model"); }, { "No such file" }, "../model");
    setenv("CSIFEEDBACK_MODELS", "", 1);
    expect_error([&] { model_file::open(name); }, { "none" }, "'model'");
    unsetenv("CSIFEEDBACK_MODELS");
}

TEST(shipped_models, are_found_by_name_and_read)
{
    setenv("CSIFEEDBACK_MODELS", CSIFEEDBACK_MODELS, 1);
    for (const auto& entry : std::filesystem::directory_iterator(CSIFEEDBACK_MODELS)) {
        if (entry.path().extension() != ".h5")
            continue;
        SCOPED_TRACE(entry.path().string());
        const auto file = model_file::open(entry.path().stem().string());
        EXPECT_EQ(file->path(), entry.path().string());
        // Networks are codecs in Python, with tests of their own.
        if (!file->names("network").empty()) {
            // Matrices of 32 delay rows, or eigenvectors of 13 subbands, on 32 antennas.
            EXPECT_EQ(file->nt(), 32);
            EXPECT_EQ(file->na(), file->text("matrices") == "W" ? 13 : 32);
            EXPECT_GT(file->read("quantizer/std", { 0 }).data.size(), size_t(0));
            continue;
        }
        // Codecs without codewords have no quantizers.
        if (codec_registry::instance().codec(file->codec()).make_report_encoder) {
            EXPECT_EQ(report_encoder::from_model(file)->nt(), file->nt());
            EXPECT_EQ(report_decoder::from_model(file)->na(), file->na());
            continue;
        }
        const auto e = encoder::from_model(file);
        EXPECT_EQ(e->na(), file->na());
        EXPECT_EQ(e->nt(), file->nt());
        EXPECT_EQ(file->read("quantizer/std", { 0 }).data.size(), size_t(e->code_size()));
    }
    unsetenv("CSIFEEDBACK_MODELS");
}

} // namespace
