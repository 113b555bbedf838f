// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QVariantAnimation>
#include <QWidget>

namespace bitloom::ui {

/// One figure of the budget bar: a large number, what belongs to it in small, and a second line for
/// what changed since the handle was grabbed or for what the figure includes. Its width follows a
/// sample text, so digits that change move nothing.
class FigureLabel : public QWidget {
    Q_OBJECT
public:
    explicit FigureLabel(const QString& name, QWidget* parent = nullptr);

    void setSamples(const QString& value, const QString& suffix, const QString& caption);
    void setFigure(const QString& figure, const QString& after);
    /// `change` in the accent colour before `caption`; it fades away once `fading`.
    void setCaption(const QString& below, const QString& difference = {});
    void fadeChange(const QString& captionAfter, bool animate);

    QString plainText() const; ///< all of it, for assistive technology and tests
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    QString m_name, m_value, m_suffix, m_caption, m_change, m_captionAfter;
    QString m_sampleValue, m_sampleSuffix, m_sampleCaption;
    QVariantAnimation m_fade;
    double m_opacity = 1;
};

} // namespace bitloom::ui
