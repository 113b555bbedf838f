// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <cstring>

#include "kernels/column_loops.h"
#include "tests/kernels/test_columns.h"

using namespace bitloom::kernels;

/// Every version of the inner loops that this processor runs gives the same bits as the plain one,
/// and the plain one gives what its definition says.
class TestColumnLoops : public QObject {
    Q_OBJECT

    static std::vector<std::vector<float>> weights() {
        std::vector<std::vector<float>> all;
        for (const size_t n :
             {1u, 7u, 8u, 15u, 16u, 17u, 31u, 100u, 256u, 777u, 4096u, 4113u, 9001u})
            all.push_back(columns::random(columns::Shape(n % 6), n, unsigned(n)));
        return all;
    }

    template<typename T>
    static bool sameBits(const T& a, const T& b) {
        return std::memcmp(&a, &b, sizeof a) == 0;
    }

private slots:
    void versions() {
        QVERIFY(!allColumnLoops().empty());
        QCOMPARE(columnLoops().name, allColumnLoops().back().name);
        for (const ColumnLoops& loops : allColumnLoops())
            qInfo("%s", loops.name);
    }

    void grids() {
        const ColumnLoops& plain = allColumnLoops().front();
        for (const std::vector<float>& w : weights()) {
            for (const int bits : {2, 4, 5, 8}) {
                const float maxCode = float((1 << bits) - 1), step = 0.12f / maxCode;
                const float scale = halfToFloat(floatToHalf(step)), zero = 0.375f + maxCode / 2;
                GridSums expected;
                plain.gridPass(w.data(), w.size(), -0.06f, 1 / step, maxCode, float(1 << bits) / 2,
                               &expected);
                const double error = plain.gridError(w.data(), w.size(), scale, zero, maxCode);
                const double squares =
                    plain.gridSquares(w.data(), w.size(), -0.06f, 1 / step, maxCode);
                QVERIFY(sameBits(squares, expected.e2));
                std::vector<uint8_t> codes(w.size());
                plain.assignGrid(w.data(), w.size(), scale, zero, maxCode, codes.data());

                GridSums sums;
                double byHand = 0;
                for (size_t i = 0; i < w.size(); ++i) {
                    const double t = (double(w[i]) + double(0.06f)) / double(step);
                    const double c = std::clamp(std::nearbyint(t), 0., double(maxCode));
                    const double m = c - (1 << bits) / 2;
                    sums.e2 += (t - c) * (t - c);
                    sums.e1 += t - c;
                    sums.em += (t - c) * m;
                    sums.m1 += m;
                    sums.m2 += m * m;
                    int best = 0;
                    for (int k = 1; k <= int(maxCode); ++k) {
                        const double here =
                            std::fabs(double(w[i]) - double(scale * (float(k) - zero)));
                        if (here < std::fabs(double(w[i]) - double(scale * (float(best) - zero))))
                            best = k;
                    }
                    QCOMPARE(int(codes[i]), best);
                    byHand += std::pow(double(w[i]) - double(scale * (float(best) - zero)), 2);
                }
                const double n = double(w.size());
                QVERIFY(std::fabs(sums.e2 - expected.e2) <= 1e-4 * sums.e2);
                QVERIFY(std::fabs(sums.e1 - expected.e1) <= 1e-3 * n);
                QVERIFY(std::fabs(sums.em - expected.em) <= 1e-3 * n * double(maxCode));
                QVERIFY(std::fabs(sums.m1 - expected.m1) <= 1e-2 * n);
                QVERIFY(std::fabs(sums.m2 - expected.m2) <= 1e-2 * n * double(maxCode));
                QVERIFY(std::fabs(byHand - error) <= 1e-6 * byHand);

                for (const ColumnLoops& loops : allColumnLoops()) {
                    GridSums got;
                    loops.gridPass(w.data(), w.size(), -0.06f, 1 / step, maxCode,
                                   float(1 << bits) / 2, &got);
                    QVERIFY2(sameBits(got, expected), loops.name);
                    QVERIFY2(
                        sameBits(loops.gridSquares(w.data(), w.size(), -0.06f, 1 / step, maxCode),
                                 squares),
                        loops.name);
                    QVERIFY2(
                        sameBits(loops.gridError(w.data(), w.size(), scale, zero, maxCode), error),
                        loops.name);
                    std::vector<uint8_t> other(w.size(), 0xEE);
                    loops.assignGrid(w.data(), w.size(), scale, zero, maxCode, other.data());
                    QVERIFY2(other == codes, loops.name);
                }
            }
        }
    }

    void bounds() {
        for (const std::vector<float>& w : weights()) {
            for (const int count : {0, 1, 3, 7, 15, 31}) {
                std::vector<float> bounds;
                for (int j = 0; j < count; ++j)
                    bounds.push_back(j == count / 2 ? w[0]
                                                    : 0.08f * float(j - count / 2) / float(count));
                std::sort(bounds.begin(), bounds.end());
                for (const ColumnLoops& loops : allColumnLoops()) {
                    std::vector<uint8_t> codes(w.size(), 0xEE);
                    loops.assignByBounds(w.data(), w.size(), bounds.data(), count, codes.data());
                    for (size_t i = 0; i < w.size(); ++i)
                        QCOMPARE(int(codes[i]),
                                 int(std::lower_bound(bounds.begin(), bounds.end(), w[i]) -
                                     bounds.begin()));
                }
            }
        }
    }

    void gaps() {
        const ColumnLoops& plain = allColumnLoops().front();
        for (std::vector<float> w : weights()) {
            std::sort(w.begin(), w.end());
            std::vector<float> roots(w.size());
            const double sum = plain.gapRoots(w.data(), w.size() - 1, roots.data());
            const double capped = plain.cappedSum(roots.data(), w.size() - 1, 0.01f);
            double byHand = 0, cappedByHand = 0;
            for (size_t i = 0; i + 1 < w.size(); ++i) {
                const double root = std::sqrt((double(w[i + 1]) - double(w[i])) / 2);
                QVERIFY(std::fabs(root - double(roots[i])) <= 1e-3 * root);
                byHand += double(roots[i]);
                cappedByHand += std::min(double(roots[i]), double(0.01f));
            }
            QVERIFY(std::fabs(byHand - sum) <= 1e-12 * sum);
            QVERIFY(std::fabs(cappedByHand - capped) <= 1e-12 * capped);
            for (const ColumnLoops& loops : allColumnLoops()) {
                std::vector<float> other(w.size());
                QVERIFY(sameBits(loops.gapRoots(w.data(), w.size() - 1, other.data()), sum));
                QVERIFY(other == roots);
                QVERIFY(sameBits(loops.cappedSum(roots.data(), w.size() - 1, 0.01f), capped));
            }
        }
    }

    /// Partition costs equal those of trying every partition, and all versions agree.
    void partitions() {
        std::mt19937 random(3);
        for (const int bins : {1, 2, 5, 9, 16, 17, 33, 128}) {
            const int stride = (bins + 15) / 16 * 16, layers = std::min(bins, 16);
            std::vector<double> counts(size_t(stride) + 1), sums(counts), squares(counts);
            for (int i = 0; i < stride; ++i) {
                const size_t a = size_t(i), b = a + 1;
                if (i < bins) {
                    const double n = 1 + random() % 5, x = i + random() % 100 / 200.;
                    counts[b] = counts[a] + n;
                    sums[b] = sums[a] + n * x;
                    squares[b] = squares[a] + n * x * x + 0.01 * n;
                } else {
                    counts[b] = counts[a] + 1;
                    sums[b] = sums[a];
                    squares[b] = squares[a];
                }
            }
            const size_t area = size_t(stride) * size_t(stride);
            std::vector<float> costs(area, -1), best(size_t(stride), -1), next(best);
            std::vector<int32_t> splits(size_t(stride) * 16, -1);
            const ColumnLoops& plain = allColumnLoops().front();
            auto run = [&](const ColumnLoops& loops) {
                loops.segmentCosts(counts.data(), sums.data(), squares.data(), bins, stride, 1.,
                                   costs.data());
                loops.partition(costs.data(), bins, stride, layers, best.data(), next.data(),
                                splits.data());
            };
            run(plain);
            const std::vector<float> plainCosts = costs;
            const std::vector<int32_t> plainSplits = splits;
            for (int a = 0; a < bins; ++a) {
                for (int i = a; i < bins; ++i) {
                    const size_t from = size_t(a), to = size_t(i) + 1;
                    const double n = counts[to] - counts[from], s = sums[to] - sums[from];
                    const double cost = squares[to] - squares[from] - s * s / n;
                    QVERIFY(std::fabs(double(costs[from * size_t(stride) + size_t(i)]) - cost) <=
                            1e-5 * cost + 1e-9);
                }
            }
            // Plain dynamic programming in double over the same costs.
            auto cost = [&](int a, int i) {
                return double(plainCosts[size_t(a) * size_t(stride) + size_t(i)]);
            };
            std::vector<double> row(static_cast<size_t>(bins)), after(row);
            for (int i = 0; i < bins; ++i)
                row[size_t(i)] = cost(0, i);
            for (int layer = 2; layer <= layers; ++layer) {
                for (int i = 0; i < bins; ++i) {
                    after[size_t(i)] = std::numeric_limits<double>::infinity();
                    for (int a = layer - 1; a <= i; ++a)
                        after[size_t(i)] =
                            std::min(after[size_t(i)], row[size_t(a) - 1] + cost(a, i));
                }
                std::swap(row, after);
                double found = 0;
                for (int k = layer, end = bins; k >= 1; --k) {
                    const int begin =
                        k > 1 ? plainSplits[size_t(k - 2) * size_t(stride) + size_t(end - 1)] : 0;
                    QVERIFY(begin >= k - 1 && begin < end);
                    found += cost(begin, end - 1);
                    end = begin;
                }
                QVERIFY2(found <= row[size_t(bins) - 1] * (1 + 1e-5) + 1e-9,
                         qPrintable(QString("%1 bins, %2 runs: %3 instead of %4")
                                        .arg(bins)
                                        .arg(layer)
                                        .arg(found)
                                        .arg(row[size_t(bins) - 1])));
            }
            for (const ColumnLoops& loops : allColumnLoops()) {
                std::fill(costs.begin(), costs.end(), -1.f);
                std::fill(splits.begin(), splits.end(), -1);
                run(loops);
                QVERIFY2(costs == plainCosts, loops.name);
                QVERIFY2(splits == plainSplits, loops.name);
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestColumnLoops)
#include "tst_column_loops.moc"
