// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_matrix.h"
#include "core/base/error.h"
#include "kernels/half.h"
#include "kernels/pack.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <utility>

namespace bitloom {

namespace {

using kernels::GpuColumn;
using kernels::GpuMatrix;
using kernels::GpuOutlier;
using kernels::GpuToken;
using kernels::PanelKind;
using Random = std::mt19937_64;
using Widths = std::vector<std::pair<PanelKind, int64_t>>;

/// A made-up matrix, in the checkpoint's form too.
struct Sample {
    GpuMatrix matrix;
    std::vector<uint32_t> words;
    std::vector<BitloomCudaColumn> columns;
};

GpuColumn randomColumn(PanelKind kind, int32_t source, Random& random) {
    std::normal_distribution<float> normal;
    GpuColumn c;
    c.kind = kind;
    c.source = source;
    const int used = kernels::panelEntries(kind);
    const uint64_t most = kind == PanelKind::Table4 ? 255 : 128;
    for (int e = 0; e < used; ++e)
        c.entries[size_t(e)] = uint8_t(random() % most);
    std::sort(c.entries.begin(), c.entries.begin() + used);
    const uint8_t least = c.entries[0];
    for (int e = 0; e < used; ++e)
        c.entries[size_t(e)] = uint8_t(c.entries[size_t(e)] - least);
    c.scale = 0.01f * std::exp(0.5f * normal(random));
    c.offset = int16_t(int(random() % 256) - 128);
    if (used == 0) c.remainder = 0.001f * normal(random);
    return c;
}

Sample makeSample(int64_t rows, const Widths& widths, int64_t outliers, int64_t rawColumns,
                  bool rowScale, Random& random) {
    std::normal_distribution<float> normal;
    std::vector<GpuColumn> columns;
    std::vector<std::vector<uint8_t>> codes;
    for (const auto& [kind, count] : widths)
        for (int64_t k = 0; k < count; ++k) {
            columns.push_back(randomColumn(kind, int32_t(columns.size()), random));
            codes.emplace_back();
            for (int64_t n = 0; n < rows; ++n)
                codes.back().push_back(uint8_t(random() % (1u << kernels::panelBits(kind))));
        }
    for (size_t i = 0; i < columns.size(); ++i)
        columns[i].codes = codes[i].data();
    const auto cols = int64_t(columns.size()) + rawColumns;
    std::vector<GpuOutlier> extra;
    for (int64_t i = 0; i < outliers; ++i)
        extra.push_back({uint32_t(random() % uint64_t(rows)),
                         uint32_t((random() + uint64_t(i)) % columns.size()),
                         kernels::floatToHalf(0.2f * normal(random))});
    // A place has one outlier at most, as in checkpoints.
    std::sort(extra.begin(), extra.end(), [](const GpuOutlier& a, const GpuOutlier& b) {
        return std::pair(a.row, a.column) < std::pair(b.row, b.column);
    });
    extra.erase(std::unique(extra.begin(), extra.end(),
                            [](const GpuOutlier& a, const GpuOutlier& b) {
                                return a.row == b.row && a.column == b.column;
                            }),
                extra.end());
    Sample s;
    const kernels::GpuOrder order = kernels::orderGpuColumns(columns);
    s.matrix = kernels::buildGpuMatrix(rows, cols, columns, extra);
    for (int64_t j = 0; j < rawColumns; ++j) {
        s.matrix.rawColumn.push_back(int32_t(int64_t(columns.size()) + j));
        for (int64_t n = 0; n < rows; ++n)
            s.matrix.raw.push_back(kernels::floatToHalf(0.02f * normal(random)));
    }
    for (int64_t n = 0; rowScale && n < rows; ++n)
        s.matrix.rowScale.push_back(0.5f + 0.01f * float(random() % 100));
    for (size_t at = 0; at < order.place.size(); ++at) {
        BitloomCudaColumn c{};
        c.word = UINT64_MAX;
        if (order.place[at] >= 0) {
            const GpuColumn& column = columns[size_t(order.place[at])];
            c.word = s.words.size();
            c.bits = kernels::panelBits(column.kind);
            c.replaced = order.replace[at];
            std::copy(column.entries.begin(), column.entries.end(), c.entries);
            const auto words = size_t(kernels::packedWords(rows, c.bits));
            s.words.resize(s.words.size() + words);
            kernels::packCodes(codes[size_t(order.place[at])], c.bits,
                               std::span(s.words).last(words));
        }
        s.columns.push_back(c);
    }
    return s;
}

/// Products of one matrix for some numbers of tokens; the first difference.
void compare(const CudaDevice& device, const Sample& sample, const std::vector<int>& counts,
             Random& random, CudaCheck& check) {
    const GpuMatrix& m = sample.matrix;
    CudaMatrix matrix(device, m, sample.words, sample.columns);
    std::vector<uint32_t> codes(m.codes.size(), 0xAAAAAAAAu);
    device.check(device.api().downloadCodes(matrix.get(), codes.data()));
    if (codes != m.codes) {
        check.detail = "codes packed on the device differ from those packed here";
        return;
    }
    const int most = *std::max_element(counts.begin(), counts.end());
    std::normal_distribution<float> normal;
    std::vector<float> x(size_t(most * m.cols)), got(size_t(most * m.rows));
    for (float& value : x)
        value = normal(random) * std::exp(normal(random));
    CudaMemory deviceX(device, x.size() * 4), deviceY(device, got.size() * 4);
    deviceX.upload(x.data(), x.size() * 4);
    std::vector<std::vector<float>> wanted;
    const std::vector<int16_t> values = kernels::gpuValues(m);
    for (int t = 0; t < most; ++t) {
        const std::span<const float> own(x.data() + t * m.cols, size_t(m.cols));
        GpuToken token;
        kernels::roundGpuInput(m, own, token);
        wanted.emplace_back(size_t(m.rows));
        kernels::gpuProduct(m, token, own, wanted.back(), values);
    }
    for (const int count : counts) {
        // Every result must be written: what was there before is not a number.
        std::fill(got.begin(), got.end(), std::nanf(""));
        deviceY.upload(got.data(), got.size() * 4);
        device.check(device.api().multiply(matrix.get(), deviceX.as<float>(), m.cols, count,
                                           deviceY.as<float>(), m.rows));
        device.check(device.api().synchronize(device.context()));
        deviceY.download(got.data(), size_t(count * m.rows) * 4);
        for (int t = 0; t < count; ++t)
            for (int64_t n = 0; n < m.rows; ++n) {
                const float own = got[size_t(t * m.rows + n)];
                const float right = wanted[size_t(t)][size_t(n)];
                if (std::memcmp(&own, &right, sizeof own) == 0) continue;
                check.detail =
                    fmt::format("{} x {} with {} tokens: row {} of token {} is {}, not {}", m.rows,
                                m.cols, count, n, t, own, right);
                return;
            }
    }
    check.ok = true;
}

void compareMany(const CudaDevice& device, const Sample& sample, int tokens, Random& random,
                 CudaCheck& check) {
    const GpuMatrix& m = sample.matrix;
    CudaMatrix matrix(device, m);
    std::normal_distribution<float> normal;
    std::vector<float> x(size_t(tokens * m.cols)), got(size_t(tokens * m.rows), std::nanf(""));
    for (float& value : x)
        value = normal(random);
    CudaMemory deviceX(device, x.size() * 4), deviceY(device, got.size() * 4);
    deviceX.upload(x.data(), x.size() * 4);
    deviceY.upload(got.data(), got.size() * 4);
    const int code = device.api().multiplyMany(matrix.get(), deviceX.as<float>(), m.cols, tokens,
                                               deviceY.as<float>(), m.rows);
    if (code == BITLOOM_CUDA_NO_GEMM) {
        check.ok = true;
        check.detail = fmt::format("not checked: {}", device.api().message());
        return;
    }
    device.check(code);
    device.check(device.api().synchronize(device.context()));
    deviceY.download(got.data(), got.size() * 4);
    double wrong = 0, right = 0;
    for (int t = 0; t < tokens; ++t) {
        const std::span<const float> own(x.data() + t * m.cols, size_t(m.cols));
        GpuToken token;
        std::vector<float> y(size_t(m.rows));
        kernels::roundGpuInput(m, own, token);
        kernels::gpuProduct(m, token, own, y);
        for (int64_t n = 0; n < m.rows; ++n) {
            const double error = double(got[size_t(t * m.rows + n)]) - double(y[size_t(n)]);
            wrong += error * error;
            right += double(y[size_t(n)]) * double(y[size_t(n)]);
        }
    }
    const double relative = std::sqrt(wrong / right);
    check.ok = relative < 1e-3;
    check.detail =
        fmt::format("{} tokens, relative error {:.1e}, allowed 1.0e-03", tokens, relative);
}

} // namespace

CudaCheck runCudaCheck(const std::string& name, const std::function<void(CudaCheck&)>& body) {
    CudaCheck check{name, false, {}};
    try {
        body(check);
    } catch (const Error& error) {
        check.ok = false;
        check.detail = error.what();
    }
    return check;
}

std::vector<CudaCheck> checkCudaProducts(const CudaDevice& device) {
    std::vector<CudaCheck> out;
    Random random(20261123);
    constexpr std::pair<PanelKind, const char*> kinds[] = {
        {PanelKind::Table2, "2-bit tables"}, {PanelKind::Table3, "3-bit tables"},
        {PanelKind::Table4, "4-bit tables"}, {PanelKind::Plain5, "5-bit grids"},
        {PanelKind::Plain6, "6-bit grids"},  {PanelKind::Plain8, "8-bit grids"}};
    const auto run = [&](const std::string& name, const auto& body) {
        out.push_back(runCudaCheck(name, body));
    };
    const std::vector<int> every{1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16};
    for (const auto& [kind, name] : kinds)
        run(name, [&](CudaCheck& check) {
            for (const auto& [rows, cols] :
                 {std::pair<int64_t, int64_t>{256, 256}, {1, 64}, {300, 131}, {1024, 1088}}) {
                check.ok = false;
                compare(device, makeSample(rows, {{kind, cols}}, 0, 0, false, random), every,
                        random, check);
                if (!check.ok) return;
            }
            check.detail = fmt::format("4 shapes, {} numbers of tokens, same bits", every.size());
        });
    run("mixed widths, outliers, raw columns", [&](CudaCheck& check) {
        for (int round = 0; round < 12; ++round) {
            Widths widths;
            for (size_t i = std::size(kinds); i-- > 0;)
                if (random() % 3) widths.push_back({kinds[i].first, int64_t(random() % 300 + 1)});
            if (widths.empty()) widths.push_back({PanelKind::Table2, 100});
            const auto rows = int64_t(random() % 900 + 1);
            check.ok = false;
            compare(device,
                    makeSample(rows, widths, round % 2 ? rows * 3 : 0, round % 3, round % 4 == 3,
                               random),
                    {1, 2, 4, 8, 16}, random, check);
            if (!check.ok) return;
        }
        check.detail = "12 matrices, same bits";
    });
    run("a layer of 2.2 bits", [&](CudaCheck& check) {
        const Sample s = makeSample(4096,
                                    {{PanelKind::Plain8, 64},
                                     {PanelKind::Table4, 128},
                                     {PanelKind::Table3, 512},
                                     {PanelKind::Table2, 3392}},
                                    4096 * 20, 0, false, random);
        compare(device, s, {1, 2, 4, 16}, random, check);
        if (check.ok) check.detail = "4,096 x 4,096 with 0.5 % outliers, same bits";
    });
    run("products of many tokens", [&](CudaCheck& check) {
        compareMany(device,
                    makeSample(700, {{PanelKind::Table4, 200}, {PanelKind::Table2, 500}}, 2000, 2,
                               false, random),
                    33, random, check);
    });
    return out;
}

} // namespace bitloom
