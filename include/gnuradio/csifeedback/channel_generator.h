/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHANNEL_GENERATOR_H
#define INCLUDED_CSIFEEDBACK_CHANNEL_GENERATOR_H

#include <gnuradio/csifeedback/channel_model.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Generates samples [first, first + count) with several threads; the result does
 * not depend on their number.
 *
 * \param model     the channel
 * \param first     number of the first sample
 * \param count     number of samples
 * \param na        0: full-band matrices; 1 to nc: delay rows of Ha
 * \param precursor rows of Ha before delay zero; ignored if na = 0
 * \param threads   1 to 256; 0: as many as the machine runs concurrently
 * \param matrices  output, count x nc x nt, or count x na x nt
 * \param info      output, count entries
 * \throws std::invalid_argument if a parameter is out of range or model is null
 */
CSIFEEDBACK_API void generate_channels(channel_model::sptr model,
                                       uint64_t first,
                                       size_t count,
                                       int na,
                                       int precursor,
                                       int threads,
                                       std::complex<float>* matrices,
                                       channel_sample_info* info);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHANNEL_GENERATOR_H */
