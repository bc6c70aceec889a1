/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_SHAPE_H
#define INCLUDED_CSIFEEDBACK_CSI_SHAPE_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/api.h>
#include <memory>
#include <string>

namespace gr {
namespace csifeedback {

class angular_delay_transform;
class channel_model;
class codec_part;
class csirs_frame;
class model_file;

/*!
 * \brief Which matrices a stream carries: their domain and sizes.
 *
 * Every object that knows them converts to a csi_shape: encoders, decoders and reports,
 * model files, pilot frames, channel models and transforms. Blocks that work on matrices
 * take a csi_shape instead of numbers.
 */
struct CSIFEEDBACK_API csi_shape {
    //! "H": full-band matrices, nc x nt; "Ha": truncated angular-delay ones, na x nt.
    std::string domain = "H";
    int rows = 0;        //!< rows of a matrix: Nc of H, Na of Ha; 1 to 65536
    int nt = 0;          //!< columns of a matrix: antenna ports; 1 to 1024
    int nc = 0;          //!< subcarriers, at least rows; 0: unknown (domain Ha)
    int precursor = -1;  //!< rows of Ha before delay zero; -1: unknown; 0 with domain H
    antenna_array array; //!< of the ports; a line unless stated otherwise

    /*!
     * \brief A shape given as numbers.
     * \throws std::invalid_argument if one is out of range, or the array does not have nt
     *         ports
     */
    csi_shape(const std::string& domain,
              int rows,
              int nt,
              int nc = 0,
              int precursor = -1,
              const antenna_array& array = {});
    //! Ha of a transform.
    csi_shape(const angular_delay_transform& transform);
    //! H of a channel model.
    csi_shape(const channel_model& model);
    //! The matrices that an encoder, decoder or report works on.
    csi_shape(const codec_part& codec);
    //! H of a pilot frame.
    csi_shape(const csirs_frame& frame);
    //! The matrices that the codec of a model works on.
    csi_shape(const model_file& model);
    /*!
     * \brief The shape of any of these objects.
     * \throws std::invalid_argument if it is null
     */
    template <typename T>
    csi_shape(const std::shared_ptr<T>& object) : csi_shape(not_null(object.get()))
    {
    }

    /*!
     * \brief The same with another number of subcarriers, for Ha.
     * \throws std::invalid_argument if it is out of range
     */
    csi_shape with_nc(int nc) const;

private:
    template <typename T>
    static const T& not_null(const T* object)
    {
        if (!object)
            throw_null();
        return *object;
    }
    [[noreturn]] static void throw_null();
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_SHAPE_H */
