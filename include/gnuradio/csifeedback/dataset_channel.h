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
 * Sample `index` is matrix index modulo samples(): the data set is repeated without end.
 * The matrices come as they lie in the file, and are transformed where the other domain
 * is asked for; nothing is aligned or scaled. From a file of Ha, rows that it does not
 * have are zeros, of generate() and generate_truncated(). The energies of the samples'
 * info are those of the file: `energy` is that of the whole channel, and `energy_lost`
 * counts what the file lost and what generate_truncated() cuts off in addition.
 *
 * The list of paths of a sample is not known and therefore empty.
 *
 * Data of up to 256 MiB are read and checked by make(). Larger ones are read sample by
 * sample, and a file that turns out to be damaged raises std::invalid_argument then.
 */
class CSIFEEDBACK_API dataset_channel : public channel_model
{
public:
    typedef std::shared_ptr<dataset_channel> sptr;

    /*!
     * \brief Opens a data set, see dataset_file::open().
     * \param path file name
     * \param drop_zero leaves out matrices whose energy is 0; those behind them take their
     * numbers
     * \throws std::invalid_argument if the file cannot be opened, is no data set, is
     * damaged, or if no matrix is left
     */
    static sptr make(const std::string& path, bool drop_zero = false);

    //! Number of matrices in the file that are not left out.
    virtual uint64_t samples() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DATASET_CHANNEL_H */
