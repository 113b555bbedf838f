# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Third-party parts, found once, here. Versions and licences: ARCHITECTURE.md. Nothing stops at the
# first missing part: the summary at the end names all of them, with what each one is for.

# bitloom_package(NAME PURPOSE "..." [APT package])
# Says what an already looked-for package is for.
function(bitloom_package name)
    cmake_parse_arguments(ARG "" "PURPOSE;APT" "" ${ARGN})
    if(ARG_APT AND NOT ${name}_FOUND)
        set(ARG_PURPOSE "${ARG_PURPOSE} (apt-get install ${ARG_APT})")
    endif()
    set_package_properties(${name} PROPERTIES TYPE REQUIRED PURPOSE "${ARG_PURPOSE}")
endfunction()

# bitloom_pkg_config(NAME MODULE "libfoo >= 1.0" PURPOSE "..." APT package)
# The same for a part that has no CMake package: target PkgConfig::<NAME>.
function(bitloom_pkg_config name)
    cmake_parse_arguments(ARG "" "MODULE;PURPOSE;APT" "" ${ARGN})
    if(PkgConfig_FOUND)
        pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL "${ARG_MODULE}")
    endif()
    if(${name}_FOUND)
        set_property(GLOBAL APPEND PROPERTY PACKAGES_FOUND ${name})
    else()
        set_property(GLOBAL APPEND PROPERTY PACKAGES_NOT_FOUND ${name})
    endif()
    bitloom_package(${name} PURPOSE "${ARG_PURPOSE}" APT ${ARG_APT})
endfunction()

find_package(Threads)
bitloom_package(Threads PURPOSE "work shared out over the cores")
find_package(PkgConfig)
bitloom_package(PkgConfig PURPOSE "finding libraries without a CMake package" APT pkg-config)
find_package(spdlog 1.10)
bitloom_package(spdlog PURPOSE "logging" APT libspdlog-dev)
find_package(nlohmann_json 3.11)
bitloom_package(nlohmann_json PURPOSE "configurations, manifests, --json output" APT nlohmann-json3-dev)
find_package(CLI11 2.1)
bitloom_package(CLI11 PURPOSE "the command line" APT libcli11-dev)
find_package(LibTorch 2.7)
bitloom_package(LibTorch PURPOSE "tensors and gradients of the engine (./bitloom.sh build downloads it)")
bitloom_pkg_config(XXHASH MODULE "libxxhash >= 0.8.0"
    PURPOSE "fingerprints of models and statistics (XXH3)" APT libxxhash-dev)
bitloom_pkg_config(PCRE2 MODULE "libpcre2-8 >= 10.40"
    PURPOSE "the split patterns of tokenizers" APT libpcre2-dev)
bitloom_pkg_config(SENTENCEPIECE MODULE "sentencepiece >= 0.1.96"
    PURPOSE "tokenizer.model files" APT libsentencepiece-dev)
bitloom_pkg_config(UTF8PROC MODULE "libutf8proc >= 2.6"
    PURPOSE "Unicode normal forms in tokenizers" APT libutf8proc-dev)
# The desktop application is a part that can be left out: without Qt Widgets or QCustomPlot only the
# command line is built.
option(BITLOOM_STUDIO "Build the desktop application, bitloom-studio, where its parts are found" ON)
if(BITLOOM_STUDIO)
    find_package(Qt6 6.4 QUIET COMPONENTS Core Gui Widgets Svg PrintSupport)
    if(Qt6_FOUND)
        find_package(QCustomPlotQt6 QUIET) # needs Qt's targets
    endif()
    if(NOT Qt6_FOUND OR NOT QCustomPlotQt6_FOUND)
        set(BITLOOM_STUDIO OFF) # for this run: found later, it is built
    endif()
endif()
add_feature_info("desktop application" BITLOOM_STUDIO
    "bitloom-studio (apt-get install qt6-base-dev qt6-svg-dev libqcustomplot-dev)")
if(BUILD_TESTING)
    find_package(Qt6 6.4 COMPONENTS Core Test)
    bitloom_package(Qt6 PURPOSE "Qt Test, which the tests are written with" APT qt6-base-dev)
    find_package(benchmark)
    bitloom_package(benchmark PURPOSE "the benchmarks in tests/bench" APT libbenchmark-dev)
    find_package(Python3 COMPONENTS Interpreter)
    bitloom_package(Python3 PURPOSE "checks of the source tree, and oracles in tests" APT python3)
endif()

feature_summary(QUIET_ON_EMPTY FATAL_ON_MISSING_REQUIRED_PACKAGES
    WHAT REQUIRED_PACKAGES_NOT_FOUND
    DESCRIPTION "These parts are missing:")
