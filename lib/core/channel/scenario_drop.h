/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SCENARIO_DROP_H
#define INCLUDED_CSIFEEDBACK_SCENARIO_DROP_H

#include "channel/panel_array.h"
#include "channel/scenario_tables.h"
#include <gnuradio/csifeedback/scenario_channel.h>
#include <vector>

namespace gr {
namespace csifeedback {

//! A ray of step 11. Those of one delay follow each other.
struct scenario_ray {
    panel_ray ray; // of the coordinates of the cell
    double delay_s;
    double doppler_hz;
};

//! UEs of a scenario: a pure function of (seed, number of the UE).
class scenario_drop
{
public:
    //! \throws std::invalid_argument, naming `where`, if a parameter is out of range
    scenario_drop(const char* where, const scenario_parameters& p);

    //! The parameters, with the scenario's own where none were given.
    const scenario_parameters& parameters() const { return d_p; }

    /*!
     * \brief Draws a UE.
     * \param ue   its number
     * \param rays output, may be null
     * \param bearing_deg output, may be null: of the UE's array
     */
    scenario_link draw(uint64_t ue,
                       std::vector<scenario_ray>* rays = nullptr,
                       double* bearing_deg = nullptr) const;

private:
    //! A normal random map with an exponential autocorrelation over the distance.
    struct map {
        std::vector<double> x, y, phase; // turns per m, turns
        double at(double x_m, double y_m) const;
    };

    void draw_place(random_engine& engine, scenario_link& link) const;

    scenario_parameters d_p;
    scenario_kind d_kind;
    const scenario_layout* d_layout;
    const scenario_table* d_table;
    double d_ghz;
    map d_maps[3][lsp_count];
    double d_root[3][lsp_count][lsp_count]; // of the correlation matrix, lower triangle
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SCENARIO_DROP_H */
