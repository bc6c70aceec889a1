/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/subband_eigenvectors.h>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using rows_of = Eigen::Matrix<cf, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class subband_eigenvectors_impl : public subband_eigenvectors
{
public:
    subband_eigenvectors_impl(int subbands, int nt, int rank)
        : d_subbands(subbands), d_nt(nt), d_rank(rank)
    {
    }

    int subbands() const override { return d_subbands; }
    int nt() const override { return d_nt; }
    int rank() const override { return d_rank; }

    void compute(const cf* h, int rows, int nr, cf* v, float* power) override
    {
        for (int s = 0; s < d_subbands; s++) {
            const int64_t first = (int64_t(s) * rows + d_subbands - 1) / d_subbands,
                          end = (int64_t(s + 1) * rows + d_subbands - 1) / d_subbands;
            const Eigen::Map<const rows_of> a(
                h + first * nr * d_nt, (end - first) * nr, d_nt);
            Eigen::Map<rows_of> out(v + int64_t(s) * d_nt * d_rank, d_nt, d_rank);
            one(a, out, power ? power + int64_t(s) * d_rank : nullptr);
        }
    }

private:
    const int d_subbands, d_nt, d_rank;
    Eigen::MatrixXcf d_gram;
    Eigen::MatrixXcd d_wide;
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXcd> d_solver;

    void one(const Eigen::Map<const rows_of>& a, Eigen::Map<rows_of>& out, float* power)
    {
        // The smaller one of both products has the same nonzero eigenvalues.
        const bool tall = a.rows() > d_nt;
        if (a.rows() == 1) {
            const float norm = a.norm();
            out.setZero();
            if (power) {
                std::fill_n(power, d_rank, 0.0f);
                power[0] = norm * norm;
            }
            if (norm > 0)
                out.col(0) = a.row(0).adjoint() / norm;
            return;
        }
        if (tall)
            d_gram.noalias() = a.adjoint() * a;
        else
            d_gram.noalias() = a * a.adjoint();
        d_wide = d_gram.cast<std::complex<double>>();
        d_solver.compute(d_wide);
        const Eigen::Index n = d_wide.rows();
        const double largest = std::max(d_solver.eigenvalues()(n - 1), 0.0);
        for (int l = 0; l < d_rank; l++) {
            const double value = l < n ? d_solver.eigenvalues()(n - 1 - l) : 0;
            // Below that, rounding errors of the product are left.
            const bool there = value > 1e-6 * largest;
            if (power)
                power[l] = there ? value : 0;
            if (!there) {
                out.col(l).setZero();
                continue;
            }
            if (tall)
                out.col(l) = d_solver.eigenvectors().col(n - 1 - l).cast<cf>();
            else
                out.col(l).noalias() =
                    a.adjoint() * d_solver.eigenvectors().col(n - 1 - l).cast<cf>();
            out.col(l) /= out.col(l).norm();
        }
    }
};

} // namespace

subband_eigenvectors::sptr subband_eigenvectors::make(int subbands, int nt, int rank)
{
    const char* where = "subband_eigenvectors";
    check_range(where, "number of subbands", subbands, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range(where, "rank", rank, 1, std::min(nt, 64));
    return std::make_shared<subband_eigenvectors_impl>(subbands, nt, rank);
}

} // namespace csifeedback
} // namespace gr
