// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"

#include <cstdint>

/// A device behind libbitloom_cuda.so's table of functions, made of the kernels' own bodies on
/// thread blocks of the processor: what a GPU should compute, so that all that is above the table
/// can be tested without one. Products with columns are those of their definition
/// (kernels/gpu_columns.h), which tst_cuda_decode holds the GPU's decode bodies to, of what the
/// rounding kernel's body has written.
///
/// It is as unhelpful as a GPU may be: work waits in a queue until something asks for its results,
/// and then goes only so far; thread blocks run in an order of their own; memory holds numbers that
/// are none until something is written there. A call or a graph's that names memory which has been
/// freed, or never was, ends the program when it runs.
namespace bitloom::hostCuda {

struct Behaviour {
    uint64_t memoryBytes = uint64_t(1) << 32; ///< of the device; more cannot be allocated
    bool gemm = true;                         ///< multiplyMany works
    int multiprocessors = 4;
};
/// One device at a time. Behaviour counts at once: a device that is open may have its memory taken
/// away.
const BitloomCudaApi& api(const Behaviour& behaviour);

/// What has been done since the device was opened.
struct Counts {
    int64_t launches = 0;                           ///< of graphs
    int64_t direct = 0;                             ///< calls that ran outside of one
    int64_t many = 0;                               ///< multiplyMany
    int64_t allocated = 0;                          ///< bytes, now; of matrices too
    int64_t most = 0;                               ///< of `allocated`
    int64_t contexts = 0, matrices = 0, graphs = 0; ///< that exist now
};
const Counts& counts();

/// Another program takes memory of the device, or gives it back: less can be allocated, and less is
/// described as free. Of the present device.
void takeMemory(int64_t bytes);

} // namespace bitloom::hostCuda
