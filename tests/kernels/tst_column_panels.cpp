// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_panels.h"

#include <QtTest>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace bitloom::kernels;

namespace {

using Random = std::mt19937_64;

constexpr PanelKind kinds[] = {PanelKind::Table2, PanelKind::Table3, PanelKind::Table4,
                               PanelKind::Plain5, PanelKind::Plain6, PanelKind::Plain8};

/// Panels and tables of a matrix as one instruction set reads them.
struct Packed {
    std::vector<std::vector<uint8_t>> panels;
    std::vector<uint8_t> tables;
};

/// A matrix as codes and tables.
struct Matrix {
    int64_t rows = 0;
    std::vector<PanelSegment> segments;
    std::vector<std::vector<uint8_t>> codes; ///< by column in stored order; empty = padding
    std::vector<uint8_t> tables;
    std::vector<int16_t> offsets;

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
    }

    Packed packed(PanelLayout layout) const {
        Packed out;
        out.tables.assign(size_t(packedTableBytes(layout, segments)), 0xAA);
        packPanelTables(layout, segments, tables, out.tables);
        for (int64_t first = 0; first < rows; first += panelRows) {
            const int64_t padded = rowsOf(out.panels.size());
            std::vector<uint8_t> panel(size_t(panelBytes(segments, padded)), 0xAA);
            size_t at = 0, column = 0;
            for (const PanelSegment& segment : segments) {
                std::vector<const uint8_t*> pointers;
                for (int64_t k = 0; k < segment.columns; ++k, ++column)
                    pointers.push_back(codes[column].empty() ? nullptr
                                                             : codes[column].data() + first);
                const size_t bytes = size_t(segmentBytes(segment, padded));
                packPanelSegment(layout, segment, pointers, padded, rows - first,
                                 std::span(panel).subspan(at, bytes));
                at += bytes;
            }
            if (at != panel.size()) qFatal("panel of another size than its segments");
            out.panels.push_back(std::move(panel));
        }
        return out;
    }
};

/// Activations of a matrix for some tokens, quantized.
struct Activations {
    int64_t tokens;
    int bytes;
    std::vector<float> x;
    std::vector<int16_t> values;
    std::vector<int8_t> high, low;
    std::vector<float> scale;
    std::vector<int32_t> start;

    Activations(const Matrix& m, std::vector<float> all, int64_t count = 1, int width = 2)
        : tokens(count), bytes(width), x(std::move(all)) {
        const size_t blocks = size_t(blockCount(m.segments)), n = x.size() / size_t(tokens);
        values.resize(x.size()), high.resize(x.size()), low.resize(x.size());
        scale.resize(blocks * size_t(tokens)), start.resize(blocks * size_t(tokens));
        for (size_t t = 0; t < size_t(tokens); ++t)
            roundPanelInput(m.segments, m.offsets, std::span(x).subspan(t * n, n), bytes,
                            std::span(values).subspan(t * n, n), std::span(high).subspan(t * n, n),
                            std::span(low).subspan(t * n, n),
                            std::span(scale).subspan(t * blocks, blocks),
                            std::span(start).subspan(t * blocks, blocks));
    }
    int32_t q(size_t i) const { return bytes == 2 ? 256 * high[i] + low[i] : low[i]; }
    static Activations random(const Matrix& m, Random& random, int64_t tokens = 1, int bytes = 2) {
        std::normal_distribution<float> normal;
        std::vector<float> x;
        for (int64_t t = 0; t < tokens; ++t)
            for (const auto& column : m.codes)
                x.push_back(column.empty() ? 0.f : normal(random) * std::exp(normal(random)));
        return Activations(m, std::move(x), tokens, bytes);
    }
    PanelInput input() const { return {tokens, bytes, values, high, low, scale, start, {}}; }
    /// What a version wants to look up instead of values; empty if nothing.
    std::vector<uint8_t> products(const Matrix& m, const Packed& packed,
                                  const PanelKernels& kernels) const {
        std::vector<uint8_t> out;
        if (!kernels.expand || tokens > 1) return out;
        std::vector<PanelSegment> before;
        for (const PanelSegment& segment : m.segments) {
            if (segment.kind == PanelKind::Table2) {
                const size_t at = out.size();
                out.resize(at + size_t(segment.columns * panelProductBytes));
                kernels.expand(packed.tables.data() + packedTableBytes(kernels.layout, before) -
                                   packedTableBytes(kernels.layout, {}),
                               values.data() + columnCount(before), segment.columns,
                               out.data() + at);
            }
            before.push_back(segment);
        }
        return out;
    }
};

/// The formula of column_panels.h from codes and tables: int64 inside, fma outside.
float expected(const Matrix& m, const Activations& a, int64_t token, int64_t row, float bias) {
    float y = bias;
    const size_t before = size_t(token * m.columns());
    size_t column = 0, block = size_t(token * blockCount(m.segments)), table = 0;
    for (const PanelSegment& segment : m.segments) {
        const int entries = panelEntries(segment.kind);
        for (int64_t first = 0; first < segment.columns; first += 128, ++block) {
            int64_t sum = 0;
            for (int64_t k = first; k < std::min<int64_t>(first + 128, segment.columns); ++k) {
                const int code = m.codes[column].empty() ? 0 : m.codes[column][size_t(row)];
                const int value =
                    (entries ? int(m.tables[table + size_t(code)]) : code) + m.offsets[column];
                sum += int64_t(value) * a.q(before + column);
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
            const Packed packed = m.packed(kernels.layout);
            const std::vector<uint8_t> products = a.products(m, packed, kernels);
            PanelInput input = a.input();
            check(m, a, kernels, packed, input);
            input.products = products;
            if (!products.empty()) check(m, a, kernels, packed, input);
        }
    }

    static void check(const Matrix& m, const Activations& a, const PanelKernels& kernels,
                      const Packed& packed, const PanelInput& input) {
        {
            for (size_t p = 0; p < packed.panels.size(); ++p) {
                const int64_t padded = m.rowsOf(p), first = int64_t(p) * panelRows;
                const int64_t stride = padded + 16;
                std::vector<float> y(size_t(stride * a.tokens));
                for (size_t i = 0; i < y.size(); ++i)
                    y[i] = float(i) * 0.37f - 5;
                const std::vector<float> before = y;
                kernels.product(m.segments, packed.panels[p].data(), packed.tables.data(), input,
                                padded, y.data(), stride);
                for (int64_t t = 0; t < a.tokens; ++t) {
                    for (int64_t row = 0; row < std::min(padded, m.rows - first); ++row) {
                        const size_t i = size_t(t * stride + row);
                        const float wanted = expected(m, a, t, first + row, before[i]);
                        if (!same(y[i], wanted))
                            QFAIL(qPrintable(QString("%1, token %2, row %3: %4 instead of %5")
                                                 .arg(kernels.name)
                                                 .arg(t)
                                                 .arg(first + row)
                                                 .arg(double(y[i]))
                                                 .arg(double(wanted))));
                    }
                    for (int64_t i = t * stride + padded; i < (t + 1) * stride; ++i)
                        // nothing behind the panel is touched
                        QVERIFY(same(y[size_t(i)], before[size_t(i)]));
                }
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
        for (const int bytes : {1, 2})
            checkAll(m, Activations::random(m, random, 1, bytes));
    }

    /// Every number of tokens that some version cuts up in another way.
    void tokens_data() {
        QTest::addColumn<int>("kind");
        for (int kind = 0; kind < panelKinds; ++kind)
            QTest::addRow("kind %d", kind) << kind;
    }
    void tokens() {
        QFETCH(int, kind);
        Random random(unsigned(kind + 50));
        const Matrix m(70 + 128 * (kind % 2), {{kinds[kind], 133}}, random);
        for (const int bytes : {1, 2})
            for (const int tokens : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17})
                checkAll(m, Activations::random(m, random, tokens, bytes));
    }

    /// A prompt is the same as its tokens one by one.
    void parts() {
        Random random(11);
        const Matrix m(256, {{PanelKind::Plain8, 12}, {PanelKind::Table3, 300}}, random);
        const Activations a = Activations::random(m, random, 19);
        for (const PanelKernels& kernels : allPanelKernels()) {
            const Packed packed = m.packed(kernels.layout);
            std::vector<float> whole(256 * 19, 1.f), parts = whole;
            const auto multiply = [&](const PanelInput& input, float* y) {
                kernels.product(m.segments, packed.panels[0].data(), packed.tables.data(), input,
                                256, y, 256);
            };
            multiply(a.input(), whole.data());
            multiply(a.input().part(0, 1), parts.data());
            multiply(a.input().part(1, 11), parts.data() + 256);
            multiply(a.input().part(12, 7), parts.data() + 256 * 12);
            QVERIFY2(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)) == 0,
                     kernels.name);
        }
    }

    void mixtures() {
        Random random(7);
        for (int round = 0; round < 40; ++round) {
            Widths widths;
            for (int i = 0; i < 6; ++i)
                if (random() % 3) widths.push_back({kinds[5 - i], int64_t(random() % 150 + 1)});
            if (widths.empty()) continue;
            const Matrix m(int64_t(random() % 600 + 1), widths, random);
            checkAll(m, Activations::random(m, random, int64_t(round % 3 ? 1 : random() % 5 + 1),
                                            int(random() % 2 + 1)));
        }
    }

    /// The largest sums there can be: outermost entries with outermost activations of one sign.
    void extremes() {
        Random random(8);
        for (const PanelKind kind : kinds) {
            const Matrix m(256, {{kind, 1024}}, random, /*extreme=*/true);
            const size_t n = size_t(m.columns());
            std::vector<float> x; // three tokens
            for (size_t i = 0; i < 3 * n; ++i)
                x.push_back(i < n ? 1.f : i < 2 * n ? -1.f : i % 2 ? 1.f : -1.f);
            for (const int bytes : {1, 2}) {
                checkAll(m, Activations(m, x, 3, bytes));
                for (size_t t = 0; t < 3; ++t)
                    checkAll(m, Activations(m,
                                            std::vector<float>(x.begin() + long(t * n),
                                                               x.begin() + long((t + 1) * n)),
                                            1, bytes));
            }
        }
    }

    void activations() {
        Random random(9);
        Matrix m(64, {{PanelKind::Plain8, 300}, {PanelKind::Table2, 20}}, random);
        m.offsets.assign(m.offsets.size(), -3);
        QCOMPARE(blockCount(m.segments), int64_t(4)); // 128, 128, 44; 20
        std::vector<float> x(320, 0.f);
        x[5] = -3.2639f, x[6] = 1.f, x[7] = 0.00004f, x[8] = 0.00016f, x[9] = 0.0128f;
        x[10] = 0.0127f, x[300] = 1e-30f;
        const Activations a(m, x);
        QCOMPARE(a.q(5), -32639);
        QCOMPARE(int(a.high[5]), -127);
        QCOMPARE(int(a.low[5]), -127);
        QCOMPARE(a.q(6), 10000);
        QCOMPARE(a.q(7), 0);
        QCOMPARE(a.q(8), 2);
        QCOMPARE(a.q(9), 128);
        QCOMPARE(int(a.high[9]), 1); // halves go up
        QCOMPARE(int(a.low[9]), -128);
        QCOMPARE(int(a.high[10]), 0);
        QVERIFY(same(a.scale[0], 3.2639f / 32639.f));
        QCOMPARE(a.scale[1], 0.f);
        QCOMPARE(a.start[0], -3 * (-32639 + 10000 + 2 + 128 + 127));
        QCOMPARE(a.start[1], 0);
        QCOMPARE(a.q(300), 32639);
        for (size_t i = 0; i < x.size(); ++i) { // never off by more than half a step
            QCOMPARE(int(a.values[i]), a.q(i));
            QVERIFY(std::abs(double(x[i]) - double(a.scale[i < 300 ? i / 128 : 3]) * a.q(i)) <=
                    0.5001 * double(a.scale[i < 300 ? i / 128 : 3]));
        }
    }

    /// Rounding against the definition, whatever the block's length and size.
    void rounding() {
        Random random(12);
        std::normal_distribution<float> normal;
        for (int round = 0; round < 300; ++round) {
            const int64_t n = int64_t(random() % 32 + 1) * 4;
            const int bytes = round % 2 + 1;
            const int limit = bytes == 2 ? 32639 : 127;
            Matrix m(64, {{PanelKind::Plain8, n}}, random);
            std::vector<float> x;
            const float size = std::exp(20 * normal(random));
            for (int64_t i = 0; i < n; ++i)
                x.push_back(random() % 4 ? size * normal(random) : 0.f);
            if (round % 5 == 0) // halves, which go to even
                for (float& value : x)
                    value = float(int(random() % 2001) - 1000) / 2;
            if (round % 5 == 0) x[0] = float(limit);
            const Activations a(m, x, 1, bytes);
            float largest = 0;
            for (const float value : x)
                largest = std::max(largest, std::abs(value));
            QVERIFY(same(a.scale[0], largest / float(limit)));
            int64_t start = 0;
            for (size_t i = 0; i < x.size(); ++i) {
                const float exact = largest > 0 ? x[i] * (float(limit) / largest) : 0.f;
                const int wanted =
                    int(std::nearbyint(std::clamp(exact, float(-limit), float(limit))));
                QCOMPARE(a.q(i), wanted);
                QCOMPARE(int(a.values[i]), wanted);
                start += m.offsets[i] * wanted;
            }
            QCOMPARE(int64_t(a.start[0]), start);
        }
    }

    void whatIsNoNumber() {
        Random random(13);
        const Matrix m(64, {{PanelKind::Table3, 140}}, random);
        for (const float wrong : {std::numeric_limits<float>::quiet_NaN(),
                                  std::numeric_limits<float>::infinity(), 1e-40f}) {
            std::vector<float> x(140, 0.f);
            x[3] = wrong;
            const Activations a(m, x);
            QCOMPARE(std::isnan(a.scale[0]), !std::isfinite(wrong));
            QVERIFY(std::isnan(a.scale[0]) || a.scale[0] == 0);
            QCOMPARE(a.scale[1], 0.f);
            for (const PanelKernels& kernels : allPanelKernels()) {
                const Packed packed = m.packed(kernels.layout);
                std::vector<float> y(64, 2.f);
                kernels.product(m.segments, packed.panels[0].data(), packed.tables.data(),
                                a.input(), 64, y.data(), 64);
                for (const float value : y)
                    QVERIFY(std::isfinite(wrong) ? value == 2 : std::isnan(value));
            }
        }
    }

    void activationsOfOneByte() {
        Random random(10);
        Matrix m(64, {{PanelKind::Plain8, 130}}, random);
        m.offsets.assign(m.offsets.size(), 2);
        std::vector<float> x(132, 0.f);
        x[0] = 12.7f, x[1] = -3.26f, x[2] = 0.25f, x[131] = -4.f;
        const Activations a(m, x, 1, 1);
        QVERIFY(same(a.scale[0], 12.7f / 127.f));
        QCOMPARE(a.q(0), 127);
        QCOMPARE(a.q(1), -33);
        QVERIFY(a.q(2) == 2 || a.q(2) == 3);
        QCOMPARE(a.q(131), -127);
        QCOMPARE(a.start[0], 2 * (127 - 33 + a.q(2)));
        QCOMPARE(a.start[1], -254);
        for (size_t i = 0; i < x.size(); ++i)
            QCOMPARE(int(a.values[i]), a.q(i));
    }

    void sizes() {
        const std::vector<PanelSegment> segments{{PanelKind::Plain6, 8}, {PanelKind::Table3, 132}};
        QCOMPARE(panelBytes(segments, 256), int64_t(8 * 256 * 6 / 8 + 132 * 256 * 3 / 8));
        QCOMPARE(tableEntries(segments), int64_t(132 * 8));
        QCOMPARE(columnCount(segments), int64_t(140));
        QCOMPARE(blockCount(segments), int64_t(3));
    }
};

QTEST_APPLESS_MAIN(TestColumnPanels)
#include "tst_column_panels.moc"
