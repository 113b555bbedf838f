// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_loops.h"

namespace bitloom::kernels {

#define KIND_NAME "plain"
#define LANES 4
namespace plain {
#include "kernels/column_loops.inl"
}
#undef KIND_NAME
#undef LANES

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define KIND_NAME "avx2"
#define LANES 8
namespace avx2 {
#include "kernels/column_loops.inl"
}
#undef KIND_NAME
#undef LANES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))),        \
                             apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif
#define KIND_NAME "avx512"
#define LANES 16
namespace avx512 {
#include "kernels/column_loops.inl"
}
#undef KIND_NAME
#undef LANES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace {

constexpr ColumnLoops kAll[] = {plain::kLoops, avx2::kLoops, avx512::kLoops};

size_t runnable() {
    if (!__builtin_cpu_supports("avx2")) return 1;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? 3 : 2;
}

} // namespace

#else

namespace {

constexpr ColumnLoops kAll[] = {plain::kLoops};

size_t runnable() {
    return 1;
}

} // namespace

#endif

std::span<const ColumnLoops> allColumnLoops() {
    static const size_t count = runnable();
    return {kAll, count};
}

const ColumnLoops& columnLoops() {
    return allColumnLoops().back();
}

} // namespace bitloom::kernels
