// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/cmpq_solver.h"

#include "core/base/threads.h"
#include "core/plan/cmpq_allocation.h"
#include "kernels/column_math.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace bitloom::detail {

namespace {

struct Entry {
    float salience;
    int64_t column;
    uint32_t row;
};

/// The `count` most salient entries, ties by column and row.
std::vector<Entry> mostSalient(std::vector<Entry> entries, int64_t count) {
    const auto before = [](const Entry& a, const Entry& b) {
        if (a.salience != b.salience) return a.salience > b.salience;
        return a.column != b.column ? a.column < b.column : a.row < b.row;
    };
    count = std::min<int64_t>(count, int64_t(entries.size()));
    std::nth_element(entries.begin(), entries.begin() + count, entries.end(), before);
    entries.resize(size_t(count));
    return entries;
}

/// Everything that clustering leaves of one column.
struct Column {
    kernels::ColumnCode code;
    std::vector<uint8_t> codes;
    std::vector<uint32_t> outliers; ///< rows, ascending
};

/// Outlier counts per column, rounded up until (width, count) pairs fit into 256 classes.
std::vector<uint32_t> fitClasses(const std::vector<uint8_t>& widths, std::vector<uint32_t> counts,
                                 int64_t rows) {
    for (uint32_t step = 1;; step *= 2) {
        std::map<std::pair<int, uint32_t>, int> classes;
        std::vector<uint32_t> rounded = counts;
        for (size_t k = 0; k < counts.size(); ++k) {
            rounded[k] = uint32_t(std::min<int64_t>((counts[k] + step - 1) / step * step, rows));
            ++classes[{widths[k], rounded[k]}];
        }
        if (classes.size() <= 256) return rounded;
    }
}

} // namespace

ColumnWeights cmpqQuantize(const at::Tensor& weight, std::span<const float> actRms,
                           const CmpqParameters& parameters, int threads,
                           const Progress& progress) {
    const int64_t rows = weight.size(0), cols = weight.size(1);
    const at::Tensor byColumn = weight.t().contiguous();
    const float* w = byColumn.data_ptr<float>();
    const std::vector<uint8_t> widths = cmpqWidths(actRms, parameters.bits, parameters.share);

    // 1. Outliers by activation: |w|·a_k, before clustering.
    std::vector<Column> columns(static_cast<size_t>(cols));
    const int64_t firstCount = std::llround(parameters.activationOutliers * double(rows * cols));
    {
        // A threshold from a histogram would save memory; one entry a weight is still affordable
        // because layers come one at a time.
        std::vector<Entry> entries;
        entries.reserve(size_t(rows * cols));
        for (int64_t k = 0; k < cols; ++k)
            for (int64_t n = 0; n < rows; ++n)
                entries.push_back({std::fabs(w[k * rows + n]) * actRms[size_t(k)], k, uint32_t(n)});
        for (const Entry& e : mostSalient(std::move(entries), firstCount))
            columns[size_t(e.column)].outliers.push_back(e.row);
    }
    progress.check();

    // 2. Unweighted k-means of what is left of every column.
    parallelFor(cols, 16, threads, [&](int64_t begin, int64_t end) {
        thread_local kernels::ColumnScratch scratch;
        std::vector<float> rest;
        progress.check();
        for (int64_t k = begin; k < end; ++k) {
            Column& column = columns[size_t(k)];
            std::sort(column.outliers.begin(), column.outliers.end());
            rest.clear();
            size_t next = 0;
            for (int64_t n = 0; n < rows; ++n) {
                if (next < column.outliers.size() && column.outliers[next] == uint32_t(n)) {
                    ++next;
                } else {
                    rest.push_back(w[k * rows + n]);
                }
            }
            const std::span all(w + k * rows, size_t(rows));
            column.code = kernels::fitColumn(rest.empty() ? all : std::span<const float>(rest),
                                             PointKind::Table, widths[size_t(k)], scratch);
            column.codes.resize(size_t(rows));
            kernels::assignColumn(all, column.code, column.codes);
        }
    });

    // 3. A few more, by what clustering has left: a_k²·err².
    const auto error = [&](int64_t k, int64_t n) {
        const Column& column = columns[size_t(k)];
        return w[k * rows + n] - column.code.value(column.codes[size_t(n)]);
    };
    {
        std::vector<Entry> entries;
        entries.reserve(size_t(rows * cols));
        for (int64_t k = 0; k < cols; ++k) {
            const Column& column = columns[size_t(k)];
            const float a2 = actRms[size_t(k)] * actRms[size_t(k)];
            for (int64_t n = 0; n < rows; ++n) {
                if (std::binary_search(column.outliers.begin(), column.outliers.end(), uint32_t(n)))
                    continue;
                const float e = error(k, n);
                entries.push_back({a2 * e * e, k, uint32_t(n)});
            }
        }
        const int64_t count = std::llround(parameters.errorOutliers * double(rows * cols));
        for (const Entry& e : mostSalient(std::move(entries), count))
            columns[size_t(e.column)].outliers.push_back(e.row);
    }
    progress.check();

    // 4. Classes, with the counts filled up by the largest errors where classes had to be joined.
    std::vector<uint32_t> counts(static_cast<size_t>(cols));
    for (int64_t k = 0; k < cols; ++k)
        counts[size_t(k)] = uint32_t(columns[size_t(k)].outliers.size());
    counts = fitClasses(widths, counts, rows);
    for (int64_t k = 0; k < cols; ++k) {
        Column& column = columns[size_t(k)];
        std::sort(column.outliers.begin(), column.outliers.end());
        if (column.outliers.size() < counts[size_t(k)]) {
            std::vector<Entry> entries;
            for (int64_t n = 0; n < rows; ++n)
                if (!std::binary_search(column.outliers.begin(), column.outliers.end(),
                                        uint32_t(n)))
                    entries.push_back({std::fabs(error(k, n)), k, uint32_t(n)});
            for (const Entry& e :
                 mostSalient(std::move(entries),
                             int64_t(counts[size_t(k)]) - int64_t(column.outliers.size())))
                column.outliers.push_back(e.row);
            std::sort(column.outliers.begin(), column.outliers.end());
        }
    }

    // 5. One class per (width, count), widest first and within a width by count (FORMAT §1).
    ColumnWeights out;
    out.rows = rows;
    out.cols = cols;
    out.codes.resize(size_t(rows * cols));
    out.tables.resize(size_t(cols) * 32);
    out.scale.resize(size_t(cols));
    out.zero.resize(size_t(cols));
    out.raw.resize(size_t(cols));
    out.outlierRow.resize(size_t(cols));
    out.outlierVal.resize(size_t(cols));
    std::map<std::pair<int, uint32_t>, uint8_t> classes; // by (−width, count)
    for (int64_t k = 0; k < cols; ++k)
        classes[{-int(widths[size_t(k)]), counts[size_t(k)]}] = 0;
    for (auto& [key, id] : classes) {
        id = uint8_t(out.classes.size());
        out.classes.push_back({-key.first, PointKind::Table, key.second});
    }
    out.classOf.resize(size_t(cols));
    for (int64_t k = 0; k < cols; ++k) {
        const Column& column = columns[size_t(k)];
        out.classOf[size_t(k)] = classes.at({-int(widths[size_t(k)]), counts[size_t(k)]});
        out.setCode(k, column.code);
        std::copy(column.codes.begin(), column.codes.end(), out.columnCodes(k).begin());
        out.outlierRow[size_t(k)] = column.outliers;
        for (uint32_t row : column.outliers)
            out.outlierVal[size_t(k)].push_back(kernels::outlierCorrection(
                w[k * rows + row], column.code.value(column.codes[row])));
    }
    return out;
}

} // namespace bitloom::detail
