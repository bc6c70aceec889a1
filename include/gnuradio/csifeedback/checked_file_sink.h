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
 * \brief Writes a stream to a file, and knows whether all of it is there.
 * \ingroup csifeedback
 *
 * GNU Radio's file_sink loses samples in silence on a full disk. This one ends its input
 * at the first error, which it logs and keeps, and keeps the items before it.
 *
 * What had the name before is replaced by a new file. It must be a regular file: links
 * are not followed.
 *
 * Input 0: items of any kind.
 */
class CSIFEEDBACK_API checked_file_sink : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<checked_file_sink> sptr;

    /*!
     * \brief Makes the block and the file.
     * \param path      name of the file, in a directory that exists
     * \param item_size bytes of an item, 1 to 2^20
     * \throws std::invalid_argument if the file cannot be made or a parameter is out of
     * range
     */
    static sptr make(const std::string& path, int item_size = 8);

    virtual uint64_t recorded() const = 0; //!< items in the file
    //! What went wrong, with the path; empty if nothing did so far.
    virtual std::string error() const = 0;
    /*!
     * \brief Waits until all is on the disk, and looks whether it is; to be called when
     * the flowgraph has ended.
     * \return error()
     */
    virtual std::string finish() = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHECKED_FILE_SINK_H */
