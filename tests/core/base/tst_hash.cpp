// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/hash.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace bitloom;

class TestHash : public QObject {
    Q_OBJECT
private slots:
    // As `xxhsum -H2` prints them.
    void publishedValues() {
        QCOMPARE(hashText(""), std::string("99aa06d3014798d86001c324468d497f"));
        QCOMPARE(hashText("a"), std::string("a96faf705af16834e6c632b61e964e1f"));
        QCOMPARE(hashText("abc"), std::string("06b05ab6733a618578af5f94892f3950"));
    }

    void piecesGiveTheSameAsTheWhole() {
        std::string text;
        for (int i = 0; i < 300'000; ++i)
            text.push_back(char(i * 31 + i / 7));
        const std::string whole = hashText(text);
        Hasher hasher;
        for (size_t at = 0, step = 1; at < text.size(); at += step, step = step * 2 + 1)
            hasher.update(std::string_view(text).substr(at, step));
        QCOMPARE(hasher.digest(), whole);
        QCOMPARE(hasher.digest(), whole); // asking changes nothing
        hasher.update("x");
        QVERIFY(hasher.digest() != whole);
        Hasher moved = std::move(hasher);
        QCOMPARE(moved.digest(), hashText(text + "x"));

        QTemporaryDir folder;
        const auto path = folder.filePath("file");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        for (int i = 0; i < 5; ++i)
            file.write(text.data(), qint64(text.size())); // several pieces
        file.close();
        QCOMPARE(hashFile(path.toStdString()), hashText(text + text + text + text + text));
    }

    void saysWhatCannotBeRead() {
        try {
            hashFile("/no/such/file");
            QFAIL("read");
        } catch (const Error& error) {
            QVERIFY(std::string(error.what()).find("/no/such/file") != std::string::npos);
        }
        QVERIFY_EXCEPTION_THROWN(hashFile("/"), Error);
    }
};

QTEST_APPLESS_MAIN(TestHash)
#include "tst_hash.moc"
