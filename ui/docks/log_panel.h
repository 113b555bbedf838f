// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/log_buffer.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QTableView;

namespace bitloom::ui {

class LogModel;

/// The log: by level and text, following the tail until the user scrolls away.
class LogPanel : public QWidget {
    Q_OBJECT
public:
    explicit LogPanel(LogBuffer& buffer, QWidget* parent = nullptr);
    LogModel* model() const { return m_model; }
    QTableView* view() const { return m_view; }

signals:
    void failed(const QString& message);

protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void copy();
    void save();
    void follow();

    LogBuffer& m_buffer;
    LogModel* m_model = nullptr;
    QTableView* m_view = nullptr;
    QLabel* m_empty = nullptr;
    QComboBox* m_level = nullptr;
    QLineEdit* m_text = nullptr;
    QCheckBox* m_follow = nullptr;
};

} // namespace bitloom::ui
