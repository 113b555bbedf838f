// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/preferences_dialog.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/base/units.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/theme.h"
#include "ui/theme/ts_translator.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QDirIterator>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QSlider>
#include <QSpinBox>
#include <QTabBar>
#include <QTabWidget>
#include <QVBoxLayout>

namespace bitloom::ui {

namespace {

template<class W>
W* named(W* widget, const char* id, const QString& name) {
    widget->setObjectName(QString::fromLatin1(id));
    widget->setAccessibleName(name);
    return widget;
}

QFormLayout* formOf(QWidget* page) {
    auto* form = new QFormLayout(page);
    form->setContentsMargins(0, 16, 0, 8);
    form->setLabelAlignment(Qt::AlignRight | Qt::AlignVCenter);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(10);
    return form;
}

/// Folders of finished and broken-off calibrations; nothing else in the cache is touched.
QString statisticsFolderOf(const Settings& settings) {
    return settings.cacheFolder() % QStringLiteral("/stats");
}

} // namespace

PreferencesDialog::PreferencesDialog(Workbench& workbench, QWidget* parent)
    : DialogBase(tr("Preferences"), parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("preferencesDialog"));
    auto* tabs = named(new QTabWidget, "preferencesTabs", tr("Pages of the preferences"));
    tabs->setDocumentMode(true);
    tabs->tabBar()->setAccessibleName(tr("Choose a page"));
    tabs->addTab(lookPage(), tr("Appearance"));
    tabs->addTab(enginePage(), tr("Engine"));
    tabs->addTab(filesPage(), tr("Files"));
    tabs->setMinimumWidth(520);
    content()->addWidget(tabs);
    content()->addWidget(
        captionLabel(tr("Changes take effect at once. Nothing is sent over the network.")));
    addButtons({});
}

QWidget* PreferencesDialog::lookPage() {
    Settings& s = m_workbench.settings();
    auto* page = new QWidget;
    QFormLayout* form = formOf(page);
    auto* theme = named(new QComboBox, "theme", tr("Theme"));
    theme->addItems({tr("as the system"), tr("light"), tr("dark")});
    theme->setCurrentIndex(int(s.theme()));
    connect(theme, &QComboBox::activated, this,
            [&s](int index) { s.setTheme(Settings::Theme(index)); });
    form->addRow(tr("&Theme"), theme);

    auto* font = named(new QSpinBox, "fontPercent", tr("Font size"));
    font->setRange(80, 200);
    font->setSingleStep(10);
    font->setSuffix(QChar(0x00A0) % QLatin1Char('%'));
    font->setValue(s.fontPercent());
    font->setKeyboardTracking(false);
    connect(font, &QSpinBox::valueChanged, this, [&s](int percent) { s.setFontPercent(percent); });
    form->addRow(tr("&Font size"), font);

    auto* language = named(new QComboBox, "language", tr("Language"));
    language->addItem(tr("as the system"), QString());
    language->addItem(QStringLiteral("English"), QStringLiteral("en"));
    for (const QString& code : TsTranslator::languages())
        language->addItem(QLocale(code).nativeLanguageName(), code);
    language->setCurrentIndex(std::max(0, language->findData(s.language())));
    connect(language, &QComboBox::activated, this,
            [&s, language] { s.setLanguage(language->currentData().toString()); });
    form->addRow(tr("&Language"), language);
    auto* later = captionLabel(tr("Windows that are open change at the next start."));
    later->setWordWrap(true);
    form->addRow(QString(), later);

    auto* motion = named(new QCheckBox(tr("&Reduce motion")), "reducedMotion", tr("Reduce motion"));
    motion->setChecked(s.reducedMotion());
    connect(motion, &QCheckBox::toggled, this, [&s](bool on) { s.setReducedMotion(on); });
    form->addRow(QString(), motion);
    return page;
}

QWidget* PreferencesDialog::enginePage() {
    Settings& s = m_workbench.settings();
    auto* page = new QWidget;
    QFormLayout* form = formOf(page);
    auto* device = named(new QComboBox, "device", tr("Device"));
    device->addItem(tr("automatic"), QStringLiteral("auto"));
    device->addItem(tr("CPU"), QStringLiteral("cpu"));
    device->addItem(tr("CUDA"), QStringLiteral("cuda"));
    device->setCurrentIndex(std::max(0, device->findData(s.device())));
    connect(device, &QComboBox::activated, this,
            [&s, device] { s.setDevice(device->currentData().toString()); });
    form->addRow(tr("&Device"), device);

    auto* threads = named(new QSpinBox, "threads", tr("Threads"));
    threads->setRange(0, 1024);
    threads->setSpecialValueText(tr("automatic (%1)").arg(defaultThreads()));
    threads->setValue(s.threads());
    threads->setKeyboardTracking(false);
    connect(threads, &QSpinBox::valueChanged, this, [&s](int count) { s.setThreads(count); });
    form->addRow(tr("&Threads"), threads);

    auto* memory = named(new QLineEdit, "memoryLimit", tr("Memory limit"));
    memory->setPlaceholderText(tr("automatic; or such as 12 GiB"));
    constexpr QChar nbsp(0x00A0);
    // Without what keeps it together in a line from right to left: it will be edited and read.
    if (s.memoryLimit() > 0)
        memory->setText(
            QLocale::c().formattedDataSize(s.memoryLimit()).replace(QLatin1Char(' '), nbsp));
    connect(memory, &QLineEdit::editingFinished, this, [this, &s, memory] {
        try {
            s.setMemoryLimit(
                memory->text().trimmed().isEmpty()
                    ? 0
                    : parseSize(memory->text().replace(nbsp, QLatin1Char(' ')).toStdString()));
            setProblem({});
        } catch (const Error& error) {
            setProblem(QString::fromStdString(error.what()));
        }
    });
    form->addRow(tr("&Memory limit"), memory);

    auto* program =
        named(new QLineEdit(s.engineProgram()), "engineProgram", tr("Program of the engine"));
    program->setPlaceholderText(EngineCommand::local().program);
    program->setToolTip(tr("The program bitloom that computes. Empty: the one beside this "
                           "application, else the one that PATH finds."));
    auto* chooseProgram = named(new QPushButton(tr("Choose…")), "engineProgramChoose",
                                tr("Choose the program of the engine"));
    auto* programRow = new QHBoxLayout;
    programRow->setSpacing(gridStep);
    programRow->addWidget(program, 1);
    programRow->addWidget(chooseProgram);
    auto* programLabel = new QLabel(tr("&Program"));
    programLabel->setBuddy(program);
    form->addRow(programLabel, programRow);
    const auto applyProgram = [this, &s, program] {
        const QString path = program->text().trimmed();
        const QFileInfo file(path);
        // A wrong one would leave the studio without an engine.
        if (!path.isEmpty() && (file.isDir() || !file.isExecutable())) {
            setProblem(
                tr("'%1' is no program that can be started. The engine stays as it is.").arg(path));
            return;
        }
        setProblem({});
        s.setEngineProgram(path.isEmpty() ? QString() : file.absoluteFilePath());
        program->setText(s.engineProgram());
    };
    connect(program, &QLineEdit::editingFinished, this, applyProgram);
    connect(chooseProgram, &QPushButton::clicked, this, [this, program, applyProgram] {
        const QString path = QFileDialog::getOpenFileName(
            this, tr("Program of the engine"),
            program->text().isEmpty() ? program->placeholderText() : program->text());
        if (path.isEmpty()) return;
        program->setText(path);
        applyProgram();
    });

    auto* command = named(new QLineEdit(s.engineCommand()), "engineCommand",
                          tr("Command that starts the engine"));
    command->setPlaceholderText(
        tr("the engine of this machine; or such as: ssh box bitloom serve"));
    command->setToolTip(tr("Models, texts and exports are then those of the machine that the "
                           "command reaches. It must end in what runs 'bitloom serve' there, and "
                           "pass standard input and output through. While it is quiet it is asked "
                           "for a sign of life every 5 s; 10 s without an answer are reported."));
    form->addRow(tr("&Command"), command);
    const auto applyCommand = [=, &s] {
        const bool here = !s.engineIsRemote();
        for (QWidget* field :
             std::initializer_list<QWidget*>{device, threads, memory, program, chooseProgram})
            field->setEnabled(here);
    };
    connect(command, &QLineEdit::editingFinished, this, [=, &s] {
        s.setEngineCommand(command->text());
        applyCommand();
    });
    applyCommand();

    auto* note = captionLabel(tr("A change restarts the engine once no job runs. A command says "
                                 "device, threads and memory itself: --threads 8 behind it."));
    note->setWordWrap(true);
    form->addRow(QString(), note);
    return page;
}

QWidget* PreferencesDialog::filesPage() {
    Settings& s = m_workbench.settings();
    auto* page = new QWidget;
    QFormLayout* form = formOf(page);
    auto* row = new QHBoxLayout;
    row->setSpacing(gridStep);
    auto* cache = named(new QLineEdit(s.cacheFolder()), "cacheFolder", tr("Cache folder"));
    auto* choose =
        named(new QPushButton(tr("Choose…")), "cacheChoose", tr("Choose the cache folder"));
    row->addWidget(cache, 1);
    row->addWidget(choose);
    auto* label = new QLabel(tr("&Cache"));
    label->setBuddy(cache);
    form->addRow(label, row);
    const auto set = [this, &s, cache] {
        QString folder = cache->text().trimmed();
        if (folder == QLatin1String("~") || folder.startsWith(QLatin1String("~/")))
            folder.replace(0, 1, QDir::homePath());
        // A wrong one would leave the engine without a place for its results.
        if (!folder.isEmpty() && QDir::isRelativePath(folder)) {
            setProblem(tr("'%1' is no whole path. The cache stays where it is.").arg(folder));
            return;
        }
        if (!folder.isEmpty() && !(QDir().mkpath(folder) && QFileInfo(folder).isWritable())) {
            setProblem(tr("'%1' cannot be made, or not be written to. The cache stays where it is.")
                           .arg(folder));
            return;
        }
        setProblem({});
        s.setCacheFolder(folder);
        cache->setText(s.cacheFolder());
        countCache();
    };
    connect(cache, &QLineEdit::editingFinished, this, set);
    connect(choose, &QPushButton::clicked, this, [this, cache, set] {
        const QString folder =
            QFileDialog::getExistingDirectory(this, tr("Cache folder"), cache->text());
        if (folder.isEmpty()) return;
        cache->setText(folder);
        set();
    });
    m_cacheSize = new QLabel;
    auto* clear = named(new QPushButton(tr("Clear…")), "cacheClear", tr("Clear the cache"));
    auto* sizeRow = new QHBoxLayout;
    sizeRow->addWidget(m_cacheSize, 1);
    sizeRow->addWidget(clear);
    form->addRow(tr("Analyses kept"), sizeRow);
    connect(clear, &QPushButton::clicked, this, [this, &s] {
        if (m_workbench.jobs().activeCount() > 0) {
            setProblem(tr("A job is running. Clear the cache when it is done."));
            return;
        }
        if (QMessageBox::question(this, tr("Clear the cache"),
                                  tr("All analyses in '%1' will be deleted. Models have to be "
                                     "analyzed again before they can be planned.")
                                      .arg(statisticsFolderOf(s)),
                                  QMessageBox::Discard | QMessageBox::Cancel,
                                  QMessageBox::Cancel) != QMessageBox::Discard)
            return;
        const bool all = QDir(statisticsFolderOf(s)).removeRecursively();
        setProblem(all ? QString()
                       : tr("Not everything in '%1' could be deleted. Look at its permissions.")
                             .arg(statisticsFolderOf(s)));
        countCache();
    });
    auto* autosave = named(new QSpinBox, "autosave", tr("Save the session every"));
    autosave->setRange(0, 3600);
    autosave->setSuffix(QChar(0x00A0) % QLatin1Char('s'));
    autosave->setSpecialValueText(tr("on change only"));
    autosave->setValue(s.autosaveSeconds());
    autosave->setKeyboardTracking(false);
    connect(autosave, &QSpinBox::valueChanged, this,
            [&s](int seconds) { s.setAutosaveSeconds(seconds); });
    form->addRow(tr("&Save the session every"), autosave);
    countCache();
    return page;
}

void PreferencesDialog::countCache() {
    qint64 bytes = 0;
    QDirIterator files(statisticsFolderOf(m_workbench.settings()), QDir::Files,
                       QDirIterator::Subdirectories);
    while (files.hasNext()) {
        files.next();
        bytes += files.fileInfo().size();
    }
    m_cacheSize->setText(bytesText(QLocale(), double(bytes)));
}

} // namespace bitloom::ui
