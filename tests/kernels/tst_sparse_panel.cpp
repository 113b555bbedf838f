// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sparse_panel.h"

#include "kernels/dense_rows.h"
#include "kernels/half.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <new>
#include <random>
#include <vector>

using namespace bitloom::kernels;

namespace {

/// Rows with up to `most` entries each, one row with none, packed.
struct Example {
    std::vector<uint32_t> begin{1000}; // any start: a part of a larger list
    std::vector<uint32_t> column;
    std::vector<uint16_t> value;
    std::vector<uint8_t> room;
    SparsePanel panel;
    int64_t columns;

    Example(unsigned seed, int64_t rows, int64_t cols, unsigned most, bool wide) : columns(cols) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        for (int64_t r = 0; r < rows; ++r) {
            for (uint32_t i = 0; i < (r == 3 ? 0 : random() % (most + 1)); ++i) {
                column.push_back(uint32_t(int64_t(random()) % cols));
                value.push_back(floatToHalf(normal(random)));
            }
            begin.push_back(1000 + uint32_t(column.size()));
        }
        const auto bytes = size_t(sparsePanelBytes(begin, wide));
        room.resize(bytes + 64);
        void* at = room.data();
        size_t space = room.size();
        auto* data = static_cast<uint8_t*>(std::align(64, bytes, at, space));
        packSparsePanel({begin, column.data(), value.data()}, wide, {data, bytes});
        panel = {data, rows, wide};
    }
    /// In double, row after row of the lists.
    double sum(size_t row, const std::vector<float>& x, double start) const {
        for (uint32_t i = begin[row] - 1000; i < begin[row + 1] - 1000; ++i)
            start += double(halfToFloat(value[i])) * double(x[column[i]]);
        return start;
    }
};

} // namespace

class TestSparsePanel : public QObject {
    Q_OBJECT
private slots:
    void oneVector_data() {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("most");
        QTest::addColumn<bool>("wide");
        for (const int rows : {1, 15, 16, 37, 255, 256})
            for (const bool wide : {false, true})
                QTest::addRow("%d%s", rows, wide ? ", wide" : "") << rows << 30 << wide;
        QTest::addRow("all entries in one row") << 4 << 3000 << false;
        QTest::addRow("no entries") << 40 << 0 << false;
    }
    /// Every version: close to the sum in double, and the same bits. Columns beyond 16 bits are
    /// found; rows that the panel has not stay as they are.
    void oneVector() {
        QFETCH(int, rows);
        QFETCH(int, most);
        QFETCH(bool, wide);
        const Example e(unsigned(rows), rows, wide ? 100'000 : 65'536, unsigned(most), wide);
        std::mt19937 random(10);
        std::normal_distribution<float> normal;
        std::vector<float> x(static_cast<size_t>(e.columns)), first;
        for (float& v : x)
            v = normal(random);
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<float> y(256, 0.5f);
            kernels.addSparse(e.panel, x.data(), y.data());
            for (size_t r = 0; r < y.size(); ++r) {
                const double sum = r < size_t(rows) ? e.sum(r, x, 0.5) : 0.5;
                const double slack = 1e-7 * std::max(1, most) * (1 + std::abs(sum)) + 2e-5;
                QVERIFY2(std::abs(double(y[r]) - sum) <= slack, kernels.name);
            }
            if (first.empty()) first = y;
            QVERIFY2(y == first, kernels.name);
        }
    }

    void severalVectors_data() {
        QTest::addColumn<int>("vectors");
        for (const int vectors : {1, 2, 15, 16, 17, 40, 64})
            QTest::addRow("%d", vectors) << vectors;
    }
    /// The same bits as one after another.
    void severalVectors() {
        QFETCH(int, vectors);
        for (const bool wide : {false, true}) {
            const int64_t rows = 37, width = sparseWidth(vectors), stride = 40;
            const Example e(unsigned(vectors), rows, wide ? 70'000 : 300, 9, wide);
            QVERIFY(width >= vectors && width % 16 == 0 && width <= sparseTile);
            std::mt19937 random(static_cast<unsigned>(vectors));
            std::normal_distribution<float> normal;
            // Behind the vectors, what must not be seen.
            std::vector<float> x(size_t(e.columns * width),
                                 std::numeric_limits<float>::quiet_NaN());
            for (int64_t c = 0; c < e.columns; ++c)
                for (int64_t v = 0; v < vectors; ++v)
                    x[size_t(c * width + v)] = normal(random);
            std::vector<float> y(size_t(vectors * stride));
            for (float& f : y)
                f = normal(random);
            std::vector<float> wanted = y, single(static_cast<size_t>(e.columns));
            for (int64_t v = 0; v < vectors; ++v) {
                for (int64_t c = 0; c < e.columns; ++c)
                    single[size_t(c)] = x[size_t(c * width + v)];
                allDenseRowKernels()[0].addSparse(e.panel, single.data(),
                                                  wanted.data() + v * stride);
            }
            addSparseRows(e.panel, x.data(), vectors, y.data(), stride);
            QVERIFY(y == wanted);
        }
    }
};

QTEST_APPLESS_MAIN(TestSparsePanel)
#include "tst_sparse_panel.moc"
