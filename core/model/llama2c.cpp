// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/llama2c.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/durable.h"
#include "core/io/safetensors.h"
#include "core/model/llama2c_tokenizer.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

constexpr uint32_t magic = 0x616b3432; // "ak42"

struct Shape {
    int64_t dim = 0, inner = 0, layers = 0, heads = 0, kvHeads = 0, vocab = 0, positions = 0;
    bool tied = true;
    int version = 0;

    int64_t headDim() const { return dim / heads; }
    int64_t kvDim() const { return headDim() * kvHeads; }
};

/// A run of floats in the file, and the tensor it becomes. `rotaryHeads` > 0: a query or key weight
/// whose rows have to be put in order.
struct Part {
    std::string name; ///< empty: left out
    std::vector<int64_t> shape;
    int64_t rotaryHeads = 0;
};

Shape readShape(std::span<const std::byte> file, const std::string& where) {
    const auto number = [&](size_t index) {
        int32_t value;
        if (file.size() < (index + 1) * sizeof value)
            throw Error(where + " is not a llama2.c checkpoint: it has only " +
                        std::to_string(file.size()) + " bytes");
        std::memcpy(&value, file.data() + index * sizeof value, sizeof value);
        return value;
    };
    Shape shape;
    size_t at = 0;
    if (static_cast<uint32_t>(number(0)) == magic) {
        shape.version = number(1);
        if (shape.version == 2)
            throw Error(where + " is a quantized llama2.c checkpoint (version 2, Q8_0)",
                        "Export the model again in float: python export.py … --version 1");
        if (shape.version != 1)
            throw Error(where + " is a llama2.c checkpoint of version " +
                        std::to_string(shape.version) + "; known are 0 and 1");
        at = 2;
        number(63); // the header has 256 bytes
        shape.tied = file[9 * sizeof(int32_t)] != std::byte{0};
    }
    int64_t* fields[] = {&shape.dim,     &shape.inner, &shape.layers,   &shape.heads,
                         &shape.kvHeads, &shape.vocab, &shape.positions};
    for (int64_t* field : fields)
        *field = number(at++);
    if (shape.version == 0 && shape.vocab < 0) {
        shape.vocab = -shape.vocab;
        shape.tied = false;
    }
    const bool sane = std::ranges::all_of(fields, [](int64_t* field) { return *field > 0; }) &&
                      shape.dim <= 1 << 20 && shape.inner <= 1 << 22 && shape.layers <= 4096 &&
                      shape.vocab <= 1 << 24 && shape.positions <= 1 << 24 &&
                      shape.dim % shape.heads == 0 && shape.heads % shape.kvHeads == 0 &&
                      shape.headDim() % 2 == 0;
    if (!sane)
        throw Error(where + " is not a llama2.c checkpoint: its first numbers make no sense as the "
                            "sizes of a model",
                    "Bitloom reads llama2.c files of version 0 (legacy) and 1 (float32).");
    return shape;
}

/// The content of a file in its order.
std::vector<Part> listParts(const Shape& s) {
    std::vector<Part> parts;
    const auto forLayers = [&](const std::string& name, std::vector<int64_t> shape,
                               int64_t rotaryHeads = 0) {
        for (int64_t i = 0; i < s.layers; ++i)
            parts.push_back(
                {"model.layers." + std::to_string(i) + "." + name + ".weight", shape, rotaryHeads});
    };
    const Part embedding{"model.embed_tokens.weight", {s.vocab, s.dim}};
    const Part norm{"model.norm.weight", {s.dim}};
    const auto attention = [&] {
        forLayers("self_attn.q_proj", {s.dim, s.dim}, s.heads);
        forLayers("self_attn.k_proj", {s.kvDim(), s.dim}, s.kvHeads);
        forLayers("self_attn.v_proj", {s.kvDim(), s.dim});
        forLayers("self_attn.o_proj", {s.dim, s.dim});
    };
    const auto mlp = [&] {
        forLayers("mlp.gate_proj", {s.inner, s.dim});
        forLayers("mlp.down_proj", {s.dim, s.inner});
        forLayers("mlp.up_proj", {s.inner, s.dim});
    };
    if (s.version == 0) {
        parts.push_back(embedding);
        forLayers("input_layernorm", {s.dim});
        attention();
        forLayers("post_attention_layernorm", {s.dim});
        mlp();
        parts.push_back(norm);
        parts.push_back({"", {2, s.positions, s.headDim() / 2}}); // cosines and sines
    } else {
        forLayers("input_layernorm", {s.dim});
        forLayers("post_attention_layernorm", {s.dim});
        parts.push_back(norm);
        parts.push_back(embedding);
        attention();
        mlp();
    }
    if (!s.tied) parts.push_back({"lm_head.weight", {s.vocab, s.dim}});
    return parts;
}

/// Writes rows in the order of Hugging Face: llama2.c turns the neighbours 2j and 2j+1 of a head
/// together, Hugging Face j and j + headDim/2.
void writeRotary(OutputFile& file, uint64_t offset, std::span<const std::byte> bytes,
                 const Part& part) {
    const int64_t rows = part.shape[0], half = rows / part.rotaryHeads / 2;
    const size_t rowBytes = bytes.size() / static_cast<size_t>(rows);
    std::vector<std::byte> ordered(bytes.size());
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t head = row / (2 * half), within = row % (2 * half);
        const int64_t source = head * 2 * half + 2 * (within % half) + within / half;
        std::memcpy(ordered.data() + static_cast<size_t>(row) * rowBytes,
                    bytes.data() + static_cast<size_t>(source) * rowBytes, rowBytes);
    }
    file.write(offset, ordered);
}

void writeWeights(const MappedFile& input, size_t headerBytes, const std::vector<Part>& parts,
                  const fs::path& path, Progress& progress) {
    std::vector<TensorSpec> specs;
    for (const Part& part : parts)
        if (!part.name.empty()) specs.push_back({part.name, DType::F32, part.shape});
    const SafetensorsLayout layout(std::move(specs), {{"format", "pt"}});
    std::map<std::string_view, const TensorInfo*> places;
    for (const TensorInfo& tensor : layout.tensors())
        places.emplace(tensor.name, &tensor);

    OutputFile output(path, layout.fileBytes());
    output.write(0, std::as_bytes(std::span(layout.header())));
    size_t at = headerBytes;
    constexpr size_t piece = size_t{4} << 20; // small enough to notice a wish to stop at once
    for (const Part& part : parts) {
        progress.check();
        progress.report(0.95 * static_cast<double>(at) / static_cast<double>(input.bytes().size()),
                        "copying weights");
        const TensorSpec spec{part.name, DType::F32, part.shape};
        const auto bytes = input.bytes().subspan(at, static_cast<size_t>(spec.bytes()));
        at += bytes.size();
        if (part.name.empty()) continue;
        const uint64_t offset = layout.fileOffset(*places.at(part.name));
        if (part.rotaryHeads > 0) {
            writeRotary(output, offset, bytes, part);
        } else {
            for (size_t done = 0; done < bytes.size(); done += piece) {
                progress.check();
                output.write(offset + done,
                             bytes.subspan(done, std::min(piece, bytes.size() - done)));
            }
        }
        input.release(bytes);
    }
    output.flush();
}

nlohmann::ordered_json makeConfig(const Shape& shape) {
    nlohmann::ordered_json config;
    config["architectures"] = nlohmann::ordered_json::array({"LlamaForCausalLM"});
    config["model_type"] = "llama";
    config["hidden_act"] = "silu";
    config["torch_dtype"] = "float32";
    config["bos_token_id"] = 1;
    config["eos_token_id"] = 2;
    config["attention_bias"] = false;
    config["mlp_bias"] = false;
    config["vocab_size"] = shape.vocab;
    config["hidden_size"] = shape.dim;
    config["intermediate_size"] = shape.inner;
    config["num_hidden_layers"] = shape.layers;
    config["num_attention_heads"] = shape.heads;
    config["num_key_value_heads"] = shape.kvHeads;
    config["head_dim"] = shape.headDim();
    config["max_position_embeddings"] = shape.positions;
    config["rms_norm_eps"] = 1e-5; // fixed in llama2.c, as is the base of the rotary positions
    config["rope_theta"] = 10000.0;
    config["rope_scaling"] = nullptr;
    config["tie_word_embeddings"] = shape.tied;
    return config;
}

/// The tokenizer to use: the given one, else tok<vocab>.bin or tokenizer.bin beside the checkpoint.
std::optional<fs::path> findTokenizer(const fs::path& file, const fs::path& given, int64_t vocab) {
    if (!given.empty()) return given;
    for (const std::string& name :
         {"tok" + std::to_string(vocab) + ".bin", std::string("tokenizer.bin")})
        if (fs::path path = file.parent_path() / name; fs::is_regular_file(path)) return path;
    return std::nullopt;
}

} // namespace

void convertLlama2c(const fs::path& file, const fs::path& tokenizer, const fs::path& outPath,
                    Progress& progress) {
    const fs::path out = outPath.has_filename() ? outPath : outPath.parent_path();
    if (fs::symlink_status(out).type() != fs::file_type::not_found)
        throw Error("'" + out.string() + "' exists already",
                    "Choose another name, or remove it first.");
    const auto input = MappedFile::open(file);
    const std::string where = "'" + file.string() + "'";
    const Shape shape = readShape(input->bytes(), where);
    const size_t headerBytes = shape.version == 0 ? 28 : 256;
    const std::vector<Part> parts = listParts(shape);
    __extension__ unsigned __int128 needed = headerBytes;
    for (const Part& part : parts)
        needed += TensorSpec{part.name, DType::F32, part.shape}.bytes();
    if (needed != input->bytes().size())
        throw Error(where + " has " + std::to_string(input->bytes().size()) +
                        " bytes; a llama2.c checkpoint of its sizes has " +
                        (needed >> 63 ? "far more" : std::to_string(uint64_t(needed))),
                    "The file is damaged or no llama2.c checkpoint of version 0 or 1.");
    const auto tokenizerFile = findTokenizer(file, tokenizer, shape.vocab);
    std::optional<Llama2cVocabulary> vocabulary;
    if (tokenizerFile) vocabulary = Llama2cVocabulary::read(*tokenizerFile, shape.vocab);

    fs::path partial = out;
    partial += ".partial";
    std::error_code failed;
    fs::create_directories(partial, failed);
    if (failed) throw Error("cannot create '" + partial.string() + "': " + failed.message());
    FolderLock lock(partial);
    try {
        // What an earlier run may have left when it was ended.
        for (const char* name : {"model.safetensors", "config.json", "generation_config.json",
                                 "tokenizer.json", "tokenizer_config.json"})
            fs::remove(partial / name);
        writeWeights(*input, headerBytes, parts, partial / "model.safetensors", progress);
        writeFileAtomically(partial / "config.json", makeConfig(shape).dump(2) + "\n");
        // llama2.c ends a story with the token that begins the next one.
        const nlohmann::ordered_json generation{{"bos_token_id", 1}, {"eos_token_id", {1, 2}}};
        writeFileAtomically(partial / "generation_config.json", generation.dump(2) + "\n");
        if (vocabulary) {
            progress.report(0.96, "writing the tokenizer");
            writeFileAtomically(partial / "tokenizer.json",
                                makeTokenizerJson(*vocabulary).dump(2) + "\n");
            const nlohmann::ordered_json settings{{"tokenizer_class", "LlamaTokenizer"},
                                                  {"bos_token", "<s>"},
                                                  {"eos_token", "</s>"},
                                                  {"unk_token", "<unk>"},
                                                  {"add_bos_token", true},
                                                  {"add_eos_token", false},
                                                  {"clean_up_tokenization_spaces", false},
                                                  {"legacy", false},
                                                  {"model_max_length", shape.positions}};
            writeFileAtomically(partial / "tokenizer_config.json", settings.dump(2) + "\n");
        } else {
            logger("core")->warn("no tokenizer.bin beside {}: the folder gets no tokenizer", where);
        }
        progress.check();
        lock.release();
        publishFolder(partial, out);
    } catch (...) {
        lock.release();
        fs::remove_all(partial, failed);
        throw;
    }
    progress.report(1, "done");
}

} // namespace bitloom
