// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/engine/serve/server.h"

#include <filesystem>
#include <map>
#include <string>

namespace bitloom::serve {

struct ServeOptions {
    std::filesystem::path cache;
    std::filesystem::path sampleModel; ///< with calibration.txt and valid.txt, the bundled texts
    ComputeOptions compute;            ///< where a request says nothing
    std::map<std::string, RpcMethod> more; ///< methods that the caller brings along
};

/// Speaks PROTOCOL.md on standard input and output until the input ends. Takes both over: what
/// anybody prints to standard output afterwards goes to standard error. To be called once, from the
/// main thread, before any other thread is made.
void serve(const ServeOptions& options);

} // namespace bitloom::serve
