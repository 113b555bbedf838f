// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// The real program, as a user or a script meets it: exit codes, messages, --json, and the whole
// path on a tiny model.
#include <QtTest>

#include <QCryptographicHash>
#include <QDirIterator>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>

#include <csignal>
#include <cstring>

namespace {

struct Run {
    int code = -1;
    QString out, err;
    QList<QJsonObject> events; ///< with --json
    QJsonObject last() const { return events.isEmpty() ? QJsonObject() : events.back(); }
    QByteArray all() const {
        return QStringLiteral("code %1\nstdout: %2\nstderr: %3").arg(code).arg(out, err).toUtf8();
    }
};

QString program() {
    return QStringLiteral(BITLOOM_BINARY_DIR "/bin/bitloom");
}

/// A program under way; several may be.
class Started {
public:
    explicit Started(
        const QStringList& arguments, const QByteArray& input = {},
        const QProcessEnvironment& environment = QProcessEnvironment::systemEnvironment())
        : m_json(arguments.contains(QStringLiteral("--json"))) {
        m_process.setProcessEnvironment(environment);
        m_process.start(program(), arguments);
        m_process.write(input);
        m_process.closeWriteChannel();
    }
    Run result() {
        Run run;
        if (!m_process.waitForFinished(280000)) {
            m_process.kill();
            m_process.waitForFinished();
            return run;
        }
        run.code = m_process.exitStatus() == QProcess::NormalExit ? m_process.exitCode() : -2;
        run.out = QString::fromUtf8(m_process.readAllStandardOutput());
        run.err = QString::fromUtf8(m_process.readAllStandardError());
        if (m_json)
            for (const QString& line : run.out.split(u'\n', Qt::SkipEmptyParts))
                run.events << QJsonDocument::fromJson(line.toUtf8()).object();
        return run;
    }

private:
    QProcess m_process;
    bool m_json;
};

Run runProgram(const QStringList& arguments, const QByteArray& input = {},
               const QProcessEnvironment& environment = QProcessEnvironment::systemEnvironment()) {
    return Started(arguments, input, environment).result();
}

void copyFolder(const QString& from, const QString& to) {
    QVERIFY(QDir().mkpath(to));
    for (const QFileInfo& file : QDir(from).entryInfoList(QDir::Files)) {
        QVERIFY(QFile::copy(file.filePath(), to + u'/' + file.fileName()));
        QFile::setPermissions(to + u'/' + file.fileName(), QFile::ReadOwner | QFile::WriteOwner);
    }
}

QByteArray readFile(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void writeFile(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    QCOMPARE(file.write(bytes), bytes.size());
}

/// A safetensors file with one I32 tensor.
QByteArray idsFile(const QList<int>& shape, const QList<int>& ids) {
    QStringList sides;
    for (const int side : shape)
        sides << QString::number(side);
    QByteArray header =
        QStringLiteral("{\"input_ids\":{\"dtype\":\"I32\",\"shape\":[%1],\"data_offsets\":[0,%2]}}")
            .arg(sides.join(u','))
            .arg(ids.size() * 4)
            .toUtf8();
    while (header.size() % 8)
        header += ' ';
    const auto length = quint64(header.size());
    QByteArray bytes(reinterpret_cast<const char*>(&length), 8);
    bytes += header;
    for (const qint32 id : ids)
        bytes += QByteArray(reinterpret_cast<const char*>(&id), 4);
    return bytes;
}

qint64 folderBytes(const QString& folder) {
    qint64 bytes = 0;
    QDirIterator files(folder, QDir::Files | QDir::Hidden, QDirIterator::Subdirectories);
    while (files.hasNext()) {
        files.next();
        bytes += files.fileInfo().size();
    }
    return bytes;
}

QMap<QString, QByteArray> hashes(const QString& folder) {
    QMap<QString, QByteArray> found;
    for (const QFileInfo& file : QDir(folder).entryInfoList(QDir::Files))
        found[file.fileName()] =
            QCryptographicHash::hash(readFile(file.filePath()), QCryptographicHash::Sha256);
    return found;
}

const QString golden = QStringLiteral(BITLOOM_TEST_DATA "/goldens/llama2-gqa");
const QString goldenIds = golden + QStringLiteral("/golden.safetensors");
const QString sample = QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");

} // namespace

class TestCli : public QObject {
    Q_OBJECT

    QTemporaryDir m_dir;
    QString path(const QString& name) const { return m_dir.filePath(name); }
    /// A command with this test's own cache.
    QStringList withCache(QStringList arguments) const {
        return arguments << QStringLiteral("--cache") << path(QStringLiteral("cache"));
    }
    static QStringList words(const char* line) {
        return QString::fromUtf8(line).split(u' ', Qt::SkipEmptyParts);
    }
    /// Words with {golden}, {sample}, {ids}, {dir} filled in.
    QStringList filled(const QString& line) const {
        QStringList arguments = line.split(u' ', Qt::SkipEmptyParts);
        for (QString& word : arguments) {
            word.replace(QStringLiteral("{golden}"), golden)
                .replace(QStringLiteral("{sample}"), sample);
            word.replace(QStringLiteral("{ids}"), goldenIds)
                .replace(QStringLiteral("{dir}"), m_dir.path());
        }
        return arguments;
    }

private slots:
    void initTestCase() {
        qputenv("BITLOOM_CUDA_LIBRARY", ""); // the same with and without a GPU
        QVERIFY(m_dir.isValid());
        QVERIFY2(QFileInfo::exists(program()), qPrintable(program()));
    }

    void helpAlone() {
        const Run run = runProgram({});
        QCOMPARE(run.code, 0);
        for (const char* command :
             {"info", "calibrate", "plan", "quantize", "export", "eval", "chat", "compare",
              "tokenize", "logits", "convert", "devices", "selftest", "bench", "demo", "serve"})
            QVERIFY2(run.out.contains(
                         QRegularExpression(QStringLiteral("\n  %1 ").arg(QLatin1String(command)))),
                     command);
        QCOMPARE(runProgram(words("--help")).out, run.out);
        const Run version = runProgram(words("--version"));
        QCOMPARE(version.code, 0);
        QVERIFY(version.out.startsWith(QLatin1String("bitloom ")));
    }

    void helpOfCommands_data() {
        QTest::addColumn<QStringList>("mentions");
        const auto row = [](const char* command, const char* options) {
            QTest::newRow(command) << words(options);
        };
        row("info", "MODEL --verify");
        row("calibrate", "--text --ids --sequences --length --output");
        row("plan", "--tokens-per-second --bits --size --max-ppl --pin --stats --output");
        row("quantize",
            "--plan --bits --method --polish --head --stats --resume --verify --dry-run --force");
        row("export", "--to --dtype --output --force");
        row("eval", "--against --text --ids --protocol --context");
        row("chat", "--against --prompt --max-tokens --temperature --top-k --top-p --min-p "
                    "--repetition-penalty --seed --stop");
        row("compare", "--methods --bits --text");
        row("tokenize", "--text --special --output");
        row("logits", "--ids --output");
        row("convert", "FILE --output");
        row("selftest", "--device");
        row("demo", "--output");
        row("bench", "--shape --bits --outliers --prompt --context --kv --save");
    }
    void helpOfCommands() {
        QFETCH(QStringList, mentions);
        const Run run =
            runProgram({QString::fromUtf8(QTest::currentDataTag()), QStringLiteral("--help")});
        QCOMPARE(run.code, 0);
        mentions << words("--memory --threads --device --cache --json --quiet");
        for (const QString& option : mentions)
            QVERIFY2(run.out.contains(option), qPrintable(option));
        for (const char* later : {"--tasks", "word,"})
            QVERIFY2(!run.out.contains(QLatin1String(later)), later);
    }

    /// Small enough for a test: what was read for a product is what its numbers take.
    void bench() {
        const Run run =
            runProgram(words("bench --shape 1b --layers 1 --bits 2.4,16 --gigabytes 0.01 "
                             "--vectors 1 --prompt 12 --tokens 3 --json"));
        QCOMPARE(run.code, 0);
        const QJsonObject result = run.last();
        QCOMPARE(result[QLatin1String("models")].toArray().size(), 2);
        for (const QJsonValue& entry : result[QLatin1String("models")].toArray()) {
            QVERIFY(entry[QLatin1String("tokens_per_second")].toDouble() > 0);
            QVERIFY(entry[QLatin1String("prompt_tokens_per_second")].toDouble() > 0);
        }
        // 4 shapes (q/o, k/v, gate/up, down) at two widths, and one of them with outliers.
        const QJsonArray kernels = result[QLatin1String("kernel_table")].toArray();
        QCOMPARE(kernels.size(), 4 * 3);
        for (const QJsonValue& entry : kernels) {
            const double weights =
                entry[QLatin1String("rows")].toDouble() * entry[QLatin1String("cols")].toDouble();
            const double bits = entry[QLatin1String("bits")].toDouble() +
                                32 * entry[QLatin1String("outliers")].toDouble();
            const double read = 8 * entry[QLatin1String("bytes")].toDouble() / weights;
            // Tables and the beginnings of rows come on top; FP16 has neither.
            QVERIFY2(bits < 16 ? read > bits - 0.01 && read < bits + 0.4 : read == 16,
                     qPrintable(QStringLiteral("%1 bits read for %2").arg(read).arg(bits)));
        }
        QVERIFY(result[QLatin1String("read_bandwidth")].toDouble() > 1e8);
    }

    void refusals_data() {
        QTest::addColumn<QString>("line");
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("message");
        const auto row = [](const char* name, const char* line, int code, const char* message) {
            QTest::newRow(name) << QString::fromUtf8(line) << code << QString::fromUtf8(message);
        };
        row("unknown command", "quantise", 2, "bitloom quantize");
        row("nonsense", "xyzzyxyzzy", 2, "--help");
        row("model first", "{golden} --bits 3", 2, "bitloom info");
        row("unknown option", "info {golden} --frobnicate", 2, "--frobnicate");
        row("no model", "info", 2, "MODEL");
        row("model is nowhere", "info {dir}/nothing-here", 1, "nothing-here");
        row("repository is nowhere", "info no-such-org/no-such-model", 1, "no-such-model");
        row("cuda", "info {golden} --device cuda", 1, "processor only");
        row("no GPU", "eval {golden} --device cuda", 5, "no GPU can be used");
        row("vram", "eval {golden} --device auto --vram lots", 2, "lots");
        row("selftest cuda", "selftest --device cuda", 5, "nothing was checked");
        row("device", "info {golden} --device tpu", 2, "tpu");
        row("memory", "info {golden} --memory lots", 2, "lots");
        row("threads", "info {golden} --threads 0", 2, "--threads");
        row("log", "info {golden} --log {golden}/config.json/log", 1, "log");
        row("no budget", "plan {golden}", 2, "--bits");
        row("two budgets", "plan {golden} --bits 3 --size 1M", 2, "more than one");
        row("negative budget", "plan {golden} --bits -1", 2, "bits");
        row("size", "plan {golden} --size huge", 2, "huge");
        row("max-ppl", "plan {golden} --max-ppl x%", 2, "+2%");
        row("two budgets, one a rate", "plan {golden} --bits 3 --tokens-per-second 9", 2,
            "more than one");
        row("negative rate", "plan {golden} --tokens-per-second -1", 2, "not a rate");
        row("rate of rtn", "quantize {golden} -o {dir}/o --method rtn --tokens-per-second 9", 2,
            "--bits only");
        row("bench bits", "bench --bits 1", 2, "2 to 8");
        row("bench shape", "bench --shape 9b", 2, "7b");
        row("bench cache", "bench --kv f8", 2, "int8");
        row("pin without bits", "plan {golden} --bits 4 --pin q_proj", 2, "q_proj");
        row("no output", "quantize {golden} --bits 3", 2, "--output");
        row("quantize without budget", "quantize {golden} -o {dir}/o", 2, "--bits");
        row("rtn needs whole bits", "quantize {golden} -o {dir}/o --method rtn --bits 2.5", 2,
            "whole");
        row("cmpq bits", "quantize {golden} -o {dir}/o --method cmpq --bits 7", 2, "--bits 5");
        row("method", "quantize {golden} -o {dir}/o --method magic --bits 3", 2, "magic");
        row("polish of rtn", "quantize {golden} -o {dir}/o --method rtn --bits 3 --polish 9", 2,
            "--polish");
        row("pins of rtn", "quantize {golden} -o {dir}/o --method rtn --bits 3 --pin q=4", 2,
            "cmpq+");
        row("head", "quantize {golden} -o {dir}/o --bits 3 --head 12", 2, "--head");
        row("plan and budget", "quantize {golden} -o {dir}/o --bits 3 --plan p.json", 2, "--plan");
        row("plan is nowhere", "quantize {golden} -o {dir}/o --plan {dir}/none.json", 1,
            "none.json");
        row("output exists", "quantize {golden} -o {dir} --bits 4", 1, "--force");
        row("output in a file", "quantize {golden} -o {golden}/config.json/x --bits 4", 1,
            "not a folder");
        row("no tokenizer", "calibrate {golden}", 1, "--ids");
        row("no tokenizer eval", "eval {golden}", 1, "--ids");
        row("no tokenizer chat", "chat {golden} --prompt x", 1, "tokenizer");
        row("tasks", "eval {golden} --tasks mmlu", 2, "--tasks");
        row("word", "eval {golden} --ids {ids} --protocol word", 2, "gptq");
        row("protocol", "eval {golden} --protocol wrong", 2, "wrong");
        row("text and ids", "eval {golden} --ids {ids} --text x", 2, "excludes");
        row("stats are nowhere", "plan {golden} --bits 4 --stats {dir}/none", 1, "none");
        row("ids are nowhere", "eval {golden} --ids {dir}/none", 1, "none");
        row("sampling", "chat {sample} --prompt x --top-p 0", 2, "top-p");
        row("export of an original", "export {golden} --to hf -o {dir}/o", 1, "bitloom quantize");
        row("export elsewhere", "export {golden} --to gguf -o {dir}/o", 2, "gguf");
        row("verify of an original", "info {golden} --verify", 2, "--verify");
        row("convert what is no checkpoint", "convert {golden}/config.json -o {dir}/o", 1,
            "config.json");
        row("compare rtn at fractions", "compare {golden} --methods rtn --bits 2.2 --ids {ids}", 2,
            "whole");
    }
    void refusals() {
        QFETCH(QString, line);
        QFETCH(int, code);
        QFETCH(QString, message);
        Started first(filled(line)), second(filled(line) << QStringLiteral("--json"));
        const Run plain = first.result(), json = second.result();
        QVERIFY2(plain.code == code, plain.all());
        QVERIFY2(plain.err.startsWith(QLatin1String("error: ")) ||
                     plain.err.contains(QLatin1String("\nerror: ")),
                 plain.all());
        QVERIFY2(plain.err.contains(message), plain.all());
        QVERIFY2(plain.out.isEmpty(), plain.all());
        QVERIFY(!QFileInfo::exists(path(QStringLiteral("o"))));

        QVERIFY2(json.code == code, json.all());
        const QJsonObject error = json.last();
        QCOMPARE(error[QLatin1String("event")].toString(), QStringLiteral("error"));
        QCOMPARE(error[QLatin1String("code")].toInt(-1), code);
        QVERIFY(!error[QLatin1String("message")].toString().isEmpty());
        QVERIFY2(!error[QLatin1String("hint")].toString().isEmpty(), json.all());
        QVERIFY2(json.err.isEmpty(), json.all());
    }

    void badModels_data() {
        QTest::addColumn<QString>("from");
        QTest::addColumn<QString>("message");
        QTest::newRow("truncated") << golden << "model.safetensors";
        QTest::newRow("header longer than the file") << golden << "model.safetensors";
        QTest::newRow("wrong shape") << golden << "shape";
        QTest::newRow("unknown architecture") << golden << "GigaForCausalLM";
        QTest::newRow("config is no JSON") << golden << "config.json";
        QTest::newRow("no config") << golden << "config.json";
        QTest::newRow("already quantized") << golden << "gptq";
        QTest::newRow("only pytorch_model.bin") << golden << "pytorch_model.bin";
        QTest::newRow("no weights") << golden << "no tensor";
        QTest::newRow("missing shard")
            << QStringLiteral(BITLOOM_TEST_DATA "/goldens/llama3-rope-tied-sharded")
            << "model-00002-of-00002.safetensors";
    }
    void badModels() {
        QFETCH(QString, from);
        QFETCH(QString, message);
        const QString kind = QString::fromUtf8(QTest::currentDataTag());
        const QString folder = path(QStringLiteral("bad ") + kind);
        copyFolder(from, folder);
        const QString weights = folder + QStringLiteral("/model.safetensors");
        const QString config = folder + QStringLiteral("/config.json");
        QJsonObject settings = QJsonDocument::fromJson(readFile(config)).object();
        const auto writeConfig = [&] { writeFile(config, QJsonDocument(settings).toJson()); };
        if (kind == QLatin1String("truncated")) {
            writeFile(weights, readFile(weights).chopped(1000));
        } else if (kind == QLatin1String("header longer than the file")) {
            QByteArray bytes = readFile(weights);
            bytes[6] = '\x7f';
            writeFile(weights, bytes);
        } else if (kind == QLatin1String("wrong shape")) {
            settings[QLatin1String("intermediate_size")] = 168;
            writeConfig();
            message = QStringLiteral("168");
        } else if (kind == QLatin1String("unknown architecture")) {
            settings[QLatin1String("architectures")] =
                QJsonArray{QStringLiteral("GigaForCausalLM")};
            settings[QLatin1String("model_type")] = QStringLiteral("giga");
            writeConfig();
            message = QStringLiteral("iga");
        } else if (kind == QLatin1String("config is no JSON")) {
            writeFile(config, "{\"architectures\": [");
        } else if (kind == QLatin1String("no config")) {
            QVERIFY(QFile::remove(config));
        } else if (kind == QLatin1String("already quantized")) {
            settings[QLatin1String("quantization_config")] =
                QJsonObject{{QStringLiteral("quant_method"), QStringLiteral("gptq")}};
            writeConfig();
        } else if (kind == QLatin1String("only pytorch_model.bin")) {
            QVERIFY(QFile::rename(weights, folder + QStringLiteral("/pytorch_model.bin")));
        } else if (kind == QLatin1String("no weights")) {
            QVERIFY(QFile::remove(weights));
        } else {
            QVERIFY(QFile::remove(folder + u'/' + message));
        }
        Started info({QStringLiteral("info"), folder});
        Started eval(
            withCache({QStringLiteral("eval"), folder, QStringLiteral("--ids"), goldenIds}));
        for (Started* started : {&info, &eval}) {
            const Run run = started->result();
            QVERIFY2(run.code == 1, run.all());
            QVERIFY2(run.err.startsWith(QLatin1String("error: ")), run.all());
            QVERIFY2(run.err.contains(message), run.all());
            QVERIFY2(run.err.contains(QLatin1String("\n  ")), run.all()); // and what to do
        }
    }

    void notANumber() {
        const QString folder = path(QStringLiteral("nan"));
        copyFolder(golden, folder);
        QByteArray bytes = readFile(folder + QStringLiteral("/model.safetensors"));
        bytes[bytes.size() - 1] = '\x7f'; // the last half is a NaN
        bytes[bytes.size() - 2] = '\xff';
        writeFile(folder + QStringLiteral("/model.safetensors"), bytes);
        const Run run = runProgram(
            withCache({QStringLiteral("calibrate"), folder, QStringLiteral("--ids"), goldenIds}));
        QVERIFY2(run.code == 1, run.all());
        QVERIFY2(run.err.contains(QLatin1String("NaN"), Qt::CaseInsensitive), run.all());
    }

    void badTexts() {
        writeFile(path(QStringLiteral("empty.txt")), "");
        writeFile(path(QStringLiteral("short.txt")), "Once upon a time.");
        writeFile(path(QStringLiteral("latin1.txt")), "caf\xe9 caf\xe9");
        Run run = runProgram(
            withCache(filled(QStringLiteral("calibrate {sample} --text {dir}/empty.txt"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("empty")), run.all());
        run = runProgram(
            withCache(filled(QStringLiteral("calibrate {sample} --text {dir}/short.txt"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("256")), run.all());
        run = runProgram(withCache(filled(QStringLiteral("eval {sample} --text {dir}/short.txt"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("512")), run.all());
        run = runProgram(
            withCache(filled(QStringLiteral("calibrate {sample} --text {dir}/latin1.txt"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("UTF-8")), run.all());
        writeFile(path(QStringLiteral("far.safetensors")),
                  idsFile({1, 8}, {1, 2, 3, 4, 5, 6, 7, 512}));
        run = runProgram(
            withCache(filled(QStringLiteral("eval {golden} --ids {dir}/far.safetensors"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("512")), run.all());
    }

    void bareModel() {
        const Run run = runProgram({golden});
        QVERIFY2(run.code == 0, run.all());
        for (const char* next : {"bitloom calibrate", "bitloom plan", "bitloom quantize"})
            QVERIFY2(run.out.contains(QLatin1String(next)), run.all());
        QVERIFY2(run.out.contains(QLatin1String("--ids")), run.all()); // it has no tokenizer
    }

    void resourcesElsewhere() {
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert(QStringLiteral("BITLOOM_RESOURCES"),
                           path(QStringLiteral("no-resources")));
        const Run run = runProgram(withCache(words("demo")), {}, environment);
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("BITLOOM_RESOURCES")), run.all());
    }

    void tokenize() {
        const QJsonObject vectors =
            QJsonDocument::fromJson(
                readFile(QStringLiteral(BITLOOM_SOURCE_DIR
                                        "/resources/selftest/tokenizer_vectors.json")))
                .object();
        const QJsonObject first = vectors[QLatin1String("texts")].toArray()[0].toObject();
        QStringList ids;
        for (const QJsonValue id : first[QLatin1String("ids")].toArray())
            ids << QString::number(id.toInt());
        const QByteArray text = first[QLatin1String("text")].toString().toUtf8();
        Run run = runProgram({QStringLiteral("tokenize"), sample}, text);
        QVERIFY2(run.code == 0, run.all());
        QCOMPARE(run.out, ids.join(u' ') + u'\n');

        // A folder with nothing but tokenizer files; a file for output; --json.
        const QString folder = path(QStringLiteral("tokenizer"));
        QVERIFY(QDir().mkpath(folder));
        QVERIFY(QFile::copy(sample + QStringLiteral("/tokenizer.model"),
                            folder + QStringLiteral("/tokenizer.model")));
        writeFile(path(QStringLiteral("text.txt")), text);
        const QString out = path(QStringLiteral("text.safetensors"));
        run = runProgram({QStringLiteral("tokenize"), folder, QStringLiteral("--text"),
                          path(QStringLiteral("text.txt")), QStringLiteral("-o"), out,
                          QStringLiteral("--json")});
        QVERIFY2(run.code == 0, run.all());
        QCOMPARE(run.last()[QLatin1String("event")].toString(), QStringLiteral("result"));
        QCOMPARE(run.last()[QLatin1String("command")].toString(), QStringLiteral("tokenize"));
        QCOMPARE(run.last()[QLatin1String("tokens")].toInt(), int(ids.size()));
        QVERIFY(readFile(out).contains("\"I32\""));
        QCOMPARE(readFile(out).size() % 8, (ids.size() * 4) % 8);
    }

    // ---- the whole path on a tiny model
    // ------------------------------------------------------------

    void calibrateOnce() {
        const Run run =
            runProgram(withCache(filled(QStringLiteral("calibrate {golden} --ids {ids} --json"))));
        QVERIFY2(run.code == 0, run.all());
        const QJsonObject result = run.last();
        QCOMPARE(result[QLatin1String("event")].toString(), QStringLiteral("result"));
        QCOMPARE(result[QLatin1String("sequences")].toInt(), 2);
        QCOMPARE(result[QLatin1String("length")].toInt(), 48);
        // transformers' own mean NLL of these ids, from the golden file.
        QVERIFY2(std::abs(result[QLatin1String("nll")].toDouble() - 6.417972564697266) < 1e-4,
                 run.all());
        QVERIFY(result[QLatin1String("peak_rss")].toDouble() > 0);
        bool progress = false;
        for (const QJsonObject& event : run.events) {
            QVERIFY2(event.contains(QLatin1String("event")), run.all());
            if (event[QLatin1String("event")].toString() != QLatin1String("progress")) continue;
            progress = true;
            const double fraction = event[QLatin1String("fraction")].toDouble(-1);
            QVERIFY(fraction >= 0 && fraction <= 1);
            QVERIFY(event[QLatin1String("what")].isString() &&
                    event.contains(QLatin1String("eta_s")));
        }
        QVERIFY2(progress, run.all());
        QVERIFY2(run.err.isEmpty(), run.all());

        const Run again =
            runProgram(withCache(filled(QStringLiteral("calibrate {golden} --ids {ids} --json"))));
        QVERIFY(again.last()[QLatin1String("cached")].toBool());
        QCOMPARE(again.last()[QLatin1String("layers_computed")].toInt(), 0);
    }

    void planBudgets() {
        const QString file = path(QStringLiteral("plan.json"));
        Run run = runProgram(
            withCache(filled(QStringLiteral("plan {golden} --bits 4 -o {dir}/plan.json --json"))));
        QVERIFY2(run.code == 0, run.all());
        const QJsonObject byBits = run.last();
        QVERIFY(byBits[QLatin1String("bits_per_weight")].toDouble() <= 4);
        QVERIFY(byBits[QLatin1String("bits_per_weight")].toDouble() > 3.95);
        QVERIFY(QFileInfo::exists(file));
        QVERIFY(byBits[QLatin1String("predicted_delta_nll")].toDouble() > 0);
        QVERIFY(!byBits[QLatin1String("predicted_on")].toString().isEmpty());

        // --size: never above, and nothing more would have fitted.
        const auto bytes = qint64(byBits[QLatin1String("predicted_bytes")].toDouble());
        run = runProgram(withCache(filled(
            QStringLiteral("plan {golden} -o {dir}/size.json --json --size %1").arg(bytes))));
        QVERIFY2(run.code == 0, run.all());
        const auto bySize = qint64(run.last()[QLatin1String("predicted_bytes")].toDouble());
        QVERIFY2(bySize <= bytes && bySize > bytes - 64, run.all());

        run = runProgram(withCache(
            filled(QStringLiteral("plan {golden} -o {dir}/ppl.json --json --max-ppl +3%"))));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY2(run.last()[QLatin1String("predicted_delta_nll")].toDouble() <= std::log(1.03),
                 run.all());

        // Impossible budgets name the nearest possible one, and that one works.
        for (const char* budget : {"--bits 1.5", "--bits 15", "--size 1k", "--max-ppl 1e-12"}) {
            run = runProgram(withCache(
                filled(QStringLiteral("plan {golden} -o {dir}/no.json ") + QLatin1String(budget))));
            QVERIFY2(run.code == 2, run.all());
            const QString option = words(budget)[0];
            const auto nearest =
                QRegularExpression(option + QStringLiteral(" (\\S*[0-9%])")).match(run.err);
            QVERIFY2(nearest.hasMatch(), run.all());
            QVERIFY(!QFileInfo::exists(path(QStringLiteral("no.json"))));
            run =
                runProgram(withCache(filled(QStringLiteral("plan {golden} -o {dir}/nearest.json "))
                                     << option << nearest.captured(1)));
            QVERIFY2(run.code == 0, run.all());
        }
        run = runProgram(withCache(filled(
            QStringLiteral("plan {golden} -o {dir}/no.json --bits 4 --pin nothing_like_it=4"))));
        QVERIFY2(run.code == 2 && run.err.contains(QLatin1String("nothing_like_it")), run.all());
    }

    void quantizeAndMeasure() {
        const QString out = path(QStringLiteral("quantized"));
        Run run = runProgram(withCache(filled(QStringLiteral(
            "quantize {golden} -o {dir}/quantized --plan {dir}/plan.json --dry-run --json"))));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY(!QFileInfo::exists(out));
        const QJsonArray files = run.last()[QLatin1String("files")].toArray();

        run = runProgram(withCache(filled(QStringLiteral(
            "quantize {golden} -o {dir}/quantized --plan {dir}/plan.json --verify --json"))));
        QVERIFY2(run.code == 0, run.all());
        const QJsonObject result = run.last();
        for (const char* name :
             {"bits_per_weight", "bytes", "predicted_bytes", "predicted_delta_nll", "predicted_nll",
              "predicted_on", "seconds", "peak_rss", "device"})
            QVERIFY2(result.contains(QLatin1String(name)), name);
        QCOMPARE(qint64(result[QLatin1String("bytes")].toDouble()), folderBytes(out));
        QCOMPARE(result[QLatin1String("bytes")], result[QLatin1String("predicted_bytes")]);
        QCOMPARE(files.size(), QDir(out).entryList(QDir::Files).size());
        for (const QJsonValue file : files)
            QCOMPARE(QFileInfo(out + u'/' + file[QLatin1String("name")].toString()).size(),
                     qint64(file[QLatin1String("bytes")].toDouble()));
        QVERIFY(!QFileInfo::exists(out + QStringLiteral(".partial")));

        // Bit for bit the same with --force; refused without.
        const auto before = hashes(out);
        run = runProgram(withCache(
            filled(QStringLiteral("quantize {golden} -o {dir}/quantized --plan {dir}/plan.json"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("--force")), run.all());
        run = runProgram(withCache(filled(QStringLiteral(
            "quantize {golden} -o {dir}/quantized --plan {dir}/plan.json --force"))));
        QVERIFY2(run.code == 0, run.all());
        QCOMPARE(hashes(out), before);

        run = runProgram(withCache(
            filled(QStringLiteral("eval {dir}/quantized --against {golden} --ids {ids} --json"))));
        QVERIFY2(run.code == 0, run.all());
        const QJsonObject measured = run.last();
        QCOMPARE(measured[QLatin1String("protocol")].toString(), QStringLiteral("gptq-48"));
        QCOMPARE(measured[QLatin1String("tokens")].toInt(), 2 * 47);
        QVERIFY2(std::abs(measured[QLatin1String("reference_nll")].toDouble() - 6.417972564697266) <
                     1e-4,
                 run.all());
        for (const char* name :
             {"nll", "ppl", "stderr", "kl_mean", "kl_p99", "top1_agreement", "seconds",
              "tokens_per_second", "peak_rss", "device", "bits_per_weight", "bytes"})
            QVERIFY2(measured.contains(QLatin1String(name)), name);

        run = runProgram(withCache(filled(QStringLiteral("info {dir}/quantized --verify --json"))));
        QVERIFY2(run.code == 0 && run.last()[QLatin1String("verified")].toBool(), run.all());
        QCOMPARE(run.last()[QLatin1String("bits_per_weight")],
                 result[QLatin1String("bits_per_weight")]);
    }

    void damageIsFound() {
        const QString folder = path(QStringLiteral("damaged"));
        copyFolder(path(QStringLiteral("quantized")), folder);
        QByteArray bytes = readFile(folder + QStringLiteral("/model.safetensors"));
        bytes[bytes.size() - 5] = char(bytes[bytes.size() - 5] ^ 1);
        writeFile(folder + QStringLiteral("/model.safetensors"), bytes);
        const Run run = runProgram({QStringLiteral("info"), folder, QStringLiteral("--verify")});
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("damaged")), run.all());
    }

    void exportAndLogits() {
        Run run = runProgram(withCache(filled(QStringLiteral(
            "export {dir}/quantized --to hf --dtype f32 -o {dir}/exported --ids {ids} --json"))));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY2(run.last()[QLatin1String("kl_mean")].toDouble() < 1e-6, run.all());
        for (const char* model : {"quantized", "exported"}) {
            run = runProgram(
                withCache(filled(QStringLiteral("logits {dir}/%1 --ids {ids} -o {dir}/%1.logits")
                                     .arg(QLatin1String(model)))));
            QVERIFY2(run.code == 0, run.all());
        }
        const QByteArray a = readFile(path(QStringLiteral("quantized.logits")));
        const QByteArray b = readFile(path(QStringLiteral("exported.logits")));
        QCOMPARE(a.size(), b.size());
        constexpr qsizetype values = 2 * 48 * 512;
        QVERIFY(a.size() > values * 4);
        for (qsizetype i = 0; i < values; ++i) {
            float x = 0, y = 0;
            std::memcpy(&x, a.constData() + a.size() - values * 4 + i * 4, 4);
            std::memcpy(&y, b.constData() + b.size() - values * 4 + i * 4, 4);
            QVERIFY(std::abs(x - y) <= 1e-4f);
        }
        run = runProgram(
            withCache(filled(QStringLiteral("export {dir}/quantized --to hf -o {dir}/exported"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("exists")), run.all());
        QVERIFY2(run.err.contains(QLatin1String("--force")), run.all());
        run = runProgram(withCache(filled(QStringLiteral(
            "export {dir}/quantized --to hf --dtype bf16 -o {dir}/exported --ids {ids} --force"))));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY(readFile(path(QStringLiteral("exported/config.json"))).contains("bfloat16"));
        QVERIFY(!QFileInfo::exists(path(QStringLiteral("exported.partial"))));
        // A quantized model is no export, and is never replaced by one.
        run = runProgram(withCache(
            filled(QStringLiteral("export {dir}/quantized --to hf -o {dir}/quantized --force"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("not replaced")), run.all());
        QVERIFY(QFileInfo::exists(path(QStringLiteral("quantized/recipe.json"))));
    }

    void staleResume() {
        const QString partial = path(QStringLiteral("stale.partial"));
        // Stopped by a signal while quantizing the sample, which takes long enough to be caught.
        QProcess process;
        process.start(program(), withCache(filled(
                                     QStringLiteral("calibrate {sample} --sequences 64 --json"))));
        QVERIFY(process.waitForReadyRead(60000)); // its first progress line
        ::kill(pid_t(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(30000));
        QCOMPARE(process.exitCode(), 3);
        const QByteArray out = process.readAllStandardOutput();
        const QByteArray last = out.trimmed().split('\n').back();
        const QJsonObject error = QJsonDocument::fromJson(last).object();
        QCOMPARE(error[QLatin1String("event")].toString(), QStringLiteral("error"));
        QCOMPARE(error[QLatin1String("code")].toInt(), 3);
        QVERIFY(!error[QLatin1String("hint")].toString().isEmpty());

        QVERIFY(QDir().mkpath(partial));
        const Run run = runProgram(withCache(
            filled(QStringLiteral("quantize {golden} -o {dir}/stale --plan {dir}/plan.json"))));
        QVERIFY2(run.code == 1 && run.err.contains(QLatin1String("--resume")), run.all());
    }

    void otherMethods_data() {
        QTest::addColumn<QString>("method");
        QTest::newRow("cmpq") << "cmpq";
        QTest::newRow("rtn") << "rtn";
        QTest::newRow("gptq") << "gptq --act-order";
    }
    void otherMethods() {
        QFETCH(QString, method);
        const QString name = QString::fromUtf8(QTest::currentDataTag());
        const Run run = runProgram(withCache(filled(
            QStringLiteral("quantize {golden} -o {dir}/%1 --method %2 --bits 4 --verify --json")
                .arg(name, method))));
        QVERIFY2(run.code == 0, run.all());
        QCOMPARE(qint64(run.last()[QLatin1String("predicted_bytes")].toDouble()),
                 folderBytes(path(name)));
    }

    void compareTable() {
        const Run run = runProgram(withCache(filled(
            QStringLiteral("compare {golden} --methods rtn,cmpq+ --bits 4 --ids {ids} --json"))));
        QVERIFY2(run.code == 0, run.all());
        const QJsonArray rows = run.last()[QLatin1String("rows")].toArray();
        QCOMPARE(rows.size(), 3);
        QCOMPARE(rows[0][QLatin1String("method")].toString(), QStringLiteral("FP16"));
        QCOMPARE(rows[0][QLatin1String("bits_per_weight")].toDouble(), 16.0);
        QCOMPARE(rows[2][QLatin1String("method")].toString(), QStringLiteral("cmpq+"));
        for (const char* field :
             {"bits_per_weight", "bytes", "ppl", "delta_nll", "delta_stderr", "kl_mean", "seconds"})
            QVERIFY2(rows[2].toObject().contains(QLatin1String(field)), field);
    }

    void chat() {
        Run run =
            runProgram(filled(QStringLiteral("chat {sample} --max-tokens 8 --json --prompt Once")));
        QVERIFY2(run.code == 0, run.all());
        const QJsonObject result = run.last();
        QVERIFY(result[QLatin1String("tokens")].toInt() <= 8);
        QString streamed;
        for (const QJsonObject& event : run.events)
            if (event[QLatin1String("event")].toString() == QLatin1String("token"))
                streamed += event[QLatin1String("text")].toString();
        QCOMPARE(streamed, result[QLatin1String("text")].toString());
        QVERIFY(!streamed.isEmpty());
        const Run plain =
            runProgram(filled(QStringLiteral("chat {sample} --max-tokens 8 -q --prompt Once")));
        QCOMPARE(plain.out, streamed + u'\n');
        QVERIFY2(plain.err.isEmpty(), plain.all());

        // Lines from a pipe: two turns, one after a reset.
        run = runProgram(filled(QStringLiteral("chat {sample} --max-tokens 4 --json")),
                         "Once\n/reset\nOnce\n/quit\n");
        QVERIFY2(run.code == 0, run.all());
        const QJsonArray turns = run.last()[QLatin1String("turns")].toArray();
        QCOMPARE(turns.size(), 2);
        QCOMPARE(turns[0], turns[0]);
        QCOMPARE(turns[0][QLatin1String("answers")][0][QLatin1String("text")],
                 turns[1][QLatin1String("answers")][0][QLatin1String("text")]);
    }

    void devices() {
        const Run run = runProgram(words("devices --json"));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY(run.last()[QLatin1String("cpu")].toString().contains(QLatin1String("kernels")));
        QVERIFY(
            run.last()[QLatin1String("cuda")].toString().startsWith(QLatin1String("not used: ")));
    }

    void selftest() {
        const Run run = runProgram(words("selftest --json"));
        QVERIFY2(run.code == 0, run.all());
        QVERIFY(run.last()[QLatin1String("checks")].toArray().size() >= 10);
        QCOMPARE(run.last()[QLatin1String("failed")].toInt(-1), 0);
    }
};

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"
