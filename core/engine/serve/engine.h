// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/compute.h"
#include "core/engine/inputs.h"
#include "core/engine/serve/files.h"
#include "core/engine/serve/job.h"
#include "core/engine/serve/models.h"
#include "core/engine/serve/params.h"
#include "core/engine/serve/server.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace bitloom::serve {

/// What the methods of one `bitloom serve` share. Made once; `models` and everything that computes
/// belongs to the compute thread.
struct Engine {
    std::filesystem::path cache, sampleModel;
    ComputeOptions compute; ///< where a request says nothing
    FileAccess files;       ///< thread-safe
    ModelStore models;

    std::filesystem::path bundledCalibrationText() const { return sampleModel / "calibration.txt"; }
    std::filesystem::path bundledEvaluationText() const { return sampleModel / "valid.txt"; }

    /// `threads` and `memory` of a request.
    ComputeOptions computeOf(Params& params) const;
    /// With `device` and `vram` too: for what a GPU can do.
    ComputeOptions deviceComputeOf(Params& params) const;
    /// libtorch set up for a job on the processor.
    void start(const ComputeOptions& compute);
    /// The same, with the device opened that `job` asks for, whose progress tells of its memory
    /// from then on; models that lie there are given back. Throws Error(NoDevice).
    void startOnDevice(ComputeOptions& compute, Job& job);

private:
    std::optional<int> m_threads; ///< that libtorch was set up with
};

/// peak_rss, rss, device, threads and what is to be said of the device: in every compute result.
Json machineFields(const ComputeOptions& compute);
void merge(Json& into, const Json& fields);

/// `text`, `ids`, `inline`, `bundled`.
TextSource textSource(Params& params);
/// Sends what was chosen to the log of the client.
InputNote noteTo(Job& job);
/// A folder or file as the engine will use it: ~ expanded, absolute.
std::filesystem::path pathOf(const std::string& path);
/// The same for a model, whose name may also be a handle or org/name of the local cache.
std::string modelOf(Params& params, const char* name = "model");
/// A cancelled job's error with `hint`, everything else as it is.
template<typename Work>
auto withCancelHint(const char* what, const char* hint, const Work& work) {
    try {
        return work();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled) throw;
        throw Error(ErrorCode::Cancelled, what, hint);
    }
}

// The methods, one file each group. `engine` must outlive the server.
using Methods = std::map<std::string, RpcMethod>;
void addQuickMethods(Methods& methods, Engine& engine);
void addCalibrate(Methods& methods, Engine& engine);
void addQuantize(Methods& methods, Engine& engine); ///< quantize, export, verify
void addTry(Methods& methods, Engine& engine);      ///< try, forget
void addEvaluate(Methods& methods, Engine& engine);
void addGenerate(Methods& methods, Engine& engine);
void addScore(Methods& methods, Engine& engine);
void addSpeed(Methods& methods, Engine& engine);

} // namespace bitloom::serve
