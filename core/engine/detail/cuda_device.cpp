// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The GPU as libtorch offers it, without a header or library of CUDA: operations on tensors of
// device type CUDA find their way through the dispatcher once libtorch_cuda.so has registered them.

#include "core/engine/detail/cuda_device.h"

#include "core/base/cuda_driver.h"
#include "core/base/cuda_quantizer.h"
#include "kernels/cuda/bitloom_cuda.h"

#include <ATen/Context.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <link.h>
#include <memory>
#include <utility>
#include <vector>

namespace bitloom::detail {

namespace {

namespace fs = std::filesystem;

class CudaTorchDevice final : public Device {
public:
    CudaTorchDevice(std::unique_ptr<const CudaDriver> driver, int64_t memoryBytes)
        : m_driver(std::move(driver)), m_description(m_driver->name(0)),
          m_totalBytes(m_driver->totalBytes(0)), m_memoryBytes(memoryBytes) {}

    at::Device torch() const override { return {at::kCUDA, 0}; }
    std::string name() const override { return "cuda"; }
    std::string description() const override { return m_description; }
    int64_t memoryBytes() const override { return m_memoryBytes; }
    int64_t usedBytes() const override {
        const int64_t free = m_driver->freeBytes(); // 0 on a thread that has not used the GPU
        return free > 0 ? m_totalBytes - free : 0;
    }

    bool errorCurves(const at::Tensor& byColumn, std::span<const kernels::CurvePoint> points,
                     bool rawIsExact, std::span<float> sse, std::span<float> rms) override;

private:
    at::Tensor copyIn(const at::Tensor& host) override { return host.to(torch()); }
    at::Tensor copyOut(const at::Tensor& there) override { return there.to(at::kCPU); }

    std::unique_ptr<const CudaDriver> m_driver;
    std::string m_description;
    int64_t m_totalBytes, m_memoryBytes;
};

bool CudaTorchDevice::errorCurves(const at::Tensor& byColumn,
                                  std::span<const kernels::CurvePoint> points, bool rawIsExact,
                                  std::span<float> sse, std::span<float> rms) {
    const std::string what = "the error curves of columns";
    std::string why;
    const BitloomCudaQuantizerApi* api = cudaQuantizer(why);
    if (!api) {
        fallBack(what, why);
        return false;
    }
    const int64_t cols = byColumn.size(0), rows = byColumn.size(1);
    std::vector<BitloomCudaCurvePoint> wanted;
    for (const kernels::CurvePoint& p : points)
        wanted.push_back({int32_t(p.kind), p.bits, p.outliers});
    uint64_t best = 0, least = 0;
    int code = api->curveScratch(rows, cols, &best, &least);
    if (code == BITLOOM_CUDA_OK) {
        const uint64_t most = std::max(least, uint64_t(memoryBytes() / 4));
        const at::TensorOptions floats = byColumn.options();
        const at::Tensor scratch =
            at::empty({int64_t(std::min(best, most))}, floats.dtype(at::kByte));
        const at::Tensor curves = at::empty({cols, int64_t(points.size())}, floats);
        const at::Tensor sizes = at::empty({cols}, floats);
        code = api->errorCurves(byColumn.const_data_ptr<float>(), rows, cols, wanted.data(),
                                int32_t(wanted.size()), rawIsExact, scratch.data_ptr(),
                                uint64_t(scratch.numel()), curves.data_ptr<float>(),
                                sizes.data_ptr<float>());
        if (code == BITLOOM_CUDA_OK) {
            const at::Tensor here = download(curves), sizesHere = download(sizes);
            std::copy_n(here.const_data_ptr<float>(), sse.size(), sse.begin());
            std::copy_n(sizesHere.const_data_ptr<float>(), rms.size(), rms.begin());
            return true;
        }
    }
    fallBack(what, std::string("the CUDA kernels answer: ") + api->message());
    return false;
}

/// The folder of the libtorch_cpu.so that this process has loaded.
fs::path libtorchFolder() {
    void* library = ::dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return {};
    link_map* map = nullptr;
    const bool known = ::dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map;
    const fs::path folder = known ? fs::path(map->l_name).parent_path() : fs::path();
    ::dlclose(library);
    return folder;
}

/// A product and a factorisation there: a GPU that libtorch has no code for, or whose libraries do
/// not load, shows itself here and not in the middle of a job.
bool works(std::string& why) {
    try {
        at::NoGradGuard noGrad;
        const at::Tensor a = at::full({8, 8}, 0.5, at::kDouble).add_(at::eye(8, at::kDouble));
        const at::Tensor there = a.to(at::Device(at::kCUDA, 0));
        const at::Tensor factor = at::linalg_cholesky(there);
        const at::Tensor again = at::mm(factor, factor.t()).to(at::kCPU);
        const at::Tensor product = at::mm(there.to(at::kFloat), there.to(at::kFloat)).to(at::kCPU);
        if (at::allclose(again, a) && at::allclose(product, at::mm(a, a).to(at::kFloat)))
            return true;
        why = "the GPU computes wrong results";
    } catch (const c10::Error& error) {
        why = error.what_without_backtrace();
        why = "libtorch cannot compute on the GPU: " + why.substr(0, why.find('\n'));
    }
    return false;
}

} // namespace

fs::path torchCudaFile(std::string& why) {
    if (const char* named = std::getenv("BITLOOM_LIBTORCH_CUDA")) {
        std::error_code ignored;
        if (*named && fs::exists(named, ignored)) return named;
        why = *named
                  ? "BITLOOM_LIBTORCH_CUDA names " + std::string(named) + ", which does not exist"
                  : "BITLOOM_LIBTORCH_CUDA is empty";
        return {};
    }
    const fs::path folder = libtorchFolder();
    std::error_code ignored;
    if (!folder.empty() && fs::exists(folder / "libtorch_cuda.so", ignored))
        return folder / "libtorch_cuda.so";
    why = "libtorch_cuda.so is not in " + folder.string() + " (./bitloom.sh --cuda fetches it)";
    return {};
}

bool loadTorchCuda(std::string& why) {
    const fs::path file = torchCudaFile(why);
    if (file.empty()) return false;
    if (!::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
        const char* problem = ::dlerror();
        why = file.string() + " cannot be loaded: " + (problem ? problem : "no reason is given");
        return false;
    }
    if (at::globalContext().hasCUDART()) return true;
    why = "libtorch has already computed without " + file.string() +
          " and cannot take it up any more; start the program again";
    return false;
}

std::shared_ptr<Device> openCudaDevice(int64_t vramBytes, std::string& why) {
    auto driver = CudaDriver::open(why);
    if (!driver || !loadTorchCuda(why)) return nullptr;
    if (!at::globalContext().hasCUDA()) {
        why = "libtorch finds no GPU that it can use";
        return nullptr;
    }
    // Products as on the processor: float32, and not what tensor cores make of it.
    at::globalContext().setFloat32MatmulPrecision("highest");
    if (!works(why)) return nullptr;
    constexpr int64_t own = int64_t(512) << 20; // handles and workspaces of cuBLAS and cuSOLVER
    const int64_t free = std::max<int64_t>(driver->freeBytes() - own, 0);
    const int64_t memory = vramBytes > 0 ? std::min(vramBytes, free) : free / 10 * 9;
    return std::make_shared<CudaTorchDevice>(std::move(driver), memory);
}

} // namespace bitloom::detail
