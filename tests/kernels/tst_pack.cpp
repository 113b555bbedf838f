// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <random>
#include <vector>

#include "kernels/pack.h"

using namespace bitloom::kernels;

class TestPack : public QObject {
    Q_OBJECT

private slots:
    void knownWords() {
        // 3-bit codes 1…8 (mod 8) by hand: 0b000'111'110'101'100'011'010'001.
        const std::vector<uint8_t> codes = {1, 2, 3, 4, 5, 6, 7, 0};
        std::vector<uint32_t> words(1, 0xFFFFFFFFu);
        packCodes(codes, 3, words);
        QCOMPARE(words[0], 0b000'111'110'101'100'011'010'001u);
        // A 5-bit code that straddles words: code 6 has bits 30…34.
        std::vector<uint8_t> five(7, 0);
        five[6] = 0b10110;
        words.assign(2, 0xFFFFFFFFu);
        packCodes(five, 5, words);
        QCOMPARE(words[0], 0b10u << 30);
        QCOMPARE(words[1], 0b101u);
    }

    void bits_data() {
        QTest::addColumn<int>("bits");
        for (int bits = 1; bits <= 8; ++bits)
            QTest::addRow("%d bits", bits) << bits;
    }

    /// Against the definition, bit by bit, for every length around the block size.
    void bits() {
        QFETCH(int, bits);
        std::mt19937 random{unsigned(bits)};
        for (int n = 0; n <= 131; ++n) {
            std::vector<uint8_t> codes(static_cast<size_t>(n));
            for (uint8_t& c : codes)
                c = uint8_t(random() & ((1u << bits) - 1));
            const int64_t count = packedWords(n, bits);
            QCOMPARE(count, (int64_t(n) * bits + 31) / 32);
            std::vector<uint32_t> words(size_t(count) + 1, 0xDEADBEEFu);
            const std::span<uint32_t> used = std::span(words).first(size_t(count));
            packCodes(codes, bits, used);
            QCOMPARE(words.back(), 0xDEADBEEFu); // nothing beyond the end
            for (int64_t bit = 0; bit < count * 32; ++bit) {
                const int64_t i = bit / bits;
                const uint32_t expected = i < n ? (codes[size_t(i)] >> (bit % bits)) & 1u : 0u;
                QCOMPARE((words[size_t(bit / 32)] >> (bit % 32)) & 1u, expected);
            }
            std::vector<uint8_t> back(size_t(n) + 1, 0xEE);
            unpackCodes(used, bits, std::span(back).first(size_t(n)));
            QCOMPARE(back.back(), uint8_t(0xEE));
            back.pop_back();
            QCOMPARE(back, codes);
        }
    }
};

QTEST_APPLESS_MAIN(TestPack)
#include "tst_pack.moc"
