// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/batches.h"
#include "core/engine/detail/hessian.h"
#include "core/engine/detail/hidden_store.h"
#include "core/engine/detail/layer_store.h"
#include "core/engine/detail/transformer.h"
#include "core/engine/quantize.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace bitloom::detail {

/// The quantizer's passes over a model (ALGORITHMS §5), block by block:
///
///   inputs of the block → H of its four inputs → factors → all its linears side by side → the
///   block's outputs with what was stored, which are the next block's inputs
///
/// Methods that need no Hessian (rtn, cmpq) skip the activations. A linear that the store already
/// holds is never computed again; hidden states between blocks lie in the work folder with a hash,
/// so that a resumed run starts at the block where the last one stopped. References must outlive
/// it; for one thread, which it divides the work of a block from.
class QuantizeRun {
public:
    QuantizeRun(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                const QuantizeOptions& options, LayerStore& store, Progress& progress);

    QuantizeReport run();

private:
    bool needsHessians() const {
        return m_options.method == Method::CmpqPlus || m_options.method == Method::Gptq;
    }
    bool blockDone(int64_t block) const;
    int64_t startBoundary(int64_t done) const;
    HiddenStore makeStore(int64_t boundary) const;
    void withoutHessians();
    void runBlock(int64_t block, const HiddenStore& in, HiddenStore* out);
    using Accumulators = std::array<std::unique_ptr<HessianAccumulator>, inputGroups>;
    void addGroups(int64_t block, const BlockWeights& weights, const Place& place,
                   Accumulators& accumulators, const HiddenStore& in, HiddenStore* out);
    void writeOutputs(int64_t block, BlockWeights weights, const HiddenStore& in, HiddenStore& out);
    void solveBlock(int64_t block, const BlockWeights& weights,
                    const std::array<FactoredHessian, inputGroups>& factors);
    QuantizedLinear solve(const LinearInfo& linear, const at::Tensor& weight,
                          const FactoredHessian& factor, const Progress& progress);
    void report(double withinBlock, int64_t block, const char* what) {
        const double blocks = double(m_model->config().layers);
        m_progress.report((double(block) + withinBlock) / blocks,
                          std::string(what) + " block " + std::to_string(block + 1) + " of " +
                              std::to_string(m_model->config().layers));
    }
    /// body(first, n) for all sequences, in the batches that suit `place` beside `held` bytes.
    template<class Body>
    void forBatches(const Place& place, int64_t held, const Body& body) {
        const int64_t batch = place.onDevice()
                                  ? sequencesPerBatch(place, m_model->config(), m_shape.length,
                                                      m_shape.count, /*backward=*/false, held)
                                  : m_batch;
        forEachBatch(m_shape.count, batch, m_progress, [&](int64_t first, int64_t n) {
            const Stretch stretch = stretchOf(place, held, n * m_shape.length);
            body(first, n);
        });
    }
    /// `held` bytes and the activations of one sequence.
    int64_t withSequence(int64_t held) const {
        return held + sequenceBytes(m_model->config(), m_shape.length, /*backward=*/false);
    }

    std::shared_ptr<const Checkpoint> m_model;
    const Statistics& m_statistics;
    const QuantizeOptions& m_options;
    LayerStore& m_store;
    Progress& m_progress;
    Device* m_device; ///< or null
    std::shared_ptr<const ModelWeights> m_weights;
    Transformer m_transformer;
    int m_threads;
    HiddenStore::Shape m_shape;
    int64_t m_batch = 1;
    QuantizeReport m_report;
    std::mutex m_reportMutex;
};

} // namespace bitloom::detail
