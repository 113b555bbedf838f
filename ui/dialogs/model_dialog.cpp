// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/model_dialog.h"

#include "core/model/architecture.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"

#include <QFormLayout>
#include <QLabel>
#include <QVBoxLayout>

namespace bitloom::ui {

ModelDialog::ModelDialog(Workbench& workbench, QWidget* parent)
    : DialogBase(workbench.model()->title, parent) {
    setObjectName(QStringLiteral("modelDialog"));
    QFormLayout* form = addForm();
    const auto add = [&](const QString& name, const QString& value) {
        auto* label = new QLabel(value);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        label->setAccessibleName(name);
        form->addRow(name, label);
        return label;
    };
    const ModelData& model = *workbench.model();
    const QLocale locale;
    add(tr("Folder"), model.folder);
    if (model.checkpoint) {
        const ModelConfig& config = model.checkpoint->config();
        const ArchitectureInfo* info = findArchitecture(config.architecture);
        add(tr("Architecture"),
            info ? QString::fromUtf8(info->title.data(), qsizetype(info->title.size())) %
                       QStringLiteral(" (") % QString::fromStdString(config.architecture) %
                       QLatin1Char(')')
                 : QString::fromStdString(config.architecture));
        add(tr("Shape"), tr("%1 layers, hidden %2, MLP %3, %4 heads (%5 for keys), vocabulary %6")
                             .arg(config.layers)
                             .arg(locale.toString(qlonglong(config.hidden)),
                                  locale.toString(qlonglong(config.intermediate)))
                             .arg(config.heads)
                             .arg(config.kvHeads)
                             .arg(locale.toString(qlonglong(config.vocab))));
        add(tr("Context"), tr("%1 tokens").arg(locale.toString(qlonglong(config.maxPositions))));
        add(tr("Stored as"), QString::fromStdString(config.dtype));
    }
    add(tr("Parameters"), amountText(double(model.parameters)));
    add(tr("Weight files"), bytesText(locale, double(model.fp16Bytes)) % QStringLiteral(", ") %
                                tr("%1 bytes").arg(locale.toString(qlonglong(model.fp16Bytes))));
    add(tr("Quantized part"), tr("%1 weights in %2 layers, %3 channels")
                                  .arg(amountText(double(model.weights)))
                                  .arg(model.entries.size())
                                  .arg(locale.toString(qlonglong(model.columns))));
    add(tr("Fingerprint"), QString::fromStdString(model.fingerprint));
    add(tr("Analyzed on"), model.hasStatistics() ? model.calibratedOn : tr("not analyzed yet"));
    // The engine knows what its work takes.
    if (EngineClient* engine = workbench.engine();
        engine && engine->state() == EngineClient::State::Ready) {
        QLabel* memory = add(tr("Memory"), tr("being estimated"));
        engine->call(
            QStringLiteral("info"), {{QStringLiteral("model"), model.folder}}, this,
            [memory](const EngineResult& result) {
                const QJsonObject m = result.value[QLatin1String("memory")].toObject();
                const QLocale l;
                memory->setText(
                    !result.ok()
                        ? result.error.message
                        : tr("to analyze %1, to chat %2, to quantize %3; available %4")
                              .arg(bytesText(l, m[QLatin1String("analyze")].toDouble()),
                                   bytesText(l, m[QLatin1String("chat")].toDouble()),
                                   bytesText(l, m[QLatin1String("quantize")].toDouble()),
                                   bytesText(l, m[QLatin1String("available")].toDouble())));
            });
    }
    addButtons({});
}

} // namespace bitloom::ui
