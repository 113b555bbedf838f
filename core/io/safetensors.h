// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// Element types of safetensors. F8 and odd types are recognised so that they can be refused by
/// name.
enum class DType {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    F8E4M3,
    F8E5M2
};
int64_t dtypeBytes(DType dtype);
std::string_view dtypeName(DType dtype);
std::optional<DType> dtypeFromName(std::string_view name);

struct TensorInfo {
    std::string name;
    DType dtype = DType::F32;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0; ///< bytes, from the start of the data section

    int64_t elements() const;
    uint64_t bytes() const { return end - begin; }
};

/// "[4096, 11008]"
std::string shapeText(std::span<const int64_t> shape);

/// A safetensors file, mapped. The header is checked in full before anything is believed: length,
/// JSON, dtypes, shape products (overflow), offsets inside the file, no overlaps, no duplicate
/// names. Holes and unaligned starts are accepted. Immutable, so safe to share between threads.
class SafetensorsFile {
public:
    static constexpr uint64_t maxHeaderBytes = 100'000'000; ///< as in the reference implementation

    /// Throws Error naming the file, the tensor and what is wrong with it.
    static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
    /// The same checks on bytes in memory; `name` is used in messages.
    static std::shared_ptr<const SafetensorsFile> fromBytes(std::vector<std::byte> bytes,
                                                            const std::string& name);

    const std::vector<TensorInfo>& tensors() const { return m_tensors; } ///< by offset
    const std::map<std::string, std::string>& metadata() const { return m_metadata; }
    const std::filesystem::path& path() const { return m_path; }
    uint64_t fileBytes() const;
    /// The header's JSON text, unpadded as stored: part of fingerprints.
    std::string_view headerText() const { return m_headerText; }

    const TensorInfo* find(std::string_view name) const; ///< nullptr if there is none
    const TensorInfo& require(std::string_view name) const;
    std::span<const std::byte> data(const TensorInfo& tensor) const;
    /// See MappedFile::release.
    void release(const TensorInfo& tensor) const;

private:
    SafetensorsFile() = default;
    void parse(std::span<const std::byte> file, const std::string& name);

    std::shared_ptr<const MappedFile> m_file;
    std::vector<std::byte> m_owned;
    std::span<const std::byte> m_bytes, m_data;
    std::filesystem::path m_path;
    std::string_view m_headerText;
    std::vector<TensorInfo> m_tensors;
    std::map<std::string, size_t, std::less<>> m_index;
    std::map<std::string, std::string> m_metadata;
};

/// What a file is to hold, before any byte of it exists.
struct TensorSpec {
    std::string name;
    DType dtype = DType::F32;
    std::vector<int64_t> shape;

    int64_t elements() const;
    uint64_t bytes() const;
};

/// Where every tensor of a file will lie. Order: widest dtype first, then by name, without holes;
/// the header is padded with spaces to a multiple of 8 bytes, so every tensor is aligned to its
/// dtype. The same specs and metadata give the same bytes.
class SafetensorsLayout {
public:
    SafetensorsLayout(std::vector<TensorSpec> specs, std::map<std::string, std::string> metadata);

    const std::vector<TensorInfo>& tensors() const { return m_tensors; }
    const std::string& header() const { return m_header; } ///< with its 8 length bytes and padding
    uint64_t fileBytes() const;
    /// Offset of a tensor's first byte from the start of the file.
    uint64_t fileOffset(const TensorInfo& tensor) const { return m_header.size() + tensor.begin; }

private:
    std::vector<TensorInfo> m_tensors;
    std::string m_header;
};

/// A tensor with its bytes, for writing whole files.
struct TensorBytes {
    TensorSpec spec;
    std::span<const std::byte> bytes;
};

/// Writes a complete file through a temporary one and a rename (durable.h). Throws Error(NoSpace)
/// on a full disk.
void writeSafetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

} // namespace bitloom
