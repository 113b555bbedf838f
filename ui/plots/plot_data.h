// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QString>
#include <QVector>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace bitloom::ui {

/// What a plot has to say about its data as a whole, besides the data.
struct PlotState {
    enum class Kind {
        Ready,
        Empty,   ///< nothing to show yet: message, detail and perhaps a button
        Loading, ///< a skeleton and a message; progress where it is known
        Partial, ///< shows what is there, with a strip that says how much
        Stale,   ///< shows data that no longer belongs to the plan, and says so
        Error,   ///< what went wrong, and the button that helps
    } kind = Kind::Ready;
    QString message;      ///< one sentence
    QString detail;       ///< what to do; may be empty
    QString action;       ///< text of the button; empty for none
    double progress = -1; ///< [0, 1]; negative: unknown
    bool operator==(const PlotState&) const = default;
};

/// Channels of one layer, inclusive, numbered from 0 in source order.
struct ChannelRange {
    int first = 0, last = 0;
    bool operator==(const ChannelRange&) const = default;
};

enum class ChannelMetric {
    ActivationAbsmax,
    ActivationRms,
    WeightNorm,
    Sensitivity,
    PredictedError,
    Bits
};
inline constexpr int channelMetricCount = 6;
enum class ChannelOrder { Index, ValueDescending, GroupedByBits };

/// One layer as the channel plot sees it. Every vector holds one value per channel or is empty
/// (the metric is not there yet); NaN is a gap.
struct ChannelData {
    QString layer;
    int64_t rows = 0;
    int channels = 0;
    std::array<std::vector<float>, channelMetricCount - 1> values; ///< by ChannelMetric
    std::array<QString, channelMetricCount - 1> units; ///< "nats per token at 3 bits"; may be empty
    const std::vector<float>& of(ChannelMetric metric) const { return values[size_t(metric)]; }
};

/// Channels whose bits were decided by hand.
struct ChannelPin {
    std::vector<ChannelRange> ranges;
    int bits = 0;
};

/// Layers × channel quantiles, one block of columns per kind of matrix.
struct HeatMapData {
    QString quantity;          ///< "sensitivity"
    QString unit;              ///< "nats per token at 3 bits"; may be empty
    QString columnTitle;       ///< "channel quantile, low to high, in each kind"
    QString rowTitle;          ///< "layer"
    QStringList kinds;         ///< "q", "k", …; one block each
    QStringList rows;          ///< name of every row, for ticks and read-outs
    int columns = 0;           ///< cells in a row of one block
    std::vector<float> values; ///< [kind][row][column]; NaN: not there (yet)
    bool logarithmic = true;
    double low =
        std::numeric_limits<double>::quiet_NaN(); ///< ends of the colours; NaN: of the data
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// How many weights are stored with one width.
struct BitShare {
    int bits = 0; ///< 16: raw
    int64_t weights = 0, channels = 0;
    bool operator==(const BitShare&) const = default;
};

/// One point of the predicted curve.
struct PredictedPoint {
    double bits = 0;  ///< true bits per weight
    double bytes = 0; ///< of the whole folder
    double perplexity = 0, low = 0, high = 0;
};

/// A plan or baseline that was carried out and measured.
struct MeasuredMark {
    enum class Family { Plan, Uniform, Other } family = Family::Plan;
    QString label;  ///< "Balanced", "uniform 4", "CMPQ 2.5"
    QString series; ///< Other: points of one series are joined by a line
    double bits = 0, bytes = 0, perplexity = 0, sigma = 0;
    double predicted = std::numeric_limits<double>::quiet_NaN(); ///< for plans, if known
    QString text;                                                ///< measured on
    int64_t tokens = 0;                                          ///< 0: unknown
};

struct ParetoData {
    std::vector<PredictedPoint> predicted; ///< any order
    std::vector<MeasuredMark> measured;
    double fp16Perplexity = std::numeric_limits<double>::quiet_NaN();
    double fp16Sigma = 0, fp16Bytes = 0;
    QString text; ///< what perplexity is predicted on: "wikitext-2"
};

/// One token of the scored text.
struct TokenDivergence {
    float kl = 0;           ///< nats; NaN: not scored
    float deltaLogProb = 0; ///< ln p(plan) − ln p(FP16) of the token, nats
    bool sameTop = true;    ///< both models prefer the same next token
    QString text;
};

} // namespace bitloom::ui
