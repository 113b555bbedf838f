// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/models.h"

#include "core/base/log.h"
#include "core/base/units.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>

namespace bitloom::serve {

namespace {

bool isHandle(const std::string& name) {
    return name.starts_with("try:");
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

std::vector<LoadedModel*> ModelStore::load(const std::vector<std::string>& names,
                                           const ComputeOptions& compute, Arithmetic arithmetic,
                                           const Progress& progress) {
    std::vector<std::shared_ptr<const ModelWeights>> opened;
    std::vector<std::string> keys;
    for (const std::string& name : names) {
        progress.check();
        opened.push_back(weights(name));
        keys.push_back(opened.back()->fingerprint());
        if (arithmetic == Arithmetic::Exact) keys.back() += "#exact";
    }
    // Two streams of one model each need a cache of their own.
    if (keys.size() == 2 && keys[0] == keys[1]) keys[1] += "#2";

    // What is asked for stays; others go, the longest unused first, until it fits.
    int64_t wanted = 0;
    for (size_t i = 0; i < keys.size(); ++i)
        if (!find(keys[i])) wanted += TextModel::residentBytes(*opened[i], arithmetic);
    const int64_t limit = compute.memoryOrDefault() / 10 * 9;
    for (auto it = m_loaded.end(); it != m_loaded.begin() && bytesHeld() + wanted > limit;) {
        --it;
        if (std::ranges::find(keys, it->key) == keys.end()) it = m_loaded.erase(it);
    }

    std::vector<LoadedModel*> out;
    for (size_t i = 0; i < keys.size(); ++i) {
        progress.check();
        LoadedModel* known = find(keys[i]);
        if (known) {
            known->loadSeconds = 0;
        } else {
            const auto begin = std::chrono::steady_clock::now();
            // TextModel keeps weights that fit into half of the memory it is given.
            ComputeOptions own = compute;
            own.memoryBytes = 2 * std::max<int64_t>(limit - bytesHeld(), 1);
            LoadedModel model;
            model.key = keys[i];
            model.weights = opened[i];
            if (hasTokenizer(opened[i]->folder()))
                model.tokenizer = loadTokenizer(opened[i]->folder());
            model.text = std::make_unique<TextModel>(opened[i], own, arithmetic);
            model.loadSeconds =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
            if (!model.text->resident())
                logger("serve")->warn(
                    "{} does not fit into the memory limit of {}: its weights are read again for "
                    "every token",
                    opened[i]->folder().string(), formatBytes(compute.memoryOrDefault()));
            m_loaded.push_front(std::move(model));
            known = &m_loaded.front();
        }
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
            freed.bytes += model.text->memoryBytes();
            return true;
        });
    };
    drop(name.empty() ? std::string() : weights(name)->fingerprint());
    std::erase_if(m_tries, [&](const Try& entry) {
        if (!name.empty() && entry.handle != name) return false;
        ++freed.models;
        freed.bytes += entry.bytes;
        return true;
    });
    return freed;
}

void ModelStore::shrink(int64_t bytes) {
    while (!m_loaded.empty() && bytesHeld() > bytes)
        m_loaded.pop_back();
}

int64_t ModelStore::bytesHeld() const {
    int64_t bytes = 0;
    for (const LoadedModel& model : m_loaded)
        bytes += model.text->memoryBytes();
    for (const Try& entry : m_tries)
        bytes += entry.bytes;
    return bytes;
}

} // namespace bitloom::serve
