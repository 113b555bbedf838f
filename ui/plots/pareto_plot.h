// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <memory>

class QCustomPlot;

namespace bitloom::ui {

/// Perplexity over size. What is predicted is dashed and hollow, what is measured solid and filled,
/// and both are named so. The plan's point can be dragged along the predicted curve.
class ParetoPlot : public PlotView {
    Q_OBJECT
public:
    enum class Horizontal { BitsPerWeight, Size };

    explicit ParetoPlot(QWidget* parent = nullptr);
    ~ParetoPlot() override;

    void setData(ParetoData data);
    /// Where the plan stands now; NaN for none. Cheap: the slider's tick.
    void setPlan(const PredictedPoint& plan, const QString& name = {});
    void setHorizontal(Horizontal horizontal);
    Horizontal horizontal() const;

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override;
    QVariant tableCell(int row, int column) const override;
    int tableDecimals(int column) const override;
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;

    QCustomPlot* plot() const; ///< for tests and benchmarks

signals:
    /// The plan's point was dragged, a predicted point clicked, or Enter pressed on one.
    void budgetRequested(double bitsPerWeight);
    void dragStarted();
    void dragFinished();
    void cursorMoved(const QString& readout); ///< empty: gone

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
