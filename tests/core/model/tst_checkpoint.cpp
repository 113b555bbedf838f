// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/model/checkpoint.h"
#include "core/model/local_cache.h"
#include "kernels/half.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

using namespace bitloom;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const std::string goldens = BITLOOM_TEST_DATA "/goldens/";
const char* const gate = "model.layers.1.mlp.gate_proj.weight";

std::string errorOf(const std::string& model) {
    try {
        Checkpoint::open(model);
    } catch (const Error& error) {
        return std::string(error.what()) + "\n" + error.hint();
    }
    return "opened";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A model folder that can be spoilt: a copy of a golden one.
class Folder {
public:
    explicit Folder(const char* golden = "llama2-gqa") {
        for (const auto& entry : fs::directory_iterator(goldens + golden))
            if (entry.path().filename() != "golden.safetensors")
                fs::copy_file(entry.path(), path() / entry.path().filename());
    }

    fs::path path() const { return m_folder.path().toStdString(); }
    std::string text() const { return path().string(); }
    std::string error() const { return errorOf(text()); }

    void write(const char* name, std::string_view content) {
        fs::remove(path() / name);
        writeFileAtomically(path() / name, content);
    }

    void editJson(const char* name, const std::function<void(json&)>& edit) {
        json object = readJsonFile(path() / name);
        edit(object);
        write(name, object.dump());
    }

    struct Owned {
        TensorSpec spec;
        std::vector<std::byte> bytes;
    };
    using Tensors = std::map<std::string, Owned>;

    /// Rewrites a weight file with changed tensors.
    void editTensors(const std::function<void(Tensors&)>& edit,
                     const char* name = "model.safetensors") {
        Tensors tensors;
        {
            const auto file = SafetensorsFile::open(path() / name);
            for (const TensorInfo& info : file->tensors()) {
                const auto data = file->data(info);
                tensors[info.name] = {{info.name, info.dtype, info.shape},
                                      {data.begin(), data.end()}};
            }
        }
        edit(tensors);
        std::vector<TensorBytes> list;
        for (const auto& [key, tensor] : tensors)
            list.push_back({tensor.spec, tensor.bytes});
        writeSafetensors(path() / name, list);
    }

private:
    QTemporaryDir m_folder;
};

std::vector<float> readAll(const Checkpoint& checkpoint, const std::string& name) {
    std::vector<float> values(size_t(checkpoint.require(name).info.elements()));
    checkpoint.readFloat(name, values);
    return values;
}

} // namespace

class TestCheckpoint : public QObject {
    Q_OBJECT
private slots:
    void opensTheGoldens_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<qint64>("parameters");
        // Summed by hand from the shapes: V·D (twice if untied) + D + L·(…).
        QTest::newRow("llama2") << "llama2-gqa"
                                << qint64(2 * 512 * 64 + 64 +
                                          3 * (2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 160 * 64));
        QTest::newRow("llama3") << "llama3-rope-tied-sharded"
                                << qint64(162240); // the index says so
        QTest::newRow("mistral") << "mistral-sliding" << qint64(195008);
        QTest::newRow("qwen2") << "qwen2-bias-tied" << qint64(162240 + 3 * (64 + 32 + 32));
        QTest::newRow("qwen3") << "qwen3-qknorm"
                               << qint64(512 * 64 + 64 +
                                         3 * (2 * 64 + 2 * 32 + 128 * 64 * 2 + 2 * 64 * 64 +
                                              3 * 160 * 64));
    }
    void opensTheGoldens() {
        QFETCH(QString, model);
        QFETCH(qint64, parameters);
        const auto checkpoint = Checkpoint::open(goldens + model.toStdString());
        QCOMPARE(qint64(checkpoint->parameters()), parameters);
        QCOMPARE(checkpoint->fingerprint().size(), size_t(32));
        for (const auto& expected : checkpoint->catalogue().expected) {
            const auto values = readAll(*checkpoint, expected.name);
            QVERIFY(std::ranges::any_of(values, [](float value) { return value != 0; }));
        }
        int64_t bytes = 0;
        for (const auto& entry : fs::directory_iterator(goldens + model.toStdString()))
            if (entry.path().filename().string().starts_with("model") &&
                entry.path().extension() == ".safetensors")
                bytes += int64_t(fs::file_size(entry.path()));
        QCOMPARE(checkpoint->weightBytes(), bytes);
    }

    void convertsEveryDtypeAtAnyAlignment() {
        // The same values in four dtypes, in a file whose tensors begin at odd addresses.
        const std::vector<float> values{1.0f, -2.5f, 0.0f, 65504.0f, 0x1p-14f, -0.15625f};
        Folder folder;
        const auto original = Checkpoint::open(folder.text());
        folder.editTensors([&](Folder::Tensors& tensors) {
            const auto fill = [&](const std::string& name, DType dtype, auto convert) {
                Folder::Owned& tensor = tensors.at(name);
                tensor.spec.dtype = dtype;
                const auto count = size_t(tensor.spec.elements());
                using T = decltype(convert(0.0f));
                tensor.bytes.resize(count * sizeof(T));
                for (size_t i = 0; i < count; ++i) {
                    const T value = convert(values[i % values.size()]);
                    std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
                }
            };
            fill("model.norm.weight", DType::F64, [](float value) { return double(value); });
            fill("model.layers.0.input_layernorm.weight", DType::F32, [](float v) { return v; });
            fill(gate, DType::F16, [](float value) { return kernels::floatToHalf(value); });
            fill("model.layers.1.mlp.up_proj.weight", DType::BF16,
                 [](float value) { return kernels::floatToBfloat16(value); });
        });
        // Move all data by one byte: the header grows, offsets are shifted.
        {
            const auto file = SafetensorsFile::open(folder.path() / "model.safetensors");
            json header;
            for (const TensorInfo& tensor : file->tensors())
                header[tensor.name] = {{"dtype", dtypeName(tensor.dtype)},
                                       {"shape", tensor.shape},
                                       {"data_offsets", {tensor.begin + 1, tensor.end + 1}}};
            const std::string text = header.dump();
            std::string content;
            for (int i = 0; i < 8; ++i)
                content.push_back(char(text.size() >> (8 * i)));
            content += text + "#";
            for (const TensorInfo& tensor : file->tensors()) {
                const auto data = file->data(tensor);
                content.append(reinterpret_cast<const char*>(data.data()), data.size());
            }
            folder.write("model.safetensors", content);
        }
        const auto checkpoint = Checkpoint::open(folder.text());
        for (const char* name :
             {"model.norm.weight", "model.layers.0.input_layernorm.weight", gate}) {
            const auto read = readAll(*checkpoint, name);
            for (size_t i = 0; i < read.size(); ++i)
                QCOMPARE(read[i], values[i % values.size()]);
        }
        const auto rounded = readAll(*checkpoint, "model.layers.1.mlp.up_proj.weight");
        QCOMPARE(rounded[1], -2.5f);
        QCOMPARE(rounded[3], 65536.0f); // bfloat16 has no 65504
        QVERIFY(checkpoint->fingerprint() != original->fingerprint());

        std::vector<float> rows(3 * 64);
        checkpoint->readFloatRows(gate, 157, rows);
        const auto all = readAll(*checkpoint, gate);
        QVERIFY(std::equal(rows.begin(), rows.end(), all.begin() + 157 * 64));
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows(gate, 158, rows), Error);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows(gate, -1, rows), Error);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows(gate, INT64_MAX, rows), Error);
        rows.resize(65);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows(gate, 0, rows), Error);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows("model.norm.weight", 0, rows), Error);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloat(gate, rows), Error);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloat("none", rows), Error);
    }

    void namesTheFirstNaN_data() {
        QTest::addColumn<int>("dtype");
        for (const DType dtype : {DType::F16, DType::BF16, DType::F32, DType::F64})
            QTest::newRow(std::string(dtypeName(dtype)).c_str()) << int(dtype);
    }
    void namesTheFirstNaN() {
        QFETCH(int, dtype);
        const auto kind = DType(dtype);
        Folder folder;
        folder.editTensors([&](Folder::Tensors& tensors) {
            Folder::Owned& tensor = tensors.at(gate);
            tensor.spec.dtype = kind;
            tensor.bytes.assign(tensor.spec.bytes(), std::byte{0});
            const size_t width = size_t(dtypeBytes(kind)), at = (121 * 64 + 17) * width;
            const double wide = 1e300; // finite, but beyond float
            const float infinity = std::numeric_limits<float>::infinity();
            const uint16_t half = kind == DType::F16 ? 0x7e00 : 0xff80;
            std::memcpy(tensor.bytes.data() + at,
                        width == 8   ? static_cast<const void*>(&wide)
                        : width == 4 ? static_cast<const void*>(&infinity)
                                     : &half,
                        width);
        });
        const auto checkpoint = Checkpoint::open(folder.text());
        std::vector<float> values(160 * 64);
        try {
            checkpoint->readFloat(gate, values);
            QFAIL("read");
        } catch (const Error& error) {
            const std::string message = error.what();
            QVERIFY2(contains(message, gate) && contains(message, "row 121, column 17"),
                     message.c_str());
        }
        std::vector<float> rows(64);
        checkpoint->readFloatRows(gate, 120, rows);
        QVERIFY_EXCEPTION_THROWN(checkpoint->readFloatRows(gate, 121, rows), Error);
    }

    void fingerprintsTellModelsApart() {
        Folder folder;
        const std::string before = Checkpoint::open(folder.text())->fingerprint();
        QCOMPARE(before, Checkpoint::open(goldens + "llama2-gqa")->fingerprint()); // wherever it is
        std::string content = readTextFile(folder.path() / "model.safetensors");
        content.back() ^= 1;
        folder.write("model.safetensors", content);
        QVERIFY(Checkpoint::open(folder.text())->fingerprint() != before);
        content.back() ^= 1;
        folder.write("model.safetensors", content);
        QCOMPARE(Checkpoint::open(folder.text())->fingerprint(), before);
        folder.editJson("config.json", [](json& config) { config["rms_norm_eps"] = 2e-5; });
        QVERIFY(Checkpoint::open(folder.text())->fingerprint() != before);
    }

    void acceptsOtherLayouts() {
        { // one file with another name
            Folder folder;
            fs::rename(folder.path() / "model.safetensors", folder.path() / "weights.safetensors");
            QCOMPARE(folder.error(), std::string("opened"));
            QVERIFY(!errorOf((folder.path() / "config.json").string()).empty());
            QCOMPARE(errorOf((folder.path() / "config.json").string()), std::string("opened"));
            QCOMPARE(errorOf(folder.text() + "/"), std::string("opened"));
        }
        { // shards without an index
            Folder folder("llama3-rope-tied-sharded");
            fs::remove(folder.path() / "model.safetensors.index.json");
            QCOMPARE(folder.error(), std::string("opened"));
            fs::remove(folder.path() / "model-00002-of-00002.safetensors");
            QVERIFY(contains(folder.error(), "'model-00002-of-00002.safetensors'"));
        }
        { // tied, with the head stored nevertheless; a tensor that nobody uses
            Folder folder("qwen2-bias-tied");
            folder.editTensors([](Folder::Tensors& tensors) {
                tensors["lm_head.weight"] = tensors.at("model.embed_tokens.weight");
                tensors["lm_head.weight"].spec.name = "lm_head.weight";
                tensors["rotary_emb.inv_freq"] = {{"rotary_emb.inv_freq", DType::F32, {0}}, {}};
            });
            const auto checkpoint = Checkpoint::open(folder.text());
            QCOMPARE(checkpoint->parameters(), int64_t(162624)); // counted once
            QVERIFY(checkpoint->find("rotary_emb.inv_freq"));
        }
        { // saved without its head: names without "model."
            Folder folder("qwen2-bias-tied");
            folder.editTensors([](Folder::Tensors& tensors) {
                for (auto& [name, tensor] : tensors)
                    tensor.spec.name.erase(0, 6);
            });
            const auto checkpoint = Checkpoint::open(folder.text());
            QCOMPARE(readAll(*checkpoint, gate),
                     readAll(*Checkpoint::open(goldens + "qwen2-bias-tied"), gate));
        }
    }

    void openedThroughTheCacheOfHuggingFace() {
        QTemporaryDir home;
        const fs::path hub = home.path().toStdString();
        const fs::path repository = hub / "models--some--model";
        const fs::path snapshot = repository / "snapshots" / "abc123";
        fs::create_directories(snapshot);
        fs::create_directories(repository / "blobs");
        fs::create_directories(repository / "refs");
        int number = 0;
        for (const char* name : {"config.json", "model.safetensors"}) {
            const fs::path blob = repository / "blobs" / std::to_string(++number);
            fs::copy_file(goldens + "llama2-gqa/" + name, blob);
            fs::create_symlink(fs::path("../../blobs") / blob.filename(), snapshot / name);
        }
        const QByteArray before = qgetenv("HF_HUB_CACHE");
        qputenv("HF_HUB_CACHE", home.path().toUtf8());
        QCOMPARE(errorOf("some/model"), std::string("opened")); // the only snapshot
        QCOMPARE(resolveModelFolder("some/model"), snapshot);
        QCOMPARE(errorOf(snapshot.string()), std::string("opened"));
        QCOMPARE(errorOf(repository.string()), std::string("opened"));
        QCOMPARE(errorOf((snapshot / "config.json").string()), std::string("opened"));
        fs::create_directories(repository / "snapshots" / "other");
        QVERIFY(contains(errorOf("some/model"), "several snapshots"));
        writeFileAtomically(repository / "refs" / "main", "../../../etc\n");
        QVERIFY(contains(errorOf("some/model"), "several snapshots")); // not followed
        writeFileAtomically(repository / "refs" / "main", "abc123");
        QCOMPARE(errorOf("some/model"), std::string("opened"));
        fs::create_directories(hub / "models--an--other--name");
        fs::create_directories(hub / "models--alone");
        fs::create_directories(hub / "datasets--some--text");
        QCOMPARE(cachedModels(),
                 (std::vector<std::string>{"alone", "an/other--name", "some/model"}));
        fs::remove(repository / "blobs" / "2"); // the link leads nowhere
        QVERIFY(
            contains(errorOf("some/model"), "lacks 1 of the 1 weight files: 'model.safetensors'"));
        const std::string unknown = errorOf("some/other");
        QVERIFY2(contains(unknown, home.path().toStdString()), unknown.c_str());
        QVERIFY(contains(errorOf("../some"), "no such folder"));
        QVERIFY(contains(errorOf(""), "no model"));
        before.isNull() ? qunsetenv("HF_HUB_CACHE") : qputenv("HF_HUB_CACHE", before);
    }

    void saysWhatIsWrongWithAFolder() {
        {
            Folder folder;
            fs::remove(folder.path() / "config.json");
            QVERIFY(contains(folder.error(), "no config.json"));
        }
        {
            Folder folder;
            folder.write("config.json", "{ nonsense");
            QVERIFY2(contains(folder.error(), "config.json': line 1, column "),
                     folder.error().c_str());
        }
        {
            Folder folder;
            fs::rename(folder.path() / "model.safetensors", folder.path() / "pytorch_model.bin");
            const std::string message = folder.error();
            QVERIFY2(contains(message, "'pytorch_model.bin'") &&
                         contains(message, "save_pretrained"),
                     message.c_str());
            fs::rename(folder.path() / "pytorch_model.bin", folder.path() / "model.gguf");
            QVERIFY(contains(folder.error(), "GGUF"));
            QVERIFY(contains(errorOf((folder.path() / "model.gguf").string()), "GGUF"));
            fs::rename(folder.path() / "model.gguf", folder.path() / "adapter_model.safetensors");
            QVERIFY(contains(folder.error(), "adapter"));
            fs::remove(folder.path() / "adapter_model.safetensors");
            QVERIFY(contains(folder.error(), "no .safetensors files"));
        }
        {
            Folder folder;
            const fs::path partial = folder.text() + ".partial";
            fs::copy(folder.path(), partial);
            QVERIFY(contains(errorOf(partial.string()), "not finished"));
            fs::remove_all(partial);
        }
        QVERIFY(contains(errorOf("/no/such/folder"), "no such folder"));
    }

    void saysWhatIsWrongWithShards() {
        Folder folder("llama3-rope-tied-sharded");
        const fs::path shard = folder.path() / "model-00002-of-00002.safetensors";
        const fs::path aside = folder.path() / "aside";
        fs::rename(shard, aside);
        const std::string missing = folder.error();
        QVERIFY2(
            contains(missing, "lacks 1 of the 2 weight files: 'model-00002-of-00002.safetensors'"),
            missing.c_str());
        fs::rename(aside, shard);
        const auto spoil = [&](const std::function<void(json&)>& edit) {
            Folder copy("llama3-rope-tied-sharded");
            copy.editJson("model.safetensors.index.json",
                          [&](json& index) { edit(index["weight_map"]); });
            return copy.error();
        };
        const char* norm = "model.norm.weight";
        for (const char* name : {"../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "",
                                 "a\\b.safetensors"})
            QVERIFY(contains(spoil([&](json& map) { map[norm] = name; }), "same folder"));
        QVERIFY(contains(spoil([&](json& map) { map[norm] = 7; }), "no file name"));
        QVERIFY(contains(spoil([&](json& map) { map = json::array(); }), "weight_map"));
        QVERIFY(contains(spoil([&](json& map) { map = json::object(); }), "lists no tensors"));
        QVERIFY(contains(spoil([&](json& map) { map["more"] = map[norm]; }), "'more'"));
        QVERIFY(contains(spoil([&](json& map) { map[norm] = "model-00001-of-00002.safetensors"; }),
                         "but it is not"));
        folder.write("model.safetensors.index.json",
                     R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})");
        QVERIFY(contains(folder.error(), "twice"));
        fs::remove(folder.path() / "model.safetensors.index.json");
        fs::copy_file(shard, folder.path() / "more.safetensors");
        QVERIFY(contains(folder.error(), "is both in"));
    }

    void saysWhatIsWrongWithTensors() {
        const auto spoil = [](const std::function<void(Folder::Tensors&)>& edit) {
            Folder folder;
            folder.editTensors(edit);
            return folder.error();
        };
        QVERIFY(contains(spoil([](auto& tensors) {
                             tensors.at(gate).spec.shape = {64, 160};
                         }),
                         "has shape [64, 160], but config.json calls for [160, 64]"));
        QVERIFY(contains(spoil([](auto& tensors) { tensors.at(gate).spec.dtype = DType::I16; }),
                         "has dtype I16"));
        QVERIFY(contains(spoil([](auto& tensors) { tensors.erase(gate); }), gate));
        QVERIFY(contains(spoil([](auto& tensors) { tensors.erase("lm_head.weight"); }),
                         "tie_word_embeddings"));
        QVERIFY(contains(spoil([](auto& tensors) {
                             tensors.erase(gate);
                             tensors.erase("model.norm.weight");
                         }),
                         "1 more of the 30"));
        QVERIFY(contains(spoil([](auto& tensors) {
                             tensors.at(gate).spec.dtype = DType::F8E4M3;
                             tensors.at(gate).spec.shape = {320, 64};
                         }),
                         "FP8 (F8_E4M3)"));
        QVERIFY(
            contains(spoil([](auto& tensors) {
                         auto& tensor = tensors["model.layers.0.mlp.gate_proj.qweight"];
                         tensor = {{"model.layers.0.mlp.gate_proj.qweight", DType::I32, {0}}, {}};
                     }),
                     "packed codes (I32)"));
    }

    void refusesQuantizedSources() {
        Folder folder;
        QVERIFY(!isBitloomCheckpoint(folder.path()));
        const auto mark = [&](const json& section) {
            folder.editJson("config.json",
                            [&](json& config) { config["quantization_config"] = section; });
        };
        mark({{"quant_method", "gptq"}, {"bits", 4}});
        QVERIFY(contains(folder.error(), "already quantized (quantization_config: gptq)"));
        QVERIFY(!isBitloomCheckpoint(folder.path()));
        mark({{"quant_method", "fp8"}});
        QVERIFY(contains(folder.error(), "fp8"));
        mark({{"quant_method", "bitloom"}, {"format_version", 1}});
        QVERIFY(contains(folder.error(), "already a Bitloom checkpoint"));
        QVERIFY(isBitloomCheckpoint(folder.path()));
        mark(nullptr);
        QCOMPARE(folder.error(), std::string("opened"));
        folder.write("config.json", "[1");
        QVERIFY(!isBitloomCheckpoint(folder.path()));
        QVERIFY(!isBitloomCheckpoint("/no/such/folder"));
    }
};

QTEST_APPLESS_MAIN(TestCheckpoint)
#include "tst_checkpoint.moc"
