// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

/// Least possible Σ (w - nearest of `clusters` values)², by exact dynamic programming over the sorted
/// weights (divide and conquer over the monotone split points). O(clusters · N log N).
inline double optimalTableError(std::span<const float> weights, int clusters)
{
    std::vector<double> w(weights.begin(), weights.end());
    std::sort(w.begin(), w.end());
    const int n = int(w.size());
    const long double centre = w[size_t(n) / 2];
    std::vector<long double> sum(size_t(n) + 1), square(size_t(n) + 1);
    for (int i = 0; i < n; ++i) {
        const long double d = w[size_t(i)] - centre;
        sum[size_t(i) + 1] = sum[size_t(i)] + d;
        square[size_t(i) + 1] = square[size_t(i)] + d * d;
    }
    auto cost = [&](int a, int b) { // weights a…b-1
        const long double s = sum[size_t(b)] - sum[size_t(a)];
        return double(std::max(0.L, square[size_t(b)] - square[size_t(a)] - s * s / (b - a)));
    };
    std::vector<double> best(size_t(n) + 1, std::numeric_limits<double>::infinity()), next;
    best[0] = 0;
    for (int i = 1; i <= n; ++i)
        best[size_t(i)] = cost(0, i);
    for (int k = 2; k <= std::min(clusters, n); ++k) {
        next.assign(size_t(n) + 1, std::numeric_limits<double>::infinity());
        auto solve = [&](auto&& self, int low, int high, int from, int to) -> void {
            if (low > high) return;
            const int middle = (low + high) / 2;
            int split = from;
            for (int a = std::max(from, k - 1); a <= std::min(to, middle - 1); ++a) {
                const double total = best[size_t(a)] + cost(a, middle);
                if (total < next[size_t(middle)]) {
                    next[size_t(middle)] = total;
                    split = a;
                }
            }
            self(self, low, middle - 1, from, split);
            self(self, middle + 1, high, split, to);
        };
        solve(solve, k, n, 0, n);
        std::swap(best, next);
    }
    return best[size_t(n)];
}
