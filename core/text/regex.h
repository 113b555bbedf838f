// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::text {

struct Match {
    size_t begin, end; ///< bytes
};

/// A regular expression as tokenizer files hold them: written for Oniguruma (Ruby's syntax), run
/// by PCRE2. Immutable and thread-safe.
class Regex {
public:
    /// Throws Error naming the pattern and what PCRE2 (or the translation) does not accept.
    static Regex fromOniguruma(std::string_view pattern);
    /// Matches the text itself.
    static Regex literal(std::string_view text);

    /// All matches from left to right, none overlapping. `subject` must be valid UTF-8 and is a
    /// text of its own: nothing before or behind it is looked at. Throws Error where the expression
    /// needs more stack or steps than allowed.
    void findAll(std::string_view subject, std::vector<Match>& matches) const;

private:
    explicit Regex(const std::string& pcrePattern, bool isLiteral);
    std::shared_ptr<const void> m_code;
    std::string m_literal;
    bool m_isLiteral = false;
};

/// Rewrites Oniguruma's syntax into PCRE2's where the two mean different things by the same text.
std::string pcreFromOniguruma(std::string_view pattern);

/// {"String": …} or {"Regex": …}, as "pattern" fields hold them.
Regex patternFromJson(const nlohmann::json& component, std::string_view where);
/// Every match replaced by `content`.
std::string replaceMatches(const Regex& pattern, std::string_view text, std::string_view content);

} // namespace bitloom::text
