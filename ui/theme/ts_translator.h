// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QHash>
#include <QTranslator>

namespace bitloom::ui {

/// Reads translations straight from a .ts file (the text format of Qt Linguist), so that neither
/// building nor translating needs lrelease. Unfinished entries are left out: their text stays
/// English. Plural forms as German and English have them: one, and other.
class TsTranslator : public QTranslator {
    Q_OBJECT
public:
    using QTranslator::QTranslator;

    bool loadText(const QByteArray& xml);       ///< false, with a line in the log, if it is damaged
    bool loadResource(const QString& language); ///< ":/translations/bitloom_de.ts"
    static QStringList languages();             ///< that there are files of, besides English

    QString translate(const char* context, const char* source, const char* disambiguation,
                      int n) const override;
    bool isEmpty() const override { return m_texts.isEmpty(); }

private:
    QHash<QByteArray, QStringList> m_texts; ///< context\0source\0comment → forms
};

/// Lengthens and accents every text ("[Ōpēn model ~~]"), to find what would be clipped.
class PseudoTranslator : public QTranslator {
    Q_OBJECT
public:
    using QTranslator::QTranslator;
    QString translate(const char* context, const char* source, const char* disambiguation,
                      int n) const override;
    bool isEmpty() const override { return false; }
};

} // namespace bitloom::ui
