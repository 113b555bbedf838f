// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// A file that is damaged or asks for what there is not is an Error that says so, and nothing worse.
#include "tokenizer_files.h"

#include <QtTest>

#include <random>

using namespace bitloom;
using nlohmann::json;
using tokenizer_files::data;
using tokenizer_files::errorOf;
using tokenizer_files::Folder;
using tokenizer_files::load;
using tokenizer_files::smallFile;
using tokenizer_files::streamed;

namespace {

using Ids = std::vector<int32_t>;

} // namespace

class TstTokenizerFiles : public QObject {
    Q_OBJECT

private slots:
    void missingAndUnsupported() {
        const Folder empty;
        QVERIFY(!hasTokenizer(empty.path()));
        QVERIFY(errorOf([&] { loadTokenizer(empty.path()); }).find("no tokenizer") !=
                std::string::npos);
        const std::pair<const char*, json> cases[] = {
            {"normalizer", {{"type", "Precompiled"}}},
            {"normalizer",
             {{"type", "Replace"}, {"pattern", {{"Regex", "[a-z&&[b]]"}}}, {"content", ""}}},
            {"normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "(a"}}}, {"content", ""}}},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"pre_tokenizer", {{"type", "UnicodeScripts"}}},
            {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "xy"}}},
            {"post_processor", {{"type", "Strange"}}},
            {"decoder", {{"type", "WordPiece"}}},
            {"decoder", {{"type", "CTC"}}},
            {"model", {{"type", "WordPiece"}, {"vocab", json::object()}}},
            {"model", {{"type", "WordLevel"}, {"vocab", json::object()}}},
        };
        for (const auto& [key, value] : cases) {
            json file = smallFile();
            file[key] = value;
            const std::string message = errorOf([&] { load(file); });
            const std::string type = value["type"] == "Replace" ? "regular expression"
                                                                : value["type"].get<std::string>();
            QVERIFY2(message.find(type) != std::string::npos, message.c_str());
            QVERIFY2(message.find("tokenizer.json") != std::string::npos, message.c_str());
        }
        // Where there is a tokenizer.model as well, that is used instead.
        const Folder both;
        json file = smallFile();
        file["normalizer"] = {{"type", "Precompiled"}};
        both.write("tokenizer.json", file);
        both.copy(data() / "tales", "tokenizer.model");
        QCOMPARE(loadTokenizer(both.path())->vocabSize(), int64_t(4096));
        QVERIFY(!errorOf([&] { loadTokenizer(both.path(), TokenizerForm::Json); }).empty());
    }

    void malformedFiles() {
        json file = smallFile();
        QVERIFY(errorOf([&] { load(file); }).empty());
        const auto refused = [](const json& changed) {
            return !errorOf([&] { load(changed); }).empty();
        };
        for (const json& id : {json(-1), json(1e18), json(1ull << 63), json(16'000'000), json("1"),
                               json(1.5), json(nullptr), json(1)}) { // the last: "b" has it
            json changed = file;
            changed["model"]["vocab"]["a"] = id;
            QVERIFY2(refused(changed), id.dump().c_str());
            changed = file;
            changed["added_tokens"][0]["id"] = id;
            QVERIFY2(refused(changed), id.dump().c_str());
        }
        for (const json& merge : {json("a z"), json("a"), json("a b c"), json({"a"}), json(3),
                                  json({"a", 1}), json("c a")}) {
            json changed = file;
            changed["model"]["merges"].push_back(merge);
            QVERIFY2(refused(changed), merge.dump().c_str());
        }
        for (const char* key : {"model", "added_tokens", "normalizer", "pre_tokenizer", "decoder",
                                "post_processor"}) {
            for (const json& value : {json(1), json("x"), json::array({1}), json{{"type", 1}},
                                      json{{"type", "Sequence"}}}) {
                json changed = file;
                changed[key] = value;
                QVERIFY2(refused(changed), (key + value.dump()).c_str());
            }
        }
        json nested = {{"type", "NFC"}};
        for (int i = 0; i < 100; ++i)
            nested = {{"type", "Sequence"}, {"normalizers", json::array({nested})}};
        json changed = file;
        changed["normalizer"] = nested;
        QVERIFY(refused(changed));
        for (const json& entry : {json({"a"}), json({"a", "b"}), json(1), json({1, 1.0})}) {
            changed = file;
            changed["model"] = {{"type", "Unigram"}, {"vocab", json::array({entry})}};
            QVERIFY2(refused(changed), entry.dump().c_str());
        }
        changed["model"] = {{"type", "Unigram"}, {"unk_id", 7}, {"vocab", {{"a", 1.0}}}};
        QVERIFY(refused(changed));
        for (const char* text : {"", "{", "[]", "null", "{\"model\": {\"vocab\""}) {
            const Folder folder;
            folder.write("tokenizer.json", std::string(text));
            QVERIFY2(!errorOf([&] { loadTokenizer(folder.path()); }).empty(), text);
        }
    }

    /// Damaged files: loading either throws Error or gives a tokenizer that works.
    void damagedFiles() {
        std::mt19937 random(11);
        const auto damage = [&](std::string content) {
            for (unsigned n = 1 + random() % 3; n > 0 && !content.empty(); --n) {
                const size_t at = random() % content.size();
                switch (random() % 4) {
                case 0:
                    content.resize(at);
                    break;
                case 1:
                    content[at] = static_cast<char>(random());
                    break;
                case 2:
                    content.erase(at, 1 + random() % 8);
                    break;
                default:
                    content.insert(at, content.substr(random() % content.size(), 12));
                    break;
                }
            }
            return content;
        };
        const auto tryFile = [&](const char* name, const std::string& content) {
            const Folder folder;
            folder.write(name, content);
            try {
                const auto tokenizer = loadTokenizer(folder.path());
                const Ids ids = tokenizer->encode("Hello <s> wörld 😀\n\n 12", true);
                tokenizer->decode(ids);
                streamed(*tokenizer, ids);
            } catch (const Error&) {
            }
        };
        json seed = smallFile();
        seed["normalizer"] = {{"type", "NFKC"}};
        seed["post_processor"] = {{"type", "ByteLevel"}};
        seed["pre_tokenizer"] = json::parse(R"({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+(?!\\S)|[^\\r\\n]+"},
             "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
        const std::string text = seed.dump();
        for (int i = 0; i < 1500; ++i)
            tryFile("tokenizer.json", damage(text));
        json unigram = smallFile();
        unigram["model"] = json::parse(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": true,
            "vocab": [["<unk>", 0.0], ["a", -1.5], ["lo", -2.0], ["<0x0A>", -3.0]]})");
        for (int i = 0; i < 500; ++i)
            tryFile("tokenizer.json", damage(unigram.dump()));
        // JSON that is whole, with one value of another kind or size.
        const json values[] = {
            nullptr, true, -1,       3,    1e300,         1u << 24,       1ull << 63,
            "",      "a",  "\u2581", "(?", json::array(), json::object(), json::array({"a", "b"})};
        for (const json& file : {seed, unigram}) {
            const json paths = file.flatten();
            for (int i = 0; i < 400; ++i) {
                json changed = file;
                auto path = json::json_pointer(
                    std::next(paths.begin(), static_cast<int>(random() % paths.size())).key());
                if (random() % 3 == 0) path = path.parent_pointer();
                changed[path] = values[random() % std::size(values)];
                tryFile("tokenizer.json", changed.dump());
            }
        }
        const std::string model = readTextFile(data() / "tales" / "tokenizer.model");
        for (int i = 0; i < 60; ++i)
            tryFile("tokenizer.model", damage(model));
        // The start and the end of the model hold what is not a list of pieces.
        for (int i = 0; i < 60; ++i)
            tryFile("tokenizer.model",
                    damage(model.substr(0, 400)) + damage(model.substr(model.size() - 600)));
    }

    void normalizerTablesAreChecked() {
        // normalizer_spec { precompiled_charsmap }: a trie of one block whose first unit leads far
        // out of it.
        const std::string pieces = readTextFile(data() / "tales" / "tokenizer.model");
        const auto withTable = [&](uint32_t unit) {
            std::string table("\x00\x04\x00\x00", 4);
            for (int i = 0; i < 4; ++i)
                table += static_cast<char>(unit >> (8 * i));
            table += std::string(1020, '\0') + std::string("x\0", 2);
            const auto varint = [](size_t n) {
                return std::string{static_cast<char>(0x80 | (n & 0x7F)), static_cast<char>(n >> 7)};
            };
            const std::string spec = "\x12" + varint(table.size()) + table;
            const Folder folder;
            folder.write("tokenizer.model", pieces + "\x1A" + varint(spec.size()) + spec);
            return errorOf([&] { loadTokenizer(folder.path())->encode("a"); });
        };
        QCOMPARE(withTable(0), std::string());
        QVERIFY(withTable(0x7FFFFC00).find("astray") != std::string::npos);
        QVERIFY(withTable(0x80000005).find("astray") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TstTokenizerFiles)
#include "tst_tokenizer_files.moc"
