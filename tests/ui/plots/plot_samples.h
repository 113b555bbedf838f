// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"
#include "ui/plots/plot_theme.h"

#include <QApplication>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QPalette>

#include <algorithm>
#include <cmath>
#include <random>

/// Data for plots in tests, benchmarks and the gallery: the bundled sample's real statistics, and
/// layers of any size made up with the same shape.
namespace bitloom::ui::samples {

inline QJsonObject statistics() {
    QFile file(QStringLiteral(BITLOOM_TEST_DATA "/ui/sample_statistics.json"));
    if (!file.open(QIODevice::ReadOnly)) qFatal("tests/data/ui/sample_statistics.json is missing");
    return QJsonDocument::fromJson(file.readAll()).object();
}

inline std::vector<float> floats(const QJsonValue& value) {
    std::vector<float> list;
    for (const QJsonValue& v : value.toArray())
        list.push_back(float(v.toDouble()));
    return list;
}

struct Layer {
    ChannelData data;
    std::vector<uint8_t> bits;
};

/// All metrics of layers.3.mlp.down_proj of the sample, with bits for 3 bits per weight.
inline Layer realLayer() {
    const QJsonObject source = statistics()[QStringLiteral("channels")].toObject();
    Layer layer;
    layer.data.layer = source[QStringLiteral("layer")].toString();
    layer.data.rows = source[QStringLiteral("rows")].toInt();
    const char* keys[] = {"abs_max", "rms", "weight_rms", "sensitivity", "predicted_error"};
    for (size_t i = 0; i < 5; ++i)
        layer.data.values[i] = floats(source[QLatin1String(keys[i])]);
    layer.data.units[size_t(ChannelMetric::Sensitivity)] =
        QStringLiteral("nats per token at 3 bits");
    layer.data.units[size_t(ChannelMetric::PredictedError)] = QStringLiteral("nats per token");
    layer.data.channels = int(layer.data.values[0].size());
    for (const float bits : floats(source[QStringLiteral("bits")]))
        layer.bits.push_back(uint8_t(bits));
    return layer;
}

/// Log-normal magnitudes with a few heavy outliers, as large models have them; `bits` by rank.
inline Layer syntheticLayer(int channels, uint32_t seed = 7) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Layer layer;
    layer.data.layer = QStringLiteral("layers.12.mlp.up_proj");
    layer.data.rows = 11'008;
    layer.data.channels = channels;
    for (std::vector<float>& values : layer.data.values)
        values.resize(size_t(channels));
    for (int k = 0; k < channels; ++k) {
        float peak = 1.3f * std::exp(0.38f * normal(random));
        const uint32_t lot = random() % 1000;
        if (lot < 5) peak *= 12;
        if (k % std::max(channels / 4, 1) == channels / 7) peak *= 160;
        const size_t i = size_t(k);
        layer.data.values[0][i] = peak;
        layer.data.values[1][i] = peak * (0.16f + 0.02f * normal(random));
        layer.data.values[2][i] = 0.02f * std::exp(0.1f * normal(random));
        layer.data.values[3][i] = 2e-8f * peak * peak * std::exp(0.5f * normal(random));
        layer.data.values[4][i] = layer.data.values[3][i] * 0.4f;
    }
    std::vector<float> sorted = layer.data.values[3];
    std::sort(sorted.begin(), sorted.end());
    const auto limit = [&](double share) { return sorted[size_t(share * (channels - 1))]; };
    const float limits[] = {limit(0.36),  limit(0.72),  limit(0.92),
                            limit(0.985), limit(0.995), limit(0.9995)};
    const uint8_t widths[] = {2, 3, 4, 5, 6, 8, 16};
    for (const float value : layer.data.values[3]) {
        size_t step = 0;
        while (step < 6 && value > limits[step])
            ++step;
        layer.bits.push_back(widths[step]);
    }
    layer.data.units[3] = QStringLiteral("nats per token at 3 bits");
    layer.data.units[4] = QStringLiteral("nats per token");
    return layer;
}

/// Sensitivities of all layers of the sample at 24 quantiles.
inline HeatMapData realHeatMap() {
    const QJsonArray layers = statistics()[QStringLiteral("layers")].toArray();
    HeatMapData map;
    map.quantity = QStringLiteral("sensitivity");
    map.unit = QStringLiteral("nats per token at 3 bits");
    map.columnTitle = QStringLiteral("channel quantile, low to high, in each kind");
    map.rowTitle = QStringLiteral("layer");
    map.kinds = {QStringLiteral("q"),   QStringLiteral("k"),    QStringLiteral("v"),
                 QStringLiteral("o"),   QStringLiteral("gate"), QStringLiteral("up"),
                 QStringLiteral("down")};
    const int rows = int(layers.size() / map.kinds.size());
    for (int row = 0; row < rows; ++row)
        map.rows << QString::number(row);
    map.columns = 24;
    for (int kind = 0; kind < map.kinds.size(); ++kind)
        for (int row = 0; row < rows; ++row)
            for (const float v : floats(layers[row * map.kinds.size() + kind]
                                            .toObject()[QStringLiteral("sensitivity")]))
                map.values.push_back(v);
    return map;
}

/// A map of any size; rows from `known` on are not there yet.
inline HeatMapData syntheticHeatMap(int kinds, int rows, int columns, int known) {
    HeatMapData map = realHeatMap();
    map.kinds = kinds == 1 ? QStringList{QStringLiteral("all layers")} : map.kinds.mid(0, kinds);
    map.rows.clear();
    for (int row = 0; row < rows; ++row)
        map.rows << QString::number(row);
    map.columns = columns;
    map.values.clear();
    std::mt19937 random(3);
    std::normal_distribution<double> normal;
    for (int kind = 0; kind < kinds; ++kind)
        for (int row = 0; row < rows; ++row) {
            const double level = -8.4 + 0.3 * kind + 0.25 * normal(random) + 0.6 * row / rows;
            for (int column = 0; column < columns; ++column) {
                const double t = (column + 0.5) / columns;
                const double value = level + 0.9 * t + 0.06 / (1.03 - t) + 0.01 * normal(random);
                map.values.push_back(row < known ? float(std::pow(10, value)) : NAN);
            }
        }
    return map;
}

/// The sample's table of measurements (tests/bench/results), with a curve through the predictions.
inline ParetoData realPareto() {
    ParetoData data;
    data.text = QStringLiteral("tales");
    data.fp16Perplexity = 13.271;
    data.fp16Sigma = 0.0;
    data.fp16Bytes = 8.39e6;
    for (double bits = 2.1; bits <= 6.001; bits += 0.1) {
        const double delta = 0.1105 * std::exp(-1.53 * (bits - 2.2)) * 1.02;
        const double ppl = data.fp16Perplexity * std::exp(delta);
        data.predicted.push_back({bits, (1.2e6 + bits * 2.95e6 / 8 * 1.05), ppl,
                                  data.fp16Perplexity * std::exp(delta * 0.86),
                                  data.fp16Perplexity * std::exp(delta * 1.15)});
    }
    const auto plan = [&](const char* name, double bits, double ppl, double sigma,
                          double predicted) {
        MeasuredMark mark;
        mark.label = QString::fromUtf8(name);
        mark.bits = bits;
        mark.bytes = 1.2e6 + bits * 2.95e6 / 8 * 1.05;
        mark.perplexity = ppl;
        mark.sigma = sigma;
        mark.predicted = predicted;
        mark.text = data.text;
        mark.tokens = 163'840;
        data.measured.push_back(mark);
    };
    plan("Laptop", 2.2, 14.9106, 0.033, 14.67);
    plan("Small", 2.5, 14.2985, 0.026, 14.11);
    plan("Balanced", 3.0, 13.6943, 0.015, 13.71);
    plan("Careful", 4.0, 13.3647, 0.007, 13.39);
    const auto other = [&](MeasuredMark::Family family, const char* series, const char* name,
                           double bits, double ppl, double sigma) {
        plan(name, bits, ppl, sigma, NAN);
        data.measured.back().family = family;
        data.measured.back().series = QString::fromUtf8(series);
    };
    using Family = MeasuredMark::Family;
    other(Family::Other, "CMPQ", "CMPQ 2.2", 2.537, 15.5134, 0.04);
    other(Family::Other, "CMPQ", "CMPQ 2.5", 2.863, 14.5586, 0.029);
    other(Family::Other, "CMPQ", "CMPQ 3", 3.417, 13.8629, 0.019);
    other(Family::Other, "CMPQ", "CMPQ 4", 4.599, 13.3834, 0.007);
    other(Family::Uniform, "RTN", "uniform 3", 3.188, 14.3463, 0.024);
    other(Family::Uniform, "RTN", "uniform 4", 4.188, 13.5101, 0.01);
    return data;
}

inline std::vector<TokenDivergence> tokens(int count, uint32_t seed = 11) {
    static const char* words[] = {"Once",    " upon", " a",     " time", ",", " there", " was",
                                  " little", " girl", " named", " Lily", ".", " She",   " loved"};
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<TokenDivergence> list;
    for (int i = 0; i < count; ++i) {
        const float kl = std::exp(-5.2f + 2.0f * normal(random));
        list.push_back({std::min(kl, 0.61f), -kl * normal(random), kl < 0.19f,
                        QString::fromUtf8(words[size_t(random() % std::size(words))])});
    }
    return list;
}

inline QPalette palette(const PlotTheme& theme) {
    QPalette palette;
    palette.setColor(QPalette::Window, theme.window);
    palette.setColor(QPalette::WindowText, theme.text);
    palette.setColor(QPalette::Base, theme.panel);
    palette.setColor(QPalette::AlternateBase, theme.window);
    palette.setColor(QPalette::Text, theme.text);
    palette.setColor(QPalette::Button, theme.dark ? theme.border : theme.panel);
    palette.setColor(QPalette::ButtonText, theme.text);
    palette.setColor(QPalette::PlaceholderText, theme.secondary);
    palette.setColor(QPalette::Highlight, theme.accent);
    palette.setColor(QPalette::HighlightedText, theme.dark ? theme.window : theme.panel);
    return palette;
}

} // namespace bitloom::ui::samples
