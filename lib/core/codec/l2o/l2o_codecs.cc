/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/builtin_codecs.h"
#include "codec/linear/linear_codecs.h"
#include <gnuradio/csifeedback/l2o_decoder.h>

namespace gr {
namespace csifeedback {

namespace {

// The shape of an array of a profile, empty if it is not there.
std::vector<size_t> shape(const model_file& model,
                          const std::string& profile,
                          const std::string& array,
                          size_t rank)
{
    const std::string name = "l2o/" + profile + "/" + array;
    return model.has(name) ? model.read(name, std::vector<size_t>(rank, 0)).shape
                           : std::vector<size_t>();
}

// All multiply-adds: each element of the LSTM, each delay row of the transforms, every
// iteration. Of the inverse transform all of the input counts, though few of its values
// are not zero.
operation_counts
operations(const model_file& model, int m, const std::string& profile, int iterations)
{
    const uint64_t n = 2 * uint64_t(model.na()) * model.nt();
    const std::string group = "l2o/" + profile + "/";
    const uint64_t count =
        iterations ? iterations
                   : model.read(group + "p", { 0, 0 }).shape[1] /
                         (model.has(group + "rows")
                              ? size_t(model.read(group + "rows", { 1 }).data[0])
                              : 1);
    const bool estimated = model.read(group + "start", { 1 }).data[0] != 0;
    uint64_t transforms = 0, lstm = 0;
    const std::vector<size_t> mlp = shape(model, profile, "mlp_weight", 2);
    // Of x and of y, which are the same at first; and the last consistency step.
    uint64_t gradients = mlp.empty() ? count : 2 * count - 1;
    for (const float c : model.read(group + "consistency", { 0 }).data)
        if (c != 0) {
            gradients++;
            break;
        }
    const auto layer = [](const char* kind, int k) {
        return kind + std::to_string(k) + "_weight";
    };
    for (int k = 0; !shape(model, profile, layer("transform_forward_", k), 3).empty();
         k++)
        for (const char* kind : { "transform_forward_", "transform_inverse_" }) {
            const auto s = shape(model, profile, layer(kind, k), 3);
            transforms += count * model.na() * s[1] * s[2];
        }
    if (!mlp.empty()) {
        for (int k = 0;; k++) {
            const auto s = shape(model, profile, layer("lstm_", k), 2);
            if (s.empty())
                break;
            lstm += count * n * s[0] * s[1];
        }
        lstm += count * n * (mlp[0] * mlp[0] + 5 * mlp[0]);
    }
    const std::vector<size_t> phases = shape(model, profile, "phase_steps", 2);
    uint64_t convolutions = 0;
    if (!phases.empty()) {
        gradients += phases[1];
        const auto weights = [&](const std::string& name) {
            return shape(model, profile, "phase_" + name + "_weight", 3)[2];
        };
        for (const char* name :
             { "into", "forward_0", "forward_1", "inverse_0", "inverse_1", "out" })
            convolutions += n / 2 * phases[1] * weights(name);
        convolutions += phases[1] * (weights("squeeze") + weights("excite"));
    }
    operation_counts counts = { { "start", estimated ? m * n : 0 },
                                { "gradients", 2 * gradients * m * n },
                                { "transforms", transforms },
                                { "lstm", lstm } };
    if (convolutions)
        counts.push_back({ "convolutions", convolutions });
    return counts;
}

// Of the codec ms4l2o the usual profile has its name.
std::string profile_of(const model_file& model, const option_values& o)
{
    if (o.given("profile") || model.has("l2o/" + o.text("profile") + "/start"))
        return o.text("profile");
    const std::string own = model.codec();
    return model.has("l2o/" + own + "/start") ? own : o.text("profile");
}

std::vector<codec_descriptor> codecs()
{
    const std::vector<codec_descriptor::use> uses = { { "l2o", "" },
                                                      { "linear", " + MMSE" },
                                                      { "fista", " + FISTA" },
                                                      { "ista", " + ISTA" } };
    std::vector<codec_descriptor> list = {
        linear_codec("csi-l2o",
                     4,
                     "Csi-L2O",
                     "Learned projection; learned sparse transform and optimizer.",
                     uses),
        linear_codec(
            "ms4l2o", 5, "MS4L2O", "Learned optimizer without sparse transform.", uses)
    };
    for (codec_descriptor& codec : list)
        codec.variants = [](const model_file& model) {
            std::vector<std::string> texts;
            for (const std::string& profile : model.names("l2o"))
                texts.push_back("l2o,profile=" + profile);
            return texts;
        };
    return list;
}

std::vector<decoder_descriptor> decoders()
{
    decoder_descriptor d;
    d.name = "l2o";
    d.help = "The learned decoder of Csi-L2O or MS4L2O.";
    d.options = {
        codec_option::text("profile", "realtime", "Which decoder of the file."),
        codec_option::integer("iterations", 0, 0, 100000, "0: as many as were trained."),
        codec_option::real(
            "tolerance", 0, 0, 1, "Stop when an iteration changes less, relative."),
        codec_option::text("precision",
                           "float32",
                           "float32, or bf16: faster products where the processor has "
                           "AVX-512 BF16.")
    };
    d.make = [](model_file::sptr model, int m, const option_values& o) {
        return l2o_decoder::make(model,
                                 m,
                                 profile_of(*model, o),
                                 o.integer("iterations"),
                                 o.real("tolerance"),
                                 o.text("precision"));
    };
    d.operations = [](const model_file& model, int m, const option_values& o) {
        return operations(model, m, profile_of(model, o), o.integer("iterations"));
    };
    return { d };
}

const builtin_codecs registration(codecs, decoders);

} // namespace

} // namespace csifeedback
} // namespace gr
