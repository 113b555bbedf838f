// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_matrix.h"

#include <array>

namespace bitloom {

CudaMatrix::CudaMatrix(const CudaDevice& device, const kernels::GpuMatrix& matrix)
    : m_device(&device) {
    BitloomCudaMatrixSpec spec{};
    spec.hostCodes = matrix.codes.data();
    create(matrix, spec);
}

CudaMatrix::CudaMatrix(const CudaDevice& device, const kernels::GpuMatrix& matrix,
                       std::span<const uint32_t> words, std::span<const BitloomCudaColumn> columns)
    : m_device(&device) {
    BitloomCudaMatrixSpec spec{};
    spec.hostWords = words.data();
    spec.wordCount = words.size();
    spec.hostColumns = columns.data();
    create(matrix, spec);
}

CudaMatrix::CudaMatrix(CudaMatrix&& other) noexcept
    : m_device(other.m_device), m_matrix(std::exchange(other.m_matrix, nullptr)) {}

CudaMatrix::~CudaMatrix() {
    if (m_matrix) m_device->api().destroyMatrix(m_matrix);
}

void CudaMatrix::create(const kernels::GpuMatrix& m, BitloomCudaMatrixSpec spec) {
    std::array<BitloomCudaSegment, kernels::gpuMaxSegments> segments{};
    for (int32_t i = 0; i < m.layout.segments; ++i) {
        const kernels::GpuSegment& segment = m.layout.segment[size_t(i)];
        segments[size_t(i)] = {int32_t(segment.kind), segment.steps * kernels::gpuStep};
    }
    const auto orNull = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
    spec.rows = m.rows;
    spec.cols = m.cols;
    spec.segments = m.layout.segments;
    spec.segment = segments.data();
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
    spec.extraLimit = m.extraLimit;
    m_device->check(m_device->api().createMatrix(m_device->context(), &spec, &m_matrix));
}

} // namespace bitloom
