/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_REPORT_H
#define INCLUDED_CSIFEEDBACK_PATH_REPORT_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/model_file.h>
#include <gnuradio/csifeedback/report.h>
#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Reports of the codecs `path` and `path-whole`: CSI as a sum of plane waves.
 *
 * The UE finds the paths by orthogonal matching pursuit with continuous delays and
 * angles, quantizes them in a closed loop, and entropy-codes as many as the budget
 * allows. The manual describes the method. `path` takes Ha; `path-whole` takes H, with
 * delays in a window that its model states.
 *
 * 16 to 4096 bits. A report uses all bits of its budget unless the CSI needs fewer.
 */
class CSIFEEDBACK_API path_report_encoder : public report_encoder
{
public:
    typedef std::shared_ptr<path_report_encoder> sptr;

    /*!
     * \brief Makes an encoder.
     * \param model   of the codec `path` or `path-whole`, not null
     * \param snr_db  SNR of the CSI in dB, -20 to 100: paths that noise alone could
     *                produce are not sent; 100: without noise
     * \param fast    a shorter search: paths are refined once, and at most three
     *                quantizer steps are tried
     * \throws std::invalid_argument if the model is of another codec or damaged, or
     *         snr_db is out of range
     */
    static sptr make(model_file::sptr model, double snr_db = 100, bool fast = false);

    //! Multiply-adds by part; for the entropy coder, the additions to its tables.
    struct operations {
        uint64_t search = 0, quantization = 0, coding = 0;
    };
    //! Those for all matrices encoded so far.
    virtual operations operations_so_far() = 0;

protected:
    using report_encoder::report_encoder;
};

//! The BS half.
class CSIFEEDBACK_API path_report_decoder : public report_decoder
{
public:
    typedef std::shared_ptr<path_report_decoder> sptr;

    /*!
     * \brief A plane wave of a report.
     *
     * Its matrix on all nc subcarriers has the norm |gain|, and at its first subcarrier
     * and antenna it has the phase of the gain. With P = nc and x = i - delay_rows, row i
     * of Ha has the factor exp(j pi (P - 1) x / P) sin(pi x) / (P sin(pi x / P)); columns
     * have the same factor with P = nt, the angle, and -j instead of j. With the delay t,
     * delay_rows minus the rows of Ha before delay zero, H on subcarrier f and antenna c
     * is gain exp(j 2 pi (c angle_columns / nt - f t / nc)) / sqrt(nc nt). If the model
     * has the responses of the antennas, the matrix is multiplied by them.
     */
    struct path {
        float delay_rows; //!< delay in rows; 0 is the first row of Ha or, for the codec
                          //!< `path-whole`, delay zero
        float angle_columns;      //!< angle in columns of Ha, 0 to nt
        std::complex<float> gain; //!< in the scale of h_vec
    };
    //! A path as integers, named as in docs/path.md, and where its tables are.
    struct symbol {
        int group, a, b, resolution, delay, angle;
        int row, column; //!< cell, from 0 on
        int level;       //!< of the priors of cells
    };
    //! What is coded in a report, for training: the symbols and their tables.
    struct content {
        int size_class = 0; //!< of the report: selects the tables of steps and tops
        int step = 0;       //!< number of the quantizer's step
        int top = 0;        //!< how far the strongest group is below the largest one
        //! Number of the table among all in the array, and its symbol.
        std::vector<std::pair<int, int>> counts;
        std::vector<symbol> paths;
    };

    //! Makes a decoder; model as for the encoder.
    static sptr make(model_file::sptr model);
    /*!
     * \brief Makes a decoder that gives H on subcarriers and antennas other than those
     * measured.
     *
     * It takes the same reports, and decodes each to what response() returns for it:
     * domain "H", one row per subcarrier, one column per antenna.
     * \param model       as for the encoder
     * \param subcarriers positions as for response(), 1 to 65536
     * \param antennas    positions as for response(), 1 to 1024
     * \throws std::invalid_argument if the model is of another codec or damaged, or a
     *         position or the number of positions is out of range
     */
    static report_decoder::sptr on_grid(model_file::sptr model,
                                        const std::vector<double>& subcarriers,
                                        const std::vector<double>& antennas);

    //! The paths in a report, strongest groups first. Accepts any bits, like decode().
    virtual std::vector<path> paths(const uint8_t* bits, int count) = 0;
    /*!
     * \brief H of the paths in a report on any subcarriers and antennas, measured or not.
     * \param bits, count  as for decode()
     * \param subcarriers  positions: 0 is the first one measured and nc - 1 the last one;
     *                     fractions are between them. Within +-1e6
     * \param antennas     positions in the line in the same way: 32 is the first one
     *                     beyond 32. Fractions are correct for antennas half a wavelength
     *                     apart. For a calibrated array, measured antennas have their
     *                     calibrated responses, others are ideal. Within +-1e6
     * \return             complex values in the scale of h_vec, one row of all antennas
     *                     for each subcarrier. For `path`, delay zero is row `precursor`
     *                     of Ha
     * \throws std::invalid_argument if a position is out of range or not finite
     */
    virtual std::vector<std::complex<float>>
    response(const uint8_t* bits,
             int count,
             const std::vector<double>& subcarriers,
             const std::vector<double>& antennas) = 0;
    //! The integers in a report, counted in training. Accepts any bits, like decode().
    virtual content read(const uint8_t* bits, int count) = 0;
    //! Sizes of the tables in a model file, by name; training must write these.
    static std::vector<std::pair<std::string, int>> table_sizes();

protected:
    using report_decoder::report_decoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_REPORT_H */
