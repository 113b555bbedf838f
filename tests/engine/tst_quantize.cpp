// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Whole quantizations of golden models: sizes as predicted, the same weights in memory, on disk and
// in NumPy, the same bytes however often a run was broken off, and plain weights back.
#include "core/engine/evaluate.h"
#include "core/engine/export_hf.h"
#include "core/engine/quantize.h"
#include "core/io/durable.h"
#include "core/plan/allocator.h"
#include "tests/support/engine_testing.h"

#include <QProcess>

#include <set>

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

/// A golden model with statistics of a few short sequences.
struct Subject {
    std::shared_ptr<const Checkpoint> model;
    std::shared_ptr<const Statistics> statistics;
    std::vector<LayerCurves> curves;
};

Plan planFor(const Subject& subject, double bits, const std::vector<std::string>& pins) {
    const Menu& menu = subject.statistics->menu();
    Allocator allocator(subject.curves, menu, defaultAllowed(menu));
    std::vector<Pin> parsed;
    for (const std::string& pin : pins)
        parsed.push_back(Pin::parse(pin));
    allocator.setLimits(limitsOf(parsed, subject.curves, menu), subject.curves);
    const Allocation allocation =
        allocator.allocate(int64_t(std::floor(bits * double(allocator.weights()))));
    Plan plan =
        makePlan(allocation, subject.curves, menu, {Budget::Kind::Bits, bits}, std::move(parsed));
    plan.model = subject.model->fingerprint();
    plan.statistics = subject.statistics->recipe().fingerprint();
    return plan;
}

Plan uniformPlan(const Subject& subject, const OperatingPoint& point) {
    const Menu& menu = subject.statistics->menu();
    const Allocator allocator(subject.curves, menu, defaultAllowed(menu));
    return makePlan(allocator.uniform(point), subject.curves, menu, {Budget::Kind::Bits, 4}, {});
}

/// One way to quantize, by name.
struct Case {
    std::string golden;
    QuantizeOptions options;
};

struct Written {
    fs::path folder;
    QuantizeReport report;
    int64_t resumedTensors = 0, writtenTensors = 0;
};

Written write(const Subject& subject, const QuantizeOptions& options, const fs::path& out,
              Progress& progress, bool resume = false) {
    const CheckpointLayout layout(
        *subject.model, checkpointSpec(*subject.model, *subject.statistics, options, progress));
    CheckpointWriter::Options how;
    how.resume = resume;
    how.fingerprint = quantizeFingerprint(*subject.model, *subject.statistics, options);
    CheckpointWriter writer(out, *subject.model, layout, how);
    Written written;
    written.folder = out;
    written.report = quantize(subject.model, *subject.statistics, options, writer, progress);
    writer.finish(layout.spec().recipe, progress);
    written.resumedTensors = writer.resumedTensors();
    written.writtenTensors = writer.writtenTensors();
    return written;
}

std::vector<float> linearOf(const ModelWeights& model, const LinearInfo& linear) {
    std::vector<float> values(size_t(linear.rows * linear.cols));
    model.readLinear(linear.name, values, 2);
    return values;
}

/// Every tensor of a model but the linears' weights, with its values.
std::map<std::string, std::vector<float>> smallTensors(const ModelWeights& model) {
    std::map<std::string, std::vector<float>> all;
    for (const auto& expected : model.catalogue().expected) {
        if (expected.name.ends_with(".weight") &&
            model.catalogue().find(expected.name.substr(0, expected.name.size() - 7)))
            continue;
        int64_t elements = 1;
        for (const int64_t side : expected.shape)
            elements *= side;
        std::vector<float>& values = all[expected.name];
        values.resize(size_t(elements));
        model.readTensor(expected.name, values);
    }
    return all;
}

std::vector<float> logitsOf(const ModelWeights& model) {
    const TokenWindows rows = randomWindows(99, 2, 30, model.config().vocab);
    std::vector<float> all;
    NoProgress progress;
    computeLogits(
        model, rows, RopePrecision::Exact, compute(),
        [&](int64_t, std::span<const float> logits) {
            all.insert(all.end(), logits.begin(), logits.end());
        },
        progress);
    return all;
}

/// What a test must find the same in NumPy: linears' weights and everything else.
void dump(const ModelWeights& model, const fs::path& path) {
    std::map<std::string, std::vector<float>> all = smallTensors(model);
    for (const LinearInfo& linear : model.catalogue().linears)
        all[linear.name + ".weight"] = linearOf(model, linear);
    std::vector<TensorBytes> tensors;
    for (const auto& [name, values] : all) {
        TensorSpec spec{name, DType::F32, {int64_t(values.size())}};
        tensors.push_back({spec, std::as_bytes(std::span(values))});
    }
    writeSafetensors(path, tensors);
}

constexpr const char* compareInNumPy = R"(
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from bitloom_reader import load, read_safetensors
found, expected = load(sys.argv[2]), read_safetensors(sys.argv[3])
assert set(found) == set(expected), set(found) ^ set(expected)
for name, values in expected.items():
    same = found[name].reshape(-1).view(np.uint32) == values.view(np.uint32)
    assert same.all(), f"{name}: {np.count_nonzero(~same)} of {same.size} values differ"
print(len(expected), "tensors are the same")
)";

} // namespace

class TestQuantize : public QObject {
    Q_OBJECT

    TemporaryFolder m_cache;
    std::map<std::string, Subject> m_subjects;

    /// A golden model, or "NAME/2": its first two blocks.
    const Subject& subject(const std::string& name) {
        Subject& out = m_subjects[name];
        if (!out.model) {
            const size_t cut = name.find('/');
            out.model = cut == std::string::npos
                            ? golden(name)
                            : shortened(name.substr(0, cut), std::stoll(name.substr(cut + 1)),
                                        m_cache / name);
            out.statistics = calibrated(
                out.model, randomWindows(21, 10, 24, out.model->config().vocab), m_cache.path());
            out.curves = curvesOf(*out.statistics);
        }
        return out;
    }

    QuantizeOptions plus(const std::string& golden, double bits,
                         const std::vector<std::string>& pins = {}) {
        QuantizeOptions options;
        options.compute = compute();
        options.plan = planFor(subject(golden), bits, pins);
        return options;
    }
    static QuantizeOptions other(Method method, double bits, GroupFormat group = {}) {
        QuantizeOptions options;
        options.compute = compute();
        options.method = method;
        options.bits = bits;
        options.group = group;
        return options;
    }

    std::map<std::string, Case> cases() {
        std::map<std::string, Case> all;
        all["cmpq+ 2.6"] = {"llama2-gqa", plus("llama2-gqa", 2.6)};
        all["cmpq+ 3.5, pins"] = {
            "qwen2-bias-tied",
            plus("qwen2-bias-tied", 5.5, {"k_proj=16", "layers\\.1.*down_proj[0-15,40]=8"})};
        all["cmpq+ outliers"] = {
            "llama2-gqa", plus("llama2-gqa", 4.5, {"gate_proj=3g+1%", "up_proj[3-9]=4t+1%"})};
        all["cmpq+ uniform"] = {"mistral-sliding", {}};
        all["cmpq+ uniform"].options.compute = compute();
        all["cmpq+ uniform"].options.plan =
            uniformPlan(subject("mistral-sliding"), {PointKind::Table, 3, 0});
        all["cmpq+ all raw"] = {"qwen3-qknorm", plus("qwen3-qknorm", 17.5, {".=16"})};
        all["cmpq+ parallel"] = {"llama3-rope-tied-sharded", plus("llama3-rope-tied-sharded", 3.0)};
        all["cmpq+ parallel"].options.hessians = HessianMode::Parallel;
        all["cmpq+ polished"] = {"qwen3-qknorm", plus("qwen3-qknorm", 2.8, {"v_proj=4t+1%"})};
        all["cmpq+ polished"].options.polishSteps = 13;
        all["cmpq+ polished by block"] = {"qwen2-bias-tied", plus("qwen2-bias-tied", 2.8)};
        all["cmpq+ polished by block"].options.polishSteps = 5;
        all["cmpq+ polished by block"].options.compute.memoryBytes = tooLittle;
        all["cmpq 3"] = {"llama2-gqa", other(Method::Cmpq, 3)};
        all["cmpq 2.2"] = {"qwen3-qknorm", other(Method::Cmpq, 2.2)};
        all["rtn 4"] = {"mistral-sliding", other(Method::Rtn, 4, {.groupSize = 32})};
        all["rtn 8 symmetric"] = {"qwen2-bias-tied",
                                  other(Method::Rtn, 8, {.groupSize = 128, .symmetric = true})};
        all["gptq 3"] = {"llama2-gqa", other(Method::Gptq, 3, {.groupSize = 32})};
        all["gptq 4 act-order"] = {
            "qwen3-qknorm",
            other(Method::Gptq, 4, {.groupSize = 48, .symmetric = true, .actOrder = true})};
        // Every second one with 8-bit rows in embedding and head.
        bool rows8 = false;
        for (auto& [name, one] : all) {
            one.options.head = rows8 ? HeadStorage::Rows8 : HeadStorage::Keep;
            rows8 = !rows8;
        }
        return all;
    }

    /// Bytes that do not hold the models of these tests twice.
    static constexpr int64_t tooLittle = 100'000;

    /// Cases of two blocks, for runs that are repeated.
    Case shortCase(const std::string& name) {
        if (name == "cmpq") return {"qwen3-qknorm/2", other(Method::Cmpq, 2.2)};
        if (name == "rtn") return {"llama2-gqa/2", other(Method::Rtn, 4, {.groupSize = 32})};
        if (name == "gptq")
            return {"qwen3-qknorm/2",
                    other(Method::Gptq, 4, {.groupSize = 48, .symmetric = true, .actOrder = true})};
        if (name.starts_with("polish")) {
            Case one{"qwen3-qknorm/2", plus("qwen3-qknorm/2", 2.8, {"v_proj=4t+1%"})};
            one.options.polishSteps = 13;
            if (name == "polish by block") one.options.compute.memoryBytes = tooLittle;
            one.options.head = HeadStorage::Rows8;
            return one;
        }
        Case one{"llama2-gqa/2", plus("llama2-gqa/2", 2.6)};
        if (name == "parallel") one.options.hessians = HessianMode::Parallel;
        return one;
    }

    void addCases() {
        QTest::addColumn<std::string>("name");
        QTest::addColumn<Case>("one");
        for (const auto& [name, one] : cases())
            QTest::newRow(name.c_str()) << name << one;
    }

private slots:
    void initTestCase() { initEngine(compute()); }

    void methods() {
        for (const std::string& name : methodNames())
            QCOMPARE(std::string(methodName(parseMethod(name))), name);
        QCOMPARE(methodNames().size(), size_t(4));
        COMPARE_ERROR(parseMethod("awq"), "no method 'awq'");
    }

    void whole_data() { addCases(); }
    void whole() {
        QFETCH(std::string, name);
        QFETCH(Case, one);
        const Subject& from = subject(one.golden);
        TemporaryFolder folder;
        Cancelling progress;
        const CheckpointSpec spec =
            checkpointSpec(*from.model, *from.statistics, one.options, progress);
        const CheckpointLayout layout(*from.model, spec);
        const Written written = write(from, one.options, folder / "out", progress);
        QVERIFY(progress.fractionsFine());
        QCOMPARE(written.report.layersComputed, int64_t(from.model->catalogue().linears.size()));
        QCOMPARE(written.report.layersResumed, 0);

        // Every file has the size that was known before.
        std::map<std::string, int64_t> predicted, found;
        for (const CheckpointLayout::Shard& shard : layout.shards())
            predicted[shard.fileName] = int64_t(shard.layout.fileBytes());
        for (const CheckpointLayout::PlainFile& file : layout.files())
            predicted[file.name] = file.bytes;
        int64_t total = 0;
        for (const auto& [file, bytes] : folderContent(written.folder))
            total += found[file] = int64_t(bytes.size());
        QCOMPARE(found, predicted);
        QCOMPARE(total, layout.totalBytes());
        QVERIFY(predictSize(*from.model, spec) == layout.parts());
        const auto reopened = QuantizedCheckpoint::open(written.folder);
        QVERIFY(reopened->parts() == layout.parts());
        NoProgress calm;
        QVERIFY(reopened->verify(2, calm).empty());
        if (one.options.method == Method::CmpqPlus)
            QCOMPARE(layout.parts().linearBytes * 8 >= one.options.plan.bits, true);

        // In memory the same weights, so the same logits.
        QuantizeReport report;
        const auto memory =
            quantizeInMemory(from.model, *from.statistics, one.options, report, calm);
        const auto disk = weightsOf(reopened);
        const auto source = weightsOf(from.model);
        int64_t changed = 0;
        for (const LinearInfo& linear : from.model->catalogue().linears) {
            const auto values = linearOf(*disk, linear);
            QVERIFY2(values == linearOf(*memory, linear), linear.name.c_str());
            changed += values != linearOf(*source, linear);
        }
        QCOMPARE(report.objectiveGptq, written.report.objectiveGptq);
        QCOMPARE(report.objectiveDescent, written.report.objectiveDescent);
        const bool rows8 = one.options.head == HeadStorage::Rows8;
        for (const auto& [tensor, values] : smallTensors(*memory)) {
            const bool byRows = rows8 && (tensor == from.model->catalogue().embedding ||
                                          tensor == from.model->catalogue().head);
            std::vector<float> stored(values.size());
            disk->readTensor(tensor, stored);
            QVERIFY2((stored == values) == !byRows, tensor.c_str());
        }
        const auto logits = logitsOf(*disk), inMemory = logitsOf(*memory);
        if (!rows8)
            QVERIFY(logits == inMemory);
        else
            VERIFY_BELOW(largestDifference(logits, inMemory), 0.5);
        int64_t exact = 0; // layers whose columns are all raw stay what they were
        for (const auto& [linear, format] : spec.layers)
            exact += !format.classes.empty() &&
                     std::ranges::all_of(format.classes, [](const ColumnClass& of) {
                         return of.kind == PointKind::Raw;
                     });
        QCOMPARE(changed, int64_t(from.model->catalogue().linears.size()) - exact);
        QCOMPARE(exact, name == "cmpq+ all raw" ? 21 : name == "cmpq+ 3.5, pins" ? 3 : 0);
        if (one.options.method == Method::CmpqPlus) {
            QVERIFY(written.report.objectiveDescent <= written.report.objectiveGptq);
            QVERIFY((written.report.objectiveGptq > 0) == (name != "cmpq+ all raw"));
        }

        // And plain float32 weights give the model back.
        const fs::path plain = folder / "plain";
        exportHuggingFace(*reopened, DType::F32, plain, compute(), calm);
        VERIFY_BELOW(largestDifference(logitsOf(*openWeights(plain.string())), logits), 1e-4);
    }

    /// An earlier export is whole until the new one takes its place; other things are never
    /// touched.
    void exportReplaces() {
        const Subject& from = subject("llama2-gqa/2");
        TemporaryFolder folder;
        NoProgress calm;
        write(from, other(Method::Rtn, 4, {.groupSize = 32}), folder / "out", calm);
        const auto source = QuantizedCheckpoint::open(folder / "out");
        const fs::path plain = folder / "plain", partial = folder / "plain.partial";
        const auto run = [&](DType dtype, const fs::path& to, Progress& progress,
                             ExistingExport existing) {
            return exportHuggingFace(*source, dtype, to, compute(), progress, existing);
        };
        run(DType::F16, plain, calm, ExistingExport::Replace); // nothing there yet
        const auto first = folderContent(plain);
        Cancelling counter;
        run(DType::F32, folder / "expected", counter, ExistingExport::Refuse);
        const auto expected = folderContent(folder / "expected");
        QVERIFY(expected != first);

        COMPARE_ERROR(run(DType::F32, plain, calm, ExistingExport::Refuse), "exists already");
        QVERIFY(counter.asked() > 2);
        for (const int64_t at : {int64_t(1), counter.asked() / 2, counter.asked()}) {
            Cancelling cancelling(at);
            COMPARE_ERROR(run(DType::F32, plain, cancelling, ExistingExport::Replace), "cancelled");
            QVERIFY(folderContent(plain) == first);
            QVERIFY(!fs::exists(partial));
        }
        run(DType::F32, plain / "", calm, ExistingExport::Replace);
        QVERIFY(folderContent(plain) == expected);
        QVERIFY(!fs::exists(partial));
        fs::create_directory(folder / "empty");
        run(DType::F32, folder / "empty", calm, ExistingExport::Replace);
        QVERIFY(folderContent(folder / "empty") == expected);

        // A checkpoint, a stranger's folder, a link and a file; and an export with more in it.
        fs::create_directory(folder / "strange");
        writeFileAtomically(folder / "strange" / "config.json", "{}");
        writeFileAtomically(folder / "strange" / "README.md", "# Mine");
        fs::create_directory_symlink(plain, folder / "link");
        writeFileAtomically(folder / "file", "text");
        fs::create_directory(folder / "empty" / "runs");
        for (const char* name : {"out", "strange", "link", "file", "empty"}) {
            const fs::path to = folder / name;
            COMPARE_ERROR(run(DType::F32, to, calm, ExistingExport::Replace), "not replaced");
            QVERIFY(fs::exists(to) && !fs::exists(to.string() + ".partial"));
        }
        QVERIFY(fs::is_symlink(folder / "link") && folderContent(plain) == expected);
        // Nor is a quantization that was begun.
        fs::create_directories(folder / "begun.partial" / "work");
        COMPARE_ERROR(run(DType::F32, folder / "begun", calm, ExistingExport::Refuse), "was begun");
        QVERIFY(fs::exists(folder / "begun.partial" / "work"));
    }

    /// What is left of the loss says which method is better: not only sizes must be right.
    void qualityInOrder() {
        const Subject& from = subject("llama2-gqa");
        NoProgress progress;
        const auto reference = weightsOf(from.model);
        const auto windows =
            evaluationWindows(randomWindows(21, 10, 24, from.model->config().vocab), Protocol::Gptq,
                              from.model->config());
        const auto klOf = [&](const QuantizeOptions& options) {
            QuantizeReport report;
            const auto model =
                quantizeInMemory(from.model, *from.statistics, options, report, progress);
            return evaluate(*model, reference.get(), windows, compute(), progress).klMean;
        };
        const double rtn = klOf(other(Method::Rtn, 3, {.groupSize = 32}));
        const double gptq = klOf(other(Method::Gptq, 3, {.groupSize = 32}));
        QVERIFY2(gptq < rtn, qPrintable(QString("%1 %2").arg(gptq).arg(rtn)));
        // At the bits that groups really take.
        CheckpointSpec spec = checkpointSpec(*from.model, *from.statistics,
                                             other(Method::Gptq, 3, {.groupSize = 32}), progress);
        const double bits = CheckpointLayout(*from.model, spec).parts().bitsPerWeight();
        QuantizeOptions without = plus("llama2-gqa", bits);
        without.descentPasses = 0;
        const double columns = klOf(without), descended = klOf(plus("llama2-gqa", bits));
        QVERIFY2(columns < gptq, qPrintable(QString("%1 %2").arg(columns).arg(gptq)));
        QVERIFY2(descended < columns, qPrintable(QString("%1 %2").arg(descended).arg(columns)));
        QuantizeOptions polished = plus("llama2-gqa", bits);
        polished.polishSteps = 30;
        const double trained = klOf(polished);
        QVERIFY2(trained < descended, qPrintable(QString("%1 %2").arg(trained).arg(descended)));
        // Where the model does not fit, block by block.
        polished.compute.memoryBytes = tooLittle;
        const double byBlock = klOf(polished);
        QVERIFY2(byBlock < descended, qPrintable(QString("%1 %2").arg(byBlock).arg(descended)));
        QVERIFY(byBlock != trained);
    }

    void numPyReadsThePolished() {
        const auto all = cases();
        for (const char* name : {"cmpq+ polished", "cmpq+ outliers", "gptq 4 act-order"}) {
            const Case& one = all.at(name);
            TemporaryFolder folder;
            NoProgress progress;
            write(subject(one.golden), one.options, folder / "out", progress);
            dump(*openWeights((folder / "out").string()), folder / "dump.safetensors");
            QProcess python;
            python.setProcessChannelMode(QProcess::MergedChannels);
            python.start(BITLOOM_TEST_PYTHON,
                         {"-c", compareInNumPy, BITLOOM_SOURCE_DIR "/tests/support",
                          QString::fromStdString((folder / "out").string()),
                          QString::fromStdString((folder / "dump.safetensors").string())});
            QVERIFY(python.waitForFinished(60000));
            const QByteArray output = python.readAll();
            QVERIFY2(python.exitStatus() == QProcess::NormalExit && python.exitCode() == 0,
                     output.constData());
            QVERIFY(output.contains("tensors are the same"));
        }
    }

    void resume_data() {
        QTest::addColumn<std::string>("name");
        QTest::addColumn<int>("points");
        QTest::newRow("cmpq+") << std::string("cmpq+") << 9;
        QTest::newRow("parallel") << std::string("parallel") << 4;
        QTest::newRow("polish") << std::string("polish") << 6;
        QTest::newRow("polish by block") << std::string("polish by block") << 9;
        QTest::newRow("cmpq") << std::string("cmpq") << 3;
        QTest::newRow("rtn") << std::string("rtn") << 3;
        QTest::newRow("gptq") << std::string("gptq") << 4;
    }
    void resume() {
        QFETCH(std::string, name);
        QFETCH(int, points);
        const Case one = shortCase(name);
        const Subject& from = subject(one.golden);
        const int64_t linears = int64_t(from.model->catalogue().linears.size());
        const bool byBlock = name == "polish by block";
        const int64_t steps =
            one.options.polishSteps * (byBlock ? from.model->config().layers : int64_t(1));
        TemporaryFolder whole;
        Cancelling counter;
        write(from, one.options, whole / "out", counter);
        const auto expected = folderContent(whole / "out");

        int interrupted = 0;
        std::set<int64_t> resumedLayers, resumedSteps, limits;
        for (int point = 0; point < points; ++point)
            limits.insert(1 + (counter.asked() - 1) * point / points);
        if (byBlock) // within both blocks, and between them
            for (const char* step :
                 {"polish of block 1 of 2, step 11", "targets of block 2",
                  "polish of block 2 of 2, step 1 ", "polish of block 2 of 2, step 12"})
                limits.insert(counter.questionAfter(step));
        else if (steps > 0) // behind the polish checkpoint of step 10, and behind the last step
            for (const char* step : {"polish, step 11", "polish, step 13"})
                limits.insert(counter.questionAfter(step));
        QVERIFY(!limits.contains(0));
        for (const int64_t limit : limits) {
            TemporaryFolder folder;
            Cancelling progress(limit);
            if (!cancelledIn([&] { write(from, one.options, folder / "out", progress); })) continue;
            ++interrupted;
            QVERIFY(!fs::exists(folder / "out"));
            const bool begun = fs::exists(folder / "out.partial");
            NoProgress calm;
            if (begun) COMPARE_ERROR(write(from, one.options, folder / "out", calm), "out.partial");
            const Written done = write(from, one.options, folder / "out", calm, /*resume=*/true);
            QCOMPARE(done.report.layersResumed + done.report.layersComputed, linears);
            QCOMPARE(done.report.polishStepsResumed + done.report.polishStepsComputed, steps);
            QVERIFY(!fs::exists(folder / "out.partial"));
            const std::string differs = firstDifference(folderContent(folder / "out"), expected);
            QVERIFY2(differs.empty(), qPrintable(QString("%1 differs, cancelled at question %2")
                                                     .arg(QString::fromStdString(differs))
                                                     .arg(limit)));
            resumedLayers.insert(done.report.layersResumed);
            resumedSteps.insert(done.report.polishStepsResumed);
        }
        QVERIFY(interrupted >= points - 1);
        QVERIFY(resumedLayers.size() > 1);
        if (steps > 0) QVERIFY(resumedSteps.contains(10) && resumedSteps.contains(13));
        if (byBlock) QVERIFY(resumedSteps.contains(23));
    }

    /// Work that did not survive whole is done again.
    void damagedWork() {
        const Case one = shortCase("polish");
        const Subject& from = subject(one.golden);
        TemporaryFolder whole;
        Cancelling counter;
        write(from, one.options, whole / "out", counter);
        const auto expected = folderContent(whole / "out");
        for (const int percent : {35, 60}) {
            TemporaryFolder folder;
            Cancelling progress(counter.asked() * percent / 100);
            QVERIFY(cancelledIn([&] { write(from, one.options, folder / "out", progress); }));
            int damaged = 0;
            for (const auto& [file, bytes] : folderContent(folder / "out.partial" / "work")) {
                if (file.starts_with("polish")) continue;
                std::string content = bytes;
                content[content.size() - 3] ^= 1;
                std::ofstream(folder / "out.partial" / "work" / file, std::ios::binary) << content;
                ++damaged;
            }
            QVERIFY(damaged > 0);
            NoProgress calm;
            const Written done = write(from, one.options, folder / "out", calm, true);
            QCOMPARE(done.report.layersResumed, 0);
            QCOMPARE(firstDifference(folderContent(folder / "out"), expected), std::string());
        }
    }

    void fingerprints() {
        const Subject& from = subject("llama2-gqa");
        const QuantizeOptions base = plus("llama2-gqa", 3.0);
        const auto of = [&](const QuantizeOptions& options) {
            return quantizeFingerprint(*from.model, *from.statistics, options);
        };
        QCOMPARE(of(base), of(plus("llama2-gqa", 3.0)));
        std::set<std::string> all{of(base), of(plus("llama2-gqa", 3.2))};
        const auto differs = [&](auto change) {
            QuantizeOptions options = base;
            change(options);
            return all.insert(of(options)).second;
        };
        QVERIFY(differs([](QuantizeOptions& o) { o.descentPasses = 1; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.polishSteps = 5; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.polishSteps = 5, o.seed = 1; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.hessians = HessianMode::Parallel; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.head = HeadStorage::Rows8; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.compute.threads = 1; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.method = Method::Gptq; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.method = Method::Gptq, o.bits = 4; }));
        QVERIFY(
            differs([](QuantizeOptions& o) { o.method = Method::Gptq, o.group.groupSize = 64; }));
        QVERIFY(differs([](QuantizeOptions& o) { o.method = Method::Cmpq; }));
        // What a method does not use changes nothing.
        QVERIFY(!differs([](QuantizeOptions& o) { o.bits = 5; }));
        QVERIFY(!differs([](QuantizeOptions& o) { o.seed = 4; }));
    }

    void refusals() {
        const Subject& from = subject("llama2-gqa");
        NoProgress progress;
        const auto spec = [&](const QuantizeOptions& options) {
            return checkpointSpec(*from.model, *from.statistics, options, progress);
        };
        COMPARE_ERROR(spec(other(Method::Rtn, 2.5)), "whole number of bits from 2 to 8");
        COMPARE_ERROR(spec(other(Method::Gptq, 9)), "whole number of bits from 2 to 8");
        COMPARE_ERROR(spec(other(Method::Rtn, 4, {.groupSize = 4})), "group size");
        QuantizeOptions options = plus("llama2-gqa", 3.0);
        options.plan.layers.pop_back();
        COMPARE_ERROR(spec(options), "the plan has 20 layers and the model 21");
        options = plus("llama2-gqa", 3.0);
        options.plan.layers[3].name = "nobody";
        COMPARE_ERROR(spec(options), "layer nobody does not fit");
        QuantizeReport report;
        COMPARE_ERROR(quantizeInMemory(from.model, *subject("qwen3-qknorm").statistics,
                                       plus("llama2-gqa", 3.0), report, progress),
                      "belong to another model");
    }
};

QTEST_APPLESS_MAIN(TestQuantize)
#include "tst_quantize.moc"
