// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/polish_device.h"

#include <algorithm>
#include <map>
#include <utility>

namespace bitloom::detail {

namespace {

constexpr int64_t chunkWeights = int64_t(1) << 24; ///< whose codes become indices at once

at::Tensor tensorOf(const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong);
}

} // namespace

DeviceParameters::DeviceParameters(const LayerParameters& parameters, const ColumnWeights& layer,
                                   const Place& place)
    : m_parameters(parameters), m_place(place), m_rows(layer.rows), m_cols(layer.cols) {
    std::map<std::pair<PointKind, int>, std::vector<int64_t>> kinds;
    for (int64_t k = 0; k < m_cols; ++k) {
        const ColumnClass& kind = layer.classAt(k);
        kinds[{kind.kind, kind.kind == PointKind::Raw ? 16 : kind.bits}].push_back(k);
    }
    const std::span<const uint8_t> codes = parameters.codes();
    for (const auto& [kind, columns] : kinds) {
        const auto count = int64_t(columns.size());
        if (kind.first == PointKind::Raw) {
            at::Tensor raw = at::empty({count, m_rows}, at::kFloat);
            for (int64_t i = 0; i < count; ++i)
                layer.dequantizeColumn(columns[size_t(i)],
                                       {raw.data_ptr<float>() + i * m_rows, size_t(m_rows)});
            m_rawColumns = m_place.in(tensorOf(columns));
            m_raw = m_place.in(raw);
            continue;
        }
        at::Tensor own = at::empty({count, m_rows}, at::kByte);
        for (int64_t i = 0; i < count; ++i)
            std::copy_n(codes.data() + columns[size_t(i)] * m_rows, m_rows,
                        own.data_ptr<uint8_t>() + i * m_rows);
        const bool grid = kind.first == PointKind::Grid;
        m_groups.push_back({grid, grid ? 2 : int64_t(1) << kind.second, columns,
                            m_place.in(tensorOf(columns)), m_place.in(own)});
    }
    std::vector<int64_t> places;
    std::vector<float> exact;
    for (int64_t k = 0; k < m_cols; ++k)
        for (const LayerParameters::Outlier& o : parameters.outliers(k)) {
            places.push_back(k * m_rows + int64_t(o.row));
            exact.push_back(o.exact);
        }
    if (places.empty()) return;
    m_outlierAt = m_place.in(tensorOf(places));
    m_outliers = m_place.in(at::tensor(exact, at::kFloat));
}

at::Tensor DeviceParameters::valuesOf(const Group& group) const {
    at::Tensor values = at::empty({int64_t(group.source.size()), group.entries}, at::kFloat);
    float* to = values.data_ptr<float>();
    for (const int64_t k : group.source)
        to = std::ranges::copy(m_parameters.valuesOf(k), to).out;
    return m_place.in(values);
}

at::Tensor DeviceParameters::dequantize() const {
    at::Tensor out =
        at::empty({m_cols, m_rows}, at::TensorOptions(at::kFloat).device(m_place.torch()));
    const int64_t step = std::max<int64_t>(1, chunkWeights / m_rows);
    for (const Group& group : m_groups) {
        const at::Tensor values = valuesOf(group);
        const auto count = int64_t(group.source.size());
        for (int64_t first = 0; first < count; first += step) {
            const int64_t n = std::min(step, count - first);
            const at::Tensor own = values.narrow(0, first, n);
            const at::Tensor codes = group.codes.narrow(0, first, n);
            const at::Tensor weights =
                group.grid ? own.narrow(1, 0, 1) * (codes.to(at::kFloat) - own.narrow(1, 1, 1))
                           : own.gather(1, codes.to(at::kLong));
            out.index_copy_(0, group.columns.narrow(0, first, n), weights);
        }
    }
    if (m_raw.defined()) out.index_copy_(0, m_rawColumns, m_raw);
    if (m_outliers.defined()) out.view({-1}).index_copy_(0, m_outlierAt, m_outliers);
    return out;
}

void DeviceParameters::reduce(at::Tensor gradient, std::span<float> out) const {
    gradient = gradient.contiguous();
    if (m_outliers.defined()) gradient.view({-1}).index_fill_(0, m_outlierAt, 0);
    const int64_t step = std::max<int64_t>(1, chunkWeights / m_rows);
    for (const Group& group : m_groups) {
        const at::Tensor values = group.grid ? valuesOf(group) : at::Tensor();
        const auto count = int64_t(group.source.size());
        for (int64_t first = 0; first < count; first += step) {
            const int64_t n = std::min(step, count - first);
            const at::Tensor own = gradient.index_select(0, group.columns.narrow(0, first, n));
            const at::Tensor codes = group.codes.narrow(0, first, n);
            std::vector<at::Tensor> sums;
            if (group.grid) {
                const at::Tensor pair = values.narrow(0, first, n);
                sums.push_back((own * (codes.to(at::kFloat) - pair.narrow(1, 1, 1))).sum(1));
                sums.push_back(own.sum(1) * pair.select(1, 0) * -1);
            } else {
                // One pass for each entry: no order of additions is left to chance.
                for (int64_t entry = 0; entry < group.entries; ++entry)
                    sums.push_back((own * (codes == entry)).sum(1));
            }
            const at::Tensor here = m_place.out(at::stack(sums, 1).contiguous());
            const float* from = here.const_data_ptr<float>();
            for (int64_t i = 0; i < n; ++i, from += group.entries)
                std::copy_n(from, group.entries,
                            out.data() + m_parameters.offset(group.source[size_t(first + i)]));
        }
    }
}

} // namespace bitloom::detail
