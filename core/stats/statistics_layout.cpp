// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/stats/statistics_layout.h"

#include "core/base/error.h"

#include <algorithm>
#include <bit>
#include <set>

namespace bitloom::statisticsLayout {

namespace {

constexpr int64_t maxDimension = int64_t(1) << 31;

nlohmann::json toJson(const CalibrationRecipe& recipe) {
    nlohmann::json menu = nlohmann::json::array();
    for (const OperatingPoint& point : recipe.menu)
        menu.push_back(pointText(point));
    return {{"model", recipe.modelFingerprint},
            {"text_hash", recipe.textHash},
            {"source", recipe.source},
            {"sequences", recipe.sequences},
            {"length", recipe.length},
            {"tokens", recipe.sequences * recipe.length},
            {"damping", recipe.damping},
            {"order", recipe.order},
            {"menu", menu}};
}

int64_t positive(const nlohmann::json& value, const std::string& what) {
    const auto number = value.get<int64_t>();
    if (number < 1 || number > maxDimension) throw Error(what + " is " + std::to_string(number));
    return number;
}

CalibrationRecipe recipeFromJson(const nlohmann::json& json) {
    CalibrationRecipe recipe;
    recipe.modelFingerprint = json.at("model").get<std::string>();
    recipe.textHash = json.at("text_hash").get<std::string>();
    recipe.source = json.at("source").get<std::string>();
    recipe.sequences = positive(json.at("sequences"), "the number of sequences");
    recipe.length = positive(json.at("length"), "the length of a sequence");
    recipe.damping = json.at("damping").get<double>();
    recipe.order = json.at("order").get<std::string>();
    for (const auto& point : json.at("menu"))
        recipe.menu.push_back(parsePoint(point.get<std::string>()));
    if (recipe.menu.empty() || recipe.menu.size() > 64)
        throw Error("the menu has " + std::to_string(recipe.menu.size()) +
                    " points; 1 to 64 can be");
    return recipe;
}

const std::string& require(const std::map<std::string, std::string>& metadata,
                           const std::string& key, const std::string& where) {
    const auto found = metadata.find(key);
    if (found == metadata.end())
        throw Error(where + " is not a statistics file: its metadata has no '" + key + "'");
    return found->second;
}

} // namespace

std::map<std::string, std::string> metadata(const CalibrationRecipe& recipe,
                                            const std::string& modelName,
                                            const std::vector<Layer>& layers) {
    nlohmann::json list = nlohmann::json::array();
    for (const Layer& layer : layers)
        list.push_back({layer.name, layer.rows, layer.cols});
    const auto text = [](const nlohmann::json& json) {
        // Names of models and files come from the outside and may be no UTF-8.
        return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    return {
        {"format", std::string(format)},         {"format_version", std::to_string(formatVersion)},
        {"program", "bitloom " BITLOOM_VERSION}, {"model", text(modelName)},
        {"recipe", text(toJson(recipe))},        {"layers", text(list)}};
}

Metadata parse(const std::map<std::string, std::string>& metadata, const std::string& where) {
    if (require(metadata, "format", where) != format)
        throw Error(where + " is not a statistics file");
    if (const auto& version = require(metadata, "format_version", where);
        version != std::to_string(formatVersion))
        throw Error(where + " has version " + version + "; this program reads version " +
                        std::to_string(formatVersion),
                    "Calibrate again, or use a newer program.");
    Metadata result;
    try {
        result.modelName = parseJson(require(metadata, "model", where), where).get<std::string>();
        result.recipe = recipeFromJson(parseJson(require(metadata, "recipe", where), where));
        std::set<std::string> names;
        for (const auto& entry : parseJson(require(metadata, "layers", where), where)) {
            const Layer layer{entry.at(0).get<std::string>(), positive(entry.at(1), "a row count"),
                              positive(entry.at(2), "a column count")};
            if (!names.insert(layer.name).second)
                throw Error("layer '" + layer.name + "' is listed twice");
            result.layers.push_back(layer);
        }
    } catch (const nlohmann::json::exception& error) {
        throw Error(where + ": its metadata is damaged: " + error.what());
    } catch (const Error& error) {
        throw Error(where + ": its metadata is damaged: " + error.what());
    }
    return result;
}

std::vector<TensorSpec> specs(const CalibrationRecipe& recipe, const std::vector<Layer>& layers) {
    std::vector<TensorSpec> specs;
    const auto points = int64_t(recipe.menu.size());
    for (const Layer& layer : layers) {
        for (const Part& part : parts) {
            std::vector<int64_t> shape{layer.cols};
            if (part.curves) shape.push_back(points);
            specs.push_back({layer.name + part.suffix, DType::F32, std::move(shape)});
        }
        specs.push_back({layer.name + gammaSuffix, DType::F64, {1}});
        specs.push_back({layer.name + rankSuffix, DType::F64, {1}});
    }
    specs.push_back({idsName, DType::I32, {recipe.sequences, recipe.length}});
    specs.push_back({nllName, DType::F64, {2}});
    specs.push_back({stateName, DType::U8, {2 * int64_t(layers.size()) + 1}});
    return specs;
}

bool allUsable(std::span<const float> values) {
    // Bits, so that the loop vectorizes: +infinity and NaN, and with the sign everything negative,
    // compare above the largest finite number as unsigned. (−0 is 0.)
    bool bad = false;
    for (const float value : values) {
        const auto bits = std::bit_cast<uint32_t>(value);
        bad |= bits >= 0x7f800000u && bits != 0x80000000u;
    }
    return !bad;
}

} // namespace bitloom::statisticsLayout
