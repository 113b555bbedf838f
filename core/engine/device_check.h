// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/model/checkpoint.h"
#include "core/text/dataset.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace bitloom {

struct DeviceCheck {
    std::string name;
    bool ok = false;
    std::string detail; ///< what was found
};

/// Calibrates, quantizes, polishes and evaluates a model on the processor and on the device of
/// `compute`, which must have one, and compares: Hessians' figures, error curves, factors, the loss
/// that quantization costs. `seen` hears of each check. `scratch` is an existing folder.
void checkDevice(std::shared_ptr<const Checkpoint> model, const TokenWindows& windows,
                 const std::filesystem::path& scratch, const ComputeOptions& compute,
                 Progress& progress, const std::function<void(const DeviceCheck&)>& seen);

} // namespace bitloom
