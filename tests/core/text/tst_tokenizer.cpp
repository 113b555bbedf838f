// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// What a tokenizer promises whatever its kind: text comes back, streams agree with the whole, BOS
// follows the files, and a damaged file is an Error and nothing worse.
#include "core/base/error.h"
#include "core/text/regex.h"
#include "core/text/unicode.h"
#include "tokenizer_files.h"

#include <QtTest>

#include <random>
#include <thread>

using namespace bitloom;
using nlohmann::json;
using tokenizer_files::corpus;
using tokenizer_files::data;
using tokenizer_files::Folder;

namespace {

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    StreamDecoder stream(tokenizer);
    std::string text;
    for (int32_t id : ids) {
        const std::string part = stream.push(id);
        if (text::findInvalidUtf8(part) != std::string::npos) return "half a character";
        text += part;
    }
    return text + stream.finish();
}

/// A byte-level BPE of "a", "b", "c", "ab" and "abc", to be changed by the tests.
json smallFile() {
    return json::parse(R"({
        "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
                  "merges": ["a b", ["ab", "c"]]}})");
}

std::unique_ptr<Tokenizer> load(const json& file) {
    const Folder folder;
    folder.write("tokenizer.json", file);
    return loadTokenizer(folder.path());
}

/// The message of the Error that `load` throws, or "".
template<typename Load>
std::string errorOf(Load&& load) {
    try {
        load();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

using Ids = std::vector<int32_t>;

} // namespace

class TstTokenizer : public QObject {
    Q_OBJECT

private slots:
    void textComesBack_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("model");
        for (const char* name : {"tales", "gpt2", "opt", "qwen2", "llama3"})
            QTest::newRow(name) << QString(name) << false;
        for (const char* name : {"tales", "mistral"})
            QTest::addRow("%s model", name) << QString(name) << true;
    }
    void textComesBack() {
        QFETCH(QString, name);
        QFETCH(bool, model);
        const auto tokenizer =
            loadTokenizer(data() / name.toStdString(),
                          model ? TokenizerForm::SentencePiece : TokenizerForm::Json);
        const bool marks = name == "tales" || name == "mistral"; // ▁ comes back as a space
        for (const std::string& record : corpus()) {
            for (bool special : {false, true}) {
                const Ids ids = tokenizer->encode(record, special);
                // Qwen2 composes characters (NFC). In a text with special tokens, SentencePiece
                // puts a space behind them, and ▁ comes back as one.
                if (name != "qwen2" && !(marks && special) &&
                    !(marks && record.find("▁") != std::string::npos))
                    QCOMPARE(tokenizer->decode(ids, true), record);
                QCOMPARE(streamed(*tokenizer, ids), tokenizer->decode(ids));
            }
        }
    }

    void streamsOfRandomIds() {
        std::mt19937 random(5);
        for (const char* name : {"tales", "llama3", "unigram", "mistral"}) {
            const auto tokenizer = loadTokenizer(data() / name);
            for (int round = 0; round < 300; ++round) {
                Ids ids(1 + random() % 30);
                // Bytes and other low ids often, so that characters break off and join.
                for (int32_t& id : ids)
                    id =
                        static_cast<int32_t>(random() % (round % 2 ? 260 : tokenizer->vocabSize()));
                const std::string whole = tokenizer->decode(ids);
                QVERIFY(text::findInvalidUtf8(whole) == std::string::npos);
                QCOMPARE(streamed(*tokenizer, ids), whole);
            }
        }
    }

    void piecesAreBytes() {
        const auto tales = loadTokenizer(data() / "tales");
        QCOMPARE(tales->pieceBytes(3 + 0xE2), std::string("\xE2"));
        QCOMPARE(tales->pieceBytes(*tales->findToken("▁the")), std::string(" the"));
        QCOMPARE(tales->decode({*tales->findToken("▁the")}), std::string("the"));
        QCOMPARE(tales->pieceBytes(-1), std::string());
        QCOMPARE(tales->pieceBytes(1 << 30), std::string());
        QCOMPARE(tales->decode({-1, 1 << 30}), std::string());
        QVERIFY(tales->isSpecial(1) && !tales->isSpecial(-1) && !tales->isSpecial(1 << 30));
        QVERIFY(!tales->findToken("no such token"));
        const auto gpt2 = loadTokenizer(data() / "gpt2");
        QCOMPARE(gpt2->pieceBytes(*gpt2->findToken("Ġthe")), std::string(" the"));
        // Three bytes of four, and then none: one mark for all of them.
        const Ids broken = {3 + 0xF0, 3 + 0x9F, 3 + 0x98};
        QCOMPARE(tales->decode(broken), std::string("\uFFFD"));
        QCOMPARE(streamed(*tales, broken), std::string("\uFFFD"));
    }

    void specialTokensAreTextUnlessAsked() {
        for (const char* name : {"tales", "mistral", "unigram"}) {
            const auto tokenizer = loadTokenizer(data() / name);
            for (int32_t id : tokenizer->encode("<s>a</s> <unk></s><s>"))
                QVERIFY2(id == 0 || !tokenizer->isSpecial(id), name); // 0: unknown
            QCOMPARE(tokenizer->encode("<s></s>", true), (Ids{1, 2}));
        }
        // Not even where merges lead there.
        json file = smallFile();
        file["model"]["vocab"] = {{"<", 0}, {"s", 1}, {">", 2}, {"<s", 3}, {"<s>", 4}};
        file["model"]["merges"] = {"< s", "<s >"};
        file["pre_tokenizer"] = nullptr;
        file["added_tokens"][0]["id"] = 4;
        for (bool ignoreMerges : {false, true}) {
            file["model"]["ignore_merges"] = ignoreMerges;
            QCOMPARE(load(file)->encode("<s>"), (Ids{3, 2}));
            QCOMPARE(load(file)->encode("<s>", true), (Ids{4}));
        }
    }

    void longWordsAreFast() {
        // One word for the model, with and without places to cut: quadratic work would not end.
        std::string text;
        std::mt19937 random(3);
        for (int i = 0; i < 300'000; ++i)
            text += "abcdefgh"[random() % 8];
        for (const char* name : {"tales", "llama3", "unigram"}) {
            const auto tokenizer = loadTokenizer(data() / name);
            QCOMPARE(tokenizer->decode(tokenizer->encode(text)), text);
        }
        const auto qwen2 = loadTokenizer(data() / "qwen2");
        const std::string blanks(1'000'000, ' ');
        QCOMPARE(qwen2->decode(qwen2->encode(blanks)), blanks);
    }

    void threadsShareATokenizer() {
        const auto tokenizer = loadTokenizer(data() / "llama3");
        const std::string text = tokenizer_files::joined(corpus());
        const Ids expected = tokenizer->encode(text);
        std::vector<Ids> results(4);
        std::vector<std::thread> threads;
        for (Ids& result : results)
            threads.emplace_back([&] { result = tokenizer->encode(text); });
        for (std::thread& thread : threads)
            thread.join();
        for (const Ids& result : results)
            QVERIFY(result == expected);
    }

    void invalidTextIsRepaired() {
        const auto tokenizer = loadTokenizer(data() / "llama3");
        QCOMPARE(tokenizer->encode("a\xFF\xE2\x82z"), tokenizer->encode("a\uFFFD\uFFFDz"));
    }

    void bosFollowsTheFiles() {
        const auto check = [](json file, json config, const Ids& expected) {
            const Folder folder;
            folder.write("tokenizer.json", file);
            if (!config.is_null()) folder.write("tokenizer_config.json", config);
            QCOMPARE(loadTokenizer(folder.path())->encodeWithBos("ab"), expected);
        };
        json file = smallFile();
        check(file, {}, {3});
        const json llama = {{"tokenizer_class", "LlamaTokenizerFast"}, {"bos_token", "<s>"}};
        check(file, llama, {5, 3});
        json without = llama;
        without["add_bos_token"] = false;
        check(file, without, {3});
        file["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [
            {"type": "ByteLevel"}, {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
             "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}}]})");
        check(file, {}, {5, 3});
        check(file, {{"tokenizer_class", "PreTrainedTokenizerFast"}}, {5, 3});
        check(file, without, {3});
        file["post_processor"] =
            json::parse(R"({"type": "RobertaProcessing", "sep": ["<s>", 5], "cls": ["<s>", 5]})");
        check(file, {}, {5, 3});
        file["post_processor"] = {{"type", "ByteLevel"}};
        check(file, {{"tokenizer_class", "Qwen2Tokenizer"}, {"bos_token", nullptr}}, {3});

        const Folder model;
        model.copy(data() / "tales", "tokenizer.model");
        QCOMPARE(loadTokenizer(model.path())->encodeWithBos("").front(), 1);
        model.write("tokenizer_config.json", json{{"add_bos_token", false}});
        QVERIFY(loadTokenizer(model.path())->encodeWithBos("").empty());
    }

    void vocabAndMergesWithoutConfig() {
        const Folder folder;
        folder.copy(data() / "opt", "vocab.json");
        folder.copy(data() / "opt", "merges.txt");
        QVERIFY(hasTokenizer(folder.path()));
        QCOMPARE(loadTokenizer(folder.path())->encodeWithBos("").front(),
                 2); // OPT by its vocabulary
        folder.copy(data() / "gpt2", "vocab.json");
        folder.copy(data() / "gpt2", "merges.txt");
        QVERIFY(loadTokenizer(folder.path())->encodeWithBos("").empty());
        folder.write("config.json", json{{"model_type", "qwen3"}});
        const auto qwen = loadTokenizer(folder.path()); // splits digits one by one
        QCOMPARE(qwen->encode("2024").size(), size_t(4));
        folder.write("tokenizer_config.json", json{{"tokenizer_class", "BertTokenizer"}});
        QVERIFY(errorOf([&] { loadTokenizer(folder.path()); }).find("BertTokenizer") !=
                std::string::npos);
    }

    void addedTokensOfTheConfig() {
        const Folder folder;
        folder.write("tokenizer.json", smallFile());
        folder.write("special_tokens_map.json", json{{"eos_token", {{"content", "<e>"}}}});
        folder.write("added_tokens.json", json{{"<e>", 6}, {"<x>", 7}});
        const auto old = loadTokenizer(folder.path());
        QCOMPARE(old->eosId().value_or(-1), 6);
        QVERIFY(old->isSpecial(6) && !old->isSpecial(7));
        QCOMPARE(old->encode("a<e>b<x>", true), (Ids{0, 6, 1, 7}));
        QCOMPARE(old->encode("b<x>"), (Ids{1, 7}));
        QCOMPARE(old->vocabSize(), int64_t(8));
        folder.write("tokenizer_config.json",
                     json{{"added_tokens_decoder",
                           {{"8", {{"content", "<y>"}, {"special", true}, {"lstrip", true}}}}}});
        const auto fresh = loadTokenizer(folder.path());
        QCOMPARE(fresh->encode("a \n<y>b", true), (Ids{0, 8, 1}));
        QVERIFY(!fresh->findToken("<x>"));
    }

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

    void oniguruma_data() {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("subject");
        QTest::addColumn<QStringList>("matches");
        const auto row = [](const char* pattern, const QString& subject, QStringList matches) {
            QTest::newRow(pattern) << QString(pattern) << subject << matches;
        };
        row("\\s", u"a\u0085b\u180Ec\u2028"_qs, {u"\u0085"_qs, u"\u2028"_qs});
        row("\\S", u"\u0085\u180E"_qs, {u"\u180E"_qs});
        row("[^\\s]+", u"\u0085x\u180E"_qs, {u"x\u180E"_qs});
        row("\\h+", "xyzBEEF 12", {"BEEF", "12"});
        row("\\w+", u"e\u0301t_é \u203F-"_qs, {u"e\u0301t_é"_qs, u"\u203F"_qs});
        row("\\p{N}{1,3}+", "1234567a1", {"1234567", "1"});
        row("\\p{N}{2}", "12345", {"12", "34"});
        row("a{,2}b", "aaab b", {"aab", "b"});
        row("^\\w", "ab\ncd", {"a", "c"});
        row("(?m:.)b", "\nb", {"\nb"});
        row(".b", "\nb", {});
        row("\\p{Han}", u"\u3001\u6F22"_qs, {u"\u6F22"_qs});
        row("\\p{^L}", "a1", {"1"});
        row("(?i:'S)", u"'s'ſ"_qs, {"'s", u"'ſ"_qs});
        row("[[:digit:]]", "a1", {"1"});
        row("\\u0041", "BA", {"A"});
        row("x*", "axb", {"", "x", ""});
        row("a++b", "aab", {"aab"});
    }
    void oniguruma() {
        QFETCH(QString, pattern);
        QFETCH(QString, subject);
        QFETCH(QStringList, matches);
        const std::string text = subject.toStdString();
        std::vector<text::Match> found;
        text::Regex::fromOniguruma(pattern.toStdString()).findAll(text, found);
        QStringList parts;
        for (const text::Match& match : found)
            parts << QString::fromStdString(text.substr(match.begin, match.end - match.begin));
        QCOMPARE(parts, matches);
    }

    void utf8() {
        using namespace text;
        QCOMPARE(findInvalidUtf8("aé日😀"), std::string::npos);
        QCOMPARE(findInvalidUtf8("a\xC0\x80"), size_t(1));        // overlong
        QCOMPARE(findInvalidUtf8("ab\xED\xA0\x80"), size_t(2));   // a surrogate
        QCOMPARE(findInvalidUtf8("\xF4\x90\x80\x80"), size_t(0)); // beyond U+10FFFF
        QCOMPARE(replaceInvalidUtf8("\xF0\x9F\x98z\xFF"), std::string("\uFFFDz\uFFFD"));
        QCOMPARE(incompleteTail("a\xF0\x9F\x98"), size_t(3));
        QCOMPARE(incompleteTail("a\xE2"), size_t(1));
        QCOMPARE(incompleteTail("😀"), size_t(0));
        QCOMPARE(incompleteTail("\x80"), size_t(0));
        QCOMPARE(incompleteTail("\xED\xA0"), size_t(0)); // no byte can save it
        for (char32_t c : {U'a', U'é', U'日', U'😀', U'\0', char32_t(0x10FFFF)}) {
            std::string s;
            appendChar(s, c);
            size_t at = 0;
            QCOMPARE(nextChar(s, at), c);
            QCOMPARE(at, s.size());
            QCOMPARE(lastChar("x" + s), c);
        }
        for (int byte = 0; byte < 256; ++byte) {
            size_t at = 0;
            const auto back = byteOfLevelChar(nextChar(byteLevelChars()[size_t(byte)], at));
            QCOMPARE(int(back.value()), byte);
        }
        QVERIFY(!byteOfLevelChar(U' ') && !byteOfLevelChar(U'日'));
    }
};

QTEST_APPLESS_MAIN(TstTokenizer)
#include "tst_tokenizer.moc"
