// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/allocator.h"
#include "core/plan/predictor.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// What the user asked for. Exactly one kind.
struct Budget {
    enum class Kind { Bits, Size, Perplexity, Speed } kind = Kind::Bits;
    /// Bits per weight; bytes of the folder; relative increase (0.02 = 2 %); tokens per second at
    /// least, on the machine whose SpeedTable was at hand.
    double value = 3.0;
    bool operator==(const Budget&) const = default;
};

/// A decision by hand: columns of the layers whose name matches are stored as told. FORMAT §4.
/// Text form: "REGEX=BITS", "REGEX[0-15,40]=4t+1%", BITS a width 2…8, 16, or an exact point.
struct Pin {
    std::string pattern; ///< PCRE2, searched anywhere in the layer name
    std::vector<std::pair<int64_t, int64_t>> channels; ///< inclusive ranges; empty = all
    std::string choice; ///< "4" (any kind and outliers of that width), "16", "4t+0.25%"

    static Pin parse(std::string_view text); ///< throws Error(Usage)
    std::string text() const;
    bool operator==(const Pin&) const = default;
};

/// Pins as limits for the allocator; later pins win. Throws Error(Usage) for a pattern that matches
/// no layer (naming a few that exist), a channel out of range, or a width that the menu lacks.
std::vector<ColumnLimit> limitsOf(std::span<const Pin> pins, const std::vector<LayerCurves>& layers,
                                  const Menu& menu);

/// The bits of every column of a model: a value, complete in itself.
struct Plan {
    struct Layer {
        std::string name;
        int64_t rows = 0, cols = 0;
        std::vector<uint8_t> points; ///< [K] index into menu, source order
        bool operator==(const Layer&) const = default;
    };
    std::string model;      ///< fingerprint
    std::string statistics; ///< fingerprint of the calibration that it was made from
    Budget budget;
    Menu menu;
    std::vector<Pin> pins;
    std::vector<Layer> layers;
    int64_t bits = 0;      ///< stored bits of the block linears
    double distortion = 0; ///< see Allocation
    Prediction predicted;

    int64_t weights() const;
    double bitsPerWeight() const { return double(bits) / double(weights()); }

    void save(const std::filesystem::path& path) const;
    static Plan load(const std::filesystem::path& path); ///< throws Error naming what is wrong
    nlohmann::json toJson() const;
    static Plan fromJson(const nlohmann::json& json, const std::string& where);
};

/// "12x8g,40x6g,300x4t+0.25%": run lengths in source order, and back. Throws Error if the counts do
/// not add up to `cols` or a point is not in the menu.
std::string runLengths(std::span<const uint8_t> points, const Menu& menu);
std::vector<uint8_t> parseRunLengths(std::string_view text, const Menu& menu, int64_t cols);

/// Splits an allocation by layer.
Plan makePlan(const Allocation& allocation, const std::vector<LayerCurves>& layers,
              const Menu& menu, const Budget& budget, std::vector<Pin> pins);
/// Text in, text out, for tests: "layers.0.q: 8g,4t,4t,2t" ↔ a plan, one layer a line.
std::string printPlan(const Plan& plan);
/// The way back; runs ("300x4t") are understood too. All layers get `rows` rows; `bits` is counted,
/// fingerprints, budget and figures stay empty. Throws Error.
Plan buildPlan(std::string_view text, const Menu& menu = defaultMenu(), int64_t rows = 256);

} // namespace bitloom
