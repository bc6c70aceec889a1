/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ONNX_NETWORK_H
#define INCLUDED_CSIFEEDBACK_ONNX_NETWORK_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/network.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief A codec in ONNX files.
 *
 * Part of the component gnuradio-csifeedback-onnx, which needs ONNX Runtime but not GNU
 * Radio. network_codec makes encoders and decoders from it.
 *
 * A file holds an encoder or a decoder: a graph with one float input and one output
 * (further outputs are ignored), with tensors as in network. The encoder's file names
 * that of the decoder. What a file states (see network_info) is in the entry
 * "csifeedback" of its metadata, or follows from the shapes in it where the entry says
 * nothing; the options have precedence.
 *
 * Graphs run on the CPU, on the calling thread.
 */
class CSIFEEDBACK_API onnx_network : public network
{
public:
    //! Number of ONNX codecs in feedback frames if the file states none.
    static constexpr int default_number = 253;

    /*!
     * \brief Loads a file.
     * \param path     of the file; if the decoder has its own file, that of the encoder
     * \param options  "name=value,..", replaces what the file states
     * \param defaults "name=value,..", used if the file states nothing
     * \throws std::invalid_argument with one line if it cannot be loaded, has other
     *         inputs, or what it states is missing, out of range or does not match it
     */
    static sptr open(const std::string& path,
                     const std::string& options = "",
                     const std::string& defaults = "");
    //! What a file states, "name=value,.."; throws if it cannot be loaded.
    static std::string stated(const std::string& path);

    //! Version of the library that runs the files, for example "1.21.0".
    static std::string library_version();

protected:
    using network::network;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ONNX_NETWORK_H */
