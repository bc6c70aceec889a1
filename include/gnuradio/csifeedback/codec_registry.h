/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CODEC_REGISTRY_H
#define INCLUDED_CSIFEEDBACK_CODEC_REGISTRY_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/codec_options.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/report.h>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

//! Multiply-adds for one matrix, by part. Activations, thresholds and other work without
//! products by weights are not counted.
using operation_counts = std::vector<std::pair<std::string, uint64_t>>;

//! A way to decode the codewords of one codec or of several.
struct CSIFEEDBACK_API decoder_descriptor {
    //! As in "MODEL:DECODER", for example "fista".
    std::string name;
    //! One sentence for people.
    std::string help;
    std::vector<codec_option> options;
    /*!
     * \brief Makes the decoder.
     *
     * Takes the model, the longest codeword (0: the model's) and the options; throws
     * std::invalid_argument if the model lacks what the decoder needs.
     */
    std::function<decoder::sptr(model_file::sptr, int, const option_values&)> make;
    //! Multiply-adds for one codeword of a length, by part; may be empty.
    std::function<operation_counts(const model_file&, int, const option_values&)>
        operations;
};

//! What the registry knows of a codec; the only place that names it.
struct CSIFEEDBACK_API codec_descriptor {
    //! As in the attribute `codec` of its model files, for example "csi-l2o".
    std::string name;
    //! In a feedback frame: 0 to 127 in this module, 128 to 255 outside it.
    int number = 0;
    //! In tables and legends, for example "Csi-L2O".
    std::string title;
    //! Matrices that it takes: "Ha" or "H".
    std::string domain = "Ha";
    //! Whether its parameters come from training data.
    bool learned = true;
    //! One sentence for people.
    std::string help;

    /*!
     * \brief Makes the encoder: of the model, with codewords of so many values (0: the
     * longest). Throws std::invalid_argument if the encoder cannot send such codewords.
     *
     * Empty if the codec has no codewords, only reports.
     */
    std::function<encoder::sptr(model_file::sptr, int)> make_encoder;
    //! Whether codewords of this length, from 1 to the longest, are any that the encoder
    //! makes; empty: all are.
    std::function<bool(const model_file&, int)> can_send;
    //! Multiply-adds of the encoder for a codeword of this length, by part.
    std::function<operation_counts(const model_file&, int)> operations;

    //! A decoder of this codec.
    struct use {
        std::string decoder; //!< its name
        std::string suffix;  //!< behind the codec's title, for example " + FISTA"
    };
    //! The decoders that it has, the usual one first.
    std::vector<use> decoders;
    //! The decoders with options that are worth measuring for a model, as text; empty:
    //! the usual one.
    std::function<std::vector<std::string>(const model_file&)> variants;

    //! Options of its own reports, if it has any.
    std::vector<codec_option> report_options;
    //! Its own reports; empty: codewords and a quantizer, see quantized_report.
    std::function<report_encoder::sptr(model_file::sptr, const option_values&)>
        make_report_encoder;
    std::function<report_decoder::sptr(model_file::sptr, const option_values&)>
        make_report_decoder;
    //! Multiply-adds by part that an encoder of its own reports has done so far, of all its
    //! matrices, for codecs whose operations depend on the matrix; may be empty.
    std::function<operation_counts(report_encoder&)> report_operations;
};

/*!
 * \brief The codecs and decoders that there are.
 *
 * One object a process. Those of this module are in it from the start. Plug-ins, shared
 * libraries with CSIFEEDBACK_CODEC_PLUGIN, are loaded when it is first used: all of the
 * directories, or single files, of the environment variable CSIFEEDBACK_CODECS (colon
 * separated) and of the directory `gr-csifeedback/codecs` beside the installed library.
 * One that cannot be loaded costs a line on stderr and nothing else.
 *
 * All methods may be called from any thread. Descriptors stay where they are once added.
 */
class CSIFEEDBACK_API codec_registry
{
public:
    static codec_registry& instance();

    /*!
     * \brief Adds a codec from outside this module.
     * \throws std::invalid_argument if the name or number is taken or not allowed, a
     *         function is missing, or a decoder is unknown
     */
    void add(codec_descriptor codec);
    //! Adds a decoder from outside this module; throws likewise.
    void add(decoder_descriptor decoder);
    //! Adds a codec with a decoder of its own: both, or if it throws neither.
    void add(codec_descriptor codec, decoder_descriptor decoder);
    /*!
     * \brief Loads a plug-in.
     * \param path of the shared library
     * \throws std::invalid_argument with one line: it cannot be loaded, is none, is for
     *         another version of this interface, or its codecs clash or throw; nothing
     *         of it stays
     */
    void load(const std::string& path);
    //! An address that tells one copy of this library from another.
    static const void* library();

    //! The codec of this name; throws std::invalid_argument that lists those there are.
    const codec_descriptor& codec(const std::string& name) const;
    //! The same, null if there is none.
    const codec_descriptor* find(const std::string& name) const;
    //! The decoder of this name; throws likewise.
    const decoder_descriptor& decoder(const std::string& name) const;
    //! Names of all codecs, by number.
    std::vector<std::string> codecs() const;

    //! A decoder of a codec with its options.
    struct method {
        const codec_descriptor* codec;
        const decoder_descriptor* decoder;
        std::string suffix;
        option_values options;

        //! Name for tables and legends, for example "Csi-L2O paper" or "KLT + FISTA-100".
        std::string label() const;
    };
    /*!
     * \brief Reads "DECODER,name=value,..", or "" for the usual decoder.
     * \throws std::invalid_argument if the codec has no such decoder or option
     */
    method parse(const std::string& codec, const std::string& text) const;

private:
    codec_registry();
    void search();
    struct content;
    content* const d_content; // never freed: others may outlive any order of destruction
};

//! Version of the interface between this library and plug-ins.
constexpr uint32_t codec_plugin_version = 2;

/*!
 * \brief Makes a shared library a plug-in: the statement block behind it adds codecs.
 *
 * \code
 * CSIFEEDBACK_CODEC_PLUGIN(registry)
 * {
 *     gr::csifeedback::codec_descriptor codec;
 *     ...
 *     registry.add(codec);
 * }
 * \endcode
 */
#define CSIFEEDBACK_CODEC_PLUGIN(registry)                                               \
    extern "C" __attribute__((visibility("default")))                                    \
    const uint32_t csifeedback_plugin_version = ::gr::csifeedback::codec_plugin_version; \
    extern "C" __attribute__((visibility("default"))) const void*                        \
    csifeedback_plugin_library()                                                         \
    {                                                                                    \
        return ::gr::csifeedback::codec_registry::library();                             \
    }                                                                                    \
    extern "C" __attribute__((visibility("default"))) void csifeedback_plugin_register(  \
        ::gr::csifeedback::codec_registry& registry)

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CODEC_REGISTRY_H */
