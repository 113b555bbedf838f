// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/docks/log_panel.h"

#include "ui/models/log_model.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSaveFile>
#include <QScrollBar>
#include <QShortcut>
#include <QTableView>
#include <QVBoxLayout>

namespace bitloom::ui {

LogPanel::LogPanel(LogBuffer& buffer, QWidget* parent) : QWidget(parent), m_buffer(buffer) {
    setObjectName(QStringLiteral("logPanel"));
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    m_model = new LogModel(buffer, this);
    m_level = new QComboBox;
    m_level->setObjectName(QStringLiteral("logLevel"));
    m_level->setAccessibleName(tr("Least level of the log"));
    for (const auto level : {LogLine::Level::Debug, LogLine::Level::Info, LogLine::Level::Warning,
                             LogLine::Level::Error})
        m_level->addItem(tr("%1 and above").arg(LogModel::levelText(level)), int(level));
    m_level->setCurrentIndex(1);
    m_text = new QLineEdit;
    m_text->setObjectName(QStringLiteral("logFilter"));
    m_text->setAccessibleName(tr("Filter the log"));
    m_text->setPlaceholderText(tr("Filter"));
    m_text->setClearButtonEnabled(true);
    m_text->addAction(symbol("search"), QLineEdit::LeadingPosition);
    m_follow = new QCheckBox(tr("Follow"));
    m_follow->setObjectName(QStringLiteral("logFollow"));
    m_follow->setAccessibleName(tr("Follow the end of the log"));
    m_follow->setChecked(true);
    auto* copyButton = new QPushButton(symbol("copy"), tr("Copy"));
    copyButton->setObjectName(QStringLiteral("logCopy"));
    copyButton->setAccessibleName(tr("Copy the log"));
    auto* saveButton = new QPushButton(symbol("save"), tr("Save…"));
    saveButton->setObjectName(QStringLiteral("logSave"));
    saveButton->setAccessibleName(tr("Save the log"));
    auto* clearButton = new QPushButton(symbol("delete"), tr("Clear"));
    clearButton->setObjectName(QStringLiteral("logClear"));
    clearButton->setAccessibleName(tr("Clear the log"));

    m_view = new QTableView;
    m_view->setObjectName(QStringLiteral("logView"));
    m_view->setAccessibleName(tr("Lines of the log"));
    m_view->setProperty("flat-panel", true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setModel(m_model);
    m_view->setShowGrid(false);
    m_view->setWordWrap(false);
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setTabKeyNavigation(false);
    m_view->verticalHeader()->hide();
    // Fixed heights: the view then never asks 100 000 rows for theirs.
    m_view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_view->horizontalHeader()->setSectionsClickable(false);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(16, 8, 16, 8);
    row->setSpacing(gridStep);
    row->addWidget(m_level);
    row->addWidget(m_text, 1);
    row->addWidget(m_follow);
    row->addWidget(copyButton);
    row->addWidget(saveButton);
    row->addWidget(clearButton);
    column->addLayout(row);
    auto* inset = new QHBoxLayout;
    inset->setContentsMargins(gridStep, 0, gridStep, 0);
    inset->addWidget(m_view);
    column->addLayout(inset, 1);
    m_empty = captionLabel(tr("No line of this level and text."));
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setParent(m_view->viewport());
    auto* centred = new QVBoxLayout(m_view->viewport());
    centred->addWidget(m_empty);

    connect(m_level, &QComboBox::currentIndexChanged, this, [this] {
        m_model->setLeast(LogLine::Level(m_level->currentData().toInt()));
        follow();
    });
    connect(m_text, &QLineEdit::textChanged, m_model, &LogModel::setText);
    connect(copyButton, &QPushButton::clicked, this, &LogPanel::copy);
    connect(saveButton, &QPushButton::clicked, this, &LogPanel::save);
    connect(clearButton, &QPushButton::clicked, &buffer, &LogBuffer::clear);
    auto* copyKey = new QShortcut(QKeySequence::Copy, m_view, nullptr, nullptr, Qt::WidgetShortcut);
    connect(copyKey, &QShortcut::activated, this, &LogPanel::copy);
    connect(m_model, &QAbstractItemModel::rowsInserted, this, &LogPanel::follow);
    const auto empty = [this] { m_empty->setVisible(m_model->rowCount() == 0); };
    for (auto signal : {&QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved})
        connect(m_model, signal, this, empty);
    connect(m_model, &QAbstractItemModel::modelReset, this, empty);
    empty();
    connect(m_follow, &QCheckBox::toggled, this, &LogPanel::follow);
    connect(m_view->verticalScrollBar(), &QScrollBar::sliderMoved, this, [this](int value) {
        m_follow->setChecked(value == m_view->verticalScrollBar()->maximum());
    });
    QEvent font(QEvent::FontChange);
    changeEvent(&font);
}

void LogPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::FontChange || !m_view) return;
    const QFontMetrics metrics(font());
    m_view->verticalHeader()->setDefaultSectionSize(std::max(22, metrics.height() + 4));
    m_view->horizontalHeader()->setFont(captionFont());
    m_view->setColumnWidth(LogModel::Time,
                           metrics.horizontalAdvance(QStringLiteral("00:00:00")) + 24);
    m_view->setColumnWidth(LogModel::Level, metrics.horizontalAdvance(tr("warning")) + 24);
    m_view->setColumnWidth(LogModel::Room,
                           metrics.horizontalAdvance(QStringLiteral("engine")) + 32);
}

void LogPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    m_buffer.clearWarnings(); // they are on the screen now
    follow();
}

void LogPanel::follow() {
    if (m_follow->isChecked() && isVisible()) m_view->scrollToBottom();
}

void LogPanel::copy() {
    QApplication::clipboard()->setText(
        m_model->plainText(m_view->selectionModel()->selectedRows()));
}

void LogPanel::save() {
    const QString path = QFileDialog::getSaveFileName(window(), tr("Save the log"),
                                                      QStringLiteral("bitloom-studio.log"),
                                                      tr("Text files (*.log *.txt)"));
    if (path.isEmpty()) return;
    QSaveFile file(path);
    const QByteArray text = m_model->plainText({}).toUtf8();
    if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size() || !file.commit())
        emit failed(tr("The log could not be saved to '%1': %2.").arg(path, file.errorString()));
}

} // namespace bitloom::ui
