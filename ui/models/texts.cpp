// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/texts.h"

#include <QCoreApplication>

#include <cmath>

namespace bitloom::ui {

namespace {

constexpr QChar nbsp(0x00A0), minus(0x2212);

QString tr(const char* text, int n = -1) {
    return QCoreApplication::translate("Texts", text, nullptr, n);
}

/// A pattern as unpin() and pinOn() make it, back to the layer's name; empty for any other.
std::string exactName(const std::string& pattern) {
    if (pattern.size() < 3 || pattern.front() != '^' || pattern.back() != '$') return {};
    std::string name;
    for (size_t i = 1; i + 1 < pattern.size(); ++i) {
        if (pattern[i] == '\\') {
            ++i;
            if (i + 1 >= pattern.size()) return {};
        } else if (std::string_view(".[]()*+?|^${}").find(pattern[i]) != std::string_view::npos) {
            return {};
        }
        name += pattern[i];
    }
    return name;
}

/// "2.mlp.up_proj": in lists the block's number says enough.
QString shortPath(const QString& path) {
    const QString prefix = QStringLiteral("layers.");
    return path.startsWith(prefix) ? path.mid(prefix.size()) : path;
}

QString rangesText(const std::vector<std::pair<int64_t, int64_t>>& ranges) {
    const QLocale locale;
    QStringList parts;
    for (const auto& [first, last] : ranges) {
        if (parts.size() == 3) {
            parts.append(QStringLiteral("…"));
            break;
        }
        const QString a = QString::number(first);
        parts.append(first == last ? a : a % QChar(0x2013) % QString::number(last));
    }
    return parts.join(QStringLiteral(", "));
}

} // namespace

QString fixedText(double value, int decimals) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    QString text = QLocale().toString(std::abs(value), 'f', decimals);
    const bool zero = std::abs(value) < 0.5 * std::pow(10.0, -decimals);
    return value < 0 && !zero ? isolated(minus % text) : text;
}

QString signedText(double value, int decimals) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    const bool zero = std::abs(value) < 0.5 * std::pow(10.0, -decimals);
    const QString text = fixedText(value, decimals);
    return value > 0 && !zero ? isolated(QLatin1Char('+') % text) : text;
}

QString signedBytesText(double bytes) {
    const QString text = bytesText(QLocale(), std::abs(bytes));
    if (bytes == 0) return text;
    return isolated((bytes > 0 ? QChar(u'+') : minus) % text);
}

QString shapeText(const LayerEntry& layer) {
    const QLocale locale;
    return isolated(locale.toString(qlonglong(layer.rows)) % nbsp % QChar(0x00D7) % nbsp %
                    locale.toString(qlonglong(layer.cols)));
}

QString amountText(double count) {
    static const char* units[] = {"", "k", "M", "G", "T"};
    int unit = 0;
    while (count >= 999.5 && unit < 4) {
        count /= 1000;
        ++unit;
    }
    if (unit == 0) return QLocale().toString(qlonglong(count));
    const int decimals = count < 10 ? 2 : count < 100 ? 1 : 0;
    return isolated(QLocale().toString(count, 'f', decimals) % nbsp %
                    QString::fromLatin1(units[unit]));
}

QString durationText(double seconds) {
    if (seconds < 0 || !std::isfinite(seconds)) return {};
    if (seconds < 90) return isolated(tr("%1 s").arg(std::max(1, int(std::lround(seconds)))));
    if (seconds < 90 * 60) return isolated(tr("%1 min").arg(int(std::lround(seconds / 60))));
    const int minutes = int(std::lround(seconds / 60));
    return isolated(tr("%1 h %2 min").arg(minutes / 60).arg(minutes % 60, 2, 10, QLatin1Char('0')));
}

namespace {
int perplexityDecimals(double nll) {
    const double ppl = std::exp(nll);
    return ppl < 100 ? 2 : ppl < 1000 ? 1 : 0;
}
} // namespace

QString perplexityText(double nll) {
    return nll > 0 ? fixedText(std::exp(nll), perplexityDecimals(nll)) : QStringLiteral("–");
}

QString perplexityErrorText(double error, double nll) {
    return fixedText(error, perplexityDecimals(nll));
}

QString pinText(const Pin& pin, const ModelData* model) {
    QString where;
    if (const std::string name = exactName(pin.pattern); !name.empty()) {
        where = QString::fromStdString(name);
        if (model)
            for (const LayerEntry& entry : model->entries)
                if (entry.name == name) where = shortPath(entry.path);
    } else {
        where = QString::fromStdString(pin.pattern);
    }
    if (pin.channels.empty()) return tr("%1, all channels").arg(where);
    const bool one = pin.channels.size() == 1 && pin.channels[0].first == pin.channels[0].second;
    return (one ? tr("%1, channel %2") : tr("%1, channels %2"))
        .arg(where, rangesText(pin.channels));
}

QString budgetText(const Decision& decision) {
    if (decision.uniformBits) return tr("uniform %1 bits").arg(*decision.uniformBits);
    switch (decision.budget.kind) {
    case Budget::Kind::Bits:
        return tr("%1 bits").arg(fixedText(decision.budget.value, 2));
    case Budget::Kind::Size:
        return tr("at most %1").arg(bytesText(QLocale(), decision.budget.value));
    case Budget::Kind::Speed:
        return tr("at least %1 tokens/s").arg(QLocale().toString(decision.budget.value, 'g', 3));
    case Budget::Kind::Perplexity:
        break;
    }
    return tr("ppl at most +%1 %").arg(fixedText(decision.budget.value * 100, 1));
}

QString pointInWords(const OperatingPoint& point) {
    QString text = point.kind == PointKind::Raw     ? tr("as stored (16 bits)")
                   : point.kind == PointKind::Table ? tr("%1 bits, table").arg(point.bits)
                                                    : tr("%1 bits, grid").arg(point.bits);
    if (point.outlierFraction > 0)
        text += tr(", %1 % outliers").arg(QLocale().toString(point.outlierFraction * 100));
    return text;
}

QString otherMachineText() {
    return tr(
        "The model is on another machine than the engine. Open it there, or choose its engine "
        "in the preferences.");
}

QString planName(const Workbench& workbench) {
    const QString preset = workbench.currentPreset();
    if (!preset.isEmpty()) return preset;
    if (!workbench.lastPreset().isEmpty()) return tr("%1, edited").arg(workbench.lastPreset());
    return budgetText(workbench.decision());
}

} // namespace bitloom::ui
