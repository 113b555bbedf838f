// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/decode.h"
#include "kernels/host_device.h"

#include <cstdint>

/// A crew's way through its range of steps: what is copied ahead, into which slot, and what is
/// decoded from which. Written once over `Ops`, which copies and decodes: on the GPU a thread's
/// part of it (product_kernel.cuh), in tests a whole warp whose copies arrive as late as they may.
namespace bitloom::kernels::crew {

inline constexpr int stages = 3; ///< slots; all but one are filled ahead
inline constexpr int blocksOfTile = gpuTileRows / gpuBlockRows;
inline constexpr int tableWords = gpuStep * 4; ///< of a slot: the widest

// A slot: activations, tables, codes, each at the same place for every kind. In words.
BITLOOM_HD constexpr int tablesAt(int padded) {
    return decode::chunkWords(padded);
}
BITLOOM_HD constexpr int codesAt(int padded) {
    return tablesAt(padded) + tableWords;
}

/// Where everything is.
struct Place {
    const GpuLayout& layout;
    const uint32_t *codes, *tables, *chunks;
};

template<class Ops>
struct Crew {
    static constexpr int chunkVectors = decode::chunkWords(Ops::padded) / 4;

    Ops& ops;
    const Place place;
    decode::Cursor ahead, at;
    uint32_t begin, end; ///< of the slots
    uint32_t free, use;  ///< slots: the one read before, the one to read next
    uint32_t slotBytes;
    int aheadPiece = 0;

    BITLOOM_HD Crew(Ops& o, const Place& p, uint32_t from, uint32_t to, uint32_t slots,
                    uint32_t bytes)
        : ops(o), place(p), ahead(p.layout, from, to), at(p.layout, from, to), begin(slots),
          end(slots + uint32_t(stages) * bytes), free(slots), use(slots), slotBytes(bytes) {}

    /// Sources of one step's copies, for this thread.
    struct Sources {
        const uint32_t *codes, *tables, *chunk;
    };
    BITLOOM_HD Sources sourcesAhead() const {
        const GpuSegment& segment = place.layout.segment[ahead.segment];
        const int64_t in = ahead.step - uint32_t(segment.firstStep);
        const int words = blocksOfTile * decode::blockWordsOf(segment.kind);
        return {place.codes + (int64_t(ahead.tile) * place.layout.tileBytes + segment.codes) / 4 +
                    in * words + aheadPiece * (words / 2) + ops.laneWords(),
                place.tables + segment.tables / 4 +
                    in * (gpuStep * decode::tableWordsOf(segment.kind)) + ops.laneWords(),
                place.chunks + int64_t(ahead.step) * (4 * chunkVectors) + ops.laneWords()};
    }

    /// One piece of a step of this kind.
    template<PanelKind kind>
    BITLOOM_HD void copyPiece(const Sources& from, int piece) {
        constexpr int vectors = decode::blockWordsOf(kind) * blocksOfTile / (4 * Ops::pieces(kind));
        ops.template copyCodes<vectors>(free + 4u * codesAt(Ops::padded),
                                        from.codes + piece * (4 * vectors));
        constexpr int tableVectors = gpuStep / 4 * decode::tableWordsOf(kind);
        if constexpr (tableVectors > 0)
            ops.template copyVectors<tableVectors>(free + 4u * tablesAt(Ops::padded), from.tables);
        ops.template copyVectors<chunkVectors>(free, from.chunk);
        ops.commit();
    }
    /// Whatever comes next, of any kind.
    BITLOOM_HD void copyNext() {
        if (!ahead.done()) {
            const PanelKind kind = place.layout.segment[ahead.segment].kind;
            const Sources from = sourcesAhead();
            const int pieces = Ops::pieces(kind);
            ops.copyAny(free + 4u * codesAt(Ops::padded), from.codes,
                        decode::blockWordsOf(kind) * blocksOfTile / (4 * pieces));
            ops.copyAny(free + 4u * tablesAt(Ops::padded), from.tables,
                        gpuStep / 4 * decode::tableWordsOf(kind));
            ops.template copyVectors<chunkVectors>(free, from.chunk);
            if (++aheadPiece == pieces) {
                aheadPiece = 0;
                ahead.advance(place.layout);
            }
        }
        ops.commit();
    }
    BITLOOM_HD void rotate() {
        free = use;
        use += slotBytes;
        if (use == end) use = begin;
    }
    BITLOOM_HD void fillSlots() {
        for (int i = 0; i < stages - 1; ++i) {
            copyNext();
            free += slotBytes;
        }
    }

    /// A step whose copies ahead are of the same kind.
    template<PanelKind kind, bool fresh>
    BITLOOM_HD void runPlainly(const Sources& from, int step) {
        const Sources source{from.codes + step * blocksOfTile * decode::blockWordsOf(kind),
                             from.tables + step * gpuStep * decode::tableWordsOf(kind),
                             from.chunk + step * 4 * chunkVectors};
        ops.await();
        copyPiece<kind>(source, 0);
        ops.template consume<kind, 0, fresh>(use);
        if constexpr (Ops::pieces(kind) == 2) {
            rotate();
            ops.await();
            copyPiece<kind>(source, 1);
            ops.template consume<kind, 1, fresh>(use);
        }
    }
    /// A step of which nothing is known.
    template<PanelKind kind>
    BITLOOM_HD void runAny() {
        ops.await();
        copyNext();
        ops.template consume<kind, 0, true>(use);
        if constexpr (Ops::pieces(kind) == 2) {
            rotate();
            ops.await();
            copyNext();
            ops.template consume<kind, 1, true>(use);
        }
        ops.flush(use);
        rotate();
        at.advance(place.layout);
    }

    BITLOOM_HD bool in(const decode::Cursor& c, uint32_t tile, int32_t segment) const {
        return !c.done() && c.segment == segment && c.tile == tile;
    }
    /// Steps of one segment of one tile.
    template<PanelKind kind>
    BITLOOM_HD void runSegment() {
        const GpuLayout& layout = place.layout;
        const uint32_t tile = at.tile;
        const int32_t segment = at.segment;
        do {
            const uint32_t first = at.step - uint32_t(layout.segment[segment].firstStep);
            if (first % 2 == 0 && in(ahead, tile, segment)) {
                // Whole blocks of activations, two steps each, while what is copied ahead is of
                // this segment too: only addresses count up.
                const uint32_t segmentEnd =
                    uint32_t(layout.segment[segment].firstStep + layout.segment[segment].steps);
                const uint32_t left = segmentEnd - ahead.step, own = ahead.end - ahead.at;
                const uint32_t pairs = (left < own ? left : own) / 2;
                if (pairs > 0) {
                    Sources from = sourcesAhead();
                    BITLOOM_ROLLED
                    for (uint32_t i = 0; i < pairs; ++i) {
                        runPlainly<kind, true>(from, 0);
                        rotate();
                        runPlainly<kind, false>(from, 1);
                        ops.flush(use);
                        rotate();
                        from.codes += 2 * blocksOfTile * decode::blockWordsOf(kind);
                        from.tables += 2 * gpuStep * decode::tableWordsOf(kind);
                        from.chunk += 8 * chunkVectors;
                    }
                    at.skip(layout, 2 * pairs);
                    ahead.skip(layout, 2 * pairs);
                    continue;
                }
            }
            runAny<kind>();
        } while (in(at, tile, segment));
    }
    /// To the end of the segment, the tile or the range.
    BITLOOM_HD void run() {
        switch (place.layout.segment[at.segment].kind) {
        case PanelKind::Table2:
            return runSegment<PanelKind::Table2>();
        case PanelKind::Table3:
            return runSegment<PanelKind::Table3>();
        case PanelKind::Table4:
            return runSegment<PanelKind::Table4>();
        case PanelKind::Plain5:
            return runSegment<PanelKind::Plain5>();
        case PanelKind::Plain6:
            return runSegment<PanelKind::Plain6>();
        case PanelKind::Plain8:
            return runSegment<PanelKind::Plain8>();
        }
    }
};

} // namespace bitloom::kernels::crew
