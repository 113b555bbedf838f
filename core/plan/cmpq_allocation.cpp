// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/cmpq_allocation.h"

#include "core/base/error.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bitloom {

std::vector<uint8_t> cmpqWidths(std::span<const float> norms, double bits, double share) {
    if (!(bits >= 1 && bits <= 5))
        throw Error(
            ErrorCode::Usage,
            fmt::format("CMPQ cannot spend {} bits per weight: its widths are 1 to 5.", bits));
    if (!(share >= 0 && share <= 0.5))
        throw Error(
            ErrorCode::Usage,
            fmt::format("CMPQ's share of columns that gain or lose a bit is {}; it must lie "
                        "between 0 and 0.5.",
                        share));
    for (size_t k = 0; k < norms.size(); ++k)
        if (!std::isfinite(norms[k]))
            throw Error(fmt::format("The activation norm of column {} is {}.", k, norms[k]),
                        "Calibrate again.");

    std::vector<uint32_t> order(norms.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return norms[a] > norms[b]; });

    const size_t count = norms.size();
    const int whole = int(std::floor(bits + 1e-9));
    const double fraction = bits - whole;
    const bool fractional = fraction > 1e-9;
    const size_t more = size_t(std::llround((fractional ? fraction : share) * double(count)));
    // With half of an odd number of columns on either side both would round up.
    const size_t less = fractional ? 0 : std::min(more, count - more);

    std::vector<uint8_t> widths(count);
    for (size_t i = 0; i < count; ++i) {
        const int width = i < more ? whole + 1 : i >= count - less ? whole - 1 : whole;
        widths[order[i]] = uint8_t(std::clamp(width, 1, 5));
    }
    return widths;
}

} // namespace bitloom
