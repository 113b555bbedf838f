// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/shard_index.h"

#include "core/base/error.h"
#include "core/io/durable.h"

#include <set>

namespace bitloom {

namespace {

bool isPlainFileName(const std::string& name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

/// parse() keeps the last of two entries with one name; only the events show both.
void refuseDuplicates(std::string_view text, const std::string& where) {
    std::set<std::string> names;
    std::string section;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        if (event != nlohmann::json::parse_event_t::key) return true;
        if (depth == 1) section = value.get<std::string>();
        if (depth == 2 && section == "weight_map" && !names.insert(value.get<std::string>()).second)
            throw Error(where + ": lists tensor '" + value.get<std::string>() + "' twice");
        return true;
    };
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(text, watch);
}

} // namespace

std::map<std::string, std::string, std::less<>> parseShardIndex(std::string_view text,
                                                                const std::string& where) {
    const nlohmann::json index = parseJson(text, where);
    refuseDuplicates(text, where);
    const auto found = index.is_object() ? index.find("weight_map") : index.end();
    if (!index.is_object() || found == index.end() || !found->is_object())
        throw Error(where + ": has no 'weight_map' object");
    std::map<std::string, std::string, std::less<>> map;
    for (const auto& [tensor, file] : found->items()) {
        if (!file.is_string()) throw Error(where + ": tensor '" + tensor + "' has no file name");
        const auto name = file.get<std::string>();
        if (!isPlainFileName(name))
            throw Error(where + ": tensor '" + tensor + "' is said to be in '" + name +
                        "'; only files in the same folder are allowed");
        map.emplace(tensor, name);
    }
    if (map.empty()) throw Error(where + ": lists no tensors");
    return map;
}

} // namespace bitloom
