// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/half.h"

/// Columns for tests: random ones of several shapes, real ones, and ones made to break things.
namespace columns {

enum class Shape { Gaussian, Laplace, Student, LogNormal, Uniform, Skewed };

inline std::vector<float> random(Shape shape, size_t n, unsigned seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<double> normal;
    std::student_t_distribution<double> student(3);
    std::uniform_real_distribution<double> uniform(-0.5, 0.5);
    std::vector<float> w(n);
    for (float& x : w) {
        double v = 0;
        switch (shape) {
        case Shape::Gaussian:
            v = normal(engine);
            break;
        case Shape::Laplace: {
            const double u = uniform(engine);
            v = -std::copysign(std::log(1 - 2 * std::fabs(u) + 1e-12), u);
            break;
        }
        case Shape::Student:
            v = student(engine);
            break;
        case Shape::LogNormal:
            v = normal(engine) * std::exp(0.5 * normal(engine));
            break;
        case Shape::Uniform:
            v = uniform(engine);
            break;
        case Shape::Skewed:
            v = std::exp(normal(engine)) - 0.3;
            break;
        }
        x = float(0.02 * v);
    }
    return w;
}

/// The 42 columns of tests/data/kernels/tales_columns.bin.
inline std::vector<std::vector<float>> real() {
    std::ifstream file(BITLOOM_TEST_DATA "/kernels/tales_columns.bin", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::vector<float>> result;
    for (size_t at = 0; at + 4 <= bytes.size();) {
        uint32_t n;
        std::memcpy(&n, bytes.data() + at, 4);
        at += 4;
        std::vector<float> w(n);
        for (float& x : w) {
            uint16_t half;
            std::memcpy(&half, bytes.data() + at, 2);
            at += 2;
            x = bitloom::kernels::halfToFloat(half);
        }
        result.push_back(std::move(w));
    }
    if (result.size() != 42) throw std::runtime_error("tales_columns.bin is missing or damaged");
    return result;
}

inline std::vector<std::vector<float>> adversarial() {
    std::vector<std::vector<float>> all;
    for (const float v : {0.f, -0.f, 1.f, -0.0371f, 1e-7f, -3e-8f, 1e4f, -65504.f, 1e-30f, 3e7f})
        for (const size_t n : {1u, 2u, 5u, 64u, 300u})
            all.emplace_back(n, v);
    auto scaled = [&](Shape shape, size_t n, unsigned seed, float factor, float offset) {
        std::vector<float> w = random(shape, n, seed);
        for (float& x : w)
            x = x * factor + offset;
        all.push_back(std::move(w));
    };
    scaled(Shape::Gaussian, 256, 1, 0.05f, 1.f); // norm-like: 1 ± 0.001
    scaled(Shape::Uniform, 256, 2, 0.1f, -1.f);
    scaled(Shape::Gaussian, 256, 3, 5e-6f, 0.f); // 1e-7: fp16 scales are subnormal
    scaled(Shape::Gaussian, 256, 4, 5e-8f, 0.f);
    scaled(Shape::Gaussian, 256, 5, 1e-20f, 0.f);
    scaled(Shape::Gaussian, 256, 6, 5e5f, 0.f); // 1e4
    scaled(Shape::Laplace, 4096, 7, 1e6f, 0.f);
    scaled(Shape::Gaussian, 256, 8, 1e10f, 0.f); // beyond any storable value: must only not break
    scaled(Shape::Gaussian, 256, 9, 1e38f, 0.f);
    scaled(Shape::Skewed, 777, 10, 1.f, 0.f);
    scaled(Shape::Skewed, 777, 11, -1.f, 0.f);
    scaled(Shape::Gaussian, 256, 12, 1.f, 100.f);
    // A few distinct values: two, ternary, a lattice, more than a table holds.
    for (const int distinct : {2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 200}) {
        std::mt19937 engine{unsigned(distinct)};
        std::vector<float> w(400);
        for (float& x : w)
            x = (float(engine() % unsigned(distinct)) - float(distinct / 2)) * 0.0123f;
        all.push_back(w);
    }
    // One and three huge outliers, on one side or both.
    for (const float huge : {1.f, -50.f, 6e4f}) {
        std::vector<float> w = random(Shape::Gaussian, 300, 20);
        w[17] = huge;
        all.push_back(w);
        w[18] = -huge;
        w[19] = huge / 2;
        all.push_back(w);
    }
    // Nearly everything zero, alternating signs of zero, smallest and largest floats.
    std::vector<float> sparse(500, 0.f);
    sparse[3] = 0.01f;
    sparse[400] = -0.3f;
    all.push_back(sparse);
    std::vector<float> zeros(70);
    for (size_t i = 0; i < zeros.size(); ++i)
        zeros[i] = i % 2 ? 0.f : -0.f;
    all.push_back(zeros);
    zeros[5] = std::numeric_limits<float>::denorm_min();
    all.push_back(zeros);
    all.push_back({std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()});
    all.push_back({1.f, 2.f});
    all.push_back({-1e-3f, 1e-3f, 0.f});
    return all;
}

} // namespace columns
