// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/tokenizer.h"

#include "core/text/unicode.h"

namespace bitloom {

std::vector<int32_t> Tokenizer::encodeWithBos(std::string_view text) const {
    std::vector<int32_t> ids = encode(text);
    if (const auto bos = bosId(); bos && addsBos()) ids.insert(ids.begin(), *bos);
    return ids;
}

std::string StreamDecoder::push(int32_t id) {
    if (m_tokenizer.isSpecial(id)) return {};
    m_pending += m_tokenizer.pieceBytes(id);
    const size_t held = text::incompleteTail(m_pending);
    if (m_first) {
        // Until something is given out, only decode() knows what is cut off at the start.
        m_ids.push_back(id);
        if (held > 0) return {};
        std::string text = m_tokenizer.decode(m_ids);
        if (text.empty()) return {};
        m_first = false;
        m_ids.clear();
        m_pending.clear();
        return text;
    }
    std::string text =
        text::replaceInvalidUtf8(std::string_view(m_pending).substr(0, m_pending.size() - held));
    m_pending.erase(0, m_pending.size() - held);
    return text;
}

std::string StreamDecoder::finish() {
    std::string text = m_first ? m_tokenizer.decode(m_ids) : text::replaceInvalidUtf8(m_pending);
    m_first = false;
    m_ids.clear();
    m_pending.clear();
    return text;
}

} // namespace bitloom
