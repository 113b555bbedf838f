// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// The application from its first start to its restoration after a crash, as a user meets it: on an
// X server, with the real engine, by mouse and keyboard alone. Each function is a process of its
// own; run_on_display.py runs them in this order in one home.
#include "tests/ui/e2e/studio_run.h"

#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/engine_client/engine_client.h"
#include "ui/export/export_run.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/plot_theme.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/state/workbench.h"
#include "ui/window/budget_bar.h"
#include "ui/window/budget_slider.h"
#include "ui/window/explore_page.h"
#include "ui/window/figure_label.h"
#include "ui/window/main_window.h"

#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QDirIterator>
#include <QEvent>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QKeyEvent>
#include <QLineEdit>
#include <QProcess>
#include <QTest>

#include <chrono>
#include <cmath>
#include <map>
#include <thread>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

QString folder(const QString& name = {}) {
    return qEnvironmentVariable("E2E_FOLDER") + QLatin1Char('/') + name;
}

Workbench& bench(StudioRun& run) {
    return run.studio().workbench();
}

/// What the next start has to find again; within ask().
QJsonObject stateOf(StudioRun& run) {
    const Workbench& workbench = bench(run);
    const Session session = Session::of(workbench);
    QJsonObject state = QJsonDocument::fromJson(session.toJson()).object();
    QJsonObject kept;
    for (const char* key : {"model", "statistics", "decision", "presets", "measurements",
                            "selected_layer", "options"})
        kept[QLatin1String(key)] = state[QLatin1String(key)];
    kept[QLatin1String("plan")] =
        QString::fromStdString(Workbench::planHash(workbench.plan().allocation()));
    kept[QLatin1String("layout")] = run.studio().window().layoutId();
    kept[QLatin1String("bytes")] = double(workbench.figures().size.totalBytes);
    return kept;
}

void keep(const QString& name, const QJsonObject& state) {
    QFile file(folder(name));
    check(file.open(QIODevice::WriteOnly), "cannot write");
    file.write(QJsonDocument(state).toJson());
}

QJsonObject kept(const QString& name) {
    QFile file(folder(name));
    check(file.open(QIODevice::ReadOnly), "cannot read");
    return QJsonDocument::fromJson(file.readAll()).object();
}

void compare(const QJsonObject& now, const QJsonObject& before) {
    for (const QString& key : before.keys())
        check(now[key] == before[key],
              key.toStdString() + " is another one than before: " +
                  QJsonDocument(QJsonObject{{key, now[key]}}).toJson().toStdString() + " was " +
                  QJsonDocument(QJsonObject{{key, before[key]}}).toJson().toStdString());
}

/// Widths of the selected layer's channels.
std::vector<int> widths(StudioRun& run) {
    const Workbench& workbench = bench(run);
    std::vector<int> bits;
    for (const uint8_t point : workbench.plan().points(workbench.selectedLayer()))
        bits.push_back(workbench.model()->menu[point].bits);
    return bits;
}

QRect onScreen(const QWidget* widget) {
    return {widget->mapToGlobal(QPoint(0, 0)), widget->size()};
}

/// Pixels of each width's colour in the channel plot, as they are on the screen.
std::map<int, int> colours(StudioRun& run) {
    const auto [area, theme] = run.ui().ask([&] {
        const ChannelPlot* plot = run.studio().window().explorePage()->channels();
        return std::pair(onScreen(plot->canvas()), PlotTheme::of(plot->palette()));
    });
    const QImage image = run.robot().look(area);
    std::map<QRgb, int> widthOf;
    for (const int width : bitWidths)
        widthOf[theme.bits(width).rgb()] = width;
    std::map<int, int> found;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x)
            if (const auto at = widthOf.find(image.pixel(x, y) | 0xff000000); at != widthOf.end())
                ++found[at->second];
    return found;
}

/// Every width that a good part of the layer has is to be seen, and only widths that it has.
void checkColours(StudioRun& run) {
    std::map<int, int> seen;
    std::string problem;
    for (int tries = 0; tries < 100; ++tries) { // a frame may be on its way
        const std::vector<int> bits = run.ui().ask([&] { return widths(run); });
        seen = colours(run);
        problem.clear();
        for (const int width : bitWidths) {
            const auto share = double(std::ranges::count(bits, width)) / double(bits.size());
            if ((share > 0.1 && seen[width] < 20) || (share == 0 && seen[width] > 0))
                problem += " " + std::to_string(width) + " bits: " + std::to_string(share * 100) +
                           " % of the channels, " + std::to_string(seen[width]) + " pixels;";
        }
        if (problem.empty()) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw Failure("the colours on the screen are not those of the plan:" + problem);
}

struct Point {
    double wanted = 0, bits = 0, lambda = 0;
    int64_t bytes = 0;
};

/// Drags the slider's handle to the place of this value, looking at every move.
std::vector<Point> dragTo(StudioRun& run, double value, int steps) {
    BudgetSlider* slider = run.studio().window().budgetBar()->slider();
    const auto place = [&](double v) {
        return run.ui().ask([=] { return slider->mapToGlobal(QPoint(slider->positionOf(v), 14)); });
    };
    std::vector<Point> points;
    run.robot().moveTo(place(run.ui().ask([=] { return slider->realValue(); })));
    run.robot().press();
    run.ui().waitFor("the handle in the hand", 2'000, [=] { return slider->isSliderDown(); });
    run.robot().glide(place(value), steps, [&](int) {
        const QPoint pointer = run.robot().at();
        run.ui().waitFor("the plan follows the handle", 2'000, [&] {
            const double wanted = slider->valueAt(slider->mapFromGlobal(pointer).x());
            if (slider->realValue() != wanted) return false;
            const PlanFigures& f = bench(run).figures();
            points.push_back({wanted, f.bitsPerWeight, f.lambda, f.size.totalBytes});
            return true;
        });
    });
    run.robot().release();
    run.ui().waitFor("the plan settles", 5'000,
                     [&] { return !bench(run).dragging() && bench(run).figures().sizeExact; });
    return points;
}

void checkDrag(const std::vector<Point>& points) {
    check(points.size() > 20, "too few positions");
    for (size_t i = 0; i < points.size(); ++i) {
        check(points[i].bits <= points[i].wanted + 0.005, "more bits than the budget");
        if (i == 0 || points[i].wanted == points[i - 1].wanted) continue;
        const bool up = points[i].wanted > points[i - 1].wanted;
        check(up ? points[i].lambda <= points[i - 1].lambda
                 : points[i].lambda >= points[i - 1].lambda,
              "λ does not follow the budget");
        check(up ? points[i].bits >= points[i - 1].bits : points[i].bits <= points[i - 1].bits,
              "bits do not follow the budget");
    }
    check(std::abs(points.back().bits - points.back().wanted) < 0.05, "the budget is not used");
    check(points.front().bytes != points.back().bytes, "bytes do not follow the budget");
}

/// The sample by itself, and on the screen.
void firstSight(StudioRun& run) {
    run.ui().waitFor("the sample", 10'000, [&] {
        return bench(run).phase() == Workbench::Phase::Ready && run.studio().window().isVisible();
    });
    checkColours(run);
    const int64_t ms = run.msSinceStart();
    std::printf("data on the screen after %lld ms\n", static_cast<long long>(ms));
    check(ms < 10'000, "the sample takes too long");
    run.waitForWindow(QStringLiteral("mainWindow"));
}

void budget(StudioRun& run) {
    run.step("dragging the budget");
    const int undo = run.ui().ask([&] { return bench(run).undoStack()->count(); });
    std::vector<Point> points = dragTo(run, 5.5, 60);
    checkDrag(points);
    checkColours(run);
    const auto high = colours(run);
    points = dragTo(run, 2.6, 80);
    checkDrag(points);
    checkColours(run);
    check(colours(run) != high, "the colours did not change");
    const QString line =
        run.ui().ask([&] { return run.studio().window().budgetBar()->sentence(); });
    check(line.startsWith(QString::number(points.back().bits, 'f', 2)),
          "the bar says " + line.toStdString());
    check(run.ui().ask([&] { return bench(run).undoStack()->count(); }) == undo + 2,
          "a drag is one step to undo");
}

void pinning(StudioRun& run) {
    run.step("pinning a selection");
    const QRect canvas = run.ui().ask(
        [&] { return onScreen(run.studio().window().explorePage()->channels()->canvas()); });
    const auto at = [&](double x) {
        return QPoint(canvas.left() + int(x * canvas.width()), canvas.center().y());
    };
    run.robot().moveTo(at(0.4));
    run.robot().hold(QStringLiteral("Shift"), true);
    run.robot().press();
    run.robot().glide(at(0.6), 30);
    run.robot().release();
    run.robot().hold(QStringLiteral("Shift"), false);
    run.ui().waitFor("a selection", 2'000, [&] { return !bench(run).selectedChannels().empty(); });
    const ChannelRanges chosen = run.ui().ask([&] { return bench(run).selectedChannels(); });
    run.robot().key(QStringLiteral("P"));
    run.waitForWindow(QStringLiteral("pinDialog"));
    run.robot().key(QStringLiteral("Tab")); // from "what" to "width"
    run.robot().type(QStringLiteral("6"));
    run.robot().key(QStringLiteral("Return"));
    run.waitGone(QStringLiteral("pinDialog"));
    const auto honoured = [&] {
        if (bench(run).applyingPins() || bench(run).decision().pins.size() != 1) return false;
        const std::vector<int> bits = widths(run);
        for (const ChannelRange& range : chosen)
            for (int64_t channel = range.first; channel <= range.last; ++channel)
                if (bits[size_t(channel)] != 6) return false;
        return true;
    };
    run.ui().waitFor("the pin is honoured", 3'000, honoured);
    run.step("dragging the budget under a pin");
    for (const double bits : {2.2, 4.5, 3.0}) {
        checkDrag(dragTo(run, bits, 30));
        check(run.ui().ask(honoured), "the pin is not honoured at another budget");
    }
    checkColours(run);
}

void exporting(StudioRun& run) {
    run.step("exporting");
    run.ui().waitFor("the engine", 30'000, [&] {
        return bench(run).engine() && bench(run).engine()->state() == EngineClient::State::Ready;
    });
    const int64_t predicted = run.ui().ask([&] { return bench(run).figures().size.totalBytes; });
    run.robot().key(QStringLiteral("Ctrl+E"));
    run.waitForWindow(QStringLiteral("exportDialog"));
    run.robot().key(QStringLiteral("Alt+F"));
    run.robot().key(QStringLiteral("Ctrl+A"));
    run.robot().type(folder(QStringLiteral("exports")));
    run.robot().key(QStringLiteral("Alt+N"));
    run.robot().key(QStringLiteral("Ctrl+A"));
    run.robot().type(QStringLiteral("tales-3"));
    run.robot().key(QStringLiteral("Return"));
    const ExportRun* exported = run.ui().ask([&] { return run.studio().rooms().exportRun(); });
    run.ui().waitFor("the export begins", 5'000,
                     [=] { return exported->state() != ExportRun::State::Idle; });
    const int64_t ms = run.ui().waitFor("the export ends", 600'000, [=] {
        return exported->state() != ExportRun::State::Running && !exported->verifying();
    });
    run.ui().ask([=] {
        check(exported->state() == ExportRun::State::Done,
              "the export failed: " + exported->error().message.toStdString());
        check(exported->verified() && exported->damaged().isEmpty(), "it is not verified");
    });
    int64_t bytes = 0;
    QDirIterator files(folder(QStringLiteral("exports/tales-3")), QDir::Files,
                       QDirIterator::Subdirectories);
    while (files.hasNext()) {
        files.next();
        bytes += files.fileInfo().size();
    }
    std::printf("exported and verified in %lld ms: %lld bytes predicted, %lld on the disk\n",
                static_cast<long long>(ms), static_cast<long long>(predicted),
                static_cast<long long>(bytes));
    check(bytes == predicted, "the folder is not as large as predicted");
    run.robot().key(QStringLiteral("Return"));
    run.waitGone(QStringLiteral("exportDialog"));
}

void measuring(StudioRun& run) {
    run.step("measuring");
    run.robot().key(QStringLiteral("Ctrl+M"));
    run.ui().waitFor("a job", 3'000, [&] { return bench(run).jobs().activeCount() > 0; });
    const int64_t ms = run.ui().waitFor("the measurement", 600'000,
                                        [&] { return bench(run).jobs().activeCount() == 0; });
    run.ui().ask([&] {
        const Job& job = bench(run).jobs().jobs().back();
        check(job.state == Job::State::Done, job.error.message.toStdString());
        const Measurement* measured = bench(run).measurementOfPlan();
        check(measured && measured->tokens > 1000, "the plan is not measured");
        std::printf("measured in %lld ms: perplexity %.4f, predicted %.4f\n",
                    static_cast<long long>(ms), std::exp(measured->nll),
                    std::exp(measured->predictedNll));
    });
}

/// Counts the tokens of both answers at the moment when Esc arrives.
class EscapeSpy : public QObject {
public:
    explicit EscapeSpy(const ChatSession& session) : m_session(session) {
        qApp->installEventFilter(this);
    }
    int tokens[2] = {-1, -1};
    QElapsedTimer clock;

protected:
    bool eventFilter(QObject*, QEvent* event) override {
        if (event->type() == QEvent::ShortcutOverride &&
            static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape && tokens[0] < 0) {
            clock.start();
            for (int side = 0; side < 2; ++side)
                tokens[side] = m_session.stream(side).size();
        }
        return false;
    }

private:
    const ChatSession& m_session;
};

void chatting(StudioRun& run) {
    run.step("chatting");
    run.robot().key(QStringLiteral("Ctrl+3"));
    run.robot().click(run.middleOf(QStringLiteral("chatPrompt")));
    // Letters that are shortcuts of the window are letters here.
    run.robot().type(QStringLiteral("Pip [the] Upset {cat} was"));
    ChatSession* session = run.ui().ask([&] { return &run.studio().rooms().chat()->session(); });
    run.ui().waitFor("the prompt", 2'000, [&] {
        return run.studio().rooms().chat()->prompt() == QLatin1String("Pip [the] Upset {cat} was");
    });
    auto spy = run.ui().ask([&] { return std::make_unique<EscapeSpy>(*session); });
    run.robot().key(QStringLiteral("Ctrl+Return"));
    const int64_t first = run.ui().waitFor("tokens in both columns", 30'000, [&] {
        return session->stream(0).size() >= 4 && session->stream(1).size() >= 4;
    });
    run.robot().key(QStringLiteral("Esc"));
    run.ui().waitFor("the answers stop", 3'000, [&] { return !session->busy(); });
    run.ui().ask([&] {
        const int64_t ms = spy->clock.elapsed();
        for (int side = 0; side < 2; ++side) {
            const TokenStream& stream = session->stream(side);
            std::printf("first tokens after %lld ms; column %d: %d tokens at Esc, %d in the end, "
                        "within %lld ms\n",
                        static_cast<long long>(first), side, spy->tokens[side], stream.size(),
                        static_cast<long long>(ms));
            check(stream.state() == TokenStream::State::Stopped ||
                      stream.end() == TokenStream::End::Cancelled,
                  "a column was not stopped but ended");
            check(spy->tokens[side] >= 4, "Esc did not arrive");
            // One token, and those that were on their way through pipes and queues.
            const double rate = std::max(0.0, stream.figures().tokensPerSecond);
            check(stream.size() - spy->tokens[side] <= 1 + int(std::ceil(rate * 0.1)),
                  "a column went on after Esc");
        }
        spy.reset();
    });
}

void figures(StudioRun& run) {
    run.step("saving figures");
    run.robot().key(QStringLiteral("Ctrl+1"));
    const QPoint plot = run.middleOf(QStringLiteral("channelPlot"));
    for (const char* kind : {"CSV", "PNG", "PDF"}) {
        const QString path =
            folder(QStringLiteral("figure.") + QString::fromLatin1(kind).toLower());
        run.robot().click(plot, 3);
        run.ui().waitFor("the plot's menu", 3'000,
                         [] { return QApplication::activePopupWidget() != nullptr; });
        run.robot().key(QStringLiteral("Up")); // the last entry
        run.robot().key(QStringLiteral("Return"));
        run.waitForWindow(QStringLiteral("bitloom::ui::FigureDialog"));
        run.robot().key(QStringLiteral("Alt+F"));
        run.robot().type(QString::fromLatin1(kind));
        run.robot().key(QStringLiteral("Alt+N"));
        run.robot().key(QStringLiteral("Ctrl+A"));
        run.robot().type(path);
        run.robot().key(QStringLiteral("Return"));
        run.waitGone(QStringLiteral("bitloom::ui::FigureDialog"));
        run.ui().waitFor("the figure", 5'000, [&] { return QFile::exists(path); });
    }
    const auto read = [](const char* name) {
        QFile file(folder(QString::fromLatin1(name)));
        check(file.open(QIODevice::ReadOnly), "a figure is missing");
        return file.readAll();
    };
    const std::vector<int> bits = run.ui().ask([&] { return widths(run); });
    const QList<QByteArray> lines = read("figure.csv").trimmed().split('\n');
    check(size_t(lines.size()) == bits.size() + 1, "the CSV does not hold every channel");
    const qsizetype column = run.ui().ask([&] {
        const ChannelPlot* plotted = run.studio().window().explorePage()->channels();
        for (int c = 0; c < plotted->tableHeader().size(); ++c)
            if (plotted->tableHeader()[c] == QLatin1String("bits")) return qsizetype(c);
        return qsizetype(-1);
    });
    check(column >= 0, "the CSV has no bits");
    for (size_t channel = 0; channel < bits.size(); ++channel)
        check(lines[qsizetype(channel) + 1].split(',')[column].toInt() == bits[channel],
              "the CSV has other bits than the plan");
    const QImage picture = QImage::fromData(read("figure.png"));
    check(picture.width() >= 900 && picture.height() >= 400, "the PNG is no picture");
    const QByteArray pdf = read("figure.pdf");
    check(pdf.startsWith("%PDF-") && pdf.contains("/Font"), "the PDF has no text");
}

void idling(StudioRun& run) {
    run.step("idling");
    // What changed fades for four seconds.
    std::this_thread::sleep_for(std::chrono::seconds(6));
    const double percent = run.cpuPercent(3'000);
    std::printf("idle: %.2f %% of one core\n", percent);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    check(percent < 1, "the studio computes while nothing happens");
#endif
}

/// The limit of an idle machine is never the one in force where others work: it is held against a
/// block that was made on purpose, and against what a user does without one.
void strictLimit(StudioRun& run) {
    using namespace std::chrono_literals;
    run.step("a block on purpose");
    run.forgiveBlocks();
    run.ui().ask([] { std::this_thread::sleep_for(300ms); });
    std::this_thread::sleep_for(200ms); // the watchdog's next beat
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    const std::string strict = run.judgementSoFar(true);
    check(strict.find("a block on purpose") != std::string::npos,
          "a block of 300 ms was not seen on an idle machine: " + strict);
    check(run.judgementSoFar(false).empty(), "waiting is no computing of the studio's");
#endif
    run.forgiveBlocks();
    check(run.judgementSoFar(true).empty(), "what was forgiven is held against it");
}

} // namespace

class TestStudio : public QObject {
    Q_OBJECT
private slots:
    void firstStart() {
        const std::string failure = StudioRun::play([](StudioRun& run) {
            firstSight(run);
            budget(run);
            pinning(run);
            exporting(run);
            measuring(run);
            chatting(run);
            figures(run);
            idling(run);
            run.step("quitting");
            run.robot().key(QStringLiteral("Ctrl+2"));
            run.ui().waitFor("the layout", 2'000, [&] {
                return run.studio().window().layoutId() == QLatin1String("compare");
            });
            keep(QStringLiteral("kept.json"), run.ui().ask([&] { return stateOf(run); }));
            run.robot().key(QStringLiteral("Ctrl+Q"));
        });
        QVERIFY2(failure.empty(), failure.c_str());
    }

    void secondStart() {
        const std::string failure = StudioRun::play([](StudioRun& run) {
            run.ui().waitFor("the last session", 10'000, [&] {
                return bench(run).phase() == Workbench::Phase::Ready &&
                       bench(run).figures().sizeExact;
            });
            std::printf("the last session is open after %lld ms\n",
                        static_cast<long long>(run.msSinceStart()));
            compare(run.ui().ask([&] { return stateOf(run); }), kept(QStringLiteral("kept.json")));
            run.ui().ask([&] {
                check(bench(run).measurementOfPlan(), "the plan's measurement is not found");
                check(run.studio().rooms().chat()->prompt() ==
                          QLatin1String("Pip [the] Upset {cat} was"),
                      "the last prompt is lost");
            });
            run.waitForWindow(QStringLiteral("mainWindow"));
            strictLimit(run);
            run.step("closing the window");
            const uint32_t window = run.robot().windowTitled(QStringLiteral("bitloom-tales-4m"));
            check(window, "the window's title does not name the model");
            run.robot().closeWindow(window);
        });
        QVERIFY2(failure.empty(), failure.c_str());
    }

    void afterKill() {
        const QString program = qEnvironmentVariable("E2E_BIN") + QStringLiteral("/bitloom-studio");
        const QDir state(folder(QStringLiteral("state/bitloom-studio")));
        const QStringList pattern{QStringLiteral("autosave-*.bitloom-session")};
        QVERIFY2(state.entryList(pattern).isEmpty(), "a proper end leaves no autosaved session");
        double budget = 0;
        QString left;
        {
            Robot robot;
            QProcess process;
            process.setProcessChannelMode(QProcess::ForwardedChannels);
            process.start(program, QStringList());
            QVERIFY(process.waitForStarted());
            QTRY_VERIFY_WITH_TIMEOUT(robot.windowTitled(QStringLiteral("bitloom-tales-4m")) != 0,
                                     30'000);
            QTRY_VERIFY_WITH_TIMEOUT((robot.focusTopWindow(), robot.key(QStringLiteral("]")),
                                      QTest::qWait(300), left = state.entryList(pattern).value(0),
                                      !left.isEmpty()),
                                     10'000);
            // What was changed last is saved within a moment.
            QTest::qWait(3'000);
            budget = Session::load(state.filePath(left)).work.decision.budget.value;
            process.kill(); // SIGKILL
            QVERIFY(process.waitForFinished());
        }
        const QJsonObject before = kept(QStringLiteral("kept.json"));
        const std::string failure = StudioRun::play([&](StudioRun& run) {
            run.step("restoring");
            run.waitForWindow(QStringLiteral("restoreOffer"));
            run.robot().key(QStringLiteral("Return"));
            run.waitGone(QStringLiteral("restoreOffer"));
            run.ui().waitFor("the restored session", 10'000, [&] {
                return bench(run).phase() == Workbench::Phase::Ready &&
                       bench(run).figures().sizeExact;
            });
            QJsonObject now = run.ui().ask([&] { return stateOf(run); });
            check(bench(run).decision().budget.value == budget, "another budget was restored");
            check(budget > before[QLatin1String("decision")]
                               .toObject()[QLatin1String("budget")]
                               .toObject()[QLatin1String("value")]
                               .toDouble(),
                  "the keys did not reach the killed studio");
            check(now[QLatin1String("measurements")] == before[QLatin1String("measurements")] &&
                      now[QLatin1String("layout")] == before[QLatin1String("layout")] &&
                      bench(run).decision().pins.size() == 1,
                  "pins, measurement or layout were not restored");
            run.ui().waitFor("the old file goes once the session is saved anew", 5'000,
                             [&] { return !QFile::exists(state.filePath(left)); });
            check(!state.entryList(pattern).isEmpty(), "the restored session is not saved");
            run.robot().key(QStringLiteral("Ctrl+Q"));
        });
        QVERIFY2(failure.empty(), failure.c_str());
        QVERIFY(state.entryList(pattern).isEmpty());
    }
};

int main(int argc, char** argv) {
    if (!qEnvironmentVariableIsSet("E2E_FOLDER")) {
        std::fprintf(stderr, "run_on_display.py starts this program.\n");
        return 77;
    }
    StudioRun::begin();
    QApplication application(argc, argv);
    Studio::nameApplication();
    TestStudio test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_studio.moc"
