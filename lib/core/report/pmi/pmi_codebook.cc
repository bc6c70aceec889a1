/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "report/pmi/beams.h"
#include <gnuradio/csifeedback/pmi_codebook.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

// Table 5.2.2.2.1-2, and the two ports of a single element.
constexpr pmi_array known_arrays[] = { { 1, 1 },  { 2, 1 }, { 2, 2 }, { 4, 1 }, { 3, 2 },
                                       { 6, 1 },  { 4, 2 }, { 8, 1 }, { 4, 3 }, { 6, 2 },
                                       { 12, 1 }, { 4, 4 }, { 8, 2 }, { 16, 1 } };

void check_array(const char* where, const pmi_array& array)
{
    std::string allowed;
    for (const pmi_array& known : known_arrays) {
        if (known.n1 == array.n1 && known.n2 == array.n2)
            return;
        allowed += (allowed.empty() ? "(" : ", (") + std::to_string(known.n1) + ", " +
                   std::to_string(known.n2) + ")";
    }
    throw_bad(where,
              "(N1, N2)",
              "(" + std::to_string(array.n1) + ", " + std::to_string(array.n2) + ")",
              allowed);
}

} // namespace

pmi_codebook::pmi_codebook(const char* where,
                           const pmi_array& array,
                           int subbands,
                           int per_cqi,
                           const std::vector<int>& ranks)
    : d_array(array), d_subbands(subbands), d_per_cqi(per_cqi), d_ranks(ranks)
{
    check_array(where, array);
    check_range(where, "number of subbands", subbands, 1, 36);
    check_range(where, "precoders for each CQI subband", per_cqi, 1, 2);
    std::sort(d_ranks.begin(), d_ranks.end());
    d_ranks.erase(std::unique(d_ranks.begin(), d_ranks.end()), d_ranks.end());
    check_range<size_t>(where, "number of ranks", d_ranks.size(), 1, 8);
}

pmi_codebook::~pmi_codebook() = default;

int pmi_codebook::ri_bits() const { return field_bits(d_ranks.size()); }

std::string pmi_codebook::check_count(int rank, int count) const
{
    const int most = max_count(rank);
    if (most == 0 || (count >= rank && count <= most))
        return "";
    return "K^NZ is " + std::to_string(count) + ", allowed is " + std::to_string(rank) +
           " to " + std::to_string(most);
}

int pmi_codebook::part2_bits(int rank, int count) const
{
    int sum = 0;
    for (int group = 0; group < group_count; group++)
        sum += group_bits(rank, count, group);
    return sum;
}

void pmi_codebook::check_rank(int rank) const
{
    if (std::count(d_ranks.begin(), d_ranks.end(), rank))
        return;
    std::string allowed;
    for (const int r : d_ranks)
        allowed += (allowed.empty() ? "" : ", ") + std::to_string(r);
    throw_bad(name().c_str(), "rank", rank, allowed);
}

void pmi_codebook::select(
    const std::complex<float>* h, int rows, int nr, int rank, pmi& p)
{
    check_rank(rank);
    check_range(name().c_str(), "rows", rows, d_subbands, 65536);
    check_range(name().c_str(), "receive antennas", nr, rank, 64);
    do_select(h, rows, nr, rank, p);
}

} // namespace csifeedback
} // namespace gr
