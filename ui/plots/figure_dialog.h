// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/figure_export.h"

#include <QDialog>

class QComboBox;
class QDialogButtonBox;
class QLabel;
class QLineEdit;

namespace bitloom::ui {

class PlotView;

/// Asks for format, resolution and file of a figure, beside a picture of what will be written.
class FigureDialog : public QDialog {
    Q_OBJECT
public:
    FigureDialog(PlotView& view, QWidget* parent);

    QString path() const;
    FigureFormat format() const;
    int scale() const;

    void accept() override; ///< asks before it replaces a file

private:
    void browse();
    void adapt(); ///< to the chosen format
    QString suffix() const;

    PlotView& m_view;
    QImage m_picture;
    QComboBox *m_format, *m_scale;
    QLineEdit* m_path;
    QLabel *m_preview, *m_note;
    QDialogButtonBox* m_buttons;
};

} // namespace bitloom::ui
