// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/durable.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace bitloom::detail {

/// Hidden states [count, length, width] of all sequences at one block boundary, float32, in memory
/// or in a scratch file. Reads and writes whole sequences; one thread at a time.
class HiddenStore {
public:
    struct Shape {
        int64_t count = 0, length = 0, width = 0;
        int64_t bytes() const { return count * length * width * int64_t(sizeof(float)); }
    };
    static HiddenStore inMemory(const Shape& shape);
    static HiddenStore inFile(const Shape& shape, const std::filesystem::path& path);

    at::Tensor read(int64_t first, int64_t count) const; ///< [count, length, width]
    void write(int64_t first, const at::Tensor& hidden);
    /// XXH3-128 of the content: lets a resumed job see whether a scratch file survived whole.
    std::string hash() const;
    const Shape& shape() const { return m_shape; }

private:
    explicit HiddenStore(const Shape& shape) : m_shape(shape) {}
    Shape m_shape;
    std::vector<float> m_memory;
    std::unique_ptr<OutputFile> m_file;
};

} // namespace bitloom::detail
