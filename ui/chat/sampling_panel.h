// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/chat_session.h"

#include <QScrollArea>

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QSpinBox;

namespace bitloom::ui {

/// How both sides draw their tokens, and what is done with the answers.
class SamplingPanel : public QScrollArea {
    Q_OBJECT
public:
    explicit SamplingPanel(ChatSession& session, QWidget* parent = nullptr);
    QSize minimumSizeHint() const override; ///< nothing is cut off at the side
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    void show(const ChatOptions& options);
    ChatOptions options() const;
    void changed();

    ChatSession& m_session;
    QDoubleSpinBox *m_temperature = nullptr, *m_topP = nullptr, *m_minP = nullptr,
                   *m_penalty = nullptr;
    QSpinBox *m_topK = nullptr, *m_seed = nullptr, *m_maxTokens = nullptr;
    QComboBox* m_run = nullptr;
    QCheckBox *m_score = nullptr, *m_continued = nullptr;
    QLabel* m_note = nullptr;
    bool m_showing = false;
};

} // namespace bitloom::ui
