// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/allocator.h"

#include <cmath>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace bitloom::test {

/// Random layers that own their curves.
class Curves {
public:
    explicit Curves(Menu menu, uint64_t seed = 1) : m_menu(std::move(menu)), m_random(seed) {}

    /// Columns like Gaussian ones: error falls by 4 a bit, less a little for tables and outliers,
    /// times noise of the given size (large noise makes curves that rise and are not convex).
    void add(const std::string& name, int64_t rows, int64_t cols, double weight = 1,
             float noise = 0.05f) {
        std::normal_distribution<float> normal;
        std::vector<float>& c = m_values.emplace_back();
        std::vector<float>& e = m_values.emplace_back();
        for (int64_t k = 0; k < cols; ++k) {
            c.push_back(std::exp(normal(m_random)));
            const float variance = std::exp(normal(m_random));
            for (const OperatingPoint& p : m_menu)
                e.push_back(float(rows) * variance * std::pow(4.0f, -float(p.bits)) *
                            (p.kind == PointKind::Table ? 0.8f : 1.0f) *
                            (1 - 10 * float(std::min(p.outlierFraction, 0.02))) *
                            std::exp(noise * normal(m_random)));
        }
        layers.push_back({name, rows, cols, weight, c, e});
    }
    std::vector<float>& conditional(size_t layer) { return m_values[2 * layer]; }
    std::vector<float>& sse(size_t layer) { return m_values[2 * layer + 1]; }
    const Menu& menu() const { return m_menu; }
    uint64_t all() const { return (uint64_t(1) << m_menu.size()) - 1; }

    std::vector<LayerCurves> layers;

private:
    Menu m_menu;
    std::mt19937_64 m_random;
    std::deque<std::vector<float>> m_values; ///< never moved: the spans of `layers` point here
};

inline Menu menuOf(const std::string& text) {
    Menu menu;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find(' ', begin), text.size());
        menu.push_back(parsePoint(std::string_view(text).substr(begin, end - begin)));
        begin = end + 1;
    }
    return menu;
}

} // namespace bitloom::test
