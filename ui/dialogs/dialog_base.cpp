// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/dialog_base.h"

#include "ui/plots/plot_theme.h"
#include "ui/theme/theme.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace bitloom::ui {

DialogBase::DialogBase(const QString& title, QWidget* parent) : QDialog(parent) {
    setWindowTitle(title);
    setAccessibleName(title);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(24, 20, 24, 20);
    outer->setSpacing(16);
    auto* heading = new QLabel(title);
    QFont font = headingFont();
    if (font.pointSizeF() > 0) font.setPointSizeF(font.pointSizeF() * 16 / 13);
    heading->setFont(font);
    outer->addWidget(heading);
    m_content = new QVBoxLayout;
    m_content->setSpacing(12);
    outer->addLayout(m_content, 1);
    m_problem = new QLabel;
    m_problem->setWordWrap(true);
    m_problem->setObjectName(QStringLiteral("dialogProblem"));
    QPalette p = m_problem->palette();
    p.setColor(QPalette::WindowText, errorText(PlotTheme::of(palette())));
    m_problem->setPalette(p);
    m_problem->hide();
    outer->addWidget(m_problem);
}

QFormLayout* DialogBase::addForm() {
    auto* form = new QFormLayout;
    form->setLabelAlignment(Qt::AlignRight | Qt::AlignVCenter);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(8);
    m_content->addLayout(form);
    return form;
}

QPushButton* DialogBase::addButtons(const QString& verb) {
    m_buttons = new QDialogButtonBox;
    if (verb.isEmpty()) {
        m_main = m_buttons->addButton(QDialogButtonBox::Close);
        m_main->setText(tr("Close"));
    } else {
        auto* cancel = m_buttons->addButton(QDialogButtonBox::Cancel);
        cancel->setText(tr("Cancel"));
        cancel->setAccessibleName(tr("Cancel"));
        m_main = m_buttons->addButton(verb, QDialogButtonBox::AcceptRole);
        m_main->setProperty("primary", true);
    }
    m_main->setAccessibleName(m_main->text());
    connect(m_buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(m_buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    layout()->addWidget(m_buttons);
    // Only now: a button that is not in the dialog yet cannot become the one that Return presses,
    // and Cancel, the first in the row, would be it.
    m_main->setDefault(true);
    return m_main;
}

void DialogBase::setProblem(const QString& problem) {
    m_problem->setText(problem);
    m_problem->setVisible(!problem.isEmpty());
    if (m_main) m_main->setEnabled(problem.isEmpty());
}

} // namespace bitloom::ui
