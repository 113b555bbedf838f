// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QString>

#include <atomic>
#include <vector>

namespace bitloom::ui {

/// A model that lies on this computer, by its headers.
struct LocalModel {
    QString name;     ///< what openModel takes: "org/name"
    QString facts;    ///< "6.74 G parameters, float16"; of one that cannot be opened: why
    qint64 bytes = 0; ///< of its weight files; 0 unknown
    bool opens = false;
};

/// At most `most` models of the local Hugging Face cache, those that can be opened first. Reads
/// headers: for a thread of its own. Stops early when `cancelled`.
std::vector<LocalModel> findLocalModels(size_t most, const std::atomic<bool>& cancelled);

} // namespace bitloom::ui
