// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <algorithm>
#include <cstring>

#include "kernels/column_math.h"
#include "kernels/column_quantizer.h"
#include "kernels/half.h"
#include "tests/kernels/kmeans_oracle.h"
#include "tests/kernels/test_columns.h"

using namespace bitloom::kernels;
using columns::Shape;

namespace {

constexpr Shape kShapes[] = {Shape::Gaussian,  Shape::Laplace, Shape::Student,
                             Shape::LogNormal, Shape::Uniform, Shape::Skewed};

/// FORMAT §1, word for word. Empty if the code may be stored.
QString formatFault(const ColumnCode& code) {
    const float scale = halfToFloat(code.scale), zero = halfToFloat(code.zero);
    if (!std::isfinite(scale) || scale < 0 || std::signbit(scale)) return "scale";
    if (!std::isfinite(zero)) return "zero";
    if (code.kind == PointKind::Grid) return {};
    if (code.zero != 0) return "a table has no zero";
    const int n = code.entries();
    for (int j = 1; j < n; ++j)
        if (code.table[j] < code.table[j - 1]) return "order";
    for (int j = n; j < 32; ++j)
        if (code.table[j] != 0) return "entries beyond the table";
    const int low = code.table[0], high = code.table[n - 1];
    if (code.bits <= 3 && high - low > 127) return "range";
    if (code.bits == 4) {
        const int z = int(std::floor((code.table[7] + code.table[8]) / 2.));
        if (low - z < -128 || high - z > 126) return "range around the middle";
    }
    return {};
}

int nearest(float w, const ColumnCode& code) {
    int best = 0;
    for (int c = 1; c < code.entries(); ++c)
        if (std::fabs(double(w) - double(code.value(c))) <
            std::fabs(double(w) - double(code.value(best))))
            best = c;
    return best;
}

double errorByHand(std::span<const float> weights, const ColumnCode& code) {
    double sum = 0;
    for (const float w : weights)
        sum += std::pow(double(w) - double(code.value(nearest(w, code))), 2);
    return sum;
}

double energy(std::span<const float> weights) {
    double sum = 0;
    for (const float w : weights)
        sum += double(w) * double(w);
    return sum;
}

double fitError(const std::vector<float>& w, PointKind kind, int bits, ColumnScratch& scratch) {
    double error = -1;
    fitColumn(w, kind, bits, scratch, nullptr, &error);
    return error;
}

struct Point {
    PointKind kind;
    int bits;
};

std::vector<Point> allPoints() {
    std::vector<Point> points;
    for (int bits = 1; bits <= 5; ++bits)
        points.push_back({PointKind::Table, bits});
    for (int bits = 2; bits <= 8; ++bits)
        points.push_back({PointKind::Grid, bits});
    return points;
}

std::vector<std::vector<float>> manyColumns() {
    std::vector<std::vector<float>> all = columns::adversarial();
    for (std::vector<float>& w : columns::real())
        all.push_back(std::move(w));
    unsigned seed = 0;
    for (const Shape shape : kShapes)
        for (const size_t n : {1u, 2u, 3u, 4u, 7u, 16u, 17u, 33u, 47u, 48u, 100u, 256u, 700u})
            for (int k = 0; k < 3; ++k)
                all.push_back(columns::random(shape, n, ++seed));
    return all;
}

/// The best grid of a dense search over both ends of the range, improved by least squares.
double denseGridError(const std::vector<float>& w, int levels) {
    const auto [lowest, highest] = std::minmax_element(w.begin(), w.end());
    const double low = *lowest, width = double(*highest) - low;
    auto error = [&](double step, double offset) {
        double sum = 0;
        for (const float x : w) {
            const double c = std::clamp(std::round((double(x) - offset) / step), 0., levels - 1.);
            sum += std::pow(double(x) - offset - step * c, 2);
        }
        return sum;
    };
    double best = std::numeric_limits<double>::infinity(), step = 0, offset = 0;
    for (int i = 0; i < 50; ++i) {
        for (int j = 0; i + j < 90; ++j) {
            const double a = low + width * i / 100., b = low + width * (1 - j / 100.);
            const double s = (b - a) / (levels - 1), e = error(s, a);
            if (e < best) {
                best = e;
                step = s;
                offset = a;
            }
        }
    }
    for (int round = 0; round < 20; ++round) {
        double n = double(w.size()), c1 = 0, c2 = 0, x1 = 0, xc = 0;
        for (const float x : w) {
            const double c = std::clamp(std::round((double(x) - offset) / step), 0., levels - 1.);
            c1 += c;
            c2 += c * c;
            x1 += double(x);
            xc += double(x) * c;
        }
        const double determinant = n * c2 - c1 * c1;
        if (determinant <= 0) break;
        const double s = (n * xc - c1 * x1) / determinant, o = (x1 - s * c1) / n;
        if (s <= 0 || error(s, o) >= best) break;
        best = error(s, o);
        step = s;
        offset = o;
    }
    return best;
}

} // namespace

class TestColumnQuantizer : public QObject {
    Q_OBJECT

private slots:
    /// Everything that must hold of every fit, on every kind of column.
    void storableAndConsistent() {
        ColumnScratch scratch;
        int index = 0;
        for (const std::vector<float>& w : manyColumns()) {
            ++index;
            for (const Point& point : allPoints()) {
                const QByteArray where = QString("column %1, kind %2, %3 bits, N = %4, w0 = %5")
                                             .arg(index)
                                             .arg(int(point.kind))
                                             .arg(point.bits)
                                             .arg(w.size())
                                             .arg(double(w[0]))
                                             .toUtf8();
                double error = -1;
                const ColumnCode code =
                    fitColumn(w, point.kind, point.bits, scratch, nullptr, &error);
                QVERIFY2(code.kind == point.kind && code.bits == point.bits, where);
                QVERIFY2(formatFault(code).isEmpty(), where + formatFault(code).toUtf8());
                const double byHand = errorByHand(w, code);
                QVERIFY2(std::fabs(error - byHand) <= 1e-6 * byHand + 1e-15 * energy(w),
                         where + QByteArray::number(error) + " " + QByteArray::number(byHand));
                // Nearest codes, ties to the lower one.
                std::vector<uint8_t> codes(w.size(), 0xEE);
                assignColumn(w, code, codes);
                for (size_t n = 0; n < w.size(); ++n) // beyond 1e20 doubles see no difference
                    QVERIFY2(codes[n] == nearest(w[n], code) || std::fabs(w[n]) > 1e20f, where);
                std::vector<float> back(w.size());
                dequantizeColumn(code, codes, back);
                for (size_t n = 0; n < w.size(); ++n)
                    QVERIFY2(back[n] == code.value(codes[n]), where);
                // Never worse than giving up.
                QVERIFY2(error <= energy(w) * (1 + 1e-9), where);
            }
        }
    }

    void reproducible() {
        // The same bytes whatever the scratch has seen, and from other orders of the rows.
        const std::vector<std::vector<float>> all = manyColumns();
        ColumnScratch used;
        for (auto w = all.rbegin(); w != all.rend(); ++w) {
            std::vector<float> shuffled = *w;
            std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(5));
            for (const Point& point : allPoints()) {
                ColumnScratch fresh;
                double a, b, c;
                const ColumnCode first = fitColumn(*w, point.kind, point.bits, used, nullptr, &a);
                const ColumnCode again = fitColumn(*w, point.kind, point.bits, fresh, nullptr, &b);
                const ColumnCode other =
                    fitColumn(shuffled, point.kind, point.bits, used, nullptr, &c);
                for (const ColumnCode* code : {&again, &other}) {
                    QVERIFY(std::memcmp(first.table, code->table, sizeof first.table) == 0);
                    QCOMPARE(code->scale, first.scale);
                    QCOMPARE(code->zero, first.zero);
                }
                QVERIFY(a == b && a == c);
            }
        }
    }

    void noAllocationInSteadyState() {
        ColumnScratch scratch;
        const std::vector<float> w = columns::random(Shape::Gaussian, 3000, 1);
        for (const Point& point : allPoints())
            fitColumn(w, point.kind, point.bits, scratch);
        const void* before[] = {scratch.sorted.data(),    scratch.orderTmp.data(),
                                scratch.prefix.data(),    scratch.prefixSquares.data(),
                                scratch.centroids.data(), scratch.keys.data(),
                                scratch.costs.data(),     scratch.splits.data()};
        for (unsigned seed = 2; seed < 10; ++seed) {
            const std::vector<float> other =
                columns::random(kShapes[seed % 6], seed % 2 ? 3000 : 2000, seed);
            for (const Point& point : allPoints())
                fitColumn(other, point.kind, point.bits, scratch);
        }
        const void* after[] = {scratch.sorted.data(),    scratch.orderTmp.data(),
                               scratch.prefix.data(),    scratch.prefixSquares.data(),
                               scratch.centroids.data(), scratch.keys.data(),
                               scratch.costs.data(),     scratch.splits.data()};
        QVERIFY(std::equal(std::begin(before), std::end(before), after));
    }

    void tableOptimality_data() {
        QTest::addColumn<int>("bits");
        QTest::addColumn<double>("mean"); // allowed excess over the unrounded optimum
        QTest::addColumn<double>("worst");
        QTest::newRow("1 bit") << 1 << 0.0002 << 0.002;
        QTest::newRow("2 bits") << 2 << 0.001 << 0.01;
        QTest::newRow("3 bits") << 3 << 0.005 << 0.03;
        QTest::newRow("4 bits") << 4 << 0.012 << 0.08;
        QTest::newRow("5 bits") << 5 << 0.08 << 0.4; // int8 entries are coarse for 32 values
    }

    /// Gaussian, Laplace and uniform columns of several lengths, and real ones, against the exact
    /// optimum without rounding.
    void tableOptimality() {
        QFETCH(int, bits);
        QFETCH(double, mean);
        QFETCH(double, worst);
        std::vector<std::vector<float>> all = columns::real();
        unsigned seed = 100;
        for (const Shape shape : {Shape::Gaussian, Shape::Laplace, Shape::Uniform}) {
            for (int k = 0; k < 8; ++k)
                for (const size_t n : {256u, 768u})
                    all.push_back(columns::random(shape, n, ++seed));
            all.push_back(columns::random(shape, 4096, ++seed));
        }
        ColumnScratch scratch;
        double sum = 0, most = 0;
        for (const std::vector<float>& w : all) {
            const double excess =
                fitError(w, PointKind::Table, bits, scratch) / optimalTable(w, 1 << bits).error - 1;
            QVERIFY(excess > -1e-9);
            sum += excess;
            most = std::max(most, excess);
        }
        const double average = sum / double(all.size());
        qInfo("excess over the optimum: mean %.4f %%, worst %.3f %%", 100 * average, 100 * most);
        QVERIFY2(average <= mean, qPrintable(QString::number(average)));
        QVERIFY2(most <= worst, qPrintable(QString::number(most)));
    }

    /// Few distinct values: everything is found, and a lattice is stored without loss.
    void exactWhereItCanBe() {
        ColumnScratch scratch;
        const float unit = 0.0123291015625f; // an fp16 number
        QCOMPARE(roundToHalf(unit), unit);
        for (int bits = 1; bits <= 5; ++bits) {
            for (int distinct = 1; distinct <= (1 << bits); ++distinct) {
                std::mt19937 random{unsigned(distinct)};
                std::vector<float> w(200);
                for (float& x : w)
                    x = (float(random() % unsigned(distinct)) - float(distinct / 2)) * unit;
                QCOMPARE(fitError(w, PointKind::Table, bits, scratch), 0.);
                if (bits >= 2) QCOMPARE(fitError(w, PointKind::Grid, bits, scratch), 0.);
            }
        }
    }

    void gridOptimality_data() {
        QTest::addColumn<int>("bits");
        QTest::addColumn<int>("length");
        QTest::addColumn<double>("mean");
        QTest::addColumn<double>("worst");
        for (const int bits : {2, 3, 4, 5, 6, 8}) {
            QTest::addRow("%d bits of 12", bits) << bits << 12 << 0.10 << 2.0;
            QTest::addRow("%d bits of 100", bits) << bits << 100 << 0.03 << 0.5;
            QTest::addRow("%d bits of 500", bits) << bits << 500 << 0.02 << 0.2;
        }
    }

    /// Against a dense search over both ends of the range.
    void gridOptimality() {
        QFETCH(int, bits);
        QFETCH(int, length);
        QFETCH(double, mean);
        QFETCH(double, worst);
        ColumnScratch scratch;
        double found = 0, possible = 0, most = 0;
        const unsigned count = length > 100 ? 6 : 12;
        for (unsigned seed = 1; seed <= count; ++seed) {
            const std::vector<float> w =
                columns::random(kShapes[seed % 3], size_t(length), seed + 1000);
            const double here = fitError(w, PointKind::Grid, bits, scratch);
            const double best = denseGridError(w, 1 << bits);
            const double power = energy(w);
            found += here / power;
            possible += best / power;
            if (best > 1e-7 * power) most = std::max(most, here / best - 1);
        }
        qInfo("excess over a dense search: mean %.2f %%, worst %.1f %%",
              100 * (found / possible - 1), 100 * most);
        QVERIFY2(found <= possible * (1 + mean) + 1e-7,
                 qPrintable(QString::number(found / possible)));
        QVERIFY2(most <= worst, qPrintable(QString::number(most)));
    }

    /// The classic figures of Gaussian sources: Lloyd-Max tables (Max 1960) and uniform quantizers.
    void gaussianFigures() {
        ColumnScratch scratch;
        const std::vector<float> w = columns::random(Shape::Gaussian, 200000, 9);
        const double power = energy(w);
        const double lloydMax[] = {0.3634, 0.1175, 0.03454, 0.009497, 0.002499};
        const double uniform[] = {0, 0.1188, 0.03744, 0.01154, 0.003495, 0.00104};
        for (int bits = 1; bits <= 5; ++bits) {
            const double got = fitError(w, PointKind::Table, bits, scratch) / power;
            QVERIFY2(std::fabs(got / lloydMax[bits - 1] - 1) < 0.03,
                     qPrintable(QString("%1 bits: %2").arg(bits).arg(got)));
        }
        for (int bits = 2; bits <= 6; ++bits) {
            const double got = fitError(w, PointKind::Grid, bits, scratch) / power;
            QVERIFY2(std::fabs(got / uniform[bits - 1] - 1) < 0.03,
                     qPrintable(QString("%1 bits: %2").arg(bits).arg(got)));
        }
    }

    void moreBitsAreNeverWorse() {
        ColumnScratch scratch;
        int index = 0;
        for (const std::vector<float>& w : manyColumns()) {
            ++index;
            double largest = 0;
            for (const float x : w)
                largest = std::max(largest, std::fabs(double(x)));
            // Where both are exact but for int8 and fp16, rounding decides: its size is forgiven.
            auto slack = [&](double unit) {
                return double(w.size()) * std::pow(std::max(unit, 0x1p-24), 2) / 12;
            };
            for (const PointKind kind : {PointKind::Table, PointKind::Grid}) {
                double previous = std::numeric_limits<double>::infinity();
                for (int bits = kind == PointKind::Table ? 1 : 2;
                     bits <= (kind == PointKind::Table ? 5 : 8); ++bits) {
                    const double error = fitError(w, kind, bits, scratch);
                    const double forgiven =
                        slack(kind == PointKind::Table ? largest / 127 : largest / 1024);
                    QVERIFY2(error <= 1.0001 * previous + forgiven,
                             qPrintable(QString("column %1 (N %2), kind %3, %4 bits: %5 after %6")
                                            .arg(index)
                                            .arg(w.size())
                                            .arg(int(kind))
                                            .arg(bits)
                                            .arg(error)
                                            .arg(previous)));
                    previous = error;
                }
            }
        }
    }

    /// A column far from zero: the grid's fractional zero reaches it, the table's int8 cannot.
    void commonOffset() {
        ColumnScratch scratch;
        for (const float offset : {1.f, -3.f, 40.f}) {
            std::vector<float> w = columns::random(Shape::Gaussian, 1000, 4);
            for (float& x : w)
                x = offset + x * 0.05f * std::fabs(offset);
            double spread = 0, mean = 0;
            for (const float x : w)
                mean += double(x) / 1000;
            for (const float x : w)
                spread += std::pow(double(x) - mean, 2);
            QVERIFY(fitError(w, PointKind::Grid, 4, scratch) < 0.02 * spread);
            QVERIFY(fitError(w, PointKind::Grid, 3, scratch) < 0.05 * spread);
            QVERIFY(fitError(w, PointKind::Grid, 4, scratch) <
                    fitError(w, PointKind::Table, 4, scratch));
        }
    }

    void startingFromACode() {
        ColumnScratch scratch;
        std::mt19937 random(3);
        std::normal_distribution<float> noise(0.f, 0.001f);
        for (const Point& point : allPoints()) {
            for (unsigned seed = 0; seed < 6; ++seed) {
                std::vector<float> w = columns::random(kShapes[seed % 3], 500, seed);
                const ColumnCode start = fitColumn(w, point.kind, point.bits, scratch);
                for (float& x : w)
                    x += noise(random);
                double warm, cold;
                const ColumnCode code =
                    fitColumn(w, point.kind, point.bits, scratch, &start, &warm);
                fitColumn(w, point.kind, point.bits, scratch, nullptr, &cold);
                QVERIFY(formatFault(code).isEmpty());
                QVERIFY2(warm < cold * 1.15,
                         qPrintable(QString("%1 %2 %3").arg(point.bits).arg(warm).arg(cold)));
                QVERIFY(std::fabs(warm - errorByHand(w, code)) <= 1e-6 * warm);
                QVERIFY(warm <= errorByHand(w, start) * (1 + 1e-6));
            }
        }
    }

    /// Refitting to any codes: what is stored is valid, never worse, and close to the means.
    void refit() {
        ColumnScratch scratch;
        std::mt19937 random(11);
        auto errorWith = [](const std::vector<float>& w, const std::vector<uint8_t>& codes,
                            const ColumnCode& code) {
            double sum = 0;
            for (size_t n = 0; n < w.size(); ++n)
                sum += std::pow(double(w[n]) - double(code.value(codes[n])), 2);
            return sum;
        };
        for (const std::vector<float>& w : manyColumns()) {
            for (const Point& point : allPoints()) {
                const ColumnCode code = fitColumn(w, point.kind, point.bits, scratch);
                std::vector<uint8_t> codes(w.size());
                assignColumn(w, code, codes);
                for (int kind = 0; kind < 3; ++kind) {
                    // Nearest codes; some moved by one; anything at all.
                    for (uint8_t& c : codes) {
                        if (kind == 1 && random() % 4 == 0)
                            c = uint8_t(std::min(int(c) + 1, code.entries() - 1));
                        if (kind == 2) c = uint8_t(random() % unsigned(code.entries()));
                    }
                    const ColumnCode better = refitColumn(w, codes, code);
                    QVERIFY2(formatFault(better).isEmpty(), formatFault(better).toUtf8());
                    QVERIFY(better.kind == code.kind && better.bits == code.bits);
                    const double before = errorWith(w, codes, code);
                    QVERIFY(errorWith(w, codes, better) <= before * (1 + 1e-6) + 1e-15 * energy(w));
                }
            }
        }
        // Monotone means are reached but for int8; empty clusters keep their value.
        std::vector<float> w;
        std::vector<uint8_t> codes;
        for (int i = 0; i < 300; ++i) {
            const int c = i % 3;
            codes.push_back(uint8_t(c == 2 ? 3 : c));
            w.push_back(float(c) * 0.1f - 0.1f + (i % 7) * 1e-4f);
        }
        ColumnCode code;
        code.bits = 2;
        const int8_t table[] = {-60, -10, 10, 60};
        std::copy(std::begin(table), std::end(table), code.table);
        code.scale = floatToHalf(0.002f);
        const ColumnCode better = refitColumn(w, codes, code);
        QVERIFY(std::fabs(double(better.value(0)) + 0.0997) < 0.001);
        QVERIFY(std::fabs(double(better.value(1)) - 0.0003) < 0.001);
        QVERIFY(std::fabs(double(better.value(2)) - 0.02) < 0.001);
        QVERIFY(std::fabs(double(better.value(3)) - 0.1003) < 0.001);
    }

    void refitOfGridIsLeastSquares() {
        // Weights that are a grid plus noise, codes given: scale and zero come back.
        std::mt19937 random(2);
        std::normal_distribution<double> noise(0, 0.0005);
        std::vector<float> w;
        std::vector<uint8_t> codes;
        for (int i = 0; i < 5000; ++i) {
            const int c = int(random() % 16);
            codes.push_back(uint8_t(c));
            w.push_back(float(0.01 * (c - 6.25) + noise(random)));
        }
        ColumnCode start;
        start.kind = PointKind::Grid;
        start.bits = 4;
        start.scale = floatToHalf(0.02f);
        start.zero = floatToHalf(8.f);
        const ColumnCode fitted = refitColumn(w, codes, start);
        QVERIFY(std::fabs(double(halfToFloat(fitted.scale)) - 0.01) < 2e-5);
        QVERIFY(std::fabs(double(halfToFloat(fitted.zero)) - 6.25) < 0.02);
    }

    void roundedTables() {
        std::mt19937 random(8);
        std::normal_distribution<float> normal;
        for (int round = 0; round < 3000; ++round) {
            const int bits = 1 + round % 5, count = 1 << bits;
            const float factor = std::pow(10.f, float(int(random() % 14)) - 8);
            const float offset = round % 3 ? 0.f : normal(random) * 3;
            std::vector<float> values(static_cast<size_t>(count));
            for (float& v : values)
                v = factor * (normal(random) + offset);
            if (round % 7 == 0) values[0] = values[size_t(count) - 1];
            std::vector<uint8_t> place(static_cast<size_t>(count), 0xEE);
            const ColumnCode code = roundTable(values, bits, place);
            QVERIFY2(formatFault(code).isEmpty(), formatFault(code).toUtf8());
            std::vector<uint8_t> sortedPlace = place;
            std::sort(sortedPlace.begin(), sortedPlace.end());
            float largest = 0, low = values[0], high = values[0];
            for (const float v : values) {
                largest = std::max(largest, std::fabs(v));
                low = std::min(low, v);
                high = std::max(high, v);
            }
            for (int j = 0; j < count; ++j) {
                QCOMPARE(int(sortedPlace[size_t(j)]), j);
                // Half a unit of a scale that holds the range in 7 bits.
                const double unit =
                    std::max(std::max(double(high) - double(low), double(largest)) / 63, 0x1p-23);
                QVERIFY(std::fabs(double(code.value(place[size_t(j)])) -
                                  double(values[size_t(j)])) <= unit);
            }
        }
    }

    void outlierChoice() {
        ColumnScratch scratch;
        std::mt19937 random(4);
        for (int round = 0; round < 300; ++round) {
            const size_t n = 1 + random() % 60;
            std::vector<float> w(n);
            for (float& x : w)
                x = float(int(random() % 21)) - 10; // many ties
            const int count = int(random() % (n + 1));
            std::vector<uint32_t> rows(static_cast<size_t>(count));
            chooseOutliers(w, count, scratch, rows);
            QVERIFY(std::is_sorted(rows.begin(), rows.end()));
            std::vector<float> sorted = w;
            std::sort(sorted.begin(), sorted.end());
            const float median = sorted[(n - 1) / 2];
            std::vector<uint32_t> all(n);
            for (size_t i = 0; i < n; ++i)
                all[i] = uint32_t(i);
            std::stable_sort(all.begin(), all.end(), [&](uint32_t a, uint32_t b) {
                const float da = std::fabs(w[a] - median), db = std::fabs(w[b] - median);
                return da != db ? da > db : w[a] > w[b];
            });
            all.resize(size_t(count));
            std::sort(all.begin(), all.end());
            QCOMPARE(rows, all);
        }
    }

    /// The curve equals choosing outliers, fitting the rest, assigning and correcting.
    void curveTheLongWay() {
        ColumnScratch curveScratch, scratch;
        std::vector<std::vector<float>> all = columns::adversarial();
        for (std::vector<float>& w : columns::real())
            all.push_back(std::move(w));
        for (unsigned seed = 0; seed < 12; ++seed)
            all.push_back(columns::random(kShapes[seed % 6], seed % 4 ? 333 : 2222, seed));
        for (const std::vector<float>& w : all) {
            const int n = int(w.size());
            std::vector<CurvePoint> points;
            for (const int outliers : {n / 100, 0, 3, n / 4, n, n + 5}) {
                for (const Point& point : allPoints())
                    points.push_back({point.kind, point.bits, outliers});
                points.push_back({PointKind::Raw, 16, outliers});
            }
            std::vector<float> curve(points.size(), -1.f);
            columnErrorCurve(w, points, false, curveScratch, curve);
            for (size_t i = 0; i < points.size(); ++i) {
                const CurvePoint& p = points[i];
                double expected = 0;
                if (p.kind == PointKind::Raw) {
                    for (const float x : w)
                        expected +=
                            std::pow(double(x) - double(halfToFloat(floatToFiniteHalf(x))), 2);
                } else {
                    std::vector<uint32_t> rows(size_t(std::min(p.outliers, n)));
                    chooseOutliers(w, int(rows.size()), scratch, rows);
                    std::vector<float> rest;
                    for (size_t r = 0, next = 0; r < w.size(); ++r) {
                        if (next < rows.size() && rows[next] == r)
                            ++next;
                        else
                            rest.push_back(w[r]);
                    }
                    ColumnCode code;
                    code.kind = p.kind;
                    code.bits = p.bits;
                    if (!rest.empty()) code = fitColumn(rest, p.kind, p.bits, scratch);
                    std::vector<uint8_t> codes(w.size());
                    std::vector<float> back(w.size());
                    assignColumn(w, code, codes);
                    dequantizeColumn(code, codes, back);
                    for (const uint32_t r : rows)
                        QVERIFY(std::isfinite(halfToFloat(outlierCorrection(w[r], back[r]))));
                    std::vector<double> values(back.begin(), back.end());
                    for (const uint32_t r : rows)
                        values[r] += double(halfToFloat(outlierCorrection(w[r], back[r])));
                    for (size_t r = 0; r < w.size(); ++r)
                        expected += std::pow(double(w[r]) - values[r], 2);
                }
                QVERIFY2(double(curve[i]) == double(float(expected)) ||
                             std::fabs(double(curve[i]) - expected) <=
                                 2e-6 * expected + 1e-14 * energy(w),
                         qPrintable(QString("N %1, kind %2, %3 bits, %4 outliers: %5, not %6")
                                        .arg(n)
                                        .arg(int(p.kind))
                                        .arg(p.bits)
                                        .arg(p.outliers)
                                        .arg(double(curve[i]))
                                        .arg(expected)));
            }
            std::vector<float> exact(points.size());
            columnErrorCurve(w, points, true, curveScratch, exact);
            for (size_t i = 0; i < points.size(); ++i)
                QCOMPARE(exact[i], points[i].kind == PointKind::Raw ? 0.f : curve[i]);
        }
    }

    void outliersHelpHeavyTails() {
        ColumnScratch scratch;
        const std::vector<float> w = columns::random(Shape::Student, 4096, 1);
        const CurvePoint points[] = {{PointKind::Grid, 3, 0},
                                     {PointKind::Grid, 3, 10},
                                     {PointKind::Grid, 3, 41},
                                     {PointKind::Table, 3, 0},
                                     {PointKind::Table, 3, 41}};
        float sse[5];
        columnErrorCurve(w, points, true, scratch, sse);
        QVERIFY(sse[1] < 0.9f * sse[0] && sse[2] < 0.9f * sse[1] && sse[4] < 0.9f * sse[3]);
    }
};

QTEST_APPLESS_MAIN(TestColumnQuantizer)
#include "tst_column_quantizer.moc"
