// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/gpu_columns.h"
#include "kernels/half.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

/// Matrices for tests of what runs on a GPU, with sums worked out from codes and entries alone.
namespace gpu {

using namespace bitloom::kernels;
using Random = std::mt19937_64;

struct Source {
    int64_t rows = 0, cols = 0;
    std::vector<GpuColumn> columns;
    std::vector<std::vector<uint8_t>> codes; ///< of each column
    std::vector<GpuOutlier> outliers;

    /// `widths`: kinds and how many columns each; source columns shuffled. extreme: outermost codes
    /// and entries only.
    Source(int64_t n, const std::vector<std::pair<PanelKind, int64_t>>& widths, Random& random,
           bool extreme = false)
        : rows(n) {
        for (const auto& [kind, count] : widths)
            cols += count;
        std::vector<int32_t> order;
        for (int64_t k = 0; k < cols; ++k)
            order.push_back(int32_t(k));
        std::shuffle(order.begin(), order.end(), random);
        std::normal_distribution<float> normal;
        for (const auto& [kind, count] : widths)
            for (int64_t k = 0; k < count; ++k) {
                GpuColumn c;
                c.kind = kind;
                c.source = order[columns.size()];
                const int limit = 1 << panelBits(kind);
                codes.emplace_back();
                for (int64_t row = 0; row < n; ++row)
                    codes.back().push_back(uint8_t(extreme ? (random() % 2 ? limit - 1 : 0)
                                                           : random() % uint64_t(limit)));
                const int used = panelEntries(kind);
                const int largest = kind == PanelKind::Table4 ? 254 : 127;
                for (int e = 0; e < used; ++e)
                    c.entries[size_t(e)] = uint8_t(extreme ? (e < used / 2 ? 0 : largest)
                                                           : random() % uint64_t(largest + 1));
                std::sort(c.entries.begin(), c.entries.begin() + used);
                const uint8_t least = c.entries[0];
                for (int e = 0; e < used; ++e)
                    c.entries[size_t(e)] = uint8_t(c.entries[size_t(e)] - least);
                c.scale = 0.01f * std::exp(normal(random));
                c.offset =
                    int16_t(extreme ? (random() % 2 ? 127 : -128) : int(random() % 256) - 128);
                if (used == 0 || random() % 4 == 0) c.remainder = 0.001f * normal(random);
                columns.push_back(c);
            }
        for (size_t i = 0; i < columns.size(); ++i)
            columns[i].codes = codes[i].data();
    }
    Source(Source&&) = default;

    void addOutliers(int64_t count, Random& random) {
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < count; ++i)
            outliers.push_back({uint32_t(random() % uint64_t(rows)),
                                uint32_t(random() % uint64_t(cols)),
                                floatToHalf(0.3f * normal(random))});
    }
    GpuMatrix build() const { return buildGpuMatrix(rows, cols, columns, outliers); }
    int value(const GpuColumn& c, int64_t row) const {
        const int code = c.codes[row];
        return (panelEntries(c.kind) ? int(c.entries[size_t(code)]) : code) + c.offset;
    }
};

inline std::vector<float> activations(int64_t cols, Random& random) {
    std::normal_distribution<float> normal;
    std::vector<float> x;
    for (int64_t k = 0; k < cols; ++k)
        x.push_back(normal(random) * std::exp(normal(random)));
    return x;
}

/// The int64 sums with all that is constant, from codes and entries: nothing of layouts, tables or
/// shifts but the order of columns, which says what a block of activations is.
inline std::vector<int64_t> expectedSums(const Source& s, const GpuMatrix& m, const GpuToken& token,
                                         const std::vector<float>& x) {
    std::vector<int64_t> sums(size_t(s.rows), 0);
    const double inverse = double(token.inverse[0]) * double(token.inverse[1]);
    const auto units = [&](float product) { return std::llrint(double(product) * inverse); };
    std::vector<const GpuColumn*> bySource(size_t(s.cols), nullptr);
    for (const GpuColumn& c : s.columns)
        bySource[size_t(c.source)] = &c;
    for (size_t k = 0; k < m.column.size(); ++k) {
        if (m.column[k] < 0) continue;
        const GpuColumn& c = *bySource[size_t(m.column[k])];
        const int64_t q = 256 * token.high[k] + token.low[k];
        for (int64_t row = 0; row < s.rows; ++row) {
            sums[size_t(row)] += token.multiplier[k / gpuStep] * q * s.value(c, row);
            if (c.remainder != 0) sums[size_t(row)] += units(c.remainder * x[size_t(c.source)]);
        }
    }
    for (const GpuOutlier& o : s.outliers)
        sums[o.row] += units(halfToFloat(o.value) * x[o.column]);
    return sums;
}

} // namespace gpu
