// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/plan/allocator.h"
#include "tests/core/plan/curves.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

using namespace bitloom;
using bitloom::test::Curves;
using bitloom::test::menuOf;

namespace {

/// The allocation problem done the slow and obvious way, in double, sharing nothing with the
/// allocator but columnBits and outlierCount.
class Reference {
public:
    struct Step {
        double slope;
        size_t column;
        uint8_t point;
    };
    struct State {
        std::vector<uint8_t> points;
        int64_t bits;
        double distortion;
    };

    Reference(const Curves& curves, const std::vector<uint64_t>& masks)
        : m_curves(curves), m_masks(masks) {
        std::vector<Step> steps;
        for (size_t l = 0; l < curves.layers.size(); ++l)
            for (int64_t k = 0; k < curves.layers[l].cols; ++k)
                m_columns.push_back({l, k});
        std::vector<uint8_t> points;
        for (size_t c = 0; c < m_columns.size(); ++c)
            points.push_back(climb(c, steps));
        std::stable_sort(steps.begin(), steps.end(),
                         [](const Step& a, const Step& b) { return a.slope > b.slope; });
        states.push_back({points, bits(points), distortion(points)});
        for (const Step& step : steps) {
            points[step.column] = step.point;
            states.push_back({points, bits(points), distortion(points)});
        }
    }

    std::vector<State> states; ///< every prefix

    size_t columns() const { return m_columns.size(); }
    const LayerCurves& layer(size_t column) const {
        return m_curves.layers[m_columns[column].first];
    }
    double distortion(size_t column, size_t point) const {
        const auto [l, k] = m_columns[column];
        const LayerCurves& layer = m_curves.layers[l];
        return 0.5 * layer.weight * double(layer.conditional[size_t(k)]) *
               double(layer.sse[size_t(k) * m_curves.menu().size() + point]);
    }
    double distortion(const std::vector<uint8_t>& points) const {
        double sum = 0;
        for (size_t c = 0; c < points.size(); ++c)
            sum += distortion(c, points[c]);
        return sum;
    }
    int64_t bits(const std::vector<uint8_t>& points) const {
        int64_t sum = 0;
        std::vector<std::set<std::tuple<int, int, int64_t>>> classes(m_curves.layers.size());
        for (size_t c = 0; c < points.size(); ++c) {
            const OperatingPoint& p = m_curves.menu()[points[c]];
            const int64_t rows = layer(c).rows;
            sum += columnBits(p, rows);
            classes[m_columns[c].first].insert({int(p.kind), p.bits, outlierCount(p, rows)});
        }
        for (const auto& used : classes)
            sum += int64_t(used.size()) * 48;
        return sum;
    }
    /// The longest prefix that fits.
    const State& at(int64_t budget) const {
        for (size_t i = states.size(); i-- > 0;)
            if (states[i].bits <= budget) return states[i];
        throw std::runtime_error("no prefix fits");
    }

private:
    // From the present vertex always to the point with the steepest slope, the nearest of equals:
    // that is the hull.
    uint8_t climb(size_t column, std::vector<Step>& steps) const {
        const Menu& menu = m_curves.menu();
        const int64_t rows = layer(column).rows;
        const auto allowed = [&](size_t p) { return m_masks[column] >> p & 1; };
        size_t now = menu.size();
        for (size_t p = 0; p < menu.size(); ++p) {
            if (!allowed(p)) continue;
            const auto rank = [&](size_t q) {
                return std::pair(columnBits(menu[q], rows),
                                 m_curves.layers[m_columns[column].first]
                                     .sse[size_t(m_columns[column].second) * menu.size() + q]);
            };
            if (now == menu.size() || rank(p) < rank(now)) now = p;
        }
        const uint8_t first = uint8_t(now);
        for (;;) {
            double best = 0;
            size_t to = menu.size();
            for (size_t p = 0; p < menu.size(); ++p) {
                const int64_t cost = columnBits(menu[p], rows) - columnBits(menu[now], rows);
                if (!allowed(p) || cost <= 0) continue;
                const double slope =
                    (distortion(column, now) - distortion(column, p)) / double(cost);
                if (slope > best) {
                    best = slope;
                    to = p;
                }
            }
            if (to == menu.size()) return first;
            steps.push_back({best, column, uint8_t(to)});
            now = to;
        }
    }

    const Curves& m_curves;
    std::vector<uint64_t> m_masks;
    std::vector<std::pair<size_t, int64_t>> m_columns;
};

Reference reference(const Curves& curves, uint64_t mask) {
    size_t columns = 0;
    for (const LayerCurves& layer : curves.layers)
        columns += size_t(layer.cols);
    return Reference(curves, std::vector<uint64_t>(columns, mask));
}

/// Two shapes, several layers, all kinds of points; small columns, so that tables and class lists
/// matter and 0.25 % of outliers are none.
Curves mixedModel(uint64_t seed, float noise = 0.05f) {
    Curves curves(defaultMenu(), seed);
    curves.add("layers.0.q", 96, 24, 1e-3, noise);
    curves.add("layers.0.down", 40, 17, 2e-3, noise);
    curves.add("layers.1.q", 96, 24, 5e-3, noise);
    curves.add("layers.1.down", 700, 9, 1e-4, noise);
    return curves;
}

bool close(double a, double b, double relative = 1e-6) {
    return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

std::string messageOf(const std::function<void()>& action, ErrorCode code = ErrorCode::Failed) {
    try {
        action();
    } catch (const Error& error) {
        return error.code() == code ? std::string(error.what()) + ' ' + error.hint()
                                    : "wrong code: " + std::string(error.what());
    }
    return "no error";
}

void compare(const Allocation& got, const Reference::State& want) {
    QVERIFY(got.points == want.points);
    QCOMPARE(got.bits, want.bits);
    QVERIFY2(close(got.distortion, want.distortion),
             qPrintable(QString("%1 %2").arg(got.distortion).arg(want.distortion)));
}

} // namespace

class TestAllocator : public QObject {
    Q_OBJECT
private slots:
    void prefixesEqualReference_data() {
        QTest::addColumn<int>("seed");
        QTest::addColumn<float>("noise");
        QTest::addColumn<quint64>("mask");
        const quint64 all = (quint64(1) << defaultMenu().size()) - 1;
        QTest::newRow("default points") << 1 << 0.05f << quint64(defaultAllowed(defaultMenu()));
        QTest::newRow("with raw") << 2 << 0.05f << all;
        QTest::newRow("wild curves") << 3 << 2.0f << all;
        QTest::newRow("tables") << 4 << 0.3f << quint64(0x1ff);
        QTest::newRow("one point") << 5 << 0.3f << quint64(8);
    }
    void prefixesEqualReference() {
        QFETCH(int, seed);
        QFETCH(float, noise);
        QFETCH(quint64, mask);
        const Curves curves = mixedModel(uint64_t(seed), noise);
        const Reference oracle = reference(curves, mask);
        const Allocator allocator(curves.layers, curves.menu(), mask);
        int64_t least = std::numeric_limits<int64_t>::max();
        for (const Reference::State& state : oracle.states)
            least = std::min(least, state.bits);
        QCOMPARE(allocator.minBits(), least);
        QCOMPARE(allocator.maxBits(), oracle.states.back().bits);
        for (const Reference::State& state : oracle.states)
            for (int64_t budget : {state.bits - 1, state.bits, state.bits + 1}) {
                if (budget < least) continue;
                compare(allocator.allocate(budget), oracle.at(budget));
                if (QTest::currentTestFailed()) return;
            }
        compare(allocator.allocate(int64_t(1) << 60), oracle.states.back());
    }

    // Thousands of steps: several blocks and checkpoints of the list.
    void longListsEqualReference() {
        Curves curves(menuOf("2t 3t 4t 2g 3g 4g 5g 6g 8g"), 11);
        curves.add("a", 64, 350, 1, 0.3f);
        curves.add("b", 128, 250, 0.2, 0.3f);
        curves.add("c", 64, 150, 3, 0.3f);
        const Reference oracle = reference(curves, curves.all());
        QVERIFY(oracle.states.size() > 3 * 1024);
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        for (size_t i = 0; i < oracle.states.size(); i += 1 + i % 37) {
            const int64_t budget = std::max(oracle.states[i].bits, allocator.minBits());
            compare(allocator.allocate(budget), oracle.at(budget));
            if (QTest::currentTestFailed()) return;
        }
        for (size_t edge : {1023, 1024, 1025, 2047, 2048, 2049})
            compare(allocator.allocate(oracle.states[edge].bits),
                    oracle.at(oracle.states[edge].bits));
    }

    // With every class in use in every layer the list bits are a constant, and the hull's promise
    // is exact: at its breakpoints nothing is better, elsewhere nothing by more than the next step.
    void equalsBruteForce() {
        Curves curves(menuOf("2g 3g 4g 6g"), 5);
        curves.add("a", 256, 5, 1, 0.4f);
        curves.add("b", 512, 3, 0.5, 0.4f);
        const size_t points = curves.menu().size();
        const Reference oracle = reference(curves, curves.all());
        const Allocator allocator(curves.layers, curves.menu(), curves.all());

        // Every combination by bits without class lists; the best distortion up to each budget.
        std::map<int64_t, double> best;
        std::vector<uint8_t> choice(oracle.columns(), 0);
        const auto columnsOnly = [&](const std::vector<uint8_t>& p) {
            int64_t bits = 0;
            for (size_t c = 0; c < p.size(); ++c)
                bits += columnBits(curves.menu()[p[c]], oracle.layer(c).rows);
            return bits;
        };
        for (;;) {
            const auto [entry, isNew] =
                best.emplace(columnsOnly(choice), oracle.distortion(choice));
            if (!isNew) entry->second = std::min(entry->second, oracle.distortion(choice));
            size_t c = 0;
            while (c < choice.size() && ++choice[c] == points)
                choice[c++] = 0;
            if (c == choice.size()) break;
        }
        double running = std::numeric_limits<double>::max();
        for (auto& [bits, distortion] : best)
            distortion = running = std::min(running, distortion);

        int breakpoints = 0;
        for (size_t i = 0; i < oracle.states.size(); ++i) {
            const Reference::State& state = oracle.states[i];
            const int64_t bits = columnsOnly(state.points);
            const Allocation got = allocator.evaluate(state.points, curves.layers);
            QVERIFY(close(got.distortion, best.at(bits), 1e-9));
            ++breakpoints;
            if (i + 1 == oracle.states.size()) break;
            const double step = state.distortion - oracle.states[i + 1].distortion;
            const auto next = best.lower_bound(columnsOnly(oracle.states[i + 1].points));
            for (auto between = best.upper_bound(bits); between != next; ++between)
                QVERIFY(got.distortion - between->second <= step);
        }
        QVERIFY(breakpoints > 15);
    }

    // The same against true stored bits, on budgets where no class comes or goes.
    void equalsBruteForceWithClassLists() {
        Curves curves(menuOf("2g 4g"), 9);
        curves.add("a", 64, 9, 1, 0.3f);
        const Reference oracle = reference(curves, 3);
        const Allocator allocator(curves.layers, curves.menu(), 3);
        int checked = 0;
        for (const Reference::State& state : oracle.states) {
            if (state.bits < allocator.minBits()) continue;
            double best = std::numeric_limits<double>::max();
            for (unsigned choice = 0; choice < 1u << 9; ++choice) {
                std::vector<uint8_t> points;
                for (int c = 0; c < 9; ++c)
                    points.push_back(uint8_t(choice >> c & 1));
                if (oracle.bits(points) <= state.bits)
                    best = std::min(best, oracle.distortion(points));
            }
            const std::set<uint8_t> classes(state.points.begin(), state.points.end());
            if (classes.size() < 2) continue;
            QVERIFY(close(allocator.allocate(state.bits).distortion, best));
            ++checked;
        }
        QCOMPARE(checked, 8);
    }

    void neverAboveBudgetAndMonotone() {
        const Curves curves = mixedModel(21, 1.0f);
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        const Reference oracle = reference(curves, curves.all());
        Allocation last = allocator.allocate(allocator.minBits());
        const int64_t step = (allocator.maxBits() - allocator.minBits()) / 3000;
        for (int64_t budget = allocator.minBits(); budget <= allocator.maxBits() + step;
             budget += step) {
            const Allocation now = allocator.allocate(budget);
            QVERIFY(now.bits <= budget);
            QCOMPARE(now.bits, oracle.bits(now.points));
            QVERIFY(now.distortion <= last.distortion);
            QVERIFY(now.lambda <= last.lambda || last.lambda == 0);
            for (size_t c = 0; c < now.points.size(); ++c)
                QVERIFY(oracle.distortion(c, now.points[c]) <=
                        oracle.distortion(c, last.points[c]));
            last = now;
        }
    }

    void lambdaIsSlopeOfLastStep() {
        const Curves curves = mixedModel(22);
        const Reference oracle = reference(curves, curves.all());
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        QCOMPARE(allocator.allocate(oracle.states[0].bits).lambda, 0.0);
        for (size_t i = 1; i < oracle.states.size(); i += 7) {
            const Reference::State &a = oracle.states[i - 1], &b = oracle.states[i];
            const Allocation got = allocator.allocate(b.bits);
            if (got.points != b.points) continue; // class lists made room for a longer prefix
            int64_t bits = 0;
            for (size_t c = 0; c < a.points.size(); ++c)
                bits += columnBits(curves.menu()[b.points[c]], oracle.layer(c).rows) -
                        columnBits(curves.menu()[a.points[c]], oracle.layer(c).rows);
            QVERIFY(close(got.lambda, (a.distortion - b.distortion) / double(bits), 1e-5));
        }
    }

    void deterministic() {
        const Curves curves = mixedModel(23);
        const Allocator a(curves.layers, curves.menu(), curves.all());
        const Allocator b(curves.layers, curves.menu(), curves.all());
        QVERIFY(a.sortedSegments() == b.sortedSegments());
        const int64_t middle = (a.minBits() + a.maxBits()) / 2;
        QVERIFY(a.allocate(middle).points == b.allocate(middle).points);
        QCOMPARE(a.allocate(middle).distortion, b.allocate(middle).distortion);
    }

    // Columns with equal curves climb in order of layer and column.
    void tiesByLayerAndColumn() {
        Curves curves(menuOf("2g 3g"), 1);
        curves.add("a", 64, 3);
        curves.add("b", 64, 3);
        for (size_t l : {0, 1}) {
            std::fill(curves.conditional(l).begin(), curves.conditional(l).end(), 1.0f);
            for (size_t i = 0; i < 6; ++i)
                curves.sse(l)[i] = i % 2 == 0 ? 4.0f : 1.0f;
        }
        const Allocator allocator(curves.layers, curves.menu(), 3);
        const int64_t step = columnBits(curves.menu()[1], 64) - columnBits(curves.menu()[0], 64);
        std::vector<uint8_t> expected(6, 0);
        for (size_t taken = 0; taken <= 6; ++taken) {
            if (taken > 0) expected[taken - 1] = 1;
            const int64_t lists = taken == 0 || taken == 3 || taken == 6 ? 2 : 3;
            const int64_t bits =
                6 * columnBits(curves.menu()[0], 64) + int64_t(taken) * step + 48 * lists;
            QVERIFY(allocator.allocate(bits).points == expected);
            // Limits that change nothing do not change the order either.
            for (const ColumnLimit& limit : {ColumnLimit{0, 0, 3}, ColumnLimit{1, 1, 3}}) {
                Allocator limited(curves.layers, curves.menu(), 3);
                limited.setLimits({&limit, 1}, curves.layers);
                QVERIFY(limited.allocate(bits).points == expected);
            }
        }
    }

    // Columns of 4 weights: a table costs 16 bits more than a grid, a class list entry 48. The
    // first step of each layer adds a class, the second takes one away: bits rise for 1200 steps
    // and then fall for 1200, across blocks. The longest prefix that fits may lie behind the hill.
    void bitsThatFallAgain() {
        Curves curves(menuOf("2g 2t"), 1);
        const int64_t layers = 1200, grid = 72, table = 88;
        for (int64_t l = 0; l < layers; ++l) {
            curves.add("layer" + std::to_string(l), 4, 2);
            curves.conditional(size_t(l)) = {100, 1};
            curves.sse(size_t(l)) = {4, 1, 4, 1};
        }
        QCOMPARE(columnBits(curves.menu()[0], 4), grid);
        QCOMPARE(columnBits(curves.menu()[1], 4), table);
        const Allocator allocator(curves.layers, curves.menu(), 3);
        const int64_t least = layers * (2 * grid + 48), end = layers * (2 * table + 48);
        QCOMPARE(allocator.minBits(), least);
        QCOMPARE(allocator.maxBits(), end);
        const auto taken = [&](int64_t budget) {
            const std::vector<uint8_t> points = allocator.allocate(budget).points;
            return std::count(points.begin(), points.end(), uint8_t(1));
        };
        for (int64_t steps : {0, 1, 300, 599})
            QCOMPARE(int64_t(taken(least + steps * 64)), steps);
        for (int64_t steps : {0, 1, 300, 599})
            QCOMPARE(int64_t(taken(least + steps * 64 + 63)), steps);
        for (int64_t budget = end; budget < least + layers * 64 + 100; budget += 777)
            QCOMPARE(int64_t(taken(budget)), 2 * layers);
        // For a distortion on the way up the hill, its far side may be cheaper.
        const double half = allocator.allocate(least + 590 * 64).distortion;
        QCOMPARE(allocator.allocateForDistortion(half).bits, least + 590 * 64);
        const double top = (1200 * 4 + 1000 * 400 + 200 * 100) / 2.0;
        QCOMPARE(allocator.allocateForDistortion(top).bits, least + 200 * 64);
        const double behind = (1200 * 4 + 100 * 400 + 1100 * 100) / 2.0;
        QCOMPARE(allocator.allocateForDistortion(behind).bits, end);
    }

    // 0.25 % of 40 weights are no weights: such points are one class and cost the same.
    void equalClassesAreOne() {
        Curves curves(menuOf("2g 2g+0.25% 4g 4g+0.25%"), 1);
        curves.add("a", 40, 2);
        curves.sse(0) = {4, 4, 1, 1, 4, 4, 1, 1};
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        QCOMPARE(allocator.minBits(), 2 * columnBits(curves.menu()[0], 40) + 48);
        QCOMPARE(allocator.maxBits(), 2 * columnBits(curves.menu()[2], 40) + 48);
        QVERIFY(allocator.allocate(allocator.minBits()).points == (std::vector<uint8_t>{0, 0}));
        QVERIFY(allocator.allocate(allocator.maxBits()).points == (std::vector<uint8_t>{2, 2}));
        QCOMPARE(allocator.evaluate({0, 1}, curves.layers).bits, allocator.minBits());
        QCOMPARE(allocator.evaluate({0, 3}, curves.layers).bits,
                 columnBits(curves.menu()[0], 40) + columnBits(curves.menu()[2], 40) + 96);
    }

    void nothingToGainTakesCheapest() {
        Curves curves(menuOf("2g 4g"), 1);
        curves.add("dead layer", 64, 4, 0);
        curves.add("dead columns", 64, 4);
        std::fill(curves.conditional(1).begin(), curves.conditional(1).end(), 0.0f);
        const Allocator allocator(curves.layers, curves.menu(), 3);
        QCOMPARE(allocator.minBits(), allocator.maxBits());
        const Allocation best = allocator.allocate(allocator.maxBits() * 2);
        QVERIFY(best.points == std::vector<uint8_t>(8, 0));
        QCOMPARE(best.distortion, 0.0);
        QCOMPARE(best.lambda, 0.0);
        QVERIFY(allocator.curve(5).back() == std::pair(allocator.maxBits(), 0.0));
    }

    void scaleDoesNotMatter_data() {
        QTest::addColumn<double>("weight");
        QTest::newRow("tiny") << 1e-60;
        QTest::newRow("small") << 1e-30;
        QTest::newRow("huge") << 1e60;
    }
    void scaleDoesNotMatter() {
        QFETCH(double, weight);
        Curves curves = mixedModel(31);
        const Allocator plain(curves.layers, curves.menu(), curves.all());
        for (LayerCurves& layer : curves.layers)
            layer.weight *= weight;
        const Allocator scaled(curves.layers, curves.menu(), curves.all());
        for (int i = 0; i <= 20; ++i) {
            const int64_t budget = plain.minBits() + (plain.maxBits() - plain.minBits()) / 20 * i;
            const Allocation a = plain.allocate(budget), b = scaled.allocate(budget);
            // Rounding may tell near-equal slopes apart differently; the totals cannot tell.
            QVERIFY(close(a.distortion * weight, b.distortion, 1e-5));
            QVERIFY(b.bits <= budget);
        }
    }

    void badCurves_data() {
        QTest::addColumn<int>("what");
        QTest::addColumn<float>("value");
        QTest::addColumn<QString>("named");
        const float nan = std::numeric_limits<float>::quiet_NaN();
        const float infinity = std::numeric_limits<float>::infinity();
        QTest::newRow("sse nan") << 0 << nan << "'layers.1.q', column 5: error nan at 3t";
        QTest::newRow("sse negative") << 0 << -1.0f << "'layers.1.q', column 5: error -1 at 3t";
        QTest::newRow("sse infinite") << 0 << infinity << "'layers.1.q', column 5: error inf at 3t";
        QTest::newRow("c nan") << 1 << nan << "'layers.1.q', column 5: conditional variance nan";
        QTest::newRow("c negative") << 1 << -2.0f << "column 5: conditional variance -2";
        QTest::newRow("gamma nan") << 2 << nan << "'layers.1.q': its Fisher factor is nan";
        QTest::newRow("gamma negative") << 2 << -1.0f << "'layers.1.q': its Fisher factor is -1";
        QTest::newRow("too few errors") << 3 << 0.0f << "'layers.1.q': the statistics hold";
        QTest::newRow("no rows") << 4 << 0.0f << "'layers.1.q': 0 × 24";
    }
    void badCurves() {
        QFETCH(int, what);
        QFETCH(float, value);
        QFETCH(QString, named);
        Curves curves = mixedModel(1);
        if (what == 0) curves.sse(2)[5 * curves.menu().size() + 3] = value;
        if (what == 1) curves.conditional(2)[5] = value;
        if (what == 2) curves.layers[2].weight = double(value);
        if (what == 3) curves.layers[2].sse = curves.layers[2].sse.first(100);
        if (what == 4) curves.layers[2].rows = 0;
        const std::string message =
            messageOf([&] { Allocator(curves.layers, curves.menu(), curves.all()); });
        QVERIFY2(message.find(named.toStdString()) != std::string::npos, message.c_str());
    }

    void impossibleBudgetNamesNearest() {
        const Curves curves = mixedModel(2);
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        const std::string message =
            messageOf([&] { (void)allocator.allocate(allocator.minBits() - 1); }, ErrorCode::Usage);
        const std::string bytes = std::to_string((allocator.minBits() + 7) / 8);
        QVERIFY2(message.find("(" + bytes + " bytes)") != std::string::npos, message.c_str());
        QCOMPARE(allocator.allocate(allocator.minBits()).bits, allocator.minBits());
        QVERIFY(messageOf([&] { (void)allocator.allocateForDistortion(0); }, ErrorCode::Usage)
                    .find("cannot be reached") != std::string::npos);
        QVERIFY(messageOf([&] { (void)allocator.allocateForDistortion(std::nan("")); },
                          ErrorCode::Usage)
                    .find("cannot be reached") != std::string::npos);
    }

    void distortionTargets() {
        const Curves curves = mixedModel(6, 0.5f);
        const Reference oracle = reference(curves, curves.all());
        const Allocator allocator(curves.layers, curves.menu(), curves.all());
        for (size_t i = 0; i < oracle.states.size(); i += 3) {
            const double target = oracle.states[i].distortion * 1.0001;
            int64_t fewest = std::numeric_limits<int64_t>::max();
            for (const Reference::State& state : oracle.states)
                if (state.distortion <= target) fewest = std::min(fewest, state.bits);
            const Allocation got = allocator.allocateForDistortion(target);
            QCOMPARE(got.bits, fewest);
            QVERIFY(got.distortion <= target);
            // What an allocation reports leads back to it.
            QCOMPARE(allocator.allocateForDistortion(got.distortion).bits, got.bits);
        }
    }

    void uniformAndEvaluate() {
        const Curves curves = mixedModel(7);
        const Reference oracle = reference(curves, curves.all());
        Allocator allocator(curves.layers, curves.menu(), defaultAllowed(curves.menu()));
        const uint8_t grid3 = 12; // tables take 0…8, grid 2 takes 9…11
        const Allocation all = allocator.uniform({PointKind::Grid, 3, 0});
        QVERIFY(all.points == std::vector<uint8_t>(oracle.columns(), grid3));
        QCOMPARE(all.bits, oracle.bits(all.points));
        QVERIFY(close(all.distortion, oracle.distortion(all.points)));
        QVERIFY(close(all.distortion, allocator.evaluate(all.points, curves.layers).distortion));
        // Raw is not allowed: the nearest width is 8. Nor are there tables of 5 bits.
        QCOMPARE(pointText(curves.menu()[allocator.uniform({PointKind::Raw, 16, 0}).points[0]]),
                 std::string("8g"));
        QCOMPARE(pointText(curves.menu()[allocator.uniform({PointKind::Table, 5, 0}).points[0]]),
                 std::string("5g"));

        // Limited columns take what is nearest among their own.
        const std::vector<ColumnLimit> limits{{0, 3, uint64_t(1) << 27}, {1, 0, 0b111}};
        allocator.setLimits(limits, curves.layers);
        const Allocation some = allocator.uniform({PointKind::Grid, 3, 0});
        std::vector<uint8_t> expected(oracle.columns(), grid3);
        expected[3] = 27;
        expected[24] = 0;
        QVERIFY(some.points == expected);
        QCOMPARE(some.bits, oracle.bits(expected));
        QVERIFY(close(some.distortion, oracle.distortion(expected)));

        QVERIFY(messageOf([&] { (void)allocator.evaluate({1, 2}, curves.layers); }) != "no error");
        std::vector<uint8_t> outside(oracle.columns(), 99);
        QVERIFY(messageOf([&] { (void)allocator.evaluate(outside, curves.layers); }) != "no error");
    }

    void limitsEqualFreshAllocator_data() {
        QTest::addColumn<int>("seed");
        QTest::addColumn<int>("percent");
        for (int seed : {1, 2, 3})
            for (int percent : {2, 30, 100})
                QTest::addRow("%d%% limited, %d", percent, seed) << seed << percent;
    }
    void limitsEqualFreshAllocator() {
        QFETCH(int, seed);
        QFETCH(int, percent);
        const Curves curves = mixedModel(uint64_t(seed), 0.4f);
        const uint64_t allowed = defaultAllowed(curves.menu());
        std::mt19937_64 random{uint64_t(seed)};
        std::vector<ColumnLimit> limits;
        std::vector<uint64_t> masks;
        for (size_t l = 0; l < curves.layers.size(); ++l)
            for (int64_t k = 0; k < curves.layers[l].cols; ++k) {
                masks.push_back(allowed);
                if (int(random() % 100) >= percent) continue;
                uint64_t mask = random() & curves.all();
                if (random() % 2) mask = uint64_t(1) << random() % curves.menu().size();
                if (mask == 0) mask = 1;
                limits.push_back({int64_t(l), k, 1}); // overruled by the next
                limits.push_back({int64_t(l), k, mask});
                masks.back() = mask;
            }
        Allocator allocator(curves.layers, curves.menu(), allowed);
        const std::vector<std::byte> before = allocator.sortedSegments();
        allocator.setLimits(limits, curves.layers);
        const Reference oracle(curves, masks);
        int64_t least = std::numeric_limits<int64_t>::max();
        for (const Reference::State& state : oracle.states)
            least = std::min(least, state.bits);
        QCOMPARE(allocator.minBits(), least);
        QCOMPARE(allocator.maxBits(), oracle.states.back().bits);
        for (const Reference::State& state : oracle.states) {
            if (state.bits < least) continue;
            const Allocation got = allocator.allocate(state.bits);
            compare(got, oracle.at(state.bits));
            if (QTest::currentTestFailed()) return;
            for (size_t c = 0; c < got.points.size(); ++c)
                QVERIFY(masks[c] >> got.points[c] & 1);
        }
        QVERIFY(allocator.sortedSegments() == before);

        // Taking all limits away gives what was there before.
        const Allocator fresh(curves.layers, curves.menu(), allowed);
        allocator.setLimits({}, curves.layers);
        QCOMPARE(allocator.minBits(), fresh.minBits());
        const int64_t middle = (fresh.minBits() + fresh.maxBits()) / 2;
        QVERIFY(allocator.allocate(middle).points == fresh.allocate(middle).points);
        QCOMPARE(allocator.allocate(middle).distortion, fresh.allocate(middle).distortion);
    }

    void limitsOnLongLists() {
        Curves curves(menuOf("2t 3t 4t 2g 3g 4g 5g 6g 8g 16"), 12);
        curves.add("a", 64, 450, 1, 0.3f);
        curves.add("b", 128, 300, 0.2, 0.3f);
        const uint64_t allowed = defaultAllowed(curves.menu());
        std::vector<uint64_t> masks(750, allowed);
        std::vector<ColumnLimit> limits;
        for (int64_t k = 0; k < 450; k += 1 + k % 3) {
            masks[size_t(k)] = k % 2 ? 0x24 : 0x3ff;
            limits.push_back({0, k, masks[size_t(k)]});
        }
        Allocator allocator(curves.layers, curves.menu(), allowed);
        allocator.setLimits(limits, curves.layers);
        const Reference oracle(curves, masks);
        QVERIFY(oracle.states.size() > 2 * 1024);
        for (size_t i = 0; i < oracle.states.size(); i += 1 + i % 61) {
            const int64_t budget = std::max(oracle.states[i].bits, allocator.minBits());
            compare(allocator.allocate(budget), oracle.at(budget));
            if (QTest::currentTestFailed()) return;
        }
        const auto curve = allocator.curve(100);
        for (size_t i = 0; i < 100; ++i) {
            const int64_t budget =
                i == 99 ? allocator.maxBits()
                        : allocator.minBits() +
                              int64_t(double(allocator.maxBits() - allocator.minBits()) *
                                      double(i) / 99);
            const Allocation at = allocator.allocate(budget);
            QCOMPARE(curve[i].first, at.bits);
            QCOMPARE(curve[i].second, at.distortion);
        }
    }

    // A pin equal to what a column has leaves everything as it is, or spends what it frees.
    void pinToWhatItHas() {
        const Curves curves = mixedModel(8);
        const Reference oracle = reference(curves, curves.all());
        Allocator allocator(curves.layers, curves.menu(), curves.all());
        const int64_t budget = (allocator.minBits() + allocator.maxBits()) / 2;
        const Allocation before = allocator.allocate(budget);
        for (int64_t k = 0; k < 24; ++k) {
            const std::vector<ColumnLimit> limit{
                {2, k, uint64_t(1) << before.points[size_t(41 + k)]}};
            allocator.setLimits(limit, curves.layers);
            const Allocation after = allocator.allocate(budget);
            QCOMPARE(after.points[size_t(41 + k)], before.points[size_t(41 + k)]);
            QVERIFY(after.bits <= budget);
            QVERIFY(close(after.distortion, before.distortion) ||
                    after.distortion < before.distortion);
            const Allocation same = allocator.allocate(before.bits);
            QVERIFY(same.points == before.points);
        }
    }

    void badLimits() {
        const Curves curves = mixedModel(8);
        Allocator allocator(curves.layers, curves.menu(), curves.all());
        const int64_t least = allocator.minBits();
        for (const ColumnLimit& limit :
             {ColumnLimit{0, 0, 0}, ColumnLimit{0, 24, 1}, ColumnLimit{4, 0, 1},
              ColumnLimit{-1, 0, 1}, ColumnLimit{0, -1, 1}, ColumnLimit{0, 0, uint64_t(1) << 60}})
            QVERIFY(messageOf(
                        [&] {
                            allocator.setLimits({&limit, 1}, curves.layers);
                        },
                        ErrorCode::Usage)
                        .find("limit") != std::string::npos);
        QCOMPARE(allocator.minBits(), least);
        QVERIFY(messageOf([&] { allocator.setLimits({}, {}); }) != "no error");
        QVERIFY(messageOf([&] { Allocator({}, defaultMenu(), 1); }) != "no error");
        QVERIFY(messageOf([&] { Allocator(curves.layers, curves.menu(), 0); }, ErrorCode::Usage) !=
                "no error");
        QVERIFY(messageOf([&] { Allocator(curves.layers, {}, 1); }) != "no error");
    }

    void segmentsComeBack() {
        Curves curves = mixedModel(9);
        const Allocator fresh(curves.layers, curves.menu(), curves.all());
        const std::vector<std::byte> bytes = fresh.sortedSegments();
        Allocator cached(curves.layers, curves.menu(), curves.all(), bytes);
        QVERIFY(cached.sortedSegments() == bytes);
        QVERIFY(cached.curve(50) == fresh.curve(50));
        const int64_t middle = (fresh.minBits() + fresh.maxBits()) / 2;
        QVERIFY(cached.allocate(middle).points == fresh.allocate(middle).points);
        QCOMPARE(cached.uniform({PointKind::Grid, 4, 0}).distortion,
                 fresh.uniform({PointKind::Grid, 4, 0}).distortion);
    }

    // Bytes that claim another total, rightly signed, are believed: so they are used at all. But no
    // index out of range is, signed or not.
    void segmentsAreUsedAndChecked() {
        const Curves curves = mixedModel(9);
        const Allocator fresh(curves.layers, curves.menu(), curves.all());
        const std::vector<std::byte> good = fresh.sortedSegments();
        const auto forged = [&](size_t offset, auto value) {
            std::vector<std::byte> bytes = good;
            std::memcpy(bytes.data() + offset, &value, sizeof value);
            const std::string digest = hashBytes({bytes.data(), bytes.size() - 32});
            std::memcpy(bytes.data() + bytes.size() - 32, digest.data(), 32);
            return bytes;
        };
        const size_t header = 80, totals = header;
        const size_t segments = header + (28 + 1) * 4 * sizeof(double);
        const size_t start = good.size() - 32 - 74;
        const OperatingPoint first = curves.menu()[0];
        const Allocator believed(curves.layers, curves.menu(), curves.all(), forged(totals, 1e6));
        QVERIFY(believed.uniform(first).distortion > 1e5);
        for (const std::vector<std::byte>& bytes :
             {forged(segments, ~uint64_t(0)), forged(segments, uint64_t(74) << 6),
              forged(segments, uint64_t(28)), forged(start, uint8_t(28)),
              forged(start, uint8_t(255)), forged(header - 40, -1.0),
              forged(header - 48, 1ull << 61)}) {
            const Allocator rebuilt(curves.layers, curves.menu(), curves.all(), bytes);
            QVERIFY(rebuilt.sortedSegments() == good);
        }
    }

    void segmentsAreOfTheirCurvesOnly() {
        Curves curves = mixedModel(9);
        const std::vector<std::byte> bytes =
            Allocator(curves.layers, curves.menu(), curves.all()).sortedSegments();
        const auto same = [&](const std::vector<std::byte>& segments, uint64_t allowed) {
            const Allocator cached(curves.layers, curves.menu(), allowed, segments);
            const Allocator fresh(curves.layers, curves.menu(), allowed);
            return cached.sortedSegments() == fresh.sortedSegments() &&
                   cached.curve(30) == fresh.curve(30);
        };
        QVERIFY(same(bytes, defaultAllowed(curves.menu())));
        curves.layers[1].weight *= 2;
        QVERIFY(same(bytes, curves.all()));
        curves.sse(0)[7] *= 3;
        QVERIFY(same(bytes, curves.all()));
    }

    void damagedSegmentsAreBuiltAgain() {
        const Curves curves = mixedModel(9);
        const Allocator fresh(curves.layers, curves.menu(), curves.all());
        const std::vector<std::byte> good = fresh.sortedSegments();
        std::mt19937_64 random(3);
        for (int i = 0; i < 300; ++i) {
            std::vector<std::byte> bad = good;
            if (i % 3 == 0)
                bad.resize(random() % bad.size());
            else
                bad[random() % (i % 3 == 1 ? 80 : bad.size())] ^= std::byte(1 + random() % 255);
            const Allocator cached(curves.layers, curves.menu(), curves.all(), bad);
            QVERIFY(cached.sortedSegments() == good);
        }
    }

    void figures() {
        const Curves curves = mixedModel(1);
        Allocator allocator(curves.layers, curves.menu(), curves.all());
        QCOMPARE(allocator.columns(), int64_t(24 + 17 + 24 + 9));
        QCOMPARE(allocator.weights(), int64_t(2 * 24 * 96 + 17 * 40 + 9 * 700));
        QVERIFY(allocator.menu() == defaultMenu());
        const Allocator moved = std::move(allocator);
        QCOMPARE(moved.columns(), int64_t(74));
        QVERIFY(moved.allocate(moved.maxBits()).bits == moved.maxBits());
        QVERIFY(moved.curve(0).empty());
        QCOMPARE(moved.curve(1).size(), size_t(1));
    }
};

QTEST_APPLESS_MAIN(TestAllocator)
#include "tst_allocator.moc"
