/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_NETWORK_H
#define INCLUDED_CSIFEEDBACK_NETWORK_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief What the file of a trained network states about the codec in it.
 *
 * It is text "name=value,name=value" with the names of the members below, either in the
 * file, in a way that depends on its format, or after its name on a command line.
 */
struct CSIFEEDBACK_API network_info {
    //! Name for messages: lower-case letters, digits and hyphens.
    std::string name;
    //! Title in tables and legends; empty: the name.
    std::string title;
    //! Number of the codec in a feedback frame, 128 to 255.
    int number = 0;
    //! Number of the trained model in a feedback frame, 0 to 65535; -1: not stated.
    int model_id = -1;
    //! Matrices that the codec takes: "Ha" or "H".
    std::string domain = "Ha";
    //! Rows of the matrices, 1 to 65536, and antenna ports, 1 to 1024; 0: not stated.
    int rows = 0, nt = 0;
    //! Subcarriers of H; 0: not stated. Rows before delay zero (domain Ha).
    int nc = 0, precursor = 0;
    antenna_array array;
    //! M, values of a codeword, 1 to 65535; 0: not stated.
    int code_size = 0;
    //! Whether the first m values of a codeword are also a codeword; otherwise only
    //! complete codewords are sent.
    bool nested = false;
    //! What a file with one function holds: "encoder", "decoder"; empty: not stated.
    std::string part;
    //! File with the decoder, beside this one; empty: it is in this file.
    std::string decoder;

    /*!
     * \brief Reads what a file and a user state.
     * \param path    of the file, for error messages
     * \param number  of the codec if nothing else is stated
     * \param texts   "name=value,..", later ones have precedence; may be empty
     * \throws std::invalid_argument naming what is unknown or out of range, and what is
     *         allowed
     */
    static network_info
    read(const std::string& path, int number, const std::vector<std::string>& texts);
};

/*!
 * \brief A codec in a file whose halves are graphs or programs, run by some library.
 *
 * The encoder takes float matrices (n, 2, rows, nt), real and imaginary parts, each
 * scaled to mean |h|^2 = 1 (each is an h_vec), and returns codewords (n, M). The decoder
 * takes these and returns matrices (n, 2, rows, nt) of the same scale. The result for one
 * matrix must not depend on the rest of the batch.
 */
class CSIFEEDBACK_API network
{
public:
    typedef std::shared_ptr<network> sptr;

    enum class part { encoder, decoder };
    //! An array of any shape, last index fastest.
    struct array {
        std::vector<int64_t> shape;
        std::vector<float> values;
    };
    //! Largest number of matrices or codewords that are run together.
    static constexpr int max_batch = 64;

    virtual ~network();
    network(const network&) = delete;
    network& operator=(const network&) = delete;

    const std::string& path() const { return d_path; }
    const network_info& info() const { return d_info; }
    //! Whether it has this half, in any of its files.
    virtual bool has(part half) const = 0;
    /*!
     * \brief Runs one half on one thread.
     * \param half  one that it has, see has()
     * \param in    values of an array of this shape
     * \param shape (n, 2, rows, nt) or (n, M)
     * \return what the half returns, whatever its shape
     * \throws std::runtime_error with one line
     */
    virtual array run(part half, const float* in, const std::vector<int64_t>& shape) = 0;

protected:
    network(const std::string& path, network_info info);
    //! Path of the decoder's own file, which info() names relative to this one.
    std::string decoder_path() const;
    //! One line for an error message: the first one of the text, or the last one if the
    //! text is a traceback.
    static std::string reason(const std::string& text);

private:
    friend struct network_codec;
    const std::string d_path;
    network_info d_info;
};

//! Encoders and decoders of networks.
struct CSIFEEDBACK_API network_codec {
    //! Largest allowed relative difference between the results for a matrix alone and in
    //! a batch.
    static constexpr float tolerance = 1e-5f;

    /*!
     * \brief Completes and checks what the network states: without a code size, the
     * encoder is run to find it.
     * \throws std::invalid_argument if something is missing or does not fit
     */
    static void check(network& net);
    /*!
     * \brief Makes the UE's half.
     *
     * The encoder is tested with random matrices. It is refused if the results of a
     * matrix differ between a batch of 64 and the matrix alone, since it then mixes the
     * matrices of a batch, or if they differ when it is run again. An encoder that takes
     * only single matrices is run with single ones.
     * \param net       not null
     * \param code_size M; 0: the longest
     * \param model_id  number in feedback frames; -1: as the file states, or 0
     * \throws std::invalid_argument with the reason
     */
    static encoder::sptr
    make_encoder(network::sptr net, int code_size = 0, int model_id = -1);
    //! Makes the BS's half in the same way.
    static decoder::sptr
    make_decoder(network::sptr net, int code_size = 0, int model_id = -1);
    //! Whether it can make codewords of this length.
    static bool can_send(const network_info& info, int code_size);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_NETWORK_H */
