// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/io/safetensors.h"

#include "core/base/error.h"
#include "core/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <utility>

namespace bitloom {

namespace {

struct DTypeRow {
    DType dtype;
    std::string_view name;
    int64_t bytes;
};

constexpr std::array dtypes{
    DTypeRow{DType::F64, "F64", 8},        DTypeRow{DType::F32, "F32", 4},
    DTypeRow{DType::F16, "F16", 2},        DTypeRow{DType::BF16, "BF16", 2},
    DTypeRow{DType::I64, "I64", 8},        DTypeRow{DType::I32, "I32", 4},
    DTypeRow{DType::I16, "I16", 2},        DTypeRow{DType::I8, "I8", 1},
    DTypeRow{DType::U64, "U64", 8},        DTypeRow{DType::U32, "U32", 4},
    DTypeRow{DType::U16, "U16", 2},        DTypeRow{DType::U8, "U8", 1},
    DTypeRow{DType::Bool, "BOOL", 1},      DTypeRow{DType::F8E4M3, "F8_E4M3", 1},
    DTypeRow{DType::F8E5M2, "F8_E5M2", 1},
};

const DTypeRow& row(DType dtype) {
    const auto& found = dtypes[static_cast<size_t>(dtype)];
    return found;
}

constexpr bool inEnumOrder() {
    for (size_t i = 0; i < dtypes.size(); ++i)
        if (static_cast<size_t>(dtypes[i].dtype) != i) return false;
    return true;
}
static_assert(inEnumOrder());

} // namespace

int64_t dtypeBytes(DType dtype) {
    return row(dtype).bytes;
}
std::string_view dtypeName(DType dtype) {
    return row(dtype).name;
}

std::optional<DType> dtypeFromName(std::string_view name) {
    for (const auto& row : dtypes)
        if (row.name == name) return row.dtype;
    return std::nullopt;
}

int64_t TensorInfo::elements() const {
    int64_t product = 1;
    for (const int64_t size : shape)
        product *= size; // checked where the shape came in
    return product;
}

std::string shapeText(std::span<const int64_t> shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) {
        if (i > 0) text += ", ";
        text += std::to_string(shape[i]);
    }
    return text + "]";
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
    const std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
    file->m_file = MappedFile::open(path);
    file->m_path = path;
    file->parse(file->m_file->bytes(), "'" + path.string() + "'");
    return file;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::fromBytes(std::vector<std::byte> bytes,
                                                                  const std::string& name) {
    const std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
    file->m_owned = std::move(bytes);
    file->m_path = name;
    file->parse(file->m_owned, name);
    return file;
}

void SafetensorsFile::parse(std::span<const std::byte> file, const std::string& name) {
    const auto number = [](uint64_t value) { return std::to_string(value); };
    if (file.size() < 8)
        throw Error(name + " is not a safetensors file: it has only " + number(file.size()) +
                    " bytes");
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
        length = length << 8 | static_cast<uint64_t>(file[size_t(i)]);
    const uint64_t rest = file.size() - 8;
    // Text at the front is the usual case: an HTML error page, or a Git LFS pointer.
    if (length > rest && static_cast<char>(file[0]) >= ' ' && static_cast<char>(file[7]) >= ' ')
        throw Error(name + " is not a safetensors file: it begins with text",
                    "Perhaps the download was not complete: a Git LFS pointer, or an error page.");
    if (length > maxHeaderBytes)
        throw Error(name + ": the header claims " + number(length) + " bytes; at most " +
                    number(maxHeaderBytes) + " are allowed");
    if (length > rest)
        throw Error(name + ": the header claims " + number(length) + " bytes, but only " +
                        number(rest) + " follow",
                    "The file is cut short: fetch it again.");
    m_bytes = file;
    m_data = file.subspan(8 + static_cast<size_t>(length));
    m_headerText = {reinterpret_cast<const char*>(file.data()) + 8, static_cast<size_t>(length)};
    while (!m_headerText.empty() &&
           std::string_view(" \t\r\n").find(m_headerText.back()) != std::string_view::npos)
        m_headerText.remove_suffix(1);
    if (!m_headerText.starts_with('{')) throw Error(name + ": the header does not begin with '{'");

    SafetensorsHeader header = SafetensorsHeader::parse(m_headerText, name);
    m_metadata = std::move(header.metadata);
    m_tensors = std::move(header.tensors);
    std::ranges::stable_sort(m_tensors, {}, [](const TensorInfo& tensor) {
        return std::pair(tensor.begin, tensor.end);
    });
    const TensorInfo* previous = nullptr;
    for (size_t i = 0; i < m_tensors.size(); ++i) {
        const TensorInfo& tensor = m_tensors[i];
        if (tensor.end > m_data.size())
            throw Error(name + ": tensor '" + tensor.name + "' ends at byte " + number(tensor.end) +
                            " of the data, but the file has only " + number(m_data.size()),
                        "The file is cut short: fetch it again.");
        m_index.emplace(tensor.name, i);
        if (tensor.bytes() == 0) continue;
        if (previous && tensor.begin < previous->end)
            throw Error(name + ": tensors '" + previous->name + "' and '" + tensor.name +
                        "' overlap");
        previous = &tensor;
    }
}

uint64_t SafetensorsFile::fileBytes() const {
    return m_bytes.size();
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
    const auto found = m_index.find(name);
    return found == m_index.end() ? nullptr : &m_tensors[found->second];
}

const TensorInfo& SafetensorsFile::require(std::string_view name) const {
    if (const TensorInfo* tensor = find(name)) return *tensor;
    throw Error("'" + m_path.string() + "' has no tensor '" + std::string(name) + "'");
}

std::span<const std::byte> SafetensorsFile::data(const TensorInfo& tensor) const {
    if (tensor.begin > tensor.end || tensor.end > m_data.size())
        throw Error("tensor '" + tensor.name + "' is not one of '" + m_path.string() + "'");
    return m_data.subspan(static_cast<size_t>(tensor.begin), static_cast<size_t>(tensor.bytes()));
}

void SafetensorsFile::release(const TensorInfo& tensor) const {
    if (m_file) m_file->release(data(tensor));
}

} // namespace bitloom
