/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSIRS_FRAME_H
#define INCLUDED_CSIFEEDBACK_CSIRS_FRAME_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! Parameters of csirs_frame.
struct CSIFEEDBACK_API csirs_parameters {
    int nt = 8;                  //!< antenna ports, 1 to 64
    int fft_size = 512;          //!< samples of a symbol, even, 64 to 8192
    int cp_length = 36;          //!< samples of the cyclic prefix, 1 to fft_size / 2
    int nc = 300;                //!< subcarriers, even, 24 to fft_size
    double spacing_hz = 15e3;    //!< subcarrier spacing, > 0
    int comb = 4;                //!< port groups side by side in frequency (FDM), 1 to 16
    int cdm_frequency = 1;       //!< adjacent subcarriers of a cover code: 1, 2 or 4
    int cdm_time = 2;            //!< successive symbols of a cover code: 1, 2, 4 or 8
    std::string cover = "walsh"; //!< "walsh" (as in NR) or "dft"
    int cell_id = 0;             //!< n_ID, 0 to 1023
    int slot = 0;                //!< slot number in the radio frame, 0 to 159
    double power = 1;            //!< mean power of the samples of a port that sends, > 0
    int gap = 0;                 //!< silent samples after each frame, 0 to 10^7
};

//! Whether a received header belongs to this frame, and the number it carries.
struct CSIFEEDBACK_API csirs_header {
    bool valid = false;
    uint32_t frame = 0;
};

/*!
 * \brief Frames of pilot symbols from which a receiver estimates the channel of each
 * antenna port, similar to the CSI-RS of NR.
 *
 * A frame is a sequence of OFDM symbols of fft_size + cp_length samples:
 *
 *   0                 preamble on the even subcarriers: two equal halves
 *   1                 preamble on all subcarriers
 *   2 ...             header: the frame's number
 *   first_pilot() ... pilots
 *   symbols() - 1     symbol 1 again: shows phase rotation and lost samples
 *
 * and `gap` zeros. The pilots of port n are in the code division group j = n / L, with
 * L = cdm_frequency cdm_time, and have the cover code s = n mod L. Group j has the comb
 * offset j mod comb and the time slot j / comb; a time slot has cdm_time symbols. A group
 * occupies cdm_frequency out of every comb cdm_frequency adjacent subcarriers.
 *
 * All symbols but the repeated last one carry the QPSK sequence r(m) of TS 38.211, clause
 * 7.4.1.5.2, from the Gold sequence of clause 5.2.1 with c_init for n_ID = cell_id, the
 * slot and the symbol's number in this frame. Preamble, header and last symbol are sent
 * by all ports, port n with the phase pi n^2 / nt (nt even) or pi n (n + 1) / nt: a
 * linear array then radiates the same power at all angles of the DFT grid (Meng, Gao and
 * Xia, IEEE Trans. Commun. 64, 2016). A port has the mean power `power` in every symbol
 * in which it sends.
 *
 * The header carries the 32 bits of the number and a CRC of 16 bits, to which a hash of
 * all parameters that the receiver must share is added. They are encoded by a
 * convolutional code of constraint length 7 and rate 1/3 and repeated over at least 600
 * subcarriers.
 *
 * Immutable: any number of blocks may share one object.
 */
class CSIFEEDBACK_API csirs_frame
{
public:
    typedef std::shared_ptr<csirs_frame> sptr;
    using cf = std::complex<float>;

    /*!
     * \brief Makes the description of a frame.
     * \throws std::invalid_argument if a parameter is out of range, or nc is not a
     *         multiple of comb cdm_frequency, at least 4 times that
     */
    static sptr make(const csirs_parameters& parameters);

    /*!
     * \brief Sizes of an NR carrier: fft_size, cp_length, nc, spacing_hz; the other
     * parameters keep their defaults. nc is the number of subcarriers of TS 38.101-1,
     * Table 5.3.2-1, fft_size the smallest power of two that is at least 1.1 nc,
     * cp_length 9/128 of fft_size.
     * \param bandwidth_mhz 5, 10, 15, 20, 25, 30, 40 or 50, for 30 and 60 kHz also 60, 80
     *                      or 100 (60 kHz begins at 10)
     * \param spacing_khz   15, 30 or 60
     * \throws std::invalid_argument if there is no such carrier
     */
    static csirs_parameters preset(int bandwidth_mhz, int spacing_khz);

    virtual ~csirs_frame() = default;

    virtual const csirs_parameters& parameters() const = 0;
    virtual int symbols() const = 0;        //!< symbols of a frame
    virtual int header_symbols() const = 0; //!< those of the header, from symbol 2 on
    virtual int first_pilot() const = 0;    //!< number of the first pilot symbol
    virtual int pilot_symbols() const = 0;  //!< number of pilot symbols
    virtual int frame_length() const = 0;   //!< in samples, gap included
    virtual double sample_rate() const = 0; //!< fft_size spacing_hz, in samples/s
    virtual uint16_t
    hash() const = 0; //!< of all parameters but power, gap and spacing_hz

    //! Pilots of a port after despreading: nc / (comb cdm_frequency).
    virtual int pilots() const = 0;
    //! Position of the first pilot of a port in subcarriers: the middle of its group.
    virtual double pilot_offset(int port) const = 0;
    //! Distance between two pilots: comb cdm_frequency subcarriers.
    virtual int pilot_distance() const = 0;
    //! Amplitude in the samples of a pilot of unit modulus: sqrt(power comb / nc).
    virtual float pilot_amplitude() const = 0;

    /*!
     * \brief What a port sends on each subcarrier, without the amplitude.
     * \param frame  number of the frame
     * \param port   0 to nt - 1
     * \param symbol 0 to symbols() - 1
     * \param out    output, nc values, in order of ascending frequency: k is at
     *               (k - nc / 2) spacing_hz
     * \throws std::invalid_argument if port or symbol is out of range
     */
    virtual void grid(uint32_t frame, int port, int symbol, cf* out) const = 0;

    //! The nc values of the sequence of a symbol, 0 to symbols() - 1. In symbol 0 the odd
    //! subcarriers are 0; in headers the sequence is multiplied by the bits.
    virtual const cf* sequence(int symbol) const = 0;

    //! The phase factor of a port in preamble, header and last symbol.
    virtual cf port_weight(int port) const = 0;

    //! Chip i + cdm_frequency j of a port's cover code, i < cdm_frequency, j < cdm_time.
    virtual cf cover(int port, int chip) const = 0;

    /*!
     * \brief The header in the time domain, for write().
     * \param frame number of the frame
     * \param out   output, header_symbols() (fft_size + cp_length) values, aligned as
     *              volk::vector is; nothing is allocated
     */
    virtual void write_header(uint32_t frame, cf* out) const = 0;

    /*!
     * \brief Writes a section of the samples of a port.
     * \param header from write_header()
     * \param port   0 to nt - 1
     * \param first  first sample, 0 to frame_length() - 1
     * \param count  number of samples, at most frame_length() - first
     * \param out    output, count values
     */
    virtual void
    write(const cf* header, int port, int first, int count, cf* out) const = 0;

    /*!
     * \brief Decodes a header.
     * \param soft header_symbols() nc finite values: above 0 for a 0 bit, with any common
     *             scale
     */
    virtual csirs_header decode_header(const float* soft) const = 0;
};

/*!
 * \brief The pseudo-random sequence c(n) of TS 38.211, clause 5.2.1.
 * \param c_init initial value, below 2^31
 * \param count  number of bits
 */
CSIFEEDBACK_API std::vector<uint8_t> gold_sequence(uint32_t c_init, size_t count);

//! c_init of TS 38.211, clause 7.4.1.5.2, for a slot, a symbol and n_ID.
CSIFEEDBACK_API uint32_t csirs_c_init(int slot, int symbol, int cell_id);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSIRS_FRAME_H */
