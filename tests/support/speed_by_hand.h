// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/speed.h"
#include "ui/state/workbench.h"

#include <algorithm>
#include <cstdint>

namespace bitloom::ui {

/// Kernel times in proportion to the code bits, so that a plan's rate can be counted by hand.
struct SpeedByHand {
    static constexpr double secondsPerBit = 1e-6, otherSeconds = 0.01;

    static SpeedTable table(const ModelData& model) {
        SpeedTable table;
        table.threads = 2;
        table.otherSeconds = otherSeconds;
        for (const LayerEntry& entry : model.entries) {
            const auto same = [&](const SpeedTable::Matrix& m) {
                return m.rows == entry.rows && m.cols == entry.cols;
            };
            if (std::ranges::any_of(table.matrices, same)) continue;
            SpeedTable::Matrix m{entry.rows, entry.cols, {}, 0};
            for (const int width : SpeedTable::widths)
                m.seconds.push_back(secondsPerBit * width * double(entry.rows * entry.cols));
            table.matrices.push_back(m);
        }
        return table;
    }

    /// Tokens per second, from the bits of every channel of the present plan.
    static double tokensPerSecond(const Workbench& workbench) {
        const ModelData& model = *workbench.model();
        double seconds = otherSeconds;
        for (size_t l = 0; l < model.entries.size(); ++l)
            for (const uint8_t point : workbench.plan().points(int(l)))
                seconds += secondsPerBit * model.menu[point].bits * double(model.entries[l].rows);
        return 1 / seconds;
    }
};

} // namespace bitloom::ui
