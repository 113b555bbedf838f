// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The fast runtime against the float32 reference (whose logits are held against transformers'), on
// every architecture: one token after the other, pieces of all sizes, KV caches of all types,
// contexts beyond a sliding window.
#include "core/engine/generate.h"
#include "core/engine/runtime/decoder.h"
#include "kernels/half.h"
#include "tests/support/engine_testing.h"

#include <algorithm>

using namespace bitloom;
using namespace bitloom::engineTesting;
using runtime::KvType;

class TestDecoder : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { initEngine(compute()); }

    void tokenByToken_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("kv");
        QTest::addColumn<double>("limit"); // of logits, which are a few units large
        for (const std::string& name : goldens()) {
            const QString text = QString::fromStdString(name);
            QTest::addRow("%s f32", name.c_str()) << text << int(KvType::F32) << 1e-4;
            QTest::addRow("%s f16", name.c_str()) << text << int(KvType::F16) << 5e-3;
            QTest::addRow("%s int8", name.c_str()) << text << int(KvType::Int8) << 8e-2;
        }
    }
    void tokenByToken() {
        QFETCH(QString, name);
        QFETCH(int, kv);
        QFETCH(double, limit);
        const auto weights = weightsOf(golden(name.toStdString()));
        TextModel exact(weights, compute());
        TextModel fast(weights, compute(), Arithmetic::Fast, KvType(kv));
        double far = 0;
        const int64_t count = std::min<int64_t>(80, weights->config().maxPositions);
        for (const int32_t id : ids(count, weights->config().vocab))
            far = std::max(far, furthest(exact.advance({&id, 1}), fast.advance({&id, 1})));
        QVERIFY2(far < limit, qPrintable(QString::number(far)));
        if (kv == int(KvType::Int8)) QVERIFY(far > 1e-6); // it does round
        QCOMPARE(fast.position(), exact.position());
    }

    void pieces_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : goldens())
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
    }
    void pieces() {
        QFETCH(QString, name);
        const auto weights = weightsOf(golden(name.toStdString()));
        const std::vector<int32_t> all =
            ids(std::min<int64_t>(90, weights->config().maxPositions), weights->config().vocab);
        TextModel exact(weights, compute());
        const std::vector<float> expected = exact.advanceAll(all);
        TextModel fast(weights, compute(), Arithmetic::Fast, KvType::F32);
        std::vector<float> got;
        // Few at once (KERNELS' path), many at once (GEMM), behind a cache and without.
        const int64_t sizes[] = {1, 2, 3, 8, 9, 30, 1, 7};
        int64_t at = 0;
        for (size_t i = 0; at < int64_t(all.size()); ++i) {
            const int64_t n = std::min(sizes[i % std::size(sizes)], int64_t(all.size()) - at);
            const std::vector<float> part =
                fast.advanceAll(std::span(all).subspan(size_t(at), size_t(n)));
            got.insert(got.end(), part.begin(), part.end());
            at += n;
        }
        const double far = furthest(expected, got);
        QVERIFY2(far < 2e-4, qPrintable(QString::number(far)));
        // A part again behind a shorter cache.
        fast.rewind(17);
        const std::vector<float> again = fast.advance(std::span(all).subspan(17, 20));
        const auto vocab = size_t(weights->config().vocab);
        const std::vector<float> there(expected.begin() + ptrdiff_t(36 * vocab),
                                       expected.begin() + ptrdiff_t(37 * vocab));
        QVERIFY(furthest(there, again) < 2e-4);
    }

    /// A token's logits are the same bits whoever goes with it.
    void companyDoesNotMatter() {
        const auto weights = weightsOf(golden("llama2-gqa"));
        const std::vector<int32_t> all = ids(24, weights->config().vocab);
        TextModel single(weights, compute(), Arithmetic::Fast);
        std::vector<float> expected;
        for (const int32_t id : all) {
            const std::vector<float> logits = single.advance({&id, 1});
            expected.insert(expected.end(), logits.begin(), logits.end());
        }
        for (const size_t piece : {size_t(2), size_t(3), size_t(5), size_t(8)}) {
            TextModel model(weights, compute(), Arithmetic::Fast);
            std::vector<float> got;
            for (size_t at = 0; at < all.size(); at += piece) {
                const std::vector<float> part =
                    model.advanceAll(std::span(all).subspan(at, std::min(piece, all.size() - at)));
                got.insert(got.end(), part.begin(), part.end());
            }
            QCOMPARE(got, expected);
        }
    }

    /// Threads share the work, not the result.
    void threadsDoNotMatter() {
        const auto weights = weightsOf(golden("qwen3-qknorm"));
        const std::vector<int32_t> all = ids(12, weights->config().vocab);
        std::vector<float> first;
        for (const int threads : {1, 2, 5}) {
            ComputeOptions options;
            options.threads = threads;
            TextModel model(weights, options, Arithmetic::Fast);
            std::vector<float> got;
            for (const int32_t id : all)
                got = model.advance({&id, 1});
            if (first.empty()) first = got;
            QCOMPARE(got, first);
        }
    }

    /// An overlay's layers are float32 rows: the same logits as the reference on them.
    void replacedLayers() {
        const auto base = weightsOf(golden("llama2-gqa"));
        const LinearInfo& info = base->catalogue().linears[3];
        GroupWeights group;
        group.rows = info.rows;
        group.cols = info.cols;
        const auto groups = size_t(info.rows * ((info.cols + 127) / 128));
        group.scale.assign(groups, kernels::floatToHalf(0.01F));
        group.zero.assign(groups, 7);
        for (int64_t i = 0; i < info.rows * info.cols; ++i)
            group.codes.push_back(uint8_t(i * 7 % 16));
        int64_t bytes = base->storedBytes();
        for (const PackedTensor& tensor : pack(group))
            bytes += int64_t(tensor.bytes.size());
        bytes -= int64_t(Checkpoint::open(golden("llama2-gqa")->folder())
                             ->require(info.name + ".weight")
                             .bytes()
                             .size());
        const auto weights = overlay(base, {{info.name, QuantizedLinear(std::move(group))}});
        QCOMPARE(weights->storedBytes(), bytes);
        TextModel exact(weights, compute()), original(base, compute());
        TextModel fast(weights, compute(), Arithmetic::Fast, KvType::F32);
        const std::vector<int32_t> all = ids(6, base->config().vocab);
        const std::vector<float> expected = exact.advance(all);
        QVERIFY(furthest(expected, original.advance(all)) > 1e-2); // it is another model
        QVERIFY(furthest(expected, fast.advance(all)) < 1e-4);
        QVERIFY(TextModel::residentBytes(*weights, Arithmetic::Fast) >=
                info.rows * info.cols * int64_t(sizeof(float)));
        QCOMPARE(TextModel::residentBytes(*base, Arithmetic::Fast), 0); // all in the file
    }

    void refuses() {
        const auto weights = weightsOf(golden("llama2-gqa"));
        TextModel model(weights, compute(), Arithmetic::Fast);
        COMPARE_ERROR(model.advance(std::span<const int32_t>()), "nothing to run");
        const std::vector<int32_t> outside{int32_t(weights->config().vocab)};
        COMPARE_ERROR(model.advance(outside), "outside the vocabulary");
        const std::vector<int32_t> tooMany(size_t(weights->config().maxPositions + 1), 1);
        COMPARE_ERROR(model.advance(tooMany), "is full");
        QCOMPARE(model.position(), 0);
    }

    /// A stop leaves the cache as it was.
    void cancelled() {
        const auto weights = weightsOf(golden("llama2-gqa"));
        TextModel model(weights, compute(), Arithmetic::Fast),
            other(weights, compute(), Arithmetic::Fast);
        const std::vector<int32_t> all = ids(30, weights->config().vocab);
        const std::span first = std::span(all).first(10), rest = std::span(all).subspan(10);
        model.advance(first);
        other.advance(first);
        Cancelling progress(2);
        COMPARE_ERROR(model.advance(rest, &progress), "cancelled");
        QCOMPARE(model.position(), 10);
        QCOMPARE(model.advance(rest), other.advance(rest));
    }
};

QTEST_APPLESS_MAIN(TestDecoder)
#include "tst_decoder.moc"
