// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/channel_envelope.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

void PixelEnvelope::build(const EnvelopeSource& source, double first, double last, int columns) {
    Column blank;
    blank.top.fill(absent);
    m_columns.assign(size_t(std::max(columns, 0)), blank);
    const int count = int(source.values.size());
    if (columns <= 0 || count == 0 || !(last > first)) return;
    m_scale = columns / (last - first);
    if (m_scale < 1)
        buildNarrow(source, first, last);
    else
        buildWide(source, first, last);
}

/// At most one column a channel: the hot path of layers with many channels.
void PixelEnvelope::buildNarrow(const EnvelopeSource& source, double first, double last) {
    const int begin = std::max(0, int(std::floor(first)));
    const int end = std::min(int(source.values.size()), int(std::ceil(last)));
    const int most = int(m_columns.size()) - 1;
    for (int position = begin; position < end; ++position) {
        const size_t k = size_t(source.order.empty() ? position : source.order[size_t(position)]);
        // Truncation rounds down all but the half channel at the left edge, which it puts at 0.
        Column& column = m_columns[size_t(std::min(int((position - first) * m_scale), most))];
        const float value = source.values[k];
        float& top = column.top[size_t(source.bits.empty() ? 0 : slotOf(source.bits[k]))];
        if (value > top && value <= std::numeric_limits<float>::max()) top = value;
        if (!source.pins.empty() && source.pins[k]) column.pin = source.pins[k];
        if (!source.selected.empty() && source.selected[k]) column.selected = true;
    }
}

void PixelEnvelope::buildWide(const EnvelopeSource& source, double first, double last) {
    const int columns = int(m_columns.size()), count = int(source.values.size());
    // Wide channels are set apart by a gap of one column.
    const int gap = m_scale >= 4 ? 1 : 0;
    const int begin = std::max(0, int(std::floor(first)));
    const int end = std::min(count, int(std::ceil(last)));
    for (int position = begin; position < end; ++position) {
        const int channel = source.order.empty() ? position : source.order[size_t(position)];
        const size_t k = size_t(channel);
        const double left = (position - first) * m_scale;
        int from = int(std::floor(left));
        int to = std::max(int(std::floor(left + m_scale)) - gap, from + 1);
        // Half a channel at the edge is still there.
        from = std::clamp(from, 0, columns - 1);
        to = std::clamp(to, from + 1, columns);
        const float value = source.values[k];
        const int slot = source.bits.empty() ? 0 : slotOf(source.bits[k]);
        for (int c = from; c < to; ++c) {
            Column& column = m_columns[size_t(c)];
            if (std::isfinite(value))
                column.top[size_t(slot)] = std::max(column.top[size_t(slot)], value);
            if (!source.pins.empty() && source.pins[k]) column.pin = source.pins[k];
            if (!source.selected.empty() && source.selected[k]) column.selected = true;
        }
        // The gap belongs to the selection and to the pin, so that both stay in one piece.
        if (gap && to < columns && to > 0) {
            if (!source.pins.empty() && source.pins[k]) m_columns[size_t(to)].pin = source.pins[k];
            if (!source.selected.empty() && source.selected[k])
                m_columns[size_t(to)].selected = true;
        }
    }
}

} // namespace bitloom::ui
