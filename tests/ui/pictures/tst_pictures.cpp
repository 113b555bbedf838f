// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Key views, light and dark, beside the pictures of them in references/. With fonts of their own,
// so that they are the same on every machine; where Qt is another one they may not be.
#include "tests/support/gui_fixture.h"

#include "tests/ui/pictures/picture_compare.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/engine_client/engine_client.h"
#include "ui/plots/channel_plot.h"
#include "ui/state/jobs.h"
#include "ui/theme/ts_translator.h"
#include "ui/window/explore_page.h"

#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QFontDatabase>
#include <QImage>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QPlainTextEdit>
#include <QTransform>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

constexpr int patience = 60'000;
const QString references = QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/pictures/references");
const QString sample = QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");

/// The whole studio with an engine that is a script.
struct Scene {
    explicit Scene(bool open) : f(nullptr), window(f.workbench, log, {sample}) {
        f.settings.setTheme(Settings::Theme::Light);
        theme = std::make_unique<ThemeControl>(f.settings);
        rooms = new StudioRooms(window, f.workbench);
        window.resize(1300, 780);
        window.show();
        if (!open) {
            QTest::qWait(1500); // the sample on the page
            return;
        }
        engine = std::make_unique<EngineClient>(
            EngineCommand{QStringLiteral(BITLOOM_TEST_PYTHON),
                          {QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/fake_engine.py"),
                           QStringLiteral("tokens=60"), QStringLiteral("differ=25"),
                           QStringLiteral("limit=80000000000")},
                          false});
        f.workbench.setEngine(engine.get());
        engine->start();
        window.openModel(sample);
    }
    ~Scene() {
        f.workbench.jobs().cancelAll();
        f.workbench.setEngine(nullptr);
    }
    bool ready() {
        return QTest::qWaitFor(
            [this] {
                return f.workbench.phase() == Workbench::Phase::Ready &&
                       f.workbench.figures().sizeExact && !f.workbench.curve().empty() &&
                       engine->state() == EngineClient::State::Ready;
            },
            patience);
    }
    /// No caret that blinks, no figure of this machine or moment.
    QImage grab(QWidget& widget, bool dark) {
        f.settings.setTheme(dark ? Settings::Theme::Dark : Settings::Theme::Light);
        if (QWidget* focus = QApplication::focusWidget()) focus->clearFocus();
        const auto hideFigures = [&] {
            for (const char* name : {"chatFigures-left", "chatFigures-right", "exportSpace"})
                for (QLabel* label : widget.findChildren<QLabel*>(QString::fromLatin1(name)))
                    label->setText(QStringLiteral("figures"));
        };
        // Before what is still to come, which may write them anew, and before the last layout: how
        // many lines they took must not be seen.
        hideFigures();
        QTest::qWait(250);
        hideFigures();
        // Texts that wrap take their height from the width they had when they were set: all anew.
        const QSize size = widget.size();
        widget.resize(size + QSize(40, 0));
        QTest::qWait(50);
        widget.resize(size);
        QTest::qWait(50);
        return widget.grab().toImage();
    }

    WorkbenchFixture f;
    LogBuffer log;
    std::unique_ptr<ThemeControl> theme;
    std::unique_ptr<EngineClient> engine;
    MainWindow window;
    StudioRooms* rooms = nullptr;
};

} // namespace

class TestPictures : public QObject {
    Q_OBJECT

    QTemporaryDir m_home;
    TsTranslator m_english;

    void compare(const QImage& picture, const QString& name) {
        const QString file =
            QStringLiteral("%1-%2x.png").arg(name).arg(qRound(picture.devicePixelRatio()));
        const QString path = references + QLatin1Char('/') + file;
        if (qEnvironmentVariableIsSet("BITLOOM_RENEW_PICTURES")) {
            QVERIFY(QDir().mkpath(references));
            QVERIFY(picture.convertToFormat(QImage::Format_RGB888).save(path, "PNG", 0));
            return;
        }
        const QImage reference(path);
        QVERIFY2(!reference.isNull(), qPrintable(path + QStringLiteral(" is missing")));
        const PictureDifference difference = PictureDifference::of(reference, picture);
        if (!difference.differs()) return;
        const QString folder = QStringLiteral(BITLOOM_BINARY_DIR "/tests/pictures");
        QDir().mkpath(folder);
        picture.save(folder + QLatin1Char('/') + file);
        difference.marked(picture).save(folder + QStringLiteral("/difference-") + file);
        QFAIL(
            qPrintable(QStringLiteral("%1: %2. Look at %3/difference-%1; if it is meant to be so: "
                                      "BITLOOM_RENEW_PICTURES=1 ctest -R tst_pictures")
                           .arg(file, difference.text(), folder)));
    }

private slots:
    void initTestCase() {
        const QString version = QString::fromLatin1(qVersion());
        if (!version.startsWith(QStringLiteral("6.4.")))
            QSKIP(qPrintable(QStringLiteral("NOT TESTED: the pictures are of Qt 6.4, this is ") +
                             version));
        QLocale::setDefault(QLocale(QLocale::English, QLocale::UnitedStates));
        QVERIFY(m_english.loadResource(QStringLiteral("en"))); // plurals
        QCoreApplication::installTranslator(&m_english);
        for (const char* file : {"test-sans.ttf", "test-sans-bold.ttf"})
            QVERIFY(QFontDatabase::addApplicationFont(QStringLiteral(BITLOOM_TEST_DATA "/fonts/") +
                                                      QString::fromLatin1(file)) >= 0);
        QFont font(QStringLiteral("Bitloom Test Sans"));
        font.setPointSizeF(9.75);
        font.setHintingPreference(QFont::PreferNoHinting);
        QApplication::setFont(font);
        // Models of this machine would be listed on the first page.
        qputenv("HF_HOME", m_home.path().toUtf8());
        qputenv("HF_HUB_CACHE", m_home.path().toUtf8());
    }

    /// What the comparison lets through, and what not: tried on a view of its own.
    void toleranceIsSharp() {
        Scene scene(true);
        QVERIFY(scene.ready());
        const QImage picture = scene.grab(scene.window, false);
        const double ratio = picture.devicePixelRatio();
        const auto changed = [&](const auto& paint) {
            QImage image = picture.copy();
            image.setDevicePixelRatio(ratio);
            QPainter painter(&image);
            paint(painter, image);
            painter.end();
            return PictureDifference::of(picture, image);
        };
        QVERIFY(!PictureDifference::of(picture, picture).differs());
        // Everything a quarter of a pixel beside, and a shade darker.
        QImage shifted(picture.size(), QImage::Format_RGB32);
        {
            QPainter painter(&shifted);
            painter.setRenderHint(QPainter::SmoothPixmapTransform);
            QImage plain = picture.convertToFormat(QImage::Format_RGB32);
            plain.setDevicePixelRatio(1);
            painter.drawImage(QPointF(0, 0), plain);
            painter.setOpacity(0.25);
            painter.drawImage(QPointF(1, 0), plain);
        }
        const PictureDifference soft = PictureDifference::of(picture, shifted);
        QVERIFY2(!soft.differs(), qPrintable(soft.text()));
        // A label that is gone, one that has moved, a bar of another colour, another width.
        const auto placeOf = [&](const char* name) {
            const auto* widget = scene.window.findChild<QWidget*>(QString::fromLatin1(name));
            return QRect(widget->mapTo(&scene.window, QPoint()), widget->size());
        };
        const QRect title = placeOf("titleLabel");
        const PictureDifference gone = changed([&](QPainter& painter, const QImage&) {
            painter.fillRect(title, scene.window.palette().window());
        });
        QVERIFY2(gone.differs(), qPrintable(gone.text()));
        const PictureDifference moved = changed([&](QPainter& painter, const QImage& image) {
            const QImage part = image.copy(QRectF(title.x() * ratio, title.y() * ratio,
                                                  title.width() * ratio, title.height() * ratio)
                                               .toRect());
            painter.fillRect(title, scene.window.palette().window());
            painter.drawImage(QRectF(title).translated(0, 4), part);
        });
        QVERIFY2(moved.differs(), qPrintable(moved.text()));
        const QRect plot = placeOf("planPanel");
        const PictureDifference coloured = changed([&](QPainter& painter, const QImage&) {
            QColor tint(0xF4, 0x6D, 0x43);
            painter.fillRect(QRect(plot.left() + 60, plot.top() + 120, 60, 10), tint);
        });
        QVERIFY2(coloured.differs(), qPrintable(coloured.text()));
        QVERIFY(PictureDifference::of(picture, picture.copy(0, 0, 100, 100)).differs());
    }

    void views_data() {
        QTest::addColumn<QString>("view");
        for (const char* view : {"welcome", "explore", "compare", "chat", "pin", "export"})
            QTest::newRow(view) << QString::fromLatin1(view);
    }
    void views() {
        QFETCH(QString, view);
        // At twice the resolution: what is drawn by hand.
        const bool twice = qApp->devicePixelRatio() > 1.5;
        if (twice && view != QLatin1String("explore")) return;
        Scene scene(view != QLatin1String("welcome"));
        QWidget* shown = &scene.window;
        if (scene.engine) {
            QVERIFY(scene.ready());
            QTest::qWait(500); // presets, exact sizes
        }
        if (view == QLatin1String("explore")) {
            Workbench& w = scene.f.workbench;
            const LayerEntry& entry = w.model()->entries[size_t(w.selectedLayer())];
            w.addPin(Workbench::pinOn(entry, {{500, 560}}, QStringLiteral("5")));
            w.selectChannels({{100, 200}});
            QVERIFY(scene.f.settle());
            QTest::qWait(500);
        } else if (view == QLatin1String("compare") || view == QLatin1String("chat")) {
            scene.window.setLayoutId(view);
        }
        if (view == QLatin1String("chat")) {
            ChatPage* chat = scene.rooms->chat();
            chat->setPrompt(QStringLiteral("Once upon a time"));
            chat->send();
            QTRY_VERIFY_WITH_TIMEOUT(!chat->session().busy(), patience);
            // The full method follows by itself, for a model as small as this.
            QTRY_VERIFY_WITH_TIMEOUT(chat->session().fullReady(1), patience);
            QTRY_COMPARE_WITH_TIMEOUT(scene.f.workbench.jobs().activeCount(), 0, patience);
            chat->setCurrentToken(25, true);
        }
        if (view == QLatin1String("pin")) {
            QDialog* dialog = scene.window.makeDialog(view);
            dialog->show();
            shown = dialog;
        }
        if (view == QLatin1String("export")) {
            QDialog* dialog = scene.rooms->openExport();
            QVERIFY(dialog);
            dialog->findChild<QLineEdit*>(QStringLiteral("exportFolder"))
                ->setText(QStringLiteral("/tmp"));
            shown = dialog;
        }
        for (const bool dark : {false, true}) {
            if (dark && twice) break;
            // Dialogs in one theme: they are made of what the views show in both.
            if (dark && shown != &scene.window) break;
            compare(scene.grab(*shown, dark),
                    view + (dark ? QStringLiteral("-dark") : QStringLiteral("-light")));
            if (QTest::currentTestFailed()) return;
        }
    }
};

QTEST_MAIN(TestPictures)
#include "tst_pictures.moc"
