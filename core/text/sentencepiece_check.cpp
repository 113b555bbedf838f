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

    /// False at the end. `payload` is set for fields of bytes or messages.
    bool next(uint64_t& field, std::string_view& payload) {
        if (m_bytes.empty()) return false;
        const uint64_t tag = varint();
        field = tag >> 3;
        payload = {};
        switch (tag & 7) {
        case 0:
            varint();
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

void checkSentencePieceModel(std::string_view model) {
    constexpr uint64_t normalizerSpec = 3, denormalizerSpec = 5, charsmap = 2;
    uint64_t field = 0, inner = 0;
    std::string_view payload, table;
    for (WireReader reader(model); reader.next(field, payload);) {
        if (field != normalizerSpec && field != denormalizerSpec) continue;
        for (WireReader spec(payload); spec.next(inner, table);)
            if (inner == charsmap) checkNormalizerTable(table);
    }
}

} // namespace bitloom::text
