// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/chat_state.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

using nlohmann::json;

/// Takes the value of a key where it is there, of that type and in that range.
void take(const json& object, const char* key, double low, double high, double& value) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return;
    const double number = found->get<double>();
    if (std::isfinite(number)) value = std::clamp(number, low, high);
}

template<class Whole>
void takeWhole(const json& object, const char* key, qint64 low, qint64 high, Whole& value) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_integer()) return;
    value = Whole(std::clamp<qint64>(found->get<qint64>(), low, high));
}

void take(const json& object, const char* key, bool& value) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_boolean()) value = found->get<bool>();
}

void take(const json& object, const char* key, QString& value) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_string())
        value = QString::fromStdString(found->get<std::string>());
}

} // namespace

json ChatState::toJson() const {
    json texts = json::array();
    for (const QString& prompt : prompts)
        texts.push_back(prompt.toStdString());
    return {{"left", left.toStdString()},
            {"right", right.toStdString()},
            {"comparing", comparing},
            {"prompts", texts},
            {"sampling",
             {{"temperature", options.temperature},
              {"top_p", options.topP},
              {"min_p", options.minP},
              {"top_k", options.topK},
              {"repetition_penalty", options.repetitionPenalty},
              {"seed", options.seed},
              {"max_tokens", options.maxTokens},
              {"together", options.together},
              {"score", options.score},
              {"continued", options.continued}}}};
}

ChatState ChatState::fromJson(const json& object) {
    ChatState state;
    if (!object.is_object()) return state;
    take(object, "left", state.left);
    take(object, "right", state.right);
    take(object, "comparing", state.comparing);
    if (const auto prompts = object.find("prompts"); prompts != object.end() && prompts->is_array())
        for (const json& prompt : *prompts)
            if (prompt.is_string())
                state.prompts.append(QString::fromStdString(prompt.get<std::string>()));
    state.prompts = state.prompts.mid(std::max<qsizetype>(0, state.prompts.size() - promptsKept));
    const auto sampling = object.find("sampling");
    if (sampling == object.end() || !sampling->is_object()) return state;
    ChatOptions& o = state.options;
    take(*sampling, "temperature", 0, 10, o.temperature);
    take(*sampling, "top_p", 0, 1, o.topP);
    take(*sampling, "min_p", 0, 1, o.minP);
    takeWhole(*sampling, "top_k", 0, 1'000'000, o.topK);
    take(*sampling, "repetition_penalty", 0.01, 100, o.repetitionPenalty);
    takeWhole(*sampling, "seed", 0, (qint64(1) << 53) - 1, o.seed);
    takeWhole(*sampling, "max_tokens", 1, 1'000'000, o.maxTokens);
    take(*sampling, "together", o.together);
    take(*sampling, "score", o.score);
    take(*sampling, "continued", o.continued);
    return state;
}

} // namespace bitloom::ui
