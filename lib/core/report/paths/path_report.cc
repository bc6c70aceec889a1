/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "report/paths/path_geometry.h"
#include "report/paths/path_quantizer.h"
#include "report/paths/path_search.h"
#include "report/paths/path_sum.h"
#include <gnuradio/csifeedback/path_report.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

namespace {

constexpr int min_report = 16, max_report = 4096;
// Most atoms of a matrix: those of noise take some 13 bits each.
constexpr int max_atoms = 400;

class path_report_encoder_impl : public path_report_encoder
{
public:
    //! decoder: of whole matrices, else null
    path_report_encoder_impl(path_geometry g,
                             double snr_db,
                             bool fast,
                             path_report_decoder::sptr decoder)
        : path_report_encoder(g.info, min_report, max_report),
          d_fast(fast),
          d_g(std::move(g)),
          d_search(d_g.rows, d_g.columns, std::min(max_atoms, d_g.size())),
          d_quantizer(d_g.rows, d_g.columns, d_g.model, std::min(max_atoms, d_g.size())),
          d_h(d_g.rows->size() * d_g.width(), 0.0f),
          d_cell_bits(0.8f * std::log2(float(d_g.model->cell_rows() * d_g.info.nt))),
          d_decoder(std::move(decoder)),
          d_found(d_decoder ? 2 * size_t(d_g.info.rows) * d_g.info.nt : 0)
    {
        // The largest power of noise at any position, which is that of some four samples
        // a cell, but once in twenty matrices.
        if (snr_db < 100)
            d_min_power = std::pow(10.0f, -0.1f * float(snr_db)) *
                          (std::log(4.0f * d_g.size()) + 3);
        for (auto& bits : d_bits)
            bits.resize(max_report / 8);
    }

    operations operations_so_far() override
    {
        const auto locked = lock();
        return d_operations;
    }

protected:
    result do_encode(const float* h_vec, uint8_t* bits, int budget) override
    {
        d_g.load(h_vec, d_h.data());
        result r;
        r.bits = make_report(bits, budget);
        // Most of the energy beyond the window: paths that fit within it may add more
        // outside of it than they explain.
        while (d_decoder && d_quantizer.total() < safe_share * d_g.norm * d_g.norm &&
               d_best_step >= 0 && !is_better_than_none(h_vec, bits, r.bits)) {
            budget = std::max(budget / 2, min_report);
            if (r.bits == min_report)
                d_best_step = -1;
            std::fill_n(bits, (r.bits + 7) / 8, 0);
            r.bits = d_best_step < 0 ? min_report : make_report(bits, budget);
        }
        return r;
    }

private:
    // Of the energy of H in the window: with more, no report is worse than none.
    static constexpr double safe_share = 0.9;
    // From one trial of the fast encoder to the next, and atoms from the same
    // correlations.
    static constexpr int fast_step = 2, fast_peaks = 4;
    // Energy in squared steps of an atom that is just worth its bits.
    static constexpr float min_power = 2.2f;
    // With more bits left, the report is made shorter.
    static constexpr int spare_bits = 10;

    const bool d_fast;
    path_geometry d_g;
    path_search d_search;
    path_quantizer d_quantizer;
    volk::vector<float> d_h;
    const float d_cell_bits;
    float d_min_power = 0;
    std::vector<uint8_t> d_bits[3]; // the best one so far, and two more
    path_quantizer::result d_best;
    int d_best_step = -1;
    std::vector<uint8_t> d_best_atoms;
    operations d_operations;
    // Of whole matrices, what the BS makes of a report.
    const path_report_decoder::sptr d_decoder;
    std::vector<float> d_found;

    // A report of the matrix that was loaded; returns its bits.
    int make_report(uint8_t* bits, int budget)
    {
        // Many paths close together: single precision tells less of them apart than of few, so
        // where bits are left, half as many may bring more.
        constexpr int many_bits = 1024;
        constexpr double fine = 2e-6;
        const int used = search_and_code(bits, budget);
        const auto first = d_best;
        const int first_step = d_best_step;
        if (budget < many_bits || first.bits + spare_bits >= budget || d_best_step < 0 ||
            d_min_power > 0 ||
            d_quantizer.total() - first.energy < fine * d_quantizer.total())
            return used;
        std::fill(d_bits[2].begin(), d_bits[2].end(), 0);
        const int other = search_and_code(d_bits[2].data(), budget / 2);
        if (d_best.energy <= first.energy) {
            d_best_step = first_step;
            return used;
        }
        std::fill_n(bits, (used + 7) / 8, 0);
        std::copy_n(d_bits[2].begin(), (other + 7) / 8, bits);
        return other;
    }

    int search_and_code(uint8_t* bits, int budget)
    {
        const int guess = search(budget);
        // Small reports differ by chance.
        const bool is_small = budget < 200;
        d_best = {};
        d_best_step = -1;
        start_quantizer();
        if (d_fast) {
            run(guess, budget);
            if (run(guess + fast_step, budget) != trial::better) {
                int step = guess - fast_step;
                while (run(step, budget) != trial::worse)
                    step -= fast_step;
            }
            climb(guess - fast_step, -1, 0, budget);
            climb(guess, 1, 0, budget);
        } else {
            climb_both(guess, is_small ? 3 : 1, budget);
            // Positions were refined with paths that found no room. Once more without
            // them, unless there is room for more.
            for (int i = 0; i < (is_small ? 2 : 1) && d_best_step >= 0 &&
                            d_best.bits + spare_bits >= budget;
                 i++) {
                const double before = d_best.energy;
                count_quantizer();
                search_again();
                start_quantizer();
                climb_both(d_best_step, is_small ? 2 : 1, budget);
                if (!(d_best.energy > before))
                    break;
            }
        }
        const int used = finish(bits, budget);
        count_quantizer();
        d_operations.search += d_search.operations();
        return used;
    }

    void start_quantizer()
    {
        int atoms = d_search.size();
        // The search ends with one that may be noise.
        while (atoms && d_search.atoms()[atoms - 1].energy() < d_min_power)
            atoms--;
        d_quantizer.start(d_h.data(), d_search.atoms(), atoms);
    }

    void count_quantizer()
    {
        d_operations.quantization += d_quantizer.operations();
        d_operations.coding += d_quantizer.coder_operations();
    }

    // Refines the atoms of the best report alone, and finds some others.
    void search_again()
    {
        constexpr int others = 4, rounds = 3;
        d_search.keep(d_h.data(), d_best_atoms);
        for (int i = 0; i < rounds; i++)
            d_search.refine(d_search.size());
        for (int i = 0; i < others && d_search.add(); i++) {
            if (d_search.atoms()[d_search.size() - 1].energy() < d_min_power)
                break;
        }
    }

    // Whether the report of H has less error than zeros.
    bool is_better_than_none(const float* h_vec, const uint8_t* bits, int count)
    {
        d_decoder->decode(bits, count, d_found.data());
        double error = 0;
        for (size_t i = 0; i < d_found.size(); i++)
            error += double(h_vec[i] - d_found[i]) * (h_vec[i] - d_found[i]);
        return error < double(d_g.norm) * d_g.norm;
    }

    // Finds as many atoms as the budget may allow; returns the step that fits about.
    int search(int budget)
    {
        const float total = d_g.norm * d_g.norm;
        d_search.start(d_h.data());
        int step = 0;
        while (d_search.add(d_fast ? 1 : 3, d_fast ? fast_peaks : 1)) {
            const int n = d_search.size();
            if (!d_fast) {
                if (n <= 16 || n % 4 == 0)
                    d_search.refine(n);
                else
                    d_search.refine(3);
            }
            float least = total;
            for (int k = 0; k < n; k++)
                least = std::min(least, d_search.atoms()[k].energy());
            least = std::max(least, 1e-12f * total);
            // Where the weakest atom is just worth its bits: for cells, and for gain and
            // position by the power in steps.
            const float square = least / min_power;
            const auto cells = [this](int n) { return n * (d_cell_bits + 3 - 0.02 * n); };
            double powers = 0, product = 1;
            for (int k = 0; k < n; k++) {
                product *= std::max(d_search.atoms()[k].energy(), least) / square;
                if (k % 8 == 7 || k == n - 1) {
                    powers += std::log2(product);
                    product = 1;
                }
            }
            const double bits = 8 + cells(n) + 2 * powers, most = 1.15 * budget;
            double finer = std::log2(total / square);
            // Much weaker than the others, it is not worth the bits that it takes from them.
            const double others =
                8 + cells(n - 1) + 2 * (powers - std::log2(double(min_power)));
            if (others > most && n > 1)
                finer -= (others - most) / (2 * (n - 1));
            step = int(std::lrint(2 * finer)) - 2;
            if (bits > most || least < 1e-9f * total || least < d_min_power)
                break;
        }
        if (d_fast)
            d_search.refine(d_search.size());
        return std::min(std::max(step, 0), path_model::steps - 1);
    }

    enum class trial { worse, level, better };
    // Makes a report, and keeps it if it is the best one so far.
    trial run(int step, int budget)
    {
        if (step < 0 || step >= path_model::steps)
            return trial::worse;
        std::fill(d_bits[1].begin(), d_bits[1].begin() + (budget + 7) / 8, 0);
        const auto r = d_quantizer.run(
            path_coder::step(step) * d_g.norm, step, budget, d_bits[1].data());
        if (r.energy <= 0 || r.bits > budget)
            return trial::worse;
        // With too fine steps the same few paths fit into the budget, all as good as ever.
        constexpr double level = 1.005;
        const double error = d_quantizer.total() - r.energy,
                     least = d_quantizer.total() - d_best.energy;
        if (r.energy > d_best.energy) {
            d_best = r;
            d_best_step = step;
            d_best_atoms = d_quantizer.sent_atoms();
            d_bits[0].swap(d_bits[1]);
        }
        return error > level * least   ? trial::worse
               : error * level > least ? trial::level
                                       : trial::better;
    }

    // Tries steps until some in a row are worse. A path much stronger than all others may
    // need far coarser ones than the guess until it fits at all, and others finer ones
    // until they are worth their bits.
    void climb(int step, int direction, int patience, int budget)
    {
        const auto has_enough = [this, direction] {
            return d_best.energy > (direction < 0 ? 0.5 * d_quantizer.strongest() : 0);
        };
        // Finer steps that bring nothing cost bits.
        const trial enough = direction < 0 ? trial::level : trial::better;
        for (int worse = 0;
             (worse < patience || !has_enough()) && step >= 0 && step < path_model::steps;
             step += direction)
            worse = run(step, budget) >= enough ? 0 : worse + 1;
    }

    void climb_both(int step, int patience, int budget)
    {
        climb(step, 1, patience, budget);
        climb(step - 1, -1, patience, budget);
    }

    // Writes the best report; returns its bits.
    int finish(uint8_t* bits, int budget)
    {
        // Without a path that is worth its bits, zeros: they decode to nothing.
        if (d_best_step < 0)
            return min_report;
        int used = budget;
        // CSI that needs fewer bits: the number of bits is part of the code.
        const int needed = std::max(d_best.bits + 2, min_report);
        if (d_best.bits + spare_bits < budget && needed < budget) {
            std::fill(d_bits[1].begin(), d_bits[1].begin() + (needed + 7) / 8, 0);
            const auto shorter = d_quantizer.run(path_coder::step(d_best_step) * d_g.norm,
                                                 d_best_step,
                                                 needed,
                                                 d_bits[1].data());
            if (shorter.energy >= d_best.energy && shorter.bits <= needed) {
                d_bits[0].swap(d_bits[1]);
                used = needed;
            }
        }
        std::memcpy(bits, d_bits[0].data(), (size_t(used) + 7) / 8);
        return used;
    }
};

void check_grid(const std::vector<double>& subcarriers,
                const std::vector<double>& antennas)
{
    constexpr const char* where = "path_report_decoder";
    for (const double x : subcarriers)
        check_range(where, "subcarriers", x, -1e6, 1e6);
    for (const double x : antennas)
        check_range(where, "antennas", x, -1e6, 1e6);
}

class path_report_decoder_impl : public path_report_decoder
{
public:
    explicit path_report_decoder_impl(path_geometry g)
        : path_report_decoder(g.info, max_report),
          d_g(std::move(g)),
          d_coder(d_g.model),
          d_sum(d_g.rows, d_g.columns, path_coder::max_paths),
          d_re(path_coder::max_paths),
          d_im(path_coder::max_paths)
    {
        d_symbols.reserve(path_coder::max_paths);
        d_x.resize(2 * path_coder::max_paths);
        d_waves.reserve(path_coder::max_paths);
        if (d_g.is_whole())
            d_g.reserve_waves(path_coder::max_paths);
        else
            d_h.resize(d_g.rows->size() * d_g.width());
    }

    std::vector<path> paths(const uint8_t* bits, int count) override
    {
        const auto locked = lock();
        take(bits, std::min(count, max_bits()), nullptr);
        find_waves();
        std::vector<path> result;
        for (const auto& wave : d_waves)
            result.push_back({ wave.delay, wave.angle, wave.gain });
        return result;
    }

    std::vector<std::complex<float>>
    response(const uint8_t* bits,
             int count,
             const std::vector<double>& subcarriers,
             const std::vector<double>& antennas) override
    {
        check_grid(subcarriers, antennas);
        const auto locked = lock();
        take(bits, std::min(count, max_bits()), nullptr);
        find_waves();
        return d_g.response(d_waves, subcarriers, antennas);
    }

    content read(const uint8_t* bits, int count) override
    {
        const auto locked = lock();
        content result;
        take(bits, std::min(count, max_bits()), &result);
        return result;
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        take(bits, count, nullptr);
        if (d_g.is_whole()) {
            find_waves();
            d_g.rebuild(d_waves.data(), d_waves.size(), h_vec);
            return;
        }
        prepare();
        d_sum.sum(d_re.data(), d_im.data(), d_h.data());
        d_g.store(d_h.data(), h_vec);
    }

private:
    path_geometry d_g;
    path_coder d_coder;
    path_sum d_sum;
    volk::vector<float> d_h, d_re, d_im, d_x;
    std::vector<path_geometry::wave> d_waves;
    std::vector<path_symbol> d_symbols;
    int d_step = 0;

    // The integers, and gains in steps; what was coded for whoever asks.
    void take(const uint8_t* bits, int count, content* all)
    {
        d_symbols.clear();
        d_step = 0;
        if (count < 1)
            return;
        range_decoder coder(bits, count);
        d_coder.begin(count);
        d_step = d_coder.decode_step(coder);
        const int top = d_coder.decode_top(coder);
        if (all) {
            all->size_class = path_model::size_class(count);
            all->step = d_step;
            all->top =
                (path_coder::largest_group(d_step) - top) / path_coder::group_classes;
        }
        for (int group = top; group >= path_coder::lowest_group;
             group -= path_coder::group_classes) {
            const int context = d_coder.count_context(group);
            const int paths = d_coder.decode_count(coder, group);
            if (all)
                all->counts.emplace_back(
                    context, std::min(paths + 1, int(path_model::count_more)));
            if (paths < 0)
                break;
            d_coder.begin_group(group, paths);
            // Damaged bits only may go on behind the end.
            for (int left = paths; left && !coder.is_beyond(); left--) {
                const path_symbol p = d_coder.decode(coder, group, left);
                d_symbols.push_back(p);
                if (all)
                    all->paths.push_back({ p.group,
                                           p.a,
                                           p.b,
                                           p.resolution,
                                           p.delay,
                                           p.angle,
                                           d_coder.cell_row(p),
                                           d_coder.cell_column(p),
                                           d_coder.level() });
            }
            if (coder.is_beyond())
                break;
        }
        for (size_t k = 0; k < d_symbols.size(); k++) {
            d_re[k] = d_symbols[k].a;
            d_im[k] = d_symbols[k].b;
        }
        for (size_t i = 0; i < 2 * d_symbols.size() && path_coder::has_room(coder, count);
             i++) {
            const uint32_t above = coder.peek(2);
            coder.take(above, 1, 2);
            (i % 2 ? d_im : d_re)[i / 2] += above ? 0.25f : -0.25f;
        }
    }

    // The paths, and the gains of the orthonormal matrices.
    void prepare()
    {
        const float step = path_coder::step(d_step) * d_g.norm;
        d_sum.start(d_symbols.size());
        for (size_t k = 0; k < d_symbols.size(); k++) {
            d_sum.set(k, d_symbols[k].delay_rows(), d_symbols[k].angle_columns());
            d_re[k] *= step;
            d_im[k] *= step;
        }
    }

    // The paths with their gains.
    void find_waves()
    {
        prepare();
        const size_t n = d_symbols.size();
        float *x = d_x.data(), *y = x + n;
        d_sum.gains(d_re.data(), d_im.data(), x, y);
        d_waves.clear();
        for (size_t k = 0; k < n; k++) {
            const float row = d_symbols[k].delay_rows(),
                        angle = d_symbols[k].angle_columns();
            d_waves.push_back(
                { d_g.delay(row), angle, d_g.gain(row, angle, x[k], y[k]) });
        }
    }
};

// To H on any subcarriers and antennas.
class path_grid_decoder : public report_decoder
{
public:
    path_grid_decoder(path_report_decoder::sptr decoder,
                      const std::vector<double>& subcarriers,
                      const std::vector<double>& antennas)
        : report_decoder(info_of(*decoder, subcarriers, antennas), decoder->max_bits()),
          d_decoder(std::move(decoder)),
          d_subcarriers(subcarriers),
          d_antennas(antennas)
    {
    }

protected:
    void do_decode(const uint8_t* bits, int count, float* h_vec) override
    {
        const auto h = d_decoder->response(bits, count, d_subcarriers, d_antennas);
        volk_32fc_deinterleave_32f_x2(h_vec, h_vec + h.size(), h.data(), h.size());
    }

private:
    const path_report_decoder::sptr d_decoder;
    const std::vector<double> d_subcarriers, d_antennas;

    static codec_info info_of(const path_report_decoder& decoder,
                              const std::vector<double>& subcarriers,
                              const std::vector<double>& antennas)
    {
        constexpr const char* where = "path_report_decoder";
        check_range(
            where, "number of subcarriers", subcarriers.size(), size_t(1), size_t(65536));
        check_range(
            where, "number of antennas", antennas.size(), size_t(1), size_t(1024));
        check_grid(subcarriers, antennas);
        codec_info info = decoder.info();
        info.domain = "H";
        info.rows = info.nc = int(subcarriers.size());
        info.nt = int(antennas.size());
        info.precursor = -1;
        info.array = {};
        return info;
    }
};

codec_descriptor path_codec(const std::string& name,
                            int number,
                            const std::string& title,
                            const std::string& domain,
                            const std::string& help)
{
    codec_descriptor codec;
    codec.name = name;
    codec.number = number;
    codec.title = title;
    codec.domain = domain;
    codec.help = help;
    codec.report_options = {
        codec_option::real(
            "snr_db",
            100,
            -20,
            100,
            "SNR of the CSI in dB: paths that noise alone would show are not sent."),
        codec_option::flag("fast", false, "A shorter search for paths and steps.")
    };
    codec.make_report_encoder = [](model_file::sptr model, const option_values& o) {
        return path_report_encoder::make(model, o.real("snr_db"), o.flag("fast"));
    };
    codec.make_report_decoder = [](model_file::sptr model, const option_values&) {
        return path_report_decoder::make(model);
    };
    codec.report_operations = [](report_encoder& encoder) {
        operation_counts parts;
        if (auto* paths = dynamic_cast<path_report_encoder*>(&encoder)) {
            const auto sum = paths->operations_so_far();
            parts = { { "search", sum.search },
                      { "quantization", sum.quantization },
                      { "coding", sum.coding } };
        }
        return parts;
    };
    return codec;
}

std::vector<codec_descriptor> codecs()
{
    return { path_codec("path",
                        10,
                        "paths",
                        "Ha",
                        "Plane waves with continuous delays and angles, entropy-coded."),
             path_codec(
                 "path-whole",
                 11,
                 "paths of H",
                 "H",
                 "Plane waves of whole matrices, with delays in a window as long as "
                 "the cyclic prefix.") };
}

const builtin_codecs registration(codecs);

} // namespace

path_report_encoder::sptr
path_report_encoder::make(model_file::sptr model, double snr_db, bool fast)
{
    const char* where = "path_report_encoder";
    check_range(where, "snr_db", snr_db, -20.0, 100.0);
    path_geometry geometry(where, model);
    const auto decoder = geometry.is_whole() ? path_report_decoder::make(model) : nullptr;
    return std::make_shared<path_report_encoder_impl>(
        std::move(geometry), snr_db, fast, decoder);
}

std::vector<std::pair<std::string, int>> path_report_decoder::table_sizes()
{
    return { { "sizes", path_model::sizes },
             { "steps", path_model::steps },
             { "tops", path_model::tops },
             { "octaves", path_model::octaves },
             { "orders", path_model::orders },
             { "classes", path_model::classes },
             { "befores", path_model::befores },
             { "counts", path_model::counts },
             { "excesses", path_model::excesses },
             { "levels", path_model::levels },
             { "lowest_group", path_coder::lowest_group },
             { "group_classes", path_coder::group_classes },
             { "delay_bits", path_model::fine_bits[0] },
             { "angle_bits", path_model::fine_bits[1] },
             { "max_near", path_model::max_near } };
}

path_report_decoder::sptr path_report_decoder::make(model_file::sptr model)
{
    return std::make_shared<path_report_decoder_impl>(
        path_geometry("path_report_decoder", model));
}

report_decoder::sptr path_report_decoder::on_grid(model_file::sptr model,
                                                  const std::vector<double>& subcarriers,
                                                  const std::vector<double>& antennas)
{
    return std::make_shared<path_grid_decoder>(make(model), subcarriers, antennas);
}

} // namespace csifeedback
} // namespace gr
