// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/regex.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace bitloom::text {

/// The "decoder" of a tokenizer.json: what bytes each token stands for, and what is cut off at the
/// start of the whole. Immutable and thread-safe.
class TokenDecoder {
public:
    TokenDecoder() = default; ///< tokens stand for themselves
    /// `description` may be null. Throws Error naming a component that is not supported, among them
    /// those that can be undone only with the whole text at hand.
    explicit TokenDecoder(const nlohmann::json& description) { add(description, 0); }

    /// Bytes of one token. `first`: no token stands before it.
    std::string bytes(const std::string& token, bool first) const;
    /// Bytes of a text of tokens, invalid UTF-8 replaced.
    std::string decode(std::span<const std::string* const> tokens) const;

private:
    struct Replace {
        Regex pattern;
        std::string content;
    };
    struct ByteLevel {};
    struct ByteFallback {};
    struct Metaspace {
        std::string replacement;
        bool dropFirst;
    };
    struct Strip {
        std::string content;
        size_t start, stop;
    };
    using Step = std::variant<Replace, ByteLevel, ByteFallback, Metaspace, Strip>;

    void add(const nlohmann::json& description, int depth);

    std::vector<Step> m_steps;    ///< of every token
    bool m_fused = false;         ///< what follows in the file is done to the whole
    std::vector<Strip> m_ofWhole; ///< `stop` is 0
};

} // namespace bitloom::text
