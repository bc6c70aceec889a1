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

//! Multiply-adds for one matrix, by part. Activations, thresholds and other operations
//! that do not multiply by weights are not counted.
using operation_counts = std::vector<std::pair<std::string, uint64_t>>;

//! A method to decode the codewords of one or several codecs.
struct CSIFEEDBACK_API decoder_descriptor {
    //! Name as in "MODEL:DECODER", for example "fista".
    std::string name;
    //! One-sentence description for users.
    std::string help;
    std::vector<codec_option> options;
    /*!
     * \brief Makes the decoder.
     *
     * Takes the model, the length of the longest codeword (0: the model's) and the
     * options; throws std::invalid_argument if the model lacks what the decoder needs.
     */
    std::function<decoder::sptr(model_file::sptr, int, const option_values&)> make;
    //! Multiply-adds for one codeword of a given length, by part; may be empty.
    std::function<operation_counts(const model_file&, int, const option_values&)>
        operations;
};

//! What the registry knows about a codec; no other place names the codec.
struct CSIFEEDBACK_API codec_descriptor {
    //! Name as in the attribute `codec` of its model files, for example "csi-l2o".
    std::string name;
    //! Number in a feedback frame: 0 to 127 in this module, 128 to 255 outside it.
    int number = 0;
    //! Name in tables and legends, for example "Csi-L2O".
    std::string title;
    //! Matrices that it takes: "Ha" or "H".
    std::string domain = "Ha";
    //! Whether its parameters come from training data.
    bool learned = true;
    //! One-sentence description for users.
    std::string help;

    /*!
     * \brief Makes the encoder of the model, for codewords of the given length (0: the
     * longest). Throws std::invalid_argument if the encoder cannot send such codewords.
     *
     * Empty if the codec has no codewords, only reports.
     */
    std::function<encoder::sptr(model_file::sptr, int)> make_encoder;
    //! Whether the encoder can make codewords of this length, from 1 to the longest;
    //! empty: it can make all.
    std::function<bool(const model_file&, int)> can_send;
    //! Multiply-adds of the encoder for a codeword of this length, by part.
    std::function<operation_counts(const model_file&, int)> operations;

    //! A decoder of this codec.
    struct use {
        std::string decoder; //!< its name
        std::string suffix;  //!< appended to the codec's title, for example " + FISTA"
    };
    //! The decoders of this codec, the default one first.
    std::vector<use> decoders;
    //! The decoders, with options, that are worth measuring for a model, as text; empty:
    //! the default one.
    std::function<std::vector<std::string>(const model_file&)> variants;

    //! Options of its own reports, if it has any.
    std::vector<codec_option> report_options;
    //! Makes its own reports; empty: codewords and a quantizer, see quantized_report.
    std::function<report_encoder::sptr(model_file::sptr, const option_values&)>
        make_report_encoder;
    std::function<report_decoder::sptr(model_file::sptr, const option_values&)>
        make_report_decoder;
    //! Multiply-adds by part that an encoder of the codec's own reports has done so far,
    //! for all its matrices; for codecs whose operations depend on the matrix. May be
    //! empty.
    std::function<operation_counts(report_encoder&)> report_operations;
};

/*!
 * \brief Registry of all available codecs and decoders.
 *
 * There is one object per process. The codecs and decoders of this module are in it from
 * the start. Plug-ins are shared libraries with CSIFEEDBACK_CODEC_PLUGIN. They are loaded
 * when the registry is first used: all those in the directories listed in the environment
 * variable CSIFEEDBACK_CODECS (colon separated, single files are allowed too) and in the
 * directory `gr-csifeedback/codecs` beside the installed library. A plug-in that cannot
 * be loaded has no effect but a line on stderr.
 *
 * All methods may be called from any thread. Descriptors keep their addresses once added.
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
    //! Adds a decoder from outside this module; throws as above.
    void add(decoder_descriptor decoder);
    //! Adds a codec with a decoder of its own: both, or neither if it throws.
    void add(codec_descriptor codec, decoder_descriptor decoder);
    /*!
     * \brief Loads a plug-in.
     * \param path of the shared library
     * \throws std::invalid_argument with one line, if it cannot be loaded, is not a
     *         plug-in, is for another version of this interface, or its codecs clash or
     *         throw; then none of its codecs stay registered
     */
    void load(const std::string& path);
    //! An address that distinguishes one copy of this library from another.
    static const void* library();

    //! The codec of this name; throws std::invalid_argument that lists the known ones.
    const codec_descriptor& codec(const std::string& name) const;
    //! The same, but null if there is none.
    const codec_descriptor* find(const std::string& name) const;
    //! The decoder of this name; throws like codec().
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
     * \brief Reads "DECODER,name=value,..", or "" for the default decoder.
     * \throws std::invalid_argument if the codec has no such decoder or option
     */
    method parse(const std::string& codec, const std::string& text) const;

private:
    codec_registry();
    void search();
    struct content;
    content* const d_content; // never freed: other objects may be destroyed later
};

//! Version of the interface between this library and plug-ins.
constexpr uint32_t codec_plugin_version = 2;

/*!
 * \brief Makes a shared library a plug-in: the block that follows adds codecs.
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
