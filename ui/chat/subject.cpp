// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/subject.h"

#include "core/base/error.h"
#include "core/plan/measured.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/plan_service.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QJsonDocument>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr size_t triesKept = 2; // as many as the engine keeps

QString tr(const char* text) {
    return QCoreApplication::translate("Subject", text);
}

QString folderTitle(const QString& path) {
    const QFileInfo file(path);
    return file.fileName().isEmpty() ? QFileInfo(file.path()).fileName() : file.fileName();
}

EngineError engineError(const QString& message, const QString& hint) {
    EngineError error;
    error.code = EngineError::Usage;
    error.message = message;
    error.hint = hint;
    return error;
}

} // namespace

QString Subject::key() const {
    switch (kind) {
    case Kind::Original:
        return QStringLiteral("original");
    case Kind::Plan:
        return QStringLiteral("plan");
    case Kind::Preset:
        return QStringLiteral("preset:") % name;
    case Kind::Folder:
        break;
    }
    return QStringLiteral("folder:") % name;
}

Subject Subject::fromKey(const QString& key) {
    const QString name = key.section(QLatin1Char(':'), 1);
    if (key == QLatin1String("plan")) return {Kind::Plan, {}};
    if (key.startsWith(QLatin1String("preset:"))) return {Kind::Preset, name};
    if (key.startsWith(QLatin1String("folder:"))) return {Kind::Folder, name};
    return {};
}

QString subjectTitle(const Subject& subject, const Workbench& workbench) {
    switch (subject.kind) {
    case Subject::Kind::Original:
        return QStringLiteral("FP16");
    case Subject::Kind::Plan:
        return workbench.hasPlan()
                   ? tr("%1 bits").arg(fixedText(workbench.figures().bitsPerWeight, 2))
                   : tr("This plan");
    case Subject::Kind::Preset:
        return subject.name;
    case Subject::Kind::Folder:
        break;
    }
    return folderTitle(subject.name);
}

QString subjectDetail(const Subject& subject, const Workbench& workbench) {
    switch (subject.kind) {
    case Subject::Kind::Original:
        return tr("as stored");
    case Subject::Kind::Plan:
        return tr("this plan");
    case Subject::Kind::Preset:
        for (const Preset& preset : workbench.presets())
            if (preset.name == subject.name)
                return tr("preset, %1").arg(budgetText(preset.decision));
        return tr("preset");
    case Subject::Kind::Folder:
        break;
    }
    return tr("folder");
}

std::vector<Subject> standardSubjects(const Workbench& workbench) {
    std::vector<Subject> list{{Subject::Kind::Original, {}}};
    if (!workbench.hasPlan()) return list;
    list.push_back({Subject::Kind::Plan, {}});
    for (const Preset& preset : workbench.presets())
        list.push_back({Subject::Kind::Preset, preset.name});
    return list;
}

QString tokensText(qint64 count) {
    return count == 1 ? tr("1 token") : tr("%1 tokens").arg(QLocale().toString(count));
}

QJsonObject jsonObject(const nlohmann::json& json) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(json.dump())).object();
}

QJsonObject optionParams(const QuantizeOptions& options) {
    return {{QStringLiteral("head"), options.head == HeadStorage::Rows8 ? 8 : 16},
            {QStringLiteral("passes"), options.descentPasses},
            {QStringLiteral("polish"), options.polishSteps}};
}

SubjectModels::SubjectModels(Workbench& workbench, QObject* parent)
    : QObject(parent), m_workbench(workbench) {
    m_pool.setMaxThreadCount(1);
    const auto rewire = [this] {
        if (m_engine) m_engine->disconnect(this);
        m_engine = m_workbench.engine();
        forgetTries();
        if (!m_engine) return;
        connect(m_engine, &EngineClient::stateChanged, this, [this](EngineClient::State state) {
            m_asked.clear();
            m_infos.removeIf([](QHash<QString, QJsonObject>::iterator entry) {
                return entry->contains(QLatin1String("problem"));
            });
            if (state != EngineClient::State::Ready) forgetTries(); // they lived in the process
        });
    };
    rewire();
    connect(&workbench, &Workbench::engineChanged, this, rewire);
    connect(&workbench, &Workbench::modelChanged, this, &SubjectModels::forgetTries);
    // A try that another part of the program asked for pushes an older one out of the engine.
    connect(&workbench.jobs(), &JobList::ended, this, [this](int id) {
        const Job* job = m_workbench.jobs().find(id);
        if (!m_own.remove(id) && job && job->kind == QLatin1String("measure")) forgetTries();
    });
    const auto settle = [this] {
        m_presentIdentity = m_workbench.hasPlan() && !m_workbench.applyingPins()
                                ? identityOf(Workbench::planHash(m_workbench.plan().allocation()))
                                : QString();
        emit readyChanged();
    };
    for (auto signal :
         {&Workbench::planSettled, &Workbench::optionsChanged, &Workbench::phaseChanged})
        connect(&workbench, signal, this, settle);
    connect(&workbench, &Workbench::planChanged, this, [this] { m_presentIdentity.clear(); });
    settle();
}

SubjectModels::~SubjectModels() {
    m_pool.waitForDone();
}

QString SubjectModels::identityOf(const std::string& hash) const {
    const QuantizeOptions& options = m_workbench.options();
    return QString::fromStdString(hash) % QStringLiteral("/%1/%2/%3")
                                              .arg(options.head == HeadStorage::Rows8 ? 8 : 16)
                                              .arg(options.descentPasses)
                                              .arg(options.polishSteps);
}

QString SubjectModels::planIdentity(const Subject& subject) const {
    if (subject.kind == Subject::Kind::Plan) return m_presentIdentity;
    if (subject.kind == Subject::Kind::Preset)
        for (const Preset& preset : m_workbench.presets())
            if (preset.name == subject.name)
                if (const PlanSummary summary = m_workbench.summary(preset); summary.valid)
                    return identityOf(summary.hash);
    return {};
}

const SubjectModels::Ready* SubjectModels::find(const QString& identity, bool full) const {
    const Ready* best = nullptr;
    if (identity.isEmpty()) return best;
    for (const Ready& made : m_tries)
        if (made.plan == identity && (made.method == Method::Full || (!full && !best)))
            best = &made;
    return best;
}

const SubjectModels::Ready* SubjectModels::ready(const Subject& subject) const {
    return find(planIdentity(subject), false);
}

void SubjectModels::forgetFolder(const QString& path) {
    m_infos.remove(path);
    m_asked.remove(path);
    emit infoChanged(path);
}

void SubjectModels::forgetTries() {
    if (m_tries.empty()) return;
    m_tries.clear();
    emit readyChanged();
}

void SubjectModels::withPlan(const Subject& subject, std::function<void(const Planned&)> done) {
    Planned planned;
    const auto model = m_workbench.model();
    if (!m_workbench.hasPlan() || !model->source) {
        planned.error = tr("There is no plan yet: analyze the model first.");
        done(planned);
        return;
    }
    if (subject.kind == Subject::Kind::Plan) {
        if (m_workbench.applyingPins()) {
            planned.error = tr("Pins are being applied. Try again when they are.");
        } else {
            planned.plan = std::make_shared<Plan>(m_workbench.exportablePlan());
            planned.identity = identityOf(Workbench::planHash(m_workbench.plan().allocation()));
        }
        done(planned);
        return;
    }
    const auto found = std::ranges::find(m_workbench.presets(), subject.name, &Preset::name);
    if (found == m_workbench.presets().end()) {
        planned.error = tr("There is no preset \"%1\" any more.").arg(subject.name);
        done(planned);
        return;
    }
    // An allocator of its own: the one of the slider must stay as it is.
    const Decision decision = found->decision;
    const QuantizeOptions options = m_workbench.options();
    const std::vector<Measurement> measured = m_workbench.measurements();
    using Made = std::pair<Planned, std::string>;
    const auto work = [model, decision, options, measured] {
        Made result;
        auto& [made, hash] = result;
        try {
            Predictor predictor = predictorFor(model->source->path(),
                                               stageOf(options.descentPasses, options.polishSteps));
            addMeasurements(predictor, measured);
            OtherPlans others;
            OtherPlan other = others.work(model, decision, options, predictor);
            made.error = QString::fromStdString(other.error);
            hash = other.hash;
            if (made.error.isEmpty())
                made.plan = std::make_shared<Plan>(
                    makeExportable(*model, other.allocation, decision, predictor));
        } catch (const std::exception& error) {
            made.error = QString::fromUtf8(error.what());
        }
        return result;
    };
    inBackground(m_pool, m_mailbox, work, [this, done = std::move(done)](Made& result) {
        result.first.identity = identityOf(result.second);
        done(result.first);
    });
}

void SubjectModels::resolve(int job, const Subject& subject, Method method, double from, double to,
                            Done done) {
    m_own.insert(job);
    if (subject.kind == Subject::Kind::Original || subject.kind == Subject::Kind::Folder) {
        Ready ready;
        ready.title = subjectTitle(subject, m_workbench);
        ready.model = subject.kind == Subject::Kind::Folder
                          ? subject.name
                          : (m_workbench.hasModel() ? m_workbench.model()->folder : QString());
        done(ready);
        return;
    }
    withPlan(subject, [=, this](const Planned& planned) {
        const Job* now = m_workbench.jobs().find(job);
        if (!now || !now->active()) return; // cancelled meanwhile
        if (!planned.error.isEmpty()) {
            m_workbench.jobs().fail(job, engineError(planned.error, {}));
            return;
        }
        if (const Ready* made = find(planned.identity, method == Method::Full)) {
            done(*made);
            return;
        }
        callTry(job, subject, planned, method, from, to, done);
    });
}

void SubjectModels::callTry(int job, const Subject& subject, const Planned& planned, Method method,
                            double from, double to, Done done) {
    const auto model = m_workbench.model();
    QJsonObject params = optionParams(m_workbench.options());
    params[QLatin1String("model")] = model->folder;
    params[QLatin1String("statistics")] = model->statisticsFile;
    params[QLatin1String("plan")] = jsonObject(planned.plan->toJson());
    params[QLatin1String("mode")] =
        method == Method::Full ? QStringLiteral("full") : QStringLiteral("quick");
    Ready ready;
    ready.title = subjectTitle(subject, m_workbench);
    ready.plan = planned.identity;
    ready.method = method == Method::Full ? Method::Full : Method::Quick;
    m_workbench.jobs().call(
        job, QStringLiteral("try"), params, from, to,
        [this, ready, done = std::move(done)](const EngineResult& result) mutable {
            ready.model = result.value[QLatin1String("model")].toString();
            ready.bytes = qint64(result.value[QLatin1String("bytes")].toDouble());
            if (m_tries.size() >= triesKept) m_tries.erase(m_tries.begin());
            m_tries.push_back(ready);
            emit readyChanged();
            done(ready);
        });
}

QJsonObject SubjectModels::info(const QString& path) {
    const QJsonObject known = m_infos.value(path);
    if (!known.isEmpty() || path.isEmpty() || !m_engine || m_asked.value(path)) return known;
    if (m_engine->state() != EngineClient::State::Ready &&
        m_engine->state() != EngineClient::State::Starting)
        return {};
    m_asked.insert(path, true);
    m_engine->call(QStringLiteral("info"), {{QStringLiteral("model"), path}}, this,
                   [this, path](const EngineResult& result) {
                       // What only this engine, or only this moment, has to say is asked again.
                       const int code = result.error.code;
                       if (code == EngineError::EngineDied || code == EngineError::NotRunning ||
                           code == EngineError::Cancelled) {
                           m_asked.remove(path);
                           return;
                       }
                       if (!result.ok()) {
                           QJsonObject problem{{QStringLiteral("problem"), result.error.message}};
                           m_infos.insert(path, problem);
                       } else {
                           m_infos.insert(path, result.value);
                       }
                       emit infoChanged(path);
                   });
    return {};
}

qint64 SubjectModels::memoryOf(const Subject& subject) {
    if (!m_workbench.hasModel()) return 0;
    // A plan carried out in memory takes at most what the original takes.
    const QString path =
        subject.kind == Subject::Kind::Folder ? subject.name : m_workbench.model()->folder;
    const QJsonObject memory = info(path)[QLatin1String("memory")].toObject();
    return qint64(memory[QLatin1String("chat_resident")].toDouble());
}

} // namespace bitloom::ui
