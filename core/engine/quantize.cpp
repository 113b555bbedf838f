// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/quantize.h"

#include "core/engine/detail/device.h"
#include "core/engine/detail/layer_store.h"
#include "core/engine/detail/polish.h"
#include "core/engine/detail/quantize_run.h"
#include "kernels/half.h"

#include <algorithm>
#include <chrono>

namespace bitloom {

namespace {

using namespace detail;

void checkStatistics(const Checkpoint& model, const Statistics& statistics) {
    if (statistics.recipe().modelFingerprint != model.fingerprint())
        throw Error("the statistics in " + statistics.path().string() + " belong to another model",
                    "Calibrate this model with 'bitloom calibrate'.");
}

PolishOptions polishOptions(const QuantizeOptions& options, const LayerStore& store) {
    PolishOptions out;
    out.steps = options.polishSteps;
    out.seed = options.seed;
    out.compute = options.compute;
    if (store.writer()) out.checkpoint = store.writer()->workFolder() / "polish.safetensors";
    return out;
}

void note(const PolishResult& result, QuantizeReport& report) {
    report.polishStepsResumed = result.stepsResumed;
    report.polishStepsComputed = result.stepsComputed;
    report.polishLossBefore = result.lossBefore;
    report.polishLossAfter = result.lossAfter;
}

/// Polish of everything in `store`; gives the layers and norms back.
PolishResult polishWhole(const Checkpoint& model, const ModelWeights& teacher,
                         const Statistics& statistics, const QuantizeOptions& options,
                         const LayerStore& store, ColumnLayers& layers, QuantizeReport& report,
                         Progress& progress) {
    for (const LinearInfo& linear : model.catalogue().linears)
        layers[linear.name] = std::get<ColumnWeights>(store.read(linear));
    PolishResult result =
        polish(teacher, layers, statistics, polishOptions(options, store), progress);
    note(result, report);
    return result;
}

/// End to end where both models fit, else block by block. What a job began with it ends with,
/// whatever memory a resumed run may use.
bool polishByBlock(const ModelWeights& teacher, const Statistics& statistics,
                   const QuantizeOptions& options, CheckpointWriter* writer) {
    bool tooLarge = polishBytes(teacher) > options.compute.memoryOrDefault();
    // Of blocks on a GPU and the whole on the processor, only the first ends in a reasonable time.
    if (const detail::Device* device = options.compute.device.get()) {
        PolishOptions polish;
        tooLarge |= polishDeviceBytes(teacher, statistics, polish) > device->memoryBytes();
    }
    if (!writer) return tooLarge;
    if (const auto begun = writer->mark("polish")) return *begun == "blocks";
    writer->putMark("polish", tooLarge ? "blocks" : "whole");
    return tooLarge;
}

/// A float tensor in the dtype of the source's tensor of that name.
std::vector<std::byte> inSourceDtype(const Checkpoint& model, const std::string& name,
                                     const std::vector<float>& values) {
    const DType dtype = model.require(name).info.dtype;
    if (dtype == DType::F32) {
        const auto bytes = std::as_bytes(std::span(values));
        return {bytes.begin(), bytes.end()};
    }
    if (dtype == DType::F64) {
        const std::vector<double> wide(values.begin(), values.end());
        const auto bytes = std::as_bytes(std::span(wide));
        return {bytes.begin(), bytes.end()};
    }
    std::vector<uint16_t> bits(values.size());
    if (dtype == DType::BF16) {
        kernels::floatToBfloat16(values, bits);
    } else {
        kernels::floatToHalf(values, bits);
    }
    const auto bytes = std::as_bytes(std::span(bits));
    return {bytes.begin(), bytes.end()};
}

/// `values` as they will read once stored in the source's dtype.
std::vector<float> roundedToSource(const Checkpoint& model, const std::string& name,
                                   std::vector<float> values) {
    const DType dtype = model.require(name).info.dtype;
    for (float& v : values) {
        if (dtype == DType::BF16) v = kernels::bfloat16ToFloat(kernels::floatToBfloat16(v));
        if (dtype == DType::F16) v = kernels::roundToHalf(v);
    }
    return values;
}

std::vector<float> toFloat(std::span<const std::byte> bytes, DType dtype) {
    std::vector<float> values(bytes.size() / size_t(dtypeBytes(dtype)));
    for (size_t i = 0; i < values.size(); ++i) {
        const std::byte* at = bytes.data() + i * size_t(dtypeBytes(dtype));
        if (dtype == DType::F32) {
            std::memcpy(&values[i], at, sizeof(float));
        } else if (dtype == DType::F64) {
            double wide = 0;
            std::memcpy(&wide, at, sizeof wide);
            values[i] = float(wide);
        } else {
            uint16_t half = 0;
            std::memcpy(&half, at, sizeof half);
            values[i] =
                dtype == DType::BF16 ? kernels::bfloat16ToFloat(half) : kernels::halfToFloat(half);
        }
    }
    return values;
}

/// Names of the norms of a block that polish trains.
std::vector<std::string> polishedNorms(const Catalogue& catalogue, int64_t block) {
    const std::string prefix = catalogue.block(block);
    return {prefix + catalogue.inputNorm + ".weight", prefix + catalogue.postNorm + ".weight"};
}

void polishIntoCheckpoint(const Checkpoint& model, const ModelWeights& teacher,
                          const Statistics& statistics, const QuantizeOptions& options,
                          const LayerStore& store, QuantizeReport& report, Progress& progress) {
    CheckpointWriter& writer = *store.writer();
    const Catalogue& catalogue = model.catalogue();
    BlockStore blocks;
    blocks.scratch = writer.workFolder();
    blocks.putMark = [&](const std::string& name, const std::string& hash) {
        writer.putMark(name, hash);
    };
    blocks.mark = [&](const std::string& name) {
        const auto mark = writer.mark(name);
        return mark ? mark->get<std::string>() : std::string();
    };
    blocks.quantized = [&](const LinearInfo& linear) {
        return std::get<ColumnWeights>(store.read(linear));
    };
    blocks.polished = [&](const LinearInfo& linear) { return writer.readColumn(linear.name); };
    blocks.norm = [&](const std::string& name) {
        const std::vector<std::byte> bytes = writer.readTensor(name);
        return toFloat(bytes, model.require(name).info.dtype);
    };
    blocks.kept = [&](int64_t block) {
        bool all = true;
        for (int64_t i : catalogue.linearsOfBlock(block))
            all &= writer.hasLinear(catalogue.linears[size_t(i)].name);
        for (const std::string& name : polishedNorms(catalogue, block))
            all &= writer.hasTensor(name);
        return all;
    };
    blocks.keep = [&](int64_t, const ColumnLayers& layers, NormWeights& norms) {
        for (auto& [name, values] : norms) {
            if (!writer.hasTensor(name)) writer.putTensor(name, inSourceDtype(model, name, values));
            values = roundedToSource(model, name, std::move(values));
        }
        for (const auto& [name, layer] : layers)
            if (!writer.hasLinear(name)) writer.putLinear(name, pack(layer));
    };
    note(polishBlocks(teacher, statistics, polishOptions(options, store), blocks, progress),
         report);
}

/// The same in memory.
void polishInMemory(const Checkpoint& model, const ModelWeights& teacher,
                    const Statistics& statistics, const QuantizeOptions& options, LayerStore& store,
                    NormWeights& norms, QuantizeReport& report, Progress& progress) {
    BlockStore blocks;
    blocks.quantized = [&](const LinearInfo& linear) {
        return std::get<ColumnWeights>(store.read(linear));
    };
    blocks.kept = [](int64_t) { return false; };
    blocks.keep = [&](int64_t, const ColumnLayers& layers, NormWeights& trained) {
        for (const auto& [name, layer] : layers)
            store.put(*model.catalogue().find(name), layer);
        for (auto& [name, values] : trained) {
            values = roundedToSource(model, name, std::move(values));
            norms[name] = values;
        }
    };
    note(polishBlocks(teacher, statistics, polishOptions(options, store), blocks, progress),
         report);
}

} // namespace

QuantizeReport quantize(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                        const QuantizeOptions& options, CheckpointWriter& writer,
                        Progress& progress) {
    const auto start = std::chrono::steady_clock::now();
    checkStatistics(*model, statistics);
    const bool polished = options.polishSteps > 0 && options.method == Method::CmpqPlus;
    const bool groups = options.method == Method::Rtn || options.method == Method::Gptq;
    LayerStore store =
        polished ? LayerStore::inWorkFiles(writer) : LayerStore::inCheckpoint(writer, groups);
    ProgressSlice layersPart(progress, 0, polished ? 0.5 : 0.97);
    QuantizeReport report = QuantizeRun(model, statistics, options, store, layersPart).run();
    if (polished) {
        ProgressSlice polishPart(progress, 0.5, 0.97);
        const auto teacher = weightsOf(model);
        report.polishedByBlock = polishByBlock(*teacher, statistics, options, &writer);
        if (report.polishedByBlock) {
            polishIntoCheckpoint(*model, *teacher, statistics, options, store, report, polishPart);
        } else {
            ColumnLayers layers;
            const PolishResult result = polishWhole(*model, *teacher, statistics, options, store,
                                                    layers, report, polishPart);
            for (const auto& [name, layer] : layers)
                if (!writer.hasLinear(name)) writer.putLinear(name, pack(layer));
            for (const auto& [name, values] : result.norms)
                if (!writer.hasTensor(name))
                    writer.putTensor(name, inSourceDtype(*model, name, values));
        }
    }
    ProgressSlice copyPart(progress, 0.97, 1);
    writer.copyRemaining(*model, options.compute.threadsOrDefault(), copyPart);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

std::shared_ptr<const ModelWeights> quantizeInMemory(std::shared_ptr<const Checkpoint> model,
                                                     const Statistics& statistics,
                                                     const QuantizeOptions& options,
                                                     QuantizeReport& report, Progress& progress) {
    checkStatistics(*model, statistics);
    LayerStore store = LayerStore::inMemory();
    const bool polished = options.polishSteps > 0 && options.method == Method::CmpqPlus;
    ProgressSlice layersPart(progress, 0, polished ? 0.5 : 1);
    report = QuantizeRun(model, statistics, options, store, layersPart).run();
    const auto source = weightsOf(model);
    if (!polished) return overlay(source, store.takeAll());

    ProgressSlice polishPart(progress, 0.5, 1);
    NormWeights norms;
    report.polishedByBlock = polishByBlock(*source, statistics, options, nullptr);
    if (report.polishedByBlock) {
        polishInMemory(*model, *source, statistics, options, store, norms, report, polishPart);
        return overlay(source, store.takeAll(), std::move(norms));
    }
    ColumnLayers layers;
    const PolishResult result =
        polishWhole(*model, *source, statistics, options, store, layers, report, polishPart);
    std::map<std::string, QuantizedLinear, std::less<>> linears;
    for (auto& [name, layer] : layers)
        linears[name] = std::move(layer);
    for (const auto& [name, values] : result.norms)
        norms[name] = roundedToSource(*model, name, values);
    return overlay(source, std::move(linears), std::move(norms));
}

} // namespace bitloom
