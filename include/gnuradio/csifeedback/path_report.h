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
 * allows. The manual describes the method. `path` takes Ha, `path-whole` H with delays in
 * a window that its model states.
 *
 * 16 to 4096 bits. A report has all bits of its budget, unless the CSI needs fewer.
 */
class CSIFEEDBACK_API path_report_encoder : public report_encoder
{
public:
    typedef std::shared_ptr<path_report_encoder> sptr;

    /*!
     * \brief Makes an encoder.
     * \param model   of the codec `path` or `path-whole`, not null
     * \param snr_db  SNR of the CSI in dB, -20 to 100: paths that noise alone would show
     *                are not sent; 100: without noise
     * \param fast    a shorter search: paths are refined once, three quantizer steps are
     *                tried at most
     * \throws std::invalid_argument if the model is of another codec or damaged, or
     *         snr_db is out of range
     */
    static sptr make(model_file::sptr model, double snr_db = 100, bool fast = false);

    //! Multiply-adds by part; of the entropy coder the additions to its tables.
    struct operations {
        uint64_t search = 0, quantization = 0, coding = 0;
    };
    //! Those of all matrices that were encoded.
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
     * Its matrix on all nc subcarriers has the norm |gain|, and the phase of its first
     * subcarrier and antenna is that of the gain. With P = nc and x = i - delay_rows,
     * row i of Ha has exp(j pi (P - 1) x / P) sin(pi x) / (P sin(pi x / P)); columns
     * likewise with P = nt, the angle and -j in place of j. On subcarrier f and antenna c
     * H has gain exp(j 2 pi (c angle_columns / nt - f t / nc)) / sqrt(nc nt) with the
     * delay t, delay_rows less the rows of Ha before delay zero. Where the model has the
     * responses of the antennas, the matrix is multiplied by them.
     */
    struct path {
        float delay_rows; //!< delay in rows; 0 is the first row of Ha, or, of the codec
                          //!< `path-whole`, delay zero
        float angle_columns;      //!< angle in columns of Ha, 0 to nt
        std::complex<float> gain; //!< in the scale of h_vec
    };
    //! A path as integers, as docs/path.md names them, and where its tables are.
    struct symbol {
        int group, a, b, resolution, delay, angle;
        int row, column; //!< cell, from 0 on
        int level;       //!< of the priors of cells
    };
    //! What is coded in a report, for training: symbols and the tables that they are of.
    struct content {
        int size_class = 0; //!< of the report, which table of steps and of tops
        int step = 0;       //!< number of the quantizer's step
        int top = 0;        //!< how far the strongest group is below the largest one
        //! Number of the table, of all in the array, and its symbol.
        std::vector<std::pair<int, int>> counts;
        std::vector<symbol> paths;
    };

    //! Makes a decoder; model as for the encoder.
    static sptr make(model_file::sptr model);
    /*!
     * \brief Makes a decoder to H on other subcarriers and antennas than those measured.
     *
     * It takes the same reports, and decodes each to what response() has of it: domain "H",
     * a row for each of the subcarriers, a column for each of the antennas.
     * \param model       as for the encoder
     * \param subcarriers positions as for response(), 1 to 65536
     * \param antennas    positions as for response(), 1 to 1024
     * \throws std::invalid_argument if the model is of another codec or damaged, or a
     *         position or their number is out of range
     */
    static report_decoder::sptr on_grid(model_file::sptr model,
                                        const std::vector<double>& subcarriers,
                                        const std::vector<double>& antennas);

    //! The paths in a report, strongest groups first. As decode() of any bits.
    virtual std::vector<path> paths(const uint8_t* bits, int count) = 0;
    /*!
     * \brief H of the paths in a report on any subcarriers and antennas, measured or not.
     * \param bits, count  as for decode()
     * \param subcarriers  positions, 0 is the first one that was measured and nc - 1 the
     *                     last one; fractions are between them. Within +-1e6
     * \param antennas     positions in the line, likewise: 32 is the first one beyond 32.
     *                     Fractions are right for antennas half a wavelength apart. The
     *                     responses of a calibrated array count for those that were
     *                     measured, others are ideal. Within +-1e6
     * \return             complex values in the scale of h_vec, for each subcarrier a row
     *                     of all antennas. Of `path` delay zero is row `precursor` of Ha
     * \throws std::invalid_argument if a position is out of range or not finite
     */
    virtual std::vector<std::complex<float>>
    response(const uint8_t* bits,
             int count,
             const std::vector<double>& subcarriers,
             const std::vector<double>& antennas) = 0;
    //! The integers in a report, which training counts. As decode() of any bits.
    virtual content read(const uint8_t* bits, int count) = 0;
    //! Sizes of the tables in a model file, by name: what training has to write.
    static std::vector<std::pair<std::string, int>> table_sizes();

protected:
    using report_decoder::report_decoder;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_REPORT_H */
