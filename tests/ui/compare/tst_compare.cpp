// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// The comparison: its table as text, differences per layer, measurements.
#include "tests/ui/chat/chat_bench.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_page.h"
#include "ui/compare/layer_difference_plot.h"
#include "ui/compare/measure.h"
#include "ui/state/jobs.h"
#include "ui/theme/theme.h"

#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QAccessible>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QTableView>

using namespace bitloom;
using namespace bitloom::ui;

namespace {
constexpr int patience = 60'000;

LayerDifferences differences() {
    LayerDifferences data;
    data.left = QStringLiteral("A");
    data.right = QStringLiteral("B");
    data.layers = {QStringLiteral("l.0"), QStringLiteral("l.1"), QStringLiteral("l.2")};
    data.blocks = {0, 0, 1};
    data.leftBits = {3, 3, 3};
    data.rightBits = {4.5f, 3, 2};
    return data;
}
} // namespace

class TestCompare : public QObject {
    Q_OBJECT
    std::unique_ptr<ChatBench> m_bench;
    std::unique_ptr<ThemeControl> m_theme;

    void shoot(QWidget& widget, const QString& name) { m_bench->shoot(widget, name); }
    bool allKnown(const CompareModel& model) const {
        return std::ranges::all_of(model.rows(), [](const CompareRow& row) { return row.known; });
    }

private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        m_bench = std::make_unique<ChatBench>();
        m_theme = std::make_unique<ThemeControl>(m_bench->settings);
        m_bench->open();
        m_bench->startEngine({});
    }
    void cleanupTestCase() {
        m_theme.reset();
        m_bench.reset();
    }

    void differencesAsTextAndBars() {
        LayerDifferencePlot plot;
        plot.setPalette(paletteOf(PlotTheme::light()));
        plot.resize(400, 240);
        plot.show();
        plot.setData(differences());
        plot.setState({});
        QCOMPARE(plot.tableRows(), 3);
        QCOMPARE(plot.tableCell(0, 3).toDouble(), 1.5);
        QCOMPARE(plot.tableCell(1, 3).toDouble(), 0.0);
        QCOMPARE(plot.tableCell(2, 3).toDouble(), -1.0);
        QCOMPARE(plot.summary(),
                 QStringLiteral("B against A: more bits in 1 layers, fewer in 1 of 3. Arrow keys "
                                "move a cursor."));
        plot.setCurrentLayer(2);
        QCOMPARE(plot.readout(), QStringLiteral("l.2, A: 3.00 bits, B: 2.00 bits, −1.00"));
        plot.setCurrentLayer(-1);
        // Red above the line where B spends more, blue below where it spends fewer.
        QTest::qWait(20);
        const QImage image = plot.canvas()->grab().toImage();
        int redAbove = 0, blueBelow = 0, wrong = 0;
        const int middle = image.height() / 2 - 8;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 70; x < image.width() - 20; ++x) {
                const QColor c = image.pixelColor(x, y);
                const bool red = c.red() - c.blue() > 60, blue = c.blue() - c.red() > 60;
                redAbove += red && y < middle;
                blueBelow += blue && y > middle;
                wrong += (red && y > middle + 12) || (blue && y < middle - 12);
            }
        QVERIFY(redAbove > 200);
        QVERIFY(blueBelow > 200);
        QCOMPARE(wrong, 0);
        plot.canvas()->setFocus();
        QTest::keyClick(plot.canvas(), Qt::Key_End);
        QCOMPARE(plot.currentLayer(), 2);
        QTest::keyClick(plot.canvas(), Qt::Key_Left);
        QCOMPARE(plot.currentLayer(), 1);
        QSignalSpy clicked(&plot, &LayerDifferencePlot::layerClicked);
        QTest::keyClick(plot.canvas(), Qt::Key_Return);
        QCOMPARE(clicked.size(), 1);
    }

    void tableAsText() {
        SubjectModels models(m_bench->workbench);
        CompareModel model(m_bench->workbench, models);
        QAbstractItemModelTester tester(&model);
        QTRY_VERIFY_WITH_TIMEOUT(allKnown(model), patience);
        const QStringList lines = model.text().split(QLatin1Char('\n'));
        QCOMPARE(lines[0],
                 QStringLiteral("Plan\tSize\tMean bits\t○ Predicted ppl\t● Measured ppl\tKL, "
                                "nats\tSame top"));
        QVERIFY2(lines[1].startsWith(QStringLiteral("FP16\t")), qPrintable(lines[1]));
        QVERIFY(lines[1].contains(QStringLiteral("\t16.00\t–\t")));
        QVERIFY(lines[2].startsWith(QStringLiteral("This plan\t")));
        QCOMPARE(lines.size(), 3 + int(m_bench->workbench.presets().size()));
        const int plan = model.rowOf({Subject::Kind::Plan, {}});
        QCOMPARE(model.rows()[size_t(plan)].layerBits.size(), size_t(28));
        // A slider tick moves the plan's row and no other.
        const double before = model.rows()[size_t(plan)].bits;
        m_bench->workbench.requestBudget({Budget::Kind::Bits, before + 0.4});
        QVERIFY(model.rows()[size_t(plan)].bits > before);
        m_bench->workbench.undoStack()->undo();
    }

    void measuresAPlanAndAPreset() {
        SubjectModels models(m_bench->workbench);
        MeasureRuns runs(m_bench->workbench, models);
        QTRY_VERIFY_WITH_TIMEOUT(!m_bench->workbench.applyingPins(), patience);
        MeasureRequest request;
        runs.start(request);
        QVERIFY(!runs.canMeasure()); // one at a time
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->workbench.measurementOfPlan() != nullptr, patience);
        const Measurement& m = *m_bench->workbench.measurementOfPlan();
        QCOMPARE(m.nll, 1.5);
        QCOMPARE(m.klMean, 0.05);
        QCOMPARE(m.text, QStringLiteral("valid.txt"));
        QVERIFY(m.predictedNll > 1.4);
        QTRY_VERIFY_WITH_TIMEOUT(runs.canMeasure(), patience);
        request.subject = {Subject::Kind::Preset, QStringLiteral("Small")};
        const size_t count = m_bench->workbench.measurements().size();
        runs.start(request);
        QTRY_COMPARE_WITH_TIMEOUT(m_bench->workbench.measurements().size(), count + 1, patience);
        CompareModel model(m_bench->workbench, models);
        QTRY_VERIFY_WITH_TIMEOUT(allKnown(model), patience);
        const int row = model.rowOf({Subject::Kind::Preset, QStringLiteral("Small")});
        QVERIFY(model.rows()[size_t(row)].measuredPpl.has_value());
        QCOMPARE(*model.rows()[size_t(row)].kl, 0.05);
    }

    void theMeasureDialog() {
        SubjectModels models(m_bench->workbench);
        MeasureDialog dialog(m_bench->workbench, models, {QStringLiteral("/exports/x")}, {});
        dialog.show();
        auto* subject = dialog.findChild<QComboBox*>(QStringLiteral("measureSubject"));
        auto* copy = dialog.findChild<QAbstractButton*>(QStringLiteral("measureCopy"));
        QCOMPARE(dialog.request().subject, (Subject{Subject::Kind::Plan, {}}));
        QVERIFY(!copy->isEnabled()); // a plan in memory has no command
        subject->setCurrentIndex(subject->findData(QStringLiteral("folder:/exports/x")));
        QVERIFY(copy->isEnabled());
        QCOMPARE(dialog.command(), QStringLiteral("bitloom eval '/exports/x' --against '%1'")
                                       .arg(m_bench->workbench.model()->folder));
        shoot(dialog, QStringLiteral("measure"));
        auto* source = dialog.findChild<QComboBox*>(QStringLiteral("measureSource"));
        source->setCurrentIndex(1);
        QVERIFY(!dialog.findChild<QAbstractButton*>(QStringLiteral("measureMain"))->isEnabled());
    }

    void foldersThatAreNoExports() {
        SubjectModels models(m_bench->workbench);
        CompareModel model(m_bench->workbench, models);
        QTemporaryDir empty;
        model.addFolder(empty.path());
        const int row = model.rowOf({Subject::Kind::Folder, empty.path()});
        QVERIFY(row > 0);
        QTRY_VERIFY_WITH_TIMEOUT(!model.rows()[size_t(row)].problem.isEmpty(), patience);
        QVERIFY(!model.rows()[size_t(row)].known);
        model.removeFolder(empty.path());
        QCOMPARE(model.rowOf({Subject::Kind::Folder, empty.path()}), -1);
    }

    /// What an export wrote over says nothing of the new one.
    void exportsReplaceWhatWasMeasured() {
        SubjectModels models(m_bench->workbench);
        CompareModel model(m_bench->workbench, models);
        QTemporaryDir folder;
        model.addFolder(folder.path());
        Measurement m;
        m.nll = 1.6;
        m.fp16Nll = 1.4;
        m.text = QStringLiteral("x.txt");
        model.setFolderMeasurement(folder.path(), m);
        const auto row = [&]() -> const CompareRow& {
            return model.rows()[size_t(model.rowOf({Subject::Kind::Folder, folder.path()}))];
        };
        QVERIFY(row().measuredPpl.has_value());
        model.forget(folder.path());
        QVERIFY(!row().measuredPpl.has_value());
        QTRY_VERIFY_WITH_TIMEOUT(!row().problem.isEmpty(), patience); // read again
        model.removeFolder(folder.path());
    }

    /// Figures of different texts are not subtracted from each other.
    void comparesLikeWithLike() {
        SubjectModels models(m_bench->workbench);
        MeasureRuns runs(m_bench->workbench, models);
        ComparePage page(m_bench->workbench, models, runs);
        page.show();
        QTRY_VERIFY_WITH_TIMEOUT(allKnown(*page.model()), patience);
        const Subject plan{Subject::Kind::Plan, {}}, original{Subject::Kind::Original, {}};
        Measurement m;
        m.planHash = Workbench::planHash(m_bench->workbench.plan().allocation());
        m.bitsPerWeight = 2.6;
        m.nll = std::log(20.0);
        m.fp16Nll = std::log(16.0);
        m.text = QStringLiteral("a.txt");
        m.textHash = "a";
        m.tokens = 100;
        m_bench->workbench.addMeasurement(m);
        Measurement fp16;
        fp16.nll = fp16.fp16Nll = std::log(9.0);
        fp16.text = QStringLiteral("b.txt");
        fp16.textHash = "b";
        fp16.tokens = 100;
        m_bench->workbench.addMeasurement(fp16); // the latest of FP16, on another text
        const auto sum = [&] {
            return page.findChild<QLabel*>(QStringLiteral("compareSum"))->text();
        };
        page.compare(original, plan);
        QTRY_VERIFY2_WITH_TIMEOUT(sum().contains(QStringLiteral("+4.00")), qPrintable(sum()),
                                  patience);
        QVERIFY2(sum().contains(QStringLiteral("ppl measured")), qPrintable(sum()));
        // Two plans measured on different texts are compared by what is predicted.
        const Subject small{Subject::Kind::Preset, QStringLiteral("Small")};
        Measurement other = m;
        for (const Preset& preset : m_bench->workbench.presets())
            if (preset.name == small.name) other.planHash = m_bench->workbench.summary(preset).hash;
        other.textHash = "b";
        other.fp16Nll = std::log(9.0);
        other.nll = std::log(11.0);
        m_bench->workbench.addMeasurement(other);
        page.compare(small, plan);
        QTRY_VERIFY_WITH_TIMEOUT(sum().contains(QStringLiteral("ppl predicted")), patience);
    }

    void thePage() {
        SubjectModels models(m_bench->workbench);
        MeasureRuns runs(m_bench->workbench, models);
        ComparePage page(m_bench->workbench, models, runs);
        page.resize(1140, 620);
        page.show();
        QTRY_VERIFY_WITH_TIMEOUT(allKnown(*page.model()), patience);
        page.compare({Subject::Kind::Preset, QStringLiteral("Small")}, {Subject::Kind::Plan, {}});
        QTRY_COMPARE_WITH_TIMEOUT(page.plot()->tableRows(), 28, patience);
        QVERIFY(page.findChild<QLabel*>(QStringLiteral("compareSum"))
                    ->text()
                    .contains(QStringLiteral("bits")));
        QSignalSpy chat(&page, &ComparePage::chatRequested);
        QTest::mouseClick(page.findChild<QAbstractButton*>(QStringLiteral("compareChat")),
                          Qt::LeftButton);
        QCOMPARE(chat.size(), 1);
        page.findChild<QTableView*>(QStringLiteral("compareTable"))->selectRow(1);
        shoot(page, QStringLiteral("compare"));
        page.resize(760, 420);
        shoot(page, QStringLiteral("compare-small"));
        QSet<QString> names;
        for (QWidget* widget : page.findChildren<QWidget*>()) {
            if (widget->focusPolicy() == Qt::NoFocus || !widget->isVisibleTo(&page) ||
                widget->inherits("QScrollBar") ||
                widget->objectName().startsWith(QLatin1String("qt_")))
                continue;
            const QAccessibleInterface* face = QAccessible::queryAccessibleInterface(widget);
            const QString name = face ? face->text(QAccessible::Name) : QString();
            QVERIFY2(!name.isEmpty(),
                     qPrintable(widget->objectName() % QLatin1Char(' ') %
                                QString::fromLatin1(widget->metaObject()->className())));
            QVERIFY2(!names.contains(name), qPrintable(name));
            names.insert(name);
        }
    }
};

QTEST_MAIN(TestCompare)
#include "tst_compare.moc"
