// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// A quantized checkpoint back to a plain Hugging Face folder:
//   1. decide every tensor's dtype and place (so the disk is checked before anything is written)
//   2. fill OUT.partial, tensor by tensor
//   3. write config and card, copy tokenizer files
//   4. flush and rename, or exchange with an earlier export
#include "core/engine/export_hf.h"

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/io/durable.h"
#include "core/io/system_error.h"
#include "kernels/half.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>

namespace bitloom {

namespace {

namespace fs = std::filesystem;

constexpr int64_t maxShardBytes = 5'000'000'000;
/// In every card that modelCard() writes, of this and of earlier versions: tells an export from
/// other people's models.
constexpr std::string_view cardMark = "The weights of a Bitloom checkpoint (";
constexpr int64_t pieceElements = 1
                                  << 22; // tensors other than linears are converted in such pieces

struct OutputTensor {
    TensorSpec spec;
    bool linear = false;
    std::string linearName;
};

/// Dtypes of the tensors that a Bitloom checkpoint keeps as they were.
std::map<std::string, DType> storedDtypes(const fs::path& folder) {
    std::map<std::string, DType> dtypes;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".safetensors") continue;
        const auto file = SafetensorsFile::open(entry.path());
        for (const TensorInfo& tensor : file->tensors())
            dtypes[tensor.name] = tensor.dtype;
    }
    return dtypes;
}

std::vector<OutputTensor> outputTensors(const QuantizedCheckpoint& source, DType dtype) {
    const auto stored = storedDtypes(source.folder());
    std::vector<OutputTensor> tensors;
    for (const auto& expected : source.catalogue().expected) {
        OutputTensor tensor;
        tensor.spec = {expected.name, dtype, expected.shape};
        const std::string_view name = expected.name;
        if (name.ends_with(".weight"))
            if (const auto* linear = source.catalogue().find(name.substr(0, name.size() - 7))) {
                tensor.linear = true;
                tensor.linearName = linear->name;
            }
        if (!tensor.linear && dtype != DType::F32) {
            // Stored in floating point: nothing is gained by another rounding.
            const auto known = stored.find(expected.name);
            const bool floating = known != stored.end() &&
                                  (known->second == DType::F32 || known->second == DType::F16 ||
                                   known->second == DType::BF16);
            if (floating) tensor.spec.dtype = known->second;
        }
        tensors.push_back(std::move(tensor));
    }
    return tensors;
}

/// Cuts the list into files of at most maxShardBytes, in the order of the forward pass.
std::vector<std::vector<TensorSpec>> shardsOf(const std::vector<OutputTensor>& tensors) {
    std::vector<std::vector<TensorSpec>> shards(1);
    int64_t bytes = 0;
    for (const OutputTensor& tensor : tensors) {
        const auto size = int64_t(tensor.spec.bytes());
        if (bytes > 0 && bytes + size > maxShardBytes) {
            shards.emplace_back();
            bytes = 0;
        }
        shards.back().push_back(tensor.spec);
        bytes += size;
    }
    return shards;
}

std::string shardName(size_t index, size_t count) {
    if (count == 1) return "model.safetensors";
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
    return name;
}

std::vector<std::byte> convert(std::span<const float> values, DType dtype,
                               const std::string& tensor) {
    std::vector<std::byte> bytes(values.size() * size_t(dtypeBytes(dtype)));
    if (dtype == DType::F32) {
        std::memcpy(bytes.data(), values.data(), bytes.size());
        return bytes;
    }
    const std::span halves(reinterpret_cast<uint16_t*>(bytes.data()), values.size());
    if (dtype == DType::BF16) {
        kernels::floatToBfloat16(values, halves);
        return bytes;
    }
    for (const float value : values)
        if (std::fabs(value) >= 65520) // rounds to infinity
            throw Error("tensor '" + tensor + "' holds " + std::to_string(value) +
                            ", which float16 cannot",
                        "Export with --dtype bf16 or --dtype f32.");
    kernels::floatToHalf(values, halves);
    return bytes;
}

/// The source's config without what says "quantized", with the new dtype under the keys that the
/// source used (transformers v4 says torch_dtype, v5 dtype).
nlohmann::json plainConfig(const QuantizedCheckpoint& source, DType dtype) {
    nlohmann::json config = source.config().raw;
    config.erase("quantization_config");
    const char* name = dtype == DType::F32   ? "float32"
                       : dtype == DType::F16 ? "float16"
                                             : "bfloat16";
    const bool v4 = config.contains("torch_dtype");
    if (v4) config["torch_dtype"] = name;
    if (!v4 || config.contains("dtype")) config["dtype"] = name;
    return config;
}

std::string modelCard(const QuantizedCheckpoint& source, DType dtype) {
    char bits[32];
    std::snprintf(bits, sizeof bits, "%.3f", source.parts().bitsPerWeight());
    return "# " + source.folder().filename().string() + ", unpacked\n\n" + std::string(cardMark) +
           bits + " bits per weight), written out as plain " + std::string(dtypeName(dtype)) +
           " tensors by Bitloom " BITLOOM_VERSION ".\n" +
           "The values are those of the quantized model; the size is that of an unquantized one.\n";
}

bool isOwnFile(const fs::path& file) {
    static const std::set<std::string> own = {"config.json", "recipe.json", "MANIFEST.json",
                                              "README.md", "model.safetensors.index.json"};
    return file.extension() == ".safetensors" || own.contains(file.filename().string());
}

/// What one thread of the export holds: reads tensors, writes them where they belong.
class Filler {
public:
    Filler(const QuantizedCheckpoint& source, int threads, Progress& progress, int64_t totalBytes)
        : m_source(source), m_threads(threads), m_progress(progress), m_totalBytes(totalBytes) {}

    void fill(const OutputTensor& tensor, const SafetensorsLayout& layout, OutputFile& file) {
        const auto& infos = layout.tensors();
        const auto info =
            std::find_if(infos.begin(), infos.end(), [&](const TensorInfo& candidate) {
                return candidate.name == tensor.spec.name;
            });
        const uint64_t offset = layout.fileOffset(*info);
        const std::string& name = tensor.spec.name;
        if (tensor.linear) {
            m_values.resize(size_t(tensor.spec.elements()));
            m_source.readLinear(tensor.linearName, m_values, m_threads);
            put(file, offset, tensor.spec, m_values);
            return;
        }
        if (tensor.spec.shape.size() != 2) {
            m_values.resize(size_t(tensor.spec.elements()));
            m_source.readFloat(name, m_values);
            put(file, offset, tensor.spec, m_values);
            return;
        }
        const int64_t cols = tensor.spec.shape[1], rows = tensor.spec.shape[0];
        const int64_t step = std::max<int64_t>(1, pieceElements / cols);
        for (int64_t row = 0; row < rows; row += step) {
            m_values.resize(size_t(std::min(step, rows - row) * cols));
            m_source.readFloatRows(name, row, m_values);
            put(file, offset + uint64_t(row * cols * dtypeBytes(tensor.spec.dtype)), tensor.spec,
                m_values);
        }
    }

private:
    void put(OutputFile& file, uint64_t offset, const TensorSpec& spec,
             std::span<const float> values) {
        m_progress.check();
        const auto bytes = convert(values, spec.dtype, spec.name);
        file.write(offset, bytes);
        m_written += int64_t(bytes.size());
        m_progress.report(double(m_written) / double(std::max<int64_t>(1, m_totalBytes)),
                          "writing " + spec.name);
    }

    const QuantizedCheckpoint& m_source;
    int m_threads;
    Progress& m_progress;
    int64_t m_totalBytes, m_written = 0;
    std::vector<float> m_values;
};

bool isThere(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

/// What exportHuggingFace() wrote, and nothing else beside it: files alone, with our card.
bool isExportedModel(const fs::path& folder) {
    std::error_code failed;
    if (!fs::is_directory(fs::symlink_status(folder, failed))) return false;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed))
        if (!entry->is_regular_file(failed)) return false;
    constexpr uintmax_t longestCard = 1 << 20;
    const fs::path card = folder / "README.md";
    if (failed || !fs::is_regular_file(folder / "config.json", failed) ||
        fs::file_size(card, failed) > longestCard || failed)
        return false;
    return readTextFile(card).find(cardMark) != std::string::npos;
}

/// The absolute name without a slash at its end.
fs::path nameOf(const fs::path& given) {
    const fs::path out = fs::absolute(given).lexically_normal();
    return out.has_filename() ? out : out.parent_path();
}

/// Removes the folder again unless it was published: an export is quick to repeat, so nothing of a
/// broken one is worth keeping.
class PartialFolder {
public:
    explicit PartialFolder(fs::path path) : m_path(std::move(path)) {
        std::error_code error;
        // Of an earlier export nothing is worth keeping; of a checkpoint that was begun, all.
        if (fs::exists(m_path / "work", error))
            throw Error("'" + m_path.string() + "' is a quantized model that was begun",
                        "Finish it with 'bitloom quantize --resume', or export to another name.");
        error.clear();
        if (!m_path.parent_path().empty()) fs::create_directories(m_path.parent_path(), error);
        if (!error) fs::remove_all(m_path, error);
        if (!error) fs::create_directory(m_path, error);
        if (error) throwSystemError("create", m_path, error.value());
    }
    ~PartialFolder() {
        std::error_code ignored;
        if (!m_published) fs::remove_all(m_path, ignored);
    }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;
    void publish(const fs::path& to) {
        if (isThere(to)) {
            exchangeFolder(m_path, to);
        } else {
            publishFolder(m_path, to);
        }
        m_published = true;
    }

private:
    fs::path m_path;
    bool m_published = false;
};

} // namespace

void checkExportFolder(const fs::path& given, ExistingExport existing) {
    const fs::path out = nameOf(given);
    if (!isThere(out)) return;
    if (existing == ExistingExport::Refuse)
        throw Error("'" + out.string() + "' exists already",
                    "Choose another name, or replace it with --force.");
    std::error_code ignored;
    const bool empty =
        fs::is_directory(fs::symlink_status(out, ignored)) && fs::is_empty(out, ignored);
    if (!empty && !isExportedModel(out))
        throw Error("'" + out.string() +
                        "' is not a model that Bitloom exported, so it is not "
                        "replaced",
                    "Choose another name, or remove it first.");
}

int64_t exportHuggingFace(const QuantizedCheckpoint& source, DType dtype, const fs::path& outGiven,
                          const ComputeOptions& compute, Progress& progress,
                          ExistingExport existing) {
    if (dtype != DType::F32 && dtype != DType::F16 && dtype != DType::BF16)
        throw Error(ErrorCode::Usage,
                    "a Hugging Face export cannot be " + std::string(dtypeName(dtype)),
                    "Use --dtype f32, f16 or bf16.");
    const fs::path out = nameOf(outGiven);
    checkExportFolder(out, existing);

    const auto tensors = outputTensors(source, dtype);
    const auto specs = shardsOf(tensors);
    std::vector<SafetensorsLayout> layouts;
    std::map<std::string, std::string> shardOf;
    int64_t needed = 0, dataBytes = 0;
    for (size_t i = 0; i < specs.size(); ++i) {
        layouts.emplace_back(specs[i], std::map<std::string, std::string>{{"format", "pt"}});
        needed += int64_t(layouts.back().fileBytes());
        for (const TensorSpec& spec : specs[i]) {
            shardOf[spec.name] = shardName(i, specs.size());
            dataBytes += int64_t(spec.bytes());
        }
    }
    if (const uint64_t available = freeBytes(out); available < uint64_t(needed))
        throw Error(ErrorCode::NoSpace,
                    "the export needs " + formatBytes(needed) + ", but only " +
                        formatBytes(int64_t(available)) + " are free for '" + out.string() + "'",
                    "Free some space, choose another place, or export with --dtype f16.");

    PartialFolder partial(out.string() + ".partial");
    const fs::path folder = out.string() + ".partial";
    Filler filler(source, compute.threadsOrDefault(), progress, dataBytes);
    auto tensor = tensors.begin();
    for (size_t i = 0; i < layouts.size(); ++i) {
        OutputFile file(folder / shardName(i, layouts.size()), layouts[i].fileBytes());
        file.write(0, std::as_bytes(std::span(layouts[i].header())));
        for (size_t n = 0; n < specs[i].size(); ++n)
            filler.fill(*tensor++, layouts[i], file);
        file.flush();
    }

    if (layouts.size() > 1) {
        const nlohmann::json index = {{"metadata", {{"total_size", dataBytes}}},
                                      {"weight_map", shardOf}};
        writeFileAtomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
    }
    writeFileAtomically(folder / "config.json", plainConfig(source, dtype).dump(2) + "\n");
    writeFileAtomically(folder / "README.md", modelCard(source, dtype));
    for (const auto& entry : fs::directory_iterator(source.folder())) {
        if (!entry.is_regular_file() || isOwnFile(entry.path())) continue;
        writeFileAtomically(folder / entry.path().filename(), readTextFile(entry.path()));
    }

    int64_t written = 0;
    for (const auto& entry : fs::directory_iterator(folder))
        written += int64_t(entry.file_size());
    progress.check();
    flushFolder(folder);
    checkExportFolder(out, existing); // somebody may have made it meanwhile
    partial.publish(out);
    return written;
}

} // namespace bitloom
