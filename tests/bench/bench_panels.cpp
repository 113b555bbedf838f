// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Products with column tables over more weights than any cache holds, against the read bandwidth
// measured in the same run; prints Markdown:
//
//     bench_panels [--threads N] [--gigabytes G] [--isa NAME] [--columns K] [--tokens 1,2,…]
//                  [--bytes 1,2] [--rounds R] [--json FILE]
//
// A row for each instruction set, width and number of tokens: GB/s of codes, fraction of the best
// of several streaming readers, weights·tokens per second, all of the best round (other work on the
// machine only ever takes away). A round is short, so that some find all cores free, and goes on
// in the memory where the last one ended, so that nothing is in a cache. The readers run before and
// after every row, because a shared machine's bandwidth is not the same from second to second.
// --gigabytes 0 measures weights that stay in the second-level cache.

#include "kernels/column_panels.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

using namespace bitloom::kernels;

namespace {

using Clock = std::chrono::steady_clock;

/// Memory in huge pages, filled with noise; as many bytes as the whole run needs.
struct Memory {
    uint8_t* data = nullptr;
    size_t bytes = 0;
    explicit Memory(size_t size) : bytes((size + (2 << 20) - 1) / (2 << 20) * (2 << 20)) {
        data = static_cast<uint8_t*>(::mmap(nullptr, bytes + (4 << 20), PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (data == MAP_FAILED) std::abort();
        data =
            reinterpret_cast<uint8_t*>((uintptr_t(data) + (2 << 20) - 1) / (2 << 20) * (2 << 20));
        ::madvise(data, bytes, MADV_HUGEPAGE);
        uint64_t state = 1;
        for (size_t i = 0; i + 8 <= bytes; i += 8) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            const uint64_t noise = state ^ (state >> 29);
            std::memcpy(data + i, &noise, 8);
        }
    }
};

/// What this thread has had of a core: for weights in the cache, where waiting for a core is not
/// the kernel's.
double threadSeconds() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

/// Seconds of the best of `rounds` runs of body(thread, round) on `threads` threads.
template<class Body>
double timed(int threads, int rounds, const Body& body) {
    std::atomic<int> ready{0}, done{0};
    std::atomic<int> current{-1};
    std::vector<std::thread> pool;
    for (int t = 1; t < threads; ++t)
        pool.emplace_back([&, t] {
            for (int round = 0; round < rounds; ++round) {
                ++ready;
                while (current.load() < round)
                    std::this_thread::yield();
                body(t, round);
                ++done;
            }
        });
    double best = 1e9;
    for (int round = 0; round < rounds; ++round) {
        while (ready.load() < (threads - 1) * (round + 1))
            std::this_thread::yield();
        const auto begin = Clock::now();
        current = round;
        body(0, round);
        while (done.load() < (threads - 1) * (round + 1))
            ;
        best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    for (std::thread& thread : pool)
        thread.join();
    return best;
}

volatile uint64_t sink;

template<int Streams>
void readSpan(const uint8_t* from, size_t bytes) {
    // Vectors of 64 bytes, as wide as the processor allows.
    typedef uint64_t Line __attribute__((vector_size(64), aligned(64)));
    Line sum[4] = {};
    const size_t part = bytes / Streams / 256 * 256;
    for (size_t i = 0; i < part; i += 256)
        for (int s = 0; s < Streams; ++s)
            for (int j = 0; j < 4; ++j)
                sum[j] ^=
                    *reinterpret_cast<const Line*>(from + size_t(s) * part + i + size_t(j) * 64);
    const Line all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    sink = all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7];
}

/// One stream that asks for its memory early, as the kernels do.
void readAhead(const uint8_t* from, size_t bytes) {
    typedef uint64_t Line __attribute__((vector_size(64), aligned(64)));
    Line sum = {};
    for (size_t i = 0; i + 64 <= bytes; i += 64) {
        __builtin_prefetch(from + i + 4096);
        sum ^= *reinterpret_cast<const Line*>(from + i);
    }
    sink = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

constexpr size_t roundBytes = 64 << 20; ///< that all threads read in a round

/// The best of several ways to read everything once, in bytes per second.
double readBandwidth(const Memory& memory, int threads, int rounds) {
    double best = 0;
    const size_t share = roundBytes / size_t(threads) / 4096 * 4096, all = share * size_t(threads);
    for (void (*reader)(const uint8_t*, size_t) :
         {readSpan<1>, readSpan<2>, readSpan<4>, readAhead}) {
        const double seconds = timed(threads, 10 * rounds, [&](int t, int round) {
            const size_t at = size_t(round) % (memory.bytes / all) * all;
            reader(memory.data + at + size_t(t) * share, share);
        });
        best = std::max(best, double(all) / seconds);
    }
    return best;
}

/// Tables and activations of some segments; the codes are the memory's noise.
struct Work {
    std::vector<PanelSegment> segments;
    int64_t tokens, columns;
    std::vector<uint8_t> tables;
    std::vector<int16_t> q;
    std::vector<int8_t> high, low;
    std::vector<float> scale;
    std::vector<int32_t> start;
    std::vector<uint8_t> products;
    int bytes;

    Work(std::vector<PanelSegment> of, const PanelKernels& kernels, int64_t count, int width)
        : segments(std::move(of)), tokens(count), columns(columnCount(segments)), bytes(width) {
        std::vector<uint8_t> entries(size_t(tableEntries(segments)));
        for (size_t i = 0; i < entries.size(); ++i)
            entries[i] = uint8_t(i * 73 % 128);
        tables.resize(size_t(packedTableBytes(kernels.layout, segments)));
        packPanelTables(kernels.layout, segments, entries, tables);
        const size_t n = size_t(columns), blocks = size_t(blockCount(segments)),
                     all = size_t(tokens);
        std::vector<float> x(n);
        const std::vector<int16_t> offsets(n, -64);
        q.resize(all * n), high.resize(all * n), low.resize(all * n);
        scale.resize(all * blocks), start.resize(all * blocks);
        for (size_t t = 0; t < all; ++t) {
            for (size_t i = 0; i < n; ++i)
                x[i] = float(int((i + t) * 37 % 255) - 127);
            roundPanelInput(segments, offsets, x, bytes, std::span(q).subspan(t * n, n),
                            std::span(high).subspan(t * n, n), std::span(low).subspan(t * n, n),
                            std::span(scale).subspan(t * blocks, blocks),
                            std::span(start).subspan(t * blocks, blocks));
        }
        // Of all mixes the 2-bit columns are the last.
        if (kernels.expand && tokens == 1 && segments.back().kind == PanelKind::Table2) {
            const int64_t last = segments.back().columns;
            products.resize(size_t(last * panelProductBytes));
            kernels.expand(tables.data() + packedTableBytes(kernels.layout, segments) -
                               packedTableBytes(kernels.layout, {&segments.back(), 1}),
                           q.data() + columns - last, last, products.data());
        }
    }
    PanelInput input() const { return {tokens, bytes, q, high, low, scale, start, products}; }
};

struct Result {
    std::string isa, bits;
    int64_t tokens;
    int bytes;
    double bytesPerSecond, weightTokens;
    double read; ///< bytes per second at that time
};

/// Panels after panels, times all tokens.
Result measure(const Work& work, const PanelKernels& kernels, const Memory& memory, bool cached,
               int threads, int rounds) {
    const size_t bytes = (size_t(panelBytes(work.segments, panelRows)) + 63) / 64 * 64;
    const double weights = double(panelRows) * double(work.columns);
    // As much as a reader reads in a round, but only some ten milliseconds of computing.
    const auto most = size_t(1e9 / (weights * double(work.tokens))) + 1;
    const size_t share =
        cached ? 1 : std::max<size_t>(1, std::min(roundBytes / bytes / size_t(threads), most));
    const size_t all = share * size_t(threads) * bytes, places = memory.bytes / all;
    const size_t times = cached ? most / 6 + 1 : 1;
    const int64_t part = std::min<int64_t>(work.tokens, 64);
    std::vector<double> busy(size_t(threads), 1e9);
    std::vector<std::vector<float>> y(size_t(threads), std::vector<float>(panelRows * part));
    const double wall = timed(threads, 10 * rounds, [&](int t, int round) {
        float* own = y[size_t(t)].data();
        const double begin = threadSeconds();
        const uint8_t* from = memory.data + (cached ? 0 : size_t(round) % places * all);
        for (size_t again = 0; again < times; ++again)
            for (size_t p = share * size_t(t); p < share * size_t(t + 1); ++p)
                for (int64_t first = 0; first < work.tokens; first += part) {
                    std::fill_n(own, panelRows * part, 0.f);
                    kernels.product(work.segments, from + p * bytes, work.tables.data(),
                                    work.input().part(first, std::min(part, work.tokens - first)),
                                    panelRows, own, panelRows);
                }
        busy[size_t(t)] = std::min(busy[size_t(t)], threadSeconds() - begin);
    });
    const double seconds = cached ? *std::max_element(busy.begin(), busy.end()) : wall;
    const double panels = double(share) * threads * double(times) / seconds;
    return {kernels.name,
            "",
            work.tokens,
            work.bytes,
            panels * double(bytes),
            panels * weights * double(work.tokens),
            0};
}

std::string lineOf(const char* path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.rfind(key, 0) == 0) {
            const size_t at = line.find_first_not_of(" \t:", key.size());
            return at == std::string::npos ? "" : line.substr(at);
        }
    return "unknown";
}

/// The flags that decide which version runs and how fast.
std::string processorFlags() {
    std::istringstream all(lineOf("/proc/cpuinfo", "flags"));
    std::string out;
    for (std::string flag; all >> flag;)
        if (flag.rfind("avx", 0) == 0 || flag == "fma") out += (out.empty() ? "" : " ") + flag;
    return out;
}

std::string load() {
    std::ifstream file("/proc/loadavg");
    std::string one;
    file >> one;
    return one;
}

std::string now() {
    const std::time_t t = std::time(nullptr);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", std::gmtime(&t));
    return text;
}

std::vector<int> numbers(const std::string& text) {
    std::vector<int> out;
    std::istringstream in(text);
    for (std::string item; std::getline(in, item, ',');)
        out.push_back(std::atoi(item.c_str()));
    return out;
}

struct Options {
    int threads = int(std::max(1u, std::thread::hardware_concurrency()));
    double gigabytes = 1.2;
    int64_t columns = 4096;
    int rounds = 9;
    std::string isa, json;
    std::vector<int> tokens{1}, bytes{2};
};

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i], value = argv[i + 1];
        if (option == "--threads")
            o.threads = std::atoi(value.c_str());
        else if (option == "--gigabytes")
            o.gigabytes = std::atof(value.c_str());
        else if (option == "--columns")
            o.columns = std::atoll(value.c_str());
        else if (option == "--rounds")
            o.rounds = std::atoi(value.c_str());
        else if (option == "--isa")
            o.isa = value;
        else if (option == "--json")
            o.json = value;
        else if (option == "--tokens")
            o.tokens = numbers(value);
        else if (option == "--bytes")
            o.bytes = numbers(value);
        else {
            std::fprintf(stderr, "bench_panels: unknown option %s\n", option.c_str());
            std::exit(2);
        }
    }
    return o;
}

void writeJson(const Options& o, const std::string& before, double bandwidth,
               const std::vector<Result>& results) {
    std::ofstream out(o.json);
    out << "{\"processor\":\"" << lineOf("/proc/cpuinfo", "model name") << "\",\"flags\":\""
        << processorFlags() << "\",\"date\":\"" << now() << "\",\"load_before\":" << before
        << ",\"load_after\":" << load() << ",\"threads\":" << o.threads
        << ",\"columns\":" << o.columns << ",\"gigabytes\":" << o.gigabytes
        << ",\"read_gbps\":" << bandwidth / 1e9 << ",\"results\":[";
    for (size_t i = 0; i < results.size(); ++i) {
        const Result& r = results[i];
        out << (i ? "," : "") << "\n{\"isa\":\"" << r.isa << "\",\"bits\":\"" << r.bits
            << "\",\"tokens\":" << r.tokens << ",\"activation_bytes\":" << r.bytes
            << ",\"gbps\":" << r.bytesPerSecond / 1e9 << ",\"read_gbps\":" << r.read / 1e9
            << ",\"gweight_tokens_per_s\":" << r.weightTokens / 1e9 << "}";
    }
    out << "\n]}\n";
}

} // namespace

int main(int argc, char** argv) {
    const Options o = parse(argc, argv);
    const bool cached = o.gigabytes <= 0;
    const std::string loadBefore = load();
    const Memory memory(cached ? size_t(64 << 20) : size_t(o.gigabytes * 1e9));
    const int64_t k = o.columns;
    const std::pair<std::vector<PanelSegment>, const char*> mixes[] = {
        {{{PanelKind::Table2, k}}, "2"},
        {{{PanelKind::Table3, k}}, "3"},
        {{{PanelKind::Table4, k}}, "4"},
        {{{PanelKind::Plain5, k}}, "5"},
        {{{PanelKind::Plain6, k}}, "6"},
        {{{PanelKind::Plain8, k}}, "8"},
        // 3 bits on average.
        {{{PanelKind::Plain8, k / 64},
          {PanelKind::Plain6, k / 64},
          {PanelKind::Plain5, k / 32},
          {PanelKind::Table4, k / 4},
          {PanelKind::Table3, k / 4},
          {PanelKind::Table2, k / 16 * 7}},
         "mixed"}};

    const auto read = [&]() -> double {
        return cached ? 0 : readBandwidth(memory, o.threads, o.rounds);
    };
    double bandwidth = 0;
    std::vector<Result> results;
    for (const PanelKernels& kernels : allPanelKernels()) {
        const bool wanted = o.isa.empty() ? std::string(kernels.name) != "scalar"
                                          : std::string(kernels.name) == o.isa;
        if (!wanted) continue;
        double before = read();
        for (const int tokens : o.tokens)
            for (const int bytes : o.bytes)
                for (const auto& [segments, name] : mixes) {
                    const Work work(segments, kernels, tokens, bytes);
                    results.push_back(measure(work, kernels, memory, cached, o.threads, o.rounds));
                    results.back().bits = name;
                    const double after = read();
                    results.back().read = std::max(before, after);
                    bandwidth = std::max(bandwidth, results.back().read);
                    before = after;
                }
    }

    std::printf("%s (%s), %d threads, K = %lld; %s UTC, load %s before, %s after. ",
                lineOf("/proc/cpuinfo", "model name").c_str(), processorFlags().c_str(), o.threads,
                (long long)k, now().c_str(), loadBefore.c_str(), load().c_str());
    if (cached)
        std::printf("Weights in the cache.\n\n");
    else
        std::printf("Up to %.1f GB/s are read, from %.1f GB in huge pages.\n\n", bandwidth / 1e9,
                    double(memory.bytes) / 1e9);
    const char* compared = cached ? "" : " read GB/s | of read |";
    std::printf("| version | tokens | bytes of an activation | bits | GB/s |%s "
                "Gweights·tokens/s |\n|---|---|---|---|---|---|%s\n",
                compared, cached ? "" : "---|---|");
    for (const Result& r : results) {
        std::printf("| %s | %lld | %d | %s | %.1f |", r.isa.c_str(), (long long)r.tokens, r.bytes,
                    r.bits.c_str(), r.bytesPerSecond / 1e9);
        if (!cached) std::printf(" %.1f | %.2f |", r.read / 1e9, r.bytesPerSecond / r.read);
        std::printf(" %.1f |\n", r.weightTokens / 1e9);
    }
    if (!o.json.empty()) writeJson(o, loadBefore, bandwidth, results);
    return 0;
}
