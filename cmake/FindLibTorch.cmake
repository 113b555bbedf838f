# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Finds libtorch by its headers and libraries alone. Torch's own TorchConfig.cmake insists on a whole
# CUDA toolkit when the wheel was built for CUDA; linking libtorch_cpu and libc10 needs none.
#
# Input:  LIBTORCH_ROOT (cache or environment): a folder with include/ and lib/ (an unzipped wheel's
#         torch/ folder, or a libtorch distribution).
# Output: target LibTorch::LibTorch, LibTorch_VERSION.
set(LIBTORCH_ROOT "$ENV{LIBTORCH_ROOT}" CACHE PATH "Folder of libtorch (with include/ and lib/)")
find_path(LibTorch_INCLUDE_DIR ATen/ATen.h HINTS "${LIBTORCH_ROOT}/include")
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS "${LIBTORCH_ROOT}/lib")
find_library(LibTorch_C10_LIBRARY c10 HINTS "${LIBTORCH_ROOT}/lib")

if(LibTorch_INCLUDE_DIR AND EXISTS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
    set(_version_header "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
else()
    set(_version_header "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h")
endif()
if(EXISTS "${_version_header}")
    file(STRINGS "${_version_header}" _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    foreach(part MAJOR MINOR PATCH)
        string(REGEX REPLACE ".*TORCH_VERSION_${part} ([0-9]+).*" "\\1" _${part} "${_lines}")
    endforeach()
    set(LibTorch_VERSION "${_MAJOR}.${_MINOR}.${_PATCH}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
    REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
    VERSION_VAR LibTorch_VERSION
    REASON_FAILURE_MESSAGE "Run ./bitloom.sh build, which downloads it, or set LIBTORCH_ROOT")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
    get_filename_component(_lib_dir "${LibTorch_CPU_LIBRARY}" DIRECTORY)
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
        "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
    target_link_libraries(LibTorch::LibTorch INTERFACE
        "${LibTorch_CPU_LIBRARY}" "${LibTorch_C10_LIBRARY}")
    # The wheel's libtorch_cpu.so finds the small NVIDIA runtime libraries by its own RPATH.
    target_link_options(LibTorch::LibTorch INTERFACE
        "LINKER:-rpath,${_lib_dir}" "LINKER:--allow-shlib-undefined")
endif()
