// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

struct OptimalTable {
    double error = 0;
    std::vector<double> values; ///< ascending; fewer than asked for where there are fewer weights
};

/// The `clusters` values with the least Σ (w - nearest value)², by exact dynamic programming over
/// the sorted weights (divide and conquer over the monotone split points). O(clusters · N log N).
inline OptimalTable optimalTable(std::span<const float> weights, int clusters) {
    std::vector<double> w(weights.begin(), weights.end());
    std::sort(w.begin(), w.end());
    const int n = int(w.size());
    clusters = std::min(clusters, n);
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
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> best(size_t(n) + 1, infinity), next;
    std::vector<std::vector<int>> splits(size_t(clusters) + 1);
    best[0] = 0;
    for (int i = 1; i <= n; ++i)
        best[size_t(i)] = cost(0, i);
    for (int k = 2; k <= clusters; ++k) {
        next.assign(size_t(n) + 1, infinity);
        std::vector<int>& split = splits[size_t(k)];
        split.assign(size_t(n) + 1, 0);
        auto solve = [&](auto&& self, int low, int high, int from, int to) -> void {
            if (low > high) return;
            const int middle = (low + high) / 2;
            int choice = from;
            for (int a = std::max(from, k - 1); a <= std::min(to, middle - 1); ++a) {
                const double total = best[size_t(a)] + cost(a, middle);
                if (total < next[size_t(middle)]) {
                    next[size_t(middle)] = total;
                    choice = a;
                }
            }
            split[size_t(middle)] = choice;
            self(self, low, middle - 1, from, choice);
            self(self, middle + 1, high, choice, to);
        };
        solve(solve, k, n, 0, n);
        std::swap(best, next);
    }
    OptimalTable result;
    result.error = best[size_t(n)];
    result.values.resize(size_t(clusters));
    for (int k = clusters, end = n; k >= 1; --k) {
        const int begin = k > 1 ? splits[size_t(k)][size_t(end)] : 0;
        result.values[size_t(k) - 1] =
            double((sum[size_t(end)] - sum[size_t(begin)]) / (end - begin) + centre);
        end = begin;
    }
    return result;
}
