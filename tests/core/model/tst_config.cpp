// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/model/catalogue.h"
#include "core/model/config.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <set>

using namespace bitloom;
using nlohmann::json;

namespace {

const std::string goldens = BITLOOM_TEST_DATA "/goldens/";

json llama() {
    return {{"architectures", {"LlamaForCausalLM"}},
            {"model_type", "llama"},
            {"hidden_size", 64},
            {"intermediate_size", 160},
            {"num_hidden_layers", 3},
            {"num_attention_heads", 4},
            {"vocab_size", 512}};
}

json with(json base, const char* patch) {
    base.merge_patch(json::parse(patch)); // null removes a key
    return base;
}

ModelConfig parse(const json& config) {
    return ModelConfig::parse(config, "config.json");
}

std::string errorOf(const json& config) {
    try {
        parse(config);
    } catch (const Error& error) {
        return std::string(error.what()) + "\n" + error.hint();
    }
    return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

json qwen() {
    json config = llama();
    config["architectures"] = {"Qwen2ForCausalLM"};
    config["model_type"] = "qwen2";
    return config;
}

json mistral() {
    json config = llama();
    config["architectures"] = {"MistralForCausalLM"};
    config["model_type"] = "mistral";
    return config;
}

using Windows = std::vector<int64_t>;

} // namespace

class TestConfig : public QObject {
    Q_OBJECT
private slots:
    void readsTheGoldens() {
        const ModelConfig llama2 = ModelConfig::load(goldens + "llama2-gqa");
        QCOMPARE(llama2.modelType, std::string("llama"));
        QCOMPARE(llama2.architecture, std::string("LlamaForCausalLM"));
        QCOMPARE(llama2.dtype, std::string("float16"));
        QCOMPARE(llama2.hidden, int64_t(64));
        QCOMPARE(llama2.intermediate, int64_t(160));
        QCOMPARE(llama2.layers, int64_t(3));
        QCOMPARE(llama2.heads, int64_t(4));
        QCOMPARE(llama2.kvHeads, int64_t(2));
        QCOMPARE(llama2.headDim, int64_t(16));
        QCOMPARE(llama2.vocab, int64_t(512));
        QCOMPARE(llama2.maxPositions, int64_t(128));
        QCOMPARE(llama2.normEps, 1e-5);
        QCOMPARE(llama2.ropeTheta, 10000.0);
        QVERIFY(!llama2.tiedEmbeddings && !llama2.attentionBias && !llama2.qkNorm);
        QCOMPARE(llama2.slidingWindow, Windows(3, 0));
        QVERIFY(llama2.bosToken == 1);
        QCOMPARE(llama2.eosTokens, std::vector<int64_t>{2});

        const ModelConfig llama3 = ModelConfig::load(goldens + "llama3-rope-tied-sharded");
        QVERIFY(llama3.ropeScaling.kind == RopeScalingKind::Llama3);
        QCOMPARE(llama3.ropeScaling.factor, 8.0);
        QCOMPARE(llama3.ropeScaling.lowFreqFactor, 1.0);
        QCOMPARE(llama3.ropeScaling.highFreqFactor, 4.0);
        QCOMPARE(llama3.ropeScaling.originalMaxPositions, int64_t(32));
        QCOMPARE(llama3.ropeTheta, 500000.0);
        QVERIFY(llama3.tiedEmbeddings);

        QCOMPARE(ModelConfig::load(goldens + "mistral-sliding").slidingWindow, Windows(3, 16));
        const ModelConfig qwen2 = ModelConfig::load(goldens + "qwen2-bias-tied");
        QVERIFY(qwen2.attentionBias && !qwen2.attentionOutBias && !qwen2.mlpBias);
        const ModelConfig qwen3 = ModelConfig::load(goldens + "qwen3-qknorm");
        QVERIFY(qwen3.qkNorm && !qwen3.attentionBias);
        QCOMPARE(qwen3.headDim, int64_t(32));
    }

    void fillsInDefaults() {
        const ModelConfig config = parse(llama());
        QCOMPARE(config.kvHeads, int64_t(4)); // absent: one per head
        QCOMPARE(config.headDim, int64_t(16));
        QCOMPARE(config.normEps, 1e-6);
        QCOMPARE(config.ropeTheta, 10000.0);
        QVERIFY(config.ropeScaling.kind == RopeScalingKind::None);
        QVERIFY(config.activation == Activation::Silu);
        QVERIFY(!config.tiedEmbeddings && !config.bosToken && config.eosTokens.empty());
        json nulls = llama();
        for (const char* key : {"head_dim", "num_key_value_heads", "rope_scaling",
                                "rope_parameters", "sliding_window", "eos_token_id", "bos_token_id",
                                "attention_bias", "torch_dtype", "dtype", "rms_norm_eps"})
            nulls[key] = nullptr;
        QCOMPARE(parse(nulls).headDim, int64_t(16));
        QCOMPARE(parse(with(llama(), R"({"architectures":null})")).architecture,
                 std::string("LlamaForCausalLM")); // told by its type
        QCOMPARE(parse(with(llama(), R"({"architectures":["LlamaModel"]})")).architecture,
                 std::string("LlamaForCausalLM"));
        json qwen3 = qwen();
        qwen3["architectures"] = {"Qwen3ForCausalLM"};
        QCOMPARE(parse(qwen3).headDim, int64_t(128)); // transformers' default, not 64 / 4
        qwen3["head_dim"] = nullptr;
        QCOMPARE(parse(qwen3).headDim, int64_t(16));
    }

    void readsBothSpellings() {
        QCOMPARE(parse(with(llama(), R"({"torch_dtype":"bfloat16"})")).dtype,
                 std::string("bfloat16"));
        QCOMPARE(parse(with(llama(), R"({"dtype":"torch.float32"})")).dtype,
                 std::string("float32"));
        const ModelConfig v4 = parse(with(llama(), R"({"rope_theta":500000.0,"rope_scaling":
            {"type":"linear","factor":2.5}})"));
        QVERIFY(v4.ropeScaling.kind == RopeScalingKind::Linear);
        QCOMPARE(v4.ropeScaling.factor, 2.5);
        QCOMPARE(v4.ropeTheta, 500000.0);
        const ModelConfig v5 = parse(with(llama(), R"({"rope_theta":1.0,"rope_parameters":
            {"rope_type":"linear","factor":2.5,"rope_theta":500000}})"));
        QVERIFY(v5.ropeScaling.kind == RopeScalingKind::Linear);
        QCOMPARE(v5.ropeTheta, 500000.0);
        const ModelConfig plain =
            parse(with(llama(), R"({"rope_scaling":{"rope_type":"default"}})"));
        QVERIFY(plain.ropeScaling.kind == RopeScalingKind::None);
        const ModelConfig llama3 = parse(with(llama(), R"({"max_position_embeddings":131072,
            "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,
            "high_freq_factor":4.0,"original_max_position_embeddings":8192}})"));
        QCOMPARE(llama3.ropeScaling.originalMaxPositions, int64_t(8192));
        QCOMPARE(llama3.maxPositions, int64_t(131072));
    }

    void readsBiases() {
        const ModelConfig biased =
            parse(with(llama(), R"({"attention_bias":true,"mlp_bias":true})"));
        QVERIFY(biased.attentionBias && biased.attentionOutBias && biased.mlpBias);
        const ModelConfig other =
            parse(with(mistral(), R"({"attention_bias":true,"mlp_bias":true})"));
        QVERIFY(!other.attentionBias && !other.attentionOutBias && !other.mlpBias);
        const ModelConfig qwen2 = parse(with(qwen(), R"({"attention_bias":false})"));
        QVERIFY(qwen2.attentionBias && !qwen2.attentionOutBias);
    }

    void readsWindows_data() {
        QTest::addColumn<QString>("architecture");
        QTest::addColumn<QString>("patch");
        QTest::addColumn<QList<int>>("windows");
        const auto row = [](const char* title, const char* architecture, const char* patch,
                            QList<int> windows) {
            QTest::newRow(title) << architecture << patch << windows;
        };
        row("llama has none", "LlamaForCausalLM", R"({"sliding_window":8})", {0, 0, 0});
        row("mistral", "MistralForCausalLM", R"({"sliding_window":8})", {8, 8, 8});
        row("mistral default", "MistralForCausalLM", "{}", {4096, 4096, 4096});
        row("qwen off", "Qwen2ForCausalLM",
            R"({"sliding_window":8,"use_sliding_window":false,"max_window_layers":0})", {0, 0, 0});
        row("qwen from layer 1", "Qwen2ForCausalLM",
            R"({"sliding_window":8,"use_sliding_window":true,"max_window_layers":1})", {0, 8, 8});
        row("qwen beyond", "Qwen2ForCausalLM",
            R"({"sliding_window":8,"use_sliding_window":true,"max_window_layers":28})", {0, 0, 0});
        row("qwen by type", "Qwen3ForCausalLM",
            R"({"sliding_window":8,"use_sliding_window":true,"max_window_layers":0,"layer_types":
               ["sliding_attention","full_attention","sliding_attention"]})",
            {8, 0, 8});
        row("qwen all full", "Qwen2ForCausalLM",
            R"({"use_sliding_window":false,"layer_types":
               ["full_attention","full_attention","full_attention"]})",
            {0, 0, 0});
    }
    void readsWindows() {
        QFETCH(QString, architecture);
        QFETCH(QString, patch);
        QFETCH(QList<int>, windows);
        json config = with(llama(), patch.toUtf8().constData());
        config["architectures"] = {architecture.toStdString()};
        QCOMPARE(parse(config).slidingWindow, Windows(windows.begin(), windows.end()));
    }
    void nullIsNoWindow() {
        json config = mistral();
        config["sliding_window"] = nullptr;
        QCOMPARE(parse(config).slidingWindow, Windows(3, 0));
    }

    void readsTokens() {
        const ModelConfig one = parse(with(llama(), R"({"bos_token_id":1,"eos_token_id":2})"));
        QVERIFY(one.bosToken == 1);
        QCOMPARE(one.eosTokens, std::vector<int64_t>{2});
        const ModelConfig list = parse(with(llama(), R"({"eos_token_id":[5,3,5]})"));
        QCOMPARE(list.eosTokens, (std::vector<int64_t>{5, 3}));
        const ModelConfig old =
            parse(with(llama(), R"({"bos_token_id":-1,"eos_token_id":[-1,512]})"));
        QVERIFY(!old.bosToken && old.eosTokens.empty());

        QTemporaryDir folder;
        const auto write = [&](const char* name, const std::string& text) {
            QFile file(folder.filePath(name));
            QVERIFY(file.open(QIODevice::WriteOnly));
            file.write(text.data(), qint64(text.size()));
        };
        write("config.json", with(llama(), R"({"eos_token_id":2})").dump());
        write("generation_config.json", R"({"eos_token_id":[7,2]})");
        QCOMPARE(ModelConfig::load(folder.path().toStdString()).eosTokens,
                 (std::vector<int64_t>{2, 7}));
    }

    void refuses_data() {
        QTest::addColumn<QString>("patch");
        QTest::addColumn<QString>("reason");
        const auto row = [](const char* patch, const char* reason) {
            QTest::newRow(patch) << patch << reason;
        };
        row(R"({"hidden_size":null})", "'hidden_size' is missing");
        row(R"({"vocab_size":null})", "'vocab_size' is missing");
        row(R"({"hidden_size":"64"})", "'hidden_size' is not a whole number");
        row(R"({"hidden_size":64.5})", "'hidden_size' is not a whole number");
        row(R"({"hidden_size":0})", "'hidden_size' is 0");
        row(R"({"hidden_size":-64})", "'hidden_size' is -64");
        row(R"({"hidden_size":18446744073709551615})", "'hidden_size' is 18446744073709551615");
        row(R"({"hidden_size":1e300})", "'hidden_size'");
        row(R"({"num_hidden_layers":1000000000})", "'num_hidden_layers' is 1000000000");
        row(R"({"vocab_size":4294967296})", "'vocab_size'");
        row(R"({"num_attention_heads":5})", "does not divide 'hidden_size'");
        row(R"({"num_attention_heads":64})", "'head_dim' (1) is not even");
        row(R"({"num_key_value_heads":3})", "does not divide 'num_attention_heads'");
        row(R"({"num_key_value_heads":8})", "does not divide");
        row(R"({"head_dim":15})", "'head_dim' (15) is not even");
        row(R"({"hidden_act":"mish"})", "'hidden_act' is 'mish'");
        row(R"({"rms_norm_eps":-1})", "'rms_norm_eps'");
        row(R"({"tie_word_embeddings":1})", "neither true nor false");
        row(R"({"rope_theta":0})", "'rope_theta'");
        row(R"({"rope_scaling":[]})", "'rope_scaling' is not an object");
        row(R"({"rope_scaling":{"type":"yarn","factor":4}})", "'yarn' is not supported");
        row(R"({"rope_scaling":{"type":"dynamic","factor":4}})", "'dynamic' is not supported");
        row(R"({"rope_parameters":{"rope_type":"longrope"}})", "'longrope' is not supported");
        row(R"({"rope_scaling":{"type":"linear"}})", "rope_scaling: 'factor' is missing");
        row(R"({"rope_scaling":{"type":"linear","factor":0.5}})", "'factor' is 0.5");
        row(R"({"rope_scaling":{"rope_type":"llama3","factor":8}})",
            "'low_freq_factor' is missing");
        row(R"({"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,
                "high_freq_factor":4}})",
            "must be larger");
        row(R"({"rope_parameters":{"full_attention":{"rope_theta":1}}})",
            "between kinds of layers");
        row(R"({"rope_parameters":{"partial_rotary_factor":0.5}})", "partial_rotary_factor");
        row(R"({"eos_token_id":"</s>"})", "'eos_token_id'");
        row(R"({"architectures":["OPTForCausalLM"]})", "It reads Llama 2 and 3 (LlamaForCausalLM), "
                                                       "Mistral");
        row(R"({"architectures":["MixtralForCausalLM"]})", "'MixtralForCausalLM'");
        row(R"({"architectures":[7]})", "'architectures' is not a list");
        row(R"({"architectures":{"a":1}})", "'architectures' is not a list");
        row(R"({"architectures":null,"model_type":null})", "'architectures' is missing");
        row(R"({"architectures":[],"model_type":"gpt2"})", "of type 'gpt2'");
        row(R"({"architectures":["Qwen2ForCausalLM"],"layer_types":["full_attention"]})",
            "an entry for each layer");
        row(R"({"architectures":["Qwen2ForCausalLM"],"layer_types":
                ["full_attention","full_attention","linear_attention"]})",
            "linear_attention");
        row(R"({"architectures":["Qwen2ForCausalLM"],"layer_types":
                ["full_attention","full_attention","sliding_attention"]})",
            "sliding_attention, but");
        row(R"({"architectures":["MistralForCausalLM"],"sliding_window":0})",
            "'sliding_window' is 0");
    }
    void refuses() {
        QFETCH(QString, patch);
        QFETCH(QString, reason);
        const std::string message = errorOf(with(llama(), patch.toUtf8().constData()));
        QVERIFY2(contains(message, reason.toStdString()), message.c_str());
        QVERIFY2(message.starts_with("config.json"), message.c_str());
    }
    void refusesWhatIsNoObject() {
        QVERIFY(contains(errorOf(json::array()), "not a JSON object"));
        QVERIFY(contains(errorOf(json()), "not a JSON object"));
        QVERIFY_EXCEPTION_THROWN(ModelConfig::load("/no/such/folder"), Error);
        Catalogue catalogue;
        ModelConfig unknown;
        unknown.architecture = "OPTForCausalLM";
        QVERIFY_EXCEPTION_THROWN(catalogue = Catalogue::make(unknown), Error);
    }

    void cataloguesFitTheirModels_data() {
        QTest::addColumn<QString>("model");
        for (const QString& name :
             QDir(QString::fromStdString(goldens)).entryList(QDir::Dirs | QDir::NoDotAndDotDot))
            QTest::newRow(qPrintable(name)) << name;
    }
    void cataloguesFitTheirModels() {
        QFETCH(QString, model);
        const ModelConfig config = ModelConfig::load(goldens + model.toStdString());
        const Catalogue catalogue = Catalogue::make(config);
        QCOMPARE(catalogue.linears.size(), size_t(config.layers * 7));
        QCOMPARE(catalogue.groups.size(), size_t(config.layers * 4));
        QCOMPARE(catalogue.head == catalogue.embedding, config.tiedEmbeddings);
        QCOMPARE(catalogue.queryNorm.empty(), !config.qkNorm);
        std::set<std::string> expected;
        for (const auto& tensor : catalogue.expected)
            QVERIFY(expected.insert(tensor.name).second);
        std::set<int64_t> grouped;
        for (size_t g = 0; g < catalogue.groups.size(); ++g)
            for (const int64_t index : catalogue.groups[g].linears) {
                const LinearInfo& linear = catalogue.linears[size_t(index)];
                QVERIFY(grouped.insert(index).second);
                QCOMPARE(linear.inputGroup, int64_t(g));
                QCOMPARE(linear.cols, catalogue.groups[g].cols);
                QCOMPARE(linear.block, catalogue.groups[g].block);
                QVERIFY(linear.name.starts_with(catalogue.block(linear.block)));
                QVERIFY(expected.contains(linear.name + ".weight"));
                QCOMPARE(expected.contains(linear.name + ".bias"), linear.bias);
                QVERIFY(catalogue.find(linear.name) == &linear);
            }
        QCOMPARE(grouped.size(), catalogue.linears.size());
        QCOMPARE(catalogue.linearsOfBlock(1), (std::vector<int64_t>{7, 8, 9, 10, 11, 12, 13}));
        QVERIFY(!catalogue.find("model.layers.0.self_attn"));
        QCOMPARE(catalogue.groups[2].name, std::string("model.layers.0.mlp_in"));
        QVERIFY(catalogue.linears[6].role == LinearRole::Down);
    }
};

QTEST_APPLESS_MAIN(TestConfig)
#include "tst_config.moc"
