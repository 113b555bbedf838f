// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/emulated_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>

namespace bitloom::engineTesting {

namespace {

/// One piece of address space, closed except while something is copied; first fit.
class Arena {
public:
    static constexpr size_t size = size_t(1) << 32;

    Arena() {
        void* memory =
            ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("no address space for a device");
        m_base = static_cast<char*>(memory);
        m_free[0] = size;
    }
    void* take(size_t wanted) {
        const std::lock_guard lock(m_mutex);
        const size_t bytes = rounded(wanted);
        if (m_used + int64_t(bytes) > m_limit) {
            ++m_refused;
            TORCH_CHECK_WITH(OutOfMemoryError, false, "the emulated device has no ", bytes,
                             " bytes left");
        }
        for (auto it = m_free.begin(); it != m_free.end(); ++it) {
            if (it->second < bytes) continue;
            const size_t at = it->first, rest = it->second - bytes;
            m_free.erase(it);
            if (rest > 0) m_free[at + bytes] = rest;
            m_taken[at] = bytes;
            m_used += int64_t(bytes);
            m_peak = std::max(m_peak, m_used);
            return m_base + at;
        }
        throw std::runtime_error("the emulated device's address space is used up");
    }
    void give(void* memory) {
        const std::lock_guard lock(m_mutex);
        const auto at = size_t(static_cast<char*>(memory) - m_base);
        const size_t bytes = m_taken.at(at);
        m_taken.erase(at);
        m_used -= int64_t(bytes);
        auto here = m_free.emplace(at, bytes).first;
        if (const auto next = std::next(here);
            next != m_free.end() && next->first == at + here->second) {
            here->second += next->second;
            m_free.erase(next);
        }
        if (here == m_free.begin()) return;
        const auto before = std::prev(here);
        if (before->first + before->second != at) return;
        before->second += here->second;
        m_free.erase(here);
    }
    /// While an Open lives, the processor may touch the memory.
    class Open {
    public:
        explicit Open(Arena& arena) : m_arena(arena) { m_arena.openMore(+1); }
        ~Open() { m_arena.openMore(-1); }
        Open(const Open&) = delete;
        Open& operator=(const Open&) = delete;

    private:
        Arena& m_arena;
    };
    void setLimit(int64_t bytes) {
        const std::lock_guard lock(m_mutex);
        m_limit = bytes;
        m_peak = m_used;
        m_refused = 0;
    }
    int64_t used() const { return m_used; }
    int64_t peak() const { return m_peak; }
    int64_t refused() const { return m_refused; }

private:
    static size_t rounded(size_t bytes) { return std::max<size_t>(512, (bytes + 511) / 512 * 512); }
    void openMore(int change) {
        const std::lock_guard lock(m_mutex);
        const bool before = m_open > 0;
        m_open += change;
        if (before != (m_open > 0))
            ::mprotect(m_base, size, m_open > 0 ? PROT_READ | PROT_WRITE : PROT_NONE);
    }

    std::mutex m_mutex;
    char* m_base = nullptr;
    std::map<size_t, size_t> m_free, m_taken;
    int64_t m_limit = int64_t(1) << 40, m_used = 0, m_peak = 0, m_refused = 0;
    int m_open = 0;
};

Arena& arena() {
    static Arena* const one = new Arena; // tensors may outlive every other object
    return *one;
}

struct DeviceAllocator final : c10::Allocator {
    c10::DataPtr allocate(size_t bytes) override {
        const c10::Device device(c10::kPrivateUse1, 0);
        if (bytes == 0) return {nullptr, nullptr, &release, device};
        void* memory = arena().take(bytes);
        return {memory, memory, &release, device};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, size_t bytes) const override {
        const Arena::Open open(arena());
        default_copy_data(to, from, bytes);
    }
    static void release(void* memory) {
        if (memory) arena().give(memory);
    }
};
DeviceAllocator& allocator() {
    static DeviceAllocator* const one = new DeviceAllocator;
    return *one;
}

/// One device with one stream.
struct Guard final : c10::impl::DeviceGuardImplInterface {
    static c10::Device device() { return {c10::kPrivateUse1, 0}; }
    static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, device()); }
    c10::DeviceType type() const override { return c10::kPrivateUse1; }
    c10::Device exchangeDevice(c10::Device) const override { return device(); }
    c10::Device getDevice() const override { return device(); }
    void setDevice(c10::Device) const override {}
    void uncheckedSetDevice(c10::Device) const noexcept override {}
    c10::Stream getStream(c10::Device) const override { return stream(); }
    c10::Stream exchangeStream(c10::Stream) const override { return stream(); }
    c10::DeviceIndex deviceCount() const noexcept override { return 1; }
    void record(void**, const c10::Stream&, const c10::DeviceIndex,
                const c10::EventFlag) const override {}
    void block(void*, const c10::Stream&) const override {}
    bool queryEvent(void*) const override { return true; }
    void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

struct Hooks final : at::PrivateUse1HooksInterface {
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return true; }
    bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
    const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
        throw std::runtime_error("the emulated device has no random numbers");
    }
};
const bool registered = [] {
    c10::register_privateuse1_backend("emulated");
    at::RegisterPrivateUse1HooksInterface(new Hooks);
    return true;
}();

at::Tensor emptyMemoryFormat(c10::IntArrayRef sizes, std::optional<c10::ScalarType> dtype,
                             std::optional<c10::Layout>, std::optional<c10::Device>,
                             std::optional<bool>, std::optional<c10::MemoryFormat> format) {
    return at::detail::empty_generic(sizes, &allocator(),
                                     c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                     dtype.value_or(at::kFloat), format);
}

at::Tensor emptyStrided(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                        std::optional<c10::ScalarType> dtype, std::optional<c10::Layout>,
                        std::optional<c10::Device>, std::optional<bool>) {
    return at::detail::empty_strided_generic(sizes, strides, &allocator(),
                                             c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                             dtype.value_or(at::kFloat));
}

/// The memory of a tensor as one of the processor; only while the arena is open.
at::Tensor asHost(const at::Tensor& t) {
    if (t.is_cpu()) return t;
    return at::from_blob(t.data_ptr(), t.sizes(), t.strides(), at::TensorOptions(t.scalar_type()));
}

at::Tensor copyFrom(const at::Tensor& from, const at::Tensor& to, bool) {
    const Arena::Open open(arena());
    asHost(to).copy_(asHost(from));
    return to;
}

at::Tensor copyFromAndResize(const at::Tensor& from, const at::Tensor& to) {
    if (to.sizes() != from.sizes()) to.resize_(from.sizes());
    return copyFrom(from, to, false);
}

void requireHere(const at::Tensor& t, const c10::OperatorHandle& op) {
    TORCH_CHECK(!t.defined() || t.dim() == 0 || !t.is_cpu(), op.schema().name(),
                " got a tensor of the processor among those of the device");
}

/// Every other operation: on copies, by the processor, and only if all tensors are here.
void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
    for (const c10::IValue& value : torch::jit::last(*stack, op.schema().arguments().size())) {
        if (value.isTensor()) requireHere(value.toTensor(), op);
        if (value.isTensorList())
            for (const at::Tensor& t : value.toTensorVector())
                requireHere(t, op);
        if (value.isOptionalTensorList())
            for (const std::optional<at::Tensor>& t : value.toOptionalTensorVector())
                if (t) requireHere(*t, op);
    }
    const Arena::Open open(arena()); // once, for all copies of the operation
    at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
    m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
    m.impl("empty.memory_format", &emptyMemoryFormat);
    m.impl("empty_strided", &emptyStrided);
    m.impl("_copy_from", &copyFrom);
    m.impl("_copy_from_and_resize", &copyFromAndResize);
    m.impl("as_strided", at::native::as_strided_tensorimpl);
    m.impl("view", at::native::view);
    m.impl("_reshape_alias", at::native::_reshape_alias);
    m.impl("resize_", at::native::resize_);
}

} // namespace

void EmulatedMemory::setLimit(int64_t bytes) {
    arena().setLimit(bytes);
}
int64_t EmulatedMemory::used() {
    return arena().used();
}
int64_t EmulatedMemory::peak() {
    return arena().peak();
}
int64_t EmulatedMemory::refused() {
    return arena().refused();
}

bool EmulatedDevice::errorCurves(const at::Tensor& byColumn,
                                 std::span<const kernels::CurvePoint> points, bool rawIsExact,
                                 std::span<float> sse, std::span<float> rms) {
    TORCH_CHECK(!byColumn.is_cpu() && byColumn.is_contiguous(), "columns must lie there, dense");
    ++m_curves;
    const at::Tensor here = download(byColumn);
    const auto rows = size_t(here.size(1));
    kernels::ColumnScratch scratch;
    for (size_t k = 0; k < rms.size(); ++k) {
        const std::span column(here.const_data_ptr<float>() + k * rows, rows);
        double squares = 0;
        for (const float w : column)
            squares += double(w) * double(w);
        rms[k] = float(std::sqrt(squares / double(rows)));
        kernels::columnErrorCurve(column, points, rawIsExact, scratch,
                                  sse.subspan(k * points.size(), points.size()));
    }
    return true;
}

at::Tensor EmulatedDevice::copyIn(const at::Tensor& host) {
    return host.to(torch());
}

at::Tensor EmulatedDevice::copyOut(const at::Tensor& there) {
    return there.to(at::kCPU);
}

} // namespace bitloom::engineTesting
