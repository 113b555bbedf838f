// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/safetensors.h"
#include "core/stats/statistics.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Names and shapes inside a statistics file (FORMAT §3), shared by its reader and its writer.
namespace bitloom::statisticsLayout {

inline constexpr std::string_view format = "bitloom-statistics";
inline constexpr int formatVersion = 1;
/// Raised whenever the same recipe would give other numbers, so that old caches are not found.
inline constexpr int numbersVersion = 1;

inline constexpr const char* fileName = "stats.safetensors";
inline constexpr const char* partialName = "stats.safetensors.partial";
inline constexpr const char* journalName = "stats.journal";
inline constexpr const char* segmentsName = "stats.segments";

inline constexpr const char* idsName = "calibration.input_ids"; ///< I32 [sequences, length]
inline constexpr const char* nllName = "calibration.nll_fp";    ///< F64 [2]: mean, standard error
/// U8 [2·layers + 1]: per layer whether its norms and curves, and its γ, are filled in; last the
/// NLL. In the file itself, so that a view of a running calibration needs nothing else.
inline constexpr const char* stateName = "calibration.state";

struct Layer {
    std::string name;
    int64_t rows = 0, cols = 0;
};

std::map<std::string, std::string> metadata(const CalibrationRecipe& recipe,
                                            const std::string& modelName,
                                            const std::vector<Layer>& layers);

struct Metadata {
    CalibrationRecipe recipe;
    std::string modelName;
    std::vector<Layer> layers;
};
/// Throws Error(where + …) for a file that is none of ours, or of a later version.
Metadata parse(const std::map<std::string, std::string>& metadata, const std::string& where);

std::vector<TensorSpec> specs(const CalibrationRecipe& recipe, const std::vector<Layer>& layers);

/// Tensors of a layer: name behind the layer's, and values per column.
struct Part {
    const char* suffix;
    bool curves; ///< [K, points] rather than [K]
};
inline constexpr Part parts[] = {{".act_rms", false},
                                 {".act_absmax", false},
                                 {".weight_rms", false},
                                 {".conditional", false},
                                 {".sse", true}};
inline constexpr const char* gammaSuffix = ".gamma";         ///< F64 [1]
inline constexpr const char* rankSuffix = ".effective_rank"; ///< F64 [1]

/// True if every value is finite and not negative.
bool allUsable(std::span<const float> values);

} // namespace bitloom::statisticsLayout
