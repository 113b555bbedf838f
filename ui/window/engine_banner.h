// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"
#include "ui/state/workbench.h"

#include <QFrame>
#include <QPointer>

class QLabel;
class QPushButton;

namespace bitloom::ui {

/// Above the pages while the engine is gone or silent: what happened, that nothing is lost, and the
/// button that starts it again.
class EngineBanner : public QFrame {
    Q_OBJECT
public:
    explicit EngineBanner(Workbench& workbench, QWidget* parent = nullptr);

protected:
    void changeEvent(QEvent* event) override;

private:
    void rewire();
    void refresh();

    Workbench& m_workbench;
    QPointer<EngineClient> m_engine;
    QLabel *m_icon = nullptr, *m_text = nullptr;
    QPushButton *m_retry = nullptr, *m_details = nullptr;
};

} // namespace bitloom::ui
