// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Renders every plot in every state, light and dark, into a folder of PNGs, for people to look at:
//
//     QT_QPA_PLATFORM=offscreen [QT_SCALE_FACTOR=2] plot_gallery FOLDER
#include "tests/ui/plots/plot_samples.h"
#include "tests/ui/plots/report_sample.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/divergence_strip.h"
#include "ui/plots/figure_dialog.h"
#include "ui/plots/figure_export.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/histogram_widget.h"
#include "ui/plots/pareto_plot.h"

#include <QDir>
#include <QKeyEvent>
#include <QPainter>
#include <QTextStream>

using namespace bitloom::ui;

namespace {

struct Gallery {
    QDir folder;
    QString suffix;

    /// Shows, settles and saves a widget.
    void save(QWidget& widget, const QString& name, QSize size) const {
        widget.setAutoFillBackground(true);
        QPalette panel = widget.palette();
        panel.setColor(QPalette::Window, panel.color(QPalette::Base));
        widget.setPalette(panel);
        widget.resize(size);
        widget.show();
        QApplication::processEvents();
        widget.grab().save(folder.filePath(name + suffix + QStringLiteral(".png")));
    }
};

void channels(const Gallery& gallery) {
    {
        ChannelPlot plot;
        const samples::Layer layer = samples::syntheticLayer(4096);
        plot.setData(layer.data);
        std::vector<uint8_t> bits = layer.bits;
        std::fill(bits.begin() + 3024, bits.begin() + 3264, uint8_t(5));
        bits[1415] = bits[2533] = 16;
        plot.setPlan(bits);
        plot.setFreeBits(layer.bits);
        plot.setPins({{{{3024, 3263}}, 5}, {{{1415, 1415}, {2533, 2533}}, 16}});
        plot.setSelection({{640, 1151}});
        plot.setCursor(2633);
        gallery.save(plot, QStringLiteral("channels"), {860, 320});
        plot.zoom(24, 3100);
        plot.setCursor(3100);
        gallery.save(plot, QStringLiteral("channels-zoomed"), {860, 320});
        plot.resetZoom();
        plot.setCursor(-1);
        plot.setLogarithmic(false);
        plot.setClipOutliers(true);
        gallery.save(plot, QStringLiteral("channels-clipped"), {860, 320});
        plot.setLogarithmic(true);
        plot.setOrder(ChannelOrder::GroupedByBits);
        gallery.save(plot, QStringLiteral("channels-grouped"), {860, 320});
        plot.setTableShown(true);
        gallery.save(plot, QStringLiteral("channels-table"), {860, 320});
    }
    {
        ChannelPlot plot;
        const samples::Layer layer = samples::realLayer();
        plot.setData(layer.data);
        plot.setPlan(layer.bits);
        plot.setMetric(ChannelMetric::Sensitivity);
        plot.setCaption(QStringLiteral("bitloom-tales-4m, 3.00 bits per weight"));
        gallery.save(plot, QStringLiteral("channels-sample"), {1100, 300});
        plot.setState({PlotState::Kind::Stale,
                       QStringLiteral("Calibrated on another text."),
                       {},
                       QStringLiteral("Analyze again"),
                       -1});
        gallery.save(plot, QStringLiteral("channels-stale"), {860, 300});
        plot.setState({PlotState::Kind::Error, QStringLiteral("The statistics could not be read."),
                       QStringLiteral("stats.safetensors ends early. Analyze the model again."),
                       QStringLiteral("Analyze"), -1});
        gallery.save(plot, QStringLiteral("channels-error"), {860, 300});
        plot.setState(
            {PlotState::Kind::Loading, QStringLiteral("Reading statistics"), {}, {}, 0.4});
        gallery.save(plot, QStringLiteral("channels-loading"), {860, 300});
    }
    ChannelPlot plot;
    gallery.save(plot, QStringLiteral("channels-empty"), {860, 300});
    ChannelPlot large;
    const samples::Layer layer = samples::syntheticLayer(65'536);
    large.setData(layer.data);
    large.setPlan(layer.bits);
    gallery.save(large, QStringLiteral("channels-65536"), {1200, 360});
}

void heatMaps(const Gallery& gallery) {
    HeatMap map;
    map.setData(samples::syntheticHeatMap(7, 32, 24, 32));
    map.setQuantities({QStringLiteral("sensitivity"), QStringLiteral("mean bits")}, 0);
    map.setSelected(5, 12);
    gallery.save(map, QStringLiteral("heatmap"), {860, 230});
    map.setData(samples::syntheticHeatMap(7, 32, 24, 14));
    map.setState({PlotState::Kind::Partial,
                  QStringLiteral("14 of 32 layers analyzed, 6 min left"),
                  {},
                  QStringLiteral("Cancel"),
                  14 / 32.0});
    gallery.save(map, QStringLiteral("heatmap-partial"), {860, 250});
    HeatMap real;
    real.setData(samples::realHeatMap());
    real.setSelected(6, 3);
    gallery.save(real, QStringLiteral("heatmap-sample"), {860, 230});
    HeatMap wide;
    wide.setData(samples::syntheticHeatMap(1, 224, 1024, 224));
    gallery.save(wide, QStringLiteral("heatmap-224x1024"), {860, 300});
    HeatMap empty;
    gallery.save(empty, QStringLiteral("heatmap-empty"), {860, 230});
}

void rest(const Gallery& gallery) {
    HistogramWidget histogram;
    histogram.setShares({{16, 66'000, 3},
                         {8, 6'480'000, 900},
                         {6, 64'800'000, 9000},
                         {5, 375'840'000, 41'000},
                         {4, 1'315'440'000, 210'000},
                         {3, 2'326'320'000, 400'000},
                         {2, 2'391'120'000, 470'000}});
    histogram.setReference({{4, 1'115'440'000, 0}, {3, 2'126'320'000, 0}, {2, 2'991'120'000, 0}});
    gallery.save(histogram, QStringLiteral("histogram"), {290, 200});
    histogram.setLayoutDirection(Qt::RightToLeft);
    gallery.save(histogram, QStringLiteral("histogram-rtl"), {290, 200});

    ParetoPlot pareto;
    pareto.setData(samples::realPareto());
    pareto.setPlan({3.5, 2.5e6, 13.491, 13.46, 13.53});
    gallery.save(pareto, QStringLiteral("pareto"), {660, 240});
    QKeyEvent end(QEvent::KeyPress, Qt::Key_Home, Qt::NoModifier);
    QApplication::sendEvent(pareto.canvas(), &end);
    for (int i = 0; i < 2; ++i) {
        QKeyEvent right(QEvent::KeyPress, Qt::Key_Right, Qt::NoModifier);
        QApplication::sendEvent(pareto.canvas(), &right);
    }
    gallery.save(pareto, QStringLiteral("pareto-hover"), {900, 320});
    ParetoPlot none;
    gallery.save(none, QStringLiteral("pareto-empty"), {660, 240});

    DivergenceStrip strip;
    strip.append(samples::tokens(105));
    strip.setFirstDifference(37);
    gallery.save(strip, QStringLiteral("divergence"), {1100, 170});
    strip.setCurrentToken(60);
    gallery.save(strip, QStringLiteral("divergence-cursor"), {1100, 170});
    strip.setExpectedTokens(256);
    gallery.save(strip, QStringLiteral("divergence-streaming"), {1100, 170});
    gallery.save(strip, QStringLiteral("divergence-sparkline"), {500, 40});

    pareto.setCaption(QStringLiteral("bitloom-tales-4m, 3.50 bits per weight, Bitloom 0.1.0"));
    FigureDialog dialog(pareto, nullptr);
    gallery.save(dialog, QStringLiteral("figure-dialog"), dialog.sizeHint());
}

void figures(const Gallery& gallery) {
    ChannelPlot plot;
    const samples::Layer layer = samples::realLayer();
    plot.setData(layer.data);
    plot.setPlan(layer.bits);
    plot.setPins({{{{100, 140}}, 4}});
    plot.setCaption(QStringLiteral("bitloom-tales-4m, 3.00 bits per weight, Bitloom 0.1.0"));
    HeatMap map;
    map.setData(samples::realHeatMap());
    map.setCaption(plot.caption());
    ParetoPlot pareto;
    pareto.setData(samples::realPareto());
    pareto.setCaption(plot.caption());
    DivergenceStrip strip;
    strip.append(samples::tokens(105));
    HistogramWidget histogram;
    histogram.setShares({{4, 200, 0}, {3, 500, 0}, {2, 300, 0}});
    PlotView* views[] = {&plot, &map, &pareto, &strip, &histogram};
    const char* names[] = {"channels", "heatmap", "pareto", "divergence", "histogram"};
    for (size_t i = 0; i < 5; ++i)
        for (const char* format : {"png", "svg", "pdf", "csv"}) {
            const QString path = gallery.folder.filePath(
                QStringLiteral("figure-%1%2.%3")
                    .arg(QLatin1String(names[i]), gallery.suffix, QLatin1String(format)));
            writeFigure(*views[i], path, figureFormatOf(path), 2);
        }
}

void reports(const Gallery& gallery) {
    const PlanReport report = samples::report();
    QImage page(QSize(794, 1123) * 2, QImage::Format_RGB32);
    page.fill(Qt::white);
    page.setDevicePixelRatio(2);
    QPainter painter(&page);
    paintPlanReport(painter, QSizeF(794, 1123), report);
    painter.end();
    page.save(gallery.folder.filePath(QStringLiteral("report.png")));
    for (const char* name : {"report.pdf", "report.html"})
        writePlanReport(report, gallery.folder.filePath(QLatin1String(name)));
}

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    if (argc != 2) {
        QTextStream(stderr) << "usage: plot_gallery FOLDER\n";
        return 2;
    }
    QApplication::setStyle(QStringLiteral("Fusion"));
    QFont font(QStringLiteral("DejaVu Sans"));
    font.setPixelSize(13);
    font.setPointSizeF(9.75);
    QApplication::setFont(font);
    Gallery gallery{QDir(QString::fromLocal8Bit(argv[1])), {}};
    gallery.folder.mkpath(QStringLiteral("."));
    const QString ratio = QStringLiteral("-%1x").arg(qRound(application.devicePixelRatio()));
    for (const PlotTheme* theme : {&PlotTheme::light(), &PlotTheme::darkTheme()}) {
        QApplication::setPalette(samples::palette(*theme));
        gallery.suffix = (theme->dark ? QStringLiteral("-dark") : QStringLiteral("-light")) + ratio;
        channels(gallery);
        heatMaps(gallery);
        rest(gallery);
        figures(gallery);
    }
    reports(gallery);
    return 0;
}
