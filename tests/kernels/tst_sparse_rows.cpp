// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sparse_rows.h"

#include "kernels/dense_rows.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace bitloom::kernels;

class TestSparseRows : public QObject {
    Q_OBJECT
private slots:
    void sameAsOneByOne_data() {
        QTest::addColumn<int>("vectors");
        for (const int vectors : {1, 2, 15, 16, 17, 40, 64})
            QTest::addRow("%d", vectors) << vectors;
    }
    void sameAsOneByOne() {
        QFETCH(int, vectors);
        std::mt19937 random(static_cast<unsigned>(vectors));
        std::normal_distribution<float> normal;
        const int64_t rows = 20, columns = 300, width = sparseWidth(vectors), stride = 33;
        QVERIFY(width >= vectors && width % 16 == 0 && width <= sparseTile);
        std::vector<uint32_t> begin{1000}; // any start: a part of a larger list
        std::vector<uint16_t> column;
        std::vector<float> value;
        for (int64_t r = 0; r < rows; ++r) {
            for (uint32_t i = 0; i < (r == 3 ? 0 : random() % 9); ++i) {
                column.push_back(uint16_t(random() % columns));
                value.push_back(normal(random));
            }
            begin.push_back(1000 + uint32_t(column.size()));
        }
        // Behind the vectors, what must not be seen.
        std::vector<float> x(size_t(columns * width), std::numeric_limits<float>::quiet_NaN());
        for (int64_t c = 0; c < columns; ++c)
            for (int64_t v = 0; v < vectors; ++v)
                x[size_t(c * width + v)] = normal(random);
        std::vector<float> y(size_t(vectors * stride));
        for (float& f : y)
            f = normal(random);
        std::vector<float> wanted = y, single(static_cast<size_t>(columns));
        for (int64_t v = 0; v < vectors; ++v) {
            for (int64_t c = 0; c < columns; ++c)
                single[size_t(c)] = x[size_t(c * width + v)];
            allDenseRowKernels()[0].addSparse(begin.data(), rows, column.data(), value.data(),
                                              single.data(), wanted.data() + v * stride);
        }
        addSparseRows(begin.data(), rows, column.data(), value.data(), x.data(), vectors, y.data(),
                      stride);
        QVERIFY(y == wanted);
    }
};

QTEST_APPLESS_MAIN(TestSparseRows)
#include "tst_sparse_rows.moc"
