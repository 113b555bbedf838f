// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/io/durable.h"
#include "core/io/mapped_file.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bitloom;
namespace fs = std::filesystem;

namespace {

std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void spill(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary).write(text.data(), std::streamsize(text.size()));
}

std::span<const std::byte> bytesOf(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// The message and hint of the Error that `action` throws; empty if it throws none.
template<typename Action>
std::string errorOf(Action action, ErrorCode code = ErrorCode::Failed) {
    try {
        action();
    } catch (const Error& error) {
        if (error.code() != code) return "another code: " + std::string(error.what());
        return std::string(error.what()) + "\n" + error.hint();
    }
    return {};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Files may not grow beyond `bytes` while this lives: a full disk for everybody.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit limit{bytes, m_before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &m_before); }

private:
    rlimit m_before{};
};

} // namespace

class TestDurable : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    fs::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }

private slots:
    void readsTexts() {
        const fs::path file = path("text");
        for (const size_t size : {0, 1, 65535, 65536, 65537, 300000}) {
            const std::string text(size, 'x');
            spill(file, text);
            QCOMPARE(readTextFile(file), text);
            QCOMPARE(readTextFile(file, size), text); // exactly as much as allowed
            if (size > 0)
                QVERIFY(contains(errorOf([&] { readTextFile(file, size - 1); }), "larger"));
        }
        QVERIFY(contains(errorOf([&] { readTextFile(path("none")); }), "No such file"));
        QVERIFY(contains(errorOf([&] { readTextFile(path("")); }), "directory"));
        QVERIFY(!readTextFile("/proc/self/status").empty()); // has no size beforehand
    }

    void jsonMistakesHaveAPlace() {
        const fs::path file = path("bad.json");
        spill(file, "{\n  \"a\": 1,\n  \"b\": tru\n}\n");
        const std::string message = errorOf([&] { readJsonFile(file); });
        QVERIFY2(contains(message, "bad.json"), message.c_str());
        QVERIFY2(contains(message, "line 3, column "), message.c_str());
        QVERIFY(contains(errorOf([&] { parseJson("", "x"); }), "line 1, column 1"));
        QVERIFY(contains(errorOf([&] { parseJson("{\"a\":\"\xff\"}", "x"); }), "not valid JSON"));
        QVERIFY(contains(errorOf([&] { parseJson("[1e999]", "x"); }), "not valid JSON"));
        QVERIFY(contains(errorOf([&] { parseJson({"{}\0x", 4}, "x"); }), "NUL"));
        QVERIFY(contains(errorOf([&] { parseJson("{} {}", "x"); }), "not valid JSON"));
        QVERIFY(contains(errorOf([&] { parseJson(std::string(100'000, '['), "x"); }), "nested"));
        const std::string quoted = "\"" + std::string(1000, '[') + "\\\"[\"";
        QVERIFY(parseJson(quoted, "x").is_string()); // brackets in a text do not count
        QCOMPARE(parseJson("\xEF\xBB\xBF[1]", "x").size(), size_t(1)); // with a byte order mark
    }

    void replacesFilesAtomically() {
        const fs::path file = path("atomic");
        writeFileAtomically(file, "old");
        const int reader = ::open(file.c_str(), O_RDONLY);
        writeFileAtomically(file, std::string(100'000, 'n'));
        char seen[8] = {};
        QCOMPARE(::read(reader, seen, sizeof seen), ssize_t(3)); // whoever has it open sees the old
        ::close(reader);
        QCOMPARE(slurp(file), std::string(100'000, 'n'));
        QVERIFY(!fs::exists(path("atomic.tmp")));
        {
            const FileSizeLimit limit(4096);
            const std::string message = errorOf(
                [&] { writeFileAtomically(file, std::string(50'000, 'z')); }, ErrorCode::NoSpace);
            QVERIFY2(contains(message, "atomic.tmp") && contains(message, "free"), message.c_str());
        }
        QCOMPARE(slurp(file), std::string(100'000, 'n')); // the old one is whole
        QVERIFY(!fs::exists(path("atomic.tmp")));
        QVERIFY(
            contains(errorOf([&] { writeFileAtomically(path("no/such/file"), "x"); }), "no/such"));
    }

    void filesAreFilledInAnyOrder() {
        const fs::path file = path("output");
        {
            OutputFile output(file, 100'000);
            QCOMPARE(fs::file_size(file), uintmax_t(100'000));
            parallelFor(100, 1, 4, [&](int64_t begin, int64_t) {
                output.write(uint64_t(begin) * 1000,
                             bytesOf(std::string(1000, char('A' + begin % 26))));
            });
            output.flush();
            std::string piece(2000, ' ');
            output.read(500, std::as_writable_bytes(std::span(piece)));
            QCOMPARE(piece, std::string(500, 'A') + std::string(1000, 'B') + std::string(500, 'C'));
            QVERIFY(contains(errorOf([&] { output.write(99'999, bytesOf("xx")); }), "beyond"));
            QVERIFY(contains(errorOf([&] { output.write(UINT64_MAX, bytesOf("x")); }), "beyond"));
            QVERIFY(contains(errorOf([&] { output.read(UINT64_MAX, {}); }), "beyond"));
            output.write(100'000, {});
        }
        {
            OutputFile again(file, 100'000); // opening keeps what is there
            QCOMPARE(slurp(file).substr(99'000), std::string(1000, char('A' + 99 % 26)));
        }
        { OutputFile shorter(file, 10); }
        QCOMPARE(slurp(file), std::string(10, 'A'));
        { OutputFile empty(path("empty"), 0); }
        QCOMPARE(fs::file_size(path("empty")), uintmax_t(0));
    }

    void fullDisksAreFoundAtOnce() {
        const fs::path file = path("huge");
        const uint64_t room = freeBytes(file);
        QVERIFY(room > 0);
        const std::string message =
            errorOf([&] { OutputFile(file, uint64_t(1) << 62); }, ErrorCode::NoSpace);
        QVERIFY2(contains(message, "huge"), message.c_str());
        QVERIFY(!fs::exists(file));
        errorOf([&] { OutputFile(file, room + (uint64_t(64) << 30)); }, ErrorCode::NoSpace);
        QVERIFY(!fs::exists(file));
        QVERIFY(!errorOf([&] { OutputFile(file, UINT64_MAX); }).empty());
        const FileSizeLimit limit(4096);
        const std::string limited = errorOf([&] { OutputFile(file, 8192); }, ErrorCode::NoSpace);
        QVERIFY2(contains(limited, "huge"), limited.c_str());
        QVERIFY(!fs::exists(file));
    }

    void journalsComeBack() {
        const fs::path file = path("journal");
        {
            Journal journal(file);
            QVERIFY(journal.entries().empty());
            journal.append({{"layer", 1}});
            journal.append("text with\nnewline");
            QCOMPARE(journal.entries().size(), size_t(2));
        }
        const std::string whole = slurp(file);
        QCOMPARE(std::count(whole.begin(), whole.end(), '\n'), std::ptrdiff_t(2));
        QCOMPARE(Journal(file).entries()[1].get<std::string>(), std::string("text with\nnewline"));
        const size_t second = whole.find('\n') + 1;
        // Wherever the process died in the last line, only that line is lost, and goes on cleanly.
        for (size_t size = 0; size < whole.size(); ++size) {
            spill(file, std::string_view(whole).substr(0, size));
            {
                Journal journal(file);
                QCOMPARE(journal.entries().size(), size_t(size >= second ? 1 : 0));
                journal.append(7);
            }
            Journal again(file);
            QCOMPARE(again.entries().back().get<int>(), 7);
        }
        // A last line whose bytes never reached the disk.
        spill(file, whole + std::string(40, '\0') + "\n");
        QCOMPARE(Journal(file).entries().size(), size_t(2));
        // Damage before the end is no torn line.
        std::string damaged = whole;
        damaged[20] ^= 1;
        spill(file, damaged);
        const std::string message = errorOf([&] { Journal(file).entries(); });
        QVERIFY2(contains(message, "line 1") && contains(message, "damaged"), message.c_str());
        QCOMPARE(slurp(file), damaged); // and nothing was thrown away
    }

    void journalsSurviveAFullDisk() {
        const fs::path file = path("journal-full");
        Journal journal(file);
        journal.append(1);
        {
            const FileSizeLimit limit(fs::file_size(file) + 10);
            errorOf([&] { journal.append(std::string(100, 'x')); }, ErrorCode::NoSpace);
        }
        journal.append(2);
        const Journal again(file);
        QCOMPARE(again.entries(), journal.entries());
        QCOMPARE(again.entries().size(), size_t(2));
    }

    void locksKeepOthersOut() {
        const fs::path folder = path("locked"), moved = path("moved");
        fs::create_directory(folder);
        {
            const FolderLock lock(folder);
            const std::string message = errorOf([&] { FolderLock second(folder); });
            QVERIFY2(contains(message, "process " + std::to_string(::getpid())), message.c_str());
            fs::rename(folder, moved);
        }
        QVERIFY(fs::is_empty(moved)); // removed although the folder has moved
        FolderLock lock(moved);
        lock.release();
        QVERIFY(fs::is_empty(moved));
        const FolderLock again(moved);
        QVERIFY(contains(errorOf([&] { FolderLock none(path("none")); }), "No such"));
    }

    void locksEndWithTheirProcess() {
        const fs::path folder = path("killed");
        fs::create_directory(folder);
        int ready[2];
        QCOMPARE(::pipe(ready), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            const FolderLock lock(folder);
            static_cast<void>(::write(ready[1], "x", 1) == 1);
            ::pause();
        }
        char byte;
        QCOMPARE(::read(ready[0], &byte, 1), ssize_t(1));
        const std::string message = errorOf([&] { FolderLock second(folder); });
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        QVERIFY2(contains(message, "process " + std::to_string(child)), message.c_str());
        const FolderLock free(folder); // the file is still there, the lock is not
        ::close(ready[0]);
        ::close(ready[1]);
    }

    void publishesFolders() {
        const fs::path from = path("new.partial"), to = path("new");
        fs::create_directory(from);
        spill(from / "file", "x");
        publishFolder(from / "", to / ""); // with a slash at the end, too
        QVERIFY(!fs::exists(from));
        QCOMPARE(slurp(to / "file"), std::string("x"));
        fs::create_directory(from);
        fs::create_directory(path("taken")); // rename(2) would replace an empty folder
        QVERIFY(contains(errorOf([&] { publishFolder(from, path("taken")); }), "exists"));
        QVERIFY(fs::exists(from));
        QVERIFY(contains(errorOf([&] { publishFolder(path("none"), path("x")); }), "No such"));
    }

    void exchangesFolders() {
        const fs::path from = path("next"), to = path("current");
        fs::create_directory(from);
        fs::create_directory(to);
        spill(from / "file", "new");
        spill(to / "file", "old");
        exchangeFolder(from, to);
        QCOMPARE(slurp(to / "file"), std::string("new"));
        QVERIFY(!fs::exists(from));
        QVERIFY(!errorOf([&] { exchangeFolder(path("none"), to); }).empty());
        QCOMPARE(slurp(to / "file"), std::string("new"));
    }

    void knowsFreeSpaceAndCache() {
        QVERIFY(freeBytes(path("not/yet/there")) > 0);
        const QByteArray home = qgetenv("HOME"), cache = qgetenv("XDG_CACHE_HOME");
        qputenv("XDG_CACHE_HOME", "/some/cache");
        QCOMPARE(defaultCacheFolder(), fs::path("/some/cache/bitloom"));
        qputenv("XDG_CACHE_HOME", "relative");
        qputenv("HOME", "/home/someone");
        QCOMPARE(defaultCacheFolder(), fs::path("/home/someone/.cache/bitloom"));
        qputenv("HOME", home);
        cache.isNull() ? qunsetenv("XDG_CACHE_HOME") : qputenv("XDG_CACHE_HOME", cache);
    }

    void mapsFiles() {
        const fs::path file = path("mapped");
        std::string text;
        for (int i = 0; i < 12'000'000; ++i) // more than two of the kernel's large folios
            text += char(i * 7);
        spill(file, text);
        const auto mapped = MappedFile::open(file);
        QCOMPARE(mapped->bytes().size(), text.size());
        QVERIFY(std::memcmp(mapped->bytes().data(), text.data(), text.size()) == 0);
        // Releasing takes the part out of memory with 2 MiB around it at most, and no others.
        const auto resident = [&] {
            std::vector<unsigned char> pages((text.size() + 4095) / 4096);
            std::ifstream maps("/proc/self/smaps");
            long kilobytes = -1;
            bool mine = false;
            for (std::string line; std::getline(maps, line);) {
                if (contains(line, "/mapped")) mine = true;
                if (mine && line.starts_with("Rss:")) {
                    kilobytes = std::strtol(line.c_str() + 4, nullptr, 10);
                    break;
                }
            }
            return kilobytes;
        };
        const long before = resident();
        QVERIFY(before * 1024 >= long(text.size()));
        mapped->release(mapped->bytes().subspan(5'000'000, 8200));
        QVERIFY(before - resident() >= 8);
        QVERIFY(before - resident() <= 2 * 2048);
        mapped->release(mapped->bytes());
        QCOMPARE(resident(), 0L);
        QVERIFY(std::memcmp(mapped->bytes().data(), text.data(), text.size()) == 0);
        mapped->release(bytesOf(text)); // not a part of it: left alone
        mapped->release({});

        spill(file, "");
        QVERIFY(MappedFile::open(file)->bytes().empty());
        QVERIFY(contains(errorOf([&] { MappedFile::open(path("")); }), "directory"));
        QVERIFY(contains(errorOf([&] { MappedFile::open(path("none")); }), "No such"));
        QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
        QVERIFY(contains(errorOf([&] { MappedFile::open(path("pipe")); }), "regular"));
    }
};

QTEST_APPLESS_MAIN(TestDurable)
#include "tst_durable.moc"
