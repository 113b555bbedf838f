// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/interrupt.h"

#include <utility>

namespace bitloom {

namespace {
thread_local const Progress* current = nullptr;
}

TokenizingScope::TokenizingScope(const Progress& progress)
    : m_outer(std::exchange(current, &progress)) {}

TokenizingScope::~TokenizingScope() {
    current = m_outer;
}

void text::Interrupts::look() {
    m_left = m_every;
    if (current) current->check();
}

} // namespace bitloom
