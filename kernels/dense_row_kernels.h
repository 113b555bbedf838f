// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/dense_rows.h"

/// Within kernels/: the versions of the dense row kernels.
namespace bitloom::kernels {

/// With null members where the compiler does not know the instructions.
extern const DenseRowKernels denseRowsAvx2;   ///< with FMA and F16C
extern const DenseRowKernels denseRowsAvx512; ///< with BW, DQ and VL
bool runsDenseAvx2();
bool runsDenseAvx512();

} // namespace bitloom::kernels
