// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sparse_panel.h"

#include "kernels/half.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#endif

namespace bitloom::kernels {

namespace {

/// Rows by falling number of entries, in groups.
struct Groups {
    std::vector<uint8_t> order;
    std::vector<uint32_t> steps;
    std::vector<int64_t> rows; ///< those that order names; the last group may have less than 16

    explicit Groups(std::span<const uint32_t> begin) : rows(begin.size() - 1) {
        std::iota(rows.begin(), rows.end(), int64_t(0));
        const auto count = [&](int64_t r) { return begin[size_t(r) + 1] - begin[size_t(r)]; };
        std::stable_sort(rows.begin(), rows.end(),
                         [&](int64_t a, int64_t b) { return count(a) > count(b); });
        for (size_t at = 0; at < rows.size(); at += sparseLanes) {
            steps.push_back(count(rows[at]));
            // Lanes without a row repeat the group's last: their sums are dropped.
            for (size_t lane = 0; lane < sparseLanes; ++lane)
                order.push_back(uint8_t(rows[std::min(at + lane, rows.size() - 1)]));
        }
    }
    int64_t head() const { return SparsePanel::headBytes(int64_t(steps.size())); }
    int64_t allSteps() const { return std::accumulate(steps.begin(), steps.end(), int64_t(0)); }
};

int64_t stepBytes(bool wide) {
    return sparseLanes * int64_t((wide ? sizeof(uint32_t) : sizeof(uint16_t)) + sizeof(uint16_t));
}

/// One row's entries: `count` steps, `stride` bytes from one to the next.
template<class Column>
struct Lane {
    const uint8_t* column;
    const uint8_t* value;
    int64_t count, stride;

    int64_t columnAt(int64_t i) const {
        Column c;
        std::memcpy(&c, column + i * stride, sizeof c);
        return int64_t(c);
    }
    float valueAt(int64_t i) const {
        uint16_t bits;
        std::memcpy(&bits, value + i * stride, sizeof bits);
        return halfToFloat(bits);
    }
};

/// sums [width] += the row's values times its columns' vectors.
template<class Column>
void plainRow(const Lane<Column>& lane, const float* x, int64_t width, float* sums) {
    for (int64_t i = 0; i < lane.count; ++i) {
        const float value = lane.valueAt(i);
        const float* from = x + lane.columnAt(i) * width;
        for (int64_t v = 0; v < width; ++v)
            sums[v] = std::fma(value, from[v], sums[v]);
    }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

/// Some vectors whose sums stay in registers.
template<int Registers, class Column>
__attribute__((target("avx2,fma,f16c"), always_inline)) inline void
fmaPart(const Lane<Column>& lane, const float* x, int64_t width, float* sums) {
    __m256 part[Registers];
#pragma GCC unroll 8
    for (int p = 0; p < Registers; ++p)
        part[p] = _mm256_loadu_ps(sums + 8 * p);
    for (int64_t i = 0; i < lane.count; ++i) {
        uint16_t bits;
        std::memcpy(&bits, lane.value + i * lane.stride, sizeof bits);
        const float* from = x + lane.columnAt(i) * width;
        const __m256 factor = _mm256_set1_ps(_cvtsh_ss(bits));
#pragma GCC unroll 8
        for (int p = 0; p < Registers; ++p)
            part[p] = _mm256_fmadd_ps(factor, _mm256_loadu_ps(from + 8 * p), part[p]);
    }
#pragma GCC unroll 8
    for (int p = 0; p < Registers; ++p)
        _mm256_storeu_ps(sums + 8 * p, part[p]);
}

template<class Column>
__attribute__((target("avx2,fma,f16c"))) void fmaRow(const Lane<Column>& lane, const float* x,
                                                     int64_t width, float* sums) {
    if (width == sparseTile) return fmaPart<8>(lane, x, width, sums);
    for (int64_t v = 0; v < width; v += 16)
        fmaPart<2>(lane, x + v, width, sums + v);
}

bool hasFma() {
    static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                            __builtin_cpu_supports("f16c");
    return has;
}
template<class Column>
void row(const Lane<Column>& lane, const float* x, int64_t width, float* sums) {
    hasFma() ? fmaRow(lane, x, width, sums) : plainRow(lane, x, width, sums);
}

#else

template<class Column>
void row(const Lane<Column>& lane, const float* x, int64_t width, float* sums) {
    plainRow(lane, x, width, sums);
}

#endif

template<class Column>
void addRows(const SparsePanel& panel, const float* x, int64_t vectors, float* y, int64_t yStride) {
    const int64_t width = sparseWidth(vectors), stride = stepBytes(panel.wide);
    std::array<Lane<Column>, 256> lanes; // of rows in their own order
    const uint8_t* entries = panel.entries();
    for (int64_t i = 0; i < panel.rows; ++i) {
        const int64_t steps = panel.steps()[i / sparseLanes], l = i % sparseLanes;
        lanes[panel.order()[i]] = {entries + l * int64_t(sizeof(Column)),
                                   entries + sparseLanes * int64_t(sizeof(Column)) +
                                       l * int64_t(sizeof(uint16_t)),
                                   steps, stride};
        if (l == sparseLanes - 1) entries += steps * stride;
    }
    // Rows in groups, so that every line of y is fetched once.
    constexpr int64_t together = 16;
    float sums[together][sparseTile] = {};
    for (int64_t top = 0; top < panel.rows; top += together) {
        const int64_t n = std::min(together, panel.rows - top);
        for (int64_t v = 0; v < vectors; ++v)
            for (int64_t r = 0; r < n; ++r)
                sums[r][v] = y[v * yStride + top + r];
        for (int64_t r = 0; r < n; ++r)
            row(lanes[size_t(top + r)], x, width, sums[r]);
        for (int64_t v = 0; v < vectors; ++v)
            for (int64_t r = 0; r < n; ++r)
                y[v * yStride + top + r] = sums[r][v];
    }
}

} // namespace

int64_t sparsePanelBytes(std::span<const uint32_t> begin, bool wide) {
    const Groups groups(begin);
    return groups.head() + groups.allSteps() * stepBytes(wide);
}

void packSparsePanel(const SparseLists& lists, bool wide, std::span<uint8_t> out) {
    const Groups groups(lists.begin);
    std::fill(out.begin(), out.end(), uint8_t(0));
    std::copy(groups.order.begin(), groups.order.end(), out.begin());
    std::memcpy(out.data() + groups.order.size(), groups.steps.data(),
                groups.steps.size() * sizeof(uint32_t));
    uint8_t* entries = out.data() + groups.head();
    const size_t columnBytes = wide ? sizeof(uint32_t) : sizeof(uint16_t);
    for (size_t g = 0; g < groups.steps.size(); ++g) {
        for (size_t lane = 0; lane < sparseLanes && g * sparseLanes + lane < groups.rows.size();
             ++lane) {
            const auto row = size_t(groups.rows[g * sparseLanes + lane]);
            for (uint32_t i = lists.begin[row]; i < lists.begin[row + 1]; ++i) {
                uint8_t* step = entries + int64_t(i - lists.begin[row]) * stepBytes(wide);
                const uint32_t from = i - lists.begin[0];
                const auto narrow = uint16_t(lists.column[from]);
                if (wide)
                    std::memcpy(step + lane * columnBytes, &lists.column[from], columnBytes);
                else
                    std::memcpy(step + lane * columnBytes, &narrow, columnBytes);
                std::memcpy(step + sparseLanes * columnBytes + lane * sizeof(uint16_t),
                            &lists.value[from], sizeof(uint16_t));
            }
        }
        entries += int64_t(groups.steps[g]) * stepBytes(wide);
    }
}

void addSparseRows(const SparsePanel& panel, const float* x, int64_t vectors, float* y,
                   int64_t yStride) {
    panel.wide ? addRows<uint32_t>(panel, x, vectors, y, yStride)
               : addRows<uint16_t>(panel, x, vectors, y, yStride);
}

} // namespace bitloom::kernels
