/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_SPECTRAL_EFFICIENCY_H
#define INCLUDED_CSIFEEDBACK_CSI_SPECTRAL_EFFICIENCY_H

#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/metrics.h>
#include <gnuradio/sync_block.h>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! All figures of a csi_spectral_efficiency block.
struct CSIFEEDBACK_API csi_spectral_efficiency_report {
    uint64_t truths = 0;    //!< true matrices seen
    uint64_t groups = 0;    //!< groups of users evaluated
    uint64_t discarded = 0; //!< groups with a matrix that is zero or not finite
    uint64_t unmatched = 0; //!< reconstructions without a truth, or left over without a
                            //!< group
    uint64_t malformed = 0; //!< messages other than PDUs of a complex matrix
    std::vector<mean_estimate> reconstructed; //!< at each SNR, bit/s/Hz
    std::vector<mean_estimate> perfect;       //!< the same with perfect CSI at the BS
};

/*!
 * \brief Spectral efficiency of a downlink that is precoded with reconstructed CSI,
 * compared with that of perfect CSI; see spectral_efficiency for the definition.
 * \ingroup csifeedback
 *
 * Input 0 (optional): complex, true H, nc x nt per item. Input 1 (optional): complex,
 * reconstructed H, item by item; K consecutive items are the K users of a group, which
 * should be independent of each other.
 *
 * Without input 1, reconstructions arrive at the message port `pdus` as PDUs of nc x nt
 * complex values with the key `frame` and optionally `ue_id`; true matrices may arrive in
 * the same form at the message port `truth`. They are matched by frame (its last 16 bits)
 * and ue_id, in any order; a truth without ue_id, such as a stream item, matches any UE.
 * The last `history` truths are kept. With by_frame = false, K consecutive matched pairs
 * are a group, for instance consecutive frames of one UE; with by_frame = true, the pairs
 * of K UEs with the same frame number.
 *
 * **UEs with several antennas** (nr > 1): matrices have the rows of all antennas, and nc
 * is the number of subcarriers times nr. Row k nr + a of a true matrix is antenna a on
 * subcarrier k; row k nr + l of a reconstruction is the conjugate precoder of layer l, or
 * zero, as in csi_metrics. Perfect CSI is then the eigenvectors on each subcarrier, as
 * many as layers were reported.
 *
 * Message port `reports` (out): every `interval` groups a dictionary of the means so far
 * (`snr_db`, `reconstructed`, `perfect`: vectors; `groups`).
 */
class CSIFEEDBACK_API csi_spectral_efficiency : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csi_spectral_efficiency> sptr;

    /*!
     * \brief Makes the block.
     * \param users     K, 1 to 64
     * \param shape     gives nc and nt of H: a model, codec, pilot frame, ..., or a shape
     * \param snr_db    SNRs in dB, 1 to 1000 of them, each -100 to 100
     * \param precoding "zero-forcing", "regularized-zero-forcing" or "maximum-ratio"
     * \param normalize whether to scale true channels to unit mean power
     * \param by_frame  for PDUs: whether a group shares one frame number
     * \param history   true matrices kept, users to 65536
     * \param interval  groups between two reports, 0: no reports
     * \param nr        antennas of each user, 1 to 8, a divisor of nc; users * nr up to
     *                  64
     * \throws std::invalid_argument if a parameter is out of range, the shape does not
     *         state nc, or nr > 1 and it is not of domain H
     */
    static sptr make(int users,
                     const csi_shape& shape,
                     const std::vector<double>& snr_db,
                     const std::string& precoding = "zero-forcing",
                     bool normalize = true,
                     bool by_frame = false,
                     int history = 256,
                     int interval = 0,
                     int nr = 1);

    /*!
     * \brief Makes the block with nc (1 to 65536) and nt (1 to 1024) given as numbers.
     * \deprecated Pass an object that knows its sizes instead. This form will be removed
     *             in the next release.
     */
    [[deprecated("give a csi_shape, or an object that is one")]] static sptr
    make(int users,
         int nc,
         int nt,
         const std::vector<double>& snr_db,
         const std::string& precoding = "zero-forcing",
         bool normalize = true,
         bool by_frame = false,
         int history = 256,
         int interval = 0);

    //! All figures so far.
    virtual csi_spectral_efficiency_report report() const = 0;
    //! The SNRs in dB.
    virtual std::vector<double> snr_db() const = 0;
    //! Resets the figures.
    virtual void reset() = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_SPECTRAL_EFFICIENCY_H */
