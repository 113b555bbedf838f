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

/// A stretch of Pieces::text. `atStart`: nothing stands before it in the text that is encoded.
struct Piece {
    size_t begin, end;
    bool atStart;
};

/// A text on its way into words; `pieces` are in order and never empty.
struct Pieces {
    std::string text;
    std::vector<Piece> pieces;
    std::string_view view(const Piece& piece) const {
        return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
    }
};

/// The "pre_tokenizer" of a tokenizer.json: cuts a text into the words that the model sees.
/// Immutable and thread-safe.
class PreTokenizer {
public:
    PreTokenizer() = default; ///< leaves the text whole
    /// `description` may be null. Throws Error naming a component that is not supported.
    explicit PreTokenizer(const nlohmann::json& description) { add(description, 0); }

    void apply(Pieces& pieces) const;

private:
    /// What becomes of the matches that separate words.
    enum class Behaviour { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
    struct Span {
        size_t begin, end;
        bool isMatch;
    };
    struct RegexSplit {
        Regex pattern;
        Behaviour behaviour;
        bool invert;
    };
    /// Every character of a kind is a match.
    struct CharSplit {
        bool (*matches)(char32_t);
        char32_t delimiter; ///< where `matches` is null
        Behaviour behaviour;
    };
    struct WordSplit {
    }; ///< "Whitespace": runs of word characters, and of others that are no blanks
    struct PrefixSpace {};
    struct ByteMap {};
    struct Metaspace {
        std::string replacement;
        enum class Prepend { Always, First, Never } prepend;
        bool split;
    };
    using Step = std::variant<RegexSplit, CharSplit, WordSplit, PrefixSpace, ByteMap, Metaspace>;

    void add(const nlohmann::json& description, int depth);
    void addByteLevel(const nlohmann::json& description);
    void addMetaspace(const nlohmann::json& description);
    static Behaviour behaviourFromJson(const nlohmann::json& component, std::string_view where);
    static void joinSpans(std::vector<Span>& spans, Behaviour behaviour);
    template<typename FindSpans>
    static void splitPieces(Pieces& pieces, Behaviour behaviour, FindSpans&& findSpans);
    static void applyMetaspace(const Metaspace& step, Pieces& pieces);

    std::vector<Step> m_steps;
};

} // namespace bitloom::text
