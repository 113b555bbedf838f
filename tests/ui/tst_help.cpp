// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What the window explains and shows by itself: formulas, deltas, the first page, narrow heads.
#include "tests/support/gui_fixture.h"

#include "ui/docks/layers_panel.h"
#include "ui/models/layers_model.h"
#include "ui/models/metric_help.h"
#include "ui/models/plans_model.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/elided_label.h"
#include "ui/plots/heat_map.h"
#include "ui/state/local_models.h"
#include "ui/window/budget_bar.h"
#include "ui/window/explore_page.h"
#include "ui/window/figure_label.h"

#include <QAbstractItemModel>
#include <QAction>
#include <QComboBox>
#include <QDialog>
#include <QDir>
#include <QHeaderView>
#include <QLabel>
#include <QMessageBox>
#include <QPushButton>
#include <QTableView>
#include <QTreeView>

#include <set>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// Name, formula and words: three paragraphs with something in each.
bool explains(const QString& help) {
    const QStringList parts = help.split(QStringLiteral("<p>"), Qt::SkipEmptyParts);
    return parts.size() >= 3 &&
           std::ranges::all_of(parts, [](const QString& part) { return part.size() > 10; });
}

QStringList unexplained(const QAbstractItemModel& model, int from) {
    QStringList missing;
    for (int column = from; column < model.columnCount(); ++column)
        if (!explains(model.headerData(column, Qt::Horizontal, Qt::WhatsThisRole).toString()))
            missing << model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    return missing;
}

class HubFolder {
public:
    HubFolder() : m_before(qgetenv("HF_HUB_CACHE")) {
        qputenv("HF_HUB_CACHE", m_folder.path().toUtf8());
    }
    ~HubFolder() {
        m_before.isNull() ? qunsetenv("HF_HUB_CACHE") : qputenv("HF_HUB_CACHE", m_before);
    }
    QString add(const QString& name) const {
        const QString folder =
            m_folder.filePath(QStringLiteral("models--") + name + QStringLiteral("/snapshots/1"));
        QDir().mkpath(folder);
        return folder;
    }

private:
    QTemporaryDir m_folder;
    QByteArray m_before;
};

} // namespace

class TestHelp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    /// "What is this?" on every metric gives its formula, and follows what is shown.
    void everyMetricHasItsFormula() {
        GuiFixture f;
        ChannelPlot* plot = f.window->explorePage()->channels();
        std::set<QString> seen;
        for (int i = 0; i < channelMetricCount; ++i) {
            plot->setMetric(ChannelMetric(i));
            QVERIFY2(explains(plot->whatsThis()), qPrintable(QString::number(i)));
            seen.insert(plot->whatsThis());
        }
        QCOMPARE(int(seen.size()), int(channelMetricCount));
        QVERIFY(explains(f.window->explorePage()->heatMap()->whatsThis()));
        for (const char* name : {"figureBits", "figureSize", "figurePerplexity", "histogram",
                                 "sizeTable", "pinList", "paretoPlot"})
            QVERIFY2(explains(f.find<QWidget>(name)->whatsThis()), name);
        QCOMPARE(unexplained(*f.find<QTableView>("plansTable")->model(), PlansModel::Bits),
                 QStringList());
        const QAbstractItemModel& layers = *f.window->layersPanel()->tree()->model();
        for (const int column : {LayersModel::Bits, LayersModel::MeanBits, LayersModel::Sensitivity,
                                 LayersModel::DeltaPpl})
            QVERIFY(
                explains(layers.headerData(column, Qt::Horizontal, Qt::WhatsThisRole).toString()));
    }

    /// Signed changes since the grab stand beside the figures; with reduced motion they go at once.
    void deltasFade() {
        GuiFixture f;
        auto* bits = f.find<FigureLabel>("figureBits");
        f.workbench.beginDrag();
        f.workbench.requestBudget({Budget::Kind::Bits, f.workbench.figures().bitsPerWeight + 0.5},
                                  true);
        QVERIFY2(bits->plainText().contains(QStringLiteral("+0.50")),
                 qPrintable(bits->plainText()));
        f.workbench.endDrag();
        QVERIFY(bits->plainText().contains(QStringLiteral("+0.50")));
        bits->fadeChange(QStringLiteral("later"), true);
        QVERIFY(bits->plainText().contains(QStringLiteral("+0.50"))); // still on its way out
        QTRY_VERIFY(!bits->plainText().contains(QStringLiteral("+0.50")));
        bits->setCaption(QStringLiteral("now"), QStringLiteral("+1.00"));
        bits->fadeChange(QStringLiteral("later"), false);
        QVERIFY(!bits->plainText().contains(QStringLiteral("+1.00")));
        QVERIFY(bits->plainText().contains(QStringLiteral("later")));
    }

    /// "predicted 5.91, measured 5.94": both stay on the screen once a plan is measured.
    void predictedAndMeasuredStandTogether() {
        GuiFixture f;
        QVERIFY(f.settle());
        auto* ppl = f.find<FigureLabel>("figurePerplexity");
        QVERIFY(ppl->plainText().contains(QChar(0x2248))); // ≈
        Measurement m;
        m.plan = QStringLiteral("Balanced");
        m.planHash = Workbench::planHash(f.workbench.plan().allocation());
        m.bitsPerWeight = f.workbench.figures().bitsPerWeight;
        m.distortion = f.workbench.figures().distortion;
        m.text = QStringLiteral("some.txt");
        m.fp16Nll = 1.7;
        m.nll = std::log(5.94);
        m.predictedNll = std::log(5.91);
        m.standardError = 0.01;
        f.workbench.addMeasurement(m);
        QVERIFY(f.settle());
        const QString text = ppl->plainText();
        QVERIFY2(!text.contains(QChar(0x2248)) && text.contains(QStringLiteral("5.94")) &&
                     text.contains(QStringLiteral("predicted 5.91")),
                 qPrintable(text));
    }

    /// The layer's name is whole at the usual size; heading and facts give way to it.
    void theLayersNameIsWhole() {
        GuiFixture f;
        ChannelPlot* plot = f.window->explorePage()->channels();
        for (const int width : {1024, 1280, 1440, 1920}) {
            f.window->resize(width, 800);
            QTest::qWait(20);
            ElidedLabel* name = nullptr;
            for (ElidedLabel* label : plot->findChildren<ElidedLabel*>())
                if (label->text().startsWith(QStringLiteral("layers."))) name = label;
            QVERIFY(name);
            const int needed = name->fontMetrics().horizontalAdvance(name->text());
            if (width >= 1440) QVERIFY2(name->width() >= needed, qPrintable(name->text()));
        }
    }

    /// Return does what the dialog is for, from any of its fields.
    void returnPressesTheMainButton() {
        GuiFixture f;
        f.workbench.selectLayer(3);
        f.workbench.selectChannels({{5, 9}});
        for (const char* id : {"pin", "analyze", "preferences", "why", "guide", "model"}) {
            QDialog* dialog = f.window->makeDialog(QString::fromLatin1(id));
            dialog->show();
            QStringList defaults;
            for (const QPushButton* button : dialog->findChildren<QPushButton*>())
                if (button->isDefault()) defaults << button->text();
            QCOMPARE(defaults.size(), 1);
            QVERIFY2(defaults.first() != QStringLiteral("Cancel"), id);
            delete dialog;
        }
        QDialog* dialog = f.window->makeDialog(QStringLiteral("pin"));
        dialog->show();
        QTest::keyClick(dialog->findChild<QComboBox*>(QStringLiteral("pinScope")), Qt::Key_Return);
        QCOMPARE(f.workbench.decision().pins.size(), size_t(1));
    }

    /// Every unit of the budget has a scale with whole words at its ends.
    void everyUnitHasItsScale() {
        GuiFixture f;
        QVERIFY(f.settle());
        for (const auto kind : {Budget::Kind::Perplexity, Budget::Kind::Size, Budget::Kind::Bits}) {
            f.workbench.requestBudget({kind, f.workbench.valueOf(kind)});
            QVERIFY(f.settle());
            QVERIFY(!f.window->budgetBar()->grab().isNull());
        }
    }

    /// A folder that cannot be opened takes nothing away from the model that is.
    void afterAFailureTheModelStays() {
        GuiFixture f;
        f.workbench.requestBudget({Budget::Kind::Bits, 4.2});
        QTemporaryDir empty;
        f.window->openModel(empty.path());
        QTRY_COMPARE(f.workbench.phase(), Workbench::Phase::Ready);
        QCOMPARE(f.workbench.decision().budget.value, 4.2);
        QVERIFY(f.window->explorePage()->isVisible());
        QCOMPARE(f.window->explorePage()->channels()->state().kind, PlotState::Kind::Ready);
        auto* box = f.find<QMessageBox>("problemBox");
        QVERIFY(box && box->informativeText().contains(QStringLiteral("config.json")));
        box->close();
    }

    void nothingIsOpen() {
        HubFolder hub;
        GuiFixture f(nullptr);
        QCOMPARE(f.find<QComboBox>("presetBox")->currentText(), QStringLiteral("–"));
        QVERIFY(f.find<QLabel>("welcomeNothing")->isVisible());
        f.settings.addRecentModel(QStringLiteral("/nowhere/a"));
        QVERIFY(!f.find<QLabel>("welcomeNothing")->isVisible());
    }

    /// Models of the Hugging Face cache are offered; one that cannot be opened says why.
    void modelsOnThisComputer() {
        HubFolder hub;
        hub.add(QStringLiteral("some--empty-one"));
        const QString good = hub.add(QStringLiteral("some--tales"));
        const QDir sample(QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m"));
        for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
            QVERIFY(QFile::link(sample.filePath(QString::fromLatin1(file)),
                                good + QLatin1Char('/') + QString::fromLatin1(file)));
        const std::vector<LocalModel> found = findLocalModels(5, false);
        QCOMPARE(found.size(), size_t(2));
        QVERIFY(found[0].opens && !found[1].opens);
        QCOMPARE(found[0].name, QStringLiteral("some/tales"));
        QVERIFY2(found[0].facts.contains(QStringLiteral("4.46")), qPrintable(found[0].facts));
        QVERIFY(found[1].facts.contains(QStringLiteral("config.json")));
        GuiFixture f(nullptr);
        const auto button = [&](const QString& name) -> QPushButton* {
            for (QPushButton* b : f.window->findChildren<QPushButton*>())
                if (b->accessibleName() == name) return b;
            return nullptr;
        };
        QTRY_VERIFY(button(QStringLiteral("Open: some/tales")));
        QVERIFY(!button(QStringLiteral("Open: some/empty-one"))->isEnabled());
        button(QStringLiteral("Open: some/tales"))->click();
        QTRY_VERIFY_WITH_TIMEOUT(f.workbench.hasModel(), 10'000);
        QCOMPARE(f.workbench.model()->title, QStringLiteral("tales"));
    }
};

QTEST_MAIN(TestHelp)
#include "tst_help.moc"
