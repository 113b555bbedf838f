// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"

#include <functional>
#include <string>

namespace bitloom::cli {

struct Context;

struct SelfCheck {
    std::string name;
    bool ok = false;
    std::string detail; ///< what was found
};

/// Checks that this build computes correctly on this machine, one thing after the other; `seen`
/// hears of each. Throws Error for a device that this build knows nothing of.
void runChecks(Context& context, Progress& progress,
               const std::function<void(const SelfCheck&)>& seen);

} // namespace bitloom::cli
