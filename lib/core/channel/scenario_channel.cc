/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/path_channel.h"
#include "channel/scenario_drop.h"
#include <gnuradio/csifeedback/scenario_channel.h>
#include <algorithm>
#include <sstream>

namespace gr {
namespace csifeedback {

namespace {

// One for every thread.
std::vector<scenario_ray>& borrow_rays()
{
    static thread_local std::vector<scenario_ray> rays;
    return rays;
}

// What a sample is of its UE.
struct moment {
    uint64_t ue;
    double time_s;

    moment(const scenario_parameters& p, uint64_t index)
        : ue(index / p.slots_per_drop),
          time_s(index % p.slots_per_drop * p.sample_interval_s)
    {
    }
};

class scenario_channel_impl : public path_channel
{
public:
    scenario_channel_impl(const scenario_parameters& p,
                          const channel_grid& grid,
                          bool align,
                          bool normalize,
                          bool receiver_aligned)
        : path_channel("scenario_channel", grid, align, normalize, receiver_aligned),
          d_drop("scenario_channel", p),
          d_array(scenario_panel(), p.sector_element, d_drop.parameters().downtilt_deg),
          d_align(align),
          d_normalize(normalize),
          d_receiver_aligned(receiver_aligned)
    {
    }

    std::string name() const override { return d_drop.parameters().scenario; }
    double sample_interval_s() const override
    {
        const scenario_parameters& p = d_drop.parameters();
        return p.slots_per_drop > 1 ? p.sample_interval_s : 0;
    }
    std::string parameters() const override
    {
        const scenario_parameters& p = d_drop.parameters();
        std::ostringstream json;
        json.precision(17);
        json << std::boolalpha << "{\"model\": \"3GPP TR 38.901 "
             << (p.release == 16 ? "v16.1" : "v19.2") << " 7.5\", \"scenario\": \""
             << p.scenario << "\", \"release\": " << p.release << ", \"condition\": \""
             << p.condition << "\", \"carrier_hz\": " << p.carrier_hz
             << ", \"isd_m\": " << p.isd_m << ", \"bs_height_m\": " << p.bs_height_m
             << ", \"indoor_share\": " << p.indoor_share
             << ", \"high_loss_share\": " << p.high_loss_share << ", \"penetration\": \""
             << p.penetration << "\""
             << ", \"downtilt_deg\": " << p.downtilt_deg
             << ", \"sector_element\": " << p.sector_element
             << ", \"path_loss\": " << p.path_loss << ", \"speed_mps\": " << p.speed_mps
             << ", \"slots_per_drop\": " << p.slots_per_drop
             << ", \"sample_interval_s\": " << p.sample_interval_s
             << ", \"nc\": " << grid().nc << ", \"nt\": " << grid().nt
             << ", \"spacing_hz\": " << grid().spacing_hz
             << ", \"antenna_spacing\": " << grid().antenna_spacing
             << ", \"align\": " << d_align
             << ", \"receiver_aligned\": " << d_receiver_aligned
             << ", \"normalize\": " << d_normalize << ", \"seed\": " << p.seed << "}";
        return json.str();
    }

    scenario_link link(uint64_t index) const
    {
        return d_drop.draw(moment(d_drop.parameters(), index).ue);
    }

    std::vector<scenario_path> rays_of(uint64_t index) const
    {
        std::vector<scenario_ray>& rays = borrow_rays();
        d_drop.draw(moment(d_drop.parameters(), index).ue, &rays);
        std::vector<scenario_path> found;
        for (const auto& r : rays)
            found.push_back({ r.delay_s,
                              r.ray.power,
                              r.ray.aod_deg,
                              r.ray.zod_deg,
                              r.ray.aoa_deg,
                              r.ray.zoa_deg });
        return found;
    }

protected:
    void draw(uint64_t index, std::vector<propagation_path>& paths) const override
    {
        const moment at(d_drop.parameters(), index);
        std::vector<scenario_ray>& rays = borrow_rays();
        d_drop.draw(at.ue, &rays);
        for (const auto& r : rays) {
            const panel_array::departure from =
                d_array.local(r.ray.aod_deg, r.ray.zod_deg);
            const double power =
                r.ray.power * (d_drop.parameters().sector_element
                                   ? cdl_element_power(from.aod_deg, from.zod_deg)
                                   : 1.0);
            // A vertical element of the turned array: its field theta is cos(psi), phi is
            // sin(psi).
            const std::complex<double> field =
                std::cos(from.psi) * r.ray.polarization[0] +
                std::sin(from.psi) * r.ray.polarization[1];
            paths.push_back(
                { r.delay_s,
                  std::sin(from.zod_deg * M_PI / 180) *
                      std::sin(from.aod_deg * M_PI / 180),
                  std::sqrt(power) * field * phasor(r.doppler_hz * at.time_s) });
        }
    }

private:
    const scenario_drop d_drop;
    const panel_array d_array; // for the turn of the BS array alone
    const bool d_align, d_normalize, d_receiver_aligned;
};

class scenario_panel_channel_impl : public scenario_panel_channel
{
public:
    scenario_panel_channel_impl(const scenario_parameters& p, const scenario_panel& panel)
        : d_panel(panel),
          d_drop("scenario_panel_channel", p),
          d_array(panel, p.sector_element, d_drop.parameters().downtilt_deg)
    {
    }

    const scenario_parameters& parameters() const override { return d_drop.parameters(); }
    const scenario_panel& panel() const override { return d_panel; }

    scenario_link link(uint64_t index) const override
    {
        return d_drop.draw(moment(d_drop.parameters(), index).ue);
    }

    void generate(uint64_t index, std::complex<float>* h) const override
    {
        static thread_local panel_array::workspace w;
        const moment at(d_drop.parameters(), index);
        std::vector<scenario_ray>& rays = borrow_rays();
        double bearing = 0;
        d_drop.draw(at.ue, &rays, &bearing);
        std::fill_n(h, d_array.size() * d_panel.nc, std::complex<float>());
        d_array.clear(w);
        for (size_t i = 0; i < rays.size(); i++) {
            panel_ray& ray = rays[i].ray;
            const std::complex<double> turn = phasor(rays[i].doppler_hz * at.time_s);
            for (auto& x : ray.polarization)
                x *= turn;
            ray.aoa_deg -= bearing;
            d_array.add(ray, { 0, 0 }, w);
            const double delay = rays[i].delay_s;
            if (i + 1 == rays.size() || rays[i + 1].delay_s != delay) {
                d_array.spread(w, -d_panel.spacing_hz * delay, d_panel.nc, h);
                d_array.clear(w);
            }
        }
    }

private:
    const scenario_panel d_panel;
    const scenario_drop d_drop;
    const panel_array d_array;
};

const scenario_channel_impl& scenario_of(const channel_model::sptr& model)
{
    const auto* const of = dynamic_cast<const scenario_channel_impl*>(model.get());
    if (!of)
        throw_bad("scenario_channel",
                  "model",
                  model ? model->name() : "null",
                  "one of scenario_channel");
    return *of;
}

} // namespace

channel_model::sptr scenario_channel::make(const scenario_parameters& p,
                                           const channel_grid& grid,
                                           bool align,
                                           bool normalize,
                                           bool receiver_aligned)
{
    return std::make_shared<scenario_channel_impl>(
        p, grid, align, normalize, receiver_aligned);
}

scenario_link scenario_channel::link(const channel_model::sptr& model, uint64_t index)
{
    return scenario_of(model).link(index);
}

std::vector<scenario_path> scenario_channel::rays(const channel_model::sptr& model,
                                                  uint64_t index)
{
    return scenario_of(model).rays_of(index);
}

scenario_panel_channel::sptr scenario_panel_channel::make(const scenario_parameters& p,
                                                          const scenario_panel& panel)
{
    check_panel("scenario_panel_channel", panel);
    return std::make_shared<scenario_panel_channel_impl>(p, panel);
}

} // namespace csifeedback
} // namespace gr
