// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_matrix.h"

#include <array>

namespace bitloom {

namespace {

using Segments = std::array<BitloomCudaSegment, kernels::gpuMaxSegments>;

/// What the library takes; it points into `m` and `segments`.
BitloomCudaMatrixSpec specOf(const kernels::GpuMatrix& m, Segments& segments) {
    for (int32_t i = 0; i < m.layout.segments; ++i) {
        const kernels::GpuSegment& segment = m.layout.segment[size_t(i)];
        segments[size_t(i)] = {int32_t(segment.kind), segment.steps * kernels::gpuStep};
    }
    const auto orNull = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
    BitloomCudaMatrixSpec spec{};
    spec.rows = m.rows;
    spec.cols = m.cols;
    spec.segments = m.layout.segments;
    spec.segment = segments.data();
    spec.hostCodes = orNull(m.codes);
    spec.hostTables = orNull(m.tables);
    spec.hostColumn = m.column.data();
    spec.hostScale = m.scale.data();
    spec.hostRemainder = m.remainder.data();
    spec.hostOffset = m.offset.data();
    spec.hostOutlierBegin = orNull(m.outlierBegin);
    spec.hostOutlierRow = orNull(m.outlierRow);
    spec.hostOutlierColumn = orNull(m.outlierColumn);
    spec.hostOutlierValue = orNull(m.outlierValue);
    spec.rawColumns = int32_t(m.rawColumn.size());
    spec.rawBfloat16 = m.rawBfloat16;
    spec.hostRawColumn = orNull(m.rawColumn);
    spec.hostRaw = orNull(m.raw);
    spec.hostRowScale = orNull(m.rowScale);
    spec.hostBias = orNull(m.bias);
    spec.extraLimit = m.extraLimit;
    return spec;
}

} // namespace

CudaMatrix::CudaMatrix(const CudaDevice& device, std::span<const kernels::GpuMatrix> matrices)
    : m_device(&device) {
    std::vector<Segments> segments(matrices.size());
    std::vector<BitloomCudaMatrixSpec> specs;
    for (size_t i = 0; i < matrices.size(); ++i)
        specs.push_back(specOf(matrices[i], segments[i]));
    device.check(device.api().createMatrix(device.context(), specs.data(), int32_t(specs.size()),
                                           &m_matrix));
}

CudaMatrix::CudaMatrix(const CudaDevice& device, const kernels::GpuMatrix& matrix,
                       std::span<const uint32_t> words, std::span<const BitloomCudaColumn> columns)
    : m_device(&device) {
    Segments segments;
    BitloomCudaMatrixSpec spec = specOf(matrix, segments);
    spec.hostCodes = nullptr;
    spec.hostWords = words.data();
    spec.wordCount = words.size();
    spec.hostColumns = columns.data();
    device.check(device.api().createMatrix(device.context(), &spec, 1, &m_matrix));
}

CudaMatrix::CudaMatrix(const CudaDevice& device, const BitloomCudaRowsSpec& rows)
    : m_device(&device) {
    device.check(device.api().createRows(device.context(), &rows, &m_matrix));
}

CudaMatrix::CudaMatrix(CudaMatrix&& other) noexcept
    : m_device(other.m_device), m_matrix(std::exchange(other.m_matrix, nullptr)) {}

CudaMatrix::~CudaMatrix() {
    if (m_matrix) m_device->api().destroyMatrix(m_matrix);
}

} // namespace bitloom
