// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/metric_help.h"

#include <QCoreApplication>

namespace bitloom::ui {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("MetricHelp", text);
}

/// Name, formula, words; as rich text, since What's This shows it so.
QString help(const QString& name, const QString& formula, const QString& words) {
    return QStringLiteral("<p><b>%1</b></p><p>%2</p><p>%3</p>")
        .arg(name.toHtmlEscaped(), formula.toHtmlEscaped(), words.toHtmlEscaped());
}

} // namespace

QString metricHelp(ChannelMetric metric) {
    switch (metric) {
    case ChannelMetric::ActivationAbsmax:
        return help(tr("Activation abs-max"), tr("max over tokens t of |x(t,k)|"),
                    tr("The largest magnitude that input channel k of the layer took on the "
                       "calibration text. Channels far above the others are outliers."));
    case ChannelMetric::ActivationRms:
        return help(tr("Activation RMS"), tr("√(mean over tokens t of x(t,k)²)"),
                    tr("How large input channel k usually is. An error in the weights of a "
                       "channel is multiplied by it."));
    case ChannelMetric::WeightNorm:
        return help(tr("Weight RMS"), tr("√(mean over rows j of W(j,k)²)"),
                    tr("How large the weights are that read channel k."));
    case ChannelMetric::Sensitivity:
        return help(tr("Sensitivity"), tr("½ · γ · c(k) · SSE(k, 3 bits), nats per token"),
                    tr("What storing channel k with 3 bits is expected to cost. γ: what the "
                       "layer's output error costs; c(k): how much of the channel the others "
                       "cannot stand in for; SSE: the squared rounding error of its weights."));
    case ChannelMetric::PredictedError:
        return help(tr("Predicted error"),
                    tr("½ · γ · c(k) · SSE(k, bits of the plan), nats per "
                       "token"),
                    tr("What channel k is expected to cost as the present plan stores it. The sum "
                       "over all channels is what the predicted perplexity comes from."));
    case ChannelMetric::Bits:
        return help(tr("Bits"), tr("bits of one weight of channel k in the present plan"),
                    tr("Without scales, tables and other overhead, which the figure bits per "
                       "weight has in it. 16 is stored as it is."));
    }
    return {};
}

QString figureHelp(Figure figure) {
    switch (figure) {
    case Figure::BitsPerWeight:
        return help(tr("Bits per weight"),
                    tr("8 · stored bytes of the quantized layers / their weights"),
                    tr("Everything is counted: codes, tables, scales, zero points, outliers, class "
                       "lists. Embedding, head, norms and the tokenizer are not in it."));
    case Figure::Size:
        return help(tr("Size"), tr("sum of the bytes of all files of the exported folder"),
                    tr("Computed by the code that writes them. The bits per weight of a part are "
                       "its bits divided by the weights of the quantized layers."));
    case Figure::Predicted:
        return help(tr("Predicted perplexity"),
                    tr("exp(NLL of FP16 + s · x · (1 + x / (x₁ + x/2))), x = ½ Σ γ c SSE"),
                    tr("Errors add up worse than linearly where they are large. The scale s starts "
                       "from measurements on the sample and is fitted to your own, the nearest "
                       "budget first; the band is the spread of measured over predicted."));
    case Figure::Measured:
        return help(tr("Measured perplexity"), tr("exp(mean over tokens of −ln p(token))"),
                    tr("Of the quantized model on a text; ± is one standard error over windows of "
                       "the text."));
    case Figure::OffBy:
        return help(tr("Off by"), tr("measured / predicted perplexity − 1"),
                    tr("With the prediction as it was when the plan was measured."));
    case Figure::KlDivergence:
        return help(tr("KL divergence"), tr("mean over tokens of Σ p ln(p / q), nats"),
                    tr("p: probabilities of the next token by FP16, q: by the quantized model. 0 "
                       "is the same model. More telling than perplexity, which can stay equal "
                       "while answers change."));
    case Figure::SameTop:
        return help(tr("Same top token"), tr("share of tokens with argmax p = argmax q"),
                    tr("How often both models find the same next token likeliest, so that greedy "
                       "answers go on alike."));
    case Figure::BitShares:
        return help(tr("Weights by bit width"), tr("weights stored with b bits / all weights"),
                    tr("Of the quantized layers. While the budget is dragged, a line marks where "
                       "each bar was."));
    case Figure::LayerSensitivity:
        return help(tr("Sensitivity of a layer"),
                    tr("Σ over channels of ½ · γ · c · SSE(3 bits), "
                       "nats per token"),
                    tr("What storing the whole layer with 3 bits is expected to cost. Colours are "
                       "by order of magnitude."));
    case Figure::LayerDeltaPpl:
        return help(tr("Δ ppl of a layer"),
                    tr("predicted increase of perplexity · the layer's share of ½ Σ γ c SSE"),
                    tr("As the present plan stores it."));
    case Figure::PinCost:
        return help(tr("Cost of a pin"), tr("with the pin − without it, at the present λ"),
                    tr("Bytes that its channels take more than they would be given, and what the "
                       "predicted perplexity gains by them."));
    case Figure::TokenKl:
        return help(tr("KL of a token"), tr("Σ p ln(p / q) over the vocabulary, nats"),
                    tr("Both models read the left text; p and q are what each expected at this "
                       "place. Thicker lines under the text stand for more."));
    case Figure::LnPplRatio:
        return help(tr("ln PPL ratio"), tr("mean over tokens of ln p(token) − ln q(token)"),
                    tr("How much less likely the quantized model finds the left text, in nats per "
                       "token."));
    }
    return {};
}

} // namespace bitloom::ui
