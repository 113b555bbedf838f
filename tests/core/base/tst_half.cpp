// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/half.h"

#include <QTest>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace bitloom::kernels;

namespace {

/// The value of binary16 bits by its definition.
double valueOfHalf(uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return mantissa ? std::numeric_limits<double>::quiet_NaN()
                        : sign * std::numeric_limits<double>::infinity();
    return sign *
           (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

/// Nearest binary16 by arithmetic on doubles: rounds value / unit to even.
uint16_t nearestHalf(float value) {
    const auto sign = uint16_t(std::signbit(value) ? 0x8000 : 0);
    const double magnitude = std::abs(double(value));
    if (magnitude >= 65520) return uint16_t(sign | 0x7c00);
    int exponent = magnitude > 0 ? std::ilogb(magnitude) : -14;
    exponent = std::max(exponent, -14);
    const double steps = std::nearbyint(std::ldexp(magnitude, 10 - exponent)); // exact scaling
    // One exponent step is 1024 mantissa steps, so a carry falls into place by itself.
    return uint16_t(sign + int(steps) + (exponent + 14) * 1024);
}

uint16_t nearestBfloat16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const uint32_t low = bits & 0xffff, down = bits >> 16;
    return uint16_t(low > 0x8000 || (low == 0x8000 && (down & 1)) ? down + 1 : down);
}

std::vector<float> hardFloats() {
    std::vector<float> values;
    for (uint32_t bits = 0; bits < 65536; ++bits) { // all halves, their midpoints and neighbours
        const float half = halfToFloat(uint16_t(bits));
        if (std::isnan(half)) continue;
        for (const float other : {halfToFloat(uint16_t(bits + 1)), half}) {
            const float middle =
                std::isfinite(other) && std::isfinite(half) ? (half + other) / 2 : half;
            for (const float value :
                 {middle, std::nextafter(middle, 1e30f), std::nextafter(middle, -1e30f)})
                values.push_back(value);
        }
    }
    std::mt19937 random(1);
    for (int i = 0; i < 300'000; ++i)
        values.push_back(std::bit_cast<float>(uint32_t(random())));
    for (const float value : {0.0f, -0.0f, 65504.0f, 65519.996f, 65520.0f, -65520.0f, 1e38f, 1e-40f,
                              0x1p-25f, 0x1.000002p-25f, 0x1p-24f, 0x1.8p-24f, 3.3895314e38f})
        values.push_back(value);
    return values;
}

} // namespace

class TestHalf : public QObject {
    Q_OBJECT
private slots:
    void halvesToFloat() {
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            const float value = halfToFloat(uint16_t(bits));
            const double expected = valueOfHalf(uint16_t(bits));
            if (std::isnan(expected)) {
                QVERIFY(std::isnan(value));
                QVERIFY(std::isnan(halfToFloat(floatToHalf(value))));
            } else {
                QCOMPARE(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(float(expected)));
                QCOMPARE(floatToHalf(value), uint16_t(bits)); // and back
            }
        }
    }

    void floatsRoundToTheNearest() {
        for (const float value : hardFloats()) {
            if (std::isnan(value)) {
                QVERIFY(std::isnan(halfToFloat(floatToHalf(value))));
                QVERIFY(std::isnan(bfloat16ToFloat(floatToBfloat16(value))));
                continue;
            }
            if (floatToHalf(value) != nearestHalf(value) ||
                floatToBfloat16(value) != nearestBfloat16(value))
                QFAIL(qPrintable(QString("value %1").arg(double(value), 0, 'g', 12)));
        }
        QCOMPARE(roundToHalf(1.0f + 0x1p-11f), 1.0f); // a tie goes to even
        QCOMPARE(roundToHalf(1.0f + 0x3p-11f), 1.0f + 0x1p-9f);
        QVERIFY(std::isnan(bfloat16ToFloat(floatToBfloat16(std::bit_cast<float>(0x7f800001u)))));
        QVERIFY(std::isinf(bfloat16ToFloat(floatToBfloat16(std::numeric_limits<float>::max()))));
    }

    void bulkEqualsScalarBitByBit() {
        std::vector<uint16_t> all(65536 + 3);
        for (size_t i = 0; i < all.size(); ++i)
            all[i] = uint16_t(i);
        std::vector<float> floats = hardFloats();
        floats.push_back(std::bit_cast<float>(0x7f800001u)); // a signalling NaN
        floats.push_back(std::bit_cast<float>(0xffc12345u));
        // Lengths that leave a rest, and starts that are not aligned to the vectors.
        for (const size_t skip : {0, 1, 3, 7}) {
            const auto in = std::span<const uint16_t>(all).subspan(skip);
            std::vector<float> out(in.size());
            halfToFloat(in, out);
            for (size_t i = 0; i < in.size(); ++i)
                if (std::bit_cast<uint32_t>(out[i]) != std::bit_cast<uint32_t>(halfToFloat(in[i])))
                    QFAIL(qPrintable(QString("half %1").arg(in[i], 0, 16)));
            bfloat16ToFloat(in, out);
            for (size_t i = 0; i < in.size(); ++i)
                if (std::bit_cast<uint32_t>(out[i]) != uint32_t(in[i]) << 16) QFAIL("bfloat16");
            const auto source = std::span<const float>(floats).subspan(skip);
            std::vector<uint16_t> bits(source.size());
            floatToHalf(source, bits);
            for (size_t i = 0; i < bits.size(); ++i)
                if (bits[i] != floatToHalf(source[i]))
                    QFAIL(qPrintable(
                        QString("float %1").arg(std::bit_cast<uint32_t>(source[i]), 0, 16)));
            floatToBfloat16(source, bits);
            for (size_t i = 0; i < bits.size(); ++i)
                if (bits[i] != floatToBfloat16(source[i])) QFAIL("to bfloat16");
        }
        for (size_t n = 0; n < 20; ++n) { // writes nothing beyond the end
            std::vector<float> out(n + 1, -7.0f);
            halfToFloat(std::span<const uint16_t>(all).first(n), std::span(out).first(n));
            QCOMPARE(out[n], -7.0f);
        }
    }
};

QTEST_APPLESS_MAIN(TestHalf)
#include "tst_half.moc"
