// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_accessible.h"

#include "ui/plots/plot_view.h"

#include <QAccessibleWidget>

namespace bitloom::ui {

namespace {

class PlotAccessible : public QAccessibleWidget {
public:
    PlotAccessible(QWidget* canvas, PlotView* view)
        : QAccessibleWidget(canvas, QAccessible::Chart), m_view(view) {}

    QString text(QAccessible::Text kind) const override {
        if (kind == QAccessible::Value) return m_view->readout();
        if (kind == QAccessible::Help) return m_view->summary();
        return QAccessibleWidget::text(kind);
    }

private:
    PlotView* m_view; // the canvas's parent: outlives it
};

QAccessibleInterface* makeInterface(const QString&, QObject* object) {
    auto* canvas = qobject_cast<QWidget*>(object);
    if (!canvas) return nullptr;
    auto* view = qobject_cast<PlotView*>(canvas->parentWidget());
    return view && view->canvas() == canvas ? new PlotAccessible(canvas, view) : nullptr;
}

} // namespace

void installPlotAccessibility() {
    static const bool once = [] {
        QAccessible::installFactory(makeInterface);
        return true;
    }();
    Q_UNUSED(once);
}

} // namespace bitloom::ui
