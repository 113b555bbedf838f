// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Against sums in double; the scalar version is one of those that are tested.
#include "kernels/dense_rows.h"
#include "kernels/half.h"

#include <QString>
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

    auto weight() const {
        return [this](int64_t r, int64_t c) { return values[size_t(r * cols + c)]; };
    }
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

std::vector<float> randomFloats(size_t count, std::mt19937& random) {
    std::vector<float> x(count);
    std::normal_distribution<float> normal;
    for (float& v : x)
        v = normal(random);
    return x;
}

/// What is wrong with y[v·out + n] = base + Σ_k weight(n, k)·x[v·stride + k], n < results, as sums
/// in double; and `behind` must still stand behind the results. "" where nothing is.
struct Products {
    int64_t vectors, results, terms;
    int64_t stride, out; ///< from one vector to the next, of x and of y
    double tolerance;    ///< of Σ |terms|
    float base = 0, behind = 99;
};
template<class Weight>
QString wrong(const Products& p, const Weight& weight, const std::vector<float>& x,
              const std::vector<float>& y) {
    for (int64_t v = 0; v < p.vectors; ++v) {
        for (int64_t n = 0; n < p.results; ++n) {
            double sum = double(p.base), size = std::abs(sum);
            for (int64_t k = 0; k < p.terms; ++k) {
                const double product = weight(n, k) * double(x[size_t(v * p.stride + k)]);
                sum += product;
                size += std::abs(product);
            }
            const double got = double(y[size_t(v * p.out + n)]);
            if (!(std::abs(got - sum) <= p.tolerance * size))
                return QStringLiteral("%1, not %2, in row %3 of vector %4")
                    .arg(got)
                    .arg(sum)
                    .arg(n)
                    .arg(v);
        }
        if (y[size_t(v * p.out + p.results)] != p.behind)
            return QStringLiteral("written beyond vector %1").arg(v);
    }
    return {};
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
        const Products p{vectors, rows, cols, cols + 5, rows + 2, 1e-6};
        const std::vector<float> x = randomFloats(size_t(vectors * p.stride), random);
        std::vector<float> y(size_t(vectors * p.out), p.behind);
        allDenseRowKernels()[size_t(kernel)].multiply(s.matrix(), {x.data(), vectors, p.stride},
                                                      y.data(), p.out);
        const QString error = wrong(p, s.weight(), x, y);
        QVERIFY2(error.isEmpty(), qPrintable(error));
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
        const Products p{vectors, rows, cols, cols + 5, rows + 2, 2e-6};
        const std::vector<float> x = randomFloats(size_t(vectors * p.stride), random);
        std::vector<float> first;
        for (const DenseRowKernels& kernels : allDenseRowKernels()) {
            std::vector<float> y(size_t(vectors * p.out), p.behind);
            kernels.multiplyMany(s.matrix(), {x.data(), vectors, p.stride}, y.data(), p.out);
            const QString error = wrong(p, s.weight(), x, y);
            QVERIFY2(error.isEmpty(), qPrintable(error));
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
        const Products p{vectors, cols, rows, rows + 5, cols + 2, 1e-6, 0.25f, 0.25f};
        const std::vector<float> x = randomFloats(size_t(vectors * p.stride), random);
        std::vector<float> y(size_t(vectors * p.out), p.base);
        allDenseRowKernels()[size_t(kernel)].combine(s.matrix(), {x.data(), vectors, p.stride},
                                                     y.data(), p.out);
        const auto transposed = [&](int64_t c, int64_t r) { return s.weight()(r, c); };
        const QString error = wrong(p, transposed, x, y);
        QVERIFY2(error.isEmpty(), qPrintable(error));
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
