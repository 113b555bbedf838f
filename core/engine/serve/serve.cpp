// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/serve.h"

#include "core/base/cuda_library.h"
#include "core/base/log.h"
#include "core/engine/quantize.h"
#include "core/engine/serve/engine.h"
#include "core/engine/serve/model_info.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace bitloom::serve {

namespace {

/// Log messages of every room, from information on, as notifications.
class ClientSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    ClientSink(Output& output, const Server& server) : m_output(output), m_server(server) {
        set_level(spdlog::level::info);
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const char* level = message.level >= spdlog::level::err    ? "error"
                            : message.level == spdlog::level::warn ? "warning"
                            : message.level == spdlog::level::info ? "info"
                                                                   : "debug";
        Json fields = {
            {"level", level},
            {"room", std::string(message.logger_name.data(), message.logger_name.size())},
            {"text", std::string(message.payload.data(), message.payload.size())}};
        if (const Json job = m_server.currentJob(); !job.is_null()) fields["job"] = job;
        m_output.send(notificationMessage("log", std::move(fields)));
    }
    void flush_() override {}

private:
    Output& m_output;
    const Server& m_server;
};

/// Private duplicates of standard input and output; number 1 then is the same as 2, and 0 gives
/// nothing, so that no library can disturb the conversation.
struct Descriptors {
    int in = -1, out = -1;
    Descriptors() {
        in = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        out = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (in < 0 || out < 0 || nothing < 0)
            throw Error("standard input or output cannot be used: " +
                            std::generic_category().message(errno),
                        "`bitloom serve` is started by another program, with pipes.");
        ::dup2(nothing, STDIN_FILENO);
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        ::close(nothing);
    }
    ~Descriptors() {
        ::close(in);
        ::close(out);
    }
};

/// Why models do not generate on a GPU here, which needs another library than quantizing does.
/// Found out once: neither files nor drivers come while a program runs.
const std::string& whyNoGpuGenerates() {
    static const std::string problem = [] {
        std::string why;
        return CudaLibrary::open(why) ? std::string() : why;
    }();
    return problem;
}

const char* choiceName(DeviceChoice choice) {
    switch (choice) {
    case DeviceChoice::Cuda:
        return "cuda";
    case DeviceChoice::Auto:
        return "auto";
    case DeviceChoice::Cpu:
        break;
    }
    return "cpu";
}

Json helloFields(const Engine& engine) {
    // Does not open the GPU: that takes a second and its memory.
    const std::string cudaProblem = deviceProblem(), generateProblem = whyNoGpuGenerates();
    Json cudaMethods = Json::array();
    if (cudaProblem.empty()) cudaMethods = {"calibrate", "quantize", "try", "evaluate"};
    if (generateProblem.empty()) cudaMethods.push_back("generate");
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    return {{"program", "bitloom"},
            {"version", BITLOOM_VERSION},
            {"host", host},
            {"cache", engine.cache.string()},
            {"home", homeFolder().string()},
            {"sample", engine.sampleModel.string()},
            {"threads", engine.compute.threadsOrDefault()},
            {"memory_limit", engine.compute.memoryOrDefault()},
            {"memory_total", machineMemory()},
            {"memory_available", availableMemory()},
            {"devices",
             {{{"name", "cpu"}, {"available", true}, {"reason", ""}},
              {{"name", "cuda"},
               {"available", cudaProblem.empty()},
               {"reason", cudaProblem},
               {"generate_reason", generateProblem},
               {"methods", cudaMethods}}}},
            {"device", choiceName(engine.compute.choice)},
            {"quantize_methods", methodNames()},
            {"protocols", {"gptq", "ctx4096", "llamacpp"}},
            {"export_formats", {"hf"}}};
}

} // namespace

void serve(const ServeOptions& options) {
    Server::blockSignals();
    const Descriptors descriptors;
    Engine engine;
    engine.cache = std::filesystem::absolute(options.cache).lexically_normal();
    engine.sampleModel = std::filesystem::absolute(options.sampleModel).lexically_normal();
    engine.compute = options.compute;

    Methods methods = options.more;
    addQuickMethods(methods, engine);
    addCalibrate(methods, engine);
    addQuantize(methods, engine);
    addTry(methods, engine);
    addEvaluate(methods, engine);
    addGenerate(methods, engine);
    addScore(methods, engine);
    addSpeed(methods, engine);

    Output output(descriptors.out);
    Server::Options how;
    how.cache = engine.cache;
    how.hello = [&] { return helloFields(engine); };
    how.signals = true;
    how.abandon = [] { ::_exit(0); };
    Server server(output, std::move(methods), how);
    const auto sink = std::make_shared<ClientSink>(output, server);
    std::vector<spdlog::sink_ptr>& sinks = spdlog::default_logger()->sinks();
    sinks.push_back(sink);
    server.run(descriptors.in);
    // Loggers of the rooms share the sink and outlive the server.
    sink->set_level(spdlog::level::off);
}

} // namespace bitloom::serve
