// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "tests/support/host_cuda.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

/// Of host_cuda*.cpp: the emulated device's state, and the functions of its table that compute.
namespace bitloom::hostCuda {

/// A call, and the memory and matrices that it names.
struct Task {
    std::function<void()> run;
    std::vector<const void*> names;
};

/// Memory that was given out. It is never given out again: who names it later is found out.
struct Range {
    uint64_t bytes = 0;
    bool exists = true, own = true; ///< own: to be freed with the context
};

const Behaviour& behaviour();
Counts& counted();
int fail(int code, const char* message); ///< keeps the message; returns the code
/// Counts memory; false where there is not so much.
bool take(uint64_t bytes);
void giveBack(uint64_t bytes);

/// Numbers that are none in every type.
template<class T>
std::vector<T> poisoned(size_t count) {
    std::vector<T> out(count);
    if (count > 0) std::memset(static_cast<void*>(out.data()), 0xFF, count * sizeof(T));
    return out;
}

/// [0, count) in an order of its own.
template<class F>
void inAnyOrder(uint32_t count, F&& run) {
    static std::mt19937_64 random(7);
    std::vector<uint32_t> order(count);
    for (uint32_t i = 0; i < count; ++i)
        order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const uint32_t i : order)
        run(i);
}

} // namespace bitloom::hostCuda

struct BitloomCudaGraph {
    std::vector<bitloom::hostCuda::Task> tasks;
};

struct BitloomCudaContext {
    std::deque<bitloom::hostCuda::Task> queue;
    uint64_t issued = 0; ///< tasks that have come to the queue so far
    BitloomCudaGraph* recording = nullptr;
    std::array<std::array<char, 64>, 8> slots{};
    std::array<uint64_t, 8> arrived{}; ///< events: `issued` behind what fills a slot
    std::map<uintptr_t, bitloom::hostCuda::Range> ranges;
    std::vector<std::shared_ptr<void>> gone;     ///< matrices that were destroyed
    const BitloomCudaMatrix* prepared = nullptr; ///< whose activations the last rounding left

    ~BitloomCudaContext();
    /// To the queue, or to the graph that is recorded. Null names are none.
    int add(std::vector<const void*> names, std::function<void()> run);
    void drain(uint64_t until = UINT64_MAX); ///< does what waits, up to an event
    void give(const void* memory, uint64_t bytes, bool own);
    void take(const void* memory); ///< it must not be named any more
};

namespace bitloom::hostCuda {

using Context = BitloomCudaContext;
using Matrix = BitloomCudaMatrix;
using Graph = BitloomCudaGraph;

// Matrices and products.
int createMatrix(Context* context, const BitloomCudaMatrixSpec* specs, int32_t count,
                 Matrix** matrix);
int createRows(Context* context, const BitloomCudaRowsSpec* spec, Matrix** matrix);
void destroyMatrix(Matrix* matrix);
uint64_t matrixBytes(const Matrix* matrix);
uint64_t matrixMemory(const Matrix* matrix);
int matrixRows(const Matrix* matrix, const void** rows, int64_t* stride);
int downloadCodes(Matrix* matrix, uint32_t* codes);
int prepare(Matrix* m, const BitloomCudaInput* input, int32_t tokens);
int product(Matrix* m, float* y, int64_t yStride);
int multiply(Matrix* m, const float* x, int64_t xStride, int32_t tokens, float* y, int64_t yStride);
int stage(Context* context, const BitloomCudaInput* input, int32_t tokens, float* out,
          int64_t outStride);
int multiplyMany(Matrix* m, const float* x, int64_t xStride, int32_t tokens, float* y,
                 int64_t yStride);
int multiplyHalf(Context*, const uint16_t*, int64_t, int64_t, const uint16_t*, int32_t, float*);

// Between products.
int begin(Context* context, const BitloomCudaBegin* args);
uint64_t attentionScratch(Context*, const BitloomCudaAttention* a);
int attention(Context* context, const BitloomCudaAttention* a);
uint64_t choiceScratch(int64_t vocab);
int choose(Context* context, const BitloomCudaChoice* args);

} // namespace bitloom::hostCuda
