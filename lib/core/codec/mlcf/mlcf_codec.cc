/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/builtin_codecs.h"
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

// Neighbours: distances of all landmarks. Products: what the matrix R needs beside the
// stored distances of landmarks. Cholesky: with both substitutions.
operation_counts operations(const model_file& model,
                            const std::string& group,
                            const std::string& landmarks,
                            uint64_t dim,
                            uint64_t results)
{
    const uint64_t nt = model.nt(),
                   count = model.read(group + "/" + landmarks, { 0, 0 }).shape[0],
                   k = model.read(group + "/neighbours", { 1 }).data[0];
    return { { "neighbours", nt * count * dim },
             { "products", nt * k * dim },
             { "cholesky", nt * (k * k * k / 6 + k * k) },
             { "sums", nt * k * results } };
}

std::vector<codec_descriptor> codecs()
{
    codec_descriptor codec;
    codec.name = "mlcf";
    codec.number = 6;
    codec.title = "MLCF";
    codec.domain = "H";
    codec.help = "The column of each antenna by its nearest landmarks.";
    codec.decoders = { { "mlcf", "" } };
    codec.make_encoder = [](model_file::sptr model, int m) {
        return mlcf_encoder::make(model, m);
    };
    // Whole dimensions of all antennas.
    codec.can_send = [](const model_file& model, int m) { return m % model.nt() == 0; };
    codec.operations = [](const model_file& model, int) {
        // The encoder computes all dimensions, and sends what is asked for. The sums are
        // also those of its residual energy.
        const uint64_t values = 2 * uint64_t(model.na());
        return operations(model,
                          "encoder",
                          "D_H",
                          values,
                          values + model.read("encoder/D_L", { 0, 0 }).shape[1]);
    };
    return { codec };
}

std::vector<decoder_descriptor> decoders()
{
    decoder_descriptor d;
    d.name = "mlcf";
    d.help = "The same weights of the landmarks' channels.";
    d.make = [](model_file::sptr model, int m, const option_values&) {
        return mlcf_decoder::make(model, m);
    };
    d.operations = [](const model_file& model, int m, const option_values&) {
        const std::vector<float> all = model.read("decoder/dimensions", { 0 }).data;
        float dim = all.front();
        for (const float x : all)
            if (x <= m / model.nt())
                dim = std::max(dim, x);
        return operations(model,
                          "decoder",
                          "D_L_" + std::to_string(int(dim)),
                          dim,
                          2 * uint64_t(model.na()));
    };
    return { d };
}

const builtin_codecs registration(codecs, decoders);

} // namespace

} // namespace csifeedback
} // namespace gr
