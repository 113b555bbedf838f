// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json.hpp>

#include <QString>
#include <QStringList>

namespace bitloom::ui {

/// How answers are drawn; shared by both sides, so that differences come from the weights.
struct ChatOptions {
    double temperature = 0; ///< 0: greedy
    double topP = 1, minP = 0;
    int topK = 0; ///< 0: off
    double repetitionPenalty = 1;
    qint64 seed = 0;
    int maxTokens = 256;
    bool together = true;   ///< both at once; else one after the other
    bool score = true;      ///< score the left answer by both models afterwards
    bool continued = false; ///< a prompt goes on from the answer before
    bool operator==(const ChatOptions&) const = default;
};

/// What a session file holds of the chat: not the answers, which come again.
struct ChatState {
    static constexpr int promptsKept = 200;

    ChatOptions options;
    QString left, right; ///< Subject::key; empty: as it is
    bool comparing = true;
    QStringList prompts; ///< newest last
    bool operator==(const ChatState&) const = default;

    nlohmann::json toJson() const;
    /// What is missing or makes no sense is as in a new chat.
    static ChatState fromJson(const nlohmann::json& json);
};

} // namespace bitloom::ui
