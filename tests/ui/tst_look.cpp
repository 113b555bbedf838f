// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/gui_fixture.h"

#include "ui/models/plans_model.h"
#include "ui/models/sizes_model.h"
#include "ui/models/texts.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/qcp.h"
#include "ui/theme/icons.h"
#include "ui/theme/ts_translator.h"
#include "ui/window/budget_bar.h"
#include "ui/window/explore_page.h"
#include "ui/window/figure_label.h"

#include <QAbstractButton>
#include <QAbstractItemModel>
#include <QAction>
#include <QComboBox>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QGlyphRun>
#include <QLabel>
#include <QRegularExpression>
#include <QScrollArea>
#include <QTextLayout>
#include <QTextOption>
#include <QToolButton>
#include <QTreeView>

#include <algorithm>
#include <utility>
#include <vector>

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

/// Signs that only order a line.
bool unseen(QChar c) {
    return c == QChar(0x200F) || (c >= QChar(0x202A) && c <= QChar(0x202E)) ||
           (c >= QChar(0x2066) && c <= QChar(0x2069));
}

/// What is seen, from left to right, of a line in a program that reads from right to left.
QString seen(const QString& text) {
    QTextLayout layout(text, QFont(QStringLiteral("DejaVu Sans"), 10));
    QTextOption option;
    option.setTextDirection(Qt::RightToLeft);
    layout.setTextOption(option);
    layout.beginLayout();
    const QTextLine line = layout.createLine();
    layout.endLayout();
    std::vector<std::pair<double, QChar>> places;
    for (int i = 0; i < text.size(); ++i) {
        if (unseen(text[i])) continue;
        for (const QGlyphRun& run : line.glyphRuns(i, 1))
            if (!run.positions().isEmpty()) places.emplace_back(run.positions()[0].x(), text[i]);
    }
    std::stable_sort(places.begin(), places.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    QString result;
    for (const auto& [x, c] : places)
        result += c;
    return result;
}

QString written(QString text) {
    return text.removeIf(unseen);
}

/// Texts of a model's cells that are figures.
QStringList figuresOf(const QAbstractItemModel& model, const QModelIndex& parent = {}) {
    static const QRegularExpression digit(QStringLiteral("[0-9]"));
    QStringList texts;
    for (int row = 0; row < model.rowCount(parent); ++row)
        for (int column = 1; column < model.columnCount(parent); ++column) {
            const QString text = model.index(row, column, parent).data().toString();
            if (text.contains(digit)) texts.append(text);
        }
    return texts;
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

    /// With letters of twice the size everything is readable: labels have grown with them, also
    /// those of pages that were not shown, layers have names and the heat map has room.
    void largeLetters() {
        GuiFixture f;
        QVERIFY(f.settle());
        const double base = QApplication::font().pointSizeF();
        const int icon = f.find<QToolButton>("tool-open")->iconSize().width();
        const int box = f.find<QComboBox>("presetBox")->height();
        for (const int percent : {80, 200}) { // twice: what follows only half the way lags behind
            f.settings.setFontPercent(percent);
            f.window->resetLayout();
            QTest::qWait(100);
        }
        f.window->resize(1600, 1000);
        f.window->resetLayout();
        QTest::qWait(200);
        for (QLabel* label : f.window->findChildren<QLabel*>())
            QVERIFY2(label->font().pointSizeF() > 2 * base * 0.8 || label->text().isEmpty(),
                     qPrintable(QStringLiteral("%1 '%2' has %3 pt")
                                    .arg(label->objectName(), label->text())
                                    .arg(label->font().pointSizeF())));
        QVERIFY(f.find<QToolButton>("tool-open")->iconSize().width() > 1.4 * icon);
        auto* tree = f.find<QTreeView>("layersTree");
        QVERIFY(tree->isVisible() && !tree->visibleRegion().isEmpty());
        QVERIFY2(tree->columnWidth(0) >
                     tree->fontMetrics().horizontalAdvance(QStringLiteral("layers.10")),
                 qPrintable(QString::number(tree->columnWidth(0))));
        const QSize map = f.window->explorePage()->heatMap()->canvas()->size();
        QVERIFY2(map.width() >= 500 && map.height() >= 100,
                 qPrintable(QStringLiteral("%1×%2").arg(map.width()).arg(map.height())));
        const auto* plan = qobject_cast<QScrollArea*>(f.find<QWidget>("planPanel"));
        f.window->dock(QStringLiteral("plan"))->raise();
        QTest::qWait(50);
        QVERIFY2(plan->widget()->width() <= plan->viewport()->width(),
                 qPrintable(QStringLiteral("%1 in %2")
                                .arg(plan->widget()->width())
                                .arg(plan->viewport()->width())));
        f.window->dock(QStringLiteral("layers"))->raise();
        QVERIFY2(f.window->minimumSizeHint().width() <= 1640,
                 qPrintable(QString::number(f.window->minimumSizeHint().width())));
        // A page that is hidden meanwhile follows as well.
        f.window->setLayoutId(QStringLiteral("compare"));
        f.settings.setFontPercent(100);
        QTRY_COMPARE(f.find<QComboBox>("presetBox")->height(), box);
        QTRY_VERIFY(f.window->minimumSizeHint().width() <= 1180);
    }

    /// The window fits the screen of a small laptop, in every layout.
    void smallScreens() {
        GuiFixture f;
        QVERIFY(f.settle());
        for (const QString& layout : f.window->layoutIds()) {
            f.window->setLayoutId(layout);
            for (int again = 0; again < 2; ++again) { // the layout of a narrow window takes less
                f.window->resize(1180, 680);
                f.window->resetLayout();
                QTest::qWait(50);
            }
            QVERIFY2(f.window->width() <= 1180 && f.window->height() <= 680,
                     qPrintable(QStringLiteral("%1: %2×%3")
                                    .arg(layout)
                                    .arg(f.window->width())
                                    .arg(f.window->height())));
        }
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

    /// But figures and axes are the same in every language.
    void figuresAreNotMirrored() {
        // Hebrew letters and figures in one line, to see that seen() sees.
        QCOMPARE(seen(QStringLiteral("± 0.16")), QStringLiteral("0.16 ±"));
        QApplication::setLayoutDirection(Qt::RightToLeft);
        const QLocale c = QLocale::c();
        for (const QString& text :
             {signedText(-0.25, 2), signedText(3, 1), fixedText(-2.5, 1), numberText(c, 5.4e-9),
              numberText(c, -12.5), tickText(c, -2, 0.5), bytesText(c, 3.9e9),
              signedBytesText(-2e6), percentText(c, 0.44), percentText(c, 1e-5),
              shortCountText(c, 3.41e6), amountText(6.48e9), durationText(95 * 60),
              durationText(12), isolated(QStringLiteral("15.4 ± 0.2 (FP16 14.9)"))}) {
            QVERIFY(text != written(text));
            QCOMPARE(seen(text), written(text));
            // And within a sentence of that language.
            const QString sentence = QString::fromUtf8("אבג ") + text + QString::fromUtf8(" דהו");
            QVERIFY2(seen(sentence).contains(written(text)), qPrintable(seen(sentence)));
        }
        {
            GuiFixture f;
            QVERIFY(f.settle());
            PlansModel plans(f.workbench);
            SizesModel sizes(f.workbench);
            QTRY_VERIFY(figuresOf(plans).size() > 10);
            for (const QString& text : figuresOf(plans) + figuresOf(sizes))
                QCOMPARE(seen(text), written(text));
            for (FigureLabel* label : f.window->findChildren<FigureLabel*>())
                if (label->isVisible() && label->plainText().contains(QChar(0x00B1)))
                    QVERIFY2(seen(label->plainText())
                                 .contains(QRegularExpression(QStringLiteral("± [0-9.]+"))),
                             qPrintable(seen(label->plainText())));
            const QCustomPlot* plot = f.window->explorePage()->channels()->plot();
            QVERIFY(!plot->xAxis->rangeReversed());
            QVERIFY(plot->yAxis->axisRect()->left() < plot->width() / 4);
            QVERIFY(plot->xAxis->coordToPixel(0) < plot->xAxis->coordToPixel(10));
        }
        QApplication::setLayoutDirection(Qt::LeftToRight);
        QCOMPARE(signedText(3, 1), QStringLiteral("+3.0")); // nothing else in it
    }

    /// Signs that no font has would be taken from another one, and shift the line.
    void orderingSignsTakeNoRoom() {
        QApplication::setLayoutDirection(Qt::RightToLeft);
        const QString text = isolated(QStringLiteral("15.4 ± 0.2"));
        QApplication::setLayoutDirection(Qt::LeftToRight);
        const auto measured = [](const QString& line) {
            QTextLayout layout(line, QFont(QStringLiteral("DejaVu Sans"), 10));
            layout.beginLayout();
            const QTextLine made = layout.createLine();
            layout.endLayout();
            return std::pair(made.naturalTextWidth(), made.height());
        };
        QVERIFY(text.size() > written(text).size());
        QCOMPARE(measured(text), measured(written(text)));
    }
};

QTEST_MAIN(TestLook)
#include "tst_look.moc"
