/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "transform/transform_pool.h"
#include <gnuradio/csifeedback/receive_antennas.h>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

const char* const where = "receive_antennas";
constexpr uint64_t max_first = uint64_t(1) << 48;

class antennas_model : public channel_model
{
public:
    // Sample -> nc x nr x nt.
    using generator = std::function<void(uint64_t, cf*)>;

    // align: null if it is not known.
    antennas_model(const std::string& name,
                   const channel_grid& grid,
                   const antenna_array& array,
                   int nr,
                   int antenna,
                   const bool* align,
                   double sample_interval_s,
                   generator generate)
        : d_name(name),
          d_grid(grid),
          d_array(array),
          d_nc(grid.nc),
          d_nr(nr),
          d_antenna(antenna),
          d_aligns(align && *align),
          d_align(!align   ? ""
                  : *align ? ", \"align\": true"
                           : ", \"align\": false"),
          d_sample_interval_s(sample_interval_s),
          d_generate(std::move(generate)),
          d_transforms(grid.nc, grid.nt, array),
          d_aligners(grid.nc, grid.nt * (antenna < 0 ? nr : 1), {})
    {
        check_range(where, "antenna", antenna, -1, nr - 1);
        if (d_aligns && antenna < 0)
            check_range(where, "ports times antennas, with align", grid.nt * nr, 1, 1024);
        if (antenna < 0) {
            d_grid.nc *= nr;
            d_grid.spacing_hz /= nr;
        }
    }

    std::string name() const override { return d_name; }
    std::string parameters() const override
    {
        return "{\"model\": \"" + d_name + "\", \"nc\": " + std::to_string(d_nc) +
               ", \"nr\": " + std::to_string(d_nr) +
               ", \"nt\": " + std::to_string(d_grid.nt) +
               ", \"antenna\": " + std::to_string(d_antenna) + d_align + "}";
    }
    const channel_grid& grid() const override { return d_grid; }
    antenna_array array() const override { return d_array; }
    double sample_interval_s() const override { return d_sample_interval_s; }
    std::vector<propagation_path> paths(uint64_t) const override { return {}; }

    void generate(uint64_t index, cf* H, channel_sample_info* info) const override
    {
        const size_t nt = d_grid.nt, size = size_t(d_grid.nc) * nt;
        if (d_antenna < 0) {
            d_generate(index, H);
        } else {
            std::vector<cf> all(size * d_nr);
            d_generate(index, all.data());
            for (int k = 0; k < d_nc; k++)
                std::copy_n(
                    all.data() + (size_t(k) * d_nr + d_antenna) * nt, nt, H + k * nt);
        }
        if (d_aligns) {
            const auto transform = d_aligners.borrow(d_nc, 0, true);
            std::vector<cf> rows(size);
            transform->forward(H, rows.data());
            transform->inverse(rows.data(), H);
        }
        if (info) {
            *info = {};
            for (size_t i = 0; i < size; i++)
                info->energy += std::norm(H[i]);
        }
    }

    void generate_truncated(uint64_t index,
                            int na,
                            int precursor,
                            cf* Ha,
                            channel_sample_info* info) const override
    {
        if (d_antenna < 0 && d_nr > 1)
            throw std::invalid_argument(d_name + ": channels of several receive antennas "
                                                 "are full-band matrices alone");
        check_range("generate_truncated", "na", na, 1, d_nc);
        check_range("generate_truncated", "precursor", precursor, 0, na - 1);
        std::vector<cf> h(size_t(d_nc) * d_grid.nt);
        generate(index, h.data(), info);
        const auto transform = d_transforms.borrow(na, precursor);
        angular_delay_info found;
        transform->forward(h.data(), Ha, &found);
        if (info)
            info->energy_lost = found.energy_lost;
    }

private:
    const std::string d_name;
    channel_grid d_grid;
    const antenna_array d_array;
    const int d_nc, d_nr, d_antenna;
    const bool d_aligns;
    const std::string d_align; // of the parameters
    const double d_sample_interval_s;
    const generator d_generate;
    mutable transform_pool d_transforms, d_aligners;
};

} // namespace

channel_model::sptr receive_antennas::make(cdl_panel_channel::sptr panel,
                                           const configuration& c)
{
    const auto& p = not_null(where, "panel", panel)->parameters();
    check_range(
        where, "samples_per_drop", c.samples_per_drop, uint64_t(1), uint64_t(1) << 62);
    check_range(where, "step_wavelengths", c.step_wavelengths, -1e6, 1e6);
    return std::make_shared<antennas_model>(
        std::string("cdl-") + char(std::tolower(p.profile)) + "-panel",
        channel_grid{ p.nc, panel->ports(), p.spacing_hz, p.spacing1 },
        antenna_array{ p.n1, p.n2, 2 },
        p.nr,
        c.antenna,
        &c.align,
        0,
        [panel, c](uint64_t index, cf* h) {
            panel->generate(index / c.samples_per_drop,
                            h,
                            (index % c.samples_per_drop) * c.step_wavelengths);
        });
}

channel_model::sptr receive_antennas::make(scenario_panel_channel::sptr panel,
                                           const configuration& c)
{
    const auto& p = not_null(where, "panel", panel)->panel();
    if (c.samples_per_drop != 1 || c.step_wavelengths != 0)
        throw_bad(where,
                  "samples_per_drop",
                  c.samples_per_drop,
                  "1 without steps: scenarios have slots_per_drop and speed_mps");
    return std::make_shared<antennas_model>(
        panel->parameters().scenario + "-panel",
        channel_grid{ p.nc, panel->ports(), p.spacing_hz, p.spacing1 },
        antenna_array{ p.n1, p.n2, 2 },
        p.nr,
        c.antenna,
        &c.align,
        0,
        [panel](uint64_t index, cf* h) { panel->generate(index, h); });
}

channel_model::sptr
receive_antennas::make(channel_model::sptr antennas, int nr, int antenna, uint64_t first)
{
    not_null(where, "antennas", antennas);
    check_range(where, "nr", nr, 1, 64);
    check_range<uint64_t>(where, "first", first, 0, max_first);
    const channel_grid grid = antennas->grid();
    return std::make_shared<antennas_model>(
        antennas->name(),
        grid,
        antennas->array(),
        nr,
        antenna,
        nullptr,
        antennas->sample_interval_s(),
        [antennas, nr, grid, first](uint64_t index, cf* h) {
            std::vector<cf> one(size_t(grid.nc) * grid.nt);
            for (int a = 0; a < nr; a++) {
                antennas->generate((first + index) * nr + a, one.data());
                for (int k = 0; k < grid.nc; k++)
                    std::copy_n(one.data() + size_t(k) * grid.nt,
                                grid.nt,
                                h + (size_t(k) * nr + a) * grid.nt);
            }
        });
}

} // namespace csifeedback
} // namespace gr
