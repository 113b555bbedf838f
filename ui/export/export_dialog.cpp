// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/export_dialog.h"

#include "core/base/error.h"
#include "core/plan/measured.h"
#include "ui/chat/subject.h"
#include "ui/dialogs/place_dialog.h"
#include "ui/engine_client/engine_client.h"
#include "ui/engine_client/engine_devices.h"
#include "ui/export/export_progress.h"
#include "ui/export/remote_place.h"
#include "ui/models/texts.h"
#include "ui/plots/elided_label.h"
#include "ui/state/plan_service.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDesktopServices>
#include <QDialogButtonBox>
#include <QDir>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QUrl>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

namespace {

QLabel* buddy(const QString& text, QWidget* field) {
    auto* label = new QLabel(text);
    label->setBuddy(field);
    return label;
}

} // namespace

ExportDialog::ExportDialog(Workbench& workbench, ExportRun& run, QWidget* parent)
    : DialogBase(
          tr("Export %1 at %2 bits")
              .arg(workbench.model()->title, fixedText(workbench.figures().bitsPerWeight, 2)),
          parent),
      m_workbench(workbench), m_run(run) {
    setObjectName(QStringLiteral("exportDialog"));
    setMinimumWidth(680);
    const auto model = workbench.model();
    m_base.model = model->folder;
    m_base.title = model->title;
    if (model->source) m_base.statistics = model->statisticsFile;
    m_base.remote = workbench.engineIsRemote();
    if (elsewhere()) {
        m_remotePlace = new RemotePlace(workbench.engine(), this);
        connect(m_remotePlace, &RemotePlace::changed, this, &ExportDialog::check);
    }
    m_folderKey = workbench.settings().placeKey(QStringLiteral("export/folder"));
    m_base.plan = std::make_shared<Plan>(workbench.exportablePlan());
    m_base.options = workbench.options();
    // Both sizes at once: the difference stands beside the option.
    const auto sizeWith = [&](HeadStorage head) {
        QuantizeOptions options = m_base.options;
        options.head = head;
        const Predictor predictor =
            model->source ? predictorFor(model->source->path(),
                                         stageOf(options.descentPasses, options.polishSteps))
                          : Predictor();
        return exactSize(*model, workbench.plan().allocation(), workbench.decision(), options,
                         predictor)
            .totalBytes;
    };
    m_keepBytes = sizeWith(HeadStorage::Keep);
    m_rows8Bytes = sizeWith(HeadStorage::Rows8);
    makeForm();
    m_progress = new ExportProgress;
    m_progress->hide();
    content()->addWidget(m_progress);
    content()->addStretch(1);
    makeButtons();
    connect(&run, &ExportRun::changed, this, &ExportDialog::showRun);
    updateSize();
    showRun();
}

void ExportDialog::makeForm() {
    m_form = addForm();
    m_name = new QLineEdit(m_base.title % QStringLiteral("-bitloom-") %
                           QString::number(m_workbench.figures().bitsPerWeight, 'f', 2));
    m_name->setObjectName(QStringLiteral("exportName"));
    m_name->setAccessibleName(tr("Name of the export"));
    m_form->addRow(buddy(tr("&Name"), m_name), m_name);
    const QString last = m_workbench.settings().value(m_folderKey).toString();
    const QString first =
        elsewhere() ? homeFolder() : QString(homeFolder() % QStringLiteral("/models"));
    m_folder = new QLineEdit(last.isEmpty() ? first : last);
    m_folder->setObjectName(QStringLiteral("exportFolder"));
    m_folder->setAccessibleName(tr("Folder that the export goes into"));
    m_choose = new QPushButton(tr("Choose…"));
    m_choose->setObjectName(QStringLiteral("exportChoose"));
    m_choose->setAccessibleName(tr("Choose the folder"));
    auto* folderRow = new QHBoxLayout;
    folderRow->setSpacing(gridStep);
    folderRow->addWidget(m_folder, 1);
    folderRow->addWidget(m_choose);
    m_made = new ElidedLabel(nullptr, Qt::ElideMiddle);
    m_made->setObjectName(QStringLiteral("exportMade"));
    m_made->setForegroundRole(QPalette::PlaceholderText);
    m_made->setFont(captionFont());
    m_form->addRow(buddy(tr("&Folder"), m_folder), folderRow);
    m_form->addRow(QString(), m_made);
    m_format = new QComboBox;
    m_format->setObjectName(QStringLiteral("exportFormat"));
    m_format->setAccessibleName(tr("Format"));
    m_format->addItem(tr("Bitloom checkpoint"), QString());
    m_format->addItem(tr("Bitloom checkpoint and Hugging Face folder, F16"), QStringLiteral("f16"));
    m_format->addItem(tr("Bitloom checkpoint and Hugging Face folder, BF16"),
                      QStringLiteral("bf16"));
    m_shards = new QLabel;
    m_shards->setForegroundRole(QPalette::PlaceholderText);
    auto* formatRow = new QHBoxLayout;
    formatRow->setSpacing(16);
    formatRow->addWidget(m_format);
    formatRow->addWidget(m_shards, 1);
    m_form->addRow(buddy(tr("F&ormat"), m_format), formatRow);
    m_size = new QLabel;
    m_size->setObjectName(QStringLiteral("exportSize"));
    m_share = new QLabel;
    m_share->setForegroundRole(QPalette::PlaceholderText);
    auto* sizeRow = new QHBoxLayout;
    sizeRow->addWidget(m_size, 1);
    sizeRow->addWidget(m_share);
    m_form->addRow(new QLabel(tr("Size")), sizeRow);
    m_spaceIcon = new QLabel;
    m_spaceIcon->setFixedSize(16, 16);
    m_space = new QLabel;
    m_space->setObjectName(QStringLiteral("exportSpace"));
    auto* spaceRow = new QHBoxLayout;
    spaceRow->setSpacing(gridStep);
    spaceRow->addWidget(m_spaceIcon);
    spaceRow->addWidget(m_space, 1);
    m_form->addRow(new QLabel(tr("Free space")), spaceRow);
    m_time = new ElidedLabel;
    m_time->setObjectName(QStringLiteral("exportTime"));
    m_form->addRow(new QLabel(tr("Time")), m_time);
    m_device = new QLabel;
    m_device->setObjectName(QStringLiteral("exportDevice"));
    m_deviceReason = new ElidedLabel;
    m_deviceReason->setObjectName(QStringLiteral("exportDeviceReason"));
    m_deviceReason->setForegroundRole(QPalette::PlaceholderText);
    m_deviceReason->setFont(captionFont());
    auto* deviceRows = new QVBoxLayout;
    deviceRows->setSpacing(2);
    deviceRows->addWidget(m_device);
    deviceRows->addWidget(m_deviceReason);
    auto* deviceLabel = new QLabel(tr("Device"));
    deviceLabel->setContentsMargins(0, 0, 0, QFontMetrics(captionFont()).height() + 2);
    m_form->addRow(deviceLabel, deviceRows);
    m_verify = new QCheckBox(tr("&Verify after writing"));
    m_verify->setObjectName(QStringLiteral("exportVerify"));
    m_verify->setAccessibleName(tr("Verify after writing"));
    m_verify->setChecked(true);
    const qint64 extra = m_keepBytes - m_rows8Bytes;
    m_keepHead = new QCheckBox(
        tr("&Keep embedding and head as stored, %1").arg(signedBytesText(double(extra))));
    m_keepHead->setObjectName(QStringLiteral("exportKeepHead"));
    m_keepHead->setAccessibleName(tr("Keep embedding and head as stored"));
    m_keepHead->setChecked(m_base.options.head == HeadStorage::Keep);
    m_keepHead->setToolTip(tr("Otherwise they are stored with 8 bits a row."));
    m_replace = new QCheckBox(tr("&Replace what is there"));
    m_replace->setObjectName(QStringLiteral("exportReplace"));
    m_replace->setAccessibleName(tr("Replace what is there"));
    // Below each other: in some languages they are too long for one line.
    m_form->addRow(new QLabel(tr("Options")), m_verify);
    m_form->addRow(QString(), m_keepHead);
    m_form->addRow(QString(), m_replace);
    m_foundRow = new QWidget;
    auto* found = new QHBoxLayout(m_foundRow);
    found->setContentsMargins(0, 0, 0, 0);
    m_found = new QLabel;
    m_found->setObjectName(QStringLiteral("exportFound"));
    m_found->setWordWrap(true);
    found->addWidget(m_found, 1);
    content()->addWidget(m_foundRow);

    for (QLineEdit* edit : {m_name, m_folder})
        connect(edit, &QLineEdit::textChanged, this, &ExportDialog::check);
    connect(m_format, &QComboBox::currentIndexChanged, this, &ExportDialog::updateSize);
    for (QCheckBox* box : {m_verify, m_keepHead, m_replace})
        connect(box, &QCheckBox::toggled, this, &ExportDialog::updateSize);
    connect(m_choose, &QPushButton::clicked, this, [this] {
        choosePlace(this, m_workbench, PlaceDialog::What::Folder, tr("Export into"),
                    m_folder->text(), [this](const QString& folder) { m_folder->setText(folder); });
    });
}

void ExportDialog::makeButtons() {
    m_main = addButtons(tr("Export"));
    m_main->setObjectName(QStringLiteral("exportMain"));
    disconnect(buttons(), &QDialogButtonBox::accepted, this, nullptr);
    disconnect(buttons(), &QDialogButtonBox::rejected, this, nullptr);
    connect(buttons(), &QDialogButtonBox::accepted, this, &ExportDialog::mainPressed);
    m_other = buttons()->button(QDialogButtonBox::Cancel);
    m_other->setObjectName(QStringLiteral("exportOther"));
    connect(buttons(), &QDialogButtonBox::rejected, this, &ExportDialog::otherPressed);
    const auto add = [&](const char* icon, const QString& text, const QString& id) {
        QPushButton* button = buttons()->addButton(text, QDialogButtonBox::ResetRole);
        button->setIcon(symbol(icon));
        button->setObjectName(id);
        button->setAccessibleName(text);
        button->setAutoDefault(false);
        return button;
    };
    m_copy = add("command", tr("Copy as command"), QStringLiteral("exportCopy"));
    m_open = add("open", tr("Open folder"), QStringLiteral("exportOpen"));
    m_test = add("chat", tr("Test in chat"), QStringLiteral("exportTest"));
    connect(m_copy, &QPushButton::clicked, this, [this] {
        try {
            const QString line = command();
            QGuiApplication::clipboard()->setText(line);
            emit m_workbench.message(tr("Copied: %1").arg(line));
        } catch (const Error& error) {
            setProblem(QString::fromStdString(error.what()));
        }
    });
    connect(m_open, &QPushButton::clicked, this,
            [this] { QDesktopServices::openUrl(QUrl::fromLocalFile(m_run.request().output())); });
    connect(m_test, &QPushButton::clicked, this, [this] {
        emit testInChat(m_run.request().output());
        accept();
    });
}

ExportRequest ExportDialog::request() const {
    ExportRequest request = m_base;
    request.name = m_name->text().trimmed();
    QString folder = m_folder->text().trimmed();
    if (folder == QLatin1String("~") || folder.startsWith(QLatin1String("~/")))
        folder.replace(0, 1, homeFolder());
    request.folder = folder.isEmpty() ? QString() : QDir::cleanPath(folder);
    request.dtype = m_format->currentData().toString();
    request.format =
        request.dtype.isEmpty() ? ExportRequest::Format::Bitloom : ExportRequest::Format::Both;
    request.options.head = m_keepHead->isChecked() ? HeadStorage::Keep : HeadStorage::Rows8;
    request.verify = m_verify->isChecked();
    request.replace = m_replace->isChecked() && m_place.outputExists;
    if (const EngineClient* engine = m_workbench.engine())
        request.cuda = EngineDevice::of(engine->hello(), QStringLiteral("quantize")).cuda;
    return request;
}

QString ExportDialog::command() const {
    const bool shown = m_run.state() != ExportRun::State::Idle && !m_name->isEnabled();
    const ExportRequest request = shown ? m_run.request() : this->request();
    return request.command(keepPlanFile(*request.plan, request.name));
}

void ExportDialog::setFreeBytes(qint64 bytes) {
    m_freeOverride = bytes;
    check();
}

void ExportDialog::updateSize() {
    const ExportRequest now = request();
    m_bytes = now.options.head == HeadStorage::Keep ? m_keepBytes : m_rows8Bytes;
    const QLocale locale;
    QString text = QStringLiteral("<span style=\"font-size:large\"><b>%1</b></span>&nbsp;&nbsp;%2")
                       .arg(bytesText(locale, double(m_bytes)),
                            tr("%1 bytes, exact").arg(locale.toString(m_bytes)));
    if (now.format == ExportRequest::Format::Both)
        text += tr(", and about %1 unpacked")
                    .arg(bytesText(locale, 2.0 * double(m_workbench.model()->parameters)));
    m_size->setText(text);
    const qint64 fp16 = m_workbench.model()->fp16Bytes;
    m_share->setText(fp16 > 0
                         ? tr("%1 of FP16").arg(percentText(locale, double(m_bytes) / double(fp16)))
                         : QString());
    constexpr qint64 shardBytes = 5'000'000'000;
    const int shards = int((m_bytes + shardBytes - 1) / shardBytes);
    m_shards->setText(shards <= 1 ? tr("1 shard, model.safetensors")
                                  : tr("%1 shards of at most 5 GB").arg(shards));
    const double seconds = ExportRun::estimateSeconds(now, m_workbench);
    m_time->setFullText(
        seconds > 0 ? tr("about %1, as fast as the last export here").arg(durationText(seconds))
                    : tr("known once it runs: this is the first export here"));
    showDevice();
    check();
}

QString ExportDialog::homeFolder() const {
    return elsewhere() ? m_workbench.engine()->hello()[QLatin1String("home")].toString()
                       : QDir::homePath();
}

void ExportDialog::showDevice() {
    const EngineClient* engine = m_workbench.engine();
    if (!engine || engine->hello().isEmpty()) {
        m_device->setText(tr("The engine is not running yet."));
        m_deviceReason->setFullText({});
        return;
    }
    const EngineDevice device = EngineDevice::of(engine->hello(), QStringLiteral("quantize"));
    const QString used = device.cuda ? QStringLiteral("CUDA") : QStringLiteral("CPU");
    const int count = engine->hello()[QLatin1String("threads")].toInt();
    const QString threads = count == 1 ? tr("1 thread") : tr("%1 threads").arg(count);
    m_device->setText(tr("%1, %2").arg(used, threads));
    m_deviceReason->setFullText(
        device.reason.isEmpty() ? QString() : tr("CUDA is not available: %1").arg(device.reason));
}

void ExportDialog::check() {
    ExportRequest now = request();
    m_place = elsewhere() ? m_remotePlace->of(now) : ExportPlace::of(now);
    if (m_freeOverride >= 0) m_place.freeBytes = m_freeOverride;
    m_replace->setVisible(m_place.outputExists);
    now = request();
    now.resume = m_place.partialExists;
    qint64 needed = m_bytes;
    if (now.format == ExportRequest::Format::Both) needed += 2 * m_workbench.model()->parameters;
    const bool idle = m_name->isEnabled();
    m_foundRow->setVisible(idle && m_place.partialExists);
    m_found->setText(tr("An export of this name was not finished; %1 are there. It goes on where "
                        "it stopped if it is of the same plan.")
                         .arg(bytesText(QLocale(), double(m_place.partialBytes))));
    m_problemText = exportProblem(now, m_place, needed);
    if (m_problemText.isEmpty() && !m_workbench.engine())
        m_problemText = tr("The engine is not running. Restart it from the Run menu.");
    if (m_problemText.isEmpty() && m_workbench.engine() && !m_workbench.engineHasModel())
        m_problemText = otherMachineText();
    if (m_problemText.isEmpty() && elsewhere() && m_remotePlace->looking())
        m_problemText = tr("Asking the engine about this folder…");
    const bool enough = m_place.freeBytes < 0 || needed <= m_place.freeBytes;
    m_space->setText(m_place.freeBytes < 0 ? tr("unknown")
                     : enough              ? tr("%1 free on this disk, enough")
                                    .arg(bytesText(QLocale(), double(m_place.freeBytes)))
                              : tr("%1 free on this disk, too little")
                                    .arg(bytesText(QLocale(), double(m_place.freeBytes))));
    m_form->setRowVisible(m_made, idle && m_place.exists && m_place.made);
    m_made->setFullText(tr("'%1' is not there yet and will be made.").arg(now.folder));
    m_spaceIcon->setVisible(m_place.freeBytes >= 0); // a tick is no word for "unknown"
    const PlotTheme theme = PlotTheme::of(palette());
    m_spaceIcon->setPixmap(
        symbolPixmap(enough ? QStringLiteral("check") : QStringLiteral("warning"),
                     enough ? theme.accent : theme.divergence, {16, 16}, devicePixelRatioF()));
    if (idle) {
        setProblem(m_problemText);
        m_main->setText(m_place.partialExists ? tr("Resume export") : tr("Export"));
        m_main->setAccessibleName(m_main->text());
    }
}

void ExportDialog::setFieldsEnabled(bool enabled) {
    for (QWidget* field : std::initializer_list<QWidget*>{m_name, m_folder, m_choose, m_format,
                                                          m_verify, m_keepHead, m_replace})
        field->setEnabled(enabled);
}

void ExportDialog::showRun() {
    using S = ExportRun::State;
    const S state = m_run.state();
    const bool active = state == S::Running || (state == S::Done && m_run.verifying());
    // A run of an earlier dialog that has ended is nothing to show in a new one.
    const bool mine = state == S::Running || !m_name->isEnabled();
    const bool appears = m_progress->isHidden() && mine && state != S::Idle;
    m_progress->setVisible(mine && state != S::Idle);
    const bool done = mine && state == S::Done;
    m_open->setVisible(done && !elsewhere()); // nothing here could show it
    m_test->setVisible(done);
    if (!mine) {
        check();
        return;
    }
    m_form->setRowVisible(m_made, false); // it is there now
    if (m_name->isEnabled()) {
        m_name->setText(m_run.request().name);
        m_folder->setText(m_run.request().folder);
    }
    setFieldsEnabled(false);
    m_foundRow->hide();
    const int height = m_progress->sizeHint().height();
    m_progress->show(m_run);
    setProblem({});
    // Steps appear as they come: the dialog makes room, and never shrinks under the pointer.
    if (appears || m_progress->sizeHint().height() > height)
        QMetaObject::invokeMethod(this, &ExportDialog::makeRoom, Qt::QueuedConnection);
    const auto label = [](QPushButton* button, const QString& text) {
        button->setText(text);
        button->setAccessibleName(text);
    };
    switch (state) {
    case S::Running:
        label(m_main, tr("Run in background"));
        label(m_other, tr("Cancel export"));
        break;
    case S::Cancelled:
    case S::Failed:
        label(m_main, tr("Resume export"));
        label(m_other, tr("Close"));
        break;
    case S::Done:
        label(m_main, tr("Close"));
        label(m_other, tr("Verify"));
        break;
    case S::Idle:
        break;
    }
    m_other->setEnabled(!(state == S::Done && active));
}

void ExportDialog::makeRoom() {
    layout()->activate();
    const int wanted =
        std::max(layout()->totalSizeHint().height(),
                 layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(width()) : 0);
    if (wanted > height()) resize(width(), wanted);
}

void ExportDialog::start(bool resume) {
    check();
    if (!m_problemText.isEmpty()) return;
    ExportRequest now = request();
    now.resume = resume;
    if (!elsewhere()) QDir().mkpath(now.folder);
    m_workbench.settings().setValue(m_folderKey, now.folder);
    setFieldsEnabled(false);
    m_run.start(now, m_bytes);
}

void ExportDialog::mainPressed() {
    using S = ExportRun::State;
    if (m_name->isEnabled()) {
        start(m_place.partialExists);
        return;
    }
    switch (m_run.state()) {
    case S::Running:
        m_run.detach();
        accept();
        break;
    case S::Cancelled:
    case S::Failed:
        m_run.resume();
        break;
    default:
        accept();
    }
}

void ExportDialog::otherPressed() {
    using S = ExportRun::State;
    if (m_name->isEnabled()) {
        QDialog::reject();
        return;
    }
    if (m_run.state() == S::Running)
        m_run.cancel();
    else if (m_run.state() == S::Done)
        m_run.verify();
    else
        QDialog::reject();
}

void ExportDialog::reject() {
    // Esc stops what runs nearest; the next one closes.
    if (m_run.state() == ExportRun::State::Running && !m_name->isEnabled())
        m_run.cancel();
    else
        QDialog::reject();
}

} // namespace bitloom::ui
