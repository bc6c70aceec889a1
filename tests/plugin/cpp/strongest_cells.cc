/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// A codec as a plug-in: sends the values of the cells of Ha that are strongest on
// average. The model file has them in `encoder/cells`, the strongest first.

#include <gnuradio/csifeedback/codec_registry.h>
#include <algorithm>
#include <stdexcept>

using namespace gr::csifeedback;

namespace {

constexpr const char* codec_name = "strongest-cells";
constexpr int codec_number = 200;

// Positions in Ha, row-major, checked: nothing in a model file is trusted.
std::vector<size_t> cells_of(const model_file& model)
{
    const size_t cells = size_t(model.na()) * model.nt();
    std::vector<size_t> result;
    for (const float cell : model.read("encoder/cells", { 0 }).data) {
        if (!(cell >= 0 && cell < cells))
            throw std::invalid_argument(model.path() + ": encoder/cells has " +
                                        std::to_string(cell) + ", allowed is 0 to " +
                                        std::to_string(cells - 1));
        result.push_back(size_t(cell));
    }
    return result;
}

codec_info info_of(const model_file& model, int code_size)
{
    const int longest = 2 * cells_of(model).size();
    if (code_size < 0 || code_size > longest)
        throw std::invalid_argument(std::string(codec_name) + ": code_size is " +
                                    std::to_string(code_size) + ", allowed is 0 to " +
                                    std::to_string(longest));
    return { codec_name,
             codec_number,
             model.model_id(),
             "Ha",
             model.na(),
             model.nt(),
             code_size ? code_size : longest,
             model.nc(),
             model.precursor(),
             model.array() };
}

class cells_encoder : public encoder
{
public:
    cells_encoder(const model_file& model, int code_size)
        : encoder(info_of(model, code_size)), d_cells(cells_of(model))
    {
    }

protected:
    float do_encode(const float* h_vec, float* s, int m) override
    {
        for (int i = 0; i < m; i++)
            s[i] = h_vec[i % 2 * (input_size() / 2) + d_cells[i / 2]];
        return no_residual;
    }

private:
    const std::vector<size_t> d_cells;
};

class cells_decoder : public decoder
{
public:
    cells_decoder(const model_file& model, int code_size, float gain)
        : decoder(info_of(model, code_size)), d_cells(cells_of(model)), d_gain(gain)
    {
    }

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        std::fill_n(h_vec, output_size(), 0.0f);
        for (int i = 0; i < m; i++)
            h_vec[i % 2 * (output_size() / 2) + d_cells[i / 2]] = d_gain * s[i];
    }

private:
    const std::vector<size_t> d_cells;
    const float d_gain;
};

} // namespace

CSIFEEDBACK_CODEC_PLUGIN(registry)
{
    decoder_descriptor method;
    method.name = codec_name;
    method.help = "Puts the values back into their cells.";
    method.options = { codec_option::real("gain", 1, 0, 2, "Factor of all values.") };
    method.make =
        [](model_file::sptr model, int code_size, const option_values& options) {
            return std::make_shared<cells_decoder>(
                *model, code_size, float(options.real("gain")));
        };
    registry.add(method);

    codec_descriptor codec;
    codec.name = codec_name;
    codec.number = codec_number;
    codec.title = "strongest cells";
    codec.help = "The cells of Ha that are strongest on average.";
    codec.make_encoder = [](model_file::sptr model, int code_size) {
        return std::make_shared<cells_encoder>(*model, code_size);
    };
    codec.can_send = [](const model_file&, int code_size) { return code_size % 2 == 0; };
    codec.decoders = { { codec_name, "" } };
    registry.add(codec);
}
