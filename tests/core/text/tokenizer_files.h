// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/durable.h"
#include "core/text/tokenizer.h"

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

} // namespace tokenizer_files
