/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PROJECTION_H
#define INCLUDED_CSIFEEDBACK_PROJECTION_H

#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

//! The matrix W of a linear encoder with what its codec has to know of it.
struct projection {
    volk::vector<float> w; //!< rows x cols, row-major
    size_t rows = 0;       //!< M
    size_t cols = 0;       //!< 2 na nt
    int na = 0;
    int nt = 0;
    uint8_t codec_id = 0;
    uint16_t model_id = 0;
    std::string codec;

    //! The first code_size rows (0: all) of `encoder/W` or `encoder/W_complex`.
    static projection load(const char* where, const model_file& model, int code_size);
    //! Any matrix; checks the sizes.
    static projection from_matrix(
        const char* where, const std::vector<float>& w, int na, int nt, int model_id);
    //! ||W||_2^2 of the first m rows, by power iteration to 1e-6.
    float squared_norm(size_t m) const;
};

//! Reads rows of complex vectors u (k x n x 2) as 2 k real rows [Re u, Im u], [-Im u, Re
//! u]: the real and imaginary parts of u^H x as functions of [Re x; Im x].
volk::vector<float> expand_complex_rows(const float_array& u, size_t rows);

//! Codec number of a feedback frame by the codec's name; throws if there is none.
uint8_t codec_number(const char* where, const std::string& codec);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PROJECTION_H */
