// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/log_buffer.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"

#include <QApplication>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <memory>
#include <random>

namespace bitloom::ui {

/// A model that never was a file: seven kinds of layers a block, curves like those of Gaussian
/// columns with a few channels that stand out, the same for every run.
struct SyntheticModel {
    std::vector<std::vector<float>> rms, absmax, weight, conditional, sse;

    static std::shared_ptr<const ModelData> make(int blocks, int64_t hidden, int64_t inner,
                                                 unsigned seed = 7) {
        auto values = std::make_shared<SyntheticModel>();
        auto data = std::make_shared<ModelData>();
        data->title = QStringLiteral("synthetic");
        data->folder = QStringLiteral("/nowhere/synthetic");
        data->fingerprint = "synthetic-" + std::to_string(blocks) + "-" + std::to_string(hidden);
        data->statisticsFingerprint = "statistics-" + std::to_string(seed);
        data->calibratedOn = QStringLiteral("noise, 4 windows of 64 tokens");
        data->nllFp = 1.7;
        data->nllFpStderr = 0.01;
        data->menu = defaultMenu();
        std::vector<LinearInfo> linears;
        for (int b = 0; b < blocks; ++b) {
            const auto add = [&](const char* name, LinearRole role, int64_t rows, int64_t cols) {
                LinearInfo info;
                info.name = "model.layers." + std::to_string(b) + "." + name;
                info.role = role;
                info.block = b;
                info.rows = rows;
                info.cols = cols;
                linears.push_back(info);
            };
            add("self_attn.q_proj", LinearRole::Query, hidden, hidden);
            add("self_attn.k_proj", LinearRole::Key, hidden, hidden);
            add("self_attn.v_proj", LinearRole::Value, hidden, hidden);
            add("self_attn.o_proj", LinearRole::AttentionOut, hidden, hidden);
            add("mlp.gate_proj", LinearRole::Gate, inner, hidden);
            add("mlp.up_proj", LinearRole::Up, inner, hidden);
            add("mlp.down_proj", LinearRole::Down, hidden, inner);
        }
        data->describeLayers(linears);
        data->parameters = data->weights;
        data->fp16Bytes = 2 * data->weights;
        std::mt19937_64 random(seed);
        for (const LinearInfo& linear : linears)
            values->addLayer(linear, data->menu, random);
        for (size_t l = 0; l < linears.size(); ++l) {
            LayerStatistics layer;
            layer.name = linears[l].name;
            layer.rows = linears[l].rows;
            layer.cols = linears[l].cols;
            layer.actRms = values->rms[l];
            layer.actAbsmax = values->absmax[l];
            layer.weightRms = values->weight[l];
            layer.conditional = values->conditional[l];
            layer.sse = values->sse[l];
            layer.gamma = 1e-7 * std::exp(std::normal_distribution<double>()(random));
            layer.normsDone = layer.gammaDone = true;
            data->statistics.push_back(layer);
            data->curves.push_back(
                {layer.name, layer.rows, layer.cols, layer.gamma, layer.conditional, layer.sse});
        }
        data->owner = values;
        return data;
    }

private:
    static float pointError(const OperatingPoint& p) {
        constexpr float table[] = {0, 0.3634f, 0.1175f, 0.03454f, 0.009497f, 0.0025f};
        constexpr float grid[] = {0,        0,         0.1188f, 0.03744f, 0.01154f,
                                  0.00349f, 0.001041f, 3e-4f,   8.7e-5f};
        if (p.kind == PointKind::Raw) return 1e-8f;
        const float all = p.kind == PointKind::Table ? table[p.bits] : grid[p.bits];
        return all * (p.outlierFraction == 0 ? 1 : p.outlierFraction < 0.005 ? 0.93f : 0.82f);
    }

    void addLayer(const LinearInfo& linear, const Menu& menu, std::mt19937_64& random) {
        std::normal_distribution<float> normal;
        std::vector<float> shape;
        for (const OperatingPoint& p : menu)
            shape.push_back(float(linear.rows) * pointError(p));
        std::vector<float> a, m, w, c, e;
        e.reserve(size_t(linear.cols) * menu.size());
        for (int64_t k = 0; k < linear.cols; ++k) {
            const bool outlier = k % 97 == 13;
            const float size = std::exp(0.6f * normal(random)) * (outlier ? 30.f : 1.f);
            a.push_back(size * 0.4f);
            m.push_back(size * (2 + std::abs(normal(random))));
            const float variance = 4e-4f * std::exp(0.5f * normal(random));
            w.push_back(std::sqrt(variance));
            c.push_back(size * size);
            for (const float s : shape)
                e.push_back(s * variance * (1 + 0.03f * normal(random)));
        }
        rms.push_back(std::move(a));
        absmax.push_back(std::move(m));
        weight.push_back(std::move(w));
        conditional.push_back(std::move(c));
        sse.push_back(std::move(e));
    }
};

/// A workbench with settings of its own in a temporary folder, and a synthetic model.
class WorkbenchFixture {
public:
    explicit WorkbenchFixture(std::shared_ptr<const ModelData> model = SyntheticModel::make(3, 48,
                                                                                            96))
        : settings(folder.filePath(QStringLiteral("settings.ini"))), workbench(settings) {
        settings.setCacheFolder(folder.filePath(QStringLiteral("cache")));
        if (model) workbench.setModel(std::move(model));
    }
    bool settle() {
        if (workbench.hasPlan() && workbench.figures().sizeExact) return true; // it has
        QSignalSpy settled(&workbench, &Workbench::planSettled);
        return settled.wait(10'000);
    }

    QTemporaryDir folder;
    Settings settings;
    Workbench workbench;
};

/// The whole window over it: Fusion-based style, DejaVu Sans 10, DPR 1, light.
class GuiFixture : public WorkbenchFixture {
public:
    explicit GuiFixture(std::shared_ptr<const ModelData> model = SyntheticModel::make(3, 48, 96))
        : WorkbenchFixture(nullptr) {
        QApplication::setFont(QFont(QStringLiteral("DejaVu Sans"), 10));
        settings.setTheme(Settings::Theme::Light);
        theme = std::make_unique<ThemeControl>(settings);
        window = std::make_unique<MainWindow>(workbench, log, MainWindow::Places{});
        window->resize(1440, 900);
        if (model) workbench.setModel(std::move(model));
        window->show();
        window->activateWindow();
        (void)QTest::qWaitForWindowActive(window.get());
    }
    template<class W = QWidget>
    W* find(const char* name) const {
        return window->findChild<W*>(QString::fromLatin1(name));
    }

    LogBuffer log;
    std::unique_ptr<ThemeControl> theme;
    std::unique_ptr<MainWindow> window;
};

} // namespace bitloom::ui
