// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_grid_fit.h"

/// Within kernels/: grids as the processor fits them.
namespace bitloom::kernels {

double fitGrid(const Column& column, int bits, const ColumnCode* start, ColumnCode& code);

} // namespace bitloom::kernels
