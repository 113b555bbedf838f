// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/chat_column.h"

#include "ui/chat/token_view.h"
#include "ui/dialogs/place_dialog.h"
#include "ui/models/texts.h"
#include "ui/plots/elided_label.h"
#include "ui/plots/plot_theme.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QEvent>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QStandardItemModel>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>

namespace bitloom::ui {

namespace {

constexpr QChar nbsp(0x00A0);
constexpr int foldersKept = 8;
const QString foldersKey = QStringLiteral("chat/folders");
const QString chooseKey = QStringLiteral("choose");

QString group(const QString& figure, const QString& words, bool rich) {
    const QString number = isolated(figure);
    QString tail = words;
    tail.replace(QLatin1Char(' '), nbsp);
    return rich ? QStringLiteral("<b>") % number % QStringLiteral("</b>") % nbsp % tail
                : QString(number % nbsp % tail);
}

} // namespace

/// A word in a frame: how much of the method is in the answer.
class QualityBadge : public QLabel {
public:
    QualityBadge() {
        setContentsMargins(8, 2, 8, 2);
        setFont(captionFont());
        hide();
    }
    void say(const QString& word, bool full) {
        if (word == text()) return;
        m_full = full;
        setText(word);
        setAccessibleName(word);
        update();
    }

protected:
    void paintEvent(QPaintEvent* event) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const PlotTheme theme = PlotTheme::of(palette());
        const QColor colour = m_full ? theme.accent : theme.warning;
        QColor fill = colour;
        fill.setAlphaF(0.10f);
        painter.setPen(QPen(colour, 1));
        painter.setBrush(fill);
        painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
        painter.end();
        QLabel::paintEvent(event);
    }
    void changeEvent(QEvent* event) override {
        QLabel::changeEvent(event);
        // A caption stays one when the size of all fonts changes.
        if (event->type() == QEvent::StyleChange && font() != captionFont()) setFont(captionFont());
    }

private:
    bool m_full = false;
};

QString droppedModel(const QMimeData* data) {
    for (const QUrl& url : data->urls()) {
        if (!url.isLocalFile()) continue;
        const QFileInfo file(url.toLocalFile());
        if (file.isDir()) return file.absoluteFilePath();
        const QString suffix = file.suffix();
        if (suffix == QLatin1String("safetensors") || suffix == QLatin1String("json") ||
            suffix == QLatin1String("model"))
            return file.absolutePath();
    }
    return {};
}

QStringList chatFolders(Settings& settings) {
    return settings.value(settings.placeKey(foldersKey)).toStringList();
}

void rememberChatFolder(Settings& settings, const QString& folder) {
    QStringList folders = chatFolders(settings);
    folders.removeAll(folder);
    folders.prepend(folder);
    settings.setValue(settings.placeKey(foldersKey), QStringList(folders.mid(0, foldersKept)));
}

ChatColumn::ChatColumn(ChatSession& session, SubjectModels& models, int side, QWidget* parent)
    : QWidget(parent), m_session(session), m_models(models), m_side(side) {
    const QString which = side == 0 ? tr("Left") : tr("Right");
    const QString id = side == 0 ? QStringLiteral("left") : QStringLiteral("right");
    setObjectName(QStringLiteral("chatColumn-") % id);
    setBackgroundRole(QPalette::Base);
    setAutoFillBackground(true);
    setAcceptDrops(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 10, 0, 0);
    column->setSpacing(4);

    m_head = new QWidget;
    auto* head = new QVBoxLayout(m_head);
    head->setContentsMargins(24, 0, 16, 0);
    head->setSpacing(4);
    auto* row = new QHBoxLayout;
    row->setSpacing(gridStep);
    m_source = new QComboBox;
    m_source->setObjectName(QStringLiteral("chatSource-") % id);
    m_source->setAccessibleName(tr("%1 model").arg(which));
    m_source->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_source->setMinimumContentsLength(10);
    m_detail = new ElidedLabel;
    m_detail->setObjectName(QStringLiteral("chatDetail-") % id);
    m_detail->setTextFormat(Qt::PlainText);
    m_detail->setForegroundRole(QPalette::PlaceholderText);
    m_detail->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    const auto tool = [&](const char* icon, const QString& name, const QString& object) {
        auto* button = new QToolButton;
        button->setIcon(symbol(icon));
        button->setAutoRaise(true);
        button->setToolTip(name);
        button->setAccessibleName(tr("%1 (%2)").arg(name, which.toLower()));
        button->setObjectName(object % id);
        button->setFocusPolicy(Qt::TabFocus);
        return button;
    };
    m_copy = tool("copy", tr("Copy answer"), QStringLiteral("copyAnswer-"));
    m_again = tool("resume", tr("Answer again"), QStringLiteral("answerAgain-"));
    m_quality = new QualityBadge;
    m_quality->setObjectName(QStringLiteral("chatQuality-") % id);
    row->addWidget(m_source);
    row->addWidget(m_quality);
    row->addWidget(m_detail, 1);
    row->addWidget(m_copy);
    row->addWidget(m_again);
    head->addLayout(row);
    m_figures = new QLabel;
    m_figures->setWordWrap(true);
    m_figures->setTextFormat(Qt::RichText);
    m_figures->setObjectName(QStringLiteral("chatFigures-") % id);
    head->addWidget(m_figures);

    m_methodRow = new QWidget;
    auto* methodRow = new QHBoxLayout(m_methodRow);
    methodRow->setContentsMargins(0, 2, 0, 2);
    methodRow->setSpacing(gridStep);
    m_method = new QLabel;
    m_method->setObjectName(QStringLiteral("chatMethod-") % id);
    m_method->setWordWrap(true);
    m_prepare = new QPushButton;
    m_prepare->setObjectName(QStringLiteral("prepareFull-") % id);
    methodRow->addWidget(m_method, 1);
    methodRow->addWidget(m_prepare, 0, Qt::AlignTop);
    head->addWidget(m_methodRow);
    head->addStretch(1);
    column->addWidget(m_head);
    auto* line = new QFrame;
    line->setFrameShape(QFrame::HLine);
    line->setForegroundRole(QPalette::Midlight);
    line->setFrameShadow(QFrame::Plain);
    line->setFixedHeight(1);
    column->addSpacing(4);
    column->addWidget(line);
    m_view = new TokenView(side == 0 ? tr("Left answer") : tr("Right answer"));
    m_view->setObjectName(QStringLiteral("answer-") % id);
    column->addWidget(m_view, 1);

    connect(m_source, &QComboBox::activated, this, &ChatColumn::chooseSource);
    connect(m_copy, &QToolButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(m_session.stream(m_side).text()); });
    connect(m_again, &QToolButton::clicked, this, [this] { m_session.regenerate(); });
    connect(m_prepare, &QPushButton::clicked, this, [this] {
        if (m_session.preparing(m_side))
            m_session.stopPreparing(m_side);
        else if (m_session.fullReady(m_side))
            m_session.regenerate();
        else
            m_session.prepareFull(m_side);
    });
    refreshSources();
    refresh();
}

void ChatColumn::refreshSources() {
    m_filling = true;
    const Subject chosen = m_session.side(m_side);
    m_source->clear();
    const Workbench& workbench = m_models.workbench();
    std::vector<Subject> list = standardSubjects(workbench);
    if (chosen.kind == Subject::Kind::Plan && !workbench.hasPlan()) list.push_back(chosen);
    for (const QString& folder : chatFolders(m_models.workbench().settings()))
        if (workbench.engineIsRemote() || QFileInfo::exists(folder))
            list.push_back({Subject::Kind::Folder, folder});
    if (std::ranges::find(list, chosen) == list.end()) list.push_back(chosen);
    for (const Subject& subject : list) {
        m_source->addItem(subject.kind == Subject::Kind::Plan ? tr("This plan")
                                                              : subjectTitle(subject, workbench),
                          subject.key());
        m_source->setItemData(m_source->count() - 1,
                              subject.kind == Subject::Kind::Folder
                                  ? subject.name
                                  : subjectDetail(subject, workbench),
                              Qt::ToolTipRole);
    }
    m_source->insertSeparator(m_source->count());
    m_source->addItem(tr("Choose a folder…"), chooseKey);
    m_source->setCurrentIndex(m_source->findData(chosen.key()));
    m_filling = false;
}

void ChatColumn::chooseSource(int index) {
    if (m_filling) return;
    const QString key = m_source->itemData(index).toString();
    if (key == chooseKey) {
        refreshSources();
        choosePlace(this, m_models.workbench(), PlaceDialog::What::Model, tr("Chat with a model"),
                    {}, [this](const QString& folder) { emit folderDropped(folder); });
        return;
    }
    m_session.setSide(m_side, Subject::fromKey(key));
}

QStringList ChatColumn::figureParts(bool rich) const {
    const TokenStream& stream = m_session.stream(m_side);
    const TokenStream::Figures& f = stream.figures();
    const QLocale locale;
    QStringList parts;
    if (f.tokensPerSecond > 0)
        parts << group(fixedText(f.tokensPerSecond, f.tokensPerSecond < 100 ? 1 : 0), tr("tok/s"),
                       rich);
    if (f.firstTokenSeconds >= 0)
        parts << group(fixedText(f.firstTokenSeconds, f.firstTokenSeconds < 0.1 ? 2 : 1) % nbsp %
                           tr("s"),
                       tr("to first token"), rich);
    if (f.memory > 0) parts << group(bytesText(locale, double(f.memory)), tr("memory"), rich);
    qint64 total = f.contextTotal;
    const ModelData* model = m_models.workbench().model().get();
    if (total < 0 && model && model->checkpoint) total = model->checkpoint->config().maxPositions;
    const qint64 used = f.contextUsed >= 0 ? f.contextUsed : -1;
    if (used >= 0 && total > 0)
        parts << group(locale.toString(used) % nbsp % QLatin1Char('/') % nbsp %
                           locale.toString(total),
                       tr("context"), rich);
    else if (!stream.empty())
        parts << group(locale.toString(stream.size()), tr("tokens"), rich);
    if (!f.resident) parts << tr("read from disk for every token");
    // Of the processor only who wished for a GPU needs to hear.
    if (!f.deviceReason.isEmpty())
        parts << tr("on the processor");
    else if (!f.device.isEmpty() && f.device != QLatin1String("processor"))
        parts << tr("on %1").arg(rich ? f.device.toHtmlEscaped() : f.device);
    // Lines break between figures, not within.
    for (QString& part : parts)
        if (!part.startsWith(QLatin1Char('<'))) part.replace(QLatin1Char(' '), nbsp);
    return parts;
}

/// Why the answer ends where it does; empty where the model said so itself.
QString ChatColumn::endText() const {
    const TokenStream& stream = m_session.stream(m_side);
    switch (stream.end()) {
    case TokenStream::End::ContextFull:
        return tr("context is full");
    case TokenStream::End::MaxTokens:
        return tr("cut at %1").arg(tokensText(stream.size()));
    case TokenStream::End::Cancelled:
        return tr("stopped");
    default:
        return {};
    }
}

QString ChatColumn::figuresText() const {
    QStringList parts = figureParts(false);
    if (const QString end = endText(); !end.isEmpty()) parts << end;
    return parts.join(QStringLiteral(", "));
}

void ChatColumn::refreshMethod() {
    const Job* preparing = m_session.preparing(m_side);
    const ChatTurn* turn = m_session.turn();
    using Method = SubjectModels::Method;
    const bool shown = turn && !turn->models[size_t(m_side)].model.isEmpty();
    const Method method = shown ? turn->models[size_t(m_side)].method : Method::Stored;
    const bool answeredQuick = method == Method::Quick;
    m_quality->setVisible(method != Method::Stored);
    m_quality->say(answeredQuick ? tr("quick preview") : tr("full method"), !answeredQuick);
    m_quality->setToolTip(
        answeredQuick
            ? tr("Answered by weights that were rounded at once, without making up for the errors. "
                 "An export of this plan answers better.")
            : tr("Answered by weights made as an export of this plan makes them."));
    QString text, button;
    bool enabled = true;
    if (preparing) {
        text = preparing->state == Job::State::Queued
                   ? tr("The full method waits for the job that runs")
                   : tr("Preparing the full method, %1 %").arg(qRound(preparing->fraction * 100));
        if (preparing->etaSeconds > 0)
            text += tr(", %1 left").arg(durationText(preparing->etaSeconds));
        button = tr("Cancel");
    } else if (m_session.isStale(m_side)) {
        text = m_session.isOfAnother(m_side) ? tr("This answer is of another model.")
                                             : tr("The plan has changed since this answer.");
        button = tr("Answer again");
        enabled = !m_session.busy();
    } else if (answeredQuick && m_session.fullReady(m_side)) {
        text = tr("The full method is ready: answers as of the export.");
        button = tr("Answer again");
        enabled = !m_session.busy();
    } else if (answeredQuick) {
        text = tr("Rounded without compensation: an export answers better.");
        button = tr("Use the full method");
        enabled = !m_session.busy();
    }
    m_methodRow->setVisible(!text.isEmpty());
    m_method->setText(text);
    m_prepare->setText(button);
    m_prepare->setAccessibleName(button.isEmpty() ? QString()
                                 : m_side == 0    ? tr("%1, left").arg(button)
                                                  : tr("%1, right").arg(button));
    m_prepare->setEnabled(enabled);
}

void ChatColumn::refreshPlaceholder() {
    const TokenStream& stream = m_session.stream(m_side);
    if (stream.state() == TokenStream::State::Failed) {
        m_view->setPlaceholder(stream.problem() % QLatin1Char(' ') % m_session.problemHint());
        return;
    }
    if (!stream.growing()) {
        const bool plan = m_session.side(m_side).kind == Subject::Kind::Plan;
        m_view->setPlaceholder(
            m_session.turn() ? QString()
            : plan           ? tr("The answer of this plan appears here.")
                             : tr("The answer of %1 appears here.").arg(m_source->currentText()));
        return;
    }
    const Job* job = m_models.workbench().jobs().find(m_session.job());
    const Job* first = m_models.workbench().jobs().active();
    if (job && job->state == Job::State::Queued && first && first->id != job->id)
        m_view->setPlaceholder(tr("Waits for: %1").arg(first->title));
    else if (m_session.phase() == ChatSession::Phase::Preparing)
        m_view->setPlaceholder(tr("Carrying the plan out in memory…"));
    else
        m_view->setPlaceholder(job && !job->what.isEmpty() ? job->what % QChar(0x2026)
                                                           : tr("Loading…"));
}

void ChatColumn::refresh() {
    const Workbench& workbench = m_models.workbench();
    const ChatTurn* turn = m_session.turn();
    const Subject& subject = m_session.side(m_side);
    const bool shown = m_side == 0 || m_session.comparing();
    m_source->setEnabled(!m_session.busy());
    QString detail = subjectDetail(subject, workbench);
    const QString answered = turn ? turn->models[size_t(m_side)].title : QString();
    if (subject.kind == Subject::Kind::Plan) detail = subjectTitle(subject, workbench);
    if (!answered.isEmpty() && m_session.isOfAnother(m_side)) {
        detail = tr("answered by %1").arg(answered);
    } else if (subject.kind == Subject::Kind::Plan && !answered.isEmpty() &&
               m_session.isStale(m_side)) {
        detail = tr("answered at %1").arg(answered);
    } else if (subject.kind == Subject::Kind::Folder) {
        const QJsonObject info = m_models.info(subject.name);
        const double bits = info[QLatin1String("bits_per_weight")].toDouble();
        if (bits > 0)
            detail = tr("%1 bits, %2")
                         .arg(fixedText(bits, 2),
                              bytesText(QLocale(), info[QLatin1String("bytes")].toDouble()));
        if (info.contains(QLatin1String("problem")))
            detail = info[QLatin1String("problem")].toString();
    }
    if (const QString end = endText(); !end.isEmpty()) detail += QStringLiteral(", ") % end;
    static_cast<ElidedLabel*>(m_detail)->setFullText(detail);
    const TokenStream& stream = m_session.stream(m_side);
    const QStringList parts = figureParts(true);
    m_figures->setText(parts.isEmpty() ? QString(nbsp)
                                       : parts.join(QStringLiteral("&nbsp;&nbsp;&nbsp; ")));
    const QString& whyNoGpu = stream.figures().deviceReason;
    m_figures->setToolTip(
        whyNoGpu.isEmpty() ? QString() : tr("Not on a GPU: %1").arg(whyNoGpu).toHtmlEscaped());
    m_copy->setEnabled(!stream.empty());
    m_again->setEnabled(turn && !m_session.busy());
    refreshMethod();
    refreshPlaceholder();
    QStringList history;
    const auto& turns = m_session.turns();
    for (size_t i = 0; i + 1 < turns.size(); ++i)
        history << turns[i].prompt << turns[i].streams[size_t(m_side)].text();
    if (turns.size() > 1) history << turns.back().prompt;
    m_view->setHistory(history);
    m_view->showStream(stream);
    if (parentWidget() && isHidden() == shown) setVisible(shown);
}

int ChatColumn::naturalHeadHeight() const {
    const QLayout* layout = m_head->layout();
    return layout->hasHeightForWidth() ? layout->totalHeightForWidth(m_head->width())
                                       : layout->totalSizeHint().height();
}

void ChatColumn::setHeadHeight(int height) {
    if (m_head->minimumHeight() != height || m_head->maximumHeight() != height)
        m_head->setFixedHeight(height);
}

void ChatColumn::dragEnterEvent(QDragEnterEvent* event) {
    if (m_session.busy() || droppedModel(event->mimeData()).isEmpty()) return;
    event->acceptProposedAction();
    m_dropping = true;
    update();
}

void ChatColumn::dragLeaveEvent(QDragLeaveEvent*) {
    m_dropping = false;
    update();
}

void ChatColumn::dropEvent(QDropEvent* event) {
    m_dropping = false;
    update();
    const QString folder = droppedModel(event->mimeData());
    if (folder.isEmpty()) return;
    event->acceptProposedAction();
    emit folderDropped(folder);
}

void ChatColumn::paintEvent(QPaintEvent* event) {
    QWidget::paintEvent(event);
    if (!m_dropping) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const PlotTheme theme = PlotTheme::of(palette());
    painter.setPen(QPen(theme.accent, 2));
    painter.setBrush(theme.accentFill);
    painter.drawRoundedRect(QRectF(rect()).adjusted(4, 4, -4, -4), 4, 4);
}

} // namespace bitloom::ui
