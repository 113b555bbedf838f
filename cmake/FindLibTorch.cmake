# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Finds libtorch by its headers and libraries alone. Torch's own TorchConfig.cmake insists on a whole
# CUDA toolkit when the wheel was built for CUDA; linking libtorch_cpu and libc10 needs none.
#
# Input:  LIBTORCH_ROOT (cache or environment): a folder with include/ and lib/ (an unzipped wheel's
#         torch/ folder, or a libtorch distribution). Not given: where ./bitloom.sh puts it.
# Output: target LibTorch::LibTorch, LibTorch_VERSION, LibTorch_LIBRARY_DIR.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/libtorch.pins" _libtorch_pin REGEX "^cpu +torch ")
string(REGEX REPLACE "^cpu +torch +([^ ]+).*" "\\1" _libtorch_pinned "${_libtorch_pin}")
if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(_libtorch_cache "$ENV{XDG_CACHE_HOME}")
else()
    set(_libtorch_cache "$ENV{HOME}/.cache")
endif()
set(_libtorch_default "${_libtorch_cache}/bitloom/libtorch-${_libtorch_pinned}/torch")

set(LIBTORCH_ROOT "$ENV{LIBTORCH_ROOT}" CACHE PATH "Folder of libtorch (with include/ and lib/)")
if(LIBTORCH_ROOT)
    set(_libtorch_root "${LIBTORCH_ROOT}")
else()
    set(_libtorch_root "${_libtorch_default}")
endif()
# Another root than last time: what was found there must not be mixed with what is found here.
if(NOT "${_libtorch_root}" STREQUAL "${_LibTorch_SEARCHED}")
    unset(LibTorch_INCLUDE_DIR CACHE)
    unset(LibTorch_CPU_LIBRARY CACHE)
    unset(LibTorch_C10_LIBRARY CACHE)
    set(_LibTorch_SEARCHED "${_libtorch_root}" CACHE INTERNAL "Where LibTorch was looked for")
endif()

# A root that was asked for and holds no libtorch is an error, not a reason to take some other one.
if(LIBTORCH_ROOT)
    set(_libtorch_only NO_DEFAULT_PATH)
else()
    set(_libtorch_only "")
endif()
find_path(LibTorch_INCLUDE_DIR ATen/ATen.h HINTS "${_libtorch_root}/include" ${_libtorch_only})
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS "${_libtorch_root}/lib" ${_libtorch_only})
find_library(LibTorch_C10_LIBRARY c10 HINTS "${_libtorch_root}/lib" ${_libtorch_only})
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)

if(LibTorch_INCLUDE_DIR AND EXISTS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
    set(_libtorch_header "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
else()
    set(_libtorch_header "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h")
endif()
unset(LibTorch_VERSION)
if(EXISTS "${_libtorch_header}")
    file(STRINGS "${_libtorch_header}" _libtorch_lines
        REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    foreach(part MAJOR MINOR PATCH)
        string(REGEX REPLACE ".*TORCH_VERSION_${part} ([0-9]+).*" "\\1" _libtorch_${part}
            "${_libtorch_lines}")
    endforeach()
    set(LibTorch_VERSION "${_libtorch_MAJOR}.${_libtorch_MINOR}.${_libtorch_PATCH}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
    REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
    VERSION_VAR LibTorch_VERSION
    REASON_FAILURE_MESSAGE "looked in ${_libtorch_root}. Run ./bitloom.sh build, which downloads it, or set LIBTORCH_ROOT to a folder with include/ and lib/")

if(LibTorch_FOUND)
    get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_CPU_LIBRARY}" DIRECTORY)
endif()
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
    foreach(part c10 torch_cpu)
        add_library(LibTorch::${part} SHARED IMPORTED)
        # Behind the system's folders: libtorch brings headers of other libraries along (fmt, ONNX,
        # protobuf), whose versions must not replace those that everything else is built with.
        target_compile_options(LibTorch::${part} INTERFACE
            "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}"
            "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
    endforeach()
    set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_C10_LIBRARY}")
    set_target_properties(LibTorch::torch_cpu PROPERTIES IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}")
    target_link_libraries(LibTorch::torch_cpu INTERFACE LibTorch::c10)
    # The wheel's libtorch_cpu.so finds NVIDIA's small runtime libraries by its own RPATH at run time;
    # the linker has to be told.
    if(EXISTS "${LibTorch_LIBRARY_DIR}/../../nvidia/cu13/lib")
        get_filename_component(_libtorch_nvidia "${LibTorch_LIBRARY_DIR}/../../nvidia/cu13/lib" REALPATH)
        target_link_options(LibTorch::torch_cpu INTERFACE "LINKER:-rpath-link,${_libtorch_nvidia}")
    endif()
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    target_link_libraries(LibTorch::LibTorch INTERFACE LibTorch::torch_cpu LibTorch::c10)
endif()
