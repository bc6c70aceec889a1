/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/network.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <functional>

using namespace gr::csifeedback;

namespace {

using work = std::function<network::array(const float*, const std::vector<int64_t>&)>;

// A network whose halves are functions of this test.
class functions : public network
{
public:
    functions(const std::string& texts, work encoder, work decoder)
        : network("net.pt", network_info::read("net.pt", 254, { texts })),
          d_encoder(encoder),
          d_decoder(decoder)
    {
    }
    bool has(part half) const override
    {
        return half == part::encoder ? bool(d_encoder) : bool(d_decoder);
    }
    array run(part half, const float* in, const std::vector<int64_t>& shape) override
    {
        largest = std::max(largest, shape[0]);
        return (half == part::encoder ? d_encoder : d_decoder)(in, shape);
    }
    using network::reason;

    int64_t largest = 0;

private:
    const work d_encoder, d_decoder;
};

constexpr int rows = 3, nt = 2, size = 2 * rows * nt;
const std::string sizes = "rows=3,nt=2";

// The first m values of each matrix.
work first_values(int m)
{
    return [m](const float* in, const std::vector<int64_t>& shape) {
        network::array out{ { shape[0], m }, {} };
        for (int64_t i = 0; i < shape[0]; i++)
            out.values.insert(out.values.end(), in + i * size, in + i * size + m);
        return out;
    };
}

network::array put_back(const float* in, const std::vector<int64_t>& shape)
{
    network::array out{ { shape[0], 2, rows, nt }, std::vector<float>(shape[0] * size) };
    for (int64_t i = 0; i < shape[0]; i++)
        std::copy_n(in + i * shape[1], shape[1], out.values.begin() + i * size);
    return out;
}

std::shared_ptr<functions>
make(const std::string& texts, work encoder, work decoder = put_back)
{
    const auto net = std::make_shared<functions>(texts, encoder, decoder);
    network_codec::check(*net);
    return net;
}

std::vector<float> matrices(int count)
{
    std::vector<float> h(count * size);
    for (size_t i = 0; i < h.size(); i++)
        h[i] = std::sin(0.7f * i + 1);
    return h;
}

std::string error_of(const std::function<void()>& f)
{
    try {
        f();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "no error";
}

TEST(network_info, later_texts_have_precedence)
{
    const auto info = network_info::read(
        "a.pt", 254, { "rows=4,nt=2,title=First", "rows=8,nested=1", "" });
    EXPECT_EQ(info.rows, 8);
    EXPECT_EQ(info.nt, 2);
    EXPECT_EQ(info.title, "First");
    EXPECT_EQ(info.number, 254);
    EXPECT_EQ(info.model_id, -1);
    EXPECT_TRUE(info.nested);
}

TEST(network_info, says_what_is_wrong)
{
    const auto read = [](const std::string& text) {
        return error_of([&] { network_info::read("a.pt", 254, { text }); });
    };
    EXPECT_NE(read("row=4").find("a.pt has no option row; its options are name, title"),
              std::string::npos);
    EXPECT_EQ(read("rows=0"),
              "a.pt: option rows is '0', allowed is a whole number from 1 to 65536");
    EXPECT_EQ(read("number=17"),
              "a.pt: option number is '17', allowed is a whole number from 128 to 255");
    EXPECT_EQ(read("domain=W"), "a.pt: domain is W, allowed is Ha or H");
    EXPECT_EQ(read("part=both"), "a.pt: part is both, allowed is encoder or decoder");
    EXPECT_EQ(read("domain=H,precursor=4"),
              "a.pt: precursor is 4, allowed is 0 with domain H");
    EXPECT_EQ(read("domain=H,rows=64,nc=128"),
              "a.pt: nc is 128, allowed is the number of rows with domain H");
}

TEST(network, is_encoder_and_decoder)
{
    const auto net = make(sizes + ",name=first", first_values(4));
    EXPECT_EQ(net->info().code_size, 4); // was found
    const auto e = network_codec::make_encoder(net, 0, 77);
    const auto d = network_codec::make_decoder(net, 4, 77);
    EXPECT_EQ(e->name(), "first");
    EXPECT_EQ(e->codec_id(), 254);
    EXPECT_EQ(e->model_id(), 77);
    EXPECT_EQ(e->code_size(), 4);
    EXPECT_EQ(d->output_size(), size);
    const auto h = matrices(150);
    std::vector<float> s(150 * 4), residual(150), result(150 * size);
    net->largest = 0;
    e->encode_batch(h.data(), s.data(), 4, 150, residual.data());
    EXPECT_EQ(net->largest, network::max_batch);
    d->decode_batch(s.data(), 4, result.data(), 150);
    for (int i = 0; i < 150; i++) {
        EXPECT_TRUE(std::isnan(residual[i]));
        for (int k = 0; k < size; k++)
            EXPECT_EQ(result[i * size + k], k < 4 ? h[i * size + k] : 0) << i << " " << k;
    }
}

TEST(network, shorter_codewords_only_where_they_are_nested)
{
    const auto whole = make(sizes, first_values(4));
    EXPECT_FALSE(network_codec::can_send(whole->info(), 2));
    EXPECT_EQ(error_of([&] { network_codec::make_encoder(whole, 2); }),
              "net.pt: code_size is 2, allowed is 4");
    const auto nested = make(sizes + ",nested=1", first_values(4));
    EXPECT_TRUE(network_codec::can_send(nested->info(), 2));
    EXPECT_EQ(error_of([&] { network_codec::make_encoder(nested, 5); }),
              "net.pt: code_size is 5, allowed is 1 to 4");
    const auto e = network_codec::make_encoder(nested, 2);
    const auto d = network_codec::make_decoder(nested, 3);
    const auto h = matrices(3);
    std::vector<float> s(6), result(3 * size);
    e->encode_batch(h.data(), s.data(), 2, 3, nullptr);
    d->decode_batch(s.data(), 2, result.data(), 3);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < size; k++)
            EXPECT_EQ(result[i * size + k], k < 2 ? h[i * size + k] : 0);
}

TEST(network, that_mixes_the_samples_of_a_batch_is_refused)
{
    // Subtracts the mean over the batch, as batch normalization in training mode.
    const work mixing = [](const float* in, const std::vector<int64_t>& shape) {
        network::array out = first_values(4)(in, shape);
        float mean = 0;
        for (const float x : out.values)
            mean += x / out.values.size();
        for (float& x : out.values)
            x -= mean;
        return out;
    };
    const auto net = make(sizes, mixing);
    const std::string text = error_of([&] { network_codec::make_encoder(net); });
    EXPECT_EQ(text.find("net.pt: the encoder mixes the samples of a batch: of one in a "
                        "batch of 64 and of the same one alone the results differ by "),
              0u)
        << text;
    // A difference of 3e-6 is rounding, one of 3e-5 is none.
    for (const float share : { 3e-6f, 3e-5f }) {
        const work nearly = [share](const float* in, const std::vector<int64_t>& shape) {
            network::array out = put_back(in, shape);
            for (float& x : out.values)
                x *= 1 + share * (shape[0] > 1);
            return out;
        };
        const auto almost = make(sizes, first_values(size), nearly);
        EXPECT_EQ(error_of([&] { network_codec::make_decoder(almost); }) == "no error",
                  share < 1e-5f);
    }
}

TEST(network, with_noise_is_refused)
{
    int calls = 0;
    const work noisy = [&](const float* in, const std::vector<int64_t>& shape) {
        network::array out = first_values(4)(in, shape);
        for (float& x : out.values)
            x += 1e-3f * calls;
        calls++;
        return out;
    };
    const auto net = make(sizes, noisy);
    EXPECT_NE(error_of([&] {
                  network_codec::make_encoder(net);
              }).find("gives other values when it is run again"),
              std::string::npos);
}

TEST(network, that_takes_single_matrices_only_is_run_so)
{
    const auto of_one = [](work inner) -> work {
        return [inner](const float* in, const std::vector<int64_t>& shape) {
            if (shape[0] != 1)
                throw std::runtime_error("shape '[1, 4]' is invalid");
            return inner(in, shape);
        };
    };
    const auto net = make(sizes, of_one(first_values(4)), of_one(put_back));
    const auto e = network_codec::make_encoder(net);
    const auto d = network_codec::make_decoder(net);
    const auto h = matrices(70);
    std::vector<float> s(70 * 4), result(70 * size);
    net->largest = 0;
    e->encode_batch(h.data(), s.data(), 4, 70, nullptr);
    d->decode_batch(s.data(), 4, result.data(), 70);
    EXPECT_EQ(net->largest, 1);
    EXPECT_EQ(result[69 * size + 3], h[69 * size + 3]);
}

TEST(network, says_what_does_not_fit)
{
    EXPECT_EQ(error_of([] { make("nt=2", first_values(4)); }),
              "net.pt does not state rows, the rows of its matrices: give it behind the "
              "name, as in FILE,rows=32,nt=32");
    EXPECT_EQ(
        error_of([] { make("rows=3", first_values(4)); }),
        "net.pt does not state nt, the antenna ports: give it behind the name, as in "
        "FILE,rows=32,nt=32");
    EXPECT_EQ(error_of([] { make(sizes, nullptr); }),
              "net.pt has no encoder and does not state code_size");
    EXPECT_EQ(error_of([] { make(sizes + ",code_size=5", first_values(4)); }),
              "net.pt: the encoder makes (1, 4) of (1, 2, 3, 2), allowed is (1, 5)");
    EXPECT_EQ(
        error_of([] { make(sizes, put_back); }),
        "net.pt: the encoder makes (1, 2, 3, 2) of (1, 2, 3, 2), allowed is (1, code "
        "size)");
    EXPECT_EQ(error_of([] {
                  make(sizes,
                       [](const float*, const std::vector<int64_t>&) -> network::array {
                           throw std::runtime_error("no weights\nat all");
                       });
              }),
              "net.pt: the encoder fails on (1, 2, 3, 2): no weights at all");
    const auto net = make(sizes, first_values(4), first_values(4));
    EXPECT_EQ(error_of([&] { network_codec::make_decoder(net); }),
              "net.pt: the decoder makes (1, 4) of (1, 4), allowed is (1, 2, 3, 2)");
    const auto half = make(sizes, first_values(4), nullptr);
    EXPECT_EQ(error_of([&] { network_codec::make_decoder(half); }),
              "net.pt: has no decoder");
    EXPECT_EQ(error_of([&] { network_codec::make_encoder(nullptr); }),
              "network_codec: network is null");
    const auto infinite = make(
        sizes, [](const float*, const std::vector<int64_t>& shape) -> network::array {
            return { { shape[0], 1 }, std::vector<float>(shape[0], INFINITY) };
        });
    EXPECT_NE(error_of([&] {
                  network_codec::make_encoder(infinite);
              }).find("gives values that are not finite"),
              std::string::npos);
}

TEST(network, reasons_are_one_line)
{
    EXPECT_EQ(functions::reason("first\nsecond\n"), "first");
    EXPECT_EQ(functions::reason("The following operation failed\n"
                                "Traceback of TorchScript (most recent call last):\n"
                                "  File \"x\"\nRuntimeError: sizes\n\n"),
              "RuntimeError: sizes");
    EXPECT_EQ(functions::reason("\n \n"), "no reason given");
}

} // namespace
