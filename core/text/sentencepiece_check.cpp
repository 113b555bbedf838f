// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// A SentencePiece model may carry a table that normalizes text: a trie in one array, followed by
// the texts that it leads to. The library follows the array's offsets without looking at its size,
// so a damaged file could make it read anything. Here every offset is checked first.
#include "core/base/error.h"
#include "core/text/sentencepiece_tokenizer.h"

#include <cstdint>

namespace bitloom::text {

namespace {

[[noreturn]] void refuse(const char* what) {
    throw Error(std::string("tokenizer.model is not a SentencePiece model: ") + what);
}

/// Reads protocol buffers' wire format field by field.
class WireReader {
public:
    explicit WireReader(std::string_view bytes) : m_bytes(bytes) {}

    uint64_t field = 0;
    uint64_t number = 0;      ///< of a field that is a number
    std::string_view payload; ///< of a field of bytes, or a message

    /// False at the end.
    bool next() {
        if (m_bytes.empty()) return false;
        const uint64_t tag = varint();
        field = tag >> 3;
        number = 0;
        payload = {};
        switch (tag & 7) {
        case 0:
            number = varint();
            break;
        case 1:
            take(8);
            break;
        case 2:
            payload = take(varint());
            break;
        case 5:
            take(4);
            break;
        default:
            refuse("an unknown kind of field");
        }
        return true;
    }

private:
    uint64_t varint() {
        uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<uint8_t>(take(1)[0]);
            value |= uint64_t(byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        refuse("a number that is too long");
    }
    std::string_view take(uint64_t count) {
        if (count > m_bytes.size()) refuse("it ends in the middle of a field");
        const std::string_view part = m_bytes.substr(0, count);
        m_bytes.remove_prefix(count);
        return part;
    }

    std::string_view m_bytes;
};

uint32_t littleEndian(std::string_view bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;)
        value = (value << 8) | static_cast<uint8_t>(bytes[at + i]);
    return value;
}

void checkNormalizerTable(std::string_view table) {
    if (table.empty()) return;
    if (table.size() <= 4) refuse("a broken normalizer table");
    const uint64_t trieBytes = littleEndian(table, 0);
    if (trieBytes == 0 || trieBytes % 1024 != 0 || trieBytes >= table.size() - 4)
        refuse("a broken normalizer table");
    const std::string_view trie = table.substr(4, trieBytes);
    const std::string_view texts = table.substr(4 + trieBytes);
    if (texts.back() != '\0') refuse("a normalizer table whose texts have no end");
    const uint64_t units = trieBytes / 4;
    for (uint64_t i = 0; i < units; ++i) {
        const uint32_t unit = littleEndian(trie, i * 4);
        if (unit >> 31) { // a leaf: where its text begins
            if ((unit & 0x7FFFFFFF) >= texts.size()) refuse("a normalizer table that leads astray");
            continue;
        }
        const uint64_t offset = uint64_t(unit >> 10) << ((unit & (1u << 9)) >> 6);
        if (((i ^ offset) | 0xFF) >= units) refuse("a normalizer table that leads astray");
    }
}

} // namespace

SentencePieceFacts checkSentencePieceModel(std::string_view model) {
    // Numbers of fields in sentencepiece_model.proto, and the values that fields have by default.
    bool bpe = false, suffix = false, table = false, dropsBlanks = true, marksSpaces = true;
    for (WireReader fields(model); fields.next();) {
        if (fields.field == 2) { // trainer_spec
            for (WireReader spec(fields.payload); spec.next();) {
                if (spec.field == 3) bpe = spec.number == 2;
                if (spec.field == 24) suffix = spec.number != 0;
            }
        } else if (fields.field == 3 || fields.field == 5) { // normalizer_ and denormalizer_spec
            for (WireReader spec(fields.payload); spec.next();) {
                if (spec.field == 2) checkNormalizerTable(spec.payload);
                if (fields.field == 5) continue;
                if (spec.field == 2) table = !spec.payload.empty();
                if (spec.field == 4) dropsBlanks = spec.number != 0;
                if (spec.field == 5) marksSpaces = spec.number != 0;
            }
        }
    }
    return {bpe && !suffix && !table && !dropsBlanks && marksSpaces};
}

} // namespace bitloom::text
