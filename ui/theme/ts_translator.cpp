// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/theme/ts_translator.h"

#include "core/base/log.h"

#include <QFile>
#include <QXmlStreamReader>

static void initialiseTranslations() {
    Q_INIT_RESOURCE(translations);
}

namespace bitloom::ui {

namespace {

/// Contexts are class names; their namespace is left out, so files stay readable.
QByteArray keyOf(const QByteArray& context, const QByteArray& source, const QByteArray& comment) {
    const qsizetype scope = context.lastIndexOf("::");
    QByteArray key = scope < 0 ? context : context.mid(scope + 2);
    key.append('\0').append(source).append('\0').append(comment);
    return key;
}

} // namespace

bool TsTranslator::loadText(const QByteArray& xml) {
    QXmlStreamReader reader(xml);
    QByteArray context, source, comment;
    QStringList forms;
    bool finished = false;
    while (!reader.atEnd()) {
        const auto token = reader.readNext();
        const QString name = reader.name().toString();
        if (token == QXmlStreamReader::StartElement) {
            if (name == QLatin1String("message")) {
                source.clear();
                comment.clear();
                forms.clear();
                finished = false;
            } else if (name == QLatin1String("name")) {
                context = reader.readElementText().toUtf8();
            } else if (name == QLatin1String("source")) {
                source = reader.readElementText().toUtf8();
            } else if (name == QLatin1String("comment")) {
                comment = reader.readElementText().toUtf8();
            } else if (name == QLatin1String("translation")) {
                finished = reader.attributes().value(QLatin1String("type")).isEmpty();
                QString text;
                while (!reader.atEnd()) {
                    const auto inner = reader.readNext();
                    if (inner == QXmlStreamReader::EndElement &&
                        reader.name() == QLatin1String("translation"))
                        break;
                    if (inner == QXmlStreamReader::StartElement &&
                        reader.name() == QLatin1String("numerusform"))
                        forms.append(reader.readElementText());
                    else if (inner == QXmlStreamReader::Characters)
                        text += reader.text();
                }
                if (forms.isEmpty()) forms.append(text);
            }
        } else if (token == QXmlStreamReader::EndElement && name == QLatin1String("message")) {
            if (finished && !forms.isEmpty() && !forms.first().isEmpty())
                m_texts.insert(keyOf(context, source, comment), forms);
        }
    }
    if (!reader.hasError()) return true;
    logger("ui")->warn("translations could not be read, line {}: {}", reader.lineNumber(),
                       reader.errorString().toStdString());
    return false;
}

bool TsTranslator::loadResource(const QString& language) {
    initialiseTranslations();
    QFile file(QStringLiteral(":/translations/bitloom_%1.ts").arg(language));
    return file.open(QIODevice::ReadOnly) && loadText(file.readAll());
}

QStringList TsTranslator::languages() {
    return {QStringLiteral("de")};
}

QString TsTranslator::translate(const char* context, const char* source, const char* disambiguation,
                                int n) const {
    auto found = m_texts.find(keyOf(context, source, disambiguation));
    if (found == m_texts.end() && disambiguation && *disambiguation)
        found = m_texts.find(keyOf(context, source, {}));
    if (found == m_texts.end()) return {};
    const QStringList& forms = *found;
    return n == 1 || n < 0 ? forms.first() : forms.last();
}

QString PseudoTranslator::translate(const char*, const char* source, const char*, int) const {
    QString text = QString::fromUtf8(source);
    if (text.trimmed().isEmpty()) return text;
    static const QString plain = QStringLiteral("aeiouAEIOU"),
                         marked = QStringLiteral("āēīōūĀĒĪŌŪ");
    bool inTag = false, inArgument = false;
    for (QChar& c : text) {
        if (c == QLatin1Char('<')) inTag = true;
        if (!inTag && !inArgument)
            if (const qsizetype at = plain.indexOf(c); at >= 0) c = marked[at];
        inArgument = c == QLatin1Char('%');
        if (c == QLatin1Char('>')) inTag = false;
    }
    // German is about a third longer than English.
    const qsizetype more = std::max<qsizetype>(1, text.size() * 3 / 10);
    return QLatin1Char('[') % text % QString(more, QLatin1Char('~')) % QLatin1Char(']');
}

} // namespace bitloom::ui
