// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <string>
#include <vector>

namespace bitloom {

/// Models of the local Hugging Face cache as "org/name", which Checkpoint::open takes; by name.
/// Names only: nothing in them is read. Empty where there is no cache. Any thread.
std::vector<std::string> cachedModels();

} // namespace bitloom
