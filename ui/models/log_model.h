// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/log_buffer.h"

#include <QAbstractTableModel>

namespace bitloom::ui {

/// Lines of the log from a level on that hold a text. Appending filters the new lines only.
class LogModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Time, Level, Room, Text, ColumnCount };
    enum Role { LevelRole = Qt::UserRole };

    explicit LogModel(LogBuffer& buffer, QObject* parent = nullptr);

    void setLeast(LogLine::Level level);
    void setText(const QString& text);
    QString plainText(const QModelIndexList& rows) const; ///< empty list: all shown

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    static QString levelText(LogLine::Level level);

private:
    bool shows(const LogLine& line) const;
    void refill();
    const LogLine& line(int row) const;
    QString lineText(const LogLine& line) const;

    LogBuffer& m_buffer;
    std::deque<int64_t> m_shown; ///< numbers of lines since the start of the program
    int64_t m_first = 0;         ///< number of the buffer's first line
    LogLine::Level m_least = LogLine::Level::Info;
    QString m_text;
};

} // namespace bitloom::ui
