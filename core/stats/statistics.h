// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/durable.h"
#include "core/io/safetensors.h"
#include "core/model/catalogue.h"
#include "core/stats/operating_point.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// What calibration was asked to do; part of the fingerprint that keys the cache.
struct CalibrationRecipe {
    std::string modelFingerprint;
    std::string textHash;  ///< TokenWindows::textHash
    std::string source;    ///< where the text came from, for people; not part of the fingerprint
    int64_t sequences = 0; ///< windows used
    int64_t length = 0;    ///< tokens a window
    double damping = 0.01; ///< of the mean diagonal of H (ALGORITHMS §2)
    std::string order = "descending"; ///< quantization order that c_k refers to
    Menu menu;

    /// Hash of everything that changes the numbers, the program's statistics version included.
    std::string fingerprint() const;
};

/// Statistics of one linear layer; spans point into the mapped file.
struct LayerStatistics {
    std::string name;
    int64_t rows = 0, cols = 0;
    std::span<const float> actRms;      ///< [K] a_k = sqrt(H_kk)
    std::span<const float> actAbsmax;   ///< [K]
    std::span<const float> weightRms;   ///< [K]
    std::span<const float> conditional; ///< [K] c_k
    std::span<const float> sse;         ///< [K, points] SSE_k of every menu point
    double gamma = 0;                   ///< Fisher factor γ_l, nats per unit of output error
    double effectiveRank = 0;           ///< (tr H)² / tr(H²) of the layer's input: coverage
    bool normsDone = false, gammaDone = false; ///< filled so far, in a calibration under way
};

/// A statistics file (FORMAT §3), complete or being filled by a calibration. Immutable.
class Statistics {
public:
    /// Opens a file; `allowPartial` accepts one whose calibration is still running or was broken
    /// off (StatisticsWriter::partialPath): its layers say what they hold so far, and opening it
    /// again shows what came since. Throws Error for anything that FORMAT §3 does not allow, NaN
    /// included.
    static std::shared_ptr<const Statistics> open(const std::filesystem::path& path,
                                                  bool allowPartial = false);

    const std::filesystem::path& path() const { return m_path; }
    const Menu& menu() const { return m_recipe.menu; }
    const CalibrationRecipe& recipe() const { return m_recipe; }
    const std::vector<LayerStatistics>& layers() const { return m_layers; } ///< catalogue order
    const LayerStatistics* find(std::string_view name) const;
    std::span<const int32_t> inputIds() const { return m_ids; } ///< [sequences, length]
    double nllFp() const { return m_nllFp; } ///< of the calibration text, nats per predicted token
    double nllFpStderr() const { return m_nllFpStderr; } ///< over windows
    const std::string& modelName() const { return m_modelName; }
    /// Hull segments sorted once (core/plan/allocator.h decides the content); empty where absent.
    std::span<const std::byte> sortedSegments() const { return m_segments; }
    bool complete() const { return m_complete; }

private:
    Statistics() = default;
    std::filesystem::path m_path;
    std::shared_ptr<const SafetensorsFile> m_file;
    CalibrationRecipe m_recipe;
    std::string m_modelName;
    std::vector<LayerStatistics> m_layers;
    std::vector<std::vector<float>> m_unaligned; ///< owns copies where the file is not aligned
    std::vector<int32_t> m_unalignedIds;
    std::shared_ptr<const MappedFile> m_segmentsFile;
    std::span<const int32_t> m_ids;
    std::span<const std::byte> m_segments;
    double m_nllFp = 0, m_nllFpStderr = 0;
    bool m_complete = false;
};

/// Lays a statistics file out in full and fills it layer by layer. Every put… is on disk and in the
/// journal when it returns; a writer made again for the same recipe goes on where the last one
/// stopped. Files: stats.safetensors.partial, stats.journal; `finish` renames the first to
/// stats.safetensors. put… may be called from one thread at a time.
class StatisticsWriter {
public:
    /// `folder` is the cache folder of this fingerprint; it is created and locked. A journal of
    /// another recipe is an Error. What a former writer journaled is verified by its hash; a layer
    /// that fails is dropped with a warning and must be put again.
    StatisticsWriter(const std::filesystem::path& folder, const CalibrationRecipe& recipe,
                     const Catalogue& catalogue, const std::string& modelName,
                     std::span<const int32_t> inputIds);
    ~StatisticsWriter();

    bool hasLayer(std::string_view name) const; ///< norms and curves are in the journal
    bool hasGamma(std::string_view name) const;
    struct LayerValues {
        std::span<const float> actRms, actAbsmax, weightRms, conditional, sse;
        double effectiveRank = 0;
    };
    void putLayer(std::string_view name, const LayerValues& values);
    void putGamma(std::string_view name, double gamma);
    double gamma(std::string_view name) const; ///< as journaled
    void putNll(double nll, double standardError);
    bool hasNll() const;

    /// Free-form marks of the job that fills the file ("hidden states of block 3 are on disk").
    void putMark(const std::string& key, const nlohmann::json& value);
    const nlohmann::json* mark(const std::string& key) const; ///< the latest; nullptr if none

    /// Checks that everything is there, appends the sorted segments (a tensor whose size only the
    /// finished curves decide, so it is written into a file of its own beside: stats.segments),
    /// renames, and returns the path of stats.safetensors.
    std::filesystem::path finish(std::span<const std::byte> sortedSegments);

    std::filesystem::path partialPath() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// cache/stats/<first 16 digits of fingerprint>/
std::filesystem::path statisticsFolder(const std::filesystem::path& cache,
                                       const CalibrationRecipe& recipe);
/// Complete statistics of this model in the cache, newest first.
std::vector<std::filesystem::path> findCachedStatistics(const std::filesystem::path& cache,
                                                        const std::string& modelFingerprint);

/// A model folder may bring statistics of its own, as the sample does: bitloom/stats.safetensors in
/// it. Copies them into the cache, where measurements are remembered beside them, unless they are
/// there already or are another model's. True if the cache holds them now; a cache that cannot be
/// written is logged, not thrown.
bool adoptStatistics(const std::filesystem::path& cache, const std::filesystem::path& modelFolder,
                     const std::string& modelFingerprint);

} // namespace bitloom
