// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Against sums in double; the scalar version is one of those that are tested.
#include "kernels/dense_rows.h"
#include "kernels/half.h"

#include <QTest>

#include <cmath>
#include <cstring>
#include <random>
#include <tuple>
#include <vector>

using namespace bitloom::kernels;

namespace {

struct Sample {
    RowType type = RowType::F32;
    int64_t rows = 0, cols = 0, stride = 0;
    std::vector<char> bytes;
    std::vector<double> values; ///< [rows, cols]

    RowMatrix matrix() const { return {bytes.data() + 1, type, rows, cols, stride}; }
};

/// One byte off any alignment, with room between rows.
Sample sampleOf(RowType type, int64_t rows, int64_t cols, std::mt19937& random) {
    Sample s{type, rows, cols, cols + 3, {}, {}};
    s.bytes.resize(size_t(rows * s.stride * rowTypeBytes(type) + 1));
    std::normal_distribution<float> normal;
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c) {
            char* at = s.bytes.data() + 1 + (r * s.stride + c) * rowTypeBytes(type);
            const float value = normal(random);
            uint16_t bits = 0;
            int8_t small = 0;
            switch (type) {
            case RowType::F32:
                std::memcpy(at, &value, 4);
                s.values.push_back(double(value));
                break;
            case RowType::F16:
                bits = floatToHalf(value);
                std::memcpy(at, &bits, 2);
                s.values.push_back(double(halfToFloat(bits)));
                break;
            case RowType::BF16:
                bits = floatToBfloat16(value);
                std::memcpy(at, &bits, 2);
                s.values.push_back(double(bfloat16ToFloat(bits)));
                break;
            case RowType::I8:
                small = int8_t(int(random() % 256) - 128);
                std::memcpy(at, &small, 1);
                s.values.push_back(double(small));
                break;
            }
        }
    return s;
}

void addCases() {
    QTest::addColumn<int>("kernel");
    QTest::addColumn<int>("type");
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("cols");
    QTest::addColumn<int>("vectors");
    const std::pair<int, int> shapes[] = {{1, 1}, {3, 15}, {5, 16}, {4, 64}, {7, 131}, {2, 515}};
    for (size_t k = 0; k < allDenseRowKernels().size(); ++k)
        for (int type = 0; type < 4; ++type)
            for (const auto& [rows, cols] : shapes)
                for (const int vectors : {1, 2, 3, 7})
                    QTest::addRow("%s type %d [%d, %d] x %d", allDenseRowKernels()[k].name, type,
                                  rows, cols, vectors)
                        << int(k) << type << rows << cols << vectors;
}

} // namespace

class TestDenseRows : public QObject {
    Q_OBJECT
private slots:
    void multiply_data() { addCases(); }
    void multiply() {
        QFETCH(int, kernel);
        QFETCH(int, type);
        QFETCH(int, rows);
        QFETCH(int, cols);
        QFETCH(int, vectors);
        std::mt19937 random(7);
        const Sample s = sampleOf(RowType(type), rows, cols, random);
        const int64_t stride = cols + 5, out = rows + 2;
        std::vector<float> x(size_t(vectors * stride)), y(size_t(vectors * out), 99.f);
        std::normal_distribution<float> normal;
        for (float& v : x)
            v = normal(random);
        allDenseRowKernels()[size_t(kernel)].multiply(s.matrix(), {x.data(), vectors, stride},
                                                      y.data(), out);
        for (int v = 0; v < vectors; ++v) {
            for (int r = 0; r < rows; ++r) {
                double sum = 0, size = 0;
                for (int c = 0; c < cols; ++c) {
                    const double product =
                        s.values[size_t(r * cols + c)] * double(x[size_t(v * stride + c)]);
                    sum += product;
                    size += std::abs(product);
                }
                const double got = double(y[size_t(v * out + r)]);
                QVERIFY2(std::abs(got - sum) <= 1e-6 * size,
                         qPrintable(QStringLiteral("%1, not %2").arg(got).arg(sum)));
            }
            QCOMPARE(y[size_t(v * out + rows)], 99.f); // nothing beyond
        }
    }

    void multiplyMany_data() {
        QTest::addColumn<int>("type");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("cols");
        QTest::addColumn<int>("vectors");
        const std::tuple<int, int, int> shapes[] = {{1, 1, 9},     {3, 15, 13},    {33, 64, 12},
                                                    {40, 300, 24}, {131, 517, 25}, {5, 0, 10}};
        for (int type = 0; type < 4; ++type)
            for (const auto& [rows, cols, vectors] : shapes)
                QTest::addRow("type %d [%d, %d] x %d", type, rows, cols, vectors)
                    << type << rows << cols << vectors;
    }
    /// Close to the sums in double, and the same bits in every version.
    void multiplyMany() {
        QFETCH(int, type);
        QFETCH(int, rows);
        QFETCH(int, cols);
        QFETCH(int, vectors);
        std::mt19937 random(17);
        const Sample s = sampleOf(RowType(type), rows, cols, random);
        const int64_t stride = cols + 5, out = rows + 2;
        std::vector<float> x(size_t(vectors * stride)), first;
        std::normal_distribution<float> normal;
        for (float& v : x)
            v = normal(random);
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<float> y(size_t(vectors * out), 99.f);
            kernels.multiplyMany(s.matrix(), {x.data(), vectors, stride}, y.data(), out);
            for (int v = 0; v < vectors; ++v) {
                for (int r = 0; r < rows; ++r) {
                    double sum = 0, size = 0;
                    for (int c = 0; c < cols; ++c) {
                        const double product =
                            s.values[size_t(r * cols + c)] * double(x[size_t(v * stride + c)]);
                        sum += product;
                        size += std::abs(product);
                    }
                    const double got = double(y[size_t(v * out + r)]);
                    QVERIFY2(std::abs(got - sum) <= 2e-6 * size,
                             qPrintable(QStringLiteral("%1, not %2").arg(got).arg(sum)));
                }
                QCOMPARE(y[size_t(v * out + rows)], 99.f); // nothing beyond
            }
            if (first.empty()) first = y;
            QVERIFY2(y == first, kernels.name);
        }
    }

    void combine_data() { addCases(); }
    void combine() {
        QFETCH(int, kernel);
        QFETCH(int, type);
        QFETCH(int, rows);
        QFETCH(int, cols);
        QFETCH(int, vectors);
        std::mt19937 random(8);
        const Sample s = sampleOf(RowType(type), rows, cols, random);
        const int64_t stride = rows + 5, out = cols + 2;
        std::vector<float> x(size_t(vectors * stride)), y(size_t(vectors * out), 0.25f);
        std::normal_distribution<float> normal;
        for (float& v : x)
            v = normal(random);
        allDenseRowKernels()[size_t(kernel)].combine(s.matrix(), {x.data(), vectors, stride},
                                                     y.data(), out);
        for (int v = 0; v < vectors; ++v) {
            for (int c = 0; c < cols; ++c) {
                double sum = 0.25, size = 0.25;
                for (int r = 0; r < rows; ++r) {
                    const double product =
                        s.values[size_t(r * cols + c)] * double(x[size_t(v * stride + r)]);
                    sum += product;
                    size += std::abs(product);
                }
                QVERIFY(std::abs(double(y[size_t(v * out + c)]) - sum) <= 1e-6 * size);
            }
            QCOMPARE(y[size_t(v * out + cols)], 0.25f);
        }
    }

    void exponentials() {
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<float> x;
            for (float v = -130; v <= 0; v += 0.0371f)
                x.push_back(v + 3);
            x.push_back(3);
            std::vector<float> got = x;
            const double sum = kernels.exponentiate(got.data(), int64_t(got.size()), 3.f);
            double expected = 0;
            for (size_t i = 0; i < x.size(); ++i) {
                const double e = std::exp(double(x[i] - 3.f));
                expected += e;
                // What is no normal float32 may be anything that small.
                QVERIFY2(std::abs(double(got[i]) - e) <= std::max(2e-7 * e, 1.2e-38),
                         qPrintable(QStringLiteral("%1: exp(%2) = %3, not %4")
                                        .arg(kernels.name)
                                        .arg(double(x[i] - 3.f))
                                        .arg(double(got[i]))
                                        .arg(e)));
            }
            QVERIFY(std::abs(sum - expected) <= 1e-6 * expected);
        }
    }

    void silu() {
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<float> x, up;
            for (float v = -100; v <= 100; v += 0.173f) {
                x.push_back(v);
                up.push_back(1.5f - v / 50);
            }
            std::vector<float> got = x;
            kernels.siluProduct(got.data(), up.data(), int64_t(got.size()));
            for (size_t i = 0; i < x.size(); ++i) {
                const double e = double(x[i]) / (1 + std::exp(-double(x[i]))) * double(up[i]);
                QVERIFY(std::abs(double(got[i]) - e) <= std::max(5e-7 * std::abs(e), 1e-35));
            }
        }
    }

    void halves() {
        std::mt19937 random(9);
        std::vector<float> x{0.f, -0.f, 1.f, 65504.f, 65520.f, 1e9f, 6e-8f, -3e-8f, 2049.f, 2051.f};
        std::normal_distribution<float> normal(0, 100);
        while (x.size() < 1003)
            x.push_back(normal(random));
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<uint16_t> got(x.size());
            kernels.toHalf(x.data(), got.data(), int64_t(x.size()));
            for (size_t i = 0; i < x.size(); ++i)
                QCOMPARE(got[i], floatToHalf(x[i]));
        }
    }
};

QTEST_APPLESS_MAIN(TestDenseRows)
#include "tst_dense_rows.moc"
