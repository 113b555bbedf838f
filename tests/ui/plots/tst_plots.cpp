// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/ui/plots/plot_samples.h"
#include "ui/plots/divergence_strip.h"
#include "ui/plots/heat_colours.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/histogram_widget.h"
#include "ui/plots/number_text.h"
#include "ui/plots/pareto_plot.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/qcp.h"

#include <QAccessible>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace bitloom::ui;

namespace {

void show(PlotView& view, QSize size) {
    view.setPalette(samples::palette(PlotTheme::light()));
    view.resize(size);
    view.show();
    QApplication::processEvents();
}

/// OKLab lightness, from the definition.
double lightness(QRgb colour) {
    const auto linear = [](int channel) {
        const double c = channel / 255.0;
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    const double r = linear(qRed(colour)), g = linear(qGreen(colour)), b = linear(qBlue(colour));
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
}

} // namespace

class TestPlots : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    void coloursKeepTheirContrast() {
        for (const PlotTheme* theme : {&PlotTheme::light(), &PlotTheme::darkTheme()}) {
            for (const int bits : bitWidths) {
                QVERIFY2(contrastRatio(theme->bits(bits), theme->panel) >= 3.0,
                         qPrintable(QString::number(bits)));
                QVERIFY(contrastRatio(theme->onBits(bits), theme->bits(bits)) >= 4.5);
            }
            QVERIFY(contrastRatio(theme->bits(0), theme->panel) >= 3.0);
            for (const QColor& background : {theme->panel, theme->window, theme->selectedRow})
                for (const QColor& ink : {theme->text, theme->secondary, theme->accent})
                    QVERIFY(contrastRatio(ink, background) >= 4.5 ||
                            (background == theme->selectedRow && ink != theme->text));
            QVERIFY(contrastRatio(theme->warning, theme->panel) >= 4.5);
            QSet<QRgb> different;
            for (const int bits : bitWidths)
                different << theme->bits(bits).rgb();
            QCOMPARE(different.size(), qsizetype(bitWidths.size()));
        }
        QCOMPARE(contrastRatio(Qt::white, Qt::black), 21.0);
    }

    void themeFollowsThePalette() {
        QVERIFY(!PlotTheme::of(samples::palette(PlotTheme::light())).dark);
        QVERIFY(PlotTheme::of(samples::palette(PlotTheme::darkTheme())).dark);
        // A base on which the colours of the data would drown is not taken over.
        QPalette grey = samples::palette(PlotTheme::light());
        grey.setColor(QPalette::Base, QColor(0x90, 0x90, 0x90));
        QCOMPARE(PlotTheme::of(grey).panel, PlotTheme::light().panel);
    }

    void heatColoursAreEven() {
        for (const bool dark : {false, true}) {
            const auto& colours = heatColours(dark);
            const double first = lightness(colours[0]), last = lightness(colours[255]);
            QVERIFY(dark ? last > first : first > last);
            const double step = (last - first) / 255;
            for (int i = 0; i < 256; ++i)
                QVERIFY2(std::abs(lightness(colours[size_t(i)]) - (first + step * i)) < 0.012,
                         qPrintable(QString::number(i)));
        }
    }

    void numbersGoThroughTheLocale_data() {
        QTest::addColumn<double>("value");
        QTest::addColumn<QString>("english");
        QTest::addColumn<QString>("german");
        QTest::newRow("0") << 0.0 << "0"
                           << "0";
        QTest::newRow("1") << 1.0 << "1"
                           << "1";
        QTest::newRow("336.5") << 336.5 << "336.5"
                               << "336,5";
        QTest::newRow("4096") << 4096.0 << "4,096"
                              << "4.096";
        QTest::newRow("-0.0035") << -0.0035 << "\u22120.0035"
                                 << "\u22120,0035";
        QTest::newRow("3.1e-9") << 3.1e-9 << QString::fromUtf8("3.1·10⁻⁹")
                                << QString::fromUtf8("3,1·10⁻⁹");
        QTest::newRow("1e-5") << 1e-5 << QString::fromUtf8("10⁻⁵") << QString::fromUtf8("10⁻⁵");
        QTest::newRow("nan") << double(NAN) << QString::fromUtf8("–") << QString::fromUtf8("–");
    }
    void numbersGoThroughTheLocale() {
        QFETCH(double, value);
        QFETCH(QString, english);
        QFETCH(QString, german);
        QCOMPARE(numberText(QLocale(QLocale::English), value), english);
        QCOMPARE(numberText(QLocale(QLocale::German), value), german);
    }

    void ticksShareTheirDecimals() {
        const QLocale locale(QLocale::English);
        QCOMPARE(tickText(locale, 14, 0.5), QStringLiteral("14.0"));
        QCOMPARE(tickText(locale, 0.25, 0.25), QStringLiteral("0.25"));
        QCOMPARE(tickText(locale, 0, 0.25), QStringLiteral("0"));
        QCOMPARE(tickText(locale, 2000, 500), QStringLiteral("2,000"));
        QCOMPARE(roundTicks(0, 1, 5),
                 (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
        QVERIFY(roundTicks(1, 1, 5).empty());
        QVERIFY(roundTicks(0, NAN, 5).empty());
    }

    void heatMapSelectsByMouseAndKeys() {
        HeatMap map;
        map.setData(samples::syntheticHeatMap(7, 32, 24, 32));
        show(map, {900, 300});
        QSignalSpy clicked(&map, &HeatMap::layerClicked), moved(&map, &HeatMap::cursorMoved);
        QTest::mouseClick(map.canvas(), Qt::LeftButton, {}, map.canvas()->rect().center());
        QCOMPARE(clicked.size(), 1);
        QCOMPARE(clicked[0][0].toInt(), 3);
        const int row = clicked[0][1].toInt();
        QVERIFY(row >= 14 && row <= 18);
        QCOMPARE(map.selected(), (std::pair<int, int>{3, row}));
        QTest::keyClick(map.canvas(), Qt::Key_Right);
        QTest::keyClick(map.canvas(), Qt::Key_Right);
        QTest::keyClick(map.canvas(), Qt::Key_Down);
        QCOMPARE(moved.last(), (QVariantList{3, row + 1, 1}));
        const float value = map.data().values[size_t((3 * 32 + row + 1) * 24 + 1)];
        QCOMPARE(map.readout(), QString::fromUtf8("layer\u00A0%1, o, sensitivity\u00A0%2\u00A0nats "
                                                  "per token at 3 bits, quantile 0.08")
                                    .arg(row + 1)
                                    .arg(numberText(QLocale::c(), double(value), 3)));
        QCOMPARE(QAccessible::queryAccessibleInterface(map.canvas())->text(QAccessible::Value),
                 map.readout());
        QTest::keyClick(map.canvas(), Qt::Key_Return);
        QCOMPARE(clicked.last(), (QVariantList{3, row + 1}));
        QTest::keyClick(map.canvas(), Qt::Key_Right, Qt::ControlModifier);
        QCOMPARE(moved.last()[0].toInt(), 4);
    }

    void heatMapFillsRowByRow() {
        HeatMap map;
        HeatMapData data = samples::syntheticHeatMap(2, 4, 3, 0);
        map.setData(data);
        show(map, {400, 200});
        const QImage nothing = map.canvas()->grab().toImage();
        const std::vector<float> row{1e-8f, 1e-7f, 1e-6f};
        map.setRow(1, 2, row);
        map.setRow(9, 2, row);
        map.setRow(1, 2, std::vector<float>{1.f});
        QApplication::processEvents();
        QVERIFY(map.canvas()->grab().toImage() != nothing);
        QCOMPARE(map.tableCell(2 * 2 + 1, 4).toFloat(), 1e-6f);
        QVERIFY(std::isnan(map.tableCell(0, 2).toFloat()));
        // The ends of the row are the ends of the colours.
        const QImage image = map.canvas()->grab().toImage();
        const auto& colours = heatColours(false);
        int lowest = 0, highest = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) {
                lowest += image.pixel(x, y) == colours[0];
                highest += image.pixel(x, y) == colours[255];
            }
        QVERIFY(lowest > 200);
        QVERIFY(highest > 200);
    }

    void oneHotCellAmongMoreCellsThanPixelsIsVisible() {
        HeatMap map;
        HeatMapData data = samples::syntheticHeatMap(1, 224, 4096, 224);
        std::fill(data.values.begin(), data.values.end(), 1e-8f);
        data.values[100 * 4096 + 1777] = 1.f;
        map.setData(data);
        show(map, {420, 180});
        const QImage image = map.canvas()->grab().toImage();
        bool seen = false;
        for (int y = 0; y < image.height() && !seen; ++y)
            for (int x = 0; x < image.width() && !seen; ++x)
                seen = image.pixel(x, y) == heatColours(false)[255];
        QVERIFY(seen);
    }

    void histogramReadsOutAndKeepsItsRows() {
        HistogramWidget histogram;
        histogram.setShares({{3, 600, 6}, {4, 400, 4}});
        show(histogram, {300, 260});
        QSignalSpy clicked(&histogram, &HistogramWidget::bitsClicked);
        QTest::keyClick(histogram.canvas(), Qt::Key_End);
        QTest::keyClick(histogram.canvas(), Qt::Key_Up);
        QCOMPARE(
            histogram.readout(),
            QString::fromUtf8("3 bits: 60.0\u00A0% of the weights, 600 weights in 6 channels"));
        QTest::keyClick(histogram.canvas(), Qt::Key_Return);
        QCOMPARE(clicked.last()[0].toInt(), 3);
        const int rows = histogram.tableRows();
        histogram.setLive(true);
        histogram.setShares({{1, 10, 1}, {4, 400, 4}});
        QCOMPARE(histogram.tableRows(), rows + 1);
        histogram.setShares({{4, 400, 4}});
        QCOMPARE(histogram.tableRows(), rows + 1);
        histogram.setLive(false);
        QCOMPARE(histogram.tableRows(), rows);
        histogram.setShares({});
        histogram.setShares({{4, 0, 0}});
        QVERIFY(!histogram.grab().isNull());
    }

    void draggingThePlanAsksForBudgets() {
        ParetoPlot plot;
        const ParetoData data = samples::realPareto();
        plot.setData(data);
        const PredictedPoint at = data.predicted[14];
        plot.setPlan(at);
        show(plot, {700, 300});
        QSignalSpy asked(&plot, &ParetoPlot::budgetRequested);
        const auto pixel = [&](double bits, double ppl) {
            return QPoint(int(std::lround(plot.plot()->xAxis->coordToPixel(bits))),
                          int(std::lround(plot.plot()->yAxis->coordToPixel(ppl))));
        };
        QTest::mousePress(plot.canvas(), Qt::LeftButton, {}, pixel(at.bits, at.perplexity));
        for (const double bits : {3.8, 4.25, 99.0}) {
            QMouseEvent move(QEvent::MouseMove, pixel(bits, at.perplexity), QPointF(), Qt::NoButton,
                             Qt::LeftButton, {});
            QApplication::sendEvent(plot.canvas(), &move);
        }
        QTest::mouseRelease(plot.canvas(), Qt::LeftButton, {}, pixel(4.25, at.perplexity));
        QCOMPARE(asked.size(), 3);
        QVERIFY(std::abs(asked[0][0].toDouble() - 3.8) < 0.02);
        QVERIFY(std::abs(asked[1][0].toDouble() - 4.25) < 0.02);
        QCOMPARE(asked[2][0].toDouble(), data.predicted.back().bits);
        // After the release the pointer only hovers.
        QTest::mouseMove(plot.canvas(), pixel(3, 15));
        QCOMPARE(asked.size(), 3);
    }

    void paretoReadsOutMeasurements() {
        ParetoPlot plot;
        ParetoData data;
        MeasuredMark mark;
        mark.label = QStringLiteral("Balanced");
        mark.bits = 3.5;
        mark.bytes = 2.0 * 1024 * 1024 * 1024;
        mark.perplexity = 5.94;
        mark.sigma = 0.03;
        mark.predicted = 5.91;
        mark.text = QStringLiteral("wikitext-2");
        mark.tokens = 1000;
        data.measured = {mark};
        plot.setData(data);
        show(plot, {500, 300});
        QTest::keyClick(plot.canvas(), Qt::Key_Right);
        QCOMPARE(plot.readout(),
                 QString::fromUtf8("Balanced, measured: 3.50 bits per weight, 2.00\u00A0GiB, "
                                   "perplexity 5.94\u00A0±\u00A00.03, on wikitext-2, 1000 tokens, "
                                   "was predicted 5.91, off by −0.5\u00A0%"));
        QSignalSpy asked(&plot, &ParetoPlot::budgetRequested);
        QTest::keyClick(plot.canvas(), Qt::Key_Return);
        QCOMPARE(asked[0][0].toDouble(), 3.5);
    }

    void divergenceStepsOverDifferences() {
        DivergenceStrip strip;
        std::vector<TokenDivergence> tokens(20);
        for (size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = {0.01f * float(i), -0.1f, i != 6 && i != 13, QString::number(i)};
        strip.append(tokens);
        show(strip, {500, 140});
        QSignalSpy moved(&strip, &DivergenceStrip::cursorMoved);
        QTest::keyClick(strip.canvas(), Qt::Key_Down);
        QCOMPARE(strip.currentToken(), 6);
        QTest::keyClick(strip.canvas(), Qt::Key_Down);
        QTest::keyClick(strip.canvas(), Qt::Key_Down);
        QCOMPARE(strip.currentToken(), 13);
        QTest::keyClick(strip.canvas(), Qt::Key_Up);
        QCOMPARE(strip.currentToken(), 6);
        QCOMPARE(strip.readout(),
                 QString::fromUtf8("Token 7, “6”, KL 0.06 nats, Δ ln p −0.1, another top token"));
        QCOMPARE(moved.size(), 3);
    }

    void everyStateIsShown() {
        HeatMap map;
        show(map, {500, 260});
        QSignalSpy action(&map, &PlotView::actionRequested);
        const auto button = [&](const QString& text) -> QPushButton* {
            for (QPushButton* candidate : map.findChildren<QPushButton*>())
                if (candidate->text() == text && candidate->isVisible()) return candidate;
            return nullptr;
        };
        using Kind = PlotState::Kind;
        for (const Kind kind :
             {Kind::Empty, Kind::Loading, Kind::Partial, Kind::Stale, Kind::Error}) {
            map.setState({kind, QStringLiteral("message"), QStringLiteral("detail"),
                          QStringLiteral("Do it"), 0.3});
            QApplication::processEvents();
            QPushButton* found = button(QStringLiteral("Do it"));
            QVERIFY(found);
            QTest::mouseClick(found, Qt::LeftButton);
            QVERIFY(!map.grab().isNull());
        }
        QCOMPARE(action.size(), 5);
        map.setState({});
        QVERIFY(!button(QStringLiteral("Do it")));
    }

    void emptyAndOddDataNeverCrash() {
        HeatMap map;
        ParetoPlot pareto;
        DivergenceStrip strip;
        HeatMapData odd = samples::syntheticHeatMap(2, 2, 2, 2);
        odd.values = {NAN, INFINITY, 0, -1, -INFINITY, 1e-45f, 3e38f, NAN};
        for (const bool logarithmic : {true, false}) {
            odd.logarithmic = logarithmic;
            map.setData(odd);
            show(map, {300, 200});
            QVERIFY(!map.grab().isNull());
        }
        odd.values.pop_back();
        map.setData(odd);
        map.setData({});
        ParetoData data;
        data.predicted = {{NAN, 1, 1, 1, 1}, {3, 0, 5, NAN, NAN}, {3, 0, 5, 5, 5}};
        data.measured.push_back({});
        pareto.setData(data);
        pareto.setPlan({3, 0, 5, NAN, NAN});
        pareto.setHorizontal(ParetoPlot::Horizontal::Size);
        show(pareto, {300, 200});
        pareto.setData({});
        strip.append(std::vector<TokenDivergence>{{NAN, NAN, false, {}}, {INFINITY, 0, false, {}}});
        strip.setFirstDifference(99);
        strip.setCurrentToken(1);
        show(strip, {300, 120});
        strip.clear();
        for (PlotView* view : {static_cast<PlotView*>(&map), static_cast<PlotView*>(&pareto),
                               static_cast<PlotView*>(&strip)}) {
            QTest::keyClick(view->canvas(), Qt::Key_Right);
            QTest::mouseClick(view->canvas(), Qt::LeftButton, {}, QPoint(100, 50));
            view->setTableShown(true);
            view->resize(40, 30);
            QVERIFY(!view->grab().isNull());
        }
    }

    void darkAndMirroredRepaint() {
        HistogramWidget histogram;
        histogram.setShares({{3, 600, 6}, {4, 400, 4}});
        show(histogram, {300, 260});
        const QImage light = histogram.grab().toImage();
        histogram.setPalette(samples::palette(PlotTheme::darkTheme()));
        QApplication::processEvents();
        const QImage dark = histogram.grab().toImage();
        QVERIFY(dark != light);
        bool found = false;
        for (int y = 0; y < dark.height() && !found; ++y)
            for (int x = 0; x < dark.width() && !found; ++x)
                found = dark.pixelColor(x, y) == PlotTheme::darkTheme().bits(3);
        QVERIFY(found);
        histogram.setLayoutDirection(Qt::RightToLeft);
        QApplication::processEvents();
        QVERIFY(histogram.grab().toImage() != dark);
    }
};

QTEST_MAIN(TestPlots)
#include "tst_plots.moc"
