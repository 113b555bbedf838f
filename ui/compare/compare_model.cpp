// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/compare/compare_model.h"

#include "core/base/error.h"
#include "core/format/checkpoint_reader.h"
#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/theme.h"

#include <QFileInfo>
#include <QHash>
#include <QJsonArray>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

const QString foldersKey = QStringLiteral("compare/folders");
constexpr QChar nbsp(0x00A0);

QString pplText(const std::optional<double>& ppl, const std::optional<double>& error) {
    if (!ppl) return QStringLiteral("–");
    const int decimals = *ppl < 100 ? 2 : *ppl < 1000 ? 1 : 0;
    QString text = fixedText(*ppl, decimals);
    if (error && *error > 0) text += nbsp % QChar(0x00B1) % nbsp % fixedText(*error, decimals);
    return isolated(text);
}

/// Stored bits per weight of a layer: exactly what its tensors take.
double meanBitsOf(const LayerFormat& format, const LinearInfo& linear) {
    return format.layout == LayerLayout::Dense
               ? 16
               : 8.0 * double(format.bytes(linear)) / (double(linear.rows) * double(linear.cols));
}

} // namespace

CompareModel::CompareModel(Workbench& workbench, SubjectModels& models, QObject* parent)
    : QAbstractTableModel(parent), m_workbench(workbench), m_models(models) {
    m_pool.setMaxThreadCount(1);
    const auto again = [this] {
        beginResetModel();
        rebuild();
        endResetModel();
        emit rowsChanged();
    };
    for (auto signal :
         {&Workbench::modelChanged, &Workbench::presetsChanged, &Workbench::summariesChanged,
          &Workbench::measurementsChanged, &Workbench::planSettled})
        connect(&workbench, signal, this, again);
    connect(&workbench, &Workbench::planChanged, this, &CompareModel::updateCurrent);
    connect(&workbench.jobs(), &JobList::activeChanged, this, [this] {
        if (!m_rows.empty())
            emit dataChanged(index(0, Measured), index(int(m_rows.size()) - 1, Measured));
    });
    // Layers are compared by the names of the open model's.
    connect(&workbench, &Workbench::modelChanged, this, [this] {
        for (const QString& folder : m_folders)
            read(folder);
    });
    // Folders on another machine are another list, and can be read once it answers.
    connect(&workbench, &Workbench::engineChanged, this, &CompareModel::takeFolders);
    rebuild();
    takeFolders();
}

void CompareModel::takeFolders() {
    const bool remote = m_workbench.engineIsRemote();
    if (EngineClient* engine = m_workbench.engine(); engine && remote) {
        engine->disconnect(this);
        connect(engine, &EngineClient::stateChanged, this, [this](EngineClient::State state) {
            if (state != EngineClient::State::Ready) return;
            for (const QString& folder : m_folders)
                if (!m_read.contains(folder) || !m_read[folder].problem.isEmpty()) read(folder);
        });
    }
    const QString key = m_workbench.settings().placeKey(foldersKey);
    if (key == m_key) return;
    m_key = key;
    beginResetModel();
    m_folders.clear();
    m_read.clear();
    rebuild();
    endResetModel();
    for (const QString& folder : m_workbench.settings().value(m_key).toStringList())
        if (remote || QFileInfo::exists(folder)) addFolder(folder);
    emit rowsChanged();
}

CompareModel::~CompareModel() {
    m_pool.waitForDone();
}

QString CompareModel::keyOf(const Measurement& m) {
    return (m.textHash.empty() ? m.text : QString::fromStdString(m.textHash)) % QLatin1Char('/') %
           m.protocol % QLatin1Char('/') % QString::number(m.tokens);
}

/// FP16 on the same text and in the same way as another row.
std::optional<double> CompareModel::originalPplFor(const CompareRow& row) const {
    const auto measured = [&](const Measurement& m) {
        return m.fp16Nll > 0 && keyOf(m) == row.measurementKey;
    };
    for (const Measurement& m : m_workbench.measurements())
        if (measured(m)) return std::exp(m.fp16Nll);
    for (const auto& [folder, m] : m_measured)
        if (measured(m)) return std::exp(m.fp16Nll);
    return std::nullopt;
}

void CompareModel::take(CompareRow& row, const Measurement& m) {
    if (!(m.nll > 0)) return;
    row.measuredPpl = std::exp(m.nll);
    row.measuredError = *row.measuredPpl * m.standardError;
    row.measuredOn = m.text;
    row.measurementKey = keyOf(m);
    if (m.fp16Nll > 0) {
        row.kl = m.klMean;
        row.sameTop = m.topAgreement;
    }
}

void CompareModel::setMeasured(CompareRow& row, const std::string& hash) const {
    if (hash.empty()) return;
    const auto& all = m_workbench.measurements();
    for (auto m = all.rbegin(); m != all.rend(); ++m)
        if (m->planHash == hash) {
            take(row, *m);
            return;
        }
}

CompareRow CompareModel::originalRow() const {
    CompareRow row;
    row.subject = {Subject::Kind::Original, {}};
    row.name = QStringLiteral("FP16");
    row.detail = subjectDetail(row.subject, m_workbench);
    row.known = true;
    row.bits = 16;
    row.bytes = m_workbench.model()->fp16Bytes;
    const Workbench::Reference reference = m_workbench.reference();
    if (reference.nll > 0) {
        row.measuredPpl = std::exp(reference.nll);
        row.measuredError = *row.measuredPpl * reference.standardError;
        row.measuredOn = reference.text;
    }
    row.kl = 0;
    row.sameTop = 1;
    row.layerBits.assign(m_workbench.model()->entries.size(), 16);
    return row;
}

CompareRow CompareModel::planRow() const {
    CompareRow row;
    row.subject = {Subject::Kind::Plan, {}};
    row.name = tr("This plan");
    row.detail = planName(m_workbench);
    row.known = row.current = true;
    const PlanFigures& figures = m_workbench.figures();
    row.bits = figures.bitsPerWeight;
    row.bytes = figures.size.totalBytes;
    if (figures.prediction.nll > 0) {
        row.predictedPpl = std::exp(figures.prediction.nll);
        row.predictedError =
            *row.predictedPpl * (figures.prediction.high - figures.prediction.low) / 2;
    }
    if (const Measurement* m = m_workbench.measurementOfPlan()) take(row, *m);
    const int layers = int(m_workbench.model()->entries.size());
    row.layerBits.reserve(size_t(layers));
    for (int layer = 0; layer < layers; ++layer)
        row.layerBits.push_back(float(m_workbench.plan().meanBits(layer)));
    return row;
}

CompareRow CompareModel::presetRow(const Preset& preset) const {
    CompareRow row;
    row.subject = {Subject::Kind::Preset, preset.name};
    row.name = preset.name;
    row.detail = subjectDetail(row.subject, m_workbench);
    const PlanSummary summary = m_workbench.summary(preset);
    row.known = summary.valid;
    row.problem = summary.error;
    if (!summary.valid) return row;
    row.bits = summary.bitsPerWeight;
    row.bytes = summary.bytes;
    if (summary.prediction.nll > 0) {
        row.predictedPpl = std::exp(summary.prediction.nll);
        row.predictedError =
            *row.predictedPpl * (summary.prediction.high - summary.prediction.low) / 2;
    }
    row.layerBits = summary.layerBits;
    setMeasured(row, summary.hash);
    return row;
}

CompareRow CompareModel::folderRow(const QString& path) const {
    CompareRow row;
    row.subject = {Subject::Kind::Folder, path};
    row.name = subjectTitle(row.subject, m_workbench);
    row.detail = path;
    const auto read = m_read.find(path);
    if (read != m_read.end()) {
        row.problem = read->second.problem;
        row.known = row.problem.isEmpty();
        row.bits = read->second.bits;
        row.bytes = read->second.bytes;
        row.layerBits = read->second.layerBits;
    }
    const auto measured = m_measured.find(path);
    if (measured != m_measured.end()) take(row, measured->second);
    return row;
}

void CompareModel::rebuild() {
    m_rows.clear();
    if (!m_workbench.hasModel()) return;
    m_rows.push_back(originalRow());
    if (m_workbench.hasPlan()) {
        m_rows.push_back(planRow());
        for (const Preset& preset : m_workbench.presets())
            m_rows.push_back(presetRow(preset));
    }
    for (const QString& folder : m_folders)
        m_rows.push_back(folderRow(folder));
}

void CompareModel::updateCurrent() {
    const int row = rowOf({Subject::Kind::Plan, {}});
    if (row < 0 || !m_workbench.hasPlan()) return;
    m_rows[size_t(row)] = planRow();
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
    emit rowsChanged();
}

int CompareModel::rowOf(const Subject& subject) const {
    const auto found = std::ranges::find(m_rows, subject, &CompareRow::subject);
    return found == m_rows.end() ? -1 : int(found - m_rows.begin());
}

// --- folders
// ----------------------------------------------------------------------------------------

std::vector<float> checkpointLayerBits(const QString& folder, const std::vector<std::string>& names,
                                       double& bits, int64_t& bytes) {
    const auto checkpoint = QuantizedCheckpoint::open(folder.toStdString());
    bits = checkpoint->parts().bitsPerWeight();
    bytes = checkpoint->folderBytes();
    std::vector<float> list;
    for (const std::string& name : names) {
        const LinearInfo* found = nullptr;
        for (const LinearInfo& linear : checkpoint->catalogue().linears)
            if (linear.name == name) found = &linear;
        if (!found) return {}; // of another model: nothing to compare layer by layer
        list.push_back(checkpoint->layoutOf(name) == LayerLayout::Dense
                           ? 16.0f
                           : float(meanBitsOf(checkpoint->formatOf(name), *found)));
    }
    return list;
}

void CompareModel::addFolder(const QString& folder) {
    if (folder.isEmpty() || m_folders.contains(folder)) return;
    m_folders << folder;
    m_workbench.settings().setValue(m_key, m_folders);
    const int at = int(m_rows.size());
    if (m_workbench.hasModel()) {
        beginInsertRows({}, at, at);
        m_rows.push_back(folderRow(folder));
        endInsertRows();
        emit rowsChanged();
    }
    read(folder);
}

void CompareModel::read(const QString& folder) {
    if (m_workbench.engineIsRemote()) return readRemote(folder);
    std::vector<std::string> names;
    if (m_workbench.hasModel())
        for (const LayerEntry& entry : m_workbench.model()->entries)
            names.push_back(entry.name);
    const auto work = [folder, names] {
        Folder read;
        try {
            read.layerBits = checkpointLayerBits(folder, names, read.bits, read.bytes);
        } catch (const std::exception& error) {
            read.problem = QString::fromUtf8(error.what());
        }
        return read;
    };
    inBackground(m_pool, m_mailbox, work,
                 [this, folder](const Folder& read) { setRead(folder, read); });
}

void CompareModel::readRemote(const QString& folder) {
    EngineClient* engine = m_workbench.engine();
    if (engine->state() != EngineClient::State::Ready &&
        engine->state() != EngineClient::State::Starting)
        return; // read when it is there again
    engine->call(QStringLiteral("open"), {{QStringLiteral("model"), folder}}, this,
                 [this, folder](const EngineResult& result) {
                     Folder read;
                     read.problem = result.error.message;
                     if (result.ok()) read = folderOf(result.value);
                     setRead(folder, read);
                 });
}

/// The same from what the engine says of a checkpoint.
CompareModel::Folder CompareModel::folderOf(const QJsonObject& opened) const {
    Folder read;
    if (opened[QLatin1String("kind")].toString() != QLatin1String("quantized")) {
        read.problem = tr("This is no quantized model.");
        return read;
    }
    read.bits = opened[QLatin1String("bits_per_weight")].toDouble();
    read.bytes = int64_t(opened[QLatin1String("bytes")].toDouble());
    if (!m_workbench.hasModel()) return read;
    QHash<QString, float> bits;
    for (const QJsonValue& value : opened[QLatin1String("linears")].toArray()) {
        const double weights =
            value[QLatin1String("rows")].toDouble() * value[QLatin1String("cols")].toDouble();
        const bool dense = value[QLatin1String("classes")].toArray().isEmpty();
        if (weights > 0)
            bits.insert(value[QLatin1String("name")].toString(),
                        dense ? 16.0f
                              : float(8 * value[QLatin1String("bytes")].toDouble() / weights));
    }
    for (const LayerEntry& entry : m_workbench.model()->entries) {
        const auto found = bits.constFind(QString::fromStdString(entry.name));
        if (found == bits.constEnd()) { // of another model: nothing to compare layer by layer
            read.layerBits.clear();
            break;
        }
        read.layerBits.push_back(*found);
    }
    return read;
}

void CompareModel::setRead(const QString& folder, const Folder& read) {
    m_read[folder] = read;
    const int row = rowOf({Subject::Kind::Folder, folder});
    if (row < 0) return;
    m_rows[size_t(row)] = folderRow(folder);
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
    emit rowsChanged();
}

void CompareModel::removeFolder(const QString& folder) {
    const int row = rowOf({Subject::Kind::Folder, folder});
    m_folders.removeAll(folder);
    m_workbench.settings().setValue(m_key, m_folders);
    if (row < 0) return;
    beginRemoveRows({}, row, row);
    m_rows.erase(m_rows.begin() + row);
    endRemoveRows();
    emit rowsChanged();
}

void CompareModel::forget(const QString& folder) {
    m_measured.erase(folder);
    m_read.erase(folder);
    const int row = rowOf({Subject::Kind::Folder, folder});
    if (row < 0) return;
    m_rows[size_t(row)] = folderRow(folder);
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
    emit rowsChanged();
    read(folder);
}

void CompareModel::setFolderMeasurement(const QString& folder, const Measurement& measurement) {
    m_measured[folder] = measurement;
    const int row = rowOf({Subject::Kind::Folder, folder});
    if (row < 0) return;
    m_rows[size_t(row)] = folderRow(folder);
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
    emit rowsChanged();
}

// --- the table
// --------------------------------------------------------------------------------------

int CompareModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(m_rows.size());
}

int CompareModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(ColumnCount);
}

QString CompareModel::cell(const CompareRow& row, int column) const {
    const QString none = QStringLiteral("–");
    switch (column) {
    case Name:
        return row.name;
    case Size:
        return row.bytes > 0 ? bytesText(QLocale(), double(row.bytes)) : none;
    case Bits:
        return row.known ? fixedText(row.bits, 2) : none;
    case Predicted:
        return row.predictedPpl ? isolated(QChar(0x2248) % QString(nbsp) %
                                           pplText(row.predictedPpl, row.predictedError))
                                : none;
    case Measured:
        return pplText(row.measuredPpl, row.measuredError);
    case Kl:
        return row.kl ? numberText(QLocale(), *row.kl, 3) : none;
    default:
        return row.sameTop ? percentText(QLocale(), *row.sameTop) : none;
    }
}

QVariant CompareModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= int(m_rows.size())) return {};
    const CompareRow& row = m_rows[size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole:
        return cell(row, index.column());
    case Qt::TextAlignmentRole:
        return index.column() == Name ? int(Qt::AlignLeft | Qt::AlignVCenter)
                                      : int(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::ToolTipRole:
        if (!row.problem.isEmpty()) return row.problem;
        if (index.column() == Measured && row.measuredPpl)
            return tr("measured on %1").arg(row.measuredOn);
        if (index.column() == Size && row.bytes > 0)
            return tr("%1 bytes").arg(QLocale().toString(qlonglong(row.bytes)));
        return row.detail;
    case Qt::FontRole:
        if (row.current) return headingFont();
        return {};
    case CurrentRole:
        return row.current;
    case KeyRole:
        return row.subject.key();
    case SortRole:
        switch (index.column()) {
        case Size:
            return qlonglong(row.bytes);
        case Bits:
            return row.bits;
        case Predicted:
            return row.predictedPpl.value_or(NAN);
        case Measured:
            return row.measuredPpl.value_or(NAN);
        case Kl:
            return row.kl.value_or(NAN);
        case SameTop:
            return row.sameTop.value_or(NAN);
        default:
            return row.name;
        }
    default:
        return {};
    }
}

QVariant CompareModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return section == Name ? int(Qt::AlignLeft | Qt::AlignVCenter)
                               : int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) {
        switch (section) {
        case Predicted:
            return tr("Perplexity by the model of errors, with its band");
        case Measured:
            return tr("Perplexity by evaluation, with its standard error");
        case Kl:
            return tr("Mean KL divergence from FP16 of the next-token distributions, nats");
        case SameTop:
            return tr("Share of tokens at which FP16 and this find the same token likeliest");
        default:
            return {};
        }
    }
    if (role == Qt::WhatsThisRole) {
        switch (section) {
        case Size:
            return figureHelp(Figure::Size);
        case Bits:
            return figureHelp(Figure::BitsPerWeight);
        case Predicted:
            return figureHelp(Figure::Predicted);
        case Measured:
            return figureHelp(Figure::Measured);
        case Kl:
            return figureHelp(Figure::KlDivergence);
        case SameTop:
            return figureHelp(Figure::SameTop);
        default:
            return {};
        }
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Name:
        return tr("Plan");
    case Size:
        return tr("Size");
    case Bits:
        return tr("Mean bits");
    case Predicted:
        return tr("○ Predicted ppl");
    case Measured:
        return tr("● Measured ppl");
    case Kl:
        return tr("KL, nats");
    default:
        return tr("Same top");
    }
}

QString CompareModel::text() const {
    QStringList lines, cells;
    for (int column = 0; column < ColumnCount; ++column)
        cells << headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    lines << cells.join(QLatin1Char('\t'));
    for (const CompareRow& row : m_rows) {
        cells.clear();
        for (int column = 0; column < ColumnCount; ++column)
            cells << cell(row, column);
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n'));
}

} // namespace bitloom::ui
