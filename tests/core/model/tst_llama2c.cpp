// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Checkpoints are made here as llama2.c's export writes them; the tokenizer is the real one of
// stories260K, and its encoding is compared with llama2.c's algorithm, written down anew.
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/model/checkpoint.h"
#include "core/model/llama2c.h"

#include <QTemporaryDir>
#include <QTest>

#include <cstring>
#include <fstream>
#include <map>
#include <random>

using namespace bitloom;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const fs::path realTokenizer = BITLOOM_TEST_DATA "/model/llama2c/tok512.bin";

struct Sizes {
    int32_t dim = 8, inner = 12, layers = 2, heads = 2, kvHeads = 1, vocab = 5, positions = 6;
};

/// The float that stands at this place of this tensor.
float valueAt(int tensor, int64_t index) {
    return float(tensor) + float(index) / 4096;
}

class Writer {
public:
    template<typename T>
    void add(T value) {
        text.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void addTensor(int tensor, int64_t count) {
        for (int64_t i = 0; i < count; ++i)
            add(valueAt(tensor, i));
    }
    std::string text;
};

// Numbers of the tensors: layer l holds 10·(l+1) + …
enum {
    Embedding = 1,
    FinalNorm,
    Head,
    Query = 10,
    Key,
    Value,
    Out,
    Gate,
    Down,
    Up,
    NormIn,
    NormPost
};

std::string makeCheckpoint(const Sizes& s, int version, bool tied) {
    Writer w;
    if (version > 0) {
        w.add(uint32_t(0x616b3432));
        w.add(int32_t(version));
    }
    for (const int32_t number : {s.dim, s.inner, s.layers, s.heads, s.kvHeads,
                                 version == 0 && !tied ? -s.vocab : s.vocab, s.positions})
        w.add(number);
    if (version > 0) {
        w.add(uint8_t(tied));
        w.text.resize(256, '\0');
    }
    const int64_t kv = s.dim / s.heads * s.kvHeads;
    const auto each = [&](int kind, int64_t count) {
        for (int l = 0; l < s.layers; ++l)
            w.addTensor(10 * l + kind, count);
    };
    const auto attention = [&] {
        each(Query, s.dim * s.dim);
        each(Key, kv * s.dim);
        each(Value, kv * s.dim);
        each(Out, s.dim * s.dim);
    };
    const auto mlp = [&] {
        each(Gate, s.inner * s.dim);
        each(Down, s.inner * s.dim);
        each(Up, s.inner * s.dim);
    };
    if (version == 0) {
        w.addTensor(Embedding, s.vocab * s.dim);
        each(NormIn, s.dim);
        attention();
        each(NormPost, s.dim);
        mlp();
        w.addTensor(FinalNorm, s.dim);
        w.addTensor(99, s.positions * (s.dim / s.heads));
    } else {
        each(NormIn, s.dim);
        each(NormPost, s.dim);
        w.addTensor(FinalNorm, s.dim);
        w.addTensor(Embedding, s.vocab * s.dim);
        attention();
        mlp();
    }
    if (!tied) w.addTensor(Head, s.vocab * s.dim);
    return w.text;
}

struct Vocabulary {
    std::vector<std::string> pieces;
    std::vector<float> scores;
};

Vocabulary readVocabulary(const fs::path& path, int count) {
    const std::string text = readTextFile(path);
    Vocabulary vocabulary;
    size_t at = 4;
    for (int i = 0; i < count; ++i) {
        float score;
        int32_t length;
        std::memcpy(&score, text.data() + at, 4);
        std::memcpy(&length, text.data() + at + 4, 4);
        vocabulary.pieces.push_back(text.substr(at + 8, size_t(length)));
        vocabulary.scores.push_back(score);
        at += 8 + size_t(length);
    }
    return vocabulary;
}

std::vector<std::string> characters(const std::string& text) {
    std::vector<std::string> list;
    for (const char c : text) {
        if ((c & 0xc0) == 0x80 && !list.empty())
            list.back() += c;
        else
            list.emplace_back(1, c);
    }
    return list;
}

/// llama2.c: characters or bytes, a space in front, then the best-scored join again and again.
std::vector<int> encodeAsLlama2c(const Vocabulary& vocabulary, const std::string& text) {
    const auto find = [&](const std::string& piece) {
        const auto found = std::ranges::find(vocabulary.pieces, piece);
        return found == vocabulary.pieces.end() ? -1 : int(found - vocabulary.pieces.begin());
    };
    std::vector<int> ids;
    if (!text.empty()) ids.push_back(find(" "));
    for (const std::string& c : characters(text)) {
        if (const int id = find(c); id >= 0)
            ids.push_back(id);
        else
            for (const char byte : c)
                ids.push_back(int(uint8_t(byte)) + 3);
    }
    for (;;) {
        float best = -1e10f;
        int bestId = -1;
        size_t place = 0;
        for (size_t i = 0; i + 1 < ids.size(); ++i) {
            const int id =
                find(vocabulary.pieces[size_t(ids[i])] + vocabulary.pieces[size_t(ids[i + 1])]);
            if (id >= 0 && vocabulary.scores[size_t(id)] > best) {
                best = vocabulary.scores[size_t(id)];
                bestId = id;
                place = i;
            }
        }
        if (bestId < 0) return ids;
        ids[place] = bestId;
        ids.erase(ids.begin() + std::ptrdiff_t(place) + 1);
    }
}

/// A tokenizer.json as Hugging Face reads it: ranked merges, the lowest rank first, leftmost first.
std::vector<int> encodeAsJson(const json& tokenizer, const std::string& text) {
    const json& vocab = tokenizer["model"]["vocab"];
    std::map<std::pair<std::string, std::string>, size_t> ranks;
    for (const json& merge : tokenizer["model"]["merges"])
        ranks.emplace(std::pair(merge[0].get<std::string>(), merge[1].get<std::string>()),
                      ranks.size());
    std::string normal = text.empty() ? "" : "\xE2\x96\x81";
    for (const char c : text) {
        if (c == ' ')
            normal += "\xE2\x96\x81";
        else
            normal += c;
    }
    std::vector<std::string> pieces;
    for (const std::string& c : characters(normal)) {
        if (vocab.contains(c)) {
            pieces.push_back(c);
        } else {
            for (const char byte : c) {
                char name[8];
                std::snprintf(name, sizeof name, "<0x%02X>", unsigned(uint8_t(byte)));
                pieces.push_back(name);
            }
        }
    }
    for (;;) {
        size_t best = ranks.size(), place = 0;
        for (size_t i = 0; i + 1 < pieces.size(); ++i)
            if (const auto found = ranks.find({pieces[i], pieces[i + 1]});
                found != ranks.end() && found->second < best) {
                best = found->second;
                place = i;
            }
        if (best == ranks.size()) break;
        pieces[place] += pieces[place + 1];
        pieces.erase(pieces.begin() + std::ptrdiff_t(place) + 1);
    }
    std::vector<int> ids;
    for (const std::string& piece : pieces)
        ids.push_back(vocab[piece].get<int>());
    return ids;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

class TestLlama2c : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    fs::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }

    std::string errorOf(const fs::path& file, const fs::path& tokenizer, const fs::path& out) {
        NoProgress progress;
        try {
            convertLlama2c(file, tokenizer, out, progress);
        } catch (const Error& error) {
            if (fs::exists(out.string() + ".partial")) return "left a partial folder";
            return std::string(error.what()) + "\n" + error.hint();
        }
        return "converted";
    }

private slots:
    void convertsEveryVersion_data() {
        QTest::addColumn<int>("version");
        QTest::addColumn<bool>("tied");
        QTest::newRow("legacy, tied") << 0 << true;
        QTest::newRow("legacy, untied") << 0 << false;
        QTest::newRow("version 1, tied") << 1 << true;
        QTest::newRow("version 1, untied") << 1 << false;
    }
    void convertsEveryVersion() {
        QFETCH(int, version);
        QFETCH(bool, tied);
        QTemporaryDir folder;
        const fs::path file = folder.filePath("model.bin").toStdString();
        const fs::path out = folder.filePath("out").toStdString();
        const Sizes s;
        writeFileAtomically(file, makeCheckpoint(s, version, tied));
        QCOMPARE(errorOf(file, "", out / ""), std::string("converted"));
        QVERIFY(!fs::exists(out / "tokenizer.json"));
        QVERIFY(!fs::exists(out / ".bitloom.lock"));

        const auto checkpoint = Checkpoint::open(out.string());
        const ModelConfig& config = checkpoint->config();
        QCOMPARE(config.hidden, int64_t(8));
        QCOMPARE(config.kvHeads, int64_t(1));
        QCOMPARE(config.headDim, int64_t(4));
        QCOMPARE(config.maxPositions, int64_t(6));
        QCOMPARE(config.normEps, 1e-5);
        QCOMPARE(config.tiedEmbeddings, tied);
        QCOMPARE(config.eosTokens, (std::vector<int64_t>{2, 1}));

        const auto check = [&](const std::string& name, int tensor, int heads = 0) {
            const auto& info = checkpoint->require(name).info;
            std::vector<float> values(size_t(info.elements()));
            checkpoint->readFloat(name, values);
            const int64_t cols = info.shape.back();
            for (int64_t i = 0; i < info.elements(); ++i) {
                int64_t row = i / cols;
                if (heads > 0) { // rows of a head: 0 2 | 1 3 for a head of 4
                    const int64_t order[] = {0, 2, 1, 3};
                    row = row / 4 * 4 + order[row % 4];
                }
                QCOMPARE(values[size_t(i)], valueAt(tensor, row * cols + i % cols));
            }
        };
        check("model.embed_tokens.weight", Embedding);
        check("model.norm.weight", FinalNorm);
        if (!tied) check("lm_head.weight", Head);
        for (int l = 0; l < 2; ++l) {
            const std::string block = "model.layers." + std::to_string(l) + ".";
            check(block + "input_layernorm.weight", 10 * l + NormIn);
            check(block + "post_attention_layernorm.weight", 10 * l + NormPost);
            check(block + "self_attn.q_proj.weight", 10 * l + Query, s.heads);
            check(block + "self_attn.k_proj.weight", 10 * l + Key, s.kvHeads);
            check(block + "self_attn.v_proj.weight", 10 * l + Value);
            check(block + "self_attn.o_proj.weight", 10 * l + Out);
            check(block + "mlp.gate_proj.weight", 10 * l + Gate);
            check(block + "mlp.down_proj.weight", 10 * l + Down);
            check(block + "mlp.up_proj.weight", 10 * l + Up);
        }
        QVERIFY(contains(errorOf(file, "", out), "exists already"));
    }

    void tokenizerEncodesAsLlama2cDoes() {
        Sizes s;
        s.vocab = 512;
        writeFileAtomically(path("m512.bin"), makeCheckpoint(s, 0, true));
        fs::copy_file(realTokenizer, path("tok512.bin")); // found beside the checkpoint
        QCOMPARE(errorOf(path("m512.bin"), "", path("out512")), std::string("converted"));
        const json tokenizer = readJsonFile(path("out512") / "tokenizer.json");
        QVERIFY(tokenizer["model"]["byte_fallback"] == true);
        QCOMPARE(tokenizer["model"]["vocab"].size(), size_t(512));
        QCOMPARE(tokenizer["model"]["vocab"]["<s>"].get<int>(), 1);
        QCOMPARE(tokenizer["model"]["vocab"]["<0x0A>"].get<int>(), 13);
        QVERIFY(fs::exists(path("out512") / "tokenizer_config.json"));

        const Vocabulary vocabulary = readVocabulary(realTokenizer, 512);
        QCOMPARE(encodeAsLlama2c(vocabulary, "Once upon a time"),
                 (std::vector<int>{403, 407, 261, 378})); // what run.c prints
        std::vector<std::string> texts{"",
                                       " ",
                                       "Once upon a time, there was a little girl.",
                                       "the the  the\n\nthere",
                                       "aaaaaaaaaa",
                                       "Zoë ✓ 日本 \x01",
                                       "hehehehehehehe",
                                       "<s>",
                                       "wawawa  tototo"};
        std::mt19937 random(3);
        const std::string letters = "the andswa .,otirnl\nhe ";
        for (int i = 0; i < 200; ++i) {
            std::string text;
            for (int k = 0; k < 40; ++k)
                text += letters[random() % letters.size()];
            texts.push_back(text);
        }
        for (const std::string& text : texts)
            QCOMPARE(encodeAsJson(tokenizer, text), encodeAsLlama2c(vocabulary, text));
    }

    void oldTokenizersHaveBareBytes() {
        // Early exports wrote the character itself for a byte piece.
        Writer w;
        w.add(uint32_t(6));
        const auto piece = [&](const std::string& text, float score) {
            w.add(score);
            w.add(uint32_t(text.size()));
            w.text += text;
        };
        piece("<unk>", 0);
        piece("\n<s>\n", 0);
        piece("\n</s>\n", 0);
        for (int i = 0; i < 256; ++i)
            piece(i < 128 ? std::string(1, char(i))
                          : std::string{char(0xc0 | i >> 6), char(0x80 | (i & 63))},
                  0);
        for (const char* text : {" ", "a", "b", "ab", "ab", " ab"})
            piece(text, -1);
        writeFileAtomically(path("old.bin"), w.text);
        Sizes s;
        s.vocab = 265;
        writeFileAtomically(path("m265.bin"), makeCheckpoint(s, 0, true));
        QCOMPARE(errorOf(path("m265.bin"), path("old.bin"), path("out265")),
                 std::string("converted"));
        const json model = readJsonFile(path("out265") / "tokenizer.json")["model"];
        QVERIFY(model["byte_fallback"] == true);
        QCOMPARE(model["vocab"]["<0xE9>"].get<int>(), 0xE9 + 3);
        QCOMPARE(model["vocab"]["a"].get<int>(), 260);
        QCOMPARE(model["vocab"]["<unused263>"].get<int>(), 263); // "ab" once more
        QVERIFY(model["merges"] == json::parse(R"([["a","b"],["▁","ab"]])"));
    }

    void refusesWhatIsNoCheckpoint() {
        const Sizes s;
        const fs::path file = path("bad.bin"), out = path("never");
        const auto attempt = [&](const std::string& content) {
            std::ofstream(file, std::ios::binary) << content; // hundreds of files: no flushing
            return errorOf(file, "", out);
        };
        const std::string good = makeCheckpoint(s, 0, true), better = makeCheckpoint(s, 1, true);
        for (const std::string& whole : {good, better})
            for (size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 501)
                QVERIFY(attempt(whole.substr(0, size)) != "converted");
        QVERIFY(contains(attempt(good + "x"), "damaged"));
        QVERIFY(contains(attempt(makeCheckpoint(s, 2, true)), "quantized"));
        QVERIFY(contains(attempt(makeCheckpoint(s, 3, true)), "version 3"));
        for (size_t field = 0; field < 7; ++field)
            for (const int32_t value : {0, -1, 3, INT32_MAX, INT32_MIN, 1 << 20}) {
                std::string content = good;
                std::memcpy(content.data() + field * 4, &value, 4);
                const std::string message = attempt(content);
                QVERIFY2(message != "converted" && message != "left a partial folder",
                         message.c_str());
            }
        QVERIFY(contains(attempt("GGUF" + std::string(100, 'x')), "not a llama2.c checkpoint"));
        QVERIFY(!fs::exists(out));
    }

    void refusesTokenizersOfOthers() {
        Sizes s;
        const fs::path file = path("m.bin");
        const auto attempt = [&](int vocab, const fs::path& tokenizer) {
            s.vocab = vocab;
            writeFileAtomically(file, makeCheckpoint(s, 0, true));
            return errorOf(file, tokenizer, path("other"));
        };
        QVERIFY(contains(attempt(511, realTokenizer), "more than the 511"));
        QVERIFY(contains(attempt(513, realTokenizer), "ends early"));
        QVERIFY(contains(attempt(512, path("no-such.bin")), "no-such.bin"));
        writeFileAtomically(path("noise.bin"), std::string(20'000, '\x41'));
        QVERIFY(contains(attempt(512, path("noise.bin")), "no"));
        QVERIFY(!fs::exists(path("other")));
    }

    void stopsWhenAsked() {
        class Stopping : public Progress {
        public:
            void report(double, std::string_view) override { ++reports; }
            bool cancelled() const override { return reports > 3; }
            int reports = 0;
        } progress;
        writeFileAtomically(path("stop.bin"), makeCheckpoint({}, 0, true));
        try {
            convertLlama2c(path("stop.bin"), "", path("stopped"), progress);
            QFAIL("went on");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QVERIFY(!fs::exists(path("stopped")) && !fs::exists(path("stopped.partial")));
    }
};

QTEST_APPLESS_MAIN(TestLlama2c)
#include "tst_llama2c.moc"
