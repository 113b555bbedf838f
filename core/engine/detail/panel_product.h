// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/panel_weights.h"

#include <ATen/ATen.h>

namespace bitloom::detail {

/// x [..., K] times the layer: [..., N]. One vector after another, panels side by side on torch's
/// threads.
at::Tensor panelProduct(const PanelWeights& weights, const at::Tensor& x);

} // namespace bitloom::detail
