// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cuda_runtime.h>

#include <tuple>

namespace bitloom::cuda {

/// Starts a kernel without dynamic shared memory. The error is the launch's own: cudaGetLastError
/// behind <<<>>> may give what another library of the process has left.
template<class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
                   const Arguments&... arguments) {
    std::tuple<Parameters...> values(arguments...);
    return std::apply(
        [&](Parameters&... value) {
            void* addresses[] = {const_cast<void*>(static_cast<const void*>(&value))...};
            return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, addresses,
                                    0, stream);
        },
        values);
}

} // namespace bitloom::cuda
