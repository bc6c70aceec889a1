/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_TORCH_ENCODER_H
#define INCLUDED_CSIFEEDBACK_TORCH_ENCODER_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/encoder.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief The UE half of a codec in TorchScript files; see torch_network.
 *
 * Each call to PyTorch allocates memory. The work of one object is done on one thread.
 */
class CSIFEEDBACK_API torch_encoder : public encoder
{
public:
    /*!
     * \brief Loads a file and tries its encoder.
     * \param path      of the file
     * \param options   "name=value,..", see network_info; replace what the file states
     * \param code_size M; 0: the longest
     * \param model_id  number in feedback frames; -1: as the file states, or 0
     * \throws std::invalid_argument like torch_network::open() and
     *         network_codec::make_encoder()
     */
    static sptr make(const std::string& path,
                     const std::string& options = "",
                     int code_size = 0,
                     int model_id = -1);

protected:
    using encoder::encoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_TORCH_ENCODER_H */
