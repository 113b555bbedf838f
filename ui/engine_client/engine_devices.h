// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QJsonObject>
#include <QString>

namespace bitloom::ui {

/// Where an engine carries a method out that is not told a device: decided by how it was started
/// and by what its machine has, which need not be this one.
struct EngineDevice {
    bool cuda = false;
    QString reason; ///< why a GPU cannot be used for the method there; empty: it can

    QString key() const; ///< "cuda" or "cpu", as results name it
    /// By the answer to `hello`; `method` is "quantize", "generate" and so on.
    static EngineDevice of(const QJsonObject& hello, const QString& method);
};

} // namespace bitloom::ui
