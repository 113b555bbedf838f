// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/channel_plot_private.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr double kDragDistance = 4;   ///< before a press becomes a drag
constexpr double kSnapDistance = 3;   ///< the pointer takes the tallest channel this near
constexpr double kWheelFactor = 1.25; ///< per notch

} // namespace

bool ChannelPlot::canvasEvent(QEvent* event) {
    if (event->type() == QEvent::Resize) d->fitHeader();
    if (d->channels() <= 0) return false;
    switch (event->type()) {
    case QEvent::MouseButtonPress:
        return d->mousePress(static_cast<QMouseEvent*>(event));
    case QEvent::MouseMove:
        return d->mouseMove(static_cast<QMouseEvent*>(event));
    case QEvent::MouseButtonRelease:
        return d->mouseRelease(static_cast<QMouseEvent*>(event));
    case QEvent::MouseButtonDblClick:
        resetZoom();
        return true;
    case QEvent::Wheel:
        return d->wheel(static_cast<QWheelEvent*>(event));
    case QEvent::KeyPress:
        return d->key(static_cast<QKeyEvent*>(event));
    case QEvent::Leave:
        if (d->hovering) d->moveCursor(-1, false);
        return false;
    default:
        return false;
    }
}

bool ChannelPlot::Private::mousePress(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !area().contains(event->position())) return false;
    plot->setFocus(Qt::MouseFocusReason);
    dragStart = event->position();
    dragFirst = first;
    const Qt::KeyboardModifiers keys = event->modifiers();
    if (keys & (Qt::ShiftModifier | Qt::ControlModifier)) {
        drag = Drag::Select;
        dragAdds = keys & Qt::ControlModifier;
        selectedBefore = selected;
        selectPositions(int(std::floor(positionAt(dragStart.x()))),
                        int(std::floor(positionAt(dragStart.x()))), dragAdds);
    } else {
        drag = Drag::Undecided;
    }
    return true;
}

bool ChannelPlot::Private::mouseMove(QMouseEvent* event) {
    const QPointF at = event->position();
    if (drag == Drag::Undecided && std::abs(at.x() - dragStart.x()) >= kDragDistance) {
        drag = Drag::Pan;
        plot->setCursor(Qt::ClosedHandCursor);
    }
    switch (drag) {
    case Drag::Pan: {
        const double shift = (dragStart.x() - at.x()) / area().width() * (last - first);
        setView(dragFirst + shift, dragFirst + shift + (last - first));
        return true;
    }
    case Drag::Select: {
        selected = selectedBefore;
        selectPositions(int(std::floor(positionAt(dragStart.x()))),
                        int(std::floor(positionAt(at.x()))), dragAdds);
        return true;
    }
    case Drag::Undecided:
        return true;
    case Drag::None:
        break;
    }
    if (area().contains(at))
        moveCursor(channelNear(at.x()), false);
    else if (hovering)
        moveCursor(-1, false);
    return true;
}

bool ChannelPlot::Private::mouseRelease(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || drag == Drag::None) return false;
    const Drag was = std::exchange(drag, Drag::None);
    plot->unsetCursor();
    if (was == Drag::Undecided) moveCursor(channelNear(event->position().x()), true);
    if (was == Drag::Select) emit q->selectionChanged(q->selection());
    return true;
}

bool ChannelPlot::Private::wheel(QWheelEvent* event) {
    const QPoint turn = event->angleDelta();
    const double notches = (std::abs(turn.y()) >= std::abs(turn.x()) ? turn.y() : 0) / 120.0;
    if (notches != 0) {
        q->zoom(std::pow(kWheelFactor, notches), positionAt(event->position().x()) - 0.5);
    } else if (turn.x() != 0) {
        const double shift = -turn.x() / 120.0 * (last - first) / 10;
        setView(first + shift, last + shift);
    }
    event->accept();
    return true;
}

bool ChannelPlot::Private::key(QKeyEvent* event) {
    const bool shift = event->modifiers() & Qt::ShiftModifier;
    const bool control = event->modifiers() & Qt::ControlModifier;
    const double middle = cursor >= 0 ? placeOf(cursor) : (first + last - 1) / 2;
    const int step = control ? std::max(1, int((last - first) / 20)) : 1;
    switch (event->key()) {
    case Qt::Key_Left:
        stepCursor(-step, shift);
        return true;
    case Qt::Key_Right:
        stepCursor(step, shift);
        return true;
    case Qt::Key_Home:
        stepCursor(-channels(), shift);
        return true;
    case Qt::Key_End:
        stepCursor(channels(), shift);
        return true;
    case Qt::Key_PageUp:
        setView(first - (last - first), first);
        return true;
    case Qt::Key_PageDown:
        setView(last, last + (last - first));
        return true;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        q->zoom(2, middle);
        return true;
    case Qt::Key_Minus:
        q->zoom(0.5, middle);
        return true;
    case Qt::Key_0:
        q->resetZoom();
        return true;
    case Qt::Key_Space:
        if (cursor < 0) return true;
        selected.resize(size_t(channels()), 0);
        selected[size_t(cursor)] ^= 1;
        selectionEdited();
        return true;
    case Qt::Key_A:
        if (!control) return false;
        q->setSelection({{0, channels() - 1}});
        return true;
    case Qt::Key_Escape:
        if (q->selection().empty()) return false;
        q->setSelection({});
        return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        askForPins();
        return true;
    default:
        return false;
    }
}

int ChannelPlot::Private::channelNear(double x) const {
    const int from = std::max(int(std::floor(positionAt(x - kSnapDistance))), 0);
    const int to = std::min(int(std::floor(positionAt(x + kSnapDistance))), channels() - 1);
    const int here = std::clamp(int(std::floor(positionAt(x))), 0, channels() - 1);
    const std::span<const float> value = values();
    // Channels that are wide enough to hit are hit exactly.
    if (value.empty() || area().width() / (last - first) >= 2 * kSnapDistance)
        return channelAt(here);
    int best = channelAt(here);
    for (int position = from; position <= to; ++position) {
        const int channel = channelAt(position);
        const float v = value[size_t(channel)], top = value[size_t(best)];
        if (v > top || (std::isnan(top) && !std::isnan(v))) best = channel;
    }
    return best;
}

void ChannelPlot::Private::moveCursor(int channel, bool byHand) {
    if (channel >= channels()) channel = -1;
    hovering = !byHand && channel >= 0;
    if (channel == cursor) return;
    cursor = channel;
    bool moved = false;
    if (byHand && cursor >= 0) {
        const double position = placeOf(cursor), span = last - first;
        if (position < first || position + 1 > last) {
            setView(position - span / 2, position + span / 2);
            moved = true;
        }
    }
    if (!moved) plot->layer(QStringLiteral("overlay"))->replot();
    q->tellReadout();
    emit q->cursorMoved(cursor);
}

void ChannelPlot::Private::stepCursor(int steps, bool extend) {
    const int from = cursor >= 0 ? placeOf(cursor) : int((first + last) / 2);
    const int to = std::clamp(cursor >= 0 ? from + steps : from, 0, channels() - 1);
    moveCursor(channelAt(to), true);
    if (extend) {
        selectPositions(from, to, true);
        emit q->selectionChanged(q->selection());
    }
}

void ChannelPlot::Private::selectPositions(int from, int to, bool add) {
    if (!add || selected.empty()) selected.assign(size_t(channels()), 0);
    if (from > to) std::swap(from, to);
    for (int position = std::max(from, 0); position <= std::min(to, channels() - 1); ++position)
        selected[size_t(channelAt(position))] = 1;
    redrawBars();
    showSelection();
}

void ChannelPlot::Private::selectionEdited() {
    redrawBars();
    showSelection();
    emit q->selectionChanged(q->selection());
}

void ChannelPlot::Private::askForPins() {
    std::vector<ChannelRange> ranges = q->selection();
    if (ranges.empty() && cursor >= 0) ranges.push_back({cursor, cursor});
    if (!ranges.empty()) emit q->pinRequested(ranges);
}

} // namespace bitloom::ui
