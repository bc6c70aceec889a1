/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Messages of any content at every message port of every block: PDUs with all keys and
// all types of PMTs, dictionaries that are improper, circular or too long, and messages
// that are no PDUs. An input chooses the block and is read as up to sixteen messages for
// it.
//
// A handler must not throw: what its guard catches is an error in the log, and an error
// in the log ends the program here. What a block sends must be a PDU with a proper
// dictionary.

#include "common.h"
#include "fuzz.h"
#include "random.h"
#include <gnuradio/csifeedback/angular_delay_inverse.h>
#include <gnuradio/csifeedback/csi_decoder.h>
#include <gnuradio/csifeedback/csi_dequantizer.h>
#include <gnuradio/csifeedback/csi_encoder.h>
#include <gnuradio/csifeedback/csi_hold.h>
#include <gnuradio/csifeedback/csi_import.h>
#include <gnuradio/csifeedback/csi_metrics.h>
#include <gnuradio/csifeedback/csi_quantizer.h>
#include <gnuradio/csifeedback/csi_report_decoder.h>
#include <gnuradio/csifeedback/csi_report_encoder.h>
#include <gnuradio/csifeedback/csi_spectral_efficiency.h>
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/csifeedback/feedback_framer.h>
#include <gnuradio/csifeedback/feedback_link.h>
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/report_deframer.h>
#include <gnuradio/csifeedback/report_framer.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gnuradio/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <cstdlib>
#include <functional>
#include <limits>
#include <mutex>

using namespace gr::csifeedback;

namespace {

constexpr int rows = 4, nt = 2, code_size = 8;

void require(bool condition)
{
    if (!condition)
        std::abort();
}

const std::vector<uint8_t>& the_key()
{
    static const std::vector<uint8_t> key(16, 1);
    return key;
}

//! Reads an input as numbers; zeros after its end.
class input
{
public:
    input(const uint8_t* data, size_t size) : d_data(data), d_end(data + size) {}
    bool empty() const { return d_data == d_end; }
    uint8_t byte() { return empty() ? 0 : *d_data++; }
    //! 0 to n - 1.
    unsigned choice(unsigned n) { return byte() % n; }
    uint64_t number()
    {
        static const uint64_t interesting[] = {
            0,          1,       2,          99,         1000,       0x7fff,
            0x8000,     0xffff,  0x10000,    0x7fffffff, 0xffffffff, 1ull << 32,
            1ull << 40, 1 << 20, 1ull << 62, 1ull << 63, ~0ull
        };
        const uint8_t kind = byte();
        if (kind < 128)
            return kind;
        if (kind < 192)
            return interesting[kind % std::size(interesting)];
        uint64_t x = 0;
        for (int i = 0; i < 1 + kind % 8; i++)
            x = x << 8 | byte();
        return x;
    }
    double real()
    {
        static const double interesting[] = {
            0,
            -0.0,
            1,
            -1,
            1e-300,
            1e300,
            3e38,
            1e-45,
            std::numeric_limits<double>::infinity(),
            -std::numeric_limits<double>::infinity(),
            std::numeric_limits<double>::quiet_NaN(),
        };
        const uint8_t kind = byte();
        return kind < 128 ? (kind - 64) / 16.0
                          : interesting[kind % std::size(interesting)];
    }

private:
    const uint8_t* d_data;
    const uint8_t* const d_end;
};

//! Circular dictionaries, which nobody would free.
std::vector<pmt::pmt_t> cycles;

pmt::pmt_t make_symbol(input& in)
{
    static const char* const names[] = { "frame",     "gain_db",    "residual_energy_db",
                                         "age",       "frame_bits", "ue_id",
                                         "quantizer", "csi",        "codec_id",
                                         "rx",        "",           "\xff\xfe" };
    return pmt::mp(names[in.choice(std::size(names))]);
}

size_t make_length(input& in)
{
    static const size_t lengths[] = {
        0, 1, code_size - 1, code_size, code_size + 1, 2 * rows * nt, rows * nt, 21, 300
    };
    return lengths[in.choice(std::size(lengths))];
}

template <typename T>
std::vector<T> make_values(input& in)
{
    std::vector<T> x(make_length(in));
    const double same = in.real();
    const bool all_the_same = in.choice(2);
    for (T& value : x)
        value = T(all_the_same || in.empty() ? float(same) : float(in.real()));
    return x;
}

template <typename T>
std::vector<T> make_numbers(input& in)
{
    std::vector<T> x(make_length(in));
    for (T& value : x)
        value = T(in.number());
    return x;
}

quantizer::sptr the_quantizer()
{
    static const quantizer::sptr q = scalar_quantizer::make(
        std::vector<float>(code_size, 1),
        std::vector<int>(code_size, 2),
        [] {
            std::vector<float> levels;
            for (int i = 0; i < code_size; i++)
                for (const float x : { -1.5f, -0.5f, 0.5f, 1.5f })
                    levels.push_back(x);
            return levels;
        }(),
        15,
        2);
    return q;
}

model_file::sptr the_model()
{
    static const model_file::sptr model =
        model_file::open(CSIFEEDBACK_MODELS "/cost2100-indoor-klt.h5");
    return model;
}

decoder::sptr the_decoder()
{
    static const decoder::sptr d = linear_decoder::make(the_model(), code_size);
    return d;
}

// What frames are of; only their numbers are used.
const codec_info numbers{ "numbered", 1, 2, "Ha", rows, nt, code_size };
struct numbered_encoder : encoder {
    numbered_encoder() : encoder(numbers) {}
    float do_encode(const float*, float*, int) override { return no_residual; }
};
struct numbered_decoder : decoder {
    numbered_decoder() : decoder(numbers) {}
    void do_decode(const float*, int, float*) override {}
};

report_decoder::sptr the_report_decoder()
{
    static const report_decoder::sptr d = quantized_report::make_decoder(
        linear_decoder::make(the_model(), code_size), the_quantizer());
    return d;
}

compact_configuration the_configuration(int number)
{
    compact_configuration c;
    c.number = number;
    c.ue_id = 3;
    c.checksum = frame_checksum(number % 4);
    c.number_bits = 8 + number % 3;
    c.residual_energy = number % 2;
    return c;
}

//! A compact frame with a right checksum, with or without a signature.
pmt::pmt_t make_compact_frame(input& in)
{
    const compact_configuration c = the_configuration(in.choice(5));
    const size_t payload_bits = in.choice(4) ? 2 * in.choice(code_size + 1) : in.byte();
    std::vector<uint8_t> payload(payload_bits / 8 + 1);
    for (uint8_t& x : payload)
        x = in.byte();
    compact_header header;
    header.frame_number = in.number();
    header.gain = in.number();
    header.residual_energy = in.byte();
    std::vector<uint8_t> frame(closed_bytes(c.overhead_bits() + payload_bits + 64));
    size_t bits =
        pack_compact_frame(c, header, payload.data(), payload_bits, frame.data());
    if (in.choice(2))
        bits = sign_compact_frame(
            feedback_signer(the_key()), frame.data(), bits, in.number());
    frame.resize(closed_bytes(bits));
    if (in.choice(8) == 0)
        frame[in.byte() % frame.size()] ^= in.byte();
    return pmt::init_u8vector(frame.size(), frame.data());
}

//! A feedback frame with a right checksum, with or without a signature.
pmt::pmt_t make_frame(input& in)
{
    feedback_header header;
    header.version = 1 + in.choice(3);
    header.quantizer_type = in.choice(8) ? 15 : in.byte();
    header.ue_id = in.choice(4) ? 3 : in.number();
    header.frame_number = in.number();
    header.codec_id = in.choice(8) ? 1 : in.byte();
    header.model_id = in.choice(8)   ? 2
                      : in.choice(2) ? the_decoder()->model_id()
                                     : in.number();
    header.code_size = in.choice(8) ? 1 + in.choice(code_size) : in.number();
    header.bits = in.choice(8) ? 2 : in.number();
    header.gain = in.number();
    header.residual_energy = in.byte();
    std::vector<uint8_t> payload(in.choice(8) ? (2 * header.code_size + 7) / 8
                                              : make_length(in));
    for (uint8_t& x : payload)
        x = in.byte();
    std::vector<uint8_t> frame(feedback_overhead(header.version) + payload.size());
    pack_frame(header, payload.data(), payload.size(), frame.data());
    if (in.choice(2)) {
        const size_t n = frame.size();
        frame.resize(n + feedback_signature_bytes);
        feedback_signer(the_key()).sign(frame.data(), n, in.number(), frame.data() + n);
    }
    return pmt::init_u8vector(frame.size(), frame.data());
}

pmt::pmt_t make_vector(input& in)
{
    const auto of = [](const auto& x, auto init) { return init(x.size(), x.data()); };
    switch (in.choice(16)) {
    case 0:
        return of(make_numbers<int8_t>(in),
                  [](auto n, auto x) { return pmt::init_s8vector(n, x); });
    case 1:
        return of(make_numbers<uint16_t>(in),
                  [](auto n, auto x) { return pmt::init_u16vector(n, x); });
    case 2:
        return of(make_numbers<int32_t>(in),
                  [](auto n, auto x) { return pmt::init_s32vector(n, x); });
    case 3:
        return of(make_numbers<uint64_t>(in),
                  [](auto n, auto x) { return pmt::init_u64vector(n, x); });
    case 4:
        return of(make_values<double>(in),
                  [](auto n, auto x) { return pmt::init_f64vector(n, x); });
    case 5:
        return of(make_values<std::complex<double>>(in),
                  [](auto n, auto x) { return pmt::init_c64vector(n, x); });
    case 6:
    case 7:
        return of(make_numbers<int16_t>(in),
                  [](auto n, auto x) { return pmt::init_s16vector(n, x); });
    case 8:
        return of(make_numbers<uint8_t>(in),
                  [](auto n, auto x) { return pmt::init_u8vector(n, x); });
    case 9:
        return make_frame(in);
    case 10:
        return make_compact_frame(in);
    case 11:
    case 12:
        return of(make_values<float>(in),
                  [](auto n, auto x) { return pmt::init_f32vector(n, x); });
    default:
        return of(make_values<std::complex<float>>(in),
                  [](auto n, auto x) { return pmt::init_c32vector(n, x); });
    }
}

pmt::pmt_t make_any(input& in, int depth);

pmt::pmt_t make_dict(input& in, int depth)
{
    const unsigned kind = in.choice(16);
    size_t entries = in.choice(8);
    if (kind == 0)
        entries = max_dict_entries - 4 + in.choice(8);
    pmt::pmt_t dict = pmt::make_dict();
    for (size_t i = 0; i < entries; i++) {
        const pmt::pmt_t name = in.choice(8) ? make_symbol(in) : make_any(in, depth + 1);
        const unsigned usual = in.choice(4);
        const pmt::pmt_t value = usual == 0   ? make_any(in, depth + 1)
                                 : usual == 1 ? pmt::from_double(in.real())
                                              : pmt::from_uint64(in.number());
        // As a list, so that a key may come twice.
        dict = pmt::dcons(pmt::cons(name, value), dict);
    }
    if (kind == 1 && entries) { // with another end
        pmt::pmt_t last = dict;
        while (!pmt::is_null(pmt::cdr(last)))
            last = pmt::cdr(last);
        const bool circular = in.choice(2);
        pmt::set_cdr(last, circular ? dict : make_any(in, depth + 1));
        if (circular)
            cycles.push_back(last);
    }
    if (kind == 2 && entries)
        pmt::set_car(dict, make_any(in, depth + 1));
    return dict;
}

pmt::pmt_t make_any(input& in, int depth)
{
    if (depth > 4)
        return pmt::PMT_NIL;
    switch (in.choice(16)) {
    case 0:
        return pmt::PMT_NIL;
    case 1:
        return pmt::from_bool(in.choice(2));
    case 2:
        return make_symbol(in);
    case 3:
        return pmt::from_long(long(in.number()));
    case 4:
        return pmt::from_uint64(in.number());
    case 5:
        return pmt::from_double(in.real());
    case 6:
        return pmt::from_complex(in.real(), in.real());
    case 7:
        return pmt::cons(make_any(in, depth + 1), make_any(in, depth + 1));
    case 8:
        return make_dict(in, depth);
    case 9: {
        const pmt::pmt_t v = pmt::make_vector(in.choice(4), pmt::PMT_NIL);
        for (size_t i = 0; i < pmt::length(v); i++)
            pmt::vector_set(v, i, make_any(in, depth + 1));
        return v;
    }
    case 10:
        return pmt::make_tuple(make_any(in, depth + 1), make_any(in, depth + 1));
    case 11:
        return pmt::make_any(std::string("any"));
    case 12:
        return pmt::PMT_EOF;
    default:
        return make_vector(in);
    }
}

pmt::pmt_t make_message(input& in)
{
    const unsigned kind = in.choice(16);
    if (kind == 0)
        return make_any(in, 0);
    if (kind == 1)
        return pmt::cons(make_any(in, 0), make_any(in, 0));
    return pmt::cons(make_dict(in, 0), make_vector(in));
}

//! Ends the program at the first error in the log.
class no_errors : public spdlog::sinks::base_sink<std::mutex>
{
protected:
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        std::fprintf(
            stderr, "%.*s\n", int(message.payload.size()), message.payload.data());
        require(message.level < spdlog::level::err);
    }
    void flush_() override {}
};

//! Takes what the blocks send.
class probe : public gr::block
{
public:
    probe()
        : gr::block(
              "probe", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0))
    {
        message_port_register_in(key::pdus());
    }
    void check(bool reports)
    {
        while (const pmt::pmt_t message = delete_head_nowait(key::pdus())) {
            if (reports)
                continue;
            require(pmt::is_pair(message));
            // A block may add some keys to a dictionary that is as long as allowed.
            pmt::pmt_t rest = pmt::car(message);
            for (int i = 0; i < 8 && !pmt::is_null(rest) && !is_proper_dict(rest); i++)
                rest = pmt::cdr(rest);
            require(is_proper_dict(rest));
            require(pmt::is_uniform_vector(pmt::cdr(message)));
        }
    }
};

// Handlers are protected, the scheduler is a friend.
struct scheduler : gr::basic_block {
    static void
    send(gr::basic_block& block, const std::string& port, const pmt::pmt_t& message)
    {
        (block.*&scheduler::dispatch_msg)(pmt::mp(port), message);
    }
};

std::vector<float> matrix()
{
    std::vector<float> w(code_size * 2 * rows * nt);
    for (size_t i = 0; i < w.size(); i++)
        w[i] = int(i * 7 % 11) - 5;
    return w;
}

struct target {
    std::function<gr::block_sptr()> make;
    std::vector<std::string> ports, ports_out;
};

const std::vector<target>& targets()
{
    static const std::vector<target> all = {
        { []() -> gr::block_sptr {
             return angular_delay_inverse::make(csi_shape("Ha", rows, nt, 16, 1));
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return csi_import::make(rows * nt); },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return csi_hold::make(20); },
          { "pdus", "tick" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return csi_metrics::make(csi_shape("Ha", rows, nt, 16), 8, 1);
         },
          { "pdus", "truth" },
          { "reports", "ack" } },
        { []() -> gr::block_sptr {
             return csi_spectral_efficiency::make(2,
                                                  csi_shape("H", rows, nt),
                                                  { 0, 10 },
                                                  "zero-forcing",
                                                  true,
                                                  true,
                                                  8,
                                                  1);
         },
          { "pdus", "truth" },
          { "reports" } },
        { []() -> gr::block_sptr {
             return csi_encoder::make(
                 linear_encoder::make_from_matrix(matrix(), rows, nt, 2));
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return csi_decoder::make(the_decoder()); },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return csi_quantizer::make(the_quantizer()); },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return csi_dequantizer::make(the_quantizer()); },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_framer::make(
                 the_quantizer(), std::make_shared<numbered_encoder>(), 3, the_key());
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr { return feedback_link::make(0.01, 0.1, 2, 3); },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_deframer::make(the_quantizer(),
                                            std::make_shared<numbered_decoder>());
         },
          { "pdus", "tick" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_deframer::make(
                 the_quantizer(), std::make_shared<numbered_decoder>(), 3, 100, 10, true);
         },
          { "pdus", "tick" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_deframer::make(the_quantizer(),
                                            std::make_shared<numbered_decoder>(),
                                            -1,
                                            100,
                                            0,
                                            false,
                                            the_key());
         },
          { "pdus", "tick" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_framer::make(the_quantizer(),
                                          std::make_shared<numbered_encoder>(),
                                          3,
                                          the_key(),
                                          the_configuration(3));
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return feedback_deframer::make(the_quantizer(),
                                            std::make_shared<numbered_decoder>(),
                                            3,
                                            100,
                                            10,
                                            true,
                                            {},
                                            { the_configuration(0),
                                              the_configuration(1),
                                              the_configuration(2),
                                              the_configuration(3) });
         },
          { "pdus", "tick" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return csi_report_encoder::make(quantized_report::make_encoder(
                 linear_encoder::make_from_matrix(matrix(), rows, nt, 2),
                 the_quantizer()));
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return csi_report_decoder::make(the_report_decoder());
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return report_framer::make(
                 quantized_report::make_encoder(
                     linear_encoder::make_from_matrix(matrix(), rows, nt, 2),
                     the_quantizer()),
                 3,
                 0,
                 {},
                 the_configuration(2));
         },
          { "pdus" },
          { "pdus" } },
        { []() -> gr::block_sptr {
             return report_deframer::make(the_report_decoder(),
                                          -1,
                                          -1,
                                          0,
                                          true,
                                          {},
                                          { the_configuration(0), the_configuration(1) });
         },
          { "pdus", "tick" },
          { "pdus" } },
    };
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const bool prepared = [] {
        gr::logging::singleton().set_default_level(gr::log_level::err);
        gr::logging::singleton().add_default_sink(std::make_shared<no_errors>());
        return true;
    }();
    require(prepared);
    input in(data, size);
    const target& t = targets()[in.choice(targets().size())];
    const gr::block_sptr block = t.make();
    const auto checker = gnuradio::make_block_sptr<probe>();
    for (const std::string& port : t.ports_out)
        block->message_port_sub(pmt::mp(port),
                                pmt::cons(checker->alias_pmt(), key::pdus()));
    for (int i = 0; i < 16 && !in.empty(); i++) {
        const std::string& port = t.ports[in.choice(t.ports.size())];
        scheduler::send(*block, port, make_message(in));
        checker->check(t.ports_out.front() == "reports");
    }
    for (const pmt::pmt_t& last : cycles)
        pmt::set_cdr(last, pmt::PMT_NIL);
    cycles.clear();
    return 0;
}

std::vector<std::vector<uint8_t>> fuzz_corpus()
{
    std::vector<std::vector<uint8_t>> corpus;
    random_engine engine = make_engine(1, 1);
    for (size_t i = 0; i < 16 * targets().size(); i++) {
        std::vector<uint8_t> x(200 + engine() % 400);
        for (uint8_t& byte : x)
            byte = engine();
        x[0] = i;
        corpus.push_back(x);
    }
    return corpus;
}
