// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/layout.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bitloom {

/// What a tensor of a quantized linear counts as in SizeParts.
enum class StoredPart : uint8_t { Codes, Tables, Scales, Classes, Outliers, Raw };

/// One tensor of a quantized linear without its layer's name. Packing, unpacking, specs and the
/// size model all go by these, so they cannot disagree.
struct StoredShape {
    std::string_view suffix; ///< "codes"; a literal
    DType dtype = DType::U8;
    StoredPart part = StoredPart::Codes;
    int rank = 1;
    std::array<int64_t, 2> dims{};

    int64_t elements() const { return rank == 2 ? dims[0] * dims[1] : dims[0]; }
    int64_t bytes() const { return elements() * dtypeBytes(dtype); }
    std::vector<int64_t> shape() const { return {dims.begin(), dims.begin() + rank}; }
};

/// The tensors of one linear; those without elements are left out.
class StoredShapes {
public:
    const StoredShape* begin() const { return m_items.data(); }
    const StoredShape* end() const { return m_items.data() + m_count; }
    const StoredShape* find(std::string_view suffix) const;
    int64_t paddingBits = 0; ///< of the codes

    void add(std::string_view suffix, DType dtype, StoredPart part, int64_t length);
    void add(std::string_view suffix, DType dtype, StoredPart part, int64_t rows, int64_t cols);

private:
    std::array<StoredShape, 11> m_items;
    size_t m_count = 0;
};

/// `counts[s]` columns are of class s.
StoredShapes columnShapes(int64_t rows, int64_t cols, std::span<const ColumnClass> classes,
                          std::span<const int64_t> counts, DType rawDtype);
StoredShapes groupShapes(int64_t rows, int64_t cols, const GroupFormat& format);

/// Adds the tensors of a linear to `parts`; the padding of codes is collected in bits, and told
/// from the codes once, at the end.
void addStored(SizeParts& parts, const StoredShapes& shapes, int64_t& paddingBits);
void splitPadding(SizeParts& parts, int64_t paddingBits);

/// Columns of each class. `classOf` must be in range.
std::vector<int64_t> countClasses(std::span<const uint8_t> classOf, size_t classes);

/// Throws Error(where + …) unless the classes are ones that FORMAT §1 allows, widest first and
/// without repetition.
void checkClasses(std::span<const ColumnClass> classes, int64_t rows, const std::string& where);
void checkGroupFormat(const GroupFormat& format, int64_t cols, const std::string& where);

inline int64_t groupCount(int64_t cols, int64_t groupSize) {
    return (cols + groupSize - 1) / groupSize;
}

/// A tensor of `tensors` with exactly this dtype and shape; throws Error naming it.
std::span<const std::byte> requireStored(const std::string& layer, const StoredShape& shape,
                                         const TensorsBySuffix& tensors);
/// Throws Error for a tensor that `shapes` does not have.
void refuseOthers(const std::string& layer, const StoredShapes& shapes,
                  const TensorsBySuffix& tensors);

/// The classes of a layer and the class of every source column, checked.
struct StoredClasses {
    std::vector<ColumnClass> classes;
    std::vector<uint8_t> classOf;
};
StoredClasses readClasses(const std::string& layer, int64_t rows, int64_t cols,
                          const TensorsBySuffix& tensors);

/// Infinity and NaN are the halves with all exponent bits set.
constexpr bool isFiniteHalf(uint16_t bits) {
    return (bits & 0x7c00) != 0x7c00;
}
constexpr bool isFiniteBfloat16(uint16_t bits) {
    return (bits & 0x7f80) != 0x7f80;
}

} // namespace bitloom
