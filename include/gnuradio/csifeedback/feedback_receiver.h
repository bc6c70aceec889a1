/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FEEDBACK_RECEIVER_H
#define INCLUDED_CSIFEEDBACK_FEEDBACK_RECEIVER_H

#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/csifeedback/report.h>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! What a feedback_receiver accepts.
struct CSIFEEDBACK_API feedback_rules {
    //! Codec of the frames: decoder::codec_id().
    uint8_t codec_id = 0;
    //! Model of the frames: decoder::model_id().
    uint16_t model_id = 0;
    //! UEs whose frames are accepted; empty: any.
    std::vector<uint16_t> ue_ids;
    /*!
     * \brief Age above which a frame is stale, in frames: 0 to 65535, or -1 for any age.
     *
     * From 0 on, the clock (set_now()) must be known, and frames must be in order.
     */
    int max_age = -1;
    /*!
     * \brief Frames by which a frame number may be ahead of the clock, 0 to 65535.
     *
     * For clocks that reach the receiver later than the frames do. max_age + max_lead
     * must be below 65536, since a frame carries 16 bits of its number.
     */
    int max_lead = 0;
    //! Whether frames must be in order even if max_age is -1.
    bool in_order = false;
};

//! What feedback_receiver concludes about a message.
struct CSIFEEDBACK_API feedback_result {
    frame_status status = frame_status::ok;
    //! Header of the frame; valid unless the status is too_short, bad_crc or
    //! unknown_configuration. For a compact frame the version is 3, and the fields are
    //! those that a frame of version 1 or 2 would have.
    feedback_header header;
    //! Whether the header has a residual energy.
    bool has_residual_energy = false;
    //! Full number of the frame, whose last bits are in the header; valid with status ok.
    uint64_t frame = 0;
    //! Payload of the frame, valid with status ok until the message is destroyed or the
    //! receiver judges the next one.
    const uint8_t* payload = nullptr;
    //! Its length in bytes.
    size_t payload_bytes = 0;
    //! Bits that were sent, including header, checksum and signature, but not the bits
    //! that fill a compact frame to whole bytes; valid with status ok.
    size_t frame_bits = 0;
};

/*!
 * \brief Decides which messages of an uplink are usable feedback frames: well formed,
 * known, signed, fresh and in order. Used by feedback_deframer and the base station.
 *
 * Nothing about a message is trusted. These are the checks, in this order; the first one
 * that fails is the status, and each status is counted.
 *
 * -# Checksum, version and length of the header (`too_short`, `bad_crc`, `bad_version`);
 *    if the receiver has a key, the message ends in a signature that is not part of the
 *    frame.
 * -# The UE is one of ue_ids (`unknown_ue`).
 * -# Codec and model (`unknown_model`), quantizer and its bits (`unknown_quantizer`),
 *    values in the codeword (`bad_code_size`), length of the payload (`bad_length`).
 * -# With max_age >= 0 or a key, the clock is known (`no_clock`).
 * -# With a key, the last 8 bytes are the first 8 of HMAC-SHA256 (RFC 2104) with the UE's
 *    key over the frame and the full frame number, modulo 2^32 and most significant byte
 *    first (`bad_signature`).
 * -# With max_age >= 0, the frame was in the air at most max_age frames ago; with a clock,
 *    its number is not before frame 0 (`stale`).
 * -# With max_age >= 0, in_order or a key, it is newer than the last accepted one from
 *    this UE (`replayed`, or `unconfirmed`, see below).
 *
 * **Frame numbers.** A frame carries 16 bits of its number. With a clock, the number is
 * the only one of [now + max_lead - 65535, now + max_lead] that ends in them. A number
 * from the future therefore looks like an old one, and a frame that is repeated after
 * 65536 frames is detected only by the signature, which covers 32 bits. Frames accepted
 * under a clock that has since been set back do not count for the order. Without a clock,
 * the number is the one nearest to the last believed number of the same UE. A number is
 * believed if it is at most 1024 ahead of the last believed one, or if it is the last of
 * four others in a row, each at most 1024 ahead of the one before: a single forged or
 * damaged number changes nothing, and a sender that restarts is followed after three
 * frames. Without a clock, in_order refuses numbers that are not believed: `unconfirmed`
 * if the number is ahead, `replayed` otherwise. That stops repeated and reordered frames,
 * but not a deliberate replay; against that use max_age, a key, or both.
 *
 * **Compact frames** are also accepted once add_configuration() has provided their
 * configurations; one with an unknown configuration is `unknown_configuration`. They have
 * 8 to 10 bits of the number, so max_age + max_lead must be below 256 to 1024, and
 * without a clock a number is believed up to an eighth of that ahead.
 *
 * State is kept for each UE: a forged frame of one UE does not affect the others. Without
 * ue_ids and a key, this is at most one small record for each of the 65536 numbers.
 *
 * Do not use one object from two threads at once, except for count().
 */
class CSIFEEDBACK_API feedback_receiver
{
public:
    typedef std::shared_ptr<feedback_receiver> sptr;

    /*!
     * \brief Makes a receiver.
     * \param quantizer the quantizer object of the UEs
     * \param rules     what it accepts
     * \throws std::invalid_argument if a rule is out of range or quantizer is null
     */
    static sptr make(quantizer::sptr quantizer, const feedback_rules& rules);
    /*!
     * \brief Makes a receiver of reports.
     * \param format   report_decoder::format()
     * \param max_bits largest number of bits of a report, 1 to 65535
     * \param rules    what it accepts
     * \throws std::invalid_argument if max_bits or a rule is out of range
     */
    static sptr
    make(const report_format& format, int max_bits, const feedback_rules& rules);
    virtual ~feedback_receiver() = default;

    /*!
     * \brief Replaces the quantizer.
     * \throws std::invalid_argument if it is null
     */
    virtual void set_quantizer(quantizer::sptr quantizer) = 0;

    /*!
     * \brief Sets the key of a UE, or of all UEs that have none of their own.
     *
     * Once a key is set, every frame must be signed: frames of a UE without a key are
     * `bad_signature`.
     * \param ue_id 0 to 65535, or -1 for all UEs that have no key of their own
     * \param key   16 to 65536 bytes
     * \throws std::invalid_argument if ue_id or the length of the key is out of range
     */
    virtual void set_key(int ue_id, const std::vector<uint8_t>& key) = 0;

    /*!
     * \brief Accepts compact frames of a configuration, which replaces another one with
     * the same number.
     * \throws std::invalid_argument if it is not valid, if its UE is not in ue_ids, or if
     *         max_age + max_lead is not below 2^number_bits
     */
    virtual void add_configuration(const compact_configuration& configuration) = 0;

    /*!
     * \brief Sets the clock: the number of the frame that the BS sends now.
     *
     * Numbers below 2^32 may wrap around there, like those of csirs_source.
     * \param frame 0 to 2^62
     * \throws std::invalid_argument if frame is out of range
     */
    virtual void set_now(uint64_t frame) = 0;

    /*!
     * \brief Judges a message.
     * \param message n bytes from an untrusted link
     * \param n       number of bytes
     */
    virtual feedback_result receive(const uint8_t* message, size_t n) = 0;

    /*!
     * \brief Judges a message that is not a feedback frame but has a UE and a frame
     * number, by all checks except those of header and codeword.
     *
     * \param kind         1 to 3: kinds of messages, each with its own order
     * \param ue_id        the UE that sends
     * \param frame_number number of the frame that the message is about, modulo 65536
     * \param message      n bytes, including the signature if signature_bytes() is not 0
     * \param n            number of bytes
     * \param frame        output: the full number, valid with status ok
     * \throws std::invalid_argument if kind is out of range
     */
    virtual frame_status admit(int kind,
                               uint16_t ue_id,
                               uint16_t frame_number,
                               const uint8_t* message,
                               size_t n,
                               uint64_t& frame) = 0;

    //! Bytes of the signature at the end of every message: feedback_signature_bytes, or 0
    //! without a key.
    virtual size_t signature_bytes() const = 0;

    //! Messages whose outcome was this status.
    virtual uint64_t count(frame_status status) const = 0;
};

//! Bytes that a key adds to a feedback frame.
constexpr size_t feedback_signature_bytes = 8;

//! Signs feedback frames with a key: the counterpart of feedback_receiver.
class CSIFEEDBACK_API feedback_signer
{
public:
    /*!
     * \brief Makes a signer.
     * \param key 16 to 65536 bytes
     * \throws std::invalid_argument if the key has another length
     */
    explicit feedback_signer(const std::vector<uint8_t>& key);
    feedback_signer(const feedback_signer&);
    feedback_signer& operator=(const feedback_signer&);
    ~feedback_signer();

    /*!
     * \brief Computes the signature of a message.
     * \param message   n bytes
     * \param n         number of bytes
     * \param frame     full frame number; its last 32 bits are signed
     * \param signature output, feedback_signature_bytes bytes
     */
    void sign(const uint8_t* message, size_t n, uint64_t frame, uint8_t* signature) const;

private:
    struct prepared_key;
    std::unique_ptr<prepared_key> d_key;
};

/*!
 * \brief Signs a compact frame in place: the signature follows its bits.
 * \param signer holds the key
 * \param frame  as from pack_compact_frame(), with room for
 *               closed_bytes(bits + 8 * feedback_signature_bytes) bytes
 * \param bits   bits of the frame without the signature
 * \param number full frame number; its last 32 bits are signed
 * \return the bits of the frame with the signature
 */
CSIFEEDBACK_API size_t sign_compact_frame(const feedback_signer& signer,
                                          uint8_t* frame,
                                          size_t bits,
                                          uint64_t number);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FEEDBACK_RECEIVER_H */
