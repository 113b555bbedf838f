// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// What a tokenizer promises whatever its kind: text comes back, streams agree with the whole, and
// BOS follows the files.
#include "core/base/error.h"
#include "core/text/interrupt.h"
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
using tokenizer_files::errorOf;
using tokenizer_files::Folder;
using tokenizer_files::load;
using tokenizer_files::smallFile;
using tokenizer_files::streamed;

namespace {

using Ids = std::vector<int32_t>;

/// Cancelled when it is asked for the n-th time; 0: never.
class CancelledAt final : public Progress {
public:
    explicit CancelledAt(int n) : m_n(n) {}
    void report(double, std::string_view) override {}
    bool cancelled() const override { return ++m_asked == m_n; }
    int asked() const { return m_asked; }

private:
    int m_n;
    mutable int m_asked = 0;
};

bool breaksOff(const Tokenizer& tokenizer, const std::string& text, const Progress& progress) {
    try {
        const TokenizingScope scope(progress);
        tokenizer.encode(text);
        return false;
    } catch (const Error& error) {
        return error.code() == ErrorCode::Cancelled;
    }
}

} // namespace

class TstTokenizer : public QObject {
    Q_OBJECT

private slots:
    void longTextsCanBeBrokenOff_data() { textComesBack_data(); }
    void longTextsCanBeBrokenOff() {
        QFETCH(QString, name);
        QFETCH(bool, model);
        const auto tokenizer =
            loadTokenizer(data() / name.toStdString(),
                          model ? TokenizerForm::SentencePiece : TokenizerForm::Json);
        std::string text;
        while (text.size() < 1'000'000)
            for (const std::string& record : corpus())
                text += record + " " + std::to_string(text.size()) + "\n";
        const Ids alone = tokenizer->encode(text);
        const CancelledAt never(0);
        {
            const TokenizingScope scope(never);
            QCOMPARE(tokenizer->encode(text), alone);
        }
        // Often enough for 50 ms, were a megabyte to take a second.
        QVERIFY2(never.asked() >= 20, qPrintable(QString::number(never.asked())));
        for (const int at : {1, never.asked() / 2, never.asked()}) {
            const CancelledAt then(at);
            QVERIFY(breaksOff(*tokenizer, text, then));
            QCOMPARE(then.asked(), at);
        }
        // Nothing of it outlives the scope.
        QCOMPARE(tokenizer->encode("once"), tokenizer->encode("once"));
        if (model) return; // one word goes to the library as a whole
        const CancelledAt within(2);
        QVERIFY(breaksOff(*tokenizer, std::string(300'000, 'a'), within));
    }

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
