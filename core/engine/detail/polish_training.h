// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/polish_device.h"
#include "core/engine/detail/polish_parameters.h"
#include "core/engine/detail/transformer.h"
#include "core/io/safetensors.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitloom::detail {

/// What polish trains: tables and grids of column layers and norm weights, by Adam (Kingma & Ba
/// 2015) at a rate relative to the size of what is changed. One thread at a time.
class PolishedPart {
public:
    struct Rates {
        double layers = 0; ///< per step, in units of a layer's weight RMS
        double norms = 0;  ///< per step, in units of a norm's mean magnitude
    };

    /// `layer` is changed by store() only; `exact` [N, K]: the original weights, for outliers.
    void addLayer(const LinearInfo& info, ColumnWeights& layer, const at::Tensor& exact);
    /// `slot` becomes a tensor of its own, and is changed by every update.
    void addNorm(const std::string& name, at::Tensor& slot);

    /// Dequantizes the layers into leaves of a new graph where `place` computes, and hands `use`
    /// the weight [N, K] of each; norms ask for gradients too: normLeaf(). Then
    /// torch::autograd::grad for leaves() and accumulate.
    template<class Use>
    void open(const Place& place, int threads, const Use& use) {
        openLeaves(place, threads);
        for (size_t i = 0; i < m_layers.size(); ++i)
            use(*m_layers[i].info, m_leaves[i].t());
    }
    const std::vector<at::Tensor>& leaves() const { return m_leaves; }
    /// The leaf of the norm that was added as number `index`.
    const at::Tensor& normLeaf(size_t index) const { return m_leaves[m_layers.size() + index]; }
    /// Adds the gradients of leaves() to those of this step.
    void accumulate(const Place& place, const std::vector<at::Tensor>& gradients, int threads);
    /// Drops what was added in this step.
    void forget();
    /// The same, and what lies on a device: before the work begins anew elsewhere.
    void leave();
    /// One step of Adam with what was accumulated; `step` counts from 0.
    void update(const Rates& rates, int64_t step);

    /// Parameters and optimizer, as tensors that point into this object.
    void collect(std::vector<TensorBytes>& tensors) const;
    /// Takes them back. Throws Error for a file of other parameters.
    void restore(const SafetensorsFile& file);

    /// Rounds the parameters to the stored form and writes them into the layers.
    void store();
    std::map<std::string, std::vector<float>, std::less<>> norms() const;

private:
    struct Adam {
        std::vector<float> first, second;
        explicit Adam(size_t n) : first(n), second(n) {}
        void update(std::span<float> values, std::span<const float> gradient,
                    std::span<const float> sizes, double rate, int64_t step);
    };
    struct Layer {
        const LinearInfo* info;
        ColumnWeights* layer;
        LayerParameters parameters;
        Adam adam;
        at::Tensor weights;                      ///< [K, N], on the processor, once needed there
        std::unique_ptr<DeviceParameters> there; ///< where a device computes
        std::vector<float> gradient, scratch;
    };
    struct Norm {
        std::string name;
        at::Tensor weight;
        Adam adam;
        std::vector<float> sizes, gradient;
    };
    void openLeaves(const Place& place, int threads);

    std::vector<Layer> m_layers;
    std::vector<Norm> m_norms;
    std::vector<at::Tensor> m_leaves;
};

/// Sequences of one step: shuffled anew for every pass over the text, so only seed and step matter.
std::vector<int64_t> sequencesOfStep(int64_t step, int64_t perStep, int64_t count, uint64_t seed);
/// Cosine decay from 1 to 0 over `steps`.
double polishDecay(int64_t step, int64_t steps);
/// Means of the first and last tenth of the steps.
std::pair<double, double> endsOf(std::span<const float> losses);

} // namespace bitloom::detail
