// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/models.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/units.h"
#include "core/engine/runtime/gpu_decoder.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace bitloom::serve {

namespace {

constexpr runtime::KvType kvType = runtime::KvType::F16;
/// What sets the key of a model apart from its fingerprint.
constexpr const char *onGpuMark = "#gpu", *secondMark = "#2";

bool isHandle(const std::string& name) {
    return name.starts_with("try:");
}

std::shared_ptr<CudaDevice> firstGpu(std::string& why) {
    const auto library = CudaLibrary::open(why);
    return library ? std::make_shared<CudaDevice>(library) : nullptr;
}

} // namespace

int64_t LoadedModel::reuse(std::span<const int32_t> prompt) {
    const size_t most = std::min({cached.size(), prompt.size() - 1, size_t(text->position())});
    size_t same = 0;
    while (same < most && cached[same] == prompt[same])
        ++same;
    const int64_t kept = text->reusable(int64_t(same));
    text->rewind(kept);
    cached.resize(size_t(kept));
    return kept;
}

void LoadedModel::forget() {
    text->reset();
    cached.clear();
}

ModelStore::ModelStore() : ModelStore(firstGpu) {}

std::shared_ptr<const ModelWeights> ModelStore::weights(const std::string& name) const {
    if (!isHandle(name)) return openWeights(name);
    const Try* found = findTry(name);
    if (!found)
        throw Error("'" + name + "' is no longer in memory",
                    "Try the plan again: the latest two are kept.");
    return found->weights;
}

const ModelStore::Try* ModelStore::findTry(const std::string& name) const {
    const auto found = std::ranges::find(m_tries, name, &Try::handle);
    return found == m_tries.end() ? nullptr : &*found;
}

LoadedModel* ModelStore::find(const std::string& key) {
    const auto found = std::ranges::find(m_loaded, key, &LoadedModel::key);
    if (found == m_loaded.end()) return nullptr;
    m_loaded.splice(m_loaded.begin(), m_loaded, found);
    return &m_loaded.front();
}

/// What moved to the processor meanwhile counts as one of those there from now on.
void ModelStore::settle() {
    for (auto it = m_loaded.begin(); it != m_loaded.end();) {
        if (it->deviceNeeds == 0 || it->onGpu()) {
            ++it;
            continue;
        }
        m_tooLarge[it->key] = {it->deviceLimit, it->text->whyNoGpu()};
        const std::string there = it->key;
        std::string key = there;
        key.erase(key.find(onGpuMark), std::string_view(onGpuMark).size());
        if (const auto here = std::ranges::find(m_loaded, key, &LoadedModel::key);
            here != m_loaded.end()) {
            here->movedFrom = there;
            it = m_loaded.erase(it);
            continue;
        }
        it->key = key;
        it->movedFrom = there;
        it->deviceNeeds = 0;
        ++it;
    }
}

void ModelStore::beginsAnew(LoadedModel& model) {
    m_tooLarge.erase(model.movedFrom);
    model.movedFrom.clear();
}

bool ModelStore::openGpu(DeviceChoice choice, std::string& why) {
    if (m_device) return true;
    try {
        m_device = m_open(why);
    } catch (const Error& error) {
        why = error.what();
    }
    if (!m_device && choice == DeviceChoice::Cuda)
        throw Error(ErrorCode::NoDevice, "no GPU can be used: " + why,
                    "Generate with the device cpu, or with auto, which takes a GPU only where "
                    "there is one.");
    return m_device != nullptr;
}

/// What the models may take of the GPU's memory together.
int64_t ModelStore::deviceLimit(int64_t vramBytes) const {
    const int64_t all = m_device->freeBytes() + deviceBytesHeld();
    return vramBytes > 0 ? std::min(vramBytes, all) : all / 10 * 9;
}

/// `taken`: what is left to the model of `limit` is less by that. Empty: it can be placed.
std::string ModelStore::whyNotPlaced(const Wanted& wanted, int64_t needs, int64_t limit,
                                     int64_t taken) {
    if (std::string why = runtime::GpuDecoder::whyNot(*wanted.weights, kvType); !why.empty())
        return why;
    if (const auto known = m_tooLarge.find(wanted.key); known != m_tooLarge.end()) {
        // Again only where there is clearly more memory than then.
        if (limit / 8 * 7 <= known->second.limit) return known->second.why;
        m_tooLarge.erase(known);
    }
    if (taken + needs <= limit) return {};
    const BitloomCudaDevice& gpu = m_device->properties();
    std::string why = fmt::format("it needs about {} of memory; {} of the {} of {} may be used",
                                  formatBytes(needs), formatBytes(limit),
                                  formatBytes(int64_t(gpu.memoryBytes)), gpu.name);
    if (taken > 0) why += fmt::format(", and the other model takes {}", formatBytes(taken));
    return why;
}

/// Gives those of the models a place on the GPU that may have one, and the others a reason.
void ModelStore::placeOnDevice(std::vector<Wanted>& wanted, const ComputeOptions& compute) {
    const int64_t limit = deviceLimit(compute.vramBytes);
    int64_t taken = 0;
    for (Wanted& w : wanted) {
        Wanted there = w;
        there.key += onGpuMark;
        if (&w != &wanted.front() && there.key == wanted.front().key) there.key += secondMark;
        const LoadedModel* known = find(there.key);
        const int64_t needs =
            known ? known->deviceBytes() : runtime::GpuDecoder::neededBytes(*w.weights, kvType);
        w.notPlaced = whyNotPlaced(there, needs, limit, taken);
        if (!w.notPlaced.empty()) continue;
        taken += needs;
        w.key = there.key;
        w.deviceNeeds = needs;
    }
    // The longest unused go first, and what is asked for stays.
    for (const LoadedModel& model : m_loaded)
        if (model.onGpu() && !isAmong(wanted, model.key)) taken += model.deviceBytes();
    for (auto it = m_loaded.end(); it != m_loaded.begin() && taken > limit;) {
        --it;
        if (!it->onGpu() || isAmong(wanted, it->key)) continue;
        taken -= it->deviceBytes();
        it = m_loaded.erase(it);
    }
    // Only they grow until the next request: what is left is theirs.
    const auto placed =
        std::ranges::count_if(wanted, [](const Wanted& w) { return w.deviceNeeds; });
    for (Wanted& w : wanted) {
        w.deviceLimit = limit;
        if (w.deviceNeeds > 0) w.deviceMost = w.deviceNeeds + (limit - taken) / placed;
    }
}

/// The same on the processor, where a model that is asked for may stay whatever it takes.
void ModelStore::makeRoom(const std::vector<Wanted>& wanted, Arithmetic arithmetic, int64_t limit) {
    int64_t more = 0;
    for (const Wanted& w : wanted)
        if (w.deviceNeeds == 0 && !find(w.key))
            more += TextModel::residentBytes(*w.weights, arithmetic);
    for (auto it = m_loaded.end(); it != m_loaded.begin() && bytesHeld() + more > limit;) {
        --it;
        if (!it->onGpu() && !isAmong(wanted, it->key)) it = m_loaded.erase(it);
    }
}

LoadedModel& ModelStore::add(const Wanted& wanted, const ComputeOptions& compute,
                             Arithmetic arithmetic, int64_t limit) {
    const auto begin = std::chrono::steady_clock::now();
    // TextModel keeps weights that fit into half of the memory it is given.
    ComputeOptions own = compute;
    own.memoryBytes = 2 * std::max<int64_t>(limit - bytesHeld(), 1);
    ModelPlace place;
    if (wanted.deviceNeeds > 0) {
        place.kind = ModelPlace::Gpu;
        place.device = m_device;
    }
    LoadedModel model;
    model.key = wanted.key;
    model.weights = wanted.weights;
    model.deviceNeeds = wanted.deviceNeeds;
    if (hasTokenizer(wanted.weights->folder()))
        model.tokenizer = loadTokenizer(wanted.weights->folder());
    model.text = std::make_unique<TextModel>(wanted.weights, own, arithmetic, kvType, place);
    model.loadSeconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!model.text->resident())
        logger("serve")->warn(
            "{} does not fit into the memory limit of {}: its weights are read again for "
            "every token",
            wanted.weights->folder().string(), formatBytes(compute.memoryOrDefault()));
    return m_loaded.emplace_front(std::move(model));
}

std::vector<ModelStore::Wanted> ModelStore::placed(std::vector<Wanted> wanted,
                                                   const ComputeOptions& compute,
                                                   Arithmetic arithmetic) {
    std::string why;
    if (arithmetic == Arithmetic::Exact) {
        why = "exact arithmetic is the processor's";
    } else if (openGpu(compute.choice, why)) {
        try {
            std::vector<Wanted> out = wanted;
            placeOnDevice(out, compute);
            return out;
        } catch (const Error& error) {
            if (compute.choice == DeviceChoice::Cuda) throw;
            why = error.what();
        }
    }
    for (Wanted& w : wanted)
        w.notPlaced = why;
    return wanted;
}

std::vector<LoadedModel*> ModelStore::load(const std::vector<std::string>& names,
                                           const ComputeOptions& compute, Arithmetic arithmetic,
                                           const Progress& progress) {
    settle();
    std::vector<Wanted> wanted;
    for (const std::string& name : names) {
        progress.check();
        Wanted& w = wanted.emplace_back();
        w.weights = weights(name);
        w.key = w.weights->fingerprint();
        if (arithmetic == Arithmetic::Exact) w.key += "#exact";
    }
    if (compute.choice != DeviceChoice::Cpu)
        wanted = placed(std::move(wanted), compute, arithmetic);
    // Two streams of one model each need a cache of their own.
    if (wanted.size() == 2 && wanted[0].key == wanted[1].key) wanted[1].key += secondMark;
    const int64_t limit = compute.memoryOrDefault() / 10 * 9;
    makeRoom(wanted, arithmetic, limit);

    std::vector<LoadedModel*> out;
    for (const Wanted& w : wanted) {
        progress.check();
        LoadedModel* known = find(w.key);
        if (known)
            known->loadSeconds = 0;
        else
            known = &add(w, compute, arithmetic, limit);
        known->notPlaced = w.notPlaced;
        known->deviceLimit = w.deviceLimit;
        known->text->limitDeviceMemory(w.deviceMost);
        out.push_back(known);
    }
    return out;
}

std::string ModelStore::keep(Try made) {
    made.handle = fmt::format("try:{}", ++m_count);
    m_tries.push_front(std::move(made));
    while (m_tries.size() > triesKept) {
        const std::string key = m_tries.back().weights->fingerprint();
        m_tries.pop_back();
        // Nobody can ask for it any more.
        std::erase_if(m_loaded,
                      [&](const LoadedModel& model) { return model.key.starts_with(key); });
    }
    return m_tries.front().handle;
}

ModelStore::Freed ModelStore::forget(const std::string& name) {
    Freed freed;
    const auto drop = [&](const std::string& key) {
        std::erase_if(m_loaded, [&](const LoadedModel& model) {
            if (!model.key.starts_with(key)) return false; // all of them for an empty one
            ++freed.models;
            (model.onGpu() ? freed.deviceBytes : freed.bytes) += model.text->memoryBytes();
            return true;
        });
    };
    const std::string dropped = name.empty() ? std::string() : weights(name)->fingerprint();
    drop(dropped);
    std::erase_if(m_tooLarge, [&](const auto& known) { return known.first.starts_with(dropped); });
    std::erase_if(m_tries, [&](const Try& entry) {
        if (!name.empty() && entry.handle != name) return false;
        ++freed.models;
        freed.bytes += entry.bytes;
        return true;
    });
    return freed;
}

void ModelStore::shrink(int64_t bytes) {
    for (auto it = m_loaded.end(); it != m_loaded.begin() && bytesHeld() > bytes;) {
        --it;
        if (!it->onGpu()) it = m_loaded.erase(it);
    }
}

void ModelStore::giveBackDevice() {
    std::erase_if(m_loaded, [](const LoadedModel& model) { return model.onGpu(); });
    m_device.reset();
}

int64_t ModelStore::bytesHeld() const {
    int64_t bytes = 0;
    for (const LoadedModel& model : m_loaded)
        if (!model.onGpu()) bytes += model.text->memoryBytes();
    for (const Try& entry : m_tries)
        bytes += entry.bytes;
    return bytes;
}

int64_t ModelStore::deviceBytesHeld() const {
    int64_t bytes = 0;
    for (const LoadedModel& model : m_loaded)
        if (model.onGpu()) bytes += model.text->memoryBytes();
    return bytes;
}

} // namespace bitloom::serve
