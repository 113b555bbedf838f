// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/model_place.h"

#include "core/base/cuda_library.h"
#include "core/base/error.h"

#include <spdlog/fmt/fmt.h>

namespace bitloom::cli {

ModelPlace modelPlace(Context& context) {
    ModelPlace place;
    if (context.common.device == "cpu") return place;
    std::string why;
    const auto library = CudaLibrary::open(why);
    if (!library) {
        if (context.common.device == "cuda")
            throw Error(ErrorCode::NoDevice, "no GPU can be used: " + why,
                        "Leave --device out, or use --device cpu.");
        context.console.note("computing on the processor: " + why);
        return place;
    }
    place.kind = ModelPlace::Gpu;
    place.device = std::make_shared<CudaDevice>(library);
    return place;
}

void sayPlace(Context& context, const std::string& name, const std::string& device,
              const std::string& whyNoGpu) {
    if (context.common.device == "cpu" || (whyNoGpu.empty() && device == "processor")) return;
    if (whyNoGpu.empty())
        context.console.note(fmt::format("{}: computing on the {}", name, device));
    else
        context.console.warn(
            fmt::format("{}: computing on the processor, because {}", name, whyNoGpu));
}

} // namespace bitloom::cli
