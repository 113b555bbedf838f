// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/numbers.h"
#include "kernels/portable_exp.h"

#include <cstdint>

/// The first and the last of a token: from ids to hidden states, and from logits to the next id.
/// Written once over a thread block (block_host.h, block_device.cuh).
namespace bitloom::cuda {

using Begin = BitloomCudaBegin;
using Choice = BitloomCudaChoice;

constexpr int tokenThreads = 256;
constexpr int choiceSlice = 1024; ///< tokens of the vocabulary that a thread block looks at
constexpr int choicePart = choiceSlice / tokenThreads; ///< and each of its threads

/// One token's thread block.
template<class Block>
BITLOOM_HD void beginBody(Block& block, const Begin& b, int64_t token) {
    const int64_t id = b.ids[token];
    const bool known = id >= 0 && id < b.vocab;
    block.own([&](int thread) {
        for (int64_t c = thread; c < b.hidden; c += Block::threads) {
            float value = kernels::fixed::notANumber(); // is found in the logits
            const int64_t at = id * b.embeddingStride + c;
            if (known) switch (b.type) {
                case BITLOOM_CUDA_F32:
                    value = static_cast<const float*>(b.embedding)[at];
                    break;
                case BITLOOM_CUDA_F16:
                    value = halfValue(static_cast<const uint16_t*>(b.embedding)[at]);
                    break;
                case BITLOOM_CUDA_BF16:
                    value = fromBfloat16(static_cast<const uint16_t*>(b.embedding)[at]);
                    break;
                default:
                    value = float(static_cast<const int8_t*>(b.embedding)[at]) * b.rowScale[id];
                }
            b.out[token * b.stride + c] = value;
        }
        const float position = float(*b.position + int32_t(token));
        for (int64_t i = thread; i < b.half; i += Block::threads)
            sineCosine(kernels::fixed::multiply(position, b.frequency[i]),
                       b.sine[token * b.half + i], b.cosine[token * b.half + i]);
    });
}

/// What slices of the vocabulary come to. Likelier tokens first, ties to the lower id; a wrong one
/// before all.
struct Candidate {
    float logit;
    int32_t id; ///< -1: none
    int32_t wrong;
};
BITLOOM_HD Candidate likelier(const Candidate& a, const Candidate& b) {
    if (a.wrong != b.wrong) return a.wrong ? a : b;
    if (a.id < 0 || b.id < 0) return a.id < 0 ? b : a;
    if (a.wrong) return a.id < b.id ? a : b;
    if (a.logit != b.logit) return a.logit > b.logit ? a : b;
    return a.id < b.id ? a : b;
}
struct SliceSums {
    double all;    ///< Σ exp(logit - top)
    double weight; ///< Σ of what a draw chooses among
};
/// Scratch of a choice: [2 counters, the best], then sums and best of every slice.
struct ChoiceScratch {
    uint32_t *compared, *summed;
    Candidate *top, *best; ///< of all; [slices]
    SliceSums* sums;       ///< [slices]

    static BITLOOM_HD constexpr int64_t slices(int64_t vocab) {
        return (vocab + choiceSlice - 1) / choiceSlice;
    }
    static BITLOOM_HD constexpr int64_t bytes(int64_t vocab) {
        return 32 + slices(vocab) * int64_t(sizeof(SliceSums) + sizeof(Candidate));
    }
    BITLOOM_HD ChoiceScratch(void* memory, int64_t vocab) {
        compared = static_cast<uint32_t*>(memory);
        summed = compared + 1;
        top = reinterpret_cast<Candidate*>(compared + 2);
        sums = reinterpret_cast<SliceSums*>(static_cast<char*>(memory) + 32);
        best = reinterpret_cast<Candidate*>(sums + slices(vocab));
    }
};
struct ChoiceShared {
    Candidate best[tokenThreads / 32];
    SliceSums sums[tokenThreads / 32];
    double part[tokenThreads];
    int64_t slice;
    double before; ///< weights of the slices in front of it
};

template<class Block>
BITLOOM_HD Candidate bestOfBlock(Block& block, ChoiceShared& s,
                                 typename Block::template Register<Candidate>& best) {
    block.combine32(best, [](const Candidate& a, const Candidate& b) { return likelier(a, b); });
    block.each([&](int thread) {
        if (thread % 32 == 0) s.best[thread / 32] = best[thread];
    });
    Candidate out = s.best[0];
    for (int warp = 1; warp < tokenThreads / 32; ++warp)
        out = likelier(out, s.best[warp]);
    return out;
}

/// The likeliest token: of slice `slice`, and, in the last thread block, of all.
template<class Block>
BITLOOM_HD void compareBody(Block& block, const Choice& c, int64_t slice, ChoiceShared& s) {
    const ChoiceScratch scratch(c.scratch, c.vocab);
    const int64_t slices = ChoiceScratch::slices(c.vocab);
    typename Block::template Register<Candidate> best;
    block.own([&](int thread) {
        Candidate own{0, -1, 0};
        for (int i = 0; i < choicePart; ++i) {
            const int64_t id = slice * choiceSlice + i * Block::threads + thread;
            if (id >= c.vocab) break;
            const float logit = c.logits[id];
            const bool wrong = !(logit < kernels::fixed::bitsToFloat(0x7f800000u));
            own = likelier(own, {logit, int32_t(id), wrong});
        }
        best[thread] = own;
    });
    const Candidate ofSlice = bestOfBlock(block, s, best);
    block.own([&](int thread) {
        if (thread == 0) scratch.best[slice] = ofSlice;
    });
    if (!block.last(scratch.compared, uint32_t(slices))) return;
    block.own([&](int thread) {
        Candidate own{0, -1, 0};
        for (int64_t i = thread; i < slices; i += Block::threads) {
            const Candidate* from = scratch.best + i;
            own = likelier(own, {fresh(&from->logit), fresh(&from->id), fresh(&from->wrong)});
        }
        best[thread] = own;
    });
    const Candidate all = bestOfBlock(block, s, best);
    block.own([&](int thread) {
        if (thread == 0) *scratch.top = all;
    });
}

/// What a draw gives a token: exp((logit - top)/temperature), 0 where min-p leaves it out.
BITLOOM_HD double weightOf(float logit, float top, double inverse, double minP) {
    const double weight = kernels::portableExp((double(logit) - double(top)) * inverse);
    return weight < minP ? 0 : weight;
}

/// The token in whose share the draw falls; the last thread block's work. Weights are added slice
/// after slice, in a slice thread after thread, in a thread id after id.
template<class Block>
BITLOOM_HD int32_t draw(Block& block, const Choice& c, const ChoiceScratch& scratch, float top,
                        double inverse, double minP, double share, ChoiceShared& s) {
    const int64_t slices = ChoiceScratch::slices(c.vocab);
    block.each([&](int thread) {
        if (thread != 0) return;
        double total = 0;
        for (int64_t i = 0; i < slices; ++i)
            total += fresh(&scratch.sums[i].weight);
        const double wanted = share * total;
        double reached = 0;
        int64_t last = 0; // with any weight: what rounding of sums ends at
        s.slice = -1;
        for (int64_t i = 0; i < slices && s.slice < 0; ++i) {
            const double own = fresh(&scratch.sums[i].weight);
            if (own > 0) last = i, s.before = reached;
            if (wanted < reached + own) s.slice = i;
            reached += own;
        }
        if (s.slice < 0) s.slice = last;
        s.part[0] = wanted;
    });
    const double wanted = s.part[0];
    block.each([](int) {});
    const auto idOf = [&](int thread, int i) {
        return s.slice * choiceSlice + thread * choicePart + i;
    };
    const auto weight = [&](int64_t id) {
        return id < c.vocab ? weightOf(c.logits[id], top, inverse, minP) : 0.0;
    };
    block.each([&](int thread) {
        double sum = 0;
        for (int i = 0; i < choicePart; ++i)
            sum += weight(idOf(thread, i));
        s.part[thread] = sum;
    });
    // The part that the draw falls into; where rounding of sums leaves none, the last with weight.
    int found = 0;
    double reached = s.before, before = reached;
    for (int thread = 0; thread < tokenThreads; ++thread) {
        if (!(s.part[thread] > 0)) continue;
        found = thread, before = reached;
        reached += s.part[thread];
        if (wanted < reached) break;
    }
    int32_t chosen = 0;
    for (int i = 0; i < choicePart; ++i) {
        const double own = weight(idOf(found, i));
        if (!(own > 0)) continue;
        chosen = int32_t(idOf(found, i));
        before += own;
        if (wanted < before) break;
    }
    return chosen;
}

/// Sums over the vocabulary, and, in the last thread block, the choice.
template<class Block>
BITLOOM_HD void chooseBody(Block& block, const Choice& c, int64_t slice, ChoiceShared& s) {
    const ChoiceScratch scratch(c.scratch, c.vocab);
    const int64_t slices = ChoiceScratch::slices(c.vocab);
    const Candidate top = *scratch.top;
    const BitloomCudaSampling sampling = *c.sampling;
    const bool draws = sampling.temperature > 0;
    const double inverse = draws ? 1 / sampling.temperature : 0;
    typename Block::template Register<double> all, weight;
    block.own([&](int thread) {
        all[thread] = 0, weight[thread] = 0;
        for (int i = 0; i < choicePart; ++i) {
            const int64_t id = slice * choiceSlice + thread * choicePart + i;
            if (id >= c.vocab || top.wrong) break;
            all[thread] += kernels::portableExp(double(c.logits[id] - top.logit));
            if (draws) weight[thread] += weightOf(c.logits[id], top.logit, inverse, sampling.minP);
        }
    });
    block.sum(all);
    block.sum(weight);
    block.each([&](int thread) {
        if (thread % 32 == 0) s.sums[thread / 32] = {all[thread], weight[thread]};
    });
    SliceSums sums{0, 0};
    for (int warp = 0; warp < tokenThreads / 32; ++warp) {
        sums.all += s.sums[warp].all;
        sums.weight += s.sums[warp].weight;
    }
    block.own([&](int thread) {
        if (thread == 0) scratch.sums[slice] = sums;
    });
    if (!block.last(scratch.summed, uint32_t(slices))) return;
    const bool possible = !top.wrong && top.id >= 0 && top.logit > minusInfinity();
    int32_t id = top.id;
    if (possible && draws)
        id = draw(block, c, scratch, top.logit, inverse, sampling.minP, c.draws[sampling.drawn], s);
    block.own([&](int thread) {
        if (thread != 0) return;
        double total = 0;
        for (int64_t i = 0; i < slices; ++i)
            total += fresh(&scratch.sums[i].all);
        const int32_t state = top.wrong   ? BITLOOM_CUDA_NO_NUMBER
                              : !possible ? BITLOOM_CUDA_NO_TOKEN
                                          : BITLOOM_CUDA_CHOSEN;
        *c.chosen = {id, state, id >= 0 ? c.logits[id] : 0.f, top.logit, total};
        *c.id = id;
        *c.position += 1;
        c.sampling->drawn = sampling.drawn + (draws ? 1 : 0);
    });
}

} // namespace bitloom::cuda
