/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/precoder.h>
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Jacobi>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

class precoder_impl : public precoder
{
public:
    precoder_impl(int users, int nt, bool zero_forcing, bool regularized)
        : d_zero_forcing(zero_forcing),
          d_regularized(regularized),
          d_rows(nt, users),
          d_vectors(nt, users),
          d_gram(users, users),
          d_inverse(users, users),
          d_basis(users, users),
          d_factor(users)
    {
    }

    int users() const override { return d_rows.cols(); }
    int nt() const override { return d_rows.rows(); }

    void set_loading(double loading) override
    {
        check_range("precoder", "loading", loading, 0.0, 1e12);
        if (d_regularized)
            d_loading = loading;
    }

    void compute(const cf* const* h, cf* w) override
    {
        const Eigen::Index users = d_rows.cols(), nt = d_rows.rows();
        for (Eigen::Index k = 0; k < users; k++) {
            d_rows.col(k) =
                Eigen::Map<const Eigen::VectorXcf>(h[k], nt).cast<cd>().conjugate();
            d_rows.col(k) *= inverse_or_zero(d_rows.col(k).norm());
        }
        if (d_zero_forcing)
            force_zeros();
        const Eigen::MatrixXcd& vectors = d_zero_forcing ? d_vectors : d_rows;
        for (Eigen::Index k = 0; k < users; k++)
            Eigen::Map<Eigen::VectorXcf>(w + k * nt, nt) =
                (vectors.col(k) * inverse_or_zero(vectors.col(k).norm())).cast<cf>();
    }

private:
    static double inverse_or_zero(double x) { return x > 0 ? 1 / x : 0; }

    void force_zeros()
    {
        const Eigen::Index users = d_rows.cols();
        // Column by column: products of whole matrices would allocate work space.
        for (Eigen::Index k = 0; k < users; k++) {
            for (Eigen::Index j = 0; j < k; j++)
                d_gram(k, j) = d_rows.col(k).dot(d_rows.col(j));
            // Also of a user without CSI, whose row and column are zero.
            d_gram(k, k) = 1 + d_loading;
        }
        d_factor.compute(d_gram);
        double smallest = d_factor.info() == Eigen::Success ? 1 : 0;
        for (Eigen::Index k = 0; k < users; k++)
            smallest = std::min(smallest, std::norm(d_factor.matrixLLT()(k, k)));
        d_inverse.setIdentity();
        if (smallest > tolerance)
            d_factor.solveInPlace(d_inverse);
        else
            pseudo_inverse();
        d_vectors.setZero();
        for (Eigen::Index k = 0; k < users; k++)
            for (Eigen::Index j = 0; j < users; j++)
                d_vectors.col(k) += d_rows.col(j) * d_inverse(j, k);
    }

    // The inverse on the space that the rows span, by Jacobi's method: Eigen's solver
    // allocates work space.
    void pseudo_inverse()
    {
        const Eigen::Index users = d_gram.cols();
        for (Eigen::Index k = 0; k < users; k++)
            for (Eigen::Index j = 0; j < k; j++)
                d_gram(j, k) = std::conj(d_gram(k, j));
        d_basis.setIdentity();
        double rest = 1;
        for (int sweep = 0; sweep < 50 && rest > 1e-24; sweep++) {
            rest = 0;
            for (Eigen::Index q = 1; q < users; q++)
                for (Eigen::Index p = 0; p < q; p++) {
                    rest = std::max(rest, std::norm(d_gram(p, q)));
                    Eigen::JacobiRotation<cd> rotation;
                    rotation.makeJacobi(
                        d_gram(p, p).real(), d_gram(p, q), d_gram(q, q).real());
                    d_gram.applyOnTheLeft(p, q, rotation.adjoint());
                    d_gram.applyOnTheRight(p, q, rotation);
                    d_basis.applyOnTheRight(p, q, rotation);
                }
        }
        d_inverse.setZero();
        for (Eigen::Index i = 0; i < users; i++)
            for (Eigen::Index k = 0; d_gram(i, i).real() > tolerance && k < users; k++)
                d_inverse.col(k) +=
                    d_basis.col(i) * (std::conj(d_basis(k, i)) / d_gram(i, i).real());
    }

    // Of squares of lengths: far above what rounded rows differ by, and a user this near
    // to others would receive -90 dB.
    static constexpr double tolerance = 1e-9;

    const bool d_zero_forcing, d_regularized;
    double d_loading = 0;
    Eigen::MatrixXcd d_rows;    // h_k^H of unit norm as columns
    Eigen::MatrixXcd d_vectors; // before they are scaled
    Eigen::MatrixXcd d_gram;    // its lower half
    Eigen::MatrixXcd d_inverse;
    Eigen::MatrixXcd d_basis; // eigenvectors, where there is no inverse
    Eigen::LLT<Eigen::MatrixXcd> d_factor;
};

} // namespace

precoder::sptr precoder::make(int users, int nt, const std::string& type, double loading)
{
    const char* where = "precoder";
    check_range(where, "users", users, 1, 64);
    check_range(where, "nt", nt, 1, 1024);
    const bool regularized = type == "regularized-zero-forcing";
    if (type != "zero-forcing" && !regularized && type != "maximum-ratio")
        throw_bad(where,
                  "type",
                  type,
                  "zero-forcing, regularized-zero-forcing or maximum-ratio");
    const auto made =
        std::make_shared<precoder_impl>(users, nt, type != "maximum-ratio", regularized);
    made->set_loading(loading);
    return made;
}

} // namespace csifeedback
} // namespace gr
