// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// llama2.c encodes as SentencePiece's BPE does: it starts from characters and joins, again and
// again, the neighbours whose concatenation is the piece with the highest score, the leftmost of
// equals. tokenizer.json wants a ranked list of pairs instead. Every split of a piece into two
// pieces is such a pair, and ranking the pairs by the score of what they make gives the same choice
// at every step. Splits of one piece rank alike in llama2.c and must be put in some order here: the
// longer left part comes first, as joining from the left favours it.
#include "core/model/llama2c_tokenizer.h"

#include "core/base/error.h"
#include "core/io/durable.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <unordered_map>

namespace bitloom {

namespace {

constexpr std::string_view space = "\xE2\x96\x81"; // "▁", SentencePiece's space
constexpr int firstByte = 3, lastByte = 258;       // ids of the byte pieces in Llama vocabularies

std::string byteName(int value) {
    const char* digits = "0123456789ABCDEF";
    return std::string("<0x") + digits[value >> 4] + digits[value & 15] + ">";
}

std::string utf8(int codePoint) { // below U+0100
    if (codePoint < 0x80) return {static_cast<char>(codePoint)};
    return {static_cast<char>(0xc0 | codePoint >> 6), static_cast<char>(0x80 | (codePoint & 0x3f))};
}

bool isByteName(const std::string& text) {
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    return text.size() == 6 && text.starts_with("<0x") && hex(text[3]) && hex(text[4]) &&
           text[5] == '>';
}

bool isUtf8(const std::string& text) {
    try {
        static_cast<void>(nlohmann::json(text).dump());
        return true;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

/// Turns a piece as llama2.c stores it back into SentencePiece's spelling.
std::string originalText(std::string text, int64_t id) {
    if (id == 0) return "<unk>";
    if (id == 1) return "<s>"; // stored as "\n<s>\n"
    if (id == 2) return "</s>";
    // Early exports stored a byte piece as the character of that number.
    if (id >= firstByte && id <= lastByte && text == utf8(static_cast<int>(id) - firstByte))
        return byteName(static_cast<int>(id) - firstByte);
    std::string result;
    for (const char c : text) {
        if (c == ' ')
            result += space;
        else
            result += c;
    }
    return result;
}

using Ids = std::unordered_map<std::string, size_t>;

/// Pairs of pieces whose concatenation is a piece, best first.
nlohmann::ordered_json makeMerges(const Llama2cVocabulary& vocabulary, const Ids& ids) {
    struct Merge {
        float score;
        size_t id, left;
    };
    std::vector<Merge> merges;
    // Special and byte pieces neither join nor are made by joining.
    const auto joins = [&](const Ids::const_iterator& found) {
        return found != ids.end() && found->second >= size_t(firstByte) &&
               !isByteName(found->first);
    };
    for (auto whole = ids.begin(); whole != ids.end(); ++whole) {
        if (!joins(whole)) continue;
        const auto& [text, id] = *whole;
        for (size_t cut = 1; cut < text.size(); ++cut) {
            // A cut inside a character finds no piece on either side.
            if (joins(ids.find(text.substr(0, cut))) && joins(ids.find(text.substr(cut))))
                merges.push_back({vocabulary.pieces[id].score, id, cut});
        }
    }
    std::ranges::sort(merges, [](const Merge& a, const Merge& b) {
        return std::tuple(-a.score, a.id, b.left) < std::tuple(-b.score, b.id, a.left);
    });
    auto list = nlohmann::ordered_json::array();
    for (const Merge& merge : merges) {
        const std::string& text = vocabulary.pieces[merge.id].text;
        list.push_back({text.substr(0, merge.left), text.substr(merge.left)});
    }
    return list;
}

} // namespace

Llama2cVocabulary Llama2cVocabulary::read(const std::filesystem::path& path, int64_t size) {
    const std::string text = readTextFile(path, uint64_t{1} << 30);
    const std::string where = "'" + path.string() + "'";
    size_t at = 0;
    const auto take = [&](size_t bytes) {
        if (bytes > text.size() - at)
            throw Error(where + " ends early: it does not hold the " + std::to_string(size) +
                            " pieces that the model has",
                        "Give the tokenizer.bin that belongs to this checkpoint.");
        at += bytes;
        return text.data() + at - bytes;
    };
    const auto number = [&]() {
        uint32_t value;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    };
    const uint32_t longest = number();
    Llama2cVocabulary vocabulary;
    for (int64_t id = 0; id < size; ++id) {
        Piece piece;
        std::memcpy(&piece.score, take(sizeof piece.score), sizeof piece.score);
        const uint32_t length = number();
        if (length > longest || !std::isfinite(piece.score))
            throw Error(where + " is not a llama2.c tokenizer: piece " + std::to_string(id) +
                        " makes no sense");
        const char* bytes = take(length);
        piece.text = originalText(std::string(bytes, length), id);
        if (!isUtf8(piece.text))
            throw Error(where + " is not a llama2.c tokenizer: piece " + std::to_string(id) +
                        " is not UTF-8");
        vocabulary.pieces.push_back(std::move(piece));
    }
    if (at != text.size())
        throw Error(where + " holds more than the " + std::to_string(size) +
                        " pieces that the model has",
                    "Give the tokenizer.bin that belongs to this checkpoint.");
    return vocabulary;
}

nlohmann::ordered_json makeTokenizerJson(const Llama2cVocabulary& vocabulary) {
    using json = nlohmann::ordered_json;
    Ids ids;
    auto vocab = json::object();
    size_t bytes = 0;
    for (size_t id = 0; id < vocabulary.pieces.size(); ++id) {
        std::string text = vocabulary.pieces[id].text;
        // A name can stand for one id only; a second one could never be encoded anyway.
        const bool fresh = !text.empty() && ids.emplace(text, id).second;
        if (!fresh) text = "<unused" + std::to_string(id) + ">";
        vocab[text] = id;
        if (id >= size_t(firstByte) && id <= size_t(lastByte) &&
            text == byteName(static_cast<int>(id) - firstByte))
            ++bytes;
    }
    auto added = json::array();
    for (const char* special : {"<unk>", "<s>", "</s>"})
        if (const auto found = ids.find(special); found != ids.end())
            added.push_back({{"id", found->second},
                             {"content", special},
                             {"single_word", false},
                             {"lstrip", false},
                             {"rstrip", false},
                             {"normalized", false},
                             {"special", true}});

    const std::string blank(space);
    const json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
    const json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
    const json secondBos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 1}}}};
    json result;
    result["version"] = "1.0";
    result["truncation"] = nullptr;
    result["padding"] = nullptr;
    result["added_tokens"] = added;
    result["normalizer"] = {
        {"type", "Sequence"},
        {"normalizers",
         json::array({{{"type", "Prepend"}, {"prepend", blank}},
                      {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", blank}}})}};
    result["pre_tokenizer"] = nullptr;
    result["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", json::array({bos, first})},
        {"pair", json::array({bos, first, secondBos, second})},
        {"special_tokens",
         {{"<s>", {{"id", "<s>"}, {"ids", json::array({1})}, {"tokens", json::array({"<s>"})}}}}}};
    result["decoder"] = {
        {"type", "Sequence"},
        {"decoders",
         json::array({{{"type", "Replace"}, {"pattern", {{"String", blank}}}, {"content", " "}},
                      {{"type", "ByteFallback"}},
                      {{"type", "Fuse"}},
                      {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}})}};
    json model;
    model["type"] = "BPE";
    model["dropout"] = nullptr;
    model["unk_token"] = "<unk>";
    model["continuing_subword_prefix"] = nullptr;
    model["end_of_word_suffix"] = nullptr;
    model["fuse_unk"] = true;
    model["byte_fallback"] = bytes == 256;
    model["ignore_merges"] = false;
    model["vocab"] = std::move(vocab);
    model["merges"] = makeMerges(vocabulary, ids);
    result["model"] = std::move(model);
    return result;
}

} // namespace bitloom
