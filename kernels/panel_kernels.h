// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_panels.h"

/// Within kernels/: the versions of the panel kernels, one file for each instruction set.
namespace bitloom::kernels {

/// Null where the compiler does not know the instructions.
extern const PanelMatvec panelMatvecAvx2, panelMatvecAvxVnni;
extern const PanelMatvec panelMatvecAvx512; ///< with VBMI and VNNI
/// Processor and operating system both.
bool runsAvx2();
bool runsAvxVnni();
bool runsAvx512Vnni();

} // namespace bitloom::kernels
