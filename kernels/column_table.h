// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_table_fit.h"

/// Within kernels/: tables as the processor fits them.
namespace bitloom::kernels {

double fitTable(const Column& column, int bits, ColumnScratch& scratch, Partition& partition,
                int layers, const ColumnCode* start, ColumnCode& code);

} // namespace bitloom::kernels
