// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_table_fit.h"
#include "kernels/sorted_column.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

/// Within kernels/: the error curve of a sorted column, for the processor and for a GPU.
namespace bitloom::kernels {

/// Of rounding to fp16.
BITLOOM_BOTH inline double rawError(const Column& column) {
    double error = 0;
    for (size_t i = column.first; i < column.last; ++i) {
        const double e = double(column.w[i]) - double(halfValue(nearestFiniteHalf(column.w[i])));
        error += e * e;
    }
    return error;
}

/// As ColumnLoops::assignGrid, for one weight.
BITLOOM_BOTH inline int nearestGridCode(float w, float scale, float zero, int levels) {
    if (!(scale > 0.f)) return 0;
    const float maxCode = float(levels - 1), offset = -scale * zero, inverse = 1.f / scale;
    float c = (w - offset) * inverse;
    c = c > 0.f ? c : 0.f;
    c = c < maxCode ? c : maxCode;
    c = (c + 12582912.f) - 12582912.f; // rounds: 1.5·2^23
    // The estimate can be one off where rounding blurs a tie: the neighbours decide.
    const float below = c > 0.f ? c - 1.f : c, above = c < maxCode ? c + 1.f : c;
    const double dBelow = std::fabs(double(w) - double(scale * (below - zero)));
    const double dHere = std::fabs(double(w) - double(scale * (c - zero)));
    const double dAbove = std::fabs(double(w) - double(scale * (above - zero)));
    const float lower = dBelow <= dHere ? below : c;
    const double dLower = dBelow <= dHere ? dBelow : dHere;
    return int(dAbove < dLower ? above : lower);
}

/// Σ (w - value - stored difference)² of weights [from, to) of the sorted column.
BITLOOM_BOTH inline double outlierError(const Column& column, size_t from, size_t to,
                                        const ColumnCode& code) {
    double error = 0;
    float values[kMaxTableEntries];
    const float scale = halfValue(code.scale), zero = halfValue(code.zero);
    if (code.kind == PointKind::Table) tableValues(code, values);
    for (size_t i = from; i < to; ++i) {
        const float w = column.w[i];
        float v;
        if (code.kind == PointKind::Table) {
            int c = 0;
            for (int j = 1; j < (1 << code.bits); ++j) {
                if (std::fabs(double(w) - double(values[j])) <
                    std::fabs(double(w) - double(values[c])))
                    c = j;
            }
            v = values[c];
        } else {
            v = scale * (float(nearestGridCode(w, scale, zero, (1 << code.bits))) - zero);
        }
        const double e = double(w) - double(v) - double(halfValue(nearestFiniteHalf(w - v)));
        error += e * e;
    }
    return error;
}

/// columnErrorCurve of a column that is prepared. `fits` fits: table(column, bits, partition,
/// layers, code) and grid(column, bits, code).
template<class Fits>
BITLOOM_BOTH void errorCurve(const Fits& fits, const Column& all, const CurvePoint* points,
                             size_t count, bool rawIsExact, float* sse) {
    double raw = -1;
    for (size_t first = 0; first < count; ++first) {
        // Each number of outliers is treated where it comes first, all its points together.
        const int outliers = points[first].outliers;
        bool seen = false;
        for (size_t i = 0; i < first; ++i)
            seen |= points[i].outliers == outliers;
        if (seen) continue;
        const Column column = withoutOutliers(all, size_t(std::max(outliers, 0)));
        int layers = 0;
        for (size_t i = 0; i < count; ++i) {
            const CurvePoint& p = points[i];
            if (p.outliers == outliers && p.kind == PointKind::Table && p.bits <= 4)
                layers = std::max(layers, 1 << p.bits);
        }
        Partition partition;
        for (size_t i = first; i < count; ++i) {
            const CurvePoint& p = points[i];
            if (p.outliers != outliers) continue;
            if (p.kind == PointKind::Raw) {
                if (raw < 0) raw = rawIsExact ? 0. : rawError(all);
                sse[i] = float(raw);
                continue;
            }
            ColumnCode code;
            code.kind = p.kind;
            code.bits = p.bits;
            double error = 0;
            if (column.size() == 0) {
                // All weights are outliers of a code of zeros.
            } else if (p.kind == PointKind::Grid) {
                error = fits.grid(column, p.bits, code);
            } else if (p.bits <= 4) {
                error = fits.table(column, p.bits, partition, layers, code);
            } else {
                Partition own;
                error = fits.table(column, p.bits, own, 1 << p.bits, code);
                partition.layers = 0; // its splits are gone
            }
            error += outlierError(all, all.first, column.first, code);
            error += outlierError(all, column.last, all.last, code);
            sse[i] = float(error);
        }
    }
}

} // namespace bitloom::kernels
