// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/stats/statistics.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "tests/core/format/format_testing.h"

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace fs = std::filesystem;

namespace {

/// A calibration with made-up numbers.
struct Calibration {
    Catalogue catalogue = Catalogue::make(ModelConfig::load(golden("llama2-gqa")));
    CalibrationRecipe recipe;
    std::vector<int32_t> ids;
    fs::path folder;

    explicit Calibration(const fs::path& cache) {
        recipe.modelFingerprint = "model";
        recipe.textHash = "text";
        recipe.source = "calibration.txt";
        recipe.sequences = 3;
        recipe.length = 7;
        recipe.menu = defaultMenu();
        for (int32_t i = 0; i < 21; ++i)
            ids.push_back(i * 1000 - 5);
        folder = statisticsFolder(cache, recipe);
    }

    StatisticsWriter writer() const { return {folder, recipe, catalogue, "tiny", ids}; }

    struct Values {
        std::vector<float> actRms, actAbsmax, weightRms, conditional, sse;
        double rank, gamma;
        StatisticsWriter::LayerValues spans() const {
            return {actRms, actAbsmax, weightRms, conditional, sse, rank};
        }
    };
    Values valuesOf(const LinearInfo& linear) const {
        Random random(std::hash<std::string>()(linear.name));
        const auto numbers = [&](int64_t count) {
            std::vector<float> values;
            for (int64_t i = 0; i < count; ++i)
                values.push_back(float(random() % 100000) / 7.0f);
            return values;
        };
        Values values;
        values.actRms = numbers(linear.cols);
        values.actAbsmax = numbers(linear.cols);
        values.weightRms = numbers(linear.cols);
        values.conditional = numbers(linear.cols);
        values.sse = numbers(linear.cols * int64_t(recipe.menu.size()));
        values.rank = double(linear.rows) / 3;
        values.gamma = double(linear.cols) / 7;
        return values;
    }

    /// Fills what is not there yet, up to `limit` puts. True if it came to the end.
    bool run(int limit, fs::path* finished = nullptr, int* puts = nullptr) const {
        auto writer = this->writer();
        int done = 0;
        const auto may = [&] { return done++ < limit; };
        for (const LinearInfo& linear : catalogue.linears) {
            if (writer.hasLayer(linear.name)) continue;
            if (!may()) return false;
            writer.putLayer(linear.name, valuesOf(linear).spans());
        }
        for (auto linear = catalogue.linears.rbegin(); linear != catalogue.linears.rend();
             ++linear) {
            if (writer.hasGamma(linear->name)) continue;
            if (!may()) return false;
            writer.putGamma(linear->name, valuesOf(*linear).gamma);
        }
        if (!writer.hasNll()) {
            if (!may()) return false;
            writer.putNll(2.5, 0.125);
        }
        if (!may()) return false;
        const std::string segments = "sorted";
        const fs::path path = writer.finish(std::as_bytes(std::span(segments)));
        if (finished) *finished = path;
        if (puts) *puts = done;
        return true;
    }

    fs::path partial() const { return folder / "stats.safetensors.partial"; }
    fs::path journal() const { return folder / "stats.journal"; }
};

const std::map<std::string, std::string>& undisturbed() {
    static const auto content = [] {
        Folder temporary;
        const Calibration calibration(temporary.path());
        calibration.run(1000);
        return contentOf(calibration.folder);
    }();
    return content;
}

template<typename A, typename B>
bool same(const A& a, const B& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

} // namespace

class TestStatistics : public QObject {
    Q_OBJECT

private slots:
    // What is torn and damaged on purpose is not worth a line each.
    void initTestCase() { logger("core")->set_level(spdlog::level::err); }

    void comesBack() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        fs::path path;
        QVERIFY(calibration.run(1000, &path));
        const auto statistics = Statistics::open(path);
        QVERIFY(statistics->complete());
        QCOMPARE(statistics->path(), path);
        QVERIFY(statistics->menu() == calibration.recipe.menu);
        QCOMPARE(statistics->recipe().fingerprint(), calibration.recipe.fingerprint());
        QCOMPARE(statistics->recipe().source, std::string("calibration.txt"));
        QCOMPARE(statistics->modelName(), std::string("tiny"));
        QVERIFY(same(statistics->inputIds(), calibration.ids));
        QCOMPARE(statistics->nllFp(), 2.5);
        QCOMPARE(statistics->nllFpStderr(), 0.125);
        const std::string segments = "sorted";
        QVERIFY(same(statistics->sortedSegments(), std::as_bytes(std::span(segments))));
        QCOMPARE(statistics->layers().size(), calibration.catalogue.linears.size());
        for (size_t i = 0; i < statistics->layers().size(); ++i) {
            const LinearInfo& linear = calibration.catalogue.linears[i];
            const LayerStatistics& layer = statistics->layers()[i];
            const auto values = calibration.valuesOf(linear);
            QCOMPARE(layer.name, linear.name);
            QVERIFY(layer.rows == linear.rows && layer.cols == linear.cols);
            QVERIFY(layer.normsDone && layer.gammaDone);
            QVERIFY(same(layer.actRms, values.actRms) && same(layer.actAbsmax, values.actAbsmax));
            QVERIFY(same(layer.weightRms, values.weightRms));
            QVERIFY(same(layer.conditional, values.conditional) && same(layer.sse, values.sse));
            QCOMPARE(layer.gamma, values.gamma);
            QCOMPARE(layer.effectiveRank, values.rank);
            QCOMPARE(statistics->find(linear.name), &layer);
        }
        QVERIFY(!statistics->find("nothing"));
        // Nothing of the writing is left.
        QCOMPARE(contentOf(calibration.folder).size(), size_t(2));
    }

    void resumesAtEveryStep() {
        int steps = 0;
        for (bool finished = false; !finished; ++steps) {
            Folder temporary;
            const Calibration calibration(temporary.path());
            finished = calibration.run(steps);
            if (!finished) {
                int puts = 0;
                QVERIFY(calibration.run(1000, nullptr, &puts));
                // Nothing is done twice: all puts and the end.
                QCOMPARE(puts + steps, int(2 * calibration.catalogue.linears.size() + 2));
            }
            QVERIFY(contentOf(calibration.folder) == undisturbed());
        }
    }

    void tornJournal() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        calibration.run(25);
        const std::string whole = readTextFile(calibration.journal());
        size_t lines = 0, from = whole.size();
        while (lines < 3)
            lines += whole[--from] == '\n';
        for (size_t length = from + 1; length <= whole.size(); ++length) {
            writeFileAtomically(calibration.journal(), std::string_view(whole).substr(0, length));
            const auto writer = calibration.writer();
            int gammas = 0;
            for (const LinearInfo& linear : calibration.catalogue.linears) {
                QVERIFY(writer.hasLayer(linear.name));
                gammas += writer.hasGamma(linear.name);
            }
            const auto complete =
                std::ranges::count(whole.begin(), whole.begin() + int64_t(length), '\n');
            QCOMPARE(gammas, int(complete) - 22); // recipe and 21 layers
        }
        QVERIFY(calibration.run(1000));
        QVERIFY(contentOf(calibration.folder) == undisturbed());
    }

    void damagedLayerIsMadeAgain() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        calibration.run(30);
        const std::string name = calibration.catalogue.linears[2].name;
        {
            const auto file = SafetensorsFile::open(calibration.partial());
            const auto data = file->data(file->require(name + ".sse"));
            const auto whole = readTextFile(calibration.partial());
            const std::string_view part(reinterpret_cast<const char*>(data.data()), 64);
            flipByte(calibration.partial(), whole.find(part) + 9);
        }
        {
            const auto writer = calibration.writer();
            QVERIFY(!writer.hasLayer(name));
            QVERIFY(writer.hasLayer(calibration.catalogue.linears[1].name));
        }
        QVERIFY(!Statistics::open(calibration.partial(), true)->find(name)->normsDone);
        QVERIFY(calibration.run(1000));
        QVERIFY(contentOf(calibration.folder) == undisturbed());
    }

    void lostFileStartsAgain() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        calibration.run(30);
        fs::remove(calibration.partial());
        QVERIFY(calibration.run(1000));
        QVERIFY(contentOf(calibration.folder) == undisturbed());
        // A journal that finish() did not come to remove.
        writeFileAtomically(calibration.journal(), "");
        {
            Journal(calibration.journal())
                .append({{"fingerprint", calibration.recipe.fingerprint()}});
        }
        QVERIFY(calibration.run(1000));
        QVERIFY(contentOf(calibration.folder) == undisturbed());
    }

    void liveView() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        auto writer = calibration.writer();
        const LinearInfo& first = calibration.catalogue.linears.front();
        const LinearInfo& last = calibration.catalogue.linears.back();
        COMPARE_ERROR(Statistics::open(writer.partialPath()), "not complete");
        const auto before = Statistics::open(writer.partialPath(), true);
        QVERIFY(!before->complete() && !before->find(first.name)->normsDone);
        writer.putLayer(first.name, calibration.valuesOf(first).spans());
        writer.putGamma(last.name, 0.5);
        writer.putMark("block", {{"at", 3}});
        const auto after = Statistics::open(writer.partialPath(), true);
        QVERIFY(after->find(first.name)->normsDone && !after->find(first.name)->gammaDone);
        QVERIFY(!after->find(last.name)->normsDone && after->find(last.name)->gammaDone);
        QVERIFY(same(after->find(first.name)->sse, calibration.valuesOf(first).sse));
        QCOMPARE(after->find(last.name)->gamma, 0.5);
        QCOMPARE(writer.gamma(last.name), 0.5);
        COMPARE_ERROR(writer.gamma(first.name), "not known yet");
        QCOMPARE(writer.mark("block")->at("at").get<int>(), 3);
        QVERIFY(!writer.mark("other"));
        COMPARE_ERROR(writer.finish({}), "missing");
        COMPARE_ERROR(calibration.writer(), "in use");
    }

    void refusesWhatCannotBe() {
        Folder temporary;
        const Calibration calibration(temporary.path());
        auto writer = calibration.writer();
        const LinearInfo& linear = calibration.catalogue.linears.front();
        const float infinity = std::numeric_limits<float>::infinity();
        const auto with = [&](auto change) {
            auto values = calibration.valuesOf(linear);
            change(values);
            return errorOf([&] { writer.putLayer(linear.name, values.spans()); });
        };
        QCOMPARE(with([](auto&) {}), std::string());
        QCOMPARE(with([](auto& v) { v.sse[3] = -0.0f; }), std::string());
        QVERIFY(!with([](auto& v) { v.sse.pop_back(); }).empty());
        QVERIFY(!with([](auto& v) { v.sse.back() = std::nanf(""); }).empty());
        QVERIFY(!with([](auto& v) { v.sse[1] = -1e-30f; }).empty());
        QVERIFY(!with([&](auto& v) { v.actRms[0] = infinity; }).empty());
        QVERIFY(!with([&](auto& v) { v.conditional[0] = -infinity; }).empty());
        QVERIFY(!with([](auto& v) { v.rank = -1; }).empty());
        QVERIFY(writer.hasLayer(linear.name)); // a refused put changes nothing
        COMPARE_ERROR(writer.putLayer("nothing", calibration.valuesOf(linear).spans()), "no layer");
        COMPARE_ERROR(writer.putGamma(linear.name, std::nan("")), "Fisher");
        COMPARE_ERROR(writer.putGamma(linear.name, -1), "Fisher");
        COMPARE_ERROR(writer.putNll(std::nan(""), 0), "NLL");

        Calibration other(temporary.path() / "other");
        other.ids.pop_back();
        COMPARE_ERROR(other.writer(), "3 × 7 tokens");
    }

    void fingerprintCoversTheNumbers() {
        const Calibration calibration("/nowhere");
        const CalibrationRecipe& recipe = calibration.recipe;
        const auto changed = [&](auto change) {
            CalibrationRecipe other = recipe;
            change(other);
            return other.fingerprint() != recipe.fingerprint();
        };
        QVERIFY(changed([](auto& r) { r.modelFingerprint = "m"; }));
        QVERIFY(changed([](auto& r) { r.textHash = "t"; }));
        QVERIFY(changed([](auto& r) { r.sequences = 4; }));
        QVERIFY(changed([](auto& r) { r.length = 8; }));
        QVERIFY(changed([](auto& r) { r.damping = 0.010000000000000002; }));
        QVERIFY(changed([](auto& r) { r.order = "ascending"; }));
        QVERIFY(changed([](auto& r) { r.menu.pop_back(); }));
        QVERIFY(!changed([](auto& r) { r.source = "elsewhere"; }));
    }

    void anotherRecipeIsRefused() {
        Folder temporary;
        Calibration calibration(temporary.path());
        calibration.run(5);
        Calibration other = calibration;
        other.recipe.source = "the same text from elsewhere, in a longer name";
        {
            const auto writer = other.writer();
            QVERIFY(writer.hasLayer(calibration.catalogue.linears[0].name));
        }
        other.recipe.damping = 0.02;
        COMPARE_ERROR(other.writer(), "another model or recipe");
    }

    void damagedFiles_data() {
        QTest::addColumn<QString>("what");
        QTest::addColumn<QString>("message");
        QTest::newRow("metadata") << "format"
                                  << "not a statistics file";
        QTest::newRow("version") << "format_version"
                                 << "has version";
        QTest::newRow("menu") << "recipe"
                              << "metadata is damaged";
        QTest::newRow("layers") << "layers"
                                << "metadata is damaged";
        QTest::newRow("NaN") << "nan"
                             << "not a number";
        QTest::newRow("negative") << "negative"
                                  << "negative";
        QTest::newRow("gamma") << "gamma"
                               << "Fisher";
        QTest::newRow("nll") << "nll"
                             << "NLL";
        QTest::newRow("missing") << "missing"
                                 << "no tensor";
        QTest::newRow("shape") << "shape"
                               << "should be";
        QTest::newRow("unaligned") << "unaligned"
                                   << "";
    }
    void damagedFiles() {
        QFETCH(QString, what);
        QFETCH(QString, message);
        Folder temporary;
        const Calibration calibration(temporary.path());
        fs::path path;
        calibration.run(1000, &path);
        const auto file = SafetensorsFile::open(path);
        auto metadata = file->metadata();
        std::vector<std::vector<std::byte>> content;
        std::vector<TensorBytes> tensors;
        for (const TensorInfo& info : file->tensors()) {
            const auto data = file->data(info);
            content.emplace_back(data.begin(), data.end());
            tensors.push_back({{info.name, info.dtype, info.shape}, {}});
        }
        const auto at = [&](const std::string& ending) {
            for (size_t i = 0; i < tensors.size(); ++i)
                if (tensors[i].spec.name.ends_with(ending)) return i;
            return tensors.size();
        };
        const auto put = [&](const std::string& ending, auto value) {
            std::memcpy(content[at(ending)].data(), &value, sizeof value);
        };
        if (metadata.contains(what.toStdString())) metadata[what.toStdString()] = "7";
        if (what == "nan") put("up_proj.sse", std::nanf(""));
        if (what == "negative") put(".conditional", -1.0f);
        if (what == "gamma") put(".gamma", std::nan(""));
        if (what == "nll") put("nll_fp", std::nan(""));
        if (what == "missing") tensors[at(".act_rms")].spec.name = "other";
        if (what == "shape") tensors[at(".act_rms")].spec.shape.push_back(1);
        for (size_t i = 0; i < tensors.size(); ++i)
            tensors[i].bytes = content[i];
        writeSafetensors(path, tensors, metadata);
        if (what == "unaligned") { // as another program may write it: a header of odd length
            std::string text = readTextFile(path);
            uint64_t length = 0;
            std::memcpy(&length, text.data(), 8);
            text.insert(8 + size_t(length), "   ");
            length += 3;
            std::memcpy(text.data(), &length, 8);
            writeFileAtomically(path, text);
            const auto statistics = Statistics::open(path);
            for (const LinearInfo& linear : calibration.catalogue.linears) {
                const LayerStatistics& layer = *statistics->find(linear.name);
                QVERIFY(same(layer.sse, calibration.valuesOf(linear).sse));
                QVERIFY(same(layer.actRms, calibration.valuesOf(linear).actRms));
                QCOMPARE(layer.gamma, calibration.valuesOf(linear).gamma);
            }
            QVERIFY(same(statistics->inputIds(), calibration.ids));
            return;
        }
        COMPARE_ERROR(Statistics::open(path), message.toStdString());
    }

    void cacheIsSearched() {
        Folder temporary;
        QVERIFY(findCachedStatistics(temporary.path() / "none", "model").empty());
        Calibration older(temporary.path()), newer(temporary.path()), other(temporary.path()),
            running(temporary.path());
        newer.recipe.length = 3, newer.ids.resize(9);
        newer.folder = statisticsFolder(temporary.path(), newer.recipe);
        other.recipe.modelFingerprint = "another";
        other.folder = statisticsFolder(temporary.path(), other.recipe);
        running.recipe.damping = 0.5;
        running.folder = statisticsFolder(temporary.path(), running.recipe);
        fs::path olderPath, newerPath;
        newer.run(1000, &newerPath);
        older.run(1000, &olderPath);
        other.run(1000);
        running.run(10);
        fs::last_write_time(olderPath, fs::last_write_time(newerPath) - std::chrono::hours(1));
        fs::create_directories(temporary.path() / "stats" / "broken");
        writeFileAtomically(temporary.path() / "stats" / "broken" / "stats.safetensors", "text");
        QCOMPARE(findCachedStatistics(temporary.path(), "model"),
                 (std::vector<fs::path>{newerPath, olderPath}));
    }

    void modelsBringTheirOwn() {
        Folder temporary;
        const fs::path cache = temporary.path() / "cache", model = temporary.path() / "model";
        QVERIFY(!adoptStatistics(cache, model, "model")); // none there
        Calibration calibration(temporary.path() / "elsewhere");
        fs::path made;
        calibration.run(1000, &made);
        fs::create_directories(model / "bitloom");
        fs::copy_file(made, model / "bitloom" / "stats.safetensors");
        QVERIFY(!adoptStatistics(cache, model, "another"));
        QVERIFY(findCachedStatistics(cache, "another").empty());

        QVERIFY(adoptStatistics(cache, model, "model"));
        const fs::path adopted = statisticsFolder(cache, calibration.recipe) / "stats.safetensors";
        QCOMPARE(findCachedStatistics(cache, "model"), std::vector<fs::path>{adopted});
        QVERIFY(same(Statistics::open(adopted)->inputIds(), calibration.ids));
        // By several at a time: the studio's own threads, and its engine.
        for (int round = 0; round < 20; ++round) {
            fs::remove(adopted);
            std::atomic<int> failed{0};
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; ++i)
                threads.emplace_back([&] { failed += !adoptStatistics(cache, model, "model"); });
            for (std::thread& thread : threads)
                thread.join();
            QCOMPARE(failed.load(), 0);
            QCOMPARE(findCachedStatistics(cache, "model"), std::vector<fs::path>{adopted});
        }
        // What is in the cache stays, were the folder's file damaged later or not.
        const auto time = fs::last_write_time(adopted);
        QVERIFY(adoptStatistics(cache, model, "model"));
        QVERIFY(fs::last_write_time(adopted) == time);
        writeFileAtomically(model / "bitloom" / "stats.safetensors", "text");
        QVERIFY(!adoptStatistics(cache, model, "model"));
        QCOMPARE(findCachedStatistics(cache, "model"), std::vector<fs::path>{adopted});
    }
};

QTEST_APPLESS_MAIN(TestStatistics)
#include "tst_statistics.moc"
