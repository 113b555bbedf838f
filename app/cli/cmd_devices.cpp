// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/options.h"

#include "core/base/cuda_library.h"
#include "core/base/units.h"
#include "core/engine/compute.h"
#include "kernels/column_panels.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <string>

namespace bitloom::cli {

namespace {

void runDevices(Context& context) {
    const std::string cpu =
        fmt::format("{} threads, {} kernels", context.compute().threadsOrDefault(),
                    kernels::panelKernels().name);
    const std::string cuda = cudaStatusText();
    context.console.print("CPU:  " + cpu);
    context.console.print("CUDA: " + cuda);
    const std::string problem = deviceProblem();
    const std::string quantizer =
        problem.empty() ? "can calibrate, quantize and evaluate" : "not used: " + problem;
    context.console.print("CUDA through libtorch: " + quantizer);
    Json fields = {{"cpu", cpu}, {"cuda", cuda}, {"cuda_libtorch", quantizer}};
    fields.update(machineFields(context));
    context.console.result("devices", fields);
}

} // namespace

void addDevices(CLI::App& app, Context& context) {
    addCommand(app, context, "devices", "What this machine computes with, and why not with a GPU",
               [&context] { runDevices(context); });
}

} // namespace bitloom::cli
