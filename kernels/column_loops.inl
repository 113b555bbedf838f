// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Included by column_loops.cpp once per instruction set, inside a namespace of its own, with LANES
// = floats in a native vector. No include guard, and nothing here may call an inline function of
// the standard library: the linker could keep the copy that was compiled for the newer processor.

typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef float LooseFloats __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(LANES * 4)));
typedef double LooseDoubles __attribute__((vector_size(LANES * 4), aligned(8), may_alias));
typedef float HalfFloats __attribute__((vector_size(LANES * 2)));
typedef float LooseHalfFloats __attribute__((vector_size(LANES * 2), aligned(4), may_alias));

constexpr int kParts = 16 / LANES;
constexpr int kDoubleLanes = LANES / 2;
constexpr int kDoubleParts = 8 / kDoubleLanes;
/// Adding and subtracting 1.5·2^23 rounds a small float to an integer on every processor.
constexpr float kRounder = 12582912.f;

static double sumLanes(const Floats* parts) {
    float lane[16];
    __builtin_memcpy(lane, parts, sizeof lane);
    double sum = 0;
    for (int i = 0; i < 16; ++i)
        sum += double(lane[i]);
    return sum;
}

static void gridPass(const float* w, size_t n, float offset, float inverseStep, float maxCode,
                     float middle, GridSums* sums) {
    GridSums total;
    // Lanes are emptied into doubles every 4096 weights: floats lose nothing that matters until
    // then and the sums of codes are exact.
    for (size_t start = 0; start < n; start += 4096) {
        const size_t end = n - start > 4096 ? start + 4096 : n;
        Floats e2[kParts] = {}, e1[kParts] = {}, em[kParts] = {}, m1[kParts] = {}, m2[kParts] = {};
        size_t i = start;
        for (; i + 16 <= end; i += 16) {
            for (int p = 0; p < kParts; ++p) {
                const Floats x = *reinterpret_cast<const LooseFloats*>(w + i + p * LANES);
                const Floats t = (x - offset) * inverseStep;
                Floats c = t > 0.f ? t : Floats{};
                c = c < maxCode ? c : maxCode + Floats{};
                c = (c + kRounder) - kRounder;
                const Floats e = t - c, m = c - middle;
                e2[p] += e * e;
                e1[p] += e;
                em[p] += e * m;
                m1[p] += m;
                m2[p] += m * m;
            }
        }
        total.e2 += sumLanes(e2);
        total.e1 += sumLanes(e1);
        total.em += sumLanes(em);
        total.m1 += sumLanes(m1);
        total.m2 += sumLanes(m2);
        for (; i < end; ++i) {
            const float t = (w[i] - offset) * inverseStep;
            float c = t > 0.f ? t : 0.f;
            c = c < maxCode ? c : maxCode;
            c = (c + kRounder) - kRounder;
            const float e = t - c, m = c - middle;
            total.e2 += double(e * e);
            total.e1 += double(e);
            total.em += double(e * m);
            total.m1 += double(m);
            total.m2 += double(m * m);
        }
    }
    *sums = total;
}

static double gridSquares(const float* w, size_t n, float offset, float inverseStep,
                          float maxCode) {
    double total = 0;
    for (size_t start = 0; start < n; start += 4096) {
        const size_t end = n - start > 4096 ? start + 4096 : n;
        Floats e2[kParts] = {};
        size_t i = start;
        for (; i + 16 <= end; i += 16) {
            for (int p = 0; p < kParts; ++p) {
                const Floats x = *reinterpret_cast<const LooseFloats*>(w + i + p * LANES);
                const Floats t = (x - offset) * inverseStep;
                Floats c = t > 0.f ? t : Floats{};
                c = c < maxCode ? c : maxCode + Floats{};
                const Floats e = t - ((c + kRounder) - kRounder);
                e2[p] += e * e;
            }
        }
        total += sumLanes(e2);
        for (; i < end; ++i) {
            const float t = (w[i] - offset) * inverseStep;
            float c = t > 0.f ? t : 0.f;
            c = c < maxCode ? c : maxCode;
            const float e = t - ((c + kRounder) - kRounder);
            total += double(e * e);
        }
    }
    return total;
}

static double gridError(const float* w, size_t n, float scale, float zero, float maxCode) {
    const float offset = -scale * zero, inverse = scale > 0.f ? 1.f / scale : 0.f;
    Doubles acc[kDoubleParts] = {};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int p = 0; p < kDoubleParts; ++p) {
            const HalfFloats x =
                *reinterpret_cast<const LooseHalfFloats*>(w + i + p * kDoubleLanes);
            HalfFloats c = (x - offset) * inverse;
            c = c > 0.f ? c : HalfFloats{};
            c = c < maxCode ? c : maxCode + HalfFloats{};
            c = (c + kRounder) - kRounder;
            const HalfFloats v = scale * (c - zero);
            const Doubles d =
                __builtin_convertvector(x, Doubles) - __builtin_convertvector(v, Doubles);
            acc[p] += d * d;
        }
    }
    double lane[8];
    __builtin_memcpy(lane, acc, sizeof lane);
    double sum = 0;
    for (int k = 0; k < 8; ++k)
        sum += lane[k];
    for (; i < n; ++i) {
        float c = (w[i] - offset) * inverse;
        c = c > 0.f ? c : 0.f;
        c = c < maxCode ? c : maxCode;
        c = (c + kRounder) - kRounder;
        const float v = scale * (c - zero);
        const double d = double(w[i]) - double(v);
        sum += d * d;
    }
    return sum;
}

static void assignByBounds(const float* w, size_t n, const float* bounds, int count,
                           uint8_t* codes) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int32_t lane[16];
        for (int p = 0; p < kParts; ++p) {
            const Floats x = *reinterpret_cast<const LooseFloats*>(w + i + p * LANES);
            Ints code = {};
            for (int j = 0; j < count; ++j)
                code -= x > bounds[j]; // a true comparison is -1
            __builtin_memcpy(lane + p * LANES, &code, sizeof code);
        }
        for (int k = 0; k < 16; ++k)
            codes[i + k] = uint8_t(lane[k]);
    }
    for (; i < n; ++i) {
        int code = 0;
        for (int j = 0; j < count; ++j)
            code += w[i] > bounds[j];
        codes[i] = uint8_t(code);
    }
}

static void assignGrid(const float* w, size_t n, float scale, float zero, float maxCode,
                       uint8_t* codes) {
    const float offset = -scale * zero, inverse = 1.f / scale;
    for (size_t i = 0; i < n; ++i) {
        const float x = w[i];
        float c = (x - offset) * inverse;
        c = c > 0.f ? c : 0.f;
        c = c < maxCode ? c : maxCode;
        c = (c + kRounder) - kRounder;
        // The estimate can be one off where rounding blurs a tie: the neighbours decide.
        const float below = c > 0.f ? c - 1.f : c, above = c < maxCode ? c + 1.f : c;
        const double dBelow = __builtin_fabs(double(x) - double(scale * (below - zero)));
        const double dHere = __builtin_fabs(double(x) - double(scale * (c - zero)));
        const double dAbove = __builtin_fabs(double(x) - double(scale * (above - zero)));
        const float lower = dBelow <= dHere ? below : c;
        const double dLower = dBelow <= dHere ? dBelow : dHere;
        codes[i] = uint8_t(int32_t(dAbove < dLower ? above : lower));
    }
}

static double gapRoots(const float* w, size_t gaps, float* roots) {
    Doubles acc[kDoubleParts] = {};
    size_t i = 0;
    for (; i + 8 <= gaps; i += 8) {
        for (int k = 0; k < 8; ++k)
            roots[i + k] = __builtin_sqrtf(w[i + k + 1] * 0.5f - w[i + k] * 0.5f);
        for (int p = 0; p < kDoubleParts; ++p)
            acc[p] += __builtin_convertvector(
                *reinterpret_cast<const LooseHalfFloats*>(roots + i + p * kDoubleLanes), Doubles);
    }
    double lane[8], sum = 0;
    __builtin_memcpy(lane, acc, sizeof lane);
    for (int k = 0; k < 8; ++k)
        sum += lane[k];
    for (; i < gaps; ++i) {
        roots[i] = __builtin_sqrtf(w[i + 1] * 0.5f - w[i] * 0.5f);
        sum += double(roots[i]);
    }
    return sum;
}

static double cappedSum(const float* values, size_t n, float cap) {
    Doubles acc[kDoubleParts] = {};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int p = 0; p < kDoubleParts; ++p) {
            const HalfFloats x =
                *reinterpret_cast<const LooseHalfFloats*>(values + i + p * kDoubleLanes);
            acc[p] += __builtin_convertvector(x < cap ? x : cap + HalfFloats{}, Doubles);
        }
    }
    double lane[8], sum = 0;
    __builtin_memcpy(lane, acc, sizeof lane);
    for (int k = 0; k < 8; ++k)
        sum += lane[k];
    for (; i < n; ++i)
        sum += double(values[i] < cap ? values[i] : cap);
    return sum;
}

static void segmentCosts(const double* counts, const double* sums, const double* squares, int bins,
                         int stride, double unit, float* costs) {
    for (int a = 0; a < bins; ++a) {
        // Whole blocks, so that the loop needs no prologue; what lies before a is overwritten.
        float* row = costs + size_t(a) * size_t(stride);
        const int block = a / 16 * 16;
        const double count = counts[a], sum = sums[a], square = squares[a];
        for (int i = block; i < stride; i += kDoubleLanes) {
            const Doubles n = *reinterpret_cast<const LooseDoubles*>(counts + i + 1) - count;
            const Doubles d = *reinterpret_cast<const LooseDoubles*>(sums + i + 1) - sum;
            const Doubles q = *reinterpret_cast<const LooseDoubles*>(squares + i + 1) - square;
            const Doubles cost = (q - d * d / n) * unit;
            *reinterpret_cast<LooseHalfFloats*>(row + i) =
                __builtin_convertvector(cost > 0. ? cost : Doubles{}, HalfFloats);
        }
        for (int i = block; i < a; ++i)
            row[i] = __builtin_inff();
    }
}

static void partition(const float* costs, int bins, int stride, int layers, float* best,
                      float* next, int32_t* splits) {
    for (int i = 0; i < stride; ++i)
        best[i] = costs[i];
    for (int layer = 2; layer <= layers; ++layer) {
        int32_t* split = splits + size_t(layer - 2) * size_t(stride);
        for (int block = 0; block < stride; block += 16) {
            Floats low[kParts];
            Ints from[kParts];
            for (int p = 0; p < kParts; ++p) {
                low[p] = Floats{} + __builtin_inff();
                from[p] = Ints{};
            }
            const int stop = block + 16 < bins ? block + 16 : bins;
            // The last cluster starts no earlier than with fewer clusters or for fewer bins.
            int a = layer - 1;
            if (layer > 2 && split[block - stride] > a) a = split[block - stride];
            for (; a < stop; ++a) {
                const float* row = costs + size_t(a) * size_t(stride) + block;
                const float before = best[a - 1];
                for (int p = 0; p < kParts; ++p) {
                    const Floats x =
                        *reinterpret_cast<const LooseFloats*>(row + p * LANES) + before;
                    const Ints better = x < low[p];
                    low[p] = better ? x : low[p];
                    from[p] = better ? a + Ints{} : from[p];
                }
            }
            __builtin_memcpy(next + block, low, sizeof low);
            __builtin_memcpy(split + block, from, sizeof from);
        }
        float* swapped = best;
        best = next;
        next = swapped;
    }
}

constexpr ColumnLoops kLoops = {KIND_NAME,  gridPass, gridSquares, gridError,    assignByBounds,
                                assignGrid, gapRoots, cappedSum,   segmentCosts, partition};
