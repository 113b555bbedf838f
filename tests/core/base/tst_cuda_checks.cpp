// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The checks of `bitloom selftest --device cuda` on a device made of the kernels' bodies: all of
// them pass, and each finds the fault that is made for it.
#include "core/base/cuda_matrix.h"
#include "tests/support/host_cuda.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace bitloom;

namespace {

BitloomCudaApi right;

int wrongAttention(BitloomCudaContext* context, const BitloomCudaAttention* args) {
    BitloomCudaAttention wrong = *args;
    if (wrong.window == 0) wrong.window = 300; // the last of many positions is left out
    return right.attention(context, &wrong);
}
int wrongStage(BitloomCudaContext* context, const BitloomCudaInput* input, int32_t tokens,
               float* out, int64_t outStride) {
    BitloomCudaInput wrong = *input;
    wrong.epsilon *= 3;
    return right.stage(context, &wrong, tokens, out, outStride);
}
int wrongPrepare(BitloomCudaMatrix* matrix, const BitloomCudaInput* input, int32_t tokens) {
    BitloomCudaInput wrong = *input;
    wrong.epsilon += 1e-6f;
    return right.prepare(matrix, &wrong, tokens);
}
int wrongBegin(BitloomCudaContext* context, const BitloomCudaBegin* args) {
    BitloomCudaBegin wrong = *args;
    std::swap(wrong.cosine, wrong.sine);
    return right.begin(context, &wrong);
}
int wrongChoice(BitloomCudaContext* context, const BitloomCudaChoice* args) {
    BitloomCudaChoice wrong = *args;
    wrong.draws += 1;
    return right.choose(context, &wrong);
}
int wrongMultiply(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens,
                  float* y, int64_t yStride) {
    return right.multiply(matrix, x, xStride, std::max(tokens - 1, 1), y, yStride);
}
int wrongMany(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens, float* y,
              int64_t yStride) {
    return right.multiplyMany(matrix, x, xStride, tokens - 1, y, yStride);
}

/// Whether a process of its own ends by abort().
bool aborts(const std::function<void()>& run) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::freopen("/dev/null", "w", stderr);
        std::signal(SIGABRT, SIG_DFL);
        run();
        ::_exit(0);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

std::vector<std::string> failed(const BitloomCudaApi& api, const std::string& only = {}) {
    const CudaDevice device(CudaLibrary::of(api));
    std::vector<std::string> out;
    for (const CudaCheck& check : checkCudaLayers(device, only))
        if (!check.ok) out.push_back(check.name + ": " + check.detail);
    return out;
}

} // namespace

class TestCudaChecks : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { right = hostCuda::api({}); }

    void allPass() {
        const CudaDevice device(CudaLibrary::of(right));
        for (const auto& checks : {checkCudaProducts(device), checkCudaLayers(device)})
            for (const CudaCheck& check : checks)
                QVERIFY2(check.ok, (check.name + ": " + check.detail).c_str());
    }
    /// Contexts are cut by how many multiprocessors there are.
    void multiprocessors() {
        for (const int count : {1, 64, 132}) {
            hostCuda::Behaviour behaviour;
            behaviour.multiprocessors = count;
            QCOMPARE(failed(hostCuda::api(behaviour), "attention and its cache"),
                     std::vector<std::string>());
        }
    }

    /// What tests rely on: calls that name memory which is gone are found out, in graphs too, and
    /// results that are on their way are no older and no newer than their call.
    void emulation() {
        const CudaDevice device(CudaLibrary::of(right));
        const BitloomCudaApi& api = device.api();
        BitloomCudaContext* context = device.context();
        CudaMemory to(device, 4), next(device, 4);
        auto from = std::make_unique<CudaMemory>(device, 4);
        int32_t value = 7;
        from->upload(&value, 4);
        const CudaGraph graph(device,
                              [&] { device.check(api.copy(context, to.data(), from->data(), 4)); });
        graph.launch();
        device.check(api.readLater(context, 0, to.data(), 4));
        QVERIFY(aborts([&] { // the first wait is for the event alone
            from.reset();
            graph.launch();
            device.check(api.readNow(context, 0, &value, 4));
            api.synchronize(context);
        }));
        QVERIFY(!aborts([&] {
            graph.launch();
            device.check(api.readNow(context, 0, &value, 4));
            if (value != 7) std::abort();
            api.synchronize(context);
        }));
        QVERIFY(aborts([&] {
            api.copy(context, to.as<char>() + 4, to.data(), 4);
            api.synchronize(context);
        }));
        from.reset(); // waits for what has been launched
        device.check(api.readNow(context, 0, &value, 4));
        QCOMPARE(value, 7);
    }

    void faults_data() {
        QTest::addColumn<int>("which");
        QTest::addColumn<QString>("found");
        QTest::addRow("attention") << 0 << "attention and its cache";
        QTest::addRow("stage") << 1 << "norms and gates, rounded";
        QTest::addRow("prepare") << 2 << "norms and gates, rounded";
        QTest::addRow("begin") << 3 << "embeddings and angles";
        QTest::addRow("choose") << 4 << "choice of tokens";
        QTest::addRow("multiply") << 5 << "products with plain rows";
        QTest::addRow("multiplyMany") << 6 << "plain rows, many tokens";
    }
    void faults() {
        QFETCH(int, which);
        QFETCH(QString, found);
        BitloomCudaApi wrong = right;
        if (which == 0) wrong.attention = wrongAttention;
        if (which == 1) wrong.stage = wrongStage;
        if (which == 2) wrong.prepare = wrongPrepare;
        if (which == 3) wrong.begin = wrongBegin;
        if (which == 4) wrong.choose = wrongChoice;
        if (which == 5) wrong.multiply = wrongMultiply;
        if (which == 6) wrong.multiplyMany = wrongMany;
        const std::vector<std::string> names = failed(wrong, found.toStdString());
        QCOMPARE(names.size(), size_t(1));
        QVERIFY2(names[0].starts_with(found.toStdString()), names[0].c_str());
    }
};

QTEST_APPLESS_MAIN(TestCudaChecks)
#include "tst_cuda_checks.moc"
