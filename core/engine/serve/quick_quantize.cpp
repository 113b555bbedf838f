// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/quick_quantize.h"

#include "core/base/threads.h"
#include "kernels/column_math.h"
#include "kernels/half.h"

#include <algorithm>
#include <atomic>

namespace bitloom::serve {

namespace {

/// Buffers of one thread.
struct Scratch {
    kernels::ColumnScratch column;
    std::vector<float> weights, rest, value;
};

/// One column [N] to what its class asks for.
void fitOne(ColumnWeights& layer, int64_t column, Scratch& scratch) {
    const ColumnClass& kind = layer.classAt(column);
    const auto k = size_t(column);
    const std::span<const float> weights = scratch.weights;
    if (kind.kind == PointKind::Raw) {
        std::vector<uint16_t>& raw = layer.raw[k];
        if (layer.rawDtype == DType::BF16) {
            kernels::floatToBfloat16(weights, raw);
        } else {
            kernels::floatToHalf(weights, raw);
        }
        return;
    }
    std::vector<uint32_t>& outliers = layer.outlierRow[k];
    std::span<const float> fitted = weights;
    if (kind.outliers > 0) {
        kernels::chooseOutliers(weights, int(kind.outliers), scratch.column, outliers);
        scratch.rest.clear();
        for (size_t i = 0, next = 0; i < weights.size(); ++i) {
            if (next < outliers.size() && outliers[next] == i) {
                ++next;
            } else {
                scratch.rest.push_back(weights[i]);
            }
        }
        if (!scratch.rest.empty()) fitted = scratch.rest;
    }
    const kernels::ColumnCode code =
        kernels::fitColumn(fitted, kind.kind, kind.bits, scratch.column);
    kernels::assignColumn(weights, code, layer.columnCodes(column));
    layer.setCode(column, code);
    for (size_t i = 0; i < outliers.size(); ++i) {
        const size_t row = outliers[i];
        layer.outlierVal[k][i] =
            kernels::outlierCorrection(weights[row], code.value(layer.columnCodes(column)[row]));
    }
}

ColumnWeights roundLayer(const Checkpoint& model, const LinearInfo& linear, const Plan::Layer& plan,
                         const Menu& menu, int threads, const Progress& progress) {
    ColumnWeights layer = ColumnWeights::make(linear.rows, linear.cols, plan.points, menu);
    const std::string tensor = linear.name + ".weight";
    if (model.require(tensor).info.dtype == DType::BF16) layer.rawDtype = DType::BF16;
    std::vector<float> weights(size_t(linear.rows * linear.cols));
    model.readFloat(tensor, weights);
    parallelFor(linear.cols, 16, threads, [&](int64_t begin, int64_t end) {
        thread_local Scratch scratch;
        scratch.weights.resize(size_t(linear.rows));
        progress.check();
        for (int64_t k = begin; k < end; ++k) {
            for (int64_t n = 0; n < linear.rows; ++n)
                scratch.weights[size_t(n)] = weights[size_t(n * linear.cols + k)];
            fitOne(layer, k, scratch);
        }
    });
    return layer;
}

} // namespace

std::shared_ptr<const ModelWeights> quickQuantize(std::shared_ptr<const Checkpoint> model,
                                                  const Plan& plan, int threads,
                                                  Progress& progress) {
    const Catalogue& catalogue = model->catalogue();
    std::map<std::string, QuantizedLinear, std::less<>> layers;
    if (plan.layers.size() != catalogue.linears.size())
        throw Error("the plan has " + std::to_string(plan.layers.size()) +
                        " layers and the model " + std::to_string(catalogue.linears.size()),
                    "Make a plan for this model.");
    for (size_t i = 0; i < plan.layers.size(); ++i) {
        const Plan::Layer& wanted = plan.layers[i];
        const LinearInfo* linear = catalogue.find(wanted.name);
        if (!linear || linear->rows != wanted.rows || linear->cols != wanted.cols)
            throw Error("the plan's layer " + wanted.name + " does not fit the model",
                        "Make a plan for this model.");
        progress.report(double(i) / double(plan.layers.size()),
                        "rounding layer " + std::to_string(i + 1) + " of " +
                            std::to_string(plan.layers.size()));
        progress.check();
        layers[wanted.name] = roundLayer(*model, *linear, wanted, plan.menu, threads, progress);
    }
    return overlay(weightsOf(std::move(model)), std::move(layers));
}

int64_t unpackedBytes(const Checkpoint& model) {
    int64_t bytes = 0;
    for (const LinearInfo& linear : model.catalogue().linears)
        bytes += linear.rows * linear.cols + linear.cols * 64; // codes; tables and bookkeeping
    return bytes;
}

} // namespace bitloom::serve
