/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/builtin_codecs.h"
#include "codec/linear/linear_codecs.h"
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>

namespace gr {
namespace csifeedback {

namespace {

uint64_t products(const model_file& model, int m)
{
    const uint64_t column = 2 * uint64_t(model.na());
    return m * column * (model.has("encoder/W_columns") ? 1 : model.nt());
}

// The decoders of any linear encoder; of a KLT the linear one is its inverse.
std::vector<codec_descriptor::use> uses(const std::string& linear)
{
    return { { "linear", linear },
             { "fista", " + FISTA" },
             { "ista", " + ISTA" },
             { "l2o", " + L2O" } };
}

std::vector<codec_descriptor> codecs()
{
    std::vector<codec_descriptor> list = {
        linear_codec("klt",
                     1,
                     "KLT",
                     "Karhunen-Loeve transform: principal components of the channels.",
                     uses("")),
        linear_codec(
            "gaussian", 2, "Gaussian", "Random Gaussian projection.", uses(" + MMSE")),
        linear_codec("orthonormal",
                     3,
                     "orthonormal",
                     "Random projection with orthonormal rows.",
                     uses(" + MMSE")),
        linear_codec("klt-columns",
                     7,
                     "KLT of columns",
                     "KLT of the channel of each antenna by itself.",
                     { { "linear", "" } }),
        linear_codec(
            "klt-cells",
            8,
            "KLT x DFT cells",
            "The strongest cells of a KLT over frequency and a DFT over antennas.",
            uses(""))
    };
    for (codec_descriptor& codec : list) {
        codec.learned = codec.name.compare(0, 3, "klt") == 0;
        if (codec.name.compare(0, 4, "klt-") == 0)
            codec.domain = "H";
        if (!codec.learned)
            codec.variants = [](const model_file& model) -> std::vector<std::string> {
                return { model.has("decoder/basis") ? "linear" : "fista,iterations=100" };
            };
    }
    return list;
}

decoder_descriptor ista(const std::string& name, bool accelerate)
{
    decoder_descriptor d;
    d.name = name;
    d.help = "Sparse reconstruction by proximal gradient steps" +
             std::string(accelerate ? " with momentum." : ".");
    d.options = {
        codec_option::integer("iterations", 20, 1, 100000, "Steps."),
        codec_option::real("lambda",
                           0.02,
                           0,
                           1,
                           "Weight of the 1-norm, relative to the largest useful."),
        codec_option::real(
            "tolerance", 0, 0, 1, "Stop when a step changes less than this, relative."),
        codec_option::flag("warm_start", false, "Start from the matrix before.")
    };
    d.make = [accelerate](model_file::sptr model, int m, const option_values& o) {
        return ista_decoder::make(model,
                                  m,
                                  accelerate,
                                  o.integer("iterations"),
                                  o.real("lambda"),
                                  o.real("tolerance"),
                                  o.flag("warm_start"));
    };
    d.operations = [](const model_file& model, int m, const option_values& o) {
        return operation_counts{
            { "gradients", 2 * uint64_t(o.integer("iterations")) * products(model, m) }
        };
    };
    return d;
}

std::vector<decoder_descriptor> decoders()
{
    decoder_descriptor linear;
    linear.name = "linear";
    linear.help = "The best linear reconstruction (MMSE); of a KLT its inverse.";
    linear.options = { codec_option::real(
        "noise_variance",
        0,
        0,
        1e6,
        "Error variance of a codeword entry relative to its variance.") };
    linear.make = [](model_file::sptr model, int m, const option_values& o) {
        return linear_decoder::make(model, m, o.real("noise_variance"));
    };
    linear.operations = [](const model_file& model, int m, const option_values&) {
        return operation_counts{ { "start", products(model, m) } };
    };
    return { linear, ista("ista", false), ista("fista", true) };
}

const builtin_codecs registration(codecs, decoders);

} // namespace

codec_descriptor linear_codec(const std::string& name,
                              int number,
                              const std::string& title,
                              const std::string& help,
                              std::vector<codec_descriptor::use> decoders)
{
    codec_descriptor codec;
    codec.name = name;
    codec.number = number;
    codec.title = title;
    codec.help = help;
    codec.decoders = std::move(decoders);
    codec.make_encoder = [](model_file::sptr model, int m) {
        return linear_encoder::make(model, m);
    };
    codec.operations = [](const model_file& model, int m) {
        return operation_counts{ { "encoder", products(model, m) } };
    };
    return codec;
}

} // namespace csifeedback
} // namespace gr
