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
BITLOOM_INLINE int64_t bytesOf(int64_t elements) {
    return elements * (Type == RowType::F32 ? 4 : Type == RowType::I8 ? 1 : 2);
}

template<RowType Type>
BITLOOM_INLINE const void* rowAt(const RowMatrix& m, int64_t row) {
    return (const char*)m.data + bytesOf<Type>(row * m.stride);
}

/// Some rows times some vectors side by side: each number of the matrix is used for all vectors,
/// and each of a vector, which may lie in the second cache, for all rows.
template<RowType Type, int Rows, int Vectors>
BITLOOM_INLINE void rowProducts(const RowMatrix& m, int64_t first, const float* x, int64_t xStride,
                                float* y, int64_t yStride) {
    // Two sums a row and vector, however many of them there are: a token's result must not depend
    // on how many others go with it.
    constexpr int unroll = 2;
    // Bytes to fetch ahead: hardware prefetchers stop at every page of 4 KiB.
    constexpr int64_t ahead = 2048;
    const void* row[Rows];
    for (int r = 0; r < Rows; ++r)
        row[r] = rowAt<Type>(m, first + r);
    Vec sum[Rows][Vectors][unroll];
    for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < Vectors; ++v)
            for (int u = 0; u < unroll; ++u)
                sum[r][v][u] = zero();
    const int64_t cols = m.cols;
    int64_t c = 0;
    for (; c + unroll * lanes <= cols; c += unroll * lanes) {
        for (int r = 0; r < Rows; ++r)
            __builtin_prefetch((const char*)row[r] + bytesOf<Type>(c) + ahead);
        for (int u = 0; u < unroll; ++u) {
            Vec w[Rows];
            for (int r = 0; r < Rows; ++r)
                w[r] = loadAs<Type>(row[r], c + u * lanes);
            for (int v = 0; v < Vectors; ++v) {
                const Vec factor = load(x + v * xStride + c + u * lanes);
                for (int r = 0; r < Rows; ++r)
                    sum[r][v][u] = fma(w[r], factor, sum[r][v][u]);
            }
        }
    }
    for (; c + lanes <= cols; c += lanes)
        for (int r = 0; r < Rows; ++r) {
            const Vec w = loadAs<Type>(row[r], c);
            for (int v = 0; v < Vectors; ++v)
                sum[r][v][0] = fma(w, load(x + v * xStride + c), sum[r][v][0]);
        }
    Vec all[Rows * Vectors];
    float total[Rows * Vectors];
    for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < Vectors; ++v)
            all[r * Vectors + v] = add(sum[r][v][0], sum[r][v][1]);
    if constexpr (Vectors == 4 && Rows == rowsTogether)
        totals(all, total);
    else
        for (int i = 0; i < Rows * Vectors; ++i)
            total[i] = total_(all[i]);
    for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < Vectors; ++v) {
            float one = total[r * Vectors + v];
            for (int64_t i = c; i < cols; ++i)
                one = __builtin_fmaf(elementAs<Type>(row[r], i), x[v * xStride + i], one);
            y[v * yStride + r] = one;
        }
}

template<RowType Type, int Rows>
BITLOOM_INLINE void rowsProducts(const RowMatrix& m, int64_t first, const RowVectors& x, float* y,
                                 int64_t yStride) {
    int64_t v = 0;
    for (; v + 4 <= x.count; v += 4)
        rowProducts<Type, Rows, 4>(m, first, x.data + v * x.stride, x.stride,
                                   y + v * yStride + first, yStride);
    for (; v + 2 <= x.count; v += 2)
        rowProducts<Type, Rows, 2>(m, first, x.data + v * x.stride, x.stride,
                                   y + v * yStride + first, yStride);
    for (; v < x.count; ++v)
        rowProducts<Type, Rows, 1>(m, first, x.data + v * x.stride, x.stride,
                                   y + v * yStride + first, yStride);
}

template<RowType Type>
BITLOOM_TARGET static void multiplyRows(const RowMatrix& m, const RowVectors& x, float* y,
                                        int64_t yStride) {
    int64_t r = 0;
    if (x.count == 1)
        for (; r + 4 <= m.rows; r += 4)
            rowProducts<Type, 4, 1>(m, r, x.data, x.stride, y + r, yStride);
    else if (x.count >= 4)
        for (; r + rowsTogether <= m.rows; r += rowsTogether)
            rowsProducts<Type, rowsTogether>(m, r, x, y, yStride);
    for (; r < m.rows; ++r)
        rowsProducts<Type, 1>(m, r, x, y, yStride);
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

/// Columns that are turned at a time, for all rows of a tile: what a tile of vectors and one of
/// rows need together stays in the caches.
constexpr int64_t turnedColumns = 256;
constexpr int64_t turnedRows = 2 * lanes;

/// Eight rows of `from`, floats with `stride` from row to row, become eight columns of `to`.
BITLOOM_INLINE void turnEight(const float* from, int64_t stride, float* to, int64_t toStride) {
    __m256 a[8], b[8];
    for (int i = 0; i < 8; ++i)
        a[i] = _mm256_loadu_ps(from + i * stride);
    for (int i = 0; i < 4; ++i) {
        b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; ++j) {
            a[i + 2 * j] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0x44);
            a[i + 2 * j + 1] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0xEE);
        }
    for (int i = 0; i < 4; ++i) {
        _mm256_storeu_ps(to + i * toStride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * toStride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
}

/// Columns [column, column + n) of rows [row, row + turnedRows) as floats, [n, turnedRows]; rows
/// that the matrix has not are 0.
template<RowType Type>
BITLOOM_INLINE void turnRows(const RowMatrix& m, int64_t row, int64_t column, int64_t n,
                             float* out) {
    // Eight rows at a time; what lies behind n is turned along and not used.
    alignas(64) float eight[8][turnedColumns];
    for (int64_t r = 0; r < turnedRows; r += 8) {
        for (int64_t i = 0; i < 8; ++i) {
            int64_t c = 0;
            if (row + r + i < m.rows) {
                const void* from = rowAt<Type>(m, row + r + i);
                for (; c + lanes <= n; c += lanes)
                    store(eight[i] + c, loadAs<Type>(from, column + c));
                for (; c < n; ++c)
                    eight[i][c] = elementAs<Type>(from, column + c);
            }
            for (; c < (n + 7) / 8 * 8; ++c)
                eight[i][c] = 0;
        }
        for (int64_t c = 0; c < n; c += 8)
            turnEight(eight[0] + c, turnedColumns, out + c * turnedRows + r, turnedRows);
    }
}

/// Some vectors times two registers of rows, over n columns. `y` is theirs: [Vectors, ≥ rows].
template<int Vectors>
BITLOOM_INLINE void turnedProduct(const float* turned, int64_t n, const float* x, int64_t xStride,
                                  float* y, int64_t yStride, bool begin) {
    Vec sum[Vectors][2];
#pragma GCC unroll 12
    for (int v = 0; v < Vectors; ++v)
        for (int h = 0; h < 2; ++h)
            sum[v][h] = begin ? zero() : load(y + v * yStride + h * lanes);
    for (int64_t c = 0; c < n; ++c) {
        const Vec low = load(turned + c * turnedRows), high = load(turned + c * turnedRows + lanes);
#pragma GCC unroll 12
        for (int v = 0; v < Vectors; ++v) {
            const Vec factor = set(x[v * xStride + c]);
            sum[v][0] = fma(low, factor, sum[v][0]);
            sum[v][1] = fma(high, factor, sum[v][1]);
        }
    }
#pragma GCC unroll 12
    for (int v = 0; v < Vectors; ++v)
        for (int h = 0; h < 2; ++h)
            store(y + v * yStride + h * lanes, sum[v][h]);
}

/// The same for any number of rows and vectors of a tile: what is not whole takes a way round.
BITLOOM_INLINE void turnedTile(const float* turned, int64_t n, const float* x, int64_t xStride,
                               int64_t vectors, int64_t rows, float* y, int64_t yStride,
                               bool begin) {
    if (rows == turnedRows) {
        if (vectors == vectorsTogether)
            return turnedProduct<vectorsTogether>(turned, n, x, xStride, y, yStride, begin);
        int64_t v = 0;
        for (; v + 4 <= vectors; v += 4)
            turnedProduct<4>(turned, n, x + v * xStride, xStride, y + v * yStride, yStride, begin);
        for (; v < vectors; ++v)
            turnedProduct<1>(turned, n, x + v * xStride, xStride, y + v * yStride, yStride, begin);
        return;
    }
    for (int64_t v = 0; v < vectors; ++v) {
        float own[turnedRows] = {};
        for (int64_t r = 0; r < rows && !begin; ++r)
            own[r] = y[v * yStride + r];
        turnedProduct<1>(turned, n, x + v * xStride, xStride, own, turnedRows, begin);
        for (int64_t r = 0; r < rows; ++r)
            y[v * yStride + r] = own[r];
    }
}

template<RowType Type>
BITLOOM_TARGET static void multiplyManyRows(const RowMatrix& m, const RowVectors& x, float* y,
                                            int64_t yStride) {
    constexpr int64_t tiles = manyRows / turnedRows;
    alignas(64) static thread_local float turned[tiles][turnedColumns * turnedRows];
    for (int64_t top = 0; top < m.rows; top += tiles * turnedRows)
        for (int64_t column = 0; column < m.cols; column += turnedColumns) {
            const int64_t left = m.cols - column, n = left < turnedColumns ? left : turnedColumns;
            int64_t count = 0;
            for (; count < tiles && top + count * turnedRows < m.rows; ++count)
                turnRows<Type>(m, top + count * turnedRows, column, n, turned[count]);
            for (int64_t v = 0; v < x.count; v += vectorsTogether) {
                const int64_t more = x.count - v;
                for (int64_t tile = 0; tile < count; ++tile) {
                    const int64_t row = top + tile * turnedRows, below = m.rows - row;
                    turnedTile(turned[tile], n, x.data + v * x.stride + column, x.stride,
                               more < vectorsTogether ? more : vectorsTogether,
                               below < turnedRows ? below : turnedRows, y + v * yStride + row,
                               yStride, column == 0);
                }
            }
        }
}

/// Some strips for some vectors: a number of the matrix is made a float once for all of them. Each
/// sum is the same chain as alone.
template<RowType Type, int Strip, int Vectors>
BITLOOM_INLINE void combineTile(const RowMatrix& m, int64_t column, const float* x, int64_t xStride,
                                float* y, int64_t yStride) {
    Vec sum[Vectors][Strip];
    for (int v = 0; v < Vectors; ++v)
        for (int s = 0; s < Strip; ++s)
            sum[v][s] = load(y + v * yStride + column + s * lanes);
    for (int64_t r = 0; r < m.rows; ++r) {
        const void* row = rowAt<Type>(m, r);
        Vec value[Strip];
        for (int s = 0; s < Strip; ++s)
            value[s] = loadAs<Type>(row, column + s * lanes);
        for (int v = 0; v < Vectors; ++v) {
            const Vec factor = set(x[v * xStride + r]);
            for (int s = 0; s < Strip; ++s)
                sum[v][s] = fma(factor, value[s], sum[v][s]);
        }
    }
    for (int v = 0; v < Vectors; ++v)
        for (int s = 0; s < Strip; ++s)
            store(y + v * yStride + column + s * lanes, sum[v][s]);
}

template<RowType Type>
BITLOOM_TARGET static void combineRows(const RowMatrix& m, const RowVectors& x, float* y,
                                       int64_t yStride) {
    constexpr int strip = lanes == 16 ? 4 : 2; // that with four vectors fill the registers
    const int64_t whole = m.cols / (strip * lanes) * (strip * lanes);
    int64_t v = 0;
    for (; v + 4 <= x.count; v += 4)
        for (int64_t c = 0; c < whole; c += strip * lanes)
            combineTile<Type, strip, 4>(m, c, x.data + v * x.stride, x.stride, y + v * yStride,
                                        yStride);
    const int64_t together = v;
    for (v = 0; v < x.count; ++v) {
        const float* factors = x.data + v * x.stride;
        float* out = y + v * yStride;
        int64_t c = v < together ? whole : 0;
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

/// As many chains as a register has lanes go side by side; each product is of single numbers, since
/// gathering x into registers takes longer than the multiply-adds themselves.
template<class Column>
BITLOOM_TARGET static void addSparseOf(const SparsePanel& panel, const float* x, float* y) {
    constexpr int64_t columns = sparseLanes * int64_t(sizeof(Column));
    constexpr int64_t stepBytes = columns + sparseLanes * int64_t(sizeof(uint16_t));
    const uint8_t* entries = panel.entries();
    for (int64_t g = 0; g < panel.groups(); ++g) {
        const int64_t steps = panel.steps()[g];
        const int64_t live = std::min<int64_t>(sparseLanes, panel.rows - g * sparseLanes);
        const uint8_t* order = panel.order() + g * sparseLanes;
        for (int64_t part = 0; part < sparseLanes; part += lanes) {
            float sums[lanes];
#pragma GCC unroll 16
            for (int64_t l = 0; l < lanes; ++l)
                sums[l] = y[order[part + l]];
            const uint8_t* step = entries;
            for (int64_t i = 0; i < steps; ++i, step += stepBytes) {
                const auto* column = reinterpret_cast<const Column*>(step) + part;
                float value[lanes];
                __builtin_prefetch(step + 16 * stepBytes);
                store(value, loadF16(reinterpret_cast<const uint16_t*>(step + columns) + part));
#pragma GCC unroll 16
                for (int64_t l = 0; l < lanes; ++l)
                    sums[l] = __builtin_fmaf(value[l], x[column[l]], sums[l]);
            }
            for (int64_t l = 0; l < std::min<int64_t>(lanes, live - part); ++l)
                y[order[part + l]] = sums[l];
        }
        entries += steps * stepBytes;
    }
}

BITLOOM_TARGET static void addSparse(const SparsePanel& panel, const float* x, float* y) {
    panel.wide ? addSparseOf<uint32_t>(panel, x, y) : addSparseOf<uint16_t>(panel, x, y);
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

BITLOOM_TARGET static void multiplyManyAny(const RowMatrix& m, const RowVectors& x, float* y,
                                           int64_t yStride) {
    if (m.cols == 0) // no columns: sums of nothing
        return multiplyAny(m, x, y, yStride);
    switch (m.type) {
    case RowType::F32:
        return multiplyManyRows<RowType::F32>(m, x, y, yStride);
    case RowType::F16:
        return multiplyManyRows<RowType::F16>(m, x, y, yStride);
    case RowType::BF16:
        return multiplyManyRows<RowType::BF16>(m, x, y, yStride);
    case RowType::I8:
        return multiplyManyRows<RowType::I8>(m, x, y, yStride);
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
