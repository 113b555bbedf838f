// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// The chat's widgets: text of tokens, marks, cursor, prompt.
#include "tests/ui/chat/chat_bench.h"
#include "ui/chat/chat_column.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/sampling_panel.h"
#include "ui/chat/token_panel.h"
#include "ui/chat/token_view.h"
#include "ui/plots/divergence_strip.h"
#include "ui/state/jobs.h"
#include "ui/theme/theme.h"

#include <QAbstractButton>
#include <QAccessible>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMainWindow>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QSet>
#include <QVBoxLayout>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

constexpr int patience = 60'000;

EngineToken token(int index, const QString& text) {
    EngineToken out;
    out.index = index;
    out.id = index;
    out.text = text;
    out.logProb = -0.5;
    return out;
}

TokenStream streamOf(const QStringList& texts) {
    TokenStream stream;
    stream.begin();
    for (int i = 0; i < int(texts.size()); ++i)
        stream.append(token(i, texts[i]), i);
    return stream;
}

/// Names of everything that the keyboard reaches; fails for an empty or a doubled one.
void checkNames(QWidget& root) {
    QSet<QString> names;
    for (QWidget* widget : root.findChildren<QWidget*>()) {
        if (widget->focusPolicy() == Qt::NoFocus || !widget->isVisibleTo(&root)) continue;
        if (qobject_cast<QScrollBar*>(widget) ||
            widget->objectName().startsWith(QLatin1String("qt_")))
            continue;
        const QAccessibleInterface* face = QAccessible::queryAccessibleInterface(widget);
        const QString name = face ? face->text(QAccessible::Name) : QString();
        const QString which = QString::fromLatin1(widget->metaObject()->className()) %
                              QLatin1Char(' ') % widget->objectName();
        QVERIFY2(!name.isEmpty(), qPrintable(which));
        QVERIFY2(!names.contains(name), qPrintable(which % QStringLiteral(": ") % name));
        names.insert(name);
    }
    QVERIFY(names.size() > 5);
}

} // namespace

class TestChatPage : public QObject {
    Q_OBJECT
    std::unique_ptr<ChatBench> m_bench;
    std::unique_ptr<ThemeControl> m_theme;

    void shoot(QWidget& widget, const QString& name) { m_bench->shoot(widget, name); }

private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        m_bench = std::make_unique<ChatBench>();
        m_theme = std::make_unique<ThemeControl>(m_bench->settings);
        m_bench->open();
    }
    void cleanupTestCase() {
        m_theme.reset();
        m_bench.reset();
    }

    void textFollowsTheStream() {
        TokenView view(QStringLiteral("Answer"));
        view.resize(300, 200);
        view.show();
        TokenStream stream = streamOf({QStringLiteral("Once"), QStringLiteral(" upon"),
                                       QStringLiteral(" a\n"), QStringLiteral("time")});
        view.showStream(stream);
        QCOMPARE(view.answerText(), QStringLiteral("Once upon a\ntime"));
        stream.append(token(4, QStringLiteral(" there")), 9);
        view.showStream(stream);
        QCOMPARE(view.answerText(), QStringLiteral("Once upon a\ntime there"));
        QCOMPARE(view.tokenCount(), 5);
        view.showStream(streamOf({QStringLiteral("Other")})); // another answer
        QCOMPARE(view.answerText(), QStringLiteral("Other"));
        view.setHistory({QStringLiteral("Hello"), QStringLiteral("World")});
        view.showStream(stream);
        QCOMPARE(view.answerText(), QStringLiteral("Once upon a\ntime there"));
        QCOMPARE(view.toPlainText(), QStringLiteral("Hello\nWorld\nOnce upon a\ntime there"));
    }

    /// Tokens lie one behind the other on the lines of the text.
    void tokensHavePlaces() {
        TokenView view(QStringLiteral("Answer"));
        view.resize(260, 400);
        view.show();
        QStringList texts;
        for (int i = 0; i < 40; ++i)
            texts << QStringLiteral(" word%1").arg(i);
        view.showStream(streamOf(texts));
        QTest::qWait(20);
        double right = -1, top = -1;
        int lines = 0;
        for (int i = 0; i < 40; ++i) {
            const std::vector<QRectF> rects = view.tokenRects(i);
            QCOMPARE(rects.size(), size_t(1));
            const QRectF rect = rects.front();
            QVERIFY(rect.width() > 10);
            QVERIFY(rect.left() >= 20 && rect.right() <= view.viewport()->width());
            if (rect.top() > top + 1) {
                ++lines;
                right = -1;
            }
            QVERIFY(rect.left() >= right);
            right = rect.right();
            top = rect.top();
        }
        QVERIFY(lines > 4);
        QVERIFY(view.tokenRects(40).empty());
        QVERIFY(view.tokenRects(-1).empty());
    }

    /// The mark of a token with a large divergence is drawn below it, and nowhere else.
    void marksLieUnderTheirTokens() {
        TokenView view(QStringLiteral("Answer"));
        QPalette palette = paletteOf(PlotTheme::light());
        view.setPalette(palette);
        view.resize(400, 120);
        view.show();
        view.showStream(streamOf({QStringLiteral("Once"), QStringLiteral(" upon"),
                                  QStringLiteral(" a"), QStringLiteral(" time")}));
        view.setDivergence({0.0f, 0.5f, 0.0f, 0.02f});
        QTest::qWait(20);
        const QImage image = view.viewport()->grab().toImage();
        const auto redBelow = [&](int index) {
            const QRectF rect = view.tokenRects(index).front();
            int red = 0;
            for (int y = int(rect.bottom()) + 1; y < int(rect.bottom()) + 5; ++y)
                for (int x = int(rect.left()) + 1; x < int(rect.right()) - 1; ++x) {
                    const QColor c = image.pixelColor(x, y);
                    red += c.red() - c.green() > 60;
                }
            return red;
        };
        QCOMPARE(redBelow(0), 0);
        QCOMPARE(redBelow(2), 0);
        QVERIFY(redBelow(1) > 20);
        QVERIFY(redBelow(3) > 5);
        QVERIFY(redBelow(1) > redBelow(3)); // thicker
        view.setDivergence({0.5f, 0.5f});   // marks end where the texts part
        const QImage ended = view.viewport()->grab().toImage();
        const QRectF third = view.tokenRects(2).front();
        QCOMPARE(ended.pixelColor(int(third.center().x()), int(third.bottom()) + 2),
                 palette.color(QPalette::Base));
    }

    void keysGoFromTokenToToken() {
        TokenView view(QStringLiteral("Answer"));
        view.resize(260, 200);
        view.show();
        QStringList texts;
        for (int i = 0; i < 30; ++i)
            texts << QStringLiteral(" word%1").arg(i);
        view.showStream(streamOf(texts));
        connect(&view, &TokenView::tokenMoved, &view,
                [&](int to) { view.setCurrentToken(to, true); });
        view.setFocus();
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.currentToken(), 0);
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.currentToken(), 1);
        QTest::keyClick(&view, Qt::Key_Down);
        QVERIFY(view.currentToken() > 2);
        QTest::keyClick(&view, Qt::Key_Up);
        QCOMPARE(view.currentToken(), 1);
        QTest::keyClick(&view, Qt::Key_End);
        QCOMPARE(view.currentToken(), 29);
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.currentToken(), 29);
        QTest::keyClick(&view, Qt::Key_Home);
        QCOMPARE(view.currentToken(), 0);
        QSignalSpy steps(&view, &TokenView::differenceRequested);
        QTest::keyClick(&view, Qt::Key_Right, Qt::ControlModifier);
        QCOMPARE(steps.size(), 1);
        view.setReadout(QStringLiteral("token 1, KL 0.2 nats"));
        const QAccessibleInterface* face = QAccessible::queryAccessibleInterface(&view);
        QCOMPARE(face->text(QAccessible::Description), QStringLiteral("token 1, KL 0.2 nats"));
    }

    /// A long answer in batches, as they arrive at 200 tokens a second; counts layouts, not time.
    void longAnswersStayInOrder() {
        TokenView view(QStringLiteral("Answer"));
        view.resize(500, 300);
        view.show();
        TokenStream stream;
        stream.begin();
        QString expected;
        for (int i = 0; i < 3000; ++i) {
            const QString text =
                i % 97 == 96 ? QStringLiteral("\n\n") : QStringLiteral(" w%1").arg(i);
            stream.append(token(i, text), i * 0.005);
            expected += text;
            if (i % 7 == 0) view.showStream(stream); // 30 batches a second
        }
        view.showStream(stream);
        QCOMPARE(view.answerText(), expected.mid(1)); // without the blank that begins it
        QCOMPARE(view.verticalScrollBar()->value(), view.verticalScrollBar()->maximum());
        view.setCurrentToken(10, true);
        const QRectF rect = view.tokenRects(10).front();
        QVERIFY(rect.top() >= 0 && rect.bottom() <= view.viewport()->height());
    }

    void saysWhereItRan_data() {
        QTest::addColumn<QStringList>("engine");
        QTest::addColumn<QString>("where"); // of the figures; empty: nothing is said
        QTest::addColumn<QString>("toolTip");
        QTest::newRow("processor") << QStringList{} << ""
                                   << "";
        QTest::newRow("processor though there is a GPU")
            << QStringList{QStringLiteral("gpu=NVIDIA H200")} << ""
            << "";
        QTest::newRow("GPU") << QStringList{QStringLiteral("device=auto"),
                                            QStringLiteral("gpu=NVIDIA H200")}
                             << "on NVIDIA H200"
                             << "";
        QTest::newRow("no GPU") << QStringList{QStringLiteral("device=auto")} << "on the processor"
                                << "Not on a GPU: no &lt;device&gt;";
    }
    /// The engine says it; the preference of this machine may be another's.
    void saysWhereItRan() {
        QFETCH(QStringList, engine);
        QFETCH(QString, where);
        QFETCH(QString, toolTip);
        m_bench->startEngine(engine << QStringLiteral("tokens=3"));
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.session().setComparing(false);
        page.show();
        page.setPrompt(QStringLiteral("Once"));
        page.send();
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        auto* figures = page.findChild<QLabel*>(QStringLiteral("chatFigures-left"));
        QTRY_VERIFY_WITH_TIMEOUT(figures->text().contains(QStringLiteral("memory")), patience);
        const QString text = figures->text().replace(QChar(0x00A0), QLatin1Char(' '));
        if (where.isEmpty())
            QVERIFY2(!text.contains(QStringLiteral("processor")) &&
                         !text.contains(QStringLiteral("NVIDIA")),
                     qPrintable(text));
        else
            QVERIFY2(text.endsWith(where), qPrintable(text));
        QCOMPARE(figures->toolTip(), toolTip);
    }

    void promptsAndSamplingComeBack() {
        m_bench->startEngine({QStringLiteral("tokens=3")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.show();
        auto* box = page.findChild<QPlainTextEdit*>(QStringLiteral("chatPrompt"));
        QSignalSpy edited(&page, &ChatPage::stateEdited);
        for (const char* text : {"first", "second", "first"}) {
            page.setPrompt(QString::fromLatin1(text));
            page.send();
            QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        }
        QVERIFY(edited.size() >= 3);
        // Every text once, the newest last; Ctrl+Up goes back, Ctrl+Down forth to an empty box.
        const auto key = [&](Qt::Key code) {
            QTest::keyClick(box, code, Qt::ControlModifier);
            return box->toPlainText();
        };
        QCOMPARE(key(Qt::Key_Up), QStringLiteral("first"));
        QCOMPARE(key(Qt::Key_Up), QStringLiteral("second"));
        QCOMPARE(key(Qt::Key_Up), QStringLiteral("second"));
        QCOMPARE(key(Qt::Key_Down), QStringLiteral("first"));
        QCOMPARE(key(Qt::Key_Down), QString());
        ChatOptions options;
        options.temperature = 0.7;
        options.topK = 40;
        options.seed = (qint64(1) << 53) - 1;
        options.together = false;
        page.session().setOptions(options);
        page.session().setSide(0, {Subject::Kind::Preset, QStringLiteral("Small")});
        page.session().setComparing(false);
        const ChatState state = page.state();
        QCOMPARE(ChatState::fromJson(nlohmann::json::parse(state.toJson().dump())), state);
        ChatPage again(m_bench->workbench, models);
        again.setState(state);
        QCOMPARE(again.state(), state);
        QCOMPARE(again.prompt(), QStringLiteral("first")); // lies ready
        // What makes no sense is as in a new chat.
        const ChatState odd = ChatState::fromJson(nlohmann::json::parse(
            R"({"prompts": [1, "a"], "left": 7, "sampling": {"temperature": "hot", "top_k": -5,
                "max_tokens": 1e300, "seed": 2.5, "score": "yes"}})"));
        QCOMPARE(odd.prompts, QStringList{QStringLiteral("a")});
        QCOMPARE(odd.options, ChatOptions{});
    }

    void answersAndDivergence() {
        m_bench->startEngine({QStringLiteral("tokens=14"), QStringLiteral("differ=6")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        std::unique_ptr<TokenPanel> panel(page.tokenPanel());
        std::unique_ptr<SamplingPanel> sampling(page.samplingPanel());
        page.resize(1000, 700);
        page.show();
        auto* prompt = page.findChild<QPlainTextEdit*>(QStringLiteral("chatPrompt"));
        auto* send = page.findChild<QAbstractButton*>(QStringLiteral("chatSend"));
        auto* stop = page.findChild<QAbstractButton*>(QStringLiteral("chatStop"));
        QVERIFY(!send->isEnabled());
        QTest::keyClicks(prompt, QStringLiteral("Once"));
        QVERIFY(send->isEnabled());
        QVERIFY(!stop->isEnabled());
        QSignalSpy sent(&page, &ChatPage::promptSent);
        QTest::keyClick(prompt, Qt::Key_Return, Qt::ControlModifier);
        QCOMPARE(sent.size(), 1);
        QVERIFY(stop->isEnabled());
        QVERIFY(prompt->toPlainText().isEmpty());
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        QTest::qWait(80);
        auto* left = page.findChild<TokenView*>(QStringLiteral("answer-left"));
        auto* right = page.findChild<TokenView*>(QStringLiteral("answer-right"));
        QCOMPARE(left->answerText(), page.session().stream(0).text().mid(1));
        QCOMPARE(right->answerText(), page.session().stream(1).text().mid(1));
        QVERIFY(left->answerText() != right->answerText());
        QVERIFY2(page.divergenceText().startsWith(
                     QStringLiteral("Divergence same for 6 tokens first difference: token 7")),
                 qPrintable(page.divergenceText()));
        // The link leads to the difference, in both columns and the strip.
        auto* headline = page.findChild<QLabel*>(QStringLiteral("divergenceHeadline"));
        emit headline->linkActivated(QStringLiteral("#difference"));
        QCOMPARE(page.currentToken(), 6);
        QCOMPARE(left->currentToken(), 6);
        QCOMPARE(right->currentToken(), 6);
        QVERIFY(left->readout().contains(QStringLiteral("KL 0.07 nats")));
        QVERIFY(right->readout().contains(QStringLiteral("first difference")));
        QVERIFY(!right->readout().contains(QStringLiteral("KL"))); // its text is another there
        QCOMPARE(page.findChild<DivergenceStrip*>()->currentToken(), 6);
        QVERIFY(panel->model()->rowCount() >= 3); // both choices and the zebra
        // Token 5, 10, … of the script have another top token.
        QTest::keyClick(left, Qt::Key_Right, Qt::ControlModifier);
        QCOMPARE(page.currentToken(), 9);
        QTest::keyClick(left, Qt::Key_Left, Qt::ControlModifier);
        QCOMPARE(page.currentToken(), 4);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
        checkNames(page);
        checkNames(*sampling);
        // Editing takes the turn back.
        QTest::mouseClick(page.findChild<QAbstractButton*>(QStringLiteral("editPrompt")),
                          Qt::LeftButton);
        QCOMPARE(page.prompt(), QStringLiteral("Once"));
        QVERIFY(!page.session().turn());
    }

    /// What a job says it does is what it does; and how much of the method is in an answer is said
    /// beside the model's name.
    void saysWhatItDoesAndHowGoodItIs() {
        m_bench->startEngine({QStringLiteral("tokens=400"), QStringLiteral("delay=0.01")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.resize(1000, 700);
        page.show();
        auto* left = page.findChild<QLabel*>(QStringLiteral("chatQuality-left"));
        auto* right = page.findChild<QLabel*>(QStringLiteral("chatQuality-right"));
        QVERIFY(!left->isVisible() && !right->isVisible()); // nothing has answered yet
        page.setPrompt(QStringLiteral("Once"));
        page.send();
        QTRY_VERIFY_WITH_TIMEOUT(page.session().stream(1).size() > 3, patience);
        const auto what = [&] {
            return m_bench->workbench.jobs().find(page.session().job())->what;
        };
        QCOMPARE(what(), QStringLiteral("answering"));
        QTest::qWait(60); // whatever the engine says meanwhile
        QCOMPARE(what(), QStringLiteral("answering"));
        QVERIFY(!left->isVisible()); // as stored
        QVERIFY(right->isVisible());
        QCOMPARE(right->text(), QStringLiteral("quick preview"));
        QTest::keyClick(&page, Qt::Key_Escape);
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        QTRY_VERIFY(page.findChild<QLabel*>(QStringLiteral("chatDetail-right"))
                        ->text()
                        .endsWith(QStringLiteral("stopped")));
        page.session().prepareFull(1);
        QTRY_VERIFY_WITH_TIMEOUT(page.session().fullReady(1), patience);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
        QCOMPARE(right->text(), QStringLiteral("quick preview")); // of the answer that is there
        page.session().regenerate();
        QTRY_COMPARE_WITH_TIMEOUT(right->text(), QStringLiteral("full method"), patience);
        QTest::keyClick(&page, Qt::Key_Escape);
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
    }

    /// In the window of a laptop the answers have most of the room; the prompt's box grows with it.
    void answersComeFirst() {
        m_bench->startEngine({QStringLiteral("tokens=200"), QStringLiteral("differ=20"),
                              QStringLiteral("limit=80000000000")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.resize(1110, 690); // of a window of 850 px
        page.show();
        page.setPrompt(QStringLiteral("Once"));
        page.send();
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        QTest::qWait(100);
        auto* view = page.findChild<TokenView*>(QStringLiteral("answer-left"));
        QVERIFY2(view->viewport()->height() >= 260,
                 qPrintable(QString::number(view->viewport()->height())));
        auto* prompt = page.findChild<QPlainTextEdit*>(QStringLiteral("chatPrompt"));
        const int low = prompt->height();
        page.setPrompt(QStringLiteral("a\nb\nc\nd"));
        QTRY_VERIFY(prompt->height() >= low + 2 * prompt->fontMetrics().lineSpacing());
        const int high = prompt->height();
        page.setPrompt(QString(40, QLatin1Char('\n')));
        QTest::qWait(20);
        QVERIFY(prompt->height() <= high + 3 * prompt->fontMetrics().lineSpacing());
        page.setPrompt({});
        QTRY_COMPARE(prompt->height(), low);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
    }

    void escapeStops() {
        m_bench->startEngine({QStringLiteral("tokens=3000"), QStringLiteral("delay=0.005")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.resize(900, 600);
        page.show();
        page.setPrompt(QStringLiteral("Once"));
        page.send();
        QTRY_VERIFY_WITH_TIMEOUT(page.session().stream(0).size() > 5, patience);
        QTest::keyClick(&page, Qt::Key_Escape);
        QTRY_VERIFY_WITH_TIMEOUT(!page.session().busy(), patience);
        QVERIFY(page.session().stream(0).size() < 3000);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, patience);
    }

    /// Esc is the window's shortcut for the job that runs; in the chat it is the answer's, also
    /// while that waits behind another job.
    void escapeStopsTheAnswerAndNoOtherJob() {
        m_bench->startEngine({QStringLiteral("steps=3000"), QStringLiteral("delay=0.01")});
        SubjectModels models(m_bench->workbench);
        QMainWindow window;
        auto* page = new ChatPage(m_bench->workbench, models);
        window.setCentralWidget(page);
        QAction stop;
        stop.setShortcut(Qt::Key_Escape);
        window.addAction(&stop);
        JobList& jobs = m_bench->workbench.jobs();
        const int other = jobs.begin(QStringLiteral("Measuring"), QStringLiteral("measure"));
        connect(&stop, &QAction::triggered, this, [&] { jobs.cancel(other); });
        jobs.call(other, QStringLiteral("evaluate"),
                  {{QStringLiteral("model"), QStringLiteral("m")}}, 0, 1,
                  [](const EngineResult&) {});
        window.resize(900, 600);
        window.show();
        page->session().setComparing(false);
        page->setPrompt(QStringLiteral("Once"));
        page->send();
        QVERIFY(page->session().busy());
        auto* prompt = page->findChild<QPlainTextEdit*>(QStringLiteral("chatPrompt"));
        QVERIFY(prompt);
        QTest::keyClick(prompt, Qt::Key_Escape);
        QTRY_VERIFY_WITH_TIMEOUT(!page->session().busy(), patience);
        QVERIFY(jobs.find(other)->active());
        QTest::keyClick(prompt, Qt::Key_Escape); // nothing is answered: the job that runs
        QTRY_VERIFY_WITH_TIMEOUT(!jobs.find(other)->active(), patience);
    }

    void takesDroppedFolders() {
        m_bench->startEngine({});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.show();
        QTemporaryDir exported;
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(exported.path())});
        auto* column = page.findChild<QWidget*>(QStringLiteral("chatColumn-right"));
        QDragEnterEvent enter({10, 10}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(column, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop({10, 10}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(column, &drop);
        QCOMPARE(page.session().side(1),
                 (Subject{Subject::Kind::Folder, QFileInfo(exported.path()).absoluteFilePath()}));
        auto* source = page.findChild<QComboBox*>(QStringLiteral("chatSource-right"));
        QCOMPARE(source->currentText(), QFileInfo(exported.path()).fileName());
        QVERIFY(page.command().contains(exported.path()));
    }

    void offersOneAfterTheOther() {
        m_bench->startEngine({QStringLiteral("limit=8000000000")});
        SubjectModels models(m_bench->workbench);
        ChatPage page(m_bench->workbench, models);
        page.resize(900, 600);
        page.show();
        auto* offer = page.findChild<QAbstractButton*>(QStringLiteral("oneByOne"));
        QTRY_VERIFY_WITH_TIMEOUT(offer->isVisible(), patience);
        QTest::mouseClick(offer, Qt::LeftButton);
        QVERIFY(!page.session().options().together);
        QVERIFY(!offer->isVisible());
    }

    /// Pictures with the program's own answers, where a folder for them is named.
    void pictures() {
        if (qEnvironmentVariableIsEmpty("BITLOOM_ARTIFACTS")) QSKIP("no folder for pictures");
        if (!m_bench->startRealEngine()) QSKIP("the program is not built");
        SubjectModels models(m_bench->workbench);
        QWidget frame;
        auto* row = new QHBoxLayout(&frame);
        row->setContentsMargins(0, 0, 0, 0);
        row->setSpacing(1);
        auto* page = new ChatPage(m_bench->workbench, models);
        auto* side = new QVBoxLayout;
        side->setSpacing(1);
        page->samplingPanel()->setFixedWidth(300);
        page->tokenPanel()->setFixedWidth(300);
        side->addWidget(page->samplingPanel(), 3);
        side->addWidget(page->tokenPanel(), 2);
        row->addWidget(page, 1);
        row->addLayout(side);
        frame.resize(1440, 760);
        frame.show();
        shoot(frame, QStringLiteral("chat-empty"));
        m_bench->workbench.requestBudget({Budget::Kind::Bits, 2.6});
        QTest::qWait(400);
        ChatOptions options = page->session().options();
        options.maxTokens = 120;
        page->session().setOptions(options);
        page->setPrompt(QStringLiteral("Once upon a time there was a little fox who"));
        QTest::qWait(300);
        page->send();
        QTRY_VERIFY_WITH_TIMEOUT(page->session().stream(0).size() > 30, patience);
        shoot(frame, QStringLiteral("chat-streaming"));
        QTRY_VERIFY_WITH_TIMEOUT(!page->session().busy(), patience);
        QTest::qWait(100);
        page->setCurrentToken(page->session().firstDifference(), false);
        page->setPrompt(QStringLiteral("The dog and the cat"));
        shoot(frame, QStringLiteral("chat-answered"));
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.jobs().activeCount(), 0, 300'000);
        QTest::qWait(100);
        shoot(frame, QStringLiteral("chat-full-ready"));
        frame.resize(1000, 420);
        shoot(frame, QStringLiteral("chat-small"));
    }
};

QTEST_MAIN(TestChatPage)
#include "tst_chat_page.moc"
