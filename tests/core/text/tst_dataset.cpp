// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/hash.h"
#include "core/io/safetensors.h"
#include "core/text/dataset.h"
#include "tokenizer_files.h"

#include <QtTest>

#include <numeric>

using namespace bitloom;
using tokenizer_files::data;
using tokenizer_files::errorOf;
using tokenizer_files::Folder;

namespace {

using Ids = std::vector<int32_t>;

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

Ids counted(size_t count) {
    Ids ids(count);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

std::filesystem::path writeIds(const Folder& folder, const Ids& ids, std::vector<int64_t> shape,
                               DType dtype = DType::I32) {
    const std::filesystem::path path = folder.path() / "ids.safetensors";
    writeSafetensors(path,
                     {{{"input_ids", dtype, std::move(shape)}, std::as_bytes(std::span(ids))}});
    return path;
}

} // namespace

class TstDataset : public QObject {
    Q_OBJECT

private slots:
    void textsAreJoined() {
        const Folder folder;
        folder.write("a.txt", std::string("one\n"));
        folder.write("b.jsonl",
                     std::string("{\"text\": \"two\"}\r\n\n{\"x\": 1, \"text\": \"é\"}"));
        QCOMPARE(readTexts({folder.path() / "a.txt"}), std::string("one\n"));
        QCOMPARE(readTexts({folder.path() / "a.txt", folder.path() / "b.jsonl"}),
                 std::string("one\n\n\ntwo\n\né"));
    }

    void badTexts() {
        const Folder folder;
        const auto error = [&](const char* name, const std::string& content) {
            folder.write(name, content);
            return errorOf([&] { readTexts({folder.path() / name}); });
        };
        QVERIFY(contains(error("a.txt", ""), "no text"));
        const std::string place = error("b.txt", "good\nb\xC3\xA9 \xFF x");
        QVERIFY2(contains(place, "line 2, byte 5") && contains(place, "offset 9"), place.c_str());
        QVERIFY(contains(error("c.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}"), "line 2"));
        QVERIFY(contains(error("d.jsonl", "{\"text\": "), "line 1"));
        QVERIFY(contains(error("e.jsonl", "\n\n"), "no text"));
        QVERIFY(!errorOf([&] { readTexts({folder.path() / "missing.txt"}); }).empty());
        QVERIFY(!errorOf([&] { readTexts({}); }).empty());
    }

    void windowsOfText() {
        const auto tokenizer = loadTokenizer(data() / "tales");
        const std::string text = "Once upon a time there was a small door in the wall.";
        Ids ids = tokenizer->encode(text);
        ids.insert(ids.begin(), 1); // one BOS, at the start of the whole
        const TokenWindows windows = windowsFromText(*tokenizer, text, "here", 4);
        QCOMPARE(windows.length, int64_t(4));
        QCOMPARE(windows.count, int64_t(ids.size()) / 4);
        QVERIFY(std::equal(windows.ids.begin(), windows.ids.end(), ids.begin()));
        QCOMPARE(windows.ids.size(), size_t(windows.count * 4));
        QCOMPARE(windows.row(1)[0], ids[4]);
        QCOMPARE(windows.source, std::string("here"));
        QCOMPARE(windows.textHash, hashText(text));
        QCOMPARE(windowsFromText(*tokenizer, text, "here", 4, 2).count, int64_t(2));
        const std::string error =
            errorOf([&] { windowsFromText(*tokenizer, "short", "here", 2048); });
        QVERIFY2(contains(error, "2,048") && contains(error, "here"), error.c_str());
        QVERIFY(!errorOf([&] { windowsFromText(*tokenizer, text, "here", 0); }).empty());
    }

    void windowsOfIds() {
        const Folder folder;
        const auto flat = writeIds(folder, counted(10), {10});
        TokenWindows windows = windowsFromIds(flat, 100, 0);
        QCOMPARE(windows.count, int64_t(1));
        QCOMPARE(windows.ids, counted(10));
        windows = windowsFromIds(flat, 100, 3);
        QCOMPARE(windows.count, int64_t(3));
        QCOMPARE(windows.ids, counted(9));
        QCOMPARE(windowsFromIds(flat, 100, 3, 2).ids, counted(6));
        QVERIFY(contains(errorOf([&] { windowsFromIds(flat, 100, 11); }), "10 ids"));
        QVERIFY(contains(errorOf([&] { windowsFromIds(flat, 9, 3); }), "id 9 at position 9"));

        const auto rows = writeIds(folder, counted(10), {2, 5});
        windows = windowsFromIds(rows, 100, 0);
        QCOMPARE(windows.count, int64_t(2));
        QCOMPARE(windows.length, int64_t(5));
        windows = windowsFromIds(rows, 100, 2); // no window spans two rows
        QCOMPARE(windows.ids, (Ids{0, 1, 2, 3, 5, 6, 7, 8}));
        QCOMPARE(windowsFromIds(rows, 100, 64).length, int64_t(5));
        QCOMPARE(windowsFromIds(rows, 100, 2, 3).ids, (Ids{0, 1, 2, 3, 5, 6}));
    }

    void badIds() {
        const Folder folder;
        const auto error = [&](const Ids& ids, std::vector<int64_t> shape,
                               DType dtype = DType::I32) {
            const auto path = writeIds(folder, ids, std::move(shape), dtype);
            return errorOf([&] { windowsFromIds(path, 100, 0); });
        };
        QVERIFY(contains(error({1, -1}, {2}), "id -1 at position 1"));
        QVERIFY(contains(error({1, 2}, {1, 1, 2}), "[1, 1, 2]"));
        QVERIFY(contains(error({1, 2}, {2}, DType::F32), "F32"));
        QVERIFY(contains(error({}, {0, 4}), "empty"));
        QVERIFY(!errorOf([&] { windowsFromIds(folder.path() / "none", 100, 0); }).empty());
    }
};

QTEST_APPLESS_MAIN(TstDataset)
#include "tst_dataset.moc"
