// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/pack.h"

#include <cassert>
#include <cstddef>

namespace bitloom::kernels {
namespace {

/// `count` codes, at most 32: with 32 the loop unrolls into constant shifts and fills `Bits` words.
template<int Bits>
inline void packRun(const uint8_t* codes, int count, uint32_t* words) {
    uint64_t window = 0;
    int filled = 0;
    for (int i = 0; i < count; ++i) {
        assert(codes[i] < (1u << Bits));
        window |= uint64_t(codes[i]) << filled;
        filled += Bits;
        if (filled >= 32) {
            *words++ = uint32_t(window);
            window >>= 32;
            filled -= 32;
        }
    }
    if (filled) *words = uint32_t(window);
}

template<int Bits>
inline void unpackRun(const uint32_t* words, int count, uint8_t* codes) {
    uint64_t window = 0;
    int held = 0;
    for (int i = 0; i < count; ++i) {
        if (held < Bits) {
            window |= uint64_t(*words++) << held;
            held += 32;
        }
        codes[i] = uint8_t(window & ((1u << Bits) - 1));
        window >>= Bits;
        held -= Bits;
    }
}

template<int Bits>
void packAll(std::span<const uint8_t> codes, uint32_t* words) {
    const size_t n = codes.size();
    size_t i = 0;
    for (; i + 32 <= n; i += 32, words += Bits)
        packRun<Bits>(codes.data() + i, 32, words);
    packRun<Bits>(codes.data() + i, int(n - i), words);
}

template<int Bits>
void unpackAll(const uint32_t* words, std::span<uint8_t> codes) {
    const size_t n = codes.size();
    size_t i = 0;
    for (; i + 32 <= n; i += 32, words += Bits)
        unpackRun<Bits>(words, 32, codes.data() + i);
    unpackRun<Bits>(words, int(n - i), codes.data() + i);
}

} // namespace

void packCodes(std::span<const uint8_t> codes, int bits, std::span<uint32_t> words) {
    assert(int64_t(words.size()) == packedWords(int64_t(codes.size()), bits));
    switch (bits) {
    case 1:
        return packAll<1>(codes, words.data());
    case 2:
        return packAll<2>(codes, words.data());
    case 3:
        return packAll<3>(codes, words.data());
    case 4:
        return packAll<4>(codes, words.data());
    case 5:
        return packAll<5>(codes, words.data());
    case 6:
        return packAll<6>(codes, words.data());
    case 7:
        return packAll<7>(codes, words.data());
    case 8:
        return packAll<8>(codes, words.data());
    default:
        assert(!"code width out of range");
    }
}

void unpackCodes(std::span<const uint32_t> words, int bits, std::span<uint8_t> codes) {
    assert(int64_t(words.size()) == packedWords(int64_t(codes.size()), bits));
    switch (bits) {
    case 1:
        return unpackAll<1>(words.data(), codes);
    case 2:
        return unpackAll<2>(words.data(), codes);
    case 3:
        return unpackAll<3>(words.data(), codes);
    case 4:
        return unpackAll<4>(words.data(), codes);
    case 5:
        return unpackAll<5>(words.data(), codes);
    case 6:
        return unpackAll<6>(words.data(), codes);
    case 7:
        return unpackAll<7>(words.data(), codes);
    case 8:
        return unpackAll<8>(words.data(), codes);
    default:
        assert(!"code width out of range");
    }
}

} // namespace bitloom::kernels
