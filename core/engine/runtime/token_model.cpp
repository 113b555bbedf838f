// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/token_model.h"

#include "core/base/error.h"

namespace bitloom::runtime {

void TokenModel::startChoosing(const SamplingOptions&, Sampler&, int32_t, int64_t) {
    throw Error("this model does not choose tokens itself");
}

ChosenToken TokenModel::chooseNext() {
    throw Error("no choice of tokens has begun");
}

} // namespace bitloom::runtime
