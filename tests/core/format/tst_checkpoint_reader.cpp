// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/checkpoint_reader.h"

#include "tests/core/format/format_testing.h"

#include <functional>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace fs = std::filesystem;

namespace {

/// A checkpoint in several shards with every layout, made once.
struct Sample {
    Folder folder;
    std::shared_ptr<const Checkpoint> source = Checkpoint::open(golden("llama2-gqa").string());
    CheckpointSpec spec = randomSpec(*source, Storage::Mixed, 11);
    fs::path out = folder.path() / "out";

    Sample() {
        spec.head = HeadStorage::Rows8;
        spec.maxShardBytes = 60'000;
        writeAll(out, *source, CheckpointLayout(*source, spec), spec.recipe);
    }
};

const Sample& sample() {
    static const Sample made;
    return made;
}

using Change = std::function<void(const fs::path&)>;

void editJson(const fs::path& path, const std::function<void(nlohmann::json&)>& edit) {
    auto json = readJsonFile(path);
    edit(json);
    writeFileAtomically(path, json.dump());
}

/// Writes a shard anew with other tensors.
void editShard(const fs::path& path, const std::function<void(std::vector<TensorBytes>&)>& edit) {
    const auto file = SafetensorsFile::open(path);
    std::vector<std::vector<std::byte>> content;
    std::vector<TensorBytes> tensors;
    content.reserve(file->tensors().size());
    for (const TensorInfo& info : file->tensors()) {
        const auto data = file->data(info);
        content.emplace_back(data.begin(), data.end());
        tensors.push_back({{info.name, info.dtype, info.shape}, content.back()});
    }
    edit(tensors);
    writeSafetensors(path, tensors, {{"format", "pt"}});
}

class Impatient final : public Progress {
public:
    void report(double, std::string_view) override {}
    bool cancelled() const override { return true; }
};

} // namespace

class TestCheckpointReader : public QObject {
    Q_OBJECT

private slots:
    void valuesComeBack() {
        const Sample& made = sample();
        const auto checkpoint = QuantizedCheckpoint::open(made.out);
        const auto& source = *made.source;
        QCOMPARE(checkpoint->catalogue().linears.size(), source.catalogue().linears.size());
        for (const LinearInfo& linear : source.catalogue().linears) {
            std::vector<float> values(size_t(linear.rows * linear.cols)), expected(values.size());
            checkpoint->readLinear(linear.name, values, 2);
            const auto found = made.spec.layers.find(linear.name);
            const auto layout = checkpoint->layoutOf(linear.name);
            if (found == made.spec.layers.end()) {
                QVERIFY(layout == LayerLayout::Dense);
                source.readFloat(linear.name + ".weight", expected);
                QVERIFY(checkpoint->hasTensor(linear.name + ".weight"));
                COMPARE_ERROR(checkpoint->formatOf(linear.name), "is not quantized");
                COMPARE_ERROR(checkpoint->column(linear.name), "not stored by columns");
            } else {
                const auto packed = randomLinear(source, made.spec, linear, 1);
                QVERIFY(layout == found->second.layout);
                QVERIFY(!checkpoint->hasTensor(linear.name + ".weight"));
                QVERIFY(!checkpoint->hasTensor(linear.name + ".codes"));
                if (layout == LayerLayout::Column) {
                    unpackColumn(linear.name, linear.rows, linear.cols, asStored(packed))
                        .dequantize(expected, 1);
                    QVERIFY(checkpoint->formatOf(linear.name).classOf == found->second.classOf);
                    QVERIFY(checkpoint->formatOf(linear.name).classes == found->second.classes);
                } else {
                    unpackGroup(linear.name, linear.rows, linear.cols, found->second.group,
                                asStored(packed))
                        .dequantize(expected, 1);
                    QVERIFY(checkpoint->formatOf(linear.name).group.bits ==
                            found->second.group.bits);
                }
            }
            QVERIFY(values == expected);
        }
        for (const auto& expected : source.catalogue().expected) {
            if (!checkpoint->hasTensor(expected.name)) continue;
            QVERIFY(checkpoint->shapeOf(expected.name) == expected.shape);
            size_t size = 1;
            for (const int64_t length : expected.shape)
                size *= size_t(length);
            std::vector<float> exact(size), values(size);
            source.readFloat(expected.name, exact);
            checkpoint->readFloat(expected.name, values);
            const bool rows8 = expected.name == source.catalogue().embedding ||
                               expected.name == source.catalogue().head;
            if (!rows8) {
                QVERIFY(values == exact);
                continue;
            }
            const auto cols = size_t(expected.shape[1]);
            for (size_t n = 0; n < size; n += cols) {
                float largest = 0;
                for (size_t i = n; i < n + cols; ++i)
                    largest = std::max(largest, std::abs(exact[i]));
                for (size_t i = n; i < n + cols; ++i)
                    QVERIFY(std::abs(values[i] - exact[i]) <= largest / 127 * 0.501f);
            }
            std::vector<float> rows(3 * cols);
            checkpoint->readFloatRows(expected.name, 5, rows);
            QVERIFY(std::equal(rows.begin(), rows.end(), values.begin() + int64_t(5 * cols)));
            COMPARE_ERROR(checkpoint->readFloatRows(expected.name, expected.shape[0] - 2, rows),
                          "has no");
        }
        std::vector<float> one(1);
        COMPARE_ERROR(checkpoint->readFloat("nothing", one), "no tensor 'nothing'");
        COMPARE_ERROR(checkpoint->readFloat("model.norm.weight", one), "does not have 1 elements");
        COMPARE_ERROR(checkpoint->layoutOf("nothing"), "no layer 'nothing'");
    }

    void damagedFolders_data() {
        QTest::addColumn<Change>("change");
        QTest::addColumn<QString>("message");
        const auto row = [](const char* name, Change change, const char* message) {
            QTest::newRow(name) << change << QString(message);
        };
        const auto config = [](const std::function<void(nlohmann::json&)>& edit) {
            return [edit](const fs::path& out) {
                editJson(out / "config.json",
                         [&](auto& json) { edit(json["quantization_config"]); });
            };
        };
        const char* first = "model.layers.0.self_attn.q_proj";
        const char* second = "model.layers.0.self_attn.k_proj";
        row(
            "no folder", [](auto& out) { fs::remove_all(out); }, "there is no folder");
        row(
            "no config", [](auto& out) { fs::remove(out / "config.json"); },
            "not a Bitloom checkpoint");
        row(
            "journal left",
            [](auto& out) {
                fs::create_directory(out / "work");
                writeFileAtomically(out / "work" / "journal", "");
            },
            "not finished");
        row(
            "plain model",
            [](auto& out) {
                fs::copy(golden("llama2-gqa") / "config.json", out / "config.json",
                         fs::copy_options::overwrite_existing);
            },
            "not a Bitloom checkpoint");
        row("later version", config([](auto& q) { q["format_version"] = 2; }), "format version 2");
        row("version is a text", config([](auto& q) { q["format_version"] = "1"; }), "damaged");
        row("no version", config([](auto& q) { q.erase("format_version"); }), "damaged");
        row("unknown head", config([](auto& q) { q["head"] = "rows4"; }), "rows4");
        row("other head", config([](auto& q) { q["head"] = "keep"; }), "model.embed_tokens.weight");
        row("unknown layout", config([=](auto& q) { q["layers"][first]["layout"] = "row-table"; }),
            "row-table");
        row("layers is a list", config([](auto& q) { q["layers"] = {1, 2}; }), "no layer '0'");
        row("unknown layer",
            config([=](auto& q) { q["layers"]["model.layers.9.q"] = q["layers"][first]; }),
            "no layer 'model.layers.9.q'");
        row("layer not listed", config([=](auto& q) { q["layers"].erase(first); }),
            "no tensor 'model.layers.0.self_attn.q_proj.weight'");
        row("wrong shape", config([=](auto& q) { q["layers"][first]["shape"][0] = 63; }),
            "[63, 64]");
        row("column called group", config([=](auto& q) {
                q["layers"][first] = q["layers"][second];
                q["layers"][first]["shape"][0] = 64;
            }),
            "tensor");
        row("group bits", config([=](auto& q) { q["layers"][second]["bits"] = 9; }), "'bits' is 9");
        row("group size 0", config([=](auto& q) { q["layers"][second]["group_size"] = 0; }),
            "'group_size' is 0");
        row("other group size", config([=](auto& q) { q["layers"][second]["group_size"] = 1; }),
            "group_scale");
        row(
            "no recipe", [](auto& out) { fs::remove(out / "recipe.json"); }, "has no recipe.json");
        row(
            "broken recipe", [](auto& out) { writeFileAtomically(out / "recipe.json", "{"); },
            "not valid JSON");
        row(
            "no manifest", [](auto& out) { fs::remove(out / "MANIFEST.json"); },
            "has no MANIFEST.json");
        row(
            "no index", [](auto& out) { fs::remove(out / "model.safetensors.index.json"); },
            "has neither");
        row(
            "path traversal",
            [](auto& out) {
                editJson(out / "model.safetensors.index.json", [](auto& j) {
                    j["weight_map"]["model.norm.weight"] = "../x.safetensors";
                });
            },
            "same folder");
        row(
            "index names another shard",
            [](auto& out) {
                editJson(out / "model.safetensors.index.json", [](auto& j) {
                    j["weight_map"]["model.embed_tokens.weight"] =
                        j["weight_map"]["lm_head.weight"];
                });
            },
            "but it is not");
        row(
            "index lacks a tensor",
            [](auto& out) {
                editJson(out / "model.safetensors.index.json",
                         [](auto& j) { j["weight_map"].erase("model.norm.weight"); });
            },
            "does not list");
        row(
            "no second shard",
            [](auto& out) {
                for (auto& [name, content] : contentOf(out))
                    if (name.starts_with("model-00002")) fs::remove(out / name);
            },
            "lacks the weight file 'model-00002");
        row(
            "shard cut short",
            [](auto& out) {
                for (auto& [name, content] : contentOf(out))
                    if (name.starts_with("model-00001"))
                        fs::resize_file(out / name, content.size() - 1);
            },
            "ends at byte");
        const auto shard = [](const std::function<void(std::vector<TensorBytes>&)>& edit) {
            return [edit](const fs::path& out) {
                for (auto& [name, content] : contentOf(out))
                    if (name.starts_with("model-00002")) editShard(out / name, edit);
                // The index follows, so that only the content is wrong.
                editJson(out / "model.safetensors.index.json", [&](auto& json) {
                    std::string file;
                    for (auto& [name, content] : contentOf(out))
                        if (name.starts_with("model-00002")) file = name;
                    auto& map = json["weight_map"];
                    for (auto it = map.begin(); it != map.end();)
                        it = *it == file ? map.erase(it) : std::next(it);
                    const auto written = SafetensorsFile::open(out / file);
                    for (const TensorInfo& info : written->tensors())
                        map[info.name] = file;
                });
            };
        };
        row("one tensor less", shard([](auto& t) { t.pop_back(); }), "");
        row("one tensor more", shard([](auto& t) {
                t.push_back(t.front());
                t.back().spec.name = "more";
            }),
            "tensors, but the model");
        row("one dtype wrong", shard([](auto& t) {
                for (auto& one : t)
                    if (one.spec.dtype == DType::F16) {
                        one.spec.dtype = DType::I16;
                        break;
                    }
            }),
            "I16");
        row("one shape wrong",
            shard([](auto& t) { t.front().spec.shape.insert(t.front().spec.shape.begin(), 1); }),
            "[1, ");
    }
    void damagedFolders() {
        QFETCH(Change, change);
        QFETCH(QString, message);
        Folder temporary;
        const fs::path out = temporary.path() / "out";
        fs::copy(sample().out, out);
        QuantizedCheckpoint::open(out);
        change(out);
        COMPARE_ERROR(QuantizedCheckpoint::open(out), message.toStdString());
    }

    void unfinishedIsNamed() {
        Folder temporary;
        fs::copy(sample().out, temporary.path() / "out.partial");
        COMPARE_ERROR(QuantizedCheckpoint::open(temporary.path() / "out.partial"), "not finished");
        COMPARE_ERROR(Checkpoint::open((temporary.path() / "out.partial").string()),
                      "not finished");
    }

    /// Values are checked where they are read.
    void damagedValues() {
        Folder temporary;
        const fs::path out = temporary.path() / "out";
        fs::copy(sample().out, out);
        const CheckpointLayout layout(*sample().source, sample().spec);
        const auto overwrite = [&](const std::string& tensor, uint16_t value) {
            const auto [shard, info] = layout.locate(tensor);
            std::fstream file(out / layout.shards()[shard].fileName,
                              std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(std::streamoff(layout.shards()[shard].layout.fileOffset(info)));
            file.write(reinterpret_cast<const char*>(&value), 2);
        };
        const std::string linear = sample().source->catalogue().linears[0].name;
        overwrite(linear + ".scale", 0x7c00);
        overwrite("model.norm.weight", 0x7e00);
        overwrite("lm_head.row_scale", 0x7e00);
        const auto checkpoint = QuantizedCheckpoint::open(out);
        std::vector<float> norm(64), head(512 * 64);
        COMPARE_ERROR(checkpoint->column(linear), "scale is infinite");
        COMPARE_ERROR(checkpoint->readFloat("model.norm.weight", norm), "not a number");
        COMPARE_ERROR(checkpoint->readFloat("lm_head.weight", head), "not a number");
    }

    void verifyFindsEveryDamage() {
        NoProgress progress;
        const auto intact = QuantizedCheckpoint::open(sample().out);
        QVERIFY(intact->verify(2, progress).empty());
        Impatient impatient;
        QVERIFY(errorOf([&] { intact->verify(2, impatient); }) == "cancelled");

        const auto content = contentOf(sample().out);
        Random random(9);
        for (const auto& [name, text] : content) {
            if (name == "MANIFEST.json") continue;
            Folder temporary;
            const fs::path out = temporary.path() / "out";
            fs::copy(sample().out, out);
            const auto checkpoint = QuantizedCheckpoint::open(out);
            // Behind the header for shards: a tensor is hit too.
            const bool isShard = name.ends_with(".safetensors");
            const uint64_t at = isShard ? text.size() - 1 - uint64_t(below(random, 1000))
                                        : uint64_t(below(random, int64_t(text.size())));
            // What is mapped is not what is verified: replace the file.
            fs::copy(out / name, temporary.path() / "changed");
            flipByte(temporary.path() / "changed", at);
            fs::rename(temporary.path() / "changed", out / name);
            const auto damaged = checkpoint->verify(2, progress);
            QCOMPARE(damaged.size(), size_t(isShard ? 2 : 1));
            QCOMPARE(damaged[0], name);
            if (isShard) {
                const auto file = SafetensorsFile::open(out / name);
                QVERIFY(file->find(damaged[1]));
            }
            fs::remove(out / name);
            const auto missing = checkpoint->verify(1, progress);
            QVERIFY(std::ranges::find(missing, name) != missing.end());
            QCOMPARE(missing.size() > 1, isShard);
        }
        Folder temporary;
        const fs::path out = temporary.path() / "out";
        fs::copy(sample().out, out);
        const auto checkpoint = QuantizedCheckpoint::open(out);
        QCOMPARE(checkpoint->fingerprint(), intact->fingerprint());
        auto manifest = readJsonFile(out / "MANIFEST.json");
        manifest["tensors"].erase("model.norm.weight");
        writeFileAtomically(out / "MANIFEST.json", manifest.dump());
        QCOMPARE(checkpoint->verify(2, progress), std::vector<std::string>{"model.norm.weight"});
        QVERIFY(QuantizedCheckpoint::open(out)->fingerprint() != intact->fingerprint());
        manifest["files"]["../escape"] = {{"bytes", 1}, {"hash", ""}};
        writeFileAtomically(out / "MANIFEST.json", manifest.dump());
        QCOMPARE(checkpoint->verify(2, progress), std::vector<std::string>{"MANIFEST.json"});
    }
};

QTEST_APPLESS_MAIN(TestCheckpointReader)
#include "tst_checkpoint_reader.moc"
