// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// Exports: what is refused, what is sent, how a run goes, and the dialog around it.
#include "tests/ui/chat/chat_bench.h"
#include "ui/chat/chat_session.h"
#include "ui/export/detached_jobs.h"
#include "ui/export/export_dialog.h"
#include "ui/export/export_progress.h"
#include "ui/export/export_run.h"
#include "ui/export/report_source.h"
#include "ui/state/jobs.h"
#include "ui/theme/theme.h"

#include <QAbstractButton>
#include <QAccessible>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QProcess>
#include <QSet>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

constexpr int patience = 60'000;

ExportRequest request(const QString& folder) {
    ExportRequest out;
    out.model = QStringLiteral("/models/it's here");
    out.title = QStringLiteral("tales");
    out.statistics = QStringLiteral("/cache/stats.safetensors");
    out.plan = std::make_shared<Plan>(buildPlan("layers.0.q: 8g,4t,4t,2t"));
    out.options.head = HeadStorage::Rows8;
    out.name = QStringLiteral("tales-3.00");
    out.folder = folder;
    return out;
}

ExportPlace goodPlace() {
    ExportPlace place;
    place.exists = place.writable = true;
    place.freeBytes = 1000;
    return place;
}

} // namespace

class TestExport : public QObject {
    Q_OBJECT
    std::unique_ptr<ChatBench> m_bench;
    std::unique_ptr<ThemeControl> m_theme;

    template<class T>
    static T* child(QWidget& dialog, const char* name) {
        T* found = dialog.findChild<T*>(QString::fromLatin1(name));
        if (!found) qFatal("no %s", name);
        return found;
    }
    void shoot(QWidget& widget, const QString& name) { m_bench->shoot(widget, name); }

private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        m_bench = std::make_unique<ChatBench>();
        qputenv("XDG_STATE_HOME", m_bench->folder.filePath(QStringLiteral("state")).toUtf8());
        m_theme = std::make_unique<ThemeControl>(m_bench->settings);
        m_bench->open();
    }
    void cleanupTestCase() {
        m_theme.reset();
        m_bench.reset();
    }

    void problems_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("bytes");
        QTest::addColumn<QString>("part"); // of the problem; empty: none
        QTest::newRow("good") << "tales" << 1000 << "";
        QTest::newRow("no name") << " " << 10 << "Give the export a name";
        QTest::newRow("slash") << "a/b" << 10 << "cannot be the name";
        QTest::newRow("dots") << ".." << 10 << "cannot be the name";
        QTest::newRow("partial") << "a.partial" << 10 << "cannot be the name";
        QTest::newRow("one byte short") << "tales" << 1001 << "1 bytes more are needed";
    }
    void problems() {
        QFETCH(QString, name);
        QFETCH(int, bytes);
        QFETCH(QString, part);
        ExportRequest wanted = request(QStringLiteral("/somewhere"));
        wanted.name = name;
        const QString problem = exportProblem(wanted, goodPlace(), bytes);
        if (part.isEmpty())
            QCOMPARE(problem, QString());
        else if (part.startsWith(QLatin1String("1 bytes")))
            QVERIFY2(problem.contains(QStringLiteral("more are needed on this disk")),
                     qPrintable(problem));
        else
            QVERIFY2(problem.contains(part), qPrintable(problem));
    }

    void problemsOfThePlace() {
        ExportRequest wanted = request(QStringLiteral("/somewhere"));
        ExportPlace place = goodPlace();
        place.exists = false;
        QVERIFY(exportProblem(wanted, place, 1).contains(QStringLiteral("no folder")));
        place = goodPlace();
        place.writable = false;
        QVERIFY(exportProblem(wanted, place, 1).contains(QStringLiteral("cannot be written")));
        place = goodPlace();
        place.outputExists = true;
        QVERIFY(exportProblem(wanted, place, 1).contains(QStringLiteral("is there already")));
        wanted.replace = true;
        QCOMPARE(exportProblem(wanted, place, 1), QString());
        // What an unfinished export has on the disk already is not needed again.
        wanted.resume = true;
        place.partialExists = true;
        place.partialBytes = 500;
        QCOMPARE(exportProblem(wanted, place, 1500), QString());
        QVERIFY(!exportProblem(wanted, place, 1501).isEmpty());
        wanted.folder = QStringLiteral("relative");
        QVERIFY(exportProblem(wanted, place, 1).contains(QStringLiteral("Choose the folder")));
    }

    void theCommand() {
        ExportRequest wanted = request(QStringLiteral("/out dir"));
        QCOMPARE(wanted.command(QStringLiteral("/plans/p.json")),
                 QStringLiteral("bitloom quantize '/models/it'\\''s here' -o '/out dir/tales-3.00' "
                                "--plan '/plans/p.json' --stats '/cache/stats.safetensors' "
                                "--head 8 --passes 2 --verify"));
        wanted.verify = false;
        wanted.cuda = true;
        wanted.resume = true;
        wanted.replace = true;
        wanted.options.polishSteps = 40;
        wanted.options.head = HeadStorage::Keep;
        wanted.format = ExportRequest::Format::Both;
        wanted.dtype = QStringLiteral("bf16");
        QCOMPARE(wanted.command(QStringLiteral("/p")),
                 QStringLiteral(
                     "bitloom quantize '/models/it'\\''s here' -o '/out dir/tales-3.00' "
                     "--plan '/p' --stats '/cache/stats.safetensors' --head 16 "
                     "--passes 2 --polish 40 --device cuda --resume --force && bitloom export "
                     "'/out dir/tales-3.00' --to hf --dtype bf16 -o "
                     "'/out dir/tales-3.00-hf' --force"));
        const QJsonObject params = wanted.quantizeParams();
        QCOMPARE(params[QLatin1String("output")].toString(), QStringLiteral("/out dir/tales-3.00"));
        QCOMPARE(params[QLatin1String("head")].toInt(), 16);
        QCOMPARE(params[QLatin1String("polish")].toInt(), 40);
        QVERIFY(params[QLatin1String("resume")].toBool() &&
                params[QLatin1String("force")].toBool());
        QVERIFY(params[QLatin1String("plan")].isObject());
        // The second folder is replaced as well, and refused before anything long begins.
        const QString second = QStringLiteral("/out dir/tales-3.00-hf");
        QCOMPARE(params[QLatin1String("export_to")].toString(), second);
        QCOMPARE(wanted.exportParams(),
                 (QJsonObject{{QStringLiteral("model"), QStringLiteral("/out dir/tales-3.00")},
                              {QStringLiteral("to"), QStringLiteral("hf")},
                              {QStringLiteral("dtype"), QStringLiteral("bf16")},
                              {QStringLiteral("output"), second},
                              {QStringLiteral("force"), true}}));
        wanted.replace = false;
        QVERIFY(!wanted.exportParams().contains(QLatin1String("force")));
        wanted.format = ExportRequest::Format::Bitloom;
        QVERIFY(!wanted.quantizeParams().contains(QLatin1String("export_to")));
    }

    void exactSizeAndRefusal() {
        m_bench->startEngine({});
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->workbench.figures().sizeExact, patience);
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        child<QLineEdit>(dialog, "exportName")->setText(QStringLiteral("tales"));
        QCOMPARE(dialog.problem(), QString());
        // The workbench's options keep the head; the size agrees with the budget bar's to the byte.
        QCOMPARE(dialog.exactBytes(), qint64(m_bench->workbench.figures().size.totalBytes));
        QVERIFY(child<QLabel>(dialog, "exportSize")
                    ->text()
                    .contains(QLocale().toString(dialog.exactBytes())));
        const qint64 kept = dialog.exactBytes();
        auto* keep = child<QCheckBox>(dialog, "exportKeepHead");
        keep->setChecked(!keep->isChecked());
        QVERIFY(dialog.exactBytes() != kept);
        keep->setChecked(!keep->isChecked());
        QCOMPARE(dialog.exactBytes(), kept);
        auto* main = child<QAbstractButton>(dialog, "exportMain");
        QVERIFY(main->isEnabled());
        dialog.setFreeBytes(kept - 1);
        QVERIFY(dialog.problem().contains(QStringLiteral("more are needed on this disk")));
        QVERIFY(!main->isEnabled());
        QVERIFY(
            child<QLabel>(dialog, "exportSpace")->text().contains(QStringLiteral("too little")));
        dialog.setFreeBytes(kept);
        QVERIFY(main->isEnabled());
        QVERIFY(child<QLabel>(dialog, "exportDeviceReason")
                    ->text()
                    .contains(QStringLiteral("CUDA is not available: no device")));
        // Names are there, each once.
        QSet<QString> names;
        for (QWidget* widget : dialog.findChildren<QWidget*>()) {
            if (widget->focusPolicy() == Qt::NoFocus || !widget->isVisibleTo(&dialog) ||
                widget->objectName().startsWith(QLatin1String("qt_")))
                continue;
            const QString name =
                QAccessible::queryAccessibleInterface(widget)->text(QAccessible::Name);
            QVERIFY2(!name.isEmpty(), qPrintable(widget->objectName()));
            QVERIFY2(!names.contains(name), qPrintable(name));
            names.insert(name);
        }
        shoot(dialog, QStringLiteral("export-form"));
    }

    void runsThroughTheDialog() {
        m_bench->startEngine({QStringLiteral("delay=0.05")});
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        child<QLineEdit>(dialog, "exportName")->setText(QStringLiteral("tales"));
        auto* main = child<QAbstractButton>(dialog, "exportMain");
        auto* other = child<QAbstractButton>(dialog, "exportOther");
        QSignalSpy test(&dialog, &ExportDialog::testInChat);
        QTest::mouseClick(main, Qt::LeftButton);
        QCOMPARE(run.state(), ExportRun::State::Running);
        QCOMPARE(main->text(), QStringLiteral("Run in background"));
        QCOMPARE(other->text(), QStringLiteral("Cancel export"));
        QVERIFY(!child<QLineEdit>(dialog, "exportName")->isEnabled());
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);
        QCOMPARE(run.result()[QLatin1String("asked")][QLatin1String("output")].toString(),
                 out.filePath(QStringLiteral("tales")));
        QVERIFY(run.verified());
        QCOMPARE(dialog.findChild<ExportProgress*>()->headline(),
                 QStringLiteral("Exported and verified"));
        QVERIFY(child<QAbstractButton>(dialog, "exportOpen")->isVisible());
        QTest::mouseClick(child<QAbstractButton>(dialog, "exportTest"), Qt::LeftButton);
        QCOMPARE(test.size(), 1);
        QCOMPARE(test[0][0].toString(), out.filePath(QStringLiteral("tales")));
        QVERIFY(!dialog.isVisible());
        // The next estimate knows how fast this machine is.
        ExportRequest next = run.request();
        QCOMPARE(ExportRun::estimateSeconds(next, m_bench->workbench), 4.0);
        // No other device's, number of threads or machine's.
        const auto estimate = [&](const QStringList& script) {
            m_bench->startEngine(script);
            return ExportRun::estimateSeconds(next, m_bench->workbench);
        };
        const QString gpu = QStringLiteral("gpu=NVIDIA H200");
        QCOMPARE(estimate({QStringLiteral("device=auto"), gpu}), -1.0);
        QCOMPARE(estimate({QStringLiteral("threads=16")}), -1.0);
        QCOMPARE(estimate({QStringLiteral("device=auto")}), 4.0); // the processor's, after all
        QCOMPARE(estimate({gpu}), 4.0);
        m_bench->settings.setEngineCommand(QStringLiteral("ssh box bitloom serve"));
        QCOMPARE(estimate({}), -1.0);
        m_bench->settings.setEngineCommand({});
        QCOMPARE(estimate({}), 4.0);
        m_bench->workbench.setEngine(nullptr);
        QCOMPARE(ExportRun::estimateSeconds(next, m_bench->workbench), -1.0);
    }

    void deviceOfTheEngine_data() {
        QTest::addColumn<QStringList>("engine");
        QTest::addColumn<QString>("preference"); // of this machine
        QTest::addColumn<QString>("device");
        QTest::addColumn<QString>("reason");
        const QString gpu = QStringLiteral("gpu=NVIDIA H200");
        QTest::newRow("another's GPU") << QStringList{QStringLiteral("device=cuda"), gpu} << "cpu"
                                       << "CUDA, 2 threads"
                                       << "";
        QTest::newRow("another's processor") << QStringList{gpu} << "cuda"
                                             << "CPU, 2 threads"
                                             << "";
        QTest::newRow("none there") << QStringList{QStringLiteral("device=auto")} << "auto"
                                    << "CPU, 2 threads"
                                    << "CUDA is not available: no device";
    }
    /// What an engine computes with it says itself: one elsewhere was not started by this machine's
    /// preferences.
    void deviceOfTheEngine() {
        QFETCH(QStringList, engine);
        QFETCH(QString, preference);
        QFETCH(QString, device);
        QFETCH(QString, reason);
        m_bench->settings.setDevice(preference);
        m_bench->startEngine(engine);
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        QCOMPARE(child<QLabel>(dialog, "exportDevice")->text(), device);
        QCOMPARE(child<QLabel>(dialog, "exportDeviceReason")->text(), reason);
        const bool cuda = device.startsWith(QStringLiteral("CUDA"));
        QCOMPARE(dialog.command().contains(QStringLiteral(" --device cuda ")), cuda);
        QTemporaryDir out;
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        QTest::mouseClick(child<QAbstractButton>(dialog, "exportMain"), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);
        const QString figures = child<QLabel>(dialog, "exportFigures")->text();
        QVERIFY2(figures.contains(QStringLiteral("peak&nbsp;memory")), qPrintable(figures));
        QCOMPARE(figures.contains(QStringLiteral("of&nbsp;the&nbsp;GPU's&nbsp;memory")), cuda);
        m_bench->settings.setDevice(QStringLiteral("auto"));
    }

    void cancelsAndResumes() {
        m_bench->startEngine({QStringLiteral("steps=4000"), QStringLiteral("delay=0.005")});
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        child<QLineEdit>(dialog, "exportName")->setText(QStringLiteral("tales"));
        auto* main = child<QAbstractButton>(dialog, "exportMain");
        QTest::mouseClick(main, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(run.fraction() > 0, patience);
        QTest::keyClick(&dialog, Qt::Key_Escape); // stops the export, not the dialog
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Cancelled, patience);
        QVERIFY(dialog.isVisible());
        QVERIFY(QFileInfo::exists(out.filePath(QStringLiteral("tales.partial"))));
        const PartialExport left =
            PartialExport::read(out.filePath(QStringLiteral("tales.partial")));
        QCOMPARE(left.tensors, 1); // a line that is half written does not count
        QCOMPARE(left.totalTensors, 2);
        QCOMPARE(left.writtenBytes, qint64(4096));
        QVERIFY(left.claimedBytes > 6144);
        QCOMPARE(main->text(), QStringLiteral("Resume export"));
        QVERIFY(dialog.findChild<ExportProgress*>()->headline().startsWith(
            QStringLiteral("Stopped at")));
        // Another dialog finds what is left.
        ExportRun later(m_bench->workbench);
        ExportDialog second(m_bench->workbench, later);
        second.show();
        child<QLineEdit>(second, "exportFolder")->setText(out.path());
        child<QLineEdit>(second, "exportName")->setText(QStringLiteral("tales"));
        QVERIFY(child<QLabel>(second, "exportFound")->isVisible());
        QCOMPARE(child<QAbstractButton>(second, "exportMain")->text(),
                 QStringLiteral("Resume export"));
        // A new engine that is faster: the same work goes on.
        m_bench->startEngine({});
        QTest::mouseClick(main, Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);
        QVERIFY(run.result()[QLatin1String("asked")][QLatin1String("resume")].toBool());
        QVERIFY(run.resumedShare() > 0);
    }

    void goesOnInTheBackground() {
        m_bench->startEngine({QStringLiteral("steps=60"), QStringLiteral("delay=0.01")});
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportRequest wanted = request(out.path());
        {
            ExportDialog dialog(m_bench->workbench, run);
            dialog.show();
            child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
            QTest::mouseClick(child<QAbstractButton>(dialog, "exportMain"), Qt::LeftButton);
            QTRY_VERIFY_WITH_TIMEOUT(run.fraction() > 0, patience);
            QTest::mouseClick(child<QAbstractButton>(dialog, "exportMain"), Qt::LeftButton);
            QVERIFY(!dialog.isVisible());
        }
        QVERIFY(run.detached());
        QCOMPARE(run.state(), ExportRun::State::Running);
        ExportDialog again(m_bench->workbench, run); // shows the run that is under way
        QVERIFY(!child<QLineEdit>(again, "exportName")->isEnabled());
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);
        run.verify();
        QVERIFY(run.verifying());
        QTRY_VERIFY_WITH_TIMEOUT(!run.verifying(), patience);
        QVERIFY(run.verified());
    }

    void copiedCommandNamesAPlanFile() {
        m_bench->startEngine({});
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        QTest::mouseClick(child<QAbstractButton>(dialog, "exportCopy"), Qt::LeftButton);
        const QString line = QGuiApplication::clipboard()->text();
        static const QRegularExpression file(QStringLiteral("--plan '([^']*)'"));
        const QString path = file.match(line).captured(1);
        QVERIFY2(QFileInfo::exists(path), qPrintable(line));
        // It holds the present plan, choice by choice.
        const Plan kept = Plan::load(path.toStdString());
        const Plan present = m_bench->workbench.exportablePlan();
        QCOMPARE(kept.layers.size(), present.layers.size());
        for (size_t i = 0; i < kept.layers.size(); ++i)
            QVERIFY(kept.layers[i] == present.layers[i]);
    }

    void reportsThePlan() {
        const PlanReport report = reportOf(m_bench->workbench, nullptr);
        QCOMPARE(report.model, QStringLiteral("bitloom-tales-4m"));
        QCOMPARE(report.totalBytes, m_bench->workbench.figures().size.totalBytes);
        int64_t weights = 0;
        for (const BitShare& share : report.shares)
            weights += share.weights;
        QCOMPARE(weights, report.weights);
        QCOMPARE(report.groups.size(), size_t(7));
        int64_t sum = 0;
        for (const PlanReport::Part& part : report.parts)
            if (!part.total) sum += part.bytes;
        QCOMPARE(sum, report.totalBytes);
        QVERIFY(report.fp16 && report.predicted);
        QVERIFY(report.predicted->perplexity > report.fp16->perplexity);
    }

    /// The program's own engine: the exact size, the same bytes from the copied command.
    void withTheProgramItself() {
        if (!m_bench->startRealEngine()) QSKIP("the program is not built");
        QTemporaryDir out;
        ExportRun run(m_bench->workbench);
        ExportDialog dialog(m_bench->workbench, run);
        dialog.show();
        child<QLineEdit>(dialog, "exportFolder")->setText(out.path());
        child<QLineEdit>(dialog, "exportName")->setText(QStringLiteral("tales"));
        QTest::mouseClick(child<QAbstractButton>(dialog, "exportMain"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(run.fraction() > 0.2 || run.state() != ExportRun::State::Running,
                                 300'000);
        shoot(dialog, QStringLiteral("export-running"));
        run.cancel();
        QTRY_VERIFY_WITH_TIMEOUT(run.state() != ExportRun::State::Running, 300'000);
        if (run.state() == ExportRun::State::Cancelled) {
            shoot(dialog, QStringLiteral("export-stopped"));
            run.resume();
            QTRY_VERIFY_WITH_TIMEOUT(
                run.fraction() > 0.5 || run.state() != ExportRun::State::Running, 300'000);
            shoot(dialog, QStringLiteral("export-resumed"));
        }
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, 300'000);
        QTest::qWait(50);
        shoot(dialog, QStringLiteral("export-done"));
        QCOMPARE(qint64(run.result()[QLatin1String("bytes")].toDouble()), dialog.exactBytes());
        QVERIFY(run.verified());
        // The command in a shell, with another name for its output.
        QString line = dialog.command();
        line.replace(QStringLiteral("/tales'"), QStringLiteral("/again'"));
        line.remove(QStringLiteral(" --resume"));
        const QString program = m_bench->engine->command().program;
        line.replace(QStringLiteral("bitloom quantize"), program % QStringLiteral(" quantize"));
        QProcess shell;
        shell.start(QStringLiteral("/bin/sh"), {QStringLiteral("-c"), line});
        QVERIFY(shell.waitForFinished(300'000));
        QVERIFY2(shell.exitCode() == 0, shell.readAllStandardError().constData());
        const auto bytes = [&](const QString& name) {
            QFile file(out.filePath(name));
            if (!file.open(QIODevice::ReadOnly)) return QByteArray();
            return file.readAll();
        };
        const QByteArray first = bytes(QStringLiteral("tales/model.safetensors"));
        QVERIFY(first.size() > 100'000);
        QVERIFY(first == bytes(QStringLiteral("again/model.safetensors")));
    }
};

QTEST_MAIN(TestExport)
#include "tst_export.moc"
