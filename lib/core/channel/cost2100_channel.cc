/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/path_channel.h"
#include "channel/phasor.h"
#include "check.h"
#include "random.h"
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <boost/random/binomial_distribution.hpp>
#include <boost/random/exponential_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/poisson_distribution.hpp>
#include <boost/random/uniform_01.hpp>
#include <algorithm>
#include <cmath>
#include <sstream>

namespace gr {
namespace csifeedback {

namespace {

constexpr double speed_of_light = 3e8; // as in the public implementation
constexpr double degree = M_PI / 180;

//! X = mu * 10^(0.1 sigma z), z a standard normal.
struct lognormal {
    double mu;
    double sigma_db;
    double operator()(double z) const { return mu * std::pow(10, 0.1 * sigma_db * z); }
};

struct scenario {
    const char* name;
    double centre_hz;
    double area_m;        // side of the UE's square
    double cell_radius;   // R
    double vr_radius;     // r_c
    double vr_transition; // l_c
    double far_clusters;  // n_far: the mean of a Poisson number >= 1, or a fixed number
    bool far_clusters_random;
    double more_vrs;     // mean number of visibility regions of a cluster beyond one
    double decay_per_us; // k_tau
    double cut_off_s;    // tau_b
    bool los;
    double los_radius; // d_co and r_l together
    lognormal los_factor;
    bool bs_local_cluster;
    double single_ratio; // k_sel
    int components;      // MPCs of a cluster
    lognormal delay_spread_s, azimuth_bs_deg, elevation_bs_deg, azimuth_ms_deg,
        elevation_ms_deg;
    lognormal shadow;
    // upper triangular Cholesky factor of the correlation of delay spread, azimuth at the
    // BS and azimuth at the MS with shadow fading first: the others are uncorrelated
    double correlation[4][4];
    double link_delay_s, min_link_delay_s;
};

// Parameters of the public implementation, version 3.1; lognormal ones as it codes them.
const scenario scenarios[] = {
    { "indoor",
      5.3e9,
      20,
      30,
      2.72,
      1,
      3.8,
      true,
      4,
      16,
      0.1,
      false,
      0,
      { 0, 0 },
      true,
      0,
      3,
      { 2.9417420270727513e-9, 0.8600863483305683 },
      { 2.4961508830135313, 2.6335754178048267 },
      { 1.0606601717798212, 3.6157387350889554 },
      { 3.5777087639996634, 2.0515234312717765 },
      { 0.7071067811865476, 3.6157387350889554 },
      { 1, 0 },
      { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 }, { 0, 0, 0, 1 } },
      107e-9,
      33.6e-9 },
    { "outdoor",
      285e6,
      400,
      500,
      32.8,
      16.8,
      6,
      false,
      0,
      2.7861279625227953,
      2.4e-6,
      true,
      343,
      { 0.33884415613920255, 2.0 },
      false,
      0.1,
      27,
      { 139e-9, 3.66 },
      { 14.610423775835992, 2.43 },
      { 90.41274007164391, 0 },
      { 14.753663224618698, 2.68 },
      { 1.578, 0 },
      { 1, 2.05 },
      { { 1, 0, 0, 0 }, { 0, 1, 0.9, 0.9 }, { 0, 0.9, 1, 0.9 }, { 0, 0.9, 0.9, 1 } },
      854e-9,
      47.9e-9 },
    { "outdoor-nlos",
      285e6,
      400,
      500,
      24.5,
      12.2,
      6,
      false,
      0,
      1.6578612669557127,
      4.2e-6,
      false,
      0,
      { 0, 0 },
      false,
      0.2,
      48,
      { 317e-9, 2.5 },
      { 18.644046653556988, 2.02 },
      { 90.41274007164391, 0 },
      { 19.010739642440715, 2.03 },
      { 1.578, 0 },
      { 1, 2.27 },
      { { 1, -0.1, -0.1, -0.1 },
        { -0.1, 1, 0.9, 0.9 },
        { -0.1, 0.9, 1, 0.9 },
        { -0.1, 0.9, 0.9, 1 } },
      1.02e-6,
      52.4e-9 },
};

struct vec3 {
    double x = 0, y = 0, z = 0;
    friend vec3 operator+(vec3 a, vec3 b) { return { a.x + b.x, a.y + b.y, a.z + b.z }; }
    friend vec3 operator-(vec3 a, vec3 b) { return { a.x - b.x, a.y - b.y, a.z - b.z }; }
    friend vec3 operator*(double k, vec3 a) { return { k * a.x, k * a.y, k * a.z }; }
    double length() const { return std::sqrt(x * x + y * y + z * z); }
};

vec3 at_bearing(double distance, double bearing)
{
    return { distance * std::cos(bearing), distance * std::sin(bearing), 0 };
}

//! Sizes of a cluster.
struct spreads {
    double shadow;
    double delay_s;
    double azimuth_bs, elevation_bs, azimuth_ms, elevation_ms; // rad
};

class cost2100_channel_impl : public path_channel
{
public:
    cost2100_channel_impl(const cost2100_parameters& p, const scenario& s)
        : path_channel(
              "cost2100_channel", p.grid, p.align, p.normalize, p.receiver_aligned),
          d_p(p),
          d_s(s),
          d_area(p.area_m > 0 ? p.area_m : s.area_m)
    {
        // Cholesky factor: row vector of independent normals times it.
        for (int i = 0; i < 4; i++)
            for (int j = i; j < 4; j++) {
                double sum = s.correlation[i][j];
                for (int k = 0; k < i; k++)
                    sum -= d_factor[k][i] * d_factor[k][j];
                d_factor[i][j] = i == j ? std::sqrt(sum) : sum / d_factor[i][i];
            }
    }

    std::string name() const override { return std::string("cost2100-") + d_s.name; }
    double sample_interval_s() const override
    {
        return d_p.slots_per_drop > 1 ? d_p.sample_interval_s : 0;
    }
    std::string parameters() const override
    {
        std::ostringstream json;
        json.precision(17);
        json << "{\"model\": \"COST 2100\", \"scenario\": \"" << d_s.name
             << "\", \"carrier_hz\": " << d_s.centre_hz << ", \"area_m\": " << d_area
             << ", \"nc\": " << d_p.grid.nc << ", \"nt\": " << d_p.grid.nt
             << ", \"spacing_hz\": " << d_p.grid.spacing_hz
             << ", \"antenna_spacing\": " << d_p.grid.antenna_spacing
             << ", \"slots_per_drop\": " << d_p.slots_per_drop
             << ", \"sample_interval_s\": " << d_p.sample_interval_s
             << ", \"speed_mps\": " << d_p.speed_mps
             << ", \"align\": " << (d_p.align ? "true" : "false")
             << ", \"receiver_aligned\": " << (d_p.receiver_aligned ? "true" : "false")
             << ", \"normalize\": " << (d_p.normalize ? "true" : "false")
             << ", \"seed\": " << d_p.seed << "}";
        return json.str();
    }

protected:
    void draw(uint64_t index, std::vector<propagation_path>& paths) const override
    {
        const uint64_t drop = index / d_p.slots_per_drop;
        const double time = index % d_p.slots_per_drop * d_p.sample_interval_s;
        random_engine engine = make_engine(d_p.seed, drop);
        // The public model's drops without an active cluster are drawn again.
        while (!draw_drop(engine, time, paths))
            paths.clear();
    }

private:
    using normal = boost::random::normal_distribution<double>;

    static double uniform(random_engine& engine)
    {
        return boost::random::uniform_01<double>()(engine);
    }

    // All that does not depend on the time is drawn in the same order for every slot of a
    // drop: nothing may be drawn that depends on where the UE is.
    bool draw_drop(random_engine& engine,
                   double time,
                   std::vector<propagation_path>& paths) const
    {
        const vec3 start = { d_area * (uniform(engine) - 0.5),
                             d_area * (uniform(engine) - 0.5),
                             0 };
        const double heading = 2 * M_PI * uniform(engine);
        const double track =
            d_p.slots_per_drop > 1
                ? d_p.speed_mps * d_p.sample_interval_s * (d_p.slots_per_drop - 1)
                : 0;
        const vec3 middle = start + at_bearing(track / 2, heading);
        const vec3 ue = start + at_bearing(d_p.speed_mps * time, heading);
        const double los_delay = ue.length() / speed_of_light;

        // Visibility regions that act somewhere on the track.
        const double reach = d_s.vr_radius + track / 2;
        double far = d_s.far_clusters;
        if (d_s.far_clusters_random)
            far = std::max(1,
                           boost::random::poisson_distribution<int, double>(far)(engine));
        const double edge = d_s.vr_radius - d_s.vr_transition;
        const int total =
            std::lround(far * d_s.cell_radius * d_s.cell_radius / (edge * edge));
        const double share =
            std::min(1.0, reach * reach / (d_s.cell_radius * d_s.cell_radius));
        int unassigned =
            boost::random::binomial_distribution<int, double>(total, share)(engine);
        const int near = unassigned;

        bool active = false;
        int others = total - near;
        while (unassigned > 0) {
            // A cluster that owns one of the regions not assigned yet: found in
            // proportion to the number that it owns.
            unassigned--;
            int owned_near = 1, owned_far = 0;
            if (d_s.more_vrs > 0) {
                const int more = size_biased_extra(engine);
                for (int i = 0; i < more; i++) {
                    if (uniform(engine) * (unassigned + others) < unassigned) {
                        unassigned--;
                        owned_near++;
                    } else if (others > 0) {
                        others--;
                        owned_far++;
                    }
                }
            }
            double gain = 0;
            const int reference = std::min<int>(
                uniform(engine) * (owned_near + owned_far), owned_near + owned_far - 1);
            vec3 reference_vr = in_disc(engine, d_s.cell_radius);
            for (int i = 0; i < owned_near; i++) {
                const vec3 vr = middle + in_disc(engine, reach);
                if (i == reference)
                    reference_vr = vr;
                const double distance = (vr - ue).length();
                if (distance < d_s.vr_radius)
                    gain = std::max(gain, vr_gain(distance));
            }
            active = active || gain > 0;
            far_cluster(engine, reference_vr, gain, ue, los_delay, paths);
        }
        // Whether a drop is drawn again must not depend on the slot.
        if (d_p.slots_per_drop == 1 ? !active : near == 0)
            return false;

        local_cluster(engine, ue, ue, paths);
        if (d_s.bs_local_cluster)
            local_cluster(engine, { 0, 0, 0 }, ue, paths);
        if (d_s.los) {
            const double z = normal()(engine);
            if (ue.length() <= d_s.los_radius) {
                double power = 0;
                for (const auto& p : paths)
                    power += std::norm(p.gain);
                const double los = std::pow(10, 0.1 * d_s.los_factor.sigma_db * z) *
                                   d_s.los_factor.mu * power;
                add(paths, ue, los_delay, std::sqrt(los));
            }
        }
        return true;
    }

    vec3 in_disc(random_engine& engine, double radius) const
    {
        const double r = radius * std::sqrt(uniform(engine));
        return at_bearing(r, 2 * M_PI * uniform(engine));
    }

    // Regions beyond the first of a cluster that is picked in proportion to 1 + Poisson.
    int size_biased_extra(random_engine& engine) const
    {
        // P(extra = k) ~ (1 + k) Poisson(k): with probability 1 / (1 + mean) Poisson
        // itself, otherwise Poisson shifted by one.
        const int shifted = uniform(engine) * (1 + d_s.more_vrs) < 1 ? 0 : 1;
        return shifted +
               boost::random::poisson_distribution<int, double>(d_s.more_vrs)(engine);
    }

    double vr_gain(double distance) const
    {
        const double wavelength = speed_of_light / d_s.centre_hz;
        return 0.5 -
               std::atan(2 * M_SQRT2 * (distance - (d_s.vr_radius - d_s.vr_transition)) /
                         std::sqrt(wavelength * d_s.vr_transition)) /
                   M_PI;
    }

    spreads draw_spreads(random_engine& engine) const
    {
        normal standard;
        // Order of the public model: shadow, delay, elevation and azimuth at the BS,
        // elevation and azimuth at the MS; the elevations are uncorrelated.
        const double shadow = standard(engine), delay = standard(engine),
                     elevation_bs = standard(engine), azimuth_bs = standard(engine),
                     elevation_ms = standard(engine), azimuth_ms = standard(engine);
        const double z[4] = { shadow, delay, azimuth_bs, azimuth_ms };
        double x[4] = {};
        for (int j = 0; j < 4; j++)
            for (int i = 0; i <= j; i++)
                x[j] += z[i] * d_factor[i][j];
        return { d_s.shadow(x[0]),
                 d_s.delay_spread_s(x[1]),
                 d_s.azimuth_bs_deg(x[2]) * degree,
                 d_s.elevation_bs_deg(elevation_bs) * degree,
                 d_s.azimuth_ms_deg(x[3]) * degree,
                 d_s.elevation_ms_deg(elevation_ms) * degree };
    }

    void far_cluster(random_engine& engine,
                     vec3 vr,
                     double gain,
                     vec3 ue,
                     double los_delay,
                     std::vector<propagation_path>& paths) const
    {
        const spreads s = draw_spreads(engine);
        const bool single = uniform(engine) < d_s.single_ratio;
        // The 43 degrees are a one-sided mean of the measurements; the model keeps it so.
        normal turn(43 * degree, 39 * degree);
        const double bearing = std::atan2(vr.y, vr.x);
        const double bearing_bs = bearing + turn(engine),
                     bearing_ms = bearing + turn(engine);
        const double distance_bs = d_s.cell_radius * uniform(engine);
        boost::random::exponential_distribution<double> link(1 / d_s.link_delay_s);
        double link_delay;
        do
            link_delay = link(engine);
        while (link_delay < d_s.min_link_delay_s);

        const vec3 at_bs = at_bearing(distance_bs, bearing_bs);
        const double distance_ms =
            distance_bs * std::tan(s.azimuth_bs / 2) / std::tan(s.azimuth_ms / 2);
        const vec3 at_ms = single ? at_bs : vr + at_bearing(distance_ms, bearing_ms);
        if (single)
            link_delay = 0;

        const double delay =
            (at_bs.length() + (at_ms - ue).length()) / speed_of_light + link_delay;
        const double attenuation =
            std::max(std::exp(-d_s.decay_per_us * (delay - los_delay) * 1e6),
                     std::exp(-d_s.decay_per_us * (d_s.cut_off_s - los_delay) * 1e6));
        const double amplitude = gain * std::sqrt(attenuation * s.shadow);

        const double depth = speed_of_light * s.delay_s / 2 / 3;
        const double across_bs = distance_bs * std::tan(s.azimuth_bs / 2) / 3,
                     height_bs = distance_bs * std::tan(s.elevation_bs / 2) / 3;
        const double across_ms = distance_ms * std::tan(s.azimuth_ms / 2) / 3,
                     height_ms = distance_ms * std::tan(s.elevation_ms / 2) / 3;
        const turned axes_bs(bearing_bs),
            axes_ms(std::atan2(at_ms.y - vr.y, at_ms.x - vr.x));

        normal standard;
        const size_t first = paths.size();
        double power = 0;
        for (int i = 0; i < d_s.components; i++) {
            const double a = standard(engine), b = standard(engine), h = standard(engine);
            const std::complex<double> mpc(standard(engine), standard(engine));
            power += std::norm(mpc);
            if (gain == 0)
                continue;
            const vec3 from = at_bs + axes_bs(depth * a, across_bs * b, height_bs * h);
            const vec3 to =
                single ? from : at_ms + axes_ms(depth * a, across_ms * b, height_ms * h);
            add(paths,
                from,
                (from.length() + (to - ue).length()) / speed_of_light + link_delay,
                amplitude * mpc);
        }
        for (size_t i = first; i < paths.size(); i++)
            paths[i].gain /= std::sqrt(power);
    }

    void local_cluster(random_engine& engine,
                       vec3 centre,
                       vec3 ue,
                       std::vector<propagation_path>& paths) const
    {
        const spreads s = draw_spreads(engine);
        const double depth = speed_of_light * s.delay_s / 2 / 3;
        normal standard;
        const size_t first = paths.size();
        double power = 0;
        for (int i = 0; i < d_s.components; i++) {
            const double a = standard(engine), b = standard(engine), h = standard(engine);
            const std::complex<double> mpc(standard(engine), standard(engine));
            power += std::norm(mpc);
            const vec3 at = centre + vec3{ depth * a, depth * b, depth / 20 * h };
            add(paths,
                at,
                (at.length() + (at - ue).length()) / speed_of_light,
                std::sqrt(s.shadow) * mpc);
        }
        for (size_t i = first; i < paths.size(); i++)
            paths[i].gain /= std::sqrt(power);
    }

    //! The axes of an ellipsoid that points along a bearing.
    struct turned {
        explicit turned(double bearing) : c(std::cos(bearing)), s(std::sin(bearing)) {}
        vec3 operator()(double along, double across, double up) const
        {
            return { c * along - s * across, s * along + c * across, up };
        }
        double c, s;
    };

    // A wave that leaves the BS towards a point, with the carrier's phase at its delay.
    void add(std::vector<propagation_path>& paths,
             vec3 towards,
             double delay,
             std::complex<double> gain) const
    {
        const double plane = std::sqrt(towards.x * towards.x + towards.y * towards.y);
        paths.push_back({ delay,
                          plane > 0 ? towards.x / plane : 0,
                          gain * phasor(-d_s.centre_hz * delay) });
    }

    const cost2100_parameters d_p;
    const scenario& d_s;
    const double d_area;
    double d_factor[4][4] = {};
};

} // namespace

channel_model::sptr cost2100_channel::make(const cost2100_parameters& p)
{
    const char* where = "cost2100_channel";
    const scenario* found = nullptr;
    for (const auto& s : scenarios)
        if (p.scenario == s.name)
            found = &s;
    if (!found)
        throw_bad(where, "scenario", p.scenario, "indoor, outdoor, outdoor-nlos");
    // Beyond that the visibility regions would not surround the UE any more.
    const double largest = M_SQRT2 * (found->cell_radius - found->vr_radius);
    check_range(where, "area_m", p.area_m, 0.0, largest);
    check_range(where, "slots_per_drop", p.slots_per_drop, 1, 1 << 30);
    if (!(p.sample_interval_s > 0 && p.sample_interval_s <= 1e6))
        throw_bad(
            where, "sample_interval_s", p.sample_interval_s, "above 0, at most 1e6");
    check_range(where, "speed_mps", p.speed_mps, 0.0, 1e4);
    return std::make_shared<cost2100_channel_impl>(p, *found);
}

} // namespace csifeedback
} // namespace gr
