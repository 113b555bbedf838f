// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_grid.h"

#include "kernels/processor_loops.h"

namespace bitloom::kernels {

double fitGrid(const Column& column, int bits, const ColumnCode* start, ColumnCode& code) {
    return fitGrid(ProcessorLoops(), column, bits, start, code);
}

} // namespace bitloom::kernels
