// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/why_dialog.h"

#include "ui/models/texts.h"
#include "ui/theme/theme.h"

#include <QFormLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSpinBox>
#include <QTableWidget>
#include <QVBoxLayout>

namespace bitloom::ui {

WhyDialog::WhyDialog(Workbench& workbench, int layer, int channel, QWidget* parent)
    : DialogBase(tr("Why these bits?"), parent), m_workbench(workbench), m_layer(layer) {
    setObjectName(QStringLiteral("whyDialog"));
    const LayerEntry& entry = workbench.model()->entries[size_t(layer)];
    auto* about = new QLabel(tr(
        "Every channel starts with the fewest bits. The budget is then spent where a bit gains "
        "most: step by step over all channels of the model, until it is used up. The gain per bit "
        "of the last step taken is the threshold λ. A channel has the bits that it has because "
        "its next step would gain less than λ."));
    about->setWordWrap(true);
    about->setMinimumWidth(520);
    content()->addWidget(about);
    QFormLayout* form = addForm();
    m_channel = new QSpinBox;
    m_channel->setObjectName(QStringLiteral("whyChannel"));
    m_channel->setAccessibleName(tr("Channel"));
    m_channel->setRange(0, int(entry.cols) - 1);
    m_channel->setValue(std::max(0, channel));
    form->addRow(tr("&Channel of %1").arg(entry.path), m_channel);
    m_text = new QLabel;
    m_text->setWordWrap(true);
    content()->addWidget(m_text);
    m_steps = new QTableWidget(0, 3);
    m_steps->setObjectName(QStringLiteral("whySteps"));
    m_steps->setAccessibleName(tr("Steps of the channel"));
    m_steps->setHorizontalHeaderLabels({tr("step to"), tr("gain per bit"), tr("against λ")});
    m_steps->horizontalHeaderItem(0)->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    for (const int column : {1, 2})
        m_steps->horizontalHeaderItem(column)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_steps->verticalHeader()->hide();
    m_steps->verticalHeader()->setDefaultSectionSize(QFontMetrics(font()).height() + 8);
    m_steps->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    for (const int column : {1, 2})
        m_steps->horizontalHeader()->setSectionResizeMode(column, QHeaderView::ResizeToContents);
    m_steps->horizontalHeader()->setFont(captionFont());
    m_steps->setShowGrid(false);
    m_steps->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_steps->setSelectionMode(QAbstractItemView::NoSelection);
    m_steps->setTabKeyNavigation(false);
    m_steps->setMinimumHeight(220);
    content()->addWidget(m_steps, 1);
    addButtons({});
    connect(m_channel, &QSpinBox::valueChanged, this, &WhyDialog::update);
    connect(&workbench, &Workbench::planChanged, this, &WhyDialog::update);
    connect(&workbench, &Workbench::modelChanged, this, &QDialog::reject);
    update();
}

void WhyDialog::update() {
    const auto story = m_workbench.story(m_layer, m_channel->value());
    const QLocale locale;
    QString text = tr("λ = %1 nats per bit. The channel is stored with %2; its error costs %3 nats "
                      "per token.")
                       .arg(numberText(locale, story.lambda, 3), pointInWords(story.chosen),
                            numberText(locale, story.error, 3));
    if (story.pinned)
        text += QLatin1Char(' ') %
                tr("It is pinned; free, it would take %1.").arg(pointInWords(story.free));
    m_text->setText(text);
    m_steps->setRowCount(int(story.steps.size()));
    for (int row = 0; row < m_steps->rowCount(); ++row) {
        const auto& step = story.steps[size_t(row)];
        const auto cell = [&](int column, const QString& value) {
            auto* item = new QTableWidgetItem(value);
            item->setTextAlignment(
                int((column == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter));
            m_steps->setItem(row, column, item);
        };
        cell(0, pointInWords(step.to));
        cell(1, numberText(locale, step.slope, 3));
        cell(2, step.taken ? tr("taken") : tr("not worth it"));
    }
}

} // namespace bitloom::ui
