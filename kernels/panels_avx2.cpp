// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Layout Rows. A table register of `vpshufb` has 16 entries, so a line of 32 bytes is 32 rows of
// one column: one look-up of a nibble gives 32 values of a 4-bit column, or of a 3-bit one (the
// table twice, the bit above ignored), or of one of the two 2-bit columns whose codes a nibble is
// (the table repeats over the other's bits). Nothing has to be masked beyond the nibble, nothing
// blended.
//
// Two columns are then unpacked to words, a pair for each row, and multiplied with `vpmaddwd`,
// which takes both bytes of an activation at once: half the multiplications of byte products, no
// saturation to avoid. The VNNI form of the same file fuses the addition.
//
// Without VNNI, multiplying is what 2-bit columns wait for; panels_products.inl looks up products.

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

const PanelProduct panelProductAvx2 = avx2::product;
const PanelExpand panelExpandAvx2 = avx2::expand;
const PanelProduct panelProductAvxVnni = avxvnni::product;

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

const PanelProduct panelProductAvx2 = nullptr;
const PanelExpand panelExpandAvx2 = nullptr;
const PanelProduct panelProductAvxVnni = nullptr;

bool runsAvx2() {
    return false;
}
bool runsAvxVnni() {
    return false;
}

} // namespace bitloom::kernels

#endif
