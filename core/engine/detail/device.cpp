// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/device.h"

#include "core/base/error.h"
#include "core/base/log_text.h"
#include "core/base/units.h"

#include <algorithm>

namespace bitloom::detail {

bool Device::fits(const std::string& what, int64_t bytes) {
    if (bytes <= memoryBytes()) return true;
    fallBack(what, "it needs " + formatBytes(bytes) + " of the GPU's memory, and " +
                       formatBytes(memoryBytes()) + " may be used");
    return false;
}

void Device::fallBack(const std::string& what, const std::string& why) {
    const std::lock_guard lock(m_mutex);
    if (std::ranges::find(m_fallbackOf, what) != m_fallbackOf.end()) return;
    m_fallbackOf.push_back(what);
    m_fallbacks.push_back(what + ": " + why);
    logWarning("engine", "on the processor: " + what + ", because " + why);
}

std::vector<std::string> Device::fallbacks() const {
    const std::lock_guard lock(m_mutex);
    return m_fallbacks;
}

bool isOutOfMemory(const c10::Error& error) {
    if (dynamic_cast<const c10::OutOfMemoryError*>(&error)) return true;
    // cuBLAS and cuSOLVER allocate by themselves, and say so in words of their own.
    const std::string text = error.what_without_backtrace();
    for (const char* sign : {"out of memory", "ALLOC_FAILED", "CUSOLVER_STATUS_INTERNAL_ERROR"})
        if (text.find(sign) != std::string::npos) return true;
    return false;
}

void throwDeviceFailed(const std::string& what, const c10::Error& error) {
    std::string text = error.what_without_backtrace();
    text = text.substr(0, text.find('\n')); // what follows is advice for programmers
    throw Error(what + " failed on the GPU: " + text,
                "Finished layers are kept: run the same command again, or with --device cpu.");
}

} // namespace bitloom::detail
