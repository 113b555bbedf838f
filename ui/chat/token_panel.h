// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/token_stream.h"

#include <QAbstractTableModel>
#include <QStyledItemDelegate>
#include <QWidget>

#include <optional>
#include <vector>

class QLabel;
class QPushButton;
class QTableView;

namespace bitloom::ui {

struct PlotTheme;

/// What both models hold likely at one place.
struct TokenChoices {
    struct Choice {
        int id = -1;
        QString text;
        std::optional<double> left, right; ///< probabilities; nullopt: not known
        bool chosen = false;               ///< one of the two answers took it
    };
    std::vector<Choice> choices;               ///< likeliest first
    std::optional<double> leftRest, rightRest; ///< of all other tokens
};

/// `leftToken` and `rightToken` stand behind the same text where `sameContext`; elsewhere the right
/// side is known only by what scoring says of the left token (`scored`, ln p).
TokenChoices tokenChoices(const ChatToken* leftToken, const ChatToken* rightToken, bool sameContext,
                          std::optional<double> scored);
/// A token's text as it is shown alone: blanks and line ends are visible.
QString visibleTokenText(const QString& text);

/// A row for each choice: token, left, right.
class TokenChoicesModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Token, Bars, Left, Right, ColumnCount };
    enum Role { LeftRole = Qt::UserRole, RightRole, ChosenRole };
    using QAbstractTableModel::QAbstractTableModel;
    void setChoices(const TokenChoices& choices);
    bool setTitles(const QString& left, const QString& right); ///< true if they are others now

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    TokenChoices m_choices;
    QString m_left, m_right;
};

/// The token under the cursor: its divergence, and the probabilities of the likeliest tokens under
/// both models as bars.
class TokenPanel : public QWidget {
    Q_OBJECT
public:
    explicit TokenPanel(QWidget* parent = nullptr);

    void setTitles(const QString& left, const QString& right);
    void clear(); ///< no token: says how to get one
    /// `heading`: "Token 38, after “so”"; `figure`: "KL 0.214 nats".
    void show(const QString& heading, const QString& figure, const TokenChoices& choices,
              const QString& note);
    /// "1 of 7" differences; buttons are off where there are none.
    void setDifferences(int rank, int count, bool previous, bool next);
    TokenChoicesModel* model() const { return m_model; }

signals:
    void stepRequested(int step); ///< to another token at which the models disagree

protected:
    void changeEvent(QEvent* event) override;

private:
    void fit();
    QLabel *m_heading = nullptr, *m_figure = nullptr, *m_note = nullptr, *m_rank = nullptr;
    QTableView* m_table = nullptr;
    TokenChoicesModel* m_model = nullptr;
    QPushButton *m_previous = nullptr, *m_next = nullptr;
};

} // namespace bitloom::ui
