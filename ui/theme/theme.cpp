// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/theme/theme.h"

#include "ui/state/settings.h"
#include "ui/theme/studio_style.h"

#include <QApplication>
#include <QEvent>
#include <QFontDatabase>
#include <QLabel>

namespace bitloom::ui {

namespace {

QFont scaled(double factor, QFont::Weight weight) {
    QFont font = QApplication::font();
    if (font.pointSizeF() > 0)
        font.setPointSizeF(font.pointSizeF() * factor);
    else
        font.setPixelSize(qRound(font.pixelSize() * factor));
    font.setWeight(weight);
    return font;
}

QColor mixed(const QColor& a, const QColor& b, double share) {
    return QColor::fromRgbF(float(a.redF() * (1 - share) + b.redF() * share),
                            float(a.greenF() * (1 - share) + b.greenF() * share),
                            float(a.blueF() * (1 - share) + b.blueF() * share));
}

} // namespace

QColor errorText(const PlotTheme& theme) {
    return theme.dark ? mixed(theme.divergence, theme.text, 0.3) : theme.divergence;
}

QPalette paletteOf(const PlotTheme& t) {
    QPalette p;
    p.setColor(QPalette::Window, t.window);
    p.setColor(QPalette::WindowText, t.text);
    p.setColor(QPalette::Base, t.panel);
    p.setColor(QPalette::AlternateBase, t.window);
    p.setColor(QPalette::Text, t.text);
    p.setColor(QPalette::PlaceholderText, t.secondary);
    p.setColor(QPalette::Button, t.dark ? mixed(t.panel, t.text, 0.07) : t.panel);
    p.setColor(QPalette::ButtonText, t.text);
    p.setColor(QPalette::BrightText, t.divergence);
    p.setColor(QPalette::ToolTipBase, t.dark ? mixed(t.panel, t.text, 0.10) : t.panel);
    p.setColor(QPalette::ToolTipText, t.text);
    p.setColor(QPalette::Highlight, t.selectedRow);
    p.setColor(QPalette::HighlightedText, t.text);
    p.setColor(QPalette::Link, t.accent);
    p.setColor(QPalette::LinkVisited, t.accent);
    // Fusion's own shades, and where this program looks for its lines.
    p.setColor(QPalette::Light, t.dark ? t.separator : QColor(Qt::white));
    p.setColor(QPalette::Midlight, t.separator);
    p.setColor(QPalette::Mid, t.border);
    p.setColor(QPalette::Dark, t.secondary);
    p.setColor(QPalette::Shadow, t.dark ? QColor(0, 0, 0) : t.border);
    const QColor faint = mixed(t.secondary, t.panel, 0.35);
    for (const QPalette::ColorRole role :
         {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::HighlightedText})
        p.setColor(QPalette::Disabled, role, faint);
    p.setColor(QPalette::Disabled, QPalette::Base, t.window);
    p.setColor(QPalette::Disabled, QPalette::Button, t.window);
    p.setColor(QPalette::Disabled, QPalette::Highlight, t.separator);
    return p;
}

ThemeControl::ThemeControl(Settings& settings, QObject* parent)
    : QObject(parent), m_settings(settings), m_systemFont(QApplication::font()),
      m_systemPalette(QApplication::palette()) {
    // A system without a font setting of its own gives Qt's fallback: 13 px reads as the design has
    // it, whatever the resolution.
    if (m_systemFont.pointSizeF() > 0 && m_systemFont.pointSizeF() < 9.75)
        m_systemFont.setPointSizeF(9.75);
    QApplication::setStyle(new StudioStyle);
    apply();
    connect(&settings, &Settings::appearanceChanged, this, &ThemeControl::apply);
    qApp->installEventFilter(this);
}

bool ThemeControl::eventFilter(QObject* object, QEvent* event) {
    if (object == qApp && event->type() == QEvent::ApplicationPaletteChange && !m_applying) {
        // Not ours: the system changed, and its palette is in force now.
        m_systemPalette = QApplication::palette();
        if (m_settings.theme() == Settings::Theme::System) apply();
    }
    return QObject::eventFilter(object, event);
}

void ThemeControl::apply() {
    switch (m_settings.theme()) {
    case Settings::Theme::Light:
        m_dark = false;
        break;
    case Settings::Theme::Dark:
        m_dark = true;
        break;
    case Settings::Theme::System:
        m_dark = m_systemPalette.color(QPalette::Window).lightnessF() < 0.5;
        break;
    }
    m_applying = true;
    QFont font = m_systemFont;
    const double factor = m_settings.fontPercent() / 100.0;
    if (font.pointSizeF() > 0)
        font.setPointSizeF(font.pointSizeF() * factor);
    else
        font.setPixelSize(qRound(font.pixelSize() * factor));
    if (font != QApplication::font()) {
        QApplication::setFont(font);
        // Icons are as large as the text, and their users ask the style for it only then. Labels of
        // a size of their own follow then, too: events about the font come at various times.
        for (QWidget* widget : QApplication::allWidgets()) {
            QEvent event(QEvent::StyleChange);
            QCoreApplication::sendEvent(widget, &event);
        }
    }
    QApplication::setPalette(paletteOf(m_dark ? PlotTheme::darkTheme() : PlotTheme::light()));
    QApplication::setEffectEnabled(Qt::UI_AnimateCombo, false);
    QApplication::setEffectEnabled(Qt::UI_AnimateMenu, false);
    m_applying = false;
    emit changed();
}

QFont captionFont() {
    return scaled(11.0 / 13, QFont::Normal);
}

QFont figureFont() {
    return scaled(22.0 / 13, QFont::DemiBold);
}

QFont titleFont() {
    return scaled(28.0 / 13, QFont::DemiBold);
}

QFont headingFont() {
    return scaled(1, QFont::DemiBold);
}

namespace {

/// Keeps font and colour right when theme or font size change.
class Caption : public QLabel {
public:
    explicit Caption(const QString& text, QWidget* parent) : QLabel(text, parent) { update(); }

protected:
    void changeEvent(QEvent* event) override {
        QLabel::changeEvent(event);
        if (event->type() == QEvent::StyleChange || event->type() == QEvent::PaletteChange)
            update();
    }

private:
    void update() {
        if (font() != captionFont()) setFont(captionFont());
        const QColor ink = PlotTheme::of(QApplication::palette()).secondary;
        if (palette().color(QPalette::Active, QPalette::WindowText) == ink) return;
        QPalette own; // only this role: all others go on following the application
        // On panels labels take the role Text instead,
        own.setColor(QPalette::WindowText, ink);
        own.setColor(QPalette::Text, ink);
        own.setColor(QPalette::ButtonText, ink); // and on tool bars
        setPalette(own);
    }
};

class Heading : public QLabel {
public:
    explicit Heading(const QString& text, QWidget* parent) : QLabel(text, parent) {
        setFont(headingFont());
    }

protected:
    void changeEvent(QEvent* event) override {
        QLabel::changeEvent(event);
        if (event->type() == QEvent::StyleChange && font() != headingFont()) setFont(headingFont());
    }
};

} // namespace

QLabel* headingLabel(const QString& text, QWidget* parent) {
    return new Heading(text, parent);
}

QLabel* captionLabel(const QString& text, QWidget* parent) {
    return new Caption(text, parent);
}

} // namespace bitloom::ui
