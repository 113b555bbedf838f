// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/log.h"
#include "core/base/log_text.h"

#include <spdlog/spdlog.h>

#include <mutex>

namespace bitloom {

std::shared_ptr<spdlog::logger> logger(const char* room) {
    static std::mutex mutex; // asking and registering must be one step
    const std::lock_guard lock(mutex);
    if (auto known = spdlog::get(room)) return known;

    auto made = std::make_shared<spdlog::logger>(room);
    if (const auto model = spdlog::default_logger()) {
        made->sinks() = model->sinks();
        made->set_level(model->level());
        made->flush_on(model->flush_level());
    }
    spdlog::register_logger(made);
    return made;
}

void logInfo(const char* room, const std::string& text) {
    logger(room)->info("{}", text);
}

void logWarning(const char* room, const std::string& text) {
    logger(room)->warn("{}", text);
}

} // namespace bitloom
