// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// Streams of tokens and their divergence, without engine and widgets.
#include "ui/chat/divergence_model.h"
#include "ui/chat/token_panel.h"
#include "ui/chat/token_stream.h"

#include <QJsonArray>
#include <QtTest>

#include <cmath>
#include <random>

using namespace bitloom::ui;

namespace {

EngineToken token(qint64 index, int id, const QString& text, double logProb = -1) {
    EngineToken out;
    out.index = index;
    out.id = id;
    out.text = text;
    out.logProb = logProb;
    return out;
}

/// "3: ' once' 7: ' upon'": ids and texts in order.
QString print(const TokenStream& stream) {
    QStringList parts;
    for (const ChatToken& t : stream.tokens())
        parts << QStringLiteral("%1:%2@%3").arg(t.id).arg(t.text).arg(t.start);
    return parts.join(QLatin1Char('|'));
}

TokenStream streamOf(const std::vector<int>& ids, const QString& end = {}) {
    TokenStream stream;
    stream.begin();
    for (size_t i = 0; i < ids.size(); ++i)
        stream.append(token(qint64(i), ids[i], QStringLiteral(" w%1").arg(ids[i])), double(i));
    if (!end.isEmpty()) stream.finish({{QStringLiteral("end"), end}});
    return stream;
}

/// What PROTOCOL.md `scores` sends for two sets of distributions, from the definitions.
QJsonObject scoresOf(const std::vector<std::vector<double>>& reference,
                     const std::vector<std::vector<double>>& model, const std::vector<int>& ids,
                     int first) {
    QJsonArray kl, delta, logProb, referenceLogProb, same, idList, text;
    for (size_t i = 0; i < ids.size(); ++i) {
        double sum = 0;
        for (size_t v = 0; v < reference[i].size(); ++v)
            sum += reference[i][v] * std::log(reference[i][v] / model[i][v]);
        const auto top = [](const std::vector<double>& p) {
            return std::max_element(p.begin(), p.end()) - p.begin();
        };
        const auto id = size_t(ids[i]);
        kl.append(sum);
        delta.append(std::log(model[i][id]) - std::log(reference[i][id]));
        logProb.append(std::log(model[i][id]));
        referenceLogProb.append(std::log(reference[i][id]));
        same.append(top(reference[i]) == top(model[i]));
        idList.append(ids[i]);
        text.append(QStringLiteral(" w%1").arg(ids[i]));
    }
    return {{QStringLiteral("first"), first},
            {QStringLiteral("kl"), kl},
            {QStringLiteral("delta_logprob"), delta},
            {QStringLiteral("logprob"), logProb},
            {QStringLiteral("reference_logprob"), referenceLogProb},
            {QStringLiteral("same_top"), same},
            {QStringLiteral("ids"), idList},
            {QStringLiteral("text"), text}};
}

} // namespace

class TestTokenStream : public QObject {
    Q_OBJECT
private slots:
    void keepsOrder() {
        TokenStream stream;
        stream.begin();
        QCOMPARE(stream.state(), TokenStream::State::Waiting);
        QCOMPARE(stream.append(token(0, 5, QStringLiteral("Once")), 0.3), 1);
        QCOMPARE(stream.append(token(2, 7, QStringLiteral(" a")), 0.4), 0); // before its turn
        QCOMPARE(stream.text(), QStringLiteral("Once"));
        QCOMPARE(stream.append(token(1, 6, QStringLiteral(" upon")), 0.5), 2);  // closes the gap
        QCOMPARE(stream.append(token(1, 9, QStringLiteral(" again")), 0.6), 0); // twice
        QCOMPARE(print(stream), QStringLiteral("5:Once@0|6: upon@4|7: a@9"));
        QCOMPARE(stream.figures().firstTokenSeconds, 0.3);
        QCOMPARE(stream.figures().tokensPerSecond, 2 / 0.2);
    }

    void anyOrderGivesTheSameText() {
        std::mt19937 random(7);
        std::vector<EngineToken> tokens;
        for (int i = 0; i < 60; ++i)
            tokens.push_back(token(i, i * 3, QStringLiteral("<%1>").arg(i)));
        QString expected;
        for (const EngineToken& t : tokens)
            expected += t.text;
        for (int round = 0; round < 20; ++round) {
            std::shuffle(tokens.begin(), tokens.end(), random);
            TokenStream stream;
            stream.begin();
            int grown = 0;
            for (const EngineToken& t : tokens)
                grown += stream.append(t, 1);
            QCOMPARE(grown, 60);
            QCOMPARE(stream.text(), expected);
        }
    }

    void incompleteCharactersAndHeldBackText() {
        TokenStream stream;
        stream.begin();
        stream.append(token(0, 1, QString()), 0.1); // the first byte of an é
        stream.append(token(1, 2, QStringLiteral("é")), 0.2);
        stream.append(token(2, 3, QStringLiteral(" and")), 0.3);
        stream.append(token(0, -1, QStringLiteral("�")), 0.4);
        QCOMPARE(stream.text(), QStringLiteral("é and�"));
        QCOMPARE(stream.size(), 3);
        QCOMPARE(stream.tokenAt(0), 1); // the character belongs to the token that completes it
        QCOMPARE(stream.tokenAt(1), 2);
        QCOMPARE(stream.tokenAt(5), 2);
        QCOMPARE(stream.tokenAt(6), -1);
        QCOMPARE(stream.ids(), (QJsonArray{1, 2, 3}));
    }

    void nothingAfterItsEnd() {
        TokenStream stream = streamOf({1, 2, 3});
        stream.stop();
        QCOMPARE(stream.state(), TokenStream::State::Stopped);
        QCOMPARE(stream.append(token(3, 4, QStringLiteral(" no")), 9), 0);
        QCOMPARE(stream.size(), 3);
    }

    void firstDifferences_data() {
        QTest::addColumn<QList<int>>("a");
        QTest::addColumn<QList<int>>("b");
        QTest::addColumn<QString>("endOfB");
        QTest::addColumn<int>("expected");
        QTest::newRow("same") << QList<int>{1, 2, 3} << QList<int>{1, 2, 3} << "eos" << -1;
        QTest::newRow("middle") << QList<int>{1, 2, 3} << QList<int>{1, 9, 3} << "" << 1;
        QTest::newRow("first") << QList<int>{1} << QList<int>{2} << "" << 0;
        QTest::newRow("behind") << QList<int>{1, 2, 3} << QList<int>{1, 2} << "" << -1;
        QTest::newRow("ended before") << QList<int>{1, 2, 3} << QList<int>{1, 2} << "eos" << 2;
        QTest::newRow("cut") << QList<int>{1, 2, 3} << QList<int>{1, 2} << "max_tokens" << -1;
        QTest::newRow("stopped") << QList<int>{1, 2, 3} << QList<int>{1, 2} << "cancelled" << -1;
        QTest::newRow("empty") << QList<int>{} << QList<int>{} << "" << -1;
    }
    void firstDifferences() {
        QFETCH(QList<int>, a);
        QFETCH(QList<int>, b);
        QFETCH(QString, endOfB);
        QFETCH(int, expected);
        const TokenStream left = streamOf({a.begin(), a.end()});
        const TokenStream right = streamOf({b.begin(), b.end()}, endOfB);
        QCOMPARE(firstDifference(left, right), expected);
        QCOMPARE(firstDifference(right, left), expected);
    }

    /// Vocabulary of three, three tokens; every figure by hand.
    void threeTokensByHand() {
        const std::vector<std::vector<double>> p{
            {0.5, 0.25, 0.25}, {0.2, 0.6, 0.2}, {0.1, 0.1, 0.8}};
        const std::vector<std::vector<double>> q{
            {0.5, 0.25, 0.25}, {0.5, 0.3, 0.2}, {0.2, 0.2, 0.6}};
        DivergenceModel model;
        QVERIFY(model.add(scoresOf(p, q, {0, 1, 2}, 4)));
        // KL: 0; 0.2 ln 0.4 + 0.6 ln 2 = 0.232632…; 0.2 ln 0.5 + 0.8 ln(4/3) = 0.091516…
        const double second = 0.2 * std::log(0.4) + 0.6 * std::log(2.0);
        const double third = 0.2 * std::log(0.5) + 0.8 * std::log(4.0 / 3);
        const DivergenceModel::Summary s = model.summary();
        QCOMPARE(s.tokens, 3);
        QVERIFY(std::abs(s.klMean - (second + third) / 3) < 1e-6);
        QVERIFY(std::abs(s.klMedian - third) < 1e-6);
        QVERIFY(std::abs(s.klMax - second) < 1e-6);
        QVERIFY(std::abs(s.klP99 - second) < 1e-6);
        QVERIFY(std::abs(s.sameTop - 2.0 / 3) < 1e-12); // the second token has another top
        // −Δ ln p: 0, ln 0.6/0.3, ln 0.8/0.6.
        QVERIFY(std::abs(s.lnPplRatio - (std::log(2.0) + std::log(0.8 / 0.6)) / 3) < 1e-6);
        QCOMPARE(model.otherTop(-1, 1), 1);
        QCOMPARE(model.otherTop(1, 1), -1);
        QCOMPARE(model.otherTop(2, -1), 1);
        QCOMPARE(model.otherTopCount(), 1);
        QCOMPARE(model.otherTopRank(2), 1);
    }

    void identicalModelsHaveNoDivergence() {
        const std::vector<std::vector<double>> p{{0.5, 0.25, 0.25}, {0.2, 0.6, 0.2}};
        DivergenceModel model;
        QVERIFY(model.add(scoresOf(p, p, {2, 0}, 1)));
        for (const TokenScore& token : model.tokens()) {
            QCOMPARE(token.kl, 0.0f);
            QCOMPARE(token.deltaLogProb, 0.0f);
            QVERIFY(token.sameTop);
        }
        const DivergenceModel::Summary s = model.summary();
        QCOMPARE(s.klMean, 0.0);
        QCOMPARE(s.klMax, 0.0);
        QCOMPARE(s.sameTop, 1.0);
        QCOMPARE(s.lnPplRatio, 0.0);
    }

    void refusesPiecesThatDoNotFit() {
        const std::vector<std::vector<double>> p{{0.5, 0.5}};
        DivergenceModel model;
        QVERIFY(model.add(scoresOf(p, p, {0}, 3)));
        QVERIFY(!model.add(scoresOf(p, p, {0}, 5))); // a gap
        QVERIFY(!model.add(scoresOf(p, p, {0}, 3))); // twice
        QJsonObject broken = scoresOf(p, p, {0}, 4);
        broken[QLatin1String("ids")] = QJsonArray{};
        QVERIFY(!model.add(broken));
        QVERIFY(!model.add({}));
        QVERIFY(model.add(scoresOf(p, p, {1}, 4)));
        QCOMPARE(model.size(), 2);
    }

    void figuresThatAreNotFiniteAreLeftOut() {
        const std::vector<std::vector<double>> p{{0.5, 0.5}};
        QJsonObject piece = scoresOf(p, p, {0}, 0);
        piece[QLatin1String("kl")] = QJsonArray{QJsonValue::Null};
        DivergenceModel model;
        QVERIFY(model.add(piece));
        QVERIFY(std::isnan(model.tokens()[0].kl));
        QCOMPARE(model.summary().klMean, 0.0);
    }

    void choicesOfBothSides() {
        ChatToken left, right;
        left.id = 1;
        left.text = QStringLiteral(" blue");
        left.logProb = std::log(0.58);
        left.top = {{1, QStringLiteral(" blue"), std::log(0.58)},
                    {2, QStringLiteral(" the"), std::log(0.24)}};
        right.id = 2;
        right.text = QStringLiteral(" the");
        right.logProb = std::log(0.46);
        right.top = {{2, QStringLiteral(" the"), std::log(0.46)},
                     {1, QStringLiteral(" blue"), std::log(0.27)}};
        const TokenChoices both = tokenChoices(&left, &right, true, std::nullopt);
        QCOMPARE(both.choices.size(), size_t(2));
        QCOMPARE(both.choices[0].text, QStringLiteral(" blue"));
        QVERIFY(both.choices[0].chosen && both.choices[1].chosen);
        QVERIFY(std::abs(*both.choices[0].right - 0.27) < 1e-12);
        QVERIFY(std::abs(*both.choices[1].left - 0.24) < 1e-12);
        QVERIFY(std::abs(*both.leftRest - 0.18) < 1e-12);
        // Behind different texts the right side is known by scoring alone.
        const TokenChoices apart = tokenChoices(&left, &right, false, std::log(0.1));
        QVERIFY(std::abs(*apart.choices[0].right - 0.1) < 1e-12);
        QVERIFY(!apart.choices[1].right);
        QVERIFY(!apart.rightRest);
    }

    void tokensThatCannotBeSeen() {
        QCOMPARE(visibleTokenText(QStringLiteral(" fox")), QStringLiteral("fox"));
        QCOMPARE(visibleTokenText(QStringLiteral("\n")), QStringLiteral("⏎"));
        QCOMPARE(visibleTokenText(QStringLiteral("  ")), QStringLiteral("␣␣"));
    }
};

QTEST_APPLESS_MAIN(TestTokenStream)
#include "tst_token_stream.moc"
