// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/divergence_model.h"
#include "ui/chat/subject.h"
#include "ui/chat/token_stream.h"
#include "ui/state/chat_state.h"
#include "ui/state/jobs.h"

#include <QElapsedTimer>
#include <QObject>
#include <QPointer>

#include <array>
#include <deque>
#include <optional>

namespace bitloom::ui {

/// One prompt and both answers to it.
struct ChatTurn {
    QString prompt;
    bool continued = false;
    std::array<TokenStream, 2> streams;
    std::array<Subject, 2> asked;
    std::array<SubjectModels::Ready, 2> models; ///< what answered
};

/// A conversation with two models at once: asks the engine, keeps turns, tokens and scores. Widgets
/// show it and call it; it knows none of them. Its work goes through the job list (kind "chat"), so
/// that it queues, shows and stops like everything else. UI thread only.
class ChatSession : public QObject {
    Q_OBJECT
public:
    enum class Phase {
        Idle,
        Preparing, ///< a plan is being carried out in memory, or a model waits in the queue
        Answering,
        Scoring,
    };

    ChatSession(Workbench& workbench, SubjectModels& models, QObject* parent = nullptr);

    const Subject& side(int side) const { return m_sides[size_t(side)]; }
    void setSide(int side, const Subject& subject);
    /// false: only the left side answers.
    bool comparing() const { return m_comparing; }
    void setComparing(bool comparing);
    const ChatOptions& options() const { return m_options; }
    void setOptions(const ChatOptions& options);

    Phase phase() const { return m_phase; }
    bool busy() const { return m_phase != Phase::Idle; }
    int job() const { return m_job; }

    /// Why nothing can be sent now; empty if it can.
    QString obstacle() const;
    /// Both answer this. Ignored while busy or where there is an obstacle.
    void send(const QString& prompt);
    void stop();
    /// The last prompt once more, with the sides as they are now.
    void regenerate();
    /// Takes the last turn back and returns its prompt, for editing.
    QString takeBack();
    void reset();

    const std::deque<ChatTurn>& turns() const { return m_turns; }
    const ChatTurn* turn() const { return m_turns.empty() ? nullptr : &m_turns.back(); }
    const TokenStream& stream(int side) const;
    const DivergenceModel& divergence() const { return m_divergence; }
    int firstDifference() const { return m_firstDifference; } ///< −1: none so far
    /// Tokens that both answers begin with.
    int commonTokens() const;
    QString problem() const { return m_problem; } ///< of the last job; empty if it went well
    QString problemHint() const { return m_problemHint; }
    /// The side was another model when it answered.
    bool isOfAnother(int side) const;
    /// That, or the plan or preset that answered is another one now.
    bool isStale(int side) const;

    /// Both answers need more memory than is allowed, one alone does not.
    struct Tightness {
        qint64 both = 0, one = 0, limit = 0; ///< bytes
    };
    std::optional<Tightness> tightness() const;

    /// Carries the side's plan out with the full method, so that the next answer is from it.
    void prepareFull(int side);
    void stopPreparing(int side);
    /// The job that does so; nullptr if none.
    const Job* preparing(int side) const;
    /// True where the side's present plan is ready only by its tables, or by the full method.
    bool quickOnly(int side) const;
    bool fullReady(int side) const;

signals:
    void sidesChanged();
    void optionsChanged();
    void turnsChanged(); ///< a turn was added, taken back or replaced
    /// Tokens came, figures changed, a stream ended.
    void streamChanged(int side);
    void scoresAdded(int first);
    void scoresCleared();
    void phaseChanged();
    void obstacleChanged();
    void preparationChanged();

private:
    void rewire();
    void setPhase(Phase phase);
    void start();
    void prepareSide(int side);
    void tokenizePrompt();
    void generate();
    void generateSide(int only); ///< −1: both
    void generated(int only, const EngineResult& result);
    void score();
    void tokenArrived(int call, const EngineToken& token);
    void streamEnded(int call, int stream, const QJsonObject& result);
    void scoresArrived(int call, const QJsonObject& piece);
    void jobEnded(int job);
    void finishJob();
    void prepareAfterwards(const Job* job);
    int sideOf(int stream) const { return m_only < 0 ? stream : m_only; }
    void updateFirstDifference();
    QJsonObject generateParams(int only) const;
    int answering() const { return m_comparing ? 2 : 1; }

    Workbench& m_workbench;
    SubjectModels& m_models;
    QPointer<EngineClient> m_engine;
    std::array<Subject, 2> m_sides{Subject{Subject::Kind::Original, {}},
                                   Subject{Subject::Kind::Plan, {}}};
    bool m_comparing = true, m_retried = false;
    ChatOptions m_options;
    Phase m_phase = Phase::Idle;
    std::deque<ChatTurn> m_turns;
    DivergenceModel m_divergence;
    int m_firstDifference = -1, m_job = 0, m_only = -1;
    QElapsedTimer m_clock; ///< since the engine began the call
    QString m_problem, m_problemHint, m_modelFolder;
    QJsonArray m_promptTokens; ///< of a continued prompt
    std::array<int, 2> m_fullJobs{};
    std::array<std::optional<Subject>, 2> m_interrupted; ///< full methods that an answer cancelled
};

} // namespace bitloom::ui
