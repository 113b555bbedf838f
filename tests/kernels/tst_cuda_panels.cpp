// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/panels.h"

#include <QtTest>

using namespace bitloom::cuda;

/// Pieces that cuBLASLt multiplies: what it is told of their addresses must be true.
class TestCudaPanels : public QObject {
    Q_OBJECT
private slots:
    void resultsStayAligned_data() {
        QTest::addColumn<qlonglong>("rows");
        QTest::addColumn<qlonglong>("stride");
        // Shapes of LLaMA-2-7B, of LLaMA-3's head; odd ones; one row larger than a piece.
        for (const auto& [rows, stride] : {std::pair{11008LL, 4096LL},
                                           {128256LL, 4096LL},
                                           {32003LL, 5128LL},
                                           {7LL, 8LL},
                                           {100LL, 1LL << 24},
                                           {200000LL, 1160LL}})
            QTest::addRow("%lld x %lld", rows, stride) << rows << stride;
    }
    void resultsStayAligned() {
        QFETCH(qlonglong, rows);
        QFETCH(qlonglong, stride);
        for (const int64_t unit : {64, 256}) {
            const int64_t piece = panelRows(rows, stride, unit);
            QVERIFY(piece >= 1 && piece <= rows);
            QVERIFY(piece == rows || piece % unit == 0);
            QVERIFY(piece * stride * 2 <= panelBytes || piece <= unit);
            // Not needlessly small.
            QVERIFY(piece == rows || (piece + unit) * stride * 2 > panelBytes);
            for (int64_t first = 0; first < rows; first += piece)
                QCOMPARE(alignmentOf(uintptr_t(4096 + 4 * first)), uint32_t(256));
        }
    }
    void alignments() {
        QCOMPARE(alignmentOf(0x7f0000000000u), uint32_t(256));
        QCOMPARE(alignmentOf(0x7f0000000080u), uint32_t(128));
        QCOMPARE(alignmentOf(0x7f0000000004u), uint32_t(4));
        QCOMPARE(alignmentOf(0x7f000000000cu), uint32_t(4));
        QCOMPARE(alignmentOf(0x7f0000000102u), uint32_t(2));
        QCOMPARE(alignmentOf(0), uint32_t(256));
    }
};

QTEST_APPLESS_MAIN(TestCudaPanels)
#include "tst_cuda_panels.moc"
