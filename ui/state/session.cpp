// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/session.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/durable.h"
#include "ui/state/settings.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QLockFile>
#include <QSaveFile>

#include <utility>

namespace bitloom::ui {

namespace {

using nlohmann::json;

constexpr const char* formatName = "bitloom-session";

QString tr(const char* text) {
    return QCoreApplication::translate("Session", text);
}

QString textAt(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string()
               ? QString::fromStdString(found->get<std::string>())
               : QString();
}

int wholeAt(const json& object, const char* key, int otherwise) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<int>() : otherwise;
}

const json& objectAt(const json& object, const char* key, const std::string& where) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object())
        throw Error(where + ": \"" + key + "\" is missing.");
    return *found;
}

const json& listAt(const json& object, const char* key) {
    static const json empty = json::array();
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : empty;
}

} // namespace

QByteArray Session::toJson() const {
    json presets = json::array(), measurements = json::array();
    for (const Preset& preset : work.presets)
        presets.push_back(
            {{"name", preset.name.toStdString()}, {"decision", preset.decision.toJson()}});
    for (const Measurement& m : work.measurements)
        measurements.push_back(m.toJson());
    const json all{
        {"format", formatName},
        {"version", version},
        {"saved", savedAt.toStdString()},
        {"model",
         {{"folder", modelFolder.toStdString()},
          {"fingerprint", modelFingerprint},
          {"engine", machine.toStdString()}}},
        {"statistics",
         {{"file", statisticsFile.toStdString()}, {"fingerprint", statisticsFingerprint}}},
        {"decision", work.decision.toJson()},
        {"last_preset", work.lastPreset.toStdString()},
        {"presets", presets},
        {"measurements", measurements},
        {"selected_layer", work.selectedLayer.toStdString()},
        {"options",
         {{"head", head == HeadStorage::Rows8 ? 8 : 16},
          {"passes", descentPasses},
          {"polish", polishSteps}}},
        {"layout", layout.toStdString()},
        {"window_state", windowState.toBase64().toStdString()},
        {"chat", chat.toJson()},
        {"file", file.toStdString()},
        {"modified", work.modified}};
    return QByteArray::fromStdString(all.dump(1, ' ', false, json::error_handler_t::replace));
}

Session Session::fromJson(const QByteArray& text, const QString& where) {
    const std::string place = where.toStdString();
    const json all = parseJson(std::string_view(text.constData(), size_t(text.size())), place);
    if (!all.is_object() || textAt(all, "format") != QLatin1String(formatName))
        throw Error(place + ": this is no Bitloom session.", "Choose a .bitloom-session file.");
    const int found = wholeAt(all, "version", 0);
    if (found < 1 || found > version)
        throw Error(place + ": this session was saved by a later version of Bitloom (format " +
                        std::to_string(found) + ").",
                    "Open it with that version.");
    Session session;
    const json& model = objectAt(all, "model", place);
    session.modelFolder = textAt(model, "folder");
    session.modelFingerprint = textAt(model, "fingerprint").toStdString();
    session.machine = textAt(model, "engine");
    session.work.modelFingerprint = session.modelFingerprint;
    if (const auto statistics = all.find("statistics");
        statistics != all.end() && statistics->is_object()) {
        session.statisticsFile = textAt(*statistics, "file");
        session.statisticsFingerprint = textAt(*statistics, "fingerprint").toStdString();
    }
    if (found == 1) {
        // Version 1 knew bits per weight and pins as text, and presets as budgets alone.
        if (const auto bits = all.find("bits"); bits != all.end() && bits->is_number())
            session.work.decision.budget = {Budget::Kind::Bits, bits->get<double>()};
        for (const json& pin : listAt(all, "pins"))
            if (pin.is_string())
                session.work.decision.pins.push_back({Pin::parse(pin.get<std::string>()), true});
        for (const json& entry : listAt(all, "presets")) {
            Preset preset;
            preset.name = textAt(entry, "name");
            if (const auto bits = entry.find("bits"); bits != entry.end() && bits->is_number())
                preset.decision.budget = {Budget::Kind::Bits, bits->get<double>()};
            if (!preset.name.isEmpty()) session.work.presets.push_back(preset);
        }
    } else {
        session.work.decision = Decision::fromJson(objectAt(all, "decision", place), place);
        for (const json& entry : listAt(all, "presets")) {
            Preset preset;
            preset.name = textAt(entry, "name");
            preset.decision = Decision::fromJson(objectAt(entry, "decision", place + ": presets"),
                                                 place + ": presets");
            if (!preset.name.isEmpty()) session.work.presets.push_back(preset);
        }
    }
    for (const json& entry : listAt(all, "measurements"))
        session.work.measurements.push_back(Measurement::fromJson(entry, place + ": measurements"));
    session.work.lastPreset = textAt(all, "last_preset");
    session.work.selectedLayer = textAt(all, "selected_layer");
    session.work.statisticsFile = session.statisticsFile;
    if (const auto options = all.find("options"); options != all.end() && options->is_object()) {
        session.head = wholeAt(*options, "head", 16) == 8 ? HeadStorage::Rows8 : HeadStorage::Keep;
        session.descentPasses = std::clamp(wholeAt(*options, "passes", 2), 0, 16);
        session.polishSteps = std::clamp(wholeAt(*options, "polish", 0), 0, 1'000'000);
    }
    session.layout = textAt(all, "layout");
    session.windowState = QByteArray::fromBase64(textAt(all, "window_state").toLatin1());
    if (const auto chat = all.find("chat"); chat != all.end())
        session.chat = ChatState::fromJson(*chat);
    session.savedAt = textAt(all, "saved");
    session.file = textAt(all, "file");
    if (const auto modified = all.find("modified"); modified != all.end())
        session.work.modified = modified->is_boolean() && modified->get<bool>();
    return session;
}

void Session::save(const QString& path) const {
    QSaveFile file(path);
    const QByteArray text = toJson();
    if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size() || !file.commit())
        throw Error(tr("The session could not be saved to '%1': %2.")
                        .arg(path, file.errorString())
                        .toStdString(),
                    tr("Choose another place.").toStdString());
}

Session Session::load(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        throw Error(tr("The session '%1' could not be read: %2.")
                        .arg(path, file.errorString())
                        .toStdString());
    if (file.size() > 256 * 1024 * 1024)
        throw Error(tr("'%1' is too large for a session.").arg(path).toStdString());
    return fromJson(file.readAll(), path);
}

Session Session::of(const Workbench& workbench) {
    Session session;
    if (const auto& model = workbench.model()) {
        session.modelFolder = model->folder;
        session.modelFingerprint = model->fingerprint;
        session.work.modelFingerprint = model->fingerprint;
        session.machine = model->machine;
        if (model->source) {
            session.statisticsFile = model->statisticsFile;
            session.statisticsFingerprint = model->statisticsFingerprint;
        }
        if (const int layer = workbench.selectedLayer(); layer >= 0)
            session.work.selectedLayer = QString::fromStdString(model->entries[size_t(layer)].name);
    }
    session.work.decision = workbench.decision();
    for (const Preset& preset : workbench.presets())
        if (!preset.builtIn) session.work.presets.push_back(preset);
    session.work.measurements = workbench.measurements();
    session.work.lastPreset = workbench.lastPreset();
    session.work.modified = workbench.isModified();
    session.work.statisticsFile = session.statisticsFile;
    session.head = workbench.options().head;
    session.descentPasses = workbench.options().descentPasses;
    session.polishSteps = workbench.options().polishSteps;
    session.savedAt = QDateTime::currentDateTime().toString(Qt::ISODate);
    return session;
}

// --- autosave ------------------------------------------------------------------------------------

struct Autosave::Lock {
    explicit Lock(const QString& path) : file(path) { file.setStaleLockTime(0); }
    QLockFile file;
};

Autosave::Autosave(Workbench& workbench, Settings& settings, const QString& folder, QObject* parent)
    : QObject(parent), m_workbench(workbench),
      m_folder(folder.isEmpty() ? Settings::stateFolder() : folder) {
    QDir().mkpath(m_folder);
    const QString name = QStringLiteral("autosave-%1-%2")
                             .arg(QCoreApplication::applicationPid())
                             .arg(QDateTime::currentMSecsSinceEpoch());
    m_file = m_folder % QLatin1Char('/') % name % QStringLiteral(".bitloom-session");
    m_lock = std::make_unique<Lock>(m_file % QStringLiteral(".lock"));
    m_lock->file.tryLock(0);

    m_soon.setSingleShot(true);
    m_soon.setInterval(1500); // a drag is one change
    connect(&m_soon, &QTimer::timeout, this, &Autosave::saveNow);
    connect(&m_workbench, &Workbench::modifiedChanged, this, [this](bool modified) {
        if (modified && !m_ended && !m_soon.isActive()) m_soon.start();
    });
    const auto setInterval = [this, &settings] {
        if (settings.autosaveSeconds() > 0)
            m_regular.start(settings.autosaveSeconds() * 1000);
        else
            m_regular.stop();
    };
    connect(&settings, &Settings::autosaveChanged, this, setInterval);
    connect(&m_regular, &QTimer::timeout, this, &Autosave::saveNow);
    setInterval();
}

Autosave::~Autosave() = default;

QStringList Autosave::leftBehind() const {
    QStringList files;
    const QDir dir(m_folder);
    for (const QString& name :
         dir.entryList({QStringLiteral("autosave-*.bitloom-session")}, QDir::Files, QDir::Time)) {
        const QString path = dir.filePath(name);
        if (path == m_file) continue;
        QLockFile lock(path % QStringLiteral(".lock"));
        lock.setStaleLockTime(0);
        if (!lock.tryLock(0)) continue; // its studio is alive
        lock.unlock();
        try {
            if (Session::load(path).modelFolder.isEmpty()) {
                QFile::remove(path);
                continue;
            }
            files.append(path);
        } catch (const std::exception& error) {
            QFile::rename(path, path % QStringLiteral(".damaged"));
            logger("ui")->warn("an autosaved session is damaged and was set aside: {}",
                               error.what());
        }
    }
    return files;
}

void Autosave::discard(const QString& file) {
    QFile::remove(file);
}

void Autosave::takeOver(const QString& file) {
    m_takenOver = file;
}

void Autosave::setCompletion(std::function<void(Session&)> complete) {
    m_complete = std::move(complete);
}

Session Autosave::current() const {
    Session session = Session::of(m_workbench);
    if (m_complete) m_complete(session);
    return session;
}

QString Autosave::lastFile() const {
    return m_folder % QStringLiteral("/last.bitloom-session");
}

QString Autosave::lastSession() const {
    return QFile::exists(lastFile()) ? lastFile() : QString();
}

void Autosave::saveNow() {
    if (m_ended || !m_workbench.hasModel()) return;
    Session session = current();
    session.savedAt.clear();
    const QByteArray text = session.toJson();
    if (text == m_lastWritten) return; // an idle program writes nothing
    session.savedAt = QDateTime::currentDateTime().toString(Qt::ISODate);
    try {
        session.save(m_file);
        m_lastWritten = text;
        m_lastSaved = QDateTime::currentDateTime();
        if (!m_takenOver.isEmpty()) discard(std::exchange(m_takenOver, QString()));
        emit saved();
    } catch (const Error& error) {
        logger("ui")->warn("autosave: {}", error.what());
        emit failed(QString::fromStdString(error.what()));
    }
}

void Autosave::endProperly() {
    m_ended = true;
    m_soon.stop();
    m_regular.stop();
    // The autosaved file stays where the last session could not be written: nothing is lost.
    bool kept = true;
    if (m_workbench.hasModel()) {
        try {
            current().save(lastFile());
        } catch (const Error& error) {
            kept = false;
            logger("ui")->warn("{}", error.what());
        }
    } else if (m_workbench.phase() == Workbench::Phase::Empty) {
        QFile::remove(lastFile());
    }
    if (kept) {
        QFile::remove(m_file);
        if (m_workbench.hasModel() && !m_takenOver.isEmpty()) QFile::remove(m_takenOver);
    }
    m_lock->file.unlock();
}

} // namespace bitloom::ui
