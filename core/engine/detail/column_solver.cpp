// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/column_solver.h"

#include "kernels/column_math.h"
#include "kernels/half.h"

#include <algorithm>
#include <cmath>

namespace bitloom::detail {

using kernels::ColumnCode;

struct ColumnSolver::Fit {
    ColumnCode code;
    std::vector<uint8_t> codes;
    std::vector<uint32_t> outlierRow;
    std::vector<uint16_t> outlierVal;
    std::vector<uint16_t> raw;
    std::vector<float> value; ///< dequantized, outliers added
    double error = 0;         ///< Σ (target − value)²
};

namespace {

void addScaled(float* out, const float* in, float factor, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        out[i] += factor * in[i];
}

double squaredDistance(std::span<const float> a, const float* b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double d = double(a[i]) - double(b[i]);
        sum += d * d;
    }
    return sum;
}

} // namespace

ColumnSolver::ColumnSolver(const at::Tensor& weight, const FactoredHessian& hessian,
                           ColumnWeights& layer)
    : m_hessian(hessian), m_layer(layer), m_rows(layer.rows), m_cols(layer.cols) {
    const at::Tensor order =
        at::from_blob(const_cast<int64_t*>(hessian.order.data()), {m_cols}, at::kLong);
    m_weight = weight.t().index_select(0, order).contiguous();
    m_error = at::zeros_like(m_weight);
    m_deviceError = hessian.place.onDevice() ? hessian.place.in(m_error) : at::Tensor();
}

/// Fits what the column's class asks for to `target` and dequantizes it.
void ColumnSolver::fit(std::span<const float> target, int64_t column, bool keepOutliers, Fit& out) {
    const ColumnClass& kind = m_layer.classAt(column);
    const size_t n = target.size();
    out.value.resize(n);
    out.codes.resize(n);
    out.outlierRow.clear();
    out.outlierVal.clear();
    if (kind.kind == PointKind::Raw) {
        const bool half = m_layer.rawDtype == DType::F16;
        out.raw.resize(n);
        for (size_t i = 0; i < n; ++i) {
            out.raw[i] =
                half ? kernels::floatToHalf(target[i]) : kernels::floatToBfloat16(target[i]);
            out.value[i] =
                half ? kernels::halfToFloat(out.raw[i]) : kernels::bfloat16ToFloat(out.raw[i]);
        }
        out.error = squaredDistance(target, out.value.data());
        return;
    }
    if (kind.outliers > 0) {
        out.outlierRow.resize(kind.outliers);
        if (keepOutliers) {
            std::copy_n(m_layer.outlierRow[size_t(column)].begin(), kind.outliers,
                        out.outlierRow.begin());
        } else {
            kernels::chooseOutliers(target, int(kind.outliers), m_scratch, out.outlierRow);
        }
        m_rest.clear();
        size_t next = 0;
        for (size_t i = 0; i < n; ++i) {
            if (next < out.outlierRow.size() && out.outlierRow[next] == i) {
                ++next;
            } else {
                m_rest.push_back(target[i]);
            }
        }
        out.code = kernels::fitColumn(m_rest.empty() ? target : std::span<const float>(m_rest),
                                      kind.kind, kind.bits, m_scratch);
    } else {
        out.code = kernels::fitColumn(target, kind.kind, kind.bits, m_scratch);
    }
    kernels::assignColumn(target, out.code, out.codes);
    float values[256];
    for (int c = 0; c < out.code.entries(); ++c)
        values[c] = out.code.value(c);
    for (size_t i = 0; i < n; ++i)
        out.value[i] = values[out.codes[i]];
    for (uint32_t row : out.outlierRow) {
        const uint16_t rest = kernels::outlierCorrection(target[row], out.value[row]);
        out.outlierVal.push_back(rest);
        out.value[row] += kernels::halfToFloat(rest);
    }
    out.error = squaredDistance(target, out.value.data());
}

void ColumnSolver::store(int64_t column, const Fit& fit) {
    const size_t k = size_t(column);
    if (m_layer.classAt(column).kind == PointKind::Raw) {
        m_layer.raw[k] = fit.raw;
        return;
    }
    m_layer.setCode(column, fit.code);
    std::copy(fit.codes.begin(), fit.codes.end(), m_layer.columnCodes(column).begin());
    m_layer.outlierRow[k] = fit.outlierRow;
    m_layer.outlierVal[k] = fit.outlierVal;
}

ColumnSolver::Corner ColumnSolver::corner(const at::Tensor& matrix, int64_t begin,
                                          int64_t end) const {
    const at::Tensor part = matrix.narrow(0, begin, end - begin).narrow(1, begin, end - begin);
    if (!m_hessian.place.onDevice()) return {part, part.data_ptr<float>(), m_cols};
    const at::Tensor copy = m_hessian.place.out(part.contiguous());
    return {copy, copy.data_ptr<float>(), end - begin};
}

/// Targets of some columns [end − begin, N], with the feedback of all columns before them.
at::Tensor ColumnSolver::targets(int64_t begin, int64_t end) const {
    at::Tensor target = m_weight.narrow(0, begin, end - begin).clone();
    if (begin == 0) return target;
    const at::Tensor factors =
        m_hessian.feedback.narrow(0, 0, begin).narrow(1, begin, end - begin).t();
    if (m_hessian.place.onDevice())
        return target.add_(m_hessian.place.out(at::mm(factors, m_deviceError.narrow(0, 0, begin))));
    return target.addmm_(factors, m_error.narrow(0, 0, begin));
}

void ColumnSolver::gptq(const Progress& progress) {
    const float* weight = m_weight.data_ptr<float>();
    float* error = m_error.data_ptr<float>();
    Fit fit;
    m_objective = 0;
    for (int64_t begin = 0; begin < m_cols; begin += blockColumns) {
        progress.check();
        const int64_t end = std::min(begin + blockColumns, m_cols);
        at::Tensor target = targets(begin, end);
        float* t = target.data_ptr<float>();
        const Corner f = corner(m_hessian.feedback, begin, end);
        for (int64_t inner = begin; inner < end; inner += innerColumns) {
            const int64_t innerEnd = std::min(inner + innerColumns, end);
            for (int64_t k = inner; k < innerEnd; ++k) {
                const int64_t column = m_hessian.order[size_t(k)];
                const std::span goal(t + (k - begin) * m_rows, size_t(m_rows));
                this->fit(goal, column, /*keepOutliers=*/false, fit);
                store(column, fit);
                m_objective += double(m_hessian.pivot[size_t(k)]) * fit.error;
                float* e = error + k * m_rows;
                for (int64_t i = 0; i < m_rows; ++i)
                    e[i] = weight[k * m_rows + i] - fit.value[size_t(i)];
                for (int64_t j = k + 1; j < innerEnd; ++j)
                    addScaled(t + (j - begin) * m_rows, e, f.at(k - begin, j - begin), m_rows);
            }
            if (innerEnd < end)
                target.narrow(0, innerEnd - begin, end - innerEnd)
                    .addmm_(
                        f.part(inner - begin, innerEnd - begin, innerEnd - begin, end - begin).t(),
                        m_error.narrow(0, inner, innerEnd - inner));
        }
        if (m_hessian.place.onDevice())
            m_deviceError.narrow(0, begin, end - begin)
                .copy_(m_error.narrow(0, begin, end - begin));
    }
}

/// The columns [begin, end): `g` [end − begin, N] is their gradient, `change` becomes
/// q_new − q_old.
void ColumnSolver::descendBlock(int64_t begin, int64_t end, const at::Tensor& gradient,
                                at::Tensor& change, Fit& fit) {
    const Corner h = corner(m_hessian.damped, begin, end);
    const float* weight = m_weight.data_ptr<float>();
    float* error = m_error.data_ptr<float>();
    float* g = gradient.data_ptr<float>();
    std::vector<float> goal(static_cast<size_t>(m_rows)), old(static_cast<size_t>(m_rows));
    for (int64_t inner = begin; inner < end; inner += innerColumns) {
        const int64_t innerEnd = std::min(inner + innerColumns, end);
        for (int64_t k = inner; k < innerEnd; ++k) {
            const int64_t column = m_hessian.order[size_t(k)];
            const float pivot = h.at(k - begin, k - begin);
            const float* own = g + (k - begin) * m_rows;
            float* e = error + k * m_rows;
            double before = 0;
            for (int64_t i = 0; i < m_rows; ++i) {
                const float step = own[i] / pivot;
                old[size_t(i)] = weight[k * m_rows + i] - e[i];
                goal[size_t(i)] = old[size_t(i)] + step;
                before += double(step) * double(step);
            }
            this->fit(goal, column, /*keepOutliers=*/true, fit);
            // Along one column the objective is H'_kk‖goal − q‖² plus what q does not change.
            if (!(fit.error < before)) continue;
            m_objective -= double(pivot) * (before - fit.error);
            store(column, fit);
            float* delta = change.data_ptr<float>() + (k - begin) * m_rows;
            for (int64_t i = 0; i < m_rows; ++i) {
                delta[i] = fit.value[size_t(i)] - old[size_t(i)];
                e[i] = weight[k * m_rows + i] - fit.value[size_t(i)];
            }
            for (int64_t j = k + 1; j < innerEnd; ++j)
                addScaled(g + (j - begin) * m_rows, delta, -h.at(k - begin, j - begin), m_rows);
        }
        if (innerEnd < end)
            gradient.narrow(0, innerEnd - begin, end - innerEnd)
                .addmm_(h.part(innerEnd - begin, end - begin, inner - begin, innerEnd - begin),
                        change.narrow(0, inner - begin, innerEnd - inner), 1, -1);
    }
}

double ColumnSolver::descend(const Progress& progress) {
    const Place& place = m_hessian.place;
    // Gᵀ = H' Eᵀ, held as [K, N] like everything else.
    const at::Tensor& e = place.onDevice() ? m_deviceError : m_error;
    at::Tensor gradient = at::mm(m_hessian.damped, e);
    m_objective = gradient.flatten().dot(e.flatten()).item<double>();
    Fit fit;
    for (int64_t begin = 0; begin < m_cols; begin += blockColumns) {
        progress.check();
        const int64_t end = std::min(begin + blockColumns, m_cols);
        at::Tensor change = at::zeros({end - begin, m_rows}, at::kFloat); // q_new − q_old
        descendBlock(begin, end, place.out(gradient.narrow(0, begin, end - begin)), change, fit);
        if (place.onDevice())
            m_deviceError.narrow(0, begin, end - begin)
                .copy_(m_error.narrow(0, begin, end - begin));
        if (end < m_cols)
            gradient.narrow(0, end, m_cols - end)
                .addmm_(m_hessian.damped.narrow(0, end, m_cols - end).narrow(1, begin, end - begin),
                        place.in(change), 1, -1);
    }
    return m_objective;
}

double ColumnSolver::objective() const {
    const at::Tensor& error = m_hessian.place.onDevice() ? m_deviceError : m_error;
    return at::mm(m_hessian.damped.to(at::kDouble), error.to(at::kDouble))
        .mul_(error)
        .sum()
        .item<double>();
}

} // namespace bitloom::detail
