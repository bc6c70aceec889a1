/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// What the drivers of the file readers share. Included by one source file a driver: it
// replaces the program's operator new.

#ifndef INCLUDED_CSIFEEDBACK_FUZZ_FILE_H
#define INCLUDED_CSIFEEDBACK_FUZZ_FILE_H

#include <unistd.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

//! The inputs are below 64 KiB: nothing reasonable is larger than this.
constexpr size_t max_memory = size_t(1) << 20;

//! While there is one, its thread may not allocate more than max_memory at once. What a
//! fuzzing engine does between the inputs is its own affair.
class memory_limit
{
public:
    memory_limit() { s_active++; }
    ~memory_limit() { s_active--; }
    memory_limit(const memory_limit&) = delete;
    memory_limit& operator=(const memory_limit&) = delete;
    static bool active() { return s_active > 0; }

private:
    static inline thread_local int s_active = 0;
};

// Every allocation passes here.
void* operator new(size_t size)
{
    if (size > max_memory && memory_limit::active())
        std::abort();
    if (void* memory = std::malloc(size ? size : 1))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

inline void require(bool condition)
{
    if (!condition)
        std::abort();
}

//! The only error that the library may report is std::invalid_argument.
inline void attempt(const std::function<void()>& call)
{
    try {
        call();
    } catch (const std::invalid_argument&) {
    }
}

//! A file name for each process, in memory where there is such a file system.
inline std::string scratch(const char* use)
{
    const char* const directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    return std::string(directory) + "/csifeedback_fuzz_" + use + "_" +
           std::to_string(getpid()) + ".h5.part"; // data sets may be unfinished
}

//! The content of a file, which is removed.
inline std::vector<uint8_t> take_file(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    std::vector<uint8_t> bytes{ std::istreambuf_iterator<char>(in), {} };
    std::remove(path.c_str());
    return bytes;
}

//! An input as a file, removed with this object.
class scratch_input
{
public:
    scratch_input(const uint8_t* data, size_t size) : d_path(scratch("input"))
    {
        std::ofstream out(d_path, std::ios::binary);
        out.write(reinterpret_cast<const char*>(data), size);
    }
    scratch_input(const scratch_input&) = delete;
    scratch_input& operator=(const scratch_input&) = delete;
    ~scratch_input() { std::remove(d_path.c_str()); }
    const std::string& path() const { return d_path; }

private:
    const std::string d_path;
};

#endif /* INCLUDED_CSIFEEDBACK_FUZZ_FILE_H */
