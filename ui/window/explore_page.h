// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/background.h"
#include "ui/state/workbench.h"

#include <QSplitter>

namespace bitloom::ui {

class ChannelPlot;
class HeatMap;

/// Channels of the selected layer above, all layers below. Feeds the two views from the workbench
/// and takes their wishes back.
class ExplorePage : public QSplitter {
    Q_OBJECT
public:
    explicit ExplorePage(Workbench& workbench, QWidget* parent = nullptr);
    ~ExplorePage() override;

    ChannelPlot* channels() const { return m_channels; }
    HeatMap* heatMap() const { return m_heat; }

signals:
    void pinRequested();
    void analyzeRequested();

private:
    void showLayer();
    void showPlan();
    void showPins();
    void showHeat();
    void showHeatBits();
    void updateStates();
    void selectInHeat();
    QString caption() const;

    Workbench& m_workbench;
    ChannelPlot* m_channels = nullptr;
    HeatMap* m_heat = nullptr;
    std::vector<uint8_t> m_bits;   ///< of the shown layer, kept between ticks
    std::vector<float> m_errors;   ///< likewise
    std::vector<float> m_heatBits; ///< likewise, of the whole map
    uint32_t m_revision = 0;
    int m_layer = -1, m_quantity = 0;
    QThreadPool m_pool;
    JobSlot m_heatJob{m_pool};
};

} // namespace bitloom::ui
