// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_theme.h"

#include <QFont>
#include <QObject>
#include <QPalette>

class QLabel;

namespace bitloom::ui {

class Settings;

/// Red for sentences about what went wrong; unlike the marks of KL divergence it carries text.
QColor errorText(const PlotTheme& theme);

/// The whole palette of a theme; styles and views derive everything else from it.
QPalette paletteOf(const PlotTheme& theme);

/// Puts theme and font size of the settings into effect for the whole application, at once and
/// whenever they change. "System" follows the palette's lightness at the start and after every
/// change of it (Qt 6.4 knows no colour scheme). One object, made in main() or by a test.
class ThemeControl : public QObject {
    Q_OBJECT
public:
    explicit ThemeControl(Settings& settings, QObject* parent = nullptr);

    bool isDark() const { return m_dark; }

signals:
    void changed();

protected:
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    void apply();

    Settings& m_settings;
    QFont m_systemFont;
    QPalette m_systemPalette;
    bool m_dark = false, m_applying = false;
};

/// Distances on the 8-px grid, in logical pixels.
inline constexpr int gridStep = 8, panelMargin = 16, smallGap = 4;

/// Fonts by role, relative to the application's; figures have tabular digits by the font's own.
QFont captionFont(); ///< axes, table heads: 11/13
QFont figureFont();  ///< the line that says where you are: 22/13, semibold
QFont titleFont();   ///< welcome: 28/13, semibold
QFont headingFont(); ///< dock and group titles: semibold

/// A label in the secondary colour and caption size.
QLabel* captionLabel(const QString& text, QWidget* parent = nullptr);
/// In headingFont(), which it follows when the font size changes.
QLabel* headingLabel(const QString& text, QWidget* parent = nullptr);

} // namespace bitloom::ui
