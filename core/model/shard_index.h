// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace bitloom {

/// Reads the text of model.safetensors.index.json: tensor name → file name. Throws Error for broken
/// JSON, a tensor listed twice, and file names that are anything but a plain name in the same
/// folder (absolute, with a slash, "..").
std::map<std::string, std::string, std::less<>> parseShardIndex(std::string_view text,
                                                                const std::string& where);

} // namespace bitloom
