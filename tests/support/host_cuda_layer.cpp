// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/attend_body.h"
#include "kernels/cuda/block_host.h"
#include "kernels/cuda/token_body.h"
#include "tests/support/host_cuda_parts.h"

namespace bitloom::hostCuda {

using namespace bitloom::cuda;

int begin(Context* context, const BitloomCudaBegin* args) {
    return context->add({args->ids, args->position, args->embedding, args->rowScale, args->out,
                         args->frequency, args->cosine, args->sine},
                        [args = *args] {
                            inAnyOrder(uint32_t(args.tokens), [&](uint32_t token) {
                                HostBlock<tokenThreads> block;
                                beginBody(block, args, token);
                            });
                        });
}

template<int rows>
void runAttend(const Attention& a, const AttendGrid& grid) {
    const auto count = uint32_t(grid.splits * grid.tiles * a.kvHeads);
    inAnyOrder(count, [&](uint32_t i) {
        HostBlock<attendThreads> block;
        auto shared = poisoned<FourWords>(size_t(AttendShared::bytes(rows, a.headDim) + 15) / 16);
        const AttendPlace place{int(i) / (grid.splits * grid.tiles),
                                int(i) / grid.splits % grid.tiles, int(i) % grid.splits};
        Attend<HostBlock<attendThreads>, rows> attend(block, a, grid, place, shared.data());
        attend.run();
    });
}
void runAttention(const Attention& a, int wanted) {
    const AttendGrid grid = attendGrid(a, wanted);
    if (grid.appends) {
        const int parts = (a.tokens + attendWarps - 1) / attendWarps;
        inAnyOrder(uint32_t(parts * a.kvHeads), [&](uint32_t i) {
            HostBlock<attendThreads> block;
            const int first = int(i) % parts * attendWarps;
            appendTokens(block, a, int(i) / parts, first, std::min(first + attendWarps, a.tokens),
                         *a.position);
        });
    }
    switch (grid.rows) {
    case 1:
        return runAttend<1>(a, grid);
    case 2:
        return runAttend<2>(a, grid);
    case 4:
        return runAttend<4>(a, grid);
    case 8:
        return runAttend<8>(a, grid);
    default:
        return runAttend<16>(a, grid);
    }
}
uint64_t attentionScratch(Context*, const BitloomCudaAttention* a) {
    return uint64_t(attendScratchBytes(attendGrid(*a, 2 * behaviour().multiprocessors), *a));
}
int attention(Context* context, const BitloomCudaAttention* a) {
    return context->add(
        {a->position, a->qkv, a->cosine, a->sine, a->queryNorm, a->keyNorm, a->keys, a->values,
         a->keyScale, a->valueScale, a->out, a->scratch},
        [a = *a, wanted = 2 * behaviour().multiprocessors] { runAttention(a, wanted); });
}
uint64_t choiceScratch(int64_t vocab) {
    return uint64_t(ChoiceScratch::bytes(vocab));
}
int choose(Context* context, const BitloomCudaChoice* args) {
    return context->add({args->logits, args->sampling, args->draws, args->id, args->position,
                         args->chosen, args->scratch},
                        [c = *args] {
                            const auto slices = uint32_t(ChoiceScratch::slices(c.vocab));
                            for (const bool second : {false, true})
                                inAnyOrder(slices, [&](uint32_t slice) {
                                    HostBlock<tokenThreads> block;
                                    auto shared = poisoned<ChoiceShared>(1);
                                    second ? chooseBody(block, c, slice, shared[0])
                                           : compareBody(block, c, slice, shared[0]);
                                });
                        });
}

} // namespace bitloom::hostCuda
