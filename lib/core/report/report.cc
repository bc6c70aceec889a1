/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/codewords.h"
#include "codec/made_by.h"
#include <gnuradio/csifeedback/codec_registry.h>
#include <gnuradio/csifeedback/entropy_report.h>
#include <gnuradio/csifeedback/report.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

int report_format::size_of(int n) const
{
    if (!levels)
        return n;
    int size = 0;
    for (int used = 0; size < levels->code_size(); size++) {
        used += levels->entry_bits(size);
        if (used > n)
            break;
    }
    return size;
}

report_encoder::report_encoder(codec_info info,
                               int min_bits,
                               int max_bits,
                               report_format format)
    : codec_part(std::move(info)),
      d_min_bits(min_bits),
      d_max_bits(max_bits),
      d_format(std::move(format))
{
    const char* where = name().c_str();
    check_range(where, "most bits of a report", max_bits, 1, max_report_bits);
    check_range(where, "fewest bits of a report", min_bits, 1, max_bits);
}

report_encoder::result
report_encoder::encode(const float* h_vec, uint8_t* bits, int budget)
{
    if (budget < d_min_bits)
        throw_bad(name().c_str(),
                  "budget",
                  budget,
                  std::to_string(d_min_bits) + " bits and more");
    const auto locked = lock();
    std::memset(bits, 0, (size_t(budget) + 7) / 8);
    return do_encode(h_vec, bits, std::min(budget, d_max_bits));
}

report_decoder::report_decoder(codec_info info, int max_bits, report_format format)
    : codec_part(std::move(info)), d_max_bits(max_bits), d_format(std::move(format))
{
    check_range(name().c_str(),
                "most bits of a report",
                max_bits,
                1,
                report_encoder::max_report_bits);
}

void report_decoder::decode(const uint8_t* bits, int count, float* h_vec)
{
    const auto locked = lock();
    if (count < 1) {
        std::fill_n(h_vec, h_size(), 0.0f);
        return;
    }
    do_decode(bits, std::min(count, d_max_bits), h_vec);
    float power = 0;
    volk_32f_x2_dot_prod_32f(&power, h_vec, h_vec, h_size());
    if (!std::isfinite(power))
        std::fill_n(h_vec, h_size(), 0.0f);
}

namespace {

codec_info sizes_of(const codec_part& part, const quantizer& q)
{
    codec_info info = part.info();
    info.code_size = q.code_size();
    return info;
}

// Bits of the first entry that has any.
int first_bits(const quantizer& q)
{
    for (int i = 0; i < q.code_size(); i++)
        if (q.entry_bits(i))
            return q.entry_bits(i);
    return 1;
}

class quantized_encoder : public report_encoder
{
public:
    quantized_encoder(encoder::sptr encoder, quantizer::sptr q)
        : report_encoder(sizes_of(*encoder, *q),
                         first_bits(*q),
                         q->total_bits(q->code_size()),
                         report_format(q)),
          d_held(hold(encoder, "quantized_report")),
          d_encoder(encoder),
          d_quantizer(q),
          d_s(q->code_size()),
          d_level(q->code_size())
    {
    }

protected:
    result do_encode(const float* h_vec, uint8_t* bits, int budget) override
    {
        const int m = budget < max_bits() ? format().size_of(budget) : code_size();
        result r;
        r.residual_energy_db = d_encoder->encode(h_vec, d_s.data(), m);
        d_quantizer->quantize(d_s.data(), m, d_level.data());
        pack_levels(*d_quantizer, d_level.data(), m, bits);
        r.bits = d_quantizer->total_bits(m);
        return r;
    }

private:
    const std::shared_ptr<void> d_held;
    const encoder::sptr d_encoder;
    const quantizer::sptr d_quantizer;
    std::vector<float> d_s;
    std::vector<int16_t> d_level;
};

class quantized_decoder : public report_decoder
{
public:
    quantized_decoder(decoder::sptr decoder, quantizer::sptr q)
        : report_decoder(
              sizes_of(*decoder, *q), q->total_bits(q->code_size()), report_format(q)),
          d_held(hold(decoder, "quantized_report")),
          d_decoder(decoder),
          d_quantizer(q),
          d_s(q->code_size()),
          d_level(q->code_size())
    {
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        const int m = count < max_bits() ? format().size_of(count) : code_size();
        if (m < 1) {
            std::fill_n(h_vec, h_size(), 0.0f);
            return;
        }
        unpack_levels(*d_quantizer, bits, m, d_level.data());
        d_quantizer->dequantize(d_level.data(), m, d_s.data());
        d_decoder->decode(d_s.data(), m, h_vec);
    }

private:
    const std::shared_ptr<void> d_held;
    const decoder::sptr d_decoder;
    const quantizer::sptr d_quantizer;
    std::vector<float> d_s;
    std::vector<int16_t> d_level;
};

// Options of the reports of codecs with codewords.
const std::vector<codec_option>& quantized_options()
{
    static const std::vector<codec_option> options = {
        codec_option::integer(
            "code_size", 0, 0, 65535, "Length of a codeword; 0: the longest."),
        codec_option::text("quantizer",
                           "lloyd-max",
                           "uniform, lloyd-max, lloyd-max-per-entry, allocated, "
                           "predictive, or entropy: entropy-coded, see "
                           "entropy_report_encoder."),
        codec_option::integer("bits", 4, 1, 10, "Bits per value.")
    };
    return options;
}

const codec_descriptor& codec_of(const char* where, const model_file::sptr& model)
{
    not_null(where, "model", model);
    return codec_registry::instance().codec(model->codec());
}

quantizer::sptr
quantizer_of(const model_file::sptr& model, const option_values& o, int code_size)
{
    return quantizer::from_model(
        model, o.text("quantizer"), code_size, o.integer("bits"));
}

} // namespace

report_encoder::sptr report_encoder::from_model(model_file::sptr model,
                                                const std::string& options)
{
    const codec_descriptor& codec = codec_of("report_encoder::from_model", model);
    if (codec.make_report_encoder)
        return made_by(codec.name, "report encoder", [&] {
            return codec.make_report_encoder(
                model,
                option_values::parse(
                    "a report of codec " + codec.name, codec.report_options, options));
        });
    const auto o = option_values::parse(
        "a report of codec " + codec.name, quantized_options(), options);
    if (o.text("quantizer") == "entropy")
        return entropy_report_encoder::make(model, o.integer("code_size"));
    const auto encoder = encoder::from_model(model, o.integer("code_size"));
    return quantized_report::make_encoder(encoder,
                                          quantizer_of(model, o, encoder->code_size()));
}

report_decoder::sptr report_decoder::from_model(model_file::sptr model,
                                                const std::string& options,
                                                const std::string& method)
{
    const codec_descriptor& codec = codec_of("report_decoder::from_model", model);
    if (codec.make_report_decoder) {
        if (!method.empty())
            throw std::invalid_argument("codec " + codec.name +
                                        " has reports of its own, and no decoder " +
                                        method);
        return made_by(codec.name, "report decoder", [&] {
            return codec.make_report_decoder(
                model,
                option_values::parse(
                    "a report of codec " + codec.name, codec.report_options, options));
        });
    }
    const auto o = option_values::parse(
        "a report of codec " + codec.name, quantized_options(), options);
    int code_size = o.integer("code_size");
    if (o.text("quantizer") == "entropy")
        return entropy_report_decoder::make(model, code_size, method);
    if (!code_size)
        code_size = encoder::from_model(model)->code_size();
    return quantized_report::make_decoder(decoder::from_model(model, code_size, method),
                                          quantizer_of(model, o, code_size));
}

report_encoder::sptr quantized_report::make_encoder(encoder::sptr encoder,
                                                    quantizer::sptr quantizer)
{
    check_codewords("quantized_report", "codec", encoder, quantizer);
    return std::make_shared<quantized_encoder>(encoder, quantizer);
}

report_decoder::sptr quantized_report::make_decoder(decoder::sptr decoder,
                                                    quantizer::sptr quantizer)
{
    check_codewords("quantized_report", "codec", decoder, quantizer);
    return std::make_shared<quantized_decoder>(decoder, quantizer);
}

} // namespace csifeedback
} // namespace gr
