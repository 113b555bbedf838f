// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/local_models.h"

#include "core/base/error.h"
#include "core/model/checkpoint.h"
#include "core/model/local_cache.h"
#include "ui/models/texts.h"

#include <QCoreApplication>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr size_t mostOpened = 40; // a cache of hundreds is no reason to read them all

LocalModel read(const std::string& name) {
    LocalModel model;
    model.name = QString::fromStdString(name);
    try {
        const auto checkpoint = Checkpoint::open(name);
        model.opens = true;
        model.bytes = checkpoint->weightBytes();
        model.facts = QCoreApplication::translate("LocalModels", "%1 parameters, %2")
                          .arg(amountText(double(checkpoint->parameters())),
                               QString::fromStdString(checkpoint->config().dtype));
    } catch (const Error& error) {
        model.facts = QString::fromStdString(error.what());
    }
    return model;
}

} // namespace

std::vector<LocalModel> findLocalModels(size_t most, const std::atomic<bool>& cancelled) {
    std::vector<LocalModel> models;
    size_t opening = 0;
    const std::vector<std::string> names = cachedModels();
    for (size_t i = 0; i < std::min(names.size(), mostOpened) && opening < most; ++i) {
        if (cancelled) return {};
        models.push_back(read(names[i]));
        opening += models.back().opens;
    }
    std::ranges::stable_sort(models, std::greater(), &LocalModel::opens);
    if (models.size() > most) models.resize(most);
    return models;
}

} // namespace bitloom::ui
