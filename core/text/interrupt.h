// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"

#include <cstdint>

namespace bitloom {

/// While one lives, tokenizing on its thread can be broken off: encode() then throws
/// Error(Cancelled) soon after `progress` is cancelled. A scope and no parameter, because the wish
/// has to reach the innermost loops of every part of every tokenizer. Scopes may be nested; the
/// innermost counts.
class TokenizingScope {
public:
    explicit TokenizingScope(const Progress& progress);
    ~TokenizingScope();
    TokenizingScope(const TokenizingScope&) = delete;
    TokenizingScope& operator=(const TokenizingScope&) = delete;

private:
    const Progress* m_outer;
};

namespace text {

/// For loops over a text: throws Error(Cancelled) where the thread's scope wants that. Costs a
/// decrement; looks every few thousand calls.
class Interrupts {
public:
    /// `every`: steps between two looks.
    explicit Interrupts(int32_t every = 4096) : m_every(every), m_left(every) {}
    void step() {
        if (--m_left == 0) look();
    }

private:
    void look();
    int32_t m_every, m_left;
};

} // namespace text

} // namespace bitloom
