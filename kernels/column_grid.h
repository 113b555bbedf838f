// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/sorted_column.h"

/// Within kernels/: affine grids of a sorted column. column_quantizer.cpp says how they are made.
namespace bitloom::kernels {

/// Code c stands for offset + step·c.
struct Affine {
    double step = 0, offset = 0;
};

/// One step of the alternation: the error of a grid with nearest codes, and the grid that fits
/// these codes best. The loss of another grid (s, o) with the same codes is, per weight, (o +
/// s·meanCode - refit.offset - refit.step·meanCode)² + codeVariance·(s - refit.step)².
struct AffineStep {
    double error = kInfinity;
    Affine refit;
    double meanCode = 0, codeVariance = 0;
};

/// Fits a grid to `column`; returns the squared error of what is stored.
double fitGrid(const Column& column, int bits, const ColumnCode* start, ColumnCode& code);

/// The fp16 pair that loses least against the optimum `at.refit` for its codes.
void roundToGrid(const AffineStep& at, ColumnCode& code);

} // namespace bitloom::kernels
