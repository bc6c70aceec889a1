/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "io/output_file.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace gr {
namespace csifeedback {

output_file::output_file(const std::string& path, size_t item_size)
    : d_path(path), d_item_size(item_size)
{
    const auto refuse = [&](const std::string& text) {
        throw std::invalid_argument(path + ": " + text);
    };
    struct stat status;
    if (::lstat(path.c_str(), &status) == 0) {
        if (S_ISLNK(status.st_mode))
            refuse(
                "is a symbolic link; outputs do not follow links, name the file itself");
        if (!S_ISREG(status.st_mode))
            refuse("is no regular file, expected a file name");
        // A new file: another program that has the old one open keeps that one.
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            refuse(std::strerror(errno));
    }
    d_descriptor = ::open(path.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);
    if (d_descriptor < 0)
        refuse(std::strerror(errno));
}

output_file::~output_file() { ::close(d_descriptor); }

bool output_file::write(const void* items, size_t count)
{
    if (!d_error.empty())
        return false;
    const uint8_t* from = static_cast<const uint8_t*>(items);
    size_t done = 0, size = count * d_item_size;
    int number = 0;
    while (done < size) {
        const ssize_t n = ::write(d_descriptor, from + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            number = n < 0 ? errno : EIO;
            break;
        }
        done += n;
    }
    d_items += done / d_item_size;
    if (!number)
        return true;
    // No part of an item; if that fails too, the size says so.
    if (done % d_item_size && ::ftruncate(d_descriptor, d_items * d_item_size) != 0)
        return fail(errno);
    return fail(number);
}

bool output_file::finish()
{
    if (!d_error.empty())
        return false;
    struct stat own, named;
    if (::fsync(d_descriptor) != 0 || ::fstat(d_descriptor, &own) != 0)
        return fail(errno);
    if (uint64_t(own.st_size) != d_items * d_item_size)
        return fail("was changed by another program while it was written");
    if (::lstat(d_path.c_str(), &named) != 0 || named.st_dev != own.st_dev ||
        named.st_ino != own.st_ino)
        return fail("was removed or replaced by another program while it was written");
    return true;
}

bool output_file::fail(const std::string& text)
{
    d_error = d_path + ": " + text;
    return false;
}

bool output_file::fail(int number)
{
    return fail(std::string(std::strerror(number)) + " after " + std::to_string(d_items) +
                " items; they are kept");
}

} // namespace csifeedback
} // namespace gr
