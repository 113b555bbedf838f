// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/dataset.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/units.h"
#include "core/io/durable.h"
#include "core/io/safetensors.h"
#include "core/text/unicode.h"

#include <algorithm>
#include <cstring>

namespace bitloom {

namespace {

/// "line 3, byte 14 of it (offset 120)"
std::string placeOf(std::string_view text, size_t at) {
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t lineBegin = before.rfind('\n') + 1; // npos + 1 is 0
    return "line " + std::to_string(line) + ", byte " + std::to_string(at - lineBegin + 1) +
           " of it (offset " + std::to_string(at) + ")";
}

/// The "text" of every line, joined with blank lines.
std::string textOfLines(std::string_view file, const std::string& name) {
    std::string result;
    int64_t line = 0;
    bool any = false;
    for (size_t begin = 0; begin < file.size();) {
        const size_t end = std::min(file.find('\n', begin), file.size());
        const std::string_view content = file.substr(begin, end - begin);
        begin = end + 1;
        ++line;
        if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const nlohmann::json object = nlohmann::json::parse(content, nullptr, false);
        const std::string where = name + ", line " + std::to_string(line);
        if (object.is_discarded()) throw Error(where + " is not JSON");
        const auto field = object.is_object() ? object.find("text") : object.end();
        if (field == object.end() || !field->is_string())
            throw Error(where + " has no \"text\" field that is a string");
        if (any) result += "\n\n";
        any = true;
        result += field->get_ref<const std::string&>();
    }
    return result;
}

TokenWindows cutWindows(std::vector<int32_t> ids, int64_t length, int64_t maxWindows) {
    TokenWindows windows;
    windows.length = length;
    windows.count = static_cast<int64_t>(ids.size()) / length;
    if (maxWindows > 0) windows.count = std::min(windows.count, maxWindows);
    ids.resize(static_cast<size_t>(windows.count * length));
    windows.ids = std::move(ids);
    return windows;
}

std::vector<int32_t> readIds(const SafetensorsFile& file, const TensorInfo& tensor,
                             const std::string& where, int64_t vocab) {
    std::vector<int32_t> ids(static_cast<size_t>(tensor.elements()));
    const std::span<const std::byte> bytes = file.data(tensor);
    if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), bytes.size());
    for (size_t i = 0; i < ids.size(); ++i)
        if (ids[i] < 0 || ids[i] >= vocab)
            throw Error(where + ": id " + std::to_string(ids[i]) + " at position " +
                        std::to_string(i) + " is not in the vocabulary of " +
                        std::to_string(vocab));
    return ids;
}

} // namespace

std::string readTexts(const std::vector<std::filesystem::path>& files) {
    if (files.empty()) throw Error("no text file is given");
    std::string result;
    for (const std::filesystem::path& path : files) {
        std::string text = readTextFile(path);
        if (const size_t bad = text::findInvalidUtf8(text); bad != std::string::npos)
            throw Error(path.string() + " is not UTF-8: " + placeOf(text, bad),
                        "Convert the file to UTF-8.");
        if (path.extension() == ".jsonl") text = textOfLines(text, path.string());
        if (text.empty()) throw Error(path.string() + " holds no text");
        if (&path != &files.front()) result += "\n\n";
        result += text;
    }
    return result;
}

TokenWindows windowsFromText(const Tokenizer& tokenizer, std::string_view text,
                             const std::string& source, int64_t length, int64_t maxWindows) {
    if (length < 1) throw Error("a window of " + std::to_string(length) + " tokens");
    std::vector<int32_t> ids = tokenizer.encodeWithBos(text);
    if (static_cast<int64_t>(ids.size()) < length)
        throw Error(source + " has " + formatCount(static_cast<int64_t>(ids.size())) +
                        " tokens, fewer than one window of " + formatCount(length),
                    "Give a longer text or a shorter window.");
    TokenWindows windows = cutWindows(std::move(ids), length, maxWindows);
    windows.source = source;
    windows.textHash = hashText(text);
    return windows;
}

TokenWindows windowsFromIds(const std::filesystem::path& path, int64_t vocab, int64_t length,
                            int64_t maxWindows) {
    const std::string where = path.string() + ": input_ids";
    const auto file = SafetensorsFile::open(path);
    const TensorInfo& tensor = file->require("input_ids");
    if (tensor.dtype != DType::I32)
        throw Error(where + " is " + std::string(dtypeName(tensor.dtype)) + "; I32 is needed");
    if (tensor.shape.size() != 1 && tensor.shape.size() != 2)
        throw Error(where + " has the shape " + shapeText(tensor.shape) +
                    "; [B, T] or [T] is needed");
    const int64_t rowLength = tensor.shape.back();
    const int64_t rows = tensor.shape.size() == 2 ? tensor.shape.front() : 1;
    if (rowLength == 0 || rows == 0) throw Error(where + " is empty");
    if (length < 0) throw Error("a window of " + std::to_string(length) + " tokens");
    std::vector<int32_t> ids = readIds(*file, tensor, where, vocab);
    const std::string hash = hashBytes(std::as_bytes(std::span(ids)));

    if (length == 0) length = rowLength;
    if (tensor.shape.size() == 1 && length > rowLength)
        throw Error(where + " has " + formatCount(rowLength) + " ids, fewer than one window of " +
                        formatCount(length),
                    "Give more ids or a shorter window.");
    length = std::min(length, rowLength); // rows are never joined
    if (rowLength % length != 0) {
        // The rest of every row is dropped, so that no window spans two rows.
        const int64_t kept = rowLength / length * length;
        for (int64_t row = 0; row < rows; ++row)
            std::copy_n(ids.begin() + row * rowLength, kept, ids.begin() + row * kept);
        ids.resize(static_cast<size_t>(rows * kept));
    }
    TokenWindows windows = cutWindows(std::move(ids), length, maxWindows);
    windows.source = path.string();
    windows.textHash = hash;
    return windows;
}

} // namespace bitloom
