// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <memory>
#include <span>

namespace bitloom::ui {

/// KL divergence per token of a text as impulses; a ring marks tokens where the two models prefer
/// another next token. Below about 72 px of height it becomes a sparkline without axes.
class DivergenceStrip : public PlotView {
    Q_OBJECT
public:
    explicit DivergenceStrip(QWidget* parent = nullptr);
    ~DivergenceStrip() override;

    /// From this KL on (nats) a mark is light, middle, full; the underlines in the text agree.
    static constexpr float thresholds[3] = {0.01f, 0.05f, 0.2f};

    void clear();
    void append(std::span<const TokenDivergence> tokens); ///< as they stream in
    void setFirstDifference(int token);                   ///< where the answers part; −1: nowhere
    void setExpectedTokens(int count); ///< room for what is still to come; 0: as many as there are
    void setCurrentToken(int token);   ///< −1: none; follows the cursor in the text
    int currentToken() const;
    int tokens() const;

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override;
    QVariant tableCell(int row, int column) const override;
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    QSize figureSize() const override { return {900, 260}; }
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

signals:
    void cursorMoved(int token);  ///< hover and keys; −1: gone
    void tokenClicked(int token); ///< click or Enter

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
