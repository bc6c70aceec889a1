/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_OUTPUT_FILE_H
#define INCLUDED_CSIFEEDBACK_OUTPUT_FILE_H

#include <cstdint>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief A file of items that is written as they come, and knows whether all are in it.
 *
 * What had the name before is replaced by a new file, and must be a regular file: links
 * are not followed, and devices are left alone. After the first error nothing more is
 * written; the file keeps the items before it, without a part of one.
 */
class output_file
{
public:
    /*!
     * \brief Makes the file.
     * \param path      its name, in a directory that exists
     * \param item_size bytes of an item, >= 1
     * \throws std::invalid_argument, with the path, if it cannot be made
     */
    output_file(const std::string& path, size_t item_size);
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;
    ~output_file();

    //! Writes items; false if not all are in the file, now or after an earlier error.
    bool write(const void* items, size_t count);
    /*!
     * \brief Waits until all is on the disk, and looks whether the name still belongs to
     * this file and the file has the size that it should have; more may be written after.
     * \return false if anything is wrong
     */
    bool finish();
    //! Items in the file.
    uint64_t items() const { return d_items; }
    //! What went wrong, with the path; empty if nothing did.
    const std::string& error() const { return d_error; }

private:
    bool fail(const std::string& text);
    bool fail(int number);

    const std::string d_path;
    const size_t d_item_size;
    int d_descriptor;
    uint64_t d_items = 0;
    std::string d_error;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_OUTPUT_FILE_H */
