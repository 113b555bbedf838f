// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// The inner loops of the column quantizer, compiled once per instruction set. Every version gives
/// the same bits: sums run over 16 (float) or 8 (double) fixed lanes that are added up in one fixed
/// order, and no multiply-add is ever fused.
namespace bitloom::kernels {

/// What one pass over a column with a uniform grid says, in units of the grid step: with
/// t = (w - offset)/step, c = the nearest code, e = t - c and m = c - middle.
struct GridSums {
    double e2 = 0, e1 = 0, em = 0, m1 = 0, m2 = 0;
};

struct ColumnLoops {
    const char* name;

    /// Sums over w[0, n) for codes 0…maxCode; middle is subtracted from the codes in the sums.
    void (*gridPass)(const float* w, size_t n, float offset, float inverseStep, float maxCode,
                     float middle, GridSums* sums);

    /// GridSums::e2 alone.
    double (*gridSquares)(const float* w, size_t n, float offset, float inverseStep, float maxCode);

    /// Σ (w - scale·(code - zero))² in double, code nearest.
    double (*gridError)(const float* w, size_t n, float scale, float zero, float maxCode);

    /// codes[i] = how many of the ascending bounds[0, count) are smaller than w[i].
    void (*assignByBounds)(const float* w, size_t n, const float* bounds, int count,
                           uint8_t* codes);

    /// Nearest of scale·(c - zero), ties to the lower code; scale > 0.
    void (*assignGrid)(const float* w, size_t n, float scale, float zero, float maxCode,
                       uint8_t* codes);

    /// roots[i] = sqrt((w[i+1] - w[i])/2) for i in [0, gaps) of ascending weights; returns their
    /// sum.
    double (*gapRoots)(const float* w, size_t gaps, float* roots);

    /// Σ min(values[i], cap).
    double (*cappedSum)(const float* values, size_t n, float cap);

    /// costs[a·stride + i] = within-cluster error of bins a…i (a <= i < bins), times `unit`, from
    /// the sums at the bins' edges: count, sum and sum of squares of all weights before edge
    /// 0…bins. The edges go on to index `stride` with any finite values and rising counts; stride
    /// is a multiple of 16. Of the rest of the matrix only what `partition` reads is set.
    void (*segmentCosts)(const double* counts, const double* sums, const double* squares, int bins,
                         int stride, double unit, float* costs);

    /// Optimal partition of bins into 1…layers runs. `best` (stride floats) starts as costs row 0;
    /// splits[(j-2)·stride + i] = first bin of the last of j runs over bins 0…i (i < bins). `next`
    /// is scratch.
    void (*partition)(const float* costs, int bins, int stride, int layers, float* best,
                      float* next, int32_t* splits);
};

/// The fastest version that this processor runs.
const ColumnLoops& columnLoops();

/// All versions that this processor runs, plainest first (for tests).
std::span<const ColumnLoops> allColumnLoops();

} // namespace bitloom::kernels
