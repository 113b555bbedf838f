// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_table.h"

#include "kernels/processor_loops.h"

namespace bitloom::kernels {

double fitTable(const Column& column, int bits, ColumnScratch& scratch, Partition& partition,
                int layers, const ColumnCode* start, ColumnCode& code) {
    ensure(scratch.centroids, column.size());
    ensure(scratch.costs, size_t(kMaxBins) * kMaxBins);
    ensure(scratch.splits, size_t(kMaxBins) * kMaxTableEntries);
    ensure(scratch.order, kMaxBins + 1);
    const FitMemory memory{scratch.centroids.data(), scratch.costs.data(), scratch.splits.data(),
                           scratch.order.data()};
    return fitTable(ProcessorLoops(), column, bits, memory, partition, layers, start, code);
}

} // namespace bitloom::kernels
