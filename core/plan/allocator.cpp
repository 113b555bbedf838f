// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// minimise ½ Σ D_k(p_k) subject to Σ cost_k(p_k) ≤ budget, over all columns of a model at once
// (ALGORITHMS §3). Relaxed to mixtures of points the problem is solved by its Lagrangian: every
// column takes the hull vertex where its slope crosses λ. Sorting the steps of all hulls by slope
// once therefore answers every budget: take steps from the steepest down until the budget is spent.
// At every prefix the result is optimal for the bits it uses; between prefixes it misses the
// optimum by less than the gain of the first step that did not fit.
//
// Here: curves are checked, hulls built (hulls.h), limits applied, budgets turned into states of
// the step list (segment_list.h).
#include "core/plan/allocator.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/plan/hulls.h"
#include "core/plan/segment_cache.h"
#include "core/plan/segment_list.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

namespace bitloom {

namespace {

double factorOf(const LayerCurves& layer, int64_t column) {
    return 0.5 * layer.weight * double(layer.conditional[size_t(column)]);
}

std::span<const float> errorsOf(const LayerCurves& layer, int64_t column, size_t points) {
    return layer.sse.subspan(size_t(column) * points, points);
}

bool isUsable(double value) {
    return value >= 0 && std::isfinite(value);
}

void checkMenu(const Menu& menu, uint64_t allowed) {
    if (menu.empty() || menu.size() > 64)
        throw Error(fmt::format("A menu of operating points must have 1 to 64 of them, not {}.",
                                menu.size()));
    const uint64_t all = menu.size() == 64 ? ~uint64_t(0) : (uint64_t(1) << menu.size()) - 1;
    if (allowed == 0 || (allowed & ~all) != 0)
        throw Error(ErrorCode::Usage, "No operating point of the menu is allowed.");
}

void checkShape(const LayerCurves& layer, const Menu& menu) {
    if (layer.rows < 1 || layer.cols < 1 || layer.rows > (int64_t(1) << 40) ||
        layer.cols > Segment::maxColumns)
        throw Error(fmt::format("Layer '{}': {} × {} is no shape of a linear layer.", layer.name,
                                layer.rows, layer.cols));
    if (layer.conditional.size() != size_t(layer.cols) ||
        layer.sse.size() != size_t(layer.cols) * menu.size())
        throw Error(fmt::format("Layer '{}': the statistics hold {} conditional variances and {} "
                                "errors; {} columns and {} operating points need {} and {}.",
                                layer.name, layer.conditional.size(), layer.sse.size(), layer.cols,
                                menu.size(), layer.cols, size_t(layer.cols) * menu.size()));
    if (!isUsable(layer.weight))
        throw Error(fmt::format("Layer '{}': its Fisher factor is {}; it must be finite and not "
                                "negative.",
                                layer.name, layer.weight),
                    "Calibrate again.");
}

// Checks every value of a layer; returns the largest distortion.
double checkValues(const LayerCurves& layer, const Menu& menu) {
    double largest = 0;
    for (int64_t k = 0; k < layer.cols; ++k) {
        const std::span<const float> errors = errorsOf(layer, k, menu.size());
        float most = 0;
        bool good = isUsable(layer.conditional[size_t(k)]);
        for (float e : errors) {
            good &= e >= 0;
            most = e > most ? e : most;
        }
        if (!good || !std::isfinite(most)) {
            if (!isUsable(layer.conditional[size_t(k)]))
                throw Error(fmt::format("Layer '{}', column {}: conditional variance {} is not a "
                                        "finite number ≥ 0.",
                                        layer.name, k, layer.conditional[size_t(k)]),
                            "Calibrate again.");
            const auto bad =
                std::find_if(errors.begin(), errors.end(), [](float e) { return !isUsable(e); });
            throw Error(fmt::format("Layer '{}', column {}: error {} at {} is not a finite number "
                                    "≥ 0.",
                                    layer.name, k, *bad,
                                    pointText(menu[size_t(bad - errors.begin())])),
                        "Calibrate again.");
        }
        largest = std::max(largest, factorOf(layer, k) * double(most));
    }
    return largest;
}

std::string checksumOf(const std::vector<LayerCurves>& layers, const Menu& menu, uint64_t allowed) {
    Hasher hasher;
    const auto number = [&](auto value) { hasher.update(std::as_bytes(std::span(&value, 1))); };
    for (const OperatingPoint& point : menu)
        hasher.update(pointText(point) + '\n');
    number(allowed);
    for (const LayerCurves& layer : layers) {
        hasher.update(layer.name + '\n');
        number(layer.rows);
        number(layer.cols);
        number(layer.weight);
        hasher.update(std::as_bytes(layer.conditional));
        hasher.update(std::as_bytes(layer.sse));
    }
    return hasher.digest();
}

// Of the points in `mask` the one closest to `point`: itself, or the nearest width (the wider of
// two), then the same kind, then the nearest share of outliers.
uint8_t nearestPoint(const Menu& menu, uint64_t mask, const OperatingPoint& point) {
    const auto distance = [&](const OperatingPoint& p) {
        return std::tuple(std::abs(p.bits - point.bits), p.bits < point.bits, p.kind != point.kind,
                          std::abs(p.outlierFraction - point.outlierFraction));
    };
    size_t best = menu.size();
    for (size_t p = 0; p < menu.size(); ++p)
        if ((mask >> p & 1) && (best == menu.size() || distance(menu[p]) < distance(menu[best])))
            best = p;
    return uint8_t(best);
}

std::string bitsText(int64_t bits, int64_t weights) {
    return fmt::format("{:.4f} bits per weight ({} bytes)", double(bits) / double(weights),
                       (bits + 7) / 8);
}

} // namespace

struct Allocator::State {
    struct Layer {
        std::string name;
        int64_t rows = 0, cols = 0;
        /// Totals of columns without a limit: distortion if all took point p, and at hull ends.
        std::vector<double> pointTotals;
        double endTotal = 0;
    };
    struct Limited {
        uint32_t column = 0;
        uint64_t allowed = 0;
        size_t firstValue = 0; ///< into limitedValues: one distortion for each allowed point
    };

    Menu menu;
    uint64_t allowed = 0;
    int64_t weights = 0;
    ColumnMap map;
    SegmentBase base; ///< without limits; its segments live in `list`
    std::vector<Layer> layers;
    std::vector<Limited> limited; ///< ascending by column
    std::vector<double> limitedValues;
    SegmentList list;

    void mapLayers(const std::vector<LayerCurves>& curves);
    void buildBase(const std::vector<LayerCurves>& curves);
    void resetTotals();
    double endDistortion() const;
    std::vector<Limited> resolve(std::span<const ColumnLimit> limits) const;
    void checkSame(const std::vector<LayerCurves>& curves) const;
};

void Allocator::State::mapLayers(const std::vector<LayerCurves>& curves) {
    std::map<int64_t, uint32_t> shapeByRows;
    map.menuSize = menu.size();
    map.firstColumn.push_back(0);
    for (const LayerCurves& layer : curves) {
        checkShape(layer, menu);
        const auto [shape, isNew] = shapeByRows.emplace(layer.rows, uint32_t(map.shapes.size()));
        if (isNew) map.shapes.emplace_back(menu, layer.rows);
        map.shapeOf.push_back(shape->second);
        map.firstColumn.push_back(map.firstColumn.back() + layer.cols);
        if (map.columns() > Segment::maxColumns)
            throw Error(fmt::format("The model has more than {} columns.", Segment::maxColumns));
        weights += layer.rows * layer.cols;
        layers.push_back({layer.name, layer.rows, layer.cols, {}, 0});
    }
    if (curves.empty()) throw Error("There are no layers to allocate bits to.");
}

void Allocator::State::buildBase(const std::vector<LayerCurves>& curves) {
    double largest = 0;
    for (const LayerCurves& layer : curves)
        largest = std::max(largest, checkValues(layer, menu));
    // A power of two that puts the steepest slopes near the top of float's range, so that models
    // of any scale sort alike and the flattest ones do not underflow.
    base.unit = largest > 0 ? std::ldexp(1.0, std::ilogb(largest) - 96) : 1.0;

    std::vector<HullOrder> orders;
    for (const MenuCosts& shape : map.shapes)
        orders.emplace_back(shape, allowed);
    const size_t points = menu.size();
    base.start.resize(size_t(map.columns()));
    base.pointTotals.assign(curves.size() * points, 0);
    base.endTotals.assign(curves.size(), 0);
    uint8_t vertices[64];
    for (size_t l = 0; l < curves.size(); ++l) {
        const LayerCurves& layer = curves[l];
        const MenuCosts& costs = map.costs(l);
        const HullOrder& order = orders[map.shapeOf[l]];
        double* const totals = &base.pointTotals[l * points];
        const size_t most = size_t(layer.cols) * (order.points.size() - 1);
        if (base.segments.size() + most > base.segments.capacity()) {
            // Grow to what the rest needs if it is like the layers so far: at most one copy or two.
            const double done = double(map.firstColumn[l]);
            const double all =
                done > 0 ? double(base.segments.size()) / done * double(map.columns()) * 1.02 : 0;
            base.segments.reserve(std::max(base.segments.size() + most, size_t(all)));
        }
        for (int64_t k = 0; k < layer.cols; ++k) {
            const std::span<const float> errors = errorsOf(layer, k, points);
            const double factor = factorOf(layer, k);
            const uint32_t column = uint32_t(map.firstColumn[l] + k);
            const int n = lowerHull(errors, order, vertices);
            const std::span<const uint8_t> hull(vertices, size_t(n));
            appendSegments(errors, hull, costs, factor, base.unit, column, base.segments);
            base.start[column] = vertices[0];
            base.endTotals[l] += factor * double(errors[vertices[n - 1]]);
            for (size_t p = 0; p < points; ++p)
                totals[p] += factor * double(errors[p]);
        }
    }
    sortSegments(base.segments);
}

void Allocator::State::resetTotals() {
    const size_t points = menu.size();
    for (size_t l = 0; l < layers.size(); ++l) {
        const double* const totals = &base.pointTotals[l * points];
        layers[l].pointTotals.assign(totals, totals + points);
        layers[l].endTotal = base.endTotals[l];
    }
}

double Allocator::State::endDistortion() const {
    double sum = 0;
    for (const Layer& layer : layers)
        sum += layer.endTotal;
    return sum;
}

void Allocator::State::checkSame(const std::vector<LayerCurves>& curves) const {
    bool same = curves.size() == layers.size();
    for (size_t l = 0; same && l < layers.size(); ++l)
        same = curves[l].rows == layers[l].rows && curves[l].cols == layers[l].cols;
    if (!same) throw Error("The curves are not those that the allocator was made from.");
    for (const LayerCurves& layer : curves)
        checkShape(layer, menu);
}

std::vector<Allocator::State::Limited>
Allocator::State::resolve(std::span<const ColumnLimit> limits) const {
    const uint64_t all = menu.size() == 64 ? ~uint64_t(0) : (uint64_t(1) << menu.size()) - 1;
    std::vector<Limited> result;
    result.reserve(limits.size());
    for (const ColumnLimit& limit : limits) {
        if (limit.layer < 0 || limit.layer >= int64_t(layers.size()))
            throw Error(ErrorCode::Usage, fmt::format("A limit names layer {}; there are {}.",
                                                      limit.layer, layers.size()));
        const Layer& layer = layers[size_t(limit.layer)];
        if (limit.column < 0 || limit.column >= layer.cols)
            throw Error(ErrorCode::Usage,
                        fmt::format("A limit names channel {} of layer '{}', which has {}.",
                                    limit.column, layer.name, layer.cols));
        if ((limit.allowed & all) == 0)
            throw Error(ErrorCode::Usage,
                        fmt::format("The limit on channel {} of layer '{}' leaves no operating "
                                    "point.",
                                    limit.column, layer.name));
        result.push_back({uint32_t(map.firstColumn[size_t(limit.layer)] + limit.column),
                          limit.allowed & all, 0});
    }
    // The last limit of a column counts.
    std::stable_sort(result.begin(), result.end(),
                     [](const Limited& a, const Limited& b) { return a.column < b.column; });
    size_t kept = 0;
    for (size_t i = 0; i < result.size(); ++i)
        if (i + 1 == result.size() || result[i + 1].column != result[i].column)
            result[kept++] = result[i];
    result.resize(kept);
    return result;
}

Allocator::Allocator(std::vector<LayerCurves> layers, Menu menu, uint64_t allowed,
                     std::span<const std::byte> segments)
    : m_state(std::make_unique<State>()) {
    State& s = *m_state;
    checkMenu(menu, allowed);
    s.menu = std::move(menu);
    s.allowed = allowed;
    s.mapLayers(layers);
    const std::string checksum = checksumOf(layers, s.menu, allowed);
    if (!readSegments(segments, checksum, s.map, allowed, s.base)) s.buildBase(layers);
    s.base.checksum = checksum;
    s.resetTotals();
    s.list.build(s.map, std::exchange(s.base.segments, {}), s.base.start, s.base.unit,
                 s.endDistortion());
}

Allocator::~Allocator() = default;
Allocator::Allocator(Allocator&&) noexcept = default;

void Allocator::setLimits(std::span<const ColumnLimit> limits,
                          const std::vector<LayerCurves>& layers) {
    State& s = *m_state;
    s.checkSame(layers);
    s.limited = s.resolve(limits);
    s.limitedValues.clear();
    s.resetTotals();

    std::vector<uint64_t> masked;
    if (!s.limited.empty()) masked.assign(size_t(s.map.columns() + 63) / 64, 0);
    std::vector<uint8_t> start = s.base.start;
    std::vector<Segment> extra;
    std::map<std::pair<uint32_t, uint64_t>, HullOrder> orders;
    const auto orderFor = [&](uint32_t shape, uint64_t mask) -> const HullOrder& {
        return orders.try_emplace({shape, mask}, s.map.shapes[shape], mask).first->second;
    };
    std::vector<int64_t> unlimited;
    for (const State::Layer& layer : s.layers)
        unlimited.push_back(layer.cols);
    uint8_t vertices[64];
    double limitedEnd = 0;
    for (State::Limited& limit : s.limited) {
        const size_t l = s.map.layerOf(limit.column);
        const int64_t k = int64_t(limit.column) - s.map.firstColumn[l];
        const std::span<const float> errors = errorsOf(layers[l], k, s.menu.size());
        const double factor = factorOf(layers[l], k);
        State::Layer& layer = s.layers[l];
        // Out of the totals of its layer …
        const int before = lowerHull(errors, orderFor(s.map.shapeOf[l], s.allowed), vertices);
        layer.endTotal -= factor * double(errors[vertices[before - 1]]);
        for (size_t p = 0; p < s.menu.size(); ++p)
            layer.pointTotals[p] -= factor * double(errors[p]);
        --unlimited[l];
        masked[limit.column / 64] |= uint64_t(1) << limit.column % 64;
        // … and in again with the hull of what it may take.
        const int n = lowerHull(errors, orderFor(s.map.shapeOf[l], limit.allowed), vertices);
        appendSegments(errors, {vertices, size_t(n)}, s.map.costs(l), factor, s.base.unit,
                       limit.column, extra);
        start[limit.column] = vertices[0];
        limitedEnd += factor * double(errors[vertices[n - 1]]);
        limit.firstValue = s.limitedValues.size();
        for (size_t p = 0; p < s.menu.size(); ++p)
            if (limit.allowed >> p & 1) s.limitedValues.push_back(factor * double(errors[p]));
    }
    for (size_t l = 0; l < s.layers.size(); ++l) {
        // What is left over of a sum of which everything was taken away is rounding.
        State::Layer& layer = s.layers[l];
        const auto rest = [&](double x) { return unlimited[l] == 0 ? 0 : std::max(x, 0.0); };
        layer.endTotal = rest(layer.endTotal);
        for (double& total : layer.pointTotals)
            total = rest(total);
    }
    sortSegments(extra);
    s.list.rebuild(std::move(extra), std::move(masked), start, s.endDistortion() + limitedEnd);
}

int64_t Allocator::minBits() const {
    return m_state->list.minBits();
}

int64_t Allocator::maxBits() const {
    return m_state->list.maxBits();
}

Allocation Allocator::allocate(int64_t budgetBits) const {
    const State& s = *m_state;
    if (budgetBits < minBits())
        throw Error(ErrorCode::Usage,
                    fmt::format("A budget of {} cannot be met: the least that these layers take is "
                                "{}.",
                                bitsText(std::max<int64_t>(budgetBits, 0), s.weights),
                                bitsText(minBits(), s.weights)),
                    s.limited.empty() ? "Ask for that or more."
                                      : "Ask for that or more, or pin fewer channels.");
    SegmentList::State state = s.list.lastWithin(budgetBits);
    return {std::move(state.points), state.bits, state.distortion, state.slope};
}

Allocation Allocator::allocateForDistortion(double distortion) const {
    const State& s = *m_state;
    if (!(distortion >= s.list.endDistortion()))
        throw Error(ErrorCode::Usage,
                    fmt::format("A distortion of {:.6g} cannot be reached: the best that these "
                                "layers give is {:.6g}, at {}.",
                                distortion, s.list.endDistortion(), bitsText(maxBits(), s.weights)),
                    "Ask for that or more.");
    return allocate(s.list.fewestBitsFor(distortion));
}

Allocation Allocator::uniform(const OperatingPoint& point) const {
    const State& s = *m_state;
    Allocation allocation;
    const uint8_t general = nearestPoint(s.menu, s.allowed, point);
    allocation.points.assign(size_t(s.map.columns()), general);
    for (const State::Layer& layer : s.layers)
        allocation.distortion += layer.pointTotals[general];
    for (const State::Limited& limit : s.limited) {
        const uint8_t own = nearestPoint(s.menu, limit.allowed, point);
        allocation.points[limit.column] = own;
        const uint64_t below = limit.allowed & ((uint64_t(1) << own) - 1);
        allocation.distortion += s.limitedValues[limit.firstValue + size_t(std::popcount(below))];
    }
    allocation.bits = s.map.storedBits(allocation.points);
    return allocation;
}

Allocation Allocator::evaluate(std::vector<uint8_t> points,
                               const std::vector<LayerCurves>& layers) const {
    const State& s = *m_state;
    s.checkSame(layers);
    if (points.size() != size_t(s.map.columns()))
        throw Error(
            fmt::format("There are {} choices for {} columns.", points.size(), s.map.columns()));
    Allocation allocation;
    for (size_t l = 0; l < layers.size(); ++l)
        for (int64_t k = 0; k < layers[l].cols; ++k) {
            const uint8_t point = points[size_t(s.map.firstColumn[l] + k)];
            if (point >= s.menu.size())
                throw Error(fmt::format("Layer '{}', channel {}: there is no operating point {}.",
                                        layers[l].name, k, point));
            allocation.distortion +=
                factorOf(layers[l], k) * double(errorsOf(layers[l], k, s.menu.size())[point]);
        }
    allocation.bits = s.map.storedBits(points);
    allocation.points = std::move(points);
    return allocation;
}

std::vector<std::pair<int64_t, double>> Allocator::curve(int count) const {
    std::vector<int64_t> budgets;
    const int64_t low = minBits(), high = maxBits();
    for (int i = 0; i < count; ++i)
        budgets.push_back(i + 1 == count
                              ? high
                              : low + int64_t(double(high - low) * double(i) / double(count - 1)));
    return m_state->list.sample(budgets);
}

int64_t Allocator::columns() const {
    return m_state->map.columns();
}

int64_t Allocator::weights() const {
    return m_state->weights;
}

const Menu& Allocator::menu() const {
    return m_state->menu;
}

std::vector<std::byte> Allocator::sortedSegments() const {
    return writeSegments(m_state->base, m_state->list.base());
}

std::vector<LayerCurves> curvesOf(const Statistics& statistics) {
    std::vector<LayerCurves> curves;
    for (const LayerStatistics& layer : statistics.layers())
        curves.push_back(
            {layer.name, layer.rows, layer.cols, layer.gamma, layer.conditional, layer.sse});
    return curves;
}

uint64_t defaultAllowed(const Menu& menu) {
    uint64_t allowed = 0;
    for (size_t p = 0; p < menu.size(); ++p)
        if (menu[p].kind != PointKind::Raw) allowed |= uint64_t(1) << p;
    return allowed;
}

} // namespace bitloom
