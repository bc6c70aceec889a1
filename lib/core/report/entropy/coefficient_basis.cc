/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/local_klt/local_klt.h"
#include "report/entropy/coefficient_basis.h"
#include "report/entropy/entropy_model.h"
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class codeword_basis : public coefficient_basis
{
public:
    codeword_basis(const char* where,
                   const model_file& model,
                   const codec_part& part,
                   encoder::sptr encoder,
                   decoder::sptr decoder)
        : d_encoder(std::move(encoder)),
          d_decoder(std::move(decoder)),
          d_s(part.code_size() + 1, 0.0f)
    {
        d_info = part.info();
        d_columns = (d_info.code_size + 1) / 2;
        d_stride = d_columns;
        d_row_level = { 0 };
        d_column_level = entropy_model::levels(where, model, "entropy/level", { 0 });
        if (int(d_column_level.size()) < d_columns)
            throw_bad(where,
                      "code_size",
                      d_info.code_size,
                      "up to " + std::to_string(2 * d_column_level.size()) +
                          ", for which there are tables");
    }

    void start(const float* h_vec) override
    {
        d_encoder->encode(h_vec, d_s.data(), d_info.code_size);
        // Codewords with levels are those of linear encoders.
        d_operations += uint64_t(2) * d_info.rows * d_info.nt * d_info.code_size;
    }
    void transform(const patch_pair&, float* re, float* im) override
    {
        for (int i = 0; i < d_columns; i++) {
            re[i] = d_s[2 * i];
            im[i] = d_s[2 * i + 1];
        }
    }
    void
    invert(const patch_pair&, const float* re, const float* im, float* h_vec) override
    {
        for (int i = 0; i < d_columns; i++) {
            d_s[2 * i] = re[i];
            d_s[2 * i + 1] = im[i];
        }
        d_decoder->decode(d_s.data(), d_info.code_size, h_vec);
    }

private:
    const encoder::sptr d_encoder;
    const decoder::sptr d_decoder;
    std::vector<float> d_s; // one more than there are: they go in pairs
};

class patch_basis : public coefficient_basis
{
public:
    patch_basis(const char* where, const model_file& model, bool forward)
        : d_p(where, model, 0, forward, { 1.0f, 0.3f, 0.05f }),
          d_re(d_p.plane(), 0.0f),
          d_im(d_p.plane(), 0.0f)
    {
        d_info = d_p.info();
        d_rows = d_p.na;
        d_columns = d_p.nt;
        d_stride = d_p.stride();
        const auto load =
            [&](const char* name, int count, int size, std::vector<int>& level) {
                level = entropy_model::levels(where,
                                              model,
                                              std::string("entropy/") + name + "_level",
                                              { size_t(count), size_t(size) });
                return std::make_unique<const frequency_table>(frequency_tables(
                    model, std::string("entropy/") + name, { 1, size_t(count) })[0]);
            };
        d_row_patches = load("rows", d_p.row_count(), d_rows, d_row_level);
        d_column_patches = load("columns", d_p.column_count(), d_columns, d_column_level);
    }

    void start(const float* h_vec) override
    {
        for (int a = 0; a < d_rows; a++) {
            std::copy_n(h_vec + a * d_columns, d_columns, &d_re[a * d_stride]);
            std::copy_n(h_vec + (d_rows + a) * d_columns, d_columns, &d_im[a * d_stride]);
        }
    }
    void rank(int coarse, std::vector<int>& rows, std::vector<int>& columns) override
    {
        d_p.rank(d_re.data(), d_im.data(), coarse, rows, columns);
        // Covariances of rows and columns, and the likelihoods of all patches.
        const uint64_t na = d_rows, nt = d_columns;
        d_operations +=
            product() + 2 * na * na * d_p.row_count() + 2 * nt * nt * d_p.column_count();
    }
    void transform(const patch_pair& p, float* re, float* im) override
    {
        d_p.transform(p.row, p.column, d_re.data(), d_im.data(), re, im);
        d_operations += product();
    }
    void
    invert(const patch_pair& p, const float* re, const float* im, float* h_vec) override
    {
        d_p.transform(p.row, p.column, re, im, d_re.data(), d_im.data());
        for (int a = 0; a < d_rows; a++) {
            std::copy_n(&d_re[a * d_stride], d_columns, h_vec + a * d_columns);
            std::copy_n(&d_im[a * d_stride], d_columns, h_vec + (d_rows + a) * d_columns);
        }
    }

private:
    local_klt d_p;
    volk::vector<float> d_re, d_im;

    // Of a matrix with both bases, complex.
    uint64_t product() const
    {
        return uint64_t(4) * d_rows * d_columns * (d_rows + d_columns);
    }
};

// Whether the tables of a model go with patches.
bool has_patches(const char* where, const model_file& model, int code_size)
{
    if (!model.has("entropy/rows_level"))
        return false;
    if (code_size)
        throw_bad(
            where, "code_size", code_size, "0: reports take what the budget allows");
    return true;
}

} // namespace

void coefficient_basis::rank(int, std::vector<int>& rows, std::vector<int>& columns)
{
    rows.assign(1, 0);
    columns.assign(1, 0);
}

std::unique_ptr<coefficient_basis> coefficient_basis::forward(
    const char* where, const model_file::sptr& model, int code_size)
{
    if (has_patches(where, *model, code_size))
        return std::make_unique<patch_basis>(where, *model, true);
    const auto e = encoder::from_model(model, code_size);
    return std::make_unique<codeword_basis>(where, *model, *e, e, nullptr);
}

std::unique_ptr<coefficient_basis>
coefficient_basis::backward(const char* where,
                            const model_file::sptr& model,
                            int code_size,
                            const std::string& method)
{
    if (has_patches(where, *model, code_size))
        return std::make_unique<patch_basis>(where, *model, false);
    const auto d = decoder::from_model(model, code_size, method);
    return std::make_unique<codeword_basis>(where, *model, *d, nullptr, d);
}

} // namespace csifeedback
} // namespace gr
