// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/plan.h"

#include <QString>

#include <optional>
#include <vector>

namespace bitloom::ui {

/// A pin in the user's list. Disabled ones stay in the list and change nothing.
struct PinEntry {
    Pin pin;
    bool enabled = true;
    bool operator==(const PinEntry&) const = default;
};

/// Everything that the user decides about a plan; the plan follows from it and the statistics.
struct Decision {
    Budget budget{Budget::Kind::Bits, 3.0};
    /// One width for every column instead of a budget (the preset "Uniform 4"); pins still hold.
    std::optional<int> uniformBits;
    std::vector<PinEntry> pins; ///< later ones win

    std::vector<Pin> activePins() const;
    bool operator==(const Decision&) const = default;

    nlohmann::json toJson() const;
    /// Throws Error(where + …).
    static Decision fromJson(const nlohmann::json& json, const std::string& where);
};

/// A decision with a name.
struct Preset {
    QString name;
    Decision decision;
    bool builtIn = false; ///< cannot be renamed or deleted
    bool operator==(const Preset&) const = default;
};
std::vector<Preset> builtInPresets();

/// A plan that was carried out and measured.
struct Measurement {
    QString plan;             ///< "Balanced", "3.00 bits", "FP16"
    QString text, protocol;   ///< what perplexity was measured on, and how ("gptq-2048")
    std::string textHash;     ///< of that text, empty where unknown
    std::string planHash;     ///< of the choices of all columns; empty for FP16
    double bitsPerWeight = 0; ///< 16 for FP16
    int64_t bytes = 0;
    double distortion = 0;   ///< ½ Σ D of the plan
    double predictedNll = 0; ///< before it was measured; 0 for FP16
    double nll = 0, standardError = 0;
    double fp16Nll = 0, deltaStandardError = 0; ///< of the same text; paired. 0 where not measured
    double klMean = 0, klP99 = 0, topAgreement = 0; ///< against FP16; 0 where not measured
    int64_t tokens = 0;
    QString when; ///< ISO 8601
    /// How much of the method was in the weights, as a number of MethodStage; −1: not known.
    int stage = -1;
    bool operator==(const Measurement&) const = default;

    nlohmann::json toJson() const;
    static Measurement fromJson(const nlohmann::json& json, const std::string& where);
};

} // namespace bitloom::ui
