/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

// Of whole matrices all sizes follow from the rows.
codec_info with_all_sizes(codec_info info)
{
    check_range(info.name.c_str(), "nt", info.nt, 1, 1024);
    info.array = info.array.of_ports(info.name.c_str(), info.nt);
    if (info.domain == "H") {
        info.nc = info.rows;
        info.precursor = 0;
    }
    return info;
}

} // namespace

codec_part::codec_part(codec_info info) : d_info(with_all_sizes(std::move(info)))
{
    const char* where = d_info.name.c_str();
    check_range(where, "rows", d_info.rows, 1, 65536);
    // The frame's code_size field has 16 bits. Reports have no codewords.
    check_range(where, "code_size", d_info.code_size, 0, 65535);
    if (d_info.domain != "Ha" && d_info.domain != "H")
        throw_bad(where, "domain", d_info.domain, "Ha or H");
    if (d_info.nc)
        check_range(where, "nc", d_info.nc, d_info.rows, 65536);
    check_range(where, "precursor", d_info.precursor, -1, d_info.rows - 1);
}

codec_part::~codec_part() = default;

std::shared_ptr<void> codec_part::hold(const std::shared_ptr<codec_part>& part,
                                       const std::string& where)
{
    if (part->d_held.exchange(true))
        throw std::invalid_argument(where + ": the object " + part->name() +
                                    " belongs to another block, which allows one object "
                                    "for each block");
    return std::shared_ptr<void>(part.get(), [part](void*) { part->d_held = false; });
}

namespace {

codec_info with_codewords(codec_info info)
{
    check_range(info.name.c_str(), "code_size", info.code_size, 1, 65535);
    return info;
}

} // namespace

encoder::encoder(codec_info info) : codec_part(with_codewords(std::move(info))) {}
decoder::decoder(codec_info info) : codec_part(with_codewords(std::move(info))) {}

void encoder::do_encode_batch(
    const float* h_vec, float* s, int m, int count, float* residual_energy_db)
{
    for (int i = 0; i < count; i++) {
        const float residual =
            do_encode(h_vec + size_t(i) * input_size(), s + size_t(i) * m, m);
        if (residual_energy_db)
            residual_energy_db[i] = residual;
    }
}

namespace {

// False for a NaN too. Looks at all, since nearly all are good: without branches.
bool is_bounded(const float* s, size_t n)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= !(std::abs(s[i]) <= decoder::max_value);
    return !bad;
}

} // namespace

void decoder::decode_batch(const float* s, int m, float* h_vec, int count)
{
    const auto locked = lock();
    const float* good = s;
    if (!is_bounded(s, size_t(count) * m)) {
        // Bad ones must not spoil their neighbours, nor the next ones of a decoder that
        // keeps its state.
        d_bounded.assign(s, s + size_t(count) * m);
        for (int i = 0; i < count; i++)
            if (!is_bounded(s + size_t(i) * m, m))
                std::fill_n(d_bounded.begin() + size_t(i) * m, m, 0.0f);
        good = d_bounded.data();
    }
    if (count == 1 && good == s)
        do_decode(s, m, h_vec);
    else if (count > 1)
        do_decode_batch(good, m, h_vec, count);
    for (int i = 0; i < count; i++, h_vec += output_size()) {
        float power = 0;
        if (good == s || is_bounded(s + size_t(i) * m, m))
            power = kernels().energy(h_vec, output_size());
        else
            power = std::numeric_limits<float>::infinity();
        if (!std::isfinite(power))
            std::fill_n(h_vec, output_size(), 0.0f);
    }
}

void decoder::do_decode_batch(const float* s, int m, float* h_vec, int count)
{
    for (int i = 0; i < count; i++)
        do_decode(s + size_t(i) * m, m, h_vec + size_t(i) * output_size());
}

} // namespace csifeedback
} // namespace gr
