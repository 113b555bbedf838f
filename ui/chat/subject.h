// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/plan.h"
#include "ui/state/background.h"
#include "ui/state/workbench.h"

#include <QHash>
#include <QJsonObject>
#include <QObject>
#include <QPointer>
#include <QSet>
#include <QThreadPool>

#include <functional>
#include <memory>

namespace bitloom::ui {

/// A model that can be talked to, measured and compared: what it is, not its weights.
struct Subject {
    enum class Kind {
        Original, ///< the open model as stored ("FP16")
        Plan,     ///< the present plan, carried out in memory
        Preset,   ///< a preset of that name, likewise
        Folder,   ///< an exported checkpoint, or any other model, at that path
    } kind = Kind::Original;
    QString name; ///< of the preset, or path of the folder
    bool operator==(const Subject&) const = default;

    QString key() const; ///< for settings: "original", "plan", "preset:Small", "folder:/…"
    static Subject fromKey(const QString& key);
};

QString subjectTitle(const Subject& subject, const Workbench& workbench); ///< "FP16", "3.00 bits"
QString subjectDetail(const Subject& subject,
                      const Workbench& workbench); ///< "as stored", "preset"
/// FP16, the present plan, and the presets.
std::vector<Subject> standardSubjects(const Workbench& workbench);

/// Head, passes and polish as `try` and `quantize` take them.
QJsonObject optionParams(const QuantizeOptions& options);
QJsonObject jsonObject(const nlohmann::json& json);
QString tokensText(qint64 count); ///< "1 token", "12 tokens"

/// Turns subjects into names that the engine takes as a model, and keeps the results of `try` as
/// long as the engine does: the two latest. One for the whole program; UI thread only.
class SubjectModels : public QObject {
    Q_OBJECT
public:
    explicit SubjectModels(Workbench& workbench, QObject* parent = nullptr);
    ~SubjectModels() override;

    /// How much of the method is in the weights.
    enum class Method { Stored, Quick, Full };
    struct Ready {
        QString model; ///< path or handle
        QString title; ///< as it was when this was made
        QString plan;  ///< identity of plan and options; empty for stored ones
        Method method = Method::Stored;
        qint64 bytes = 0; ///< of the folder, as predicted; 0 unknown
    };
    using Done = std::function<void(const Ready&)>;

    /// Within a job of the list: calls `try` where that is needed, in the part [from, to] of the
    /// job's progress. `method` Full insists on the full method; Quick takes what is there, the
    /// full one before the quick. The job fails if it cannot be done; `done` is not called then.
    void resolve(int job, const Subject& subject, Method method, double from, double to, Done done);
    /// The identity that `resolve` would give the present plan; empty for stored subjects and
    /// while it is not known.
    QString planIdentity(const Subject& subject) const;
    /// What is ready for this subject now without a call; nullptr if nothing.
    const Ready* ready(const Subject& subject) const;
    /// What lies at this path is another model now.
    void forgetFolder(const QString& path);
    /// The engine says that a handle is no more.
    void forgetTries();

    /// What the engine says of a path (`info`); empty until it answered. Asks once a path.
    QJsonObject info(const QString& path);
    /// Bytes that the subject takes in memory to answer at full speed; 0 while unknown.
    qint64 memoryOf(const Subject& subject);

    Workbench& workbench() { return m_workbench; }

signals:
    void infoChanged(const QString& path);
    void readyChanged(); ///< a try was added or dropped

private:
    struct Planned {
        std::shared_ptr<const Plan> plan;
        QString identity, error;
    };
    void withPlan(const Subject& subject, std::function<void(const Planned&)> done);
    void callTry(int job, const Subject& subject, const Planned& planned, Method method,
                 double from, double to, Done done);
    QString identityOf(const std::string& hash) const;
    const Ready* find(const QString& identity, bool full) const;

    Workbench& m_workbench;
    QPointer<EngineClient> m_engine;
    std::vector<Ready> m_tries; ///< newest last, at most two
    QHash<QString, QJsonObject> m_infos;
    QHash<QString, bool> m_asked;
    QString m_presentIdentity;
    QSet<int> m_own; ///< jobs whose tries are known here
    Mailbox m_mailbox;
    QThreadPool m_pool;
};

} // namespace bitloom::ui
