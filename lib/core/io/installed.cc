/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "io/installed.h"
#include <dlfcn.h>
#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>

namespace gr {
namespace csifeedback {

std::vector<std::string> split_paths(const std::string& list)
{
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= list.size();) {
        const size_t end = std::min(list.find(':', begin), list.size());
        if (end > begin)
            parts.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

std::vector<std::string> installed_directories(const std::string& name)
{
    Dl_info info;
    if (!dladdr(reinterpret_cast<void*>(&installed_directories), &info) ||
        !info.dli_fname)
        return {};
    char* resolved = realpath(info.dli_fname, nullptr);
    if (!resolved)
        return {};
    std::string directory(resolved);
    std::free(resolved);
    // <prefix>/lib/<file> or <prefix>/lib/<multiarch>/<file>
    for (int level = 0; level < 3; level++) {
        const size_t slash = directory.rfind('/');
        if (slash == std::string::npos)
            break;
        directory.resize(slash);
        struct stat status;
        const std::string found = directory + "/" + name;
        if (::stat(found.c_str(), &status) == 0)
            return { found };
    }
    return {};
}

} // namespace csifeedback
} // namespace gr
