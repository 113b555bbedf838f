// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// With the real engine: the sample by itself, a measurement, an analysis from nothing.
#include "tests/support/gui_fixture.h"

#include "ui/chat/studio_rooms.h"
#include "ui/docks/pareto_panel.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/plans_model.h"
#include "ui/state/jobs.h"
#include "ui/window/engine_jobs.h"

#include <QAction>
#include <QDir>
#include <QElapsedTimer>

using namespace bitloom;
using namespace bitloom::ui;

namespace {
QString sample() {
    return QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");
}
} // namespace

class TestFirstRun : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        // The program lies in bin/, beside the folder of the tests.
        const QByteArray bin =
            QDir(QCoreApplication::applicationDirPath() + QStringLiteral("/../bin"))
                .absolutePath()
                .toLocal8Bit();
        qputenv("PATH", bin + ':' + qgetenv("PATH"));
    }

    void sampleWithoutComputation() {
        WorkbenchFixture f(nullptr);
        LogBuffer log;
        MainWindow window(f.workbench, log, {sample()});
        window.show();
        QElapsedTimer clock;
        clock.start();
        window.openSample();
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.phase(), Workbench::Phase::Ready, 10'000);
        qInfo("sample on screen after %lld ms", static_cast<long long>(clock.elapsed()));
        const PlanFigures before = f.workbench.figures();
        f.workbench.requestBudget({Budget::Kind::Bits, 4.0});
        QVERIFY(f.workbench.figures().lambda < before.lambda);
        QVERIFY(f.workbench.figures().size.totalBytes > before.size.totalBytes);
        QVERIFY(f.workbench.figures().prediction.nll < before.prediction.nll);
    }

    void measures() {
        WorkbenchFixture f(nullptr);
        LogBuffer log;
        MainWindow window(f.workbench, log, {sample()});
        new StudioRooms(window, f.workbench);
        window.show();
        window.openSample();
        window.startEngine();
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.phase(), Workbench::Phase::Ready, 10'000);
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.engine()->state(), EngineClient::State::Ready,
                                  30'000);
        f.workbench.requestBudget({Budget::Kind::Bits, 3.5});
        QVERIFY(f.settle());
        QSignalSpy measured(&f.workbench, &Workbench::measurementsChanged);
        window.action(QStringLiteral("measure"))->trigger();
        QVERIFY(f.workbench.jobs().active());
        QTRY_VERIFY_WITH_TIMEOUT(f.workbench.jobs().activeCount() == 0, 240'000);
        const Job& job = f.workbench.jobs().jobs().back();
        QVERIFY2(job.state == Job::State::Done, qPrintable(job.error.message));
        QCOMPARE(measured.count(), 1);
        const Measurement& m = f.workbench.measurements().back();
        QVERIFY(m.nll > m.fp16Nll);
        QVERIFY(m.tokens > 1000);
        // Predicted before it was measured; the two are of the same size.
        const double ratio = (m.nll - m.fp16Nll) / (m.predictedNll - m.fp16Nll);
        QVERIFY2(ratio > 0.4 && ratio < 2.5, qPrintable(QString::number(ratio)));
        QVERIFY(f.workbench.measurementOfPlan());
        QVERIFY(f.workbench.reference().measured);
        // The prediction of this very plan is now the measurement.
        QVERIFY(std::abs(f.workbench.figures().prediction.nll - m.nll) < 0.02);
    }

    void analyzesFromNothingAndAgain() {
        WorkbenchFixture f(nullptr);
        const QString folder = f.folder.filePath(QStringLiteral("model"));
        QDir().mkpath(folder);
        for (const QFileInfo& file : QDir(sample()).entryInfoList(QDir::Files))
            QVERIFY(
                QFile::link(file.absoluteFilePath(), folder + QLatin1Char('/') + file.fileName()));
        LogBuffer log;
        MainWindow window(f.workbench, log, {});
        window.show();
        window.startEngine();
        window.openModel(folder);
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.phase(), Workbench::Phase::Headers, 10'000);
        QVERIFY(!f.workbench.hasPlan());
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.engine()->state(), EngineClient::State::Ready,
                                  30'000);
        const QJsonObject small{{QStringLiteral("sequences"), 4}, {QStringLiteral("length"), 64}};
        window.engineJobs()->analyze(small);
        QVERIFY(f.workbench.jobs().active());
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.phase(), Workbench::Phase::Ready, 120'000);
        QVERIFY(f.workbench.hasPlan());
        QCOMPARE(f.workbench.jobs().jobs().back().state, Job::State::Done);
        // Again: found in the cache.
        QElapsedTimer clock;
        clock.start();
        window.engineJobs()->analyze(small);
        QTRY_VERIFY_WITH_TIMEOUT(f.workbench.jobs().activeCount() == 0, 20'000);
        qInfo("found in the cache after %lld ms", static_cast<long long>(clock.elapsed()));
        QCOMPARE(f.workbench.jobs().jobs().back().state, Job::State::Done);
    }

    void cancels() {
        WorkbenchFixture f(nullptr);
        LogBuffer log;
        MainWindow window(f.workbench, log, {sample()});
        window.show();
        window.startEngine();
        window.openSample();
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.phase(), Workbench::Phase::Ready, 10'000);
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.engine()->state(), EngineClient::State::Ready,
                                  30'000);
        window.engineJobs()->analyze({{QStringLiteral("force"), true}});
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.jobs().jobs().back().state, Job::State::Running,
                                  20'000);
        QElapsedTimer clock;
        clock.start();
        window.action(QStringLiteral("stop"))->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(f.workbench.jobs().jobs().back().state, Job::State::Cancelled,
                                  5'000);
        QVERIFY2(clock.elapsed() < 2'000, "a cancel must not take longer than the engine's limit");
        QVERIFY(f.workbench.hasPlan()); // what was there stays
    }
};

QTEST_MAIN(TestFirstRun)
#include "tst_first_run.moc"
