// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/checkpoint_writer.h"

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/format/checkpoint_reader.h"
#include "core/io/durable.h"
#include "tests/core/format/format_testing.h"

#include <csignal>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace fs = std::filesystem;

namespace {

/// A job that stops when it is told to, as if it were killed there.
struct Stop {};

struct Job {
    std::shared_ptr<const Checkpoint> source = Checkpoint::open(golden("llama2-gqa").string());
    CheckpointSpec spec;
    fs::path out;
    CheckpointWriter::Options options{.resume = true, .fingerprint = "job"};
    int steps = -1; ///< to do before the stop; −1: all
    int resumed = 0, done = 0;
    bool backwards = false;

    explicit Job(const fs::path& folder, Storage plan = Storage::Mixed) : out(folder / "out") {
        spec = randomSpec(*source, plan, 11);
        spec.head = HeadStorage::Rows8;
        spec.maxShardBytes = 100'000;
    }

    void step() {
        if (steps >= 0 && done == steps) throw Stop{};
        ++done;
    }

    /// Every linear in turn, then the rest. Each step is something that takes time in a real job.
    void run() {
        done = 0;
        const CheckpointLayout layout(*source, spec);
        CheckpointWriter writer(out, *source, layout, options);
        resumed = int(writer.resumedTensors());
        auto linears = source->catalogue().linears;
        if (backwards) std::ranges::reverse(linears);
        for (const LinearInfo& linear : linears) {
            if (!spec.layers.contains(linear.name) || writer.hasLinear(linear.name)) continue;
            step();
            writer.putLinear(linear.name, randomLinear(*source, spec, linear, 1));
            writer.putMark("last", linear.name);
        }
        step();
        NoProgress progress;
        writer.copyRemaining(*source, 2, progress);
        step();
        writer.finish(spec.recipe, progress);
    }

    bool runUntil(int limit) {
        steps = limit;
        try {
            run();
        } catch (const Stop&) {
            return false;
        }
        return true;
    }

    fs::path partial() const { return out.string() + ".partial"; }
    fs::path journal() const { return partial() / "work" / "journal"; }
};

/// The files that a job gives when nothing disturbs it.
const std::map<std::string, std::string>& undisturbed() {
    static const auto content = [] {
        Folder temporary;
        Job job(temporary.path());
        job.run();
        return contentOf(job.out);
    }();
    return content;
}

/// Nothing is left beside OUT.
std::vector<std::string> namesIn(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

} // namespace

class TestCheckpointWriter : public QObject {
    Q_OBJECT

private slots:
    // What is torn and damaged on purpose is not worth a line each.
    void initTestCase() { logger("core")->set_level(spdlog::level::err); }

    // The tests that fork come first, while this process has no helper threads.

    /// The system kills the process at arbitrary moments; every run goes on.
    void killedForReal() {
        Folder temporary;
        Job job(temporary.path());
        Random random(4);
        int kills = 0;
        for (bool finished = false; !finished; ++kills) {
            const pid_t child = fork();
            if (child == 0) {
                // A timer of the process itself: no waiting here, any moment there. Longer and
                // longer, so that slow machines get done too.
                const double longest = 2000 * std::pow(1.2, kills);
                const auto delay = int64_t(1000 + below(random, int64_t(longest)));
                const itimerval timer{{}, {delay / 1'000'000, delay % 1'000'000}};
                signal(SIGALRM, SIG_DFL);
                setitimer(ITIMER_REAL, &timer, nullptr);
                try {
                    job.run();
                } catch (...) {
                    _exit(2);
                }
                _exit(0);
            }
            random.discard(1);
            int status = 0;
            QCOMPARE(waitpid(child, &status, 0), child);
            QVERIFY(!WIFEXITED(status) || WEXITSTATUS(status) == 0 || fs::exists(job.out));
            finished = fs::exists(job.out);
            if (!finished) QVERIFY(kills < 100);
        }
        // A kill after publishing may leave the folder beside; the next run clears it away.
        COMPARE_ERROR(job.run(), "exists already");
        QVERIFY(contentOf(job.out) == undisturbed());
        QCOMPARE(namesIn(temporary.path()), std::vector<std::string>{"out"});
    }

    /// No file may grow beyond a limit: what a full disk does, at every place where it can hit.
    void fullDisk() {
        const pid_t child = fork();
        if (child == 0) _exit(fullDiskByLimit());
        int status = 0;
        QCOMPARE(waitpid(child, &status, 0), child);
        QVERIFY(WIFEXITED(status));
        QCOMPARE(WEXITSTATUS(status), 0);
    }

    void resumesAtEveryStep() {
        int steps = 0;
        for (bool finished = false; !finished; ++steps) {
            Folder temporary;
            Job job(temporary.path());
            finished = job.runUntil(steps);
            if (!finished) {
                QVERIFY(!fs::exists(job.out));
                QVERIFY(!fs::exists(job.partial() / "config.json"));
                COMPARE_ERROR(QuantizedCheckpoint::open(job.partial()), "not finished");
                job.steps = -1;
                job.run();
                QVERIFY(job.resumed > 0 || steps == 0);
            }
            QVERIFY(contentOf(job.out) == undisturbed());
            QCOMPARE(namesIn(temporary.path()), std::vector<std::string>{"out"});
        }
        QVERIFY(steps > 15);
    }

    void survivesStopAfterStop() {
        Folder temporary;
        Job job(temporary.path());
        int runs = 1;
        while (!job.runUntil(2) && runs < 20)
            ++runs;
        QVERIFY(runs > 5);
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    void orderDoesNotMatter() {
        Folder temporary;
        Job job(temporary.path());
        job.backwards = true;
        job.run();
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    /// A death while the journal is written leaves any part of its last line.
    void tornJournal() {
        Folder temporary;
        Job job(temporary.path(), Storage::Groups);
        job.runUntil(3);
        const std::string whole = readTextFile(job.journal());
        size_t lines = 0, from = whole.size();
        while (lines < 3 && from > 0)
            if (whole[--from] == '\n') ++lines;
        for (size_t length = from + 1; length <= whole.size(); ++length) {
            // The torn line is the last one.
            writeFileAtomically(job.journal(), std::string_view(whole).substr(0, length));
            const CheckpointLayout layout(*job.source, job.spec);
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            size_t complete = 0;
            for (const LinearInfo& linear : job.source->catalogue().linears)
                complete += writer.hasLinear(linear.name);
            const auto text = std::string_view(whole).substr(0, length);
            size_t journaled = 0;
            for (size_t at = text.find("\"put\""); at != text.npos;
                 at = text.find("\"put\"", at + 1))
                journaled += text.find('\n', at) != text.npos;
            QCOMPARE(complete, journaled);
        }
        job.steps = -1;
        job.run();
        Job calm(temporary.path(), Storage::Groups);
        calm.out = job.out.string() + "-calm";
        calm.run();
        QVERIFY(contentOf(job.out) == contentOf(calm.out));
    }

    void damagedJournalIsNamed() {
        Folder temporary;
        Job job(temporary.path());
        job.runUntil(3);
        flipByte(job.journal(), 40);
        COMPARE_ERROR(job.run(), "journal");
    }

    /// A byte that changed on disk behind the journal's back costs its layer only.
    void damagedTensorIsMadeAgain() {
        Folder temporary;
        Job job(temporary.path());
        job.runUntil(5);
        const CheckpointLayout layout(*job.source, job.spec);
        const std::string linear = job.source->catalogue().linears[1].name; // groups
        const auto [shard, info] = layout.locate(linear + ".codes");
        const auto& place = layout.shards()[shard];
        flipByte(job.partial() / place.fileName, place.layout.fileOffset(info) + 3);
        {
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            QVERIFY(!writer.hasTensor(linear + ".codes"));
            QVERIFY(writer.hasTensor(linear + ".group_scale"));
            QVERIFY(!writer.hasLinear(linear));
            QVERIFY(writer.hasLinear(job.source->catalogue().linears[0].name));
            COMPARE_ERROR(writer.readTensor(linear + ".codes"), "has not been written");
        }
        job.steps = -1;
        job.run();
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    /// The shards are gone or cut short: everything in them is made again.
    void lostShard() {
        Folder temporary;
        Job job(temporary.path());
        job.runUntil(9);
        fs::remove(job.partial() / CheckpointLayout(*job.source, job.spec).shards()[0].fileName);
        job.steps = -1;
        job.run();
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    void overwritingIsAllOrNothing() {
        Folder temporary;
        Job job(temporary.path());
        job.runUntil(3);
        const CheckpointLayout layout(*job.source, job.spec);
        const LinearInfo& linear = job.source->catalogue().linears[0];
        const auto other = randomLinear(*job.source, job.spec, linear, 2);
        {
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            writer.putLinear(linear.name, other);
            QVERIFY(writer.hasLinear(linear.name));
        }
        CheckpointWriter writer(job.out, *job.source, layout, job.options);
        QVERIFY(writer.hasLinear(linear.name));
        for (const PackedTensor& tensor : other)
            QVERIFY(writer.readTensor(linear.name + "." + tensor.suffix) == tensor.bytes);
        const ColumnWeights weights = writer.readColumn(linear.name);
        QVERIFY(pack(weights)[4].bytes == other[4].bytes);
        COMPARE_ERROR(writer.readGroup(linear.name), "not stored in this layout");
        COMPARE_ERROR(writer.readColumn(job.source->catalogue().linears[9].name),
                      "has not been written");
    }

    void marksAndScratchLast() {
        Folder temporary;
        Job job(temporary.path());
        {
            const CheckpointLayout layout(*job.source, job.spec);
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            QVERIFY(!writer.mark("step"));
            writer.putMark("step", 1);
            writer.putMark("step", {{"block", 2}});
            writeFileAtomically(writer.workFolder() / "optimizer.bin", "state");
        }
        const CheckpointLayout layout(*job.source, job.spec);
        {
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            QCOMPARE(writer.mark("step")->at("block").get<int>(), 2);
            QCOMPARE(readTextFile(writer.workFolder() / "optimizer.bin"), std::string("state"));
        }
        job.run();
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    void putsFromManyThreads() {
        Folder temporary;
        Job job(temporary.path());
        const CheckpointLayout layout(*job.source, job.spec);
        {
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            const auto& linears = job.source->catalogue().linears;
            std::vector<std::thread> threads;
            for (size_t t = 0; t < 4; ++t)
                threads.emplace_back([&, t] {
                    for (size_t i = t; i < linears.size(); i += 4)
                        if (job.spec.layers.contains(linears[i].name))
                            writer.putLinear(linears[i].name,
                                             randomLinear(*job.source, job.spec, linears[i], 1));
                });
            for (std::thread& thread : threads)
                thread.join();
        }
        job.run();
        QVERIFY(contentOf(job.out) == undisturbed());
    }

    void refusesWrongInput() {
        Folder temporary;
        Job job(temporary.path());
        const CheckpointLayout layout(*job.source, job.spec);
        CheckpointWriter writer(job.out, *job.source, layout, job.options);
        const LinearInfo& linear = job.source->catalogue().linears[0];
        auto tensors = randomLinear(*job.source, job.spec, linear, 1);
        tensors.pop_back();
        COMPARE_ERROR(writer.putLinear(linear.name, tensors), "tensors, but was given");
        tensors.back().shape = {1};
        COMPARE_ERROR(writer.putLinear(linear.name, tensors), "laid out as");
        tensors.back().suffix = "zeros";
        COMPARE_ERROR(writer.putLinear(linear.name, tensors), "not part of the layout");
        COMPARE_ERROR(writer.putTensor("model.norm.weight", {}), "has room for");
        COMPARE_ERROR(writer.putTensor("nothing", {}), "no tensor 'nothing'");
        COMPARE_ERROR(writer.hasLinear("nothing"), "no layer 'nothing'");
        NoProgress progress;
        COMPARE_ERROR(writer.finish(job.spec.recipe, progress), "has not been written");
        // Only one process at a time.
        COMPARE_ERROR(CheckpointWriter(job.out, *job.source, layout, job.options), "in use");
    }

    void existingFolders() {
        Folder temporary;
        const fs::path folder = temporary.path();
        Job job(folder);
        job.options.resume = false;
        job.runUntil(2);
        COMPARE_ERROR(job.run(), "was begun and not finished");
        job.options.resume = true;
        job.options.fingerprint = "another";
        COMPARE_ERROR(job.run(), "another plan, model, calibration");
        job.options.fingerprint = "job";
        const CheckpointSpec before = job.spec;
        job.spec.head = HeadStorage::Keep; // another layout under the same fingerprint
        COMPARE_ERROR(job.run(), "another plan, model, calibration");
        job.spec = before;
        job.steps = -1;
        job.run();
        job.options.resume = false;
        COMPARE_ERROR(job.run(), "exists already");

        // Replacing: the old one stands until the new one is complete.
        job.options.existing = CheckpointWriter::Existing::Replace;
        job.spec.recipe["seed"] = 12;
        job.runUntil(4);
        QVERIFY(contentOf(job.out) == undisturbed());
        job.options.resume = true;
        job.steps = -1;
        job.run();
        QVERIFY(contentOf(job.out) != undisturbed());
        QCOMPARE(QuantizedCheckpoint::open(job.out)->recipe().at("seed").get<int>(), 12);
        QCOMPARE(namesIn(folder), std::vector<std::string>{"out"});

        // Whatever is none of ours is never replaced.
        Job other(folder);
        other.options.existing = CheckpointWriter::Existing::Replace;
        other.out = folder / "home";
        fs::create_directory(other.out);
        writeFileAtomically(other.out / "letter.txt", "dear");
        COMPARE_ERROR(other.run(), "is not a Bitloom checkpoint");
        fs::create_directory(folder / "empty.partial");
        fs::create_directory(folder / "empty");
        other.out = folder / "empty/"; // both may be empty folders
        other.run();
        QVERIFY(contentOf(folder / "empty") == undisturbed());
        fs::create_directory(folder / "mine.partial");
        writeFileAtomically(folder / "mine.partial" / "letter.txt", "dear");
        other.out = folder / "mine";
        COMPARE_ERROR(other.run(), "is not the beginning of a checkpoint");
        other.out = folder / "no" / "such" / "out";
        COMPARE_ERROR(other.run(), "is no folder");
    }

    /// The states that a kill between the last renames leaves.
    void deathInTheLastSteps_data() {
        QTest::addColumn<int>("state");
        QTest::addColumn<bool>("replace");
        for (int state = 0; state < 5; ++state)
            for (const bool replace : {false, true})
                QTest::addRow("state %d%s", state, replace ? ", replacing" : "")
                    << state << replace;
    }
    void deathInTheLastSteps() {
        QFETCH(int, state);
        QFETCH(bool, replace);
        Folder temporary;
        const fs::path folder = temporary.path();
        Job job(folder);
        const fs::path aside = folder / "out.work", kept = folder / "kept";
        // A journal and scratch as they are right before the end, and the finished files.
        job.runUntil(14);
        {
            const CheckpointLayout layout(*job.source, job.spec);
            CheckpointWriter writer(job.out, *job.source, layout, job.options);
            writeFileAtomically(writer.workFolder() / "optimizer.bin", "state");
            for (const LinearInfo& linear : job.source->catalogue().linears)
                if (job.spec.layers.contains(linear.name) && !writer.hasLinear(linear.name))
                    writer.putLinear(linear.name, randomLinear(*job.source, job.spec, linear, 1));
            NoProgress progress;
            writer.copyRemaining(*job.source, 1, progress);
        }
        fs::copy(job.partial() / "work", kept, fs::copy_options::recursive);
        job.steps = -1;
        job.run();
        {
            Journal journal(kept / "journal");
            journal.append({{"finished", hashText(readTextFile(job.out / "MANIFEST.json"))}});
        }
        if (state == 0) { // before step 2
            fs::rename(job.out, job.partial());
            fs::rename(kept, job.partial() / "work");
        } else if (state == 1) { // before step 3
            fs::rename(job.out, job.partial());
            fs::rename(kept, aside);
        } else { // before or in step 4
            fs::rename(kept, aside);
            if (state == 3) fs::remove(aside / "optimizer.bin");
            if (state == 4) fs::remove_all(job.out); // by the user, before the next run
        }
        if (replace) {
            // The older one: still at OUT, or after the exchange at OUT.partial.
            Job older(folder);
            older.out = folder / "older";
            older.spec.recipe["seed"] = 99;
            older.run();
            fs::rename(older.out, state < 2 || state == 4 ? job.out : job.partial());
            job.options.existing = CheckpointWriter::Existing::Replace;
        }
        if (state < 2) {
            job.run();
            size_t tensors = 0;
            const CheckpointLayout layout(*job.source, job.spec);
            for (const auto& shard : layout.shards())
                tensors += shard.layout.tensors().size();
            QCOMPARE(job.resumed, int(tensors));
        } else if (replace || state == 4) {
            job.run(); // the same job again, from the start
            QCOMPARE(job.resumed, 0);
        } else {
            COMPARE_ERROR(job.run(), "exists already");
        }
        QVERIFY(contentOf(job.out) == undisturbed());
        QCOMPARE(namesIn(folder), std::vector<std::string>{"out"});
    }

    void foreignWorkFolderStays() {
        Folder temporary;
        const fs::path folder = temporary.path();
        Job job(folder);
        fs::create_directory(folder / "out.work");
        writeFileAtomically(folder / "out.work" / "letter.txt", "dear");
        COMPARE_ERROR(job.run(), "out.work");
        QCOMPARE(readTextFile(folder / "out.work" / "letter.txt"), std::string("dear"));
    }

    void fullDiskForReal() {
        Folder temporary;
        const fs::path folder = temporary.path();
        if (mount("none", folder.c_str(), "tmpfs", 0, "size=128k") != 0)
            return; // not allowed here: fullDisk() covers the same paths
        int code = 0;
        std::string message;
        Job job(folder);
        try {
            job.run();
        } catch (const Error& error) {
            code = int(error.code());
            message = error.what();
        }
        const auto left = namesIn(folder);
        umount(folder.c_str());
        QCOMPARE(code, int(ErrorCode::NoSpace));
        QVERIFY2(message.find("not enough disk space") != std::string::npos, message.c_str());
        QVERIFY(left.empty());
    }

private:
    static int fullDiskByLimit();
};

/// Runs in a process of its own, since the limit can only be lowered for good. 0 = as it should be.
int TestCheckpointWriter::fullDiskByLimit() {
    signal(SIGXFSZ, SIG_IGN);
    const CheckpointLayout layout(*Job("/tmp").source, Job("/tmp").spec);
    rlim_t largest = 0;
    for (const auto& shard : layout.shards())
        largest = std::max<rlim_t>(largest, shard.layout.fileBytes());
    for (const auto& file : layout.files())
        largest = std::max<rlim_t>(largest, rlim_t(file.bytes));
    int refused = 0;
    for (rlim_t limit = 64; limit < 4 * largest; limit += limit / 4) {
        Folder temporary;
        Job job(temporary.path());
        const rlimit low{limit, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &low);
        bool full = false;
        try {
            job.run();
        } catch (const Error& error) {
            full = true;
            if (error.code() != ErrorCode::NoSpace) return 10;
        }
        const rlimit high{RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &high);
        if (!full) return refused > 5 ? 0 : 11;
        ++refused;
        if (fs::exists(job.out) || fs::exists(job.partial() / "config.json")) return 12;
        job.run(); // with room again
        if (contentOf(job.out) != undisturbed()) return 13;
    }
    return 14; // never had enough
}

QTEST_APPLESS_MAIN(TestCheckpointWriter)
#include "tst_checkpoint_writer.moc"
