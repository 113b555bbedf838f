// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/crew.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/pack_lane.h"
#include "kernels/cuda/rounding.h"
#include "kernels/cuda/warp_host.h"
#include "kernels/pack.h"
#include "tests/kernels/gpu_testing.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

using namespace bitloom::kernels;
using namespace bitloom::kernels::decode;

namespace {

using gpu::Random;
using gpu::Source;

constexpr PanelKind kinds[] = {PanelKind::Table2, PanelKind::Table3, PanelKind::Table4,
                               PanelKind::Plain5, PanelKind::Plain6, PanelKind::Plain8};

/// Activations of some tokens as steps of a matrix read them: [steps][chunkWords].
std::vector<uint32_t> chunksOf(const GpuMatrix& m, const std::vector<GpuToken>& tokens,
                               int padded) {
    const size_t words = size_t(chunkWords(padded));
    std::vector<uint32_t> out(size_t(m.layout.steps) * words, 0);
    for (size_t step = 0; step < size_t(m.layout.steps); ++step)
        for (size_t t = 0; t < tokens.size(); ++t) {
            auto* to = reinterpret_cast<int8_t*>(out.data() + step * words);
            for (size_t k = 0; k < gpuStep; ++k) {
                to[t * 128 + k] = tokens[t].high[step * gpuStep + k];
                to[t * 128 + 64 + k] = tokens[t].low[step * gpuStep + k];
            }
            out[step * words + size_t(multiplierWord(padded)) + t] =
                uint32_t(tokens[t].multiplier[step]);
        }
    return out;
}

template<class F>
void ofKind(PanelKind kind, F&& run) {
    switch (kind) {
    case PanelKind::Table2:
        return run(std::integral_constant<PanelKind, PanelKind::Table2>());
    case PanelKind::Table3:
        return run(std::integral_constant<PanelKind, PanelKind::Table3>());
    case PanelKind::Table4:
        return run(std::integral_constant<PanelKind, PanelKind::Table4>());
    case PanelKind::Plain5:
        return run(std::integral_constant<PanelKind, PanelKind::Plain5>());
    case PanelKind::Plain6:
        return run(std::integral_constant<PanelKind, PanelKind::Plain6>());
    case PanelKind::Plain8:
        return run(std::integral_constant<PanelKind, PanelKind::Plain8>());
    }
}

/// Where a step lies.
struct StepAt {
    const uint32_t *codes, *tables, *chunk;
    PanelKind kind;
};
StepAt stepAt(const GpuMatrix& m, const Cursor& c, const std::vector<uint32_t>& chunks,
              int padded) {
    const GpuSegment& s = m.layout.segment[size_t(c.segment)];
    const int64_t in = int64_t(c.step) - s.firstStep;
    return {m.codes.data() + (int64_t(c.tile) * m.layout.tileBytes + s.codes +
                              in * gpuStepBytes(panelBits(s.kind))) /
                                 4,
            reinterpret_cast<const uint32_t*>(m.tables.data() + s.tables +
                                              in * gpuStepTableBytes(s.kind)),
            chunks.data() + size_t(c.step) * size_t(chunkWords(padded)), s.kind};
}

HostWarp::Address at(const uint32_t* base, uint32_t (*lane)(uint32_t)) {
    return {base, HostWarp::fromLane(lane)};
}
uint32_t noLane(uint32_t) {
    return 0;
}
uint32_t tokenLane(uint32_t lane) {
    return lane % 4;
}

/// sums [token][tiles · 256] of the diagonal form, cut into `parts` as warps would be.
template<int tokens>
std::vector<std::vector<int64_t>> diagonal(const GpuMatrix& m, const std::vector<GpuToken>& input,
                                           int64_t parts) {
    const int64_t tiles = GpuLayout::tiles(m.rows);
    const auto chunks = chunksOf(m, input, tokens);
    const auto cuts = cutByBytes(m.layout, tiles, parts);
    std::vector out(tokens, std::vector<int64_t>(size_t(tiles * gpuTileRows), 0));
    for (size_t p = 0; p + 1 < cuts.size(); ++p) {
        using Sums = DiagonalSums<HostWarp, tokens>;
        auto sums = std::make_unique<Sums>();
        sums->clear();
        bool fresh = true;
        for (Cursor c(m.layout, cuts[p], cuts[p + 1]); !c.done();) {
            const StepAt step = stepAt(m, c, chunks, tokens);
            ofKind(step.kind, [&](auto kind) {
                // Wide steps come in two halves, as in the kernel.
                constexpr int pieces = bitsOf(kind()) > 4 ? 2 : 1, blocks = 4 / pieces;
                for (int piece = 0; piece < pieces; ++piece) {
                    const auto codes =
                        at(step.codes + piece * blocks * blockWordsOf(kind()), codesLane);
                    const auto tables = at(step.tables, tablesLane);
                    const auto x = at(step.chunk, diagonalLane);
                    auto* part = sums->part + piece * blocks;
                    if (fresh)
                        diagonalStep<HostWarp, kind(), tokens, blocks, true>(codes, tables, x,
                                                                             part);
                    else
                        diagonalStep<HostWarp, kind(), tokens, blocks, false>(codes, tables, x,
                                                                              part);
                }
            });
            const uint32_t tile = c.tile;
            fresh = c.endsBlock(m.layout);
            c.advance(m.layout);
            if (fresh || c.done()) sums->flush(at(step.chunk + multiplierWord(tokens), noLane));
            if (!c.done() && c.tile == tile) continue;
            for (int i = 0; i < Sums::blocks; ++i)
                for (int n = 0; n < tokens; ++n)
                    for (int c = 0; c < 4; ++c)
                        for (uint32_t lane = 0; lane < 32; ++lane)
                            out[size_t(n)][tile * gpuTileRows + Sums::row(lane, i, c)] +=
                                sums->sum[i][n][c].lane[lane];
            sums->clear();
        }
    }
    return out;
}

template<int tiles>
std::vector<std::vector<int64_t>> transposed(const GpuMatrix& m, const std::vector<GpuToken>& input,
                                             int64_t parts) {
    constexpr int padded = transposedTokens(tiles);
    const int64_t rowTiles = GpuLayout::tiles(m.rows);
    const auto chunks = chunksOf(m, input, padded);
    const auto cuts = cutByBytes(m.layout, rowTiles, parts);
    std::vector out(padded, std::vector<int64_t>(size_t(rowTiles * gpuTileRows), 0));
    for (size_t p = 0; p + 1 < cuts.size(); ++p)
        for (int block = 0; block < 4; ++block) { // the warps of a crew
            using Sums = TransposedSums<HostWarp, tiles>;
            auto sums = std::make_unique<Sums>();
            sums->clear();
            bool fresh = true;
            for (Cursor c(m.layout, cuts[p], cuts[p + 1]); !c.done();) {
                const StepAt step = stepAt(m, c, chunks, padded);
                ofKind(step.kind, [&](auto kind) {
                    const auto codes = at(step.codes + block * blockWordsOf(kind()), codesLane);
                    const auto tables = at(step.tables, tablesLane);
                    const auto x = at(step.chunk, transposedLane);
                    if (fresh)
                        transposedStep<HostWarp, kind(), tiles, true>(codes, tables, x, sums->part);
                    else
                        transposedStep<HostWarp, kind(), tiles, false>(codes, tables, x,
                                                                       sums->part);
                });
                const uint32_t tile = c.tile;
                fresh = c.endsBlock(m.layout);
                c.advance(m.layout);
                if (fresh || c.done())
                    sums->flush(at(step.chunk + multiplierWord(padded), tokenLane));
                if (!c.done() && c.tile == tile) continue;
                for (int i = 0; i < 4; ++i)
                    for (int n = 0; n < tiles; ++n)
                        for (int j = 0; j < 2; ++j)
                            for (uint32_t lane = 0; lane < 32; ++lane)
                                out[Sums::token(lane, n)]
                                   [tile * gpuTileRows + uint32_t(block) * gpuBlockRows +
                                    Sums::row(lane, i, j)] += sums->sum[i][n][j].lane[lane];
                sums->clear();
            }
        }
    return out;
}

/// A crew's warps with slots of memory: copies arrive when they are waited for and not before, and
/// what they will overwrite is gone at once.
template<bool transposed, int count>
struct HostOps {
    using Sums = std::conditional_t<transposed, TransposedSums<HostWarp, count>,
                                    DiagonalSums<HostWarp, count>>;
    static constexpr int warps = transposed ? 4 : 1;
    static constexpr int padded = transposed ? transposedTokens(count) : count;
    static constexpr int pieces(PanelKind kind) { return !transposed && bitsOf(kind) > 4 ? 2 : 1; }
    struct Copy {
        uint32_t to;
        const uint32_t* from;
        int vectors;
    };
    std::vector<uint8_t> memory;
    std::vector<std::vector<Copy>> groups{1}; ///< the last is not committed yet
    std::vector<Sums> sums{size_t(warps)};
    int64_t copied = 0;

    explicit HostOps(int bytes) : memory(size_t(bytes), 0xAA) { clear(); }
    void clear() {
        for (Sums& s : sums)
            s.clear();
    }
    static uint32_t laneWords() { return 0; }
    void add(uint32_t to, const uint32_t* from, int vectors) {
        if (to + 16u * uint32_t(vectors) > memory.size())
            qFatal("a copy ends outside of the slots");
        std::fill_n(memory.begin() + to, 16 * vectors, uint8_t(0xAA));
        groups.back().push_back({to, from, vectors});
    }
    template<int vectors>
    void copyCodes(uint32_t to, const uint32_t* from) {
        add(to, from, vectors);
        copied += 16 * vectors;
    }
    template<int vectors>
    void copyVectors(uint32_t to, const uint32_t* from) {
        add(to, from, vectors);
    }
    void copyAny(uint32_t to, const uint32_t* from, int vectors) { add(to, from, vectors); }
    void commit() { groups.emplace_back(); }
    void await() {
        while (int(groups.size()) - 1 > crew::stages - 2) {
            for (const Copy& c : groups.front())
                std::memcpy(memory.data() + c.to, c.from, size_t(c.vectors) * 16);
            groups.erase(groups.begin());
        }
    }
    const uint32_t* slot(uint32_t at, int word) const {
        return reinterpret_cast<const uint32_t*>(memory.data() + at) + word;
    }
    template<PanelKind kind, int piece, bool fresh>
    void consume(uint32_t from) {
        for (int warp = 0; warp < warps; ++warp) {
            const auto codes =
                at(slot(from, crew::codesAt(padded)) + warp * blockWordsOf(kind), codesLane);
            const auto tables = at(slot(from, crew::tablesAt(padded)), tablesLane);
            if constexpr (transposed)
                transposedStep<HostWarp, kind, count, fresh>(
                    codes, tables, at(slot(from, 0), transposedLane), sums[size_t(warp)].part);
            else
                diagonalStep<HostWarp, kind, count, 4 / pieces(kind), fresh>(
                    codes, tables, at(slot(from, 0), diagonalLane),
                    sums[0].part + piece * (4 / pieces(kind)));
        }
    }
    void flush(uint32_t from) {
        for (Sums& s : sums)
            s.flush(at(slot(from, multiplierWord(padded)), transposed ? tokenLane : noLane));
    }
    template<class F>
    void forEach(F&& use) const {
        for (uint32_t lane = 0; lane < 32; ++lane)
            for (size_t warp = 0; warp < size_t(warps); ++warp)
                for (int i = 0; i < 4; ++i)
                    for (int n = 0; n < count; ++n)
                        if constexpr (transposed)
                            for (int j = 0; j < 2; ++j)
                                use(Sums::token(lane, n),
                                    uint32_t(warp) * gpuBlockRows + Sums::row(lane, i, j),
                                    sums[warp].sum[i][n][j].lane[lane]);
                        else
                            for (int c = 0; c < 4; ++c)
                                use(uint32_t(n), Sums::row(lane, i, c),
                                    sums[warp].sum[i][n][c].lane[lane]);
    }
};

/// Sums of a product as thread blocks of some crews work them out.
template<bool transposed, int count>
std::vector<std::vector<int64_t>>
wholeProduct(const GpuMatrix& m, const std::vector<GpuToken>& input, int threadBlocks, int crews) {
    using Ops = HostOps<transposed, count>;
    const int64_t tiles = GpuLayout::tiles(m.rows);
    const auto chunks = chunksOf(m, input, Ops::padded);
    const GpuSchedule schedule = gpuSchedule(m.layout, tiles, threadBlocks, crews);
    std::vector out(size_t(Ops::padded), std::vector<int64_t>(size_t(tiles * gpuTileRows), 0));
    std::vector<uint32_t> touched(size_t(tiles), 0);
    int most = 0; // as slotBytes of the library has it
    for (int32_t i = 0; i < m.layout.segments; ++i) {
        const PanelKind kind = m.layout.segment[size_t(i)].kind;
        most = std::max(most, int(gpuStepBytes(panelBits(kind))) / Ops::pieces(kind));
    }
    const int slot = 4 * crew::codesAt(Ops::padded) + most;
    for (int b = 0; b < schedule.threadBlocks; ++b) {
        const auto cut = [&](int c) { return schedule.cuts[size_t(b * crews + c)]; };
        if (cut(0) == cut(crews)) qFatal("a thread block without work");
        for (auto tile = cut(0) / uint32_t(m.layout.steps);
             tile <= (cut(crews) - 1) / uint32_t(m.layout.steps); ++tile) {
            if (uint32_t(b) != schedule.share[tile].first + touched[tile]) qFatal("wrong share");
            ++touched[tile];
        }
        for (int c = 0; c < crews; ++c) {
            Ops ops(slot * crew::stages);
            crew::Crew<Ops> way(ops,
                                {m.layout, m.codes.data(),
                                 reinterpret_cast<const uint32_t*>(m.tables.data()), chunks.data()},
                                cut(c), cut(c + 1), 0, uint32_t(slot));
            way.fillSlots();
            while (!way.at.done()) {
                const uint32_t tile = way.at.tile;
                way.run();
                if (!way.at.done() && way.at.tile == tile) continue;
                ops.forEach([&](uint32_t token, uint32_t row, int64_t value) {
                    out[token][tile * gpuTileRows + row] += value;
                });
                ops.clear();
            }
        }
    }
    for (size_t tile = 0; tile < size_t(tiles); ++tile)
        if (touched[tile] != schedule.share[tile].count) qFatal("wrong number of shares");
    return out;
}

/// Everything a matrix goes through, for some tokens; every comparison is exact.
void checkAll(const Source& source, const std::vector<std::vector<float>>& x, int64_t parts) {
    const GpuMatrix m = source.build();
    std::vector<GpuToken> tokens(x.size());
    for (size_t t = 0; t < x.size(); ++t)
        roundGpuInput(m, x[t], tokens[t]);
    GpuMatrix dense = m; // outliers are not the decode bodies' business
    dense.outlierBegin.clear();
    Source plain = Source(0, {}, *std::make_unique<Random>(0));
    plain.rows = source.rows, plain.cols = source.cols, plain.columns = source.columns;
    std::vector<std::vector<int64_t>> wanted;
    for (size_t t = 0; t < x.size(); ++t) {
        wanted.push_back(gpu::expectedSums(source, m, tokens[t], x[t]));
        const auto all = gpuSums(m, tokens[t], x[t]);
        for (int64_t row = 0; row < source.rows; ++row)
            QCOMPARE(all[size_t(row)] + tokens[t].start, wanted.back()[size_t(row)]);
        wanted.back() = gpu::expectedSums(plain, m, tokens[t], x[t]);
    }
    const auto compare = [&](const std::vector<std::vector<int64_t>>& got, const char* what) {
        for (size_t t = 0; t < x.size(); ++t)
            for (int64_t row = 0; row < source.rows; ++row)
                QVERIFY2(got[t][size_t(row)] + tokens[t].start == wanted[t][size_t(row)],
                         qPrintable(QString("%1: token %2, row %3: %4, not %5")
                                        .arg(what)
                                        .arg(t)
                                        .arg(row)
                                        .arg(got[t][size_t(row)] + tokens[t].start)
                                        .arg(wanted[t][size_t(row)])));
    };
    if (x.size() <= 1) compare(diagonal<1>(m, tokens, parts), "diagonal 1");
    if (x.size() <= 2) compare(diagonal<2>(m, tokens, parts), "diagonal 2");
    if (x.size() <= 4) compare(transposed<1>(m, tokens, parts), "transposed 4");
    if (x.size() > 4 && x.size() <= 8) compare(transposed<2>(m, tokens, parts), "transposed 8");
    if (x.size() > 8 && x.size() <= 12) compare(transposed<3>(m, tokens, parts), "transposed 12");
    if (x.size() > 12) compare(transposed<4>(m, tokens, parts), "transposed 16");
    const int blocks = int(1 + parts % 7), crews = 1 << parts % 4;
    if (x.size() <= 1)
        compare(wholeProduct<false, 1>(m, tokens, blocks, crews), "product with 1 token");
    if (x.size() == 2)
        compare(wholeProduct<false, 2>(m, tokens, blocks, crews), "product with 2 tokens");
    if (x.size() > 2 && x.size() <= 4)
        compare(wholeProduct<true, 1>(m, tokens, blocks, crews), "product with 4 tokens");
    if (x.size() > 4 && x.size() <= 8)
        compare(wholeProduct<true, 2>(m, tokens, blocks, crews), "product with 8 tokens");
    if (x.size() > 12)
        compare(wholeProduct<true, 4>(m, tokens, blocks, crews), "product with 16 tokens");
}

std::vector<std::vector<float>> tokensFor(const Source& s, size_t count, Random& random) {
    std::vector<std::vector<float>> out;
    for (size_t t = 0; t < count; ++t)
        out.push_back(gpu::activations(s.cols, random));
    return out;
}

} // namespace

class TestCudaDecode : public QObject {
    Q_OBJECT
private slots:
    /// PTX ISA, prmt: known results, and the definition written with bytes in an array.
    void bytePermute() {
        const auto one = [](uint32_t a, uint32_t b, uint32_t select) {
            return HostWarp::prmt(a, b, select).lane[17];
        };
        QCOMPARE(one(0x33221100u, 0x77665544u, 0x3210u), 0x33221100u);
        QCOMPARE(one(0x33221100u, 0x77665544u, 0x7654u), 0x77665544u);
        QCOMPARE(one(0x33221100u, 0x77665544u, 0x0123u), 0x00112233u);
        QCOMPARE(one(0x33221100u, 0x77665544u, 0x7531u), 0x77553311u);
        QCOMPARE(one(0x80007f01u, 0xff00fe02u, 0xBA98u), 0xff000000u);     // signs of a
        QCOMPARE(one(0x80007f01u, 0xff00fe02u, 0xFEDCu), 0xff00ff00u);     // signs of b
        QCOMPARE(one(0x80007f01u, 0xff00fe02u, 0xABCD3B0Du), 0x80ff01ffu); // lower half counts
        Random random(1);
        for (int round = 0; round < 2000; ++round) {
            const auto a = HostWarp::U32::each([&](uint32_t) { return uint32_t(random()); }),
                       b = HostWarp::U32::each([&](uint32_t) { return uint32_t(random()); }),
                       c = HostWarp::U32::each([&](uint32_t) { return uint32_t(random()); });
            const auto got = HostWarp::prmt(a, b, c);
            for (size_t lane = 0; lane < 32; ++lane) {
                // "A byte source is {{b7, b6, b5, b4}, {b3, b2, b1, b0}} = {b, a}"
                uint8_t source[8], wanted[4];
                std::memcpy(source, &a.lane[lane], 4);
                std::memcpy(source + 4, &b.lane[lane], 4);
                for (size_t n = 0; n < 4; ++n) {
                    const uint32_t selected = c.lane[lane] / (1u << (4 * n)) % 16;
                    const uint8_t byte = source[selected % 8];
                    wanted[n] = selected < 8 ? byte : byte > 127 ? 0xFF : 0x00;
                }
                QVERIFY(std::memcmp(&got.lane[lane], wanted, 4) == 0);
            }
        }
    }

    /// PTX ISA, "Matrix fragments for mma.m16n8k32", element by element.
    void matrixMultiply_data() {
        QTest::addColumn<bool>("signedA");
        QTest::newRow("s8") << true;
        QTest::newRow("u8") << false;
    }
    void matrixMultiply() {
        QFETCH(bool, signedA);
        Random random(2);
        for (int round = 0; round < 20; ++round) {
            int a[16][32], b[32][8], c[16][8];
            for (auto& row : a)
                for (int& v : row)
                    v = int(random() % 256) - (signedA ? 128 : 0);
            for (auto& row : b)
                for (int& v : row)
                    v = int(random() % 256) - 128;
            for (auto& row : c)
                for (int& v : row)
                    v = int(random() % 2000000) - 1000000;
            HostWarp::U32 fa[4] = {0u, 0u, 0u, 0u}, fb[2] = {0u, 0u};
            HostWarp::I32 fc[4];
            for (size_t lane = 0; lane < 32; ++lane) {
                const size_t groupId = lane >> 2, threadInGroup = lane % 4;
                for (size_t i = 0; i < 16; ++i) {
                    const size_t row = i < 4 || (i >= 8 && i < 12) ? groupId : groupId + 8;
                    const size_t col =
                        i < 8 ? threadInGroup * 4 + (i & 3) : threadInGroup * 4 + (i & 3) + 16;
                    fa[i / 4].lane[lane] |= uint32_t(uint8_t(a[row][col])) << (8 * (i % 4));
                }
                for (size_t i = 0; i < 8; ++i) {
                    const size_t row =
                        i < 4 ? threadInGroup * 4 + (i & 3) : threadInGroup * 4 + (i & 3) + 16;
                    fb[i / 4].lane[lane] |= uint32_t(uint8_t(b[row][groupId])) << (8 * (i % 4));
                }
                for (size_t i = 0; i < 4; ++i)
                    fc[i].lane[lane] =
                        c[i < 2 ? groupId : groupId + 8][threadInGroup * 2 + (i & 1)];
            }
            if (signedA)
                HostWarp::mma<true>(fc, fa, fb[0], fb[1]);
            else
                HostWarp::mma<false>(fc, fa, fb[0], fb[1]);
            for (size_t lane = 0; lane < 32; ++lane)
                for (size_t i = 0; i < 4; ++i) {
                    const size_t row = i < 2 ? lane >> 2 : (lane >> 2) + 8;
                    const size_t col = lane % 4 * 2 + (i & 1);
                    int sum = c[row][col];
                    for (size_t k = 0; k < 32; ++k)
                        sum += a[row][k] * b[k][col];
                    QCOMPARE(fc[i].lane[lane], sum);
                }
        }
    }

    /// Every bit of a step belongs to one code.
    void places() {
        for (const PanelKind kind : kinds) {
            std::vector<uint32_t> seen(size_t(gpuStepBytes(panelBits(kind)) / 4), 0);
            for (int column = 0; column < gpuStep; ++column)
                for (int row = 0; row < gpuTileRows; ++row) {
                    const GpuCodePlace place = gpuCodePlace(kind, column, row);
                    int bits = 0;
                    for (int p = 0; p < place.parts; ++p) {
                        const GpuCodePart& at = place.part[p];
                        const uint32_t mask = ((1u << at.bits) - 1) << at.shift;
                        QCOMPARE(seen[size_t(at.word)] & mask, 0u);
                        seen[size_t(at.word)] |= mask;
                        QCOMPARE(int(at.from), bits);
                        bits += at.bits;
                    }
                    QCOMPARE(bits, panelBits(kind));
                }
            for (const uint32_t word : seen)
                QCOMPARE(word, 0xffffffffu);
        }
    }

    void everyKind_data() {
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        for (int kind = 0; kind < panelKinds; ++kind)
            for (const auto& [rows, columns] :
                 {std::pair{256, 64}, {1, 1}, {256, 192}, {300, 131}, {65, 257}})
                QTest::addRow("kind %d, %d x %d", kind, rows, columns) << kind << rows << columns;
    }
    void everyKind() {
        QFETCH(int, kind);
        QFETCH(int, rows);
        QFETCH(int, columns);
        Random random(unsigned(kind * 1000 + rows + columns));
        const Source s(rows, {{kinds[kind], columns}}, random);
        checkAll(s, tokensFor(s, 1, random), 1 + rows % 5);
    }

    void tokens_data() {
        QTest::addColumn<int>("kind");
        for (int kind = 0; kind < panelKinds; ++kind)
            QTest::addRow("kind %d", kind) << kind;
    }
    void tokens() {
        QFETCH(int, kind);
        Random random(unsigned(kind + 50));
        const Source s(70, {{kinds[kind], 133}}, random);
        for (size_t count = 1; count <= 16; ++count)
            checkAll(s, tokensFor(s, count, random), 2);
    }

    /// All mixtures, cut in every way: sums are integers, so nothing changes.
    void mixtures() {
        Random random(7);
        for (int round = 0; round < 24; ++round) {
            std::vector<std::pair<PanelKind, int64_t>> widths;
            for (int i = 0; i < 6; ++i)
                if (random() % 3) widths.push_back({kinds[5 - i], int64_t(random() % 150 + 1)});
            if (widths.empty()) continue;
            Source s(int64_t(random() % 600 + 1), widths, random);
            if (round % 2) s.addOutliers(200, random);
            checkAll(s, tokensFor(s, 1 + size_t(round) % 3, random), 1 + int64_t(random() % 40));
        }
    }

    /// Crews that stay in one segment for long, and such as change within a few steps.
    void crews() {
        Random random(14);
        const Source s(520,
                       {{PanelKind::Plain8, 200},
                        {PanelKind::Plain5, 70},
                        {PanelKind::Table4, 900},
                        {PanelKind::Table3, 64},
                        {PanelKind::Table2, 1100}},
                       random);
        for (const size_t count : {1u, 2u, 3u, 16u})
            for (const int64_t parts : {7, 8, 17})
                checkAll(s, tokensFor(s, count, random), parts);
    }

    /// The largest sums there can be.
    void extremes() {
        Random random(8);
        for (const PanelKind kind : kinds) {
            const Source s(64, {{kind, 512}}, random, /*extreme=*/true);
            std::vector<std::vector<float>> x(3, std::vector<float>(512, 1.f));
            for (GpuColumn& c : const_cast<Source&>(s).columns)
                c.scale = 1;
            for (size_t k = 0; k < 512; ++k)
                x[1][k] = -1.f, x[2][k] = k % 2 ? 1.f : -1.f;
            for (size_t t = 0; t < 3; ++t)
                checkAll(s, {x[t]}, 3);
            checkAll(s, x, 3);
        }
    }

    /// Tables of four bits: every one that the format allows is either split exactly or refused.
    void tableShift() {
        Random random(9);
        int refused = 0;
        for (int round = 0; round < 20000; ++round) {
            std::array<uint8_t, 16> e{};
            for (uint8_t& v : e)
                v = uint8_t(random() % 255);
            std::sort(e.begin(), e.end());
            const uint8_t least = e[0];
            for (uint8_t& v : e)
                v = uint8_t(v - least);
            int shift = 0;
            if (!gpuTableShift(e, shift)) {
                ++refused;
                // No shift at all, by trying all of them.
                for (int z = -300; z < 300; ++z) {
                    bool fits = true;
                    for (int i = 0; i < 8; ++i)
                        fits = fits && e[size_t(i)] - z >= -128 && e[size_t(i)] - z <= -1;
                    for (int i = 8; i < 16; ++i)
                        fits = fits && e[size_t(i)] - z + 1 >= 0 && e[size_t(i)] - z + 1 <= 127;
                    QVERIFY(!fits);
                }
                continue;
            }
            for (int i = 0; i < 8; ++i)
                QVERIFY(e[size_t(i)] - shift >= -128 && e[size_t(i)] - shift <= -1);
            for (int i = 8; i < 16; ++i)
                QVERIFY(e[size_t(i)] - shift + 1 >= 0 && e[size_t(i)] - shift + 1 <= 127);
        }
        QVERIFY(refused > 0);
        // Columns with such tables are stored as their entries.
        Source s(80, {{PanelKind::Table4, 70}}, random);
        for (size_t k = 0; k < 70; k += 3)
            for (size_t i = 0; i < 16; ++i)
                s.columns[k].entries[i] = uint8_t(i < 7 ? 0 : i < 8 ? 128 : 128 + i);
        const GpuMatrix m = s.build();
        QCOMPARE(m.layout.segments, 2);
        checkAll(s, tokensFor(s, 1, random), 2);
    }

    /// Against the chain of the processor's panels: the same integers, and results within the bound
    /// that gpu_columns.h states.
    void againstPanels() {
        Random random(10);
        for (int round = 0; round < 12; ++round) {
            Source s(200,
                     {{PanelKind::Plain8, 64}, {PanelKind::Table4, 320}, {PanelKind::Table2, 576}},
                     random);
            for (GpuColumn& c : s.columns)
                c.remainder = 0;
            const GpuMatrix m = s.build();
            std::vector<float> x = gpu::activations(s.cols, random);
            if (round % 3 == 1) x[5] = 3000.f; // one massive activation
            if (round % 3 == 2)
                for (size_t k = 0; k < x.size(); ++k)
                    x[k] *= std::exp(0.01f * float(k));
            GpuToken token;
            roundGpuInput(m, x, token);
            std::vector<float> y(200);
            gpuProduct(m, token, x, y);

            std::vector<PanelSegment> segments;
            for (int32_t i = 0; i < m.layout.segments; ++i)
                segments.push_back({m.layout.segment[size_t(i)].kind,
                                    int64_t(m.layout.segment[size_t(i)].steps) * gpuStep});
            std::vector<float> stored;
            std::vector<const GpuColumn*> bySource(size_t(s.cols));
            for (const GpuColumn& c : s.columns)
                bySource[size_t(c.source)] = &c;
            for (size_t k = 0; k < m.column.size(); ++k)
                stored.push_back(m.column[k] < 0 ? 0 : m.scale[k] * x[size_t(m.column[k])]);
            const size_t blocks = size_t(blockCount(segments));
            std::vector<int16_t> q(stored.size());
            std::vector<int8_t> high(stored.size()), low(stored.size());
            std::vector<float> scale(blocks);
            std::vector<int32_t> start(blocks);
            roundPanelInput(segments, m.offset, stored, 2, q, high, low, scale, start);
            QVERIFY(high == token.high && low == token.low);
            for (int64_t row = 0; row < s.rows; ++row) {
                float chain = 0;
                double sizes = 0;
                for (size_t b = 0; b < blocks; ++b) {
                    int64_t sum = 0;
                    size_t first = 0, n = 0, block = 0;
                    for (const PanelSegment& segment : segments)
                        for (int64_t at = 0; at < segment.columns; at += panelBlock, ++block) {
                            if (block < b)
                                first +=
                                    size_t(std::min<int64_t>(panelBlock, segment.columns - at));
                            if (block == b)
                                n = size_t(std::min<int64_t>(panelBlock, segment.columns - at));
                        }
                    for (size_t k = first; k < first + n; ++k)
                        if (m.column[k] >= 0)
                            sum += int64_t(q[k]) * s.value(*bySource[size_t(m.column[k])], row);
                    chain = std::fma(scale[b], float(sum), chain);
                    sizes += std::abs(double(sum)) *
                             (double(token.unit) * 4194304 + double(blocks + 2) * double(scale[b]));
                }
                const double bound =
                    std::ldexp(sizes, -23) + std::ldexp(std::abs(double(chain)), -22);
                QVERIFY(std::abs(double(y[size_t(row)]) - double(chain)) <= bound);
            }
        }
    }

    /// What the GPU rounds activations with, a value at a time, against roundPanelInput.
    void rounding() {
        Random random(12);
        std::normal_distribution<float> normal;
        for (int round = 0; round < 400; ++round) {
            const size_t n = round % 2 ? 128 : 64;
            const PanelSegment segment{PanelKind::Plain8, int64_t(n)};
            const float size = std::exp(18 * normal(random));
            std::vector<float> x;
            for (size_t i = 0; i < n; ++i)
                x.push_back(round % 5 == 0 ? float(int(random() % 65279) - 32639) / 2
                            : random() % 5 ? size * normal(random)
                                           : 0.f);
            if (round % 7 == 0) x[3] = std::numeric_limits<float>::infinity();
            if (round % 11 == 0) x[9] = std::numeric_limits<float>::quiet_NaN();
            if (round % 13 == 0) std::fill(x.begin(), x.end(), 1e-34f);
            std::vector<int16_t> offsets(n, 3), q(n);
            std::vector<int8_t> high(n), low(n);
            float scale;
            int32_t start;
            roundPanelInput({&segment, 1}, offsets, x, 2, q, high, low, {&scale, 1}, {&start, 1});
            uint32_t largest = 0;
            for (const float value : x)
                largest = std::max(largest, fixed::magnitude(value));
            const fixed::BlockScale own = fixed::blockScale(largest);
            QVERIFY(std::isnan(scale) ? std::isnan(own.scale) : scale == own.scale);
            for (size_t i = 0; i < n; ++i) {
                const int32_t value = fixed::roundActivation(x[i], own.inverse);
                QCOMPARE(value, int32_t(q[i]));
                QCOMPARE(fixed::highByte(value), int32_t(high[i]));
                QCOMPARE(value - 256 * fixed::highByte(value), int32_t(low[i]));
            }
        }
        // Units are powers of two, and the largest multiplier has 22 bits.
        for (int e = -149; e < 113; ++e)
            for (const float more : {1.f, 1.25f, 1.999f}) {
                const float largest = std::ldexp(more, e);
                const fixed::Unit unit = fixed::unitFor(largest);
                int exponent;
                QCOMPARE(std::frexp(unit.unit, &exponent), 0.5f);
                const int64_t multiplier =
                    fixed::inUnits(largest, unit.inverse[0], unit.inverse[1]);
                QVERIFY(multiplier <= 1 << gpuMultiplierBits);
                if (e >= -118) QVERIFY(multiplier >= 1 << (gpuMultiplierBits - 1));
                QCOMPARE(multiplier, std::llrint(double(largest) / double(unit.unit)));
            }
    }

    /// The kernel that rounds a token, lane after lane, against roundGpuInput.
    void preparing() {
        Random random(15);
        for (int round = 0; round < 20; ++round) {
            Source s(100,
                     {{PanelKind::Plain8, 40 + int64_t(random() % 200)},
                      {PanelKind::Table4, 1 + int64_t(random() % 300)},
                      {PanelKind::Table2, 1 + int64_t(random() % 300)}},
                     random);
            if (round % 2) s.addOutliers(100, random);
            const GpuMatrix m = s.build();
            std::vector<float> x = gpu::activations(s.cols, random);
            if (round == 7) x[3] = std::numeric_limits<float>::infinity();
            GpuToken wanted;
            roundGpuInput(m, x, wanted);

            std::vector<uint32_t> blocks;
            for (int32_t i = 0; i < m.layout.segments; ++i)
                for (int32_t step = 0; step < m.layout.segment[size_t(i)].steps; step += 2)
                    blocks.push_back(uint32_t(m.layout.segment[size_t(i)].firstStep + step));
            const int count = int(blocks.size());
            blocks.push_back(uint32_t(m.layout.steps));
            bitloom::cuda::MatrixView view{};
            view.layout = m.layout;
            view.column = m.column.data();
            view.scale = m.scale.data();
            view.remainder = m.remainder.data();
            view.offset = m.offset.data();
            view.blockFirstStep = blocks.data();
            view.blocks = count;
            view.extraLimit = m.extraLimit;
            const int padded = round % 3 ? 4 : 1, token = padded - 1;
            std::vector<uint32_t> chunks(size_t(m.layout.steps * chunkWords(padded)), 0xAAAAAAAAu);
            std::vector<float> scale;
            std::vector<int32_t> start;
            const auto source = [&](int32_t column) { return x[size_t(column)]; };
            uint32_t largestScale = 0, largestInput = 0;
            for (int block = 0; block < count; ++block) {
                float stored[32][4] = {};
                uint32_t largest = 0;
                for (int lane = 0; lane < 32; ++lane) {
                    bitloom::cuda::BlockOfLane(view, block, lane).load(source, stored[lane]);
                    largest = std::max(largest, bitloom::cuda::BlockOfLane::largest(stored[lane]));
                }
                const fixed::BlockScale of = fixed::blockScale(largest);
                int32_t sum = 0;
                for (int lane = 0; lane < 32; ++lane)
                    sum += bitloom::cuda::BlockOfLane(view, block, lane)
                               .round(stored[lane], of.inverse, chunks.data(), padded, token);
                scale.push_back(of.scale);
                start.push_back(sum);
                largestScale = std::max(largestScale, fixed::magnitude(of.scale));
            }
            for (const float value : x)
                largestInput = std::max(largestInput, fixed::magnitude(value));
            const fixed::Unit unit = bitloom::cuda::unitOfToken(view, largestScale, largestInput);
            QVERIFY(std::isnan(wanted.unit) ? std::isnan(unit.unit) : unit.unit == wanted.unit);
            int64_t all = 0;
            for (int block = 0; block < count; ++block) {
                const int32_t multiplier =
                    unit.inverse[0] == 0
                        ? 0
                        : int32_t(fixed::inUnits(scale[size_t(block)], unit.inverse[0],
                                                 unit.inverse[1]));
                all += int64_t(multiplier) * start[size_t(block)];
                bitloom::cuda::storeMultiplier(view, block, multiplier, chunks.data(), padded,
                                               token);
            }
            for (int64_t k = 0; unit.inverse[0] != 0 && k < m.layout.columns(); ++k)
                all += bitloom::cuda::remainderInUnits(view, source, k, unit);
            QCOMPARE(all, wanted.start);
            for (size_t k = 0; k < m.column.size(); ++k) {
                const auto* bytes = reinterpret_cast<const int8_t*>(
                    chunks.data() + k / gpuStep * size_t(chunkWords(padded)));
                QCOMPARE(int(bytes[size_t(token) * 128 + k % gpuStep]), int(wanted.high[k]));
                QCOMPARE(int(bytes[size_t(token) * 128 + 64 + k % gpuStep]), int(wanted.low[k]));
            }
            for (size_t step = 0; step < size_t(m.layout.steps); ++step)
                QCOMPARE(int32_t(chunks[step * size_t(chunkWords(padded)) +
                                        size_t(multiplierWord(padded) + token)]),
                         wanted.multiplier[step]);
        }
    }

    /// The kernel that packs, thread after thread, against packGpuSegment.
    void packingOnTheDevice() {
        Random random(16);
        for (const int64_t rows : {1, 64, 300, 600}) {
            Source s(rows,
                     {{PanelKind::Plain8, 3},
                      {PanelKind::Plain6, 70},
                      {PanelKind::Plain5, 5},
                      {PanelKind::Table4, 80},
                      {PanelKind::Table3, 65},
                      {PanelKind::Table2, 130}},
                     random);
            for (size_t i = 0; i < 16; ++i) // stored as its entries
                s.columns[80].entries[i] = uint8_t(i < 7 ? 0 : i < 8 ? 128 : 128 + i);
            const GpuOrder order = orderGpuColumns(s.columns);
            const GpuMatrix m = s.build();
            std::vector<uint32_t> words;
            std::vector<bitloom::cuda::PackColumn> columns;
            for (size_t at = 0; at < order.place.size(); ++at) {
                bitloom::cuda::PackColumn c{UINT64_MAX, 0, 0, {}};
                if (order.place[at] >= 0) {
                    const auto index = size_t(order.place[at]);
                    c.bits = panelBits(s.columns[index].kind);
                    c.word = words.size();
                    c.replaced = order.replace[at];
                    std::copy(s.columns[index].entries.begin(), s.columns[index].entries.end(),
                              c.entries);
                    words.resize(words.size() + size_t(packedWords(rows, c.bits)));
                    packCodes(s.codes[index], c.bits,
                              std::span(words).last(size_t(packedWords(rows, c.bits))));
                }
                columns.push_back(c);
            }
            std::vector<uint32_t> codes(m.codes.size(), 0xAAAAAAAAu);
            const int64_t threads = bitloom::cuda::packThreads(m.layout, rows);
            for (int64_t i = 0; i < threads; ++i)
                bitloom::cuda::packLane(m.layout, rows, words.data(), columns.data(), i,
                                        codes.data());
            QVERIFY(codes == m.codes);
        }
    }

    void whatIsNoNumber() {
        Random random(11);
        Source s(40, {{PanelKind::Table3, 140}}, random);
        s.addOutliers(30, random);
        const GpuMatrix m = s.build();
        for (const float wrong :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            std::vector<float> x = gpu::activations(s.cols, random), y(40);
            x[3] = wrong;
            GpuToken token;
            roundGpuInput(m, x, token);
            gpuProduct(m, token, x, y);
            for (const float value : y)
                QVERIFY(std::isnan(value));
        }
        for (const float tiny : {0.f, 1e-40f}) {
            std::vector<float> x(size_t(s.cols), tiny), y(40);
            GpuToken token;
            roundGpuInput(m, x, token);
            gpuProduct(m, token, x, y);
            for (const float value : y)
                QVERIFY(std::abs(value) <= 40 * tiny);
        }
    }

    /// Parts have equal bytes, but for one step, and no step is left out.
    void cuts() {
        const std::vector<PanelSegment> segments{
            {PanelKind::Plain8, 64}, {PanelKind::Table4, 640}, {PanelKind::Table2, 1984}};
        const GpuLayout layout(segments);
        for (const int64_t tiles : {1, 3, 16})
            for (const int64_t parts : {1, 2, 7, 132, 1056}) {
                const auto begin = cutByBytes(layout, tiles, parts);
                QCOMPARE(int64_t(begin.size()), parts + 1);
                QCOMPARE(begin.front(), 0u);
                QCOMPARE(int64_t(begin.back()), tiles * layout.steps);
                const double share = double(tiles * layout.tileBytes) / double(parts);
                for (size_t p = 0; p + 1 < begin.size(); ++p) {
                    QVERIFY(begin[p] <= begin[p + 1]);
                    int64_t bytes = 0;
                    for (Cursor at(layout, begin[p], begin[p + 1]); !at.done(); at.advance(layout))
                        bytes += gpuStepBytes(panelBits(layout.segment[size_t(at.segment)].kind));
                    QVERIFY(std::abs(double(bytes) - share) <= double(gpuStepBytes(8)));
                }
            }
    }
};

QTEST_APPLESS_MAIN(TestCudaDecode)
#include "tst_cuda_decode.moc"
