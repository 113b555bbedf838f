// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/gemm.h"

#include "kernels/cuda/panels.h"

#if __has_include(<cublasLt.h>)

#include <cublasLt.h>
#include <dlfcn.h>
#include <link.h>

#include <array>
#include <compare>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

namespace bitloom::cuda {

namespace {

namespace fs = std::filesystem;

/// The functions of cuBLASLt that are used.
struct Functions {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmulDescCreate) createOperation;
    decltype(&cublasLtMatmulDescDestroy) destroyOperation;
    decltype(&cublasLtMatmulDescSetAttribute) setOperation;
    decltype(&cublasLtMatrixLayoutCreate) createLayout;
    decltype(&cublasLtMatrixLayoutDestroy) destroyLayout;
    decltype(&cublasLtMatmulPreferenceCreate) createPreference;
    decltype(&cublasLtMatmulPreferenceDestroy) destroyPreference;
    decltype(&cublasLtMatmulPreferenceSetAttribute) setPreference;
    decltype(&cublasLtMatmulAlgoGetHeuristic) choose;
    decltype(&cublasLtMatmul) multiply;
};

template<class F>
bool find(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    return function != nullptr;
}

bool findAll(void* library, Functions& f) {
    return find(library, "cublasLtCreate", f.create) &&
           find(library, "cublasLtDestroy", f.destroy) &&
           find(library, "cublasLtMatmulDescCreate", f.createOperation) &&
           find(library, "cublasLtMatmulDescDestroy", f.destroyOperation) &&
           find(library, "cublasLtMatmulDescSetAttribute", f.setOperation) &&
           find(library, "cublasLtMatrixLayoutCreate", f.createLayout) &&
           find(library, "cublasLtMatrixLayoutDestroy", f.destroyLayout) &&
           find(library, "cublasLtMatmulPreferenceCreate", f.createPreference) &&
           find(library, "cublasLtMatmulPreferenceDestroy", f.destroyPreference) &&
           find(library, "cublasLtMatmulPreferenceSetAttribute", f.setPreference) &&
           find(library, "cublasLtMatmulAlgoGetHeuristic", f.choose) &&
           find(library, "cublasLtMatmul", f.multiply);
}

/// What the choice of an algorithm depends on.
struct Shape {
    int64_t rows, tokens, cols, wStride, xStride, yStride;
    std::array<uint32_t, 3> alignment; ///< of weights, activations and results, in bytes

    auto operator<=>(const Shape&) const = default;
};

/// One shape of product, ready to run.
struct Plan {
    cublasLtMatmulDesc_t operation = nullptr;
    std::array<cublasLtMatrixLayout_t, 3> layout{}; ///< weights, activations, results
    cublasLtMatmulAlgo_t algorithm{};
};

class LoadedGemm final : public Gemm {
public:
    LoadedGemm(const Functions& f, cublasLtHandle_t handle) : m_f(f), m_handle(handle) {}
    ~LoadedGemm() override {
        for (auto& [shape, plan] : m_plans)
            drop(plan);
        m_f.destroy(m_handle);
    }

    std::string multiply(const uint16_t* w, int64_t wStride, int64_t rows, const uint16_t* x,
                         int64_t xStride, int64_t tokens, int64_t cols, float* y, int64_t yStride,
                         void* workspace, size_t workspaceBytes, cudaStream_t stream) override {
        const Shape shape{rows,
                          tokens,
                          cols,
                          wStride,
                          xStride,
                          yStride,
                          {alignmentOf(reinterpret_cast<uintptr_t>(w)),
                           alignmentOf(reinterpret_cast<uintptr_t>(x)),
                           alignmentOf(reinterpret_cast<uintptr_t>(y))}};
        auto at = m_plans.find(shape);
        if (at == m_plans.end()) {
            Plan plan;
            const cublasStatus_t status = make(plan, shape, workspaceBytes);
            if (status != CUBLAS_STATUS_SUCCESS) {
                drop(plan);
                return "cuBLASLt has no way to multiply: status " + std::to_string(int(status));
            }
            at = m_plans.emplace(shape, plan).first;
        }
        const Plan& plan = at->second;
        const float one = 1, zero = 0;
        const cublasStatus_t status = m_f.multiply(
            m_handle, plan.operation, &one, w, plan.layout[0], x, plan.layout[1], &zero, y,
            plan.layout[2], y, plan.layout[2], &plan.algorithm, workspace, workspaceBytes, stream);
        return status == CUBLAS_STATUS_SUCCESS ? std::string()
                                               : "cuBLASLt: status " + std::to_string(int(status));
    }

private:
    cublasStatus_t make(Plan& plan, const Shape& s, size_t workspaceBytes) {
        // Columns first, as cuBLAS sees it: (rows × tokens) = (cols × rows)ᵀ · (cols × tokens).
        const cublasOperation_t turned = CUBLAS_OP_T;
        cublasStatus_t status =
            m_f.createOperation(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
        const auto then = [&](auto&& step) {
            if (status == CUBLAS_STATUS_SUCCESS) status = step();
        };
        then([&] {
            return m_f.setOperation(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, &turned,
                                    sizeof turned);
        });
        then([&] {
            return m_f.createLayout(&plan.layout[0], CUDA_R_16F, uint64_t(s.cols), uint64_t(s.rows),
                                    s.wStride);
        });
        then([&] {
            return m_f.createLayout(&plan.layout[1], CUDA_R_16F, uint64_t(s.cols),
                                    uint64_t(s.tokens), s.xStride);
        });
        then([&] {
            return m_f.createLayout(&plan.layout[2], CUDA_R_32F, uint64_t(s.rows),
                                    uint64_t(s.tokens), s.yStride);
        });
        cublasLtMatmulPreference_t preference = nullptr;
        then([&] { return m_f.createPreference(&preference); });
        then([&] {
            return m_f.setPreference(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                     &workspaceBytes, sizeof workspaceBytes);
        });
        // Of an operand's address; 256 bytes are taken for granted where nothing is said.
        const std::pair<cublasLtMatmulPreferenceAttributes_t, uint32_t> alignments[] = {
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, s.alignment[0]},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, s.alignment[1]},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, s.alignment[2]},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, s.alignment[2]}};
        for (const auto& [attribute, bytes] : alignments)
            then([&] { return m_f.setPreference(preference, attribute, &bytes, sizeof bytes); });
        cublasLtMatmulHeuristicResult_t best{};
        int found = 0;
        then([&] {
            return m_f.choose(m_handle, plan.operation, plan.layout[0], plan.layout[1],
                              plan.layout[2], plan.layout[2], preference, 1, &best, &found);
        });
        if (preference) m_f.destroyPreference(preference);
        if (status == CUBLAS_STATUS_SUCCESS && found == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
        plan.algorithm = best.algo;
        return status;
    }
    void drop(Plan& plan) {
        for (cublasLtMatrixLayout_t layout : plan.layout)
            if (layout) m_f.destroyLayout(layout);
        if (plan.operation) m_f.destroyOperation(plan.operation);
    }

    Functions m_f;
    cublasLtHandle_t m_handle;
    std::map<Shape, Plan> m_plans;
};

constexpr const char* libraryName = "libcublasLt.so.13";

/// The folder of a library that is in the process; empty: it is not.
fs::path folderOf(const char* loaded) {
    void* library = dlopen(loaded, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return {};
    link_map* map = nullptr;
    const bool known = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map;
    const fs::path file = known ? map->l_name : "";
    dlclose(library); // only what dlopen counted here
    return file.parent_path();
}

/// Where it may lie beside what the process has: with libcudart, and where wheels put CUDA's
/// libraries beside libtorch.
std::vector<fs::path> folders() {
    std::vector<fs::path> out;
    Dl_info runtime{};
    if (dladdr(reinterpret_cast<void*>(&cudaRuntimeGetVersion), &runtime) && runtime.dli_fname)
        out.push_back(fs::path(runtime.dli_fname).parent_path());
    for (const char* torch : {"libtorch_cuda.so", "libtorch_cpu.so"})
        if (const fs::path folder = folderOf(torch); !folder.empty()) {
            out.push_back(folder.parent_path().parent_path() / "nvidia/cu13/lib");
            out.push_back(folder);
        }
    return out;
}

/// Null, and why. It stays loaded: CUDA's libraries cannot be unloaded.
void* openLibrary(std::string& why) {
    if (void* library = dlopen(libraryName, RTLD_NOW | RTLD_LOCAL)) return library;
    why = std::string(libraryName) + " cannot be loaded: " + dlerror();
    for (const fs::path& folder : folders()) {
        const fs::path file = folder / libraryName;
        std::error_code ignored;
        if (!fs::exists(file, ignored)) {
            why += "; it is not in " + folder.string();
            continue;
        }
        if (void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
        why += std::string("; ") + dlerror();
    }
    return nullptr;
}

} // namespace

std::unique_ptr<Gemm> Gemm::load(std::string& why) {
    void* library = openLibrary(why);
    if (!library) return nullptr;
    Functions f{};
    cublasLtHandle_t handle = nullptr;
    if (!findAll(library, f)) {
        why = std::string(libraryName) + " lacks functions of version 13";
    } else if (const cublasStatus_t status = f.create(&handle); status != CUBLAS_STATUS_SUCCESS) {
        why = std::string(libraryName) + " does not start: status " + std::to_string(int(status));
    } else {
        why.clear();
        return std::make_unique<LoadedGemm>(f, handle);
    }
    return nullptr;
}

} // namespace bitloom::cuda

#else

namespace bitloom::cuda {

std::unique_ptr<Gemm> Gemm::load(std::string& why) {
    why = "built without cublasLt.h";
    return nullptr;
}

} // namespace bitloom::cuda

#endif
