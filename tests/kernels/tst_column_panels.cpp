// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_panels.h"

#include <QtTest>

#include <cmath>
#include <cstring>
#include <random>

using namespace bitloom::kernels;

namespace {

using Random = std::mt19937_64;

constexpr PanelKind kinds[] = {PanelKind::Table2, PanelKind::Table3, PanelKind::Table4,
                               PanelKind::Plain5, PanelKind::Plain6, PanelKind::Plain8};

/// A matrix as codes and tables, and packed.
struct Matrix {
    int64_t rows = 0;
    std::vector<PanelSegment> segments;
    std::vector<std::vector<uint8_t>> codes; ///< by column in stored order; empty = padding
    std::vector<uint8_t> tables;
    std::vector<int16_t> offsets;
    std::vector<std::vector<uint8_t>> panels;

    int64_t columns() const { return int64_t(codes.size()); }
    int64_t rowsOf(size_t panel) const {
        const int64_t left = rows - int64_t(panel) * panelRows;
        const int64_t used = std::min<int64_t>(left, panelRows);
        return (used + panelRowUnit - 1) / panelRowUnit * panelRowUnit;
    }

    /// `columns[i]` columns of `kinds[i]`; extreme: only the outermost codes and entries.
    Matrix(int64_t n, const std::vector<std::pair<PanelKind, int64_t>>& widths, Random& random,
           bool extreme = false)
        : rows(n) {
        for (const auto& [kind, count] : widths) {
            const int64_t padded = (count + 3) / 4 * 4;
            segments.push_back({kind, padded});
            const int limit = 1 << panelBits(kind);
            const int largest = kind == PanelKind::Table4 ? 254 : 127; // of a table's entries
            for (int64_t k = 0; k < padded; ++k) {
                codes.emplace_back();
                if (k < count)
                    for (int64_t row = 0; row < n; ++row)
                        codes.back().push_back(
                            uint8_t(extreme ? (random() % 2 ? limit - 1 : 0) : random() % limit));
                for (int e = 0; e < panelEntries(kind); ++e)
                    tables.push_back(
                        uint8_t(extreme ? (e == 0 ? 0 : largest) : random() % (largest + 1)));
                offsets.push_back(
                    int16_t(extreme ? (random() % 2 ? 127 : -128) : int(random() % 256) - 128));
            }
        }
        for (int64_t first = 0; first < n; first += panelRows) {
            const int64_t padded = rowsOf(panels.size());
            std::vector<uint8_t> panel(size_t(panelBytes(segments, padded)), 0xAA);
            size_t at = 0, column = 0;
            for (const PanelSegment& segment : segments) {
                std::vector<const uint8_t*> pointers;
                for (int64_t k = 0; k < segment.columns; ++k, ++column)
                    pointers.push_back(codes[column].empty() ? nullptr
                                                             : codes[column].data() + first);
                const size_t bytes = size_t(segmentBytes(segment, padded));
                packPanelSegment(segment, pointers, padded, n - first,
                                 std::span(panel).subspan(at, bytes));
                at += bytes;
            }
            QCOMPARE(at, panel.size());
            panels.push_back(std::move(panel));
        }
    }
};

/// Activations of a matrix, quantized.
struct Activations {
    std::vector<float> x;
    std::vector<int8_t> high, low;
    std::vector<float> scale;
    std::vector<int32_t> start, sum;

    Activations(const Matrix& m, std::vector<float> values) : x(std::move(values)) {
        const size_t blocks = size_t(blockCount(m.segments));
        high.resize(x.size()), low.resize(x.size()), scale.resize(blocks), start.resize(blocks),
            sum.resize(blocks);
        roundPanelInput(m.segments, m.offsets, x, high, low, scale, start, sum);
    }
    int32_t q(size_t i) const { return 254 * high[i] + low[i]; }
    static Activations random(const Matrix& m, Random& random) {
        std::normal_distribution<float> normal;
        std::vector<float> x;
        for (const auto& column : m.codes)
            x.push_back(column.empty() ? 0.f : normal(random) * std::exp(normal(random)));
        return Activations(m, std::move(x));
    }
    PanelInput input() const { return {high, low, scale, start, sum}; }
};

/// The formula of column_panels.h from codes and tables: int64 inside, fma outside.
float expected(const Matrix& m, const Activations& a, int64_t row, float bias) {
    float y = bias;
    size_t column = 0, block = 0, table = 0;
    for (const PanelSegment& segment : m.segments) {
        const int entries = panelEntries(segment.kind);
        for (int64_t first = 0; first < segment.columns; first += 128, ++block) {
            int64_t sum = 0;
            for (int64_t k = first; k < std::min<int64_t>(first + 128, segment.columns); ++k) {
                const int code = m.codes[column].empty() ? 0 : m.codes[column][size_t(row)];
                const int value =
                    (entries ? int(m.tables[table + size_t(code)]) : code) + m.offsets[column];
                sum += int64_t(value) * a.q(column);
                ++column;
                table += size_t(entries);
            }
            y = std::fma(a.scale[block], float(sum), y);
        }
    }
    return y;
}

bool same(float a, float b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

using Widths = std::vector<std::pair<PanelKind, int64_t>>;

} // namespace

class TestColumnPanels : public QObject {
    Q_OBJECT

    static void checkAll(const Matrix& m, const Activations& a) {
        for (const PanelKernels& kernels : allPanelKernels()) {
            for (size_t p = 0; p < m.panels.size(); ++p) {
                const int64_t padded = m.rowsOf(p), first = int64_t(p) * panelRows;
                std::vector<float> y(size_t(padded) + 16);
                for (size_t i = 0; i < y.size(); ++i)
                    y[i] = float(i) * 0.37f - 5;
                const std::vector<float> before = y;
                kernels.matvec(m.segments, m.panels[p].data(), m.tables.data(), a.input(), padded,
                               y.data());
                for (int64_t row = 0; row < std::min(padded, m.rows - first); ++row) {
                    const float wanted = expected(m, a, first + row, before[size_t(row)]);
                    if (!same(y[size_t(row)], wanted))
                        QFAIL(qPrintable(QString("%1, row %2: %3 instead of %4")
                                             .arg(kernels.name)
                                             .arg(first + row)
                                             .arg(double(y[size_t(row)]))
                                             .arg(double(wanted))));
                }
                for (size_t i = size_t(padded); i < y.size(); ++i)
                    QVERIFY(same(y[i], before[i])); // nothing behind the panel is touched
            }
        }
    }

private slots:
    void here() {
        QCOMPARE(std::string(allPanelKernels()[0].name), std::string("scalar"));
        for (const PanelKernels& kernels : allPanelKernels())
            qInfo("%s", kernels.name);
    }

    void everyKindAlone_data() {
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        for (int kind = 0; kind < 6; ++kind)
            for (const auto& [rows, columns] :
                 {std::pair{64, 4}, {1, 1}, {256, 128}, {200, 131}, {300, 260}, {448, 96}})
                QTest::addRow("kind %d, %d x %d", kind, rows, columns) << kind << rows << columns;
    }
    void everyKindAlone() {
        QFETCH(int, kind);
        QFETCH(int, rows);
        QFETCH(int, columns);
        Random random(unsigned(kind * 1000 + rows + columns));
        const Matrix m(rows, {{kinds[kind], columns}}, random);
        checkAll(m, Activations::random(m, random));
    }

    void mixtures() {
        Random random(7);
        for (int round = 0; round < 40; ++round) {
            Widths widths;
            for (int i = 0; i < 6; ++i)
                if (random() % 3) widths.push_back({kinds[5 - i], int64_t(random() % 150 + 1)});
            if (widths.empty()) continue;
            const Matrix m(int64_t(random() % 600 + 1), widths, random);
            checkAll(m, Activations::random(m, random));
        }
    }

    /// The largest sums there can be: outermost entries with outermost activations of one sign.
    void extremes() {
        Random random(8);
        for (const PanelKind kind : kinds) {
            const Matrix m(256, {{kind, 4096}}, random, /*extreme=*/true);
            for (const float sign : {1.f, -1.f})
                checkAll(m, Activations(m, std::vector<float>(size_t(m.columns()), sign)));
            std::vector<float> alternating(size_t(m.columns()));
            for (size_t i = 0; i < alternating.size(); ++i)
                alternating[i] = i % 2 ? 1.f : -1.f;
            checkAll(m, Activations(m, alternating));
        }
    }

    void activations() {
        Random random(9);
        Matrix m(64, {{PanelKind::Plain8, 300}, {PanelKind::Table2, 20}}, random);
        m.offsets.assign(m.offsets.size(), -3);
        QCOMPARE(blockCount(m.segments), int64_t(4)); // 128, 128, 44; 20
        std::vector<float> x(320, 0.f);
        x[5] = -3.2384f, x[6] = 1.f, x[7] = 0.00004f, x[8] = 0.00016f, x[9] = 0.0127f;
        x[300] = 1e-30f;
        const Activations a(m, x);
        QCOMPARE(a.q(5), -32384);
        QCOMPARE(int(a.high[5]), -127);
        QCOMPARE(int(a.low[5]), -126);
        QCOMPARE(a.q(6), 10000);
        QCOMPARE(a.q(7), 0);
        QCOMPARE(a.q(8), 2);
        QCOMPARE(a.q(9), 127); // half of 254
        QVERIFY(same(a.scale[0], 3.2384f / 32384.f));
        QCOMPARE(a.scale[1], 0.f);
        QCOMPARE(a.sum[0], -32384 + 10000 + 2 + 127);
        QCOMPARE(a.start[0], -3 * (-32384 + 10000 + 2 + 127));
        QCOMPARE(a.start[1], 0);
        QCOMPARE(a.q(300), 32384);
        for (size_t i = 0; i < x.size(); ++i) // never off by more than half a step
            QVERIFY(std::abs(double(x[i]) - double(a.scale[i < 300 ? i / 128 : 3]) * a.q(i)) <=
                    0.5001 * double(a.scale[i < 300 ? i / 128 : 3]));
    }

    void sizes() {
        const std::vector<PanelSegment> segments{{PanelKind::Plain6, 8}, {PanelKind::Table3, 132}};
        QCOMPARE(panelBytes(segments, 256), int64_t(8 * 256 * 6 / 8 + 132 * 256 * 3 / 8));
        QCOMPARE(tableBytes(segments), int64_t(132 * 8));
        QCOMPARE(blockCount(segments), int64_t(3));
    }
};

QTEST_APPLESS_MAIN(TestColumnPanels)
#include "tst_column_panels.moc"
