// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The choice of a device against a plain walk through the vocabulary.

#include "core/base/cuda_check_parts.h"

#include <random>

namespace bitloom::cudaCheck {

namespace {

class ChoiceCheck {
public:
    ChoiceCheck(const Side& side, Worst& worst) : m_side(side), m_worst(worst) {}

    /// The token that a draw of `share` gives, by plain sums.
    static int32_t expected(const Floats& logits, double temperature, double minP, double share) {
        const auto best = std::max_element(logits.begin(), logits.end());
        if (temperature == 0) return int32_t(best - logits.begin());
        std::vector<double> weight;
        double total = 0;
        for (const float logit : logits) {
            const double own = std::exp((double(logit) - double(*best)) / temperature);
            weight.push_back(own < minP ? 0 : own);
            total += weight.back();
        }
        double reached = 0;
        int32_t last = 0;
        for (size_t i = 0; i < weight.size(); ++i) {
            if (weight[i] > 0) last = int32_t(i);
            reached += weight[i];
            if (share * total < reached) return last;
        }
        return last;
    }
    BitloomCudaChosen run(const Floats& logits, double temperature, double minP, double share) {
        const BitloomCudaApi& api = m_side.device.api();
        const CudaMemory deviceLogits = m_side.put(logits),
                         draws = m_side.put(std::vector<double>{0.5, 0.5, share}),
                         sampling =
                             m_side.put(std::vector<BitloomCudaSampling>{{temperature, minP, 2}}),
                         id = m_side.put(std::vector<int32_t>{-5}),
                         position = m_side.put(std::vector<int32_t>{41}),
                         chosen = m_side.put(std::vector<BitloomCudaChosen>(1)),
                         scratch = m_side.put(
                             std::vector<uint8_t>(api.choiceScratch(int64_t(logits.size())), 0));
        BitloomCudaChoice args{};
        args.vocab = int64_t(logits.size());
        args.logits = deviceLogits.as<float>();
        args.sampling = sampling.as<BitloomCudaSampling>();
        args.draws = draws.as<double>();
        args.id = id.as<int32_t>();
        args.position = position.as<int32_t>();
        args.chosen = chosen.as<BitloomCudaChosen>();
        args.scratch = scratch.data();
        BitloomCudaChosen out{};
        // Twice: scratch memory is left as it was found.
        for (int i = 0; i < 2; ++i) {
            const BitloomCudaSampling again{temperature, minP, 2};
            m_side.device.check(
                api.upload(m_side.device.context(), sampling.data(), &again, sizeof again));
            m_side.device.check(api.choose(m_side.device.context(), &args));
            out = m_side.get<BitloomCudaChosen>(chosen, 1)[0];
        }
        m_fine = m_side.get<int32_t>(id, 1)[0] == out.id &&
                 m_side.get<int32_t>(position, 1)[0] == 43 &&
                 m_side.get<BitloomCudaSampling>(sampling, 1)[0].drawn == (temperature > 0 ? 3 : 2);
        return out;
    }
    bool check(const Floats& logits, double temperature, double minP, double share) {
        const BitloomCudaChosen got = run(logits, temperature, minP, share);
        const int32_t right = expected(logits, temperature, minP, share);
        const float most = *std::max_element(logits.begin(), logits.end());
        double sum = 0;
        for (const float logit : logits)
            sum += std::exp(double(logit) - double(most));
        if (!m_fine || got.id != right || got.state != BITLOOM_CUDA_CHOSEN ||
            got.logit != logits[size_t(right)] || got.top != most) {
            m_worst.check.detail =
                fmt::format("token {} in place of {} among {}, temperature {}, min-p {}, draw {}",
                            got.id, right, logits.size(), temperature, minP, share);
            return false;
        }
        return m_worst.near(got.sum, sum, 1e-6 * sum, "a sum of probabilities");
    }
    /// Logits that are no numbers, and none that is possible.
    bool checkWrong(Floats logits) {
        const float infinity = std::numeric_limits<float>::infinity();
        const size_t at = logits.size() / 2;
        for (const float wrong : {infinity, std::nanf("")}) {
            Floats own = logits;
            own[at] = wrong;
            own[logits.size() - 1] = wrong;
            const BitloomCudaChosen got = run(own, 0.7, 0, 0.3);
            if (got.state != BITLOOM_CUDA_NO_NUMBER || got.id != int32_t(at)) {
                m_worst.check.detail = "a logit that is no number is not found";
                return false;
            }
        }
        std::ranges::fill(logits, -infinity);
        if (run(logits, 0.7, 0, 0.3).state == BITLOOM_CUDA_NO_TOKEN) return true;
        m_worst.check.detail = "that no token is possible is not found";
        return false;
    }

private:
    const Side& m_side;
    Worst& m_worst;
    bool m_fine = false;
};

} // namespace

void checkChoice(const Side& side, CudaCheck& check) {
    Random random(5);
    Worst worst{check};
    ChoiceCheck choice(side, worst);
    std::uniform_real_distribution<double> uniform;
    for (const size_t vocab : {1u, 5u, 1024u, 1025u, 32000u}) {
        Floats logits = normals(vocab, random, 3);
        if (vocab > 5) { // equal ones, and impossible ones
            logits[700] = logits[200] = 20;
            logits[0] = logits[vocab - 1] = -std::numeric_limits<float>::infinity();
        }
        if (!choice.check(logits, 0, 0, 0.5)) return;
        for (int i = 0; i < 6; ++i)
            for (const double minP : {0.0, 0.02}) {
                const double share = i == 0 ? 0 : i == 1 ? 1 - 0x1p-53 : uniform(random);
                if (!choice.check(logits, i % 2 ? 4.0 : 0.6, minP, share)) return;
            }
        if (vocab > 2 && !choice.checkWrong(logits)) return;
    }
    worst.done("5 vocabularies, 65 choices");
}

} // namespace bitloom::cudaCheck
