// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/chat_session.h"

#include <QMimeData>
#include <QWidget>

class QComboBox;
class QLabel;
class QPushButton;
class QToolButton;

namespace bitloom::ui {

class QualityBadge;
class TokenView;

/// One side of the chat: who answers, how fast, and the answer.
class ChatColumn : public QWidget {
    Q_OBJECT
public:
    ChatColumn(ChatSession& session, SubjectModels& models, int side, QWidget* parent = nullptr);

    TokenView* view() const { return m_view; }
    QComboBox* source() const { return m_source; }
    /// Figures as they stand in the header, plain.
    QString figuresText() const;
    /// Fills header and view from the session; cheap enough for every batch of tokens.
    void refresh();
    void refreshSources();
    /// Of everything above the answer; columns side by side get the same.
    int naturalHeadHeight() const;
    void setHeadHeight(int height);

signals:
    void folderDropped(const QString& path);

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void chooseSource(int index);
    void refreshMethod();
    void refreshPlaceholder();
    QString endText() const;
    QStringList figureParts(bool rich) const;

    ChatSession& m_session;
    SubjectModels& m_models;
    int m_side;
    QComboBox* m_source = nullptr;
    QLabel *m_detail = nullptr, *m_figures = nullptr, *m_method = nullptr;
    QualityBadge* m_quality = nullptr;
    QToolButton *m_copy = nullptr, *m_again = nullptr;
    QPushButton* m_prepare = nullptr;
    QWidget *m_methodRow = nullptr, *m_head = nullptr;
    TokenView* m_view = nullptr;
    bool m_filling = false, m_dropping = false;
};

/// The path of a model in what is dragged: a folder, or the folder of a file; empty if there is
/// none.
QString droppedModel(const QMimeData* data);

/// Folders that were talked to, newest first; part of the settings.
QStringList chatFolders(Settings& settings);
void rememberChatFolder(Settings& settings, const QString& folder);

} // namespace bitloom::ui
