// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/place_dialog.h"

#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/workbench.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QJsonArray>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace bitloom::ui {

namespace {

constexpr int FolderRole = Qt::UserRole, ModelRole = Qt::UserRole + 1;

QString joined(const QString& folder, const QString& name) {
    return folder.endsWith(QLatin1Char('/')) ? QString(folder % name)
                                             : QString(folder % QLatin1Char('/') % name);
}

} // namespace

PlaceDialog::PlaceDialog(EngineClient* engine, What what, const QString& title,
                         const QString& start, QWidget* parent)
    : DialogBase(title, parent), m_engine(engine), m_what(what) {
    setObjectName(QStringLiteral("placeDialog"));
    auto* machine = captionLabel(tr("On the engine's machine: %1").arg(engine->command().text()));
    machine->setWordWrap(true);
    content()->addWidget(machine);
    auto* row = new QHBoxLayout;
    row->setSpacing(gridStep);
    m_path = new QLineEdit;
    m_path->setObjectName(QStringLiteral("placePath"));
    m_path->setAccessibleName(tr("Folder"));
    m_up = new QToolButton;
    m_up->setObjectName(QStringLiteral("placeUp"));
    m_up->setText(tr("Up"));
    m_up->setAccessibleName(tr("To the folder above"));
    row->addWidget(m_path, 1);
    row->addWidget(m_up);
    content()->addLayout(row);
    m_list = new QTreeWidget;
    m_list->setObjectName(QStringLiteral("placeList"));
    m_list->setAccessibleName(tr("Contents of the folder"));
    m_list->setColumnCount(2);
    m_list->setHeaderLabels({tr("Name"), tr("Kind")});
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_list->setMinimumSize(560, 320);
    m_list->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_list->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    m_list->header()->setStretchLastSection(false);
    content()->addWidget(m_list, 1);
    m_note = captionLabel({});
    m_note->setObjectName(QStringLiteral("placeNote"));
    content()->addWidget(m_note);
    QPushButton* main = addButtons(what == What::Model ? tr("Open") : tr("Choose"));
    main->setObjectName(QStringLiteral("placeMain"));
    connect(m_up, &QToolButton::clicked, this, [this] { go(m_parent); });
    // Whether or not this folder could be chosen.
    connect(m_path, &QLineEdit::returnPressed, this, [this] {
        if (m_path->text().trimmed() != m_folder) go(m_path->text().trimmed());
    });
    connect(m_list, &QTreeWidget::itemSelectionChanged, this, &PlaceDialog::check);
    connect(m_list, &QTreeWidget::itemActivated, this, [this](QTreeWidgetItem* item) {
        const bool model = !item->data(0, ModelRole).toString().isEmpty();
        if (item->data(0, FolderRole).toBool() && !(m_what == What::Model && model))
            go(joined(m_folder, item->text(0)));
        else if (m_what != What::Folder)
            accept();
    });
    go(start, /*orHome=*/true);
}

void PlaceDialog::go(const QString& path, bool orHome) {
    if (!m_engine) return;
    const int serial = ++m_serial;
    m_problem = tr("Reading the folder…");
    check();
    QJsonObject params;
    if (!path.isEmpty()) params[QLatin1String("path")] = path;
    m_engine->call(QStringLiteral("list_dir"), params, this,
                   [this, serial, path, orHome](const EngineResult& result) {
                       if (serial != m_serial) return; // the user has gone on
                       if (!result.ok() && orHome && !path.isEmpty()) return go({});
                       m_problem = result.error.message;
                       if (result.ok()) fill(result.value);
                       check();
                   });
}

void PlaceDialog::fill(const QJsonObject& listing) {
    m_folder = listing[QLatin1String("path")].toString();
    m_parent = listing[QLatin1String("parent")].toString();
    m_isModel = listing[QLatin1String("model")].isString();
    m_path->setText(m_folder);
    m_up->setEnabled(!m_parent.isEmpty());
    m_list->clear();
    const QLocale locale;
    for (const QJsonValue& value : listing[QLatin1String("entries")].toArray()) {
        const QJsonObject entry = value.toObject();
        const bool folder = entry[QLatin1String("kind")].toString() == QLatin1String("folder");
        const QString model = entry[QLatin1String("model")].toString();
        if (!folder && m_what != What::File) continue;
        const QString kind = !folder ? bytesText(locale, entry[QLatin1String("bytes")].toDouble())
                             : model == QLatin1String("source")    ? tr("model")
                             : model == QLatin1String("quantized") ? tr("quantized model")
                             : model == QLatin1String("partial")   ? tr("unfinished export")
                                                                   : QString();
        auto* item = new QTreeWidgetItem({entry[QLatin1String("name")].toString(), kind});
        item->setData(0, FolderRole, folder);
        item->setData(0, ModelRole, model == QLatin1String("partial") ? QString() : model);
        if (folder) item->setIcon(0, symbol(QStringLiteral("open")));
        m_list->addTopLevelItem(item);
    }
    QString note =
        tr("%1 free").arg(bytesText(locale, listing[QLatin1String("free_bytes")].toDouble()));
    if (listing[QLatin1String("truncated")].toBool())
        note = tr("The folder has more entries than are shown; write the path above.");
    m_note->setText(note);
}

QTreeWidgetItem* PlaceDialog::selected() const {
    const QList<QTreeWidgetItem*> items = m_list->selectedItems();
    return items.isEmpty() ? nullptr : items.first();
}

QString PlaceDialog::path() const {
    const QTreeWidgetItem* item = selected();
    return item ? joined(m_folder, item->text(0)) : m_folder;
}

void PlaceDialog::check() {
    QString problem = m_problem;
    const QTreeWidgetItem* item = selected();
    if (problem.isEmpty() && m_what == What::File && (!item || item->data(0, FolderRole).toBool()))
        problem = tr("Choose a file.");
    if (problem.isEmpty() && m_what == What::Model &&
        !(item ? !item->data(0, ModelRole).toString().isEmpty() : m_isModel))
        problem = tr("Choose the folder of a model.");
    setProblem(problem);
}

void PlaceDialog::accept() {
    // Enter in the line of the path goes there first.
    const QString wanted = m_path->text().trimmed();
    if (m_path->hasFocus() && wanted != m_folder) return go(wanted);
    QDialog::accept();
}

void choosePlace(QWidget* parent, const Workbench& workbench, PlaceDialog::What what,
                 const QString& title, const QString& start,
                 std::function<void(const QString& path)> chosen, std::function<void()> none) {
    if (!workbench.engineIsRemote()) {
        const QString path =
            what == PlaceDialog::What::File
                ? QFileDialog::getOpenFileName(
                      parent, title, start,
                      PlaceDialog::tr("Texts (*.txt *.jsonl *.json *.md);;All files (*)"))
                : QFileDialog::getExistingDirectory(parent, title, start);
        if (!path.isEmpty())
            chosen(path);
        else if (none)
            none();
        return;
    }
    auto* dialog = new PlaceDialog(workbench.engine(), what, title, start, parent);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    QObject::connect(dialog, &QDialog::accepted, dialog,
                     [dialog, chosen = std::move(chosen)] { chosen(dialog->path()); });
    if (none) QObject::connect(dialog, &QDialog::rejected, dialog, std::move(none));
    dialog->open();
}

} // namespace bitloom::ui
