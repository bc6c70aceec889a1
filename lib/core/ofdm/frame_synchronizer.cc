/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "ofdm/frame_synchronizer.h"
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

namespace {

using cd = std::complex<double>;

// Metric at which a preamble may be: noise alone exceeds x / (fft_size / 2) with the
// probability exp(-x) at a sample.
constexpr double metric_factor = 16, min_metric = 0.03;
// The same for the squared correlation of symbols 0 and 1, or 1 and the last one.
constexpr double correlation_factor = 10;
// What a wrong sequence shows of symbol 1 is spread over all delays. The share of its
// power at those that paths can have must be this many standard deviations more than by
// chance. Receivers see the same sequence, so more of them do not narrow that. Frames
// with few subcarriers vary more: a signal of the second share is enough (-8 dB), below
// which no header can be read.
constexpr double delay_factor = 7, min_signal = 0.13;
// The header correlates with the channel as symbol 1 says, or by this much of it at
// least.
constexpr double header_ratio = 0.4;
// The sampling clock is averaged over some 20 frames.
constexpr double clock_memory = 0.95;
// Timing: paths are this much below the strongest at most.
constexpr double path_ratio = 0.03;
constexpr size_t chunk = 1024; // of the metric
constexpr float limit = 1e8f;  // larger samples would overflow on the way

double angle(cd x) { return std::arg(x) / (2 * M_PI); } // in turns

} // namespace

frame_synchronizer::frame_synchronizer(csirs_frame::sptr frame, int nr, double max_offset)
    : d_frame(frame),
      d_nr(nr),
      d_n(frame->parameters().fft_size),
      d_cp(frame->parameters().cp_length),
      d_nc(frame->parameters().nc),
      d_half(d_nc / 2),
      d_length(d_n + d_cp),
      d_stride((d_n + 15) / 16 * 16),
      // The halves' phase gives the offset modulo two: nearest even number.
      d_max_shift(2 * int(std::ceil(max_offset / 2))),
      d_early(std::max(1, d_cp / 4)),
      d_threshold(std::max(min_metric, metric_factor / (d_n / 2))),
      d_span(size_t(frame->symbols()) * d_length),
      d_keep(d_n + 2 * d_cp),
      d_capacity(2 * d_span + 4 * size_t(d_length) + 4 * chunk),
      d_forward(d_n, 1, 1, 0, 1, 0, FFTW_FORWARD, false, true),
      d_backward(d_n, 1, 1, 0, 1, 0, FFTW_BACKWARD, false, true),
      d_product(chunk + d_n),
      d_power(chunk + 2 * d_n),
      d_recent(d_cp + 1),
      d_time(d_n),
      d_first(nr * d_stride),
      d_second(nr * d_stride),
      d_other(nr * d_stride),
      d_channel(nr * d_stride),
      d_cells(d_n),
      d_soft(size_t(frame->header_symbols()) * d_nc),
      d_hann(d_nc),
      d_profile(d_n),
      d_ramp(d_nc)
{
    for (int r = 0; r < nr; r++)
        d_samples.emplace_back(d_capacity);
    // Silence before the first sample.
    d_size = d_at = d_keep;
    d_base = -int64_t(d_keep);
    for (int k = 0; k < d_nc; k++) {
        d_hann[k] = 0.5 - 0.5 * std::cos(2 * M_PI * (k + 0.5) / d_nc);
        d_ramp[k] = cf(phasor(double(k - d_half) * d_early / d_n) / double(d_n));
    }
}

size_t frame_synchronizer::push(const cf* const* in, size_t count)
{
    // Room is made in large steps, for the sake of the copies.
    const size_t used = std::min(d_at, d_size);
    if (d_capacity - d_size < count && used > d_keep) {
        const size_t drop = used - d_keep;
        for (auto& x : d_samples)
            std::memmove(static_cast<void*>(x.data()),
                         x.data() + drop,
                         (d_size - drop) * sizeof(cf));
        d_size -= drop;
        d_base += drop;
        d_at -= drop;
        d_deadline -= std::min(d_deadline, drop);
        d_best_at -= std::min(d_best_at, drop);
    }
    count = std::min(count, d_capacity - d_size);
    for (int r = 0; r < d_nr; r++) {
        cf* to = d_samples[r].data() + d_size;
        std::copy_n(in[r], count, to);
        // The bits of positive floats are in the order of their values, with infinity and
        // NaN above all.
        uint32_t most = 0;
        for (size_t i = 0; i < 2 * count; i++) {
            uint32_t bits;
            std::memcpy(&bits, reinterpret_cast<const float*>(to) + i, sizeof(bits));
            most = std::max(most, bits & 0x7fffffff);
        }
        float largest;
        std::memcpy(&largest, &most, sizeof(largest));
        if (largest < limit)
            continue;
        uint64_t bad = 0;
        for (size_t i = 0; i < count; i++)
            if (!(std::abs(to[i].real()) < limit && std::abs(to[i].imag()) < limit)) {
                to[i] = 0;
                bad++;
            }
        d_bad_samples += bad;
    }
    d_size += count;
    return count;
}

void frame_synchronizer::reset_metric(size_t at)
{
    d_at = at;
    d_crossed = d_pending = false;
    d_best = 0;
    std::fill(d_recent.begin(), d_recent.end(), 0.0f);
    d_recent_sum = 0;
}

// Moves on until a peak of the metric is over; false: more samples are needed.
bool frame_synchronizer::search()
{
    const int lag = d_n / 2;
    while (d_at + chunk + d_n + 1 <= d_size) {
        std::fill(d_product.begin(), d_product.end(), cf(0));
        std::fill(d_power.begin(), d_power.end(), 0.0f);
        const size_t products = chunk + lag, powers = chunk + d_n;
        for (int r = 0; r < d_nr; r++) {
            const cf* x = d_samples[r].data() + d_at;
            for (size_t i = 0; i < products; i++) {
                const cf a = x[i], b = x[i + lag];
                d_product[i] += cf(a.real() * b.real() + a.imag() * b.imag(),
                                   a.real() * b.imag() - a.imag() * b.real());
            }
            for (size_t i = 0; i < powers; i++)
                d_power[i] += x[i].real() * x[i].real() + x[i].imag() * x[i].imag();
        }
        double re = 0, im = 0, energy = 0;
        for (int i = 0; i < lag; i++) {
            re += d_product[i].real();
            im += d_product[i].imag();
        }
        for (int i = 0; i < d_n; i++)
            energy += d_power[i];
        for (size_t i = 0; i < chunk; i++) {
            const float metric =
                energy > 1e-30
                    ? std::min(1.0, 4 * (re * re + im * im) / (energy * energy))
                    : 0.0;
            re += double(d_product[i + lag].real()) - d_product[i].real();
            im += double(d_product[i + lag].imag()) - d_product[i].imag();
            energy = std::max(0.0, energy + double(d_power[i + d_n]) - d_power[i]);
            // Its mean over as many samples as the plateau of a preamble is long.
            d_recent_sum += double(metric) - d_recent[d_recent_at];
            d_recent[d_recent_at] = metric;
            d_recent_at = d_recent_at + 1 < d_recent.size() ? d_recent_at + 1 : 0;
            const double mean = d_recent_sum / d_recent.size();
            if (!d_crossed && mean > d_threshold) {
                d_crossed = true;
                d_deadline = d_at + i + lag;
                d_best = 0;
            }
            if (d_crossed) {
                if (mean > d_best) {
                    d_best = mean;
                    d_best_at = d_at + i;
                }
                if (d_at + i >= d_deadline) {
                    d_pending = true;
                    return true;
                }
            }
        }
        d_at += chunk;
    }
    return false;
}

bool frame_synchronizer::next(sync_result& result, cf* grid)
{
    for (;;) {
        if (!d_pending && !search())
            return false;
        switch (attempt(result, grid)) {
        case outcome::more:
            return false;
        case outcome::frame:
            // Between two frames nothing has to be sought.
            reset_metric(result.start - d_base + d_frame->frame_length() - 2 * d_cp - 8);
            return true;
        case outcome::none:
            reset_metric(d_deadline + 1);
        }
    }
}

std::complex<double> frame_synchronizer::half_correlation(size_t at) const
{
    const int lag = d_n / 2;
    cd sum = 0;
    for (const auto& samples : d_samples) {
        const cf* x = samples.data() + at;
        lv_32fc_t partial = 0;
        volk_32fc_x2_conjugate_dot_prod_32fc(&partial, x + lag, x, lag);
        sum += cd(partial);
    }
    return sum;
}

void frame_synchronizer::transform(
    int rx, size_t at, double offset, size_t reference, cf* bins)
{
    const cf step(phasor(-offset / d_n));
    cf phase(phasor(-offset / d_n * (double(at) - double(reference))));
    volk_32fc_s32fc_x2_rotator_32fc(
        d_time.data(), d_samples[rx].data() + at, step, &phase, d_n);
    d_forward.run(d_time.data(), bins);
}

void frame_synchronizer::demodulate(
    int rx, size_t at, double offset, size_t reference, cf* cells)
{
    transform(rx, at, offset, reference, d_cells.data());
    const cf* bins = d_cells.data();
    for (int k = 0; k < d_half; k++)
        cells[k] = bins[d_n - d_half + k] * d_ramp[k];
    for (int k = d_half; k < d_nc; k++)
        cells[k] = bins[k - d_half] * d_ramp[k];
}

double frame_synchronizer::fine_delay(const cf* bins) const
{
    double delay = 0;
    for (int step = 0; step < 4; step++) {
        // The sum over the subcarriers, turned back, and its derivatives by the delay.
        const cd turn = phasor(delay / d_n);
        cd phase = phasor(-delay * d_half / d_n), m0 = 0, m1 = 0, m2 = 0;
        for (int k = -d_half; k < d_nc - d_half; k++) {
            const cd x = cd(bins[k < 0 ? k + d_n : k]) * phase;
            m0 += x;
            m1 += cd(0, k) * x;
            m2 -= double(k) * k * x;
            phase *= turn;
        }
        const double scale = 2 * M_PI / d_n;
        const double first = (std::conj(m0) * m1).real() * scale,
                     second =
                         (std::norm(m1) + (std::conj(m0) * m2).real()) * scale * scale;
        if (!(second < 0))
            return 0;
        delay -= first / second;
    }
    return std::abs(delay) <= 1 ? delay : 0;
}

void frame_synchronizer::advance(cf* cells, double samples) const
{
    const double turn = samples / d_n;
    cf phase(phasor(-turn * d_half));
    volk_32fc_s32fc_x2_rotator_32fc(cells, cells, cf(phasor(turn)), &phase, d_nc);
}

frame_synchronizer::outcome frame_synchronizer::attempt(sync_result& result, cf* grid)
{
    // The mean of the metric is over the past: its peak is at the end of the prefix.
    const size_t guess = d_best_at; // window of symbol 0
    if (guess + d_span + d_n + d_cp > d_size)
        return outcome::more;
    d_candidates++;

    // Carrier offset modulo two subcarriers, and a first look at symbols 0 and 1.
    const size_t window = guess - d_early;
    double offset = 2 * angle(half_correlation(guess - d_cp / 2));
    for (int r = 0; r < d_nr; r++) {
        transform(r, window, offset, window, row(d_first, r));
        transform(r, window + d_length, offset, window, row(d_second, r));
    }
    const cf *x0 = d_frame->sequence(0), *x1 = d_frame->sequence(1);
    const int even = d_half % 2;
    int shift = 0;
    double best = -1;
    for (int g = -d_max_shift; g <= d_max_shift; g += 2) {
        cd sum = 0;
        double e0 = 0, e1 = 0;
        for (int r = 0; r < d_nr; r++) {
            const cf *y0 = row(d_first, r), *y1 = row(d_second, r);
            cf partial = 0;
            float p0 = 0, p1 = 0;
            for (int k = even; k < d_nc; k += 2) {
                const cf a = y0[bin(k, g)], b = y1[bin(k, g)];
                partial += std::conj(a) * b * (x0[k] * std::conj(x1[k]));
                p0 += std::norm(a);
                p1 += std::norm(b);
            }
            sum += cd(partial);
            e0 += p0;
            e1 += p1;
        }
        const double value = e0 > 0 && e1 > 0 ? std::norm(sum) / (e0 * e1) : 0;
        if (value > best) {
            best = value;
            shift = g;
        }
    }
    if (!(best > correlation_factor / (d_nr * d_nc / 2))) {
        d_unknown++;
        return outcome::none;
    }
    offset += shift;

    // Timing: the delays that symbol 1 shows, under a Hann window against side lobes.
    std::fill(d_profile.begin(), d_profile.end(), 0.0);
    for (int r = 0; r < d_nr; r++) {
        std::fill(d_cells.begin(), d_cells.end(), cf(0));
        for (int k = 0; k < d_nc; k++)
            d_cells[bin(k, 0)] =
                row(d_second, r)[bin(k, shift)] * std::conj(x1[k]) * d_hann[k];
        d_backward.run(d_cells.data(), d_time.data());
        for (int t = 0; t < d_n; t++)
            d_profile[t] += std::norm(d_time[t]);
    }
    const auto profile = [this](int t) { return d_profile[(t % d_n + d_n) % d_n]; };
    const int strongest =
        std::max_element(d_profile.begin(), d_profile.end()) - d_profile.begin();
    double rest = 0;
    for (int t = d_cp; t < d_n - d_cp; t++)
        rest += profile(strongest + t);
    rest /= std::max(1, d_n - 2 * d_cp);
    // Noise has a peak above the second figure in one of 10^4 profiles or fewer.
    const double least = std::max(path_ratio * profile(strongest),
                                  rest * (1 + 5 / std::sqrt(double(d_nr)) + 8.0 / d_nr));
    int first = strongest;
    for (int t = strongest - d_cp; t < strongest; t++)
        if (profile(t) >= least && profile(t) >= profile(t - 1) &&
            profile(t) >= profile(t + 1)) {
            first = t;
            break;
        }
    if (first > d_n / 2)
        first -= d_n;
    const int64_t ideal = int64_t(window) + first;
    if (ideal < d_cp + d_early || size_t(ideal) + d_span > d_size) {
        d_unknown++;
        return outcome::none;
    }

    // All symbols again, with windows a little before the first path.
    const size_t begin = ideal - d_early;
    const double symbol_turns = double(d_length) / d_n; // of one subcarrier's offset
    const auto turned = [&](double o, int symbols) {
        return cf(phasor(-o * symbol_turns * symbols));
    };
    cd sum = 0;
    double within = 0, power = 0; // of symbol 1: at possible delays, and at all
    for (int r = 0; r < d_nr; r++) {
        cf *y0 = row(d_first, r), *y1 = row(d_second, r);
        demodulate(r, begin, offset, begin, y0);
        demodulate(r, begin + d_length, offset, begin, y1);
        cf partial = 0;
        for (int k = even; k < d_nc; k += 2)
            partial += std::conj(y0[k]) * y1[k] * (x0[k] * std::conj(x1[k]));
        sum += cd(partial);
        // The channel at symbol 1, without the delays that cannot be.
        std::fill(d_cells.begin(), d_cells.end(), cf(0));
        for (int k = 0; k < d_nc; k++)
            d_cells[bin(k, 0)] = y1[k] * std::conj(x1[k]);
        d_backward.run(d_cells.data(), d_time.data());
        std::fill(d_time.begin() + d_cp, d_time.end() - d_early, cf(0));
        d_forward.run(d_time.data(), d_cells.data());
        for (int k = 0; k < d_nc; k++)
            row(d_channel, r)[k] = d_cells[bin(k, 0)] / float(d_n);
        float part = 0, whole = 0;
        for (int k = 0; k < d_nc; k++) {
            part += std::norm(row(d_channel, r)[k]);
            whole += std::norm(y1[k]);
        }
        within += part;
        power += whole;
    }
    double fine = angle(sum) / symbol_turns;
    const int headers = d_frame->header_symbols();
    std::fill(d_soft.begin(), d_soft.end(), 0.0f);
    for (int l = 0; l < headers; l++)
        for (int r = 0; r < d_nr; r++) {
            cf* y = row(d_other, r);
            demodulate(r, begin + (2 + l) * d_length, offset, begin, y);
            const cf* x = d_frame->sequence(2 + l);
            const cf phase = turned(fine, l + 1);
            for (int k = 0; k < d_nc; k++)
                d_soft[l * d_nc + k] +=
                    (y[k] * phase * std::conj(x[k] * row(d_channel, r)[k])).real();
        }
    const csirs_header header = d_frame->decode_header(d_soft.data());
    if (!header.valid) {
        d_bad_headers++;
        return outcome::none;
    }

    // The header is known now. A line through the phases of its symbols, and of symbol 0,
    // which is at -1 and has none left.
    double moment = 0, weight = 1;
    double matched = 0, header_power = 0;
    for (int l = 0; l < headers; l++) {
        sum = 0;
        cd match = 0;
        d_frame->grid(header.frame, 0, 2 + l, d_cells.data());
        const cf unweighted = std::conj(d_frame->port_weight(0));
        for (int r = 0; r < d_nr; r++) {
            cf *y = row(d_other, r), *y1 = row(d_second, r);
            if (headers > 1) {
                // d_cells is demodulate()'s too.
                demodulate(r, begin + (2 + l) * d_length, offset, begin, y);
                d_frame->grid(header.frame, 0, 2 + l, d_cells.data());
            }
            cf partial = 0, along = 0;
            float energy = 0;
            for (int k = 0; k < d_nc; k++) {
                const cf h = y[k] * std::conj(d_cells[k] * unweighted);
                partial += std::conj(y1[k]) * x1[k] * h;
                along += std::conj(row(d_channel, r)[k]) * h;
                energy += std::norm(h);
            }
            sum += cd(partial);
            match += cd(along);
            header_power += energy;
        }
        matched += std::abs(match);
        moment += angle(sum * cd(turned(fine, l + 1))) * (l + 1);
        weight += (l + 1) * (l + 1);
    }
    fine += moment / weight / symbol_turns;
    // The checksum lets one of 2^16 false headers pass. Noise and other sequences leave
    // this share of their power at possible delays.
    const double share = double(d_cp + d_early) / d_n;
    const double excess = power > 0 ? within / power - share : 0;
    const double min_excess = std::min(
        delay_factor * std::sqrt(share * (1 - share) / d_nc), min_signal * (1 - share));
    // The signal's share of a cell's power, by symbol 1 and by the header.
    const double signal = excess / (1 - share);
    if (!(excess > min_excess) ||
        !(matched > header_ratio * signal * std::sqrt(header_power * headers * power))) {
        d_bad_headers++;
        return outcome::none;
    }

    // The last symbol repeats symbol 1.
    const int distance = d_frame->symbols() - 2;
    double e1 = 0, e2 = 0;
    cf* product = d_first.data();
    std::fill_n(product, d_n, cf(0));
    for (int r = 0; r < d_nr; r++) {
        cf *y = row(d_other, r), *y1 = row(d_second, r);
        demodulate(r, begin + (1 + distance) * d_length, offset, begin, y);
        float p1 = 0, p2 = 0;
        for (int k = 0; k < d_nc; k++) {
            product[bin(k, 0)] += std::conj(y1[k]) * y[k];
            p1 += std::norm(y1[k]);
            p2 += std::norm(y[k]);
        }
        e1 += p1;
        e2 += p2;
    }
    // Their correlation by delay.
    d_backward.run(product, d_time.data());
    sum = cd(d_time[0]);
    const double quality = e1 > 0 && e2 > 0 ? std::abs(sum) / std::sqrt(e1 * e2) : 0;
    // Lost samples delay the one against the other, fading does so less often.
    float moved = 0;
    for (int t = 1; t <= d_cp; t++)
        moved = std::max({ moved, std::abs(d_time[t]), std::abs(d_time[d_n - t]) });
    size_t zeros = 0;
    for (size_t t = begin - d_cp; t < begin - d_cp + d_span; t++) {
        bool zero = true;
        for (const auto& x : d_samples)
            zero &= x[t] == cf(0);
        zeros += zero;
    }
    if (!(quality * quality > correlation_factor / (d_nr * d_nc)) ||
        quality < 0.5 * std::sqrt(best) || moved > std::abs(sum) ||
        zeros > size_t(d_length) / 16) {
        d_broken++;
        return outcome::none;
    }
    // With another sampling clock the last symbol is a part of a sample late, or early.
    // Fading makes it seem so too, but not on the average over some frames.
    const double clock = fine_delay(product) / (double(distance) * d_length);
    const double trust = quality * quality / (1.01 - quality * quality);
    d_clock_sum = clock_memory * d_clock_sum + trust * clock;
    d_clock_weight = clock_memory * d_clock_weight + trust;
    result.clock = d_clock_sum / d_clock_weight;

    // What that turns is not the carrier's: strong subcarriers may be on one side.
    cd straight = 0;
    for (int r = 0; r < d_nr; r++) {
        advance(row(d_other, r), result.clock * distance * d_length);
        lv_32fc_t partial = 0;
        volk_32fc_x2_conjugate_dot_prod_32fc(
            &partial, row(d_other, r), row(d_second, r), d_nc);
        straight += cd(partial);
    }
    const double left = angle(straight * cd(turned(fine, distance)));
    fine += left / (symbol_turns * distance);
    const cf phase = turned(fine, distance);
    double difference = 0;
    for (int r = 0; r < d_nr; r++) {
        float partial = 0;
        for (int k = 0; k < d_nc; k++)
            partial += std::norm(row(d_other, r)[k] * phase - row(d_second, r)[k]);
        difference += partial;
    }
    offset += fine;
    for (int r = 0; r < d_nr; r++)
        for (int l = 0; l < d_frame->pilot_symbols(); l++, grid += d_nc) {
            const int symbol = d_frame->first_pilot() + l;
            demodulate(
                r, begin + size_t(symbol) * d_length, offset, begin + d_length, grid);
            advance(grid, result.clock * (symbol - 1) * d_length);
        }

    const double cells = double(d_nr) * d_nc;
    result.frame = header.frame;
    result.start = d_base + ideal - d_cp;
    result.offset = offset;
    result.noise = difference / (2 * cells);
    result.snr = result.noise > 0
                     ? std::max(0.0, (e1 + e2) / (2 * cells) / result.noise - 1)
                     : 1e30;
    result.quality = quality;
    return outcome::frame;
}

} // namespace csifeedback
} // namespace gr
