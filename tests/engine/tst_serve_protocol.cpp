// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// `bitloom serve` without libtorch: lines, requests, parameters, queue and cancelling, files, the
// stand-in of a model, and the figures of a comparison.
#include "core/base/stretch.h"
#include "core/engine/serve/detached.h"
#include "core/engine/serve/divergence.h"
#include "core/engine/serve/files.h"
#include "core/engine/serve/model_info.h"
#include "core/engine/serve/params.h"
#include "core/engine/serve/server.h"
#include "core/engine/serve/skeleton.h"
#include "core/format/layout.h"
#include "core/io/durable.h"

#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <condition_variable>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <thread>
#include <unistd.h>

using namespace bitloom;
using namespace bitloom::serve;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// A server with made-up methods, and the client's ends of its pipes.
class Rig {
public:
    explicit Rig(const fs::path& cache, std::chrono::milliseconds patience = 500ms) {
        int in[2], out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) qFatal("no pipes");
        m_serverIn = in[0];
        m_toServer = in[1];
        m_fromServer = out[0];
        m_serverOut = out[1];
        m_output = std::make_unique<Output>(m_serverOut);
        Server::Options options;
        options.cache = cache;
        options.patience = patience;
        options.abandon = [this] {
            abandoned = true;
            letGo();
        };
        m_server = std::make_unique<Server>(*m_output, methods(), options);
        m_thread = std::thread([this] { m_server->run(m_serverIn); });
    }
    ~Rig() {
        letGo();
        end();
        m_thread.join();
        for (const int fd : {m_serverIn, m_serverOut, m_fromServer})
            ::close(fd);
    }

    void send(const std::string& line) {
        const std::string whole = line + "\n";
        for (size_t done = 0; done < whole.size();) {
            const ssize_t n = ::write(m_toServer, whole.data() + done, whole.size() - done);
            if (n < 0) qFatal("cannot write");
            done += size_t(n);
        }
    }
    void call(const Json& id, const std::string& method, const Json& params = Json::object()) {
        send(Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump());
    }
    void hello() {
        call(0, "hello", {{"protocol", protocolVersion}});
        if (!receive().contains("result")) qFatal("no hello");
    }
    void end() {
        if (m_toServer >= 0) ::close(m_toServer);
        m_toServer = -1;
    }
    /// The next message; null after five seconds or the end.
    Json receive(int timeout = 5000) {
        for (;;) {
            const size_t end = m_input.find('\n');
            if (end != std::string::npos) {
                const Json message = Json::parse(m_input.substr(0, end));
                m_input.erase(0, end + 1);
                return message;
            }
            pollfd ready{m_fromServer, POLLIN, 0};
            if (::poll(&ready, 1, timeout) <= 0) return {};
            char buffer[65536];
            const ssize_t n = ::read(m_fromServer, buffer, sizeof buffer);
            if (n <= 0) return {};
            m_input.append(buffer, size_t(n));
        }
    }
    /// The answer to `id`; other messages are kept in `others`.
    Json answer(const Json& id) {
        for (;;) {
            Json message = receive();
            if (message.is_null()) return message;
            if (message.contains("id") && message["id"] == id && !message.contains("method"))
                return message;
            others.push_back(std::move(message));
        }
    }
    bool waitForRunning() {
        std::unique_lock lock(m_mutex);
        return m_changed.wait_for(lock, 5s, [this] { return m_running; });
    }
    /// Lets `stubborn` end.
    void letGo() {
        const std::lock_guard lock(m_mutex);
        m_letGo = true;
        m_changed.notify_all();
    }

    std::vector<Json> others;
    std::atomic<bool> abandoned = false;

private:
    std::map<std::string, RpcMethod> methods() {
        std::map<std::string, RpcMethod> out;
        out["echo"] = {Kind::Quick, [](Job& job) { return job.params(); }};
        out["fail"] = {Kind::Compute, [](Job& job) -> Json {
                           const std::string how = job.params().value("how", "");
                           if (how == "error")
                               throw Error(ErrorCode::NoSpace, "the disk is full", "Make room.");
                           if (how == "memory") throw std::bad_alloc();
                           if (how == "library") throw std::runtime_error("odd\n#0 frame");
                           throw RpcError(RpcCode::Usage, "not so", "So.");
                       }};
        out["count"] = {Kind::Compute, [](Job& job) -> Json {
                            for (int i = 0; i < job.params().value("to", 3); ++i)
                                job.notify("token", {{"index", i}});
                            return {{"done", true}};
                        }};
        out["work"] = {Kind::Compute,
                       [this](Job& job) -> Json {
                           setRunning();
                           for (int i = 0;; ++i) {
                               job.check();
                               job.report(std::min(1.0, i / 1000.0), "working");
                               std::this_thread::sleep_for(2ms);
                               const std::lock_guard lock(m_mutex);
                               if (m_letGo) return {{"worked", true}};
                           }
                       },
                       [](const Json&) { return std::string("/somewhere/OUT"); }};
        out["stubborn"] = {Kind::Compute, [this](Job&) -> Json {
                               setRunning();
                               std::unique_lock lock(m_mutex);
                               m_changed.wait(lock, [this] { return m_letGo; });
                               return {{"stubborn", true}};
                           }};
        return out;
    }
    void setRunning() {
        const std::lock_guard lock(m_mutex);
        m_running = true;
        m_changed.notify_all();
    }

    int m_serverIn = -1, m_toServer = -1, m_fromServer = -1, m_serverOut = -1;
    std::unique_ptr<Output> m_output;
    std::unique_ptr<Server> m_server;
    std::thread m_thread;
    std::string m_input;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    bool m_running = false, m_letGo = false;
};

int codeOf(const Json& message) {
    return message.contains("error") ? message["error"].value("code", 0) : 0;
}

fs::path golden(const std::string& name) {
    return fs::path(BITLOOM_TEST_DATA) / "goldens" / name;
}

} // namespace

class TestServeProtocol : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    fs::path cache() const { return m_folder.filePath("cache").toStdString(); }

    static void compareError(const std::function<void()>& action, RpcCode code,
                             const std::string& part) {
        try {
            action();
        } catch (const RpcError& error) {
            QCOMPARE(int(error.code()), int(code));
            QVERIFY2(std::string(error.what()).find(part) != std::string::npos, error.what());
            return;
        }
        QFAIL("nothing was thrown");
    }

private slots:
    void lines() {
        // However the bytes arrive, the same lines come out.
        const std::string text = "one\n\n{\"two\":2}\r\nthree\nlost";
        for (const size_t step : {size_t(1), size_t(2), size_t(5), text.size()}) {
            LineSplitter splitter(20);
            std::vector<std::string> found;
            for (size_t at = 0; at < text.size(); at += step)
                splitter.push(
                    std::string_view(text).substr(at, step),
                    [&](std::string_view line) { found.emplace_back(line); },
                    [&] { found.emplace_back("too long"); });
            QCOMPARE(found, (std::vector<std::string>{"one", "{\"two\":2}", "three"}));
        }
    }

    void longLines() {
        for (const size_t step : {size_t(1), size_t(7), size_t(100)}) {
            const std::string text = std::string(10, 'a') + "\n" + std::string(11, 'b') + "\n" +
                                     std::string(50, 'c') + "\nd\n";
            LineSplitter splitter(10);
            std::vector<std::string> found;
            for (size_t at = 0; at < text.size(); at += step)
                splitter.push(
                    std::string_view(text).substr(at, step),
                    [&](std::string_view line) { found.emplace_back(line); },
                    [&] { found.emplace_back("too long"); });
            QCOMPARE(found,
                     (std::vector<std::string>{std::string(10, 'a'), "too long", "too long", "d"}));
        }
    }

    void requests_data() {
        QTest::addColumn<QString>("line");
        QTest::addColumn<int>("code");
        const auto row = [](const char* line, RpcCode code) {
            QTest::newRow(line) << QString(line) << int(code);
        };
        row("hello", RpcCode::ParseError);
        row("{\"jsonrpc\":\"2.0\"", RpcCode::ParseError);
        row("[]", RpcCode::InvalidRequest);
        row("3", RpcCode::InvalidRequest);
        row("null", RpcCode::InvalidRequest);
        row("{}", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"1.0","id":1,"method":"x"})", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"2.0","id":1})", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"2.0","id":1,"method":3})", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"2.0","id":1.5,"method":"x"})", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"2.0","id":[1],"method":"x"})", RpcCode::InvalidRequest);
        row(R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})", RpcCode::InvalidRequest);
    }
    void requests() {
        QFETCH(QString, line);
        QFETCH(int, code);
        compareError([&] { parseRequest(line.toStdString()); }, RpcCode(code), "");
    }

    void goodRequests() {
        const Request one =
            parseRequest(R"({"jsonrpc":"2.0","id":"a","method":"x","params":{"y":1}})");
        QCOMPARE(one.id, Json("a"));
        QCOMPARE(one.method, std::string("x"));
        QCOMPARE(one.params, (Json{{"y", 1}}));
        QVERIFY(!one.notification());
        QVERIFY(parseRequest(R"({"jsonrpc":"2.0","method":"x"})").notification());
    }

    void errors() {
        const Json json = RpcError(Error(ErrorCode::NoSpace, "full", "Make room.")).toJson();
        QCOMPARE(json, (Json{{"code", -32004},
                             {"message", "full"},
                             {"data", {{"code", 4}, {"hint", "Make room."}}}}));
        const Json none = RpcError(Error(ErrorCode::NoDevice, "no GPU", "Use cpu.")).toJson();
        QCOMPARE(none["code"], Json(-32005));
        QCOMPARE(none["data"]["code"], Json(5));
        QCOMPARE(RpcError(RpcCode::InvalidParams, "x").exitCode(), 2);
        QCOMPARE(RpcError(RpcCode::Internal, "x").exitCode(), 1);
        QCOMPARE(RpcError(RpcCode::Cancelled, "x").exitCode(), 3);
    }

    void params() {
        const Json object = {{"text", "a"},    {"n", 7},
                             {"whole", 7.0},   {"half", 7.5},
                             {"yes", true},    {"nothing", nullptr},
                             {"list", {1, 2}}, {"bad", {1, -1}},
                             {"names", {"x"}}, {"huge", uint64_t(1) << 63}};
        Params p(object, "test");
        QCOMPARE(p.text("text"), std::string("a"));
        QCOMPARE(p.integer("n", 0, 0, 10), 7);
        QCOMPARE(p.integer("whole", 0, 0, 10), 7);
        QCOMPARE(p.integer("absent", 5, 0, 1), 5);
        QCOMPARE(p.number("half", 0, 0, 10), 7.5);
        QCOMPARE(p.flag("yes", false), true);
        QVERIFY(!p.has("nothing"));
        QCOMPARE(p.text("nothing", "otherwise"), std::string("otherwise"));
        QCOMPARE(p.ids("list"), (std::vector<int32_t>{1, 2}));
        QCOMPARE(p.texts("names"), (std::vector<std::string>{"x"}));
        const auto refused = [&](const std::function<void()>& read, const std::string& part) {
            compareError(read, RpcCode::InvalidParams, part);
        };
        refused([&] { p.text("n"); }, "'n' must be a text");
        refused([&] { p.integer("half", 0, 0, 10); }, "'half' must be a whole number");
        refused([&] { p.integer("text", 0, 0, 10); }, "whole number");
        refused([&] { p.integer("n", 0, 0, 6); }, "between 0 and 6");
        refused([&] { p.integer("huge", 0, 0, INT64_MAX); }, "9223372036854775808");
        refused([&] { p.number("yes", 0, 0, 1); }, "'yes' must be a number");
        refused([&] { p.flag("n", false); }, "true or false");
        refused([&] { p.ids("bad"); }, "token ids");
        refused([&] { p.texts("list"); }, "list of texts");
        refused([&] { p.requireText("absent"); }, "'absent' is missing");
        refused([&] { p.choice("text", {"b", "c"}, "b"); }, "b, c");
        refused([&] { p.object("list"); }, "an object");
        Params strict(object, "test");
        strict.text("text");
        refused([&] { strict.finish(); }, "there is no parameter 'bad'");
    }

    void helloFirst() {
        Rig rig(cache());
        rig.call(1, "echo");
        QCOMPARE(codeOf(rig.receive()), -32011);
        rig.call(2, "hello", {{"protocol", 99}});
        const Json mismatch = rig.receive();
        QCOMPARE(codeOf(mismatch), -32010);
        const auto text = mismatch["error"]["message"].get<std::string>();
        QVERIFY(text.find("99") != std::string::npos && text.find("1") != std::string::npos);
        rig.call(3, "hello");
        QCOMPARE(codeOf(rig.receive()), -32602);
        rig.call(4, "hello", {{"protocol", "1"}});
        QCOMPARE(codeOf(rig.receive()), -32602);
        rig.call(5, "hello", {{"protocol", 1}, {"client", {{"name", "test"}}}});
        const Json hello = rig.receive();
        QCOMPARE(hello["id"], Json(5));
        QCOMPARE(hello["result"]["protocol"], Json(1));
        const Json methods = hello["result"]["methods"];
        QVERIFY(std::find(methods.begin(), methods.end(), "echo") != methods.end());
        QVERIFY(std::find(methods.begin(), methods.end(), "cancel") != methods.end());
        rig.call("text id", "echo", {{"x", 1}});
        const Json echo = rig.receive();
        QCOMPARE(echo, (Json{{"jsonrpc", "2.0"}, {"id", "text id"}, {"result", {{"x", 1}}}}));
    }

    void badLinesDoNoHarm() {
        Rig rig(cache());
        rig.hello();
        rig.send("garbage");
        Json answer = rig.receive();
        QCOMPARE(codeOf(answer), -32700);
        QVERIFY(answer["id"].is_null());
        rig.send("");
        rig.send(std::string("\xff\xfe{\"x\"", 6));
        QCOMPARE(codeOf(rig.receive()), -32700);
        rig.send(std::string(300, '['));
        QCOMPARE(codeOf(rig.receive()), -32700);
        rig.call(1, "nothing of the kind");
        answer = rig.receive();
        QCOMPARE(codeOf(answer), -32601);
        QCOMPARE(answer["id"], Json(1));
        rig.send(std::string(maxLineBytes + 1, 'x'));
        answer = rig.receive();
        QCOMPARE(codeOf(answer), -32012);
        QVERIFY(answer["id"].is_null());
        rig.send(R"({"jsonrpc":"2.0","method":"echo"})"); // a notification: no answer
        rig.call(2, "echo");
        QCOMPARE(rig.receive()["id"], Json(2));
    }

    void failures_data() {
        QTest::addColumn<QString>("how");
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("message");
        QTest::addColumn<QString>("hint");
        QTest::newRow("error") << "error" << -32004 << "the disk is full"
                               << "Make room.";
        QTest::newRow("memory") << "memory" << -32004 << "out of memory"
                                << "";
        QTest::newRow("library") << "library" << -32603 << "unexpected: odd"
                                 << "";
        QTest::newRow("rpc") << "rpc" << -32002 << "not so"
                             << "So.";
    }
    void failures() {
        QFETCH(QString, how);
        QFETCH(int, code);
        QFETCH(QString, message);
        QFETCH(QString, hint);
        Rig rig(cache());
        rig.hello();
        rig.call(1, "fail", {{"how", how.toStdString()}});
        const Json error = rig.answer(1)["error"];
        QCOMPARE(error["code"], Json(code));
        QCOMPARE(error["message"], Json(message.toStdString()));
        const auto text = error["data"]["hint"].get<std::string>();
        if (hint.isEmpty())
            QVERIFY(!text.empty());
        else
            QCOMPARE(text, hint.toStdString());
    }

    /// Compute jobs run one after the other, in order; quick ones beside them.
    void queue() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "work");
        QVERIFY(rig.waitForRunning());
        rig.call(2, "count", {{"to", 3}});
        rig.call(3, "echo");
        QVERIFY(!rig.answer(3).is_null());
        rig.call(1, "echo"); // the id of an open request
        Json refused;
        for (refused = rig.receive(); refused.contains("method"); refused = rig.receive()) {
        }
        QCOMPARE(codeOf(refused), -32600);
        QVERIFY(refused["id"].is_null());
        rig.letGo();
        QVERIFY(rig.answer(1).contains("result"));
        rig.others.clear();
        QVERIFY(rig.answer(2).contains("result"));
        std::vector<int> order;
        bool started = false;
        for (const Json& message : rig.others) {
            QCOMPARE(message["params"]["job"], Json(2));
            started |= message["method"] == "started";
            if (message["method"] == "token")
                order.push_back(message["params"]["index"].get<int>());
        }
        QVERIFY(started);
        QCOMPARE(order, (std::vector<int>{0, 1, 2}));
    }

    void cancelRunning() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "work");
        QVERIFY(rig.waitForRunning());
        rig.call(2, "cancel", {{"job", 1}});
        const Json answer = rig.answer(2);
        QCOMPARE(answer["result"]["known"], Json(true));
        QCOMPARE(answer["result"]["state"], Json("running"));
        QVERIFY(answer["result"]["unbreakable_s"] >= 0);
        const Json error = rig.answer(1);
        QCOMPARE(codeOf(error), -32003);
        QCOMPARE(error["error"]["data"]["code"], Json(3));
        rig.call(3, "cancel", {{"job", 1}});
        QCOMPARE(rig.answer(3)["result"], (Json{{"known", false}, {"state", "unknown"}}));
        rig.call(4, "cancel");
        QCOMPARE(codeOf(rig.answer(4)), -32602);
        rig.call(5, "cancel", {{"job", {1}}});
        QCOMPARE(codeOf(rig.answer(5)), -32602);
    }

    /// One that waits behind another need not wait for its end.
    void cancelQueued() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "stubborn");
        QVERIFY(rig.waitForRunning());
        rig.call(2, "count");
        rig.call(3, "cancel", {{"job", 2}});
        QCOMPARE(codeOf(rig.answer(2)), -32003);
        const Json queued = rig.answer(3)["result"];
        QCOMPARE(queued["state"], Json("queued"));
        QCOMPARE(queued["unbreakable_s"], Json(0));
        rig.letGo();
        rig.others.clear();
        QVERIFY(rig.answer(1).contains("result"));
        for (const Json& message : rig.others)
            QVERIFY(message["params"]["job"] != 2);
    }

    /// cancel is answered even while a library call cannot be broken off.
    void cancelStubborn() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "stubborn");
        QVERIFY(rig.waitForRunning());
        rig.call(2, "cancel", {{"job", 1}});
        QCOMPARE(rig.answer(2)["result"]["known"], Json(true));
    }

    /// How long a stop may take is known from what the job did, and from what it says.
    void silence() {
        Output nowhere(-1);
        Job job({1, "work", Json::object()}, nowhere);
        QCOMPARE(job.longestSilence(), 0.0);
        job.begin();
        std::this_thread::sleep_for(30ms);
        QVERIFY(!job.cancelled());
        const double longest = job.longestSilence();
        QVERIFY(longest >= 0.03);
        QVERIFY(!job.cancelled()); // at once again: no longer
        QCOMPARE(job.longestSilence(), longest);

        QCOMPARE(Stretch::left(), 0.0);
        {
            const Stretch outer(Stretch::On::Processor, 4e9 * 20, 2);
            const Stretch inner(Stretch::On::Processor, 1, 2);
            QVERIFY(Stretch::left() > 5 && Stretch::left() <= 15);
            std::this_thread::sleep_for(60ms);
        }
        QCOMPARE(Stretch::left(), 0.0);
        // 80e9 operations in 60 ms and a little: the same again takes not much longer.
        const Stretch again(Stretch::On::Processor, 4e9 * 20, 2);
        QVERIFY(Stretch::left() > 0 && Stretch::left() < 5);
    }

    void deviceMemory() {
        int pipe[2];
        QCOMPARE(::pipe(pipe), 0);
        Output output(pipe[1]);
        Job job({1, "work", Json::object()}, output);
        Json seen;
        job.watch([&](const Json& fields) { seen = fields; });
        job.report(0.1, "on the processor");
        QCOMPARE(seen["vram"], Json(0));
        job.setDeviceBytes([] { return int64_t(5) << 30; });
        job.report(0.2, "on a GPU");
        QCOMPARE(seen["vram"], Json(int64_t(5) << 30));
        ::close(pipe[0]);
        ::close(pipe[1]);
    }

    void endOfInput() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "work");
        rig.call(2, "count");
        QVERIFY(rig.waitForRunning());
        rig.end();
        QCOMPARE(codeOf(rig.answer(1)), -32003);
        QCOMPARE(codeOf(rig.answer(2)), -32003);
    }

    void endOfInputWithAStubbornJob() {
        Rig rig(cache(), 50ms);
        rig.hello();
        rig.call(1, "stubborn");
        QVERIFY(rig.waitForRunning());
        rig.end();
        QTRY_VERIFY(rig.abandoned);
    }

    void shutdown() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "work");
        QVERIFY(rig.waitForRunning());
        rig.call(2, "shutdown");
        QVERIFY(rig.answer(2).contains("result"));
        QCOMPARE(codeOf(rig.answer(1)), -32003);
    }

    void noProgressAfterTheAnswer() {
        Rig rig(cache());
        rig.hello();
        for (int i = 1; i <= 20; ++i) {
            rig.call(i, "count", {{"to", 50}});
            rig.others.clear();
            QVERIFY(rig.answer(i).contains("result"));
            QCOMPARE(std::count_if(rig.others.begin(), rig.others.end(),
                                   [](const Json& m) { return m["method"] == "token"; }),
                     50);
        }
        rig.call(99, "echo");
        rig.others.clear();
        rig.answer(99);
        QVERIFY(rig.others.empty());
    }

    void progressFields() {
        Rig rig(cache());
        rig.hello();
        rig.call(1, "work");
        QVERIFY(rig.waitForRunning());
        Json progress;
        for (int i = 0; i < 10 && (progress.is_null() || progress["method"] != "progress"); ++i)
            progress = rig.receive();
        const Json& p = progress["params"];
        QCOMPARE(p["job"], Json(1));
        QCOMPARE(p["what"], Json("working"));
        QVERIFY(p["fraction"] >= 0 && p["fraction"] <= 1);
        QVERIFY(p["rss"] > 1'000'000 && p["peak_rss"] >= p["rss"]);
        QVERIFY(p.contains("eta_s") && p.contains("vram") && p.contains("seconds"));
    }

    void detach() {
        const fs::path folder = m_folder.filePath("detach").toStdString();
        Rig rig(folder);
        rig.hello();
        rig.call(1, "count");
        QVERIFY(rig.answer(1).contains("result"));
        rig.call(2, "detach", {{"job", 1}});
        QCOMPARE(codeOf(rig.answer(2)), -32001);
        rig.call(3, "work", {{"model", "/m"}, {"output", "x"}});
        QVERIFY(rig.waitForRunning());
        rig.call(4, "detach", {{"job", 3}});
        const Json answer = rig.answer(4)["result"];
        const auto key = answer["key"].get<std::string>();
        QVERIFY(fs::exists(answer["lock"].get<std::string>()));
        const fs::path file = folder / "serve" / (key + ".json");
        const Json record = readJsonFile(file);
        QCOMPARE(record["output"], Json("/somewhere/OUT"));
        QCOMPARE(record["method"], Json("work"));
        QCOMPARE(record["job"], Json(3));
        rig.end(); // the client is gone; the job goes on
        std::this_thread::sleep_for(50ms);
        QVERIFY(!readJsonFile(file).contains("result"));
        rig.letGo();
        QTRY_VERIFY(readJsonFile(file).contains("result"));
        QCOMPARE(readJsonFile(file)["result"], (Json{{"worked", true}}));
    }

    void followDeadProcess() {
        const fs::path folder = m_folder.filePath("dead").toStdString();
        fs::create_directories(folder / "serve");
        const Json record = {{"pid", 1}, {"method", "quantize"}, {"fraction", 0.4}};
        writeFileAtomically(folder / "serve" / "1-7.json", record.dump());
        const std::vector<Json> jobs = detachedJobs(folder);
        QCOMPARE(jobs.size(), size_t(1));
        QCOMPARE(jobs[0]["state"], Json("dead"));
        QCOMPARE(jobs[0]["key"], Json("1-7"));
        Output nowhere(-1);
        Job job({1, "attach", Json::object()}, nowhere);
        compareError([&] { followDetached(folder, "1-7", job); }, RpcCode::Failed, "gone");
        QVERIFY(detachedJobs(folder).empty());
        compareError([&] { followDetached(folder, "1-7", job); }, RpcCode::Failed, "no detached");
        compareError([&] { followDetached(folder, "../../x", job); }, RpcCode::Failed,
                     "no detached");
    }

    void base64() {
        const auto encoded = [](std::string_view text) {
            return encodeBase64(std::as_bytes(std::span(text)));
        };
        // RFC 4648 §10
        QCOMPARE(encoded(""), std::string(""));
        QCOMPARE(encoded("f"), std::string("Zg=="));
        QCOMPARE(encoded("fo"), std::string("Zm8="));
        QCOMPARE(encoded("foo"), std::string("Zm9v"));
        QCOMPARE(encoded("foob"), std::string("Zm9vYg=="));
        QCOMPARE(encoded("fooba"), std::string("Zm9vYmE="));
        QCOMPARE(encoded("foobar"), std::string("Zm9vYmFy"));
        QCOMPARE(encoded("\xff\xfe\xfd"), std::string("//79"));
    }

    void fileAccess() {
        const fs::path root = m_folder.filePath("files").toStdString();
        fs::create_directories(root / "ours" / "sub");
        fs::create_directories(root / "theirs");
        const auto write = [](const fs::path& path, const std::string& text) {
            std::ofstream(path) << text;
        };
        write(root / "ours" / "a.bin", "0123456789");
        write(root / "ours" / "sub" / "b.bin", "b");
        write(root / "theirs" / "secret", "0123456789");
        write(root / "theirs" / ".hidden", "x");
        fs::create_symlink(root / "theirs" / "secret", root / "ours" / "link");
        FileAccess access;
        access.allowFolder(root / "ours");
        const auto read = [&](const fs::path& path, int offset = 0, int bytes = 100) {
            return access.read({{"path", path.string()}, {"offset", offset}, {"bytes", bytes}});
        };
        Json piece = read(root / "ours" / "a.bin", 2, 3);
        QCOMPARE(piece["data"], Json("MjM0"));
        QCOMPARE(piece["bytes"], Json(3));
        QCOMPARE(piece["size"], Json(10));
        QCOMPARE(piece["end"], Json(false));
        QCOMPARE(read(root / "ours" / "a.bin", 8)["end"], Json(true));
        QCOMPARE(read(root / "ours" / "a.bin", 50)["bytes"], Json(0));
        QVERIFY(read(root / "ours" / "sub" / "b.bin").contains("data"));
        const auto refused = [&](const fs::path& path, int offset = 0, int bytes = 100) {
            compareError([&] { read(path, offset, bytes); }, RpcCode::Failed, "");
        };
        refused(root / "theirs" / "secret");
        refused(root / "ours" / "link"); // leads out
        refused(root / "ours" / ".." / "theirs" / "secret");
        refused(root / "ours" / "sub");
        refused(root / "ours" / "nothing");
        compareError(
            [&] {
                access.read({{"path", "x"}, {"bytes", maxReadBytes + 1}});
            },
            RpcCode::InvalidParams, "bytes");
        // Pieces: inside of one, and nothing else.
        access.allowPieces(root / "theirs" / "secret", {{2, 4}});
        QCOMPARE(read(root / "theirs" / "secret", 3, 3)["data"], Json("MzQ1"));
        refused(root / "theirs" / "secret", 3, 4);
        refused(root / "theirs" / "secret", 0, 3);

        const Json list = access.listFolder({{"path", root.string()}});
        QCOMPARE(list["entries"].size(), size_t(2));
        QCOMPARE(list["entries"][0]["name"], Json("ours"));
        QCOMPARE(list["entries"][0]["kind"], Json("folder"));
        QCOMPARE(list["parent"], Json(root.parent_path().string()));
        const Json theirs = access.listFolder({{"path", (root / "theirs").string()}});
        QCOMPARE(theirs["entries"].size(), size_t(1));
        QCOMPARE(theirs["entries"][0]["bytes"], Json(10));
        QVERIFY(access.listFolder({{"path", "/"}})["parent"].is_null());
        QCOMPARE(access.listFolder({{"path", golden("").string()}})["entries"][0]["model"],
                 Json("source"));
        compareError(
            [&] {
                access.listFolder({{"path", (root / "none").string()}});
            },
            RpcCode::Failed, "cannot be opened");
        compareError(
            [&] {
                access.listFolder({{"path", (root / "ours" / "a.bin").string()}});
            },
            RpcCode::Failed, "not a folder");
    }

    void skeletons_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"llama2-gqa", "llama3-rope-tied-sharded", "qwen2-bias-tied"})
            QTest::newRow(name) << QString(name);
        QTest::newRow("sample") << QString();
    }
    /// A folder of holes with the pieces filled in passes for the model.
    void skeletons() {
        QFETCH(QString, name);
        const fs::path source = name.isEmpty() ? fs::path(BITLOOM_SOURCE_DIR) / "resources" /
                                                     "models" / "bitloom-tales-4m"
                                               : golden(name.toStdString());
        const auto model = Checkpoint::open(source.string());
        const fs::path folder =
            m_folder.filePath(QString("skeleton-") + QTest::currentDataTag()).toStdString();
        fs::create_directories(folder);
        uint64_t carried = 0, all = 0;
        for (const SkeletonFile& file : skeletonOf(*model)) {
            OutputFile stand(folder / file.name, file.bytes);
            std::ifstream in(source / file.name, std::ios::binary);
            for (const auto& [offset, length] : file.pieces) {
                std::vector<char> bytes(length);
                in.seekg(std::streamoff(offset));
                in.read(bytes.data(), std::streamsize(length));
                stand.write(offset, std::as_bytes(std::span(bytes)));
                carried += length;
            }
            all += file.bytes;
        }
        const auto copy = Checkpoint::open(folder.string());
        QCOMPARE(copy->fingerprint(), model->fingerprint());
        QCOMPARE(copy->parameters(), model->parameters());
        if (name.isEmpty()) QVERIFY(carried < all / 10);
        CheckpointSpec spec;
        spec.head = HeadStorage::Rows8;
        QVERIFY(predictSize(*copy, spec) == predictSize(*model, spec));
    }

    void describesModels() {
        FileAccess files;
        const Json model =
            describeModel(golden("llama2-gqa").string(), true, cache(), ComputeOptions(), files);
        QCOMPARE(model["kind"], Json("model"));
        QCOMPARE(model["architecture"], Json("LlamaForCausalLM"));
        const auto checkpoint = Checkpoint::open(golden("llama2-gqa").string());
        QCOMPARE(model["fingerprint"], Json(checkpoint->fingerprint()));
        QCOMPARE(model["linears"].size(), checkpoint->catalogue().linears.size());
        QCOMPARE(model["linears"][0]["kind"], Json("q"));
        int64_t weights = 0;
        for (const Json& linear : model["linears"])
            weights += linear["rows"].get<int64_t>() * linear["cols"].get<int64_t>();
        QCOMPARE(model["linear_weights"], Json(weights));
        const Json& memory = model["memory"];
        QVERIFY(memory["chat_resident"] > memory["chat"]);
        QVERIFY(memory["analyze"] > 0 && memory["total"] > 0 && memory["available"] > 0);
        const Json brief =
            describeModel(golden("llama2-gqa").string(), false, cache(), ComputeOptions(), files);
        QVERIFY(!brief.contains("linears") && !brief.contains("files"));
        try {
            describeModel("/no/such/model", true, cache(), ComputeOptions(), files);
            QFAIL("opened");
        } catch (const Error& error) {
            QVERIFY(!error.hint().empty());
        }
    }

    /// Three tokens of a vocabulary of three, worked out by hand.
    void divergence() {
        const auto log = [](std::vector<double> p) {
            std::vector<float> out;
            for (const double value : p)
                out.push_back(float(std::log(value)));
            return out;
        };
        struct Case {
            std::vector<double> p, q;
            int32_t id;
            double kl;
            bool sameTop;
        };
        // KL = Σ p ln(p/q): 0.5 ln 2 + 0.25 ln 0.5 + 0.25 ln 1 = 0.25 ln 2; 0; and with the
        // likeliest swapped 0.8 ln 8 + 0.1 ln(1/8) = 0.7 ln 8.
        const Case cases[] = {{{0.5, 0.25, 0.25}, {0.25, 0.5, 0.25}, 0, 0.25 * std::log(2), false},
                              {{0.6, 0.3, 0.1}, {0.6, 0.3, 0.1}, 2, 0, true},
                              {{0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, 1, 0.7 * std::log(8), false}};
        std::vector<TokenDivergence> tokens;
        for (const Case& c : cases) {
            std::vector<float> model = log(c.q);
            for (float& logit : model)
                logit += 3; // softmax does not see a shift
            const TokenDivergence t = divergenceOf(model, log(c.p), c.id);
            QVERIFY(std::fabs(t.kl - c.kl) < 1e-6);
            QVERIFY(std::fabs(t.logProb - std::log(c.q[size_t(c.id)])) < 1e-6);
            QVERIFY(std::fabs(t.referenceLogProb - std::log(c.p[size_t(c.id)])) < 1e-6);
            QCOMPARE(t.sameTop, c.sameTop);
            tokens.push_back(t);
        }
        const DivergenceSummary s = summarize(tokens);
        QCOMPARE(s.tokens, 3);
        QVERIFY(std::fabs(s.klMean - (0.25 * std::log(2) + 0.7 * std::log(8)) / 3) < 1e-6);
        QVERIFY(std::fabs(s.klMedian - 0.25 * std::log(2)) < 1e-6);
        QVERIFY(std::fabs(s.klMax - 0.7 * std::log(8)) < 1e-6);
        QVERIFY(std::fabs(s.klP99 - s.klMax) < 1e-12);
        QVERIFY(std::fabs(s.sameTop - 1.0 / 3) < 1e-12);
        // ln(0.5/0.25) + 0 + ln(0.1/0.8), over three
        QVERIFY(std::fabs(s.lnPplRatio - (std::log(2) - std::log(8)) / 3) < 1e-6);
        QVERIFY(std::fabs(s.nll - s.referenceNll - s.lnPplRatio) < 1e-12);
    }

    void identicalModelsDivergeNowhere() {
        const std::vector<float> logits{1.25F, -3.5F, 0.125F, 7.0F, 2.0F};
        const TokenDivergence t = divergenceOf(logits, logits, 1);
        QCOMPARE(t.kl, 0.0);
        QVERIFY(t.sameTop);
        QCOMPARE(t.logProb, t.referenceLogProb);
        QCOMPARE(summarize({}).tokens, 0);
    }
};

QTEST_APPLESS_MAIN(TestServeProtocol)
#include "tst_serve_protocol.moc"
