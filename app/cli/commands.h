// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace bitloom::cli {

struct Context;

// One function a command, each in cmd_<name>.cpp.
void addInfo(CLI::App& app, Context& context);
void addCalibrate(CLI::App& app, Context& context);
void addPlan(CLI::App& app, Context& context);
void addQuantize(CLI::App& app, Context& context);
void addExport(CLI::App& app, Context& context);
void addEval(CLI::App& app, Context& context);
void addChat(CLI::App& app, Context& context);
void addCompare(CLI::App& app, Context& context);
void addTokenize(CLI::App& app, Context& context);
void addLogits(CLI::App& app, Context& context);
void addConvert(CLI::App& app, Context& context);
void addSelftest(CLI::App& app, Context& context);
void addDemo(CLI::App& app, Context& context);
void addServe(CLI::App& app, Context& context);
void addBench(CLI::App& app, Context& context);
void addDevices(CLI::App& app, Context& context);

/// `bitloom MODEL`: what this model is and what can be done with it next.
void explainModel(Context& context, const std::string& model);

} // namespace bitloom::cli
