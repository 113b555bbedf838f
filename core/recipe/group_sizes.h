// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

namespace bitloom {

/// How many weights may share a scale (methods rtn and gptq).
inline constexpr int64_t minGroupSize = 8, maxGroupSize = 65536;

} // namespace bitloom
