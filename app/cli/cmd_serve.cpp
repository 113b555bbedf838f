// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/selftest.h"

#include "core/engine/serve/params.h"
#include "core/engine/serve/serve.h"

#include <CLI/CLI.hpp>

namespace bitloom::cli {

namespace {

/// The checks of `bitloom selftest`, as a job.
serve::Json selftest(Context& context, serve::Job& job) {
    serve::Params params(job.params(), job.method());
    params.choice("device", {"cpu", "cuda"}, "cpu");
    Context own;
    own.common = context.common;
    own.common.device = params.text("device", "cpu");
    params.finish();
    serve::Json list = serve::Json::array();
    int failed = 0;
    runChecks(own, job, [&](const SelfCheck& check) {
        failed += !check.ok;
        const serve::Json fields = {
            {"name", check.name}, {"ok", check.ok}, {"detail", check.detail}};
        job.notify("check", fields);
        list.push_back(fields);
    });
    return {{"checks", list}, {"failed", failed}, {"seconds", job.seconds()}};
}

void runServe(Context& context) {
    serve::ServeOptions options;
    options.cache = context.cache();
    options.sampleModel = sampleModelFolder();
    options.compute = context.compute();
    options.more["selftest"] = {serve::Kind::Compute,
                                [&context](serve::Job& job) { return selftest(context, job); }};
    serve::serve(options);
}

} // namespace

void addServe(CLI::App& app, Context& context) {
    addCommand(app, context, "serve",
               "Work for another program, such as the desktop application: JSON-RPC on standard "
               "input and output",
               [&context] { runServe(context); });
}

} // namespace bitloom::cli
