// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "app/cli/options.h"
#include "core/engine/generate.h"

namespace bitloom::cli {

/// Where a model that generates is to compute, by --device: a GPU is opened for cuda (throws
/// Error(NoDevice) where there is none) and, where there is one, for auto; else says why not.
ModelPlace modelPlace(Context& context);
/// Says on which device `model` computes; warns where it is not the one that --device names.
void sayPlace(Context& context, const std::string& name, const std::string& device,
              const std::string& whyNoGpu);

} // namespace bitloom::cli
