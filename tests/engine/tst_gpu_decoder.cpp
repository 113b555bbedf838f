// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The decoder for GPUs on a device made of the kernels' bodies (tests/support/host_cuda.h) against
// the processor's: every architecture, original and quantized weights, tokens one by one, few and
// many at once, through graphs, and chosen by the device.
#include "core/engine/generate.h"
#include "core/engine/runtime/gpu_decoder.h"
#include "tests/support/engine_testing.h"
#include "tests/support/host_cuda.h"

#include <algorithm>

using namespace bitloom;
using namespace bitloom::engineTesting;
using hostCuda::Behaviour;
using runtime::KvType;

namespace {

ModelPlace gpu(const Behaviour& behaviour = {}) {
    return {ModelPlace::Gpu,
            std::make_shared<CudaDevice>(CudaLibrary::of(hostCuda::api(behaviour)))};
}

double furthest(const std::vector<float>& a, const std::vector<float>& b) {
    double out = a.size() == b.size() ? 0 : 1e9;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const double difference = std::abs(double(a[i]) - double(b[i]));
        out = std::isnan(difference) ? 1e9 : std::max(out, difference);
    }
    return out;
}

std::shared_ptr<const ModelWeights> sample(const char* name) {
    return openWeights(std::string(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m") + name);
}

std::vector<int32_t> ids(int64_t count, int64_t vocab) {
    const TokenWindows rows = randomWindows(11, 1, count, vocab);
    return {rows.row(0).begin(), rows.row(0).end()};
}

} // namespace

class TestGpuDecoder : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { initEngine(compute()); }

    void tokenByToken_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("kv");
        QTest::addColumn<double>("limit"); // of logits, which are a few units large
        for (const std::string& name : goldens()) {
            const QString text = QString::fromStdString(name);
            QTest::addRow("%s f16", name.c_str()) << text << int(KvType::F16) << 5e-3;
            QTest::addRow("%s int8", name.c_str()) << text << int(KvType::Int8) << 5e-2;
        }
    }
    void tokenByToken() {
        QFETCH(QString, name);
        QFETCH(int, kv);
        QFETCH(double, limit);
        const auto weights = weightsOf(golden(name.toStdString()));
        TextModel there(weights, compute(), Arithmetic::Fast, KvType(kv));
        TextModel here(weights, compute(), Arithmetic::Fast, KvType(kv), gpu());
        QVERIFY2(here.whyNoGpu().empty(), here.whyNoGpu().c_str());
        QCOMPARE(here.deviceName(), std::string("Emulated"));
        double far = 0;
        const int64_t count = std::min<int64_t>(80, weights->config().maxPositions);
        for (const int32_t id : ids(count, weights->config().vocab))
            far = std::max(far, furthest(there.advance({&id, 1}), here.advance({&id, 1})));
        QVERIFY2(far < limit, qPrintable(QString::number(far)));
        QCOMPARE(here.position(), there.position());
        // The first token outside, the second is recorded.
        QCOMPARE(hostCuda::counts().launches, count - 1);
    }
};

QTEST_APPLESS_MAIN(TestGpuDecoder)
#include "tst_gpu_decoder.moc"
