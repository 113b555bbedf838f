// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/export/export_run.h"

#include <QWidget>

class QLabel;
class QVBoxLayout;

namespace bitloom::ui {

/// The bar of an export: what an earlier run had finished is hatched.
class ExportBar : public QWidget {
    Q_OBJECT
public:
    explicit ExportBar(QWidget* parent = nullptr);
    void setShares(double done, double resumed); ///< [0, 1]
    QSize sizeHint() const override { return {320, 10}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    double m_done = 0, m_resumed = 0;
};

/// The list of steps with a mark each.
class StepList : public QWidget {
    Q_OBJECT
public:
    explicit StepList(QWidget* parent = nullptr);
    void setSteps(std::vector<ExportRun::Step> steps);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {240, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    int rowHeight() const;
    std::vector<ExportRun::Step> m_steps;
};

/// How an export goes, or went: percent and time, bar, figures, steps.
class ExportProgress : public QWidget {
    Q_OBJECT
public:
    explicit ExportProgress(QWidget* parent = nullptr);
    void show(const ExportRun& run);
    QString headline() const; ///< "53 %, about 20 min left"
    QString figures() const;  ///< plain

private:
    QLabel *m_headline = nullptr, *m_elapsed = nullptr, *m_figures = nullptr, *m_note = nullptr;
    ExportBar* m_bar = nullptr;
    StepList* m_steps = nullptr;
};

} // namespace bitloom::ui
