// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/recipe/planner.h"

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/format/layout.h"
#include "core/plan/measured.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace bitloom {

Prediction predictionOf(const Plan& plan, const Statistics& statistics,
                        const QuantizeOptions& options) {
    return predictorFor(statistics.path(), stageOf(options.descentPasses, options.polishSteps))
        .predict(plan.distortion, plan.bitsPerWeight(), statistics.nllFp(),
                 statistics.recipe().source);
}

Planner::Planner(std::shared_ptr<const Checkpoint> model,
                 std::shared_ptr<const Statistics> statistics, std::vector<Pin> pins)
    : m_model(std::move(model)), m_statistics(std::move(statistics)),
      m_curves(curvesOf(*m_statistics)),
      m_allocator(m_curves, m_statistics->menu(), defaultAllowed(m_statistics->menu()),
                  m_statistics->sortedSegments()) {
    if (!pins.empty()) setPins(std::move(pins));
}

void Planner::setPins(std::vector<Pin> pins) {
    m_allocator.setLimits(limitsOf(pins, m_curves, m_statistics->menu()), m_curves);
    m_pins = std::move(pins);
}

double Planner::minBits() const {
    return double(m_allocator.minBits()) / double(m_allocator.weights());
}

double Planner::maxBits() const {
    return double(m_allocator.maxBits()) / double(m_allocator.weights());
}

Plan Planner::plan(const Budget& budget, const QuantizeOptions& options) const {
    return finish(allocate(budget, options), budget, options);
}

Plan Planner::forBits(double bits, const QuantizeOptions& options) const {
    return plan({Budget::Kind::Bits, bits}, options);
}

Allocation Planner::allocate(const Budget& budget, const QuantizeOptions& options) const {
    switch (budget.kind) {
    case Budget::Kind::Bits:
        return withinBits(budget.value);
    case Budget::Kind::Size:
        return withinSize(std::llround(budget.value), options);
    case Budget::Kind::Perplexity:
        return withinPerplexity(budget.value, options);
    case Budget::Kind::Speed:
        return withinSpeed(budget.value);
    }
    throw Error("unknown kind of budget");
}

Allocation Planner::withinBits(double bits) const {
    const double weights = double(m_allocator.weights());
    // Rounded up, so that the figures printed are themselves accepted and leave one even where all
    // is pinned; a plan never takes more than its budget.
    const double low = std::ceil(minBits() * 1000) / 1000,
                 high = std::ceil(maxBits() * 1000) / 1000;
    const char* under = m_pins.empty() ? "for this model" : "under these pins";
    if (bits < low && std::floor(bits * weights) < double(m_allocator.minBits()))
        throw Error(ErrorCode::Usage,
                    fmt::format("{:g} bits per weight are not enough {}", bits, under),
                    fmt::format("The nearest possible budget is --bits {:.3f}{}.", low,
                                m_pins.empty() ? "" : "; or pin fewer columns"));
    if (bits > high)
        throw Error(ErrorCode::Usage,
                    fmt::format("{:g} bits per weight are more than can be used {}", bits, under),
                    fmt::format("The nearest possible budget is --bits {:.3f}.", high));
    return m_allocator.allocate(int64_t(std::floor(bits * weights)));
}

Plan Planner::finish(const Allocation& allocation, const Budget& budget,
                     const QuantizeOptions& options) const {
    Plan plan = makePlan(allocation, m_curves, m_statistics->menu(), budget, m_pins);
    plan.model = m_model->fingerprint();
    plan.statistics = m_statistics->recipe().fingerprint();
    plan.predicted = predictionOf(plan, *m_statistics, options);
    return plan;
}

SizeParts Planner::size(const Plan& plan, const QuantizeOptions& options) const {
    QuantizeOptions full = options;
    full.method = Method::CmpqPlus;
    full.plan = plan;
    return predictSize(*m_model, plannedSpec(*m_model, *m_statistics, full));
}

int64_t Planner::folderBytes(const Allocation& allocation, const QuantizeOptions& options) const {
    return size(finish(allocation, {Budget::Kind::Size, 0}, options), options).totalBytes;
}

Allocation Planner::withinSize(int64_t bytes, const QuantizeOptions& options) const {
    int64_t low = m_allocator.minBits(), high = m_allocator.maxBits();
    Allocation best = m_allocator.allocate(low);
    const int64_t least = folderBytes(best, options);
    if (least > bytes)
        throw Error(
            ErrorCode::Usage,
            fmt::format("{} ({} bytes) are not enough for this model{}", formatBytes(bytes),
                        formatCount(bytes), m_pins.empty() ? "" : " under these pins"),
            fmt::format("The nearest possible budget is --size {}{}.", least,
                        options.head == HeadStorage::Keep ? "; --head 8 saves some more" : ""));
    Allocation top = m_allocator.allocate(high);
    if (folderBytes(top, options) <= bytes) return top;
    // Everything but the columns' bits hardly depends on the plan, so the first guess is nearly
    // right; the bracket then closes until no segment lies inside it.
    int64_t guess = low + (bytes - least) * 8;
    while (best.bits < top.bits && high - low > 1) {
        guess = std::clamp(guess, low + 1, high - 1);
        Allocation tried = m_allocator.allocate(guess);
        const int64_t size = folderBytes(tried, options);
        if (size <= bytes) {
            low = guess;
            best = std::move(tried);
            // Just above what is surely spare; else halve.
            const int64_t step = (bytes - size) * 8 + 8;
            guess = step < (high - low) / 2 ? low + step : low + (high - low) / 2;
        } else {
            high = tried.bits; // all budgets from there on give at least this allocation
            top = std::move(tried);
            const int64_t step = (size - bytes) * 8;
            guess = step < (high - low) / 2 ? high - step : low + (high - low) / 2;
        }
    }
    return best;
}

namespace {

/// Three digits that are not more than `rate`, so that they are accepted themselves.
std::string roundedDown(double rate) {
    const double step = std::pow(10.0, std::floor(std::log10(rate)) - 2);
    return fmt::format("{:.10g}", std::floor(rate / step) * step);
}

} // namespace

/// The most bits that are fast enough: fewer bits are faster.
Allocation Planner::withinSpeed(double tokensPerSecond) const {
    if (!m_speed)
        throw Error("the speed of this machine's kernels is not known",
                    "Budget by bits, size or perplexity.");
    const auto speed = [&](const Allocation& allocation) {
        return m_speed->tokensPerSecond(
            makePlan(allocation, m_curves, m_statistics->menu(), {}, {}));
    };
    int64_t low = m_allocator.minBits(), high = m_allocator.maxBits();
    Allocation best = m_allocator.allocate(low);
    if (const double most = speed(best); most < tokensPerSecond)
        throw Error(ErrorCode::Usage,
                    fmt::format("{:g} tokens per second are more than this model reaches on this "
                                "machine{}",
                                tokensPerSecond, m_pins.empty() ? "" : " under these pins"),
                    fmt::format("The nearest possible rate is --tokens-per-second {}, at {:.3f} "
                                "bits per weight.",
                                roundedDown(most), minBits()));
    if (Allocation all = m_allocator.allocate(high); speed(all) >= tokensPerSecond) return all;
    const int64_t enough = std::max<int64_t>(1, m_allocator.weights() / 1000);
    while (high - low > enough) {
        const int64_t middle = low + (high - low) / 2;
        Allocation tried = m_allocator.allocate(middle);
        if (speed(tried) >= tokensPerSecond) {
            low = middle;
            best = std::move(tried);
        } else {
            high = middle;
        }
    }
    return best;
}

Allocation Planner::withinPerplexity(double relative, const QuantizeOptions& options) const {
    const double wanted = std::log1p(relative), weights = double(m_allocator.weights());
    const Predictor predictor =
        predictorFor(m_statistics->path(), stageOf(options.descentPasses, options.polishSteps));
    const auto predicted = [&](const Allocation& allocation) {
        return predictor.deltaNll(allocation.distortion, double(allocation.bits) / weights);
    };
    int64_t low = m_allocator.minBits(), high = m_allocator.maxBits();
    Allocation best = m_allocator.allocate(high);
    if (const double least = predicted(best); least > wanted)
        throw Error(ErrorCode::Usage,
                    fmt::format("an increase of perplexity of at most {:g} % is not within reach{}",
                                relative * 100, m_pins.empty() ? "" : " under these pins"),
                    fmt::format("The nearest possible budget is --max-ppl +{:.4f}%.",
                                std::ceil(std::expm1(least) * 1e6) / 1e4));
    if (Allocation cheapest = m_allocator.allocate(low); predicted(cheapest) <= wanted)
        return cheapest;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        Allocation tried = m_allocator.allocate(middle);
        if (predicted(tried) <= wanted) {
            high = std::min(middle, tried.bits);
            best = std::move(tried);
        } else {
            low = middle;
        }
    }
    return best;
}

} // namespace bitloom
