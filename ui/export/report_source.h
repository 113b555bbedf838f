// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/report/plan_report.h"
#include "ui/state/workbench.h"

class QWidget;

namespace bitloom::ui {

class ChatSession;

/// The present plan as a report: decision, sizes, bits of every kind of matrix, what was predicted
/// and measured, and the answers of `chat` where those are of this plan (nullptr: none). The
/// workbench must have a plan.
PlanReport reportOf(const Workbench& workbench, const ChatSession* chat);

/// Asks where, and writes it (HTML or PDF by the suffix). True if it was written.
bool saveReport(Workbench& workbench, const ChatSession* chat, QWidget* parent);

} // namespace bitloom::ui
