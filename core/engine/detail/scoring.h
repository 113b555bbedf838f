// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/transformer.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace bitloom::detail {

/// How many rows of logits may exist at once: V floats each, a few copies.
int64_t logitRows(int64_t vocab, int64_t memoryBytes);

/// Negative log-likelihood of `labels` [R] under normed hidden rows [R, D]: [R], nats, float32.
/// With `gradient` (defined, [R, D]) also the gradient of the sum with respect to the rows.
/// Logits are made for `chunk` rows at a time.
at::Tensor scoreRows(const at::Tensor& rows, const at::Tensor& head, const at::Tensor& labels,
                     int64_t chunk, const at::Tensor& gradient = {});

struct MeanWithError {
    double mean = 0, standardError = 0;
};
MeanWithError meanWithError(std::span<const double> values);

} // namespace bitloom::detail
