// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

namespace bitloom::ui {

/// Makes canvases of plots speak: role chart, the cursor's read-out as value and the summary as
/// description. Safe to call any number of times; GUI thread.
void installPlotAccessibility();

} // namespace bitloom::ui
