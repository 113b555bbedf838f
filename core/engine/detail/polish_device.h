// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/device.h"
#include "core/engine/detail/polish_parameters.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::detail {

/// What LayerParameters::dequantize and reduce do, on a device: codes stay there, and only the
/// parameters and their gradients cross the bus. `parameters` must outlive it.
class DeviceParameters {
public:
    DeviceParameters(const LayerParameters& parameters, const ColumnWeights& layer,
                     const Place& place);

    at::Tensor dequantize() const; ///< [K, N], there
    /// Gradient of the parameters from that of the weights [K, N], which is there and may be
    /// changed.
    void reduce(at::Tensor gradient, std::span<float> out) const;

private:
    /// Columns of one kind and width.
    struct Group {
        bool grid = false;
        int64_t entries = 0;         ///< parameters of a column
        std::vector<int64_t> source; ///< columns of the layer
        at::Tensor columns;          ///< the same, there
        at::Tensor codes;            ///< [k, N] uint8, there
    };
    at::Tensor valuesOf(const Group& group) const; ///< [k, entries], there

    const LayerParameters& m_parameters;
    Place m_place;
    int64_t m_rows, m_cols;
    std::vector<Group> m_groups;
    at::Tensor m_rawColumns, m_raw;     ///< [r], [r, N]
    at::Tensor m_outlierAt, m_outliers; ///< places in [K·N], and exact weights
};

} // namespace bitloom::detail
