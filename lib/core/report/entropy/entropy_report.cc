/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "report/entropy/coefficient_basis.h"
#include "report/entropy/coefficient_coder.h"
#include <gnuradio/csifeedback/entropy_report.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

constexpr int min_report = 16, max_report = 8192;
// What a bit is worth in squared steps; where the error is least in the end.
constexpr float usual_mu = 0.12f, least_mu = 0.02f, most_mu = 0.6f;
// Patches that are tried, and pairs of them whose steps are chosen before one is taken.
struct search {
    int rows, columns, finalists;
};
constexpr search usual_search = { 4, 6, 1 }, wide_search = { 8, 16, 4 };
// Matrices of up to so many entries are cheap to try, and have few bits: there the patches say much.
constexpr int wide_entries = 512;

const search& search_of(const coefficient_basis& basis)
{
    return basis.rows() * basis.columns() <= wide_entries ? wide_search : usual_search;
}

codec_info info_of(const coefficient_basis& basis,
                   const model_file& model,
                   const entropy_model& tables)
{
    codec_info info = basis.info();
    info.name = model.codec();
    info.model_id = model.model_id() ^ tables.id();
    info.code_size = 0;
    return info;
}

// The beginning of a report.
void encode_head(range_encoder& coder,
                 const entropy_model& tables,
                 const coefficient_basis& basis,
                 int size_class,
                 int step,
                 const patch_pair& p)
{
    tables.step_table(size_class).encode(coder, step);
    if (basis.row_patches())
        basis.row_patches()->encode(coder, p.row);
    if (basis.column_patches())
        basis.column_patches()->encode(coder, p.column);
}

float bits_of(const frequency_table* table, int symbol)
{
    return table ? std::log2(float(table->total()) / table->count(symbol)) : 0;
}

class encoder_impl : public entropy_report_encoder
{
public:
    encoder_impl(const model_file& model,
                 std::unique_ptr<coefficient_basis> basis,
                 std::shared_ptr<const entropy_model> tables)
        : entropy_report_encoder(info_of(*basis, model, *tables), min_report, max_report),
          d_basis(std::move(basis)),
          d_tables(std::move(tables)),
          d_coder(d_tables, d_basis->rows(), d_basis->columns()),
          d_re(d_basis->rows() * d_basis->stride(), 0.0f),
          d_im(d_re.size(), 0.0f),
          d_search(search_of(*d_basis)),
          d_rows(d_search.rows),
          d_columns(d_search.columns)
    {
        d_best.reserve(d_search.finalists + 1);
    }

    operations operations_so_far() override
    {
        const auto locked = lock();
        return { d_basis->operations(), d_coder.operations() };
    }

    void count(const float* h_vec, int budget, counts& all) override
    {
        check_range("entropy_report_encoder", "budget", budget, min_report, max_report);
        std::vector<uint8_t> bits((budget + 7) / 8);
        const auto locked = lock();
        do_encode(h_vec, bits.data(), budget);
        if (d_step < 0)
            return;
        const auto add = [](std::vector<double>& to, size_t size, size_t at, double x) {
            to.resize(size);
            to[at] += x;
        };
        using t = entropy_model;
        const int size_class = t::size_class(budget);
        add(all.steps, t::sizes * t::steps, size_class * t::steps + d_step, 1);
        if (d_basis->row_patches())
            add(all.rows, d_basis->row_patches()->size(), d_patches.row, 1);
        if (d_basis->column_patches())
            add(all.columns, d_basis->column_patches()->size(), d_patches.column, 1);
        d_coder.visit(
            grid(),
            d_basis->row_level(d_patches),
            d_basis->column_level(d_patches),
            d_step,
            [&](const coefficient_coder::symbol& s) {
                const int high = s.magnitude >> t::low_bits(s.c);
                add(all.magnitudes,
                    t::rates * t::classes * t::contexts * t::symbols,
                    ((t::rate(size_class) * t::classes + s.c) * t::contexts + s.context) *
                            t::symbols +
                        std::min(high, t::symbols - 1),
                    1);
                if (!s.magnitude)
                    return;
                const size_t at = s.c * t::shifts + std::min(s.magnitude, t::shifts) - 1;
                add(all.often, t::classes * t::shifts, at, 1);
                add(all.below, t::classes * t::shifts, at, s.magnitude - s.value);
            });
    }

protected:
    result do_encode(const float* h_vec, uint8_t* bits, int budget) override
    {
        d_size_class = entropy_model::size_class(budget);
        d_rate = entropy_model::rate(d_size_class);
        d_basis->start(h_vec);
        d_basis->rank(d_rate, d_rows, d_columns);
        take({ d_rows[0], d_columns[0] });
        d_step = first_step(budget);
        if (d_rows.size() * d_columns.size() > 1)
            choose_patches(budget);
        else
            choose_step(budget);
        result r;
        r.bits = min_report;
        for (; d_step >= 0; d_step--, d_mu = usual_mu)
            for (int attempt = 0; attempt < 8; attempt++, d_mu = 1.05f * d_mu + 1e-3f) {
                d_coder.quantize(
                    grid(), row_level(), column_level(), d_step, d_rate, d_mu);
                std::fill_n(bits, (budget + 7) / 8, 0);
                range_encoder coder(bits, (budget + 7) / 8);
                encode_head(coder, *d_tables, *d_basis, d_size_class, d_step, d_patches);
                d_coder.encode(coder, row_level(), column_level(), d_step, d_rate);
                if (coder.bits() > budget)
                    continue;
                r.bits =
                    entropy_model::shortest(std::max(coder.finish(), min_report), budget);
                return r;
            }
        // Zeros decode to nothing.
        std::fill_n(bits, (budget + 7) / 8, 0);
        r.bits = entropy_model::shortest(min_report, budget);
        return r;
    }

private:
    const std::unique_ptr<coefficient_basis> d_basis;
    const std::shared_ptr<const entropy_model> d_tables;
    coefficient_coder d_coder;
    volk::vector<float> d_re, d_im;
    const search& d_search;
    std::vector<int> d_rows, d_columns; // patches to try
    struct candidate {
        double worth;
        patch_pair patches;
    };
    std::vector<candidate> d_best; // the best one first
    // Of the report.
    int d_size_class = 0, d_rate = 0, d_step = 0;
    float d_mu = usual_mu;
    patch_pair d_patches;

    coefficient_grid grid() const
    {
        return { d_re.data(), d_im.data(), d_basis->stride() };
    }
    const int* row_level() const { return d_basis->row_level(d_patches); }
    const int* column_level() const { return d_basis->column_level(d_patches); }

    void take(const patch_pair& p)
    {
        d_patches = p;
        d_basis->transform(p, d_re.data(), d_im.data());
    }

    float head_bits(int step) const
    {
        return bits_of(&d_tables->step_table(d_size_class), step) +
               bits_of(d_basis->row_patches(), d_patches.row) +
               bits_of(d_basis->column_patches(), d_patches.column);
    }

    coefficient_coder::outcome attempt(int step, float mu)
    {
        auto r = d_coder.quantize(grid(), row_level(), column_level(), step, d_rate, mu);
        r.bits += head_bits(step);
        return r;
    }

    // The finest step that fits with the usual worth of a bit.
    int first_step(int budget)
    {
        int low = 0, high = entropy_model::steps;
        while (high - low > 1) {
            const int middle = (low + high) / 2;
            (attempt(middle, usual_mu).bits <= budget ? low : high) = middle;
        }
        return low;
    }

    // Of the most likely patches those of least error and bits with this step, then of the best ones those
    // of least error within the budget.
    void choose_patches(int budget)
    {
        d_best.clear();
        const auto consider = [&](const patch_pair& p) {
            take(p);
            const double now = worth();
            const auto at =
                std::find_if(d_best.begin(), d_best.end(), [&](const candidate& c) {
                    return c.worth < now;
                });
            d_best.insert(at, { now, p });
            if (d_best.size() > size_t(d_search.finalists))
                d_best.pop_back();
        };
        consider(d_patches);
        for (size_t i = 1; i < d_rows.size(); i++)
            consider({ d_rows[i], d_columns[0] });
        const int row = d_best[0].patches.row;
        for (size_t i = 1; i < d_columns.size(); i++)
            consider({ row, d_columns[i] });
        const int column = d_best[0].patches.column;
        if (d_search.finalists > 1 && column != d_columns[0])
            for (int r : d_rows)
                if (r != row)
                    consider({ r, column });
        size_t best = 0;
        double most = -1;
        int step = -1;
        float mu = usual_mu;
        for (size_t i = 0; i < d_best.size(); i++) {
            take(d_best[i].patches);
            const double gain = choose_step(budget);
            if (gain > most) {
                best = i;
                most = gain;
                step = d_step;
                mu = d_mu;
            }
        }
        if (best + 1 < d_best.size())
            take(d_best[best].patches);
        d_step = step;
        d_mu = mu;
    }

    double worth()
    {
        const auto r = attempt(d_step, usual_mu);
        return r.gain - usual_mu * r.bits;
    }

    // The step and the worth of a bit of least error, and by how much it is less than that of nothing; -1:
    // none fits.
    double choose_step(int budget)
    {
        const int start = first_step(budget);
        double most = -1;
        int best = -1;
        float best_mu = usual_mu;
        const auto consider = [&](int step) {
            const double unit = double(d_tables->step(step)) * d_tables->step(step);
            float low = least_mu, high = most_mu, mu = low;
            auto r = attempt(step, low);
            if (r.bits > budget) {
                mu = high;
                r = attempt(step, high);
                if (r.bits > budget)
                    return false;
                for (int i = 0; i < 5; i++) {
                    const float middle = std::sqrt(low * high);
                    const auto m = attempt(step, middle);
                    if (m.bits <= budget) {
                        high = mu = middle;
                        r = m;
                    } else {
                        low = middle;
                    }
                }
            }
            if (!(r.gain * unit > most))
                return false;
            most = r.gain * unit;
            best = step;
            best_mu = mu;
            return true;
        };
        consider(start);
        int step = start + 1;
        while (step < entropy_model::steps && consider(step))
            step++;
        step = start - 1;
        while (step >= 0 && (consider(step) || best < 0))
            step--;
        d_step = best;
        d_mu = best_mu;
        return most;
    }
};

class decoder_impl : public entropy_report_decoder
{
public:
    decoder_impl(const model_file& model,
                 std::unique_ptr<coefficient_basis> basis,
                 std::shared_ptr<const entropy_model> tables)
        : entropy_report_decoder(info_of(*basis, model, *tables), max_report),
          d_basis(std::move(basis)),
          d_tables(std::move(tables)),
          d_coder(d_tables, d_basis->rows(), d_basis->columns()),
          d_re(d_basis->rows() * d_basis->stride(), 0.0f),
          d_im(d_re.size(), 0.0f)
    {
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        range_decoder coder(bits, count);
        const int size_class = entropy_model::size_class(count);
        const int step = d_tables->step_table(size_class).decode(coder);
        patch_pair p;
        if (d_basis->row_patches())
            p.row = d_basis->row_patches()->decode(coder);
        if (d_basis->column_patches())
            p.column = d_basis->column_patches()->decode(coder);
        d_coder.decode(coder,
                       d_basis->row_level(p),
                       d_basis->column_level(p),
                       step,
                       entropy_model::rate(size_class),
                       d_re.data(),
                       d_im.data(),
                       d_basis->stride());
        d_basis->invert(p, d_re.data(), d_im.data(), h_vec);
    }

private:
    const std::unique_ptr<coefficient_basis> d_basis;
    const std::shared_ptr<const entropy_model> d_tables;
    coefficient_coder d_coder;
    volk::vector<float> d_re, d_im;
};

} // namespace

entropy_report_encoder::sptr entropy_report_encoder::make(model_file::sptr model,
                                                          int code_size)
{
    const char* where = "entropy_report_encoder";
    not_null(where, "model", model);
    auto tables = std::make_shared<const entropy_model>(where, *model);
    return std::make_shared<encoder_impl>(
        *model, coefficient_basis::forward(where, model, code_size), std::move(tables));
}

std::vector<std::pair<std::string, int>> entropy_report_encoder::table_sizes()
{
    return { { "sizes", entropy_model::sizes },
             { "steps", entropy_model::steps },
             { "rates", entropy_model::rates },
             { "classes", entropy_model::classes },
             { "contexts", entropy_model::contexts },
             { "symbols", entropy_model::symbols },
             { "shifts", entropy_model::shifts },
             { "unit_class", entropy_model::unit_class } };
}

entropy_report_decoder::sptr entropy_report_decoder::make(model_file::sptr model,
                                                          int code_size,
                                                          const std::string& method)
{
    const char* where = "entropy_report_decoder";
    not_null(where, "model", model);
    auto tables = std::make_shared<const entropy_model>(where, *model);
    return std::make_shared<decoder_impl>(
        *model,
        coefficient_basis::backward(where, model, code_size, method),
        std::move(tables));
}

} // namespace csifeedback
} // namespace gr
