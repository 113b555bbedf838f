// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Methods that need no libtorch and run beside a compute job.
#include "core/engine/serve/engine.h"
#include "core/engine/serve/model_info.h"
#include "core/engine/serve/quantize_request.h"

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

Json describe(Engine& engine, Job& job, bool full) {
    Params params(job.params(), job.method());
    const std::string model = modelOf(params);
    if (model.starts_with("try:")) params.refuse("'model' must be the path of a model");
    params.finish();
    return describeModel(model, full, engine.cache, engine.compute, engine.files);
}

Json plan(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    if (params.has("plan") || params.has("method"))
        params.refuse("a plan is made from a budget, for the method cmpq+",
                      "Leave plan and method out.");
    const QuantizeRequest request = QuantizeRequest::read(params, engine);
    params.finish();
    const ResolvedRequest resolved = resolve(request, engine, job);
    const Plan& made = resolved.options.plan;
    Json result =
        planFields(made, resolved.planner->size(made, resolved.options), *resolved.statistics);
    result["plan"] = made.toJson();
    result["min_bits_per_weight"] = resolved.planner->minBits();
    result["max_bits_per_weight"] = resolved.planner->maxBits();
    return result;
}

/// What each token adds to the text; pieces of one character come together with its last token.
Json piecesOf(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    Json pieces = Json::array();
    for (const int32_t id : ids) {
        if (id < 0 || id >= tokenizer.vocabSize())
            throw Error("there is no token " + std::to_string(id) + ": this tokenizer has " +
                            std::to_string(tokenizer.vocabSize()),
                        "Give ids of this model.");
        pieces.push_back(tokenizer.pieceBytes(id));
    }
    return pieces;
}

Json tokenize(Job& job) {
    Params params(job.params(), job.method());
    const std::string model = modelOf(params);
    const bool special = params.flag("special", false), bos = params.flag("bos", false);
    const std::string text = params.text("text");
    std::vector<int32_t> ids = params.ids("ids");
    if (params.has("text") == params.has("ids"))
        params.refuse("either 'text' or 'ids' must be given");
    const bool fromText = params.has("text");
    params.finish();
    // A folder with nothing but tokenizer files will do.
    std::error_code ignored;
    const fs::path folder = fs::is_directory(model, ignored) && hasTokenizer(model)
                                ? fs::path(model)
                                : resolveModelFolder(model);
    const auto tokenizer = loadTokenizer(folder);
    Json result = {{"tokenizer", tokenizer->description()}, {"vocab", tokenizer->vocabSize()}};
    if (fromText) {
        ids = tokenizer->encode(text, special);
        if (bos) {
            if (!tokenizer->bosId())
                throw Error("this tokenizer has no BOS token", "Leave bos out.");
            ids.insert(ids.begin(), *tokenizer->bosId());
        }
        result["ids"] = ids;
        result["pieces"] = piecesOf(*tokenizer, ids);
    } else {
        result["pieces"] = piecesOf(*tokenizer, ids);
        result["text"] = tokenizer->decode(ids, special);
    }
    result["tokens"] = ids.size();
    return result;
}

Json attach(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string key = params.requireText("key");
    params.finish();
    return followDetached(engine.cache, key, job);
}

} // namespace

void addQuickMethods(Methods& methods, Engine& engine) {
    methods["open"] = {Kind::Quick, [&](Job& job) { return describe(engine, job, true); }};
    methods["info"] = {Kind::Quick, [&](Job& job) { return describe(engine, job, false); }};
    methods["plan"] = {Kind::Quick, [&](Job& job) { return plan(engine, job); }};
    methods["tokenize"] = {Kind::Quick, [](Job& job) { return tokenize(job); }};
    methods["list_dir"] = {Kind::Quick,
                           [&](Job& job) { return engine.files.listFolder(job.params()); }};
    methods["read"] = {Kind::Quick, [&](Job& job) { return engine.files.read(job.params()); }};
    methods["attach"] = {Kind::Follow, [&](Job& job) { return attach(engine, job); }};
    engine.files.allowFolder(engine.cache / "stats");
}

} // namespace bitloom::serve
