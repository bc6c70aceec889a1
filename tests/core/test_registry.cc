/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/codec_registry.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

using namespace gr::csifeedback;

namespace {

model_file::sptr model(const std::string& name)
{
    return model_file::open(std::string(CSIFEEDBACK_MODELS) + "/" + name + ".h5");
}

// Matrices with a few strong cells, normalized.
std::vector<std::vector<float>> matrices(const codec_part& part, int count)
{
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<std::vector<float>> all(count);
    const size_t n = part.h_size() / 2;
    for (auto& h_vec : all) {
        std::vector<std::complex<float>> h(n);
        for (auto& x : h) {
            const float re = normal(random), im = normal(random);
            x = std::complex<float>(re, im) * float(std::exp(2 * normal(random)));
        }
        h_vec.resize(2 * n);
        normalize_csi(h.data(), n, h_vec.data());
    }
    return all;
}

template <typename function>
std::string error_of(function&& f)
{
    try {
        f();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "no error";
}

const char* const models[] = { "cost2100-indoor-klt",
                               "cost2100-indoor-csi-l2o",
                               "cost2100-indoor-local-klt",
                               "cdl-a-mlcf" };

TEST(registry, numbers_never_change)
{
    const codec_registry& registry = codec_registry::instance();
    const std::vector<std::pair<std::string, int>> numbers = {
        { "klt", 1 },         { "gaussian", 2 },  { "orthonormal", 3 },
        { "csi-l2o", 4 },     { "ms4l2o", 5 },    { "mlcf", 6 },
        { "klt-columns", 7 }, { "klt-cells", 8 }, { "local-klt", 9 }
    };
    for (const auto& one : numbers)
        EXPECT_EQ(registry.codec(one.first).number, one.second) << one.first;
    for (const std::string& name : registry.codecs()) {
        const codec_descriptor& codec = registry.codec(name);
        EXPECT_GT(codec.number, 0);
        EXPECT_LT(codec.number, 128);
        EXPECT_FALSE(codec.title.empty());
        EXPECT_FALSE(codec.help.empty());
    }
}

TEST(registry, makes_the_objects_of_any_model)
{
    for (const char* name : models) {
        const auto m = model(name);
        const auto e = encoder::from_model(m);
        const auto d = decoder::from_model(m, e->code_size());
        EXPECT_EQ(e->name(), m->codec());
        EXPECT_EQ(e->codec_id(), codec_registry::instance().codec(m->codec()).number);
        EXPECT_EQ(e->codec_id(), d->codec_id());
        EXPECT_EQ(e->model_id(), m->model_id());
        EXPECT_EQ(e->domain(), m->domain());
        EXPECT_EQ(e->rows(), m->na());
        EXPECT_EQ(e->na(), m->na());
        EXPECT_EQ(e->nt(), m->nt());
        EXPECT_EQ(d->output_size(), 2 * m->na() * m->nt());
    }
}

TEST(registry, reads_decoders_with_options)
{
    const codec_registry& registry = codec_registry::instance();
    EXPECT_EQ(registry.parse("klt", "").label(), "KLT");
    EXPECT_EQ(registry.parse("klt", "fista,iterations=7").label(), "KLT + FISTA-7");
    EXPECT_EQ(registry.parse("csi-l2o", "l2o,profile=paper").label(), "Csi-L2O paper");
    EXPECT_EQ(registry.parse("ms4l2o", "l2o,profile=ms4l2o").label(), "MS4L2O");
    EXPECT_EQ(registry.parse("gaussian", "linear").label(), "Gaussian + MMSE");
    const auto o = registry.parse("klt", "fista,lambda=0.5,warm_start=1").options;
    EXPECT_EQ(o.integer("iterations"), 20);
    EXPECT_FALSE(o.given("iterations"));
    EXPECT_EQ(o.real("lambda"), 0.5);
    EXPECT_TRUE(o.flag("warm_start"));
}

TEST(registry, says_what_is_wrong_and_what_is_allowed)
{
    const codec_registry& registry = codec_registry::instance();
    const auto parse = [&](const char* codec, const char* text) {
        return error_of([&] { registry.parse(codec, text); });
    };
    EXPECT_EQ(parse("klt", "mlcf"),
              "decoder is mlcf, codec klt has linear, fista, ista, l2o");
    EXPECT_NE(parse("kit", "").find("codec is kit, allowed is klt, gaussian"),
              std::string::npos);
    EXPECT_EQ(parse("klt", "fista,steps=3"),
              "decoder fista has no option steps; its options are iterations, lambda, "
              "tolerance, warm_start");
    EXPECT_EQ(
        parse("klt", "fista,iterations=2.5"),
        "decoder fista: option iterations is '2.5', allowed is a whole number from 1 "
        "to 100000");
    EXPECT_EQ(parse("klt", "fista,lambda=nan"),
              "decoder fista: option lambda is 'nan', allowed is a number from 0 to 1");
    EXPECT_EQ(parse("klt", "fista,warm_start=2"),
              "decoder fista: option warm_start is '2', allowed is 0 or 1");
    EXPECT_EQ(parse("mlcf", "mlcf,x=1"), "decoder mlcf has no option x; it has none");
}

TEST(registry, refuses_codecs_that_clash)
{
    codec_registry& registry = codec_registry::instance();
    codec_descriptor codec;
    codec.name = "toy";
    codec.number = 127;
    codec.make_encoder = [](model_file::sptr, int) { return encoder::sptr(); };
    codec.decoders = { { "linear", "" } };
    const auto add = [&] { return error_of([&] { registry.add(codec); }); };
    EXPECT_EQ(add(), "codec toy: number is 127, allowed is 128 to 255");
    codec.number = 128;
    codec.name = "klt";
    EXPECT_EQ(add(), "codec klt: there is a codec of this name already");
    codec.name = "Toy";
    EXPECT_NE(add().find("lower-case letters"), std::string::npos);
    codec.name = "toy";
    codec.decoders = { { "none", "" } };
    EXPECT_EQ(add(), "codec toy: there is no decoder none");
    codec.decoders.clear();
    EXPECT_NE(add().find("encoder without decoders"), std::string::npos);
    codec.make_encoder = nullptr;
    EXPECT_EQ(add(), "codec toy: has neither codewords nor reports");
    EXPECT_EQ(registry.find("toy"), nullptr);
}

TEST(codec_part, one_object_in_several_threads_gives_the_results_of_one)
{
    for (const char* name : models) {
        const auto m = model(name);
        const auto e = encoder::from_model(m, m->domain() == "H" ? 4 * m->nt() : 128);
        const auto d = decoder::from_model(m, e->code_size());
        const auto h = matrices(*e, 4);
        std::vector<std::vector<float>> s, expected;
        for (const auto& one : h) {
            s.emplace_back(e->code_size());
            e->encode(one.data(), s.back().data(), e->code_size());
            expected.emplace_back(d->output_size());
            d->decode(s.back().data(), e->code_size(), expected.back().data());
        }
        std::atomic<int> wrong{ 0 };
        std::vector<std::thread> threads;
        for (size_t t = 0; t < 3; t++)
            threads.emplace_back([&, t] {
                std::vector<float> code(e->code_size()), result(d->output_size());
                for (size_t i = 0; i < 40; i++) {
                    const size_t k = (t + i) % h.size();
                    e->encode(h[k].data(), code.data(), code.size());
                    wrong += code != s[k];
                    // Lengths alternate, since objects prepare for each of them.
                    d->decode(code.data(), code.size() / (1 + i % 2), result.data());
                    if (i % 2 == 0)
                        wrong += result != expected[k];
                }
            });
        for (auto& thread : threads)
            thread.join();
        EXPECT_EQ(wrong, 0) << name;
    }
}

TEST(codec_part, a_held_object_is_refused_until_it_is_released)
{
    const auto e = encoder::from_model(model("cost2100-indoor-klt"), 8);
    {
        const auto held = codec_part::hold(e, "csi_encoder");
        EXPECT_NE(error_of([&] {
                      codec_part::hold(e, "csi_encoder");
                  }).find("csi_encoder: the object klt belongs to another block"),
                  std::string::npos);
    }
    EXPECT_TRUE(codec_part::hold(e, "csi_encoder"));
}

TEST(decoder, bad_codewords_are_zero_and_do_not_touch_their_neighbours)
{
    for (const char* name : models) {
        const auto m = model(name);
        const auto e = encoder::from_model(m, m->domain() == "H" ? 4 * m->nt() : 128);
        const auto d = decoder::from_model(m, e->code_size());
        const int n = e->code_size(), size = d->output_size();
        const auto h = matrices(*e, 3);
        std::vector<float> s(3 * n), expected(3 * size), result(3 * size);
        for (int i = 0; i < 3; i++)
            e->encode(h[i].data(), s.data() + i * n, n);
        d->decode_batch(s.data(), n, expected.data(), 3);
        std::fill_n(expected.begin() + size, size, 0.0f);
        for (const float bad : { std::nanf(""), INFINITY, -INFINITY, 3e38f, -2e15f }) {
            auto spoilt = s;
            spoilt[n + n / 2] = bad;
            d->decode_batch(spoilt.data(), n, result.data(), 3);
            EXPECT_EQ(result, expected) << name << " " << bad;
            d->decode(spoilt.data() + n, n, result.data());
            EXPECT_TRUE(std::all_of(
                result.begin(), result.begin() + size, [](float x) { return x == 0; }));
        }
        std::fill(s.begin(), s.end(), decoder::max_value);
        d->decode(s.data(), n, result.data());
        EXPECT_TRUE(std::all_of(result.begin(), result.begin() + size, [](float x) {
            return std::isfinite(x);
        })) << name;
    }
}

class report : public testing::TestWithParam<std::tuple<const char*, const char*>>
{
};

// The bits of the blocks csi_quantizer and feedback_framer.
TEST_P(report, of_codewords_has_the_quantizers_bits)
{
    const auto m = model(std::get<0>(GetParam()));
    const std::string kind = std::get<1>(GetParam());
    const int size = m->domain() == "H" ? 4 * m->nt() : 128;
    const auto e = encoder::from_model(m, size);
    const auto d = decoder::from_model(m, size);
    const auto q = quantizer::from_model(m, kind, size, 3);
    const std::string options =
        "code_size=" + std::to_string(size) + ",bits=3,quantizer=" + kind;
    const auto re = report_encoder::from_model(m, options);
    const auto rd = report_decoder::from_model(m, options);
    EXPECT_EQ(re->max_bits(), int(q->total_bits(size)));
    EXPECT_EQ(re->format().type, q->type_id());
    EXPECT_EQ(re->format().bits, q->bits());
    std::vector<float> s(size), expected(d->output_size()), result(d->output_size());
    std::vector<int16_t> level(size);
    const int bytes = (re->max_bits() + 7) / 8;
    std::vector<uint8_t> packed(bytes), bits(bytes);
    for (const auto& h : matrices(*e, 5)) {
        for (int length = size; length > 3; length /= 2) {
            e->encode(h.data(), s.data(), length);
            q->quantize(s.data(), length, level.data());
            const int count = q->total_bits(length);
            if (count < re->min_bits())
                break;
            std::fill(packed.begin(), packed.end(), 0);
            pack_levels(*q, level.data(), length, packed.data());
            std::fill(bits.begin(), bits.end(), 0xff);
            const auto used = re->encode(h.data(), bits.data(), count);
            EXPECT_EQ(used.bits, count);
            EXPECT_TRUE(std::equal(
                packed.begin(), packed.begin() + (count + 7) / 8, bits.begin()));
            q->dequantize(level.data(), length, s.data());
            d->decode(s.data(), length, expected.data());
            rd->decode(bits.data(), count, result.data());
            EXPECT_EQ(result, expected);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    all,
    report,
    testing::Combine(testing::ValuesIn(models),
                     testing::Values("uniform", "lloyd-max", "allocated")));

TEST(reports, never_exceed_the_budget_and_any_bits_decode)
{
    std::mt19937 random(3);
    for (const char* name : models) {
        const auto m = model(name);
        const int size = m->domain() == "H" ? 4 * m->nt() : 128;
        const std::string options =
            "quantizer=allocated,bits=2,code_size=" + std::to_string(size);
        const auto re = report_encoder::from_model(m, options);
        const auto rd = report_decoder::from_model(m, options);
        const auto h = matrices(*re, 1).front();
        std::vector<float> result(rd->h_size());
        for (int budget = re->min_bits(); budget < re->max_bits() + 20; budget += 7) {
            std::vector<uint8_t> bits((budget + 7) / 8 + 1, 0xa5);
            const int used = re->encode(h.data(), bits.data(), budget).bits;
            EXPECT_GE(used, re->min_bits());
            EXPECT_LE(used, std::min(budget, re->max_bits()));
            EXPECT_EQ(bits.back(), 0xa5) << "a byte behind the budget was written";
            for (auto& byte : bits)
                byte = random();
            rd->decode(bits.data(), budget, result.data());
            EXPECT_TRUE(std::all_of(
                result.begin(), result.end(), [](float x) { return std::isfinite(x); }));
        }
        rd->decode(nullptr, 0, result.data());
        EXPECT_TRUE(
            std::all_of(result.begin(), result.end(), [](float x) { return x == 0; }));
        uint8_t bits[1];
        EXPECT_NE(error_of([&] {
                      re->encode(h.data(), bits, re->min_bits() - 1);
                  }).find("budget is"),
                  std::string::npos);
    }
}

TEST(reports, options_are_checked)
{
    const auto m = model("cost2100-indoor-klt");
    EXPECT_EQ(
        error_of([&] { report_encoder::from_model(m, "bits=11"); }),
        "a report of codec klt: option bits is '11', allowed is a whole number from 1 "
        "to 10");
    EXPECT_NE(error_of([&] {
                  report_encoder::from_model(m, "quantizer=none");
              }).find("quantizer: name is none, allowed is uniform, lloyd-max"),
              std::string::npos);
    EXPECT_EQ(error_of([&] { report_encoder::from_model(nullptr, ""); }),
              "report_encoder::from_model: model is null");
    EXPECT_NE(error_of([&] {
                  report_decoder::from_model(m, "", "mlcf");
              }).find("decoder is mlcf"),
              std::string::npos);
}

} // namespace
