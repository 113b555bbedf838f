// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The decoder for GPUs on a device made of the kernels' bodies (tests/support/host_cuda.h) against
// the processor's: every architecture, original and quantized weights, tokens one by one, few and
// many at once, through graphs, and chosen by the device.
#include "core/engine/generate.h"
#include "core/engine/runtime/gpu_decoder.h"
#include "core/engine/runtime/measure_speed.h"
#include "core/engine/runtime/synthetic.h"
#include "kernels/half.h"
#include "tests/support/engine_testing.h"
#include "tests/support/host_cuda.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace bitloom;
using namespace bitloom::engineTesting;
using hostCuda::Behaviour;
using runtime::KvType;

namespace {

ModelPlace gpu(const Behaviour& behaviour = {}) {
    return {ModelPlace::Gpu,
            std::make_shared<CudaDevice>(CudaLibrary::of(hostCuda::api(behaviour)))};
}

std::shared_ptr<const ModelWeights> sample() {
    return openWeights(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");
}

/// Another model's weights with a longer context, or with embedding and head as bytes.
class Variant final : public ModelWeights {
public:
    Variant(std::shared_ptr<const ModelWeights> base, int64_t context, bool bytes)
        : m_base(std::move(base)), m_config(m_base->config()) {
        m_config.maxPositions = context;
        if (!bytes) return;
        for (const std::string& name : {catalogue().embedding, catalogue().head}) {
            if (m_bytes.contains(name)) continue;
            std::vector<float> values(size_t(m_config.vocab * m_config.hidden));
            m_base->readTensor(name, values);
            Bytes& own = m_bytes[name];
            own.codes = std::make_shared<std::vector<int8_t>>();
            for (int64_t row = 0; row < m_config.vocab; ++row) {
                const auto begin = values.begin() + row * m_config.hidden;
                float most = 1e-6F;
                for (auto at = begin; at != begin + m_config.hidden; ++at)
                    most = std::max(most, std::abs(*at));
                own.scale.push_back(most / 127);
                for (auto at = begin; at != begin + m_config.hidden; ++at)
                    own.codes->push_back(int8_t(std::lround(*at / own.scale.back())));
            }
        }
    }
    const ModelConfig& config() const override { return m_config; }
    const Catalogue& catalogue() const override { return m_base->catalogue(); }
    const fs::path& folder() const override { return m_base->folder(); }
    void readLinear(std::string_view linear, std::span<float> out, int threads) const override {
        m_base->readLinear(linear, out, threads);
    }
    std::optional<ColumnWeights> columns(std::string_view linear) const override {
        return m_base->columns(linear);
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        const auto own = m_bytes.find(name);
        if (own == m_bytes.end()) return m_base->storedRows(name);
        return StoredRows{{own->second.codes->data(), kernels::RowType::I8, m_config.vocab,
                           m_config.hidden, m_config.hidden},
                          own->second.scale,
                          own->second.codes};
    }
    bool hasTensor(std::string_view name) const override { return m_base->hasTensor(name); }
    void readTensor(std::string_view name, std::span<float> out) const override {
        m_base->readTensor(name, out);
    }
    void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const override {
        const auto own = m_bytes.find(name);
        if (own == m_bytes.end()) return m_base->readRows(name, rowBegin, out);
        for (size_t i = 0; i < out.size(); ++i) {
            const auto at = size_t(rowBegin * m_config.hidden) + i;
            out[i] =
                float((*own->second.codes)[at]) * own->second.scale[at / size_t(m_config.hidden)];
        }
    }
    std::string fingerprint() const override { return "variant"; }
    int64_t storedBytes() const override { return m_base->storedBytes(); }

private:
    struct Bytes {
        std::shared_ptr<std::vector<int8_t>> codes;
        std::vector<float> scale;
    };
    std::shared_ptr<const ModelWeights> m_base;
    ModelConfig m_config;
    std::map<std::string, Bytes, std::less<>> m_bytes;
};

/// A layer in columns of every kind: the nearest entries of even tables and grids.
ColumnWeights columnsOf(const ModelWeights& weights, const LinearInfo& info) {
    std::vector<float> values(size_t(info.rows * info.cols));
    weights.readLinear(info.name, values, 2);
    ColumnWeights w;
    w.rows = info.rows;
    w.cols = info.cols;
    w.classes = {{16, PointKind::Raw, 0},  {8, PointKind::Grid, 0},  {6, PointKind::Grid, 0},
                 {5, PointKind::Table, 2}, {5, PointKind::Grid, 0},  {4, PointKind::Table, 3},
                 {4, PointKind::Table, 0}, {3, PointKind::Table, 2}, {3, PointKind::Table, 0},
                 {2, PointKind::Table, 0}};
    w.codes.resize(values.size());
    w.tables.assign(size_t(info.cols * 32), 0);
    w.scale.assign(size_t(info.cols), 0);
    w.zero.assign(size_t(info.cols), 0);
    w.raw.resize(size_t(info.cols));
    w.outlierRow.resize(size_t(info.cols));
    w.outlierVal.resize(size_t(info.cols));
    for (int64_t k = 0; k < info.cols; ++k) {
        // Few raw columns, many of the widths that matter.
        const int64_t pick = k * 7 % 40;
        const auto of = uint8_t(pick < 10 ? pick : 5 + pick % 5);
        w.classOf.push_back(of);
        const ColumnClass& c = w.classes[of];
        const auto at = [&](int64_t n) { return values[size_t(n * info.cols + k)]; };
        float most = 1e-4F;
        for (int64_t n = 0; n < info.rows; ++n)
            most = std::max(most, std::abs(at(n)));
        const int levels = 1 << std::min(c.bits, 8);
        const bool table = c.kind == PointKind::Table;
        const float unit = table ? most / 60 : 2 * most / float(levels - 1);
        w.scale[size_t(k)] = kernels::floatToHalf(unit);
        if (c.kind == PointKind::Grid && k % 3 == 0)
            w.zero[size_t(k)] = kernels::floatToHalf(float(levels / 2) + 0.25F);
        else if (c.kind == PointKind::Grid)
            w.zero[size_t(k)] = kernels::floatToHalf(float(levels / 2));
        for (int e = 0; table && e < levels; ++e)
            w.tables[size_t(k * 32 + e)] = int8_t(-60 + 120 * e / (levels - 1));
        for (int64_t n = 0; n < info.rows; ++n) {
            if (c.kind == PointKind::Raw) {
                w.raw[size_t(k)].push_back(kernels::floatToHalf(at(n)));
                continue;
            }
            const float steps = (at(n) / most + 1) / 2 * float(levels - 1);
            w.codes[size_t(k * info.rows + n)] =
                uint8_t(std::clamp(int(std::lround(steps)), 0, levels - 1));
        }
        for (uint32_t i = 0; i < c.outliers; ++i) {
            w.outlierRow[size_t(k)].push_back(uint32_t(int64_t(i) * info.rows / 4 + k % 7));
            w.outlierVal[size_t(k)].push_back(kernels::floatToHalf(most * (i ? 0.3F : -0.4F)));
        }
    }
    return w;
}

std::shared_ptr<const ModelWeights> quantized(const std::shared_ptr<const ModelWeights>& base) {
    std::map<std::string, QuantizedLinear, std::less<>> linears;
    for (const LinearInfo& info : base->catalogue().linears)
        linears.emplace(info.name, columnsOf(*base, info));
    return overlay(base, std::move(linears));
}

/// A small model's shapes; `changes` over them.
ModelConfig smallConfig(const nlohmann::json& changes = {}) {
    nlohmann::json json{{"model_type", "llama"},
                        {"architectures", {"LlamaForCausalLM"}},
                        {"hidden_size", 128},
                        {"intermediate_size", 256},
                        {"num_hidden_layers", 2},
                        {"num_attention_heads", 4},
                        {"num_key_value_heads", 2},
                        {"vocab_size", 300},
                        {"max_position_embeddings", 256},
                        {"rms_norm_eps", 1e-5},
                        {"hidden_act", "silu"},
                        {"torch_dtype", "float16"}};
    if (changes.is_object()) json.update(changes);
    return ModelConfig::parse(json, "test");
}

/// What is left on the device when all is gone.
void nothingLeft() {
    QCOMPARE(hostCuda::counts().allocated, 0);
    QCOMPARE(hostCuda::counts().matrices, 0);
    QCOMPARE(hostCuda::counts().graphs, 0);
    QCOMPARE(hostCuda::counts().contexts, 0);
}

} // namespace

class TestGpuDecoder : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { initEngine(compute()); }

    void tokenByToken_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("kv");
        QTest::addColumn<double>("limit"); // of logits, which are a few units large
        for (const std::string& name : goldens()) {
            const QString text = QString::fromStdString(name);
            QTest::addRow("%s f16", name.c_str()) << text << int(KvType::F16) << 5e-3;
            QTest::addRow("%s int8", name.c_str()) << text << int(KvType::Int8) << 5e-2;
        }
    }
    void tokenByToken() {
        QFETCH(QString, name);
        QFETCH(int, kv);
        QFETCH(double, limit);
        const auto weights = weightsOf(golden(name.toStdString()));
        TextModel there(weights, compute(), Arithmetic::Fast, KvType(kv));
        TextModel here(weights, compute(), Arithmetic::Fast, KvType(kv), gpu());
        QVERIFY2(here.whyNoGpu().empty(), here.whyNoGpu().c_str());
        QCOMPARE(here.deviceName(), std::string("Emulated"));
        double far = 0;
        const int64_t count = std::min<int64_t>(80, weights->config().maxPositions);
        for (const int32_t id : ids(count, weights->config().vocab))
            far = std::max(far, furthest(there.advance({&id, 1}), here.advance({&id, 1})));
        QVERIFY2(far < limit, qPrintable(QString::number(far)));
        QCOMPARE(here.position(), there.position());
        // The first token outside, the second is recorded.
        QCOMPARE(hostCuda::counts().launches, count - 1);
    }

    /// The sample, original and with columns of every kind, outliers, raw columns and a head of
    /// bytes; a device of few and of many multiprocessors, which cuts contexts differently.
    void sampleModel_data() {
        QTest::addColumn<int>("form");
        QTest::addColumn<int>("multiprocessors");
        QTest::addRow("original, 1") << 0 << 1;
        QTest::addRow("original, 64") << 0 << 64;
        QTest::addRow("columns, 4") << 1 << 4;
        QTest::addRow("columns and bytes, 64") << 2 << 64;
    }
    void sampleModel() {
        QFETCH(int, form);
        QFETCH(int, multiprocessors);
        const auto base = sample();
        const auto weights =
            form == 0 ? base : std::make_shared<Variant>(quantized(base), 512, form == 2);
        TextModel there(weights, compute(), Arithmetic::Fast);
        {
            Behaviour behaviour;
            behaviour.multiprocessors = multiprocessors;
            TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu(behaviour));
            // Up to, on and behind the border of a tile of 64 positions.
            const std::vector<int32_t> all = ids(69, weights->config().vocab);
            const std::span first = std::span(all).first(55);
            double far = furthest(there.advance(first), here.advance(first));
            for (size_t i = 55; i < all.size(); ++i)
                far = std::max(far,
                               furthest(there.advance({&all[i], 1}), here.advance({&all[i], 1})));
            QVERIFY2(far < 5e-3, qPrintable(QString::number(far)));
            if (form > 0) {
                TextModel original(base, compute(), Arithmetic::Fast);
                there.reset();
                QVERIFY(furthest(original.advance(first), there.advance(first)) > 0.05);
            }
        }
        nothingLeft();
    }

    /// Prompts in pieces of all sizes, with cuBLASLt and without.
    void pieces_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("gemm");
        for (const std::string& name : goldens())
            for (const bool gemm : {false, true}) {
                if (!gemm && name != goldens().front()) continue;
                QTest::addRow("%s%s", name.c_str(), gemm ? ", many at once" : "")
                    << QString::fromStdString(name) << gemm;
            }
    }
    void pieces() {
        QFETCH(QString, name);
        QFETCH(bool, gemm);
        const auto weights = quantized(weightsOf(golden(name.toStdString())));
        const std::vector<int32_t> all = ids(125, weights->config().vocab);
        TextModel there(weights, compute(), Arithmetic::Fast);
        const std::vector<float> expected = there.advanceAll(all);
        Behaviour behaviour;
        behaviour.gemm = gemm;
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu(behaviour));
        std::vector<float> got;
        const int64_t sizes[] = {1, 2, 3, 17, 5, 1, 70, 16, 1, 9, 22};
        int64_t at = 0;
        for (size_t i = 0; at < int64_t(all.size()); ++i) {
            const int64_t n = std::min(sizes[i % std::size(sizes)], int64_t(all.size()) - at);
            const std::vector<float> part =
                here.advanceAll(std::span(all).subspan(size_t(at), size_t(n)));
            got.insert(got.end(), part.begin(), part.end());
            at += n;
        }
        const double far = furthest(expected, got);
        QVERIFY2(far < 5e-3, qPrintable(QString::number(far)));
        QCOMPARE(hostCuda::counts().many > 0, gemm);
        // A part again behind a shorter cache, longer than what is multiplied as few; the last
        // only.
        here.rewind(17);
        const std::vector<float> again = here.advance(std::span(all).subspan(17, 40));
        const auto vocab = ptrdiff_t(weights->config().vocab);
        const std::vector<float> last(expected.begin() + 56 * vocab, expected.begin() + 57 * vocab);
        QVERIFY(furthest(last, again) < 5e-3);
    }

    /// One, few and many tokens in turns where a group of heads has several tiles of queries and
    /// the device takes parts of contexts: one scratch serves them all.
    void headsInGroups() {
        const ModelConfig config = smallConfig(
            {{"hidden_size", 256}, {"num_attention_heads", 32}, {"num_key_value_heads", 8}});
        const auto weights =
            std::make_shared<Variant>(runtime::syntheticModel(config, 16, 0), 256, true);
        const std::vector<int32_t> all = ids(140, config.vocab);
        TextModel there(weights, compute(), Arithmetic::Fast);
        Behaviour behaviour;
        behaviour.multiprocessors = 132;
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu(behaviour));
        size_t at = 0;
        for (const size_t n : {1, 16, 1, 5, 1, 1, 9, 60, 16, 1, 12, 1, 16}) {
            const std::span part = std::span(all).subspan(at, n);
            const double far = furthest(there.advanceAll(part), here.advanceAll(part));
            QVERIFY2(far < 5e-3, qPrintable(QString("%1 behind %2: %3").arg(n).arg(at).arg(far)));
            at += n;
        }
        QCOMPARE(at, all.size());
    }

    /// The cache grows, and what it holds stays.
    void longContext() {
        const auto weights =
            std::make_shared<Variant>(weightsOf(golden("llama2-gqa")), 3000, false);
        const std::vector<int32_t> all = ids(1060, weights->config().vocab);
        for (const KvType kv : {KvType::F16, KvType::Int8}) {
            TextModel there(weights, compute(), Arithmetic::Fast, kv);
            TextModel here(weights, compute(), Arithmetic::Fast, kv, gpu());
            double far = 0;
            size_t at = 0;
            for (const size_t n : {1000, 22, 1, 1, 1, 1, 26, 5, 1, 1}) {
                const std::span part = std::span(all).subspan(at, n);
                far = std::max(far, furthest(there.advance(part), here.advance(part)));
                at += n;
            }
            QVERIFY2(far < (kv == KvType::F16 ? 5e-3 : 5e-2), qPrintable(QString::number(far)));
        }
    }

    /// Tokens that the device chooses are those that the processor would.
    void chosenTokens_data() {
        QTest::addColumn<double>("temperature");
        QTest::addColumn<double>("minP");
        QTest::addColumn<int>("topK");
        QTest::addColumn<int>("count");
        QTest::addRow("greedy") << 0.0 << 0.0 << 0 << 80;
        // More than random numbers are sent at once.
        QTest::addRow("temperature") << 0.8 << 0.0 << 0 << 300;
        QTest::addRow("min-p") << 1.5 << 0.05 << 0 << 80;
        QTest::addRow("top-k, on the processor") << 0.9 << 0.0 << 20 << 80;
    }
    void chosenTokens() {
        QFETCH(double, temperature);
        QFETCH(double, minP);
        QFETCH(int, topK);
        QFETCH(int, count);
        const auto weights = sample();
        TextModel there(weights, compute(), Arithmetic::Fast);
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        const std::vector<int32_t> prompt = ids(7, weights->config().vocab);
        GenerateOptions options;
        options.sampling.temperature = temperature;
        options.sampling.minP = minP;
        options.sampling.topK = topK;
        options.sampling.seed = 12;
        options.maxTokens = count;
        options.stopAtEos = false;
        NoProgress progress;
        std::vector<float> probabilities[2];
        Generation out[2];
        for (int side = 0; side < 2; ++side)
            out[side] = generate(
                side ? here : there, nullptr, prompt, options,
                [&](const GeneratedToken& token) {
                    probabilities[side].push_back(token.logProb);
                    return true;
                },
                progress);
        QCOMPARE(out[1].ids.size(), size_t(count));
        // Where two tokens are as likely, float32's rounding decides: not before the text is long.
        const auto differ = std::mismatch(out[0].ids.begin(), out[0].ids.end(), out[1].ids.begin());
        const auto same = size_t(differ.first - out[0].ids.begin());
        QVERIFY2(same >= size_t(count / 2), qPrintable(QString::number(same)));
        for (size_t i = 0; i < same; ++i)
            QVERIFY(std::abs(probabilities[0][i] - probabilities[1][i]) < 5e-3F);
        QCOMPARE(here.position(), there.position());
        // Nearly every token is a launch of one graph; other settings fetch logits.
        QVERIFY(hostCuda::counts().launches > count - 5);
        QVERIFY(hostCuda::counts().direct < 1000);
        // From the same logits, fetched: the very same tokens.
        GenerateOptions fetched = options;
        fetched.alternatives = 1;
        TextModel again(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        QCOMPARE(generate(again, nullptr, prompt, fetched, {}, progress).ids, out[1].ids);
        // The conversation goes on as if nothing had been run ahead.
        QVERIFY(furthest(there.advance(prompt), here.advance(prompt)) <
                (same == size_t(count) ? 5e-3 : 1e9));
    }

    /// The end of a text is found one token late: what ran ahead is forgotten.
    void endsEarly() {
        const auto weights = sample();
        TextModel there(weights, compute(), Arithmetic::Fast);
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        const std::vector<int32_t> prompt = ids(5, weights->config().vocab);
        GenerateOptions options;
        options.maxTokens = 40;
        options.stopAtEos = false;
        NoProgress progress;
        for (int round = 0; round < 3; ++round) {
            Generation out[2];
            for (int side = 0; side < 2; ++side) {
                int count = 0;
                out[side] = generate(
                    side ? here : there, nullptr, prompt, options,
                    [&](const GeneratedToken&) { return ++count < 5 + round; }, progress);
            }
            QCOMPARE(out[0].ids, out[1].ids);
            QCOMPARE(here.position(), there.position());
        }
        // Whoever comes between ends the choice.
        Sampler sampler({});
        here.startChoosing({}, sampler, 3, 10);
        here.chooseNext();
        const int64_t before = here.position();
        here.advance(prompt);
        QCOMPARE(here.position(), before + int64_t(prompt.size()));
        COMPARE_ERROR(here.chooseNext(), "something else has run");
    }

    void contextEnds() {
        const auto weights = weightsOf(golden("llama3-rope-tied-sharded"));
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        GenerateOptions options;
        options.stopAtEos = false;
        NoProgress progress;
        const Generation out =
            generate(here, nullptr, ids(126, weights->config().vocab), options, {}, progress);
        QCOMPARE(int(out.end), int(Generation::End::ContextFull));
        QCOMPARE(out.ids.size(), size_t(3)); // the last one chosen need not fit
    }

    /// Layers stored in different ways side by side.
    void mixedLayers() {
        const auto base = weightsOf(golden("qwen2-bias-tied"));
        std::map<std::string, QuantizedLinear, std::less<>> linears;
        for (const LinearInfo& info : base->catalogue().linears) {
            if (info.role == LinearRole::Key || info.role == LinearRole::Up)
                linears.emplace(info.name, columnsOf(*base, info));
            if (info.role != LinearRole::Value) continue;
            GroupWeights group;
            group.rows = info.rows;
            group.cols = info.cols;
            group.scale.assign(size_t(info.rows * ((info.cols + 127) / 128)),
                               kernels::floatToHalf(0.01F));
            group.zero.assign(group.scale.size(), 7);
            for (int64_t i = 0; i < info.rows * info.cols; ++i)
                group.codes.push_back(uint8_t(i * 7 % 16));
            linears.emplace(info.name, std::move(group));
        }
        const auto weights = overlay(base, std::move(linears));
        TextModel there(weights, compute(), Arithmetic::Fast);
        TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        for (const int32_t id : ids(20, weights->config().vocab))
            QVERIFY(furthest(there.advance({&id, 1}), here.advance({&id, 1})) < 5e-3);
    }

    /// A text that the GPU's memory becomes too small for goes on on the processor.
    void memoryRunsOut() {
        const auto weights =
            std::make_shared<Variant>(weightsOf(golden("llama2-gqa")), 2048, false);
        const std::vector<int32_t> prompt = ids(1020, weights->config().vocab);
        NoProgress progress;
        GenerateOptions options;
        options.maxTokens = 12;
        options.stopAtEos = false;
        TextModel there(weights, compute(), Arithmetic::Fast);
        const Generation expected = generate(there, nullptr, prompt, options, {}, progress);
        for (const int alternatives : {0, 1}) { // chosen by the device, and not
            TextModel model(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
            options.alternatives = alternatives;
            TokenGenerator generator(model, nullptr, options);
            generator.start(prompt, progress);
            QVERIFY(model.onGpu());
            model.limitDeviceMemory(model.memoryBytes() + 1000);
            int64_t onGpu = 0;
            while (generator.next(progress))
                onGpu += model.onGpu();
            // The cache was made for 1024 tokens; the last one need not fit.
            QCOMPARE(onGpu, 5);
            QCOMPARE(generator.result().ids, expected.ids);
            QCOMPARE(model.deviceName(), std::string("processor"));
            QVERIFY2(model.whyNoGpu().find("1,025 tokens") != std::string::npos,
                     model.whyNoGpu().c_str());
            QCOMPARE(hostCuda::counts().allocated, 0);
        }
        // Room for what is needed is enough where there is none for twice as much.
        TextModel model(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        const std::vector<int32_t> first(prompt.begin(), prompt.begin() + 1000);
        model.advance(first);
        const int64_t cache = 2 * weights->config().layers * weights->config().kvHeads *
                              weights->config().headDim * 2;
        model.limitDeviceMemory(model.memoryBytes() + 1200 * cache);
        model.advance(ids(190, weights->config().vocab));
        QVERIFY(model.onGpu());
        COMPARE_ERROR(model.advance(ids(500, weights->config().vocab)), "may be used");
    }

    void whereItCannot() {
        const auto weights = sample();
        Behaviour little;
        little.memoryBytes = 1 << 20;
        TextModel small(weights, compute(), Arithmetic::Fast, KvType::F16, gpu(little));
        QCOMPARE(small.deviceName(), std::string("processor"));
        QVERIFY2(small.whyNoGpu().find("it needs about") == 0, small.whyNoGpu().c_str());
        TextModel wide(weights, compute(), Arithmetic::Fast, KvType::F32, gpu());
        QVERIFY(wide.whyNoGpu().find("float32") != std::string::npos);
        TextModel exact(weights, compute(), Arithmetic::Exact, KvType::F16, gpu());
        QVERIFY(exact.whyNoGpu().find("exact") != std::string::npos);
        QCOMPARE(exact.deviceName(), std::string("processor"));
    }

    /// Sizes are estimates, and other programs take memory while weights are loaded: then the
    /// processor has the model, be it while blocks come or when the first tokens run.
    void memoryEnds_data() {
        QTest::addColumn<int>("left"); // bytes behind the constructor; -1: for all but the cache
        QTest::addColumn<bool>("loads");
        QTest::addRow("no block") << 0 << true;
        QTest::addRow("some blocks") << 400000 << true;
        QTest::addRow("without load()") << 400000 << false;
        QTest::addRow("no cache") << -1 << true;
    }
    void memoryEnds() {
        QFETCH(int, left);
        QFETCH(bool, loads);
        const auto weights = weightsOf(golden("llama2-gqa"));
        const std::vector<int32_t> all = ids(20, weights->config().vocab);
        const ModelPlace place = gpu();
        TextModel there(weights, compute(), Arithmetic::Fast);
        {
            TextModel here(weights, compute(), Arithmetic::Fast, KvType::F16, place);
            QVERIFY2(here.whyNoGpu().empty(), here.whyNoGpu().c_str());
            const auto takeAllBut = [&](int64_t bytes) {
                hostCuda::takeMemory(place.device->freeBytes() - bytes);
            };
            NoProgress progress;
            if (left >= 0) takeAllBut(left);
            if (loads) here.load(progress);
            if (left < 0) {
                QCOMPARE(here.deviceName(), std::string("Emulated"));
                takeAllBut(1000);
            }
            if (!loads) QCOMPARE(here.deviceName(), std::string("Emulated"));
            const std::vector<float> expected = there.advance(all);
            const std::vector<float> got = here.advance(all);
            QCOMPARE(furthest(expected, got), 0.0); // the very same decoder
            QCOMPARE(here.deviceName(), std::string("processor"));
            QVERIFY2(here.whyNoGpu().find("out of memory") != std::string::npos,
                     here.whyNoGpu().c_str());
            QCOMPARE(hostCuda::counts().allocated, 0);
            QCOMPARE(hostCuda::counts().matrices, 0);
        }
    }

    /// What is free now decides, not what was when the device was opened.
    void freeMemoryNow() {
        const auto weights = weightsOf(golden("llama2-gqa"));
        const ModelPlace place = gpu();
        QCOMPARE(runtime::GpuDecoder::whyNot(*weights, KvType::F16, *place.device), std::string());
        hostCuda::takeMemory(place.device->freeBytes() - 4096);
        const std::string why = runtime::GpuDecoder::whyNot(*weights, KvType::F16, *place.device);
        QVERIFY2(why.find("4.10 kB free") != std::string::npos, why.c_str());
    }

    /// A cache that grows takes no more than one layer twice, and just what is needed where the
    /// next size does not fit; what it holds stays, even where nothing fits.
    void cacheNearTheLimit() {
        const auto weights =
            std::make_shared<Variant>(weightsOf(golden("llama2-gqa")), 8000, false);
        const ModelConfig& config = weights->config();
        const std::vector<int32_t> all = ids(1300, config.vocab);
        for (const KvType kv : {KvType::F16, KvType::Int8}) {
            TextModel there(weights, compute(), Arithmetic::Fast, kv);
            const ModelPlace place = gpu();
            TextModel here(weights, compute(), Arithmetic::Fast, kv, place);
            size_t at = 0;
            const auto run = [&](size_t n) {
                const std::span part = std::span(all).subspan(at, n);
                const double far = furthest(there.advance(part), here.advance(part));
                at += n;
                return far;
            };
            const double limit = kv == KvType::F16 ? 5e-3 : 5e-2;
            QVERIFY(run(1000) < limit);
            const int64_t row = kv == KvType::F16 ? 2 * config.headDim : config.headDim + 4;
            const int64_t layer = 2 * config.kvHeads * row; // a position
            const int64_t before = hostCuda::counts().allocated;
            // 1100 positions, one layer of them twice, and a little of 2048.
            hostCuda::takeMemory(place.device->freeBytes() -
                                 layer * (config.layers * (1100 - 1024) + 1700));
            QVERIFY(run(100) < limit);
            QCOMPARE(hostCuda::counts().allocated - before, layer * config.layers * (1100 - 1024));
            // Nothing fits.
            hostCuda::takeMemory(place.device->freeBytes());
            COMPARE_ERROR(here.advance(std::span(all).subspan(at, 100)), "out of memory");
            QCOMPARE(here.position(), int64_t(at));
            hostCuda::takeMemory(-(int64_t(1) << 30));
            QVERIFY(run(100) < limit);
            // Doubling, layer by layer.
            const int64_t held = hostCuda::counts().allocated;
            const int64_t most = hostCuda::counts().most;
            QVERIFY(most - held <= layer * 2400);
        }
    }

    /// A device that stopped in the middle computes nothing any more, whoever asks.
    void deviceLost() {
        static bool lost;
        lost = false;
        static BitloomCudaApi right;
        right = hostCuda::api({});
        BitloomCudaApi api = right;
        api.launchGraph = [](BitloomCudaContext* context, BitloomCudaGraph* graph) {
            return lost ? int(BITLOOM_CUDA_LOST) : right.launchGraph(context, graph);
        };
        const ModelPlace place{ModelPlace::Gpu, std::make_shared<CudaDevice>(CudaLibrary::of(api))};
        const auto weights = weightsOf(golden("llama2-gqa"));
        TextModel model(weights, compute(), Arithmetic::Fast, KvType::F16, place);
        const std::vector<int32_t> all = ids(6, weights->config().vocab);
        for (size_t i = 0; i < 4; ++i)
            model.advance({&all[i], 1});
        lost = true;
        try {
            model.advance({&all[4], 1});
            QFAIL("no error");
        } catch (const Error& error) {
            QCOMPARE(int(error.code()), int(ErrorCode::Failed));
            QVERIFY(error.hint().find("Start the program again") == 0);
        }
        lost = false;
        const int64_t direct = hostCuda::counts().direct;
        COMPARE_ERROR(model.advance({&all[4], 1}), "Emulated has failed");
        COMPARE_ERROR(model.advance(all), "Emulated has failed");
        COMPARE_ERROR(model.chooseNext(), "Emulated has failed");
        QCOMPARE(model.position(), 4);
        QCOMPARE(hostCuda::counts().direct, direct);
        TextModel next(weights, compute(), Arithmetic::Fast, KvType::F16, place);
        QCOMPARE(next.deviceName(), std::string("processor"));
        QVERIFY(next.whyNoGpu().find("Emulated has failed") == 0);
    }

    /// What it says that it holds is what has been allocated.
    void memoryHeld() {
        const auto base = sample();
        for (const int form : {0, 1, 2}) {
            const auto weights =
                form == 0 ? base : std::make_shared<Variant>(quantized(base), 512, form == 2);
            TextModel here(weights, compute(), Arithmetic::Fast, KvType::Int8, gpu());
            NoProgress progress;
            here.load(progress);
            const std::vector<int32_t> all = ids(40, weights->config().vocab);
            here.advanceAll(all);
            here.advance({&all[0], 1});
            QCOMPARE(here.memoryBytes(), hostCuda::counts().allocated);
            QVERIFY(here.weightBytes() < here.memoryBytes());
        }
    }

    /// Measurements with weights that are made up on the device.
    void madeUpWeights() {
        const ModelConfig config = smallConfig();
        for (const double bits : {2.4, 8.0, 16.0}) {
            const auto weights = runtime::syntheticModel(config, bits, bits < 8 ? 0.01 : 0, true);
            NoProgress progress;
            const runtime::ModelSpeed speed =
                runtime::measureModel(weights, compute(), KvType::F16, gpu(), 40, 12, 20, progress);
            QCOMPARE(speed.deviceName, std::string("Emulated"));
            QCOMPARE(speed.tokenSeconds.size(), size_t(12));
            QVERIFY(speed.weightBytes > 0);
            COMPARE_ERROR(TextModel(weights, compute(), Arithmetic::Fast).load(progress),
                          "on a GPU");
        }
    }

    void refuses() {
        const auto weights = weightsOf(golden("llama2-gqa"));
        TextModel model(weights, compute(), Arithmetic::Fast, KvType::F16, gpu());
        COMPARE_ERROR(model.advance(std::span<const int32_t>()), "nothing to run");
        const std::vector<int32_t> outside{int32_t(weights->config().vocab)};
        COMPARE_ERROR(model.advance(outside), "outside the vocabulary");
        const std::vector<int32_t> tooMany(size_t(weights->config().maxPositions + 1), 1);
        COMPARE_ERROR(model.advance(tooMany), "is full");
        QCOMPARE(model.position(), 0);
        // A stop leaves the cache as it was.
        const std::vector<int32_t> all = ids(30, weights->config().vocab);
        TextModel other(weights, compute(), Arithmetic::Fast);
        model.advance(std::span(all).first(10));
        other.advance(std::span(all).first(10));
        Cancelling progress(2);
        COMPARE_ERROR(model.advance(std::span(all).subspan(10), &progress), "cancelled");
        QCOMPARE(model.position(), 10);
        QVERIFY(furthest(model.advance(std::span(all).subspan(10)),
                         other.advance(std::span(all).subspan(10))) < 5e-3);
    }
};

QTEST_APPLESS_MAIN(TestGpuDecoder)
#include "tst_gpu_decoder.moc"
