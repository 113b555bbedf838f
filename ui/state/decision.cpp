// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/decision.h"

#include "core/base/error.h"

#include <QCoreApplication>

#include <cmath>

namespace bitloom::ui {

namespace {

constexpr const char* budgetNames[] = {"bits", "size", "perplexity"}; // by Budget::Kind

[[noreturn]] void fail(const std::string& where, const std::string& what) {
    throw Error(where + ": " + what + ".");
}

/// A member of an object; complaints name it.
const nlohmann::json& member(const nlohmann::json& json, const char* key,
                             const std::string& where) {
    if (!json.is_object()) fail(where, "is not an object");
    const auto found = json.find(key);
    if (found == json.end()) fail(where, std::string("has no \"") + key + '"');
    return *found;
}

double number(const nlohmann::json& json, const char* key, const std::string& where) {
    const nlohmann::json& value = member(json, key, where);
    if (!value.is_number() || !std::isfinite(value.get<double>()))
        fail(where, std::string("\"") + key + "\" must be a number");
    return value.get<double>();
}

std::string textAt(const nlohmann::json& json, const char* key, const std::string& where) {
    const nlohmann::json& value = member(json, key, where);
    if (!value.is_string()) fail(where, std::string("\"") + key + "\" must be text");
    return value.get<std::string>();
}

/// What later versions added, or this one does not need.
template<class T>
T optional(const nlohmann::json& json, const char* key, T otherwise) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return otherwise;
    try {
        return found->get<T>();
    } catch (const nlohmann::json::exception&) {
        return otherwise;
    }
}

} // namespace

std::vector<Pin> Decision::activePins() const {
    std::vector<Pin> active;
    for (const PinEntry& entry : pins)
        if (entry.enabled) active.push_back(entry.pin);
    return active;
}

nlohmann::json Decision::toJson() const {
    nlohmann::json list = nlohmann::json::array();
    for (const PinEntry& entry : pins)
        list.push_back({{"pin", entry.pin.text()}, {"enabled", entry.enabled}});
    nlohmann::json json{
        {"budget", {{"kind", budgetNames[int(budget.kind)]}, {"value", budget.value}}},
        {"pins", list}};
    if (uniformBits) json["uniform_bits"] = *uniformBits;
    return json;
}

Decision Decision::fromJson(const nlohmann::json& json, const std::string& where) {
    Decision decision;
    const nlohmann::json& budget = member(json, "budget", where);
    const std::string kind = textAt(budget, "kind", where + ": budget");
    const auto* found = std::find(std::begin(budgetNames), std::end(budgetNames), kind);
    if (found == std::end(budgetNames)) fail(where, "\"" + kind + "\" is no kind of budget");
    decision.budget = {Budget::Kind(found - budgetNames), number(budget, "value", where)};
    if (const int uniform = optional(json, "uniform_bits", 0); uniform > 0)
        decision.uniformBits = uniform;
    const nlohmann::json& pins = member(json, "pins", where);
    if (!pins.is_array()) fail(where, "\"pins\" is not a list");
    for (const nlohmann::json& entry : pins)
        decision.pins.push_back(
            {Pin::parse(textAt(entry, "pin", where + ": pins")), optional(entry, "enabled", true)});
    return decision;
}

std::vector<Preset> builtInPresets() {
    const auto preset = [](const char* name, double bits) {
        Preset result;
        result.name = QCoreApplication::translate("Preset", name);
        result.decision.budget = {Budget::Kind::Bits, bits};
        result.builtIn = true;
        return result;
    };
    std::vector<Preset> presets{preset(QT_TRANSLATE_NOOP("Preset", "Small"), 2.5),
                                preset(QT_TRANSLATE_NOOP("Preset", "Balanced"), 3.0),
                                preset(QT_TRANSLATE_NOOP("Preset", "Careful"), 4.0),
                                preset(QT_TRANSLATE_NOOP("Preset", "Uniform 4"), 4.0)};
    presets.back().decision.uniformBits = 4;
    return presets;
}

nlohmann::json Measurement::toJson() const {
    return {{"plan", plan.toStdString()},
            {"text", text.toStdString()},
            {"text_hash", textHash},
            {"protocol", protocol.toStdString()},
            {"plan_hash", planHash},
            {"bits_per_weight", bitsPerWeight},
            {"bytes", bytes},
            {"distortion", distortion},
            {"predicted_nll", predictedNll},
            {"nll", nll},
            {"fp16_nll", fp16Nll},
            {"stderr", standardError},
            {"delta_stderr", deltaStandardError},
            {"kl_mean", klMean},
            {"kl_p99", klP99},
            {"top1_agreement", topAgreement},
            {"tokens", tokens},
            {"when", when.toStdString()},
            {"stage", stage}};
}

Measurement Measurement::fromJson(const nlohmann::json& json, const std::string& where) {
    Measurement m;
    m.plan = QString::fromStdString(textAt(json, "plan", where));
    m.text = QString::fromStdString(textAt(json, "text", where));
    m.textHash = optional(json, "text_hash", std::string());
    m.protocol = QString::fromStdString(textAt(json, "protocol", where));
    m.planHash = textAt(json, "plan_hash", where);
    m.bitsPerWeight = number(json, "bits_per_weight", where);
    m.bytes = int64_t(number(json, "bytes", where));
    m.distortion = number(json, "distortion", where);
    m.predictedNll = number(json, "predicted_nll", where);
    m.nll = number(json, "nll", where);
    m.fp16Nll = optional(json, "fp16_nll", 0.0);
    m.standardError = number(json, "stderr", where);
    m.deltaStandardError = optional(json, "delta_stderr", 0.0);
    m.klMean = optional(json, "kl_mean", 0.0);
    m.klP99 = optional(json, "kl_p99", 0.0);
    m.topAgreement = optional(json, "top1_agreement", 0.0);
    m.tokens = optional<int64_t>(json, "tokens", 0);
    m.when = QString::fromStdString(optional(json, "when", std::string()));
    m.stage = optional(json, "stage", -1);
    return m;
}

} // namespace bitloom::ui
