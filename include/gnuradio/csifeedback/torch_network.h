/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_TORCH_NETWORK_H
#define INCLUDED_CSIFEEDBACK_TORCH_NETWORK_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/network.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief A codec in TorchScript files.
 *
 * Part of the component gnuradio-csifeedback-torch, which needs libtorch but not GNU
 * Radio.
 *
 * A file has a method `encode`, `decode` or both, or a function `forward` that is one of
 * the two, with tensors as in network. What the file states (see network_info) is in an
 * extra file "csifeedback" of the archive, `torch.jit.save(module, path,
 * _extra_files={"csifeedback": "rows=32,nt=32"})`, or in attributes of the module with
 * the same names. The options have precedence over the extra file, which has precedence
 * over the attributes.
 *
 * Loading a file executes code in it: load only files that you trust. Halves run on the
 * CPU, in evaluation mode, on one thread each.
 */
class CSIFEEDBACK_API torch_network : public network
{
public:
    //! Number of TorchScript codecs in feedback frames if the file states none.
    static constexpr int default_number = 254;

    /*!
     * \brief Loads a file.
     * \param path     of the file; if the decoder has its own file, that of the encoder
     * \param options  "name=value,..", replaces what the file states
     * \param defaults "name=value,..", used if the file states nothing
     * \throws std::invalid_argument with one line if it cannot be loaded, has none of the
     *         methods, or what it states is missing, out of range or does not match it
     */
    static sptr open(const std::string& path,
                     const std::string& options = "",
                     const std::string& defaults = "");
    //! What a file states, "name=value,.."; throws if it cannot be loaded.
    static std::string stated(const std::string& path);

    //! Version of the library that runs the files, for example "1.13.0".
    static std::string library_version();

protected:
    using network::network;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_TORCH_NETWORK_H */
