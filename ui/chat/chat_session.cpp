// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/chat_session.h"

#include "ui/models/texts.h"
#include "ui/state/jobs.h"

#include <QJsonArray>

#include <algorithm>
#include <utility>

namespace bitloom::ui {

namespace {

constexpr int alternatives = 6; // likeliest tokens that are asked for with every token
const QString chatKind = QStringLiteral("chat");
const QString prepareKind = QStringLiteral("prepare");

/// A prompt as the title of a job.
QString shortened(const QString& prompt) {
    const QString line = prompt.simplified();
    return line.size() <= 48 ? line : line.left(47) % QChar(0x2026);
}

} // namespace

ChatSession::ChatSession(Workbench& workbench, SubjectModels& models, QObject* parent)
    : QObject(parent), m_workbench(workbench), m_models(models) {
    rewire();
    connect(&workbench, &Workbench::engineChanged, this, &ChatSession::rewire);
    connect(&workbench, &Workbench::phaseChanged, this, &ChatSession::obstacleChanged);
    connect(&workbench, &Workbench::modelChanged, this, [this] {
        const QString folder = m_workbench.hasModel() ? m_workbench.model()->folder : QString();
        if (folder == m_modelFolder) return;
        m_modelFolder = folder;
        reset();
    });
    connect(&workbench.jobs(), &JobList::ended, this, &ChatSession::jobEnded);
    connect(&workbench.jobs(), &JobList::changed, this, [this](int index) {
        const Job& job = m_workbench.jobs().jobs()[size_t(index)];
        if (job.id == m_fullJobs[0] || job.id == m_fullJobs[1]) emit preparationChanged();
        if (job.id == m_job) emit phaseChanged(); // what it says it is doing
    });
    connect(&models, &SubjectModels::readyChanged, this, &ChatSession::preparationChanged);
    connect(&models, &SubjectModels::infoChanged, this, &ChatSession::obstacleChanged);
    m_modelFolder = workbench.hasModel() ? workbench.model()->folder : QString();
}

void ChatSession::rewire() {
    if (m_engine) m_engine->disconnect(this);
    m_engine = m_workbench.engine();
    emit obstacleChanged();
    if (!m_engine) return;
    connect(m_engine, &EngineClient::token, this, &ChatSession::tokenArrived);
    connect(m_engine, &EngineClient::streamEnded, this, &ChatSession::streamEnded);
    connect(m_engine, &EngineClient::scores, this, &ChatSession::scoresArrived);
    connect(m_engine, &EngineClient::stateChanged, this, &ChatSession::obstacleChanged);
    connect(m_engine, &EngineClient::started, this, [this](int call) {
        if (m_job && m_workbench.jobs().engineCall(m_job) == call) m_clock.start();
    });
}

void ChatSession::setSide(int side, const Subject& subject) {
    if (m_sides[size_t(side)] == subject) return;
    m_sides[size_t(side)] = subject;
    emit sidesChanged();
    emit obstacleChanged();
}

void ChatSession::setComparing(bool comparing) {
    if (comparing == m_comparing) return;
    m_comparing = comparing;
    emit sidesChanged();
    emit obstacleChanged();
}

void ChatSession::setOptions(const ChatOptions& options) {
    if (options == m_options) return;
    m_options = options;
    emit optionsChanged();
}

void ChatSession::setPhase(Phase phase) {
    m_phase = phase;
    emit phaseChanged();
}

QString ChatSession::obstacle() const {
    if (!m_workbench.hasModel()) return tr("No model is open.");
    if (!m_engine) return tr("The engine is not running.");
    if (!m_workbench.engineHasModel()) return otherMachineText();
    for (int side = 0; side < answering(); ++side) {
        const Subject& subject = m_sides[size_t(side)];
        const bool planned =
            subject.kind == Subject::Kind::Plan || subject.kind == Subject::Kind::Preset;
        if (planned && !m_workbench.hasPlan())
            return tr("There is no plan yet: analyze the model, or choose another side.");
    }
    const QString path =
        m_sides[0].kind == Subject::Kind::Folder ? m_sides[0].name : m_workbench.model()->folder;
    const QJsonObject info = m_models.info(path);
    if (info.contains(QLatin1String("problem"))) return info[QLatin1String("problem")].toString();
    if (!info[QLatin1String("has_tokenizer")].toBool(true))
        return tr("The model has no tokenizer, so it cannot chat.");
    return {};
}

const TokenStream& ChatSession::stream(int side) const {
    static const TokenStream none;
    return m_turns.empty() ? none : m_turns.back().streams[size_t(side)];
}

int ChatSession::commonTokens() const {
    if (m_firstDifference >= 0) return m_firstDifference;
    return std::min(stream(0).size(), stream(1).size());
}

bool ChatSession::isOfAnother(int side) const {
    return !m_turns.empty() && !stream(side).empty() &&
           !(m_turns.back().asked[size_t(side)] == m_sides[size_t(side)]);
}

bool ChatSession::isStale(int side) const {
    if (m_turns.empty() || stream(side).empty()) return false;
    if (isOfAnother(side)) return true;
    const SubjectModels::Ready& answered = m_turns.back().models[size_t(side)];
    const QString now = m_models.planIdentity(m_sides[size_t(side)]);
    return !answered.plan.isEmpty() && !now.isEmpty() && answered.plan != now;
}

std::optional<ChatSession::Tightness> ChatSession::tightness() const {
    if (!m_comparing || !m_options.together || !m_engine) return std::nullopt;
    const qint64 a = m_models.memoryOf(m_sides[0]), b = m_models.memoryOf(m_sides[1]);
    const auto limit = qint64(m_engine->hello()[QLatin1String("memory_limit")].toDouble());
    if (a <= 0 || b <= 0 || limit <= 0 || a + b <= limit) return std::nullopt;
    return Tightness{a + b, std::max(a, b), limit};
}

// --- asking
// ----------------------------------------------------------------------------------------

void ChatSession::send(const QString& prompt) {
    if (busy() || prompt.isEmpty() || !obstacle().isEmpty()) return;
    ChatTurn turn;
    turn.prompt = prompt;
    const TokenStream& left = stream(0);
    turn.continued = m_options.continued && !m_turns.empty() && !left.promptIds().isEmpty();
    if (!turn.continued) m_turns.clear();
    m_turns.push_back(std::move(turn));
    m_retried = false;
    start();
}

void ChatSession::regenerate() {
    if (busy() || m_turns.empty() || !obstacle().isEmpty()) return;
    m_retried = false;
    start();
}

QString ChatSession::takeBack() {
    if (busy() || m_turns.empty()) return {};
    const QString prompt = m_turns.back().prompt;
    m_turns.pop_back();
    m_divergence.clear();
    updateFirstDifference();
    emit scoresCleared();
    emit turnsChanged();
    return prompt;
}

void ChatSession::reset() {
    stop();
    m_turns.clear();
    m_divergence.clear();
    m_firstDifference = -1;
    m_problem.clear();
    emit scoresCleared();
    emit turnsChanged();
    emit obstacleChanged();
}

void ChatSession::start() {
    // The full method in preparation would hold the answer up; it begins again afterwards.
    for (int side = 0; side < 2; ++side)
        if (const int job = m_fullJobs[size_t(side)]) {
            m_interrupted[size_t(side)] = m_sides[size_t(side)];
            m_workbench.jobs().cancel(job);
        }
    m_turns.back().asked = m_sides;
    m_problem.clear();
    m_problemHint.clear();
    m_divergence.clear();
    m_firstDifference = -1;
    m_clock.invalidate();
    for (int side = 0; side < 2; ++side) {
        m_turns.back().streams[size_t(side)].clear();
        if (side < answering()) m_turns.back().streams[size_t(side)].begin();
    }
    m_job = m_workbench.jobs().begin(tr("Answering “%1”").arg(shortened(m_turns.back().prompt)),
                                     chatKind);
    emit scoresCleared();
    emit turnsChanged();
    setPhase(Phase::Preparing);
    prepareSide(0);
}

void ChatSession::prepareSide(int side) {
    if (side >= answering()) {
        tokenizePrompt();
        return;
    }
    const double from = 0.15 * side;
    m_models.resolve(m_job, m_sides[size_t(side)], SubjectModels::Method::Quick, from, from + 0.15,
                     [this, side, job = m_job](const SubjectModels::Ready& ready) {
                         if (job != m_job) return;
                         m_turns.back().models[size_t(side)] = ready;
                         emit streamChanged(side);
                         prepareSide(side + 1);
                     });
}

void ChatSession::tokenizePrompt() {
    m_promptTokens = {};
    if (!m_turns.back().continued) {
        generate();
        return;
    }
    // As the command line does it: what follows an answer begins on a line of its own.
    const QJsonObject params{
        {QStringLiteral("model"), m_turns.back().models[0].model.startsWith(QLatin1String("try:"))
                                      ? m_workbench.model()->folder
                                      : m_turns.back().models[0].model},
        {QStringLiteral("text"), QString(QLatin1Char('\n') % m_turns.back().prompt)}};
    m_workbench.jobs().call(m_job, QStringLiteral("tokenize"), params, 0.3, 0.3,
                            [this, job = m_job](const EngineResult& result) {
                                if (job != m_job) return;
                                m_promptTokens = result.value[QLatin1String("ids")].toArray();
                                generate();
                            });
}

void ChatSession::generate() {
    setPhase(Phase::Answering);
    const bool apart = m_comparing && !m_options.together;
    generateSide(apart ? 0 : -1);
}

QJsonObject ChatSession::generateParams(int only) const {
    const ChatTurn& turn = m_turns.back();
    QJsonArray streams;
    for (int side = 0; side < answering(); ++side) {
        if (only >= 0 && side != only) continue;
        QJsonObject stream{{QStringLiteral("model"), turn.models[size_t(side)].model}};
        if (turn.continued) {
            // Each model goes on from what it said itself.
            const TokenStream& before = m_turns[m_turns.size() - 2].streams[size_t(side)];
            QJsonArray ids = before.promptIds();
            for (const QJsonValue& id : before.ids())
                ids.append(id);
            for (const QJsonValue& id : m_promptTokens)
                ids.append(id);
            stream[QLatin1String("ids")] = ids;
        }
        streams.append(stream);
    }
    QJsonObject params{{QStringLiteral("streams"), streams},
                       {QStringLiteral("max_tokens"), m_options.maxTokens},
                       {QStringLiteral("temperature"), m_options.temperature},
                       {QStringLiteral("top_k"), m_options.topK},
                       {QStringLiteral("top_p"), m_options.topP},
                       {QStringLiteral("min_p"), m_options.minP},
                       {QStringLiteral("repetition_penalty"), m_options.repetitionPenalty},
                       {QStringLiteral("seed"), m_options.seed},
                       {QStringLiteral("alternatives"), alternatives}};
    if (!turn.continued) params[QLatin1String("prompt")] = turn.prompt;
    return params;
}

void ChatSession::generateSide(int only) {
    m_only = only;
    m_clock.invalidate();
    const double from = only == 1 ? 0.55 : 0.3, to = only == 0 ? 0.55 : 0.8;
    m_workbench.jobs().call(m_job, QStringLiteral("generate"), generateParams(only), from, to,
                            [this, only, job = m_job](const EngineResult& result) {
                                if (job == m_job) generated(only, result);
                            });
}

void ChatSession::generated(int only, const EngineResult& result) {
    const QJsonArray list = result.value[QLatin1String("streams")].toArray();
    for (int i = 0; i < int(list.size()); ++i)
        streamEnded(m_workbench.jobs().engineCall(m_job), i, list[i].toObject());
    if (only == 0) {
        generateSide(1);
        return;
    }
    score();
}

void ChatSession::tokenArrived(int call, const EngineToken& token) {
    if (!m_job || m_phase != Phase::Answering || m_turns.empty() ||
        m_workbench.jobs().engineCall(m_job) != call)
        return;
    const int side = sideOf(token.stream);
    if (side < 0 || side >= answering()) return;
    const double seconds = m_clock.isValid() ? double(m_clock.nsecsElapsed()) * 1e-9 : 0;
    TokenStream& stream = m_turns.back().streams[size_t(side)];
    m_workbench.jobs().setStep(m_job, tr("answering")); // no longer reading the prompt
    if (stream.append(token, seconds) == 0) return;
    updateFirstDifference();
    emit streamChanged(side);
}

void ChatSession::streamEnded(int call, int stream, const QJsonObject& result) {
    if (!m_job || m_turns.empty() || m_workbench.jobs().engineCall(m_job) != call) return;
    const int side = sideOf(stream);
    if (side < 0 || side >= answering()) return;
    m_turns.back().streams[size_t(side)].finish(result);
    updateFirstDifference();
    emit streamChanged(side);
}

void ChatSession::updateFirstDifference() {
    m_firstDifference = m_comparing ? bitloom::ui::firstDifference(stream(0), stream(1)) : -1;
}

// --- scoring
// ----------------------------------------------------------------------------------------

void ChatSession::score() {
    if (!m_comparing || !m_options.score || stream(0).empty()) {
        finishJob();
        return;
    }
    setPhase(Phase::Scoring);
    const ChatTurn& turn = m_turns.back();
    const QJsonObject params{{QStringLiteral("model"), turn.models[1].model},
                             {QStringLiteral("reference"), turn.models[0].model},
                             {QStringLiteral("ids"), stream(0).promptIds()},
                             {QStringLiteral("answer_ids"), stream(0).ids()}};
    m_workbench.jobs().call(m_job, QStringLiteral("score"), params, 0.8, 1,
                            [this, job = m_job](const EngineResult&) {
                                if (job == m_job) finishJob();
                            });
}

void ChatSession::scoresArrived(int call, const QJsonObject& piece) {
    if (!m_job || m_phase != Phase::Scoring || m_workbench.jobs().engineCall(m_job) != call) return;
    const int first = m_divergence.size();
    if (m_divergence.add(piece)) emit scoresAdded(first);
}

void ChatSession::finishJob() {
    QString text = m_comparing ? tr("%1 and %2 tokens").arg(stream(0).size()).arg(stream(1).size())
                               : tokensText(stream(0).size());
    if (!m_divergence.empty())
        text +=
            tr(", mean KL %1 nats").arg(numberText(QLocale(), m_divergence.summary().klMean, 3));
    m_workbench.jobs().finish(m_job, text);
}

void ChatSession::stop() {
    if (m_job) m_workbench.jobs().cancel(m_job);
}

void ChatSession::jobEnded(int id) {
    for (int& job : m_fullJobs)
        if (job == id) {
            job = 0;
            emit preparationChanged();
        }
    if (id != m_job) return;
    const Job* job = m_workbench.jobs().find(id);
    m_job = 0;
    const bool answered = m_phase == Phase::Scoring;
    if (job && job->state == Job::State::Failed) {
        m_problem = job->error.message;
        m_problemHint = job->error.hint;
        // The engine keeps few tries: one that is gone is made again, once.
        const bool gone = m_problem.contains(QLatin1String("try:"));
        if (gone && !m_retried && !answered && !m_turns.empty()) {
            m_retried = true;
            m_models.forgetTries();
            start();
            return;
        }
    }
    if (!m_turns.empty())
        for (TokenStream& stream : m_turns.back().streams) {
            if (!stream.growing()) continue;
            if (m_problem.isEmpty())
                stream.stop();
            else
                stream.fail(m_problem);
        }
    setPhase(Phase::Idle);
    for (int side = 0; side < 2; ++side)
        emit streamChanged(side);
    emit preparationChanged();
    prepareAfterwards(job);
}

/// What the answer interrupted goes on. A small model is carried out with the full method at once;
/// for a large one, whose machine would be busy for minutes, that is the user's to ask.
void ChatSession::prepareAfterwards(const Job* job) {
    bool resumed = false;
    for (int side = 0; side < 2; ++side) {
        const auto wanted = std::exchange(m_interrupted[size_t(side)], std::nullopt);
        if (wanted != m_sides[size_t(side)] || !m_workbench.hasPlan() || fullReady(side)) continue;
        prepareFull(side);
        resumed = true;
    }
    if (resumed) return;
    constexpr int64_t smallWeights = 100'000'000;
    if (job && job->state == Job::State::Done && m_workbench.hasModel() &&
        m_workbench.model()->weights <= smallWeights)
        for (int side = 0; side < answering(); ++side)
            if (quickOnly(side)) {
                prepareFull(side);
                break;
            }
}

// --- the full method
// -------------------------------------------------------------------------------

bool ChatSession::quickOnly(int side) const {
    const SubjectModels::Ready* ready = m_models.ready(m_sides[size_t(side)]);
    return ready && ready->method == SubjectModels::Method::Quick;
}

bool ChatSession::fullReady(int side) const {
    const SubjectModels::Ready* ready = m_models.ready(m_sides[size_t(side)]);
    return ready && ready->method == SubjectModels::Method::Full;
}

void ChatSession::stopPreparing(int side) {
    if (const int job = m_fullJobs[size_t(side)]) m_workbench.jobs().cancel(job);
}

const Job* ChatSession::preparing(int side) const {
    const int id = m_fullJobs[size_t(side)];
    const Job* job = id ? m_workbench.jobs().find(id) : nullptr;
    return job && job->active() ? job : nullptr;
}

void ChatSession::prepareFull(int side) {
    if (busy() || preparing(side)) return;
    const Subject subject = m_sides[size_t(side)];
    const int job = m_workbench.jobs().begin(
        tr("Preparing %1 with the full method").arg(subjectTitle(subject, m_workbench)),
        prepareKind);
    m_fullJobs[size_t(side)] = job;
    m_models.resolve(job, subject, SubjectModels::Method::Full, 0, 1,
                     [this, job](const SubjectModels::Ready&) {
                         m_workbench.jobs().finish(job, tr("ready for chat"));
                     });
    emit preparationChanged();
}

} // namespace bitloom::ui
