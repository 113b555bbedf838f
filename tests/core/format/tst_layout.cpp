// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/layout.h"

#include "core/format/checkpoint_reader.h"
#include "core/format/checkpoint_writer.h"
#include "core/io/durable.h"
#include "tests/core/format/format_testing.h"

#include <fstream>
#include <set>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace fs = std::filesystem;

namespace {

/// A copy of a golden model with files that a checkpoint takes over, and some that it does not.
fs::path dressedModel(const fs::path& folder, const std::string& golden) {
    fs::copy(formatTesting::golden(golden), folder);
    const auto write = [&](const char* name, const std::string& text) {
        writeFileAtomically(folder / name, text);
    };
    write("tokenizer.json", R"({"model": {}})");
    write("tokenizer_config.json", "{}");
    write("chat_template.jinja", std::string(5000, 'x'));
    write("LICENSE.txt", "terms");
    write("NOTICE \"quoted\"", "notice");
    write("README.md", "the card of the original");
    write("pytorch_model.bin", "not wanted");
    return folder;
}

/// A model of other dimensions whose weights are a hole in a file.
std::shared_ptr<const Checkpoint> hollowModel(const fs::path& folder, const nlohmann::json& sizes) {
    auto config = readJsonFile(golden("llama2-gqa") / "config.json");
    config.update(sizes);
    writeFileAtomically(folder / "config.json", config.dump());
    std::vector<TensorSpec> specs;
    for (const auto& expected : Catalogue::make(ModelConfig::load(folder)).expected)
        specs.push_back({expected.name, DType::BF16, expected.shape});
    const SafetensorsLayout shape(specs, {{"format", "pt"}});
    std::ofstream(folder / "model.safetensors", std::ios::binary) << shape.header();
    fs::resize_file(folder / "model.safetensors", shape.fileBytes());
    return Checkpoint::open(folder.string());
}

} // namespace

class TestLayout : public QObject {
    Q_OBJECT

private slots:
    void predictedIsOnDisk_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<int>("plan");
        QTest::addColumn<bool>("rows8");
        QTest::addColumn<qint64>("maxShardBytes");
        const Storage plans[] = {Storage::Dense, Storage::Columns, Storage::Groups, Storage::Mixed};
        for (const char* model : {"llama2-gqa", "qwen2-bias-tied"})
            for (const Storage plan : plans)
                for (const bool rows8 : {false, true})
                    QTest::addRow("%s, plan %d%s", model, int(plan), rows8 ? ", rows8" : "")
                        << QString(model) << int(plan) << rows8 << qint64(5'000'000'000);
        for (const qint64 maxShardBytes : {1, 30'000, 60'000, 200'000})
            QTest::addRow("shards of %lld", maxShardBytes)
                << "llama2-gqa" << int(Storage::Mixed) << true << maxShardBytes;
        for (const char* model : {"qwen3-qknorm", "mistral-sliding", "llama3-rope-tied-sharded"})
            QTest::newRow(model) << QString(model) << int(Storage::Mixed) << true
                                 << qint64(100'000);
    }
    void predictedIsOnDisk() {
        QFETCH(QString, model);
        QFETCH(int, plan);
        QFETCH(bool, rows8);
        QFETCH(qint64, maxShardBytes);
        Folder temporary;
        const fs::path folder = temporary.path();
        const auto source =
            Checkpoint::open(dressedModel(folder / "model", model.toStdString()).string());
        CheckpointSpec spec = randomSpec(*source, Storage(plan), uint64_t(plan) + 1);
        spec.head = rows8 ? HeadStorage::Rows8 : HeadStorage::Keep;
        spec.maxShardBytes = maxShardBytes;
        const CheckpointLayout layout(*source, spec);
        const SizeParts parts = predictSize(*source, spec);
        QVERIFY(parts == layout.parts());

        auto recipe = spec.recipe;
        recipe["measured"] = {{"ppl", 5.4321}, {"nll", 1.2345}, {"tokens", 341469}};
        writeAll(folder / "out", *source, layout, recipe);

        std::map<std::string, int64_t> predicted;
        for (const auto& shard : layout.shards())
            predicted[shard.fileName] = int64_t(shard.layout.fileBytes());
        for (const auto& file : layout.files())
            predicted[file.name] = file.bytes;
        std::map<std::string, int64_t> onDisk;
        int64_t total = 0;
        for (const auto& [name, content] : contentOf(folder / "out")) {
            onDisk[name] = int64_t(content.size());
            total += int64_t(content.size());
        }
        QVERIFY(predicted == onDisk);
        QCOMPARE(total, parts.totalBytes);
        QVERIFY(onDisk.contains("LICENSE.txt") && onDisk.contains("chat_template.jinja"));
        QVERIFY(!onDisk.contains("pytorch_model.bin"));
        QVERIFY(readTextFile(folder / "out" / "README.md").find("Bitloom") != std::string::npos);

        // A shard is too large only where one linear or tensor alone is.
        for (const auto& shard : layout.shards()) {
            if (int64_t(shard.layout.fileBytes()) <= maxShardBytes) continue;
            std::set<std::string> units;
            for (const TensorInfo& tensor : shard.layout.tensors())
                units.insert(tensor.name.substr(0, tensor.name.rfind('.')));
            QCOMPARE(units.size(), size_t(1));
        }
        QCOMPARE(layout.shards().size() > 1, onDisk.contains("model.safetensors.index.json"));
        if (maxShardBytes == 60'000) QVERIFY(layout.shards().size() > 2);

        // The parts that the reader counts in the files are those that were predicted.
        const auto written = QuantizedCheckpoint::open(folder / "out");
        QVERIFY(written->parts() == parts);
        QCOMPARE(written->folderBytes(), total);
        QCOMPARE(written->recipe().at("measured").at("tokens").get<int>(), 341469);
        QCOMPARE(written->recipe().at("stored").at("bits_per_weight").get<double>(),
                 parts.bitsPerWeight());
        NoProgress progress;
        QCOMPARE(written->verify(2, progress), std::vector<std::string>());
    }

    void partsAddUp() {
        Folder temporary;
        // Rows that are no multiple of 32, so that there is padding.
        const auto source = hollowModel(temporary.path(), {{"hidden_size", 120},
                                                           {"intermediate_size", 333},
                                                           {"head_dim", 30},
                                                           {"num_attention_heads", 4},
                                                           {"num_key_value_heads", 1}});
        const CheckpointSpec spec = randomSpec(*source, Storage::Columns, 7);
        const SizeParts parts = predictSize(*source, spec);
        // Stored bits by the definition of a column's cost, which the allocator budgets with.
        int64_t bits = 0, weights = 0, payload = 0;
        for (const LinearInfo& linear : source->catalogue().linears) {
            const LayerFormat& format = spec.layers.at(linear.name);
            bits += int64_t(format.classes.size()) * classListBytes * 8;
            weights += linear.rows * linear.cols;
            for (const uint8_t id : format.classOf) {
                const ColumnClass& of = format.classes[id];
                if (of.kind != PointKind::Raw) payload += of.bits * linear.rows;
                bits += columnBits({of.kind, of.bits, double(of.outliers) / double(linear.rows)},
                                   linear.rows);
            }
        }
        QCOMPARE(parts.linearBytes * 8, bits);
        QCOMPARE(parts.linearWeights, weights);
        QCOMPARE(parts.codes + parts.padding + parts.tables + parts.scales + parts.classes +
                     parts.outliers + parts.raw,
                 parts.linearBytes);
        QVERIFY(parts.padding > 0 && parts.outliers > 0 && parts.raw > 0);
        QCOMPARE(parts.codes, (payload + 7) / 8);
        QCOMPARE(parts.linearBytes + parts.embeddingAndHead + parts.otherTensors +
                     parts.headersAndFiles,
                 parts.totalBytes);
    }

    void denseIsSixteenBits() {
        const auto source = Checkpoint::open(golden("llama2-gqa").string());
        QCOMPARE(predictSize(*source, randomSpec(*source, Storage::Dense, 1)).bitsPerWeight(),
                 16.0);
    }

    void tiedPairsAreStoredOnce() {
        const auto source = Checkpoint::open(golden("qwen2-bias-tied").string());
        CheckpointSpec spec = randomSpec(*source, Storage::Columns, 1);
        spec.head = HeadStorage::Rows8;
        const auto& config = source->config();
        QCOMPARE(predictSize(*source, spec).embeddingAndHead, config.vocab * (config.hidden + 2));
        const CheckpointLayout layout(*source, spec);
        QVERIFY(layout.locate("model.embed_tokens.weight").second.dtype == DType::I8);
        QVERIFY(layout.locate("model.embed_tokens.row_scale").second.dtype == DType::F16);
        COMPARE_ERROR(layout.locate("lm_head.weight"), "lm_head.weight");
    }

    void unusedTensorsStayBehind() {
        Folder temporary;
        const fs::path folder = temporary.path();
        fs::copy(golden("llama2-gqa"), folder / "model");
        const auto whole = SafetensorsFile::open(folder / "model" / "model.safetensors");
        std::vector<TensorBytes> tensors;
        for (const TensorInfo& tensor : whole->tensors())
            tensors.push_back({{tensor.name, tensor.dtype, tensor.shape}, whole->data(tensor)});
        const std::vector<float> frequencies(8, 1.0f);
        tensors.push_back({{"model.layers.0.self_attn.rotary_emb.inv_freq", DType::F32, {8}},
                           std::as_bytes(std::span(frequencies))});
        writeSafetensors(folder / "model" / "model.safetensors", tensors, {{"format", "pt"}});
        const auto source = Checkpoint::open((folder / "model").string());
        const CheckpointLayout layout(*source, randomSpec(*source, Storage::Columns, 1));
        COMPARE_ERROR(layout.locate("model.layers.0.self_attn.rotary_emb.inv_freq"), "inv_freq");
    }

    /// Names, offsets and counts with many digits: a 7B model.
    void largeModel() {
        Folder temporary;
        const auto source = hollowModel(temporary.path(), {{"hidden_size", 4096},
                                                           {"intermediate_size", 11008},
                                                           {"num_hidden_layers", 32},
                                                           {"vocab_size", 32000},
                                                           {"head_dim", 128},
                                                           {"num_attention_heads", 32},
                                                           {"num_key_value_heads", 32}});
        CheckpointSpec spec = randomSpec(*source, Storage::Mixed, 3);
        QVERIFY(predictSize(*source, spec) == CheckpointLayout(*source, spec).parts());
        spec.maxShardBytes = 500'000'000;
        QVERIFY(predictSize(*source, spec) == CheckpointLayout(*source, spec).parts());
        spec = randomSpec(*source, Storage::Columns, 4);
        spec.head = HeadStorage::Rows8;
        QVERIFY(predictSize(*source, spec) == CheckpointLayout(*source, spec).parts());
    }

    void refusesWhatDoesNotFit() {
        const auto source = Checkpoint::open(golden("llama2-gqa").string());
        const std::string name = source->catalogue().linears[3].name;
        const auto spec = randomSpec(*source, Storage::Columns, 1);
        const auto with = [&](auto change) {
            CheckpointSpec changed = spec;
            change(changed);
            const std::string first = errorOf([&] { CheckpointLayout(*source, changed); });
            const std::string second = errorOf([&] { predictSize(*source, changed); });
            return first == second ? first : first + " / " + second;
        };
        const auto contains = [](const std::string& text, const std::string& part) {
            return text.find(part) != std::string::npos;
        };
        QVERIFY(contains(with([](auto& s) { s.layers["nothing"]; }), "no layer 'nothing'"));
        QVERIFY(contains(with([&](auto& s) { s.layers.at(name).classOf.pop_back(); }), name));
        QVERIFY(contains(with([&](auto& s) { s.layers.at(name).classOf[0] = 255; }), name));
        QVERIFY(contains(with([&](auto& s) { s.layers.at(name).classes.clear(); }), name));
        QVERIFY(contains(with([&](auto& s) {
                             s.layers.at(name).layout = LayerLayout::Group;
                             s.layers.at(name).group.bits = 1;
                         }),
                         name));
    }

    void longRecipesGetRoom() {
        const auto source = Checkpoint::open(golden("llama2-gqa").string());
        CheckpointSpec spec = randomSpec(*source, Storage::Columns, 1);
        spec.recipe["pins"] = std::vector<std::string>(5000, "layers.0=8");
        spec.recipe["odd"] = "not UTF-8: \xff\xfe | and a bar";
        Folder temporary;
        const fs::path out = temporary.path() / "out";
        const CheckpointLayout layout(*source, spec);
        writeAll(out, *source, layout, spec.recipe);
        QCOMPARE(QuantizedCheckpoint::open(out)->recipe().at("pins").size(), size_t(5000));

        auto tooLong = spec.recipe;
        tooLong["notes"] = std::string(20'000, 'n');
        COMPARE_ERROR(writeAll(temporary.path() / "other", *source, layout, tooLong),
                      "recipe.json");
    }
};

QTEST_APPLESS_MAIN(TestLayout)
#include "tst_layout.moc"
