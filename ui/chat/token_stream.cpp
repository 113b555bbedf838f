// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/token_stream.h"

#include <algorithm>

namespace bitloom::ui {

namespace {

double numberOr(const QJsonObject& object, const char* key, double otherwise) {
    const QJsonValue value = object[QLatin1String(key)];
    return value.isDouble() ? value.toDouble() : otherwise;
}

TokenStream::End endOf(const QString& text) {
    if (text == QLatin1String("max_tokens")) return TokenStream::End::MaxTokens;
    if (text == QLatin1String("eos")) return TokenStream::End::Eos;
    if (text == QLatin1String("stop")) return TokenStream::End::Stop;
    if (text == QLatin1String("context_full")) return TokenStream::End::ContextFull;
    return TokenStream::End::Cancelled;
}

} // namespace

void TokenStream::begin() {
    clear();
    m_state = State::Waiting;
}

void TokenStream::take(const EngineToken& token) {
    if (token.id < 0) {
        // Text that was held back until the end belongs to the last token.
        if (m_tokens.empty()) m_tokens.emplace_back();
        m_tokens.back().text += token.text;
    } else {
        ChatToken taken;
        taken.id = token.id;
        taken.text = token.text;
        taken.start = m_text.size();
        taken.logProb = token.logProb;
        taken.top = token.top;
        m_tokens.push_back(std::move(taken));
    }
    m_text += token.text;
}

int TokenStream::append(const EngineToken& token, double seconds) {
    if (!growing()) return 0;
    m_state = State::Streaming;
    if (m_figures.firstTokenSeconds < 0) m_figures.firstTokenSeconds = seconds;
    const int before = size();
    if (token.id < 0) {
        take(token);
        return 1;
    }
    if (token.index < before || m_early.contains(token.index)) return 0;
    if (token.index > before) {
        m_early.emplace(token.index, token);
        return 0;
    }
    take(token);
    for (auto next = m_early.find(size()); next != m_early.end(); next = m_early.find(size())) {
        take(next->second);
        m_early.erase(next);
    }
    // The first token stands at the end of another phase: speed counts from there.
    const double going = seconds - m_figures.firstTokenSeconds;
    if (size() > 1 && going > 0) m_figures.tokensPerSecond = (size() - 1) / going;
    return size() - before;
}

void TokenStream::finish(const QJsonObject& result) {
    const auto integer = [&](const char* key) { return qint64(numberOr(result, key, -1)); };
    m_figures.tokensPerSecond = numberOr(result, "tokens_per_second", m_figures.tokensPerSecond);
    m_figures.firstTokenSeconds =
        numberOr(result, "first_token_seconds", m_figures.firstTokenSeconds);
    m_figures.loadSeconds = numberOr(result, "load_seconds", -1);
    m_figures.seconds = numberOr(result, "seconds", -1);
    m_figures.memory = integer("memory");
    m_figures.contextUsed = integer("context_used");
    m_figures.contextTotal = integer("context_total");
    m_figures.promptTokens = integer("prompt_tokens");
    m_figures.resident = result[QLatin1String("resident")].toBool(true);
    m_figures.device = result[QLatin1String("device")].toString();
    m_figures.deviceReason = result[QLatin1String("device_reason")].toString();
    m_promptIds = result[QLatin1String("prompt_ids")].toArray();
    m_end = endOf(result[QLatin1String("end")].toString());
    m_state = m_end == End::Cancelled ? State::Stopped : State::Done;
    m_early.clear();
}

void TokenStream::fail(const QString& message) {
    if (!growing()) return;
    m_state = State::Failed;
    m_problem = message;
}

void TokenStream::stop() {
    if (!growing()) return;
    m_state = State::Stopped;
    m_end = End::Cancelled;
}

QJsonArray TokenStream::ids() const {
    QJsonArray list;
    for (const ChatToken& token : m_tokens)
        if (token.id >= 0) list.append(token.id);
    return list;
}

int TokenStream::tokenAt(qsizetype position) const {
    if (position < 0 || position >= m_text.size()) return -1;
    // The last token that starts at or before it: tokens without text come before theirs.
    const auto after = std::ranges::upper_bound(m_tokens, position, {}, &ChatToken::start);
    return int(after - m_tokens.begin()) - 1;
}

int firstDifference(const TokenStream& a, const TokenStream& b) {
    const int common = std::min(a.size(), b.size());
    for (int i = 0; i < common; ++i)
        if (a.tokens()[size_t(i)].id != b.tokens()[size_t(i)].id) return i;
    if (a.size() == b.size()) return -1;
    const TokenStream& shorter = a.size() < b.size() ? a : b;
    // An answer that the user or the limit cut short says nothing about what would have come.
    const bool ended =
        shorter.end() == TokenStream::End::Eos || shorter.end() == TokenStream::End::Stop;
    return ended ? common : -1;
}

} // namespace bitloom::ui
