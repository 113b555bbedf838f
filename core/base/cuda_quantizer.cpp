// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_quantizer.h"

#include "core/base/cuda_library.h"

namespace bitloom {

const BitloomCudaQuantizerApi* cudaQuantizer(std::string& why) {
    return cudaApi<BitloomCudaQuantizerApi>("bitloomCudaQuantizerApi",
                                            BITLOOM_CUDA_QUANTIZER_VERSION, why);
}

} // namespace bitloom
