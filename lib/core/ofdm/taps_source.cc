/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "ofdm/mimo_filter.h"
#include "ofdm/taps_source.h"
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

class model_taps : public taps_source
{
public:
    model_taps(std::vector<channel_model::sptr> models, double sample_rate, int max_delay)
        : d_models(std::move(models)),
          d_grid(d_models[0]->grid()),
          d_rays(sample_rate,
                 std::min(0.999, d_grid.nc * d_grid.spacing_hz / sample_rate)),
          d_length(2 * d_rays.lead() + max_delay)
    {
        for (const auto& model : d_models)
            if (model->paths(0).empty() && !d_fit)
                d_fit = std::make_unique<response_fit>(
                    d_grid, sample_rate, d_rays.lead(), d_length);
        if (d_fit)
            d_h.resize(size_t(d_grid.nc) * d_grid.nt);
    }
    int nr() const override { return d_models.size(); }
    const channel_grid& grid() const override { return d_grid; }
    int length() const override { return d_length; }
    int lead() const override { return d_rays.lead(); }
    double taps(uint64_t index, int rx, cf* taps) override
    {
        const channel_model& model = *d_models[rx];
        const auto paths = model.paths(index);
        if (!paths.empty())
            return d_rays.make(paths, model.grid(), taps, d_length);
        model.generate(index, d_h.data());
        d_fit->make(d_h.data(), taps);
        return 0;
    }
    void response(uint64_t index, int rx, cf* h) override
    {
        d_models[rx]->generate(index, h);
    }

private:
    const std::vector<channel_model::sptr> d_models;
    const channel_grid d_grid;
    const ray_interpolator d_rays;
    const int d_length;
    std::unique_ptr<response_fit> d_fit; // for models without rays
    std::vector<cf> d_h;                 // of one of them
};

class given_taps : public taps_source
{
public:
    given_taps(const std::vector<cf>& taps,
               int nr,
               int length,
               const channel_grid& grid,
               double sample_rate)
        : d_taps(taps),
          d_nr(nr),
          d_length(length),
          d_grid(grid),
          d_sample_rate(sample_rate),
          d_count(taps.size() / (size_t(nr) * grid.nt * length))
    {
    }
    int nr() const override { return d_nr; }
    const channel_grid& grid() const override { return d_grid; }
    int length() const override { return d_length; }
    int lead() const override { return 0; }
    double taps(uint64_t index, int rx, cf* taps) override
    {
        std::copy_n(of(index, rx), size_t(d_grid.nt) * d_length, taps);
        return 0;
    }
    void response(uint64_t index, int rx, cf* h) override
    {
        taps_response(of(index, rx), d_length, 0, d_grid, d_sample_rate, h);
    }

private:
    const cf* of(uint64_t index, int rx) const
    {
        return &d_taps[(index % d_count * d_nr + rx) * d_grid.nt * d_length];
    }

    const std::vector<cf> d_taps;
    const int d_nr;
    const int d_length;
    const channel_grid d_grid;
    const double d_sample_rate;
    const size_t d_count;
};

void check_rate(const char* where, double sample_rate)
{
    if (!(sample_rate > 0 && sample_rate <= 1e12))
        throw_bad(where, "sample_rate", sample_rate, "above 0, at most 1e12");
}

} // namespace

std::unique_ptr<taps_source>
taps_source::from_models(const char* where,
                         std::vector<channel_model::sptr> models,
                         double sample_rate,
                         int max_delay)
{
    check_range<size_t>(where, "number of models", models.size(), 1, 4);
    for (const auto& model : models)
        not_null(where, "model", model);
    const channel_grid grid = models[0]->grid();
    for (const auto& model : models) {
        check_range(where, "nt of the models", model->grid().nt, grid.nt, grid.nt);
        check_range(where, "nc of the models", model->grid().nc, grid.nc, grid.nc);
        check_range(where,
                    "spacing_hz of the models",
                    model->grid().spacing_hz,
                    grid.spacing_hz,
                    grid.spacing_hz);
    }
    check_range(where, "nt of the models", grid.nt, 1, 64);
    check_rate(where, sample_rate);
    if (!(sample_rate >= grid.nc * grid.spacing_hz))
        throw_bad(where,
                  "sample_rate",
                  sample_rate,
                  "at least nc times spacing_hz of the models, " +
                      std::to_string(grid.nc * grid.spacing_hz));
    check_range(where, "max_delay", max_delay, 1, 8192);
    return std::make_unique<model_taps>(std::move(models), sample_rate, max_delay);
}

std::unique_ptr<taps_source> taps_source::from_taps(const char* where,
                                                    const std::vector<cf>& taps,
                                                    int nr,
                                                    int length,
                                                    const channel_grid& grid,
                                                    double sample_rate)
{
    check_range(where, "nr", nr, 1, 4);
    check_range(where, "nt", grid.nt, 1, 64);
    check_range(where, "length", length, 1, 8192);
    check_range(where, "nc", grid.nc, 1, 65536);
    if (!(grid.spacing_hz > 0 && grid.spacing_hz <= 1e9))
        throw_bad(where, "spacing_hz", grid.spacing_hz, "above 0, at most 1e9");
    check_rate(where, sample_rate);
    const size_t size = size_t(nr) * grid.nt * length;
    if (taps.empty() || taps.size() % size)
        throw_bad(where,
                  "size of taps",
                  taps.size(),
                  "a multiple of nr nt length, " + std::to_string(size));
    if (!all_finite(reinterpret_cast<const float*>(taps.data()), 2 * taps.size()))
        throw_bad(where, "taps", "not finite", "finite values");
    return std::make_unique<given_taps>(taps, nr, length, grid, sample_rate);
}

} // namespace csifeedback
} // namespace gr
