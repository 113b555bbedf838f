// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// How fast this machine is with these kernels: every figure beside the memory bandwidth that was
// read in the same run, because that is what bounds generation.
#include "app/cli/commands.h"
#include "app/cli/model_place.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/runtime/gpu_decoder.h"
#include "core/engine/runtime/measure_speed.h"
#include "core/engine/runtime/synthetic.h"
#include "core/io/durable.h"
#include "kernels/column_panels.h"
#include "kernels/dense_rows.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <ctime>

namespace bitloom::cli {

namespace {

struct Input {
    std::string model, shape = "7b", save, kv = "f16";
    std::vector<double> bits{2, 2.4, 3, 4, 5, 6, 8, 16};
    std::vector<int64_t> vectors{1, 8};
    std::vector<std::string> parts{"kernels", "model"};
    double outliers = 0.5, gigabytes = 1.0; ///< percent
    int64_t layers = 0, prompt = 512, tokens = 64, context = 0;
};

runtime::KvType kvNamed(const std::string& name) {
    for (const auto type : {runtime::KvType::F32, runtime::KvType::F16, runtime::KvType::Int8})
        if (name == runtime::kvTypeName(type)) return type;
    throw Error(ErrorCode::Usage, "the KV cache cannot be '" + name + "'", "Use f32, f16 or int8.");
}

std::string bitsText(double bits) {
    return bits >= 16 ? "FP16" : fmt::format("{:g}", bits);
}

/// Matrices of the shape: those of one block, each once.
std::vector<std::pair<int64_t, int64_t>> matricesOf(const ModelConfig& config) {
    std::vector<std::pair<int64_t, int64_t>> out;
    for (const LinearInfo& info : Catalogue::make(config).linears)
        if (std::ranges::find(out, std::pair(info.rows, info.cols)) == out.end())
            out.emplace_back(info.rows, info.cols);
    return out;
}

Json kernelTable(Context& context, const Input& input, double bandwidth) {
    const int threads = context.compute().threadsOrDefault();
    const auto bytes = int64_t(input.gigabytes * 1e9);
    const auto matrices = matricesOf(runtime::syntheticConfig(input.shape, 1));
    const double share = input.outliers / 100;
    std::vector<std::vector<std::string>> rows{
        {"matrix", "bits", "outliers", "M", "time", "GB/s", "of read", "Gweights/s"}};
    Json fields = Json::array();
    JobProgress progress(context.console, "measuring kernels");
    size_t done = 0;
    for (const auto& [n, k] : matrices)
        for (const double bits : input.bits) {
            progress.report(double(done++) / double(matrices.size() * input.bits.size()),
                            fmt::format("{} × {} at {}", n, k, bitsText(bits)));
            std::vector<runtime::KernelCase> cases;
            for (const int64_t m : input.vectors)
                cases.push_back({bits, 0, m, bytes});
            if (share > 0 && bits <= 4) cases.push_back({bits, share, 1, bytes});
            for (const runtime::KernelSpeed& speed :
                 runtime::measureKernels(n, k, cases, threads, progress)) {
                rows.push_back(
                    {fmt::format("{} × {}", n, k), bitsText(speed.of.bits),
                     speed.of.outliers > 0 ? fmt::format("{:g} %", 100 * speed.of.outliers) : "–",
                     std::to_string(speed.of.vectors),
                     fmt::format("{:.1f} µs", 1e6 * speed.seconds),
                     fmt::format("{:.1f}", speed.bytesPerSecond() / 1e9),
                     fmt::format("{:.2f}", speed.bytesPerSecond() / bandwidth),
                     fmt::format("{:.1f}", speed.weightsPerSecond() / 1e9)});
                fields.push_back({{"rows", n},
                                  {"cols", k},
                                  {"bits", speed.of.bits},
                                  {"outliers", speed.of.outliers},
                                  {"vectors", speed.of.vectors},
                                  {"threads", threads},
                                  {"seconds", speed.seconds},
                                  {"bytes", speed.bytes},
                                  {"bytes_per_second", speed.bytesPerSecond()},
                                  {"fraction_of_read", speed.bytesPerSecond() / bandwidth},
                                  {"weights_per_second", speed.weightsPerSecond()}});
            }
        }
    progress.report(1, "");
    context.console.print(table(rows, "lrrrrrrr"));
    return fields;
}

struct Subject {
    std::string name;
    double bits;
    std::shared_ptr<const ModelWeights> weights;
};

/// The named model, or random weights in the shape of a known one: as many blocks as make
/// `gigabytes`.
Subject subjectOf(const Input& input, double bits, const ModelPlace& place) {
    if (!input.model.empty()) {
        auto weights = openAnyModel(input.model);
        int64_t count = 0;
        for (const LinearInfo& info : weights->catalogue().linears)
            count += info.rows * info.cols;
        double stored = 16;
        if (isBitloomCheckpoint(weights->folder()))
            stored = QuantizedCheckpoint::open(weights->folder())->parts().bitsPerWeight();
        return {weights->folder().filename().string(), stored, weights};
    }
    int64_t layers = input.layers;
    const double share = bits < 16 ? input.outliers / 100 : 0;
    if (layers == 0) {
        int64_t perBlock = 0;
        for (const LinearInfo& info :
             Catalogue::make(runtime::syntheticConfig(input.shape, 1)).linears)
            perBlock += info.rows * info.cols;
        const double bytes = double(perBlock) * (bits + 32 * share) / 8;
        layers = std::max<int64_t>(2, std::llround(input.gigabytes * 1e9 / bytes));
    }
    const ModelConfig config = runtime::syntheticConfig(input.shape, layers);
    auto weights = runtime::syntheticModel(config, bits, share, place.kind == ModelPlace::Gpu);
    if (place.kind == ModelPlace::Gpu &&
        !runtime::GpuDecoder::whyNot(*weights, kvNamed(input.kv), *place.device).empty())
        weights = runtime::syntheticModel(config, bits, share);
    return {fmt::format("{} shapes, {} blocks", input.shape, layers), bits, weights};
}

Json modelTable(Context& context, const Input& input, double bandwidth) {
    const ModelPlace place = modelPlace(context);
    std::vector<std::vector<std::string>> rows{
        {"model", "bits", "prompt", "generation", "p50", "p99", "read", "of read", "memory"}};
    Json fields = Json::array();
    std::vector<double> all = input.bits;
    if (!input.model.empty()) all = {0};
    for (const double bits : all) {
        const Subject subject = subjectOf(input, bits, place);
        runtime::ModelSpeed speed;
        {
            JobProgress progress(context.console, fmt::format("measuring {} at {}", subject.name,
                                                              bitsText(subject.bits)));
            speed =
                runtime::measureModel(subject.weights, context.compute(), kvNamed(input.kv), place,
                                      input.prompt, input.tokens, input.context, progress);
        }
        sayPlace(context, subject.name, speed.deviceName, speed.whyNoGpu);
        // The bandwidth that was read is the processor's.
        const bool here = place.kind == ModelPlace::Processor || !speed.whyNoGpu.empty();
        const double perSecond = double(speed.weightBytes) * speed.tokensPerSecond();
        const double prompt =
            speed.promptSeconds > 0 ? double(speed.promptTokens) / speed.promptSeconds : 0;
        rows.push_back({subject.name,
                        subject.bits >= 16 ? "FP16" : fmt::format("{:.2f}", subject.bits),
                        fmt::format("{:.1f} tokens/s", prompt),
                        fmt::format("{:.2f} tokens/s", speed.tokensPerSecond()),
                        fmt::format("{:.2f} ms", 1e3 * speed.percentile(0.5)),
                        fmt::format("{:.2f} ms", 1e3 * speed.percentile(0.99)),
                        fmt::format("{:.1f} GB/s", perSecond / 1e9),
                        here ? fmt::format("{:.2f}", perSecond / bandwidth) : "–",
                        formatBytes(speed.memoryBytes)});
        fields.push_back({{"model", subject.name},
                          {"bits", subject.bits},
                          {"outliers", input.model.empty() ? Json(input.outliers / 100) : Json()},
                          {"kv", input.kv},
                          {"load_seconds", speed.loadSeconds},
                          {"prompt_tokens", speed.promptTokens},
                          {"prompt_tokens_per_second", prompt},
                          {"context", speed.context},
                          {"tokens", speed.tokens},
                          {"tokens_per_second", speed.tokensPerSecond()},
                          {"token_seconds_p50", speed.percentile(0.5)},
                          {"token_seconds_p99", speed.percentile(0.99)},
                          {"weight_bytes", speed.weightBytes},
                          {"memory_bytes", speed.memoryBytes},
                          {"bytes_per_second", perSecond},
                          {"computed_on", speed.deviceName},
                          {"fraction_of_read", here ? Json(perSecond / bandwidth) : Json()}});
    }
    context.console.print(table(rows, "lrrrrrrrr"));
    return fields;
}

bool has(const std::vector<std::string>& parts, const char* part) {
    return std::ranges::find(parts, part) != parts.end();
}

void runBench(Context& context, const Input& input) {
    for (const double bits : input.bits)
        if (!(bits >= 2 && bits <= 8) && bits != 16)
            throw Error(ErrorCode::Usage, fmt::format("--bits {:g} is not a width", bits),
                        "Give numbers from 2 to 8, or 16 for FP16.");
    kvNamed(input.kv);
    runtime::syntheticConfig(input.shape, 1);
    context.startEngine();
    const int threads = context.compute().threadsOrDefault();
    const double before = runtime::readBandwidth(threads, 1'200'000'000);
    std::vector<std::vector<std::string>> facts{
        {"processor", processorName()},
        {"kernels",
         fmt::format("{}, {}", kernels::panelKernels().name, kernels::denseRowKernels().name)},
        {"threads", std::to_string(threads)},
        {"read bandwidth", fmt::format("{:.1f} GB/s", before / 1e9)}};
    context.console.print(table(facts, "ll", false));
    context.console.print();
    Json fields = {{"processor", processorName()},
                   {"kernels", kernels::panelKernels().name},
                   {"date", fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)))},
                   {"read_bandwidth", before}};
    // Kernels of a GPU are measured by tests/bench/gpu.
    if (has(input.parts, "kernels") && input.model.empty() && context.common.device == "cpu") {
        fields["kernel_table"] = kernelTable(context, input, before);
        context.console.print();
    }
    if (has(input.parts, "model")) fields["models"] = modelTable(context, input, before);
    const double after = runtime::readBandwidth(threads, 1'200'000'000);
    fields["read_bandwidth_after"] = after;
    if (after > 1.1 * before || before > 1.1 * after)
        context.console.warn(
            fmt::format("the read bandwidth was {:.1f} GB/s before and {:.1f} GB/s "
                        "after: something else used this machine",
                        before / 1e9, after / 1e9));
    fields.update(machineFields(context));
    if (!input.save.empty()) {
        writeFileAtomically(input.save, fields.dump(1) + "\n");
        context.console.note("saved to " + input.save);
    }
    context.console.result("bench", fields);
}

} // namespace

void addBench(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "bench", "Measure kernels and generation against memory bandwidth",
                   [&context, input] { runBench(context, *input); });
    command->add_option("MODEL", input->model,
                        "Folder of a model or of a quantized model; without, random weights in a "
                        "known shape");
    command
        ->add_option("--shape", input->shape, "1b, 7b or 8b: whose matrices to use without MODEL")
        ->type_name("NAME")
        ->capture_default_str();
    command->add_option("--bits", input->bits, "Bits per weight, 16 for FP16")
        ->delimiter(',')
        ->type_name("B,…")
        ->default_str("2,2.4,3,4,5,6,8,16");
    command->add_option("--outliers", input->outliers, "Outliers in percent of the weights")
        ->check(CLI::Range(0.0, 5.0))
        ->capture_default_str();
    command->add_option("--vectors", input->vectors, "Tokens at once in the table of kernels")
        ->delimiter(',')
        ->check(CLI::Range(int64_t(1), int64_t(8)))
        ->type_name("M,…")
        ->default_str("1,8");
    command
        ->add_option("--gigabytes", input->gigabytes,
                     "Weights to go through, more than caches hold")
        ->check(CLI::Range(0.01, 1000.0))
        ->capture_default_str();
    command->add_option("--layers", input->layers, "Blocks, instead of as many as make --gigabytes")
        ->check(CLI::Range(int64_t(1), int64_t(1000)))
        ->type_name("N");
    command->add_option("--prompt", input->prompt, "Tokens of the prompt; 0 leaves it out")
        ->check(CLI::Range(int64_t(0), int64_t(1) << 20))
        ->capture_default_str();
    command->add_option("--tokens", input->tokens, "Tokens to generate")
        ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
        ->capture_default_str();
    command->add_option("--context", input->context, "Tokens before the generated ones")
        ->check(CLI::Range(int64_t(0), int64_t(1) << 20))
        ->capture_default_str();
    command->add_option("--kv", input->kv, "KV cache: f32, f16 or int8")
        ->type_name("TYPE")
        ->capture_default_str();
    command->add_option("--only", input->parts, "kernels or model")
        ->delimiter(',')
        ->check(CLI::IsMember({"kernels", "model"}))
        ->type_name("PART");
    command->add_option("--save", input->save, "Also write the figures to this JSON file")
        ->type_name("FILE");
}

} // namespace bitloom::cli
