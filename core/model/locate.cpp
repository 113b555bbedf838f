// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// From what a user types to a folder: a path, a file in a model folder, or a name in the local
// Hugging Face cache (models--org--name/{refs/main, snapshots/<commit>/}).
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/model/checkpoint.h"
#include "core/model/local_cache.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

fs::path environmentPath(const char* name) {
    const char* value = std::getenv(name);
    return value ? fs::path(value) : fs::path();
}

/// The folder huggingface_hub would use, by its order of precedence.
fs::path hubCache() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (fs::path path = environmentPath(name); !path.empty()) return path;
    if (fs::path home = environmentPath("HF_HOME"); !home.empty()) return home / "hub";
    if (fs::path cache = environmentPath("XDG_CACHE_HOME"); !cache.empty())
        return cache / "huggingface" / "hub";
    if (fs::path home = environmentPath("HOME"); !home.empty())
        return home / ".cache" / "huggingface" / "hub";
    return {};
}

bool isRepositoryName(const std::string& text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == '/';
    };
    return !text.empty() && std::ranges::all_of(text, allowed) &&
           std::ranges::count(text, '/') <= 1 && text.front() != '/' && text.back() != '/' &&
           text.front() != '.' && text.find("..") == std::string::npos;
}

/// The snapshot that a models--org--name folder of the cache stands for.
fs::path snapshotOf(const fs::path& repository, const std::string& model) {
    const fs::path snapshots = repository / "snapshots";
    std::error_code ignored;
    if (const fs::path main = repository / "refs" / "main"; fs::is_regular_file(main, ignored)) {
        std::string commit = readTextFile(main, 4096);
        while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' '))
            commit.pop_back();
        if (isRepositoryName(commit) && commit.find('/') == std::string::npos &&
            fs::is_directory(snapshots / commit, ignored))
            return snapshots / commit;
    }
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(snapshots, ignored))
        if (entry.is_directory(ignored)) found.push_back(entry.path());
    if (found.size() == 1) return found.front();
    if (found.empty())
        throw Error("the Hugging Face cache has '" + model + "' without any snapshot (in '" +
                        repository.string() + "')",
                    "The download was not finished: download the model again.");
    std::ranges::sort(found);
    std::string list;
    for (const auto& path : found)
        list += "\n  " + path.string();
    throw Error("the Hugging Face cache has several snapshots of '" + model +
                    "', and none is 'main':" + list,
                "Give the folder of one of them.");
}

} // namespace

std::vector<std::string> cachedModels() {
    static constexpr std::string_view prefix = "models--";
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(hubCache(), ignored)) {
        std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix) || !entry.is_directory(ignored)) continue;
        name.erase(0, prefix.size());
        // Only the first pair stands for the slash; a name may have further ones.
        if (const size_t pair = name.find("--"); pair != std::string::npos)
            name.replace(pair, 2, "/");
        if (isRepositoryName(name)) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

fs::path resolveModelFolder(const std::string& model) {
    if (model.empty()) throw Error(ErrorCode::Usage, "no model was named");
    std::error_code ignored;
    const fs::path path = model;
    if (fs::is_directory(path, ignored)) {
        if (!fs::exists(path / "config.json", ignored) &&
            fs::is_directory(path / "snapshots", ignored))
            return snapshotOf(path, model);
        return path;
    }
    if (fs::is_regular_file(path, ignored)) {
        if (path.extension() == ".gguf")
            throw Error("'" + model + "' is a GGUF file, which Bitloom does not read",
                        "Give the folder of the original Hugging Face model.");
        const fs::path parent = path.parent_path();
        return parent.empty() ? fs::path(".") : parent;
    }
    const fs::path hub = hubCache();
    if (!hub.empty() && isRepositoryName(model)) {
        std::string name = "models--" + model;
        if (const size_t slash = name.find('/'); slash != std::string::npos)
            name.replace(slash, 1, "--");
        if (fs::is_directory(hub / name, ignored)) return snapshotOf(hub / name, model);
        throw Error("no model '" + model +
                        "': there is no such folder, and the Hugging Face cache '" + hub.string() +
                        "' has no model of that name",
                    "Bitloom downloads nothing. Get the model first, for example with "
                    "`huggingface-cli download " +
                        model + "`, or give the folder it is in.");
    }
    throw Error("no model '" + model + "': there is no such folder",
                "Give the folder of a Hugging Face model, or org/name of one in the local cache.");
}

bool isBitloomCheckpoint(const fs::path& folder) {
    std::error_code ignored;
    const fs::path path = folder / "config.json";
    if (!fs::is_regular_file(path, ignored)) return false;
    try {
        const nlohmann::json config = readJsonFile(path);
        if (!config.is_object()) return false;
        const auto section = config.find("quantization_config");
        if (section == config.end() || !section->is_object()) return false;
        const auto method = section->find("quant_method");
        return method != section->end() && *method == "bitloom";
    } catch (const Error&) {
        return false; // whoever opens it will say what is wrong
    }
}

} // namespace bitloom
