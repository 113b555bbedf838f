// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/guide_dialog.h"

#include <QAction>
#include <QTextBrowser>
#include <QVBoxLayout>

namespace bitloom::ui {

GuideDialog::GuideDialog(const QList<QAction*>& actions, QWidget* parent)
    : DialogBase(tr("Guide"), parent) {
    setObjectName(QStringLiteral("guideDialog"));
    auto* text = new QTextBrowser;
    text->setObjectName(QStringLiteral("guideText"));
    text->setAccessibleName(tr("Guide"));
    text->setMinimumSize(680, 520);
    text->setOpenLinks(false);
    const auto section = [](const QString& title, const QString& body) {
        return QString(QStringLiteral("<h3>") % title % QStringLiteral("</h3><p>") % body %
                       QStringLiteral("</p>"));
    };
    QString html;
    html += section(
        tr("From a model to a smaller one"),
        tr("Open a Hugging Face folder (config.json and safetensors). It is only read. Analyze it "
           "once: the model runs over a text, and for every input channel of every linear layer it "
           "is measured what storing it with fewer bits costs. Then drag the budget. Bits are "
           "shared out over all channels at once, and size and expected perplexity follow. Measure "
           "the plan that you like, and export it."));
    html += section(
        tr("Bits per weight"),
        tr("All stored bits of the quantized layers, divided by their weights: codes, tables, "
           "scales, zero points, outliers and class lists, nothing left out. Embedding, head, "
           "norms "
           "and the tokenizer are not in it; the size is."));
    html += section(
        tr("Perplexity, predicted and measured"),
        tr("exp(NLL). Predicted figures carry ≈, a dashed line or a hollow mark; measured ones are "
           "solid and filled. The predicted increase follows from ½ Σ γ c SSE: γ tells how much a "
           "layer's output error costs (nats per unit of error), c how much of a channel the "
           "others "
           "cannot stand in for, SSE the squared rounding error of its weights. A scale turns "
           "the sum into nats, more steeply where it is large; measurements of your own make it "
           "better."));
    html += section(
        tr("Channels"),
        tr("Each bar is one input channel of the layer; its height is the metric, its colour the "
           "width that the plan gives it. Wheel zooms, dragging pans, Shift and dragging selects, "
           "a double click resets, the arrow keys move the cursor, Enter pins the selection."));
    html += section(
        tr("Pins"),
        tr("A pin holds channels, layers or kinds of layers at a width, whatever the budget. It "
           "counts towards the budget, is never overruled, and shows what it costs at the present "
           "λ. Untick a pin to see the plan without it."));
    html += section(
        tr("Nothing is lost"),
        tr("Budget, pins and presets can be undone. The session is saved by itself every few "
           "seconds; after a crash it is offered again. Stopped analyses and exports go on where "
           "they were. Nothing is sent over the network."));
    QString rows;
    for (const QAction* action : actions) {
        if (action->shortcut().isEmpty()) continue;
        QString name = action->text();
        name.remove(QLatin1Char('&'));
        rows += QStringLiteral("<tr><td style=\"padding-right:24px\">") % name.toHtmlEscaped() %
                QStringLiteral("</td><td>") %
                action->shortcut().toString(QKeySequence::NativeText).toHtmlEscaped() %
                QStringLiteral("</td></tr>");
    }
    html += QStringLiteral("<h3>") % tr("Shortcuts") % QStringLiteral("</h3><table>") % rows %
            QStringLiteral("</table>");
    text->setHtml(html);
    content()->addWidget(text, 1);
    addButtons({});
}

} // namespace bitloom::ui
