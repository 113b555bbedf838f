// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Where generation ends and what text it gives. The golden models' greedy continuations are known,
// so what every token reads as can be chosen to put a stop string anywhere.
#include "core/engine/generate.h"
#include "tests/support/engine_testing.h"

#include <map>
#include <set>

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

/// Pieces as given; other ids read as nothing. No special tokens.
class PieceTokenizer final : public Tokenizer {
public:
    explicit PieceTokenizer(std::map<int32_t, std::string> pieces) : m_pieces(std::move(pieces)) {}
    std::vector<int32_t> encode(std::string_view, bool) const override { return {}; }
    std::string decode(const std::vector<int32_t>& ids, bool) const override {
        std::string text;
        for (const int32_t id : ids)
            text += pieceBytes(id);
        return QString::fromStdString(text).toStdString(); // broken bytes to U+FFFD
    }
    std::string pieceBytes(int32_t id) const override {
        const auto found = m_pieces.find(id);
        return found == m_pieces.end() ? std::string() : found->second;
    }
    int64_t vocabSize() const override { return 512; }
    std::optional<int32_t> bosId() const override { return {}; }
    std::optional<int32_t> eosId() const override { return {}; }
    bool addsBos() const override { return false; }
    bool isSpecial(int32_t) const override { return false; }
    std::optional<int32_t> findToken(std::string_view) const override { return {}; }
    std::string description() const override { return "pieces"; }

private:
    std::map<int32_t, std::string> m_pieces;
};

/// What a generation is asked for and what its callback saw.
struct Run {
    Generation result;
    std::vector<GeneratedToken> seen;
    std::string shown; ///< all texts of the callback
};

} // namespace

class TestGenerate : public QObject {
    Q_OBJECT

    static constexpr const char* name = "mistral-sliding";
    std::shared_ptr<const ModelWeights> m_weights;
    std::vector<int32_t> m_prompt, m_known; ///< 19 tokens and the 21 that follow them

    Run run(const GenerateOptions& options, const Tokenizer* tokenizer = nullptr,
            int64_t stopAfter = -1) {
        TextModel model(m_weights, compute());
        NoProgress progress;
        Run out;
        out.result = generate(
            model, tokenizer, m_prompt, options,
            [&](const GeneratedToken& token) {
                out.seen.push_back(token);
                out.shown += token.text;
                return int64_t(out.seen.size()) != stopAfter;
            },
            progress);
        return out;
    }

    static GenerateOptions greedy(int64_t maxTokens) {
        GenerateOptions options;
        options.maxTokens = maxTokens;
        options.sampling.temperature = 0;
        options.stopAtEos = false;
        return options;
    }

    /// The known continuation reads as `pieces`, one a token, from its first token on; the first
    /// six tokens are different ones.
    PieceTokenizer readingAs(const std::vector<std::string>& pieces) const {
        std::map<int32_t, std::string> of;
        for (size_t i = 0; i < pieces.size(); ++i)
            of.emplace(m_known[i], pieces[i]);
        return PieceTokenizer(of);
    }

private slots:
    void initTestCase() {
        initEngine(compute());
        m_weights = weightsOf(golden(name));
        const auto all = goldenTensor<int32_t>(name, "greedy_ids");
        m_prompt.assign(all.begin(), all.begin() + 19);
        m_known.assign(all.begin() + 19, all.end());
        // The tests of texts need different tokens at the start.
        const std::set<int32_t> first(m_known.begin(), m_known.begin() + 6);
        QCOMPARE(first.size(), size_t(6));
    }

    void maxTokens_data() {
        QTest::addColumn<int>("count");
        for (const int count : {0, 1, 2, 21})
            QTest::addRow("%d", count) << count;
    }
    void maxTokens() {
        QFETCH(int, count);
        const Run out = run(greedy(count));
        QCOMPARE(out.result.ids, std::vector<int32_t>(m_known.begin(), m_known.begin() + count));
        QCOMPARE(out.result.end, Generation::End::MaxTokens);
        QCOMPARE(out.result.promptTokens, 19);
        QCOMPARE(out.seen.size(), size_t(count));
        QVERIFY(out.result.text.empty());
    }

    void logProbabilities() {
        const Run out = run(greedy(8));
        TextModel model(m_weights, compute());
        std::vector<float> logits = model.advance(m_prompt);
        for (const GeneratedToken& token : out.seen) {
            double sum = 0;
            for (const float logit : logits)
                sum += std::exp(double(logit));
            COMPARE_CLOSE(token.logProb, double(logits[size_t(token.id)]) - std::log(sum), 1e-5);
            logits = model.advance({&token.id, 1});
        }
    }

    void stopStrings_data() {
        QTest::addColumn<std::vector<std::string>>("pieces");
        QTest::addColumn<std::vector<std::string>>("stops");
        QTest::addColumn<std::string>("text");
        QTest::addColumn<int>("tokens"); ///< the one that completed the stop string included; −1:
                                         ///< it never came
        using List = std::vector<std::string>;
        const List words{"one ", "two ", "three ", "four ", "five ", "six "};
        const std::string all = "one two three four five six ";
        QTest::newRow("a token") << words << List{"three"} << std::string("one two ") << 3;
        QTest::newRow("within a token") << words << List{"re"} << std::string("one two th") << 3;
        QTest::newRow("across two") << words << List{"o thr"} << std::string("one tw") << 3;
        QTest::newRow("across four")
            << words << List{"wo three four f"} << std::string("one t") << 5;
        QTest::newRow("at the start") << words << List{"one"} << std::string() << 1;
        QTest::newRow("never") << words << List{"seven"} << all << -1;
        QTest::newRow("begun at the end") << words << List{"six seven"} << all << -1;
        QTest::newRow("begun and given up") << words << List{"two four", "three five"} << all << -1;
        QTest::newRow("the earlier of two")
            << words << List{"four", "three"} << std::string("one two ") << 3;
        QTest::newRow("two in one token")
            << words << List{"ee", "hr"} << std::string("one two t") << 3;
        QTest::newRow("a prefix of another")
            << words << List{"two three x", "three"} << std::string("one two ") << 3;
        QTest::newRow("empty ones are nothing") << words << List{""} << all << -1;
        const List repeats{"aa", "aa", "ab", "c", "d", "e"};
        QTest::newRow("overlaps itself") << repeats << List{"aab"} << std::string("aaa") << 3;
        const List accents{"caf\xc3", "\xa9", " \xe2\x82", "\xac", "!", "?"};
        QTest::newRow("half characters")
            << accents << List{"\xc3\xa9 \xe2"} << std::string("caf\xc3\xa9 \xe2\x82\xac!?") << -1;
        QTest::newRow("whole characters")
            << accents << List{"\xc3\xa9 \xe2\x82\xac"} << std::string("caf") << 4;
    }
    void stopStrings() {
        QFETCH(std::vector<std::string>, pieces);
        QFETCH(std::vector<std::string>, stops);
        QFETCH(std::string, text);
        QFETCH(int, tokens);
        const PieceTokenizer tokenizer = readingAs(pieces);
        GenerateOptions options = greedy(6);
        options.stopStrings = stops;
        const Run out = run(options, &tokenizer);
        if (QTest::currentDataTag() == std::string("half characters")) {
            // A stop string that ends within a character: bytes of it may be cut, never shown.
            QVERIFY(text.starts_with(out.result.text) || out.result.text == text);
            return;
        }
        QCOMPARE(out.result.text, text);
        QCOMPARE(out.shown, text); // nothing was shown that had to be taken back
        QCOMPARE(out.result.end,
                 tokens < 0 ? Generation::End::MaxTokens : Generation::End::StopString);
        QCOMPARE(out.result.ids.size(), size_t(tokens < 0 ? 6 : tokens));
        QVERIFY(std::equal(out.result.ids.begin(), out.result.ids.end(), m_known.begin()));
    }

    /// Every text that is given out is whole UTF-8.
    void wholeCharacters() {
        const PieceTokenizer tokenizer =
            readingAs({"a\xf0", "\x9f", "\x98", "\x80", "b\xe2\x82", "c"});
        const Run out = run(greedy(6), &tokenizer);
        QCOMPARE(out.result.text, std::string("a\xf0\x9f\x98\x80"
                                              "b\xef\xbf\xbd"
                                              "c"));
        QCOMPARE(out.shown, out.result.text);
        for (const GeneratedToken& token : out.seen)
            QCOMPARE(QString::fromStdString(token.text).toStdString(), token.text);
        QCOMPARE(out.seen[3].text, std::string("a\xf0\x9f\x98\x80"));
        // One that stays incomplete to the end.
        const PieceTokenizer cut = readingAs({"a", "b\xe2\x82"});
        QCOMPARE(run(greedy(2), &cut).result.text, std::string("ab\xef\xbf\xbd"));
    }

    void stopStringsNeedATokenizer() {
        GenerateOptions options = greedy(4);
        options.stopStrings = {"x"};
        COMPARE_ERROR(run(options), "stop strings need a tokenizer");
    }

    void endOfText() {
        // The sixth token of the known continuation as this copy's EOS.
        TemporaryFolder folder;
        fs::copy(goldenFolder(name) / "model.safetensors", folder / "model.safetensors");
        std::string config = readBytes(goldenFolder(name) / "config.json");
        const std::string key = "\"eos_token_id\": 2";
        QVERIFY(config.find(key) != std::string::npos);
        config.replace(config.find(key), key.size(),
                       "\"eos_token_id\": [2, " + std::to_string(m_known[5]) + "]");
        std::ofstream(folder / "config.json") << config;
        m_weights = weightsOf(Checkpoint::open(folder.path().string()));
        GenerateOptions options = greedy(21);
        options.stopAtEos = true;
        const Run stopped = run(options);
        const Run through = run(greedy(21));
        m_weights = weightsOf(golden(name));
        QCOMPARE(stopped.result.end, Generation::End::Eos);
        QCOMPARE(stopped.result.ids, std::vector<int32_t>(m_known.begin(), m_known.begin() + 5));
        QCOMPARE(stopped.seen.size(), size_t(5));
        QCOMPARE(through.result.ids, m_known);
        QCOMPARE(through.result.end, Generation::End::MaxTokens);
    }

    void contextFull() {
        TextModel model(m_weights, compute());
        NoProgress progress;
        const TokenWindows rows = randomWindows(1, 1, 128, 512);
        GenerateOptions options = greedy(256);
        const Generation result =
            generate(model, nullptr, rows.row(0).first(120), options, nullptr, progress);
        QCOMPARE(result.end, Generation::End::ContextFull);
        // Eight more fit into the context; the ninth is drawn from the last of them.
        QCOMPARE(result.ids.size(), size_t(9));
        QCOMPARE(model.position(), 128);

        model.reset();
        const Generation last = generate(model, nullptr, rows.row(0), options, nullptr, progress);
        QCOMPARE(last.end, Generation::End::ContextFull);
        QCOMPARE(last.ids.size(), size_t(1));
        model.reset();
        const std::vector<int32_t> tooLong(129, 5);
        COMPARE_ERROR(generate(model, nullptr, tooLong, options, nullptr, progress), "full");
        COMPARE_ERROR(generate(model, nullptr, {}, options, nullptr, progress), "empty");
    }

    /// A second generation goes on behind the first, as a chat does.
    void conversation() {
        TextModel model(m_weights, compute());
        NoProgress progress;
        const Generation first = generate(model, nullptr, m_prompt, greedy(10), nullptr, progress);
        QCOMPARE(model.position(), 28); // the last token has not been run yet
        const Generation second =
            generate(model, nullptr, {&first.ids.back(), 1}, greedy(11), nullptr, progress);
        std::vector<int32_t> both = first.ids;
        both.insert(both.end(), second.ids.begin(), second.ids.end());
        QCOMPARE(both, m_known);
    }

    void seeds() {
        GenerateOptions options;
        options.maxTokens = 20;
        options.stopAtEos = false;
        options.sampling.temperature = 1;
        std::set<std::vector<int32_t>> texts;
        for (uint64_t seed = 1; seed <= 4; ++seed) {
            options.sampling.seed = seed;
            const Run once = run(options), again = run(options);
            QCOMPARE(once.result.ids, again.result.ids);
            texts.insert(once.result.ids);
        }
        QCOMPARE(texts.size(), size_t(4));
    }

    void stoppedByTheCaller() {
        const Run out = run(greedy(21), nullptr, 3);
        QCOMPARE(out.result.end, Generation::End::Cancelled);
        QCOMPARE(out.result.ids, std::vector<int32_t>(m_known.begin(), m_known.begin() + 3));

        /// Cancelled once `tokens` were seen.
        struct StopAfter final : Progress {
            void report(double, std::string_view) override {}
            bool cancelled() const override { return tokens == 0; }
            int tokens = 4;
        } progress;
        TextModel model(m_weights, compute());
        const Generation cancelled = generate(
            model, nullptr, m_prompt, greedy(21),
            [&](const GeneratedToken&) {
                --progress.tokens;
                return true;
            },
            progress);
        QCOMPARE(cancelled.end, Generation::End::Cancelled);
        QCOMPARE(cancelled.ids, std::vector<int32_t>(m_known.begin(), m_known.begin() + 4));
    }

    /// A stop while the prompt is read ends the text before its first token, in any block.
    void stoppedInThePrompt() {
        for (const int asked : {1, 2}) {
            TextModel model(m_weights, compute());
            Cancelling progress(asked);
            const Generation none =
                generate(model, nullptr, m_prompt, greedy(21), nullptr, progress);
            QCOMPARE(none.end, Generation::End::Cancelled);
            QVERIFY(none.ids.empty());
            QCOMPARE(model.position(), 0);
        }
    }

    /// Long prompts go through in pieces; a cache that holds whole ones may be used again and gives
    /// the same bits.
    void piecesAndKnownBeginnings() {
        const TokenWindows rows = randomWindows(7, 1, 100, 512);
        NoProgress progress;
        TextModel model(m_weights, compute()), whole(m_weights, compute());
        TokenGenerator first(model, nullptr, greedy(6));
        first.start(rows.row(0), progress);
        while (first.next(progress)) {
        }
        const int64_t piece = model.promptPiece();
        QVERIFY(piece < 100);
        model.rewind(piece);
        TokenGenerator again(model, nullptr, greedy(6));
        again.start(rows.row(0), progress, piece);
        std::vector<float> logProbs;
        while (const auto token = again.next(progress))
            logProbs.push_back(token->logProb);
        QCOMPARE(again.result().ids, first.result().ids);
        QCOMPARE(again.result().promptTokens, 100);

        TokenGenerator fresh(whole, nullptr, greedy(6));
        fresh.start(rows.row(0), progress);
        for (const float known : logProbs)
            QCOMPARE(fresh.next(progress)->logProb, known);
        COMPARE_ERROR(model.rewind(1000), "holds");
    }

    /// The likeliest tokens, against a sort of all logits.
    void alternatives() {
        GenerateOptions options = greedy(3);
        options.alternatives = 5;
        const Run out = run(options);
        TextModel model(m_weights, compute());
        std::vector<float> logits = model.advance(m_prompt);
        for (const GeneratedToken& token : out.seen) {
            QCOMPARE(token.top.size(), size_t(5));
            QCOMPARE(token.top[0].id, token.id); // greedy
            QCOMPARE(token.top[0].logProb, token.logProb);
            std::vector<float> sorted = logits;
            std::sort(sorted.begin(), sorted.end(), std::greater<>());
            for (size_t i = 0; i < 5; ++i) {
                QCOMPARE(logits[size_t(token.top[i].id)], sorted[i]);
                COMPARE_CLOSE(token.top[0].logProb - token.top[i].logProb, sorted[0] - sorted[i],
                              1e-4);
            }
            logits = model.advance({&token.id, 1});
        }
    }

    /// Logits of every position at once are those of one position after the other.
    void allPositions() {
        TextModel one(m_weights, compute()), all(m_weights, compute());
        const std::vector<float> together = all.advanceAll(m_prompt);
        const size_t vocab = together.size() / m_prompt.size();
        QCOMPARE(int64_t(vocab), m_weights->config().vocab);
        for (size_t i = 0; i < m_prompt.size(); ++i) {
            const std::vector<float> logits = one.advance({&m_prompt[i], 1});
            for (size_t v = 0; v < vocab; v += 7)
                QVERIFY(std::fabs(together[i * vocab + v] - logits[v]) < 1e-4F);
        }
    }
};

QTEST_APPLESS_MAIN(TestGenerate)
#include "tst_generate.moc"
