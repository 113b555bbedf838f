// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/layers_model.h"

#include "core/base/error.h"
#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/state/sensitivity.h"

#include <QColor>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {
constexpr quintptr blockId = ~quintptr(0);
}

LayersModel::LayersModel(Workbench& workbench, QObject* parent)
    : QAbstractItemModel(parent), m_workbench(workbench) {
    const auto reset = [this] {
        beginResetModel();
        rebuild();
        endResetModel();
    };
    reset();
    connect(&workbench, &Workbench::modelChanged, this, reset);
    connect(&workbench, &Workbench::statisticsChanged, this, reset);
    const auto refresh = [this] {
        for (int b = 0; b < int(m_blocks.size()); ++b) {
            const QModelIndex block = index(b, 0);
            emit dataChanged(index(0, Bits, block),
                             index(rowCount(block) - 1, ColumnCount - 1, block));
        }
        if (!m_blocks.empty())
            emit dataChanged(index(0, Bits), index(int(m_blocks.size()) - 1, ColumnCount - 1));
    };
    connect(&workbench, &Workbench::planSettled, this, refresh);
    connect(&workbench, &Workbench::pinsChanged, this, [this, refresh] {
        refreshPins();
        refresh();
    });
}

void LayersModel::rebuild() {
    m_model = m_workbench.model();
    m_blocks.clear();
    m_place.clear();
    m_sensitivity.clear();
    m_leastSensitivity = m_mostSensitivity = 0;
    if (m_model) {
        m_blocks.resize(size_t(m_model->blocks));
        for (size_t l = 0; l < m_model->entries.size(); ++l) {
            std::vector<int>& block = m_blocks[size_t(m_model->entries[l].block)];
            m_place.emplace_back(m_model->entries[l].block, int(block.size()));
            block.push_back(int(l));
            // Per weight: small and large layers compare.
            const double value = layerSensitivity(*m_model, int(l));
            m_sensitivity.push_back(value);
            if (value > 0) {
                m_leastSensitivity =
                    m_leastSensitivity > 0 ? std::min(m_leastSensitivity, value) : value;
                m_mostSensitivity = std::max(m_mostSensitivity, value);
            }
        }
    }
    refreshPins();
}

void LayersModel::refreshPins() {
    m_pinned.assign(m_place.size(), 0);
    if (!m_model || !m_model->complete()) return;
    try {
        const auto pins = m_workbench.decision().activePins();
        if (pins.empty()) return;
        for (const ColumnLimit& limit : limitsOf(pins, m_model->curves, m_model->menu))
            ++m_pinned[size_t(limit.layer)];
    } catch (const Error&) { // told where the pin is made
    }
}

QModelIndex LayersModel::indexOf(int layer, int column) const {
    if (layer < 0 || layer >= int(m_place.size())) return {};
    const auto [block, row] = m_place[size_t(layer)];
    return createIndex(row, column, quintptr(block));
}

int LayersModel::layerOf(const QModelIndex& index) const {
    if (!index.isValid() || index.internalId() == blockId) return -1;
    return layersOf(int(index.internalId()))[size_t(index.row())];
}

QModelIndex LayersModel::index(int row, int column, const QModelIndex& parent) const {
    if (!hasIndex(row, column, parent)) return {};
    return createIndex(row, column, parent.isValid() ? quintptr(parent.row()) : blockId);
}

QModelIndex LayersModel::parent(const QModelIndex& child) const {
    if (!child.isValid() || child.internalId() == blockId) return {};
    return createIndex(int(child.internalId()), 0, blockId);
}

int LayersModel::rowCount(const QModelIndex& parent) const {
    if (!parent.isValid()) return int(m_blocks.size());
    if (parent.internalId() != blockId || parent.column() > 0) return 0;
    return int(layersOf(parent.row()).size());
}

int LayersModel::columnCount(const QModelIndex&) const {
    return ColumnCount;
}

WidthShares LayersModel::shares(int block, int layer) const {
    WidthShares sum;
    if (!m_workbench.hasPlan()) return sum;
    if (layer >= 0) return m_workbench.plan().shares(layer);
    for (const int l : layersOf(block))
        sum.add(m_workbench.plan().shares(l));
    return sum;
}

double LayersModel::number(int block, int layer, Column column) const {
    const auto over = [&](auto value) {
        double sum = 0;
        if (layer >= 0) return double(value(layer));
        for (const int l : layersOf(block))
            sum += double(value(l));
        return sum;
    };
    const auto& entries = m_model->entries;
    const auto weights = [&](int l) { return entries[size_t(l)].rows * entries[size_t(l)].cols; };
    switch (column) {
    case Weights:
        return over(weights);
    case Bits:
    case MeanBits:
        if (!m_workbench.hasPlan()) return std::nan("");
        return over([&](int l) { return m_workbench.plan().bits(l); }) / over(weights);
    case Sensitivity:
        return over([&](int l) { return m_sensitivity[size_t(l)]; });
    case Pins:
        return over([&](int l) { return m_pinned[size_t(l)]; });
    case DeltaPpl: {
        if (!m_workbench.hasPlan()) return std::nan("");
        // This layer's part of the predicted increase.
        const PlanFigures& figures = m_workbench.figures();
        const double share = over([&](int l) { return m_workbench.plan().distortion(l); });
        if (!(figures.distortion > 0)) return 0;
        const double fp = figures.prediction.nll > 0
                              ? std::exp(figures.prediction.nll - figures.prediction.deltaNll)
                              : 1;
        return fp * std::expm1(figures.prediction.deltaNll) * share / figures.distortion;
    }
    default:
        return std::nan("");
    }
}

QVariant LayersModel::text(int block, int layer, Column column) const {
    const auto& entries = m_model->entries;
    switch (column) {
    case Name:
        if (layer >= 0) return entries[size_t(layer)].label;
        if (layersOf(block).empty()) return QString::number(block);
        return entries[size_t(layersOf(block).front())].path.section(QLatin1Char('.'), 0, 1);
    case Kind:
        return layer >= 0 ? m_model->kinds[size_t(entries[size_t(layer)].kind)] : QString();
    case Shape:
        return layer >= 0 ? shapeText(entries[size_t(layer)]) : QString();
    case Weights:
        return amountText(number(block, layer, Weights));
    case Bits:
        return {};
    case MeanBits:
        return fixedText(number(block, layer, MeanBits), 2);
    case Sensitivity:
        return {};
    case Pins: {
        const double pinned = number(block, layer, Pins);
        return pinned > 0 ? QLocale().toString(qlonglong(pinned)) : QString();
    }
    case DeltaPpl:
        return signedText(number(block, layer, DeltaPpl), 3);
    case ColumnCount:
        break;
    }
    return {};
}

QVariant LayersModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || !m_model) return {};
    const int layer = layerOf(index);
    const int block = layer >= 0 ? m_model->entries[size_t(layer)].block : index.row();
    const auto column = Column(index.column());
    switch (role) {
    case Qt::DisplayRole:
        return text(block, layer, column);
    case Qt::TextAlignmentRole:
        return int((column >= Weights && column != Bits ? Qt::AlignRight : Qt::AlignLeft) |
                   Qt::AlignVCenter);
    case Qt::ToolTipRole:
        if (column == Sensitivity)
            return tr("Sensitivity %1 nats per token at 3 bits")
                .arg(numberText(QLocale(), number(block, layer, Sensitivity), 3));
        if (layer >= 0)
            return QString(QString::fromStdString(m_model->entries[size_t(layer)].name) %
                           QLatin1Char('\n') % shapeText(m_model->entries[size_t(layer)]));
        return {};
    case Qt::AccessibleTextRole: {
        if (column == Sensitivity)
            return tr("sensitivity %1")
                .arg(numberText(QLocale(), number(block, layer, Sensitivity), 3));
        if (column == Bits) {
            const WidthShares all = shares(block, layer);
            QStringList parts;
            for (size_t w = 0; w < planWidths.size(); ++w)
                if (all.weights[w] > 0)
                    parts.append(tr("%1 bits %2")
                                     .arg(planWidths[w])
                                     .arg(percentText(QLocale(), double(all.weights[w]) /
                                                                     double(all.totalWeights()))));
            return parts.join(QStringLiteral(", "));
        }
        return text(block, layer, column);
    }
    case LayerRole:
        return layer;
    case BlockRole:
        return block;
    case SharesRole:
        return QVariant::fromValue(shares(block, layer));
    case PinnedRole:
        return number(block, layer, Pins) > 0;
    case HeatRole: {
        if (!(m_mostSensitivity > 0)) return -1.0;
        double value = number(block, layer, Sensitivity);
        if (layer < 0) value /= double(std::max<size_t>(1, layersOf(block).size()));
        if (!(value > 0)) return -1.0;
        const double range = std::log(m_mostSensitivity / m_leastSensitivity);
        return range > 0 ? std::clamp(std::log(value / m_leastSensitivity) / range, 0.0, 1.0) : 0.5;
    }
    case SortRole:
        if (column == Name) return layer >= 0 ? layer : block;
        if (column == Kind || column == Shape) return text(block, layer, column);
        return number(block, layer, column);
    default:
        return {};
    }
}

QVariant LayersModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return int((section >= Weights && section != Bits && section != Sensitivity
                        ? Qt::AlignRight
                        : Qt::AlignLeft) |
                   Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) {
        switch (section) {
        case Bits:
            return tr("Share of the weights per bit width, narrow to wide");
        case MeanBits:
            return tr("Stored bits per weight, all overhead included");
        case Sensitivity:
            return tr("Predicted cost of storing the layer at 3 bits, in nats per token");
        case DeltaPpl:
            return tr("The layer's part of the predicted increase in perplexity");
        default:
            return {};
        }
    }
    if (role == Qt::WhatsThisRole) {
        switch (section) {
        case Bits:
            return figureHelp(Figure::BitShares);
        case MeanBits:
            return figureHelp(Figure::BitsPerWeight);
        case Sensitivity:
            return figureHelp(Figure::LayerSensitivity);
        case DeltaPpl:
            return figureHelp(Figure::LayerDeltaPpl);
        default:
            return {};
        }
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Name:
        return tr("Layer");
    case Kind:
        return tr("Kind");
    case Shape:
        return tr("Shape");
    case Weights:
        return tr("Weights");
    case Bits:
        return tr("Bits, by share");
    case MeanBits:
        return tr("Mean");
    case Sensitivity:
        return tr("Sens.");
    case Pins:
        return tr("Pinned");
    case DeltaPpl:
        return tr("Δ ppl");
    default:
        return {};
    }
}

} // namespace bitloom::ui
