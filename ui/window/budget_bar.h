// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QTimer>
#include <QToolBar>

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QStackedLayout;

namespace bitloom::ui {

class BudgetSlider;
class FigureLabel;

/// The heart: unit, slider, exact value, and the line that says where you are.
class BudgetBar : public QToolBar {
    Q_OBJECT
public:
    explicit BudgetBar(Workbench& workbench, QWidget* parent = nullptr);

    void step(double bits); ///< by keys, in bits per weight
    void focusValue();
    BudgetSlider* slider() const { return m_slider; }
    /// "3.00 bits · 2.61 GiB (19 % of FP16) · ppl ≈ 5.91 ± 0.04 (FP16 5.68) · ≈ 31 tok/s"; speed
    /// only where the kernels of the engine's machine are timed.
    QString sentence() const;

private:
    void updatePhase();
    void updateRange();
    void updateFigures();
    void updateCaptions(bool dragging);
    void typed();
    Budget::Kind kind() const;
    Budget::Kind shownKind() const; ///< of the decision, or speed where that was chosen

    Workbench& m_workbench;
    QComboBox* m_unit = nullptr;
    BudgetSlider* m_slider = nullptr;
    QDoubleSpinBox* m_value = nullptr;
    FigureLabel *m_bits = nullptr, *m_size = nullptr, *m_ppl = nullptr, *m_speed = nullptr;
    QLabel* m_hint = nullptr;
    QWidget* m_figures = nullptr;
    QTimer m_fade;
    double m_sizeUnit = 1;  ///< bytes that the spin box counts in
    bool m_bySpeed = false; ///< the budget is set in tokens per second, and kept in bits
    bool m_updating = false;
};

} // namespace bitloom::ui
