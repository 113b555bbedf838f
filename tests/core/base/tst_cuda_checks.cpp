// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The checks of `bitloom selftest --device cuda` on a device made of the kernels' bodies: all of
// them pass, and each finds the fault that is made for it.
#include "core/base/cuda_matrix.h"
#include "tests/support/host_cuda.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <string>
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
    wrong.draws -= 1;
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
