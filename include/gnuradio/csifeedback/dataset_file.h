/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DATASET_FILE_H
#define INCLUDED_CSIFEEDBACK_DATASET_FILE_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief A data set of channel matrices in an HDF5 file, opened for reading.
 *
 * The manual describes the format. The matrices stay in the file and are read on request,
 * so a data set may be larger than the memory. An unfinished data set is opened with the
 * samples that it has if its name ends in `.part`, and is refused otherwise.
 *
 * Nothing in a file is trusted: types and sizes are checked before memory is allocated.
 * All methods may be called from several threads at once.
 */
class CSIFEEDBACK_API dataset_file
{
public:
    typedef std::shared_ptr<dataset_file> sptr;

    /*!
     * \brief Opens a data set and checks its attributes and the sizes of its arrays.
     * \param path file name
     * \throws std::invalid_argument if the file cannot be opened, is not a data set, or
     *         has an attribute or array out of range; the message names the file and the
     *         fault
     */
    static sptr open(const std::string& path);
    virtual ~dataset_file() = default;

    //! The file that was opened.
    virtual const std::string& path() const = 0;
    //! What the matrices are: "H", nc x nt, "Ha", na x nt, or "W": eigenvectors of nc
    //! subbands.
    virtual const std::string& domain() const = 0;
    //! Whether the matrices have nc rows: domain H or W.
    virtual bool whole() const = 0;
    //! Subcarriers of the full-band matrix; subbands of W.
    virtual int nc() const = 0;
    //! Delay rows of Ha; if the matrices are H, the rows to keep by default.
    virtual int na() const = 0;
    //! Antenna ports.
    virtual int nt() const = 0;
    //! Rows of Ha before delay zero.
    virtual int precursor() const = 0;
    //! Array of the antenna ports: a line, unless the file states a plane.
    virtual antenna_array array() const = 0;
    //! Whether the earliest path of every sample was moved to delay zero.
    virtual bool align() const = 0;
    //! Row spacing of H in Hz, 0 if unknown.
    virtual double spacing_hz() const = 0;
    //! Time between two samples of one drop in s, 0: independent or unknown.
    virtual double sample_interval_s() const = 0;
    //! Number of matrices.
    virtual uint64_t samples() const = 0;
    //! A text attribute of the root; empty if there is none.
    virtual std::string text(const std::string& name) const = 0;
    //! An integer attribute of the root, from 0 on; -1 if there is none.
    virtual int64_t integer(const std::string& name) const = 0;
    //! ||H||_F^2 of the full-band matrix of every sample.
    virtual const std::vector<float>& energy() const = 0;
    //! Part of the energy, [0, 1], outside the rows in the file, for every sample.
    virtual const std::vector<float>& energy_lost() const = 0;
    /*!
     * \brief Reads the matrices [first, first + count).
     * \param first    number of the first one
     * \param count    number of matrices
     * \param matrices output, count x rows x nt with rows = whole() ? nc() : na()
     * \throws std::invalid_argument if there are no such samples, the file cannot be read
     * or a value is not finite
     */
    virtual void
    read(uint64_t first, size_t count, std::complex<float>* matrices) const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DATASET_FILE_H */
