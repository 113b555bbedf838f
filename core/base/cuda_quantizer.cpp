// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_quantizer.h"

#include "core/base/cuda_library.h"

namespace bitloom {

const BitloomCudaQuantizerApi* cudaQuantizer(std::string& why) {
    using Entry = const BitloomCudaQuantizerApi* (*)(uint32_t);
    const auto entry = reinterpret_cast<Entry>(cudaLibraryFunction("bitloomCudaQuantizerApi", why));
    if (!entry) return nullptr;
    const BitloomCudaQuantizerApi* api = entry(BITLOOM_CUDA_QUANTIZER_VERSION);
    if (api && api->bytes >= sizeof(BitloomCudaQuantizerApi)) return api;
    why = "libbitloom_cuda.so belongs to another version of Bitloom";
    return nullptr;
}

} // namespace bitloom
