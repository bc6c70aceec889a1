/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CODEC_PART_H
#define INCLUDED_CSIFEEDBACK_CODEC_PART_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/api.h>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace gr {
namespace csifeedback {

//! What each half of a codec states about itself.
struct CSIFEEDBACK_API codec_info {
    //! Encoders: the codec, for example "klt". Decoders: the method, for example "fista".
    std::string name;
    //! Number of the codec in a feedback frame, 0 to 255. 128 to 255 are private: they
    //! are for codecs outside this module.
    uint8_t codec_id = 0;
    //! Number of the trained model in a feedback frame, 0 to 65535.
    uint16_t model_id = 0;
    //! Matrices that the codec takes: "Ha", truncated angular-delay matrices, or "H",
    //! full-band ones.
    std::string domain = "Ha";
    //! Rows of these matrices: delay rows Na, or subcarriers Nc. 1 to 65536.
    int rows = 0;
    //! Columns of these matrices: antenna ports. 1 to 1024.
    int nt = 0;
    //! M, the length of the longest codeword, 1 to 65535; 0 if the codec has only
    //! reports, no codewords.
    int code_size = 0;
    //! Subcarriers Nc of the full-band matrix, at least rows; 0: unknown, or any.
    int nc = 0;
    //! Rows of Ha before delay zero; -1: unknown. With domain "H", nc and precursor
    //! follow from rows.
    int precursor = -1;
    //! Array of the antenna ports; a line unless stated otherwise.
    antenna_array array = {};
};

/*!
 * \brief Base class of encoders, decoders and reports: their identity and sizes.
 *
 * Calls to one object are serialized: it may be used from several threads, one call runs
 * at a time, and the results are the same as from one thread. A block holds its object
 * for its lifetime and refuses one that another block holds, since objects may keep state
 * from one matrix to the next.
 */
class CSIFEEDBACK_API codec_part
{
public:
    virtual ~codec_part();
    codec_part(const codec_part&) = delete;
    codec_part& operator=(const codec_part&) = delete;

    const codec_info& info() const { return d_info; }
    //! \copydoc codec_info::name
    const std::string& name() const { return d_info.name; }
    //! \copydoc codec_info::codec_id
    uint8_t codec_id() const { return d_info.codec_id; }
    //! \copydoc codec_info::model_id
    uint16_t model_id() const { return d_info.model_id; }
    //! \copydoc codec_info::domain
    const std::string& domain() const { return d_info.domain; }
    //! \copydoc codec_info::rows
    int rows() const { return d_info.rows; }
    //! The same as rows().
    int na() const { return d_info.rows; }
    //! \copydoc codec_info::nt
    int nt() const { return d_info.nt; }
    //! \copydoc codec_info::code_size
    int code_size() const { return d_info.code_size; }
    //! \copydoc codec_info::nc
    int nc() const { return d_info.nc; }
    //! \copydoc codec_info::precursor
    int precursor() const { return d_info.precursor; }
    //! \copydoc codec_info::array
    const antenna_array& array() const { return d_info.array; }
    //! Length of h_vec: 2 rows() nt().
    int h_size() const { return 2 * d_info.rows * d_info.nt; }

    /*!
     * \brief Marks an object as used by one block, until the result is destroyed.
     * \param part  not null
     * \param where name of the block, for error messages
     * \throws std::invalid_argument if another block holds it
     */
    static std::shared_ptr<void> hold(const std::shared_ptr<codec_part>& part,
                                      const std::string& where);

protected:
    //! \throws std::invalid_argument if a size is out of range, or the array does not
    //! have nt ports
    explicit codec_part(codec_info info);
    //! Serializes a call: hold the result for its duration.
    std::unique_lock<std::mutex> lock() { return std::unique_lock<std::mutex>(d_mutex); }

private:
    const codec_info d_info;
    std::mutex d_mutex;
    std::atomic<bool> d_held{ false };
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CODEC_PART_H */
