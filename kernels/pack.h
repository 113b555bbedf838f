// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

namespace bitloom::kernels {

/// Words that hold n codes of b bits, little-endian bit order, padded to 32 bits: ⌈n·b/32⌉.
constexpr int64_t packedWords(int64_t n, int bits) {
    return (n * bits + 31) / 32;
}

/// Code i occupies bits [i·b, (i+1)·b) of the little-endian bit stream; b in 1…8; padding bits are
/// 0. words.size() == packedWords(codes.size(), bits).
void packCodes(std::span<const uint8_t> codes, int bits, std::span<uint32_t> words);
void unpackCodes(std::span<const uint32_t> words, int bits, std::span<uint8_t> codes);

} // namespace bitloom::kernels
