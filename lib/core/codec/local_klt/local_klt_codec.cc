/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/builtin_codecs.h"
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

uint64_t patches(const model_file& model, const char* side)
{
    return model.read(std::string("encoder/") + side + "_variance", { 0, 0 }).shape[0];
}

uint64_t transform(const model_file& model)
{
    const uint64_t na = model.na(), nt = model.nt();
    return 4 * na * nt * (na + nt);
}

std::vector<codec_descriptor> codecs()
{
    codec_descriptor codec;
    codec.name = "local-klt";
    codec.number = 9;
    codec.title = "local KLT";
    codec.help = "KLT of the patch of the channel's manifold that fits best.";
    codec.decoders = { { "local-klt", "" } };
    codec.make_encoder = [](model_file::sptr model, int m) {
        return local_klt_encoder::make(model, m);
    };
    // The number of the patch comes first.
    codec.can_send = [](const model_file& model, int m) {
        return uint64_t(1) << std::min(m, 62) >
               patches(model, "rows") * patches(model, "columns");
    };
    codec.operations = [](const model_file& model, int) {
        // Covariances, their likelihoods, and the transform.
        const uint64_t na = model.na(), nt = model.nt();
        return operation_counts{ { "encoder",
                                   2 * transform(model) +
                                       2 * na * na * patches(model, "rows") +
                                       2 * nt * nt * patches(model, "columns") } };
    };
    return { codec };
}

std::vector<decoder_descriptor> decoders()
{
    decoder_descriptor d;
    d.name = "local-klt";
    d.help = "The inverse transform of the patch.";
    d.make = [](model_file::sptr model, int m, const option_values&) {
        return local_klt_decoder::make(model, m);
    };
    d.operations = [](const model_file& model, int, const option_values&) {
        return operation_counts{ { "transforms", transform(model) } };
    };
    return { d };
}

const builtin_codecs registration(codecs, decoders);

} // namespace

} // namespace csifeedback
} // namespace gr
