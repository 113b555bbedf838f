// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/gui_fixture.h"

#include "ui/theme/icons.h"
#include "ui/theme/ts_translator.h"
#include "ui/window/budget_bar.h"

#include <QAbstractButton>
#include <QAction>
#include <QDialog>
#include <QDir>
#include <QLabel>
#include <QToolButton>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// Texts that do not fit their widgets; elided labels and those that wrap look after themselves.
QStringList clipped(QWidget& window) {
    QStringList faults;
    for (QWidget* widget : window.findChildren<QWidget*>()) {
        if (!widget->isVisible() || widget->visibleRegion().isEmpty()) continue;
        QString text;
        if (auto* button = qobject_cast<QAbstractButton*>(widget)) text = button->text();
        if (auto* label = qobject_cast<QLabel*>(widget))
            if (!label->wordWrap() && !label->inherits("bitloom::ui::ElidedLabel"))
                text = label->text();
        if (text.isEmpty()) continue;
        // One pixel is rounding.
        if (widget->width() + 1 < widget->sizeHint().width() ||
            widget->height() + 1 < widget->sizeHint().height())
            faults.append(QStringLiteral("'%1' (%2) has %3×%4 and needs %5×%6")
                              .arg(text, widget->objectName())
                              .arg(widget->width())
                              .arg(widget->height())
                              .arg(widget->sizeHint().width())
                              .arg(widget->sizeHint().height()));
    }
    return faults;
}

} // namespace

class TestLook : public QObject {
    Q_OBJECT
private slots:
    void contrast_data() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void contrast() {
        QFETCH(bool, dark);
        const PlotTheme& t = dark ? PlotTheme::darkTheme() : PlotTheme::light();
        for (const QColor& ground : {t.window, t.panel, t.selectedRow}) {
            QVERIFY(contrastRatio(t.text, ground) >= 4.5);
            QVERIFY(contrastRatio(t.secondary, ground) >= 4.5);
        }
        for (const QColor& ground : {t.window, t.panel}) {
            QVERIFY(contrastRatio(t.accent, ground) >= 4.5);
            QVERIFY(contrastRatio(errorText(t), ground) >= 4.5);
        }
        QVERIFY(contrastRatio(t.accent, t.selectedRow) >= 3.0);
        QVERIFY(contrastRatio(t.warning, t.panel) >= 4.5);
        QVERIFY(contrastRatio(t.divergence, t.panel) >= 3.0);
        // The main button's text, and the tick in a box.
        QVERIFY(contrastRatio(dark ? QColor(0x0B, 0x1F, 0x1E) : QColor(Qt::white), t.accent) >=
                4.5);
        for (const int width : planWidths) {
            QVERIFY(contrastRatio(t.bits(width), t.panel) >= 3.0);
            QVERIFY(contrastRatio(t.onBits(width), t.bits(width)) >= 4.5);
        }
        const QPalette p = paletteOf(t);
        QVERIFY(contrastRatio(p.color(QPalette::Text), p.color(QPalette::Base)) >= 4.5);
        QVERIFY(contrastRatio(p.color(QPalette::ButtonText), p.color(QPalette::Button)) >= 4.5);
        QVERIFY(contrastRatio(p.color(QPalette::HighlightedText), p.color(QPalette::Highlight)) >=
                4.5);
        QVERIFY(contrastRatio(p.color(QPalette::ToolTipText), p.color(QPalette::ToolTipBase)) >=
                4.5);
    }

    void themeTakesEffectAtOnce() {
        GuiFixture f;
        QVERIFY(qApp->palette().color(QPalette::Window).lightnessF() > 0.5);
        f.settings.setTheme(Settings::Theme::Dark);
        QVERIFY(qApp->palette().color(QPalette::Window).lightnessF() < 0.5);
        QVERIFY(f.theme->isDark());
        QTest::qWait(20);
        const QImage grab = f.window->grab().toImage().scaled(1, 1, Qt::IgnoreAspectRatio,
                                                              Qt::SmoothTransformation);
        QVERIFY(QColor(grab.pixel(0, 0)).lightnessF() < 0.4);
        const double before = QApplication::font().pointSizeF();
        f.settings.setFontPercent(150);
        QCOMPARE(QApplication::font().pointSizeF(), before * 1.5);
    }

    /// Every icon is a drawing of its own that takes on the colour of the text.
    void icons() {
        const QDir dir(QStringLiteral(BITLOOM_SOURCE_DIR "/resources/icons"));
        const QStringList files = dir.entryList({QStringLiteral("*.svg")});
        QVERIFY(files.size() > 20);
        for (const QString& file : files) {
            const QString name = file.chopped(4);
            if (name == QLatin1String("bitloom")) continue;
            const QImage image = symbolPixmap(name, QColor(255, 0, 0), QSize(16, 16), 2)
                                     .toImage()
                                     .convertToFormat(QImage::Format_ARGB32);
            QCOMPARE(image.size(), QSize(32, 32));
            int ink = 0;
            for (int y = 0; y < 32; ++y)
                for (int x = 0; x < 32; ++x)
                    if (qAlpha(image.pixel(x, y)) > 200) {
                        ++ink;
                        QVERIFY2(qRed(image.pixel(x, y)) > 230, qPrintable(name));
                    }
            QVERIFY2(ink > 20, qPrintable(name));
        }
        QVERIFY(!applicationIcon().pixmap(64, 64).isNull());
    }

    void nothingIsClipped_data() {
        QTest::addColumn<QString>("language");
        QTest::addColumn<int>("percent");
        QTest::newRow("English") << QStringLiteral("en") << 100;
        QTest::newRow("German") << QStringLiteral("de") << 100;
        QTest::newRow("pseudo") << QStringLiteral("pseudo") << 100;
        QTest::newRow("small") << QStringLiteral("en") << 80;
        QTest::newRow("large") << QStringLiteral("en") << 130;
    }
    void nothingIsClipped() {
        QFETCH(QString, language);
        QFETCH(int, percent);
        TsTranslator german;
        PseudoTranslator pseudo;
        if (language == QLatin1String("de")) {
            QVERIFY(german.loadResource(language));
            QCoreApplication::installTranslator(&german);
        }
        if (language == QLatin1String("pseudo")) QCoreApplication::installTranslator(&pseudo);
        {
            GuiFixture f;
            f.settings.setFontPercent(percent);
            f.window->resize(percent > 100 ? 1900 : 1600, 1000);
            QVERIFY(f.settle());
            // Layouts follow the font by and by.
            QTRY_COMPARE(clipped(*f.window).join(QLatin1Char('\n')), QString());
            for (const char* id : {"preferences", "pin", "analyze", "model", "why", "guide"}) {
                QDialog* dialog = f.window->makeDialog(QString::fromLatin1(id));
                dialog->show();
                QTest::qWait(10);
                QCOMPARE(clipped(*dialog).join(QLatin1Char('\n')), QString());
                delete dialog;
            }
        }
        QCoreApplication::removeTranslator(&german);
        QCoreApplication::removeTranslator(&pseudo);
    }

    void translatesPlurals() {
        TsTranslator t;
        QVERIFY(t.loadText(R"(<?xml version="1.0"?><TS version="2.1" language="de"><context>
            <name>A</name>
            <message numerus="yes"><source>%n job(s)</source><translation>
              <numerusform>%n Auftrag</numerusform><numerusform>%n Aufträge</numerusform>
            </translation></message>
            <message><source>Open</source><comment>verb</comment><translation>Öffnen</translation></message>
            <message><source>New</source><translation type="unfinished">Neu</translation></message>
            </context></TS>)"));
        QCOMPARE(t.translate("A", "%n job(s)", nullptr, 1), QStringLiteral("%n Auftrag"));
        QCOMPARE(t.translate("A", "%n job(s)", nullptr, 3), QStringLiteral("%n Aufträge"));
        QCOMPARE(t.translate("A", "Open", "verb", -1), QStringLiteral("Öffnen"));
        QVERIFY(t.translate("A", "New", nullptr, -1).isEmpty());
        QVERIFY(t.translate("B", "Open", "verb", -1).isEmpty());
        QVERIFY(!TsTranslator().loadText("<TS><context>"));
    }

    /// Right to left: the window mirrors, and the slider with it.
    void mirrors() {
        QApplication::setLayoutDirection(Qt::RightToLeft);
        {
            GuiFixture f;
            auto* value = f.find<QWidget>("budgetValue");
            auto* unit = f.find<QWidget>("budgetUnit");
            QVERIFY(unit->mapToGlobal(QPoint()).x() > value->mapToGlobal(QPoint()).x());
            QVERIFY(!f.window->grab().isNull());
        }
        QApplication::setLayoutDirection(Qt::LeftToRight);
    }
};

QTEST_MAIN(TestLook)
#include "tst_look.moc"
