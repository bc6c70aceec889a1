/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MODEL_FILE_H
#define INCLUDED_CSIFEEDBACK_MODEL_FILE_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/api.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! A float array of any rank, row-major. Complex data have a last dimension of 2.
struct CSIFEEDBACK_API float_array {
    std::vector<size_t> shape;
    std::vector<float> data;
};

/*!
 * \brief A trained model in an HDF5 file, opened for reading.
 *
 * Attributes of the root: `format` = "gr-csifeedback model", `format_version` = 1,
 * `codec`, `domain` (optional), `nc`, `na`, `nt`, `precursor`, `model_id`, for planes
 * `n1`, `n2` and `polarizations`, and for human readers: `channel`, `command`, `seed`,
 * `nmse`. Arrays are float32 (or complex as a compound of two float32; float16 and
 * float64 are also read), in the groups `encoder`, `quantizer` and `decoder`, each stored
 * in one piece (no chunks, no compression), in HDF5's most compatible format
 * (libver="earliest"). The manual describes the whole format.
 *
 * Nothing in a file is trusted, and the HDF5 library, which crashes on some damaged
 * files, is not used: types, ranks and sizes are checked against the data in the file
 * before memory is allocated, links and data outside the file are not followed, and
 * arrays with a value that is not finite are refused. The file is read into memory as a
 * whole, at most 1 GiB.
 */
class CSIFEEDBACK_API model_file
{
public:
    typedef std::shared_ptr<model_file> sptr;

    /*!
     * \brief Opens a model file and checks its attributes.
     * \param path file name; a name without directory and extension, such as
     *             "cost2100-indoor-klt", is looked up in the directories of the
     *             environment variable CSIFEEDBACK_MODELS (colon separated) and in the
     *             installed models
     * \throws std::invalid_argument if the file cannot be opened, is not a model file, or
     * has an attribute out of range; the message names the file and the attribute
     */
    static sptr open(const std::string& path);
    virtual ~model_file() = default;

    //! The file that was opened.
    virtual const std::string& path() const = 0;
    //! Codec that the model is for, for example "klt".
    virtual const std::string& codec() const = 0;
    //! Matrices that the codec takes: "Ha", angular-delay ones, or "H", full-band ones;
    //! then na() = nc() and precursor() = 0.
    virtual const std::string& domain() const = 0;
    //! Subcarriers of the full-band matrix.
    virtual int nc() const = 0;
    //! Rows of the matrices that the codec takes: delay rows kept, or all subcarriers.
    virtual int na() const = 0;
    //! Antenna ports.
    virtual int nt() const = 0;
    //! Rows kept before delay zero.
    virtual int precursor() const = 0;
    //! Array of the antenna ports: a line, unless the file states a plane.
    virtual antenna_array array() const = 0;
    //! Number that identifies this model in a feedback frame.
    virtual uint16_t model_id() const = 0;
    //! A text attribute of the root; empty if there is none.
    virtual std::string text(const std::string& name) const = 0;
    //! Whether an array exists, for example "encoder/W".
    virtual bool has(const std::string& name) const = 0;
    //! Names of the contents of a group, for example "l2o"; at most 64, for messages.
    virtual std::vector<std::string> names(const std::string& group) const = 0;
    /*!
     * \brief Reads an array.
     * \param name  for example "encoder/W"
     * \param shape its shape: an exact length, or 0 for any length from 1 on
     * \throws std::invalid_argument if it is missing, of another shape, type or storage,
     * larger than its data, or has a value that is not finite
     */
    virtual float_array read(const std::string& name,
                             const std::vector<size_t>& shape) const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MODEL_FILE_H */
