// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Any text as config.json: refused with an Error, or a config whose catalogue fits together.
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/model/catalogue.h"
#include "tests/core/io/fuzz_target.h"

using namespace bitloom;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto json = parseJson({reinterpret_cast<const char*>(data), size}, "fuzz");
        const ModelConfig config = ModelConfig::parse(json, "fuzz");
        FUZZ_CHECK(config.hidden > 0 && config.vocab > 0 && config.headDim % 2 == 0);
        FUZZ_CHECK(config.heads % config.kvHeads == 0);
        FUZZ_CHECK(config.slidingWindow.size() == size_t(config.layers));
        for (const int64_t window : config.slidingWindow)
            FUZZ_CHECK(window >= 0);
        for (const int64_t token : config.eosTokens)
            FUZZ_CHECK(token >= 0 && token < config.vocab);
        if (config.layers > 100) return 0; // only slow
        const Catalogue catalogue = Catalogue::make(config);
        FUZZ_CHECK(catalogue.linears.size() == size_t(config.layers) * 7);
        for (size_t i = 0; i < catalogue.linears.size(); ++i) {
            const LinearInfo& linear = catalogue.linears[i];
            FUZZ_CHECK(linear.rows > 0 && linear.cols > 0);
            FUZZ_CHECK(catalogue.groups[size_t(linear.inputGroup)].cols == linear.cols);
        }
    } catch (const Error&) {
    }
    return 0;
}
