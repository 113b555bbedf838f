// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/log_model.h"

#include "ui/plots/plot_theme.h"
#include "ui/theme/theme.h"

#include <QGuiApplication>

namespace bitloom::ui {

LogModel::LogModel(LogBuffer& buffer, QObject* parent)
    : QAbstractTableModel(parent), m_buffer(buffer) {
    refill();
    connect(&buffer, &LogBuffer::linesAdded, this, [this](int count, int removed) {
        m_first += removed;
        int gone = 0;
        while (gone < int(m_shown.size()) && m_shown[size_t(gone)] < m_first)
            ++gone;
        if (gone > 0) {
            beginRemoveRows({}, 0, gone - 1);
            m_shown.erase(m_shown.begin(), m_shown.begin() + gone);
            endRemoveRows();
        }
        std::vector<int64_t> fresh;
        const auto& lines = m_buffer.lines();
        for (size_t i = lines.size() - size_t(count); i < lines.size(); ++i)
            if (shows(lines[i])) fresh.push_back(m_first + int64_t(i));
        if (fresh.empty()) return;
        beginInsertRows({}, int(m_shown.size()), int(m_shown.size() + fresh.size()) - 1);
        m_shown.insert(m_shown.end(), fresh.begin(), fresh.end());
        endInsertRows();
    });
    connect(&buffer, &LogBuffer::cleared, this, [this] {
        beginResetModel();
        refill();
        endResetModel();
    });
}

bool LogModel::shows(const LogLine& line) const {
    return line.level >= m_least &&
           (m_text.isEmpty() || line.text.contains(m_text, Qt::CaseInsensitive) ||
            line.room.contains(m_text, Qt::CaseInsensitive));
}

void LogModel::refill() {
    m_shown.clear();
    const auto& lines = m_buffer.lines();
    for (size_t i = 0; i < lines.size(); ++i)
        if (shows(lines[i])) m_shown.push_back(m_first + int64_t(i));
}

void LogModel::setLeast(LogLine::Level level) {
    if (level == m_least) return;
    beginResetModel();
    m_least = level;
    refill();
    endResetModel();
}

void LogModel::setText(const QString& text) {
    if (text == m_text) return;
    beginResetModel();
    m_text = text;
    refill();
    endResetModel();
}

const LogLine& LogModel::line(int row) const {
    return m_buffer.lines()[size_t(m_shown[size_t(row)] - m_first)];
}

QString LogModel::levelText(LogLine::Level level) {
    switch (level) {
    case LogLine::Level::Debug:
        return tr("debug");
    case LogLine::Level::Info:
        return tr("info");
    case LogLine::Level::Warning:
        return tr("warning");
    case LogLine::Level::Error:
        return tr("error");
    }
    return {};
}

QString LogModel::lineText(const LogLine& line) const {
    return line.time.toString(QStringLiteral("yyyy-MM-dd HH:mm:ss.zzz")) % QLatin1Char(' ') %
           levelText(line.level) % QStringLiteral(" [") % line.room % QStringLiteral("] ") %
           line.text;
}

QString LogModel::plainText(const QModelIndexList& rows) const {
    QStringList lines;
    if (rows.isEmpty())
        for (int row = 0; row < rowCount(); ++row)
            lines.append(lineText(line(row)));
    else
        for (const QModelIndex& index : rows)
            lines.append(lineText(line(index.row())));
    return lines.join(QLatin1Char('\n'));
}

int LogModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(m_shown.size());
}

int LogModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant LogModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const LogLine& line = this->line(index.row());
    switch (role) {
    case Qt::DisplayRole:
        switch (index.column()) {
        case Time:
            return line.time.toString(QStringLiteral("HH:mm:ss"));
        case Level:
            return levelText(line.level);
        case Room:
            return line.room;
        default:
            return line.text.section(QLatin1Char('\n'), 0, 0);
        }
    case Qt::ToolTipRole:
        return index.column() == Text ? line.text : QString();
    case Qt::ForegroundRole: {
        const PlotTheme theme = PlotTheme::of(QGuiApplication::palette());
        if (index.column() == Level && line.level == LogLine::Level::Warning) return theme.warning;
        if (index.column() == Level && line.level == LogLine::Level::Error) return errorText(theme);
        if (index.column() != Text) return theme.secondary;
        return {};
    }
    case LevelRole:
        return int(line.level);
    default:
        return {};
    }
}

QVariant LogModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation == Qt::Horizontal && role == Qt::TextAlignmentRole)
        return int(Qt::AlignLeft | Qt::AlignVCenter);
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
    case Time:
        return tr("Time");
    case Level:
        return tr("Level");
    case Room:
        return tr("From");
    default:
        return tr("Message");
    }
}

} // namespace bitloom::ui
