/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_FRAME_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_FRAME_H

#include <gnuradio/csifeedback/api.h>
#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

/*!
 * \brief Header of a feedback frame.
 *
 * On the air, most significant bit first: version (4 bits), quantizer_type (4), ue_id
 * (16), frame_number (16), codec_id (8), model_id (16), code_size (16), bits (16), gain
 * (16), then the payload, zero-filled to whole bytes, and CRC24A of TS 38.212 clause 5.1
 * over everything that precedes it. 17 bytes besides the payload.
 *
 * Version 2 has one more byte between gain and payload, `residual_energy`; it is sent for
 * encoders that report one.
 */
struct CSIFEEDBACK_API feedback_header {
    uint8_t version = 1;         //!< version of the format, 4 bits: 1 or 2
    uint8_t quantizer_type = 0;  //!< quantizer::type_id(), 4 bits
    uint16_t ue_id = 0;          //!< the UE that sends
    uint16_t frame_number = 0;   //!< number of the CSI, modulo 65536
    uint8_t codec_id = 0;        //!< encoder::codec_id()
    uint16_t model_id = 0;       //!< encoder::model_id()
    uint16_t code_size = 0;      //!< values in the codeword: the compression ratio
    uint16_t bits = 0;           //!< quantizer::bits()
    uint16_t gain = 0;           //!< see gain_to_code()
    uint8_t residual_energy = 0; //!< version 2: see residual_energy_to_code()
};

//! Bytes of a header of version 1.
constexpr size_t feedback_header_bytes = 14;
//! Bytes of the checksum.
constexpr size_t feedback_crc_bytes = 3;
//! Bytes of a frame of version 1 besides its payload.
constexpr size_t feedback_overhead_bytes = feedback_header_bytes + feedback_crc_bytes;
//! Bytes of a frame of this version besides its payload.
constexpr size_t feedback_overhead(int version)
{
    return feedback_overhead_bytes + (version == 2 ? 1 : 0);
}

//! What a receiver concludes about a frame.
enum class frame_status : uint8_t {
    ok = 0,            //!< usable
    too_short,         //!< shorter than a header and checksum
    bad_crc,           //!< the checksum does not match
    bad_version,       //!< a version of the format other than 1 and 2
    unknown_model,     //!< a codec or model other than the one loaded
    unknown_quantizer, //!< a quantizer other than the one loaded
    bad_code_size,     //!< a codeword longer than the model's, or of length zero
    bad_length,        //!< the payload is not as long as the header implies
    bad_signature,     //!< the signature is missing or wrong
    unknown_ue,        //!< a UE that is not listened to
    stale,             //!< older than allowed, or from the future
    replayed,          //!< not newer than the last frame of its UE
    unconfirmed,       //!< a jump of the frame numbers that no other frame confirms yet
    no_clock,          //!< cannot be judged before the frame clock is known
    unknown_configuration, //!< a compact frame of a configuration unknown to the BS
};
//! Number of values of frame_status.
constexpr int frame_status_count = 15;

//! Name of a status, for example "bad_crc".
CSIFEEDBACK_API const char* frame_status_name(frame_status status);

/*!
 * \brief Writes a complete frame.
 * \param header        its header
 * \param payload       payload_bytes bytes
 * \param payload_bytes length of the payload
 * \param frame         output, feedback_overhead(header.version) + payload_bytes bytes
 */
CSIFEEDBACK_API void pack_frame(const feedback_header& header,
                                const uint8_t* payload,
                                size_t payload_bytes,
                                uint8_t* frame);

/*!
 * \brief Checks length, checksum and version of a frame and reads its header.
 *
 * A CRC that begins at 0 does not detect zero bytes appended at the end: compare
 * payload_bytes with the length that the header implies.
 * \param frame         n bytes, from an untrusted link
 * \param n             number of bytes
 * \param header        output, valid unless the status is too_short or bad_crc
 * \param payload       output, points into frame
 * \param payload_bytes output
 * \return ok, too_short, bad_crc or bad_version
 */
CSIFEEDBACK_API frame_status unpack_frame(const uint8_t* frame,
                                          size_t n,
                                          feedback_header& header,
                                          const uint8_t*& payload,
                                          size_t& payload_bytes);

//! The byte for a residual energy in dB (see encoder::encode()): 1/4 dB resolution from
//! -60 dB (0) to 3.75 dB (255); values outside are clipped, NaN gives 0.
CSIFEEDBACK_API uint8_t residual_energy_to_code(float residual_energy_db);
//! The residual energy in dB for a byte.
CSIFEEDBACK_API float residual_energy_from_code(uint8_t code);

//! CRC24A of TS 38.212 clause 5.1, initial value 0.
CSIFEEDBACK_API uint32_t crc24a(const uint8_t* bytes, size_t n);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_FRAME_H */
