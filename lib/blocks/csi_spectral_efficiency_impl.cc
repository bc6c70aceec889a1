/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "several_antennas.h"
#include <gnuradio/csifeedback/csi_spectral_efficiency.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

class csi_spectral_efficiency_impl : public csi_spectral_efficiency
{
public:
    csi_spectral_efficiency_impl(spectral_efficiency::sptr se,
                                 bool by_frame,
                                 int history,
                                 int interval)
        : gr::sync_block("csi_spectral_efficiency",
                         gr::io_signature::make(
                             0, 2, sizeof(gr_complex) * se->nc() * se->nr() * se->nt()),
                         gr::io_signature::make(0, 0, 0)),
          d_se(se),
          d_users(se->users()),
          d_size(size_t(se->nc()) * se->nr() * se->nt()),
          d_by_frame(by_frame),
          d_interval(interval),
          d_history(history),
          d_truths(history),
          d_h(d_users),
          d_h_hat(d_users),
          d_values(se->snr_db().size()),
          d_perfect_values(d_values.size()),
          d_reconstructed(d_values.size()),
          d_perfect(d_values.size())
    {
        d_waiting.reserve(history + 1);
        d_pairs.reserve(history + 1);
        message_port_register_out(d_reports);
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
        add_message_input(
            *this, d_logger, d_truth, [this](const pmt::pmt_t& m) { handle_truth(m); });
    }

    bool check_topology(int inputs, int) override
    {
        if (inputs == 2)
            d_group.resize(2 * d_users * d_size);
        else
            make_room();
        return true;
    }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star&) override
    {
        if (input_items.empty())
            return noutput_items;
        auto h = static_cast<const gr_complex*>(input_items[0]);
        if (input_items.size() == 1) {
            const uint64_t first = nitems_read(0);
            d_numbering.update([this, first, noutput_items](std::vector<tag_t>& tags) {
                get_tags_in_range(tags, 0, first, first + noutput_items, key::frame());
            });
            for (int i = 0; i < noutput_items; i++, h += d_size)
                store(d_numbering.at(first + i), any, h);
            return noutput_items;
        }
        auto h_hat = static_cast<const gr_complex*>(input_items[1]);
        for (int i = 0; i < noutput_items; i++, h += d_size, h_hat += d_size) {
            gr_complex* const truth = d_group.data() + d_filled * d_size;
            gr_complex* const estimate = truth + d_users * d_size;
            std::copy_n(h, d_size, truth);
            std::copy_n(h_hat, d_size, estimate);
            d_h[d_filled] = truth;
            d_h_hat[d_filled] = estimate;
            count_truth();
            if (++d_filled == d_users) {
                d_filled = 0;
                evaluate();
            }
        }
        return noutput_items;
    }

    csi_spectral_efficiency_report report() const override
    {
        gr::thread::scoped_lock lock(d_mutex);
        csi_spectral_efficiency_report r = d_report;
        for (const running_mean& x : d_reconstructed)
            r.reconstructed.push_back(x.estimate());
        for (const running_mean& x : d_perfect)
            r.perfect.push_back(x.estimate());
        return r;
    }

    std::vector<double> snr_db() const override { return d_se->snr_db(); }

    void reset() override
    {
        gr::thread::scoped_lock lock(d_mutex);
        d_report = csi_spectral_efficiency_report();
        for (running_mean& x : d_reconstructed)
            x.reset();
        for (running_mean& x : d_perfect)
            x.reset();
    }

private:
    static constexpr uint64_t any = UINT64_MAX; // ue_id of truths without one

    // What a matrix is of. Feedback frames carry 16 bits of the frame number.
    struct origin {
        uint16_t frame = 0;
        uint64_t ue_id = any;

        bool fits(const origin& other) const
        {
            return frame == other.frame &&
                   (ue_id == any || other.ue_id == any || ue_id == other.ue_id);
        }
    };
    struct truth {
        origin of;
        bool free = false; // stored, and not matched yet
    };
    struct estimate {
        origin of;
        pmt::pmt_t h;    // complex values
        size_t slot = 0; // of its truth, once there is one
    };

    // The memory for true matrices that wait for their reconstructions.
    void make_room()
    {
        if (d_ring.empty())
            d_ring.resize(d_history * d_size);
    }

    bool read(const foreign_pdu& pdu, origin& of, const gr_complex*& h)
    {
        size_t n;
        uint64_t frame = 0;
        h = pdu.elements<gr_complex>(n);
        if (!h || n != d_size || !pdu.frame(frame)) {
            if (d_malformed.bad())
                d_logger->warn(
                    "discarding a message that is no PDU of {:d} complex values "
                    "with a key frame",
                    d_size);
            gr::thread::scoped_lock lock(d_mutex);
            d_report.malformed++;
            return false;
        }
        d_malformed.good();
        of.frame = frame;
        if (!pdu.number(key::ue_id(), of.ue_id))
            of.ue_id = any;
        return true;
    }

    void handle_truth(const pmt::pmt_t& message)
    {
        origin of;
        const gr_complex* h;
        if (read(foreign_pdu(message), of, h))
            store(of.frame, of.ue_id, h);
    }

    void handle(const pmt::pmt_t& message)
    {
        estimate e;
        const gr_complex* h;
        const foreign_pdu pdu(message);
        if (!read(pdu, e.of, h))
            return;
        e.h = pdu.payload();
        // The newest truth first: older ones of the same 16 bits are out of date.
        for (size_t back = 1; back <= d_history; back++) {
            const size_t slot = (d_next + d_history - back) % d_history;
            if (d_truths[slot].free && d_truths[slot].of.fits(e.of))
                return pair(e, slot);
        }
        d_waiting.push_back(e);
        if (d_waiting.size() > d_history) {
            d_waiting.erase(d_waiting.begin());
            count_unmatched(1);
        }
    }

    void store(uint16_t frame, uint64_t ue_id, const gr_complex* h)
    {
        make_room();
        const size_t slot = d_next;
        d_next = (d_next + 1) % d_history;
        forget(slot);
        std::copy_n(h, d_size, d_ring.data() + slot * d_size);
        d_truths[slot].of = { frame, ue_id };
        d_truths[slot].free = true;
        count_truth();
        const auto found =
            std::find_if(d_waiting.begin(), d_waiting.end(), [&](const estimate& e) {
                return e.of.fits(d_truths[slot].of);
            });
        if (found == d_waiting.end())
            return;
        const estimate e = *found;
        d_waiting.erase(found);
        pair(e, slot);
    }

    // Gives up pairs that never became a group.
    void forget(size_t slot)
    {
        const auto rest =
            std::remove_if(d_pairs.begin(), d_pairs.end(), [slot](const estimate& e) {
                return e.slot == slot;
            });
        count_unmatched(d_pairs.end() - rest);
        d_pairs.erase(rest, d_pairs.end());
    }

    void pair(estimate e, size_t slot)
    {
        e.slot = slot;
        d_truths[slot].free = false;
        d_pairs.push_back(e);
        const auto in_group = [this, &e](const estimate& other) {
            return !d_by_frame || other.of.frame == e.of.frame;
        };
        if (size_t(std::count_if(d_pairs.begin(), d_pairs.end(), in_group)) < d_users)
            return;
        size_t k = 0, n;
        for (const estimate& other : d_pairs)
            if (in_group(other)) {
                d_h[k] = d_ring.data() + other.slot * d_size;
                d_h_hat[k++] = pmt::c32vector_elements(other.h, n);
            }
        evaluate();
        d_pairs.erase(std::remove_if(d_pairs.begin(), d_pairs.end(), in_group),
                      d_pairs.end());
    }

    void evaluate()
    {
        if (!d_se->compute(d_h.data(), d_h_hat.data(), d_values.data()) ||
            !d_se->compute_perfect(d_h.data(), d_h_hat.data(), d_perfect_values.data())) {
            if (d_bad.bad())
                d_logger->warn(
                    "discarding a group of users with a matrix that is zero or "
                    "not finite");
            gr::thread::scoped_lock lock(d_mutex);
            d_report.discarded++;
            return;
        }
        d_bad.good();
        uint64_t groups;
        {
            gr::thread::scoped_lock lock(d_mutex);
            groups = ++d_report.groups;
            for (size_t i = 0; i < d_values.size(); i++) {
                d_reconstructed[i].add(d_values[i]);
                d_perfect[i].add(d_perfect_values[i]);
            }
        }
        if (d_interval && groups % d_interval == 0)
            publish();
    }

    void publish()
    {
        const csi_spectral_efficiency_report r = report();
        pmt::pmt_t dict = pmt::make_dict();
        const auto means = [](const std::vector<mean_estimate>& x) {
            pmt::pmt_t v = pmt::make_f64vector(x.size(), 0);
            for (size_t i = 0; i < x.size(); i++)
                pmt::f64vector_set(v, i, x[i].mean);
            return v;
        };
        const std::vector<double>& snr = d_se->snr_db();
        dict = pmt::dict_add(
            dict, pmt::mp("snr_db"), pmt::init_f64vector(snr.size(), snr.data()));
        dict = pmt::dict_add(dict, pmt::mp("reconstructed"), means(r.reconstructed));
        dict = pmt::dict_add(dict, pmt::mp("perfect"), means(r.perfect));
        dict = pmt::dict_add(dict, pmt::mp("groups"), pmt::from_uint64(r.groups));
        message_port_pub(d_reports, dict);
    }

    void count_truth()
    {
        gr::thread::scoped_lock lock(d_mutex);
        d_report.truths++;
    }

    void count_unmatched(size_t count)
    {
        if (!count)
            return;
        gr::thread::scoped_lock lock(d_mutex);
        d_report.unmatched += count;
    }

    const spectral_efficiency::sptr d_se;
    const size_t d_users;
    const size_t d_size;
    const bool d_by_frame;
    const uint64_t d_interval;
    const size_t d_history;
    const pmt::pmt_t d_truth = pmt::mp("truth");
    const pmt::pmt_t d_reports = pmt::mp("reports");

    volk::vector<gr_complex>
        d_group;         // two streams: K true matrices, K reconstructed ones
    size_t d_filled = 0; // of them

    volk::vector<gr_complex> d_ring; // PDUs: true matrices, and
    std::vector<truth> d_truths;     // which ones they are
    size_t d_next = 0;               // where the next one goes
    frame_numbering d_numbering;
    std::vector<estimate> d_waiting; // reconstructions ahead of the truth
    std::vector<estimate> d_pairs;   // with their truth, and no group yet

    std::vector<const gr_complex*> d_h, d_h_hat; // of a group
    std::vector<double> d_values, d_perfect_values;
    burst_counter d_malformed, d_bad;
    mutable gr::thread::mutex d_mutex; // of the figures below
    csi_spectral_efficiency_report d_report;
    std::vector<running_mean> d_reconstructed, d_perfect;
};

} // namespace

csi_spectral_efficiency::sptr
csi_spectral_efficiency::make(int users,
                              const csi_shape& shape,
                              const std::vector<double>& snr_db,
                              const std::string& precoding,
                              bool normalize,
                              bool by_frame,
                              int history,
                              int interval,
                              int nr)
{
    const char* where = "csi_spectral_efficiency";
    check_antennas(where, shape, nr);
    const spectral_efficiency::sptr se = spectral_efficiency::make(
        users, shape.nc / nr, shape.nt, snr_db, precoding, normalize, nr);
    check_range(where, "history", history, users, 65536);
    check_range(where, "interval", interval, 0, 1 << 30);
    return gnuradio::make_block_sptr<csi_spectral_efficiency_impl>(
        se, by_frame, history, interval);
}

csi_spectral_efficiency::sptr
csi_spectral_efficiency::make(int users,
                              int nc,
                              int nt,
                              const std::vector<double>& snr_db,
                              const std::string& precoding,
                              bool normalize,
                              bool by_frame,
                              int history,
                              int interval)
{
    return make(users,
                csi_shape("H", nc, nt),
                snr_db,
                precoding,
                normalize,
                by_frame,
                history,
                interval);
}

} // namespace csifeedback
} // namespace gr
