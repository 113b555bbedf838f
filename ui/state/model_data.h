// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/catalogue.h"
#include "core/model/checkpoint.h"
#include "core/plan/allocator.h"
#include "core/stats/statistics.h"

#include <QString>

#include <atomic>
#include <memory>
#include <vector>

namespace bitloom::ui {

/// One linear layer as the views show it. Layers are numbered in catalogue order everywhere.
struct LayerEntry {
    std::string name; ///< "model.layers.12.mlp.up_proj"
    QString label;    ///< "up_proj"
    QString path;     ///< "layers.12.mlp.up_proj": without the prefix that all layers share
    int block = 0;
    int kind = 0; ///< index into ModelData::kinds
    LinearRole role = LinearRole::Query;
    int64_t rows = 0, cols = 0;
    int64_t firstColumn = 0; ///< of this layer in lists of all channels of the model
    bool ready = true;       ///< its statistics are there (false: a calibration is under way)
};

/// A model and what is known about it. Immutable and shared between threads; spans stay valid as
/// long as it lives. Without statistics `statistics`, `curves` and the values in `layers` are
/// empty.
struct ModelData {
    std::shared_ptr<const Checkpoint> checkpoint; ///< nullptr only in tests
    std::shared_ptr<const Statistics> source;     ///< what `statistics` points into
    std::shared_ptr<const void> owner;            ///< the same in tests, which have no file
    QString title;                                ///< "bitloom-tales-4m"
    /// As the engine names them; on its machine where `remote`, else here.
    QString folder, statisticsFile;
    /// EngineCommand::machine of the engine that has it; empty: it is here. Of a model elsewhere
    /// `checkpoint` is a skeleton and `source` a copy.
    QString machine;
    bool remote() const { return !machine.isEmpty(); }
    std::string fingerprint;           ///< of the model
    std::string statisticsFingerprint; ///< empty without statistics
    QString calibratedOn;              ///< "calibration.txt, 753 windows of 256"
    double nllFp = 0, nllFpStderr = 0; ///< of the calibration text, nats per token; 0 = unknown
    int64_t fp16Bytes = 0;             ///< bytes of the model's shard files
    int64_t parameters = 0;

    Menu menu;
    std::vector<LayerEntry> entries;
    std::vector<LayerStatistics> statistics; ///< like entries; empty without statistics
    std::vector<LayerCurves> curves;         ///< like entries; empty without statistics
    std::vector<QString> kinds;              ///< "q", "k", "v", "o", "gate", "up", "down"
    int blocks = 0;
    int64_t columns = 0, weights = 0; ///< of all linears

    bool hasStatistics() const { return !statistics.empty(); }
    bool complete() const; ///< statistics of every layer
    int64_t layerOf(int64_t column) const;

    /// Reads headers only. Throws Error.
    static std::shared_ptr<const ModelData> open(const QString& path);
    /// A model of another machine, of which `skeleton` is here (PROTOCOL.md `open`).
    static std::shared_ptr<const ModelData>
    openRemote(const QString& skeleton, const QString& remoteFolder, const QString& machine);
    /// The same model with these statistics, which the engine knows as `engineFile` (empty: by
    /// their own path). Throws Error where they are of another model.
    static std::shared_ptr<const ModelData> with(std::shared_ptr<const ModelData> model,
                                                 std::shared_ptr<const Statistics> statistics,
                                                 const QString& engineFile = {});
    /// Statistics for `model`: beside the model (the sample ships its own), else the newest in the
    /// cache. nullptr if there are none.
    static std::shared_ptr<const Statistics> findStatistics(const ModelData& model,
                                                            const QString& cacheFolder);
    /// Fills entries, kinds and sums from names and shapes; for open() and for tests.
    void describeLayers(const std::vector<LinearInfo>& linears);
};

} // namespace bitloom::ui
