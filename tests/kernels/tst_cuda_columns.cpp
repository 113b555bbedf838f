// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <cstring>
#include <numeric>
#include <random>

#include "kernels/column_quantizer.h"
#include "kernels/cuda/team_loops.h"
#include "tests/kernels/test_columns.h"

using namespace bitloom::kernels;

namespace {

/// Calls in an order that has nothing to do with the indices: work that leans on an order shows.
class ShuffledTeam {
public:
    template<class F>
    void each(size_t count, const F& f) const {
        if (count == 0) return;
        size_t step = size_t(m_random() % count) | 1;
        while (std::gcd(step, count) != 1)
            step += 2;
        size_t i = size_t(m_random() % count);
        for (size_t done = 0; done < count; ++done, i = (i + step) % count)
            f(i);
    }

private:
    mutable std::mt19937_64 m_random{7};
};

struct Curve {
    std::vector<float> sse;
    float rms = 0;
};

/// As a warp of the GPU computes it; what memory holds before is never a number.
Curve byTeam(const std::vector<float>& weights, const std::vector<CurvePoint>& points,
             bool rawIsExact) {
    std::vector<double> memory(TeamScratch::bytes(weights.size()) / 8, std::nan(""));
    TeamMemory shared;
    std::memset(&shared, 0xFF, sizeof shared);
    Curve out{std::vector<float>(points.size(), -1.f), -1.f};
    teamErrorCurve(ShuffledTeam(), shared, TeamScratch::at(memory.data(), weights.size()),
                   weights.data(), weights.size(), points.data(), points.size(), rawIsExact,
                   out.sse.data(), &out.rms);
    return out;
}

std::vector<CurvePoint> everyPoint(size_t rows) {
    std::vector<CurvePoint> points;
    for (const int outliers : {0, int(rows / 400), int(rows / 100), int(rows)}) {
        for (const int bits : {2, 3, 4, 5, 1})
            points.push_back({PointKind::Table, bits, outliers});
        for (const int bits : {4, 2, 3, 5, 6, 8})
            points.push_back({PointKind::Grid, bits, outliers});
    }
    points.push_back({PointKind::Raw, 16, 0});
    return points;
}

} // namespace

/// The fits that a GPU runs, on a team of this processor, against kernels::columnErrorCurve: the
/// same bits.
class TestCudaColumns : public QObject {
    Q_OBJECT

    static void compare(const std::vector<float>& weights, const char* what) {
        const std::vector<CurvePoint> points = everyPoint(weights.size());
        ColumnScratch scratch;
        for (const bool exact : {false, true}) {
            std::vector<float> expected(points.size());
            columnErrorCurve(weights, points, exact, scratch, expected);
            const Curve found = byTeam(weights, points, exact);
            for (size_t i = 0; i < points.size(); ++i)
                QVERIFY2(std::memcmp(&found.sse[i], &expected[i], sizeof(float)) == 0,
                         qPrintable(QStringLiteral("%1, %2 weights, point %3: %4 and not %5")
                                        .arg(QLatin1String(what))
                                        .arg(weights.size())
                                        .arg(i)
                                        .arg(double(found.sse[i]))
                                        .arg(double(expected[i]))));
            double squares = 0;
            for (const float w : weights)
                squares += double(w) * double(w);
            QCOMPARE(found.rms, float(std::sqrt(squares / double(weights.size()))));
        }
    }

private slots:
    void sorted_data() {
        QTest::addColumn<int>("rows");
        for (const int rows : {1, 2, 3, 47, 48, 49, 64, 1000, 1024, 1025})
            QTest::addRow("%d", rows) << rows;
    }
    /// Ascending, the same weights, and sums as added one after the other.
    void sorted() {
        QFETCH(int, rows);
        std::vector<float> weights = columns::random(columns::Shape::Laplace, size_t(rows), 3);
        weights.back() = -0.f;
        std::vector<double> memory(TeamScratch::bytes(weights.size()) / 8);
        const Column column = prepareColumn(ShuffledTeam(), weights.data(), weights.size(),
                                            TeamScratch::at(memory.data(), weights.size()));
        std::vector<float> wanted = weights;
        std::sort(wanted.begin(), wanted.end());
        double sum = 0;
        for (size_t i = 0; i < wanted.size(); ++i) {
            QCOMPARE(column.w[i], wanted[i]);
            QVERIFY(!std::signbit(column.w[i]) || column.w[i] != 0);
            QCOMPARE(column.sum[i], sum);
            sum += double(wanted[i]) - double(wanted[(wanted.size() - 1) / 2]);
        }
        QCOMPARE(column.size(), wanted.size());
    }

    void random_data() {
        QTest::addColumn<int>("rows");
        for (const int rows : {1, 2, 5, 16, 48, 63, 64, 65, 200, 513, 1024, 4096, 5000})
            QTest::addRow("%d", rows) << rows;
    }
    void random() {
        QFETCH(int, rows);
        for (int shape = 0; shape < 6; ++shape)
            compare(columns::random(columns::Shape(shape), size_t(rows), unsigned(shape + rows)),
                    "random");
    }

    void real() {
        for (const std::vector<float>& weights : columns::real())
            compare(weights, "of a model");
    }

    void adversarial() {
        for (const std::vector<float>& weights : columns::adversarial())
            compare(weights, "adversarial");
    }
};

QTEST_APPLESS_MAIN(TestCudaColumns)
#include "tst_cuda_columns.moc"
