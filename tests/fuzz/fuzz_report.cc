/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Reports of any bits, for every codec with an entropy coder: the first byte names the
// decoder, the second one how many bits of the last byte count. What comes out must be
// finite, and the same again.

#include "fuzz.h"
#include <gnuradio/csifeedback/report.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

using namespace gr::csifeedback;

namespace {

struct codec {
    const char *model, *options;
};
constexpr codec codecs[] = { { "cost2100-indoor-path", "" },
                             { "cdl-a-random-path", "" },
                             { "cost2100-outdoor-path-whole", "" },
                             { "cost2100-outdoor-local-klt", "quantizer=entropy" },
                             { "cost2100-indoor-klt", "quantizer=entropy" } };
constexpr int count = sizeof(codecs) / sizeof(codecs[0]);

model_file::sptr model(int i)
{
    return model_file::open(std::string(CSIFEEDBACK_MODELS) + "/" + codecs[i].model +
                            ".h5");
}

report_decoder& decoder_of(int i)
{
    static report_decoder::sptr all[count];
    if (!all[i])
        all[i] = report_decoder::from_model(model(i), codecs[i].options);
    return *all[i];
}

void require(bool condition)
{
    if (!condition)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 2)
        return 0;
    report_decoder& bs = decoder_of(data[0] % count);
    // Of exactly this size, so that a sanitizer sees any access beyond.
    const std::vector<uint8_t> bits(data + 2, data + size);
    const int n = std::max(0, int(8 * bits.size()) - data[1] % 8);
    std::vector<float> h(bs.h_size()), again(bs.h_size());
    bs.decode(bits.data(), n, h.data());
    bs.decode(bits.data(), n, again.data());
    require(h == again);
    for (const float x : h)
        require(std::isfinite(x));
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    for (int i = 0; i < count; i++) {
        const auto ue = report_encoder::from_model(model(i), codecs[i].options);
        std::vector<float> h(ue->h_size());
        for (size_t k = 0; k < h.size(); k++)
            h[k] = std::sin(0.001f * k * k) * std::exp(-0.002f * k);
        float power = 0;
        for (const float x : h)
            power += x * x;
        for (float& x : h)
            x *= std::sqrt(0.5f * h.size() / power);
        for (const int budget : { 16, 64, 256, 1024, 4096 }) {
            std::vector<uint8_t> bits((budget + 7) / 8);
            const int used = ue->encode(h.data(), bits.data(), budget).bits;
            bits.resize((used + 7) / 8);
            bits.insert(bits.begin(), { uint8_t(i), uint8_t(-used & 7) });
            corpus.push_back(bits);
        }
    }
    return corpus;
}
