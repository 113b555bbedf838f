// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/divergence_model.h"

#include <QJsonArray>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

void DivergenceModel::clear() {
    m_tokens.clear();
    m_first = -1;
}

bool DivergenceModel::add(const QJsonObject& piece) {
    const auto list = [&](const char* key) { return piece[QLatin1String(key)].toArray(); };
    const QJsonArray kl = list("kl"), delta = list("delta_logprob"), logProb = list("logprob"),
                     reference = list("reference_logprob"), same = list("same_top"),
                     ids = list("ids"), text = list("text");
    const qsizetype count = kl.size();
    for (const QJsonArray& other : {delta, logProb, reference, same, ids, text})
        if (other.size() != count) return false;
    const auto first = qint64(piece[QLatin1String("first")].toDouble(-1));
    if (first < 0 || (m_first >= 0 && first != m_first + size())) return false;
    if (m_first < 0) m_first = first;
    const auto number = [](const QJsonValue& value) {
        return value.isDouble() ? float(value.toDouble()) : std::nanf(""); // null: not finite
    };
    for (qsizetype i = 0; i < count; ++i)
        m_tokens.push_back({ids[i].toInt(-1), text[i].toString(), number(kl[i]), number(delta[i]),
                            number(logProb[i]), number(reference[i]), same[i].toBool()});
    return true;
}

DivergenceModel::Summary DivergenceModel::summary() const {
    Summary out;
    out.tokens = size();
    std::vector<double> kl;
    kl.reserve(m_tokens.size());
    int ratios = 0;
    for (const TokenScore& token : m_tokens) {
        out.otherTop += !token.sameTop;
        if (std::isfinite(token.kl)) kl.push_back(double(token.kl));
        if (!std::isfinite(token.deltaLogProb)) continue;
        out.lnPplRatio -= double(token.deltaLogProb);
        ++ratios;
    }
    if (ratios > 0) out.lnPplRatio /= ratios;
    if (out.tokens > 0) out.sameTop = 1 - double(out.otherTop) / out.tokens;
    if (kl.empty()) return out;
    std::ranges::sort(kl);
    for (const double value : kl)
        out.klMean += value / double(kl.size());
    const auto quantile = [&](double q) {
        return kl[std::min(kl.size() - 1, size_t(q * double(kl.size())))];
    };
    out.klMedian = quantile(0.5);
    out.klP99 = quantile(0.99);
    out.klMax = kl.back();
    return out;
}

int DivergenceModel::otherTop(int from, int step) const {
    for (int i = from + step; i >= 0 && i < size(); i += step)
        if (!m_tokens[size_t(i)].sameTop) return i;
    return -1;
}

int DivergenceModel::otherTopCount() const {
    return int(std::ranges::count(m_tokens, false, &TokenScore::sameTop));
}

int DivergenceModel::otherTopRank(int token) const {
    const int end = std::clamp(token + 1, 0, size());
    return int(std::count_if(m_tokens.begin(), m_tokens.begin() + end,
                             [](const TokenScore& score) { return !score.sameTop; }));
}

} // namespace bitloom::ui
