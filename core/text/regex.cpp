// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/regex.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace bitloom::text {

namespace {

struct CodeDeleter {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
using CodePtr = std::unique_ptr<pcre2_code, CodeDeleter>;

/// What a thread needs to run a match; made once per thread because short pieces are matched by
/// the hundred thousand.
struct MatchScratch {
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);

    MatchScratch() {
        if (!data || !context) throw Error(ErrorCode::NoSpace, "no memory for matching");
        if (stack) pcre2_jit_stack_assign(context, nullptr, stack);
        pcre2_set_heap_limit(context, 256 * 1024); // KiB
    }
    ~MatchScratch() {
        pcre2_match_data_free(data);
        pcre2_match_context_free(context);
        if (stack) pcre2_jit_stack_free(stack);
    }
    MatchScratch(const MatchScratch&) = delete;
    MatchScratch& operator=(const MatchScratch&) = delete;
};

MatchScratch& matchScratch() {
    thread_local MatchScratch scratch;
    return scratch;
}

std::string pcreMessage(int code) {
    PCRE2_UCHAR buffer[256];
    pcre2_get_error_message(code, buffer, sizeof buffer);
    return reinterpret_cast<const char*>(buffer);
}

CodePtr compile(const std::string& pattern, int& error, size_t& offset) {
    pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
    if (!context) throw Error(ErrorCode::NoSpace, "no memory for a regular expression");
    // Ruby's '.' stops at \n alone, and its ^ and $ match at every line.
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    CodePtr code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                               &error, &offset, context));
    pcre2_compile_context_free(context);
    return code;
}

} // namespace

Regex::Regex(const std::string& pattern, bool isLiteral) : m_isLiteral(isLiteral) {
    if (isLiteral) {
        m_literal = pattern;
        return;
    }
    int error = 0;
    size_t offset = 0;
    CodePtr code = compile(pattern, error, offset);
    if (!code)
        throw Error("the regular expression \"" + pattern + "\" is not supported: " +
                    pcreMessage(error) + " (at " + std::to_string(offset) + ")");
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE); // where there is no JIT, it is interpreted
    m_code = std::shared_ptr<const void>(code.release(), [](const void* p) {
        pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p)));
    });
}

Regex Regex::fromOniguruma(std::string_view pattern) {
    return Regex(pcreFromOniguruma(pattern), false);
}

Regex Regex::literal(std::string_view text) {
    return Regex(std::string(text), true);
}

void Regex::findAll(std::string_view subject, std::vector<Match>& matches) const {
    matches.clear();
    if (m_isLiteral) {
        if (m_literal.empty()) return;
        for (size_t at = 0; (at = subject.find(m_literal, at)) != std::string_view::npos;
             at += m_literal.size())
            matches.push_back({at, at + m_literal.size()});
        return;
    }
    MatchScratch& scratch = matchScratch();
    const auto* code = static_cast<const pcre2_code*>(m_code.get());
    const auto* bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
    size_t at = 0;
    size_t lastEnd = std::string_view::npos;
    Interrupts interrupts;
    while (at <= subject.size()) {
        interrupts.step();
        int rc = pcre2_match(code, bytes, subject.size(), at, PCRE2_NO_UTF_CHECK, scratch.data,
                             scratch.context);
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT) // the interpreter keeps its frames on the heap
            rc = pcre2_match(code, bytes, subject.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             scratch.data, scratch.context);
        if (rc == PCRE2_ERROR_NOMATCH) return;
        if (rc < 0) throw Error("splitting the text failed: " + pcreMessage(rc));
        const size_t* bounds = pcre2_get_ovector_pointer(scratch.data);
        const size_t begin = bounds[0], end = bounds[1];
        if (end < begin) throw Error("splitting the text failed: a match ends before it begins");
        // An empty match right behind the last match is skipped, as Oniguruma's iterator does.
        if (end > begin || end != lastEnd) {
            matches.push_back({begin, end});
            lastEnd = end;
        }
        at = end;
        if (end == begin) {
            if (at >= subject.size()) return;
            nextChar(subject, at);
        }
    }
}

Regex patternFromJson(const nlohmann::json& component, std::string_view where) {
    const nlohmann::json& pattern = requireObject(component, "pattern", where);
    if (const auto text = optionalString(pattern, "String", where)) return Regex::literal(*text);
    if (const auto expression = optionalString(pattern, "Regex", where))
        return Regex::fromOniguruma(*expression);
    throw Error(std::string(where) + ": \"pattern\" is neither a String nor a Regex");
}

std::string replaceMatches(const Regex& pattern, std::string_view text, std::string_view content) {
    std::vector<Match> matches;
    pattern.findAll(text, matches);
    std::string result;
    result.reserve(text.size() + matches.size() * content.size());
    size_t done = 0;
    for (const Match& match : matches) {
        result += text.substr(done, match.begin - done);
        result += content;
        done = match.end;
    }
    result += text.substr(done);
    return result;
}

} // namespace bitloom::text
