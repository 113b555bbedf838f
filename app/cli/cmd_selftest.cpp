// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// What a user can run on a new machine to see that this build computes what it should there. Every
// check has an oracle of its own: a direct definition, a published value, or another program's
// output.
#include "app/cli/commands.h"
#include "app/cli/planning.h"
#include "app/cli/quantizing.h"
#include "app/cli/selftest.h"
#include "app/cli/selftest_parts.h"

#include "core/base/cuda_matrix.h"
#include "core/base/units.h"
#include "core/engine/device_check.h"
#include "core/engine/evaluate.h"
#include "core/engine/export_hf.h"
#include "core/engine/generate.h"
#include "core/format/checkpoint_reader.h"
#include "core/io/durable.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

fs::path goldenFolder() {
    return resourcesFolder() / "selftest" / "llama2-gqa";
}

std::vector<float> goldenLogits() {
    const auto golden = SafetensorsFile::open(goldenFolder() / "golden.safetensors");
    const auto bytes = golden->data(golden->require("logits"));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

std::vector<float> logitsOf(Context& context, const ModelWeights& model,
                            RopePrecision rope = RopePrecision::Exact) {
    const TokenWindows rows =
        windowsFromIds(goldenFolder() / "golden.safetensors", model.config().vocab, 0);
    std::vector<float> logits(size_t(rows.count * rows.length * model.config().vocab));
    NoProgress progress;
    computeLogits(
        model, rows, rope, context.compute(),
        [&](int64_t row, std::span<const float> values) {
            std::copy(values.begin(), values.end(),
                      logits.begin() + std::ptrdiff_t(size_t(row) * values.size()));
        },
        progress);
    return logits;
}

double largestDifference(const std::vector<float>& a, const std::vector<float>& b) {
    require(a.size() == b.size(), fmt::format("{} values in place of {}", a.size(), b.size()));
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double difference = std::fabs(double(a[i]) - double(b[i]));
        require(!std::isnan(difference), "a value is not a number");
        largest = std::max(largest, difference);
    }
    return largest;
}

std::string forward(Context& context) {
    context.startEngine();
    const auto model = openWeights(goldenFolder().string());
    const double difference =
        largestDifference(logitsOf(context, *model, RopePrecision::Stored), goldenLogits());
    require(difference <= 1e-4,
            fmt::format("logits differ from transformers' by {:.2e}", difference));
    return fmt::format("logits within {:.1e} of transformers'", difference);
}

std::string greedy(Context& context) {
    context.startEngine();
    const auto golden = SafetensorsFile::open(goldenFolder() / "golden.safetensors");
    const auto bytes = golden->data(golden->require("greedy_ids"));
    std::vector<int32_t> expected(bytes.size() / sizeof(int32_t));
    std::memcpy(expected.data(), bytes.data(), bytes.size());
    constexpr size_t given = 16;
    TextModel model(openWeights(goldenFolder().string()), context.compute());
    GenerateOptions options;
    options.maxTokens = int64_t(expected.size() - given);
    options.stopAtEos = false;
    NoProgress progress;
    const auto generation = generate(
        model, nullptr, std::span(expected).first(given), options,
        [](const GeneratedToken&) { return true; }, progress);
    require(std::equal(generation.ids.begin(), generation.ids.end(), expected.begin() + given,
                       expected.end()),
            "greedy decoding through the cache continues differently");
    return fmt::format("{} tokens as transformers continues", options.maxTokens);
}

/// A folder that goes with it.
struct Scratch {
    fs::path path = fs::temp_directory_path() / fmt::format("bitloom-selftest-{}", ::getpid());
    Scratch() { fs::create_directories(path); }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

/// Calibrates, plans, quantizes, verifies, reads, exports the tiny model in a scratch folder.
std::string endToEnd(Context& context) {
    const Scratch folder;
    const fs::path& scratch = folder.path;
    context.startEngine();
    NoProgress progress;
    const auto model = Checkpoint::open(goldenFolder().string());
    CalibrateOptions calibration;
    calibration.windows =
        windowsFromIds(goldenFolder() / "golden.safetensors", model->config().vocab, 0);
    calibration.cache = scratch / "cache";
    calibration.compute = context.compute();
    const auto statistics = Statistics::open(calibrate(model, calibration, progress).statistics);

    QuantizeOptions options = quantizeOptions(context, {});
    options.head = HeadStorage::Keep; // as in memory
    const Planner planner(model, statistics, {});
    options.plan = planner.forBits(std::ceil(planner.minBits() * 2) / 2 + 1, options);
    const CheckpointLayout layout(*model, checkpointSpec(*model, *statistics, options, progress));
    const fs::path out = scratch / "out";
    CheckpointWriter::Options how;
    how.fingerprint = quantizeFingerprint(*model, *statistics, options);
    {
        CheckpointWriter writer(out, *model, layout, how);
        quantize(model, *statistics, options, writer, progress);
        writer.finish(layout.spec().recipe, progress);
    }
    int64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(out))
        bytes += int64_t(entry.file_size());
    require(
        bytes == layout.totalBytes(),
        fmt::format("{} bytes were written where {} were predicted", bytes, layout.totalBytes()));
    const auto quantized = QuantizedCheckpoint::open(out);
    require(quantized->verify(1, progress).empty(), "the checkpoint does not verify");

    QuantizeReport report;
    const auto inMemory = quantizeInMemory(model, *statistics, options, report, progress);
    const auto logits = logitsOf(context, *weightsOf(quantized));
    const double stored = largestDifference(logits, logitsOf(context, *inMemory));
    require(stored <= 1e-4, fmt::format("logits of the checkpoint and of the same quantization in "
                                        "memory differ by {:.2e}",
                                        stored));
    exportHuggingFace(*quantized, DType::F32, scratch / "hf", context.compute(), progress);
    const double exported =
        largestDifference(logits, logitsOf(context, *openWeights((scratch / "hf").string())));
    require(exported <= 1e-4,
            fmt::format("the exported model's logits differ by {:.2e}", exported));
    return fmt::format("{:.2f} bits per weight, {} as predicted, verified, exported within {:.1e}",
                       layout.parts().bitsPerWeight(), formatBytes(bytes), exported);
}

/// A whole model on the GPU against the processor: a prompt at once, then tokens one by one, and
/// those that the GPU chooses itself.
void checkGpuModel(Context& context, const std::shared_ptr<CudaDevice>& device, CudaCheck& check) {
    context.startEngine();
    const auto weights = openWeights(goldenFolder().string());
    double largest = 0;
    for (const auto kv : {runtime::KvType::F16, runtime::KvType::Int8}) {
        TextModel there(weights, context.compute(), Arithmetic::Fast, kv);
        TextModel here(weights, context.compute(), Arithmetic::Fast, kv, {ModelPlace::Gpu, device});
        NoProgress progress;
        here.load(progress);
        if (!here.whyNoGpu().empty()) {
            check.detail = here.whyNoGpu();
            return;
        }
        const auto idsOf = [&](int32_t first, int32_t count) {
            std::vector<int32_t> ids;
            for (int32_t i = first; i < first + count; ++i)
                ids.push_back(int32_t(int64_t(i) * 7919 % weights->config().vocab));
            return ids;
        };
        const double allowed = kv == runtime::KvType::F16 ? 0.02 : 0.1;
        for (const auto& [first, count] : {std::pair{0, 40}, {40, 5}, {45, 1}, {46, 1}, {47, 1}}) {
            const std::vector<int32_t> ids = idsOf(first, count);
            const double difference = largestDifference(there.advance(ids), here.advance(ids));
            largest = std::max(largest, difference / allowed);
            if (difference <= allowed) continue;
            check.detail =
                fmt::format("logits behind {} tokens differ by {:.2e}, {:.0e} is allowed",
                            first + count, difference, allowed);
            return;
        }
        if (kv == runtime::KvType::Int8) continue;
        there.reset();
        here.reset();
        GenerateOptions options;
        options.maxTokens = 24;
        options.stopAtEos = false;
        const auto prompt = idsOf(3, 9);
        const auto right = generate(there, nullptr, prompt, options, {}, progress).ids;
        if (generate(here, nullptr, prompt, options, {}, progress).ids != right) {
            check.detail = "the tokens that the GPU chooses are others than the processor's";
            return;
        }
    }
    check.ok = true;
    check.detail = fmt::format("logits within {:.2f} of what is allowed, same tokens", largest);
}

} // namespace

/// The quantizer on the first GPU against the processor, with the sample model.
static void runQuantizerChecks(Context& context, Progress& progress,
                               const std::function<void(const SelfCheck&)>& seen) {
    context.startEngine();
    ComputeOptions compute = context.compute();
    compute.choice = DeviceChoice::Auto;
    openDevice(compute);
    if (!compute.device) {
        seen({"quantizer", true, "not checked: " + compute.deviceReason});
        return;
    }
    const Scratch scratch;
    const auto model = Checkpoint::open(sampleModelFolder().string());
    constexpr int64_t length = 256, count = 16;
    const auto tokenizer = loadTokenizer(model->folder());
    const TokenWindows windows =
        windowsFromText(*tokenizer, readTextFile(sampleModelFolder() / "calibration.txt"),
                        "calibration.txt", length, count);
    checkDevice(model, windows, scratch.path, compute, progress, [&](const DeviceCheck& check) {
        seen({check.name, check.ok, check.detail});
    });
}

/// Products on the first GPU against their definition in plain C++, and what is made of them.
static void runCudaChecks(Context& context, Progress& progress,
                          const std::function<void(const SelfCheck&)>& seen) {
    std::string why;
    const auto library = CudaLibrary::open(why);
    if (!library)
        throw Error(ErrorCode::NoDevice, "no GPU: " + why + "; nothing was checked",
                    "Without --device the processor is checked.");
    progress.report(0, "opening the GPU");
    const auto opened = std::make_shared<CudaDevice>(library);
    const CudaDevice& device = *opened;
    const BitloomCudaDevice& p = device.properties();
    seen({"device", true,
          fmt::format("{}, compute capability {}.{}; {}", p.name, p.major, p.minor,
                      library->api().build())});
    progress.check();
    for (const CudaCheck& check : checkCudaProducts(device))
        seen({check.name, check.ok, check.detail});
    progress.check();
    for (const CudaCheck& check : checkCudaLayers(device))
        seen({check.name, check.ok, check.detail});
    progress.check();
    const CudaCheck model = runCudaCheck("a model", [&](CudaCheck& check) {
        try {
            checkGpuModel(context, opened, check);
        } catch (const Wrong& wrong) {
            check.ok = false;
            check.detail = wrong.what;
        }
    });
    seen({model.name, model.ok, model.detail});
    progress.check();
    runQuantizerChecks(context, progress, seen);
}

void runChecks(Context& context, Progress& progress,
               const std::function<void(const SelfCheck&)>& seen) {
    if (context.common.device == "cuda") return runCudaChecks(context, progress, seen);
    struct Check {
        const char* name;
        std::function<std::string()> run;
    };
    const std::vector<Check> checks = {
        {"16-bit floating point", halfRoundTrip},
        {"hashes", hashing},
        {"packing of codes", packing},
        {"tables and grids of columns", columnFits},
        {"stored layer, packed and read", columnRoundTrip},
        {"tokenizer.model", [] { return tokenizer(TokenizerForm::SentencePiece); }},
        {"tokenizer.json", [] { return tokenizer(TokenizerForm::Json); }},
        {"allocation of bits", allocation},
        {"forward pass", [&] { return forward(context); }},
        {"generation with a cache", [&] { return greedy(context); }},
        {"calibrate, plan, quantize, export", [&] { return endToEnd(context); }},
    };
    for (size_t i = 0; i < checks.size(); ++i) {
        progress.report(double(i) / double(checks.size()), checks[i].name);
        progress.check();
        SelfCheck result{checks[i].name, true, {}};
        try {
            result.detail = checks[i].run();
        } catch (const Wrong& wrong) {
            result.ok = false;
            result.detail = wrong.what;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled) throw;
            result.ok = false;
            result.detail = error.what();
        }
        seen(result);
    }
}

namespace {

void runSelftest(Context& context) {
    Console& console = context.console;
    Json list = Json::array();
    int failed = 0;
    JobProgress progress(console, "selftest");
    runChecks(context, progress, [&](const SelfCheck& check) {
        failed += !check.ok;
        console.setStatusLine({});
        console.print(
            fmt::format("{}  {:<34} {}", check.ok ? "ok    " : "FAILED", check.name, check.detail));
        console.event(
            {{"event", "check"}, {"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
        list.push_back({{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
    });
    if (failed)
        throw Error(fmt::format("{} of {} checks failed", failed, list.size()),
                    "Please report this with the lines above and the kind of machine.");
    console.print(fmt::format("\nAll {} checks passed on the {} in {}.", list.size(),
                              context.common.device, formatDuration(progress.seconds())));
    Json fields = {{"checks", list}, {"failed", failed}, {"seconds", progress.seconds()}};
    fields.update(machineFields(context));
    console.result("selftest", fields);
}

} // namespace

void addSelftest(CLI::App& app, Context& context) {
    addCommand(app, context, "selftest", "Check that this build computes correctly on this machine",
               [&context] { runSelftest(context); });
}

} // namespace bitloom::cli
