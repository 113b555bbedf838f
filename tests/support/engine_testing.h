// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/engine/calibrate.h"
#include "core/engine/model_weights.h"
#include "core/io/safetensors.h"
#include "core/model/checkpoint.h"
#include "core/stats/statistics.h"
#include "core/text/dataset.h"

#include <QTemporaryDir>
#include <QtTest>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

/// What the tests of core/engine share: golden models, windows of ids, jobs that are cancelled.
namespace bitloom::engineTesting {

namespace fs = std::filesystem;

/// Two threads, whatever the machine has: results do not depend on where the tests run.
inline ComputeOptions compute() {
    ComputeOptions options;
    options.threads = 2;
    return options;
}

inline const std::vector<std::string>& goldens() {
    static const std::vector<std::string> names{"llama2-gqa", "llama3-rope-tied-sharded",
                                                "mistral-sliding", "qwen2-bias-tied",
                                                "qwen3-qknorm"};
    return names;
}
inline fs::path goldenFolder(const std::string& name) {
    return fs::path(BITLOOM_TEST_DATA) / "goldens" / name;
}
inline std::shared_ptr<const Checkpoint> golden(const std::string& name) {
    return Checkpoint::open(goldenFolder(name).string());
}

/// A copy of a golden model, of its first `layers` blocks only: enough for what tests do often.
inline std::shared_ptr<const Checkpoint> shortened(const std::string& name, int64_t layers,
                                                   const fs::path& folder) {
    fs::create_directories(folder);
    for (const auto& entry : fs::directory_iterator(goldenFolder(name))) {
        const std::string file = entry.path().filename().string();
        if (file != "golden.safetensors" && file != "config.json")
            fs::copy(entry.path(), folder / file);
    }
    std::ifstream in(goldenFolder(name) / "config.json");
    nlohmann::json config = nlohmann::json::parse(in);
    config["num_hidden_layers"] = layers;
    if (config.contains("layer_types"))
        config["layer_types"].erase(config["layer_types"].begin() + layers,
                                    config["layer_types"].end());
    std::ofstream(folder / "config.json") << config.dump(2);
    return Checkpoint::open(folder.string());
}

/// Largest difference of two vectors of logits; 1e9 for different lengths or no numbers.
inline double furthest(const std::vector<float>& a, const std::vector<float>& b) {
    double out = a.size() == b.size() ? 0 : 1e9;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const double difference = std::abs(double(a[i]) - double(b[i]));
        out = std::isnan(difference) ? 1e9 : std::max(out, difference);
    }
    return out;
}

/// A tensor of golden.safetensors.
template<typename T>
std::vector<T> goldenTensor(const std::string& model, const std::string& tensor) {
    const auto file = SafetensorsFile::open(goldenFolder(model) / "golden.safetensors");
    const auto bytes = file->data(file->require(tensor));
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

inline TokenWindows windowsOf(std::vector<int32_t> ids, int64_t length) {
    TokenWindows windows;
    windows.length = length;
    windows.count = int64_t(ids.size()) / length;
    windows.ids = std::move(ids);
    windows.source = "test";
    windows.textHash = "00";
    for (const int32_t id : windows.ids)
        windows.textHash += std::to_string(id) + ",";
    return windows;
}

inline TokenWindows randomWindows(uint64_t seed, int64_t count, int64_t length, int64_t vocab) {
    std::mt19937_64 random(seed);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < count * length; ++i)
        ids.push_back(int32_t(random() % uint64_t(vocab)));
    return windowsOf(std::move(ids), length);
}

/// `count` ids below `vocab`, the same every time.
inline std::vector<int32_t> ids(int64_t count, int64_t vocab) {
    const TokenWindows rows = randomWindows(11, 1, count, vocab);
    return {rows.row(0).begin(), rows.row(0).end()};
}

/// Largest |a − b|; infinite where sizes differ or something is not a number.
inline double largestDifference(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double difference = std::fabs(double(a[i]) - double(b[i]));
        if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
    }
    return largest;
}

inline bool close(double found, double expected, double relative) {
    return std::fabs(found - expected) <= relative * std::fabs(expected);
}

/// Fails with both figures.
#define COMPARE_CLOSE(found, expected, relative)                                                   \
    do {                                                                                           \
        const double foundValue = double(found), expectedValue = double(expected);                 \
        QVERIFY2(bitloom::engineTesting::close(foundValue, expectedValue, relative),               \
                 qPrintable(QString("%1 and not %2, off by %3")                                    \
                                .arg(foundValue, 0, 'g', 12)                                       \
                                .arg(expectedValue, 0, 'g', 12)                                    \
                                .arg(foundValue / expectedValue - 1)));                            \
    } while (false)

#define VERIFY_BELOW(value, limit)                                                                 \
    do {                                                                                           \
        const double foundValue = double(value);                                                   \
        QVERIFY2(foundValue <= (limit),                                                            \
                 qPrintable(QString(#value " is %1").arg(foundValue, 0, 'g', 6)));                 \
    } while (false)

/// The expression must throw an Error whose message holds `part`.
#define COMPARE_ERROR(expression, part)                                                            \
    do {                                                                                           \
        std::string message = "nothing was thrown";                                                \
        try {                                                                                      \
            (void)(expression);                                                                    \
        } catch (const bitloom::Error& error) {                                                    \
            message = error.what();                                                                \
        }                                                                                          \
        QVERIFY2(message.find(part) != std::string::npos, message.c_str());                        \
    } while (false)

/// Counts how often a job asks whether it should stop, and says yes from the `limit`-th time on.
class Cancelling final : public Progress {
public:
    explicit Cancelling(int64_t limit = INT64_MAX) : m_limit(limit) {}
    void report(double fraction, std::string_view what) override {
        if (!(fraction >= 0 && fraction <= 1)) m_fractionsFine = false;
        m_last = fraction;
        m_reports.emplace_back(m_asked.load(), what);
    }
    bool cancelled() const override { return ++m_asked >= m_limit; }
    int64_t asked() const { return m_asked; }
    bool fractionsFine() const { return m_fractionsFine; }
    double last() const { return m_last; }
    /// Which question comes first after `what` was reported; 0 if it never was.
    int64_t questionAfter(const std::string& what) const {
        for (const auto& [asked, text] : m_reports)
            if (text.starts_with(what)) return asked + 1;
        return 0;
    }
    /// The questions that come first after each report.
    std::set<int64_t> questionsAfterReports() const {
        std::set<int64_t> questions;
        for (const auto& [asked, text] : m_reports)
            questions.insert(asked + 1);
        return questions;
    }

private:
    int64_t m_limit;
    mutable std::atomic<int64_t> m_asked{0};
    bool m_fractionsFine = true;
    double m_last = 0;
    std::vector<std::pair<int64_t, std::string>> m_reports;
};

/// True if the job was cancelled, false if it came to its end; other errors pass.
template<typename Job>
bool cancelledIn(const Job& job) {
    try {
        job();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled) throw;
        return true;
    }
    return false;
}

inline std::string readBytes(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Every file of a folder: name → bytes.
inline std::map<std::string, std::string> folderContent(const fs::path& folder) {
    std::map<std::string, std::string> content;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            content[fs::relative(entry.path(), folder).string()] = readBytes(entry.path());
    return content;
}

/// The first file that differs, or that only one has; empty if there is none.
inline std::string firstDifference(const std::map<std::string, std::string>& a,
                                   const std::map<std::string, std::string>& b) {
    for (const auto& [name, bytes] : a)
        if (!b.contains(name) || b.at(name) != bytes) return name;
    for (const auto& [name, bytes] : b)
        if (!a.contains(name)) return name;
    return {};
}

inline CalibrateOptions calibrateOptions(const TokenWindows& windows, const fs::path& cache) {
    CalibrateOptions options;
    options.windows = windows;
    options.cache = cache;
    options.compute = compute();
    options.probe = false; // tst_probe_rounding has tests of its own
    return options;
}

inline std::shared_ptr<const Statistics> calibrated(const std::shared_ptr<const Checkpoint>& model,
                                                    const TokenWindows& windows,
                                                    const fs::path& cache) {
    NoProgress progress;
    return Statistics::open(
        calibrate(model, calibrateOptions(windows, cache), progress).statistics);
}

/// A folder that goes away with the test.
struct TemporaryFolder {
    QTemporaryDir dir;
    fs::path path() const { return dir.path().toStdString(); }
    fs::path operator/(const std::string& name) const { return path() / name; }
};

} // namespace bitloom::engineTesting
