// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/pre_tokenizer.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <algorithm>

namespace bitloom::text {

namespace {

constexpr std::string_view gpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Writes every piece anew into a fresh text: `write(view, atStart, text)` appends it.
template<typename Write>
void rewritePieces(Pieces& pieces, Write&& write) {
    std::string text;
    text.reserve(pieces.text.size() + pieces.text.size() / 4 + 16);
    Interrupts interrupts;
    for (Piece& piece : pieces.pieces) {
        interrupts.step();
        const size_t begin = text.size();
        write(pieces.view(piece), piece.atStart, text);
        piece = {begin, text.size(), piece.atStart};
    }
    pieces.text = std::move(text);
}

} // namespace

PreTokenizer::Behaviour PreTokenizer::behaviourFromJson(const nlohmann::json& component,
                                                        std::string_view where) {
    const std::string name = optionalString(component, "behavior", where).value_or("Isolated");
    if (name == "Removed") return Behaviour::Removed;
    if (name == "Isolated") return Behaviour::Isolated;
    if (name == "MergedWithPrevious") return Behaviour::MergedWithPrevious;
    if (name == "MergedWithNext") return Behaviour::MergedWithNext;
    if (name == "Contiguous") return Behaviour::Contiguous;
    throw Error(std::string(where) + ": the behavior \"" + name + "\" is not supported");
}

void PreTokenizer::addByteLevel(const nlohmann::json& description) {
    const std::string where = "pre_tokenizer ByteLevel";
    if (optionalBool(description, "add_prefix_space", where).value_or(true))
        m_steps.emplace_back(PrefixSpace{});
    if (optionalBool(description, "use_regex", where).value_or(true))
        m_steps.emplace_back(
            RegexSplit{Regex::fromOniguruma(gpt2Pattern), Behaviour::Isolated, false});
    m_steps.emplace_back(ByteMap{});
}

void PreTokenizer::addMetaspace(const nlohmann::json& description) {
    const std::string where = "pre_tokenizer Metaspace";
    Metaspace step;
    appendChar(step.replacement, requireChar(description, "replacement", where));
    const auto prefix = optionalBool(description, "add_prefix_space", where);
    const auto scheme = optionalString(description, "prepend_scheme", where);
    if (!scheme || *scheme == "always") {
        step.prepend = Metaspace::Prepend::Always;
    } else if (*scheme == "first") {
        step.prepend = Metaspace::Prepend::First;
    } else if (*scheme == "never") {
        step.prepend = Metaspace::Prepend::Never;
    } else {
        throw Error(where + ": the prepend_scheme \"" + *scheme + "\" is not supported");
    }
    if (prefix == false) step.prepend = Metaspace::Prepend::Never;
    step.split = optionalBool(description, "split", where).value_or(true);
    m_steps.emplace_back(std::move(step));
}

void PreTokenizer::add(const nlohmann::json& description, int depth) {
    if (description.is_null()) return;
    if (depth > maxComponentDepth)
        throw Error("pre_tokenizer: too many Sequences within each other");
    const std::string type = componentType(description, "pre_tokenizer");
    const std::string where = "pre_tokenizer " + type;
    if (type == "Sequence") {
        for (const auto& part : requireArray(description, "pretokenizers", where))
            add(part, depth + 1);
    } else if (type == "ByteLevel") {
        addByteLevel(description);
    } else if (type == "Metaspace") {
        addMetaspace(description);
    } else if (type == "Split") {
        m_steps.emplace_back(
            RegexSplit{patternFromJson(description, where), behaviourFromJson(description, where),
                       optionalBool(description, "invert", where).value_or(false)});
    } else if (type == "Digits") {
        const bool single = optionalBool(description, "individual_digits", where).value_or(false);
        m_steps.emplace_back(
            CharSplit{isNumeric, 0, single ? Behaviour::Isolated : Behaviour::Contiguous});
    } else if (type == "Punctuation") {
        m_steps.emplace_back(CharSplit{isPunctuation, 0, behaviourFromJson(description, where)});
    } else if (type == "WhitespaceSplit") {
        m_steps.emplace_back(CharSplit{isWhitespace, 0, Behaviour::Removed});
    } else if (type == "CharDelimiterSplit" || type == "Delimiter") {
        m_steps.emplace_back(
            CharSplit{nullptr, requireChar(description, "delimiter", where), Behaviour::Removed});
    } else if (type == "Whitespace") {
        m_steps.emplace_back(WordSplit{});
    } else {
        throw Error("the pre_tokenizer \"" + type + "\" is not supported");
    }
}

/// Merges neighbouring spans as the behaviour wants; afterwards `isMatch` means "to be removed".
void PreTokenizer::joinSpans(std::vector<Span>& spans, Behaviour behaviour) {
    if (behaviour == Behaviour::Removed) return;
    if (behaviour == Behaviour::Isolated) {
        for (Span& span : spans)
            span.isMatch = false;
        return;
    }
    if (behaviour == Behaviour::MergedWithNext) std::reverse(spans.begin(), spans.end());
    std::vector<Span> joined;
    bool previousMatch = false;
    for (const Span& span : spans) {
        const bool join = behaviour == Behaviour::Contiguous ? span.isMatch == previousMatch
                                                             : span.isMatch && !previousMatch;
        if (join && !joined.empty()) {
            joined.back().begin = std::min(joined.back().begin, span.begin);
            joined.back().end = std::max(joined.back().end, span.end);
        } else {
            joined.push_back({span.begin, span.end, false});
        }
        previousMatch = span.isMatch;
    }
    if (behaviour == Behaviour::MergedWithNext) std::reverse(joined.begin(), joined.end());
    spans = std::move(joined);
}

template<typename FindSpans>
void PreTokenizer::splitPieces(Pieces& pieces, Behaviour behaviour, FindSpans&& findSpans) {
    std::vector<Piece> result;
    result.reserve(pieces.pieces.size() + pieces.text.size() / 4);
    std::vector<Span> spans;
    Interrupts interrupts;
    for (const Piece& piece : pieces.pieces) {
        interrupts.step();
        spans.clear();
        findSpans(pieces.view(piece), spans);
        joinSpans(spans, behaviour);
        for (const Span& span : spans)
            if (!span.isMatch && span.end > span.begin)
                result.push_back({piece.begin + span.begin, piece.begin + span.end,
                                  piece.atStart && span.begin == 0});
    }
    pieces.pieces = std::move(result);
}

void PreTokenizer::applyMetaspace(const Metaspace& step, Pieces& pieces) {
    rewritePieces(pieces, [&](std::string_view view, bool atStart, std::string& text) {
        const bool wanted = step.prepend == Metaspace::Prepend::Always ||
                            (step.prepend == Metaspace::Prepend::First && atStart);
        if (wanted && !view.starts_with(' ') && !view.starts_with(step.replacement))
            text += step.replacement;
        for (char c : view) {
            if (c == ' ') {
                text += step.replacement;
            } else {
                text += c;
            }
        }
    });
    if (!step.split) return;
    splitPieces(
        pieces, Behaviour::MergedWithNext, [&](std::string_view view, std::vector<Span>& spans) {
            size_t done = 0;
            for (size_t at = 0; (at = view.find(step.replacement, at)) != std::string_view::npos;
                 at = done) {
                if (at > done) spans.push_back({done, at, false});
                done = at + step.replacement.size();
                spans.push_back({at, done, true});
            }
            if (done < view.size()) spans.push_back({done, view.size(), false});
        });
}

void PreTokenizer::apply(Pieces& pieces) const {
    Interrupts interrupts;
    for (const Step& step : m_steps) {
        if (const auto* regex = std::get_if<RegexSplit>(&step)) {
            std::vector<Match> matches;
            splitPieces(pieces, regex->behaviour,
                        [&](std::string_view view, std::vector<Span>& spans) {
                            regex->pattern.findAll(view, matches);
                            size_t done = 0;
                            for (const Match& match : matches) {
                                if (match.begin > done)
                                    spans.push_back({done, match.begin, regex->invert});
                                spans.push_back({match.begin, match.end, !regex->invert});
                                done = match.end;
                            }
                            if (done < view.size())
                                spans.push_back({done, view.size(), regex->invert});
                        });
        } else if (const auto* chars = std::get_if<CharSplit>(&step)) {
            splitPieces(pieces, chars->behaviour,
                        [&](std::string_view view, std::vector<Span>& spans) {
                            size_t done = 0;
                            for (size_t at = 0; at < view.size();) {
                                interrupts.step();
                                const size_t begin = at;
                                const char32_t c = nextChar(view, at);
                                if (chars->matches ? !chars->matches(c) : c != chars->delimiter)
                                    continue;
                                if (begin > done) spans.push_back({done, begin, false});
                                spans.push_back({begin, at, true});
                                done = at;
                            }
                            if (done < view.size()) spans.push_back({done, view.size(), false});
                        });
        } else if (std::holds_alternative<WordSplit>(step)) {
            splitPieces(pieces, Behaviour::Removed,
                        [&](std::string_view view, std::vector<Span>& spans) {
                            int previous = -1;
                            for (size_t at = 0; at < view.size();) {
                                interrupts.step();
                                const size_t begin = at;
                                const char32_t c = nextChar(view, at);
                                const int kind = isWord(c) ? 0 : isWhitespace(c) ? 2 : 1;
                                if (kind == previous) {
                                    spans.back().end = at;
                                } else {
                                    spans.push_back({begin, at, kind == 2});
                                }
                                previous = kind;
                            }
                        });
        } else if (std::holds_alternative<PrefixSpace>(step)) {
            rewritePieces(pieces, [](std::string_view view, bool, std::string& text) {
                if (!view.starts_with(' ')) text += ' ';
                text += view;
            });
        } else if (std::holds_alternative<ByteMap>(step)) {
            rewritePieces(pieces, [](std::string_view view, bool, std::string& text) {
                for (char c : view)
                    text += byteLevelChars()[static_cast<uint8_t>(c)];
            });
        } else {
            applyMetaspace(std::get<Metaspace>(step), pieces);
        }
    }
}

} // namespace bitloom::text
