// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/ui/plots/plot_samples.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/qcp.h"

#include <QAccessible>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace bitloom::ui;
using Ranges = std::vector<ChannelRange>;

namespace {

/// A layer of equal values with one spike.
samples::Layer spikeAt(int channels, int spike, float height = 1000.f) {
    samples::Layer layer;
    layer.data.layer = QStringLiteral("spiky");
    layer.data.rows = 64;
    layer.data.channels = channels;
    layer.data.values[0].assign(size_t(channels), 1.f);
    layer.data.values[0][size_t(spike)] = height;
    layer.bits.assign(size_t(channels), 3);
    layer.bits[size_t(spike)] = 8;
    return layer;
}

struct Shown {
    ChannelPlot plot;
    explicit Shown(const samples::Layer& layer, QSize size = {900, 360}) {
        plot.setPalette(samples::palette(PlotTheme::light()));
        plot.setData(layer.data);
        plot.setPlan(layer.bits);
        plot.resize(size);
        plot.show();
        QApplication::processEvents();
    }
    QImage grab() { return plot.plot()->grab().toImage(); }
    QRect area() const { return plot.plot()->axisRect()->rect(); }
    /// Middle of a channel on the canvas, in index order.
    QPoint at(int channel, double value) const {
        return {int(plot.plot()->xAxis->coordToPixel(channel)),
                int(plot.plot()->yAxis->coordToPixel(value))};
    }
    void mouse(QEvent::Type type, QPoint at, Qt::MouseButtons buttons,
               Qt::KeyboardModifiers keys = {}) {
        QMouseEvent event(type, at, plot.canvas()->mapToGlobal(at),
                          type == QEvent::MouseMove ? Qt::NoButton : Qt::LeftButton, buttons, keys);
        QApplication::sendEvent(plot.canvas(), &event);
    }
    void drag(int from, int to, Qt::KeyboardModifiers keys) {
        const QPoint a = at(from, 1), b = at(to, 1);
        mouse(QEvent::MouseButtonPress, a, Qt::LeftButton, keys);
        mouse(QEvent::MouseMove, (a + b) / 2, Qt::LeftButton, keys);
        mouse(QEvent::MouseMove, b, Qt::LeftButton, keys);
        mouse(QEvent::MouseButtonRelease, b, Qt::NoButton, keys);
    }
};

bool hasColour(const QImage& image, const QRect& area, const QColor& colour) {
    for (int y = area.top(); y <= area.bottom(); ++y)
        for (int x = area.left(); x <= area.right(); ++x)
            if (image.valid(x, y) && image.pixelColor(x, y) == colour) return true;
    return false;
}

} // namespace

class TestChannelPlot : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    void spikeIsVisibleAtEveryZoom_data() {
        QTest::addColumn<int>("spike");
        QTest::addColumn<bool>("logarithmic");
        for (const int spike : {0, 1, 777, 32'768, 65'534, 65'535})
            for (const bool logarithmic : {false, true})
                QTest::addRow("%d %s", spike, logarithmic ? "log" : "lin") << spike << logarithmic;
    }
    void spikeIsVisibleAtEveryZoom() {
        QFETCH(int, spike);
        QFETCH(bool, logarithmic);
        Shown shown(spikeAt(65'536, spike));
        shown.plot.setLogarithmic(logarithmic);
        for (int step = 0; step < 14; ++step) {
            QApplication::processEvents();
            const QImage image = shown.grab();
            // Half way up there is nothing but the spike.
            const QPoint middle = shown.at(spike, logarithmic ? 40 : 500);
            QVERIFY2(hasColour(image, QRect(middle - QPoint(2, 1), QSize(5, 3)),
                               PlotTheme::light().bits(8)),
                     qPrintable(QStringLiteral("zoom step %1").arg(step)));
            shown.plot.zoom(2, spike);
        }
    }

    void everyWidthHasItsColour() {
        // Sixteen wide channels, one after another with every width.
        samples::Layer layer = spikeAt(16, 0, 10.f);
        layer.data.values[0].assign(16, 10.f);
        for (int k = 0; k < 16; ++k)
            layer.bits[size_t(k)] = uint8_t(bitWidths[size_t(k) % bitWidths.size()]);
        for (const PlotTheme* theme : {&PlotTheme::light(), &PlotTheme::darkTheme()}) {
            Shown shown(layer);
            shown.plot.setPalette(samples::palette(*theme));
            QApplication::processEvents();
            const QImage image = shown.grab();
            for (int k = 0; k < 16; ++k)
                QCOMPARE(image.pixelColor(shown.at(k, 9.9) + QPoint(0, 3)),
                         theme->bits(layer.bits[size_t(k)]));
        }
    }

    void planRecoloursInPlace() {
        Shown shown(spikeAt(1000, 500));
        const QCPRange x = shown.plot.plot()->xAxis->range(), y = shown.plot.plot()->yAxis->range();
        shown.plot.setLive(true);
        std::vector<uint8_t> bits(1000, 5);
        shown.plot.setPlan(bits);
        QApplication::processEvents();
        const QImage image = shown.grab();
        QVERIFY(hasColour(image, shown.area(), PlotTheme::light().bits(5)));
        QVERIFY(!hasColour(image, shown.area(), PlotTheme::light().bits(3)));
        QCOMPARE(shown.plot.plot()->xAxis->range(), x);
        QCOMPARE(shown.plot.plot()->yAxis->range(), y);
    }

    void liveKeepsPlacesAndAxes() {
        samples::Layer layer = samples::syntheticLayer(300);
        Shown shown(layer);
        shown.plot.setMetric(ChannelMetric::PredictedError);
        shown.plot.setOrder(ChannelOrder::GroupedByBits);
        const QVariant first = shown.plot.tableCell(0, 0);
        const QCPRange before = shown.plot.plot()->yAxis->range();
        std::vector<float> error(300, 1.f);
        std::vector<uint8_t> bits(layer.bits.rbegin(), layer.bits.rend());
        shown.plot.setLive(true);
        shown.plot.setPlan(bits, error);
        QCOMPARE(shown.plot.tableCell(0, 0), first);
        QCOMPARE(shown.plot.plot()->yAxis->range(), before);
        shown.plot.setLive(false);
        QVERIFY(shown.plot.plot()->yAxis->range() != before);
        // Most bits first, by the bits that hold now.
        const int top = shown.plot.tableCell(0, 0).toInt();
        QCOMPARE(int(bits[size_t(top)]), int(*std::max_element(bits.begin(), bits.end())));
    }

    void ordersChannels() {
        samples::Layer layer = spikeAt(5, 2);
        layer.data.values[0] = {3, NAN, 9, 1, 5};
        layer.bits = {2, 4, 2, 4, 2};
        Shown shown(layer);
        const auto order = [&] {
            QList<int> list;
            for (int row = 0; row < 5; ++row)
                list << shown.plot.tableCell(row, 0).toInt();
            return list;
        };
        QCOMPARE(order(), (QList<int>{0, 1, 2, 3, 4}));
        shown.plot.setOrder(ChannelOrder::ValueDescending);
        QCOMPARE(order(), (QList<int>{2, 4, 0, 3, 1}));
        shown.plot.setOrder(ChannelOrder::GroupedByBits);
        QCOMPARE(order(), (QList<int>{3, 1, 2, 4, 0}));
    }

    void clipCountsWhatIsOffTheScale() {
        Shown shown(spikeAt(1000, 500));
        shown.plot.setLogarithmic(false);
        QCOMPARE(shown.plot.offScale(), 0);
        shown.plot.setClipOutliers(true);
        QCOMPARE(shown.plot.offScale(), 1);
        QVERIFY(shown.plot.plot()->yAxis->range().upper < 1000);
        QCOMPARE(shown.plot.tableCell(500, 1).toFloat(), 1000.f);
    }

    void mouseSelects() {
        Shown shown(spikeAt(80, 40));
        QSignalSpy spy(&shown.plot, &ChannelPlot::selectionChanged);
        shown.drag(10, 19, Qt::ShiftModifier);
        QCOMPARE(spy.size(), 1);
        QCOMPARE(shown.plot.selection(), (Ranges{{10, 19}}));
        shown.drag(45, 30, Qt::ControlModifier);
        QCOMPARE(shown.plot.selection(), (Ranges{{10, 19}, {30, 45}}));
        shown.drag(60, 62, Qt::ShiftModifier);
        QCOMPARE(shown.plot.selection(), (Ranges{{60, 62}}));
        QCOMPARE(spy.size(), 3);
    }

    void dragPansAndWheelZoomsAtTheCursor() {
        Shown shown(spikeAt(1000, 500));
        const QPoint at = shown.at(250, 1);
        QWheelEvent wheel(at, shown.plot.canvas()->mapToGlobal(at), {}, {0, 480}, Qt::NoButton, {},
                          Qt::NoScrollPhase, false);
        QApplication::sendEvent(shown.plot.canvas(), &wheel);
        const auto [first, last] = shown.plot.visiblePositions();
        QVERIFY(last - first < 500);
        QVERIFY(std::abs(shown.at(250, 1).x() - at.x()) <= 1);
        shown.drag(250, 300, {});
        QVERIFY(shown.plot.visiblePositions().first < first - 40);
        shown.mouse(QEvent::MouseButtonDblClick, at, Qt::LeftButton);
        QCOMPARE(shown.plot.visiblePositions(), (std::pair<double, double>{0, 1000}));
    }

    void keyboardReadsOut() {
        samples::Layer layer = spikeAt(20, 7);
        Shown shown(layer);
        shown.plot.setPins({{{{7, 7}}, 8}});
        std::vector<uint8_t> free(20, 4);
        shown.plot.setFreeBits(free);
        QSignalSpy moved(&shown.plot, &ChannelPlot::cursorMoved);
        shown.plot.setCursor(5);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Right);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Right);
        QCOMPARE(shown.plot.cursorChannel(), 7);
        QCOMPARE(moved.size(), 3);
        const QString expected =
            QString::fromUtf8("Channel 7: activation abs-max\u00A01000, 8 bits, pinned (free: 4)");
        QCOMPARE(shown.plot.readout(), expected);
        QAccessibleInterface* spoken = QAccessible::queryAccessibleInterface(shown.plot.canvas());
        QVERIFY(spoken);
        QCOMPARE(spoken->role(), QAccessible::Chart);
        QCOMPARE(spoken->text(QAccessible::Value), expected);
        QCOMPARE(spoken->text(QAccessible::Description), expected);
        QVERIFY(!spoken->text(QAccessible::Name).isEmpty());
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Home);
        QCOMPARE(shown.plot.cursorChannel(), 0);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Left);
        QCOMPARE(shown.plot.cursorChannel(), 0);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Plus);
        QVERIFY(shown.plot.visiblePositions().second - shown.plot.visiblePositions().first < 20);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Minus);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Minus);
        QCOMPARE(shown.plot.visiblePositions(), (std::pair<double, double>{0, 20}));
    }

    void keyboardSelectsAndPins() {
        Shown shown(spikeAt(20, 7));
        QSignalSpy spy(&shown.plot, &ChannelPlot::pinRequested);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Return);
        QCOMPARE(spy.size(), 0);
        shown.plot.setCursor(3);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Return);
        QCOMPARE(spy.takeFirst()[0].value<Ranges>(), (Ranges{{3, 3}}));
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Right, Qt::ShiftModifier);
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Right, Qt::ShiftModifier);
        QCOMPARE(shown.plot.selection(), (Ranges{{3, 5}}));
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Enter);
        QCOMPARE(spy.takeFirst()[0].value<Ranges>(), (Ranges{{3, 5}}));
        auto* button = shown.plot.findChild<QPushButton*>(QStringLiteral("channelPin"));
        QVERIFY(button && button->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(spy.takeFirst()[0].value<Ranges>(), (Ranges{{3, 5}}));
        QTest::keyClick(shown.plot.canvas(), Qt::Key_Escape);
        QVERIFY(shown.plot.selection().empty());
        QVERIFY(!button->isVisible());
    }

    void pinsAreHatched() {
        samples::Layer layer = spikeAt(40, 0, 1.f);
        Shown shown(layer);
        const QRect bar = QRect(shown.at(20, 0.99) + QPoint(-6, 4), QSize(12, 20));
        const QColor plain = PlotTheme::light().bits(3);
        const auto others = [&] {
            const QImage image = shown.grab();
            int count = 0;
            for (int y = bar.top(); y <= bar.bottom(); ++y)
                for (int x = bar.left(); x <= bar.right(); ++x)
                    count += image.pixelColor(x, y) != plain;
            return count;
        };
        QCOMPARE(others(), 0);
        shown.plot.setPins({{{{20, 20}}, 3}});
        QApplication::processEvents();
        QVERIFY(others() > 40);
    }

    void emptyAndOddDataNeverCrash() {
        for (const int channels : {0, 1, 2, 9}) {
            samples::Layer layer;
            layer.data.channels = channels;
            layer.data.layer = QStringLiteral("odd");
            const float odd[] = {NAN, INFINITY, -INFINITY, 0.f, -1.f, 1e-45f, 3e38f, 5.f, NAN};
            layer.data.values[0].assign(odd, odd + channels);
            layer.data.values[3].assign(size_t(channels), NAN);
            layer.data.values[1] = {1.f, 2.f, 3.f, 4.f}; // of another length: dropped
            layer.bits.assign(size_t(channels), 255);
            Shown shown(layer, {220, 160});
            for (int metric = 0; metric < channelMetricCount; ++metric)
                for (const ChannelOrder order : {ChannelOrder::Index, ChannelOrder::ValueDescending,
                                                 ChannelOrder::GroupedByBits})
                    for (const bool on : {false, true}) {
                        shown.plot.setMetric(ChannelMetric(metric));
                        shown.plot.setOrder(order);
                        shown.plot.setLogarithmic(on);
                        shown.plot.setClipOutliers(on);
                        shown.plot.setSelection({{-5, 100}});
                        shown.plot.setCursor(channels - 1);
                        shown.plot.setPins({{{{-3, 3}}, 16}});
                        shown.plot.setPlan({});
                        shown.plot.zoom(3, 0);
                        QTest::keyClick(shown.plot.canvas(), Qt::Key_Right);
                        shown.plot.resize(180 + 30 * metric, 120 + 10 * metric);
                        QVERIFY(!shown.grab().isNull());
                    }
            shown.plot.setTableShown(true);
        }
        ChannelPlot none;
        none.setPlan(std::vector<uint8_t>{1, 2, 3});
        none.show();
        QTest::keyClick(none.canvas(), Qt::Key_Right);
        QVERIFY(!none.grab().isNull());
    }

    void namesAreThereAndUnique() {
        Shown shown(spikeAt(20, 7));
        QSet<QString> names;
        for (const QWidget* widget : shown.plot.findChildren<QWidget*>()) {
            if (widget->focusPolicy() == Qt::NoFocus || widget->isHidden()) continue;
            if (widget == shown.plot.canvas()->focusProxy()) continue;
            QVERIFY2(!widget->accessibleName().isEmpty(), widget->metaObject()->className());
            QVERIFY2(!names.contains(widget->accessibleName()),
                     qPrintable(widget->accessibleName()));
            names << widget->accessibleName();
        }
        QVERIFY(names.size() >= 6);
    }
};

QTEST_MAIN(TestChannelPlot)
#include "tst_channel_plot.moc"
