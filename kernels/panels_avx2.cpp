// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The same stream as for AVX-512, half a line at a time: 32 lanes are 8 rows of four columns. The
// 16 registers hold the sums of 64 rows, so a block of columns is walked once for every 64 rows of
// the panel; what the walks leave out lies in the first-level cache then.
//
// A table register of `vpshufb` has 16 entries: four columns of 2 bits fit into one, two of 3 bits,
// one of 4. An index with its top bit set gives 0, so that where several registers are asked, each
// answers for its own columns and the answers are put together with `or`.
//
// `vpmaddubsw` adds two products in 16 bits. Entries of 2 and 3 bits are at most 127, so it cannot
// saturate. Entries of 4 bits are taken from −127 to 127 (127 less than stored: Σq of the block
// makes up for it), and the activation's sign moves to the entry: 2·127·127 < 2^15. Codes of 8 bits
// are split into their upper seven bits and the last. The VNNI form of the same file has none of
// these limits.

#include "kernels/panel_kernels.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

namespace bitloom::kernels {

namespace avx2 {
#define BITLOOM_TARGET __attribute__((target("avx2,fma")))
#define BITLOOM_VNNI 0
#include "kernels/panels_avx2.inl"
#undef BITLOOM_TARGET
#undef BITLOOM_VNNI
} // namespace avx2

namespace avxvnni {
#define BITLOOM_TARGET __attribute__((target("avx2,fma,avxvnni")))
#define BITLOOM_VNNI 1
#include "kernels/panels_avx2.inl"
#undef BITLOOM_TARGET
#undef BITLOOM_VNNI
} // namespace avxvnni

const PanelMatvec panelMatvecAvx2 = avx2::matvec;
const PanelMatvec panelMatvecAvxVnni = avxvnni::matvec;

bool runsAvx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool runsAvxVnni() {
    if (!runsAvx2()) return false; // also says that the system keeps the registers
    unsigned a = 7, b = 0, c = 1, d = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (a >> 4) & 1; // leaf 7, subleaf 1: AVX-VNNI
}

} // namespace bitloom::kernels

#else

namespace bitloom::kernels {

const PanelMatvec panelMatvecAvx2 = nullptr;
const PanelMatvec panelMatvecAvxVnni = nullptr;

bool runsAvx2() {
    return false;
}
bool runsAvxVnni() {
    return false;
}

} // namespace bitloom::kernels

#endif
