// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/cuda_matrix.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

/// What the checks of a device's kernels share; for their own sources.
namespace bitloom::cudaCheck {

using Random = std::mt19937_64;
using Floats = std::vector<float>;

inline Floats normals(size_t count, Random& random, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    Floats out(count);
    for (float& value : out)
        value = normal(random);
    return out;
}

/// Vectors of a device.
struct Side {
    const CudaDevice& device;

    template<class T>
    CudaMemory put(const std::vector<T>& values) const {
        CudaMemory memory(device, std::max<size_t>(values.size() * sizeof(T), 1));
        if (!values.empty()) memory.upload(values.data(), values.size() * sizeof(T));
        return memory;
    }
    /// Numbers that are none: every result must be written.
    CudaMemory unwritten(size_t floats) const {
        return put(Floats(floats, std::numeric_limits<float>::quiet_NaN()));
    }
    template<class T>
    std::vector<T> get(const CudaMemory& memory, size_t count) const {
        device.check(device.api().synchronize(device.context()));
        std::vector<T> out(count);
        memory.download(out.data(), count * sizeof(T));
        return out;
    }
};

/// Remembers the largest share of what is allowed.
struct Worst {
    CudaCheck& check;
    double most = 0;

    /// False, and says where, for a difference beyond `allowed`.
    bool near(double got, double right, double allowed, const std::string& where) {
        const double share = std::abs(got - right) / allowed;
        if (share <= 1) {
            most = std::max(most, share);
            return true;
        }
        check.ok = false;
        check.detail =
            fmt::format("{}: {} in place of {}, {:.1e} is allowed", where, got, right, allowed);
        return false;
    }
    void done(const std::string& what) const {
        check.ok = true;
        check.detail = fmt::format("{}, within {:.2f} of what is allowed", what, most);
    }
};

/// x + add, normed, in double.
inline std::vector<double> normed(const float* x, const float* add, const float* weight, int64_t n,
                                  double epsilon) {
    std::vector<double> out;
    double square = 0;
    for (int64_t i = 0; i < n; ++i) {
        out.push_back(double(x[i]) + (add ? double(add[i]) : 0));
        square += out.back() * out.back();
    }
    for (int64_t i = 0; i < n; ++i)
        out[size_t(i)] *= double(weight[i]) / std::sqrt(square / double(n) + epsilon);
    return out;
}

/// Each sets `check.ok` and says what it has found.
void checkInputs(const Side& side, CudaCheck& check);
void checkRows(const Side& side, bool many, CudaCheck& check);
void checkAttention(const Side& side, CudaCheck& check);
void checkBegin(const Side& side, CudaCheck& check);
void checkChoice(const Side& side, CudaCheck& check);

} // namespace bitloom::cudaCheck
