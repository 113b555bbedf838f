// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/config.h"

#include <cstdint>
#include <span>

namespace bitloom::runtime {

/// Throws Error where `ids` cannot run behind `position` tokens: there are none, they do not fit,
/// or one is outside the vocabulary.
void checkIds(const ModelConfig& config, std::span<const int32_t> ids, int64_t position);

} // namespace bitloom::runtime
