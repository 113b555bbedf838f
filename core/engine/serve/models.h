// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/base/cuda_library.h"
#include "core/engine/generate.h"
#include "core/engine/model_weights.h"
#include "core/plan/predictor.h"
#include "core/text/tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bitloom::serve {

/// A model that is ready to talk, with what its cache holds.
struct LoadedModel {
    std::string key; ///< fingerprint of the weights, and what sets it apart from others of them
    std::shared_ptr<const ModelWeights> weights;
    std::unique_ptr<Tokenizer> tokenizer; ///< null where the folder has none
    std::unique_ptr<TextModel> text;
    std::vector<int32_t> cached; ///< prompt whose pieces the cache holds (TokenGenerator)
    double loadSeconds = 0;      ///< of the last load; 0 while it stays
    int64_t deviceNeeds = 0;     ///< bytes of the GPU's memory that are set aside for it; 0: none
    int64_t deviceLimit = 0;     ///< of all models there, when it was last asked for
    std::string notPlaced;       ///< why it was not even tried on a GPU that was asked for
    std::string movedFrom;       ///< its key on the GPU that became too small for it

    bool onGpu() const { return text->onGpu(); }
    /// Of the GPU's memory: what it was promised, or what it took if that is more.
    int64_t deviceBytes() const { return std::max(deviceNeeds, text->memoryBytes()); }
    /// Why it computes on the processor although the request wanted a GPU; else empty.
    const std::string& whyNoGpu() const { return deviceNeeds > 0 ? text->whyNoGpu() : notPlaced; }

    /// Empties the cache but for the beginning that `prompt` shares with it, in whole pieces, so
    /// that results do not depend on what was asked before. Returns the tokens kept.
    int64_t reuse(std::span<const int32_t> prompt);
    /// What the cache holds from now on counts as this prompt.
    void remember(std::vector<int32_t> prompt) { cached = std::move(prompt); }
    void forget();
};

/// Models of the session. Names are what a client sends: a path, org/name, or a handle of `try`.
/// Loaded ones stay until the memory limit asks for the least recently used; on a GPU, which all
/// of them share, the limit is that of its memory. A model may be loaded on both. Used by the
/// compute thread alone.
class ModelStore {
public:
    /// Opens a GPU; null, and why. May throw Error.
    using OpenGpu = std::function<std::shared_ptr<CudaDevice>(std::string& why)>;
    ModelStore();
    explicit ModelStore(OpenGpu open) : m_open(std::move(open)) {}

    /// Weights behind a name; paths are opened anew each time, so that a folder that was replaced
    /// is seen. Throws Error.
    std::shared_ptr<const ModelWeights> weights(const std::string& name) const;

    /// The models, loaded; at most two, where `compute.choice` wants them. Room is made under
    /// `compute`'s limits by giving others back; what still does not fit on a GPU computes on the
    /// processor, and what does not fit there is read from the disk for every token. Throws
    /// Error(NoDevice) where the choice is Cuda and no GPU can be used.
    std::vector<LoadedModel*> load(const std::vector<std::string>& names,
                                   const ComputeOptions& compute, Arithmetic arithmetic,
                                   const Progress& progress);

    /// To be said of a model that reads a text from its beginning: what a long text took away from
    /// the GPU may go there again with the next request.
    void beginsAnew(LoadedModel& model);

    /// Weights that `try` made, and what belongs to them.
    struct Try {
        std::string handle;
        std::shared_ptr<const ModelWeights> weights;
        int64_t bytes = 0; ///< in memory
        double bitsPerWeight = 0;
        /// Where a measurement of it re-fits predictions: what was planned, on which statistics.
        struct Planned {
            std::filesystem::path statistics;
            double distortion = 0;
            MethodStage stage = MethodStage::CoordinateDescent;
        };
        std::optional<Planned> planned;
    };
    /// Keeps weights in memory under a handle "try:N"; the two latest are kept.
    std::string keep(Try made);
    const Try* findTry(const std::string& name) const; ///< nullptr where there is none

    struct Freed {
        int64_t models = 0;
        int64_t bytes = 0, deviceBytes = 0; ///< of the processor's memory, of the GPU's
    };
    Freed forget(const std::string& name); ///< empty: all
    /// Gives loaded models back until they hold at most `bytes`: room for other jobs.
    void shrink(int64_t bytes);
    /// Gives back what lies on the GPU, and that itself.
    void giveBackDevice();
    int64_t bytesHeld() const;       ///< of the processor's memory
    int64_t deviceBytesHeld() const; ///< of the GPU's

    static constexpr size_t triesKept = 2;

private:
    /// One of the models that a request names, on its way to its place.
    struct Wanted {
        std::shared_ptr<const ModelWeights> weights;
        std::string key;
        int64_t deviceNeeds = 0; ///< more than 0: on the GPU
        int64_t deviceMost = 0;  ///< that it may take there
        int64_t deviceLimit = 0;
        std::string notPlaced;
    };
    /// What a GPU's memory turned out to be too small for, and how much of it could be used then.
    struct TooLarge {
        int64_t limit = 0;
        std::string why;
    };

    LoadedModel* find(const std::string& key);
    void settle();
    bool openGpu(DeviceChoice choice, std::string& why);
    int64_t deviceLimit(int64_t vramBytes) const;
    std::string whyNotPlaced(const Wanted& wanted, int64_t needs, int64_t limit, int64_t taken);
    void placeOnDevice(std::vector<Wanted>& wanted, const ComputeOptions& compute);
    std::vector<Wanted> placed(std::vector<Wanted> wanted, const ComputeOptions& compute,
                               Arithmetic arithmetic);
    void makeRoom(const std::vector<Wanted>& wanted, Arithmetic arithmetic, int64_t limit);
    LoadedModel& add(const Wanted& wanted, const ComputeOptions& compute, Arithmetic arithmetic,
                     int64_t limit);
    static bool isAmong(const std::vector<Wanted>& wanted, const std::string& key) {
        return std::ranges::find(wanted, key, &Wanted::key) != wanted.end();
    }

    std::list<LoadedModel> m_loaded; ///< latest used first
    std::deque<Try> m_tries;         ///< latest first
    OpenGpu m_open;
    std::shared_ptr<CudaDevice> m_device;       ///< null until it is asked for
    std::map<std::string, TooLarge> m_tooLarge; ///< by key
    int m_count = 0;
};

} // namespace bitloom::serve
