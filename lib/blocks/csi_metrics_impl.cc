/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "dsp/fft_plan.h"
#include "metrics/layer_scores.h"
#include "metrics/unit_histogram.h"
#include "several_antennas.h"
#include <gnuradio/csifeedback/csi_metrics.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

class csi_metrics_impl : public csi_metrics
{
public:
    csi_metrics_impl(int rows,
                     int nt,
                     bool delay_rows,
                     int nc,
                     int history,
                     int interval,
                     int subbands = 0,
                     int nr = 1,
                     double snr_db = 10)
        : gr::block("csi_metrics",
                    gr::io_signature::make(0, 1, sizeof(gr_complex) * rows * nt),
                    gr::io_signature::make(0, 2, sizeof(float))),
          d_rows(rows),
          d_nt(nt),
          d_size(size_t(rows) * nt),
          d_history(history),
          d_interval(interval),
          d_ring(size_t(history) * d_size),
          d_ring_frame(history, no_frame)
    {
        d_waiting.reserve(history + 1);
        d_results.reserve(max_results);
        if (delay_rows) {
            d_to_frequency =
                std::make_unique<fft_plan>(nc, nt, nt, 1, nt, 1, FFTW_FORWARD);
            d_subcarriers = nc;
            d_padded.resize(size_t(nc) * nt);
            d_spectrum.resize(size_t(nc) * nt);
            d_spectrum_hat.resize(size_t(nc) * nt);
        }
        if (nr > 1) {
            d_scores = std::make_unique<layer_scores>(
                size_t(rows) / nr, nr, nt, subbands ? subbands : 13, snr_db);
            d_sgcs_layers.resize(d_scores->layers());
            d_layer_values.resize(d_scores->layers());
            d_ranks.resize(d_scores->layers() + 1);
        } else if (subbands)
            d_similarity = std::make_unique<subband_similarity>(
                delay_rows ? nc : rows, nt, subbands);
        set_tag_propagation_policy(TPP_DONT);
        message_port_register_out(d_reports);
        message_port_register_out(d_ack);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
        add_message_input(
            *this, d_logger, d_truth, [this](const pmt::pmt_t& m) { handle_truth(m); });
    }

    void forecast(int, gr_vector_int& required) override
    {
        std::fill(required.begin(), required.end(), 1);
    }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        if (!input_items.empty()) {
            auto in = static_cast<const gr_complex*>(input_items[0]);
            const int count = ninput_items[0];
            const uint64_t first = nitems_read(0);
            d_numbering.update([this, first, count](std::vector<tag_t>& tags) {
                get_tags_in_range(tags, 0, first, first + count, key::frame());
            });
            for (int i = 0; i < count; i++, in += d_size)
                store(d_numbering.at(first + i), in);
            consume(0, count);
            retry();
        }
        // Only what a plot can show is kept for the streams.
        int produced = 0;
        const int ready = output_items.empty() ? 0 : d_results.size();
        for (; produced < std::min(ready, noutput_items); produced++) {
            static_cast<float*>(output_items[0])[produced] = d_results[produced].first;
            if (output_items.size() > 1)
                static_cast<float*>(output_items[1])[produced] =
                    d_results[produced].second;
        }
        d_results.erase(d_results.begin(), d_results.begin() + produced);
        d_streaming = !output_items.empty();
        return produced;
    }

    bool stop() override
    {
        // A block whose stream has ended takes no messages any more.
        const csi_metrics_report r = report();
        if (r.truths > 0 && r.matched == 0)
            d_logger->warn("none of the reconstructions of {:d} true matrices came while "
                           "the stream of these was running; a source with a window that "
                           "has the port ack connected waits for them",
                           r.truths);
        return true;
    }

    csi_metrics_report report() const override
    {
        gr::thread::scoped_lock lock(d_mutex);
        csi_metrics_report r = d_report;
        r.nmse = d_nmse.estimate();
        r.nmse_db = to_db(r.nmse.mean);
        r.nmse_db_low = to_db(std::max(0.0, r.nmse.mean - r.nmse.half_width));
        r.nmse_db_high = to_db(r.nmse.mean + r.nmse.half_width);
        r.rho = d_rho.estimate();
        r.sgcs = d_sgcs.estimate();
        r.sgcs_5 = d_sgcs_values.quantile(0.05);
        for (const running_mean& x : d_sgcs_layers)
            r.sgcs_layers.push_back(x.estimate());
        for (const unit_histogram& x : d_layer_values)
            r.sgcs_layers_5.push_back(x.quantile(0.05));
        for (const uint64_t x : d_ranks)
            r.rank_share.push_back(double(x) / double(std::max<uint64_t>(r.matched, 1)));
        r.se = d_se.estimate();
        r.se_perfect = d_se_perfect.estimate();
        r.age = d_age.estimate();
        r.bits_per_csi = d_bits.estimate().mean;
        return r;
    }

    void reset() override
    {
        gr::thread::scoped_lock lock(d_mutex);
        d_report = csi_metrics_report();
        d_nmse.reset();
        d_rho.reset();
        d_sgcs.reset();
        d_sgcs_values.reset();
        for (running_mean& x : d_sgcs_layers)
            x.reset();
        for (unit_histogram& x : d_layer_values)
            x.reset();
        std::fill(d_ranks.begin(), d_ranks.end(), 0);
        d_se.reset();
        d_se_perfect.reset();
        d_age.reset();
        d_bits.reset();
    }

private:
    static constexpr uint64_t no_frame = UINT64_MAX;
    static constexpr size_t max_results = 4096;

    static double to_db(double x) { return 10 * std::log10(x); }

    void store(uint64_t frame, const gr_complex* h)
    {
        const size_t slot = frame % d_history;
        std::copy_n(h, d_size, d_ring.data() + slot * d_size);
        d_ring_frame[slot] = frame;
        // Not the largest so far: one wrong number would stay for ever.
        d_newest = frame;
        gr::thread::scoped_lock lock(d_mutex);
        d_report.truths++;
    }

    void count_malformed()
    {
        if (d_malformed.bad())
            d_logger->warn(
                "discarding a message that is no PDU of {:d} complex values with a "
                "key frame",
                d_size);
        gr::thread::scoped_lock lock(d_mutex);
        d_report.malformed++;
    }

    // A reconstruction.
    struct estimate {
        uint64_t frame = 0;
        pmt::pmt_t pdu;
        pmt::pmt_t h; // its d_size complex values
        double age = 0;
        double frame_bits = 0; // 0: unknown

        const gr_complex* matrix() const
        {
            size_t n;
            return pmt::c32vector_elements(h, n);
        }
    };

    bool read(const pmt::pmt_t& message, estimate& e)
    {
        const foreign_pdu pdu(message);
        size_t n;
        if (!pdu.elements<gr_complex>(n) || n != d_size || !pdu.frame(e.frame)) {
            count_malformed();
            return false;
        }
        d_malformed.good();
        e.pdu = message;
        e.h = pdu.payload();
        const auto figure = [&pdu](const pmt::pmt_t& name) {
            const double x = pdu.real(name, 0);
            return x >= 0 && x <= max_frame_number ? x : 0;
        };
        e.age = figure(key::age());
        e.frame_bits = figure(key::frame_bits());
        return true;
    }

    void handle_truth(const pmt::pmt_t& message)
    {
        estimate truth;
        if (!read(message, truth))
            return;
        store(truth.frame, truth.matrix());
        retry();
    }

    void handle(const pmt::pmt_t& message)
    {
        estimate e;
        if (!read(message, e))
            return;
        // The truth may still be on its way; nothing is kept for ever.
        if (!truth_is_due(e.frame)) {
            d_waiting.push_back(e);
            if (d_waiting.size() > d_history) {
                count_unmatched();
                pass_on(d_waiting.front());
                d_waiting.erase(d_waiting.begin());
            }
            return;
        }
        finish(e);
    }

    // Whether the truth of a frame has been stored, or a later one in its place.
    bool truth_is_due(uint64_t frame) const
    {
        if (d_newest == no_frame)
            return false;
        frame = nearest_frame(frame, d_newest);
        const uint64_t stored = d_ring_frame[frame % d_history];
        return stored != no_frame && stored >= frame;
    }

    // Compares what has been waiting for truths that are here now.
    void retry()
    {
        const auto done = [this](const estimate& e) {
            if (!truth_is_due(e.frame))
                return false;
            finish(e);
            return true;
        };
        d_waiting.erase(std::remove_if(d_waiting.begin(), d_waiting.end(), done),
                        d_waiting.end());
    }

    void count_unmatched()
    {
        gr::thread::scoped_lock lock(d_mutex);
        d_report.unmatched++;
    }

    void pass_on(const estimate& e)
    {
        if (has_listeners(*this, key::pdus()))
            message_port_pub(key::pdus(), e.pdu);
    }

    // Compared first: what hears of it may end the flowgraph.
    void finish(const estimate& e)
    {
        const uint64_t frame = nearest_frame(e.frame, d_newest);
        compare(frame, e);
        pass_on(e);
        message_port_pub(d_ack, pmt::from_uint64(frame));
    }

    void compare(uint64_t frame, const estimate& e)
    {
        const gr_complex* const h_hat = e.matrix();
        const size_t slot = frame % d_history;
        if (d_ring_frame[slot] != frame)
            return count_unmatched();
        const gr_complex* h = d_ring.data() + slot * d_size;
        if (d_scores)
            return compare_layers(h, h_hat, e);
        const double ratio = squared_error_ratio(h, h_hat, d_size);
        if (!std::isfinite(ratio))
            return count_unmatched();
        const gr_complex* const full =
            d_to_frequency ? spectrum(h, d_spectrum.data()) : h;
        const gr_complex* const full_hat =
            d_to_frequency ? spectrum(h_hat, d_spectrum_hat.data()) : h_hat;
        const double rho = cosine_similarity(
            full, full_hat, d_to_frequency ? d_subcarriers : d_rows, d_nt);
        const double similarity =
            d_similarity ? d_similarity->compute(full, full_hat) : 0;
        if (d_streaming && d_results.size() < max_results)
            d_results.emplace_back(to_db(ratio), rho);

        uint64_t matched;
        {
            gr::thread::scoped_lock lock(d_mutex);
            matched = ++d_report.matched;
            d_nmse.add(ratio);
            d_rho.add(rho);
            if (d_similarity) {
                d_sgcs.add(similarity);
                d_sgcs_values.add(similarity);
            }
            add_frame(e);
        }
        if (d_interval && matched % d_interval == 0)
            publish();
    }

    // The same of a UE with several antennas.
    void compare_layers(const gr_complex* h, const gr_complex* found, const estimate& e)
    {
        if (!d_scores->compute(h, found))
            return count_unmatched();
        const int rank = d_scores->rank();
        const double first = rank ? d_scores->sgcs(0) : 0;
        if (d_streaming && d_results.size() < max_results)
            d_results.emplace_back(d_scores->efficiency(), first);
        uint64_t matched;
        {
            gr::thread::scoped_lock lock(d_mutex);
            matched = ++d_report.matched;
            d_sgcs.add(first);
            d_sgcs_values.add(first);
            for (int layer = 0; layer < rank; layer++) {
                d_sgcs_layers[layer].add(d_scores->sgcs(layer));
                d_layer_values[layer].add(d_scores->sgcs(layer));
            }
            d_ranks[rank]++;
            d_se.add(d_scores->efficiency());
            d_se_perfect.add(d_scores->perfect());
            add_frame(e);
        }
        if (d_interval && matched % d_interval == 0)
            publish();
    }

    // Age and bits, with the lock held.
    void add_frame(const estimate& e)
    {
        d_age.add(e.age);
        if (e.age > 0)
            d_report.held++;
        if (e.frame_bits > 0)
            d_bits.add(e.frame_bits);
    }

    // Delay rows to subcarriers. Which delay the first row has, and whether the columns
    // are angles or antennas, are unitary factors that rho and SGCS do not see.
    const gr_complex* spectrum(const gr_complex* ha, gr_complex* out)
    {
        std::copy_n(ha, d_size, d_padded.begin());
        d_to_frequency->run(d_padded.data(), out);
        return out;
    }

    void publish()
    {
        const csi_metrics_report r = report();
        pmt::pmt_t dict = pmt::make_dict();
        const auto add = [&dict](const char* name, const pmt::pmt_t& value) {
            dict = pmt::dict_add(dict, pmt::mp(name), value);
        };
        if (d_scores) {
            std::vector<double> means;
            for (const mean_estimate& x : r.sgcs_layers)
                means.push_back(x.mean);
            add("sgcs_layers", pmt::init_f64vector(means.size(), means));
            add("rank_share", pmt::init_f64vector(r.rank_share.size(), r.rank_share));
            add("se", pmt::from_double(r.se.mean));
            add("se_perfect", pmt::from_double(r.se_perfect.mean));
        } else {
            add("nmse_db", pmt::from_double(r.nmse_db));
            add("nmse_db_low", pmt::from_double(r.nmse_db_low));
            add("nmse_db_high", pmt::from_double(r.nmse_db_high));
            add("rho", pmt::from_double(r.rho.mean));
        }
        if (d_similarity || d_scores) {
            add("sgcs", pmt::from_double(r.sgcs.mean));
            add("sgcs_5", pmt::from_double(r.sgcs_5));
        }
        add("age", pmt::from_double(r.age.mean));
        add("bits_per_csi", pmt::from_double(r.bits_per_csi));
        add("matched", pmt::from_uint64(r.matched));
        add("held", pmt::from_uint64(r.held));
        add("unmatched", pmt::from_uint64(r.unmatched));
        message_port_pub(d_reports, dict);
    }

    const size_t d_rows;
    const size_t d_nt;
    const size_t d_size;
    const size_t d_history;
    const uint64_t d_interval;
    const pmt::pmt_t d_truth = pmt::mp("truth");
    const pmt::pmt_t d_reports = pmt::mp("reports");
    const pmt::pmt_t d_ack = pmt::mp("ack");

    volk::vector<gr_complex> d_ring;    // true matrix of frame f at f % history
    std::vector<uint64_t> d_ring_frame; // which one that is
    uint64_t d_newest = no_frame;
    frame_numbering d_numbering;
    std::vector<estimate> d_waiting; // reconstructions ahead of the truth
    std::vector<std::pair<float, float>>
        d_results; // error in dB and rho, for the streams
    bool d_streaming = false;

    std::unique_ptr<fft_plan> d_to_frequency; // null if rows are subcarriers
    size_t d_subcarriers = 0;
    volk::vector<gr_complex> d_padded;
    volk::vector<gr_complex> d_spectrum;
    volk::vector<gr_complex> d_spectrum_hat;

    burst_counter d_malformed;
    mutable gr::thread::mutex d_mutex; // of the figures below
    csi_metrics_report d_report;
    running_mean d_nmse, d_rho, d_sgcs, d_age, d_bits;
    unit_histogram d_sgcs_values;
    std::unique_ptr<subband_similarity> d_similarity; // null without subbands
    std::unique_ptr<layer_scores> d_scores;           // null with one antenna
    std::vector<running_mean> d_sgcs_layers;
    std::vector<unit_histogram> d_layer_values;
    std::vector<uint64_t> d_ranks;
    running_mean d_se, d_se_perfect;
};

} // namespace

csi_metrics::sptr csi_metrics::make(const csi_shape& shape,
                                    int history,
                                    int interval,
                                    int subbands,
                                    int nr,
                                    double snr_db)
{
    const char* where = "csi_metrics";
    if (!shape.nc)
        throw_bad(
            where, "nc of the shape", shape.nc, std::to_string(shape.rows) + " to 65536");
    check_range(where, "history", history, 1, 65536);
    check_range(where, "interval", interval, 0, 1 << 30);
    check_range(where, "subbands", subbands, 0, 65536);
    check_antennas(where, shape, nr);
    check_range(where, "snr_db", snr_db, -100.0, 100.0);
    return gnuradio::make_block_sptr<csi_metrics_impl>(shape.rows,
                                                       shape.nt,
                                                       shape.domain == "Ha",
                                                       shape.nc,
                                                       history,
                                                       interval,
                                                       subbands,
                                                       nr,
                                                       snr_db);
}

csi_metrics::sptr
csi_metrics::make(int rows, int nt, bool delay_rows, int nc, int history, int interval)
{
    const char* where = "csi_metrics";
    check_range(where, "rows", rows, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    if (delay_rows)
        check_range(where, "nc", nc, rows, 65536);
    check_range(where, "history", history, 1, 65536);
    check_range(where, "interval", interval, 0, 1 << 30);
    return gnuradio::make_block_sptr<csi_metrics_impl>(
        rows, nt, delay_rows, nc, history, interval);
}

} // namespace csifeedback
} // namespace gr
