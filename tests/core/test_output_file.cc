/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The file of a recording: all of it or an error, and never another file than its own.

#include "io/output_file.h"
#include "model_writer.h"
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>

using namespace gr::csifeedback;

namespace {

//! Files of this process end at a size, as on a full disk.
class file_limit
{
public:
    explicit file_limit(rlim_t size) : d_handler(std::signal(SIGXFSZ, SIG_IGN))
    {
        getrlimit(RLIMIT_FSIZE, &d_before);
        const struct rlimit limit = { size, d_before.rlim_max };
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~file_limit()
    {
        setrlimit(RLIMIT_FSIZE, &d_before);
        std::signal(SIGXFSZ, d_handler);
    }

private:
    struct rlimit d_before;
    void (*d_handler)(int);
};

class output : public testing::Test
{
protected:
    const scratch_directory directory;
    const std::string path = directory.file("samples");
    std::vector<uint32_t> values = std::vector<uint32_t>(3000);

    void SetUp() override { std::iota(values.begin(), values.end(), 1); }

    static std::string content(const std::string& name)
    {
        std::ifstream file(name, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    std::string bytes(size_t size) const
    {
        return std::string(reinterpret_cast<const char*>(values.data()), size);
    }
    std::string error_of_making(const std::string& name)
    {
        try {
            output_file(name, 4);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "no exception";
    }
    void expect_refused(const std::string& name, const std::string& words)
    {
        const std::string text = error_of_making(name);
        EXPECT_EQ(text.find(name + ": "), 0u) << text;
        EXPECT_NE(text.find(words), std::string::npos) << text;
    }
};

} // namespace

TEST_F(output, has_what_was_written)
{
    std::ofstream(path) << "old";
    output_file file(path, 12);
    EXPECT_EQ(content(path), "");
    EXPECT_TRUE(file.write(values.data(), 600));
    EXPECT_TRUE(file.finish());
    EXPECT_TRUE(file.write(values.data() + 1800, 400));
    EXPECT_TRUE(file.finish());
    EXPECT_EQ(file.items(), 1000u);
    EXPECT_EQ(file.error(), "");
    EXPECT_EQ(content(path), bytes(12000));
}

TEST_F(output, a_full_disk_is_an_error_that_stays)
{
    output_file file(path, 12);
    {
        const file_limit limit(5000);
        EXPECT_TRUE(file.write(values.data(), 300));
        EXPECT_FALSE(file.write(values.data() + 900, 300));
    }
    EXPECT_EQ(file.error(), path + ": File too large after 416 items; they are kept");
    EXPECT_FALSE(file.write(values.data(), 1));
    EXPECT_FALSE(file.finish());
    EXPECT_EQ(file.items(), 416u);
    EXPECT_EQ(content(path), bytes(416 * 12));
}

TEST_F(output, a_disk_without_room)
{
    // Always full; it is no regular file, so that only a descriptor can be had.
    expect_refused("/dev/full", "is no regular file");
}

TEST_F(output, other_files_are_left_alone)
{
    const std::string victim = directory.file("victim");
    std::ofstream(victim) << "precious";
    std::filesystem::create_symlink(victim, path);
    expect_refused(path, "is a symbolic link");
    EXPECT_EQ(content(victim), "precious");
    std::filesystem::remove(path);
    // Dangling
    std::filesystem::create_symlink(directory.file("new"), path);
    expect_refused(path, "is a symbolic link");
    EXPECT_FALSE(std::filesystem::exists(directory.file("new")));
    std::filesystem::remove(path);
    // Of two names of a file one is replaced.
    std::filesystem::create_hard_link(victim, path);
    EXPECT_TRUE(output_file(path, 4).write(values.data(), 3));
    EXPECT_EQ(content(victim), "precious");
    EXPECT_EQ(content(path), bytes(12));

    const std::string fifo = directory.file("fifo");
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    expect_refused(fifo, "is no regular file");
    expect_refused(directory.file("."), "is no regular file");
    expect_refused(directory.file("none/samples"), "No such file");
    EXPECT_NE(error_of_making("").find("No such file"), std::string::npos);
}

TEST_F(output, a_file_that_was_taken_away)
{
    output_file removed(path, 4);
    EXPECT_TRUE(removed.write(values.data(), 3));
    std::filesystem::remove(path);
    EXPECT_TRUE(removed.write(values.data(), 3));
    EXPECT_FALSE(removed.finish());
    EXPECT_EQ(removed.error(),
              path + ": was removed or replaced by another program while it was written");

    output_file replaced(path, 4);
    EXPECT_TRUE(replaced.write(values.data(), 3));
    output_file other(path, 4);
    EXPECT_FALSE(replaced.finish());
    EXPECT_TRUE(other.finish());

    EXPECT_TRUE(other.write(values.data(), 3));
    std::filesystem::resize_file(path, 4);
    EXPECT_FALSE(other.finish());
    EXPECT_EQ(other.error(),
              path + ": was changed by another program while it was written");
}
