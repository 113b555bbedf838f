# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Compile options shared by every room, as an INTERFACE library: nothing global.
include(CTest)
include(FeatureSummary)
include(GNUInstallDirs)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)

set(BITLOOM_SANITIZE OFF CACHE STRING
    "ON: AddressSanitizer and UndefinedBehaviorSanitizer; thread: ThreadSanitizer")
set_property(CACHE BITLOOM_SANITIZE PROPERTY STRINGS OFF ON thread)

add_library(bitloom_options INTERFACE)
target_compile_features(bitloom_options INTERFACE cxx_std_20)
# -ffp-contract=off: results must not depend on whether the compiler found a fused multiply-add;
# where one is wanted it is written as std::fma.
target_compile_options(bitloom_options INTERFACE -Wall -Wextra -Wpedantic -ffp-contract=off)
# GCC 12 sees overlapping copies in std::string that are not there (GCC bug 105651).
target_compile_options(bitloom_options INTERFACE
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_include_directories(bitloom_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(bitloom_options INTERFACE BITLOOM_VERSION="${PROJECT_VERSION}")
if(BITLOOM_SANITIZE STREQUAL "thread")
    target_compile_options(bitloom_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(bitloom_options INTERFACE -fsanitize=thread)
elseif(BITLOOM_SANITIZE)
    target_compile_options(bitloom_options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(bitloom_options INTERFACE -fsanitize=address,undefined)
endif()

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_feature_info("tests" BUILD_TESTING "Qt Test programs and checks of the source tree (BUILD_TESTING)")
add_feature_info("sanitizers" BITLOOM_SANITIZE "run-time checks of the compiler (BITLOOM_SANITIZE)")
add_feature_info("ccache" CCACHE_PROGRAM "compilations that were done before are not done again")
