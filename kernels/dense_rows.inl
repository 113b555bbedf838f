// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Compiled by dense_rows_avx2.cpp and dense_rows_avx512.cpp, each of which says before what a
// register is: Vec, `lanes`, and load/loadF16/loadBf16/loadI8/store/set/fma/… on it. Everything is
// static: code for one instruction set must not be what the linker keeps for all.

#define BITLOOM_INLINE BITLOOM_TARGET static __attribute__((always_inline)) inline

template<RowType Type>
BITLOOM_INLINE Vec loadAs(const void* row, int64_t at) {
    if constexpr (Type == RowType::F32)
        return load((const float*)row + at);
    else if constexpr (Type == RowType::F16)
        return loadF16((const uint16_t*)row + at);
    else if constexpr (Type == RowType::BF16)
        return loadBf16((const uint16_t*)row + at);
    else
        return loadI8((const int8_t*)row + at);
}

template<RowType Type>
BITLOOM_INLINE float elementAs(const void* row, int64_t at) {
    if constexpr (Type == RowType::F32) {
        float value; // rows of a file may lie anywhere
        __builtin_memcpy(&value, (const float*)row + at, sizeof value);
        return value;
    } else if constexpr (Type == RowType::I8) {
        return float(((const int8_t*)row)[at]);
    } else {
        uint16_t bits;
        __builtin_memcpy(&bits, (const uint16_t*)row + at, sizeof bits);
        if constexpr (Type == RowType::F16) return elementF16(bits);
        const uint32_t wide = uint32_t(bits) << 16;
        float value;
        __builtin_memcpy(&value, &wide, sizeof value);
        return value;
    }
}

template<RowType Type>
BITLOOM_INLINE const void* rowAt(const RowMatrix& m, int64_t row) {
    constexpr int64_t bytes = Type == RowType::F32 ? 4 : Type == RowType::I8 ? 1 : 2;
    return (const char*)m.data + row * m.stride * bytes;
}

/// Vectors side by side on one row: each loaded number of the matrix is used for all of them.
template<RowType Type, int Vectors>
BITLOOM_INLINE void rowProducts(const void* row, int64_t cols, const float* x, int64_t xStride,
                                float* y, int64_t yStride) {
    // Two sums a vector, however many vectors there are: a token's result must not depend on how
    // many others go with it.
    constexpr int unroll = 2;
    Vec sum[Vectors][unroll];
    for (int v = 0; v < Vectors; ++v)
        for (int u = 0; u < unroll; ++u)
            sum[v][u] = zero();
    int64_t c = 0;
    for (; c + unroll * lanes <= cols; c += unroll * lanes)
        for (int u = 0; u < unroll; ++u) {
            const Vec w = loadAs<Type>(row, c + u * lanes);
            for (int v = 0; v < Vectors; ++v)
                sum[v][u] = fma(w, load(x + v * xStride + c + u * lanes), sum[v][u]);
        }
    for (; c + lanes <= cols; c += lanes) {
        const Vec w = loadAs<Type>(row, c);
        for (int v = 0; v < Vectors; ++v)
            sum[v][0] = fma(w, load(x + v * xStride + c), sum[v][0]);
    }
    for (int v = 0; v < Vectors; ++v) {
        Vec all = sum[v][0];
        for (int u = 1; u < unroll; ++u)
            all = add(all, sum[v][u]);
        float total = total_(all);
        for (int64_t i = c; i < cols; ++i)
            total = __builtin_fmaf(elementAs<Type>(row, i), x[v * xStride + i], total);
        y[v * yStride] = total;
    }
}

template<RowType Type>
BITLOOM_TARGET static void multiplyRows(const RowMatrix& m, const RowVectors& x, float* y,
                                        int64_t yStride) {
    for (int64_t r = 0; r < m.rows; ++r) {
        const void* row = rowAt<Type>(m, r);
        int64_t v = 0;
        for (; v + 4 <= x.count; v += 4)
            rowProducts<Type, 4>(row, m.cols, x.data + v * x.stride, x.stride, y + v * yStride + r,
                                 yStride);
        for (; v + 2 <= x.count; v += 2)
            rowProducts<Type, 2>(row, m.cols, x.data + v * x.stride, x.stride, y + v * yStride + r,
                                 yStride);
        for (; v < x.count; ++v)
            rowProducts<Type, 1>(row, m.cols, x.data + v * x.stride, x.stride, y + v * yStride + r,
                                 yStride);
    }
}

/// One strip of columns for one vector, the sums of which stay in registers over all rows.
template<RowType Type, int Strip>
BITLOOM_INLINE void combineStrip(const RowMatrix& m, int64_t column, const float* x, float* y) {
    Vec sum[Strip];
    for (int s = 0; s < Strip; ++s)
        sum[s] = load(y + column + s * lanes);
    for (int64_t r = 0; r < m.rows; ++r) {
        const void* row = rowAt<Type>(m, r);
        const Vec factor = set(x[r]);
        for (int s = 0; s < Strip; ++s)
            sum[s] = fma(factor, loadAs<Type>(row, column + s * lanes), sum[s]);
    }
    for (int s = 0; s < Strip; ++s)
        store(y + column + s * lanes, sum[s]);
}

template<RowType Type>
BITLOOM_TARGET static void combineRows(const RowMatrix& m, const RowVectors& x, float* y,
                                       int64_t yStride) {
    for (int64_t v = 0; v < x.count; ++v) {
        const float* factors = x.data + v * x.stride;
        float* out = y + v * yStride;
        int64_t c = 0;
        for (; c + 8 * lanes <= m.cols; c += 8 * lanes)
            combineStrip<Type, 8>(m, c, factors, out);
        for (; c + 4 * lanes <= m.cols; c += 4 * lanes)
            combineStrip<Type, 4>(m, c, factors, out);
        for (; c + lanes <= m.cols; c += lanes)
            combineStrip<Type, 1>(m, c, factors, out);
        for (; c < m.cols; ++c) {
            float sum = out[c];
            for (int64_t r = 0; r < m.rows; ++r)
                sum = __builtin_fmaf(factors[r], elementAs<Type>(rowAt<Type>(m, r), c), sum);
            out[c] = sum;
        }
    }
}

/// e^x for x in [−87.3, 88]: 2^n·2^f with the polynomial of 2^f for |f| ≤ 1/2 (Taylor's to the
/// seventh power, error 5e-9). Smaller x give e^-87.3 or 0.
BITLOOM_INLINE Vec exponential(Vec x) {
    x = maximum(x, set(-104.f));
    const Vec n = nearest(mul(x, set(1.44269504088896341f)));
    // ln 2 in two parts, so that the difference keeps its bits.
    Vec r = fma(n, set(-0.693359375f), x);
    r = fma(n, set(2.12194440e-4f), r);
    Vec p = set(1.f / 5040);
    p = fma(p, r, set(1.f / 720));
    p = fma(p, r, set(1.f / 120));
    p = fma(p, r, set(1.f / 24));
    p = fma(p, r, set(1.f / 6));
    p = fma(p, r, set(0.5f));
    p = fma(p, r, set(1.f));
    p = fma(p, r, set(1.f));
    return scaleByPowerOfTwo(p, n);
}

BITLOOM_TARGET static double exponentiate(float* x, int64_t n, float largest) {
    Vec sum = zero();
    const Vec top = set(largest);
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Vec e = exponential(sub(load(x + i), top));
        store(x + i, e);
        sum = add(sum, e);
    }
    double total = double(total_(sum));
    if (i < n) {
        float rest[lanes] = {};
        for (int64_t j = i; j < n; ++j)
            rest[j - i] = x[j];
        store(rest, exponential(sub(load(rest), top)));
        for (int64_t j = i; j < n; ++j) {
            x[j] = rest[j - i];
            total += double(x[j]);
        }
    }
    return total;
}

BITLOOM_INLINE Vec silu(Vec x) {
    // x / (1 + e^-x); e^88 is the largest that stays finite
    const Vec e = exponential(minimum(sub(zero(), x), set(88.f)));
    return div(x, add(set(1.f), e));
}

BITLOOM_TARGET static void siluProduct(float* gate, const float* up, int64_t n) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        store(gate + i, mul(silu(load(gate + i)), load(up + i)));
    if (i < n) {
        float rest[lanes] = {};
        for (int64_t j = i; j < n; ++j)
            rest[j - i] = gate[j];
        store(rest, silu(load(rest)));
        for (int64_t j = i; j < n; ++j)
            gate[j] = rest[j - i] * up[j];
    }
}

/// Rows do not wait for each other: the processor works on the chains of several at a time.
BITLOOM_TARGET static void addSparse(const uint32_t* begin, int64_t rows, const uint16_t* column,
                                     const float* value, const float* x, float* y) {
    const uint32_t first = begin[0];
    for (int64_t r = 0; r < rows; ++r) {
        float sum = y[r];
        for (uint32_t i = begin[r] - first; i < begin[r + 1] - first; ++i)
            sum = __builtin_fmaf(value[i], x[column[i]], sum);
        y[r] = sum;
    }
}

BITLOOM_TARGET static void multiplyAny(const RowMatrix& m, const RowVectors& x, float* y,
                                       int64_t yStride) {
    switch (m.type) {
    case RowType::F32:
        return multiplyRows<RowType::F32>(m, x, y, yStride);
    case RowType::F16:
        return multiplyRows<RowType::F16>(m, x, y, yStride);
    case RowType::BF16:
        return multiplyRows<RowType::BF16>(m, x, y, yStride);
    case RowType::I8:
        return multiplyRows<RowType::I8>(m, x, y, yStride);
    }
}

BITLOOM_TARGET static void combineAny(const RowMatrix& m, const RowVectors& x, float* y,
                                      int64_t yStride) {
    switch (m.type) {
    case RowType::F32:
        return combineRows<RowType::F32>(m, x, y, yStride);
    case RowType::F16:
        return combineRows<RowType::F16>(m, x, y, yStride);
    case RowType::BF16:
        return combineRows<RowType::BF16>(m, x, y, yStride);
    case RowType::I8:
        return combineRows<RowType::I8>(m, x, y, yStride);
    }
}

#undef BITLOOM_INLINE
