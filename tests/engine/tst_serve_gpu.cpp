// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Models of `bitloom serve` on a GPU that is made of the kernels' bodies
// (tests/support/host_cuda.h): where they go, what goes when memory is short, and what `generate`
// says of it.
#include "core/base/units.h"
#include "core/engine/runtime/gpu_decoder.h"
#include "core/engine/serve/engine.h"
#include "tests/support/engine_testing.h"
#include "tests/support/host_cuda.h"

#include <fcntl.h>
#include <unistd.h>

using namespace bitloom;
using namespace bitloom::engineTesting;
using hostCuda::Behaviour;
using serve::Engine;
using serve::Job;
using serve::Json;
using serve::LoadedModel;
using serve::ModelStore;

namespace {

const std::string sample = BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m";
const std::string llama = goldenFolder("llama2-gqa").string(),
                  mistral = goldenFolder("mistral-sliding").string();

int64_t needsOf(const std::string& model) {
    return runtime::GpuDecoder::neededBytes(*openWeights(model), runtime::KvType::F16);
}

/// A store with an emulated GPU, or one where none can be used.
ModelStore withGpu(const Behaviour& behaviour = {}) {
    hostCuda::api(behaviour);
    return ModelStore([behaviour](std::string&) {
        return std::make_shared<CudaDevice>(CudaLibrary::of(hostCuda::api(behaviour)));
    });
}
ModelStore withoutGpu() {
    return ModelStore([](std::string& why) -> std::shared_ptr<CudaDevice> {
        why = "there is no NVIDIA driver";
        return nullptr;
    });
}

ComputeOptions on(DeviceChoice choice, int64_t vram = 0) {
    ComputeOptions options = compute();
    options.memoryBytes = int64_t(1) << 32;
    options.choice = choice;
    options.vramBytes = vram;
    return options;
}

bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

} // namespace

class TestServeGpu : public QObject {
    Q_OBJECT

    NoProgress m_quiet;

    LoadedModel* load(ModelStore& store, const std::string& model, const ComputeOptions& options,
                      Arithmetic arithmetic = Arithmetic::Fast) {
        LoadedModel* loaded = store.load({model}, options, arithmetic, m_quiet)[0];
        loaded->text->load(m_quiet);
        return loaded;
    }
    /// `generate`, or where there are no streams `forget`, as a client calls them.
    Json generate(Engine& engine, const Json& params) {
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        serve::Output output(nowhere);
        serve::Methods methods;
        serve::addGenerate(methods, engine);
        serve::addTry(methods, engine);
        const char* method = params.contains("streams") ? "generate" : "forget";
        Job job({Json(1), method, params}, output);
        Json result;
        try {
            result = methods[method].run(job);
        } catch (...) {
            ::close(nowhere);
            throw;
        }
        ::close(nowhere);
        return result;
    }
    static Json asked(const char* device) {
        return {{"streams", {{{"model", sample}}}},
                {"prompt", "Once upon a time"},
                {"max_tokens", 24},
                {"threads", 2},
                {"device", device}};
    }

private slots:
    void initTestCase() { initEngine(compute()); }

    /// The same model in both places at once, with the same words.
    void bothPlaces() {
        Engine engine;
        engine.models = withGpu();
        const Json there = generate(engine, asked("cuda")), here = generate(engine, asked("cpu")),
                   again = generate(engine, asked("auto"));
        const Json& a = there["streams"][0];
        const Json& b = here["streams"][0];
        const Json& c = again["streams"][0];
        QCOMPARE(a["ids"], b["ids"]);
        QCOMPARE(a["ids"], c["ids"]);
        QCOMPARE(a["tokens"], Json(24));
        QCOMPARE(a["device"], Json("Emulated"));
        QCOMPARE(b["device"], Json("processor"));
        QCOMPARE(c["device"], Json("Emulated"));
        QVERIFY(!a.contains("device_reason") && !b.contains("device_reason"));
        QVERIFY(b["load_seconds"] > 0); // not what lies on the GPU
        QCOMPARE(c["load_seconds"], Json(0));
        QCOMPARE(there["device"], Json("cuda"));
        QCOMPARE(there["device_name"], Json("Emulated"));
        QCOMPARE(here["device"], Json("cpu"));
        QCOMPARE(hostCuda::counts().contexts, 1);
        const int64_t vram = engine.models.deviceBytesHeld();
        QCOMPARE(a["memory"], Json(vram));
        QVERIFY(vram > openWeights(sample)->storedBytes() / 2);
        QVERIFY(hostCuda::counts().allocated > 0 && hostCuda::counts().matrices > 0);

        const Json freed = generate(engine, {{"model", sample}});
        QCOMPARE(freed["models"], Json(2));
        QCOMPARE(freed["vram"], Json(vram));
        QCOMPARE(engine.models.deviceBytesHeld(), 0);
        QCOMPARE(hostCuda::counts().allocated, 0);
        QCOMPARE(hostCuda::counts().matrices, 0);
    }

    void whereThereIsNone() {
        Engine engine;
        engine.models = withoutGpu();
        try {
            generate(engine, asked("cuda"));
            QFAIL("it ran");
        } catch (const Error& error) {
            QCOMPARE(int(error.code()), int(ErrorCode::NoDevice));
            QVERIFY(has(error.what(), "there is no NVIDIA driver"));
            QVERIFY(!error.hint().empty());
        }
        const Json result = generate(engine, asked("auto"));
        QCOMPARE(result["streams"][0]["device"], Json("processor"));
        QCOMPARE(result["streams"][0]["device_reason"], Json("there is no NVIDIA driver"));
        QCOMPARE(result["device"], Json("cpu"));
        // Who does not ask needs no reason, though the model is the same.
        QVERIFY(!generate(engine, asked("cpu"))["streams"][0].contains("device_reason"));
        // An engine that was started for a GPU wants one without being told again.
        Json silent = asked("cpu");
        silent.erase("device");
        engine.compute.choice = DeviceChoice::Cuda;
        COMPARE_ERROR(generate(engine, silent), "no GPU can be used");
        engine.compute.choice = DeviceChoice::Cpu;
        QCOMPARE(generate(engine, silent)["streams"][0]["device"], Json("processor"));
    }

    void exactIsTheProcessors() {
        ModelStore store = withGpu();
        LoadedModel* model = load(store, llama, on(DeviceChoice::Auto), Arithmetic::Exact);
        QVERIFY(!model->onGpu());
        QVERIFY(has(model->whyNoGpu(), "exact"));
        QCOMPARE(hostCuda::counts().allocated, 0);
    }

    /// The least recently used goes first, and what is asked for stays.
    void givesBackUnderItsLimit() {
        ModelStore store = withGpu();
        const int64_t two = needsOf(llama) + needsOf(mistral) + needsOf(sample) / 2;
        const ComputeOptions little = on(DeviceChoice::Auto, two);
        load(store, llama, little);
        load(store, mistral, little);
        QCOMPARE(load(store, llama, little)->loadSeconds, 0.0); // now mistral is the oldest
        QVERIFY(load(store, sample, little)->onGpu());
        QVERIFY(store.deviceBytesHeld() <= two);
        QCOMPARE(load(store, llama, little)->loadSeconds, 0.0);
        QVERIFY(load(store, mistral, little)->loadSeconds > 0);
        QCOMPARE(store.bytesHeld(), 0);
    }

    /// Two at once of which only one fits, one that never does, and what a smaller limit takes
    /// away.
    void goesToTheProcessor() {
        ModelStore store = withGpu();
        const ComputeOptions one = on(DeviceChoice::Cuda, needsOf(llama) * 3 / 2);
        const auto pair = store.load({llama, mistral}, one, Arithmetic::Fast, m_quiet);
        QVERIFY(pair[0]->onGpu());
        QVERIFY(!pair[1]->onGpu());
        QVERIFY2(has(pair[1]->whyNoGpu(), "the other model takes"), pair[1]->whyNoGpu().c_str());
        const auto same = store.load({llama, llama}, one, Arithmetic::Fast, m_quiet);
        QCOMPARE(same[0], pair[0]);
        QVERIFY(same[1] != same[0] && !same[1]->onGpu());
        LoadedModel* none = load(store, llama, on(DeviceChoice::Auto, 1 << 20));
        QVERIFY(!none->onGpu());
        QVERIFY2(has(none->whyNoGpu(), "it needs about"), none->whyNoGpu().c_str());
        QVERIFY(has(none->whyNoGpu(), formatBytes(1 << 20).c_str()));
        QCOMPARE(store.deviceBytesHeld(), 0);
        QCOMPARE(hostCuda::counts().allocated, 0);
        // What was too large is looked at anew.
        QVERIFY(load(store, llama, one)->onGpu());
    }

    /// Memory that somebody else takes before a text is written: the words are the same.
    void memoryThatGoesAway() {
        for (const char* when : {"loading", "reading"}) {
            ModelStore store = withGpu();
            const ComputeOptions options = on(DeviceChoice::Auto);
            LoadedModel* model = store.load({sample}, options, Arithmetic::Fast, m_quiet)[0];
            QVERIFY(model->onGpu());
            Behaviour gone;
            gone.memoryBytes = 1;
            if (*when == 'l') hostCuda::api(gone);
            model->text->load(m_quiet);
            if (*when == 'r') hostCuda::api(gone);
            const std::vector<int32_t> prompt = model->tokenizer->encodeWithBos("Once upon");
            GenerateOptions how;
            how.maxTokens = 24;
            TokenGenerator generator(*model->text, model->tokenizer.get(), how);
            generator.start(prompt, m_quiet);
            while (generator.next(m_quiet)) {
            }
            ModelStore other;
            LoadedModel* processor = load(other, sample, on(DeviceChoice::Cpu));
            const Generation expected = bitloom::generate(
                *processor->text, processor->tokenizer.get(), prompt, how, {}, m_quiet);
            QCOMPARE(generator.result().ids, expected.ids);
            QCOMPARE(generator.result().text, expected.text);
            QVERIFY(!model->onGpu());
            QVERIFY2(has(model->whyNoGpu(), "memory"), when);
            QCOMPARE(hostCuda::counts().allocated, 0);
            // It stays there until there is clearly more.
            LoadedModel* later = store.load({sample}, options, Arithmetic::Fast, m_quiet)[0];
            QCOMPARE(later, model);
            QCOMPARE(later->loadSeconds, 0.0);
            QVERIFY(has(later->whyNoGpu(), "memory"));
            hostCuda::api({});
            QCOMPARE(store.load({sample}, options, Arithmetic::Fast, m_quiet)[0], model);
            QVERIFY(has(model->whyNoGpu(), "memory"));
            // Another text is reason enough to try again.
            store.beginsAnew(*model);
            QVERIFY(load(store, sample, options)->onGpu());
        }
    }

    /// Other jobs get the GPU's memory as they get the processor's.
    void roomForOthers() {
        ModelStore store = withGpu();
        load(store, llama, on(DeviceChoice::Auto));
        load(store, mistral, on(DeviceChoice::Cpu), Arithmetic::Exact);
        const int64_t held = store.bytesHeld();
        QVERIFY(held > 0);
        store.shrink(0);
        QCOMPARE(store.bytesHeld(), 0);
        QVERIFY(store.deviceBytesHeld() > 0);
        store.giveBackDevice();
        QCOMPARE(store.deviceBytesHeld(), 0);
        QCOMPARE(hostCuda::counts().allocated, 0);
        QCOMPARE(hostCuda::counts().contexts, 0);
        QVERIFY(load(store, llama, on(DeviceChoice::Cuda))->onGpu()); // opened again
    }
};

QTEST_APPLESS_MAIN(TestServeGpu)
#include "tst_serve_gpu.moc"
