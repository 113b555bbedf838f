// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda_quantizer.h"

#include <string>

namespace bitloom {

/// What libbitloom_cuda.so offers a quantizer; null, and why, where it cannot be had. It stays
/// until the end of the process. Asks for no GPU: whoever has tensors there has one.
const BitloomCudaQuantizerApi* cudaQuantizer(std::string& why);

} // namespace bitloom
