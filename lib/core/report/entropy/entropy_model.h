/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ENTROPY_MODEL_H
#define INCLUDED_CSIFEEDBACK_ENTROPY_MODEL_H

#include "report/range_coder.h"
#include <gnuradio/csifeedback/model_file.h>
#include <cstdint>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Tables of entropy-coded coefficients, of the group `entropy` of a model file.
 *
 * The expected standard deviation of a coefficient is a level, in eighths of an octave
 * above `unit`. Levels and frequencies are whole numbers, so that both ends come to the
 * same tables without floating point numbers.
 */
class entropy_model
{
public:
    //! Tables of steps, by the size of the report in half octaves.
    static constexpr int sizes = 18;
    //! Steps of the quantizer, a fourth of an octave apart.
    static constexpr int steps = 64;
    //! Sets of tables of magnitudes, by the size of the report.
    static constexpr int rates = 3;
    //! Classes of coefficients: half octaves of their expected size in steps.
    static constexpr int classes = 28;
    //! Tables of a class, by the magnitudes around.
    static constexpr int contexts = 8;
    //! Magnitudes with a frequency; the last one stands for all from it on.
    static constexpr int symbols = 12;
    //! Points of reconstruction of a class: of magnitudes 1, 2, and 3 and on.
    static constexpr int shifts = 3;
    //! Largest sum of weighted magnitudes around a value.
    static constexpr int max_around = 80;
    //! Class of coefficients that are as large as a step.
    static constexpr int unit_class = 10;

    //! \throws std::invalid_argument if an array of the model is missing or bad
    entropy_model(const char* where, const model_file& model);
    //! Whether a model has such tables.
    static bool is_in(const model_file& model);
    //! Levels of the model: an array of this shape.
    static std::vector<int> levels(const char* where,
                                   const model_file& model,
                                   const std::string& name,
                                   const std::vector<size_t>& shape);

    //! Which table of steps goes with a report of so many bits.
    static int size_class(int bits);
    //! Which set of tables of magnitudes.
    static int rate(int size_class);
    //! Fewest bits of a report, not below `bits`, that has the same tables as one of
    //! `budget` bits; bits <= budget.
    static int shortest(int bits, int budget);
    //! Class of a coefficient of this level, negative: it is not sent.
    static int coefficient_class(int level, int step)
    {
        const int c = (level + 2 * step + 26) >> 2;
        return c < classes ? c : classes - 1;
    }
    //! Low bits of the magnitudes of a class, which are equally likely.
    static int low_bits(int c)
    {
        const int bits = ((c - unit_class) >> 1) - 1;
        return bits > 0 ? bits : 0;
    }
    //! Context of a sum of weighted magnitudes around a value, 0 to max_around.
    static int context(int around) { return context_table()[around]; }

    //! Step of the quantizer in the scale of the coefficients.
    float step(int index) const;
    const frequency_table& step_table(int size_class) const
    {
        return d_steps[size_class];
    }
    //! Tables of the contexts of a class.
    const frequency_table* magnitudes(int rate, int c) const
    {
        return &d_magnitudes[(rate * classes + c) * contexts];
    }
    //! Bits of the symbols of these tables.
    const float* costs(int rate) const
    {
        return &d_costs[rate * classes * contexts * symbols];
    }
    //! How much the expected magnitude is below a magnitude, shifts values.
    const float* shift(int c) const { return &d_shift[c * shifts]; }
    //! A number that differs, but by chance, between tables.
    uint16_t id() const { return d_id; }

private:
    float d_unit;
    std::vector<frequency_table> d_steps, d_magnitudes;
    std::vector<float> d_costs, d_shift;
    uint16_t d_id = 0;

    static const uint8_t* context_table();
};

//! Frequency tables of an array of this shape, one for each row.
std::vector<frequency_table> frequency_tables(const model_file& model,
                                              const std::string& name,
                                              const std::vector<size_t>& shape);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ENTROPY_MODEL_H */
