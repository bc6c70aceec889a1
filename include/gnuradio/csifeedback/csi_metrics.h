/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_METRICS_H
#define INCLUDED_CSIFEEDBACK_CSI_METRICS_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/metrics.h>
#include <vector>

namespace gr {
namespace csifeedback {

//! All figures of a csi_metrics block.
struct CSIFEEDBACK_API csi_metrics_report {
    uint64_t truths = 0;     //!< true matrices seen
    uint64_t matched = 0;    //!< reconstructions compared with their truth
    uint64_t held = 0;       //!< of these, with older CSI: the feedback was lost
    uint64_t unmatched = 0;  //!< reconstructions whose truth is unknown or forgotten
    uint64_t malformed = 0;  //!< messages other than PDUs of rows x nt complex values
    mean_estimate nmse;      //!< of ||H-H^||^2/||H||^2, linear
    double nmse_db = 0;      //!< 10 log10 of its mean
    double nmse_db_low = 0;  //!< lower end of its 95 % interval
    double nmse_db_high = 0; //!< upper end of its 95 % interval
    mean_estimate rho;       //!< cosine similarity, mean over subcarriers
    mean_estimate sgcs;      //!< SGCS; no values if the block has no subbands
    double sgcs_5 = 0;       //!< its 5 % point, exact to 1/4096; NaN without values
    std::vector<mean_estimate>
        sgcs_layers; //!< several antennas: SGCS of each layer, over the reports that have it
    std::vector<double> sgcs_layers_5; //!< their 5 % points; NaN without values
    std::vector<double> rank_share;    //!< share of the reports with 0, 1, 2 .. layers
    mean_estimate se;         //!< spectral efficiency of the reported precoders, bit/s/Hz
    mean_estimate se_perfect; //!< the same for eigenvectors with the best rank
    mean_estimate age;        //!< age of the CSI in frames (key `age` of the PDUs)
    double bits_per_csi = 0;  //!< mean length of a feedback frame (key `frame_bits`)
};

/*!
 * \brief Compares reconstructed CSI with the true CSI of the same frame number.
 * \ingroup csifeedback
 *
 * Input 0 (optional): complex, true matrices, rows x nt per item. Message port `truth`
 * (in): the same as PDUs with the key `frame`. Message port `pdus` (in): reconstructions,
 * PDUs of rows x nt complex values with the key `frame` and optionally `age` and
 * `frame_bits`. Truth and reconstruction may arrive in any order and with gaps; the last
 * `history` true matrices are kept. Only the last 16 bits of the frame number of a
 * reconstruction count, since a feedback frame carries no more: the number is the one
 * nearest to the newest truth.
 *
 * Output 0 (optional): float, error of each comparison in dB. Output 1 (optional): float,
 * rho of each. They are output as further true matrices arrive. Message port `reports`
 * (out): every `interval` comparisons a dictionary of the means (`nmse_db`,
 * `nmse_db_low`, `nmse_db_high`, `rho`, `age`, `matched`, `held`, `unmatched`,
 * `bits_per_csi`; with `subbands` also `sgcs`, `sgcs_5`). Message port `pdus` (out): each
 * reconstruction after its comparison. Message port `ack` (out): the full frame number of
 * each reconstruction, for channel_source. If several blocks compare, put them one after
 * the other and acknowledge with the last one: the flowgraph ends when everything is
 * acknowledged, and what another branch has not handled by then is lost.
 *
 * In domain H, rho is computed over the rows; in domain Ha, over the nc subcarriers to
 * which the delay rows are transformed. SGCS is the mean over the subbands of |v^H w|^2,
 * where v and w are the dominant eigenvectors of a subband of the true and of the
 * reconstructed matrix. If subbands have more than 8 rows, 8 evenly spaced ones are used.
 *
 * **UEs with several antennas** (nr > 1, domain H): row k nr + a of a true matrix is
 * antenna a on subcarrier k, and row k nr + l of a reconstruction is the conjugate
 * precoder of layer l, or zero if l is not below the rank, as from pmi_report_decoder.
 * The figures are the ranks, the SGCS of each layer against the eigenvectors of the
 * subbands, the spectral efficiency log2 det(I + snr (H W)^H H W), where W has the
 * Frobenius norm 1 and true channels are scaled to a mean |h|^2 of 1, and that of
 * eigenvectors with equal power and the best rank. `sgcs` is that of the first layer, 0
 * for a report without layers; NMSE and rho have no values. Output 0 is the spectral
 * efficiency, output 1 the SGCS of the first layer. The dictionary of `reports` has
 * `sgcs`, `sgcs_5`, `sgcs_layers`, `rank_share`, `se` and `se_perfect` instead of
 * `nmse_db`, `nmse_db_low`, `nmse_db_high` and `rho`.
 */
class CSIFEEDBACK_API csi_metrics : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_metrics> sptr;

    /*!
     * \brief Makes the block.
     * \param shape      shape of the matrices, or an object that has it: a model, codec,
     *                   pilot frame, ...; with nc if it is of domain Ha
     * \param history    true matrices kept, 1 to 65536
     * \param interval   comparisons between two reports, 0: no reports
     * \param subbands   subbands of SGCS, 0 (no SGCS) to 65536, at most one per
     *                   subcarrier; with several antennas 0 means 13
     * \param nr         antennas of the UE, 1 to 8, a divisor of the number of rows
     * \param snr_db     SNR at a receive antenna for the spectral efficiency, -100 to 100
     * \throws std::invalid_argument if a parameter is out of range, the shape is of
     *         domain Ha and does not state nc, or nr > 1 and it is not of domain H
     */
    static sptr make(const csi_shape& shape,
                     int history = 256,
                     int interval = 0,
                     int subbands = 0,
                     int nr = 1,
                     double snr_db = 10);

    /*!
     * \brief Makes the block from numbers: rows of a matrix, antenna ports, whether rows
     * are delays (true) or subcarriers (false), and the number of subcarriers if they are
     * delays.
     * \deprecated Pass an object that knows its sizes instead. This form will be removed
     *             in the next release.
     */
    [[deprecated("give a csi_shape, or an object that is one")]] static sptr
    make(int rows,
         int nt,
         bool delay_rows = false,
         int nc = 1024,
         int history = 256,
         int interval = 0);

    //! All figures so far.
    virtual csi_metrics_report report() const = 0;
    //! Resets the figures.
    virtual void reset() = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_METRICS_H */
