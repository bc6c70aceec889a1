/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Model files of any content: all that is read from one, and the objects made of it. Only
// std::invalid_argument may come out, and no allocation may be larger than 1 MiB.

#include "fuzz.h"
#include "fuzz_file.h"
#include "model_writer.h"
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <cmath>

using namespace gr::csifeedback;

namespace {

std::vector<uint8_t> make_file(bool latest, H5D_layout_t layout, bool variable_text)
{
    const std::string path = scratch("corpus");
    {
        model_writer file(path, latest);
        file.header("gaussian", 8, 2, 2);
        if (variable_text) {
            file.variable_text("format", "gr-csifeedback model");
            file.variable_text("codec", "gaussian");
        }
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_layout(creation, layout);
        if (layout == H5D_CHUNKED) {
            const hsize_t chunk[] = { 2, 4, 2 };
            H5Pset_chunk(creation, 3, chunk);
        }
        const std::vector<float> x(48, 0.5f);
        file.array("encoder/W_complex", { 3, 4, 2 }, x.data(), creation);
        file.array("decoder/basis", { 2, 4, 2 }, x.data(), creation);
        H5Pclose(creation);
        file.array("decoder/variance", { 4 }, { 4, 3, 2, 1 });
        file.array("decoder/floor", { 1 }, std::vector<float>{ 0.1f });
        file.array("quantizer/std", { 6 }, { 6, 5, 4, 3, 2, 1 });
        file.array("quantizer/uniform_range", { 11 }, std::vector<float>(11, 3));
        file.array("quantizer/global_mse",
                   { 11 },
                   { 1, .4f, .2f, .1f, .05f, .03f, .02f, .01f, .008f, .006f, .005f });
        file.array("quantizer/global_2", { 4 }, { -1.5f, -0.5f, 0.5f, 1.5f });
        const std::vector<std::complex<float>> pairs(12, { 1, 2 });
        file.complex_array("encoder/pairs", { 3, 4 }, pairs);
    }
    return take_file(path);
}

// A learned decoder, with or without LSTM, in the way that h5py writes it.
std::vector<uint8_t> make_l2o_file(bool lstm)
{
    const std::string path = scratch("corpus");
    {
        model_writer file(path);
        file.header("csi-l2o", 8, 2, 2);
        file.integer("n1", 1);
        file.integer("n2", 2 - lstm);
        file.integer("polarizations", 1 + lstm);
        const auto array = [&](const char* name, const std::vector<hsize_t>& shape) {
            size_t size = 1;
            for (const hsize_t n : shape)
                size *= n;
            file.array(name, shape, std::vector<float>(size, 0.25f));
        };
        const auto number = [&](const char* name, const std::vector<float>& x) {
            file.array(name, { x.size() }, x);
        };
        array("encoder/W_complex", { 3, 4, 2 });
        array("decoder/basis", { 2, 4, 2 });
        number("decoder/variance", { 4, 4, 3, 3 });
        number("decoder/floor", { 0.1f });
        number("l2o/fast/rates", { 2, 6 });
        for (const char* name : { "p", "a", "b", "theta", "gamma" })
            array((std::string("l2o/fast/") + name).c_str(), { 2, 3 });
        number("l2o/fast/consistency", { 1, 0 });
        number("l2o/fast/activation", { 2, 0, 1 });
        number("l2o/fast/start", { lstm ? 2.0f : 1.0f });
        number("l2o/fast/top_g", { 3 });
        array("l2o/fast/transform_forward_0_weight", { 1, 6, 4 });
        array("l2o/fast/transform_forward_0_bias", { 1, 6 });
        array("l2o/fast/transform_inverse_0_weight", { 3, 4, 6 });
        array("l2o/fast/transform_inverse_0_bias", { 3, 4 });
        if (lstm) {
            array("l2o/fast/lstm_0_weight", { 8, 4 });
            array("l2o/fast/lstm_0_bias", { 8 });
            array("l2o/fast/mlp_weight", { 2, 2 });
            array("l2o/fast/mlp_bias", { 2 });
            array("l2o/fast/heads_weight", { 5, 2 });
            array("l2o/fast/heads_bias", { 5 });
        }
    }
    return take_file(path);
}

// A codec of whole matrices with one matrix for the columns of all antennas.
std::vector<uint8_t> make_columns_file()
{
    const std::string path = scratch("corpus");
    {
        model_writer file(path);
        file.header("klt-columns", 3, 3, 2);
        file.text("domain", "H");
        file.array("encoder/W_columns", { 2, 6 }, std::vector<float>(12, 0.25f));
    }
    return take_file(path);
}

std::vector<uint8_t> make_local_klt_file()
{
    const std::string path = scratch("corpus");
    {
        model_writer file(path);
        file.header("local-klt", 3, 3, 2);
        file.complex_array("encoder/rows_basis",
                           { 2, 3, 3 },
                           std::vector<std::complex<float>>(18, 0.5f));
        file.array("encoder/rows_variance", { 2, 3 }, { 2, 0.5f, 0.5f, 1, 1, 1 });
        file.complex_array("encoder/columns_basis",
                           { 4, 2, 2 },
                           std::vector<std::complex<float>>(16, 0.5f));
        file.array(
            "encoder/columns_variance", { 4, 2 }, { 1, 1, 2, 0, 1, 1, 1.5f, 0.5f });
        file.array("encoder/amplitude", { 1 }, { 2.0f });
        file.array("encoder/rates", { 2 }, { 4, 8 });
        file.array("encoder/noise", { 2 }, { 0.1f, 0.01f });
    }
    return take_file(path);
}

std::vector<uint8_t> make_mlcf_file()
{
    const std::string path = scratch("corpus");
    {
        model_writer file(path);
        file.header("mlcf", 2, 2, 2);
        file.text("domain", "H");
        const std::vector<float> x{ 1, -2, .5f, 0, 3, 1, -1, 2, 0, 0, 1, 1,
                                    2, 2,  -3,  1, 0, 1, 1,  2, 5, 4, 3, 2 };
        file.array("encoder/D_H", { 6, 4 }, x);
        file.array("encoder/D_L", { 6, 3 }, x.data());
        file.array("decoder/dimensions", { 2 }, { 1, 3 });
        file.array("decoder/D_L_1", { 5, 1 }, x.data());
        file.array("decoder/D_H_1", { 5, 4 }, x.data());
        file.array("decoder/D_L_3", { 6, 3 }, x.data());
        file.array("decoder/D_H_3", { 6, 4 }, x.data());
        for (const std::string group : { "encoder", "decoder" }) {
            file.array((group + "/neighbours").c_str(), { 1 }, { 4.0f });
            file.array((group + "/lambda").c_str(), { 1 }, { 0.01f });
        }
        file.array("quantizer/std", { 6 }, { 6, 5, 4, 3, 2, 1 });
    }
    return take_file(path);
}

void encode(const encoder::sptr& e)
{
    const std::vector<float> h(e->input_size(), 1);
    std::vector<float> s(e->code_size());
    e->encode(h.data(), s.data(), s.size());
}

// finite: whether what comes out has to be so, whatever the file says.
void decode(const decoder::sptr& d, bool finite = true)
{
    const std::vector<float> s(3 * d->code_size(), 1.5f);
    std::vector<float> h(3 * d->output_size());
    for (const int m : { d->code_size(), 1 }) {
        d->decode_batch(s.data(), m, h.data(), 3);
        for (const float x : h)
            require(std::isfinite(x) || !finite);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const scratch_input input(data, size);
    const memory_limit limit;
    attempt([&] {
        const auto model = model_file::open(input.path());
        require(model->array().ports() == model->nt() && model->array().n1 >= 1);
        for (const char* name : { "format", "channel", "codec", "nmse" })
            attempt([&] { model->text(name); });
        attempt([&] { encode(linear_encoder::make(model, 0)); });
        attempt([&] { encode(mlcf_encoder::make(model)); });
        attempt([&] { decode(mlcf_decoder::make(model)); });
        attempt([&] { decode(linear_decoder::make(model, 0, 0.1f), false); });
        attempt([&] { encode(local_klt_encoder::make(model, 0)); });
        attempt([&] { decode(local_klt_decoder::make(model, 0)); });
        attempt([&] { decode(l2o_decoder::make(model, 0, "fast", 4)); });
        attempt([&] { l2o_decoder::make(model, 0, "slow"); });
        attempt([&] { scalar_quantizer::make_uniform(model, 0, 3); });
        attempt([&] { scalar_quantizer::make_lloyd_max(model, 0, 2); });
        attempt([&] { scalar_quantizer::make_allocated(model, 0, 20); });
        attempt([&] { scalar_quantizer::make_predictive(model, 0, 20); });
        attempt([&] {
            for (const float x : model->read("encoder/pairs", { 0, 0, 2 }).data)
                require(std::isfinite(x));
        });
    });
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    for (const H5D_layout_t layout : { H5D_CONTIGUOUS, H5D_COMPACT, H5D_CHUNKED })
        for (const bool variable_text : { false, true })
            corpus.push_back(make_file(false, layout, variable_text));
    corpus.push_back(make_file(true, H5D_CONTIGUOUS, true));
    for (const bool lstm : { false, true })
        corpus.push_back(make_l2o_file(lstm));
    corpus.push_back(make_columns_file());
    corpus.push_back(make_local_klt_file());
    corpus.push_back(make_mlcf_file());
    return corpus;
}
