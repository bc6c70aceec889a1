/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LINK_MODEL_H
#define INCLUDED_CSIFEEDBACK_LINK_MODEL_H

#include <gnuradio/csifeedback/api.h>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gr {
namespace csifeedback {

//! Parameters of link_model.
struct CSIFEEDBACK_API link_parameters {
    double bit_error_rate = 0; //!< probability that a bit is flipped, 0 to 0.5
    double erasure_rate = 0;   //!< share of frames that are lost, 0 to 1
    //! Mean number of frames lost in a row, >= 1; 0: losses are independent.
    double mean_burst_length = 0;
    uint64_t seed = 1; //!< of the random numbers
};

/*!
 * \brief An imperfect uplink for feedback frames: bit errors (binary symmetric channel)
 * and lost frames, independent or in bursts (two-state Gilbert model, in which the bad
 * state loses every frame and lasts mean_burst_length frames).
 */
class CSIFEEDBACK_API link_model
{
public:
    typedef std::shared_ptr<link_model> sptr;

    /*!
     * \brief Makes a link.
     * \param parameters see link_parameters
     * \throws std::invalid_argument if a parameter is out of range, or the erasure rate
     *         cannot be reached with bursts of that length (erasure_rate < 1 needs
     *         mean_burst_length >= erasure_rate / (1 - erasure_rate))
     */
    static sptr make(const link_parameters& parameters);
    virtual ~link_model() = default;

    /*!
     * \brief Changes the rates of a running link; its random sequence continues.
     *
     * With an erasure rate of 0 no further frame is lost, with 1 every frame is lost;
     * otherwise a burst in progress ends as it would have.
     * \throws std::invalid_argument as make() does; the rates then stay as they were
     */
    virtual void set_rates(double bit_error_rate, double erasure_rate) = 0;

    /*!
     * \brief Sends one frame.
     * \param bytes  frame, changed in place
     * \param n      number of bytes
     * \param errors output, number of bits flipped
     * \return false if the frame is lost
     */
    virtual bool transmit(uint8_t* bytes, size_t n, size_t& errors) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LINK_MODEL_H */
