// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// The whole path on the bundled sample, with every step explained:
//   1. calibrate   2. share out three budgets   3. quantize at one of them
//   4. export      5. perplexity before and after   6. both models' answers side by side
#include "app/cli/commands.h"
#include "app/cli/quantizing.h"
#include "app/cli/two_columns.h"

#include "core/base/units.h"
#include "core/engine/export_hf.h"
#include "core/engine/generate.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

constexpr double budgets[] = {2.2, 3.0, 4.0};
constexpr double chosen = 3.0;

struct Input {
    std::string out;
};

class Demo {
public:
    Demo(Context& context, const Input& input)
        : m_context(context), m_console(context.console),
          m_folder(input.out.empty() ? context.cache() / "demo" : fs::path(input.out)) {
        std::error_code ignored;
        if (!input.out.empty() && fs::exists(m_folder, ignored) && !fs::is_empty(m_folder, ignored))
            throw Error("'" + m_folder.string() + "' exists already",
                        "Choose another folder with -o, or remove it first.");
        if (input.out.empty()) { // our own, from an earlier run
            for (const char* made : {"quantized", "quantized.partial", "exported"})
                fs::remove_all(m_folder / made, ignored);
        }
        std::error_code error;
        fs::create_directories(m_folder, error);
        if (error)
            throw Error("cannot make '" + m_folder.string() + "': " + error.message(),
                        "Choose another folder with -o.");
    }

    void run() {
        const JobProgress clock(m_console, "demo");
        m_model = openModel(sampleModelFolder().string());
        step("The sample",
             fmt::format("{}: a {} with {} parameters that tells simple stories.",
                         m_model->folder().filename().string(), m_model->config().architecture,
                         formatCount(m_model->parameters())));
        calibrateSample();
        showBudgets();
        quantizeSample();
        exportSample();
        measure();
        answers();
        m_console.print(fmt::format("\nDone in {}. The quantized model is in {}.\n"
                                    "Next: bitloom chat {}",
                                    formatDuration(clock.seconds()),
                                    (m_folder / "quantized").string(),
                                    (m_folder / "quantized").string()));
        m_fields["seconds"] = clock.seconds();
        m_fields.update(machineFields(m_context));
        m_console.result("demo", m_fields);
    }

private:
    void step(const std::string& title, const std::string& text) {
        ++m_step;
        m_console.print(fmt::format("{}{}. {}", m_step > 1 ? "\n" : "", m_step, title));
        m_console.print("   " + text);
    }

    void calibrateSample() {
        step("Calibration", "How much does every input channel matter? Measured once, on text.");
        const CalibrationReport report = runCalibration(m_context, m_model, {}, false);
        m_statistics = Statistics::open(report.statistics);
        m_console.print(fmt::format("   {}; perplexity there {:.2f}; {}.", describe(*m_statistics),
                                    std::exp(m_statistics->nllFp()),
                                    report.cached ? "found in the cache"
                                                  : "took " + formatDuration(report.seconds)));
    }

    void showBudgets() {
        step("Three budgets", "Every channel gets the bits that it is worth. Columns by width:");
        const Planner planner(m_model, m_statistics, {});
        QuantizeOptions options = quantizeOptions(m_context, {});
        Json list = Json::array();
        for (const double bits : budgets) {
            const Plan plan = planner.forBits(bits, options);
            std::map<int, int64_t, std::greater<>> widths;
            int64_t columns = 0;
            for (const Plan::Layer& layer : plan.layers)
                for (const uint8_t point : layer.points) {
                    ++widths[plan.menu[point].bits];
                    ++columns;
                }
            m_console.print(
                fmt::format("\n   {:.1f} bits per weight: predicted perplexity +{:.1f} %", bits,
                            100 * std::expm1(plan.predicted.deltaNll)));
            for (const auto& [width, count] : widths)
                m_console.print(fmt::format("   {:>4} bits {} {:>5.1f} %", width,
                                            bar(double(count) / double(columns), 40),
                                            100 * double(count) / double(columns)));
            list.push_back({{"bits_per_weight", plan.bitsPerWeight()},
                            {"predicted_delta_nll", plan.predicted.deltaNll}});
            if (bits == chosen) m_options = options, m_options.plan = plan;
        }
        m_fields["budgets"] = list;
    }

    void quantizeSample() {
        step("Quantization",
             fmt::format("At {:.1f} bits per weight, into a checkpoint whose size is "
                         "known beforehand.",
                         chosen));
        OutputInput output;
        output.folder = m_folder / "quantized";
        output.verify = true;
        const Json fields = writeCheckpoint(m_context, m_model, *m_statistics, m_options, output);
        const auto bytes = fields["bytes"].get<int64_t>();
        m_console.print(
            fmt::format("   {} in place of {}: {:.3f} bits per weight, {} bytes, exactly as "
                        "predicted; every hash checked; took {}.",
                        formatBytes(bytes), formatBytes(m_model->weightBytes()),
                        fields["bits_per_weight"].get<double>(), formatCount(bytes),
                        formatDuration(fields["seconds"])));
        m_fields["quantize"] = fields;
    }

    void exportSample() {
        step("Export", "Unpacked again, as a plain Hugging Face model for other programs.");
        JobProgress progress(m_console, "exporting");
        const auto source = QuantizedCheckpoint::open(m_folder / "quantized");
        const int64_t bytes = exportHuggingFace(*source, DType::F16, m_folder / "exported",
                                                m_context.compute(), progress);
        m_console.print(
            fmt::format("   {} in {}.", formatBytes(bytes), (m_folder / "exported").string()));
    }

    void measure() {
        step("Perplexity", "On held-out text, before and after.");
        m_context.startEngine();
        const auto before = weightsOf(m_model);
        const auto after = openAnyModel((m_folder / "quantized").string());
        TextInput text;
        text.texts = {(sampleModelFolder() / "valid.txt").string()};
        const EvaluationWindows windows = evaluationInput(m_context, *before, text, "gptq", 256);
        JobProgress progress(m_console, "evaluating",
                             {double(windows.windows.count * windows.windows.length), "tokens"});
        const Evaluation e = evaluate(*after, before.get(), windows, m_context.compute(), progress);
        m_console.setStatusLine({});
        m_console.print(
            fmt::format("   before {:.3f}   after {:.3f}   ({:+.2f} %; ΔNLL {:+.4f} ± {:.4f}, "
                        "predicted {:+.4f})",
                        std::exp(e.referenceNll), e.perplexity(), 100 * std::expm1(e.deltaNll),
                        e.deltaNll, e.deltaStderr, m_options.plan.predicted.deltaNll));
        m_console.print(fmt::format("   the same likeliest token in {:.1f} % of {} places",
                                    100 * e.top1Agreement, formatCount(e.tokens)));
        m_fields["evaluation"] = evaluationFields(e);
    }

    void answers() {
        const std::string prompt = "Once upon a time there was a little fox who";
        step("Both models", "continue the same text: \"" + prompt + "\"");
        const auto tokenizer = loadTokenizer(m_model->folder());
        const auto ids = tokenizer->encodeWithBos(prompt);
        GenerateOptions options;
        options.maxTokens = 90;
        std::vector<Generation> generations;
        for (const auto& weights :
             {weightsOf(m_model), openAnyModel((m_folder / "quantized").string())}) {
            JobProgress progress(m_console, "writing");
            TextModel model(weights, m_context.compute(), Arithmetic::Fast);
            generations.push_back(generate(
                model, tokenizer.get(), ids, options, [](const GeneratedToken&) { return true; },
                progress));
            progress.check();
        }
        if (!m_console.json()) {
            m_console.print();
            TwoColumns columns(m_console, std::min(100, std::max(60, m_console.outWidth())),
                               fmt::format("FP16, {}", formatBytes(m_model->weightBytes())),
                               fmt::format("{:.1f} bits per weight", chosen), false);
            for (int side = 0; side < 2; ++side) {
                columns.add(side, prompt + generations[size_t(side)].text);
                columns.finish(side);
            }
        }
        m_fields["answers"] = {
            {"prompt", prompt}, {"fp16", generations[0].text}, {"quantized", generations[1].text}};
    }

    Context& m_context;
    Console& m_console;
    fs::path m_folder;
    int m_step = 0;
    std::shared_ptr<const Checkpoint> m_model;
    std::shared_ptr<const Statistics> m_statistics;
    QuantizeOptions m_options;
    Json m_fields = Json::object();
};

} // namespace

void addDemo(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "demo", "Everything once, on the bundled small model",
                   [&context, input] { Demo(context, *input).run(); });
    command
        ->add_option("-o,--output", input->out,
                     "Keep what is made in this folder (default: demo/ in the cache)")
        ->type_name("DIR");
}

} // namespace bitloom::cli
