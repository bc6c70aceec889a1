/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Allocations in work() and in message handlers, all of them: malloc and its kin are
// replaced by ones that count, for this program and every library in it. The blocks are
// called as the scheduler calls them, but in this thread, so that nothing else is
// counted.
//
// A stream must need none. A message is made of PMTs, which GNU Radio allocates one by
// one; a handler must need exactly those of the message that it sends, which each test
// makes a second time to count them.

#include "dataset_writer.h"
#include "random.h"
#include <gnuradio/block_detail.h>
#include <gnuradio/buffer.h>
#include <gnuradio/buffer_reader.h>
#include <gnuradio/csifeedback/angular_delay.h>
#include <gnuradio/csifeedback/angular_delay_inverse.h>
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/channel_estimator.h>
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/channel_source.h>
#include <gnuradio/csifeedback/checked_file_sink.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
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
#include <gnuradio/csifeedback/csi_sync.h>
#include <gnuradio/csifeedback/csirs_source.h>
#include <gnuradio/csifeedback/dataset_channel.h>
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/feedback_framer.h>
#include <gnuradio/csifeedback/feedback_link.h>
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <gnuradio/csifeedback/mimo_channel.h>
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/report_deframer.h>
#include <gnuradio/csifeedback/report_framer.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

using namespace gr::csifeedback;

namespace {
thread_local uint64_t allocations = 0;
}

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}
}

namespace {

constexpr int nc = 256, na = 32, nt = 32, n = na * nt, m = 128;
constexpr int calls = 300; // more than any queue's block of memory holds

template <typename function>
uint64_t count(function&& f)
{
    const uint64_t before = allocations;
    f();
    return allocations - before;
}

TEST(counter, sees_every_way_to_allocate)
{
    void* volatile memory;
    EXPECT_EQ(count([&] { memory = std::malloc(10); }), 1u);
    EXPECT_EQ(count([&] { memory = std::realloc(memory, 1000); }), 1u);
    std::free(memory);
    EXPECT_EQ(count([&] { memory = std::calloc(10, 10); }), 1u);
    std::free(memory);
    EXPECT_EQ(count([&] { memory = ::operator new(10); }), 1u);
    ::operator delete(memory);
    EXPECT_EQ(count([&] { memory = std::aligned_alloc(64, 128); }), 1u);
    std::free(memory);
    // Those of a library.
    EXPECT_GT(count([] { pmt::make_f32vector(10, 0); }), 0u);
    EXPECT_EQ(count([] {}), 0u);
}

std::vector<float> normal(size_t size)
{
    std::vector<float> x(size);
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> distribution;
    for (float& value : x)
        value = distribution(engine);
    return x;
}

model_file::sptr model(const char* name)
{
    return model_file::open(std::string(CSIFEEDBACK_MODELS "/") + name);
}
model_file::sptr klt() { return model("cost2100-indoor-klt.h5"); }
model_file::sptr outdoor() { return model("cost2100-outdoor-klt.h5"); }
model_file::sptr orthonormal() { return model("cost2100-indoor-orthonormal.h5"); }
model_file::sptr local_klt() { return model("cost2100-indoor-local-klt.h5"); }
csi_shape delays() { return csi_shape("Ha", na, nt, nc, 4); }
quantizer::sptr six_bits() { return scalar_quantizer::make_lloyd_max(klt(), m, 6); }

// Frame numbers of 64 bits, so that those of all messages are stored in the same way.
pmt::pmt_t key_frame() { return pmt::mp("frame"); }
pmt::pmt_t metadata(uint64_t frame)
{
    return pmt::dict_add(
        pmt::dict_add(pmt::make_dict(), key_frame(), pmt::from_uint64(frame)),
        pmt::mp("gain_db"),
        pmt::from_double(0));
}

// The block with buffers around it, called as by the scheduler.
class harness
{
public:
    static constexpr int at_once = 4; // items a call

    // inputs: the values of an item of each input, over and over
    harness(gr::block_sptr block, std::vector<std::vector<char>> inputs, int outputs)
        : d_block(block), d_inputs(std::move(inputs))
    {
        d_detail = gr::make_block_detail(d_inputs.size(), outputs);
        for (size_t i = 0; i < d_inputs.size(); i++) {
            d_source.push_back(
                gr::make_buffer(2 * at_once, d_inputs[i].size(), 1, 1, block, block));
            d_detail->set_input(i, gr::buffer_add_reader(d_source[i], 0, block));
        }
        for (int i = 0; i < outputs; i++) {
            const int size = block->output_signature()->sizeof_stream_item(i);
            d_detail->set_output(i,
                                 gr::make_buffer(2 * at_once, size, 1, 1, block, block));
        }
        block->set_detail(d_detail);
    }
    ~harness() { d_block->set_detail(nullptr); }

    // Calls general_work() once and returns its allocations.
    uint64_t work()
    {
        gr_vector_int available;
        gr_vector_const_void_star in;
        gr_vector_void_star out;
        for (size_t i = 0; i < d_inputs.size(); i++) {
            while (d_detail->input(i)->items_available() < at_once) {
                std::memcpy(
                    d_source[i]->write_pointer(), d_inputs[i].data(), d_inputs[i].size());
                d_source[i]->update_write_pointer(1);
            }
            available.push_back(at_once);
            in.push_back(d_detail->input(i)->read_pointer());
        }
        for (int i = 0; i < d_detail->noutputs(); i++)
            out.push_back(d_detail->output(i)->write_pointer());
        int produced = 0;
        const uint64_t needed =
            count([&] { produced = d_block->general_work(at_once, available, in, out); });
        EXPECT_GE(produced, 0);
        d_detail->produce_each(produced);
        d_produced += produced;
        return needed;
    }

    // Calls until all memory that grows has grown, then expects the same of every call.
    void expect_of_each_call(uint64_t needed)
    {
        for (int i = 0; i < calls; i++)
            work();
        for (int i = 0; i < calls; i++)
            ASSERT_EQ(work(), needed) << "call " << i;
    }
    uint64_t produced() const { return d_produced; }

private:
    const gr::block_sptr d_block;
    const std::vector<std::vector<char>> d_inputs;
    gr::block_detail_sptr d_detail;
    std::vector<gr::buffer_sptr> d_source;
    uint64_t d_produced = 0;
};

template <typename T>
std::vector<char> item(const std::vector<T>& x)
{
    const char* bytes = reinterpret_cast<const char*>(x.data());
    return { bytes, bytes + x.size() * sizeof(T) };
}
std::vector<char> normal_item(size_t size) { return item(normal(size)); }

std::vector<int16_t> level()
{
    std::vector<int16_t> x(m);
    six_bits()->quantize(normal(m).data(), m, x.data());
    return x;
}

void expect_no_allocation(gr::block_sptr block,
                          const std::vector<std::vector<char>>& inputs,
                          int outputs)
{
    harness h(block, inputs, outputs);
    h.expect_of_each_call(0);
    EXPECT_GE(h.produced(), uint64_t(2 * calls));
}

TEST(stream, angular_delay)
{
    for (const bool align : { false, true })
        expect_no_allocation(
            angular_delay::make(delays(), align), { normal_item(2 * nc * nt) }, 2);
}

TEST(stream, angular_delay_inverse)
{
    expect_no_allocation(
        angular_delay_inverse::make(delays()), { normal_item(2 * n) }, 1);
}

// The small models of the core's tests, real and complex, with and without LSTM.
decoder::sptr l2o(const char* name, float tolerance = 0)
{
    return l2o_decoder::make(
        model_file::open(std::string(CSIFEEDBACK_TEST_DATA "/l2o_") + name + ".h5"),
        0,
        "test",
        0,
        tolerance);
}

model_file::sptr mlcf(const char* name)
{
    return model_file::open(std::string(CSIFEEDBACK_TEST_DATA "/mlcf_") + name + ".h5");
}

// Beside the tag `residual_energy_db` of every item nothing is allocated.
TEST(stream, csi_encoder_mlcf)
{
    for (const char* name : { "small", "wide", "free" }) {
        const encoder::sptr e = mlcf_encoder::make(mlcf(name));
        std::vector<float> s(e->code_size());
        const std::vector<float> h = normal(e->input_size());
        // The first call of all chooses the kernels.
        e->encode(h.data(), s.data(), e->code_size());
        EXPECT_EQ(count([&] { e->encode(h.data(), s.data(), e->code_size()); }), 0u);
        harness around(csi_encoder::make(e), { normal_item(e->input_size()) }, 2);
        const uint64_t first = around.work();
        for (int i = 0; i < calls; i++)
            ASSERT_LE(around.work(), first) << "call " << i;
        EXPECT_GE(around.produced(), uint64_t(calls));
    }
}

TEST(stream, csi_decoder_mlcf)
{
    for (const char* name : { "small", "wide", "free" }) {
        const decoder::sptr d = mlcf_decoder::make(mlcf(name));
        for (int length = 1; length <= d->code_size(); length += 7) {
            const std::vector<float> s = normal(length);
            std::vector<float> h(d->output_size());
            EXPECT_EQ(count([&] { d->decode(s.data(), length, h.data()); }), 0u);
        }
        expect_no_allocation(
            csi_decoder::make(d),
            { normal_item(d->code_size()), item(std::vector<float>{ 3 }) },
            1);
    }
}

TEST(stream, csi_encoder)
{
    for (const encoder::sptr& e :
         { linear_encoder::make(klt(), m), local_klt_encoder::make(local_klt(), m) })
        expect_no_allocation(csi_encoder::make(e), { normal_item(2 * n) }, 2);
}

TEST(stream, csi_decoder)
{
    for (const decoder::sptr& d :
         { linear_decoder::make(klt(), m),
           linear_decoder::make(outdoor(), m, 0.1f),
           local_klt_decoder::make(local_klt(), m),
           ista_decoder::make(orthonormal(), m, true, 5, 0.02f, 1e-3f, true) })
        expect_no_allocation(
            csi_decoder::make(d), { normal_item(m), item(std::vector<float>{ 3 }) }, 1);
}

TEST(stream, csi_report_encoder)
{
    expect_no_allocation(csi_report_encoder::make(quantized_report::make_encoder(
                             linear_encoder::make(klt(), m), six_bits())),
                         { normal_item(2 * n) },
                         2);
}

// Matrices of drops, which take paths of different numbers.
std::vector<float>
drops_of(const char* scenario, const report_encoder::sptr& ue, int count)
{
    cost2100_parameters p;
    p.scenario = scenario;
    const size_t size = size_t(ue->rows()) * ue->nt();
    std::vector<std::complex<float>> h(count * size);
    std::vector<channel_sample_info> info(count);
    const int rows = ue->domain() == "H" ? 0 : ue->rows(), before = rows ? 4 : 0;
    generate_channels(cost2100_channel::make(p),
                      1000000,
                      count,
                      rows,
                      before,
                      1,
                      h.data(),
                      info.data());
    std::vector<float> h_vec(2 * h.size());
    for (int i = 0; i < count; i++)
        normalize_csi(&h[i * size], size, &h_vec[2 * i * size]);
    return h_vec;
}

// Objects of reports: none from the second matrix on, whatever the matrix and the budget.
TEST(object, reports)
{
    const struct {
        const char *model, *options, *scenario;
    } all[] = { { "cost2100-indoor-path.h5", "", "indoor" },
                { "cost2100-outdoor-path.h5", "snr_db=20", "outdoor" },
                { "cost2100-outdoor-path.h5", "fast=1", "outdoor" },
                { "cost2100-outdoor-path-whole.h5", "", "outdoor" },
                { "cost2100-indoor-local-klt.h5", "quantizer=entropy", "indoor" },
                { "cost2100-indoor-klt.h5", "quantizer=entropy", "indoor" } };
    constexpr int count_of_drops = 12;
    for (const auto& one : all) {
        const auto ue = report_encoder::from_model(model(one.model), one.options);
        const auto bs = report_decoder::from_model(model(one.model), one.options);
        const std::vector<float> h = drops_of(one.scenario, ue, count_of_drops);
        const size_t size = ue->h_size();
        std::vector<uint8_t> bits(256);
        std::vector<float> found(size);
        for (const int budget : { 64, 256, 2000 })
            for (int i = 0; i < count_of_drops; i++) {
                report_encoder::result r;
                const auto encode =
                    count([&] { r = ue->encode(&h[i * size], bits.data(), budget); });
                const auto decode =
                    count([&] { bs->decode(bits.data(), r.bits, found.data()); });
                if (i || budget > 64) {
                    ASSERT_EQ(encode, 0u) << one.model << " " << one.options << " " << i;
                    ASSERT_EQ(decode, 0u) << one.model << " " << one.options << " " << i;
                }
            }
    }
}

TEST(stream, csi_report_encoder_of_paths)
{
    const auto ue =
        report_encoder::from_model(model("cost2100-indoor-path.h5"), "fast=1");
    const std::vector<float> h = drops_of("indoor", ue, 1);
    std::vector<float> interleaved;
    for (int i = 0; i < n; i++) {
        interleaved.push_back(h[i]);
        interleaved.push_back(h[n + i]);
    }
    expect_no_allocation(csi_report_encoder::make(ue, 256), { item(interleaved) }, 2);
    const auto bs = report_decoder::from_model(model("cost2100-indoor-path.h5"));
    std::vector<uint8_t> bits(256 / 8);
    ue->encode(h.data(), bits.data(), 256);
    expect_no_allocation(csi_report_decoder::make(bs, 256),
                         { item(bits), item(std::vector<float>{ 3 }) },
                         1);
}

TEST(stream, csi_report_decoder)
{
    const auto d =
        quantized_report::make_decoder(linear_decoder::make(klt(), m), six_bits());
    expect_no_allocation(csi_report_decoder::make(d),
                         { item(std::vector<uint8_t>((d->max_bits() + 7) / 8, 0xa5)),
                           item(std::vector<float>{ 3 }) },
                         1);
}

TEST(stream, csi_decoder_l2o)
{
    for (const decoder::sptr& d : { l2o("deep"),
                                    l2o("lstm20"),
                                    l2o("lstm20_real"),
                                    l2o("ms4l2o_plain"),
                                    l2o("lstm2", 1e-3f) })
        expect_no_allocation(
            csi_decoder::make(d),
            { normal_item(d->code_size()), item(std::vector<float>{ 3 }) },
            1);
}

TEST(stream, quantizers)
{
    expect_no_allocation(csi_quantizer::make(six_bits()), { normal_item(m) }, 1);
    expect_no_allocation(csi_dequantizer::make(six_bits()), { item(level()) }, 1);
}

void expect_source_allocates_nothing(const channel_model::sptr& model, int rows)
{
    // The models keep memory for the largest number of paths so far.
    std::vector<gr_complex> h(size_t(model->grid().nc) * nt);
    channel_sample_info info;
    for (int i = 0; i < 2 * calls * harness::at_once; i++) {
        if (rows)
            model->generate_truncated(i, rows, 4, h.data(), &info);
        else
            model->generate(i, h.data(), &info);
    }
    expect_no_allocation(channel_source::make(model, 0, 0, rows), {}, 1);
}

TEST(stream, channel_source)
{
    cdl_parameters cdl;
    cost2100_parameters cost2100;
    cdl.grid.nc = cost2100.grid.nc = nc;
    const scratch_directory directory;
    for (const int rows : { 0, na }) {
        expect_source_allocates_nothing(cdl_channel::make(cdl), rows);
        expect_source_allocates_nothing(cost2100_channel::make(cost2100), rows);
        for (const bool whole : { false, true }) {
            const std::string path = directory.file(whole ? "H.h5" : "Ha.h5");
            write_dataset(path, whole, nc, na, nt, 5, false);
            expect_source_allocates_nothing(dataset_channel::make(path), rows);
        }
    }
}

TEST(stream, channel_source_with_acknowledgements)
{
    cdl_parameters cdl;
    cdl.grid.nc = nc;
    const auto source =
        channel_source::make(cdl_channel::make(cdl), 0, 0, na, 4, harness::at_once);
    harness h(source, {}, 1);
    for (int i = 0; i < 2 * calls; i++) {
        const uint64_t needed = h.work();
        if (i >= calls) {
            ASSERT_EQ(needed, 0u);
        }
        source->_post(pmt::mp("ack"), pmt::from_uint64(h.produced() - 1));
    }
}

TEST(stream, csirs_source)
{
    // Within a frame: its beginning makes tags.
    csirs_parameters p;
    p.gap = 10 * calls * harness::at_once;
    expect_no_allocation(csirs_source::make(csirs_frame::make(p)), {}, p.nt);
}

TEST(stream, checked_file_sink)
{
    const auto sink = checked_file_sink::make("test_allocations.samples", 16);
    std::remove("test_allocations.samples");
    expect_no_allocation(sink, { normal_item(4) }, 0);
    EXPECT_EQ(sink->recorded(), uint64_t(2 * calls * harness::at_once));
}

TEST(stream, mimo_channel)
{
    cdl_parameters cdl;
    cdl.grid = { 300, 8, 15e3, 0.5 };
    const auto channel = mimo_channel::make({ cdl_channel::make(cdl) }, 7.68e6, 64, 20);
    expect_no_allocation(channel, std::vector<std::vector<char>>(8, normal_item(2)), 1);
}

TEST(stream, csi_sync)
{
    // Noise; a frame makes tags.
    harness h(csi_sync::make(csirs_frame::make({})), { normal_item(2) }, 1);
    h.expect_of_each_call(0);
}

TEST(stream, channel_estimator)
{
    const auto frame = csirs_frame::make({});
    const std::vector<char> pilots = normal_item(2 * frame->pilot_symbols() * 300);
    // An LMMSE estimate allocates when it is made for another profile or noise.
    const std::vector<float> profile(60, 1.0f);
    for (const auto& interpolator :
         { channel_interpolator::make_linear(frame),
           channel_interpolator::make_dft(frame),
           channel_interpolator::make_lmmse(frame, 4, 26, profile) })
        expect_no_allocation(channel_estimator::make(interpolator), { pilots }, 2);
}

TEST(stream, feedback_framer)
{
    harness h(feedback_framer::make(six_bits(), linear_encoder::make(klt(), m)),
              { item(level()), item(std::vector<float>{ 3 }) },
              0);
    const size_t size = feedback_overhead_bytes + (six_bits()->total_bits(m) + 7) / 8;
    const uint64_t message =
        count([=] { pmt::cons(pmt::PMT_NIL, pmt::make_u8vector(size, 0)); });
    h.expect_of_each_call(harness::at_once * message);
}

TEST(stream, report_framer)
{
    const auto e =
        quantized_report::make_encoder(linear_encoder::make(klt(), m), six_bits());
    const size_t bytes = (e->max_bits() + 7) / 8;
    harness h(report_framer::make(e),
              { item(std::vector<uint8_t>(bytes, 0xa5)), item(std::vector<float>{ 3 }) },
              0);
    const uint64_t message = count([=] {
        pmt::cons(pmt::PMT_NIL, pmt::make_u8vector(feedback_overhead_bytes + bytes, 0));
    });
    h.expect_of_each_call(harness::at_once * message);
}

// Handlers are protected, the scheduler is a friend.
struct scheduler : gr::basic_block {
    static void send(gr::basic_block& block, const char* port, const pmt::pmt_t& message)
    {
        (block.*&scheduler::dispatch_msg)(pmt::mp(port), message);
    }
};

using message_of = std::function<pmt::pmt_t(uint64_t frame)>;

/*!
 * \brief Hands over messages with ascending frame numbers.
 * \param input  makes the message that comes in
 * \param output makes the PMTs that are new in the message that goes out
 */
void expect_only_the_message(gr::basic_block_sptr block,
                             const message_of& input,
                             const message_of& output,
                             const char* port = "pdus")
{
    for (uint64_t frame = 0; frame < 2 * calls; frame++) {
        const pmt::pmt_t message = input(frame);
        const uint64_t needed = count([&] { scheduler::send(*block, port, message); });
        if (frame >= calls) {
            ASSERT_EQ(needed, count([&] { output(frame); })) << "frame " << frame;
        }
    }
}

template <typename T>
message_of pdu_of(const T& vector)
{
    return [=](uint64_t frame) { return pmt::cons(metadata(frame), vector); };
}

pmt::pmt_t complex_vector(size_t size)
{
    const std::vector<float> x = normal(2 * size);
    return pmt::init_c32vector(size, reinterpret_cast<const gr_complex*>(x.data()));
}

TEST(handler, angular_delay_inverse)
{
    expect_only_the_message(
        angular_delay_inverse::make(delays()), pdu_of(complex_vector(n)), [](uint64_t) {
            return pmt::cons(pmt::PMT_NIL, pmt::make_c32vector(nc * nt, 0));
        });
}

TEST(handler, csi_import)
{
    expect_only_the_message(
        csi_import::make(52), pdu_of(complex_vector(52)), [](uint64_t) {
            return pmt::cons(pmt::PMT_NIL, pmt::make_c32vector(52, 0));
        });
}

TEST(handler, csi_encoder)
{
    const pmt::pmt_t gain = pmt::mp("gain_db"), old = metadata(0);
    expect_only_the_message(csi_encoder::make(linear_encoder::make(klt(), m)),
                            pdu_of(complex_vector(n)),
                            [=](uint64_t) {
                                return pmt::cons(
                                    pmt::dict_add(old, gain, pmt::from_double(1)),
                                    pmt::make_f32vector(m, 0));
                            });
}

TEST(handler, csi_decoder)
{
    for (const decoder::sptr& d :
         { linear_decoder::make(klt(), m),
           linear_decoder::make(outdoor(), m, 0.1f),
           ista_decoder::make(orthonormal(), m, true, 5, 0.02f, 1e-3f, true) })
        expect_only_the_message(
            csi_decoder::make(d),
            pdu_of(pmt::init_f32vector(m, normal(m))),
            [](uint64_t) { return pmt::cons(pmt::PMT_NIL, pmt::make_c32vector(n, 0)); });
}

// Of codewords of two lengths in turn.
TEST(handler, csi_decoder_l2o)
{
    for (const decoder::sptr& d : { l2o("deep"), l2o("lstm20"), l2o("real_mmse") }) {
        const size_t size = size_t(d->na()) * d->nt();
        expect_only_the_message(
            csi_decoder::make(d),
            [&](uint64_t frame) {
                const int length = frame % 2 ? d->code_size() : 5;
                return pdu_of(pmt::init_f32vector(length, normal(length)))(frame);
            },
            [=](uint64_t) {
                return pmt::cons(pmt::PMT_NIL, pmt::make_c32vector(size, 0));
            });
    }
}

TEST(handler, quantizers)
{
    const pmt::pmt_t label = pmt::mp("quantizer"), old = metadata(0);
    expect_only_the_message(csi_quantizer::make(six_bits()),
                            pdu_of(pmt::init_f32vector(m, normal(m))),
                            [=](uint64_t) {
                                return pmt::cons(
                                    pmt::dict_add(old, label, pmt::from_uint64(6)),
                                    pmt::make_s16vector(m, 0));
                            });
    expect_only_the_message(
        csi_dequantizer::make(six_bits()),
        pdu_of(pmt::init_s16vector(m, level())),
        [](uint64_t) { return pmt::cons(pmt::PMT_NIL, pmt::make_f32vector(m, 0)); });
}

// A feedback frame of 6 bits for each of the m entries.
std::vector<uint8_t> feedback_frame(uint64_t frame, int model_id = 2)
{
    const quantizer::sptr q = six_bits();
    feedback_header header;
    header.quantizer_type = q->type_id();
    header.codec_id = 1;
    header.model_id = model_id;
    header.code_size = m;
    header.bits = q->bits();
    header.frame_number = frame;
    const std::vector<uint8_t> payload((q->total_bits(m) + 7) / 8);
    std::vector<uint8_t> bytes(feedback_overhead_bytes + payload.size());
    pack_frame(header, payload.data(), payload.size(), bytes.data());
    return bytes;
}

pmt::pmt_t frame_pdu(uint64_t frame)
{
    const std::vector<uint8_t> bytes = feedback_frame(frame);
    return pmt::cons(pmt::PMT_NIL, pmt::init_u8vector(bytes.size(), bytes));
}

TEST(handler, feedback_framer)
{
    const size_t size = feedback_frame(0).size();
    expect_only_the_message(
        feedback_framer::make(six_bits(), linear_encoder::make(klt(), m)),
        pdu_of(pmt::init_s16vector(m, level())),
        [=](uint64_t) { return pmt::cons(pmt::PMT_NIL, pmt::make_u8vector(size, 0)); });
}

TEST(handler, feedback_link)
{
    const size_t size = feedback_frame(0).size();
    for (const int delay : { 0, 1, 5 })
        expect_only_the_message(
            feedback_link::make(1e-3, 0, 0, delay), frame_pdu, [=](uint64_t) {
                return pmt::cons(pmt::PMT_NIL, pmt::make_u8vector(size, 0));
            });
}

TEST(handler, report_deframer)
{
    const auto d =
        quantized_report::make_decoder(linear_decoder::make(klt(), m), six_bits());
    const std::vector<pmt::pmt_t> integers{ pmt::mp("codec_id"),
                                            pmt::mp("model_id"),
                                            pmt::mp("code_size"),
                                            pmt::mp("frame_bits") };
    const pmt::pmt_t frame_key = key_frame(), ue_id = pmt::mp("ue_id"),
                     gain = pmt::mp("gain_db"), bits = pmt::mp("report_bits");
    const size_t bytes = (d->max_bits() + 7) / 8;
    const auto pdu = [&](uint64_t frame) {
        const std::vector<uint8_t> bytes = feedback_frame(frame, d->model_id());
        return pmt::cons(pmt::PMT_NIL, pmt::init_u8vector(bytes.size(), bytes));
    };
    expect_only_the_message(report_deframer::make(d), pdu, [&](uint64_t frame) {
        pmt::pmt_t dict = pmt::make_dict();
        dict = pmt::dict_add(dict, frame_key, pmt::from_uint64(frame));
        dict = pmt::dict_add(dict, ue_id, pmt::from_long(0));
        dict = pmt::dict_add(dict, gain, pmt::from_double(0));
        for (const pmt::pmt_t& key : integers)
            dict = pmt::dict_add(dict, key, pmt::from_long(1));
        dict = pmt::dict_add(dict, bits, pmt::from_long(6));
        return pmt::cons(dict, pmt::make_u8vector(bytes, 0));
    });
}

TEST(handler, feedback_deframer)
{
    // The keys and the order of the block's metadata.
    const std::vector<pmt::pmt_t> integers{ pmt::mp("codec_id"),
                                            pmt::mp("model_id"),
                                            pmt::mp("code_size"),
                                            pmt::mp("frame_bits") };
    const pmt::pmt_t frame_key = key_frame(), ue_id = pmt::mp("ue_id"),
                     gain = pmt::mp("gain_db"), label = pmt::mp("quantizer");
    const auto decoder = linear_decoder::make(klt(), m);
    const auto pdu = [&](uint64_t frame) {
        const std::vector<uint8_t> bytes = feedback_frame(frame, decoder->model_id());
        return pmt::cons(pmt::PMT_NIL, pmt::init_u8vector(bytes.size(), bytes));
    };
    expect_only_the_message(
        feedback_deframer::make(six_bits(), decoder), pdu, [&](uint64_t frame) {
            pmt::pmt_t d = pmt::make_dict();
            d = pmt::dict_add(d, frame_key, pmt::from_uint64(frame));
            d = pmt::dict_add(d, ue_id, pmt::from_long(0));
            d = pmt::dict_add(d, gain, pmt::from_double(0));
            for (const pmt::pmt_t& key : integers)
                d = pmt::dict_add(d, key, pmt::from_long(1));
            d = pmt::dict_add(d, label, pmt::from_uint64(6));
            return pmt::cons(d, pmt::make_s16vector(m, 0));
        });
}

TEST(handler, csi_hold)
{
    const pmt::pmt_t data = complex_vector(n), frame_key = key_frame(),
                     age = pmt::mp("age"), old = metadata(0);
    const auto output = [=](uint64_t frame) {
        return pmt::cons(
            pmt::dict_add(pmt::dict_add(old, frame_key, pmt::from_uint64(frame)),
                          age,
                          pmt::from_uint64(0)),
            data);
    };
    const auto block = csi_hold::make(64);
    expect_only_the_message(block, pdu_of(data), output);
    // Frames that were lost.
    expect_only_the_message(
        block,
        [](uint64_t frame) { return pmt::from_uint64(2 * calls + frame); },
        output,
        "tick");
}

TEST(handler, csi_metrics)
{
    const pmt::pmt_t h = complex_vector(n);
    // An acknowledgement for each matrix, and a report of nine figures.
    const std::vector<pmt::pmt_t> keys(9, pmt::mp("figure"));
    for (const bool report : { false, true }) {
        const auto block = csi_metrics::make(delays(), 16, report);
        const auto output = [&](uint64_t frame) {
            const pmt::pmt_t ack = pmt::from_uint64(frame);
            pmt::pmt_t dict = pmt::make_dict();
            for (size_t i = 0; report && i < keys.size(); i++)
                dict = pmt::acons(
                    keys[i], i < 6 ? pmt::from_double(0) : pmt::from_uint64(0), dict);
            return ack;
        };
        // First the truth, then the estimate, and the other way round.
        for (uint64_t frame = 0; frame < 2 * calls; frame++) {
            const pmt::pmt_t message = pdu_of(h)(frame);
            const bool late = frame % 2;
            const uint64_t needed = count([&] {
                scheduler::send(*block, late ? "pdus" : "truth", message);
                scheduler::send(*block, late ? "truth" : "pdus", message);
            });
            if (frame >= calls) {
                ASSERT_EQ(needed, count([&] { output(frame); })) << "frame " << frame;
            }
        }
        EXPECT_EQ(block->report().matched, uint64_t(2 * calls));
    }
}

TEST(stream, csi_metrics)
{
    const pmt::pmt_t h = complex_vector(n);
    const auto block = csi_metrics::make(delays(), 16);
    harness around(block, { normal_item(2 * n) }, 2);
    const uint64_t ack = count([] { pmt::from_uint64(0); });
    for (uint64_t call = 0; call < 2 * calls; call++) {
        uint64_t needed = 0;
        for (int i = 0; i < harness::at_once; i++) {
            const pmt::pmt_t message = pdu_of(h)(call * harness::at_once + i);
            needed += count([&] { scheduler::send(*block, "pdus", message); });
        }
        needed += around.work();
        if (call >= calls) {
            ASSERT_EQ(needed, harness::at_once * ack) << "call " << call;
        }
    }
    EXPECT_GE(around.produced(), uint64_t(2 * calls));
}

TEST(stream, csi_spectral_efficiency)
{
    for (const char* precoding :
         { "zero-forcing", "regularized-zero-forcing", "maximum-ratio" })
        for (const int users : { 3, 40 }) {
            const auto block = csi_spectral_efficiency::make(
                users, csi_shape("H", 8, nt), { 0, 10 }, precoding);
            block->check_topology(2, 0);
            expect_no_allocation(
                block, { normal_item(2 * 8 * nt), normal_item(2 * 8 * nt) }, 0);
            EXPECT_GT(block->report().groups, 0u);
        }
}

TEST(stream, csi_spectral_efficiency_of_several_antennas)
{
    for (const char* precoding : { "zero-forcing", "regularized-zero-forcing" }) {
        const auto block = csi_spectral_efficiency::make(
            3, csi_shape("H", 8, nt), { 0, 10 }, precoding, true, false, 256, 0, 2);
        block->check_topology(2, 0);
        expect_no_allocation(
            block, { normal_item(2 * 8 * nt), normal_item(2 * 8 * nt) }, 0);
        EXPECT_GT(block->report().groups, 0u);
    }
}

TEST(handler, csi_spectral_efficiency)
{
    const auto block = csi_spectral_efficiency::make(3, csi_shape("H", 8, nt), { 0, 10 });
    const pmt::pmt_t h = complex_vector(8 * nt);
    // First the truth, then the estimate, and the other way round.
    for (uint64_t frame = 0; frame < 2 * calls; frame++) {
        const pmt::pmt_t message = pdu_of(h)(frame);
        const bool late = frame % 2;
        const uint64_t needed = count([&] {
            scheduler::send(*block, late ? "pdus" : "truth", message);
            scheduler::send(*block, late ? "truth" : "pdus", message);
        });
        if (frame >= calls) {
            ASSERT_EQ(needed, 0u) << "frame " << frame;
        }
    }
    EXPECT_EQ(block->report().groups, uint64_t(2 * calls / 3));
}

} // namespace
