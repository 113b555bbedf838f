// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QColor>
#include <QImage>
#include <QPainter>
#include <QRect>
#include <QString>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace bitloom::ui {

/// Where two pictures of the same view differ for the eye. Both are halved first, which takes the
/// edge off letters that another version of the font renderer sets a fraction of a pixel beside;
/// then tiles of 16 × 16 points are compared by their mean difference. A label that is gone,
/// another colour, or a bar of another length is more than that; smoothing is not.
struct PictureDifference {
    static constexpr int tile = 8;         ///< pixels of the halved pictures
    static constexpr double most = 24;     ///< of 255, mean over a tile's pixels and channels
    static constexpr int tilesAllowed = 2; ///< together: a blinking cursor is none

    bool sameSize = false;
    std::vector<QRect> tiles; ///< in the picture's pixels
    double worst = 0;

    bool differs() const { return !sameSize || int(tiles.size()) > tilesAllowed; }
    QString text() const {
        if (!sameSize) return QStringLiteral("another size");
        return QStringLiteral("%1 tiles differ, the worst by %2 of 255, the first at %3, %4")
            .arg(tiles.size())
            .arg(worst, 0, 'f', 1)
            .arg(tiles.empty() ? 0 : tiles.front().x())
            .arg(tiles.empty() ? 0 : tiles.front().y());
    }

    static PictureDifference of(const QImage& a, const QImage& b) {
        PictureDifference out;
        out.sameSize = a.size() == b.size();
        if (!out.sameSize) return out;
        const auto halved = [](const QImage& image) {
            return image.convertToFormat(QImage::Format_RGB32)
                .scaled(image.width() / 2, image.height() / 2, Qt::IgnoreAspectRatio,
                        Qt::SmoothTransformation);
        };
        const QImage left = halved(a), right = halved(b);
        for (int y = 0; y < left.height(); y += tile)
            for (int x = 0; x < left.width(); x += tile) {
                const int w = std::min(tile, left.width() - x),
                          h = std::min(tile, left.height() - y);
                int sum = 0;
                for (int j = y; j < y + h; ++j)
                    for (int i = x; i < x + w; ++i) {
                        const QRgb p = left.pixel(i, j), q = right.pixel(i, j);
                        sum +=
                            std::max({std::abs(qRed(p) - qRed(q)), std::abs(qGreen(p) - qGreen(q)),
                                      std::abs(qBlue(p) - qBlue(q))});
                    }
                const double mean = double(sum) / (w * h);
                out.worst = std::max(out.worst, mean);
                if (mean > most) out.tiles.emplace_back(2 * x, 2 * y, 2 * w, 2 * h);
            }
        return out;
    }

    /// The newer picture with the tiles marked.
    QImage marked(const QImage& picture) const {
        QImage image = picture.convertToFormat(QImage::Format_RGB32);
        image.setDevicePixelRatio(1);
        QPainter painter(&image);
        painter.setPen(QColor(Qt::red));
        for (const QRect& rect : tiles)
            painter.drawRect(rect);
        return image;
    }
};

} // namespace bitloom::ui
