// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/column_weights.h"
#include "tests/core/format/format_testing.h"

#include <cstring>
#include <functional>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace {

/// Reads the packed tensors by FORMAT §1 with nothing of the code under test.
class Oracle {
public:
    explicit Oracle(const std::vector<PackedTensor>& packed) {
        for (const PackedTensor& tensor : packed)
            m_tensors[tensor.suffix] = &tensor;
    }
    bool has(const std::string& suffix) const { return m_tensors.contains(suffix); }
    uint64_t number(const std::string& suffix, int64_t index) const {
        const PackedTensor& tensor = *m_tensors.at(suffix);
        const auto size = size_t(dtypeBytes(tensor.dtype));
        uint64_t value = 0;
        for (size_t i = 0; i < size; ++i)
            value |= uint64_t(tensor.bytes.at(size_t(index) * size + i)) << (8 * i);
        return value;
    }
    int64_t length(const std::string& suffix) const {
        return has(suffix) ? int64_t(m_tensors.at(suffix)->bytes.size()) : 0;
    }
    uint64_t bits(int64_t firstBit, int count) const {
        uint64_t value = 0;
        for (int i = 0; i < count; ++i) {
            const auto byte = uint64_t(m_tensors.at("codes")->bytes.at(size_t(firstBit + i) / 8));
            value |= (byte >> ((firstBit + i) % 8) & 1) << i;
        }
        return value;
    }

    /// Row-major [rows, cols].
    std::vector<float> dequantize(int64_t rows, int64_t cols, bool brain) const {
        std::vector<float> out(size_t(rows * cols), -1);
        int64_t bit = 0, entry = 0, scale = 0, zero = 0, raw = 0, outlier = 0;
        for (int64_t s = 0; s < length("class_bits"); ++s) {
            const auto width = int(number("class_bits", s));
            const auto kind = number("class_kinds", s);
            const auto outliers = int64_t(number("class_outliers", s));
            for (int64_t k = 0; k < cols; ++k) {
                if (int64_t(number("classes", k)) != s) continue;
                const auto at = [&](int64_t n) -> float& { return out[size_t(n * cols + k)]; };
                if (kind == 2) {
                    for (int64_t n = 0; n < rows; ++n, ++raw) {
                        const auto value = uint16_t(number("raw", raw));
                        at(n) = brain ? bfloat16Value(value) : halfValue(value);
                    }
                    continue;
                }
                const float factor = halfValue(uint16_t(number("scale", scale++)));
                const float shift = kind == 1 ? halfValue(uint16_t(number("zero", zero++))) : 0;
                for (int64_t n = 0; n < rows; ++n) {
                    const auto code = int64_t(bits(bit + n * width, width));
                    at(n) = kind == 1 ? factor * (float(code) - shift)
                                      : factor * float(int8_t(number("tables", entry + code)));
                }
                bit += (rows * width + 31) / 32 * 32;
                if (kind == 0) entry += int64_t(1) << width;
                for (int64_t i = 0; i < outliers; ++i, ++outlier)
                    at(int64_t(number("out_row", outlier))) +=
                        halfValue(uint16_t(number("out_val", outlier)));
            }
        }
        // Everything is used up.
        const bool exact = bit == length("codes") * 8 && entry == length("tables") &&
                           scale * 2 == length("scale") && zero * 2 == length("zero") &&
                           raw * 2 == length("raw") && outlier * 2 == length("out_val");
        return exact ? out : std::vector<float>();
    }

private:
    std::map<std::string, const PackedTensor*> m_tensors;
};

/// Every width that there is, the ones of the faithful mode included.
Menu wholeMenu() {
    Menu menu;
    for (const double outliers : {0.0, 0.05})
        for (const int bits : {1, 2, 3, 4, 5})
            menu.push_back({PointKind::Table, bits, outliers});
    for (const double outliers : {0.0, 0.05})
        for (const int bits : {2, 3, 4, 5, 6, 8})
            menu.push_back({PointKind::Grid, bits, outliers});
    menu.push_back({PointKind::Raw, 16, 0});
    return menu;
}

ColumnWeights randomColumns(Random& random, int64_t rows, int64_t cols, const Menu& menu,
                            DType rawDtype = DType::F16) {
    std::vector<uint8_t> points;
    for (int64_t k = 0; k < cols; ++k)
        points.push_back(uint8_t(below(random, int64_t(menu.size()))));
    ColumnWeights weights = ColumnWeights::make(rows, cols, points, menu);
    weights.rawDtype = rawDtype;
    fill(random, weights);
    return weights;
}

void compareColumns(const ColumnWeights& a, const ColumnWeights& b) {
    QCOMPARE(a.rows, b.rows);
    QCOMPARE(a.cols, b.cols);
    QVERIFY(a.classes == b.classes);
    QVERIFY(a.classOf == b.classOf);
    QVERIFY(a.tables == b.tables);
    QVERIFY(a.scale == b.scale);
    QVERIFY(a.zero == b.zero);
    QVERIFY(a.raw == b.raw);
    QVERIFY(a.outlierRow == b.outlierRow);
    QVERIFY(a.outlierVal == b.outlierVal);
    for (int64_t k = 0; k < a.cols; ++k)
        if (a.classAt(k).kind != PointKind::Raw)
            QVERIFY(std::ranges::equal(a.columnCodes(k), b.columnCodes(k)));
}

using Packed = std::vector<PackedTensor>;
PackedTensor& tensor(Packed& packed, const std::string& suffix) {
    for (PackedTensor& one : packed)
        if (one.suffix == suffix) return one;
    throw std::out_of_range(suffix);
}
template<typename T>
void set(Packed& packed, const std::string& suffix, size_t index, T value) {
    std::memcpy(tensor(packed, suffix).bytes.data() + index * sizeof value, &value, sizeof value);
}

} // namespace

class TestColumnWeights : public QObject {
    Q_OBJECT

private slots:
    void roundTrip_data() {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("cols");
        QTest::addColumn<Menu>("menu");
        QTest::addColumn<bool>("brain");
        const Menu whole = wholeMenu();
        for (const int rows : {1, 2, 31, 32, 33, 100, 257})
            for (const int cols : {1, 17, 90})
                QTest::addRow("every class, %d x %d", rows, cols)
                    << rows << cols << whole << (cols == 17);
        for (const OperatingPoint& point : whole)
            QTest::addRow("only %s", pointText(point).c_str())
                << 45 << 40 << Menu{point} << (point.bits == 16);
        QTest::addRow("rows beyond 16 bits")
            << 65537 << 5 << Menu{{PointKind::Table, 2, 0.001}} << false;
        QTest::addRow("rows at the end of 16 bits")
            << 65535 << 3 << Menu{{PointKind::Grid, 3, 0.001}} << false;
        Menu many;
        for (int outliers = 0; outliers < 43; ++outliers)
            for (const int bits : {2, 3, 4, 5, 6, 8})
                many.push_back({PointKind::Grid, bits, outliers / 64.0});
        many.resize(256);
        QTest::addRow("256 classes") << 64 << 2000 << many << false;
        many.resize(255);
        many.push_back({PointKind::Raw, 16, 0});
        QTest::addRow("255 classes and raw") << 64 << 2000 << many << true;
    }
    void roundTrip() {
        QFETCH(int, rows);
        QFETCH(int, cols);
        QFETCH(Menu, menu);
        QFETCH(bool, brain);
        Random random(uint64_t(rows * 1000 + cols));
        const ColumnWeights weights =
            randomColumns(random, rows, cols, menu, brain ? DType::BF16 : DType::F16);
        const auto packed = pack(weights);
        int64_t bytes = 0;
        for (const PackedTensor& tensor : packed)
            bytes += int64_t(tensor.bytes.size());
        QCOMPARE(packedBytes(weights), bytes);

        const auto specs =
            columnSpecs("L", rows, weights.classes, weights.classOf, weights.rawDtype);
        QCOMPARE(packed.size(), specs.size());
        for (size_t i = 0; i < specs.size(); ++i) {
            QCOMPARE("L." + packed[i].suffix, specs[i].name);
            QVERIFY(packed[i].dtype == specs[i].dtype && packed[i].shape == specs[i].shape);
            QCOMPARE(packed[i].bytes.size(), size_t(specs[i].bytes()));
        }

        const auto expected = Oracle(packed).dequantize(rows, cols, brain);
        QCOMPARE(expected.size(), size_t(rows * cols));
        std::vector<float> values(size_t(rows * cols));
        weights.dequantize(values, 2);
        QVERIFY(values == expected);

        const ColumnWeights back = unpackColumn("L", rows, cols, asStored(packed));
        if (Oracle(packed).has("raw")) QVERIFY(back.rawDtype == weights.rawDtype);
        compareColumns(back, weights);
        std::ranges::fill(values, 0.0f);
        back.dequantize(values, 1);
        QVERIFY(values == expected);
        std::vector<float> column(size_t(rows), 0.0f);
        back.dequantizeColumn(cols - 1, column);
        for (int n = 0; n < rows; ++n)
            QCOMPARE(column[size_t(n)], expected[size_t(n * cols + cols - 1)]);
    }

    void acceptsUnalignedBytes() {
        Random random(5);
        const ColumnWeights weights = randomColumns(random, 33, 40, wholeMenu());
        auto packed = pack(weights);
        TensorsBySuffix tensors;
        for (PackedTensor& one : packed) {
            const size_t size = one.bytes.size();
            one.bytes.insert(one.bytes.begin(), std::byte{0xee});
            tensors[one.suffix] = {TensorInfo{"", one.dtype, one.shape, 0, size},
                                   std::span(one.bytes).subspan(1)};
        }
        compareColumns(unpackColumn("L", 33, 40, tensors), weights);
    }

    void classesAreSortedAndShared() {
        const Menu menu{{PointKind::Grid, 4, 0.0025}, {PointKind::Raw, 16, 0},
                        {PointKind::Table, 4, 0},     {PointKind::Grid, 4, 0},
                        {PointKind::Table, 2, 0.01},  {PointKind::Grid, 8, 0}};
        const std::vector<uint8_t> points{4, 3, 2, 1, 0, 2};
        const auto [classes, classOf] = classesOf(points, menu, 64); // 0.25 % of 64 is none
        const std::vector<ColumnClass> expected{{16, PointKind::Raw, 0},
                                                {4, PointKind::Table, 0},
                                                {4, PointKind::Grid, 0},
                                                {2, PointKind::Table, 1}};
        QVERIFY(classes == expected);
        QVERIFY((classOf == std::vector<uint8_t>{3, 2, 1, 0, 2, 1}));
        const std::vector<uint8_t> bad{0, 6};
        COMPARE_ERROR(classesOf(bad, menu, 64), "operating point 6");
        COMPARE_ERROR(ColumnWeights::make(64, 3, points, menu), "6 columns");
    }

    void codesOfColumns() {
        const Menu menu{{PointKind::Table, 2, 0}, {PointKind::Grid, 3, 0}};
        const std::vector<uint8_t> points{1, 0};
        ColumnWeights weights = ColumnWeights::make(4, 2, points, menu);
        kernels::ColumnCode grid{
            .kind = PointKind::Grid, .bits = 3, .scale = 0x3c00, .zero = 0x4200};
        weights.setCode(0, grid);
        kernels::ColumnCode table{
            .kind = PointKind::Table, .bits = 2, .table = {-3, 0, 1, 5}, .scale = 0x3800};
        weights.setCode(1, table);
        QCOMPARE(weights.code(0).value(7), 4.0f);
        QCOMPARE(weights.code(1).value(3), 2.5f);
        COMPARE_ERROR(weights.setCode(0, table), "column 0 is stored with 3 bits");
    }

    /// What pack() must not write.
    void refusesToPack_data() {
        using Change = std::function<void(ColumnWeights&)>;
        QTest::addColumn<Change>("change");
        QTest::addColumn<QString>("message");
        // Columns: 0 raw, 1 table 4, 2 grid 3 with outliers, 3 table 2.
        const auto row = [](const char* name, Change change, const char* message) {
            QTest::newRow(name) << change << QString(message);
        };
        row(
            "code too large", [](auto& w) { w.columnCodes(3)[5] = 4; }, "does not fit 2 bits");
        row(
            "infinite scale", [](auto& w) { w.scale[1] = 0x7c00; }, "scale is infinite");
        row(
            "zero is NaN", [](auto& w) { w.zero[2] = 0x7e00; }, "zero is infinite");
        row(
            "raw is infinite", [](auto& w) { w.raw[0][3] = 0xfc00; }, "raw value");
        row(
            "raw is short", [](auto& w) { w.raw[0].pop_back(); }, "39 raw values");
        row(
            "table out of order", [](auto& w) { w.tables[3 * 32] = 100; }, "ascending order");
        row(
            "wide table", [](auto& w) { w.tables[3 * 32] = -100, w.tables[3 * 32 + 3] = 28; },
            "spans 128");
        row(
            "uneven table",
            [](auto& w) {
                std::ranges::fill_n(&w.tables[32], 16, int8_t(-100));
                w.tables[32 + 15] = 27;
            },
            "unevenly");
        row(
            "outlier missing", [](auto& w) { w.outlierRow[2].pop_back(); }, "its class has");
        row(
            "outlier row", [](auto& w) { w.outlierRow[2].back() = 40; }, "row 40 of 40");
        row(
            "outlier order", [](auto& w) { std::swap(w.outlierRow[2][0], w.outlierRow[2][1]); },
            "ascending");
        row(
            "outlier twice", [](auto& w) { w.outlierRow[2][1] = w.outlierRow[2][0]; }, "ascending");
        row(
            "outlier value", [](auto& w) { w.outlierVal[2][0] = 0x7c01; }, "outlier is infinite");
        row(
            "class out of range", [](auto& w) { w.classOf[1] = 4; }, "class 4 of 4");
        row(
            "classes out of order", [](auto& w) { std::swap(w.classes[0], w.classes[1]); },
            "out of order");
        row(
            "unknown width",
            [](auto& w) {
                w.classes[2].bits = 7;
                w.classes[2].kind = PointKind::Grid;
            },
            "7 bits");
        row(
            "array too short", [](auto& w) { w.tables.pop_back(); }, "arrays");
        row(
            "wrong raw dtype", [](auto& w) { w.rawDtype = DType::F32; }, "arrays");
    }
    void refusesToPack() {
        QFETCH(std::function<void(ColumnWeights&)>, change);
        QFETCH(QString, message);
        const Menu menu{{PointKind::Raw, 16, 0},
                        {PointKind::Table, 4, 0},
                        {PointKind::Grid, 3, 0.1},
                        {PointKind::Table, 2, 0}};
        const std::vector<uint8_t> points{0, 1, 2, 3};
        Random random(1);
        ColumnWeights weights = ColumnWeights::make(40, 4, points, menu);
        fill(random, weights);
        pack(weights);
        change(weights);
        COMPARE_ERROR(pack(weights), message.toStdString());
    }

    void damagedTensors_data() {
        using Change = std::function<void(Packed&)>;
        QTest::addColumn<Change>("change");
        QTest::addColumn<QString>("message");
        const auto row = [](const char* name, Change change, const char* message) {
            QTest::newRow(name) << change << QString(message);
        };
        const auto drop = [](const char* suffix) {
            return [suffix](Packed& p) {
                std::erase_if(p, [&](auto& t) { return t.suffix == suffix; });
            };
        };
        for (const char* suffix :
             {"classes", "class_bits", "class_kinds", "class_outliers", "codes", "tables", "scale",
              "zero", "raw", "out_row", "out_val"}) {
            row(qPrintable(QString("no %1").arg(suffix)), drop(suffix), "missing");
            row(
                qPrintable(QString("%1 cut short").arg(suffix)),
                [suffix](Packed& p) {
                    auto& one = tensor(p, suffix);
                    one.shape.back() -= 1;
                    one.bytes.resize(size_t(TensorSpec{"", one.dtype, one.shape}.bytes()));
                },
                "should be");
            row(
                qPrintable(QString("%1 too long").arg(suffix)),
                [suffix](Packed& p) {
                    auto& one = tensor(p, suffix);
                    one.shape.back() += 1;
                    one.bytes.resize(size_t(TensorSpec{"", one.dtype, one.shape}.bytes()));
                },
                "should be");
            row(
                qPrintable(QString("%1 with another dtype").arg(suffix)),
                [suffix](Packed& p) { tensor(p, suffix).dtype = DType::I64; }, "should be");
            row(
                qPrintable(QString("%1 with fewer bytes than its shape says").arg(suffix)),
                [suffix](Packed& p) { tensor(p, suffix).bytes.pop_back(); }, "bytes");
        }
        row(
            "a tensor too many",
            [](Packed& p) {
                p.push_back({"more", DType::U8, {1}, {std::byte{1}}});
            },
            "does not belong");
        row(
            "class id", [](Packed& p) { set<uint8_t>(p, "classes", 2, 200); }, "class 200");
        row(
            "no classes",
            [](Packed& p) {
                tensor(p, "class_bits").shape = {0};
                tensor(p, "class_bits").bytes.clear();
            },
            "0 classes");
        row(
            "narrow class first",
            [](Packed& p) {
                set<uint8_t>(p, "class_bits", 1, 2);
                set<uint8_t>(p, "class_bits", 2, 3);
            },
            "out of order");
        row(
            "unknown kind", [](Packed& p) { set<uint8_t>(p, "class_kinds", 1, 9); }, "kind 9");
        row(
            "unknown width", [](Packed& p) { set<uint8_t>(p, "class_bits", 1, 0); }, "0 bits");
        row(
            "outliers beyond the rows",
            [](Packed& p) { set<uint32_t>(p, "class_outliers", 2, 41); }, "41 outliers");
        row(
            "outliers of a raw column", [](Packed& p) { set<uint32_t>(p, "class_outliers", 0, 1); },
            "1 outliers");
        row(
            "more outliers than stored",
            [](Packed& p) { set<uint32_t>(p, "class_outliers", 2, 5); }, "should be");
        row(
            "table falls", [](Packed& p) { set<int8_t>(p, "tables", 0, 127); }, "ascending");
        row(
            "table too wide",
            [](Packed& p) {
                set<int8_t>(p, "tables", 16, -128);
                set<int8_t>(p, "tables", 19, 127);
            },
            "spans 255");
        row(
            "scale is NaN", [](Packed& p) { set<uint16_t>(p, "scale", 0, 0x7fff); }, "scale");
        row(
            "zero is infinite", [](Packed& p) { set<uint16_t>(p, "zero", 0, 0xfc00); }, "zero");
        row(
            "raw is infinite", [](Packed& p) { set<uint16_t>(p, "raw", 7, 0x7c00); }, "raw value");
        row(
            "outlier row beyond", [](Packed& p) { set<uint16_t>(p, "out_row", 3, 40); }, "row 40");
        row(
            "outlier rows out of order", [](Packed& p) { set<uint16_t>(p, "out_row", 0, 39); },
            "ascending");
        row(
            "outlier is NaN", [](Packed& p) { set<uint16_t>(p, "out_val", 1, 0x7c01); }, "outlier");
        row(
            "padding is used", [](Packed& p) { set<uint32_t>(p, "codes", 8, 0xffffffff); },
            "padding");
    }
    void damagedTensors() {
        QFETCH(std::function<void(Packed&)>, change);
        QFETCH(QString, message);
        const Menu menu{{PointKind::Raw, 16, 0},
                        {PointKind::Table, 4, 0},
                        {PointKind::Grid, 3, 0.1},
                        {PointKind::Table, 2, 0}};
        const std::vector<uint8_t> points{0, 1, 2, 3};
        Random random(1);
        ColumnWeights weights = ColumnWeights::make(40, 4, points, menu);
        fill(random, weights);
        auto packed = pack(weights);
        change(packed);
        COMPARE_ERROR(unpackColumn("L", 40, 4, asStored(packed)), message.toStdString());
    }

    void groups_data() {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("cols");
        QTest::addColumn<int>("bits");
        QTest::addColumn<int>("groupSize");
        for (const int bits : {2, 3, 4, 5, 6, 7, 8})
            for (const int groupSize : {1, 16, 100, 1000})
                QTest::addRow("%d bits, g%d", bits, groupSize) << 7 << 100 << bits << groupSize;
        QTest::addRow("one weight") << 1 << 1 << 3 << 128;
    }
    void groups() {
        QFETCH(int, rows);
        QFETCH(int, cols);
        QFETCH(int, bits);
        QFETCH(int, groupSize);
        for (const bool symmetric : {false, true}) {
            for (const bool actOrder : {false, true}) {
                Random random(uint64_t(bits * 100 + groupSize));
                const GroupFormat format{bits, groupSize, symmetric, actOrder};
                const GroupWeights weights = randomGroups(random, rows, cols, format);
                auto packed = pack(weights);
                const auto specs = groupSpecs("L", rows, cols, format);
                QCOMPARE(packed.size(), specs.size());
                for (size_t i = 0; i < specs.size(); ++i)
                    QVERIFY("L." + packed[i].suffix == specs[i].name &&
                            packed[i].shape == specs[i].shape &&
                            packed[i].dtype == specs[i].dtype &&
                            packed[i].bytes.size() == specs[i].bytes());
                const GroupWeights back = unpackGroup("L", rows, cols, format, asStored(packed));
                QVERIFY(back.codes == weights.codes && back.scale == weights.scale &&
                        back.zero == weights.zero && back.groupIndex == weights.groupIndex);
                std::vector<float> values(size_t(rows * cols));
                back.dequantize(values, 2);
                const int numGroups = (cols + groupSize - 1) / groupSize;
                for (int n = 0; n < rows; ++n)
                    for (int k = 0; k < cols; ++k) {
                        const int g = actOrder ? weights.groupIndex[size_t(k)] : k / groupSize;
                        const auto p = size_t(n * numGroups + g);
                        const int step = weights.codes[size_t(n * cols + k)] - weights.zero[p];
                        QCOMPARE(values[size_t(n * cols + k)],
                                 halfValue(weights.scale[p]) * float(step));
                    }
                // Rows are padded on their own.
                QCOMPARE(packed[0].shape, (std::vector<int64_t>{rows, (cols * bits + 31) / 32}));
            }
        }
    }

    void damagedGroups() {
        Random random(3);
        const GroupFormat format{4, 16, false, true};
        const GroupWeights weights = randomGroups(random, 5, 33, format);
        const auto damage = [&](const std::function<void(Packed&)>& change) {
            auto packed = pack(weights);
            change(packed);
            return errorOf([&] { unpackGroup("L", 5, 33, format, asStored(packed)); });
        };
        const auto contains = [](const std::string& text, const char* part) {
            return text.find(part) != std::string::npos;
        };
        QCOMPARE(damage([](Packed&) {}), std::string());
        QVERIFY(contains(damage([](Packed& p) { p.pop_back(); }), "'L.group_index' is missing"));
        QVERIFY(contains(damage([](Packed& p) { set<uint16_t>(p, "group_index", 3, 3); }),
                         "group 3 of 3"));
        QVERIFY(
            contains(damage([](Packed& p) { set<uint8_t>(p, "group_zero", 3, 16); }), "zero 16"));
        QVERIFY(contains(damage([](Packed& p) { set<uint16_t>(p, "group_scale", 3, 0x7c00); }),
                         "scale"));
        QVERIFY(contains(damage([](Packed& p) { set<uint32_t>(p, "codes", 4, 0x10); }), "padding"));
        QVERIFY(contains(damage([](Packed& p) {
                             p.push_back({"zero", DType::F16, {1}, std::vector<std::byte>(2)});
                         }),
                         "does not belong"));
        COMPARE_ERROR(groupSpecs("L", 5, 33, {9, 16, false, false}), "9 bits");
        COMPARE_ERROR(groupSpecs("L", 5, 33, {4, 0, false, false}), "group size 0");
        GroupWeights bad = weights;
        bad.codes[7] = 16;
        COMPARE_ERROR(pack(bad), "does not fit 4 bits");
    }
};

QTEST_APPLESS_MAIN(TestColumnWeights)
#include "tst_column_weights.moc"
