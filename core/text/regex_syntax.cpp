// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Tokenizer files hold expressions for Oniguruma. PCRE2 reads most of them the same way, but not
// all: \s takes in U+180E and leaves out U+0085, \w knows no marks, \h is a hexadecimal digit in
// one and a blank in the other, a script's name means Script in one and Script_Extensions in the
// other, and x{1,3}+ repeats in one what it makes possessive in the other. What cannot be said in
// PCRE2 (classes within classes, intersections) is refused, never guessed.
#include "core/base/error.h"
#include "core/text/regex.h"

#include <cctype>

namespace bitloom::text {

namespace {

constexpr std::string_view wordClass = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view hexClass = "0-9A-Fa-f";

class Translator {
public:
    explicit Translator(std::string_view pattern) : m_in(pattern) {}

    std::string run() {
        while (m_at < m_in.size()) {
            const char c = m_in[m_at];
            if (c == '\\') {
                m_atom = m_out.size();
                translateEscape(false);
            } else if (c == '[') {
                m_atom = m_out.size();
                translateClass();
            } else if (c == '(') {
                openGroup();
            } else if (c == ')') {
                if (!m_groups.empty()) {
                    m_atom = m_groups.back();
                    m_groups.pop_back();
                }
                take(1);
            } else if (c == '{' && isInterval()) {
                translateInterval();
            } else if (c == '*' || c == '+' || c == '?' || c == '|' || c == '^' || c == '$') {
                take(1);
            } else {
                m_atom = m_out.size();
                do
                    take(1);
                while (m_at < m_in.size() && (static_cast<uint8_t>(m_in[m_at]) & 0xC0) == 0x80);
            }
        }
        return std::move(m_out);
    }

private:
    [[noreturn]] void refuse(const char* what) const {
        throw Error("the regular expression \"" + std::string(m_in) +
                    "\" is not supported: " + what);
    }

    void take(size_t count) {
        m_out += m_in.substr(m_at, count);
        m_at += count;
    }

    void openGroup() {
        m_groups.push_back(m_out.size());
        if (m_in.substr(m_at).starts_with("(?")) {
            // (?m) is Ruby's name for "dot matches newlines".
            size_t end = m_at + 2;
            while (end < m_in.size() &&
                   (std::isalpha(static_cast<unsigned char>(m_in[end])) || m_in[end] == '-'))
                ++end;
            const bool flags = end < m_in.size() && (m_in[end] == ':' || m_in[end] == ')');
            if (flags) {
                m_out += "(?";
                for (char flag : m_in.substr(m_at + 2, end - m_at - 2)) {
                    if (flag != 'i' && flag != 'm' && flag != 'x' && flag != '-')
                        refuse("an unknown option of a group");
                    m_out += flag == 'm' ? 's' : flag;
                }
                m_at = end;
                if (m_in[m_at] == ')') {
                    m_groups.pop_back();
                    take(1);
                }
                return;
            }
            if (m_in.substr(m_at).starts_with("(?~")) refuse("an absence operator");
            take(2);
            return;
        }
        take(1);
    }

    bool isInterval() const {
        size_t at = m_at + 1;
        bool digits = false;
        while (at < m_in.size() &&
               (std::isdigit(static_cast<unsigned char>(m_in[at])) || m_in[at] == ',')) {
            digits = digits || m_in[at] != ',';
            ++at;
        }
        return digits && at < m_in.size() && m_in[at] == '}';
    }

    void translateInterval() {
        const size_t end = m_in.find('}', m_at);
        std::string interval(m_in.substr(m_at, end - m_at + 1));
        if (interval.starts_with("{,")) interval.insert(1, "0"); // {,n} is {0,n} in Ruby
        m_out += interval;
        m_at = end + 1;
        if (m_at < m_in.size() && m_in[m_at] == '+') {
            // A repetition of the repetition, not a possessive one.
            m_out.insert(m_atom, "(?:");
            m_out += ")+";
            ++m_at;
        }
    }

    /// Copies \p{...}; a script's name is tied to the Script property.
    void translateProperty() {
        const size_t end = m_in.find('}', m_at);
        if (m_at + 2 >= m_in.size() || m_in[m_at + 2] != '{' || end == std::string_view::npos) {
            take(std::min<size_t>(3, m_in.size() - m_at)); // \pL
            return;
        }
        std::string name(m_in.substr(m_at + 3, end - m_at - 3));
        bool negated = m_in[m_at + 1] == 'P';
        if (name.starts_with('^')) {
            negated = !negated;
            name.erase(0, 1);
        }
        static constexpr std::string_view notScripts[] = {
            "Any",       "Alphabetic", "White_Space",
            "Uppercase", "Lowercase",  "Ideographic",
            "ASCII",     "Emoji",      "Extended_Pictographic",
            "ID_Start",  "ID_Continue"};
        static constexpr std::pair<std::string_view, std::string_view> longNames[] = {
            {"Letter", "L"},
            {"Mark", "M"},
            {"Number", "N"},
            {"Punctuation", "P"},
            {"Symbol", "S"},
            {"Separator", "Z"},
            {"Other", "C"},
            {"Uppercase_Letter", "Lu"},
            {"Lowercase_Letter", "Ll"},
            {"Decimal_Number", "Nd"}};
        static constexpr std::pair<std::string_view, std::string_view> posixNames[] = {
            {"Alpha", "Alphabetic"}, {"Space", "White_Space"}, {"Upper", "Uppercase"},
            {"Lower", "Lowercase"},  {"Digit", "Nd"},          {"Punct", "P"}};
        bool script = name.size() > 2;
        for (std::string_view other : notScripts)
            script = script && name != other;
        for (const auto& [from, to] : longNames) {
            if (name == from) {
                name = to;
                script = false;
            }
        }
        for (const auto& [from, to] : posixNames) {
            if (name == from) {
                name = to;
                script = false;
            }
        }
        m_out += negated ? "\\P{" : "\\p{";
        m_out += (script ? "sc:" : "") + name + "}";
        m_at = end + 1;
    }

    void translateEscape(bool inClass) {
        if (m_at + 1 >= m_in.size()) refuse("it ends with a backslash");
        const char c = m_in[m_at + 1];
        const auto emit = [&](std::string_view text) {
            m_out += text;
            m_at += 2;
        };
        switch (c) {
        case 's':
            return emit("\\p{White_Space}");
        case 'S':
            return emit("\\P{White_Space}");
        case 'd':
            return emit("\\p{Nd}");
        case 'D':
            return emit("\\P{Nd}");
        case 'w':
            return emit(inClass ? std::string(wordClass) : "[" + std::string(wordClass) + "]");
        case 'W':
            if (inClass) refuse("\\W within a class");
            return emit("[^" + std::string(wordClass) + "]");
        case 'h':
            return emit(inClass ? std::string(hexClass) : "[" + std::string(hexClass) + "]");
        case 'H':
            if (inClass) refuse("\\H within a class");
            return emit("[^" + std::string(hexClass) + "]");
        case 'Z':
            return emit("(?=\\n?\\z)");
        case 'p':
        case 'P':
            return translateProperty();
        case 'u': { // \uHHHH
            const std::string_view digits = m_in.substr(std::min(m_at + 2, m_in.size()), 4);
            if (digits.size() != 4) refuse("a broken \\u escape");
            for (char digit : digits)
                if (!std::isxdigit(static_cast<unsigned char>(digit)))
                    refuse("a broken \\u escape");
            m_out += "\\x{" + std::string(digits) + "}";
            m_at += 6;
            return;
        }
        case 'b':
        case 'B':
            if (!inClass) refuse("word boundaries");
            return take(2);
        case 'K':
        case 'y':
        case 'Y':
        case 'O':
        case 'N':
        case 'X':
        case 'R':
            refuse("an escape that the two engines read differently");
        default: {
            // An escaped character of several bytes stays together.
            size_t length = 2;
            while (m_at + length < m_in.size() &&
                   (static_cast<uint8_t>(m_in[m_at + length]) & 0xC0) == 0x80)
                ++length;
            take(length);
        }
        }
    }

    void translateClass() {
        take(1);
        if (m_at < m_in.size() && m_in[m_at] == '^') take(1);
        if (m_at < m_in.size() && m_in[m_at] == ']') refuse("a class that begins with ]");
        while (m_at < m_in.size() && m_in[m_at] != ']') {
            const std::string_view rest = m_in.substr(m_at);
            if (rest[0] == '\\') {
                translateEscape(true);
            } else if (rest.starts_with("[:")) {
                const size_t end = rest.find(":]");
                if (end == std::string_view::npos) refuse("a class within a class");
                take(end + 2);
            } else if (rest[0] == '[') {
                refuse("a class within a class");
            } else if (rest.starts_with("&&")) {
                refuse("an intersection of classes");
            } else {
                take(1);
            }
        }
        if (m_at >= m_in.size()) refuse("a class without an end");
        take(1);
    }

    std::string_view m_in;
    std::string m_out;
    size_t m_at = 0;
    size_t m_atom = 0; ///< where the last repeatable element begins in m_out
    std::vector<size_t> m_groups;
};

} // namespace

std::string pcreFromOniguruma(std::string_view pattern) {
    return Translator(pattern).run();
}

} // namespace bitloom::text
