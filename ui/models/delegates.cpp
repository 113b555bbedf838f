// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/delegates.h"

#include "ui/models/jobs_model.h"
#include "ui/models/layers_model.h"
#include "ui/models/pins_model.h"
#include "ui/models/plans_model.h"
#include "ui/models/sizes_model.h"
#include "ui/plots/heat_colours.h"
#include "ui/plots/plot_theme.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QApplication>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <array>

namespace bitloom::ui {

namespace {

/// Background, selection and focus as the style has them; nothing else.
void paintRow(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) {
    QStyleOptionViewItem row = option;
    row.text.clear();
    row.icon = {};
    row.features &= ~(QStyleOptionViewItem::HasCheckIndicator | QStyleOptionViewItem::HasDisplay);
    const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
    style->drawPrimitive(QStyle::PE_PanelItemViewItem, &row, painter, option.widget);
    Q_UNUSED(index)
}

double ratioOf(const QPainter* painter) {
    return painter->device() ? painter->device()->devicePixelRatioF() : 1;
}

} // namespace

QColor heatColour(double share, bool dark) {
    return heatColours(dark)[size_t(std::clamp(share, 0.0, 1.0) * 255)];
}

void paintBitChip(QPainter* painter, const QRect& rect, int bits, const PlotTheme& theme,
                  bool faded) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    QColor fill = theme.bits(bits);
    painter->setPen(Qt::NoPen);
    if (faded) {
        painter->setBrush(Qt::NoBrush);
        painter->setPen(QPen(theme.secondary, 1, Qt::DashLine));
        painter->drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3);
        painter->setPen(theme.secondary);
    } else {
        painter->setBrush(fill);
        painter->drawRoundedRect(rect, 3, 3);
        painter->setPen(theme.onBits(bits));
    }
    QFont font = captionFont();
    font.setWeight(QFont::DemiBold);
    painter->setFont(font);
    painter->drawText(rect, Qt::AlignCenter, QString::number(bits));
    painter->restore();
}

void LayerDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                          const QModelIndex& index) const {
    const PlotTheme theme = PlotTheme::of(option.palette);
    const QRect r = option.rect;
    switch (index.column()) {
    case LayersModel::Name: {
        QStyleOptionViewItem item = option;
        const bool pinned = index.data(LayersModel::PinnedRole).toBool();
        if (option.state & QStyle::State_Selected) {
            item.font.setWeight(QFont::DemiBold);
            item.fontMetrics = QFontMetrics(item.font);
        }
        const int side = std::min(14, r.height() - 6);
        if (!pinned) {
            QStyledItemDelegate::paint(painter, item, index);
        } else {
            // The name gives way to the pin, not the other way round.
            paintRow(painter, option, index);
            item.rect = QStyle::visualRect(option.direction, r, r.adjusted(0, 0, -side - 2, 0));
            item.state &= ~(QStyle::State_Selected | QStyle::State_MouseOver);
            QStyledItemDelegate::paint(painter, item, index);
            const QFontMetrics metrics(item.font);
            const int text = metrics.horizontalAdvance(index.data().toString());
            const int x = std::min(r.left() + 8 + text + 2, r.right() - side);
            const QRect at = QStyle::visualRect(option.direction, r,
                                                QRect(x, r.center().y() - side / 2, side, side));
            painter->drawPixmap(
                at, symbolPixmap(QStringLiteral("pin"), theme.text, at.size(), ratioOf(painter)));
        }
        return;
    }
    case LayersModel::Bits: {
        paintRow(painter, option, index);
        const auto shares = index.data(LayersModel::SharesRole).value<WidthShares>();
        const double total = double(shares.totalWeights());
        const QRectF bar(r.left() + 4, r.center().y() - 3.5, r.width() - 8, 8);
        if (total <= 0) {
            painter->fillRect(bar, theme.groove);
            return;
        }
        double at = 0;
        for (size_t w = 0; w < planWidths.size(); ++w) {
            if (shares.weights[w] == 0) continue;
            const double from = at / total, to = (at + double(shares.weights[w])) / total;
            QRectF part(bar.left() + bar.width() * from, bar.top(), bar.width() * (to - from),
                        bar.height());
            if (option.direction == Qt::RightToLeft) part.moveLeft(bar.right() - bar.width() * to);
            painter->fillRect(part, theme.bits(planWidths[w]));
            at += double(shares.weights[w]);
        }
        return;
    }
    case LayersModel::Sensitivity: {
        paintRow(painter, option, index);
        const double heat = index.data(LayersModel::HeatRole).toDouble();
        const QRect cell(r.left() + 6, r.center().y() - 4, std::min(24, r.width() - 12), 9);
        if (heat < 0)
            painter->fillRect(cell, QBrush(theme.groove, Qt::BDiagPattern));
        else
            painter->fillRect(cell, heatColour(heat, theme.dark));
        return;
    }
    default:
        QStyledItemDelegate::paint(painter, option, index);
    }
}

// --- pins ----------------------------------------------------------------------------------------

QSize PinDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const {
    return {160, option.fontMetrics.height() + QFontMetrics(captionFont()).height() + 8};
}

void PinDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const {
    paintRow(painter, option, index);
    const PlotTheme theme = PlotTheme::of(option.palette);
    const QRect r = option.rect;
    const bool on = index.data(Qt::CheckStateRole).toInt() == Qt::Checked;
    const auto placed = [&](const QRect& rect) {
        return QStyle::visualRect(option.direction, r, rect);
    };
    const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
    QStyleOptionViewItem check = option;
    const int side = style->pixelMetric(QStyle::PM_IndicatorWidth, &option, option.widget);
    check.rect = placed(QRect(r.left(), r.top() + 6, side, side));
    check.state = option.state & ~(QStyle::State_HasFocus | QStyle::State_On | QStyle::State_Off);
    check.state |= on ? QStyle::State_On : QStyle::State_Off;
    style->drawPrimitive(QStyle::PE_IndicatorItemViewItemCheck, &check, painter, option.widget);

    const QFontMetrics body(option.font), caption(captionFont());
    const int left = r.left() + side + 8, chip = 24;
    const int width = r.right() - chip - 8 - left;
    painter->save();
    painter->setFont(option.font);
    painter->setPen(on ? theme.text : theme.secondary);
    painter->drawText(placed(QRect(left, r.top() + 4, width, body.height())),
                      Qt::AlignLeft | Qt::AlignVCenter,
                      body.elidedText(index.data().toString(), Qt::ElideMiddle, width));
    const bool bad = !index.data(PinsModel::ErrorRole).toString().isEmpty();
    painter->setFont(captionFont());
    painter->setPen(bad ? errorText(theme) : theme.secondary);
    painter->drawText(
        placed(QRect(left, r.top() + 4 + body.height(), width, caption.height())),
        Qt::AlignLeft | Qt::AlignVCenter,
        caption.elidedText(index.data(PinsModel::CostRole).toString(), Qt::ElideRight, width));
    painter->restore();
    const int height = caption.height() + 3;
    paintBitChip(painter,
                 placed(QRect(r.right() - chip + 1, r.center().y() - height / 2, chip, height)),
                 index.data(PinsModel::BitsRole).toInt(), theme, !on);
    if (option.state & QStyle::State_HasFocus) {
        QStyleOptionFocusRect focus;
        focus.QStyleOption::operator=(option);
        style->drawPrimitive(QStyle::PE_FrameFocusRect, &focus, painter, option.widget);
    }
}

bool PinDelegate::editorEvent(QEvent* event, QAbstractItemModel* model,
                              const QStyleOptionViewItem& option, const QModelIndex& index) {
    if (event->type() == QEvent::MouseButtonRelease) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        const QRect box = QStyle::visualRect(
            option.direction, option.rect,
            QRect(option.rect.left(), option.rect.top(), 24, option.rect.height()));
        if (mouse->button() != Qt::LeftButton || !box.contains(mouse->position().toPoint()))
            return false;
    } else if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key != Qt::Key_Space && key != Qt::Key_Select) return false;
    } else {
        return false;
    }
    const bool on = index.data(Qt::CheckStateRole).toInt() == Qt::Checked;
    return model->setData(index, int(on ? Qt::Unchecked : Qt::Checked), Qt::CheckStateRole);
}

// --- tables --------------------------------------------------------------------------------------

void PlanDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                         const QModelIndex& index) const {
    const PlotTheme theme = PlotTheme::of(option.palette);
    const bool current = index.data(PlansModel::CurrentRole).toBool();
    if (current) painter->fillRect(option.rect, theme.selectedRow);
    const double progress = index.data(PlansModel::ProgressRole).toDouble();
    if (progress >= 0) {
        paintRow(painter, option, index);
        const QRectF groove(option.rect.right() - 76, option.rect.center().y() - 2.5, 68, 6);
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme.groove);
        painter->drawRoundedRect(groove, 3, 3);
        painter->setBrush(theme.accent);
        painter->drawRoundedRect(
            QRectF(groove.topLeft(), QSizeF(std::max(6.0, groove.width() * progress), 6)), 3, 3);
        painter->restore();
    } else {
        QStyledItemDelegate::paint(painter, option, index);
    }
    if (current && index.column() == 0) {
        const int x =
            option.direction == Qt::RightToLeft ? option.rect.right() - 1 : option.rect.left();
        painter->fillRect(QRect(x, option.rect.top(), 2, option.rect.height()), theme.accent);
    }
}

void SizeDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                         const QModelIndex& index) const {
    QStyledItemDelegate::paint(painter, option, index);
    const int sum = index.data(SizesModel::SumRole).toInt();
    if (sum == 1 || sum == 2)
        painter->fillRect(QRect(option.rect.left(), option.rect.top(), option.rect.width(), 1),
                          PlotTheme::of(option.palette).separator);
}

// --- jobs ----------------------------------------------------------------------------------------

QSize JobDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const {
    return {200, option.fontMetrics.height() + QFontMetrics(captionFont()).height() + 24};
}

void JobDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const {
    paintRow(painter, option, index);
    const PlotTheme theme = PlotTheme::of(option.palette);
    const QRect r = option.rect.adjusted(16, 6, -16, -6);
    const auto placed = [&](const QRect& rect) {
        return QStyle::visualRect(option.direction, r, rect);
    };
    const auto state = Job::State(index.data(JobsModel::StateRole).toInt());
    static constexpr std::array icons{"waiting", "running", "check", "warning", "stop"};
    QColor ink = theme.secondary;
    if (state == Job::State::Running || state == Job::State::Done) ink = theme.accent;
    if (state == Job::State::Failed) ink = theme.divergence;
    painter->drawPixmap(
        placed(QRect(r.left(), r.top() + 1, 16, 16)),
        symbolPixmap(QString::fromLatin1(icons[size_t(state)]), ink, {16, 16}, ratioOf(painter)));
    const QFontMetrics body(option.font), caption(captionFont());
    const int left = r.left() + 24, width = r.right() - left;
    painter->save();
    painter->setFont(option.font);
    painter->setPen(theme.text);
    painter->drawText(placed(QRect(left, r.top(), width, body.height())),
                      Qt::AlignLeft | Qt::AlignVCenter,
                      body.elidedText(index.data().toString(), Qt::ElideRight, width));
    painter->setFont(captionFont());
    painter->setPen(state == Job::State::Failed ? errorText(theme) : theme.secondary);
    painter->drawText(
        placed(QRect(left, r.top() + body.height() + 2, width, caption.height())),
        Qt::AlignLeft | Qt::AlignVCenter,
        caption.elidedText(index.data(JobsModel::StatusRole).toString(), Qt::ElideRight, width));
    if (state == Job::State::Running || state == Job::State::Queued) {
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(Qt::NoPen);
        const QRectF groove = placed(QRect(left, r.bottom() - 4, width, 4));
        painter->setBrush(theme.groove);
        painter->drawRoundedRect(groove, 2, 2);
        const double fraction = index.data(JobsModel::FractionRole).toDouble();
        if (fraction > 0) {
            QRectF done = groove;
            done.setWidth(std::max(4.0, groove.width() * fraction));
            if (option.direction == Qt::RightToLeft) done.moveRight(groove.right());
            painter->setBrush(theme.accent);
            painter->drawRoundedRect(done, 2, 2);
        }
    }
    painter->restore();
}

} // namespace bitloom::ui
