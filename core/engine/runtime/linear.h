// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/team.h"
#include "core/engine/model_weights.h"
#include "core/format/panel_weights.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitloom::runtime {

/// A weight matrix as tokens are multiplied with it: at the bits it is stored with (PanelWeights;
/// int8 heads too), as 16-bit rows in the mapped file, or, for other layouts, float32 in memory.
/// Immutable once made: const members may run on several threads.
class Linear {
public:
    Linear() = default;
    /// A linear layer with its bias, by name. Throws Error, also for values that are no numbers.
    static Linear layer(const ModelWeights& weights, const LinearInfo& info, Team& team);
    /// The head.
    static Linear rows(const ModelWeights& weights, const std::string& tensor, int64_t rows,
                       int64_t cols, Team& team);

    /// Another one with memory of its own, for measurements.
    Linear copy() const;

    int64_t rowCount() const { return m_rows; }
    int64_t colCount() const { return m_cols; }
    int64_t bytes() const; ///< that a product reads
    const PanelWeights* panels() const { return m_panels.get(); }
    std::span<const float> bias() const { return m_bias; } ///< [rows], or empty

    /// Vectors [count, cols], made ready once for a product.
    struct Input {
        kernels::RowVectors x;
        PanelWeights::Input prepared; ///< for panels
    };
    void begin(const kernels::RowVectors& x, Input& input) const;
    /// Steps of making ready that may run side by side.
    int64_t prepareSteps(const Input& input) const;
    void prepare(Input& input, int64_t step) const;

    /// Parts of about equal work that may run side by side.
    int64_t parts(const Input& input) const;
    /// y[v·yStride + n] for the rows of this part.
    void multiply(const Input& input, int64_t part, float* y, int64_t yStride) const;

private:
    void takeStored(StoredRows stored, const std::string& tensor, Team& team);
    int64_t rowsOfPart() const;
    int64_t rowParts() const;

    int64_t m_rows = 0, m_cols = 0;
    std::shared_ptr<const PanelWeights> m_panels;
    StoredRows m_stored;
    std::vector<float> m_bias;
};

/// One matrix of several that are multiplied in one go, with where its result belongs.
struct Product {
    const Linear* linear;
    Linear::Input* input;
    float* y;
    int64_t yStride;
};
/// Makes the inputs ready and multiplies, all matrices side by side.
void multiplyAll(Team& team, std::span<const Product> products);

} // namespace bitloom::runtime
