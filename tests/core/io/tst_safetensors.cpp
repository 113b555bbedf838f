// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/io/safetensors.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <cstring>

using namespace bitloom;

namespace {

std::vector<std::byte> toBytes(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

/// A file with this header text, `claimed` as its length (the true one if negative), and so many
/// bytes of data 0, 1, 2, …
std::vector<std::byte> makeFile(const std::string& header, size_t dataBytes, int64_t claimed = -1) {
    std::string file;
    const uint64_t length = claimed < 0 ? header.size() : uint64_t(claimed);
    for (int i = 0; i < 8; ++i)
        file.push_back(char(length >> (8 * i)));
    file += header;
    for (size_t i = 0; i < dataBytes; ++i)
        file.push_back(char(i));
    return toBytes(file);
}

std::string entry(const char* name, const char* dtype, const char* shape, const char* offsets) {
    return std::string("\"") + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
}

std::string messageOf(std::vector<std::byte> bytes) {
    try {
        SafetensorsFile::fromBytes(std::move(bytes), "the file");
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

QByteArray fileContent(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace

class TestSafetensors : public QObject {
    Q_OBJECT
private slots:
    void readsWhatOthersWrote() {
        // Saved by the safetensors library.
        const auto file =
            SafetensorsFile::open(BITLOOM_TEST_DATA "/goldens/llama2-gqa/model.safetensors");
        QCOMPARE(file->metadata().at("format"), std::string("pt"));
        QCOMPARE(file->fileBytes(), uint64_t(393096));
        QCOMPARE(file->tensors().front().name, std::string("lm_head.weight"));
        const TensorInfo& gate = file->require("model.layers.0.mlp.gate_proj.weight");
        QCOMPARE(gate.dtype, DType::F16);
        QCOMPARE(shapeText(gate.shape), std::string("[160, 64]"));
        QCOMPARE(gate.begin, uint64_t(151680));
        QCOMPARE(file->data(gate).size(), size_t(160 * 64 * 2));
        QVERIFY(file->headerText().starts_with('{') && file->headerText().ends_with('}'));
        file->release(gate);
        QVERIFY(!file->find("no such"));
        QVERIFY_EXCEPTION_THROWN(file->require("no such"), Error);
        TensorInfo forged = gate;
        forged.end = file->fileBytes();
        QVERIFY_EXCEPTION_THROWN(file->data(forged), Error);
    }

    void acceptsOddButValidFiles() {
        // A hole at the start, an unaligned start, an empty tensor inside another, unknown keys.
        const auto file = SafetensorsFile::fromBytes(
            makeFile(
                "{" + entry("b", "F32", "[1]", "[5,9]") + "," +
                    entry("e", "F64", "[0,3]", "[6,6]") +
                    ",\"a\":{\"dtype\":\"U8\",\"x\":{\"y\":[[1],null,-2,1.5,true]},\"shape\":[2],"
                    "\"data_offsets\":[1,3],\"z\":-1}}   \n",
                12),
            "x");
        QCOMPARE(file->tensors().size(), size_t(3));
        QCOMPARE(file->tensors()[0].name, std::string("a")); // by offset
        QCOMPARE(file->data(*file->find("b"))[0], std::byte{5});
        QCOMPARE(file->find("e")->elements(), int64_t(0));
        QVERIFY(file->headerText().ends_with('}'));
        QVERIFY(SafetensorsFile::fromBytes(makeFile("{}", 0), "x")->tensors().empty());
        const auto scalar = SafetensorsFile::fromBytes(
            makeFile("{" + entry("s", "F64", "[]", "[0,8]") + "}", 8), "x");
        QCOMPARE(scalar->tensors()[0].elements(), int64_t(1));
    }

    void refusesLies_data() {
        QTest::addColumn<QByteArray>("file");
        QTest::addColumn<QString>("reason");
        const auto row = [](const char* title, const std::vector<std::byte>& file,
                            const char* reason) {
            QTest::newRow(title) << QByteArray(reinterpret_cast<const char*>(file.data()),
                                               qsizetype(file.size()))
                                 << reason;
        };
        const auto header = [&](const char* title, const std::string& text, const char* reason,
                                size_t data = 16) { row(title, makeFile(text, data), reason); };
        const auto one = [&](const char* title, const char* dtype, const char* shape,
                             const char* offsets, const char* reason) {
            header(title, "{" + entry("w", dtype, shape, offsets) + "}", reason);
        };
        row("empty", {}, "only 0 bytes");
        row("seven bytes", toBytes("1234567"), "only 7 bytes");
        row("text", toBytes("version https://git-lfs.github.com/spec/v1"), "text");
        row("longer than the file", makeFile("{}", 0, 3), "only 2 follow");
        row("longer than allowed", makeFile("{}", 0, 100'000'001), "at most 100000000");
        row("longest number", makeFile("{}", 0, INT64_MAX), "at most");
        row("no header", makeFile("", 0), "begin with '{'");
        header("no object", "[]", "begin with '{'");
        header("space first", " {}", "begin with '{'");
        header("not JSON", "{\"a\"", "not valid JSON");
        header("two objects", "{}{}", "not valid JSON");
        header("nul padding", std::string("{}\0\0", 4), "not valid JSON");
        header("not UTF-8", "{\"\xff\":{}}", "not valid JSON");
        header("deep", "{\"a\":" + std::string(100'000, '['), "a list");
        header("deep unknown", "{\"a\":{\"x\":" + std::string(100'000, '['), "not valid JSON");
        header("number for a tensor", "{\"w\":1}", "a number");
        header("null for a tensor", "{\"w\":null}", "null");
        header("list for a tensor", "{\"w\":[]}", "a list");
        header("no keys", "{\"w\":{}}", "no 'dtype'");
        header("no offsets", "{\"w\":{\"dtype\":\"U8\",\"shape\":[]}}", "no 'data_offsets'");
        header("metadata number", "{\"__metadata__\":{\"a\":1}}", "not a text");
        header("metadata list", "{\"__metadata__\":[]}", "a list");
        header("metadata object", "{\"__metadata__\":{\"a\":{}}}", "an object");
        header("metadata twice", "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "twice");
        header("tensor twice",
               "{" + entry("w", "U8", "[1]", "[0,1]") + "," + entry("w", "U8", "[1]", "[1,2]") +
                   "}",
               "lists 'w' twice");
        header("key twice", "{\"w\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "given twice");
        one("unknown dtype", "F4", "[1]", "[0,1]", "dtype 'F4'");
        one("dtype in lower case", "f32", "[1]", "[0,4]", "dtype 'f32'");
        header("dtype number", "{\"w\":{\"dtype\":7}}", "'dtype' is a number");
        one("shape text", "U8", "\"1\"", "[0,1]", "'shape' is a text");
        one("shape object", "U8", "{}", "[0,1]", "'shape' is an object");
        one("shape of lists", "U8", "[[1]]", "[0,1]", "shape holds a list");
        one("negative shape", "U8", "[-1]", "[0,1]", "negative");
        one("fraction", "U8", "[1.5]", "[0,1]", "fraction");
        one("shape of texts", "U8", "[\"1\"]", "[0,1]", "shape holds a text");
        one("dimension beyond int64", "U8", "[9223372036854775808]", "[0,1]", "too large");
        one("dimension beyond uint64", "U8", "[18446744073709551616]", "[0,1]", "too large");
        one("product overflows to 0", "U8", "[4294967296,4294967296]", "[0,0]", "too large");
        one("product overflows to 4", "F32", "[4611686018427387905]", "[0,4]", "too large");
        one("overflow behind a zero", "U8", "[0,4294967296,4294967296]", "[0,0]", "too large");
        one("one offset", "U8", "[1]", "[0]", "two numbers");
        one("three offsets", "U8", "[1]", "[0,1,2]", "two numbers");
        one("offset text", "U8", "[1]", "[0,\"1\"]", "a text");
        one("end before begin", "U8", "[1]", "[2,1]", "before it begins");
        one("size too small", "F32", "[2]", "[0,7]", "takes 8 bytes");
        one("size too large", "F32", "[2]", "[0,9]", "takes 8 bytes");
        one("beyond the file", "U8", "[8]", "[9,17]", "only 16");
        one("far beyond the file", "U8", "[1]", "[9223372036854775806,9223372036854775807]",
            "only 16");
        header("overlap",
               "{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[4]", "[3,7]") +
                   "}",
               "'a' and 'b' overlap");
        header("inside",
               "{" + entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[1]", "[3,4]") +
                   "}",
               "'a' and 'b' overlap");
        header("same place",
               "{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[4]", "[0,4]") +
                   "}",
               "overlap");
        header("overlap behind an empty one",
               "{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("e", "U8", "[0]", "[2,2]") +
                   "," + entry("b", "U8", "[4]", "[3,7]") + "}",
               "overlap");
    }
    void refusesLies() {
        QFETCH(QByteArray, file);
        QFETCH(QString, reason);
        const auto* data = reinterpret_cast<const std::byte*>(file.constData());
        const std::string message = messageOf({data, data + file.size()});
        QVERIFY2(QString::fromStdString(message).contains(reason), message.c_str());
        QVERIFY2(message.starts_with("the file"), message.c_str());
    }

    void refusesEveryTruncation() {
        const auto whole = makeFile("{" + entry("a", "F32", "[2]", "[0,8]") + "," +
                                        entry("b", "BF16", "[3]", "[8,14]") + "}",
                                    14);
        QCOMPARE(messageOf(whole), std::string("accepted"));
        for (size_t size = 0; size < whole.size(); ++size)
            QVERIFY(messageOf({whole.begin(), whole.begin() + std::ptrdiff_t(size)}) != "accepted");
    }

    void dtypesHaveNamesAndSizes() {
        for (const auto& [dtype, name, bytes] :
             std::vector<std::tuple<DType, std::string_view, int>>{{DType::F64, "F64", 8},
                                                                   {DType::BF16, "BF16", 2},
                                                                   {DType::I16, "I16", 2},
                                                                   {DType::U64, "U64", 8},
                                                                   {DType::Bool, "BOOL", 1},
                                                                   {DType::F8E4M3, "F8_E4M3", 1},
                                                                   {DType::F8E5M2, "F8_E5M2", 1}}) {
            QCOMPARE(dtypeName(dtype), name);
            QCOMPARE(dtypeBytes(dtype), int64_t(bytes));
            QVERIFY(dtypeFromName(name) == dtype);
        }
        QVERIFY(!dtypeFromName("Bool"));
        QCOMPARE(shapeText({}), std::string("[]"));
    }

    void laysOutWidestFirst() {
        const SafetensorsLayout layout({{"c", DType::U8, {3}},
                                        {"b", DType::F16, {5}},
                                        {"z", DType::F64, {1}},
                                        {"a", DType::BF16, {1}},
                                        {"é\"\n", DType::I8, {0}}},
                                       {{"k", "v\""}, {"format", "pt"}});
        std::string order;
        uint64_t at = 0;
        for (const TensorInfo& tensor : layout.tensors()) {
            order += tensor.name;
            QCOMPARE(tensor.begin, at); // no holes
            at = tensor.end;
            QCOMPARE(layout.fileOffset(tensor) % uint64_t(dtypeBytes(tensor.dtype)), uint64_t(0));
        }
        QCOMPARE(order, std::string("zabcé\"\n"));
        QCOMPARE(layout.header().size() % 8, size_t(0));
        QCOMPARE(layout.fileBytes(), layout.header().size() + 8 + 2 + 10 + 3);
        QVERIFY(layout.header().substr(8).starts_with(
            "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\\\"\"},\"z\":{\"dtype\":\"F64\","
            "\"shape\":[1],"
            "\"data_offsets\":[0,8]},"));
        QCOMPARE(SafetensorsLayout({}, {}).header().substr(8), std::string("{}      "));
    }

    void refusesToWriteNonsense() {
        const auto fails = [](std::vector<TensorSpec> specs) {
            try {
                SafetensorsLayout(std::move(specs), {});
            } catch (const Error&) {
                return true;
            }
            return false;
        };
        QVERIFY(fails({{"a", DType::U8, {1}}, {"a", DType::U8, {2}}}));
        QVERIFY(fails({{"a", DType::U8, {-1}}}));
        QVERIFY(fails({{"a", DType::F32, {INT64_MAX}}}));
        QVERIFY(fails({{"a", DType::U8, {INT64_MAX}}, {"b", DType::U8, {INT64_MAX}}}));
        QVERIFY(fails({{"__metadata__", DType::U8, {1}}}));
        QVERIFY(fails({{"\xff", DType::U8, {1}}}));
        QVERIFY(!fails({{"a", DType::U8, {1}}}));
        const std::string bytes = "xx";
        QVERIFY_EXCEPTION_THROWN(
            writeSafetensors("/tmp/never",
                             {{{"a", DType::U8, {3}}, std::as_bytes(std::span(bytes))}}),
            Error);
    }

    void writesWhatItReads() {
        QTemporaryDir folder;
        const auto path = folder.filePath("out.safetensors").toStdString();
        const std::vector<float> floats{1.5f, -2.0f, 0.0f, 7.25f};
        const std::string text = "hello";
        const std::vector<TensorBytes> tensors{
            {{"text", DType::U8, {5}}, std::as_bytes(std::span(text))},
            {{"floats", DType::F32, {2, 2}}, std::as_bytes(std::span(floats))},
            {{"none", DType::I64, {0}}, {}}};
        writeSafetensors(path, tensors, {{"a", "b"}});
        const QByteArray first = fileContent(QString::fromStdString(path));
        const auto file = SafetensorsFile::open(path);
        QCOMPARE(file->metadata().at("a"), std::string("b"));
        QVERIFY(std::memcmp(file->data(file->require("floats")).data(), floats.data(), 16) == 0);
        QVERIFY(std::memcmp(file->data(file->require("text")).data(), "hello", 5) == 0);
        QVERIFY(file->data(file->require("none")).empty());
        writeSafetensors(path, {tensors[2], tensors[0], tensors[1]}, {{"a", "b"}});
        QCOMPARE(fileContent(QString::fromStdString(path)), first); // whatever the order given
        QVERIFY(!QFile::exists(QString::fromStdString(path) + ".tmp"));
        // Whoever has the old file mapped keeps it.
        QVERIFY(std::memcmp(file->data(file->require("floats")).data(), floats.data(), 16) == 0);
        writeSafetensors(folder.filePath("empty").toStdString(), {});
        QVERIFY(SafetensorsFile::open(folder.filePath("empty").toStdString())->tensors().empty());
    }
};

QTEST_APPLESS_MAIN(TestSafetensors)
#include "tst_safetensors.moc"
