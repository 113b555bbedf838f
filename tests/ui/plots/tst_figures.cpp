// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "tests/ui/plots/pdf_testing.h"
#include "tests/ui/plots/plot_samples.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/divergence_strip.h"
#include "ui/plots/figure_export.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/histogram_widget.h"
#include "ui/plots/pareto_plot.h"

#include <QAbstractItemView>
#include <QBuffer>
#include <QImageReader>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>

using namespace bitloom::ui;

class TestFigures : public QObject {
    Q_OBJECT

    ChannelPlot* m_channels = nullptr;
    HeatMap* m_heat = nullptr;
    ParetoPlot* m_pareto = nullptr;
    DivergenceStrip* m_strip = nullptr;
    HistogramWidget* m_histogram = nullptr;
    samples::Layer m_layer;

    QList<PlotView*> views() const { return {m_channels, m_heat, m_pareto, m_strip, m_histogram}; }
    QList<QStringList> csv(PlotView& view) const {
        QList<QStringList> rows;
        const QString text = QString::fromUtf8(figureBytes(view, FigureFormat::Csv));
        for (const QString& line : text.split(QLatin1Char('\n'), Qt::SkipEmptyParts))
            rows << line.split(QLatin1Char(','));
        return rows;
    }

private slots:
    void init() {
        QLocale::setDefault(QLocale(QLocale::German)); // must not reach the files' numbers
        QApplication::setPalette(samples::palette(PlotTheme::darkTheme()));
        m_layer = samples::realLayer();
        m_channels = new ChannelPlot;
        m_channels->setData(m_layer.data);
        m_channels->setPlan(m_layer.bits);
        m_channels->setPins({{{{10, 60}}, 4}});
        m_channels->setCaption(QStringLiteral("bitloom-tales-4m, 3.00 bits per weight"));
        m_heat = new HeatMap;
        m_heat->setData(samples::realHeatMap());
        m_pareto = new ParetoPlot;
        m_pareto->setData(samples::realPareto());
        m_strip = new DivergenceStrip;
        m_strip->append(samples::tokens(50));
        m_histogram = new HistogramWidget;
        m_histogram->setShares({{2, 10, 1}, {4, 30, 2}});
    }
    void cleanup() { qDeleteAll(views()); }

    void csvHoldsEveryChannelExactly() {
        m_channels->zoom(50, 300); // what is visible must not matter
        const auto rows = csv(*m_channels);
        QCOMPARE(rows.size(), m_layer.data.channels + 1);
        // The unit of the header has no comma inside the column separators but is quoted.
        const QString header = QString::fromUtf8(figureBytes(*m_channels, FigureFormat::Csv))
                                   .section(QLatin1Char('\n'), 0, 0);
        QVERIFY(header.contains(QStringLiteral("\"sensitivity, nats per token at 3 bits\"")));
        for (int k = 0; k < m_layer.data.channels; ++k) {
            const QStringList& row = rows[k + 1];
            QCOMPARE(row.size(), 8);
            QCOMPARE(row[0].toInt(), k);
            for (int metric = 0; metric < 5; ++metric)
                QCOMPARE(row[metric + 1].toFloat(), m_layer.data.values[size_t(metric)][size_t(k)]);
            QCOMPARE(row[6].toInt(), int(m_layer.bits[size_t(k)]));
            QCOMPARE(row[7].toInt(), int(k >= 10 && k <= 60));
        }
    }

    void csvOfTheOthersIsWhole() {
        const HeatMapData map = samples::realHeatMap();
        const auto heat = csv(*m_heat);
        QCOMPARE(heat.size(), map.kinds.size() * map.rows.size() + 1);
        QCOMPARE(heat[1 + 7 * 2 + 3][5].toFloat(), map.values[size_t((3 * 4 + 2) * 24 + 3)]);
        const ParetoData pareto = samples::realPareto();
        QCOMPARE(csv(*m_pareto).size(), int(pareto.predicted.size() + pareto.measured.size()) + 2);
        QCOMPARE(csv(*m_strip).size(), 51);
    }

    void csvQuotesTextAndLeavesGaps() {
        m_strip->clear();
        TokenDivergence token;
        token.text = QStringLiteral("a,\"b\"");
        token.kl = NAN;
        m_strip->append(std::vector<TokenDivergence>{token});
        QVERIFY(figureBytes(*m_strip, FigureFormat::Csv).contains("1,\"a,\"\"b\"\"\",,0,1\n"));
    }

    void pdfHoldsTextObjects() {
        for (PlotView* view : views()) {
            const QByteArray pdf = figureBytes(*view, FigureFormat::Pdf);
            QVERIFY(pdf.startsWith("%PDF"));
            QCOMPARE(pdf.count("/Type /Page\n"), 1);
            const QByteArray content = pdfContent(pdf);
            QVERIFY2(content.contains("BT\n") && content.contains(" Tf"),
                     view->metaObject()->className());
            QVERIFY(content.contains(" Tj") || content.contains(" TJ"));
            QVERIFY(pdf.contains("/FontFile2"));
        }
    }

    void svgIsWellFormedAndHasText() {
        for (PlotView* view : views()) {
            QXmlStreamReader reader(figureBytes(*view, FigureFormat::Svg));
            QStringList texts;
            bool inText = false;
            while (!reader.atEnd()) {
                reader.readNext();
                if (reader.isStartElement()) inText = reader.name() == QLatin1String("text");
                if (inText && reader.isCharacters()) texts << reader.text().toString();
            }
            QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
            QVERIFY2(texts.contains(view->title()), qPrintable(texts.join(QLatin1Char('|'))));
        }
    }

    void pngIsLightAndScales() {
        for (PlotView* view : views())
            for (const int scale : {1, 4}) {
                const QImage image =
                    QImage::fromData(figureBytes(*view, FigureFormat::Png, scale), "PNG");
                QCOMPARE(image.size(), view->figureSize() * scale);
                QCOMPARE(image.pixelColor(2, 2), PlotTheme::light().panel);
                QCOMPARE(image.text(QStringLiteral("Title")), view->title());
            }
    }

    void drawingAFigureLeavesTheViewAlone() {
        for (PlotView* view : views()) {
            view->resize(600, 300);
            view->show();
            QApplication::processEvents();
            const QImage before = view->grab().toImage();
            for (const FigureFormat format :
                 {FigureFormat::Png, FigureFormat::Svg, FigureFormat::Pdf})
                figureBytes(*view, format, 2);
            view->update();
            QApplication::processEvents();
            QVERIFY2(view->grab().toImage() == before, view->metaObject()->className());
        }
    }

    void filesAreWrittenByTheirName() {
        QTemporaryDir folder;
        for (const char* name : {"a.png", "a.SVG", "a.pdf", "a.csv"}) {
            const QString path = folder.filePath(QLatin1String(name));
            writeFigure(*m_pareto, path, figureFormatOf(path));
            QVERIFY(QFileInfo(path).size() > 100);
        }
        QVERIFY_THROWS_EXCEPTION(bitloom::Error, figureFormatOf(QStringLiteral("a.bmp")));
        QVERIFY_THROWS_EXCEPTION(
            bitloom::Error, writeFigure(*m_pareto, folder.filePath(QStringLiteral("none/a.png")),
                                        FigureFormat::Png));
    }

    void tableIsTheSameData() {
        m_channels->show();
        m_channels->setTableShown(true);
        QVERIFY(!m_channels->canvas()->isVisible());
        auto* table = m_channels->findChild<QAbstractItemView*>();
        QVERIFY(table && table->isVisible());
        QVERIFY(!table->accessibleName().isEmpty());
        QCOMPARE(table->model()->rowCount(), m_layer.data.channels);
        // Through the locale on screen: German commas.
        const QString cell = table->model()->index(0, 1).data().toString();
        QCOMPARE(cell, QLocale().toString(
                           double(m_layer.data.values[0][0]), 'f',
                           4 - 1 - int(std::floor(std::log10(m_layer.data.values[0][0])))));
        m_channels->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(m_channels));
        table->setFocus();
        QTest::keyClick(table, Qt::Key_T, Qt::ControlModifier);
        QVERIFY(m_channels->canvas()->isVisible());
    }
};

QTEST_MAIN(TestFigures)
#include "tst_figures.moc"
