/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "ofdm/moving_channel.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

frame_times frame_times::make(const char* where, int updates, csirs_frame::sptr frame)
{
    check_range(where, "updates", updates, 1, 4096);
    if (updates == 1)
        return {};
    if (!frame)
        throw_bad(where, "frame", "null", "a csirs_frame where updates is above 1");
    check_range(where, "updates", updates, 2, frame->frame_length());
    const double symbol = frame->parameters().fft_size + frame->parameters().cp_length;
    return { updates,
             double(frame->frame_length()),
             (frame->first_pilot() + frame->pilot_symbols() / 2.0) * symbol };
}

moving_channel::moving_channel(std::unique_ptr<taps_source> source,
                               const frame_times& times)
    : d_source(std::move(source)),
      d_times(times),
      d_filter(std::make_unique<mimo_filter>(grid().nt, nr(), d_source->length())),
      d_taps(size_t(nr()) * grid().nt * d_source->length()),
      d_update(times.updates - 1)
{
    if (times.updates > 1) {
        d_next = std::make_unique<mimo_filter>(grid().nt, nr(), d_source->length());
        d_h.resize(size_t(grid().nc) * grid().nt);
        for (int r = 0; r < nr(); r++) {
            d_other.emplace_back(max_samples);
            d_other_out.push_back(d_other[r].data());
        }
    }
    set_taps(*d_filter, 0);
}

void moving_channel::begin_frame(uint64_t frame)
{
    d_frame = frame;
    d_position = 0;
    d_update = 0;
    set_taps(*d_filter, frame * d_times.updates);
    prepare_next();
}

void moving_channel::run(const cf** in, cf* const* out, size_t from, size_t count)
{
    while (count > 0) {
        // Up to the next sample of the channel, or the end.
        size_t here = count;
        const bool is_between = d_next && d_update + 1 < d_times.updates &&
                                d_position >= d_times.of(d_update);
        if (d_next && d_update + 1 < d_times.updates) {
            const double until =
                d_times.of(is_between ? d_update + 1 : d_update) - d_position;
            here = std::min<double>(count, std::ceil(until));
        }
        d_filter->run(in, out, from, here);
        if (is_between)
            mix(in, out, from, here);
        for (int n = 0; n < grid().nt; n++)
            in[n] += here;
        d_position += here;
        from += here;
        count -= here;
        if (is_between && d_position >= d_times.of(d_update + 1)) {
            std::swap(d_filter, d_next);
            d_update++;
            prepare_next();
        }
    }
}

// Goes over from the channel of one sample to that of the next.
void moving_channel::mix(const cf* const* in, cf* const* out, size_t from, size_t count)
{
    d_next->run(in, d_other_out.data(), 0, count);
    const double begin = d_times.of(d_update),
                 step = 1 / (d_times.of(d_update + 1) - begin);
    for (int r = 0; r < nr(); r++) {
        cf* to = out[r] + from;
        const cf* other = d_other_out[r];
        for (size_t i = 0; i < count; i++)
            to[i] += float((d_position + i - begin) * step) * (other[i] - to[i]);
    }
}

void moving_channel::prepare_next()
{
    if (d_update + 1 < d_times.updates)
        set_taps(*d_next, d_frame * d_times.updates + d_update + 1);
}

// Gives a filter the taps of a sample of the channel.
void moving_channel::set_taps(mimo_filter& filter, uint64_t index)
{
    for (int r = 0; r < nr(); r++) {
        d_lost +=
            d_source->taps(index, r, &d_taps[r * grid().nt * size_t(d_source->length())]);
        d_made++;
    }
    filter.set_taps(d_taps.data());
}

void moving_channel::truth(uint64_t frame, int rx, cf* h)
{
    const int updates = d_times.updates;
    const double place = std::min(
        updates - 1.0, std::max(0.0, d_times.middle * updates / d_times.length - 0.5));
    const int update = place;
    const float part = place - update;
    d_source->response(frame * updates + update, rx, h);
    if (part > 0) {
        d_source->response(frame * updates + update + 1, rx, d_h.data());
        const size_t size = size_t(grid().nc) * grid().nt;
        for (size_t i = 0; i < size; i++)
            h[i] += part * (d_h[i] - h[i]);
    }
}

} // namespace csifeedback
} // namespace gr
