// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QWidget>

class QGridLayout;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace bitloom::ui {

class BudgetSlider;
class ChannelPlot;

/// What stands in place of the views while no model is open: open, drop, recent models, and the
/// sample, alive.
class WelcomePage : public QWidget {
    Q_OBJECT
public:
    WelcomePage(Workbench& workbench, const QString& sampleFolder, QWidget* parent = nullptr);

    /// Opens the sample for the preview, once, in the background.
    void wake();

signals:
    void openRequested();
    void sampleRequested();
    void modelChosen(const QString& folder);

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    QWidget* leftSide();
    QWidget* sampleCard();
    void fillRecent();
    void updateProblem();
    void updateSample();
    void updateFonts();

    Workbench& m_workbench;
    QString m_sampleFolder;
    Workbench* m_sample = nullptr; ///< of its own: the preview changes nothing else
    QLabel *m_title = nullptr, *m_problem = nullptr, *m_sampleTitle = nullptr,
           *m_sampleFacts = nullptr, *m_sampleFigures = nullptr, *m_recentTitle = nullptr;
    QWidget *m_problemBox = nullptr, *m_drop = nullptr, *m_recentBox = nullptr;
    QGridLayout* m_recent = nullptr;
    ChannelPlot* m_plot = nullptr;
    BudgetSlider* m_slider = nullptr;
    std::vector<uint8_t> m_bits;
};

} // namespace bitloom::ui
