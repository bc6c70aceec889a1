/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PMI_CODEBOOK_H
#define INCLUDED_CSIFEEDBACK_PMI_CODEBOOK_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief A dual-polarized planar array as in the codebooks of TS 38.214.
 *
 * Ports are in 3GPP's order: polarization, then N1, then N2 (fastest). The allowed pairs
 * (N1, N2) are those of Table 5.2.2.2.1-2 and, for Type I, (1, 1), the two ports of a
 * single element.
 */
struct CSIFEEDBACK_API pmi_array {
    int n1 = 4; //!< elements along the first dimension
    int n2 = 4; //!< elements along the second dimension

    int ports() const { return 2 * n1 * n2; }
    //! Oversampling of the beams along the first dimension.
    int o1() const { return n1 > 1 ? 4 : 1; }
    //! Oversampling of the beams along the second dimension.
    int o2() const { return n2 > 1 ? 4 : 1; }
};

/*!
 * \brief A precoding matrix indicator: the indices i1 and i2 of TS 38.214, by their names.
 *
 * Indices that a codebook does not have are left unchanged. Coefficients are stored by
 * layer, then by tap, then by beam (2L of them, those of the second polarization last).
 */
struct CSIFEEDBACK_API pmi {
    int rank = 1; //!< number of layers
    int i11 = 0;  //!< Type I: beam along the first dimension
    int q1 = 0;   //!< Type II: rotation of the beams along the first dimension
    int q2 = 0;   //!< Type II: rotation of the beams along the second dimension
    int i12 = 0;  //!< Type I: beam along the second dimension; Type II: set of beams
    int i13 = 0;  //!< Type I, ranks 2 to 4: offset of the other beams
    int i15 = 0;  //!< eType II, N3 > 19: window of the taps
    std::vector<int> i2;        //!< Type I: one for each subband
    std::vector<int64_t> i16;   //!< eType II: set of taps of each layer
    std::vector<int> i18;       //!< eType II: strongest coefficient of each layer
    std::vector<uint8_t> i17;   //!< eType II, rank x M x 2L: 1 for coefficients reported
    std::vector<uint8_t> i23;   //!< eType II, rank x 2: amplitudes of the polarizations
    std::vector<uint8_t> i24;   //!< eType II, rank x M x 2L: amplitudes
    std::vector<uint8_t> i25;   //!< eType II, rank x M x 2L: phases
    std::vector<int> i13_layer; //!< Type II: strongest coefficient of each layer
    std::vector<uint8_t> i14;   //!< Type II, rank x 2L: wideband amplitudes
    std::vector<uint8_t> i21;   //!< Type II, rank x subbands x 2L: phases
    std::vector<uint8_t> i22;   //!< Type II, rank x subbands x 2L: amplitudes
};

/*!
 * \brief A PMI codebook of TS 38.214: channel to PMI (UE), PMI to bits, PMI to precoder.
 *
 * Precoders W are subbands() x ports() x rank, row-major (layer fastest), and the
 * precoder of every subband has the Frobenius norm 1: a UE with the channel h (a row of
 * ports() values) receives y = h W_t x.
 *
 * Part 2 of a CSI report has three groups of fields (TS 38.212, 6.3.2.1.2). If the
 * payload is too short, the last groups are omitted (TS 38.214, 5.2.3):
 *
 * | group | Type I (Type II)         | eType II                                         |
 * |-------|--------------------------|--------------------------------------------------|
 * | 0     | i11, i12, i13 (and i14)  | i11 (q1, q2), i12, i18                           |
 * | 1     | i2 of even subbands      | i23, i15, i16, higher-priority half of i24, i25, i17 |
 * | 2     | i2 of odd subbands       | the rest of i24, i25, i17                        |
 *
 * select() uses workspace of the object: do not call it from two threads at once.
 */
class CSIFEEDBACK_API pmi_codebook
{
public:
    typedef std::shared_ptr<pmi_codebook> sptr;
    static constexpr int group_count = 3;

    virtual ~pmi_codebook();
    pmi_codebook(const pmi_codebook&) = delete;
    pmi_codebook& operator=(const pmi_codebook&) = delete;

    //! "type1", "type2" or "etype2".
    virtual std::string name() const = 0;
    const pmi_array& array() const { return d_array; }
    int ports() const { return d_array.ports(); }
    //! N3, number of precoders that a PMI describes.
    int subbands() const { return d_subbands; }
    //! Subbands with a CQI of their own: subbands() / R, rounded up.
    int cqi_subbands() const { return (d_subbands + d_per_cqi - 1) / d_per_cqi; }
    //! Ranks that may be reported, ascending.
    const std::vector<int>& ranks() const { return d_ranks; }
    //! Bits of the rank indicator.
    int ri_bits() const;

    //! A field with its number of bits.
    struct field {
        std::string name;
        int bits;
    };
    //! Bits in part 1 that give the number of coefficients, 0 for Type I.
    virtual int count_bits() const = 0;
    //! The number in these bits, plus 1: for eType II K^NZ, the coefficients of all
    //! layers; for Type II the numbers M of both layers as one number; 0 for Type I.
    virtual int count(const pmi& p) const = 0;
    //! The largest count() of this rank.
    virtual int max_count(int rank) const = 0;
    //! What is wrong with a count() for this rank, one of ranks(); empty if nothing is.
    virtual std::string check_count(int rank, int count) const;
    /*!
     * \brief The fields of part 2, all layers and subbands together, in the order of the
     * tables of TS 38.212.
     * \param rank  one of ranks()
     * \param count must pass check_count()
     */
    virtual std::vector<field> fields(int rank, int count) const = 0;
    //! Bits of a group of part 2.
    virtual int group_bits(int rank, int count, int group) const = 0;
    //! Bits of part 2 without the second CQI.
    int part2_bits(int rank, int count) const;

    /*!
     * \brief Checks a PMI: ranges, lengths, numbers of coefficients.
     * \return what is wrong, with name, value and what is allowed; empty if nothing is
     */
    virtual std::string check(const pmi& p) const = 0;
    /*!
     * \brief Writes a group of part 2.
     * \param p     a PMI that passes check()
     * \param group 0 to 2
     * \param bits  bit string, most significant bit first
     * \param at    first bit; group_bits() are written
     */
    virtual void pack(const pmi& p, int group, uint8_t* bits, size_t at) const = 0;
    /*!
     * \brief Reads part 2.
     *
     * Without group 2, the rest is what remains while its bits are unknown: Type I takes
     * i2 of the previous subband, eType II has only the coefficients of group 1. Without
     * group 1 the result is one beam (with i2 = 0).
     *
     * \param rank   one of ranks()
     * \param count  number of coefficients, see count()
     * \param groups number of groups that are present, 1 to 3
     * \param bits   bit string
     * \param at     first bits of the groups
     * \param p      output, passes check()
     * \return why the bits are not a PMI of this codebook; empty if they are
     */
    virtual std::string unpack(int rank,
                               int count,
                               int groups,
                               const uint8_t* bits,
                               const size_t* at,
                               pmi& p) const = 0;
    /*!
     * \brief The precoders of a PMI.
     * \param p a PMI that passes check()
     * \param w output, subbands() x ports() x rank
     */
    virtual void precoder(const pmi& p, std::complex<float>* w) const = 0;
    /*!
     * \brief Selects a PMI for a channel.
     * \param h    finite, rows x nr x ports(), not all zero; row k belongs to subband
     *             floor(k subbands() / rows)
     * \param rows subcarriers or resource blocks, at least subbands()
     * \param nr   receive antennas, 1 to 64
     * \param rank one of ranks(), at most nr
     * \param p    output
     * \throws std::invalid_argument if a number is out of range
     */
    void select(const std::complex<float>* h, int rows, int nr, int rank, pmi& p);

protected:
    pmi_codebook(const char* where,
                 const pmi_array& array,
                 int subbands,
                 int per_cqi,
                 const std::vector<int>& ranks);
    virtual void
    do_select(const std::complex<float>* h, int rows, int nr, int rank, pmi& p) = 0;
    void check_rank(int rank) const;
    //! First row of a subband; for `subbands()`, the number of rows.
    int first_row(int subband, int rows) const
    {
        return int((int64_t(subband) * rows + d_subbands - 1) / d_subbands);
    }

private:
    const pmi_array d_array;
    const int d_subbands, d_per_cqi;
    std::vector<int> d_ranks;
};

/*!
 * \brief Type I single panel codebook, TS 38.214 5.2.2.2.1.
 *
 * select() is exhaustive for rank 1: no other PMI has a larger sum over the subbands of
 * w_t^H R_t w_t, where R_t is the covariance of the ports. Other ranks try the offsets
 * i13 with the strongest beams, and take the largest sum of log2 det(I + snr W_t^H R_t
 * W_t).
 */
class CSIFEEDBACK_API type1_codebook : public pmi_codebook
{
public:
    //! Parameters.
    struct configuration {
        pmi_array array;
        int subbands = 13;              //!< 1 to 36
        int mode = 1;                   //!< codebookMode, 1 or 2
        std::vector<int> ranks = { 1 }; //!< allowed ranks, 1 to min(8, ports)
        double snr_db = 10;             //!< for the selection of ranks above 1
    };
    //! \throws std::invalid_argument if a parameter is out of range
    static sptr make(const configuration& c);

protected:
    using pmi_codebook::pmi_codebook;
};

/*!
 * \brief Type II codebook of Release 15, TS 38.214 5.2.2.2.3, ranks 1 and 2.
 *
 * select(): the L strongest orthogonal beams, eigenvectors per subband relative to their
 * strongest beam, quantized to the nearest level.
 */
class CSIFEEDBACK_API type2_codebook : public pmi_codebook
{
public:
    //! Parameters.
    struct configuration {
        pmi_array array;
        int subbands = 13;              //!< 1 to 36
        int beams = 4;                  //!< L, numberOfBeams: 2 to 4; 2 with 4 ports
        int phase_alphabet = 8;         //!< N_PSK, 4 or 8
        bool subband_amplitude = true;  //!< subbandAmplitude
        std::vector<int> ranks = { 1 }; //!< allowed ranks, 1 and 2
    };
    //! \throws std::invalid_argument if a parameter is out of range
    static sptr make(const configuration& c);

protected:
    using pmi_codebook::pmi_codebook;
};

/*!
 * \brief Enhanced Type II codebook of Release 16, TS 38.214 5.2.2.2.5.
 *
 * select(): the L strongest orthogonal beams, eigenvectors per subband with their phases
 * aligned, forward DFT over the subbands, the M strongest taps and at most K0 strongest
 * coefficients, quantization.
 */
class CSIFEEDBACK_API etype2_codebook : public pmi_codebook
{
public:
    //! Parameters.
    struct configuration {
        pmi_array array;
        int subbands = 13;              //!< N3, 1 to 36
        int per_cqi = 1;                //!< R, 1 or 2 precoders for each CQI subband
        int param_combination = 6;      //!< 1 to 8
        std::vector<int> ranks = { 1 }; //!< allowed ranks, 1 to 4
    };
    /*!
     * \throws std::invalid_argument if a parameter is out of range, or the combination is
     * not allowed for the array, R or the ranks
     */
    static sptr make(const configuration& c);

    virtual int beams() const = 0;           //!< L
    virtual int taps(int rank) const = 0;    //!< M
    virtual int max_layer_count() const = 0; //!< K0, most coefficients per layer

protected:
    using pmi_codebook::pmi_codebook;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PMI_CODEBOOK_H */
