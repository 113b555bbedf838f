// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QByteArray>

namespace bitloom::ui {

/// Content streams of a PDF, unpacked.
inline QByteArray pdfContent(const QByteArray& pdf) {
    QByteArray content;
    for (qsizetype at = pdf.indexOf("stream\n"); at >= 0; at = pdf.indexOf("stream\n", at + 1)) {
        if (at >= 3 && pdf.mid(at - 3, 3) == "end") continue;
        const qsizetype begin = at + 7, end = pdf.indexOf("endstream", begin);
        // qUncompress wants the unpacked size in front; a hint is enough.
        QByteArray packed = pdf.mid(begin, end - begin);
        packed.prepend(QByteArray("\0\1\0\0", 4));
        if (uchar(packed[4]) == 0x78) content += qUncompress(packed);
    }
    return content;
}

} // namespace bitloom::ui
