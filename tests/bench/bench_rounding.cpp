// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What rounding activations to 15 bits costs: the loss of a quantized model on a text, token by
// token, with Arithmetic::Fast against Arithmetic::Exact.
//
//     bench_rounding OUT TEXT [WINDOWS [LENGTH]]

#include "core/engine/generate.h"
#include "core/text/dataset.h"
#include "core/text/tokenizer.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

using namespace bitloom;

namespace {

double logProbability(const std::vector<float>& logits, int32_t id) {
    double largest = logits[0], sum = 0;
    for (const float l : logits)
        largest = std::max(largest, double(l));
    for (const float l : logits)
        sum += std::exp(double(l) - largest);
    return double(logits[size_t(id)]) - largest - std::log(sum);
}

/// Mean NLL of the window's tokens but the first, nats.
double windowNll(TextModel& model, std::span<const int32_t> ids) {
    model.reset();
    double sum = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i)
        sum -= logProbability(model.advance(ids.subspan(i, 1)), ids[i + 1]);
    return sum / double(ids.size() - 1);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "bench_rounding OUT TEXT [WINDOWS [LENGTH]]\n");
        return 2;
    }
    const int64_t count = argc > 3 ? std::atoll(argv[3]) : 40;
    const int64_t length = argc > 4 ? std::atoll(argv[4]) : 256;
    ComputeOptions compute;
    initEngine(compute);
    const auto weights = openWeights(argv[1]);
    const auto tokenizer = loadTokenizer(weights->folder());
    const TokenWindows windows =
        windowsFromText(*tokenizer, readTexts({argv[2]}), argv[2], length, count);
    TextModel exact(weights, compute);
    std::vector<double> reference;
    for (int64_t w = 0; w < windows.count; ++w)
        reference.push_back(windowNll(exact, {windows.ids.data() + w * length, size_t(length)}));
    const double n = double(windows.count);
    std::printf("%lld windows of %lld tokens: NLL %.4f in float32\n", (long long)windows.count,
                (long long)length, std::accumulate(reference.begin(), reference.end(), 0.0) / n);
    for (const auto kv : {runtime::KvType::F32, runtime::KvType::F16, runtime::KvType::Int8}) {
        TextModel fast(weights, compute, Arithmetic::Fast, kv);
        double sum = 0, squares = 0;
        for (int64_t w = 0; w < windows.count; ++w) {
            const double difference =
                windowNll(fast, {windows.ids.data() + w * length, size_t(length)}) -
                reference[size_t(w)];
            sum += difference;
            squares += difference * difference;
        }
        const double mean = sum / n;
        std::printf("fast, KV cache %-5s %+.5f ± %.5f\n", runtime::kvTypeName(kv), mean,
                    std::sqrt(std::max(0.0, squares / n - mean * mean) / n));
    }
    return 0;
}
