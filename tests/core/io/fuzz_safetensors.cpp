// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Any bytes as a safetensors file: refused with an Error, or every tensor is readable, lies in the
// file, overlaps no other, and a file laid out anew from what was read is read back the same.
#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "fuzz_target.h"

#include <cstring>

using namespace bitloom;

namespace {

void checkLayout(const SafetensorsFile& file) {
    std::vector<TensorSpec> specs;
    uint64_t total = 0;
    for (const TensorInfo& tensor : file.tensors()) {
        if (tensor.name == "__metadata__") return;
        specs.push_back({tensor.name, tensor.dtype, tensor.shape});
        total += tensor.bytes();
    }
    const SafetensorsLayout layout(std::move(specs), file.metadata());
    FUZZ_CHECK(layout.fileBytes() == layout.header().size() + total);
    std::vector<std::byte> bytes(layout.fileBytes());
    std::memcpy(bytes.data(), layout.header().data(), layout.header().size());
    const auto again = SafetensorsFile::fromBytes(std::move(bytes), "again");
    FUZZ_CHECK(again->tensors().size() == file.tensors().size());
    FUZZ_CHECK(again->metadata() == file.metadata());
    for (const TensorInfo& tensor : file.tensors()) {
        const TensorInfo* other = again->find(tensor.name);
        FUZZ_CHECK(other && other->shape == tensor.shape && other->dtype == tensor.dtype);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    try {
        const auto file = SafetensorsFile::fromBytes({begin, begin + size}, "fuzz");
        FUZZ_CHECK(file->fileBytes() == size);
        uint64_t end = 0, sum = 0;
        for (const TensorInfo& tensor : file->tensors()) {
            const auto bytes = file->data(tensor);
            FUZZ_CHECK(bytes.size() ==
                       uint64_t(tensor.elements()) * uint64_t(dtypeBytes(tensor.dtype)));
            FUZZ_CHECK(bytes.empty() || tensor.begin >= end);
            if (!bytes.empty()) end = tensor.end;
            for (const std::byte byte : bytes)
                sum += uint64_t(byte);
            FUZZ_CHECK(file->find(tensor.name) == &tensor);
            file->release(tensor);
        }
        FUZZ_CHECK(end <= size && sum <= size * 255);
        checkLayout(*file);
    } catch (const Error& error) {
        FUZZ_CHECK(std::strlen(error.what()) > 0);
    }
    return 0;
}
