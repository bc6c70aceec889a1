/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FRAME_ORDER_H
#define INCLUDED_CSIFEEDBACK_FRAME_ORDER_H

#include <algorithm>
#include <cstdint>

namespace gr {
namespace csifeedback {

/*!
 * \brief The number nearest to a known one that ends in the same `bits` bits as `low`.
 *
 * Feedback frames carry the last bits of the frame number only.
 * \param low   the number that came; its upper bits are ignored
 * \param known a number that is less than 2^(bits - 1) away
 * \param bits  1 to 32
 */
inline uint64_t nearest_number(uint64_t low, uint64_t known, int bits)
{
    const uint64_t period = uint64_t(1) << bits, half = period / 2;
    // How far ahead, 0 to period - 1.
    const uint64_t ahead = (low - known) & (period - 1);
    if (ahead < half)
        return known + ahead;
    return known + ahead >= period ? known + ahead - period : known + ahead;
}

/*!
 * \brief Decides which frame numbers of a stream are believed, without a clock.
 *
 * A number is believed if it is 1 to `window` ahead of the last believed one, or if it is
 * the first of all. Any other number is not: one behind is late, one further ahead is a
 * jump, and more likely a damaged or forged frame. After `confirmations` such numbers in
 * a row, each 1 to `window` ahead of the one before and none believed between them, the
 * last of them is believed, whether it is ahead or behind: the sender has begun anew.
 *
 * So a sender whose numbers increase by 1 to `window` loses at most confirmations - 1
 * frames for each wrong number that is received, and as many after a jump of its own.
 * Repeated and reordered frames are late as long as newer ones arrive between them. Old
 * frames that are replayed while the sender is silent are believed after the first few:
 * only a clock or a signature tells them apart.
 */
class frame_order
{
public:
    enum class verdict : uint8_t {
        next,  //!< believed: ahead of the last
        jump,  //!< believed: the sender's numbers begin anew
        late,  //!< not believed: not ahead of the last believed one
        ahead, //!< not believed: too far ahead, until confirmed
    };

    explicit frame_order(uint64_t window = 1024, int confirmations = 4)
        : d_window(window), d_confirmations(confirmations)
    {
    }

    /*!
     * \brief Judges a number.
     * \param number 0 to 2^63
     * \param bits   1 to 64: how many of its bits were sent. The window is an eighth of the
     *               numbers that they tell apart at most
     */
    verdict take(uint64_t number, int bits = 64)
    {
        const uint64_t window = std::min(d_window, uint64_t(1) << (bits - 1) >> 2);
        if (!d_known || is_next(number, d_last, window)) {
            d_known = true;
            d_run = 0;
            d_last = number;
            return verdict::next;
        }
        d_run = d_run && is_next(number, d_candidate, window) ? d_run + 1 : 1;
        d_candidate = number;
        if (d_run >= d_confirmations) {
            d_run = 0;
            d_last = number;
            return verdict::jump;
        }
        return number <= d_last ? verdict::late : verdict::ahead;
    }

    //! Whether a number has been believed.
    bool known() const { return d_known; }
    //! The last number that was believed.
    uint64_t last() const { return d_last; }

private:
    static bool is_next(uint64_t number, uint64_t last, uint64_t window)
    {
        return number > last && number - last <= window;
    }

    uint64_t d_window;
    int d_confirmations;
    bool d_known = false;
    uint64_t d_last = 0;
    uint64_t d_candidate = 0; // the last number that was not believed
    int d_run = 0;            // numbers in a row up to it
};

inline bool is_believed(frame_order::verdict v)
{
    return v == frame_order::verdict::next || v == frame_order::verdict::jump;
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FRAME_ORDER_H */
