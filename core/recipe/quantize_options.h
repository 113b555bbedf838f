// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/format/layout.h"
#include "core/plan/plan.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

enum class Method {
    CmpqPlus, ///< rate–distortion plan, GPTQ over columns, coordinate descent (ALGORITHMS §5)
    Cmpq,     ///< the paper's method (ALGORITHMS §6)
    Rtn,      ///< round to nearest, per group
    Gptq,     ///< GPTQ, per group
};
Method parseMethod(std::string_view name); ///< "cmpq+", "cmpq", "rtn", "gptq"; throws Error(Usage)
std::string_view methodName(Method method);
std::vector<std::string> methodNames();

/// Hessians of a block: with the blocks before it already quantized, or of the FP model.
enum class HessianMode { Sequential, Parallel };

struct QuantizeOptions {
    Method method = Method::CmpqPlus;
    Plan plan;         ///< CmpqPlus
    double bits = 3;   ///< Cmpq: any fraction in [1, 5]; Rtn, Gptq: a whole number 2…8
    GroupFormat group; ///< Rtn, Gptq: group size, symmetric, actOrder (bits is taken from `bits`)
    int descentPasses = 2; ///< CmpqPlus: passes of coordinate descent
    int polishSteps = 0;   ///< CmpqPlus
    uint64_t seed = 0;     ///< order of polish sequences
    HessianMode hessians = HessianMode::Sequential;
    HeadStorage head = HeadStorage::Keep;
    double cmpqShare = 0.10; ///< p of the faithful mode
    double cmpqActivationOutliers = 0.0045, cmpqErrorOutliers = 0.0005;
    ComputeOptions compute;
};

/// The stage that predictions for these options refer to.
MethodStage stageOf(int descentPasses, int polishSteps);

} // namespace bitloom
