// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Any text as model.safetensors.index.json: refused with an Error, or no file name leads out of the
// folder.
#include "core/base/error.h"
#include "core/model/shard_index.h"
#include "fuzz_target.h"

using namespace bitloom;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto map = parseShardIndex({reinterpret_cast<const char*>(data), size}, "fuzz");
        FUZZ_CHECK(!map.empty());
        for (const auto& [tensor, file] : map) {
            FUZZ_CHECK(!file.empty() && file != "." && file != "..");
            FUZZ_CHECK(file.find('/') == std::string::npos && file.find('\0') == std::string::npos);
        }
    } catch (const Error&) {
    }
    return 0;
}
