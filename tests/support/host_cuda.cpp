// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/host_cuda.h"

#include "tests/support/host_cuda_parts.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

using bitloom::hostCuda::counted;

namespace {

[[noreturn]] void misuse(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

} // namespace

BitloomCudaContext::~BitloomCudaContext() {
    for (const auto& [address, range] : ranges)
        if (range.own) ::operator delete(reinterpret_cast<void*>(address), std::align_val_t(256));
}

int BitloomCudaContext::add(std::vector<const void*> names, std::function<void()> run) {
    std::erase(names, nullptr);
    if (recording) {
        recording->tasks.push_back({std::move(run), std::move(names)});
    } else {
        ++counted().direct;
        ++issued;
        queue.push_back({std::move(run), std::move(names)});
    }
    return BITLOOM_CUDA_OK;
}

void BitloomCudaContext::drain(uint64_t until) {
    if (recording) misuse("a graph is being recorded: nothing may wait");
    while (!queue.empty() && issued - queue.size() < until) {
        const bitloom::hostCuda::Task task = std::move(queue.front());
        queue.pop_front();
        for (const void* name : task.names) {
            const auto address = reinterpret_cast<uintptr_t>(name);
            auto range = ranges.upper_bound(address);
            if (range == ranges.begin() ||
                address - (--range)->first >= std::max<uint64_t>(range->second.bytes, 1))
                misuse("a call names memory that was never allocated");
            if (!range->second.exists) misuse("a call names memory that has been freed");
        }
        task.run();
    }
}

void BitloomCudaContext::give(const void* memory, uint64_t bytes, bool own) {
    ranges[reinterpret_cast<uintptr_t>(memory)] = {bytes, true, own};
}

void BitloomCudaContext::take(const void* memory) {
    ranges.at(reinterpret_cast<uintptr_t>(memory)).exists = false;
}

namespace bitloom::hostCuda {

namespace {

Behaviour present;
Counts made;
std::string lastMessage;
int64_t others = 0; ///< bytes that other programs have

} // namespace

const Behaviour& behaviour() {
    return present;
}
Counts& counted() {
    return made;
}
void takeMemory(int64_t bytes) {
    others += bytes;
}
bool take(uint64_t bytes) {
    if (made.allocated + others + int64_t(bytes) > int64_t(present.memoryBytes)) return false;
    made.allocated += int64_t(bytes);
    made.most = std::max(made.most, made.allocated);
    return true;
}
void giveBack(uint64_t bytes) {
    made.allocated -= int64_t(bytes);
}
int fail(int code, const char* message) {
    lastMessage = message;
    return code;
}

namespace {

const char* build() {
    return "the processor";
}
const char* message() {
    return lastMessage.c_str();
}
int deviceCount(int32_t* count) {
    *count = 1;
    return BITLOOM_CUDA_OK;
}
int open(int32_t, Context** context) {
    counted() = {};
    others = 0;
    ++counted().contexts;
    *context = new Context;
    return BITLOOM_CUDA_OK;
}
void close(Context* context) {
    --counted().contexts;
    delete context;
}
int describe(Context*, BitloomCudaDevice* device) {
    *device = {};
    std::snprintf(device->name, sizeof device->name, "Emulated");
    device->major = 9;
    device->multiprocessors = behaviour().multiprocessors;
    device->memoryBytes = behaviour().memoryBytes;
    device->freeBytes = uint64_t(
        std::max<int64_t>(int64_t(behaviour().memoryBytes) - counted().allocated - others, 0));
    return BITLOOM_CUDA_OK;
}
uint64_t contextMemory(const Context*) {
    return 0;
}
int synchronize(Context* context) {
    context->drain();
    return BITLOOM_CUDA_OK;
}
int allocate(Context* context, uint64_t bytes, void** memory) {
    if (!take(bytes))
        return fail(BITLOOM_CUDA_OUT_OF_MEMORY, "allocating device memory: out of memory");
    *memory = ::operator new(bytes, std::align_val_t(256));
    std::memset(*memory, 0xFF, bytes);
    context->give(*memory, bytes, true);
    return BITLOOM_CUDA_OK;
}
void release(Context* context, void* memory) {
    context->drain();
    const uint64_t bytes = context->ranges.at(reinterpret_cast<uintptr_t>(memory)).bytes;
    giveBack(bytes);
    context->take(memory);
    std::memset(memory, 0xFF, bytes);
}
int upload(Context* context, void* to, const void* from, uint64_t bytes) {
    context->drain();
    std::memcpy(to, from, bytes);
    return BITLOOM_CUDA_OK;
}
int download(Context* context, void* to, const void* from, uint64_t bytes) {
    return upload(context, to, from, bytes);
}
int copy(Context* context, void* to, const void* from, uint64_t bytes) {
    return context->add({to, from}, [=] { std::memmove(to, from, bytes); });
}

int readLater(Context* context, int32_t slot, const void* from, int32_t bytes) {
    context->add({from},
                 [=] { std::memcpy(context->slots[size_t(slot)].data(), from, size_t(bytes)); });
    context->arrived[size_t(slot)] = context->issued;
    return BITLOOM_CUDA_OK;
}
int readNow(Context* context, int32_t slot, void* to, int32_t bytes) {
    context->drain(context->arrived[size_t(slot)]); // what comes behind still waits
    std::memcpy(to, context->slots[size_t(slot)].data(), size_t(bytes));
    return BITLOOM_CUDA_OK;
}
int beginGraph(Context* context) {
    context->recording = new Graph;
    return BITLOOM_CUDA_OK;
}
int endGraph(Context* context, Graph** graph) {
    *graph = std::exchange(context->recording, nullptr);
    ++counted().graphs;
    return BITLOOM_CUDA_OK;
}
int launchGraph(Context* context, Graph* graph) {
    ++counted().launches;
    context->issued += graph->tasks.size();
    context->queue.insert(context->queue.end(), graph->tasks.begin(), graph->tasks.end());
    return BITLOOM_CUDA_OK;
}
void destroyGraph(Graph* graph) {
    --counted().graphs;
    delete graph;
}
int timeGraph(Context* context, Graph* graph, int32_t repeats, double* seconds) {
    for (int32_t i = 0; i <= repeats; ++i)
        launchGraph(context, graph);
    context->drain();
    *seconds = 0;
    return BITLOOM_CUDA_OK;
}

} // namespace

const BitloomCudaApi& api(const Behaviour& wanted) {
    present = wanted;
    static const BitloomCudaApi table = {BITLOOM_CUDA_VERSION,
                                         sizeof(BitloomCudaApi),
                                         build,
                                         message,
                                         deviceCount,
                                         open,
                                         close,
                                         describe,
                                         synchronize,
                                         allocate,
                                         release,
                                         upload,
                                         download,
                                         copy,
                                         createMatrix,
                                         createRows,
                                         destroyMatrix,
                                         matrixBytes,
                                         matrixMemory,
                                         contextMemory,
                                         matrixRows,
                                         downloadCodes,
                                         multiply,
                                         prepare,
                                         product,
                                         stage,
                                         multiplyMany,
                                         multiplyHalf,
                                         begin,
                                         attentionScratch,
                                         attention,
                                         choiceScratch,
                                         choose,
                                         readLater,
                                         readNow,
                                         beginGraph,
                                         endGraph,
                                         launchGraph,
                                         destroyGraph,
                                         timeGraph};
    return table;
}

const Counts& counts() {
    return made;
}

} // namespace bitloom::hostCuda
