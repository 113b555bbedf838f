// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/model_data.h"

#include "core/base/error.h"
#include "core/base/log.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QLocale>

#include <algorithm>

namespace bitloom::ui {

namespace {

const char* kindName(LinearRole role) {
    switch (role) {
    case LinearRole::Query:
        return "q";
    case LinearRole::Key:
        return "k";
    case LinearRole::Value:
        return "v";
    case LinearRole::AttentionOut:
        return "o";
    case LinearRole::Gate:
        return "gate";
    case LinearRole::Up:
        return "up";
    case LinearRole::Down:
        return "down";
    }
    return "";
}

/// "model.layers.12.mlp.up_proj" → "layers.12.mlp.up_proj": names begin where the block's does.
QString pathOf(const std::string& name, int64_t block) {
    const QString text = QString::fromStdString(name);
    const QString number = QLatin1Char('.') % QString::number(block) % QLatin1Char('.');
    const qsizetype at = text.indexOf(number);
    if (at <= 0) return text;
    const qsizetype begin = text.lastIndexOf(QLatin1Char('.'), at - 1);
    return begin < 0 ? text : text.mid(begin + 1);
}

QString titleOf(const QString& folder) {
    // Folders of the Hugging Face cache are named by commit; the model's name is further up.
    const QDir dir(folder);
    const QStringList parts = dir.absolutePath().split(QLatin1Char('/'));
    if (parts.size() >= 3 && parts[parts.size() - 2] == QLatin1String("snapshots") &&
        parts[parts.size() - 3].startsWith(QLatin1String("models--"))) {
        const QStringList name = parts[parts.size() - 3].split(QStringLiteral("--"));
        return name.last();
    }
    return dir.dirName();
}

QString describe(const CalibrationRecipe& recipe) {
    QString source = QString::fromStdString(recipe.source);
    if (source.isEmpty())
        source = QCoreApplication::translate("ModelData", "token ids");
    else if (!source.contains(QLatin1String(", ")))
        source = QFileInfo(source).fileName();
    const QLocale locale;
    return QCoreApplication::translate("ModelData", "%1, %2 windows of %3 tokens")
        .arg(source, locale.toString(qlonglong(recipe.sequences)),
             locale.toString(qlonglong(recipe.length)));
}

} // namespace

bool ModelData::complete() const {
    return hasStatistics() &&
           std::ranges::all_of(entries, [](const LayerEntry& entry) { return entry.ready; });
}

int64_t ModelData::layerOf(int64_t column) const {
    const auto after = std::ranges::upper_bound(entries, column, {},
                                                [](const LayerEntry& e) { return e.firstColumn; });
    return after - entries.begin() - 1;
}

void ModelData::describeLayers(const std::vector<LinearInfo>& linears) {
    entries.clear();
    kinds.clear();
    columns = weights = blocks = 0;
    for (const LinearInfo& linear : linears) {
        LayerEntry entry;
        entry.name = linear.name;
        entry.path = pathOf(linear.name, linear.block);
        entry.label = entry.path.section(QLatin1Char('.'), -1);
        entry.block = int(linear.block);
        entry.role = linear.role;
        entry.rows = linear.rows;
        entry.cols = linear.cols;
        entry.firstColumn = columns;
        const QString kind = QString::fromLatin1(kindName(linear.role));
        qsizetype index = std::ranges::find(kinds, kind) - kinds.begin();
        if (index == qsizetype(kinds.size())) kinds.push_back(kind);
        entry.kind = int(index);
        columns += linear.cols;
        weights += linear.rows * linear.cols;
        blocks = std::max(blocks, int(linear.block) + 1);
        entries.push_back(std::move(entry));
    }
}

std::shared_ptr<const ModelData> ModelData::open(const QString& path) {
    auto data = std::make_shared<ModelData>();
    data->checkpoint = Checkpoint::open(path.toStdString());
    const Checkpoint& checkpoint = *data->checkpoint;
    data->folder = QString::fromStdString(checkpoint.folder().string());
    data->title = titleOf(data->folder);
    data->fingerprint = checkpoint.fingerprint();
    data->fp16Bytes = checkpoint.weightBytes();
    data->parameters = checkpoint.parameters();
    data->describeLayers(checkpoint.catalogue().linears);
    return data;
}

std::shared_ptr<const ModelData> ModelData::openRemote(const QString& skeleton,
                                                       const QString& remoteFolder,
                                                       const QString& machine) {
    auto data = std::make_shared<ModelData>(*open(skeleton));
    data->folder = remoteFolder;
    data->title = titleOf(remoteFolder);
    data->machine = machine;
    return data;
}

std::shared_ptr<const ModelData> ModelData::with(std::shared_ptr<const ModelData> model,
                                                 std::shared_ptr<const Statistics> statistics,
                                                 const QString& engineFile) {
    if (statistics->recipe().modelFingerprint != model->fingerprint)
        throw Error("the statistics '" + statistics->path().string() + "' are of another model (" +
                        statistics->modelName() + ")",
                    "Analyze this model, or choose its own statistics.");
    auto data = std::make_shared<ModelData>(*model);
    data->source = statistics;
    data->statisticsFile =
        engineFile.isEmpty() ? QString::fromStdString(statistics->path().string()) : engineFile;
    data->statistics.clear();
    data->menu = statistics->menu();
    for (LayerEntry& entry : data->entries) {
        const LayerStatistics* layer = statistics->find(entry.name);
        if (!layer || layer->rows != entry.rows || layer->cols != entry.cols)
            throw Error("the statistics '" + statistics->path().string() + "' have no layer " +
                            entry.name + " of this shape",
                        "Analyze the model again.");
        entry.ready = statistics->complete() || layer->normsDone;
        data->statistics.push_back(*layer);
    }
    data->curves.clear();
    if (statistics->complete()) {
        // In the order of the entries, whatever the file's is.
        for (const LayerStatistics& layer : data->statistics)
            data->curves.push_back(
                {layer.name, layer.rows, layer.cols, layer.gamma, layer.conditional, layer.sse});
        data->statisticsFingerprint = statistics->recipe().fingerprint();
        data->nllFp = statistics->nllFp();
        data->nllFpStderr = statistics->nllFpStderr();
    }
    data->calibratedOn = describe(statistics->recipe());
    return data;
}

std::shared_ptr<const Statistics> ModelData::findStatistics(const ModelData& model,
                                                            const QString& cacheFolder) {
    namespace fs = std::filesystem;
    const fs::path cache = cacheFolder.toStdString(), folder = model.folder.toStdString();
    adoptStatistics(cache, folder, model.fingerprint);
    std::vector<fs::path> candidates = findCachedStatistics(cache, model.fingerprint);
    // Where the cache cannot be written, the model's own are read where they lie.
    const fs::path own = folder / "bitloom" / "stats.safetensors";
    std::error_code ignored;
    if (fs::is_regular_file(own, ignored)) candidates.push_back(own);
    for (const fs::path& path : candidates) {
        try {
            auto statistics = Statistics::open(path);
            if (statistics->recipe().modelFingerprint == model.fingerprint) return statistics;
        } catch (const Error& error) {
            logger("ui")->warn("statistics are passed over: {}", error.what());
        }
    }
    return nullptr;
}

} // namespace bitloom::ui
