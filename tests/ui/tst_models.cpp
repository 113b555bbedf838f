// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/gui_fixture.h"

#include "ui/models/jobs_model.h"
#include "ui/models/layers_filter.h"
#include "ui/models/layers_model.h"
#include "ui/models/log_model.h"
#include "ui/models/pins_model.h"
#include "ui/models/plans_model.h"
#include "ui/models/sizes_model.h"
#include "ui/models/texts.h"

#include <QAbstractItemModelTester>
#include <QRegularExpression>

#include <cmath>
#include <memory>
#include <utility>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// "layers.0 (q_proj k_proj)": names as the tree shows them.
QString printTree(const QAbstractItemModel& model) {
    QStringList lines;
    for (int row = 0; row < model.rowCount(); ++row) {
        const QModelIndex block = model.index(row, 0);
        QStringList layers;
        for (int child = 0; child < model.rowCount(block); ++child)
            layers.append(model.index(child, 0, block).data().toString());
        lines.append(block.data().toString() + QStringLiteral(" (") +
                     layers.join(QLatin1Char(' ')) + QLatin1Char(')'));
    }
    return lines.join(QLatin1Char('\n'));
}

/// A model whose errors matter far more: perplexities move.
std::shared_ptr<const ModelData> sensitiveModel() {
    auto model = std::make_shared<ModelData>(*SyntheticModel::make(3, 48, 96));
    for (auto& curve : model->curves)
        curve.weight *= 1'000'000;
    for (auto& layer : model->statistics)
        layer.gamma *= 1'000'000;
    return model;
}

constexpr auto fatal = QAbstractItemModelTester::FailureReportingMode::QtTest;

} // namespace

class TestModels : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    /// All models, through everything that can happen to them.
    void modelsKeepTheirPromises() {
        WorkbenchFixture f(nullptr);
        LogBuffer log;
        LayersModel layers(f.workbench);
        LayersFilter filter;
        filter.setSourceModel(&layers);
        PinsModel pins(f.workbench);
        PlansModel plans(f.workbench);
        SizesModel sizes(f.workbench);
        JobsModel jobs(f.workbench.jobs());
        LogModel lines(log);
        std::vector<std::unique_ptr<QAbstractItemModelTester>> testers;
        for (QAbstractItemModel* model : std::initializer_list<QAbstractItemModel*>{
                 &layers, &filter, &pins, &plans, &sizes, &jobs, &lines})
            testers.push_back(std::make_unique<QAbstractItemModelTester>(model, fatal));
        f.workbench.setModel(SyntheticModel::make(3, 48, 96));
        QVERIFY(f.settle());
        f.workbench.requestBudget({Budget::Kind::Bits, 4.4}, true);
        f.workbench.addPin(Pin::parse("v_proj=6"));
        f.workbench.addPin(Pin::parse("layers.0.mlp[0-4]=16"));
        filter.setFilterText(QStringLiteral("up"));
        filter.setFilterText(QStringLiteral("nothing of the kind"));
        filter.setFilterText({});
        pins.setData(pins.index(0), int(Qt::Unchecked), Qt::CheckStateRole);
        QVERIFY(f.settle());
        pins.remove({pins.index(1)});
        f.workbench.savePreset(QStringLiteral("own"));
        f.workbench.applyPreset(QStringLiteral("own"));
        f.workbench.undoStack()->undo();
        const int job = f.workbench.jobs().begin(QStringLiteral("a"), QStringLiteral("analyze"));
        f.workbench.jobs().begin(QStringLiteral("b"), QStringLiteral("measure"));
        f.workbench.jobs().finish(job, QStringLiteral("well"));
        f.workbench.jobs().clearEnded();
        QCOMPARE(jobs.rowCount(), 1);
        for (int i = 0; i < 50; ++i)
            log.add({QDateTime::currentDateTime(), LogLine::Level(i % 4), QStringLiteral("core"),
                     QStringLiteral("line %1").arg(i)});
        QTRY_COMPARE(lines.rowCount(), 37);
        lines.setText(QStringLiteral("4"));
        lines.setLeast(LogLine::Level::Error);
        log.clear();
        f.workbench.closeModel();
        QCOMPARE(layers.rowCount(), 0);
    }

    void tree() {
        WorkbenchFixture f(SyntheticModel::make(2, 16, 32));
        LayersModel layers(f.workbench);
        QCOMPARE(
            printTree(layers),
            QStringLiteral("layers.0 (q_proj k_proj v_proj o_proj gate_proj up_proj down_proj)\n"
                           "layers.1 (q_proj k_proj v_proj o_proj gate_proj up_proj down_proj)"));
        const QModelIndex down = layers.indexOf(13);
        QCOMPARE(layers.layerOf(down), 13);
        QCOMPARE(down.siblingAtColumn(LayersModel::Shape).data().toString(),
                 QStringLiteral("16 × 32").replace(QLatin1Char(' '), QChar(0xA0)));
        QCOMPARE(down.siblingAtColumn(LayersModel::Kind).data().toString(), QStringLiteral("down"));
        // Mean bits of a block are those of its weights, not of its layers.
        double bits = 0, weights = 0;
        for (int l = 7; l < 14; ++l) {
            bits += double(f.workbench.plan().bits(l));
            weights += double(f.workbench.model()->entries[size_t(l)].rows *
                              f.workbench.model()->entries[size_t(l)].cols);
        }
        QCOMPARE(layers.index(1, LayersModel::MeanBits).data().toString(),
                 QString::number(bits / weights, 'f', 2));
    }

    void filter_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("tree");
        QTest::newRow("word") << QStringLiteral("V_pro")
                              << QStringLiteral("layers.0 (v_proj)\nlayers.1 (v_proj)");
        QTest::newRow("words") << QStringLiteral("layers.1 up")
                               << QStringLiteral("layers.1 (up_proj)");
        QTest::newRow("kind") << QStringLiteral("kind:o")
                              << QStringLiteral("layers.0 (o_proj)\nlayers.1 (o_proj)");
        QTest::newRow("pinned") << QStringLiteral("pinned")
                                << QStringLiteral("layers.1 (down_proj)");
        QTest::newRow("bound") << QStringLiteral(">15.5") << QStringLiteral("layers.1 (down_proj)");
        QTest::newRow("half typed")
            << QStringLiteral("layers.0 k_ >") << QStringLiteral("layers.0 (k_proj)");
        QTest::newRow("none") << QStringLiteral("xyz") << QString();
    }
    void filter() {
        QFETCH(QString, text);
        QFETCH(QString, tree);
        WorkbenchFixture f(SyntheticModel::make(2, 16, 32));
        f.workbench.addPin(Pin::parse("layers.1.mlp.down_proj=16"));
        LayersModel layers(f.workbench);
        LayersFilter filter;
        filter.setSourceModel(&layers);
        filter.setFilterText(text);
        QCOMPARE(printTree(filter), tree);
    }

    void sortsByFigures() {
        WorkbenchFixture f(SyntheticModel::make(2, 16, 32));
        LayersModel layers(f.workbench);
        LayersFilter filter;
        filter.setSourceModel(&layers);
        filter.sort(LayersModel::MeanBits, Qt::DescendingOrder);
        const QModelIndex block = filter.index(0, 0);
        double last = 1e9;
        for (int row = 0; row < filter.rowCount(block); ++row) {
            const double bits = filter.index(row, LayersModel::MeanBits, block)
                                    .data(LayersModel::SortRole)
                                    .toDouble();
            QVERIFY(bits <= last);
            last = bits;
        }
    }

    /// What a pin costs, in words: from the columns' own bits and errors, by hand.
    void pinCostsInWords() {
        WorkbenchFixture f(sensitiveModel());
        f.workbench.addPin(Pin::parse("v_proj=16"));
        QVERIFY(f.settle());
        PinsModel pins(f.workbench);
        QTRY_VERIFY(f.workbench.pinCosts().size() == 1 && f.workbench.pinCosts()[0].known);
        const auto& model = *f.workbench.model();
        const double lambda = f.workbench.figures().lambda;
        double bits = 0, delta = 0;
        for (size_t l = 0; l < model.entries.size(); ++l) {
            if (model.entries[l].name.find("v_proj") == std::string::npos) continue;
            const auto& c = model.curves[l];
            for (int64_t k = 0; k < model.entries[l].cols; ++k) {
                // Free, the channel takes what minimises error + λ·bits.
                const auto price = [&](size_t p) {
                    const double error = 0.5 * c.weight * double(c.conditional[size_t(k)]) *
                                         double(c.sse[size_t(k) * model.menu.size() + p]);
                    return std::pair(error, double(columnBits(model.menu[p], c.rows)));
                };
                size_t best = 0;
                for (size_t p = 1; p < model.menu.size(); ++p)
                    if ((defaultAllowed(model.menu) >> p & 1) &&
                        price(p).first + lambda * price(p).second <
                            price(best).first + lambda * price(best).second)
                        best = p;
                const size_t own = f.workbench.plan().points(int(l))[size_t(k)];
                bits += price(own).second - price(best).second;
                delta += price(own).first - price(best).first;
            }
        }
        const QString text = pins.index(0).data(PinsModel::CostRole).toString();
        static const QRegularExpression form(
            QStringLiteral("^\\+([0-9.]+)\u00A0KiB, ppl \u2212([0-9.]+)$"));
        const QRegularExpressionMatch match = form.match(text);
        QVERIFY2(match.hasMatch(), qPrintable(QStringLiteral("%1 (%2, %3)")
                                                  .arg(text)
                                                  .arg(f.workbench.pinCosts()[0].distortion)
                                                  .arg(delta)));
        // Within what the allocator's last step leaves open.
        QVERIFY2(std::abs(match.captured(1).toDouble() / (bits / 8 / 1024) - 1) < 0.05,
                 qPrintable(text));
        // Perplexity bends where errors are large: up to three times the first order.
        const double gain = match.captured(2).toDouble();
        const double first = std::exp(f.workbench.figures().prediction.nll) * -delta;
        QVERIFY2(gain > 0.5 * first && gain < 3.5 * first + 0.001,
                 qPrintable(text + QLatin1Char(' ') + QString::number(first)));
        QCOMPARE(match.captured(2), QString::number(-f.workbench.pinCosts()[0].perplexity, 'f', 3));

        QVERIFY(pins.setData(pins.index(0), Qt::Unchecked, Qt::CheckStateRole));
        QTRY_VERIFY(pins.index(0)
                        .data(PinsModel::CostRole)
                        .toString()
                        .startsWith(QStringLiteral("off; would cost +")));
        // A pin at the width that the channel has anyway.
        QVERIFY(f.settle());
        const int width = model.menu[f.workbench.plan().points(0)[5]].bits;
        f.workbench.addPin(Workbench::pinOn(model.entries[0], {{5, 5}}, QString::number(width)));
        QTRY_COMPARE(pins.rowCount(), 2);
        QTRY_VERIFY2(pins.index(1)
                         .data(PinsModel::CostRole)
                         .toString()
                         .endsWith(QStringLiteral("ppl unchanged to 0.001")),
                     qPrintable(pins.index(1).data(PinsModel::CostRole).toString()));
    }

    void sizesAddUp() {
        WorkbenchFixture f;
        QVERIFY(f.settle());
        SizesModel sizes(f.workbench);
        const auto bytes = [&](int row) {
            return sizes.index(row, 0).data(SizesModel::BytesRole).toLongLong();
        };
        qlonglong sum = 0, linear = 0, total = 0;
        for (int row = 0; row < sizes.rowCount(); ++row)
            switch (sizes.index(row, 0).data(SizesModel::SumRole).toInt()) {
            case 0:
                sum += bytes(row);
                break;
            case 1:
                QCOMPARE(bytes(row), sum);
                linear = sum;
                break;
            case 2:
                total = bytes(row);
                break;
            default:
                break;
            }
        QVERIFY(linear > 0);
        QCOMPARE(total, sum);
    }

    void plansFollowTheSlider() {
        WorkbenchFixture f;
        QVERIFY(f.settle());
        PlansModel plans(f.workbench);
        QCOMPARE(plans.rowCount(), 1 + int(builtInPresets().size())); // FP16; the plan is a preset
        QCOMPARE(plans.index(0, 0).data().toString(), QStringLiteral("FP16"));
        QCOMPARE(plans.index(plans.currentRow(), 0).data().toString(), QStringLiteral("Balanced"));
        f.workbench.requestBudget({Budget::Kind::Bits, 3.21}, true);
        QCOMPARE(plans.rowCount(), 2 + int(builtInPresets().size()));
        QCOMPARE(plans.index(plans.currentRow(), PlansModel::Bits).data().toString(),
                 QStringLiteral("3.21"));
        QCOMPARE(plans.index(plans.currentRow(), PlansModel::Measured).data().toString(),
                 QStringLiteral("–"));
        QVERIFY(f.settle());
        Measurement m;
        m.plan = QStringLiteral("3.21 bits");
        m.planHash = Workbench::planHash(f.workbench.plan().allocation());
        m.bitsPerWeight = 3.21;
        m.distortion = f.workbench.figures().distortion;
        m.nll = std::log(6.0);
        m.predictedNll = std::log(5.5);
        m.standardError = 0.01;
        m.fp16Nll = std::log(5.0);
        f.workbench.addMeasurement(m);
        QCOMPARE(plans.index(plans.currentRow(), PlansModel::Measured).data().toString(),
                 QStringLiteral("6.00 ± 0.06"));
        QCOMPARE(plans.index(plans.currentRow(), PlansModel::OffBy).data().toString(),
                 QStringLiteral("+9.1 %"));
        // Another plan: the measured one keeps a row of its own.
        f.workbench.requestBudget({Budget::Kind::Bits, 5.0});
        QVERIFY(f.settle());
        QStringList names;
        for (int row = 0; row < plans.rowCount(); ++row)
            names.append(plans.index(row, 0).data().toString());
        QVERIFY(names.contains(QStringLiteral("3.21 bits")));
        QVERIFY(names.contains(QStringLiteral("This plan")));
    }

    void logDropsTheOldest() {
        LogBuffer log;
        LogModel lines(log);
        const int extra = 500;
        for (int i = 0; i < int(LogBuffer::capacity) + extra; ++i) {
            log.add({{}, LogLine::Level::Info, QStringLiteral("r"), QString::number(i)});
            if (i % 9000 == 0) QCoreApplication::processEvents();
        }
        QTRY_COMPARE(lines.rowCount(), int(LogBuffer::capacity));
        QCOMPARE(lines.index(0, LogModel::Text).data().toString(), QString::number(extra));
        QCOMPARE(log.dropped(), extra);
    }

    void numbersReadWell() {
        QCOMPARE(fixedText(-0.001, 2), QStringLiteral("0.00"));
        QCOMPARE(signedText(0.2, 2), QStringLiteral("+0.20"));
        QCOMPARE(signedText(-0.21, 2), QStringLiteral("−0.21"));
        QCOMPARE(signedText(0.001, 2), QStringLiteral("0.00"));
        QCOMPARE(amountText(6'738'415'616.0),
                 QStringLiteral("6.74 G").replace(QLatin1Char(' '), QChar(0xA0)));
        QCOMPARE(amountText(999), QStringLiteral("999"));
        QCOMPARE(durationText(40), QStringLiteral("40 s"));
        QCOMPARE(durationText(130), QStringLiteral("2 min"));
        QCOMPARE(durationText(2 * 3600 + 300), QStringLiteral("2 h 05 min"));
        QCOMPARE(durationText(-1), QString());
        QCOMPARE(pinText(Pin::parse("^model\\.layers\\.1\\.mlp$[0-3,9]=4"), nullptr),
                 QStringLiteral("model.layers.1.mlp, channels 0–3, 9"));
        QCOMPARE(pinText(Pin::parse("v_proj=4"), nullptr), QStringLiteral("v_proj, all channels"));
    }
};

QTEST_MAIN(TestModels)
#include "tst_models.moc"
