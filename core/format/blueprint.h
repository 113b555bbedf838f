// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/layout.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bitloom {

/// Every tensor of a checkpoint to be written, in the order in which shards are filled, without
/// building a string: CheckpointLayout makes its files from it, predictSize adds it up, so the two
/// cannot disagree. Views point into the source, the spec, and literals.
struct Blueprint {
    struct Tensor {
        std::string_view base, suffix; ///< the name is base + suffix
        DType dtype = DType::U8;
        int rank = 1;
        std::array<int64_t, 2> dims{};
        std::string_view linear; ///< the linear it belongs to; empty for others, biases included

        int64_t bytes() const {
            return (rank == 2 ? dims[0] * dims[1] : dims[0]) * dtypeBytes(dtype);
        }
        std::string name() const;
        size_t nameLength() const { return base.size() + suffix.size(); }
        std::vector<int64_t> shape() const { return {dims.begin(), dims.begin() + rank}; }
    };
    std::vector<Tensor> tensors;
    std::vector<size_t> shardBegins; ///< first tensor of each shard
    SizeParts parts;                 ///< of the tensors; files and totals are not in yet

    /// Throws Error for a spec that does not fit the source.
    Blueprint(const Checkpoint& source, const CheckpointSpec& spec);

    std::span<const Tensor> shard(size_t index) const;
    std::string shardName(size_t index) const;

private:
    void addLinear(const LinearInfo& linear, const LayerFormat& format, DType sourceDtype,
                   int64_t& paddingBits);
    void addRows8(const std::string& name, std::span<const int64_t> shape);
    void addPlain(const std::string& name, DType dtype, std::span<const int64_t> shape,
                  std::string_view linear = {});
    void assignShards(int64_t maxShardBytes);
};

/// Bytes of the header that SafetensorsLayout gives to these tensors, length and padding included.
int64_t headerBytes(std::span<const Blueprint::Tensor> tensors);

/// Metadata of every shard: what transformers asks for.
inline const std::map<std::string, std::string> shardMetadata{{"format", "pt"}};

} // namespace bitloom
