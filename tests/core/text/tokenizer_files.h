// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/text/tokenizer.h"
#include "core/text/unicode.h"

#include <nlohmann/json.hpp>

#include <QTemporaryDir>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

/// Files that the tests of tokenizers share.
namespace tokenizer_files {

inline std::filesystem::path data() {
    return std::filesystem::path(BITLOOM_TEST_DATA) / "text";
}

/// The texts of tests/data/text/corpus.txt.
inline std::vector<std::string> corpus() {
    const std::string file = bitloom::readTextFile(data() / "corpus.txt");
    std::vector<std::string> records;
    size_t begin = 0;
    for (size_t end; (end = file.find("\x1e\n", begin)) != std::string::npos; begin = end + 2)
        records.push_back(file.substr(begin, end - begin));
    return records;
}

inline std::string joined(const std::vector<std::string>& records) {
    std::string text;
    for (const std::string& record : records) {
        if (&record != &records.front()) text += '\n';
        text += record;
    }
    return text;
}

inline void write(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

/// A temporary folder with a tokenizer in it.
class Folder {
public:
    std::filesystem::path path() const { return m_folder.path().toStdString(); }
    void write(const char* name, const std::string& content) const {
        tokenizer_files::write(path() / name, content);
    }
    void write(const char* name, const nlohmann::json& content) const {
        write(name, content.dump());
    }
    void copy(const std::filesystem::path& from, const char* name) const {
        std::filesystem::copy_file(from / name, path() / name,
                                   std::filesystem::copy_options::overwrite_existing);
    }

private:
    QTemporaryDir m_folder;
};

/// The tokenizer.json of a base with the parts of a variant of variants.json put in.
inline nlohmann::json variant(const nlohmann::json& description) {
    nlohmann::json file =
        bitloom::readJsonFile(data() / description[0].get<std::string>() / "tokenizer.json");
    for (const auto& [key, value] : description[1].items()) {
        if (key == "model") {
            file["model"].update(value);
        } else {
            file[key] = value;
        }
    }
    return file;
}

inline std::string streamed(const bitloom::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    bitloom::StreamDecoder stream(tokenizer);
    std::string text;
    for (int32_t id : ids) {
        const std::string part = stream.push(id);
        if (bitloom::text::findInvalidUtf8(part) != std::string::npos) return "half a character";
        text += part;
    }
    return text + stream.finish();
}

/// A byte-level BPE of "a", "b", "c", "ab" and "abc", to be changed by the tests.
inline nlohmann::json smallFile() {
    return nlohmann::json::parse(R"({
        "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
                  "merges": ["a b", ["ab", "c"]]}})");
}

inline std::unique_ptr<bitloom::Tokenizer> load(const nlohmann::json& file) {
    const Folder folder;
    folder.write("tokenizer.json", file);
    return bitloom::loadTokenizer(folder.path());
}

/// The message of the Error that `load` throws, or "".
template<typename Load>
std::string errorOf(Load&& load) {
    try {
        load();
    } catch (const bitloom::Error& error) {
        return error.what();
    }
    return {};
}

} // namespace tokenizer_files
