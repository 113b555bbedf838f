// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QAbstractItemModel>

namespace bitloom::ui {

/// Blocks, and in each its linear layers. Figures are read from the workbench whenever they are
/// asked for, so a tick of the slider costs a repaint of the visible rows and nothing else;
/// dataChanged comes when the plan settles.
class LayersModel : public QAbstractItemModel {
    Q_OBJECT
public:
    enum Column {
        Name,
        Kind,
        Shape,
        Weights,
        Bits,
        MeanBits,
        Sensitivity,
        Pins,
        DeltaPpl,
        ColumnCount
    };
    enum Role {
        LayerRole = Qt::UserRole, ///< index of the layer; −1 for a block
        BlockRole,                ///< number of the block
        SharesRole,               ///< WidthShares, for the bar
        HeatRole,                 ///< [0, 1] for the sensitivity cell; −1 unknown
        SortRole,                 ///< a number or text to sort by
        PinnedRole,               ///< bool
    };

    explicit LayersModel(Workbench& workbench, QObject* parent = nullptr);

    QModelIndex indexOf(int layer, int column = Name) const;
    int layerOf(const QModelIndex& index) const; ///< −1 for a block

    QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    QModelIndex parent(const QModelIndex& child) const override;
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    void rebuild();
    void refreshPins();
    QVariant text(int block, int layer, Column column) const;
    double number(int block, int layer, Column column) const;
    WidthShares shares(int block, int layer) const;
    const std::vector<int>& layersOf(int block) const { return m_blocks[size_t(block)]; }

    Workbench& m_workbench;
    std::shared_ptr<const ModelData> m_model;
    std::vector<std::vector<int>> m_blocks;
    std::vector<std::pair<int, int>> m_place; ///< per layer: block, row in it
    std::vector<double> m_sensitivity;        ///< per layer; NaN unknown
    std::vector<int64_t> m_pinned;            ///< channels per layer
    double m_leastSensitivity = 0, m_mostSensitivity = 0;
};

} // namespace bitloom::ui

Q_DECLARE_METATYPE(bitloom::ui::WidthShares)
