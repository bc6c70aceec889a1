/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DATASET_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_DATASET_CHANNEL_H

#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/csifeedback/dataset_file.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Replays the matrices of a data set: recorded, imported or generated channels.
 *
 * Sample `index` is matrix index modulo samples(): the data set repeats endlessly. The
 * matrices are returned as they are in the file, or transformed if the other domain is
 * requested; nothing is aligned or scaled. From a file of Ha, delay rows that it does not
 * have are zero in generate() and generate_truncated(). The energies in the samples' info
 * are those of the file: `energy` is that of the full-band channel, and `energy_lost`
 * includes what the file lost and what generate_truncated() removes in addition.
 *
 * The list of paths of a sample is not known and therefore empty.
 *
 * Data sets of up to 256 MiB are read and checked by make(). Larger ones are read sample
 * by sample; if the file then turns out to be damaged, std::invalid_argument is thrown.
 */
class CSIFEEDBACK_API dataset_channel : public channel_model
{
public:
    typedef std::shared_ptr<dataset_channel> sptr;

    /*!
     * \brief Opens a data set, see dataset_file::open().
     * \param path file name
     * \param drop_zero omits matrices whose energy is 0; the numbers of those after them
     *                  move up
     * \throws std::invalid_argument if the file cannot be opened, is not a data set, is
     *         damaged, or if no matrix is left
     */
    static sptr make(const std::string& path, bool drop_zero = false);

    //! Number of matrices in the file that are not omitted.
    virtual uint64_t samples() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DATASET_CHANNEL_H */
