// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// The studio with an engine on another machine: a real one, behind a shell command and two pipes,
// which sees a folder that this side does not have (other_machine.sh).
#include "tests/support/gui_fixture.h"

#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_page.h"
#include "ui/compare/measure.h"
#include "ui/dialogs/place_dialog.h"
#include "ui/engine_client/engine_client.h"
#include "ui/export/export_dialog.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/window/engine_jobs.h"

#include <QAction>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QProcess>
#include <QPushButton>
#include <QRegularExpression>
#include <QTimer>
#include <QTreeWidget>

#include <csignal>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

constexpr int patience = 240'000;
const QString script = QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/remote/other_machine.sh");
const QString sample = QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");

bool copyFolder(const QString& from, const QString& to) {
    if (!QDir().mkpath(to)) return false;
    for (const QFileInfo& entry :
         QDir(from).entryInfoList(QDir::AllEntries | QDir::NoDotAndDotDot)) {
        const QString target = to + QLatin1Char('/') + entry.fileName();
        if (entry.isDir() ? !copyFolder(entry.filePath(), target)
                          : !QFile::copy(entry.filePath(), target))
            return false;
    }
    return true;
}

QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray("no file");
}

/// The whole studio, without a display, with settings of its own.
struct RemoteStudio {
    explicit RemoteStudio(const QString& command) : window(f.workbench, log, {sample}) {
        f.settings.setEngineCommand(command);
        rooms = new StudioRooms(window, f.workbench);
        window.show();
        window.startEngine();
    }
    ~RemoteStudio() { f.workbench.setEngine(nullptr); }
    bool ready() {
        return QTest::qWaitFor(
            [this] { return f.workbench.engine()->state() == EngineClient::State::Ready; },
            patience);
    }
    bool open(const QString& path) {
        window.openModel(path);
        return QTest::qWaitFor([this] { return f.workbench.phase() != Workbench::Phase::Opening; },
                               patience) &&
               f.workbench.phase() == Workbench::Phase::Ready && f.settle();
    }
    bool idle() {
        return QTest::qWaitFor([this] { return f.workbench.jobs().activeCount() == 0; }, patience);
    }
    const Job& last() { return f.workbench.jobs().jobs().back(); }
    void killEngine() {
        ::kill(pid_t(f.workbench.engine()->hello()[QStringLiteral("pid")].toInt()), SIGKILL);
    }
    template<class W>
    W* find(const char* name) {
        return window.findChild<W*>(QString::fromLatin1(name));
    }

    WorkbenchFixture f{nullptr};
    LogBuffer log;
    MainWindow window;
    StudioRooms* rooms = nullptr;
};

} // namespace

class TestRemote : public QObject {
    Q_OBJECT

    QTemporaryDir m_root, m_place; ///< the other machine's disk; empty here, the same path there
    QString m_command;

    QString there(const QString& path) const { return m_place.path() + path; }
    QString hidden(const QString& path) const { return m_root.path() + m_place.path() + path; }
    bool nothingHere() const {
        return QDir(m_place.path()).isEmpty(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden);
    }

private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        QProcess probe;
        probe.start(script, {QStringLiteral("--probe")});
        QVERIFY(probe.waitForFinished(20'000));
        if (probe.exitCode() != 0)
            QSKIP(
                "NOT TESTED: neither unshare -m nor chroot is allowed here, so there is no second "
                "machine to test with");
        qInfo("the other machine by: %s", probe.readAll().trimmed().constData());
        QVERIFY(copyFolder(sample, hidden(QStringLiteral("/models/tales"))));
        QVERIFY(QDir().mkpath(hidden(QStringLiteral("/home"))));
        QVERIFY(QDir().mkpath(hidden(QStringLiteral("/out/new"))));
        m_command =
            (QStringList{script, m_root.path(), m_place.path(),
                         QStringLiteral(BITLOOM_BINARY_DIR "/bin/bitloom"), QStringLiteral("serve"),
                         QStringLiteral("--threads"), QStringLiteral("2")})
                .join(QLatin1Char(' '));
        QVERIFY(nothingHere());
    }
    void cleanup() { QVERIFY(nothingHere()); }

    void choosesAndOpensWhatIsNotHere() {
        RemoteStudio studio(m_command);
        QVERIFY(studio.ready());
        QCOMPARE(studio.f.workbench.engine()->hello()[QStringLiteral("home")].toString(),
                 there(QStringLiteral("/home")));
        studio.window.action(QStringLiteral("open"))->trigger();
        auto* dialog = studio.find<PlaceDialog>("placeDialog");
        QVERIFY(dialog);
        // It begins in the home folder of the other machine; a path can be written.
        QTRY_COMPARE_WITH_TIMEOUT(dialog->folder(), there(QStringLiteral("/home")), patience);
        auto* main = dialog->findChild<QPushButton*>(QStringLiteral("placeMain"));
        QVERIFY(!main->isEnabled());
        auto* path = dialog->findChild<QLineEdit*>(QStringLiteral("placePath"));
        path->setFocus();
        path->setText(there(QStringLiteral("/models")));
        QTest::keyClick(path, Qt::Key_Return);
        QTRY_COMPARE_WITH_TIMEOUT(dialog->folder(), there(QStringLiteral("/models")), patience);
        auto* list = dialog->findChild<QTreeWidget*>(QStringLiteral("placeList"));
        QCOMPARE(list->topLevelItemCount(), 1);
        QCOMPARE(list->topLevelItem(0)->text(0), QStringLiteral("tales"));
        list->setFocus();
        list->setCurrentItem(list->topLevelItem(0));
        QVERIFY(main->isEnabled());
        main->click();
        QTRY_COMPARE_WITH_TIMEOUT(studio.f.workbench.phase(), Workbench::Phase::Ready, patience);
        QVERIFY(studio.f.settle());
        const ModelData& model = *studio.f.workbench.model();
        QCOMPARE(model.folder, there(QStringLiteral("/models/tales")));
        QCOMPARE(model.title, QStringLiteral("tales"));
        QVERIFY(model.statisticsFile.startsWith(m_place.path()));

        // The same plan, the same size to the byte, as for the same model here.
        WorkbenchFixture local(nullptr);
        local.workbench.openModel(sample);
        QTRY_COMPARE_WITH_TIMEOUT(local.workbench.phase(), Workbench::Phase::Ready, patience);
        for (const double bits : {2.5, 3.37}) {
            studio.f.workbench.requestBudget({Budget::Kind::Bits, bits});
            local.workbench.requestBudget({Budget::Kind::Bits, bits});
            QTRY_VERIFY_WITH_TIMEOUT(studio.f.workbench.figures().sizeExact &&
                                         local.workbench.figures().sizeExact,
                                     patience);
            QCOMPARE(studio.f.workbench.plan().allocation().points,
                     local.workbench.plan().allocation().points);
            QCOMPARE(studio.f.workbench.figures().prediction.deltaNll,
                     local.workbench.figures().prediction.deltaNll);
        }
        QCOMPARE(studio.f.settings.recentModels(), QStringList{model.folder});
        studio.f.settings.setEngineCommand({});
        QVERIFY(studio.f.settings.recentModels().isEmpty()); // of this machine
    }

    void refusesWithTheEnginesReasons() {
        RemoteStudio studio(m_command);
        studio.window.openModel(there(QStringLiteral("/none")));
        QTRY_COMPARE_WITH_TIMEOUT(studio.f.workbench.phase(), Workbench::Phase::Failed, patience);
        QVERIFY(studio.f.workbench.error().what.contains(QStringLiteral("none")));
    }

    void analyzesFromNothing() {
        const QString bare = hidden(QStringLiteral("/models/bare"));
        QVERIFY(copyFolder(sample, bare) &&
                QDir(bare + QStringLiteral("/bitloom")).removeRecursively());
        // Other weights: no statistics anywhere are of this model.
        QFile config(bare + QStringLiteral("/config.json"));
        QVERIFY(config.open(QIODevice::ReadWrite));
        QByteArray text = config.readAll();
        QVERIFY(text.contains("rms_norm_eps"));
        text.replace("1e-05", "2e-05").replace("1e-06", "2e-06");
        config.resize(0);
        config.seek(0);
        config.write(text);
        config.close();
        RemoteStudio studio(m_command);
        studio.window.openModel(there(QStringLiteral("/models/bare")));
        QTRY_VERIFY_WITH_TIMEOUT(studio.f.workbench.phase() == Workbench::Phase::Headers ||
                                     studio.f.workbench.phase() == Workbench::Phase::Ready,
                                 patience);
        studio.window.engineJobs()->analyze({{QStringLiteral("sequences"), 2},
                                             {QStringLiteral("length"), 32},
                                             {QStringLiteral("force"), true}});
        QVERIFY(studio.idle());
        QVERIFY2(studio.last().state == Job::State::Done, qPrintable(studio.last().error.message));
        QTRY_COMPARE_WITH_TIMEOUT(studio.f.workbench.phase(), Workbench::Phase::Ready, patience);
        QVERIFY(studio.f.workbench.model()->statisticsFile.startsWith(m_place.path()));
        QVERIFY(studio.f.workbench.model()->calibratedOn.contains(QStringLiteral("32")));
    }

    void exportsComparesMeasuresAndTalks() {
        RemoteStudio studio(m_command);
        QVERIFY(studio.ready() && studio.open(there(QStringLiteral("/models/tales"))));
        Workbench& workbench = studio.f.workbench;
        workbench.requestBudget({Budget::Kind::Bits, 3.0});
        workbench.setOptions(HeadStorage::Keep, 0, 0);
        QVERIFY(studio.f.settle());

        // A folder on a disk of which only the engine knows.
        auto* dialog = qobject_cast<ExportDialog*>(studio.rooms->openExport());
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>(QStringLiteral("exportFolder"))
            ->setText(there(QStringLiteral("/models/tales/config.json")));
        QTRY_VERIFY_WITH_TIMEOUT(!dialog->problem().isEmpty() &&
                                     !dialog->problem().contains(QStringLiteral("Asking")),
                                 patience);
        auto* made = dialog->findChild<QLabel*>(QStringLiteral("exportMade"));
        dialog->findChild<QLineEdit*>(QStringLiteral("exportFolder"))
            ->setText(there(QStringLiteral("/out/new")));
        QTRY_COMPARE_WITH_TIMEOUT(dialog->problem(), QString(), patience);
        QVERIFY(!made->isVisible());
        // One that is not there is made, and that is said before.
        dialog->findChild<QLineEdit*>(QStringLiteral("exportFolder"))
            ->setText(there(QStringLiteral("/out/new/a/b")));
        QTRY_VERIFY_WITH_TIMEOUT(made->isVisible(), patience);
        QVERIFY(made->text().contains(QStringLiteral("/out/new/a/b")));
        dialog->findChild<QLineEdit*>(QStringLiteral("exportName"))
            ->setText(QStringLiteral("small"));
        QTRY_COMPARE_WITH_TIMEOUT(dialog->problem(), QString(), patience);
        QVERIFY(dialog->findChild<QLabel*>(QStringLiteral("exportSpace"))
                    ->text()
                    .contains(QStringLiteral("enough")));
        const qint64 bytes = dialog->exactBytes();
        dialog->findChild<QPushButton*>(QStringLiteral("exportMain"))->click();
        ExportRun& run = *studio.rooms->exportRun();
        QTRY_VERIFY_WITH_TIMEOUT(run.state() == ExportRun::State::Done ||
                                     run.state() == ExportRun::State::Failed,
                                 patience);
        QVERIFY2(run.state() == ExportRun::State::Done, qPrintable(run.error().message));
        QVERIFY(!dialog->findChild<QLineEdit*>(QStringLiteral("exportName"))->isEnabled());
        QVERIFY(run.verified());
        const QString output = there(QStringLiteral("/out/new/a/b/small"));
        QCOMPARE(run.request().output(), output);
        qint64 written = 0;
        for (const QFileInfo& file :
             QDir(hidden(QStringLiteral("/out/new/a/b/small"))).entryInfoList(QDir::Files))
            written += file.size();
        QCOMPARE(written, bytes);
        auto* openFolder = dialog->findChild<QPushButton*>(QStringLiteral("exportOpen"));
        QVERIFY(!openFolder->isVisible());
        QVERIFY(dialog->findChild<QPushButton*>(QStringLiteral("exportTest"))->isVisible());
        run.verify(); // once more, as the button does
        QTRY_VERIFY_WITH_TIMEOUT(!run.verifying(), patience);
        QVERIFY(run.verified() && run.damaged().isEmpty());
        dialog->close();

        // The name is taken now.
        auto* second = qobject_cast<ExportDialog*>(studio.rooms->openExport());
        QVERIFY(second);
        second->findChild<QLineEdit*>(QStringLiteral("exportName"))
            ->setText(QStringLiteral("small"));
        QTRY_VERIFY_WITH_TIMEOUT(second->problem().contains(QStringLiteral("small")), patience);
        second->close();

        // The comparison read it through the engine.
        CompareModel* compare = studio.rooms->compare()->model();
        const auto row = [&] { return compare->rowOf({Subject::Kind::Folder, output}); };
        QTRY_VERIFY_WITH_TIMEOUT(row() >= 0 && compare->rows()[size_t(row())].known, patience);
        const CompareRow& exported = compare->rows()[size_t(row())];
        QCOMPARE(exported.bytes, bytes);
        QCOMPARE(exported.bits, workbench.figures().bitsPerWeight);
        // As reading the very folder says, which only this test can.
        std::vector<std::string> names;
        for (const LayerEntry& entry : workbench.model()->entries)
            names.push_back(entry.name);
        double bits = 0;
        int64_t folderBytes = 0;
        QCOMPARE(exported.layerBits,
                 checkpointLayerBits(hidden(QStringLiteral("/out/new/a/b/small")), names, bits,
                                     folderBytes));
        QCOMPARE(folderBytes, bytes);

        MeasureRequest request;
        request.subject = {Subject::Kind::Folder, output};
        request.windows = 2;
        studio.rooms->measures()->start(request);
        QVERIFY(studio.idle());
        QVERIFY2(studio.last().state == Job::State::Done, qPrintable(studio.last().error.message));
        QVERIFY(compare->rows()[size_t(row())].measuredPpl);

        ChatSession& chat = studio.rooms->chat()->session();
        ChatOptions options = chat.options();
        options.maxTokens = 6;
        chat.setOptions(options);
        studio.rooms->testInChat(output);
        studio.rooms->chat()->setPrompt(QStringLiteral("Once upon a time"));
        QTRY_COMPARE_WITH_TIMEOUT(chat.obstacle(), QString(), patience);
        studio.rooms->chat()->send();
        QVERIFY(chat.busy());
        QTRY_VERIFY_WITH_TIMEOUT(!chat.busy(), patience);
        QCOMPARE(chat.problem(), QString());
        QCOMPARE(chat.stream(0).size(), 6);
        QCOMPARE(chat.stream(1).size(), 6);
        QCOMPARE(chat.divergence().size(), 6);

        // A session knows where its model is, and comes back as it was.
        const QString file = studio.f.folder.filePath(QStringLiteral("x.bitloom-session"));
        workbench.addPin(Pin::parse("v_proj$=6"));
        QVERIFY(studio.f.settle());
        QVERIFY(studio.window.saveSession(file));
        const Session session = Session::load(file);
        QCOMPARE(session.machine, workbench.engine()->command().text());
        RemoteStudio again(m_command);
        QVERIFY(again.ready());
        again.window.openSession(file);
        QTRY_COMPARE_WITH_TIMEOUT(again.f.workbench.phase(), Workbench::Phase::Ready, patience);
        QVERIFY(again.f.settle());
        QCOMPARE(again.f.workbench.plan().allocation().points,
                 workbench.plan().allocation().points);
        QCOMPARE(again.rooms->chat()->state().prompts,
                 QStringList{QStringLiteral("Once upon a time")});
        QCOMPARE(again.rooms->chat()->session().options().maxTokens, 6);
        QVERIFY(!again.f.workbench.isModified());
    }

    void sessionOfAnotherMachineAsksForItsEngine() {
        const QString file = m_root.filePath(QStringLiteral("y.bitloom-session"));
        {
            RemoteStudio studio(m_command);
            QVERIFY(studio.ready() && studio.open(there(QStringLiteral("/models/tales"))));
            QVERIFY(studio.window.saveSession(file));
        }
        RemoteStudio here({});
        bool asked = false;
        QTimer answer;
        connect(&answer, &QTimer::timeout, &answer, [&] {
            if (auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget()))
                if (auto* start = box->findChild<QPushButton*>(QStringLiteral("sessionEngine"))) {
                    asked = true;
                    start->click();
                }
        });
        answer.start(20);
        here.window.openSession(file);
        answer.stop();
        QVERIFY(asked);
        QTRY_COMPARE_WITH_TIMEOUT(here.f.workbench.phase(), Workbench::Phase::Ready, patience);
        QVERIFY(here.f.workbench.model()->remote());
        QVERIFY(here.f.workbench.engineHasModel());
        // Back to the engine here: the plan goes on, jobs of that model do not.
        here.f.settings.setEngineCommand({});
        QTRY_VERIFY_WITH_TIMEOUT(!here.f.workbench.engineHasModel(), patience);
        QVERIFY(here.f.workbench.hasPlan());
        QVERIFY(!here.window.action(QStringLiteral("measure"))->isEnabled());
        QVERIFY(!here.rooms->chat()->session().obstacle().isEmpty());
    }

    /// A connection that hangs ends nothing by itself: it is said, and can be restarted.
    void hangingConnectionsAreSaid() {
        RemoteStudio studio(m_command);
        QVERIFY(studio.ready());
        EngineClient& engine = *studio.f.workbench.engine();
        engine.setHeartbeat(300, 1200);
        auto* banner = studio.find<QWidget>("engineBanner");
        auto* text = studio.find<QLabel>("engineBannerText");
        auto* retry = studio.find<QPushButton>("engineRetry");
        auto* status = studio.find<QLabel>("statusEngine");
        auto* restart = studio.find<QPushButton>("statusRestart");
        QVERIFY(!banner->isVisible() && !restart->isVisible());
        const auto pid = pid_t(engine.hello()[QStringLiteral("pid")].toInt());
        ::kill(pid,
               SIGSTOP); // though nothing runs: a line that is cut is known before it is needed
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
        QVERIFY2(text->text().contains(QRegularExpression(
                     QStringLiteral("^No answer from the engine for [1-9][0-9]* s\\."))),
                 qPrintable(text->text()));
        QVERIFY(restart->isVisible());
        QVERIFY(status->text().startsWith(QStringLiteral("no answer for ")));
        ::kill(pid, SIGCONT);
        QTRY_VERIFY_WITH_TIMEOUT(!banner->isVisible(), patience);
        QVERIFY(!restart->isVisible());
        ::kill(pid, SIGSTOP);
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
        QCOMPARE(retry->text(), QStringLiteral("Restart"));
        retry->click();
        QVERIFY(studio.ready());
        QVERIFY(!banner->isVisible());
        QVERIFY(pid_t(engine.hello()[QStringLiteral("pid")].toInt()) != pid);
        ::kill(pid, SIGKILL); // behind a network it would end with its connection
    }

    void lostConnectionsLoseNothing() {
        RemoteStudio studio(m_command);
        QVERIFY(studio.ready());
        auto* banner = studio.find<QWidget>("engineBanner");
        auto* retry = studio.find<QPushButton>("engineRetry");
        QVERIFY(banner && retry && !banner->isVisible());
        Workbench& workbench = studio.f.workbench;

        // While nothing runs, and then while a model is being opened.
        studio.killEngine();
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
        retry->click();
        QVERIFY(studio.ready());
        QVERIFY(!banner->isVisible());
        studio.window.openModel(there(QStringLiteral("/models/tales")));
        studio.killEngine();
        QTRY_VERIFY_WITH_TIMEOUT(workbench.phase() != Workbench::Phase::Opening, patience);
        if (workbench.phase() == Workbench::Phase::Failed) {
            QVERIFY(!workbench.error().what.isEmpty());
            QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
            retry->click();
        }
        QVERIFY(studio.open(there(QStringLiteral("/models/tales"))));
        workbench.requestBudget({Budget::Kind::Bits, 3.0});
        workbench.setOptions(HeadStorage::Keep, 1, 0);
        QVERIFY(studio.f.settle());
        const auto points = workbench.plan().allocation().points;

        // In the middle of an export.
        ExportRun& run = *studio.rooms->exportRun();
        ExportRequest request;
        {
            auto* dialog = qobject_cast<ExportDialog*>(studio.rooms->openExport());
            QVERIFY(dialog);
            dialog->findChild<QLineEdit*>(QStringLiteral("exportFolder"))
                ->setText(there(QStringLiteral("/out")));
            request = dialog->request();
            dialog->close();
        }
        request.name = QStringLiteral("broken");
        run.start(request, 1);
        QTRY_VERIFY_WITH_TIMEOUT((run.fraction() > 0.3 && run.bytesPerSecond() > 0) ||
                                     run.state() != ExportRun::State::Running,
                                 patience);
        QCOMPARE(run.state(), ExportRun::State::Running);
        QVERIFY(run.partial().tensors > 0 && run.partial().tensors < run.partial().totalTensors);
        // As the folder itself says, which only this test can read.
        const PartialExport folder =
            PartialExport::read(hidden(QStringLiteral("/out/broken.partial")));
        QCOMPARE(run.partial().totalTensors, folder.totalTensors);
        QVERIFY(run.writtenBytes() > 0 && run.writtenBytes() <= folder.writtenBytes);
        studio.killEngine();
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Failed, patience);
        QVERIFY(!run.error().message.isEmpty());
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
        QVERIFY(studio.find<QLabel>("engineBannerText")->text().contains(QStringLiteral("kept")));
        QVERIFY(!QFileInfo::exists(hidden(QStringLiteral("/out/broken"))));
        QVERIFY(workbench.plan().allocation().points == points); // plans live here
        workbench.requestBudget({Budget::Kind::Bits, 4.0});
        QVERIFY(studio.f.settle());
        workbench.undoStack()->undo();
        retry->click();
        QVERIFY(studio.ready());
        run.resume();
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);

        // The same bytes as without an accident.
        request.name = QStringLiteral("whole");
        run.start(request, 1);
        QTRY_COMPARE_WITH_TIMEOUT(run.state(), ExportRun::State::Done, patience);
        QCOMPARE(contentOf(hidden(QStringLiteral("/out/broken/model.safetensors"))),
                 contentOf(hidden(QStringLiteral("/out/whole/model.safetensors"))));

        // While the models answer.
        ChatSession& chat = studio.rooms->chat()->session();
        chat.setComparing(false);
        ChatOptions options = chat.options();
        options.maxTokens = 200;
        chat.setOptions(options);
        studio.rooms->chat()->setPrompt(QStringLiteral("The fox"));
        QTRY_COMPARE_WITH_TIMEOUT(chat.obstacle(), QString(), patience);
        studio.rooms->chat()->send();
        QTRY_VERIFY_WITH_TIMEOUT(chat.stream(0).size() > 3 || !chat.busy(), patience);
        const int before = chat.stream(0).size();
        studio.killEngine();
        QTRY_VERIFY_WITH_TIMEOUT(!chat.busy(), patience);
        QVERIFY(chat.stream(0).size() >= before); // what was said stays
        QCOMPARE(studio.rooms->chat()->state().prompts.last(), QStringLiteral("The fox"));
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), patience);
        retry->click();
        QVERIFY(studio.ready());
    }
};

QTEST_MAIN(TestRemote)
#include "tst_remote.moc"
