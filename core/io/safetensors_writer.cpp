// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_header.h"
#include "core/io/system_error.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <tuple>
#include <unistd.h>

namespace bitloom {

namespace {

/// A JSON string literal; the text must be UTF-8.
std::string quoted(const std::string& text) {
    try {
        return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
        throw Error("cannot write a safetensors header: a name or metadata text is not UTF-8");
    }
}

} // namespace

int64_t TensorSpec::elements() const {
    int64_t product = 1;
    for (const int64_t size : shape)
        product *= size;
    return product;
}

uint64_t TensorSpec::bytes() const {
    if (!shapeFits(shape, dtypeBytes(dtype)))
        throw Error("tensor '" + name + "': shape " + shapeText(shape) + " is not possible");
    return static_cast<uint64_t>(elements()) * static_cast<uint64_t>(dtypeBytes(dtype));
}

SafetensorsLayout::SafetensorsLayout(std::vector<TensorSpec> specs,
                                     std::map<std::string, std::string> metadata) {
    std::ranges::sort(specs, {}, [](const TensorSpec& spec) {
        return std::tuple(-dtypeBytes(spec.dtype), std::string_view(spec.name));
    });
    std::string json = "{";
    if (!metadata.empty()) {
        json += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            if (json.back() != '{') json += ",";
            json += quoted(key) + ":" + quoted(value);
        }
        json += "}";
    }
    std::set<std::string_view> names;
    uint64_t at = 0;
    m_tensors.reserve(specs.size());
    for (TensorSpec& spec : specs) {
        if (spec.name == "__metadata__")
            throw Error("cannot write a safetensors header: a tensor is named '__metadata__'");
        TensorInfo tensor{.name = {}, .dtype = spec.dtype, .shape = spec.shape, .begin = at};
        if (__builtin_add_overflow(at, spec.bytes(), &at) || at > uint64_t(INT64_MAX))
            throw Error("cannot write a safetensors header: the tensors are too large");
        tensor.end = at;
        tensor.name = std::move(spec.name);
        m_tensors.push_back(std::move(tensor));
        const TensorInfo& done = m_tensors.back();
        if (!names.insert(done.name).second)
            throw Error("cannot write a safetensors header: two tensors are named '" + done.name +
                        "'");
        if (json.size() > 1) json += ",";
        json += quoted(done.name) + ":{\"dtype\":\"" + std::string(dtypeName(done.dtype)) +
                "\",\"shape\":[";
        for (size_t i = 0; i < done.shape.size(); ++i)
            json += (i > 0 ? "," : "") + std::to_string(done.shape[i]);
        json += "],\"data_offsets\":[" + std::to_string(done.begin) + "," +
                std::to_string(done.end) + "]}";
    }
    json += "}";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    if (json.size() > SafetensorsFile::maxHeaderBytes)
        throw Error("cannot write a safetensors header: it would have more than " +
                    std::to_string(SafetensorsFile::maxHeaderBytes) + " bytes");
    for (int i = 0; i < 8; ++i)
        m_header.push_back(static_cast<char>(json.size() >> (8 * i) & 255));
    m_header += json;
}

uint64_t SafetensorsLayout::fileBytes() const {
    return m_header.size() + (m_tensors.empty() ? 0 : m_tensors.back().end);
}

void writeSafetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                      const std::map<std::string, std::string>& metadata) {
    std::vector<TensorSpec> specs;
    std::map<std::string_view, std::span<const std::byte>> content;
    for (const TensorBytes& tensor : tensors) {
        if (tensor.bytes.size() != tensor.spec.bytes())
            throw Error("tensor '" + tensor.spec.name + "' " + shapeText(tensor.spec.shape) +
                        " was given " + std::to_string(tensor.bytes.size()) + " bytes");
        specs.push_back(tensor.spec);
        content.emplace(tensor.spec.name, tensor.bytes);
    }
    const SafetensorsLayout layout(std::move(specs), metadata);

    std::filesystem::path temporary = path;
    temporary += ".tmp";
    try {
        OutputFile file(temporary, layout.fileBytes());
        file.write(0, std::as_bytes(std::span(layout.header())));
        for (const TensorInfo& tensor : layout.tensors())
            file.write(layout.fileOffset(tensor), content.at(tensor.name));
        file.flush();
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            throwSystemError("rename to '" + path.string() + "' the file", temporary, errno);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    const auto parent = path.parent_path();
    flushFolder(parent.empty() ? std::filesystem::path(".") : parent);
}

} // namespace bitloom
