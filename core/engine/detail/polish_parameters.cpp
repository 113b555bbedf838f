// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/polish_parameters.h"

#include "core/base/threads.h"
#include "kernels/column_math.h"
#include "kernels/half.h"

#include <algorithm>
#include <cmath>

namespace bitloom::detail {

LayerParameters::LayerParameters(const ColumnWeights& layer, std::span<const float> exact)
    : m_layer(&layer), m_outliers(size_t(layer.cols)), m_codes(layer.codes) {
    double squares = 0;
    for (float w : exact)
        squares += double(w) * double(w);
    m_scale = float(std::sqrt(squares / double(std::max<size_t>(exact.size(), 1))));
    m_offset.push_back(0);
    for (int64_t k = 0; k < layer.cols; ++k) {
        const kernels::ColumnCode code = layer.code(k);
        if (code.kind == PointKind::Table) {
            for (int c = 0; c < code.entries(); ++c) {
                m_values.push_back(code.value(c));
                m_steps.push_back(m_scale);
            }
        } else if (code.kind == PointKind::Grid) {
            m_values.push_back(kernels::halfToFloat(code.scale));
            m_values.push_back(kernels::halfToFloat(code.zero));
            // A step of one weight's size at the end of the grid, and at every value.
            const float grid = std::max(std::fabs(m_values[m_values.size() - 2]), 1e-12f);
            m_steps.push_back(m_scale / float(code.entries()));
            m_steps.push_back(m_scale / grid);
        }
        m_offset.push_back(m_values.size());
        for (uint32_t row : layer.outlierRow[size_t(k)])
            m_outliers[size_t(k)].push_back({row, exact[size_t(k * layer.rows) + row]});
    }
}

void LayerParameters::dequantize(std::span<float> weights, int threads) const {
    const int64_t rows = m_layer->rows;
    parallelFor(m_layer->cols, 32, threads, [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
            const float* p = m_values.data() + m_offset[size_t(k)];
            const uint8_t* codes = m_codes.data() + k * rows;
            float* out = weights.data() + k * rows;
            switch (m_layer->classAt(k).kind) {
            case PointKind::Table:
                for (int64_t n = 0; n < rows; ++n)
                    out[n] = p[codes[n]];
                break;
            case PointKind::Grid:
                for (int64_t n = 0; n < rows; ++n)
                    out[n] = p[0] * (float(codes[n]) - p[1]);
                break;
            case PointKind::Raw:
                m_layer->dequantizeColumn(k, {out, size_t(rows)});
                break;
            }
            for (const Outlier& o : m_outliers[size_t(k)])
                out[o.row] = o.exact;
        }
    });
}

void LayerParameters::reduce(std::span<const float> weightGradient, std::span<float> gradient,
                             int threads) const {
    const int64_t rows = m_layer->rows;
    parallelFor(m_layer->cols, 32, threads, [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
            const float* p = m_values.data() + m_offset[size_t(k)];
            float* g = gradient.data() + m_offset[size_t(k)];
            const uint8_t* codes = m_codes.data() + k * rows;
            const float* dw = weightGradient.data() + k * rows;
            switch (m_layer->classAt(k).kind) {
            case PointKind::Table: {
                std::fill(g, gradient.data() + m_offset[size_t(k) + 1], 0.0f);
                for (int64_t n = 0; n < rows; ++n)
                    g[codes[n]] += dw[n];
                for (const Outlier& o : m_outliers[size_t(k)])
                    g[codes[o.row]] -= dw[o.row];
                break;
            }
            case PointKind::Grid: {
                float dScale = 0, dZero = 0;
                for (int64_t n = 0; n < rows; ++n) {
                    dScale += dw[n] * (float(codes[n]) - p[1]);
                    dZero -= dw[n] * p[0];
                }
                for (const Outlier& o : m_outliers[size_t(k)]) {
                    dScale -= dw[o.row] * (float(codes[o.row]) - p[1]);
                    dZero += dw[o.row] * p[0];
                }
                g[0] = dScale;
                g[1] = dZero;
                break;
            }
            case PointKind::Raw:
                break;
            }
        }
    });
}

void LayerParameters::store(ColumnWeights& layer) const {
    std::vector<uint8_t> place(256);
    for (int64_t k = 0; k < layer.cols; ++k) {
        const float* p = m_values.data() + m_offset[size_t(k)];
        kernels::ColumnCode code = layer.code(k);
        const std::span codes = layer.columnCodes(k);
        if (code.kind == PointKind::Table) {
            const size_t entries = size_t(code.entries());
            code = kernels::roundTable({p, entries}, code.bits, {place.data(), entries});
            for (size_t n = 0; n < codes.size(); ++n)
                codes[n] = place[m_codes[size_t(k * layer.rows) + n]];
        } else if (code.kind == PointKind::Grid) {
            code.scale = kernels::floatToFiniteHalf(p[0]);
            code.zero = kernels::floatToFiniteHalf(p[1]);
        } else {
            continue;
        }
        layer.setCode(k, code);
        for (size_t i = 0; i < m_outliers[size_t(k)].size(); ++i) {
            const Outlier& o = m_outliers[size_t(k)][i];
            layer.outlierVal[size_t(k)][i] =
                kernels::outlierCorrection(o.exact, code.value(codes[o.row]));
        }
    }
}

} // namespace bitloom::detail
