/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_PATH_CHANNEL_H

#include "dsp/fft_plan.h"
#include "dsp/first_path.h"
#include <gnuradio/csifeedback/channel_model.h>
#include <volk/volk_alloc.hh>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief A channel model that is a list of plane waves for every sample: turns the list
 * into matrices.
 *
 * H is made by a nonuniform FFT: every path is spread over a few points of a delay grid
 * twice as fine as the rows, by the "exponential of semicircle" kernel of Barnett,
 * Magland and af Klinteberg (SIAM J. Sci. Comput. 41, 2019), the grid is transformed and
 * divided by the kernel's transform. Ha is made of the kept rows alone, from the closed
 * form of a path's 2D-DFT (a product of Dirichlet kernels).
 */
class path_channel : public channel_model
{
public:
    const channel_grid& grid() const override { return d_grid; }
    std::vector<propagation_path> paths(uint64_t index) const override;
    void generate(uint64_t index,
                  std::complex<float>* H,
                  channel_sample_info* info) const override;
    void generate_truncated(uint64_t index,
                            int na,
                            int precursor,
                            std::complex<float>* Ha,
                            channel_sample_info* info) const override;

protected:
    //! Throws std::invalid_argument if the grid is out of range, or if receiver_aligned
    //! is set without align.
    path_channel(const char* where,
                 const channel_grid& grid,
                 bool align,
                 bool normalize,
                 bool receiver_aligned = false);

    //! Appends the paths of a sample, with absolute delays and any scale.
    virtual void draw(uint64_t index, std::vector<propagation_path>& paths) const = 0;

private:
    struct workspace {
        std::vector<propagation_path> paths;
        volk::vector<float> row_re, row_im;    // na: one path's gain times delay kernel
        volk::vector<std::complex<float>> row; // paths x na: all of them
        volk::vector<float> column_re, column_im;   // paths x nt, padded: angle kernels
        volk::vector<float> out_re, out_im;         // na x nt, padded: the result
        volk::vector<std::complex<float>> grid;     // nt x fine delay grid, and a margin
        volk::vector<std::complex<float>> spectrum; // nt x its transform
        // What a receiver aligns by: H, what delay_profiler works in, the profile
        volk::vector<std::complex<float>> h, delay;
        volk::vector<float> profile;
    };
    struct turns {
        std::vector<double> re, im;
        void push_back(std::complex<double> x)
        {
            re.push_back(x.real());
            im.push_back(x.imag());
        }
    };
    static workspace& borrow();
    //! Draws, aligns and normalizes to w.paths; returns the delay removed.
    double draw_aligned(uint64_t index, workspace& w) const;
    //! The delay of the first path of H, as the angular-delay transform finds it, in s.
    double received_delay(workspace& w) const;
    //! The paths on the fine delay grid, transformed to w.spectrum.
    void spread(workspace& w) const;
    //! Takes the subcarriers of w.spectrum: to H unless it is null; returns their energy.
    double collect(workspace& w, std::complex<float>* H) const;

    const channel_grid d_grid;
    const bool d_align;
    const bool d_normalize;
    const bool d_receiver_aligned;
    size_t d_fine; // points of the fine delay grid
    std::unique_ptr<fft_plan> d_to_frequency;
    std::unique_ptr<delay_profiler> d_profiler; // null unless receiver_aligned
    std::vector<float> d_kernel;     // the spreading kernel, kernel_width values per step
    std::vector<float> d_deconvolve; // nc factors
    turns d_row_turns;               // exp(j pi i / nc)
    turns d_beam_turns;              // exp(j pi i / nt)
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_CHANNEL_H */
