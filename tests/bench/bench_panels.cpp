// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Matrix times vector with column tables, over more weights than any cache holds, against the read
// bandwidth measured in the same run:
//
//     bench_panels [--threads N] [--gigabytes G] [--isa NAME] [--columns K]
//
// One row for each instruction set and width: GB/s of codes and tables, fraction of the best of
// three streaming readers, weights per second. Then uniform against mixed widths at equal bytes.

#include "kernels/column_panels.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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
        data = static_cast<uint8_t*>(::mmap(nullptr, bytes + (2 << 20), PROT_READ | PROT_WRITE,
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

/// Seconds of the median of `rounds` runs of body(thread) on `threads` threads.
template<class Body>
double timed(int threads, int rounds, const Body& body) {
    std::vector<double> seconds;
    for (int round = 0; round < rounds; ++round) {
        const auto begin = Clock::now();
        std::vector<std::thread> pool;
        for (int t = 0; t < threads; ++t)
            pool.emplace_back(body, t);
        for (std::thread& thread : pool)
            thread.join();
        seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
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

/// The best of several ways to read everything once, in bytes per second.
double readBandwidth(const Memory& memory, int threads) {
    double best = 0;
    const size_t share = memory.bytes / size_t(threads) / 4096 * 4096;
    const auto measure = [&](void (*reader)(const uint8_t*, size_t)) {
        const double seconds =
            timed(threads, 7, [&](int t) { reader(memory.data + size_t(t) * share, share); });
        best = std::max(best, double(share) * threads / seconds);
    };
    measure(readSpan<1>);
    measure(readSpan<2>);
    measure(readSpan<4>);
    return best;
}

struct Work {
    std::vector<PanelSegment> segments;
    std::vector<uint8_t> tables;
    std::vector<int8_t> high, low;
    std::vector<float> scale;
    std::vector<int32_t> start, sum;

    explicit Work(std::vector<PanelSegment> of) : segments(std::move(of)) {
        tables.resize(size_t(tableBytes(segments)) + 64);
        for (size_t i = 0; i < tables.size(); ++i)
            tables[i] = uint8_t(i * 73 % 128);
        size_t columns = 0;
        for (const PanelSegment& segment : segments)
            columns += size_t(segment.columns);
        std::vector<float> x(columns);
        for (size_t i = 0; i < columns; ++i)
            x[i] = float(int(i * 37 % 255) - 127);
        const std::vector<int16_t> offsets(columns, -64);
        const size_t blocks = size_t(blockCount(segments));
        high.resize(columns), low.resize(columns), scale.resize(blocks), start.resize(blocks),
            sum.resize(blocks);
        roundPanelInput(segments, offsets, x, high, low, scale, start, sum);
    }
    PanelInput input() const { return {high, low, scale, start, sum}; }
};

/// Seconds to multiply all panels that fit into the memory, once.
double multiply(const Work& work, const PanelKernels& kernels, const Memory& memory, int threads,
                size_t& panels) {
    const size_t bytes = size_t(panelBytes(work.segments, panelRows));
    panels = memory.bytes / bytes / size_t(threads) * size_t(threads);
    const size_t share = panels / size_t(threads);
    return timed(threads, 7, [&](int t) {
        std::vector<float> y(panelRows);
        for (size_t p = share * size_t(t); p < share * size_t(t + 1); ++p) {
            std::fill(y.begin(), y.end(), 0.f);
            kernels.matvec(work.segments, memory.data + p * bytes, work.tables.data(), work.input(),
                           panelRows, y.data());
        }
        sink = uint64_t(y[0]);
    });
}

} // namespace

int main(int argc, char** argv) {
    int threads = int(std::max(1u, std::thread::hardware_concurrency()));
    double gigabytes = 1.2;
    int64_t columns = 4096;
    std::string only;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--threads") threads = std::atoi(argv[i + 1]);
        if (option == "--gigabytes") gigabytes = std::atof(argv[i + 1]);
        if (option == "--isa") only = argv[i + 1];
        if (option == "--columns") columns = std::atoll(argv[i + 1]);
    }
    const Memory memory(size_t(gigabytes * 1e9));
    const std::pair<PanelKind, const char*> kinds[] = {
        {PanelKind::Table2, "2"}, {PanelKind::Table3, "3"}, {PanelKind::Table4, "4"},
        {PanelKind::Plain5, "5"}, {PanelKind::Plain6, "6"}, {PanelKind::Plain8, "8"}};

    for (const PanelKernels& kernels : allPanelKernels()) {
        if (std::string(kernels.name) == "scalar" || (!only.empty() && only != kernels.name))
            continue;
        const double bandwidth = readBandwidth(memory, threads);
        std::printf("%s, %d threads, K = %lld, %.1f GB; read bandwidth %.1f GB/s\n", kernels.name,
                    threads, (long long)columns, double(memory.bytes) / 1e9, bandwidth / 1e9);
        std::printf("  bits   GB/s  of read  Gweights/s\n");
        for (const auto& [kind, name] : kinds) {
            const Work work({{kind, columns}});
            size_t panels = 0;
            const double seconds = multiply(work, kernels, memory, threads, panels);
            const double weights = double(panels) * panelRows * columns;
            const double bytes =
                double(panels) * double(panelBytes(work.segments, panelRows)) / seconds;
            std::printf("  %-5s %6.1f   %5.2f   %8.1f\n", name, bytes / 1e9, bytes / bandwidth,
                        weights / seconds / 1e9);
        }
        // 3 bits on average, of one width and of many.
        const Work uniform({{PanelKind::Table3, columns}});
        const Work mixed({{PanelKind::Plain8, 64},
                          {PanelKind::Plain6, 64},
                          {PanelKind::Plain5, 128},
                          {PanelKind::Table4, 1024},
                          {PanelKind::Table3, 1024},
                          {PanelKind::Table2, 1792}});
        size_t panels = 0;
        const double one = multiply(uniform, kernels, memory, threads, panels);
        const double perByteUniform =
            one / double(panels) / double(panelBytes(uniform.segments, panelRows));
        const double many = multiply(mixed, kernels, memory, threads, panels);
        const double perByteMixed =
            many / double(panels) / double(panelBytes(mixed.segments, panelRows));
        std::printf("  mixed widths (2, 3, 4, 5, 6, 8) against 3 bits, time per byte: %.2f\n",
                    perByteMixed / perByteUniform);
        const double after = readBandwidth(memory, threads);
        std::printf("  read bandwidth afterwards %.1f GB/s\n\n", after / 1e9);
    }
    return 0;
}
