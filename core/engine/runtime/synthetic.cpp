// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/synthetic.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/half.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

namespace bitloom::runtime {

namespace {

/// Quick noise (splitmix64), the same for the same seed.
class Noise {
public:
    explicit Noise(uint64_t seed) : m_state(seed) {}
    uint64_t next() {
        uint64_t z = m_state += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    void fill(void* out, size_t bytes, uint64_t mask) {
        auto* at = static_cast<char*>(out);
        for (; bytes >= 8; bytes -= 8, at += 8) {
            const uint64_t word = next() & mask;
            std::memcpy(at, &word, 8);
        }
        const uint64_t word = next() & mask;
        std::memcpy(at, &word, bytes);
    }

private:
    uint64_t m_state;
};

struct Shape {
    const char* name;
    int64_t hidden, intermediate, heads, kvHeads, vocab;
};
constexpr Shape shapes[] = {
    {"1b", 2048, 5632, 32, 4, 32000},
    {"7b", 4096, 11008, 32, 32, 32000},
    {"8b", 4096, 14336, 32, 8, 128256},
};

/// Halves of about ±0.02: random sign and fraction, one exponent.
void fillHalves(std::vector<uint16_t>& out, uint64_t seed) {
    const int64_t pieces = 64, size = (int64_t(out.size()) + pieces - 1) / pieces;
    parallelFor(pieces, 1, defaultThreads(), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
            const int64_t first = std::min(p * size, int64_t(out.size()));
            const int64_t last = std::min(first + size, int64_t(out.size()));
            Noise noise(seed + uint64_t(p));
            noise.fill(out.data() + first, size_t(last - first) * 2, 0x83ff83ff83ff83ffu);
            for (int64_t i = first; i < last; ++i)
                out[size_t(i)] |= 0x2400; // 2^-6
        }
    });
}

class SyntheticWeights final : public ModelWeights {
public:
    SyntheticWeights(ModelConfig config, double bits, double outliers, bool onDevice)
        : m_config(std::move(config)), m_catalogue(Catalogue::make(m_config)), m_bits(bits),
          m_outliers(outliers), m_onDevice(onDevice) {}

    const ModelConfig& config() const override { return m_config; }
    const Catalogue& catalogue() const override { return m_catalogue; }
    const std::filesystem::path& folder() const override { return m_folder; }
    void readLinear(std::string_view linear, std::span<float> out, int threads) const override {
        if (const auto layer = columns(linear)) {
            layer->dequantize(out, threads);
            return;
        }
        readTensor(std::string(linear) + ".weight", out);
    }
    std::optional<ColumnWeights> columns(std::string_view linear) const override {
        const LinearInfo* info = m_catalogue.find(linear);
        if (!info || m_bits >= 16) return std::nullopt;
        return syntheticColumns(info->rows, info->cols, m_bits, m_outliers, !m_onDevice);
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        const std::vector<int64_t> shape = shapeOf(name);
        if (shape.size() != 2) return std::nullopt;
        if (m_bits < 16 && name != m_catalogue.head && name != m_catalogue.embedding)
            return std::nullopt;
        if (m_bits < 16) { // embedding and head as cmpq+ stores them
            auto codes = std::make_shared<std::vector<int8_t>>(size_t(shape[0] * shape[1]));
            Noise noise{uint64_t(shape[0])};
            noise.fill(codes->data(), codes->size(), 0x7f7f7f7f7f7f7f7fu);
            return StoredRows{{codes->data(), kernels::RowType::I8, shape[0], shape[1], shape[1]},
                              std::vector<float>(size_t(shape[0]), 0.001f),
                              codes};
        }
        if (m_onDevice)
            return StoredRows{
                {nullptr, kernels::RowType::F16, shape[0], shape[1], shape[1]}, {}, {}};
        auto values = std::make_shared<std::vector<uint16_t>>(size_t(shape[0] * shape[1]));
        fillHalves(*values, std::hash<std::string_view>{}(name));
        return StoredRows{
            {values->data(), kernels::RowType::F16, shape[0], shape[1], shape[1]}, {}, values};
    }
    bool hasTensor(std::string_view name) const override { return !shapeOf(name).empty(); }
    void readTensor(std::string_view name, std::span<float> out) const override {
        const auto rows = storedRows(name);
        if (!rows)
            std::fill(out.begin(), out.end(), 1.f); // norms
        else if (rows->matrix.type == kernels::RowType::I8)
            for (size_t i = 0; i < out.size(); ++i)
                out[i] = 0.001f * float(static_cast<const int8_t*>(rows->matrix.data)[i]);
        else
            kernels::halfToFloat({static_cast<const uint16_t*>(rows->matrix.data), out.size()},
                                 out);
    }
    void readRows(std::string_view, int64_t rowBegin, std::span<float> out) const override {
        Noise noise(uint64_t(rowBegin) + 17);
        for (float& value : out)
            value = float(int64_t(noise.next() >> 32) - (int64_t(1) << 31)) * 0x1p-31f;
    }
    std::string fingerprint() const override { return "synthetic"; }
    int64_t storedBytes() const override {
        int64_t weights = 0;
        for (const LinearInfo& info : m_catalogue.linears)
            weights += info.rows * info.cols;
        return int64_t(double(weights) * (m_bits + 32 * m_outliers) / 8) +
               2 * m_config.vocab * m_config.hidden * (m_bits < 16 ? 1 : 2);
    }

private:
    std::vector<int64_t> shapeOf(std::string_view name) const {
        for (const auto& expected : m_catalogue.expected)
            if (expected.name == name) return expected.shape;
        return {};
    }

    ModelConfig m_config;
    Catalogue m_catalogue;
    std::filesystem::path m_folder;
    double m_bits, m_outliers;
    bool m_onDevice;
};

} // namespace

ColumnWeights syntheticColumns(int64_t rows, int64_t cols, double bits, double outliers,
                               bool codes) {
    const auto width = [](int whole) {
        return ColumnClass{whole == 7 ? 8 : whole, whole <= 4 ? PointKind::Table : PointKind::Grid,
                           0};
    };
    const int low = int(std::floor(bits));
    const auto wide = int64_t(std::llround((bits - low) * double(cols)));
    ColumnWeights out;
    out.rows = rows;
    out.cols = cols;
    out.classes = {width(low + 1), width(low)};
    if (wide == 0) out.classes.erase(out.classes.begin());
    if (codes) out.codes.resize(size_t(rows * cols));
    out.tables.assign(size_t(cols * 32), 0);
    out.scale.assign(size_t(cols), kernels::floatToHalf(0.001f));
    out.zero.assign(size_t(cols), 0);
    out.raw.resize(size_t(cols));
    out.outlierRow.resize(size_t(cols));
    out.outlierVal.resize(size_t(cols));
    const auto perColumn = int64_t(std::llround(outliers * double(rows)));
    for (ColumnClass& c : out.classes)
        c.outliers = uint32_t(perColumn);
    for (int64_t k = 0; k < cols; ++k) {
        // Widths lie mixed, as in a real plan.
        const bool wider = wide > 0 && k * wide / cols != (k + 1) * wide / cols;
        out.classOf.push_back(uint8_t(wide == 0 || wider ? 0 : 1));
        const ColumnClass& c = out.classAt(k);
        Noise noise(uint64_t(k) * 77 + uint64_t(rows));
        const uint64_t mask = 0x0101010101010101u * ((1u << c.bits) - 1);
        if (codes) noise.fill(out.codes.data() + k * rows, size_t(rows), mask);
        for (int e = 0; c.kind == PointKind::Table && e < 1 << c.bits; ++e)
            out.tables[size_t(k * 32 + e)] = int8_t(-60 + (120 * e) / ((1 << c.bits) - 1));
        for (int64_t i = 0; i < perColumn; ++i) {
            const int64_t step = rows / perColumn;
            out.outlierRow[size_t(k)].push_back(
                uint32_t(i * step + int64_t(noise.next() % uint64_t(step))));
            out.outlierVal[size_t(k)].push_back(kernels::floatToHalf(0.1f));
        }
    }
    return out;
}

const std::vector<std::string>& syntheticShapes() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> out;
        for (const Shape& shape : shapes)
            out.emplace_back(shape.name);
        return out;
    }();
    return names;
}

ModelConfig syntheticConfig(const std::string& name, int64_t layers) {
    for (const Shape& s : shapes) {
        if (name != s.name) continue;
        const nlohmann::json config = {{"model_type", "llama"},
                                       {"architectures", {"LlamaForCausalLM"}},
                                       {"hidden_size", s.hidden},
                                       {"intermediate_size", s.intermediate},
                                       {"num_hidden_layers", layers},
                                       {"num_attention_heads", s.heads},
                                       {"num_key_value_heads", s.kvHeads},
                                       {"vocab_size", s.vocab},
                                       {"max_position_embeddings", 8192},
                                       {"rms_norm_eps", 1e-5},
                                       {"hidden_act", "silu"},
                                       {"torch_dtype", "float16"}};
        return ModelConfig::parse(config, "synthetic " + name);
    }
    std::string known;
    for (const Shape& s : shapes)
        known += (known.empty() ? "" : ", ") + std::string(s.name);
    throw Error(ErrorCode::Usage, "the shape '" + name + "' is not known",
                "Known shapes: " + known + ".");
}

std::shared_ptr<const ModelWeights> syntheticModel(const ModelConfig& config, double bits,
                                                   double outliers, bool onDevice) {
    return std::make_shared<SyntheticWeights>(config, bits, outliers, onDevice);
}

} // namespace bitloom::runtime
