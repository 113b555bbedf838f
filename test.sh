#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Sets up like bitloom.sh, builds everything and runs the tests.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
    cat <<'TEXT'
Usage: ./test.sh [--offline] [CTEST ARGUMENT...]

Installs what is missing, builds, and runs every test. Arguments go on to ctest:
  ./test.sh -R tst_pack      only tests whose name matches
  ./test.sh -L unit          only tests with that label
  ./test.sh -N               list the tests
TEXT
}

# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"
while (($#)); do
    case $1 in
    --offline) offline=1 ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) break ;;
    esac
    shift
done

packages=("${buildPackages[@]}" "${testPackages[@]}")
if [[ -e $root/ui/CMakeLists.txt ]]; then
    packages+=("${guiPackages[@]}" "${guiTestPackages[@]}")
fi
ensurePackages "${packages[@]}"
ensureLibtorch
configure 1
build

cd "$root"
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
exec ctest --preset release "$@"
