/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHECKED_FILE_SINK_H
#define INCLUDED_CSIFEEDBACK_CHECKED_FILE_SINK_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/sync_block.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief Writes a stream to a file, and checks that all of it is there.
 * \ingroup csifeedback
 *
 * GNU Radio's file_sink silently loses samples when the disk is full. This block ends its
 * input at the first error, logs the error, keeps it for error(), and leaves the items
 * before it in the file.
 *
 * An existing file of that name is replaced by a new one. It must be a regular file:
 * links are not followed.
 *
 * Input 0: items of any kind.
 */
class CSIFEEDBACK_API checked_file_sink : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<checked_file_sink> sptr;

    /*!
     * \brief Makes the block and the file.
     * \param path      file name, in a directory that exists
     * \param item_size bytes per item, 1 to 2^20
     * \throws std::invalid_argument if the file cannot be created or a parameter is out
     * of range
     */
    static sptr make(const std::string& path, int item_size = 8);

    virtual uint64_t recorded() const = 0; //!< items in the file
    //! The first error, with the path; empty if there was none so far.
    virtual std::string error() const = 0;
    /*!
     * \brief Waits until all items are on the disk, and checks that they are. Call it
     * when the flowgraph has ended.
     * \return error()
     */
    virtual std::string finish() = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHECKED_FILE_SINK_H */
