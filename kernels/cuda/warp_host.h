// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <array>
#include <cstdint>

/// A warp on the processor: every value is that of all 32 lanes, every instruction is carried out
/// for all of them at once, as PTX ISA 9.0 defines it. The decode bodies (decode.h) run on it
/// unchanged, which is how tests hold them to their definition without a GPU.
namespace bitloom::kernels {

/// A register of all lanes.
template<class T>
struct Lanes {
    std::array<T, 32> lane{};

    Lanes() = default;
    Lanes(T all) { lane.fill(all); } // NOLINT: constants stand for all lanes
    template<class F>
    static Lanes each(F&& of) {
        Lanes out;
        for (uint32_t i = 0; i < 32; ++i)
            out.lane[i] = T(of(i));
        return out;
    }
    friend Lanes operator&(const Lanes& a, const Lanes& b) {
        return each([&](uint32_t i) { return a.lane[i] & b.lane[i]; });
    }
    friend Lanes operator|(const Lanes& a, const Lanes& b) {
        return each([&](uint32_t i) { return a.lane[i] | b.lane[i]; });
    }
    friend Lanes operator^(const Lanes& a, const Lanes& b) {
        return each([&](uint32_t i) { return a.lane[i] ^ b.lane[i]; });
    }
    friend Lanes operator+(const Lanes& a, const Lanes& b) {
        return each([&](uint32_t i) { return a.lane[i] + b.lane[i]; });
    }
    friend Lanes operator*(const Lanes& a, const Lanes& b) {
        return each([&](uint32_t i) { return a.lane[i] * b.lane[i]; });
    }
    friend Lanes operator>>(const Lanes& a, int by) {
        return each([&](uint32_t i) { return a.lane[i] >> by; });
    }
    friend Lanes operator<<(const Lanes& a, int by) {
        return each([&](uint32_t i) { return a.lane[i] << by; });
    }
};

struct HostWarp {
    using U32 = Lanes<uint32_t>;
    using I32 = Lanes<int32_t>;
    using I64 = Lanes<int64_t>;
    struct Quad {
        U32 word[4];
    };

    template<class F>
    static U32 fromLane(F&& of) {
        return U32::each(of);
    }

    /// Byte permute, default mode: each nibble of `select` picks one of the eight bytes of {b, a};
    /// its highest bit asks for that byte's sign instead.
    static U32 prmt(const U32& a, const U32& b, const U32& select) {
        return U32::each([&](uint32_t i) {
            uint32_t out = 0;
            for (int n = 0; n < 4; ++n) {
                const uint32_t nibble = select.lane[i] >> (4 * n) & 15;
                const uint32_t from = nibble & 4 ? b.lane[i] : a.lane[i];
                uint32_t byte = from >> (8 * (nibble & 3)) & 255;
                if (nibble & 8) byte = byte & 128 ? 255 : 0;
                out |= byte << (8 * n);
            }
            return out;
        });
    }

    /// mma.sync.m16n8k32.row.col.s32.{s8,u8}.s8.s32: c += a·b.
    template<bool SignedA>
    static void mma(I32 (&c)[4], const U32 (&a)[4], const U32& b0, const U32& b1) {
        int32_t left[16][32], right[32][8];
        for (uint32_t lane = 0; lane < 32; ++lane) {
            const uint32_t group = lane / 4, thread = lane % 4;
            for (uint32_t byte = 0; byte < 4; ++byte) {
                for (uint32_t r = 0; r < 4; ++r) {
                    const uint32_t raw = a[r].lane[lane] >> (8 * byte) & 255;
                    left[group + 8 * (r % 2)][16 * (r / 2) + 4 * thread + byte] =
                        SignedA ? int32_t(int8_t(raw)) : int32_t(raw);
                }
                right[4 * thread + byte][group] = int8_t(b0.lane[lane] >> (8 * byte) & 255);
                right[16 + 4 * thread + byte][group] = int8_t(b1.lane[lane] >> (8 * byte) & 255);
            }
        }
        for (uint32_t lane = 0; lane < 32; ++lane)
            for (uint32_t r = 0; r < 4; ++r) {
                const uint32_t row = lane / 4 + 8 * (r / 2), column = 2 * (lane % 4) + r % 2;
                int32_t sum = 0;
                for (uint32_t k = 0; k < 32; ++k)
                    sum += left[row][k] * right[k][column];
                c[r].lane[lane] += sum;
            }
    }

    /// c = a·b.
    template<bool SignedA>
    static void mmaFresh(I32 (&c)[4], const U32 (&a)[4], const U32& b0, const U32& b1) {
        for (I32& value : c)
            value = 0;
        mma<SignedA>(c, a, b0, b1);
    }

    /// sum += a·b in 64 bits.
    static void addProduct(I64& sum, const I32& a, const I32& b) {
        for (uint32_t i = 0; i < 32; ++i)
            sum.lane[i] += int64_t(a.lane[i]) * b.lane[i];
    }

    /// Where each lane reads: words from `base`.
    struct Address {
        const uint32_t* base;
        U32 at;
    };
    /// 16 bytes, `words` (a multiple of 4) further on.
    static Quad load(const Address& from, int words) {
        Quad out;
        for (uint32_t i = 0; i < 32; ++i)
            for (uint32_t w = 0; w < 4; ++w)
                out.word[w].lane[i] = from.base[from.at.lane[i] + uint32_t(words) + w];
        return out;
    }
    static I32 loadOne(const Address& from, int words) {
        return I32::each(
            [&](uint32_t i) { return int32_t(from.base[from.at.lane[i] + uint32_t(words)]); });
    }
    static I32 timesWorth(const I32& a, const U32& b) {
        return I32::each([&](uint32_t i) { return a.lane[i] * int32_t(b.lane[i]); });
    }
    /// What the two bytes of activations give together.
    static I32 twoBytes(const I32& high, const I32& low) {
        return I32::each([&](uint32_t i) { return 256 * high.lane[i] + low.lane[i]; });
    }
};

} // namespace bitloom::kernels
