// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/tokenizer.h"

#include <string>

namespace bitloom::cli {

/// A check that does not hold: what was found.
struct Wrong {
    std::string what;
};

inline void require(bool holds, const std::string& what) {
    if (!holds) throw Wrong{what};
}

// Checks of the parts that need no model. Each returns what it checked, for people, or throws
// Wrong.
std::string halfRoundTrip();
std::string hashing();
std::string packing();
std::string columnFits();
std::string columnRoundTrip();
std::string tokenizer(TokenizerForm form);
std::string allocation();

} // namespace bitloom::cli
