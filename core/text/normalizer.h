// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/regex.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitloom::text {

/// The "normalizer" of a tokenizer.json: a list of changes made to the text before it is split.
/// Immutable and thread-safe.
class Normalizer {
public:
    Normalizer() = default; ///< leaves the text as it is
    /// `description` may be null. Throws Error naming a component that is not supported.
    explicit Normalizer(const nlohmann::json& description) { add(description, 0); }

    bool empty() const { return m_steps.empty(); }
    /// `text` is valid UTF-8, and so is the result.
    std::string apply(std::string_view text) const;

private:
    struct Prepend {
        std::string text;
    };
    struct Replace {
        Regex pattern;
        std::string content;
    };
    struct Strip {
        bool left, right;
    };
    struct Unicode {
        int options; ///< utf8proc's
    };
    struct Lowercase {};
    struct StripAccents {};
    struct Nmt {};
    struct ByteLevel {};
    using Step =
        std::variant<Prepend, Replace, Strip, Unicode, Lowercase, StripAccents, Nmt, ByteLevel>;

    void add(const nlohmann::json& description, int depth);
    static std::string applyStep(const Step& step, std::string text);

    std::vector<Step> m_steps;
};

} // namespace bitloom::text
