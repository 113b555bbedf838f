// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Ids against those of Hugging Face's tokenizers and transformers, Google's SentencePiece and
// llama.cpp. tests/core/text/make_vectors.py made the expectations.
#include "tokenizer_files.h"

#include <QtTest>

#include <cstdio>

using namespace bitloom;
using tokenizer_files::corpus;
using tokenizer_files::data;

namespace {

uint64_t fnv(const std::vector<int32_t>& ids) {
    uint64_t hash = 0xCBF29CE484222325ull;
    for (int32_t id : ids)
        for (int shift = 0; shift < 32; shift += 8)
            hash = (hash ^ ((uint32_t(id) >> shift) & 0xFF)) * 0x100000001B3ull;
    return hash;
}

std::string hex(uint64_t value, int digits) {
    char text[17];
    std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
    return text;
}

std::string idsText(const std::vector<int32_t>& ids) {
    std::string text;
    for (int32_t id : ids)
        text += (text.empty() ? "" : " ") + std::to_string(id);
    return text;
}

std::string shown(const std::string& text) {
    return nlohmann::json(text.substr(0, 200))
        .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

/// Compares all records, and all of them as one text; says which records differ.
void compareIds(const Tokenizer& tokenizer, const nlohmann::json& expected, const char* mode) {
    static const std::vector<std::string> records = corpus();
    const bool special = std::string(mode) == "parsed";
    const std::string sample = expected["sample"];
    QCOMPARE(idsText(tokenizer.encode(sample, special)),
             idsText(expected["sample_ids"][mode].get<std::vector<int32_t>>()));
    const std::string hashes = expected[mode];
    QCOMPARE(hashes.size(), records.size() * 8);
    int different = 0;
    for (size_t i = 0; i < records.size(); ++i) {
        const std::vector<int32_t> ids = tokenizer.encode(records[i], special);
        if (hex(fnv(ids) >> 32, 8) == hashes.substr(i * 8, 8)) continue;
        if (++different <= 5)
            qWarning("record %zu differs: %s -> %s", i, shown(records[i]).c_str(),
                     idsText(ids).substr(0, 300).c_str());
    }
    QCOMPARE(different, 0);
    QCOMPARE(hex(fnv(tokenizer.encode(tokenizer_files::joined(records), special)), 16),
             expected[std::string(mode) + "_joined"].get<std::string>());
}

} // namespace

class TstTokenizerVectors : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        m_expected = readJsonFile(data() / "expected.json");
        m_variants = readJsonFile(data() / "variants.json");
    }

    void folders_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"tales", "gpt2", "opt", "qwen2", "llama3", "unigram"})
            QTest::newRow(name) << QString(name);
    }
    void folders() {
        QFETCH(QString, name);
        const nlohmann::json& expected = m_expected[name.toStdString()];
        const auto tokenizer = loadTokenizer(data() / name.toStdString(), TokenizerForm::Json);
        compareIds(*tokenizer, expected, "plain");
        compareIds(*tokenizer, expected, "parsed");
        QCOMPARE(tokenizer->addsBos(), expected["adds_bos"].get<bool>());
        const auto id = [](const nlohmann::json& value) {
            return value.is_null() ? -1 : value.get<int32_t>();
        };
        QCOMPARE(tokenizer->bosId().value_or(-1), id(expected["bos"]));
        QCOMPARE(tokenizer->eosId().value_or(-1), id(expected["eos"]));
    }

    void sentencePiece_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"tales", "mistral"})
            QTest::newRow(name) << QString(name);
    }
    void sentencePiece() {
        QFETCH(QString, name);
        const nlohmann::json& expected = m_expected[name.toStdString() + ":sp"];
        const auto tokenizer =
            loadTokenizer(data() / name.toStdString(), TokenizerForm::SentencePiece);
        compareIds(*tokenizer, expected, "plain");
        QVERIFY(tokenizer->addsBos());
        QCOMPARE(tokenizer->bosId().value(), 1);
        QCOMPARE(tokenizer->eosId().value(), 2);
        for (const auto& line : expected["with_special"])
            QCOMPARE(idsText(tokenizer->encode(line[0].get<std::string>(), true)),
                     idsText(line[1].get<std::vector<int32_t>>()));
    }

    void variants_data() {
        QTest::addColumn<QString>("name");
        for (const auto& [name, description] : m_variants.items())
            QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }
    void variants() {
        QFETCH(QString, name);
        const tokenizer_files::Folder folder;
        folder.write("tokenizer.json", tokenizer_files::variant(m_variants[name.toStdString()]));
        const auto tokenizer = loadTokenizer(folder.path());
        const nlohmann::json& expected = m_expected["variant:" + name.toStdString()];
        compareIds(*tokenizer, expected, "plain");
        compareIds(*tokenizer, expected, "parsed");
    }

    /// The sample model's two forms agree on every text of the corpus, odd ones included: they may
    /// part only where special tokens are parsed, since transformers' json form puts a space behind
    /// each and the model form, not being "legacy", does not.
    void bothFormsOfTales() {
        const auto json = loadTokenizer(data() / "tales", TokenizerForm::Json);
        const auto model = loadTokenizer(data() / "tales", TokenizerForm::SentencePiece);
        QCOMPARE(json->vocabSize(), model->vocabSize());
        for (int32_t id = 0; id < json->vocabSize(); ++id)
            QCOMPARE(json->pieceBytes(id), model->pieceBytes(id));
        int different = 0;
        for (const std::string& record : corpus()) {
            if (json->encode(record) == model->encode(record)) continue;
            ++different;
            qWarning("differs: %s", shown(record).c_str());
        }
        QCOMPARE(different, 0);
        QVERIFY(json->encode("<s>a", true) != model->encode("<s>a", true));
    }

    void llamaCpp_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"gpt2-vectors", "qwen2-vectors"})
            QTest::newRow(name) << QString(name);
    }
    void llamaCpp() {
        QFETCH(QString, name);
        const auto folder = data() / name.toStdString();
        const auto tokenizer = loadTokenizer(folder);
        std::string texts = readTextFile(folder / "vectors.inp");
        std::string ids = readTextFile(folder / "vectors.out");
        const std::string separator = "\n__ggml_vocab_test__\n";
        int count = 0;
        for (size_t at; (at = texts.find(separator)) != std::string::npos; ++count) {
            const size_t line = ids.find('\n');
            QVERIFY(line != std::string::npos);
            const std::string expected = ids.substr(0, line);
            QCOMPARE(idsText(tokenizer->encode(texts.substr(0, at))),
                     expected.substr(std::min(expected.find_first_not_of(' '), expected.size())));
            texts.erase(0, at + separator.size());
            ids.erase(0, line + 1);
        }
        QVERIFY(count > 40);
    }

private:
    nlohmann::json m_expected, m_variants;
};

QTEST_APPLESS_MAIN(TstTokenizerVectors)
#include "tst_tokenizer_vectors.moc"
