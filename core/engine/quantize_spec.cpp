// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/cmpq_solver.h"
#include "core/engine/detail/transformer.h"
#include "core/engine/quantize.h"

namespace bitloom {

CheckpointSpec checkpointSpec(const Checkpoint& model, const Statistics& statistics,
                              const QuantizeOptions& options, Progress& progress) {
    CheckpointSpec spec = plannedSpec(model, statistics, options);
    if (options.method != Method::Cmpq) return spec;
    const Catalogue& catalogue = model.catalogue();
    const auto weights = Checkpoint::open(model.folder().string());
    const auto source = weightsOf(weights);
    const int threads = options.compute.threadsOrDefault();
    for (size_t i = 0; i < catalogue.linears.size(); ++i) {
        const LinearInfo& linear = catalogue.linears[i];
        progress.report(double(i) / double(catalogue.linears.size()), "counting outliers");
        const ColumnWeights layer = detail::cmpqQuantize(
            detail::loadLinear(*source, linear, threads), statistics.find(linear.name)->actRms,
            {options.bits, options.cmpqShare, options.cmpqActivationOutliers,
             options.cmpqErrorOutliers},
            threads, progress);
        LayerFormat& format = spec.layers[linear.name];
        format.layout = LayerLayout::Column;
        format.classes = layer.classes;
        format.classOf = layer.classOf;
    }
    return spec;
}

} // namespace bitloom
