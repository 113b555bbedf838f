#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
    cat <<'TEXT'
Usage: ./bitloom.sh [--offline] [--no-gui] [--cuda] [COMMAND]

Installs what is missing (Debian and Ubuntu packages; libtorch into ~/.cache/bitloom), builds
Bitloom into build/release/bin, and runs it.

Commands:
  (none)      open the desktop application, if it was built and there is a display; else the demo
  demo        quantize the bundled sample model in the terminal and compare
  cli ARG...  run the command line: ./bitloom.sh cli --help
  build       only set up and build
  screenshots DIR
              pictures of every view and dialog of the desktop application in all their states,
              light and dark, at normal and double size; runs real jobs on the sample, for a few
              minutes; needs no display

Options:
  --offline   install and download nothing; say what is missing instead
  --no-gui    leave the desktop application out
  --cuda      also download libtorch's CUDA libraries (2 GB), for NVIDIA GPUs
  --help      show this text

Environment:
  LIBTORCH_ROOT    use this libtorch (2.7 or later) instead of downloading one
  XDG_CACHE_HOME   where libtorch is kept (in bitloom/), instead of ~/.cache
  BITLOOM_JOBS     compile jobs; default: one a core, limited by memory
TEXT
}

# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"
command=
while (($#)); do
    case $1 in
    --offline) offline=1 ;;
    --no-gui) gui=0 ;;
    --cuda) cuda=1 ;;
    -h | --help | help)
        usage
        exit 0
        ;;
    demo | cli | build | screenshots)
        command=$1
        shift
        break
        ;;
    *)
        printf "error: '%s' is not known here. For Bitloom's own commands: ./bitloom.sh cli %s\n\n" \
            "$1" "$*" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done
if [[ $command == build && $# -gt 0 ]]; then
    printf "error: 'build' takes no arguments; options go before it.\n" >&2
    exit 2
fi

if [[ $command == screenshots && ($# -ne 1 || $gui == 0) ]]; then
    printf "error: 'screenshots' takes the folder to write into, and the desktop application.\n" >&2
    exit 2
fi

packages=("${buildPackages[@]}")
targets=(bitloom)
# The desktop application is a part that can be left out.
if [[ $gui == 1 && -e $root/ui/CMakeLists.txt ]]; then
    packages+=("${guiPackages[@]}")
    targets+=(bitloom-studio)
fi
ensurePackages "${packages[@]}"
ensureLibtorch
configure 0
build "${targets[@]}"

bin=$buildDir/bin
case $command in
build) say "Ready: $bin/bitloom" ;;
cli) exec "$bin/bitloom" "$@" ;;
demo) exec "$bin/bitloom" demo "$@" ;;
screenshots)
    export QT_QPA_PLATFORM=offscreen
    QT_SCALE_FACTOR=1 "$bin/bitloom-studio" --screenshots "$1"
    QT_SCALE_FACTOR=2 "$bin/bitloom-studio" --screenshots "$1"
    ;;
*)
    if [[ $gui == 1 && -n ${WAYLAND_DISPLAY:-}${DISPLAY:-} && -x $bin/bitloom-studio ]]; then
        exec "$bin/bitloom-studio"
    fi
    exec "$bin/bitloom" demo
    ;;
esac
