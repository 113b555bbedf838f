// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_loops.h"
#include "kernels/sorted_column.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

/// Within kernels/: affine grids of a sorted column. column_quantizer.cpp says how they are made.
namespace bitloom::kernels {

/// Code c stands for offset + step·c.
struct Affine {
    double step = 0, offset = 0;
};

/// One step of the alternation: the error of a grid with nearest codes, and the grid that fits
/// these codes best. The loss of another grid (s, o) with the same codes is, per weight, (o +
/// s·meanCode - refit.offset - refit.step·meanCode)² + codeVariance·(s - refit.step)².
struct AffineStep {
    double error = kInfinity;
    Affine refit;
    double meanCode = 0, codeVariance = 0;
};

template<class Loops>
BITLOOM_BOTH AffineStep stepBySearch(const Loops& loops, const Column& column, const Affine& grid,
                                     int levels) {
    float bounds[kMaxTableEntries] = {};
    for (int c = 0; c + 1 < levels; ++c)
        bounds[c] = float(grid.offset + (c + 0.5) * grid.step);
    Clusters clusters;
    loops.cut(column, bounds, levels, clusters);
    const double offset = grid.offset - column.centre, all = double(column.size());
    double error = 0, codes = 0, codeSquares = 0, sums = 0, products = 0;
    for (int c = 0; c < levels; ++c) {
        const size_t a = clusters.begin[c], b = clusters.begin[c + 1];
        const double n = double(b - a), s = column.sum[b] - column.sum[a];
        const double v = offset + grid.step * c;
        error += n * v * v - 2 * v * s;
        codes += n * c;
        codeSquares += n * c * c;
        sums += s;
        products += s * c;
    }
    AffineStep result;
    result.error = std::max(0., error + column.square[column.last] - column.square[column.first]);
    result.meanCode = codes / all;
    result.codeVariance = std::max(0., codeSquares / all - result.meanCode * result.meanCode);
    result.refit = grid;
    if (result.codeVariance > 0) {
        const double mean = sums / all;
        const double slope = (products / all - mean * result.meanCode) / result.codeVariance;
        if (slope > 0) result.refit.step = slope;
        result.refit.offset = column.centre + mean - result.refit.step * result.meanCode;
    }
    return result;
}

template<class Loops>
BITLOOM_BOTH AffineStep stepByPass(const Loops& loops, const Column& column, const Affine& grid,
                                   int levels) {
    const float step = float(grid.step), offset = float(grid.offset);
    const double middle = double(levels / 2), all = double(column.size());
    AffineStep result;
    result.refit = grid;
    if (!(step > std::numeric_limits<float>::min())) return result;
    const GridSums sums = loops.gridPass(column.w + column.first, column.size(), offset, 1 / step,
                                         float(levels - 1), float(middle));
    const double unit = double(step);
    const double meanM = sums.m1 / all, meanE = sums.e1 / all;
    result.error = sums.e2 * unit * unit;
    if (!(std::fabs(result.error) <=
          std::numeric_limits<double>::max())) { // weights beyond what fp16 scales can hold
        result.error = std::numeric_limits<double>::max();
        return result;
    }
    result.meanCode = meanM + middle;
    result.codeVariance = std::max(0., sums.m2 / all - meanM * meanM);
    if (result.codeVariance > 0) {
        const double slope = (sums.em / all - meanE * meanM) / result.codeVariance;
        if (slope > -1) {
            result.refit.step = unit * (1 + slope);
            // Mean of the weights = offset + step·(meanCode + meanE) in the old grid.
            const double mean = double(offset) + unit * (result.meanCode + meanE);
            result.refit.offset = mean - result.refit.step * result.meanCode;
        }
    }
    return result;
}

/// Searching takes 2^bits·log N steps, a pass N/16 of about four times the cost.
BITLOOM_BOTH inline bool passIsFaster(const Column& column, int bits) {
    return bits > 4 || (bits == 4 && column.size() <= 512);
}

template<class Loops>
BITLOOM_BOTH AffineStep stepGrid(const Loops& loops, const Column& column, const Affine& grid,
                                 int bits) {
    return passIsFaster(column, bits) ? stepByPass(loops, column, grid, 1 << bits)
                                      : stepBySearch(loops, column, grid, 1 << bits);
}

/// The error alone.
template<class Loops>
BITLOOM_BOTH double gridError(const Loops& loops, const Column& column, const Affine& grid,
                              int bits) {
    if (!passIsFaster(column, bits)) return stepBySearch(loops, column, grid, 1 << bits).error;
    const float step = float(grid.step);
    if (!(step > std::numeric_limits<float>::min())) return kInfinity;
    const double unit = double(step);
    return unit * unit *
           loops.gridSquares(column.w + column.first, column.size(), float(grid.offset), 1 / step,
                             float((1 << bits) - 1));
}

/// Clipped range by a model: clipping error outside plus a uniform error of step²/12 inside. The
/// ends are weights themselves, so that every term is a prefix sum.
BITLOOM_BOTH inline void clippedRange(const Column& column, int levels, double& low, double& high) {
    const size_t n = column.size(), most = n / 4;
    const double c = column.centre;
    size_t left = 0, right = 0;
    const auto tailLeft = [&](size_t count) {
        const double edge = double(column.w[column.first + count]) - c;
        const size_t b = column.first + count;
        return column.square[b] - column.square[column.first] -
               2 * edge * (column.sum[b] - column.sum[column.first]) + double(count) * edge * edge;
    };
    const auto tailRight = [&](size_t count) {
        const double edge = double(column.w[column.last - 1 - count]) - c;
        const size_t a = column.last - count;
        return column.square[column.last] - column.square[a] -
               2 * edge * (column.sum[column.last] - column.sum[a]) + double(count) * edge * edge;
    };
    const double uniform = 1. / (12. * (levels - 1) * (levels - 1));
    const auto inside = [&](size_t a, size_t b) {
        const double width =
            double(column.w[column.last - 1 - b]) - double(column.w[column.first + a]);
        return double(n - a - b) * width * width * uniform;
    };
    const auto cheapest = [&](const auto& cost) {
        double best = kInfinity;
        size_t choice = 0;
        for (size_t t = 0; t <= most; t = t + 1 + t / 3)
            if (const double own = cost(t); own < best) {
                best = own;
                choice = t;
            }
        return choice;
    };
    for (int round = 0; round < 2; ++round) {
        left = cheapest([&](size_t t) { return tailLeft(t) + inside(t, right); });
        right = cheapest([&](size_t t) { return tailRight(t) + inside(left, t); });
    }
    low = column.w[column.first + left];
    high = column.w[column.last - 1 - right];
}

/// The fp16 pair that loses least against the optimum `at.refit` for its codes.
BITLOOM_BOTH inline void roundToGrid(const AffineStep& at, ColumnCode& code) {
    const double step = at.refit.step, target = at.refit.offset + step * at.meanCode;
    const double zero = at.meanCode - target / std::max(step, 1e-300);
    // A zero of thousands has few bits for its fraction: try more scales then, one of them fits.
    const double reach = std::fabs(zero);
    const int around = reach <= 16 ? 1 : reach <= 1024 ? 12 : 64;
    double lowest = step;
    lowest = std::max(lowest, std::fabs(target) / 65504);
    const int middle = nearestFiniteHalf(float(std::min(lowest, 65504.)));
    double best = kInfinity;
    for (int half = std::max(1, middle - around);
         half <= std::min<int>(kLargestHalf, middle + around); ++half) {
        const double scale = double(halfValue(uint16_t(half)));
        const double wanted = std::clamp(at.meanCode - target / scale, -65504., 65504.);
        const uint16_t zeroBits = nearestFiniteHalf(float(wanted));
        const double shift = target - scale * (at.meanCode - double(halfValue(zeroBits)));
        const double loss = shift * shift + at.codeVariance * (scale - step) * (scale - step);
        if (loss < best) {
            best = loss;
            code.scale = uint16_t(half);
            code.zero = zeroBits;
        }
    }
}

/// A column of one value: the product of two 11-bit numbers comes close to any float.
BITLOOM_BOTH inline void constantGrid(double value, ColumnCode& code) {
    code.scale = code.zero = 0;
    if (value == 0) return;
    double best = kInfinity;
    for (int k = 0; k < 64; ++k) {
        const double zero = 1024 + 16 * k;
        for (int which = 0; which < 2; ++which) {
            const double z = which == 0 ? zero : zero / 1024;
            const uint16_t scale = nearestFiniteHalf(float(std::min(std::fabs(value) / z, 65504.)));
            const double error = std::fabs(std::fabs(value) - z * double(halfValue(scale)));
            if (error < best) {
                best = error;
                code.scale = scale;
                code.zero = nearestHalf(float(value > 0 ? -z : z));
            }
        }
    }
    if (code.scale == 0) code.zero = 0;
}

BITLOOM_BOTH inline void gridValues(const ColumnCode& code, float* values) {
    const float scale = halfValue(code.scale), zero = halfValue(code.zero);
    for (int c = 0; c < (1 << code.bits); ++c)
        values[c] = scale * (float(c) - zero);
}

template<class Loops>
BITLOOM_BOTH double storedGridError(const Loops& loops, const Column& column,
                                    const ColumnCode& code) {
    if (code.bits <= 4) {
        float values[16];
        Clusters clusters;
        gridValues(code, values);
        return valuesError(loops, column, values, (1 << code.bits), clusters);
    }
    return loops.gridError(column.w + column.first, column.size(), halfValue(code.scale),
                           halfValue(code.zero), float((1 << code.bits) - 1));
}

/// fitGrid without a look at grids of fewer codes.
template<class Loops>
BITLOOM_BOTH double fitGridAlone(const Loops& loops, const Column& column, int bits,
                                 const ColumnCode* start, ColumnCode& code) {
    const int levels = 1 << bits;
    code = ColumnCode();
    code.kind = PointKind::Grid;
    code.bits = bits;
    const double low = column.low(), high = column.high();
    if (low == high) {
        constantGrid(low, code);
        return storedGridError(loops, column, code);
    }
    const bool narrow = bits <= 4;
    AffineStep best;
    Affine bestGrid, lattice;
    const auto descend = [&](Affine grid, int steps) {
        double previous = kInfinity;
        for (int k = 0; k < steps; ++k) {
            const AffineStep at = stepGrid(loops, column, grid, bits);
            if (at.error < best.error) {
                best = at;
                bestGrid = grid;
            }
            if (!(previous - at.error > 2e-4 * at.error)) break;
            previous = at.error;
            grid = at.refit;
        }
    };
    const auto range = [&](double a, double b) { return Affine{(b - a) / (levels - 1), a}; };
    descend(range(low, high), narrow ? 2 : 1);
    if (start && start->kind == PointKind::Grid && start->bits == bits && start->scale) {
        const double scale = double(halfValue(start->scale));
        descend({scale, -scale * double(halfValue(start->zero))}, 2);
    } else {
        double a, b;
        clippedRange(column, levels, a, b);
        // The model knows nothing of how a grid happens to meet the weights: move each end.
        double error = gridError(loops, column, range(a, b), bits);
        const int rounds = bits > 6 ? 0 : column.size() > 2048 && !narrow ? 2 : 3;
        double reach = narrow ? 0.1 : 0.06;
        for (int round = 0; round < rounds; ++round, reach /= 2) {
            const double h = reach * (b - a);
            const Affine moves[4] = {range(a + h, b), range(a - h, b), range(a, b + h),
                                     range(a, b - h)};
            int choice = -1;
            for (int m = 0; m < 4; ++m) {
                const double moved = gridError(loops, column, moves[m], bits);
                if (moved < error) {
                    error = moved;
                    choice = m;
                }
            }
            if (choice < 2) {
                a += choice < 0 ? 0 : choice == 0 ? h : -h;
            } else {
                b += choice == 2 ? h : -h;
            }
        }
        descend(range(a, b), narrow ? 2 : 1);
        // A lattice of no more values than there are codes is held exactly by a grid of its step.
        if (countDistinct(column, levels + 1) <= levels) {
            double gap = high - low;
            for (size_t i = column.first + 1; i < column.last; ++i)
                if (column.w[i] != column.w[i - 1])
                    gap = std::min(gap, double(column.w[i]) - double(column.w[i - 1]));
            const double steps = std::round((high - low) / gap);
            if (steps < levels) lattice = {(high - low) / steps, low};
        }
    }
    descend(best.refit, 10);

    double error = kInfinity;
    const auto store = [&](AffineStep at) {
        for (int round = 0; round < 2; ++round) {
            ColumnCode next = code;
            roundToGrid(at, next);
            const double nextError = storedGridError(loops, column, next);
            if (nextError < error) {
                error = nextError;
                code = next;
            }
            const double scale = double(halfValue(next.scale));
            const double zero = double(halfValue(next.zero));
            const bool coarse = std::fabs(zero) > 2 * levels;
            if (round == 1 || (!narrow && !coarse)) break;
            at = stepGrid(loops, column, {scale, -scale * zero}, bits);
        }
    };
    if (best.error == kInfinity || best.error == std::numeric_limits<double>::max()) {
        best.refit = bestGrid; // weights beyond all scales: any grid will do
        best.meanCode = (levels - 1) / 2.;
        best.codeVariance = 1;
    }
    store(best);
    if (lattice.step > 0 && error > 0) {
        // Its own finalist: grids of other steps may hold the lattice too, but not when rounded.
        AffineStep at = stepGrid(loops, column, lattice, bits);
        at.refit = lattice;
        store(at);
    }
    // fp16 scales end at 6e-8: tiny weights may be better off as zeros, or as they were.
    const double shift = column.centre, n = double(column.size());
    const double energy = column.square[column.last] - column.square[column.first] +
                          2 * shift * (column.sum[column.last] - column.sum[column.first]) +
                          n * shift * shift;
    if (energy < error) {
        code.scale = code.zero = 0;
        error = storedGridError(loops, column, code);
    }
    return error;
}

/// Fits a grid to `column`; returns the squared error of what is stored.
template<class Loops>
BITLOOM_BOTH double fitGrid(const Loops& loops, const Column& column, int bits,
                            const ColumnCode* start, ColumnCode& code) {
    // Where a few weights meet many codes, chance decides which grid fits, and fewer codes may find
    // a better one; with more codes it only gets better. Longer columns leave nothing to chance.
    const bool chance = column.size() <= 64;
    double error = kInfinity;
    ColumnCode narrower;
    for (int b = chance ? 2 : bits; b <= bits; ++b) {
        const double before = error;
        error = fitGridAlone(loops, column, b, b == bits ? start : nullptr, code);
        if (before < error) {
            narrower.bits = b;
            const double embedded = storedGridError(loops, column, narrower);
            if (embedded < error) {
                error = embedded;
                code = narrower;
            }
        }
        narrower = code;
    }
    return betterOf(code, error, start,
                    [&](const ColumnCode& other) { return storedGridError(loops, column, other); });
}

} // namespace bitloom::kernels
