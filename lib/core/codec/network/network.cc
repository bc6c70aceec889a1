/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/made_by.h"
#include <gnuradio/csifeedback/codec_options.h>
#include <gnuradio/csifeedback/network.h>
#include <algorithm>
#include <cmath>
#include <random>

namespace gr {
namespace csifeedback {

namespace {

const char* name_of(network::part half)
{
    return half == network::part::encoder ? "encoder" : "decoder";
}

const std::vector<codec_option>& stated()
{
    static const std::vector<codec_option> options = {
        codec_option::text("name", "network", "For messages."),
        codec_option::text("title", "", "In tables and legends."),
        codec_option::integer("number", 0, 128, 255, "In feedback frames."),
        codec_option::integer("model_id", 0, 0, 65535, "In feedback frames."),
        codec_option::text("domain", "Ha", "Matrices that it takes: Ha or H."),
        codec_option::integer("rows", 0, 1, 65536, "Rows of the matrices."),
        codec_option::integer("nt", 0, 1, 1024, "Antenna ports."),
        codec_option::integer("nc", 0, 1, 65536, "Subcarriers of H."),
        codec_option::integer("precursor", 0, 0, 65535, "Rows before delay zero."),
        codec_option::integer("n1", 0, 1, 1024, "Columns of a planar array of ports."),
        codec_option::integer("n2", 1, 1, 1024, "Its rows."),
        codec_option::integer("polarizations", 1, 1, 2, "Its polarizations."),
        codec_option::integer("code_size", 0, 1, 65535, "M, values of a codeword."),
        codec_option::flag(
            "nested", false, "Whether the beginning of a codeword is one too."),
        codec_option::text("part", "", "encoder or decoder, of a file with one of them."),
        codec_option::text("decoder", "", "File with the decoder."),
    };
    return options;
}

std::string text_of(const std::vector<int64_t>& shape)
{
    std::string text;
    for (const int64_t n : shape)
        text += (text.empty() ? "(" : ", ") + std::to_string(n);
    return (text.empty() ? "(" : text) + ")";
}

} // namespace

network_info network_info::read(const std::string& path,
                                int number,
                                const std::vector<std::string>& texts)
{
    network_info info;
    info.number = number;
    for (const std::string& text : texts) {
        const auto values = option_values::parse(path, stated(), text);
        const auto integer = [&](const char* name, int& value) {
            if (values.given(name))
                value = values.integer(name);
        };
        const auto string = [&](const char* name, std::string& value) {
            if (values.given(name))
                value = values.text(name);
        };
        string("name", info.name);
        string("title", info.title);
        string("domain", info.domain);
        string("part", info.part);
        string("decoder", info.decoder);
        integer("number", info.number);
        integer("model_id", info.model_id);
        integer("rows", info.rows);
        integer("nt", info.nt);
        integer("nc", info.nc);
        integer("precursor", info.precursor);
        integer("n1", info.array.n1);
        integer("n2", info.array.n2);
        integer("polarizations", info.array.polarizations);
        integer("code_size", info.code_size);
        if (values.given("nested"))
            info.nested = values.flag("nested");
    }
    const char* where = path.c_str();
    if (info.name.empty())
        info.name = "network";
    if (info.domain != "Ha" && info.domain != "H")
        throw_bad(where, "domain", info.domain, "Ha or H");
    if (!info.part.empty() && info.part != "encoder" && info.part != "decoder")
        throw_bad(where, "part", info.part, "encoder or decoder");
    if (info.domain == "H" && info.precursor)
        throw_bad(where, "precursor", info.precursor, "0 with domain H");
    if (info.domain == "H" && info.rows && info.nc && info.nc != info.rows)
        throw_bad(where, "nc", info.nc, "the number of rows with domain H");
    return info;
}

network::network(const std::string& path, network_info info)
    : d_path(path), d_info(std::move(info))
{
}

network::~network() = default;

std::string network::decoder_path() const
{
    const std::string& name = d_info.decoder;
    const size_t slash =
        !name.empty() && name[0] == '/' ? std::string::npos : d_path.rfind('/');
    return (slash == std::string::npos ? "" : d_path.substr(0, slash + 1)) + name;
}

std::string network::reason(const std::string& text)
{
    std::vector<std::string> lines;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        const size_t first = text.find_first_not_of(" \t\r", begin);
        if (first < end)
            lines.push_back(text.substr(first, end - first));
        begin = end + 1;
    }
    if (lines.empty())
        return "no reason given";
    return text.find("Traceback") == std::string::npos ? lines.front() : lines.back();
}

bool network_codec::can_send(const network_info& info, int code_size)
{
    return code_size == info.code_size ||
           (info.nested && code_size > 0 && code_size < info.code_size);
}

namespace {

// Runs a half on any number of items, those of max_batch together where it takes them.
class half_runner
{
public:
    half_runner(network::sptr net, network::part half)
        : d_net(not_null(net)), d_half(half)
    {
        const network_info& info = net->info();
        const std::vector<int64_t> matrix = { 0, 2, info.rows, info.nt },
                                   codeword = { 0, info.code_size };
        const bool is_encoder = half == network::part::encoder;
        d_in_shape = is_encoder ? matrix : codeword;
        d_out_shape = is_encoder ? codeword : matrix;
        d_in = product(d_in_shape);
        d_out = product(d_out_shape);
        try {
            check();
        } catch (const std::invalid_argument&) {
            throw;
        } catch (const std::exception& error) {
            bad(one_line(error.what()));
        }
    }

    size_t output_size() const { return d_out; }

    //! Calls take(values, first, count) for the results of items [first, first + count).
    template <typename function>
    void run(const float* in, int count, function&& take) const
    {
        const int step = d_takes_batches ? network::max_batch : 1;
        for (int i = 0; i < count; i += step) {
            const int n = std::min(step, count - i);
            const network::array out = call(in + size_t(i) * d_in, n);
            if (!fits(out, n))
                throw std::runtime_error(misfit(out, n));
            take(out.values.data(), i, n);
        }
    }

private:
    static network::sptr not_null(const network::sptr& net)
    {
        if (!net)
            throw std::invalid_argument("network_codec: network is null");
        return net;
    }
    static size_t product(const std::vector<int64_t>& shape)
    {
        size_t n = 1;
        for (size_t i = 1; i < shape.size(); i++)
            n *= shape[i];
        return n;
    }
    [[noreturn]] void bad(const std::string& why) const
    {
        throw std::invalid_argument(d_net->path() + ": the " + name_of(d_half) + " " +
                                    why);
    }

    network::array call(const float* in, int count) const
    {
        std::vector<int64_t> shape = d_in_shape;
        shape[0] = count;
        return d_net->run(d_half, in, shape);
    }
    bool fits(const network::array& out, int count) const
    {
        std::vector<int64_t> shape = d_out_shape;
        shape[0] = count;
        return out.shape == shape && out.values.size() == count * d_out;
    }
    std::string misfit(const network::array& out, int count) const
    {
        std::vector<int64_t> in = d_in_shape, expected = d_out_shape;
        in[0] = expected[0] = count;
        return "makes " + text_of(out.shape) + " of " + text_of(in) + ", allowed is " +
               text_of(expected);
    }

    void check()
    {
        // Matrices of independent elements, and codewords likewise: a half that looks
        // beyond its item does so with any.
        constexpr int count = network::max_batch, step = 9;
        std::vector<float> in(count * d_in);
        std::mt19937 random(1);
        std::normal_distribution<float> normal(0, std::sqrt(0.5f));
        for (float& x : in)
            x = normal(random);
        // Some alone: whatever mixes items changes all of them.
        std::vector<float> single;
        for (int i = 0; i < count; i += step) {
            const network::array out = call(in.data() + i * d_in, 1);
            if (!fits(out, 1))
                bad(misfit(out, 1));
            single.insert(single.end(), out.values.begin(), out.values.end());
        }
        if (!std::all_of(
                single.begin(), single.end(), [](float x) { return std::isfinite(x); }))
            bad("gives values that are not finite for random " +
                std::string(d_half == network::part::encoder ? "matrices" : "codewords"));
        std::vector<float> again = single;
        const network::array first = call(in.data(), 1);
        std::copy(first.values.begin(), first.values.end(), again.begin());
        if (difference(again, single) > network_codec::tolerance)
            bad("gives other values when it is run again (is there noise or dropout in "
                "it?)");
        // Graphs that were recorded for one item only do not take more.
        network::array batch;
        d_takes_batches = false;
        try {
            batch = call(in.data(), count);
            d_takes_batches = fits(batch, count);
        } catch (const std::exception&) {
        }
        if (!d_takes_batches)
            return;
        std::vector<float> same;
        for (int i = 0; i < count; i += step)
            same.insert(same.end(),
                        batch.values.begin() + i * d_out,
                        batch.values.begin() + (i + 1) * d_out);
        const float error = difference(same, single);
        if (error > network_codec::tolerance) {
            char text[40];
            std::snprintf(text, sizeof(text), "%.2g", error);
            bad("mixes the samples of a batch: of one in a batch of " +
                std::to_string(count) +
                " and of the same one alone the results differ "
                "by " +
                text +
                " of their norm, allowed is 1e-05 (batch normalization in "
                "training mode, or attention over the batch?)");
        }
    }

    // Largest relative difference of an item's results.
    float difference(const std::vector<float>& a, const std::vector<float>& b) const
    {
        const size_t items = a.size() / d_out;
        double mean = 0;
        for (const float x : b)
            mean += double(x) * x;
        mean /= b.size() / d_out;
        double worst = 0;
        for (size_t i = 0; i < items; i++) {
            double error = 0, power = 0;
            for (size_t k = i * d_out; k < (i + 1) * d_out; k++) {
                error += std::pow(double(a[k]) - b[k], 2);
                power += double(b[k]) * b[k];
            }
            // Of results near zero what counts is the scale of the others.
            if (!(error == 0))
                worst = std::max(worst, error / std::max(power, 1e-3 * mean));
            if (!std::isfinite(error))
                return INFINITY;
        }
        return std::sqrt(worst);
    }

    const network::sptr d_net;
    const network::part d_half;
    std::vector<int64_t> d_in_shape, d_out_shape;
    size_t d_in = 0, d_out = 0;
    bool d_takes_batches = false;
};

codec_info
identity(const network::sptr& net, network::part half, int code_size, int model_id)
{
    if (!net)
        throw std::invalid_argument("network_codec: network is null");
    const char* where = net->path().c_str();
    if (!net->has(half))
        throw std::invalid_argument(net->path() + ": has no " + name_of(half));
    const network_info& info = net->info();
    if (code_size == 0)
        code_size = info.code_size;
    if (!network_codec::can_send(info, code_size))
        throw_bad(where,
                  "code_size",
                  code_size,
                  (info.nested ? "1 to " : "") + std::to_string(info.code_size));
    if (model_id == -1)
        model_id = std::max(0, info.model_id);
    check_range(where, "model_id", model_id, 0, 65535);
    return { info.name,          uint8_t(info.number),
             uint16_t(model_id), info.domain,
             info.rows,          info.nt,
             code_size,          info.nc,
             info.precursor,     info.array };
}

class network_encoder : public encoder
{
public:
    network_encoder(network::sptr net, int code_size, int model_id)
        : encoder(identity(net, network::part::encoder, code_size, model_id)),
          d_runner(net, network::part::encoder)
    {
    }

protected:
    float do_encode(const float* h_vec, float* s, int m) override
    {
        do_encode_batch(h_vec, s, m, 1, nullptr);
        return no_residual;
    }
    void do_encode_batch(
        const float* h_vec, float* s, int m, int count, float* residual_db) override
    {
        const size_t size = d_runner.output_size();
        d_runner.run(h_vec, count, [&](const float* values, int first, int n) {
            for (int i = 0; i < n; i++, values += size) {
                if (!std::all_of(
                        values, values + m, [](float x) { return std::isfinite(x); }))
                    throw std::runtime_error("the encoder gives values that are not "
                                             "finite");
                std::copy_n(values, m, s + size_t(first + i) * m);
            }
        });
        if (residual_db)
            std::fill_n(residual_db, count, no_residual);
    }

private:
    const half_runner d_runner;
};

class network_decoder : public decoder
{
public:
    network_decoder(network::sptr net, int code_size, int model_id)
        : decoder(identity(net, network::part::decoder, code_size, model_id)),
          d_whole(net->info().code_size),
          d_runner(net, network::part::decoder)
    {
    }

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        do_decode_batch(s, m, h_vec, 1);
    }
    void do_decode_batch(const float* s, int m, float* h_vec, int count) override
    {
        if (m < d_whole) { // what was not sent is zero
            d_padded.assign(size_t(count) * d_whole, 0);
            for (int i = 0; i < count; i++)
                std::copy_n(s + size_t(i) * m, m, d_padded.begin() + size_t(i) * d_whole);
            s = d_padded.data();
        }
        const size_t size = d_runner.output_size();
        d_runner.run(s, count, [&](const float* values, int first, int n) {
            std::copy_n(values, n * size, h_vec + first * size);
        });
    }

private:
    const int d_whole;
    const half_runner d_runner;
    std::vector<float> d_padded;
};

} // namespace

void network_codec::check(network& net)
{
    network_info& info = net.d_info;
    const char* where = net.path().c_str();
    for (const auto& one :
         { std::make_pair("rows", info.rows), std::make_pair("nt", info.nt) })
        if (one.second < 1)
            throw std::invalid_argument(
                net.path() + " does not state " + one.first + ", the " +
                (one.first[0] == 'r' ? "rows of its matrices" : "antenna ports") +
                ": give it behind the name, as in FILE,rows=32,nt=32");
    if (net.has(network::part::encoder)) {
        const std::vector<float> zeros(size_t(2) * info.rows * info.nt, 0.5f);
        network::array out;
        try {
            out = net.run(
                network::part::encoder, zeros.data(), { 1, 2, info.rows, info.nt });
        } catch (const std::exception& error) {
            throw std::invalid_argument(net.path() + ": the encoder fails on " +
                                        text_of({ 1, 2, info.rows, info.nt }) + ": " +
                                        one_line(error.what()));
        }
        if (out.shape.size() != 2 || out.shape[0] != 1 ||
            (info.code_size && out.shape[1] != info.code_size))
            throw std::invalid_argument(
                net.path() + ": the encoder makes " + text_of(out.shape) + " of " +
                text_of({ 1, 2, info.rows, info.nt }) + ", allowed is (1, " +
                (info.code_size ? std::to_string(info.code_size) : "code size") + ")");
        check_range<int64_t>(where, "code_size", out.shape[1], 1, 65535);
        info.code_size = out.shape[1];
    } else if (!info.code_size)
        throw std::invalid_argument(net.path() +
                                    " has no encoder and does not state code_size");
    if (info.domain == "H")
        info.nc = info.rows;
}

encoder::sptr network_codec::make_encoder(network::sptr net, int code_size, int model_id)
{
    return std::make_shared<network_encoder>(net, code_size, model_id);
}

decoder::sptr network_codec::make_decoder(network::sptr net, int code_size, int model_id)
{
    return std::make_shared<network_decoder>(net, code_size, model_id);
}

} // namespace csifeedback
} // namespace gr
