/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_COMPACT_FRAME_H
#define INCLUDED_CSIFEEDBACK_COMPACT_FRAME_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

//! Checksum of a compact feedback frame: the polynomials of TS 38.212 clause 5.1.
enum class frame_checksum : uint8_t {
    none = 0, //!< no bits
    crc11,    //!< 11 bits, as for NR UCI of 20 bits and more
    crc16,    //!< 16 bits
    crc24,    //!< 24 bits, CRC24C
};

//! Bits of a checksum.
CSIFEEDBACK_API int checksum_bits(frame_checksum checksum);

/*!
 * \brief The checksum of TS 38.212 clause 5.1 of a bit string, with initial value 0; 0
 * for `none`.
 * \param checksum which one
 * \param bits     (n + 7) / 8 bytes, most significant bit first
 * \param n        number of bits
 */
CSIFEEDBACK_API uint32_t checksum_of(frame_checksum checksum,
                                     const uint8_t* bits,
                                     size_t n);

//! Resolution of the gain in compact frames, in dB: costs 0.075 dB at an NMSE of -30 dB.
constexpr float compact_gain_step_db = 1.0f / 8;

/*!
 * \brief What UE and BS configure once for compact feedback frames, as RRC does in NR.
 *
 * Codec, model, quantizer or report format, and thus the number of payload bits, are also
 * configured: they belong to the framer and the deframer. A compact frame carries the
 * number of the configuration instead.
 *
 * On the air, most significant bit first: version (4 bits, value 3), number (8),
 * frame_number (number_bits), gain (gain_bits), the residual energy if it is configured
 * (8, see residual_energy_to_code()), the payload, of any number of bits, and the
 * checksum over all bits that precede it, complemented so that zeros appended at the end
 * do not pass. With a key, a signature of 64 bits follows, see feedback_signer.
 *
 * In bytes, as sockets carry it, the frame is followed by a 1 bit and zeros up to a whole
 * byte, so that the number of bits is known.
 */
struct CSIFEEDBACK_API compact_configuration {
    //! Largest number of bits of a frame's payload.
    static constexpr size_t max_payload_bits = 65535;

    uint8_t number = 0;                              //!< number of the configuration
    uint16_t ue_id = 0;                              //!< UE that sends with this number
    frame_checksum checksum = frame_checksum::crc24; //!< at the end of the frame
    int number_bits = 10;         //!< bits of the frame number that are sent, 8 to 10
    int gain_bits = 9;            //!< bits of the gain, 0 to 12; 0: always min_gain_db
    float min_gain_db = -40;      //!< gain of code 0, -256 to 255; rounded to 1/128 dB
    bool residual_energy = false; //!< whether frames carry a residual energy

    //! Gain of the largest code in dB.
    float max_gain_db() const;
    //! Nearest code of a gain in dB, limited to what gain_bits allow; 0 for NaN.
    uint16_t gain_to_code(float gain_db) const;
    //! Gain in dB of a code.
    float gain_from_code(uint16_t code) const;
    //! Bits of a frame besides its payload, without a signature.
    int overhead_bits() const;
    //! \throws std::invalid_argument if a field is out of range
    void check() const;
};

//! Header of a compact frame.
struct CSIFEEDBACK_API compact_header {
    uint16_t frame_number = 0;   //!< modulo 2^number_bits
    uint16_t gain = 0;           //!< see compact_configuration::gain_to_code()
    uint8_t residual_energy = 0; //!< see residual_energy_to_code()
};

//! Bytes that hold a string of n bits and the bit that terminates it.
constexpr size_t closed_bytes(size_t n) { return n / 8 + 1; }

/*!
 * \brief Terminates a bit string: sets the bit after it to 1 and fills up the byte with
 * zeros.
 * \param bits closed_bytes(n) bytes, changed after the first n bits
 * \param n    number of bits
 */
CSIFEEDBACK_API void close_bits(uint8_t* bits, size_t n);

/*!
 * \brief Number of bits of a bit string that close_bits() has terminated.
 * \param bytes n bytes, from an untrusted link
 * \param n     number of bytes
 * \param bits  output
 * \return false if the last byte holds no terminating bit
 */
CSIFEEDBACK_API bool closed_bits(const uint8_t* bytes, size_t n, size_t& bits);

/*!
 * \brief Writes a compact frame, terminated by close_bits().
 * \param configuration valid, see compact_configuration::check()
 * \param header        its header; bits beyond the configured field widths are discarded
 * \param payload       (payload_bits + 7) / 8 bytes, most significant bit first
 * \param payload_bits  number of payload bits, up to max_payload_bits
 * \param frame         output, closed_bytes(payload_bits + overhead_bits()) bytes
 * \return the bits of the frame, payload_bits + overhead_bits()
 */
CSIFEEDBACK_API size_t pack_compact_frame(const compact_configuration& configuration,
                                          const compact_header& header,
                                          const uint8_t* payload,
                                          size_t payload_bits,
                                          uint8_t* frame);

/*!
 * \brief Whether a message is a compact frame, and of which configuration.
 * \param frame  closed_bytes(bits) bytes
 * \param bits   number of bits of the frame
 * \param number output
 * \return false if it is shorter than the first two fields or has another version
 */
CSIFEEDBACK_API bool
compact_frame_configuration(const uint8_t* frame, size_t bits, uint8_t& number);

/*!
 * \brief Checks and reads a compact frame of a known configuration.
 * \param configuration valid, with this number: see compact_frame_configuration()
 * \param frame         closed_bytes(bits) bytes, from an untrusted link
 * \param bits          number of bits of the frame, without a signature
 * \param header        output, valid if the status is ok
 * \param payload       output, room for (bits + 7) / 8 bytes: the payload, zero-filled to
 *                      whole bytes, if the status is ok
 * \param payload_bits  output, the number of its bits
 * \return ok, too_short, bad_version (or another number), bad_crc or bad_length (more than
 *         max_payload_bits)
 */
CSIFEEDBACK_API frame_status
unpack_compact_frame(const compact_configuration& configuration,
                     const uint8_t* frame,
                     size_t bits,
                     compact_header& header,
                     uint8_t* payload,
                     size_t& payload_bits);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_COMPACT_FRAME_H */
