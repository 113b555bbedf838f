// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/safetensors.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// What the JSON header of a safetensors file says. Only its own sense is checked (types, dtypes,
/// shape products, sizes against shapes, duplicates); where the tensors lie in the file is for the
/// caller to check.
struct SafetensorsHeader {
    std::vector<TensorInfo> tensors; ///< as listed
    std::map<std::string, std::string> metadata;

    /// Throws Error whose text begins with `where`.
    static SafetensorsHeader parse(std::string_view json, const std::string& where);
};

/// Product of the dimensions (zero counts as one, so that a zero cannot hide an overflow) times
/// `unit` must fit into int64, and none may be negative. Returns false otherwise.
bool shapeFits(std::span<const int64_t> shape, int64_t unit);

} // namespace bitloom
