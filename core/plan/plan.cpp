// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/plan.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/durable.h"
#include "core/plan/hulls.h"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cmath>
#include <set>

namespace bitloom {

namespace {

constexpr int formatVersion = 1;

constexpr struct {
    Budget::Kind kind;
    const char* name;
} budgetKinds[] = {{Budget::Kind::Bits, "bits"},
                   {Budget::Kind::Size, "size"},
                   {Budget::Kind::Perplexity, "perplexity"},
                   {Budget::Kind::Speed, "speed"}};

/// Reads members of a JSON object; every complaint names the file and the key.
class Reader {
public:
    Reader(const nlohmann::json& json, std::string where)
        : m_json(json), m_where(std::move(where)) {
        if (!json.is_object()) fail("is not an object");
    }
    const nlohmann::json& at(const char* key) const {
        const auto found = m_json.find(key);
        if (found == m_json.end()) fail(fmt::format("has no \"{}\"", key));
        return *found;
    }
    Reader object(const char* key) const { return {at(key), inside(key)}; }
    const nlohmann::json& array(const char* key) const {
        if (!at(key).is_array()) fail(fmt::format("\"{}\" is not a list", key));
        return at(key);
    }
    std::string text(const char* key) const { return textOf(at(key), key); }
    std::string textOf(const nlohmann::json& value, const char* key) const {
        if (!value.is_string()) fail(fmt::format("\"{}\" must be text", key));
        return value.get<std::string>();
    }
    double number(const char* key) const {
        if (!at(key).is_number()) fail(fmt::format("\"{}\" must be a number", key));
        const double value = at(key).get<double>();
        if (!std::isfinite(value)) fail(fmt::format("\"{}\" is not finite", key));
        return value;
    }
    int64_t whole(const nlohmann::json& value, const char* key, int64_t least, int64_t most) const {
        if (!value.is_number_integer() ||
            (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t(most)) ||
            value.get<int64_t>() < least || value.get<int64_t>() > most)
            fail(fmt::format("\"{}\" must hold whole numbers from {} to {}", key, least, most));
        return value.get<int64_t>();
    }
    std::string inside(const char* key) const { return m_where + ": " + key; }
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(m_where + ": " + what + ".", "Make the plan again with 'bitloom plan'.");
    }
    const nlohmann::json& json() const { return m_json; }
    const std::string& where() const { return m_where; }

private:
    const nlohmann::json& m_json;
    std::string m_where;
};

Menu menuFrom(const Reader& reader) {
    Menu menu;
    for (const nlohmann::json& point : reader.array("menu"))
        menu.push_back(parsePoint(reader.textOf(point, "menu")));
    if (menu.empty() || menu.size() > 64) reader.fail("\"menu\" must have 1 to 64 points");
    for (size_t p = 0; p < menu.size(); ++p)
        for (size_t q = 0; q < p; ++q)
            if (menu[p] == menu[q])
                reader.fail(fmt::format("\"menu\" names {} twice", pointText(menu[p])));
    return menu;
}

Budget budgetFrom(const Reader& reader) {
    Budget budget;
    const std::string kind = reader.text("kind");
    const auto* found = std::find_if(std::begin(budgetKinds), std::end(budgetKinds),
                                     [&](const auto& k) { return kind == k.name; });
    if (found == std::end(budgetKinds))
        reader.fail(
            fmt::format("\"kind\" is \"{}\"; known are bits, size, perplexity, speed", kind));
    budget.kind = found->kind;
    budget.value = reader.number("value");
    return budget;
}

Prediction predictionFrom(const Reader& reader) {
    return {reader.number("delta_nll"), reader.number("nll"), reader.number("low"),
            reader.number("high"), reader.text("on")};
}

// "shapes" keeps the order of the layers, which a JSON object does not.
std::vector<Plan::Layer> layersFrom(const Reader& reader, const Menu& menu) {
    std::vector<Plan::Layer> layers;
    const Reader runs = reader.object("layers");
    std::set<std::string> names;
    int64_t columns = 0;
    for (const nlohmann::json& shape : reader.array("shapes")) {
        if (!shape.is_array() || shape.size() != 3)
            reader.fail("\"shapes\" must hold [layer, rows, columns]");
        Plan::Layer layer;
        layer.name = reader.textOf(shape[0], "shapes");
        layer.rows = reader.whole(shape[1], "shapes", 1, int64_t(1) << 31);
        layer.cols = reader.whole(shape[2], "shapes", 1, Segment::maxColumns);
        columns += layer.cols;
        if (columns > Segment::maxColumns) reader.fail("\"shapes\" has too many columns");
        if (!names.insert(layer.name).second)
            reader.fail(fmt::format("\"shapes\" names layer '{}' twice", layer.name));
        const std::string text = runs.text(layer.name.c_str());
        try {
            layer.points = parseRunLengths(text, menu, layer.cols);
        } catch (const Error& error) {
            throw Error(error.code(), runs.inside(layer.name.c_str()) + ": " + error.what(),
                        error.hint());
        }
        layers.push_back(std::move(layer));
    }
    if (layers.empty()) reader.fail("there are no layers");
    for (const auto& [name, value] : runs.json().items())
        if (!names.contains(name))
            reader.fail(fmt::format("layer '{}' is not in \"shapes\"", name));
    return layers;
}

int64_t storedBits(const Plan& plan) {
    int64_t bits = 0;
    for (const Plan::Layer& layer : plan.layers)
        bits += layerBits(layer.points, plan.menu, layer.rows);
    return bits;
}

Plan readPlan(const nlohmann::json& json, const std::string& where) {
    const Reader reader(json, where);
    const int64_t format = reader.whole(reader.at("format"), "format", 0, 1'000'000);
    if (format != formatVersion)
        reader.fail(
            fmt::format("is format {}; this program reads format {}", format, formatVersion));
    Plan plan;
    plan.model = reader.text("model");
    plan.statistics = reader.text("statistics");
    plan.menu = menuFrom(reader);
    plan.budget = budgetFrom(reader.object("budget"));
    for (const nlohmann::json& pin : reader.array("pins"))
        plan.pins.push_back(Pin::parse(reader.textOf(pin, "pins")));
    plan.layers = layersFrom(reader, plan.menu);
    plan.distortion = reader.number("distortion");
    plan.predicted = predictionFrom(reader.object("predicted"));
    plan.bits = storedBits(plan);
    if (plan.bits != reader.whole(reader.at("bits"), "bits", 0, int64_t(1) << 62)) {
        // Changed by hand, which is welcome; but the figures were those of another plan.
        logger("core")->warn("{}: the layers take {} bits, not what the file says; its predicted "
                             "figures are dropped",
                             where, plan.bits);
        plan.distortion = 0;
        plan.predicted = {};
    }
    return plan;
}

} // namespace

int64_t Plan::weights() const {
    int64_t weights = 0;
    for (const Layer& layer : layers)
        weights += layer.rows * layer.cols;
    return weights;
}

nlohmann::json Plan::toJson() const {
    nlohmann::json json;
    json["format"] = formatVersion;
    json["model"] = model;
    json["statistics"] = statistics;
    for (const auto& known : budgetKinds)
        if (known.kind == budget.kind)
            json["budget"] = {{"kind", known.name}, {"value", budget.value}};
    json["menu"] = nlohmann::json::array();
    for (const OperatingPoint& point : menu)
        json["menu"].push_back(pointText(point));
    json["pins"] = nlohmann::json::array();
    for (const Pin& pin : pins)
        json["pins"].push_back(pin.text());
    json["layers"] = nlohmann::json::object();
    json["shapes"] = nlohmann::json::array();
    for (const Layer& layer : layers) {
        json["layers"][layer.name] = runLengths(layer.points, menu);
        json["shapes"].push_back(nlohmann::json::array({layer.name, layer.rows, layer.cols}));
    }
    json["bits"] = bits;
    json["distortion"] = distortion;
    json["predicted"] = {{"delta_nll", predicted.deltaNll},
                         {"nll", predicted.nll},
                         {"low", predicted.low},
                         {"high", predicted.high},
                         {"on", predicted.on}};
    return json;
}

Plan Plan::fromJson(const nlohmann::json& json, const std::string& where) {
    try {
        return readPlan(json, where);
    } catch (const nlohmann::json::exception& error) {
        throw Error(where + ": " + error.what());
    } catch (const Error& error) {
        if (std::string_view(error.what()).starts_with(where)) throw;
        throw Error(error.code(), where + ": " + error.what(), error.hint());
    }
}

void Plan::save(const std::filesystem::path& path) const {
    try {
        writeFileAtomically(path, toJson().dump(1) + '\n');
    } catch (const nlohmann::json::exception& error) { // a name that is not UTF-8
        throw Error("The plan cannot be written to '" + path.string() + "': " + error.what());
    }
}

Plan Plan::load(const std::filesystem::path& path) {
    return fromJson(readJsonFile(path), path.string());
}

std::string runLengths(std::span<const uint8_t> points, const Menu& menu) {
    std::string text;
    for (size_t begin = 0; begin < points.size();) {
        if (points[begin] >= menu.size())
            throw Error(fmt::format("Channel {} has operating point {} of {}.", begin,
                                    points[begin], menu.size()));
        size_t end = begin + 1;
        while (end < points.size() && points[end] == points[begin])
            ++end;
        if (!text.empty()) text += ',';
        text += std::to_string(end - begin) + 'x' + pointText(menu[points[begin]]);
        begin = end;
    }
    return text;
}

std::vector<uint8_t> parseRunLengths(std::string_view text, const Menu& menu, int64_t cols) {
    std::vector<uint8_t> points;
    while (!text.empty() || points.empty()) {
        const size_t comma = std::min(text.find(','), text.size());
        std::string_view item = text.substr(0, comma);
        const std::string_view whole = item;
        int64_t count = 1;
        const size_t times = item.find('x');
        if (times != std::string_view::npos) {
            const char* const end = item.data() + times;
            const auto [stop, error] = std::from_chars(item.data(), end, count);
            if (error != std::errc() || stop != end || count < 1)
                throw Error(fmt::format("'{}' is no run of columns.", whole),
                            "Write count x point: 12x8g,40x6g.");
            item.remove_prefix(times + 1);
        }
        const auto found = std::find(menu.begin(), menu.end(), parsePoint(item));
        if (found == menu.end()) throw Error(fmt::format("'{}' is not in the menu.", whole));
        if (count > cols - int64_t(points.size()))
            throw Error(fmt::format("The runs are of more than {} columns.", cols));
        points.insert(points.end(), size_t(count), uint8_t(found - menu.begin()));
        if (comma == text.size()) break;
        text.remove_prefix(comma + 1);
        if (text.empty()) throw Error("The list of runs ends in a comma.");
    }
    if (int64_t(points.size()) != cols)
        throw Error(fmt::format("The runs are of {} columns, not {}.", points.size(), cols));
    return points;
}

Plan makePlan(const Allocation& allocation, const std::vector<LayerCurves>& layers,
              const Menu& menu, const Budget& budget, std::vector<Pin> pins) {
    Plan plan;
    plan.budget = budget;
    plan.menu = menu;
    plan.pins = std::move(pins);
    plan.bits = allocation.bits;
    plan.distortion = allocation.distortion;
    size_t first = 0;
    for (const LayerCurves& layer : layers) {
        const size_t cols = size_t(layer.cols);
        if (cols > allocation.points.size() - first)
            throw Error("The allocation has fewer columns than the layers.");
        const auto begin = allocation.points.begin() + std::ptrdiff_t(first);
        plan.layers.push_back(
            {layer.name, layer.rows, layer.cols, {begin, begin + std::ptrdiff_t(cols)}});
        first += cols;
    }
    if (first != allocation.points.size())
        throw Error("The allocation has more columns than the layers.");
    return plan;
}

std::string printPlan(const Plan& plan) {
    std::string text;
    for (const Plan::Layer& layer : plan.layers) {
        text += layer.name + ": ";
        for (size_t k = 0; k < layer.points.size(); ++k)
            text += (k > 0 ? "," : "") + pointText(plan.menu.at(layer.points[k]));
        text += '\n';
    }
    return text;
}

Plan buildPlan(std::string_view text, const Menu& menu, int64_t rows) {
    Plan plan;
    plan.menu = menu;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        if (line.empty()) continue;
        const size_t colon = line.find(": ");
        if (colon == std::string_view::npos)
            throw Error(fmt::format("'{}' is no line of a plan.", line), "Write layer: 8g,2x4t.");
        const std::string_view runs = line.substr(colon + 2);
        int64_t cols = 0;
        for (size_t begin = 0; begin <= runs.size();) {
            const size_t comma = std::min(runs.find(',', begin), runs.size());
            int64_t count = 1;
            const std::string_view item = runs.substr(begin, comma - begin);
            if (item.find('x') != std::string_view::npos)
                std::from_chars(item.data(), item.data() + item.size(), count);
            cols += std::clamp<int64_t>(count, 1, Segment::maxColumns);
            begin = comma + 1;
        }
        plan.layers.push_back(
            {std::string(line.substr(0, colon)), rows, cols, parseRunLengths(runs, menu, cols)});
    }
    plan.bits = storedBits(plan);
    return plan;
}

} // namespace bitloom
