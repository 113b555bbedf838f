// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/token_panel.h"

#include "ui/models/texts.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QGridLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int rowsShown = 6;

QString probabilityText(const std::optional<double>& p) {
    if (!p) return QStringLiteral("–");
    return *p > 0 && *p < 0.005 ? QStringLiteral("< 0.01") : fixedText(*p, 2);
}

/// Two thin bars above each other: left in grey, right in the accent colour.
class BarsDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        const PlotTheme theme = PlotTheme::of(option.palette);
        const QRectF room = QRectF(option.rect).adjusted(4, 0, -8, 0);
        const double height = std::max(4.0, std::floor(room.height() * 0.24));
        const auto bar = [&](const QVariant& value, double top, const QColor& colour) {
            if (!value.isValid()) return;
            const double width = std::max(1.0, room.width() * std::min(1.0, value.toDouble()));
            painter->fillRect(
                QRectF(option.direction == Qt::RightToLeft ? room.right() - width : room.left(),
                       top, width, height),
                colour);
        };
        bar(index.data(TokenChoicesModel::LeftRole), room.center().y() - height - 0.5,
            theme.secondary);
        bar(index.data(TokenChoicesModel::RightRole), room.center().y() + 0.5, theme.accent);
    }
};

} // namespace

QString visibleTokenText(const QString& text) {
    QString shown = text;
    shown.replace(QLatin1Char('\n'), QStringLiteral("⏎"))
        .replace(QLatin1Char('\r'), QStringLiteral("␍"))
        .replace(QLatin1Char('\t'), QStringLiteral("⇥"));
    if (shown.trimmed().isEmpty()) return shown.replace(QLatin1Char(' '), QStringLiteral("␣"));
    return shown.trimmed();
}

TokenChoices tokenChoices(const ChatToken* leftToken, const ChatToken* rightToken, bool sameContext,
                          std::optional<double> scored) {
    TokenChoices out;
    const auto entry = [&](int id, const QString& text) -> TokenChoices::Choice& {
        const auto found = std::ranges::find(out.choices, id, &TokenChoices::Choice::id);
        if (found != out.choices.end()) return *found;
        out.choices.emplace_back();
        out.choices.back().id = id;
        out.choices.back().text = text;
        return out.choices.back();
    };
    const auto addAll = [&](const ChatToken* token, auto member) {
        if (!token || token->id < 0) return;
        for (const EngineAlternative& top : token->top)
            entry(top.id, top.text).*member = std::exp(top.logProb);
        TokenChoices::Choice& own = entry(token->id, token->text);
        own.*member = std::exp(token->logProb);
        own.chosen = true;
    };
    addAll(leftToken, &TokenChoices::Choice::left);
    if (sameContext) addAll(rightToken, &TokenChoices::Choice::right);
    if (leftToken && scored) {
        TokenChoices::Choice& own = entry(leftToken->id, leftToken->text);
        if (!own.right) own.right = std::exp(*scored);
    }
    std::ranges::stable_sort(out.choices, [](const auto& a, const auto& b) {
        return std::max(a.left.value_or(0), a.right.value_or(0)) >
               std::max(b.left.value_or(0), b.right.value_or(0));
    });
    // Those that were taken stay, however unlikely.
    while (out.choices.size() > size_t(rowsShown - 1)) {
        const auto last = std::find_if(out.choices.rbegin(), out.choices.rend(),
                                       [](const auto& choice) { return !choice.chosen; });
        if (last == out.choices.rend()) break;
        out.choices.erase(std::next(last).base());
    }
    const auto rest = [&](auto member) -> std::optional<double> {
        double sum = 0;
        int known = 0;
        for (const TokenChoices::Choice& choice : out.choices)
            if (choice.*member) {
                sum += *(choice.*member);
                ++known;
            }
        if (known < 2) return std::nullopt;
        return std::max(0.0, 1 - sum);
    };
    out.leftRest = rest(&TokenChoices::Choice::left);
    out.rightRest = rest(&TokenChoices::Choice::right);
    return out;
}

void TokenChoicesModel::setChoices(const TokenChoices& choices) {
    beginResetModel();
    m_choices = choices;
    endResetModel();
}

bool TokenChoicesModel::setTitles(const QString& left, const QString& right) {
    if (left == m_left && right == m_right) return false;
    m_left = left;
    m_right = right;
    emit headerDataChanged(Qt::Horizontal, 0, ColumnCount - 1);
    return true;
}

int TokenChoicesModel::rowCount(const QModelIndex& parent) const {
    if (parent.isValid() || m_choices.choices.empty()) return 0;
    return int(m_choices.choices.size()) + (m_choices.leftRest || m_choices.rightRest ? 1 : 0);
}

int TokenChoicesModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(ColumnCount);
}

QVariant TokenChoicesModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const bool rest = index.row() >= int(m_choices.choices.size());
    const TokenChoices::Choice none;
    const TokenChoices::Choice& choice = rest ? none : m_choices.choices[size_t(index.row())];
    const std::optional<double> left = rest ? m_choices.leftRest : choice.left;
    const std::optional<double> right = rest ? m_choices.rightRest : choice.right;
    switch (role) {
    case Qt::DisplayRole:
        if (index.column() == Token) return rest ? tr("other") : visibleTokenText(choice.text);
        if (index.column() == Left) return probabilityText(left);
        if (index.column() == Right) return probabilityText(right);
        return {};
    case Qt::AccessibleTextRole:
        if (index.column() != Bars) return data(index, Qt::DisplayRole);
        return tr("%1 against %2").arg(probabilityText(left), probabilityText(right));
    case Qt::FontRole:
        if (choice.chosen) return headingFont();
        return {};
    case Qt::TextAlignmentRole:
        return index.column() == Left || index.column() == Right
                   ? int(Qt::AlignRight | Qt::AlignVCenter)
                   : int(Qt::AlignLeft | Qt::AlignVCenter);
    case LeftRole:
        return left ? QVariant(*left) : QVariant();
    case RightRole:
        return right ? QVariant(*right) : QVariant();
    case ChosenRole:
        return choice.chosen;
    default:
        return {};
    }
}

QVariant TokenChoicesModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return section == Left || section == Right ? int(Qt::AlignRight | Qt::AlignVCenter)
                                                   : int(Qt::AlignLeft | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Token:
        return tr("token");
    case Bars:
        return tr("probability");
    case Left:
        return m_left;
    default:
        return m_right;
    }
}

TokenPanel::TokenPanel(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("tokenPanel"));
    setBackgroundRole(QPalette::Base);
    setAutoFillBackground(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(panelMargin, 12, panelMargin, 12);
    column->setSpacing(gridStep);
    auto* top = new QHBoxLayout;
    m_heading = new QLabel;
    m_heading->setFont(headingFont());
    m_heading->setTextFormat(Qt::PlainText);
    m_heading->setWordWrap(true);
    m_figure = captionLabel({});
    m_figure->setForegroundRole(QPalette::PlaceholderText);
    top->addWidget(m_heading, 1);
    top->addWidget(m_figure, 0, Qt::AlignTop);
    column->addLayout(top);
    m_model = new TokenChoicesModel(this);
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("tokenChoices"));
    m_table->setAccessibleName(tr("Likeliest tokens at the cursor"));
    m_table->setProperty("flat-panel", true);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setModel(m_model);
    m_table->setItemDelegateForColumn(TokenChoicesModel::Bars, new BarsDelegate(m_table));
    m_table->setShowGrid(false);
    m_table->setSelectionMode(QAbstractItemView::NoSelection);
    m_table->setTabKeyNavigation(false);
    m_table->setWordWrap(false);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setSectionsClickable(false);
    m_table->horizontalHeader()->setHighlightSections(false);
    column->addWidget(m_table, 100);
    m_note = captionLabel({});
    m_note->setForegroundRole(QPalette::PlaceholderText);
    m_note->setWordWrap(true);
    column->addWidget(m_note);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(gridStep);
    m_previous = new QPushButton(tr("Previous"));
    m_previous->setObjectName(QStringLiteral("previousDifference"));
    m_previous->setAccessibleName(tr("Previous difference"));
    m_previous->setToolTip(tr("To the token before at which the models prefer another one "
                              "(Ctrl+Left in the text)"));
    m_next = new QPushButton(tr("Next difference"));
    m_next->setObjectName(QStringLiteral("nextDifference"));
    m_next->setAccessibleName(tr("Next difference"));
    m_next->setToolTip(tr("Ctrl+Right in the text"));
    m_rank = captionLabel({});
    m_rank->setForegroundRole(QPalette::PlaceholderText);
    buttons->addWidget(m_previous);
    buttons->addWidget(m_next);
    buttons->addStretch(1);
    buttons->addWidget(m_rank);
    column->addLayout(buttons);
    column->addStretch(1);
    connect(m_previous, &QPushButton::clicked, this, [this] { emit stepRequested(-1); });
    connect(m_next, &QPushButton::clicked, this, [this] { emit stepRequested(1); });
    fit();
    clear();
    setDifferences(0, 0, false, false);
}

void TokenPanel::fit() {
    const QFontMetrics metrics(font());
    const int row = std::max(22, metrics.height() + 6);
    m_table->verticalHeader()->setDefaultSectionSize(row);
    QHeaderView* header = m_table->horizontalHeader();
    header->setFont(captionFont());
    header->setMinimumSectionSize(24);
    header->setSectionResizeMode(TokenChoicesModel::Bars, QHeaderView::Stretch);
    const auto width = [&](int column, const QString& sample) {
        header->setSectionResizeMode(column, QHeaderView::Fixed);
        header->resizeSection(column, metrics.horizontalAdvance(sample) + 12);
    };
    width(TokenChoicesModel::Token, QStringLiteral("walkings"));
    // As wide as their titles, which may be names of presets, up to a third of the panel.
    const QFontMetrics caption{captionFont()};
    for (const int column : {int(TokenChoicesModel::Left), int(TokenChoicesModel::Right)}) {
        const QString title =
            m_model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
        header->setSectionResizeMode(column, QHeaderView::Fixed);
        header->resizeSection(column,
                              std::clamp(caption.horizontalAdvance(title),
                                         metrics.horizontalAdvance(QStringLiteral("< 0.01")),
                                         metrics.averageCharWidth() * 12) +
                                  12);
    }
    // All rows where there is room, else two and a scroll bar.
    const int titles = std::max(header->sizeHint().height(), row) + 6;
    m_table->setMinimumHeight(titles + 2 * row);
    m_table->setMaximumHeight(titles + rowsShown * row);
}

void TokenPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_table) {
        m_heading->setFont(headingFont());
        fit();
    }
}

void TokenPanel::setTitles(const QString& left, const QString& right) {
    if (!m_model->setTitles(left, right)) return;
    fit();
}

void TokenPanel::clear() {
    m_heading->setText(tr("No token chosen"));
    m_figure->clear();
    m_note->setText(tr("Point at a word of an answer, or go through it with the arrow keys."));
    m_table->hide();
    m_model->setChoices({});
}

void TokenPanel::show(const QString& heading, const QString& figure, const TokenChoices& choices,
                      const QString& note) {
    m_heading->setText(heading);
    m_figure->setText(figure);
    m_note->setText(note);
    m_note->setVisible(!note.isEmpty());
    m_model->setChoices(choices);
    m_table->setVisible(!choices.choices.empty());
}

void TokenPanel::setDifferences(int rank, int count, bool previous, bool next) {
    m_rank->setText(count == 0  ? QString()
                    : rank == 0 ? tr("%1 in all").arg(count)
                                : tr("%1 of %2").arg(rank).arg(count));
    m_previous->setEnabled(previous);
    m_next->setEnabled(next);
}

} // namespace bitloom::ui
