/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_GEOMETRY_H
#define INCLUDED_CSIFEEDBACK_PATH_GEOMETRY_H

#include "report/paths/dirichlet_axis.h"
#include "report/paths/path_model.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <complex>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief What both ends know of the matrices: h_vec to the delay rows in which paths are
 * sought, and back.
 *
 * The rows are those of Ha, or of H those of the window of delays that the model states.
 * Where the model has the responses of the antennas, they are divided out here.
 *
 * Rows are real and then imaginary parts, columns->stride() values each, with the phases
 * of the axes taken away. Nothing is allocated once an object is made.
 */
class path_geometry
{
public:
    //! \throws std::invalid_argument naming `where` if the model is null, of another codec
    //!         or damaged
    path_geometry(const char* where, const model_file::sptr& file);

    std::shared_ptr<const path_model> model;
    std::shared_ptr<const dirichlet_axis> rows, columns;
    codec_info info;
    float norm; //!< of the normalized matrix

    bool is_whole() const { return d_transform != nullptr; }
    //! Values of the rows, complex ones.
    int size() const { return rows->size() * columns->size(); }
    //! Values of a row, real and imaginary parts.
    size_t width() const { return 2 * columns->stride(); }

    //! h_vec to rows.
    void load(const float* h_vec, float* h);
    //! Rows to h_vec, of Ha.
    void store(const float* h, float* h_vec);
    //! Delay as users get it: of Ha from the first row on, of H from delay zero on.
    float delay(float row) const { return is_whole() ? row - model->precursor() : row; }
    //! Gain of a path with the phase of its first subcarrier and antenna, of its gain in
    //! rows without the phases of the axes.
    std::complex<float> gain(float row, float column, float re, float im) const
    {
        return std::complex<float>(re, im) * std::conj(rows->phase(row)) *
               columns->phase(column);
    }

    //! A path of rebuild(): delay from delay zero on, angle and gain as in gain().
    struct wave {
        float delay, angle;
        std::complex<float> gain;
    };
    //! Makes room for rebuild().
    void reserve_waves(size_t most);
    //! The sum of paths as h_vec of H.
    void rebuild(const wave* waves, size_t count, float* h_vec);
    //! The sum of paths as path_report_decoder::response() has it.
    std::vector<std::complex<float>> response(const std::vector<wave>& waves,
                                              const std::vector<double>& subcarriers,
                                              const std::vector<double>& antennas) const;

private:
    // Phases that make paths real: those of rows, and conjugates of those of columns.
    volk::vector<float> d_re, d_im;
    // Responses of the antennas, empty: all alike; and the products of a row of real and
    // imaginary parts that divide and multiply by them in the angular domain.
    std::vector<std::complex<float>> d_response;
    volk::vector<float> d_divide, d_multiply, d_work[2];
    // Of whole matrices.
    angular_delay_transform::sptr d_transform;
    std::vector<std::complex<float>> d_whole, d_window;
    std::vector<float> d_inverse;   // of d_response, real and imaginary parts
    std::vector<double> d_antennas; // 0, 1, ..
    volk::vector<float> d_ramps, d_turn, d_steering, d_block;

    void load_response(const model_file& file);
    // One path over the antennas: the products with real and with imaginary parts.
    void steer(const wave& one,
               const double* antennas,
               size_t count,
               size_t half,
               float* re,
               float* im) const;
    volk::vector<float> circulant(bool divide) const;
    const float* product(const float* from, const volk::vector<float>& matrix, float* to);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_GEOMETRY_H */
