// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/engine_client/engine_devices.h"

#include <QJsonArray>
#include <QJsonValue>
#include <QLatin1String>

namespace bitloom::ui {

QString EngineDevice::key() const {
    return cuda ? QStringLiteral("cuda") : QStringLiteral("cpu");
}

EngineDevice EngineDevice::of(const QJsonObject& hello, const QString& method) {
    EngineDevice out;
    const QString started = hello[QLatin1String("device")].toString(QStringLiteral("cpu"));
    for (const QJsonValue& value : hello[QLatin1String("devices")].toArray()) {
        const QJsonObject device = value.toObject();
        if (device[QLatin1String("name")].toString() != QLatin1String("cuda")) continue;
        const bool able = device[QLatin1String("methods")].toArray().contains(QJsonValue(method));
        const char* reason = method == QLatin1String("generate") ? "generate_reason" : "reason";
        out.cuda = able && started != QLatin1String("cpu");
        if (!able) out.reason = device[QLatin1String(reason)].toString();
    }
    return out;
}

} // namespace bitloom::ui
