// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

namespace bitloom::cuda {

/// Kernels by what they multiply: 1 or 2 tokens; 1 to 4 times 4 tokens.
void* diagonalKernel(int tokens);
void* transposedKernel(int tiles);

} // namespace bitloom::cuda
