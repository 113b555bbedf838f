// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/selftest_parts.h"

#include "app/cli/commands.h"
#include "app/cli/planning.h"
#include "app/cli/quantizing.h"
#include "core/base/hash.h"
#include "core/base/units.h"
#include "core/format/column_weights.h"
#include "core/io/durable.h"
#include "kernels/column_quantizer.h"
#include "kernels/half.h"
#include "kernels/pack.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

namespace bitloom::cli {

namespace {

std::vector<float> gaussian(size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<float> values(count);
    for (float& value : values) { // sum of uniforms: the same on every C++ library
        double sum = -6;
        for (int i = 0; i < 12; ++i)
            sum += double(random()) * 0x1p-32;
        value = float(sum);
    }
    return values;
}

} // namespace

std::string halfRoundTrip() {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<uint16_t>(bits);
        const float value = kernels::halfToFloat(half);
        const int exponent = (bits >> 10) & 31;
        const double fraction = bits & 1023;
        if (exponent < 31) {
            const double expected =
                (bits >> 15 ? -1 : 1) *
                (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
            require(double(value) == expected, fmt::format("half {:#06x} gives {}", bits, value));
        }
        if (!std::isnan(value))
            require(kernels::floatToHalf(value) == half, fmt::format("half {:#06x} changes", bits));
        const float wide = kernels::bfloat16ToFloat(half);
        if (!std::isnan(wide))
            require(kernels::floatToBfloat16(wide) == half,
                    fmt::format("bfloat16 {:#06x} changes", bits));
    }
    return "all 65536 values of both 16-bit forms";
}

std::string hashing() {
    // Published: XXH3-128 of nothing, seed 0.
    require(hashText("") == "99aa06d3014798d86001c324468d497f",
            "hash of nothing is " + hashText(""));
    return "XXH3-128 of a known input";
}

std::string packing() {
    std::mt19937 random(1);
    int64_t codesChecked = 0;
    for (int bits = 1; bits <= 8; ++bits)
        for (const int64_t n : {0, 1, 31, 32, 33, 255, 256, 1000}) {
            std::vector<uint8_t> codes(static_cast<size_t>(n)), back(static_cast<size_t>(n));
            for (uint8_t& code : codes)
                code = uint8_t(random() & ((1u << bits) - 1));
            std::vector<uint32_t> words(size_t(kernels::packedWords(n, bits)), 0xFFFFFFFFu);
            kernels::packCodes(codes, bits, words);
            for (int64_t i = 0; i < n; ++i) // bit by bit, as the format says
                for (int b = 0; b < bits; ++b) {
                    const int64_t at = i * bits + b;
                    require(((words[size_t(at / 32)] >> (at % 32)) & 1) ==
                                ((codes[size_t(i)] >> b) & 1u),
                            fmt::format("{} bits: bit {} of code {}", bits, b, i));
                }
            kernels::unpackCodes(words, bits, back);
            require(back == codes, fmt::format("{} bits, {} codes do not come back", bits, n));
            codesChecked += n;
        }
    return fmt::format("{} codes of 1 to 8 bits", codesChecked);
}

std::string columnFits() {
    kernels::ColumnScratch scratch;
    const auto weights = gaussian(512, 2);
    int fits = 0;
    for (const auto& [kind, widths] :
         {std::pair{PointKind::Table, std::vector<int>{2, 3, 4}},
          std::pair{PointKind::Grid, std::vector<int>{2, 3, 4, 5, 6, 8}}}) {
        double before = std::numeric_limits<double>::infinity();
        for (const int bits : widths) {
            double sse = 0, direct = 0;
            const auto code = kernels::fitColumn(weights, kind, bits, scratch, nullptr, &sse);
            std::vector<uint8_t> codes(weights.size());
            kernels::assignColumn(weights, code, codes);
            for (size_t n = 0; n < weights.size(); ++n) {
                double nearest = std::numeric_limits<double>::infinity();
                for (int c = 0; c < code.entries(); ++c)
                    nearest =
                        std::min(nearest, std::fabs(double(weights[n]) - double(code.value(c))));
                const double error = double(weights[n]) - double(code.value(codes[n]));
                require(std::fabs(std::fabs(error) - nearest) <= 1e-6,
                        fmt::format("{} bits: weight {} is not given its nearest value", bits, n));
                direct += error * error;
            }
            require(std::fabs(direct - sse) <= 1e-6 * (1 + direct),
                    fmt::format("{} bits: error {} reported, {} found", bits, sse, direct));
            require(sse < before, fmt::format("{} bits are no better than fewer", bits));
            before = sse;
            ++fits;
        }
    }
    return fmt::format("{} fits, every weight at its nearest value", fits);
}

std::string columnRoundTrip() {
    constexpr int64_t rows = 70, cols = 40;
    const Menu& menu = defaultMenu();
    std::vector<uint8_t> points;
    for (int64_t k = 0; k < cols; ++k)
        points.push_back(uint8_t(k % int64_t(menu.size())));
    ColumnWeights weights = ColumnWeights::make(rows, cols, points, menu);
    weights.rawDtype = DType::F16;
    kernels::ColumnScratch scratch;
    for (int64_t k = 0; k < cols; ++k) {
        const auto values = gaussian(size_t(rows), uint32_t(100 + k));
        const ColumnClass& columns = weights.classAt(k);
        if (columns.kind == PointKind::Raw) {
            auto& raw = weights.raw[size_t(k)];
            raw.resize(size_t(rows));
            kernels::floatToHalf(values, raw);
            continue;
        }
        const auto code = kernels::fitColumn(values, columns.kind, columns.bits, scratch);
        weights.setCode(k, code);
        kernels::assignColumn(values, code, weights.columnCodes(k));
        std::vector<uint32_t> outliers(columns.outliers);
        kernels::chooseOutliers(values, int(columns.outliers), scratch, outliers);
        weights.outlierRow[size_t(k)] = outliers;
        auto& values16 = weights.outlierVal[size_t(k)];
        values16.clear();
        for (const uint32_t row : outliers)
            values16.push_back(
                kernels::floatToHalf(values[row] - code.value(weights.columnCodes(k)[row])));
    }
    const auto packed = pack(weights);
    TensorsBySuffix tensors;
    for (const PackedTensor& tensor : packed) {
        TensorInfo info;
        info.name = "layer." + tensor.suffix;
        info.dtype = tensor.dtype;
        info.shape = tensor.shape;
        info.end = tensor.bytes.size();
        tensors[tensor.suffix] = {info, tensor.bytes};
    }
    const ColumnWeights back = unpackColumn("layer", rows, cols, tensors);
    std::vector<float> before(size_t(rows * cols)), after(size_t(rows * cols));
    weights.dequantize(before, 1);
    back.dequantize(after, 2);
    require(before == after, "a packed layer reads back differently");
    return fmt::format("{} columns of every kind of the menu", cols);
}

std::string tokenizer(TokenizerForm form) {
    const auto vectors = readJsonFile(resourcesFolder() / "selftest" / "tokenizer_vectors.json");
    const auto tokenizer = loadTokenizer(sampleModelFolder(), form);
    size_t ids = 0;
    for (const auto& row : vectors.at("texts")) {
        const auto text = row.at("text").get<std::string>();
        const auto expected = row.at("ids").get<std::vector<int32_t>>();
        require(tokenizer->encode(text) == expected, "other ids for " + row.at("text").dump());
        StreamDecoder stream(*tokenizer);
        std::string decoded;
        for (const int32_t id : expected)
            decoded += stream.push(id);
        decoded += stream.finish();
        require(decoded == tokenizer->decode(expected),
                "streamed text differs for " + row.at("text").dump());
        ids += expected.size();
    }
    return fmt::format("{} texts, {} ids as SentencePiece gives them", vectors.at("texts").size(),
                       ids);
}

std::string allocation() {
    // Three columns, every choice tried: no other one is better at the same bits of its columns.
    // (The class lists of a layer come on top of those and are not part of the trade.)
    Menu menu;
    for (const OperatingPoint& point : defaultMenu())
        if (point.outlierFraction == 0 && point.kind != PointKind::Raw) menu.push_back(point);
    constexpr int64_t rows = 64, cols = 3;
    kernels::ColumnScratch scratch;
    std::vector<float> sse, conditional{1.0f, 0.3f, 2.0f};
    for (int64_t k = 0; k < cols; ++k) {
        const auto weights = gaussian(size_t(rows), uint32_t(7 + k));
        for (const OperatingPoint& point : menu) {
            double error = 0;
            kernels::fitColumn(weights, point.kind, point.bits, scratch, nullptr, &error);
            sse.push_back(float(error));
        }
    }
    const LayerCurves layer{"layer", rows, cols, 0.5, conditional, sse};
    const Allocator allocator({layer}, menu, defaultAllowed(menu));
    const size_t n = menu.size();
    const auto bitsOf = [&](const std::vector<uint8_t>& points) {
        int64_t bits = 0;
        for (const uint8_t point : points)
            bits += columnBits(menu[point], rows);
        return bits;
    };
    int budgets = 0;
    for (int64_t budget = allocator.minBits(); budget <= allocator.maxBits();
         budget += 64, ++budgets) {
        const Allocation found = allocator.allocate(budget);
        require(found.bits <= budget, fmt::format("{} bits of {}", found.bits, budget));
        const int64_t used = bitsOf(found.points);
        for (size_t choice = 0; choice < n * n * n; ++choice) {
            const std::vector<uint8_t> points{uint8_t(choice % n), uint8_t(choice / n % n),
                                              uint8_t(choice / n / n)};
            if (bitsOf(points) > used) continue;
            require(allocator.evaluate(points, {layer}).distortion >= found.distortion * (1 - 1e-6),
                    fmt::format("at {} bits a better choice was missed", used));
        }
    }
    return fmt::format("{} budgets against all {} choices", budgets, n * n * n);
}

} // namespace bitloom::cli
