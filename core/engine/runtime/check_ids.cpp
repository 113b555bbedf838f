// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/check_ids.h"

#include "core/base/error.h"

#include <string>

namespace bitloom::runtime {

void checkIds(const ModelConfig& config, std::span<const int32_t> ids, int64_t position) {
    if (ids.empty()) throw Error("nothing to run: the prompt is empty");
    if (position + int64_t(ids.size()) > config.maxPositions)
        throw Error("the model's context of " + std::to_string(config.maxPositions) +
                        " tokens is full",
                    "Use a shorter prompt.");
    for (const int32_t id : ids)
        if (id < 0 || id >= config.vocab)
            throw Error("token id " + std::to_string(id) + " is outside the vocabulary of " +
                            std::to_string(config.vocab),
                        "Use the tokenizer that belongs to the model.");
}

} // namespace bitloom::runtime
