/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Runs the corpus and then mutations of it, each determined by the seed and its number
// alone. The inputs run in child processes, so that a crash is counted, its input kept,
// and the run goes on.

#include "fuzz.h"
#include "random.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

using gr::csifeedback::make_engine;
using gr::csifeedback::random_engine;

// AddressSanitizer's, if it is there.
extern "C" void __lsan_do_leak_check() __attribute__((weak));

namespace {

constexpr unsigned seconds_an_input = 20;

using bytes = std::vector<uint8_t>;

void mutate(bytes& x, random_engine& engine)
{
    static const uint64_t interesting[] = {
        0,          1,          2,          4,           7,
        8,          16,         127,        128,         255,
        256,        1000,       0x7fff,     0x8000,      0xffff,
        0x10000,    0x7fffffff, 0x80000000, 0xfffffff0u, 0xffffffff,
        1ull << 32, 1ull << 40, 1ull << 62, 1ull << 63,  ~0ull
    };
    const int mutations = 1 + engine() % 8;
    for (int i = 0; i < mutations && !x.empty(); i++) {
        const size_t at = engine() % x.size(), left = x.size() - at;
        switch (engine() % 9) {
        case 0:
        case 1:
            x[at] ^= 1 << engine() % 8;
            break;
        case 2:
            x[at] = engine();
            break;
        case 3:
            x[at] += engine() % 33 - 16;
            break;
        case 4: { // a number of 1, 2, 4 or 8 bytes, little-endian
            const uint64_t value = interesting[engine() % std::size(interesting)];
            std::memcpy(x.data() + at, &value, std::min(left, size_t(1) << engine() % 4));
            break;
        }
        case 5: { // big-endian
            uint64_t value = interesting[engine() % std::size(interesting)];
            const size_t n = std::min(left, size_t(1) << engine() % 4);
            for (size_t k = 0; k < n; k++)
                x[at + n - 1 - k] = value >> 8 * k;
            break;
        }
        case 6: { // one part over another
            const size_t from = engine() % x.size();
            const size_t n =
                std::min({ size_t(1 + engine() % 64), left, x.size() - from });
            std::memmove(x.data() + at, x.data() + from, n);
            break;
        }
        case 7: { // a part out or in
            const size_t n = std::min(size_t(1 + engine() % 16), left);
            if (engine() % 2)
                x.erase(x.begin() + at, x.begin() + at + n);
            else
                x.insert(x.begin() + at, n, uint8_t(engine()));
            break;
        }
        case 8:
            if (engine() % 4 == 0)
                x.resize(at);
            break;
        }
    }
}

bytes input_of(const std::vector<bytes>& corpus, uint64_t seed, uint64_t number)
{
    if (number < corpus.size())
        return corpus[number];
    random_engine engine = make_engine(seed, number);
    bytes x = corpus[engine() % corpus.size()];
    mutate(x, engine);
    return x;
}

void run(const bytes& x)
{
    // Of exactly this size, so that a sanitizer sees any access beyond.
    uint8_t* copy = static_cast<uint8_t*>(std::malloc(x.size() ? x.size() : 1));
    std::copy(x.begin(), x.end(), copy);
    alarm(seconds_an_input);
    LLVMFuzzerTestOneInput(copy, x.size());
    alarm(0);
    std::free(copy);
}

} // namespace

int main(int argc, char** argv)
{
    uint64_t inputs = 20000, seed = 1;
    std::string keep;
    std::vector<std::string> files;
    for (int i = 1; i < argc; i++) {
        const std::string option = argv[i];
        if (option == "--inputs" && i + 1 < argc)
            inputs = std::strtoull(argv[++i], nullptr, 10);
        else if (option == "--seed" && i + 1 < argc)
            seed = std::strtoull(argv[++i], nullptr, 10);
        else if (option == "--keep" && i + 1 < argc)
            keep = argv[++i];
        else if (option[0] != '-')
            files.push_back(option);
        else {
            std::fprintf(
                stderr,
                "usage: %s [--inputs N] [--seed N] [--keep DIRECTORY] "
                "[FILE...]\nRuns N mutations of the corpus, or the files. Inputs "
                "that crash are written to the directory.\n",
                argv[0]);
            return 2;
        }
    }
    for (const std::string& name : files) {
        std::FILE* file = std::fopen(name.c_str(), "rb");
        if (!file) {
            std::perror(name.c_str());
            return 2;
        }
        bytes x;
        for (int c; (c = std::fgetc(file)) != EOF;)
            x.push_back(c);
        std::fclose(file);
        run(x);
    }
    if (!files.empty())
        return 0;

    const std::vector<bytes> corpus = fuzz_corpus();
    auto* const current = static_cast<volatile uint64_t*>(mmap(nullptr,
                                                               sizeof(uint64_t),
                                                               PROT_READ | PROT_WRITE,
                                                               MAP_SHARED | MAP_ANONYMOUS,
                                                               -1,
                                                               0));
    if (current == MAP_FAILED) {
        std::perror("mmap");
        return 2;
    }
    uint64_t crashes = 0;
    for (uint64_t next = 0; next < inputs; next = *current + 1) {
        *current = inputs;
        const pid_t child = fork();
        if (child < 0) {
            std::perror("fork");
            return 2;
        }
        if (child == 0) {
            for (uint64_t number = next; number < inputs; number++) {
                *current = number;
                run(input_of(corpus, seed, number));
            }
            *current = inputs;
            // Not exit(): it waits for threads that libraries have in the parent alone.
            if (__lsan_do_leak_check)
                __lsan_do_leak_check();
            std::fflush(nullptr);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status == 0)
            break;
        crashes++;
        std::printf("input %llu of seed %llu: %s %d\n",
                    static_cast<unsigned long long>(*current),
                    static_cast<unsigned long long>(seed),
                    WIFSIGNALED(status) ? "signal" : "exit status",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        std::fflush(stdout);
        if (!keep.empty() && *current < inputs) {
            const bytes x = input_of(corpus, seed, *current);
            const std::string name = keep + "/" + std::to_string(seed) + "-" +
                                     std::to_string(uint64_t(*current));
            if (std::FILE* file = std::fopen(name.c_str(), "wb")) {
                std::fwrite(x.data(), 1, x.size(), file);
                std::fclose(file);
            }
        }
    }
    std::printf("%llu inputs, %llu crashes\n",
                static_cast<unsigned long long>(inputs),
                static_cast<unsigned long long>(crashes));
    return crashes ? 1 : 0;
}
