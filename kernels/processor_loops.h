// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_loops.h"
#include "kernels/sorted_column.h"

#include <cstddef>
#include <cstdint>

/// Within kernels/: the loops of fits as this processor runs them fastest.
namespace bitloom::kernels {

class ProcessorLoops {
public:
    ProcessorLoops() : m_loops(columnLoops()) {}

    double gapRoots(const float* w, size_t gaps, float* roots) const {
        return m_loops.gapRoots(w, gaps, roots);
    }
    double cappedSum(const float* values, size_t n, float cap) const {
        return m_loops.cappedSum(values, n, cap);
    }
    GridSums gridPass(const float* w, size_t n, float offset, float inverseStep, float maxCode,
                      float middle) const {
        GridSums sums;
        m_loops.gridPass(w, n, offset, inverseStep, maxCode, middle, &sums);
        return sums;
    }
    double gridSquares(const float* w, size_t n, float offset, float inverseStep,
                       float maxCode) const {
        return m_loops.gridSquares(w, n, offset, inverseStep, maxCode);
    }
    double gridError(const float* w, size_t n, float scale, float zero, float maxCode) const {
        return m_loops.gridError(w, n, scale, zero, maxCode);
    }
    /// Cuts the column at `count`-1 ascending bounds; a weight equal to a bound belongs below it.
    /// Every search takes the same number of steps, so the processor runs them side by side.
    void cut(const Column& column, const float* bounds, int count, Clusters& clusters) const {
        size_t place[kMaxTableEntries];
        for (int j = 0; j < count - 1; ++j)
            place[j] = column.first;
        size_t length = column.size();
        while (length > 1) {
            const size_t half = length / 2;
            for (int j = 0; j < count - 1; ++j)
                place[j] += half & -size_t(column.w[place[j] + half - 1] <= bounds[j]); // no branch
            length -= half;
        }
        clusters.begin[0] = column.first;
        for (int j = 0; j < count - 1; ++j)
            clusters.begin[j + 1] = place[j] + (length && column.w[place[j]] <= bounds[j] ? 1 : 0);
        clusters.begin[count] = column.last;
    }
    /// Best partitions of bins into 1…layers runs: splits[(j-2)·stride + i] = first bin of the last
    /// of j runs over bins 0…i. Costs are in units of 1/unit.
    void partition(const Column& column, const uint32_t* edges, int bins, int stride, int layers,
                   double unit, const FitMemory& memory) const {
        double counts[kMaxBins + 1], sums[kMaxBins + 1], squares[kMaxBins + 1];
        for (int i = 0; i <= bins; ++i) {
            const uint32_t e = edges[i];
            counts[i] = double(e);
            sums[i] = column.sum[e];
            squares[i] = column.square[e];
        }
        for (int i = bins + 1; i <= stride; ++i) {
            counts[i] = counts[i - 1] + 1;
            sums[i] = sums[i - 1];
            squares[i] = squares[i - 1];
        }
        m_loops.segmentCosts(counts, sums, squares, bins, stride, unit, memory.costs);
        alignas(64) float best[kMaxBins], next[kMaxBins];
        m_loops.partition(memory.costs, bins, stride, layers, best, next, memory.splits);
    }

private:
    const ColumnLoops& m_loops;
};

} // namespace bitloom::kernels
