// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/theme/studio_style.h"

#include "ui/plots/plot_theme.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDockWidget>
#include <QHeaderView>
#include <QLineEdit>
#include <QMainWindow>
#include <QMenu>
#include <QMenuBar>
#include <QPainter>
#include <QPushButton>
#include <QStatusBar>
#include <QStyleFactory>
#include <QStyleOption>
#include <QTabBar>
#include <QToolBar>
#include <QToolButton>

namespace bitloom::ui {

namespace {

int controlHeight(const QStyleOption* option, const QWidget* widget, int least) {
    const QFontMetrics metrics = option ? option->fontMetrics : QFontMetrics(widget->font());
    return std::max(least, metrics.height() + 10);
}

} // namespace

StudioStyle::StudioStyle() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {}

void StudioStyle::polish(QWidget* widget) {
    QProxyStyle::polish(widget);
    if (qobject_cast<QPushButton*>(widget) || qobject_cast<QComboBox*>(widget) ||
        qobject_cast<QAbstractSpinBox*>(widget) || qobject_cast<QTabBar*>(widget) ||
        qobject_cast<QHeaderView*>(widget))
        widget->setAttribute(Qt::WA_Hover);
}

int StudioStyle::pixelMetric(PixelMetric metric, const QStyleOption* option,
                             const QWidget* widget) const {
    switch (metric) {
    case PM_DefaultFrameWidth:
        return 1;
    case PM_ComboBoxFrameWidth:
    case PM_SpinBoxFrameWidth:
        return 1;
    case PM_ButtonMargin:
        return 12;
    case PM_ButtonShiftHorizontal:
    case PM_ButtonShiftVertical:
        return 0;
    case PM_ButtonDefaultIndicator:
        return 0;
    case PM_LayoutLeftMargin:
    case PM_LayoutRightMargin:
    case PM_LayoutTopMargin:
    case PM_LayoutBottomMargin:
        return widget && widget->isWindow() ? 24 : 16;
    case PM_LayoutHorizontalSpacing:
    case PM_LayoutVerticalSpacing:
        return 8;
    case PM_ScrollBarExtent:
        return 12;
    case PM_ScrollBarSliderMin:
        return 32;
    case PM_SplitterWidth:
    case PM_DockWidgetSeparatorExtent:
        return 1;
    case PM_DockWidgetFrameWidth:
        return 0;
    case PM_DockWidgetTitleMargin:
        return 8;
    case PM_DockWidgetTitleBarButtonMargin:
        return 4;
    case PM_ToolBarItemSpacing:
        return 4;
    case PM_ToolBarItemMargin:
        return 0;
    case PM_ToolBarFrameWidth:
        return 0;
    case PM_MenuBarItemSpacing:
    case PM_MenuBarPanelWidth:
        return 0;
    case PM_MenuBarHMargin:
        return 8;
    case PM_MenuBarVMargin:
        return 2;
    case PM_SmallIconSize:
    case PM_ButtonIconSize:
    case PM_ToolBarIconSize:
    case PM_TabBarIconSize:
        return std::max(16, QFontMetrics(QApplication::font()).ascent() + 3);
    case PM_IndicatorWidth:
    case PM_IndicatorHeight:
    case PM_ExclusiveIndicatorWidth:
    case PM_ExclusiveIndicatorHeight:
        return std::max(16,
                        QFontMetrics(widget ? widget->font() : QApplication::font()).ascent() + 2);
    case PM_CheckBoxLabelSpacing:
    case PM_RadioButtonLabelSpacing:
        return 8;
    case PM_TabBarTabHSpace:
        return 32;
    case PM_TabBarTabVSpace:
        return 14;
    case PM_TabBarTabShiftHorizontal:
    case PM_TabBarTabShiftVertical:
    case PM_TabBarTabOverlap:
    case PM_TabBarBaseOverlap:
    case PM_TabBarBaseHeight:
        return 0;
    case PM_HeaderMargin:
        return 4;
    case PM_TreeViewIndentation:
        return 16;
    default:
        return QProxyStyle::pixelMetric(metric, option, widget);
    }
}

int StudioStyle::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                           QStyleHintReturn* data) const {
    switch (hint) {
    case SH_EtchDisabledText:
    case SH_DitherDisabledText:
    case SH_DialogButtonBox_ButtonsHaveIcons:
    case SH_UnderlineShortcut:
        return 0;
    case SH_Slider_AbsoluteSetButtons: // a click goes there, as everywhere today
        return Qt::LeftButton;
    case SH_TabBar_Alignment:
        return Qt::AlignLeft;
    case SH_ComboBox_Popup:
        return 0;
    case SH_DialogButtonLayout: // the main button is the last one
        return QDialogButtonBox::GnomeLayout;
    case SH_Menu_SloppySubMenus:
        return 1;
    default:
        return QProxyStyle::styleHint(hint, option, widget, data);
    }
}

QIcon StudioStyle::standardIcon(StandardPixmap standard, const QStyleOption* option,
                                const QWidget* widget) const {
    switch (standard) {
    case SP_TitleBarCloseButton:
    case SP_DockWidgetCloseButton:
        return symbol("close");
    case SP_TitleBarNormalButton:
        return symbol("float");
    case SP_LineEditClearButton:
        return symbol("clear");
    case SP_ToolBarHorizontalExtensionButton:
        return symbol("more");
    case SP_MessageBoxQuestion:
        return symbol("help");
    case SP_MessageBoxInformation:
        return symbol("info");
    case SP_MessageBoxWarning:
        return symbol("warning");
    case SP_MessageBoxCritical:
        return symbol("error");
    default:
        return QProxyStyle::standardIcon(standard, option, widget);
    }
}

QSize StudioStyle::sizeFromContents(ContentsType type, const QStyleOption* option,
                                    const QSize& size, const QWidget* widget) const {
    QSize result = QProxyStyle::sizeFromContents(type, option, size, widget);
    switch (type) {
    case CT_PushButton: {
        result = size + QSize(24, 0);
        if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option))
            if (!button->icon.isNull() && !button->text.isEmpty()) result.rwidth() += 4;
        if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option))
            if (button->features & QStyleOptionButton::HasMenu) result.rwidth() += 16;
        result.setHeight(controlHeight(option, widget, 28));
        break;
    }
    case CT_ComboBox:
        result = QSize(size.width() + 16 + 28, controlHeight(option, widget, 28));
        break;
    case CT_SpinBox:
        result = QSize(size.width() + 8 + 24, controlHeight(option, widget, 28));
        break;
    case CT_LineEdit:
        result.setHeight(std::max(result.height(), controlHeight(option, widget, 28)));
        break;
    case CT_ToolButton: {
        result = size + QSize(12, 0);
        const auto* button = qstyleoption_cast<const QStyleOptionToolButton*>(option);
        if (button && (button->features & QStyleOptionToolButton::HasMenu)) result.rwidth() += 12;
        if (button && button->toolButtonStyle == Qt::ToolButtonTextBesideIcon)
            result.rwidth() += 14;
        result.setHeight(controlHeight(option, widget, 28));
        break;
    }
    case CT_MenuItem: {
        const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option);
        if (item && item->menuItemType == QStyleOptionMenuItem::Separator)
            result.setHeight(9);
        else
            result.setHeight(controlHeight(option, widget, 26));
        result.rwidth() += 16;
        break;
    }
    case CT_MenuBarItem:
        result = size + QSize(16, 0);
        result.setHeight(controlHeight(option, widget, 26));
        break;
    case CT_HeaderSection:
        result.setHeight(std::max(26, option->fontMetrics.height() + 10));
        break;
    case CT_ItemViewItem:
        result.setHeight(std::max(result.height(), std::max(24, option->fontMetrics.height() + 6)));
        break;
    case CT_TabBarTab:
        result.setHeight(std::max(32, option->fontMetrics.height() + 14));
        break;
    case CT_ProgressBar:
        result.setHeight(6);
        break;
    default:
        break;
    }
    return result;
}

QRect StudioStyle::subControlRect(ComplexControl control, const QStyleOptionComplex* option,
                                  SubControl subControl, const QWidget* widget) const {
    const QRect r = option->rect;
    const bool rightToLeft = option->direction == Qt::RightToLeft;
    const auto placed = [&](QRect rect) {
        return rightToLeft ? visualRect(option->direction, r, rect) : rect;
    };
    if (control == CC_ComboBox) {
        if (subControl == SC_ComboBoxArrow)
            return placed(QRect(r.right() - 27, r.top(), 28, r.height()));
        if (subControl == SC_ComboBoxEditField) return placed(r.adjusted(8, 1, -27, -1));
    }
    if (control == CC_SpinBox) {
        const auto* spin = qstyleoption_cast<const QStyleOptionSpinBox*>(option);
        const bool buttons = spin && spin->buttonSymbols != QAbstractSpinBox::NoButtons;
        const int width = buttons ? 22 : 0, middle = r.top() + r.height() / 2;
        if (subControl == SC_SpinBoxUp)
            return buttons
                       ? placed(QRect(r.right() - width, r.top() + 1, width, middle - r.top() - 1))
                       : QRect();
        if (subControl == SC_SpinBoxDown)
            return buttons ? placed(QRect(r.right() - width, middle, width, r.bottom() - middle))
                           : QRect();
        if (subControl == SC_SpinBoxEditField) return placed(r.adjusted(6, 1, -width - 2, -1));
    }
    if (control == CC_ScrollBar) {
        // Without arrow buttons: the groove is the whole bar.
        const auto* bar = qstyleoption_cast<const QStyleOptionSlider*>(option);
        const bool across = bar && bar->orientation == Qt::Horizontal;
        const int length = across ? r.width() : r.height();
        if (!bar) return QProxyStyle::subControlRect(control, option, subControl, widget);
        int size = length;
        if (bar->maximum != bar->minimum) {
            const double range = double(bar->maximum) - bar->minimum;
            size = int(double(bar->pageStep) * length / (range + bar->pageStep));
            size = std::clamp(size, std::min(32, length), length);
        }
        const int at = sliderPositionFromValue(bar->minimum, bar->maximum, bar->sliderPosition,
                                               length - size, bar->upsideDown);
        const auto part = [&](int from, int extent) {
            return across ? QRect(r.left() + from, r.top(), extent, r.height())
                          : QRect(r.left(), r.top() + from, r.width(), extent);
        };
        switch (subControl) {
        case SC_ScrollBarGroove:
            return r;
        case SC_ScrollBarSlider:
            return placed(part(at, size));
        case SC_ScrollBarSubPage:
            return placed(part(0, at));
        case SC_ScrollBarAddPage:
            return placed(part(at + size, length - at - size));
        default:
            return {};
        }
    }
    return QProxyStyle::subControlRect(control, option, subControl, widget);
}

QRect StudioStyle::subElementRect(SubElement element, const QStyleOption* option,
                                  const QWidget* widget) const {
    if (element == SE_LineEditContents && widget && qobject_cast<const QLineEdit*>(widget) &&
        !qobject_cast<const QAbstractSpinBox*>(widget->parentWidget()))
        return option->rect.adjusted(6, 1, -6, -1);
    if (element == SE_ProgressBarGroove || element == SE_ProgressBarContents) return option->rect;
    return QProxyStyle::subElementRect(element, option, widget);
}

void StudioStyle::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                              const QWidget* widget) const {
    const PlotTheme theme = PlotTheme::of(option->palette);
    switch (element) {
    case CE_PushButtonBevel:
        drawPushButton(option, painter, widget);
        return;
    case CE_PushButtonLabel: {
        auto label = *qstyleoption_cast<const QStyleOptionButton*>(option);
        if (widget && widget->property("primary").toBool() && (option->state & State_Enabled))
            label.palette.setColor(QPalette::ButtonText,
                                   theme.dark ? QColor(0x0B, 0x1F, 0x1E) : QColor(Qt::white));
        label.features &= ~QStyleOptionButton::DefaultButton;
        if (!label.icon.isNull() && !label.text.isEmpty()) {
            // Icon and text in the middle, 8 px apart.
            const QSize icon = label.iconSize;
            const int width =
                label.fontMetrics.size(Qt::TextShowMnemonic, label.text).width() + icon.width() + 8;
            QRect both(0, 0, width, label.rect.height());
            both.moveCenter(label.rect.center());
            const bool live = label.state & State_Enabled;
            label.icon.paint(
                painter,
                visualRect(label.direction, both,
                           QRect(both.left(), both.center().y() - icon.height() / 2 + 1,
                                 icon.width(), icon.height())),
                Qt::AlignCenter, live ? QIcon::Normal : QIcon::Disabled);
            drawItemText(
                painter,
                visualRect(label.direction, both, both.adjusted(icon.width() + 8, 0, 0, 0)),
                Qt::AlignVCenter | Qt::AlignLeft | Qt::TextHideMnemonic, label.palette, live,
                label.text, QPalette::ButtonText);
            return;
        }
        QProxyStyle::drawControl(element, &label, painter, widget);
        return;
    }
    case CE_TabBarTabShape:
        drawTab(option, painter, widget);
        return;
    case CE_HeaderSection:
        drawHeaderSection(option, painter);
        return;
    case CE_HeaderEmptyArea:
        painter->fillRect(option->rect, option->palette.brush(QPalette::Base));
        return;
    case CE_ProgressBar:
        drawProgress(option, painter);
        return;
    case CE_Splitter:
        painter->fillRect(option->rect, theme.separator);
        return;
    case CE_ToolBar:
        painter->fillRect(option->rect, option->palette.brush(QPalette::Window));
        return;
    case CE_MenuBarEmptyArea:
        painter->fillRect(option->rect, option->palette.brush(QPalette::Window));
        return;
    case CE_MenuBarItem: {
        const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option);
        // Mnemonics show while Alt is held, as everywhere.
        const bool keys = QGuiApplication::keyboardModifiers() & Qt::AltModifier;
        painter->fillRect(option->rect, option->palette.brush(QPalette::Window));
        if (option->state & (State_Selected | State_Sunken)) {
            painter->setRenderHint(QPainter::Antialiasing);
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme.selectedRow);
            painter->drawRoundedRect(option->rect.adjusted(1, 1, -1, -1), 4, 4);
        }
        proxy()->drawItemText(painter, option->rect,
                              Qt::AlignCenter | Qt::TextSingleLine |
                                  (keys ? Qt::TextShowMnemonic : Qt::TextHideMnemonic),
                              option->palette, option->state & State_Enabled, item->text,
                              QPalette::WindowText);
        return;
    }
    case CE_DockWidgetTitle: {
        const auto* dock = qstyleoption_cast<const QStyleOptionDockWidget*>(option);
        painter->fillRect(option->rect, option->palette.brush(QPalette::Window));
        painter->fillRect(
            QRect(option->rect.left(), option->rect.bottom(), option->rect.width(), 1),
            theme.separator);
        painter->save();
        const QFont font = headingFont();
        painter->setFont(font);
        const bool mirrored = option->direction == Qt::RightToLeft;
        const QRect text = proxy()
                               ->subElementRect(SE_DockWidgetTitleBarText, option, widget)
                               .adjusted(mirrored ? 0 : 12, 0, mirrored ? -12 : 0, 0);
        proxy()->drawItemText(
            painter, text, Qt::AlignVCenter | visualAlignment(option->direction, Qt::AlignLeft),
            option->palette, true,
            QFontMetrics(font).elidedText(dock->title, Qt::ElideRight, text.width()),
            QPalette::WindowText);
        painter->restore();
        return;
    }
    default:
        QProxyStyle::drawControl(element, option, painter, widget);
    }
}

} // namespace bitloom::ui
