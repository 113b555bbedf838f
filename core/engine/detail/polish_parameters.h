// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/column_weights.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::detail {

/// The trainable numbers of one column layer, and the way from them to weights and back: 2^b values
/// for a table column, (scale, zero) for a grid column, none for a raw one. Codes stay as they are;
/// outliers keep their exact weight. Weights and gradients are [K, N], source order.
class LayerParameters {
public:
    /// `exact` [K, N]: the original weights, for outliers.
    LayerParameters(const ColumnWeights& layer, std::span<const float> exact);

    std::span<float> values() { return m_values; }
    std::span<const float> values() const { return m_values; }
    /// Size of a sensible step: the root mean square of the layer's dequantized weights.
    float scale() const { return m_scale; }
    /// How much of a step each parameter takes, in units of scale(): 1 for table values, the grid's
    /// own sensitivity for scale and zero.
    std::span<const float> stepSizes() const { return m_steps; }

    /// A weight that keeps its exact value.
    struct Outlier {
        uint32_t row;
        float exact;
    };
    std::span<const uint8_t> codes() const { return m_codes; } ///< [K, N]
    std::span<const Outlier> outliers(int64_t column) const { return m_outliers[size_t(column)]; }
    /// Where a column's parameters begin among values(), and they themselves.
    size_t offset(int64_t column) const { return m_offset[size_t(column)]; }
    std::span<const float> valuesOf(int64_t column) const {
        return std::span(m_values).subspan(offset(column), offset(column + 1) - offset(column));
    }

    void dequantize(std::span<float> weights, int threads) const;
    /// Gradient of the parameters from the gradient of the weights.
    void reduce(std::span<const float> weightGradient, std::span<float> gradient,
                int threads) const;
    /// Rounds the parameters to the stored form and writes them into `layer`.
    void store(ColumnWeights& layer) const;

private:
    const ColumnWeights* m_layer;
    std::vector<float> m_values, m_steps;
    std::vector<size_t> m_offset; ///< [K + 1] into m_values
    std::vector<std::vector<Outlier>> m_outliers;
    std::vector<uint8_t> m_codes; ///< [K, N], of the untouched layer
    float m_scale = 1;
};

} // namespace bitloom::detail
