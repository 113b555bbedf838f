// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/sorted_column.h"

#include <cstdint>

/// Within kernels/: k-means tables of a sorted column. column_quantizer.cpp says how they are made.
namespace bitloom::kernels {

inline constexpr int kMaxBins = 128;

/// Best partitions of a column's bins into 1…layers clusters, by dynamic programming. Its splits
/// lie in the scratch memory: they are gone when another one is made.
struct Partition {
    int bins = 0, stride = 0, layers = 0;
    uint32_t edges[kMaxBins + 1];
};

/// Fits a table to `column`; `partition` is made, for up to `layers` clusters, if it has none yet,
/// and used for the widths after it. Returns the squared error of the stored table.
double fitTable(const Column& column, int bits, ColumnScratch& scratch, Partition& partition,
                int layers, const ColumnCode* start, ColumnCode& code);

/// Best storable table for non-decreasing values with weights `counts`. `lattice`: the column has
/// no more different weights than the table has entries, so that a scale may exist which loses
/// nothing.
void roundToTable(const double* values, const double* counts, int bits, bool lattice,
                  ColumnCode& code);

/// What the codes of a stored table stand for: [2^bits].
void tableValues(const ColumnCode& code, float* values);

} // namespace bitloom::kernels
