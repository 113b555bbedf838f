// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/model_place.h"
#include "app/cli/planning.h"
#include "app/cli/two_columns.h"

#include "core/base/units.h"
#include "core/engine/generate.h"
#include "core/engine/result_fields.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string model, against, prompt;
    bool promptGiven = false, ignoreEos = false, exact = false;
    GenerateOptions options;
};

/// One model of the conversation, with what it has read and written so far.
struct Speaker {
    std::string title;
    std::unique_ptr<Tokenizer> tokenizer;
    std::unique_ptr<TextModel> model;
    std::vector<int32_t> history;

    Speaker(Context& context, const std::string& name, Arithmetic arithmetic,
            const ModelPlace& place) {
        const auto weights = openAnyModel(name);
        if (!hasTokenizer(weights->folder()))
            throw Error("'" + weights->folder().string() + "' has no tokenizer, so it cannot chat",
                        "Put the tokenizer.json or tokenizer.model of the model into the folder.");
        tokenizer = loadTokenizer(weights->folder());
        if (tokenizer->vocabSize() > weights->config().vocab)
            context.console.warn(fmt::format("the tokenizer of '{}' has {} tokens, the model {}",
                                             name, tokenizer->vocabSize(),
                                             weights->config().vocab));
        const fs::path folder = fs::absolute(weights->folder()).lexically_normal();
        title = fmt::format(
            "{} ({})", (folder.has_filename() ? folder : folder.parent_path()).filename().string(),
            formatBytes(weights->storedBytes()));
        context.startEngine();
        model = std::make_unique<TextModel>(weights, context.compute(), arithmetic,
                                            runtime::KvType::F16, place);
        if (place.kind == ModelPlace::Gpu) { // only then it is known where it computes
            JobProgress progress(context.console, "loading " + name);
            model->load(progress);
        }
        sayPlace(context, name, model->deviceName(), model->whyNoGpu());
    }

    /// The first text with the tokenizer's own BOS; later ones continue on a new line.
    void read(const std::string& text) {
        const auto ids =
            history.empty() ? tokenizer->encodeWithBos(text) : tokenizer->encode("\n" + text);
        history.insert(history.end(), ids.begin(), ids.end());
        if (history.empty())
            throw Error(ErrorCode::Usage, "the prompt is empty and this tokenizer adds nothing",
                        "Give a prompt of at least one character.");
    }

    using OnToken = std::function<bool(const GeneratedToken&)>;
    Generation answer(const GenerateOptions& options, const OnToken& onToken, Progress& progress) {
        if (int64_t(history.size()) >= model->maxPositions())
            throw Error(fmt::format("the text so far has {} tokens; the model can hold {}",
                                    history.size(), model->maxPositions()),
                        "Give a shorter prompt; in a chat, /reset starts again.");
        model->reset();
        Generation generation =
            generate(*model, tokenizer.get(), history, options, onToken, progress);
        history.insert(history.end(), generation.ids.begin(), generation.ids.end());
        return generation;
    }
};

/// Cancelled by Ctrl-C, without a bar: the text itself is the progress.
class Silent final : public Progress {
public:
    void report(double, std::string_view) override {}
    bool cancelled() const override { return interrupted(); }
};

Json generationFields(const Generation& generation) {
    const double seconds = generation.generateSeconds;
    return {{"text", generation.text},
            {"end", endName(generation.end)},
            {"prompt_tokens", generation.promptTokens},
            {"tokens", generation.ids.size()},
            {"prompt_seconds", generation.promptSeconds},
            {"seconds", seconds},
            {"tokens_per_second", seconds > 0 ? double(generation.ids.size()) / seconds : 0}};
}

std::string speedText(const Generation& generation) {
    std::string text = fmt::format("{} tokens", generation.ids.size());
    if (generation.generateSeconds > 0)
        text += fmt::format(", {:.1f} tokens/s",
                            double(generation.ids.size()) / generation.generateSeconds);
    text += fmt::format(", prompt {} tokens in {}", generation.promptTokens,
                        formatDuration(generation.promptSeconds));
    if (generation.end == Generation::End::ContextFull) text += "; the model's context is full";
    if (generation.end == Generation::End::Cancelled) text += "; stopped";
    return text;
}

/// Lets two threads take turns, token by token, so that both columns grow together and only one
/// model computes at a time.
class Turns {
public:
    void wait(int side) {
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [&] { return m_turn == side; });
    }
    void pass(int side) {
        const std::lock_guard lock(m_mutex);
        if (!m_done[size_t(1 - side)]) m_turn = 1 - side;
        m_changed.notify_all();
    }
    void finish(int side) {
        const std::lock_guard lock(m_mutex);
        m_done[size_t(side)] = true;
        m_turn = 1 - side;
        m_changed.notify_all();
    }

private:
    std::mutex m_mutex;
    std::condition_variable m_changed;
    int m_turn = 0;
    std::array<bool, 2> m_done{};
};

class Chat {
public:
    Chat(Context& context, const Input& input) : m_context(context), m_input(input) {
        const Arithmetic arithmetic = input.exact ? Arithmetic::Exact : Arithmetic::Fast;
        JobProgress progress(context.console, "loading");
        progress.report(0, input.model);
        const ModelPlace place = modelPlace(context);
        m_speakers.push_back(std::make_unique<Speaker>(context, input.model, arithmetic, place));
        if (!input.against.empty()) {
            progress.report(0.5, input.against);
            m_speakers.push_back(
                std::make_unique<Speaker>(context, input.against, arithmetic, place));
        }
    }

    /// Everybody's answer to one prompt.
    std::vector<Generation> turn(const std::string& prompt, bool echo) {
        for (const auto& speaker : m_speakers)
            speaker->read(prompt);
        Console& console = m_context.console;
        const int width = console.outWidth();
        std::vector<Generation> answers;
        if (m_speakers.size() == 2 && console.interactive() && width >= 80) {
            answers = sideBySide(width);
        } else {
            for (size_t i = 0; i < m_speakers.size(); ++i) {
                if (m_speakers.size() > 1)
                    console.print((i ? "\n── " : "── ") + m_speakers[i]->title + " ──");
                if (echo) console.write(prompt);
                answers.push_back(oneAfterAnother(int(i)));
                console.print();
            }
        }
        for (size_t i = 0; i < answers.size(); ++i)
            console.note((answers.size() > 1 ? m_speakers[i]->title + ": " : std::string()) +
                         speedText(answers[i]));
        return answers;
    }

    void reset() {
        for (const auto& speaker : m_speakers)
            speaker->history.clear();
    }
    const Speaker& speaker(size_t i) const { return *m_speakers[i]; }

private:
    void event(int stream, const GeneratedToken& token) {
        Json object = {{"event", "token"}, {"stream", stream}, {"text", token.text}};
        if (token.id >= 0) { // else text that was held back until the end
            object["id"] = token.id;
            object["logprob"] = token.logProb;
        }
        m_context.console.event(object);
    }

    Generation oneAfterAnother(int stream) {
        Silent progress;
        return m_speakers[size_t(stream)]->answer(
            m_input.options,
            [&](const GeneratedToken& token) {
                event(stream, token);
                m_context.console.write(token.text);
                return !interrupted();
            },
            progress);
    }

    std::vector<Generation> sideBySide(int width) {
        TwoColumns columns(m_context.console, width, m_speakers[0]->title, m_speakers[1]->title,
                           true);
        Turns turns;
        std::vector<Generation> answers(2);
        std::array<std::exception_ptr, 2> failures;
        const auto speak = [&](int side) {
            turns.wait(side);
            try {
                Silent progress;
                answers[size_t(side)] = m_speakers[size_t(side)]->answer(
                    m_input.options,
                    [&](const GeneratedToken& token) {
                        columns.add(side, token.text);
                        turns.pass(side);
                        turns.wait(side);
                        return !interrupted();
                    },
                    progress);
            } catch (...) {
                failures[size_t(side)] = std::current_exception();
            }
            columns.finish(side);
            turns.finish(side);
        };
        std::thread other(speak, 1);
        speak(0);
        other.join();
        for (const auto& failure : failures)
            if (failure) std::rethrow_exception(failure);
        return answers;
    }

    Context& m_context;
    const Input& m_input;
    std::vector<std::unique_ptr<Speaker>> m_speakers;
};

/// A line from the keyboard or a pipe; false at its end or on Ctrl-C.
bool readLine(std::string& line) {
    line.clear();
    for (char c = 0;;) {
        const ssize_t got = ::read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR && !interrupted()) continue;
        if (got <= 0) return !line.empty() && !interrupted();
        if (c == '\n') return true;
        line += c;
    }
}

void converse(Context& context, Chat& chat) {
    Console& console = context.console;
    console.note(
        "Write the beginning of a text; the model goes on with it. Later lines are added to "
        "the same text.\n/reset starts a new one, /quit ends, Ctrl-C stops an answer.");
    Json turns = Json::array();
    for (std::string line;;) {
        if (console.interactive()) console.write("> ");
        if (!readLine(line)) break;
        if (line.empty()) continue;
        if (line == "/quit" || line == "/exit") break;
        if (line == "/reset") {
            chat.reset();
            console.note("started again");
            continue;
        }
        if (line[0] == '/') {
            console.note("Known: /reset and /quit.");
            continue;
        }
        try {
            Json answers = Json::array();
            for (const Generation& answer : chat.turn(line, false))
                answers.push_back(generationFields(answer));
            turns.push_back({{"prompt", line}, {"answers", answers}});
        } catch (const Error& error) {
            if (!console.interactive()) throw;
            console.error(error);
        }
        clearInterrupt(); // it ended the answer, not the conversation
    }
    if (console.interactive()) console.print();
    Json fields = {{"turns", turns}};
    fields.update(machineFields(context));
    console.result("chat", fields);
}

void runChat(Context& context, Input& input) {
    input.options.stopAtEos = !input.ignoreEos;
    Sampler check(input.options.sampling); // refuses nonsense before anything is loaded
    Chat chat(context, input);
    if (!input.promptGiven) return converse(context, chat);
    const auto answers = chat.turn(input.prompt, context.console.interactive());
    if (answers[0].end == Generation::End::Cancelled ||
        answers.back().end == Generation::End::Cancelled)
        throw Error(ErrorCode::Cancelled, "cancelled");
    Json fields = {{"prompt", input.prompt}};
    fields.update(generationFields(answers[0]));
    if (answers.size() > 1) fields["against"] = generationFields(answers[1]);
    fields.update(machineFields(context));
    context.console.result("chat", fields);
}

} // namespace

void addChat(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "chat", "Let a model continue a text; two of them side by side",
                   [&context, input] { runChat(context, *input); });
    SamplingOptions& sampling = input->options.sampling;
    command->add_option("MODEL", input->model, "Folder of a model or of a quantized model")
        ->required();
    command->add_option("--against", input->against, "Show this model's answer beside it")
        ->type_name("MODEL");
    command
        ->add_option_function<std::string>(
            "--prompt",
            [input](const std::string& text) {
                input->prompt = text;
                input->promptGiven = true;
            },
            "Continue this text and end; without it, a conversation")
        ->type_name("TEXT");
    command->add_option("--max-tokens", input->options.maxTokens, "Longest answer")
        ->type_name("N")
        ->check(CLI::Range(int64_t(1), int64_t(1) << 31))
        ->capture_default_str();
    const std::string group = "Choosing tokens";
    command
        ->add_option("--temperature", sampling.temperature,
                     "0: always the likeliest; 1: as the model says")
        ->type_name("T")
        ->group(group)
        ->capture_default_str();
    command->add_option("--top-k", sampling.topK, "Only the K likeliest; 0: off")
        ->type_name("K")
        ->group(group)
        ->capture_default_str();
    command
        ->add_option("--top-p", sampling.topP, "Only the likeliest that together reach P; 1: off")
        ->type_name("P")
        ->group(group)
        ->capture_default_str();
    command
        ->add_option("--min-p", sampling.minP,
                     "Only tokens at least this likely, relative to the likeliest; 0: off")
        ->type_name("P")
        ->group(group)
        ->capture_default_str();
    command
        ->add_option("--repetition-penalty", sampling.repetitionPenalty,
                     "Above 1: avoid tokens that occurred; 1: off")
        ->type_name("R")
        ->group(group)
        ->capture_default_str();
    command->add_option("--seed", sampling.seed, "The same seed gives the same answer")
        ->type_name("S")
        ->group(group)
        ->capture_default_str();
    command
        ->add_option("--stop", input->options.stopStrings, "End before this text; may be repeated")
        ->type_name("TEXT")
        ->group(group)
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
    command->add_flag("--exact", input->exact,
                      "Multiply quantized layers in float32, as eval does, rather than with "
                      "activations rounded to 15 bits");
    command->add_flag("--ignore-eos", input->ignoreEos, "Go on after the model's end-of-text token")
        ->group(group);
}

} // namespace bitloom::cli
