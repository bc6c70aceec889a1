/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_REPORT_H
#define INCLUDED_CSIFEEDBACK_CSI_REPORT_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <algorithm>
#include <array>
#include <complex>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief A CQI table of TS 38.214, 5.2.2.1.
 */
struct CSIFEEDBACK_API cqi_table {
    //! An entry.
    struct entry {
        int modulation_bits; //!< 2: QPSK to 10: 1024QAM; 0 for CQI 0, out of range
        int code_rate;       //!< times 1024
        //! Information bits per resource element.
        double efficiency() const { return modulation_bits * code_rate / 1024.0; }
    };
    static constexpr int size = 16;

    /*!
     * \brief Entries of CQI 0 to 15.
     * \param number 1: 64QAM (Table 5.2.2.1-2), 2: 256QAM (-3), 3: 64QAM at low error rates
     *               (-4), 4: 1024QAM (-5)
     * \throws std::invalid_argument if there is no such table
     */
    static const std::array<entry, size>& get(int number);

    /*!
     * \brief The largest CQI that an SINR supports.
     * \param number of the table
     * \param sinr   effective SINR, linear, >= 0
     * \param gap_db gap to the Shannon limit: CQI q needs the SINR
     *               10^(gap_db / 10) (2^efficiency - 1)
     */
    static int select(int number, double sinr, double gap_db);
};

/*!
 * \brief The SINR of a channel whose capacity is the mean over all values:
 * 2^mean(log2(1 + SINR)) - 1.
 * \param sinr linear
 * \param n    number of values, 1 or more
 * \return the effective SINR, linear
 */
CSIFEEDBACK_API double effective_sinr(const double* sinr, size_t n);

/*!
 * \brief SINR of each layer after an MMSE receiver.
 * \param h    nr x nt, row-major
 * \param w    nt x rank, row-major
 * \param nr   receive antennas, 1 or more
 * \param nt   ports
 * \param rank layers, 1 to 8
 * \param snr  transmit power over the noise power at a receive antenna, linear, > 0
 * \param sinr output, rank values, linear
 */
CSIFEEDBACK_API void post_equalization_sinr(const std::complex<float>* h,
                                            const std::complex<float>* w,
                                            int nr,
                                            int nt,
                                            int rank,
                                            double snr,
                                            double* sinr);

//! What a CSI report says: rank indicator, PMI and CQI.
struct CSIFEEDBACK_API csi_report {
    pmi precoding; //!< including the rank
    //! Number of groups of part 2 that are present: 0 (part 1 only, the precoding is not
    //! known) to 3 (all).
    int groups = 3;
    //! Wideband CQI 0 to 15 of both codewords; the second one is for ranks above 4.
    std::array<int, 2> cqi = { 0, 0 };
    //! Differential CQI of each subband as reported: 0: same as wideband, 1: one higher,
    //! 2: two or more higher, 3: one or more lower.
    std::array<std::vector<int>, 2> subband_cqi;

    //! Layers of a codeword (TS 38.211, 7.3.1.3): first layer and number of layers.
    static std::pair<int, int> codeword_layers(int rank, int codeword);
};

/*!
 * \brief Format of CSI reports with RI, CQI and PMI in two parts, bit by bit as in TS
 * 38.212, 6.3.2.1.2, for one CSI report on PUSCH.
 *
 * Part 1: RI, wideband CQI, subband CQI, K^NZ. Part 2: wideband CQI of the second
 * codeword, group 0 of the PMI, subband CQI of even subbands, group 1, subband CQI of odd
 * subbands, group 2. Here part 2 follows part 1 directly; in NR they are encoded
 * separately. What does not fit into the payload is omitted group by group (TS 38.214,
 * 5.2.3), and the number of bits tells which groups are present.
 *
 * report() uses workspace of the object: do not call it from two threads at once.
 */
class CSIFEEDBACK_API csi_report_format
{
public:
    typedef std::shared_ptr<csi_report_format> sptr;

    //! Parameters.
    struct configuration {
        std::string cqi = "wideband"; //!< "none", "wideband" or "subband"
        int cqi_table = 1;            //!< see cqi_table::get()
        double gap_db = 2;            //!< see cqi_table::select()
    };

    /*!
     * \brief Makes a format.
     * \throws std::invalid_argument if the codebook is null or a parameter is not allowed
     */
    static sptr make(pmi_codebook::sptr codebook, const configuration& c);
    static sptr make(pmi_codebook::sptr codebook) { return make(codebook, {}); }
    virtual ~csi_report_format() = default;

    virtual pmi_codebook::sptr codebook() const = 0;
    //! Bits of part 1.
    virtual int part1_bits() const = 0;
    //! Bits of part 1 and of the first `groups` groups of part 2, 0 to 3.
    virtual int total_bits(int rank, int count, int groups) const = 0;
    //! Largest number of bits of a report.
    virtual int max_bits() const = 0;
    /*!
     * \brief Writes a report.
     * \param report its precoding must pass pmi_codebook::check()
     * \param bits   output, most significant bit first, (budget + 7) / 8 zeroed bytes
     * \param budget largest number of bits, at least part1_bits()
     * \return bits used: part 1 and as many groups as fit
     * \throws std::invalid_argument if a value is out of range
     */
    virtual int pack(const csi_report& report, uint8_t* bits, int budget) const = 0;
    /*!
     * \brief Reads a report.
     * \param bits   bit string, (count + 7) / 8 bytes
     * \param count  number of bits, >= 0; those after the last group that fits are not
     *               read
     * \param report output; from part 1 alone, only rank and CQI
     * \return why the bits are not a report of this format; empty if they are
     */
    virtual std::string
    unpack(const uint8_t* bits, int count, csi_report& report) const = 0;
    /*!
     * \brief Makes the report for a channel: the rank with the largest rate, its PMI and
     * CQI.
     *
     * Rate and CQI are those of the precoders that the BS receives: without the groups
     * that do not fit into the budget. A lower rank is therefore reported if its
     * precoders fit so much better that their rate is larger.
     * \param h      finite, rows x nr x ports, not all zero
     * \param rows   at least the codebook's subbands()
     * \param nr     receive antennas; ranks above it are not considered
     * \param snr    transmit power over noise, linear, > 0: with h of mean |h|^2 = 1 the
     *               SNR at a receive antenna
     * \param budget largest number of bits, at least part1_bits()
     * \param report output; its precoding is complete, its groups are those that fit
     * \throws std::invalid_argument if a number is out of range or no rank is possible
     */
    virtual void report(const std::complex<float>* h,
                        int rows,
                        int nr,
                        double snr,
                        int budget,
                        csi_report& report) = 0;
    //! The same without a limit on the number of bits.
    void
    report(const std::complex<float>* h, int rows, int nr, double snr, csi_report& report)
    {
        this->report(h, rows, nr, snr, std::max(max_bits(), part1_bits()), report);
    }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_REPORT_H */
