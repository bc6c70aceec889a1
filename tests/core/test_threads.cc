/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// What runs in several threads: the channel generators, replay, MLCF's learner and its
// embeddings. tests/threads builds this file under ThreadSanitizer with the sources that
// it needs and no more; here it compares the results of one thread and of several.

#include "dataset_writer.h"
#include "parallel.h"
#include "random.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <gnuradio/csifeedback/dataset_channel.h>
#include <gnuradio/csifeedback/mlcf_embedding.h>
#include <gnuradio/csifeedback/mlcf_learner.h>
#include <gtest/gtest.h>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr int threads = 4;

using complex_vector = std::vector<std::complex<float>>;

void expect_same_channels(const channel_model::sptr& model)
{
    const channel_grid& grid = model->grid();
    for (const int na : { 0, 8 }) {
        const size_t count = 24;
        const size_t size = count * (na ? na : grid.nc) * grid.nt;
        complex_vector one(size), several(size);
        std::vector<channel_sample_info> info(count);
        generate_channels(model, 5, count, na, 2, 1, one.data(), info.data());
        generate_channels(model, 5, count, na, 2, threads, several.data(), info.data());
        EXPECT_TRUE(one == several) << model->name() << " " << na;
    }
}

TEST(threads, cdl)
{
    cdl_parameters p;
    p.grid.nc = 32;
    p.grid.nt = 4;
    expect_same_channels(cdl_channel::make(p));
}

TEST(threads, cost2100)
{
    cost2100_parameters p;
    p.grid.nc = 32;
    p.grid.nt = 4;
    expect_same_channels(cost2100_channel::make(p));
}

TEST(threads, replay)
{
    const std::string path = testing::TempDir() + "threads.h5";
    write_dataset(path, true, 32, 8, 2, 40, false);
    expect_same_channels(dataset_channel::make(path));
    std::remove(path.c_str());
}

std::vector<float> samples(int n, int dim)
{
    random_engine engine = make_engine(1, 2);
    std::vector<float> x(size_t(n) * dim);
    for (float& value : x)
        value = float(engine() % 2001) / 1000 - 1;
    return x;
}

TEST(threads, learner)
{
    const int n = 300, dim = 6;
    const std::vector<float> x = samples(n, dim), y = samples(n, 3);
    std::vector<std::vector<float>> results;
    for (const int count : { 1, threads }) {
        const auto learner = mlcf_learner::make(x, dim, 30, 5, 0.01f, 0.01f, 1, count);
        for (int i = 0; i < 2; i++)
            learner->iterate();
        std::vector<float> result = learner->landmarks();
        const std::vector<float> images = learner->fit(y, 3);
        const std::vector<float> moved =
            mlcf_transfer(result, dim, images, 3, x, 5, 0.01f, count);
        result.insert(result.end(), images.begin(), images.end());
        result.insert(result.end(), moved.begin(), moved.end());
        results.push_back(result);
    }
    EXPECT_TRUE(results[0] == results[1]);
}

TEST(threads, embeddings)
{
    const std::vector<float> x = samples(80, 4);
    EXPECT_TRUE(lle_embedding(x, 4, 2, 8, 1).y == lle_embedding(x, 4, 2, 8, threads).y);
    EXPECT_TRUE(ltsa_embedding(x, 4, 2, 8, 1).y == ltsa_embedding(x, 4, 2, 8, threads).y);
}

TEST(threads, exceptions)
{
    for (int repetition = 0; repetition < 20; repetition++)
        EXPECT_THROW(for_each_parallel(100,
                                       threads,
                                       [](size_t i, int) {
                                           if (i % 7 == 3)
                                               throw std::invalid_argument("3");
                                       }),
                     std::invalid_argument);
}

} // namespace
