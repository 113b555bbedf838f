// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// Chat, comparison and export as parts of the window.
#include "tests/ui/chat/chat_bench.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/chat/token_view.h"
#include "ui/compare/compare_page.h"
#include "ui/compare/measure.h"
#include "ui/export/export_dialog.h"
#include "ui/export/export_run.h"
#include "ui/state/jobs.h"
#include "ui/state/log_buffer.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"

#include <QAction>
#include <QDockWidget>
#include <QHash>
#include <QStackedWidget>

using namespace bitloom;
using namespace bitloom::ui;

namespace {
constexpr int patience = 60'000;
}

class TestRooms : public QObject {
    Q_OBJECT
    std::unique_ptr<ChatBench> m_bench;
    std::unique_ptr<ThemeControl> m_theme;
    LogBuffer m_log;

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

    void fromRoomToRoom() {
        m_bench->startEngine({QStringLiteral("tokens=12"), QStringLiteral("differ=5")});
        MainWindow window(m_bench->workbench, m_log, {});
        auto* rooms = new StudioRooms(window, m_bench->workbench);
        window.resize(1440, 900);
        window.show();
        auto* pages = window.findChild<QStackedWidget*>(QStringLiteral("pages"));
        QVERIFY(window.action(QStringLiteral("export"))->isVisible());
        window.setLayoutId(QStringLiteral("compare"));
        QCOMPARE(pages->currentWidget(), rooms->compare());
        window.findChild<QAction*>(QStringLiteral("tryInChat"))->trigger();
        QCOMPARE(window.layoutId(), QStringLiteral("chat"));
        QCOMPARE(pages->currentWidget(), rooms->chat());
        QVERIFY(window.dock(QStringLiteral("sampling"))->isVisible());
        QVERIFY(window.dock(QStringLiteral("token"))->isVisible());
        QVERIFY(!window.dock(QStringLiteral("plan"))->isVisible());
        rooms->chat()->setPrompt(QStringLiteral("Once"));
        rooms->chat()->send();
        QTRY_VERIFY_WITH_TIMEOUT(!rooms->chat()->session().busy(), patience);
        QCOMPARE(rooms->chat()->session().firstDifference(), 5);
        // An export comes into the comparison, and into the chat when asked.
        QTemporaryDir out;
        auto* dialog = qobject_cast<ExportDialog*>(rooms->openExport());
        QVERIFY(dialog);
        ExportRequest request = dialog->request();
        request.folder = out.path();
        request.name = QStringLiteral("export-of-tales");
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
        rooms->exportRun()->start(request, 1000);
        QTRY_COMPARE_WITH_TIMEOUT(rooms->exportRun()->state(), ExportRun::State::Done, patience);
        QVERIFY(rooms->compare()->model()->folders().contains(request.output()));
        rooms->testInChat(request.output());
        QCOMPARE(rooms->chat()->session().side(1),
                 (Subject{Subject::Kind::Folder, request.output()}));
        dialog->close();
        QDialog* measure = rooms->openMeasure({});
        QVERIFY(measure);
        measure->accept();
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->workbench.measurementOfPlan(), patience);
    }

    void shortcutsAreUnique() {
        MainWindow window(m_bench->workbench, m_log, {});
        new StudioRooms(window, m_bench->workbench);
        QHash<QKeySequence, QString> taken;
        for (QAction* action : window.findChildren<QAction*>())
            for (const QKeySequence& keys : action->shortcuts()) {
                if (action->shortcutContext() == Qt::WidgetShortcut ||
                    action->shortcutContext() == Qt::WidgetWithChildrenShortcut)
                    continue;
                QVERIFY2(!taken.contains(keys) || taken[keys] == action->objectName(),
                         qPrintable(keys.toString() % QLatin1Char(' ') % taken.value(keys) %
                                    QLatin1Char(' ') % action->objectName()));
                taken.insert(keys, action->objectName());
            }
        QVERIFY(taken.contains(QKeySequence(Qt::CTRL | Qt::Key_3)));
    }

    void pictures() {
        if (qEnvironmentVariableIsEmpty("BITLOOM_ARTIFACTS")) QSKIP("no folder for pictures");
        if (!m_bench->startRealEngine()) QSKIP("the program is not built");
        MainWindow window(m_bench->workbench, m_log, {});
        auto* rooms = new StudioRooms(window, m_bench->workbench);
        window.resize(1440, 900);
        window.show();
        m_bench->workbench.requestBudget({Budget::Kind::Bits, 2.6});
        QTest::qWait(500);
        rooms->showChat({Subject::Kind::Original, {}}, {Subject::Kind::Plan, {}});
        ChatOptions options = rooms->chat()->session().options();
        options.maxTokens = 120;
        rooms->chat()->session().setOptions(options);
        rooms->chat()->setPrompt(
            QStringLiteral("Once upon a time there was a little fox who wanted to learn"));
        rooms->chat()->send();
        QTRY_VERIFY_WITH_TIMEOUT(!rooms->chat()->session().busy(), patience);
        QTest::qWait(100);
        rooms->chat()->setCurrentToken(rooms->chat()->session().divergence().otherTop(20, 1),
                                       false);
        rooms->chat()->setPrompt(QStringLiteral("The dog and the cat"));
        shoot(window, QStringLiteral("window-chat"));
        window.setLayoutId(QStringLiteral("compare"));
        QTest::qWait(300);
        shoot(window, QStringLiteral("window-compare"));
        m_bench->workbench.jobs().cancelAll();
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
    }
};

QTEST_MAIN(TestRooms)
#include "tst_rooms.moc"
