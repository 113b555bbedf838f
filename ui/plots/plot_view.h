// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"
#include "ui/plots/plot_theme.h"

#include <QVariant>
#include <QWidget>
#include <vector>

class QBoxLayout;
class QMenu;
class QTableView;
class QCPPainter;

namespace bitloom::ui {

class FocusRing;
class PlotTableModel;
class StateOverlay;
class StateStrip;

/// One line of a figure's legend.
struct LegendEntry {
    enum class Mark {
        None,
        Box,
        HatchedBox,
        Line,
        DashedLine,
        DottedLine,
        Disc,
        Ring,
        Triangle,
        Square
    };
    Mark mark = Mark::Box;
    QColor colour;
    QString text;
};

/// What all plots share: the place for header and footer, empty and failed states, the twin table
/// (Ctrl+T: the view's own action "showAsTable"; a menu shows that action, not a second one), the
/// read-out of the cursor for people and for screen readers, the context menu and the figure for
/// export. A view owns its data by value; GUI thread only.
///
/// Number lines grow to the right in every locale, as in print; headers, legends and lists follow
/// the layout direction. Nothing moves by itself, so reduced motion needs no switch here.
class PlotView : public QWidget {
    Q_OBJECT
public:
    ~PlotView() override;

    /// Texts of an exported figure, and the beginning of its file name.
    void setTitle(const QString& title);
    void setCaption(const QString& caption); ///< model and plan
    const QString& title() const { return m_title; }
    const QString& caption() const { return m_caption; }

    void setState(const PlotState& state);
    const PlotState& state() const { return m_state; }

    bool isTableShown() const;
    void setTableShown(bool shown);

    /// What the cursor stands on, as one plain sentence; empty where there is no cursor.
    virtual QString readout() const = 0;
    /// The sentence that introduces the plot to a screen reader: what it shows, how much of it.
    virtual QString summary() const = 0;

    /// The whole data as a table, not the visible part; also what CSV holds. Numbers are numbers.
    virtual QStringList tableHeader() const = 0;
    virtual int tableRows() const = 0;
    virtual QVariant tableCell(int row, int column) const = 0;
    /// Number format of a column; digits < 0 stands for "as many as the value needs".
    virtual int tableDecimals(int column) const;

    virtual std::vector<LegendEntry> legend(const PlotTheme& theme) const = 0;
    /// Natural size of an exported figure in logical pixels (96 a inch).
    virtual QSize figureSize() const { return {900, 420}; }
    /// Draws plot and axes, without title, legend and caption. Must leave the view as it was.
    virtual void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) = 0;

    PlotTheme theme() const { return PlotTheme::of(palette()); }
    QWidget* canvas() const { return m_canvas; }
    /// Entries of the context menu, for menus elsewhere.
    void addActions(QMenu& menu);

public slots:
    void copyImage();
    void saveFigure(); ///< asks where, and in which format

signals:
    void actionRequested(); ///< the button of an empty or failed state
    void readoutChanged(const QString& readout);
    void tableShownChanged(bool shown);
    /// A figure or table could not be written; for the host's message area.
    void failed(const QString& message);

protected:
    explicit PlotView(QWidget* parent);
    /// Takes the widget that is drawn on, and what screen readers call it; called once, by the
    /// constructor of the plot. A canvas that was named before would have been taken for any
    /// widget.
    void setCanvas(QWidget* canvas, const QString& name);
    QBoxLayout* header() const { return m_header; }
    QBoxLayout* footer() const { return m_footer; }
    QFont smallFont() const; ///< axes and captions: 11/13 of the widget's font

    /// Mouse, wheel and key events of the canvas; true: taken.
    virtual bool canvasEvent(QEvent* event);
    virtual void themeChanged() = 0; ///< palette, font, locale or style changed
    void tellReadout();              ///< after the cursor moved
    void tellTable();                ///< after the data changed

    bool eventFilter(QObject* object, QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void showContextMenu(const QPoint& position);
    void layoutOverlays();
    void applyTableLook();

    QString m_title, m_caption;
    PlotState m_state;
    QBoxLayout *m_header = nullptr, *m_footer = nullptr, *m_body = nullptr;
    QWidget* m_canvas = nullptr;
    QTableView* m_table = nullptr;
    PlotTableModel* m_model = nullptr;
    StateOverlay* m_overlay = nullptr;
    StateStrip* m_strip = nullptr;
    FocusRing* m_ring = nullptr;
};

} // namespace bitloom::ui
