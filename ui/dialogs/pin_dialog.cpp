// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/pin_dialog.h"

#include "core/base/error.h"
#include "ui/models/texts.h"
#include "ui/theme/theme.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include <set>

namespace bitloom::ui {

PinDialog::PinDialog(Workbench& workbench, const QList<int>& layers, QWidget* parent)
    : DialogBase(tr("Pin to a width"), parent), m_workbench(workbench), m_layers(layers) {
    setObjectName(QStringLiteral("pinDialog"));
    if (m_layers.isEmpty() && workbench.selectedLayer() >= 0)
        m_layers = {workbench.selectedLayer()};
    const auto& model = *workbench.model();
    QFormLayout* form = addForm();
    m_scope = new QComboBox;
    m_scope->setObjectName(QStringLiteral("pinScope"));
    m_scope->setAccessibleName(tr("What to pin"));
    const QLocale locale;
    if (m_layers.size() == 1) {
        const LayerEntry& entry = model.entries[size_t(m_layers.first())];
        if (const int64_t count = channelCount(workbench.selectedChannels());
            count > 0 && m_layers.first() == workbench.selectedLayer())
            m_scope->addItem(
                tr("%1 selected channels of %2").arg(locale.toString(qlonglong(count)), entry.path),
                Channels);
        m_scope->addItem(
            tr("all %1 channels of %2").arg(locale.toString(qlonglong(entry.cols)), entry.path),
            Layers);
        m_scope->addItem(tr("%1 in all layers").arg(entry.label), Kind);
    } else if (!m_layers.isEmpty()) {
        m_scope->addItem(tr("%1 selected layers").arg(m_layers.size()), Layers);
    }
    m_scope->addItem(tr("layers that match a pattern"), Pattern);
    form->addRow(tr("&What"), m_scope);
    m_pattern = new QLineEdit;
    m_pattern->setObjectName(QStringLiteral("pinPattern"));
    m_pattern->setAccessibleName(tr("Pattern of layer names"));
    m_pattern->setPlaceholderText(QStringLiteral("v_proj$"));
    m_pattern->setToolTip(tr("A regular expression, searched anywhere in the layer's full name. "
                             "Channels in brackets behind it: v_proj$[0-15,40]"));
    m_patternLabel = new QLabel(tr("&Pattern"));
    m_patternLabel->setBuddy(m_pattern);
    form->addRow(m_patternLabel, m_pattern);
    m_choice = new QComboBox;
    m_choice->setObjectName(QStringLiteral("pinChoice"));
    m_choice->setAccessibleName(tr("Width"));
    std::set<int> widths;
    for (const OperatingPoint& point : model.menu)
        widths.insert(point.bits);
    for (const int width : widths)
        m_choice->addItem(width == 16 ? tr("16, as stored (FP16)") : tr("%1 bits").arg(width),
                          QString::number(width));
    for (const OperatingPoint& point : model.menu)
        if (point.kind != PointKind::Raw)
            m_choice->addItem(tr("exactly %1").arg(pointInWords(point)),
                              QString::fromStdString(pointText(point)));
    m_choice->setCurrentIndex(std::max(0, m_choice->findData(QStringLiteral("8"))));
    form->addRow(tr("Wi&dth"), m_choice);
    m_effect = captionLabel({});
    m_effect->setWordWrap(true);
    m_effect->setMinimumWidth(360);
    content()->addWidget(m_effect);
    addButtons(tr("Pin"));

    connect(m_scope, &QComboBox::currentIndexChanged, this, &PinDialog::update);
    connect(m_choice, &QComboBox::currentIndexChanged, this, &PinDialog::update);
    connect(m_pattern, &QLineEdit::textChanged, this, &PinDialog::update);
    update();
}

std::vector<Pin> PinDialog::pins() const {
    const QString choice = m_choice->currentData().toString();
    const auto& entries = m_workbench.model()->entries;
    switch (Scope(m_scope->currentData().toInt())) {
    case Channels:
        return {Workbench::pinOn(entries[size_t(m_layers.first())], m_workbench.selectedChannels(),
                                 choice)};
    case Layers: {
        std::vector<Pin> pins;
        for (const int layer : m_layers)
            pins.push_back(Workbench::pinOn(entries[size_t(layer)], {}, choice));
        return pins;
    }
    case Kind: {
        Pin pin;
        pin.pattern = "\\." + entries[size_t(m_layers.first())].label.toStdString() + "$";
        pin.choice = choice.toStdString();
        return {pin};
    }
    case Pattern:
        break;
    }
    return {Pin::parse(m_pattern->text().toStdString() + '=' + choice.toStdString())};
}

void PinDialog::update() {
    const bool pattern = m_scope->currentData().toInt() == Pattern;
    m_pattern->setVisible(pattern);
    m_patternLabel->setVisible(pattern);
    if (pattern && m_pattern->text().isEmpty()) {
        m_effect->setText(tr("A pin holds whatever the budget, and counts towards it."));
        setProblem(tr("Write a pattern."));
        return;
    }
    try {
        const std::vector<Pin> made = pins();
        const auto& model = *m_workbench.model();
        const auto limits = limitsOf(made, model.curves, model.menu);
        int64_t weights = 0;
        for (const ColumnLimit& limit : limits)
            weights += model.entries[size_t(limit.layer)].rows;
        m_effect->setText(
            tr("Pins %1 channels, %2 % of the weights. A pin holds whatever the budget, and counts "
               "towards it.")
                .arg(QLocale().toString(qlonglong(limits.size())),
                     fixedText(100.0 * double(weights) / double(model.weights), 2)));
        setProblem({});
    } catch (const Error& error) {
        setProblem(QString::fromStdString(error.what()));
    }
}

void PinDialog::accept() {
    try {
        std::vector<PinEntry> all = m_workbench.decision().pins;
        const std::vector<Pin> made = pins();
        for (const Pin& pin : made) {
            std::erase_if(all, [&](const PinEntry& entry) {
                return entry.pin.pattern == pin.pattern && entry.pin.channels == pin.channels;
            });
            all.push_back({pin, true});
        }
        m_workbench.requestPins(std::move(all),
                                made.size() == 1
                                    ? tr("Pin %1").arg(pinText(made[0], m_workbench.model().get()))
                                    : tr("Pin %n layer(s)", nullptr, int(made.size())));
        QDialog::accept();
    } catch (const Error& error) {
        setProblem(QString::fromStdString(error.what()));
    }
}

} // namespace bitloom::ui
