// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_curve.h"
#include "kernels/column_grid_fit.h"
#include "kernels/column_table_fit.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/sorted_column.h"

#include <cstddef>
#include <cstdint>

/// The loops of column fits for a team that goes through them together: the lanes of a warp on the
/// GPU, or one after another in a test. All of a team run every line with the same values; the only
/// work that is shared out is each(count, f), which calls f(0) … f(count − 1), by whichever member
/// and in any order, and returns when all that they wrote can be read. Sums keep the lanes and the
/// order of ColumnLoops, so that the results have the processor's bits.
namespace bitloom::kernels {

/// What members hand each other.
struct TeamMemory {
    float sums[5][16];
    double parts[8];
    float best[2][kMaxBins];
    uint32_t places[kMaxTableEntries];
    uint32_t edges[kMaxBins + 1];
};

/// Memory of a team for columns of N weights.
struct TeamScratch {
    uint32_t* keys;       ///< [N], rounded up to a power of two; later the gaps of a fit
    float* sorted;        ///< [N]
    double *sum, *square; ///< [N + 1]
    float* costs;         ///< [kMaxBins, kMaxBins]
    int32_t* splits;      ///< [kMaxTableEntries, kMaxBins]

    BITLOOM_BOTH static size_t paddedTo(size_t rows) {
        size_t padded = 1;
        while (padded < rows)
            padded *= 2;
        return padded;
    }
    BITLOOM_BOTH static size_t bytes(size_t rows) {
        const size_t all = 16 * (rows + 1) + 4 * (paddedTo(rows) + rows) +
                           4 * size_t(kMaxBins) * (kMaxBins + kMaxTableEntries);
        return (all + 255) / 256 * 256;
    }
    /// `memory` is aligned to 8 bytes.
    BITLOOM_BOTH static TeamScratch at(void* memory, size_t rows) {
        TeamScratch out;
        out.sum = static_cast<double*>(memory);
        out.square = out.sum + rows + 1;
        out.costs = reinterpret_cast<float*>(out.square + rows + 1);
        out.splits = reinterpret_cast<int32_t*>(out.costs + kMaxBins * kMaxBins);
        out.keys = reinterpret_cast<uint32_t*>(out.splits + kMaxBins * kMaxTableEntries);
        out.sorted = reinterpret_cast<float*>(out.keys + paddedTo(rows));
        return out;
    }
};

template<class Team>
class TeamLoops {
public:
    BITLOOM_BOTH TeamLoops(const Team& team, TeamMemory& memory) : m_team(team), m_memory(memory) {}

    BITLOOM_BOTH double gapRoots(const float* w, size_t gaps, float* roots) const {
        m_team.each(gaps, [=](size_t i) { roots[i] = std::sqrt(w[i + 1] * 0.5f - w[i] * 0.5f); });
        return eightLanes(gaps, [=](size_t i) { return double(roots[i]); });
    }
    BITLOOM_BOTH double cappedSum(const float* values, size_t n, float cap) const {
        return eightLanes(n, [=](size_t i) { return double(values[i] < cap ? values[i] : cap); });
    }
    BITLOOM_BOTH GridSums gridPass(const float* w, size_t n, float offset, float inverseStep,
                                   float maxCode, float middle) const {
        GridSums total;
        for (size_t start = 0; start < n; start += 4096) {
            const size_t end = n - start > 4096 ? start + 4096 : n;
            const size_t whole = start + (end - start) / 16 * 16;
            m_team.each(16, [&](size_t lane) {
                float e2 = 0, e1 = 0, em = 0, m1 = 0, m2 = 0;
                for (size_t i = start + lane; i < whole; i += 16) {
                    const float t = (w[i] - offset) * inverseStep, c = nearestCode(t, maxCode);
                    const float e = t - c, m = c - middle;
                    e2 += e * e;
                    e1 += e;
                    em += e * m;
                    m1 += m;
                    m2 += m * m;
                }
                m_memory.sums[0][lane] = e2;
                m_memory.sums[1][lane] = e1;
                m_memory.sums[2][lane] = em;
                m_memory.sums[3][lane] = m1;
                m_memory.sums[4][lane] = m2;
            });
            total.e2 += sumLanes(0);
            total.e1 += sumLanes(1);
            total.em += sumLanes(2);
            total.m1 += sumLanes(3);
            total.m2 += sumLanes(4);
            for (size_t i = whole; i < end; ++i) {
                const float t = (w[i] - offset) * inverseStep, c = nearestCode(t, maxCode);
                const float e = t - c, m = c - middle;
                total.e2 += double(e * e);
                total.e1 += double(e);
                total.em += double(e * m);
                total.m1 += double(m);
                total.m2 += double(m * m);
            }
        }
        return total;
    }
    BITLOOM_BOTH double gridSquares(const float* w, size_t n, float offset, float inverseStep,
                                    float maxCode) const {
        double total = 0;
        for (size_t start = 0; start < n; start += 4096) {
            const size_t end = n - start > 4096 ? start + 4096 : n;
            const size_t whole = start + (end - start) / 16 * 16;
            m_team.each(16, [&](size_t lane) {
                float e2 = 0;
                for (size_t i = start + lane; i < whole; i += 16) {
                    const float t = (w[i] - offset) * inverseStep;
                    const float e = t - nearestCode(t, maxCode);
                    e2 += e * e;
                }
                m_memory.sums[0][lane] = e2;
            });
            total += sumLanes(0);
            for (size_t i = whole; i < end; ++i) {
                const float t = (w[i] - offset) * inverseStep;
                const float e = t - nearestCode(t, maxCode);
                total += double(e * e);
            }
        }
        return total;
    }
    BITLOOM_BOTH double gridError(const float* w, size_t n, float scale, float zero,
                                  float maxCode) const {
        const float offset = -scale * zero, inverse = scale > 0.f ? 1.f / scale : 0.f;
        return eightLanes(n, [=](size_t i) {
            const float c = nearestCode((w[i] - offset) * inverse, maxCode);
            const float v = scale * (c - zero);
            const double d = double(w[i]) - double(v);
            return d * d;
        });
    }
    BITLOOM_BOTH void cut(const Column& column, const float* bounds, int count,
                          Clusters& clusters) const {
        m_team.each(size_t(count - 1), [&](size_t j) {
            size_t place = column.first, length = column.size();
            while (length > 1) {
                const size_t half = length / 2;
                if (column.w[place + half - 1] <= bounds[j]) place += half;
                length -= half;
            }
            m_memory.places[j] = uint32_t(place + (length && column.w[place] <= bounds[j] ? 1 : 0));
        });
        clusters.begin[0] = column.first;
        for (int j = 0; j < count - 1; ++j)
            clusters.begin[j + 1] = m_memory.places[j];
        clusters.begin[count] = column.last;
    }
    BITLOOM_BOTH void partition(const Column& column, const uint32_t* edges, int bins, int stride,
                                int layers, double unit, const FitMemory& memory) const {
        float* costs = memory.costs;
        m_team.each(size_t(bins) * size_t(bins), [=](size_t e) {
            const size_t a = e / size_t(bins), i = e % size_t(bins);
            const uint32_t from = edges[a], to = edges[i + 1];
            float cost = std::numeric_limits<float>::infinity();
            if (i >= a) {
                const double n = double(to) - double(from);
                const double d = column.sum[to] - column.sum[from];
                const double q = column.square[to] - column.square[from];
                const double all = (q - d * d / n) * unit;
                cost = float(all > 0. ? all : 0.);
            }
            costs[a * size_t(stride) + i] = cost;
        });
        float* best = m_memory.best[0];
        float* next = m_memory.best[1];
        m_team.each(size_t(bins), [=](size_t i) { best[i] = costs[i]; });
        for (int layer = 2; layer <= layers; ++layer) {
            int32_t* split = memory.splits + ptrdiff_t(layer - 2) * stride;
            m_team.each(size_t(bins), [=](size_t i) {
                const int block = int(i) / 16 * 16, stop = block + 16 < bins ? block + 16 : bins;
                // The last cluster starts no earlier than with fewer clusters or for fewer bins.
                int a = layer - 1;
                if (layer > 2 && split[block - stride] > a) a = split[block - stride];
                float low = std::numeric_limits<float>::infinity();
                int32_t from = 0;
                for (; a < stop; ++a) {
                    const float x = costs[size_t(a) * size_t(stride) + i] + best[a - 1];
                    if (x < low) {
                        low = x;
                        from = a;
                    }
                }
                next[i] = low;
                split[i] = from;
            });
            float* swapped = best;
            best = next;
            next = swapped;
        }
    }

private:
    /// The nearest code before it is held to the grid's ends, ties to even.
    BITLOOM_BOTH static float nearestCode(float t, float maxCode) {
        float c = t > 0.f ? t : 0.f;
        c = c < maxCode ? c : maxCode;
        return (c + 12582912.f) - 12582912.f; // 1.5·2^23
    }
    BITLOOM_BOTH double sumLanes(int which) const {
        double sum = 0;
        for (int lane = 0; lane < 16; ++lane)
            sum += double(m_memory.sums[which][lane]);
        return sum;
    }
    /// Σ of(i), i < n, as eight lanes of doubles add it.
    template<class Of>
    BITLOOM_BOTH double eightLanes(size_t n, const Of& of) const {
        const size_t whole = n / 8 * 8;
        m_team.each(8, [&](size_t lane) {
            double sum = 0;
            for (size_t i = lane; i < whole; i += 8)
                sum += of(i);
            m_memory.parts[lane] = sum;
        });
        double sum = 0;
        for (int lane = 0; lane < 8; ++lane)
            sum += m_memory.parts[lane];
        for (size_t i = whole; i < n; ++i)
            sum += of(i);
        return sum;
    }

    const Team& m_team;
    TeamMemory& m_memory;
};

/// What errorCurve asks for.
template<class Team>
class TeamFits {
public:
    BITLOOM_BOTH TeamFits(const Team& team, TeamMemory& memory, const TeamScratch& scratch)
        : m_loops(team, memory), m_memory{reinterpret_cast<float*>(scratch.keys), scratch.costs,
                                          scratch.splits, memory.edges} {}
    BITLOOM_BOTH double table(const Column& column, int bits, Partition& partition, int layers,
                              ColumnCode& code) const {
        return fitTable(m_loops, column, bits, m_memory, partition, layers, nullptr, code);
    }
    BITLOOM_BOTH double grid(const Column& column, int bits, ColumnCode& code) const {
        return fitGrid(m_loops, column, bits, nullptr, code);
    }

private:
    TeamLoops<Team> m_loops;
    FitMemory m_memory;
};

/// Sorts a column and adds it up, as kernels::prepareColumn does.
template<class Team>
BITLOOM_BOTH Column prepareColumn(const Team& team, const float* weights, size_t n,
                                  const TeamScratch& scratch) {
    uint32_t* keys = scratch.keys;
    const size_t padded = TeamScratch::paddedTo(n);
    team.each(padded, [=](size_t i) {
        uint32_t key = 0xFFFFFFFFu;
        if (i < n) {
            const uint32_t bits = fixed::floatToBits(weights[i] + 0.f); // -0 becomes +0
            key = bits ^ (uint32_t(int32_t(bits) >> 31) | 0x80000000u);
        }
        keys[i] = key;
    });
    // Bitonic: runs of `run` keys, every other one descending, are merged into twice as long ones.
    for (size_t run = 2; run <= padded; run *= 2)
        for (size_t apart = run / 2; apart > 0; apart /= 2)
            team.each(padded / 2, [=](size_t p) {
                const size_t i = (p & ~(apart - 1)) * 2 + (p & (apart - 1));
                const uint32_t a = keys[i], b = keys[i + apart];
                const bool rising = (i & run) == 0;
                if (rising ? a > b : a < b) {
                    keys[i] = b;
                    keys[i + apart] = a;
                }
            });
    float* sorted = scratch.sorted;
    team.each(n, [=](size_t i) {
        const uint32_t key = keys[i];
        sorted[i] = fixed::bitsToFloat(key ^ (key & 0x80000000u ? 0x80000000u : 0xFFFFFFFFu));
    });
    const double centre = double(sorted[(n - 1) / 2]);
    team.each(1, [=](size_t) { // in the processor's order
        double sum = 0, square = 0;
        for (size_t i = 0; i < n; ++i) {
            scratch.sum[i] = sum;
            scratch.square[i] = square;
            const double d = double(sorted[i]) - centre;
            sum += d;
            square += d * d;
        }
        scratch.sum[n] = sum;
        scratch.square[n] = square;
    });
    return {sorted, scratch.sum, scratch.square, centre, 0, n};
}

/// Root mean square of a column and its error curve.
template<class Team>
BITLOOM_BOTH void teamErrorCurve(const Team& team, TeamMemory& memory, const TeamScratch& scratch,
                                 const float* weights, size_t n, const CurvePoint* points,
                                 size_t count, bool rawIsExact, float* sse, float* rms) {
    team.each(1, [&](size_t) {
        double squares = 0;
        for (size_t i = 0; i < n; ++i)
            squares += double(weights[i]) * double(weights[i]);
        *rms = float(std::sqrt(squares / double(n)));
    });
    const Column column = prepareColumn(team, weights, n, scratch);
    errorCurve(TeamFits<Team>(team, memory, scratch), column, points, count, rawIsExact, sse);
}

} // namespace bitloom::kernels
