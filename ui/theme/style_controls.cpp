// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// The single controls of StudioStyle.
#include "ui/plots/plot_theme.h"
#include "ui/theme/icons.h"
#include "ui/theme/studio_style.h"

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QFrame>
#include <QLineEdit>
#include <QMenu>
#include <QPainter>
#include <QPainterPath>
#include <QStyleOption>
#include <QTabBar>
#include <QToolBar>
#include <QToolButton>

namespace bitloom::ui {

namespace {

QColor blend(const QColor& under, const QColor& over, double share) {
    return QColor::fromRgbF(float(under.redF() * (1 - share) + over.redF() * share),
                            float(under.greenF() * (1 - share) + over.greenF() * share),
                            float(under.blueF() * (1 - share) + over.blueF() * share));
}

/// Fill and hairline of a control, the line on the pixel grid.
void box(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& line,
         double radius = 4) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setBrush(fill.alpha() == 0 ? Qt::NoBrush : QBrush(fill));
    painter->setPen(line.alpha() == 0 ? Qt::NoPen : QPen(line, 1));
    painter->drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius);
    painter->restore();
}

/// Keyboard focus: an accent line of 2 px inside the control's edge, visible on every fill.
void focusBox(QPainter* painter, const QRect& rect, const QColor& accent, double radius = 4) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(accent, 2));
    painter->drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), radius - 0.5, radius - 0.5);
    painter->restore();
}

void chevron(QPainter* painter, const QRect& rect, const QColor& colour, Qt::ArrowType direction,
             double size = 7) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(colour, 1.4, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter->translate(QRectF(rect).center());
    switch (direction) {
    case Qt::UpArrow:
        painter->rotate(180);
        break;
    case Qt::LeftArrow:
        painter->rotate(90);
        break;
    case Qt::RightArrow:
        painter->rotate(-90);
        break;
    default:
        break;
    }
    const double h = size / 2;
    painter->drawPolyline(QPolygonF{{-h, -h / 2}, {0, h / 2}, {h, -h / 2}});
    painter->restore();
}

bool has(const QStyleOption* option, QStyle::StateFlag flag) {
    return option->state & flag;
}

bool keyboardFocus(const QStyleOption* option) {
    return has(option, QStyle::State_HasFocus) && has(option, QStyle::State_KeyboardFocusChange);
}

} // namespace

void StudioStyle::drawPushButton(const QStyleOption* option, QPainter* painter,
                                 const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option);
    const bool enabled = has(option, State_Enabled);
    const bool down = has(option, State_Sunken) || has(option, State_On);
    const bool hover = enabled && has(option, State_MouseOver);
    QColor fill = option->palette.color(QPalette::Button), line = theme.border;
    if (widget && widget->property("primary").toBool()) {
        fill = enabled ? theme.accent : theme.groove;
        if (down)
            fill = blend(fill, QColor(Qt::black), 0.18);
        else if (hover)
            fill = blend(fill, theme.dark ? QColor(Qt::white) : QColor(Qt::black), 0.10);
        line = fill;
    } else {
        if (button && (button->features & QStyleOptionButton::Flat)) {
            fill = line = QColor(0, 0, 0, 0);
            if (hover || down) fill = theme.grid;
        } else if (down) {
            fill = theme.selectedRow;
        } else if (hover) {
            fill = blend(fill, theme.text, 0.06);
        }
        if (!enabled && line.alpha() > 0) line = theme.separator;
    }
    box(painter, option->rect, fill, line);
    if (keyboardFocus(option))
        focusBox(painter, option->rect,
                 widget && widget->property("primary").toBool() ? theme.text : theme.accent);
    if (button && (button->features & QStyleOptionButton::HasMenu)) {
        const QRect arrow = visualRect(
            option->direction, option->rect,
            QRect(option->rect.right() - 20, option->rect.top(), 14, option->rect.height()));
        chevron(painter, arrow, option->palette.color(QPalette::ButtonText), Qt::DownArrow);
    }
}

void StudioStyle::drawToolButton(const QStyleOption* option, QPainter* painter,
                                 const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const bool on = has(option, State_On), down = has(option, State_Sunken);
    const bool hover = has(option, State_Enabled) && has(option, State_MouseOver);
    const QVariant segment = widget ? widget->property("segment") : QVariant();
    if (segment.isValid()) {
        // A row of buttons drawn as one control: outer corners are round, inner edges shared.
        const int place = segment.toInt();
        const QRectF r = QRectF(option->rect).adjusted(place < 0 ? 0.5 : -0.5, 0.5, -0.5, -0.5);
        const bool mirrored = option->direction == Qt::RightToLeft;
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setClipRect(option->rect);
        const QColor base = option->palette.color(QPalette::Button);
        painter->setPen(QPen(theme.border, 1));
        const bool chosen = on && has(option, State_Enabled);
        painter->setBrush(chosen  ? theme.selectedRow
                          : hover ? blend(base, theme.text, 0.06)
                                  : base);
        const double left = (place < 0) != mirrored || place == 0 ? 0 : 8;
        const bool roundLeft = mirrored ? place > 0 : place < 0;
        const bool roundRight = mirrored ? place < 0 : place > 0;
        Q_UNUSED(left)
        painter->drawRoundedRect(r.adjusted(roundLeft ? 0 : -8, 0, roundRight ? 0 : 8, 0), 4, 4);
        if (!roundRight || !roundLeft)
            painter->drawLine(QPointF(option->rect.right() + 0.5, r.top()),
                              QPointF(option->rect.right() + 0.5, r.bottom()));
        painter->restore();
    } else if (on || down) {
        box(painter, option->rect, theme.selectedRow, QColor(0, 0, 0, 0));
    } else if (hover) {
        box(painter, option->rect, theme.grid, QColor(0, 0, 0, 0));
    }
    if (keyboardFocus(option)) focusBox(painter, option->rect, theme.accent);
}

void StudioStyle::drawComboBox(const QStyleOptionComplex* option, QPainter* painter,
                               const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const bool enabled = has(option, State_Enabled);
    QColor fill = option->palette.color(QPalette::Button);
    if (enabled && has(option, State_MouseOver)) fill = blend(fill, theme.text, 0.04);
    box(painter, option->rect, fill, enabled ? theme.border : theme.separator);
    if (has(option, State_HasFocus)) focusBox(painter, option->rect, theme.accent);
    chevron(painter, subControlRect(CC_ComboBox, option, SC_ComboBoxArrow, widget),
            option->palette.color(QPalette::ButtonText), Qt::DownArrow);
}

void StudioStyle::drawSpinBox(const QStyleOptionComplex* option, QPainter* painter,
                              const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const auto* spin = qstyleoption_cast<const QStyleOptionSpinBox*>(option);
    const bool enabled = has(option, State_Enabled);
    box(painter, option->rect, option->palette.color(QPalette::Base),
        enabled ? theme.border : theme.separator);
    if (has(option, State_HasFocus)) focusBox(painter, option->rect, theme.accent);
    if (!spin || spin->buttonSymbols == QAbstractSpinBox::NoButtons) return;
    const auto arrow = [&](SubControl which, Qt::ArrowType direction,
                           QAbstractSpinBox::StepEnabledFlag flag) {
        const QRect r = subControlRect(CC_SpinBox, option, which, widget);
        const bool live = enabled && (spin->stepEnabled & flag);
        QColor colour = live ? theme.secondary : theme.border;
        if (live && (spin->activeSubControls & which) && has(option, State_MouseOver))
            colour = theme.text;
        chevron(painter, r.translated(0, direction == Qt::UpArrow ? 2 : -2), colour, direction, 6);
    };
    arrow(SC_SpinBoxUp, Qt::UpArrow, QAbstractSpinBox::StepUpEnabled);
    arrow(SC_SpinBoxDown, Qt::DownArrow, QAbstractSpinBox::StepDownEnabled);
}

void StudioStyle::drawScrollBar(const QStyleOptionComplex* option, QPainter* painter,
                                const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const auto* bar = qstyleoption_cast<const QStyleOptionSlider*>(option);
    painter->fillRect(option->rect, option->palette.brush(QPalette::Base));
    if (!bar || bar->maximum == bar->minimum) return;
    QRect handle = subControlRect(CC_ScrollBar, option, SC_ScrollBarSlider, widget);
    handle = bar->orientation == Qt::Horizontal ? handle.adjusted(2, 3, -2, -3)
                                                : handle.adjusted(3, 2, -3, -2);
    const bool hot = has(option, State_MouseOver) || has(option, State_Sunken);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(Qt::NoPen);
    painter->setBrush(hot ? theme.secondary : theme.border);
    painter->drawRoundedRect(handle, 3, 3);
    painter->restore();
}

void StudioStyle::drawTab(const QStyleOption* option, QPainter* painter, const QWidget*) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const bool selected = has(option, State_Selected);
    const QRect r = option->rect;
    painter->fillRect(r, selected ? theme.panel : theme.window);
    if (!selected && has(option, State_MouseOver)) painter->fillRect(r, theme.grid);
    const auto* tab = qstyleoption_cast<const QStyleOptionTab*>(option);
    const bool bottom = tab && tab->shape == QTabBar::RoundedSouth;
    if (selected)
        painter->fillRect(bottom ? QRect(r.left(), r.bottom() - 1, r.width(), 2)
                                 : QRect(r.left(), r.top(), r.width(), 2),
                          theme.accent);
    if (keyboardFocus(option)) focusBox(painter, r.adjusted(2, 3, -2, -2), theme.accent);
}

void StudioStyle::drawHeaderSection(const QStyleOption* option, QPainter* painter) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    painter->fillRect(option->rect, option->palette.brush(QPalette::Base));
    if (has(option, State_MouseOver)) painter->fillRect(option->rect, theme.grid);
    painter->fillRect(QRect(option->rect.left(), option->rect.bottom(), option->rect.width(), 1),
                      theme.separator);
}

void StudioStyle::drawProgress(const QStyleOption* option, QPainter* painter) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option);
    if (!bar) return;
    QRectF groove = QRectF(option->rect);
    if (groove.height() > 6)
        groove = QRectF(groove.left(), groove.center().y() - 3, groove.width(), 6);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(Qt::NoPen);
    painter->setBrush(theme.groove);
    painter->drawRoundedRect(groove, 3, 3);
    const double range = double(bar->maximum) - bar->minimum;
    if (range > 0 && bar->progress > bar->minimum) {
        QRectF done = groove;
        done.setWidth(std::max(6.0, groove.width() * (bar->progress - bar->minimum) / range));
        if (option->direction == Qt::RightToLeft) done.moveRight(groove.right());
        painter->setBrush(theme.accent);
        painter->drawRoundedRect(done, 3, 3);
    }
    painter->restore();
}

void StudioStyle::drawCheck(const QStyleOption* option, QPainter* painter, bool round) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    const bool enabled = has(option, State_Enabled);
    const bool on = has(option, State_On), partly = has(option, State_NoChange);
    const double side = std::min(option->rect.width(), option->rect.height());
    QRectF r(0, 0, side, side);
    r.moveCenter(QRectF(option->rect).center());
    r.adjust(0.5, 0.5, -0.5, -0.5);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const bool filled = (on || partly) && !round;
    QColor line = enabled ? theme.secondary : theme.border;
    QColor fill = option->palette.color(QPalette::Base);
    if (filled) line = fill = enabled ? theme.accent : theme.border;
    if (round && on && enabled) line = theme.accent;
    painter->setPen(QPen(line, 1));
    painter->setBrush(fill);
    if (round) {
        painter->drawEllipse(r);
        if (on) {
            painter->setPen(Qt::NoPen);
            painter->setBrush(enabled ? theme.accent : theme.border);
            const double inset = side * 0.27;
            painter->drawEllipse(r.adjusted(inset, inset, -inset, -inset));
        }
    } else {
        painter->drawRoundedRect(r, 3, 3);
        const QColor ink = theme.dark ? QColor(0x0B, 0x1F, 0x1E) : QColor(Qt::white);
        painter->setPen(
            QPen(ink, std::max(1.6, side / 9), Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
        const auto at = [&](double x, double y) {
            return QPointF(r.left() + x * r.width(), r.top() + y * r.height());
        };
        if (partly)
            painter->drawLine(at(0.28, 0.5), at(0.72, 0.5));
        else if (on)
            painter->drawPolyline(QPolygonF{at(0.24, 0.52), at(0.43, 0.70), at(0.77, 0.31)});
    }
    painter->restore();
    if (keyboardFocus(option)) focusBox(painter, r.toRect().adjusted(-2, -2, 3, 3), theme.accent);
}

void StudioStyle::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                                     QPainter* painter, const QWidget* widget) const {
    switch (control) {
    case CC_ComboBox:
        drawComboBox(option, painter, widget);
        return;
    case CC_SpinBox:
        drawSpinBox(option, painter, widget);
        return;
    case CC_ScrollBar:
        drawScrollBar(option, painter, widget);
        return;
    case CC_ToolButton: {
        drawToolButton(option, painter, widget);
        auto label = *qstyleoption_cast<const QStyleOptionToolButton*>(option);
        const bool arrow = label.features & QStyleOptionToolButton::HasMenu;
        if (arrow) {
            const QRect at = visualRect(
                option->direction, option->rect,
                QRect(option->rect.right() - 16, option->rect.top(), 14, option->rect.height()));
            chevron(painter, at, option->palette.color(QPalette::ButtonText), Qt::DownArrow, 6);
            label.rect =
                visualRect(option->direction, option->rect, option->rect.adjusted(0, 0, -12, 0));
            label.features &= ~QStyleOptionToolButton::HasMenu;
        }
        label.state &= ~(State_Sunken | State_HasFocus);
        if (label.toolButtonStyle != Qt::ToolButtonTextBesideIcon || label.icon.isNull()) {
            drawControl(CE_ToolButtonLabel, &label, painter, widget);
            return;
        }
        // Icon and text with 8 px between them, where Fusion has hardly any.
        const QSize size = label.iconSize;
        const bool live = has(option, State_Enabled);
        const QRect icon =
            visualRect(option->direction, label.rect,
                       QRect(label.rect.left() + 8, label.rect.center().y() - size.height() / 2 + 1,
                             size.width(), size.height()));
        label.icon.paint(painter, icon, Qt::AlignCenter, live ? QIcon::Normal : QIcon::Disabled);
        const QRect text = visualRect(option->direction, label.rect,
                                      label.rect.adjusted(8 + size.width() + 8, 0, -4, 0));
        drawItemText(painter, text, Qt::AlignVCenter | Qt::AlignLeft | Qt::TextHideMnemonic,
                     option->palette, live, label.text, QPalette::ButtonText);
        return;
    }
    default:
        QProxyStyle::drawComplexControl(control, option, painter, widget);
    }
}

void StudioStyle::drawPrimitive(PrimitiveElement element, const QStyleOption* option,
                                QPainter* painter, const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    switch (element) {
    case PE_PanelLineEdit: {
        if (widget && qobject_cast<const QAbstractSpinBox*>(widget->parentWidget())) return;
        const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
        if (frame && frame->lineWidth == 0) {
            painter->fillRect(option->rect, option->palette.brush(QPalette::Base));
            return;
        }
        box(painter, option->rect, option->palette.color(QPalette::Base),
            has(option, State_Enabled) ? theme.border : theme.separator);
        if (has(option, State_HasFocus)) focusBox(painter, option->rect, theme.accent);
        return;
    }
    case PE_FrameLineEdit:
        return;
    case PE_Frame:
    case PE_FrameGroupBox:
        if (widget && widget->property("flat-panel").toBool()) return;
        box(painter, option->rect, QColor(0, 0, 0, 0), theme.separator);
        if (has(option, State_HasFocus)) focusBox(painter, option->rect, theme.accent);
        return;
    case PE_FrameMenu:
        box(painter, option->rect, QColor(0, 0, 0, 0), theme.border, 1);
        return;
    case PE_PanelMenu:
        painter->fillRect(option->rect, option->palette.brush(QPalette::ToolTipBase));
        return;
    case PE_FrameFocusRect:
        if (has(option, State_KeyboardFocusChange))
            focusBox(painter, option->rect, theme.accent, 3);
        return;
    case PE_IndicatorCheckBox:
    case PE_IndicatorItemViewItemCheck:
        drawCheck(option, painter, false);
        return;
    case PE_IndicatorRadioButton:
        drawCheck(option, painter, true);
        return;
    case PE_IndicatorBranch:
        if (has(option, State_Children)) {
            const bool open = has(option, State_Open);
            chevron(painter, option->rect, theme.secondary,
                    open                                   ? Qt::DownArrow
                    : option->direction == Qt::RightToLeft ? Qt::LeftArrow
                                                           : Qt::RightArrow,
                    7);
        }
        return;
    case PE_IndicatorHeaderArrow: {
        const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option);
        if (header && header->sortIndicator != QStyleOptionHeader::None)
            chevron(painter, option->rect, theme.secondary,
                    header->sortIndicator == QStyleOptionHeader::SortUp ? Qt::UpArrow
                                                                        : Qt::DownArrow,
                    6);
        return;
    }
    case PE_IndicatorDockWidgetResizeHandle:
        painter->fillRect(option->rect, theme.separator);
        return;
    case PE_PanelButtonTool:
        drawToolButton(option, painter, widget);
        return;
    case PE_FrameStatusBarItem:
    case PE_FrameTabBarBase:
    case PE_PanelToolBar:
    case PE_FrameDockWidget:
    case PE_FrameTabWidget:
        return;
    case PE_PanelStatusBar:
        painter->fillRect(option->rect, option->palette.brush(QPalette::Window));
        painter->fillRect(QRect(option->rect.left(), option->rect.top(), option->rect.width(), 1),
                          theme.separator);
        return;
    case PE_IndicatorToolBarSeparator: {
        const QRect r = option->rect;
        painter->fillRect(QRect(r.center().x(), r.top() + 5, 1, r.height() - 10), theme.border);
        return;
    }
    case PE_PanelItemViewRow:
    case PE_PanelItemViewItem: {
        const auto* item = qstyleoption_cast<const QStyleOptionViewItem*>(option);
        if (has(option, State_Selected))
            painter->fillRect(option->rect, option->palette.brush(QPalette::Highlight));
        else if (item && has(option, State_MouseOver) && has(option, State_Enabled))
            painter->fillRect(option->rect, theme.grid);
        if (item && item->backgroundBrush.style() != Qt::NoBrush && !has(option, State_Selected))
            painter->fillRect(option->rect, item->backgroundBrush);
        return;
    }
    case PE_PanelTipLabel:
        box(painter, option->rect, option->palette.color(QPalette::ToolTipBase), theme.border, 4);
        return;
    default:
        QProxyStyle::drawPrimitive(element, option, painter, widget);
    }
}

} // namespace bitloom::ui
