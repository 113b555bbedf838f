# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# What bitloom.sh and test.sh share: packages, libtorch, configuring, building. Sourced, with
# `root` set to the source tree. All messages go to stderr: stdout belongs to the program.
# shellcheck disable=SC2034,SC2154 # variables that come from, or are for, the sourcing script

: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
export HOME
buildDir=$root/build/release
logDir=$root/build/logs
offline=${BITLOOM_OFFLINE:-0}
gui=1
cuda=0

say() { printf '\033[1m==>\033[0m %s\n' "$*" | plain >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
# Colours only on a terminal.
plain() { if [[ -t 2 ]]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

# Debian's names; Ubuntu 24.04 has the same ones.
buildPackages=(g++ cmake ninja-build pkg-config ccache git python3
    libspdlog-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libxxhash-dev
    libsentencepiece-dev libutf8proc-dev)
guiPackages=(qt6-base-dev qt6-svg-dev libqcustomplot-dev)
testPackages=(qt6-base-dev libbenchmark-dev clang-format-14 python3-numpy
    mandoc libxml2-utils)
guiTestPackages=(xvfb openbox libxcb-xtest0-dev desktop-file-utils appstream shared-mime-info)

# Prints those of the given packages that are not installed.
missingPackages() {
    local installed package
    installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^.i *//p') || true
    for package in "$@"; do
        grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
    done
}

# Installs the given Debian packages where they are missing.
ensurePackages() {
    local missing asRoot=() command start=$SECONDS log=$logDir/packages.log
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        if ! command -v cmake >/dev/null || ! command -v ninja >/dev/null; then
            die "This set-up installs Debian and Ubuntu packages, and there is no apt-get here.
Install what these packages hold, then run the same command again:
    $*"
        fi
        return # cmake names what is missing
    fi
    mapfile -t missing < <(missingPackages "$@")
    ((${#missing[@]})) || return 0
    command="apt-get install --no-install-recommends ${missing[*]}"
    if [[ $offline == 1 ]]; then
        die "These packages are missing, and --offline forbids installing them. Install them with
    $command"
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            die "These packages are missing, and only root may install them (there is no sudo here).
As root, run
    apt-get update
    $command
then run the same command again."
        fi
        if ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
            die "These packages are missing, and sudo wants a password, but there is no terminal to ask
on. Run
    sudo apt-get update
    sudo $command
then run the same command again."
        fi
        asRoot=(sudo)
    fi
    say "Installing ${#missing[@]} packages: ${missing[*]}"
    mkdir -p "$logDir"
    local apt=("${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive
        ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"}
        apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    : >"$log"
    # A failing update (one bad third-party source) need not keep the installation from working.
    "${apt[@]}" update >>"$log" 2>&1 </dev/null ||
        say "apt-get update failed (see $log); trying with the package lists that are there"
    if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        die "Installing packages failed; the whole log is in $log. The command was
    ${asRoot[*]:+${asRoot[*]} }$command"
    fi
    say "Packages installed ($((SECONDS - start)) s)"
}

# Sets LIBTORCH_ROOT, downloading libtorch where it is needed.
ensureLibtorch() {
    local version dest start=$SECONDS arguments=()
    if [[ -n ${LIBTORCH_ROOT:-} ]]; then
        [[ -e $LIBTORCH_ROOT/lib/libtorch_cpu.so && -e $LIBTORCH_ROOT/include/ATen/ATen.h ]] ||
            die "LIBTORCH_ROOT is $LIBTORCH_ROOT, but lib/libtorch_cpu.so and include/ATen/ATen.h
are not in it. Set it to libtorch's own folder (of a pip-installed torch: the torch/ folder), or
unset it to have libtorch downloaded."
        return
    fi
    version=$(sed -nE 's/^cpu +torch +([^ ]+).*/\1/p' "$root/cmake/libtorch.pins")
    dest=${XDG_CACHE_HOME:-$HOME/.cache}/bitloom/libtorch-$version
    LIBTORCH_ROOT=$dest/torch
    if [[ -e $dest/torch/include/ATen/ATen.h && -e $dest/torch/lib/libtorch_cpu.so &&
        -e $dest/torch/lib/libc10.so ]] &&
        [[ $cuda == 0 || -e $dest/torch/lib/libtorch_cuda.so ]]; then
        return
    fi
    if [[ $offline == 1 ]]; then
        die "libtorch $version is not in $dest, and --offline forbids downloading it.
Run once without --offline, copy that folder from another machine, or set LIBTORCH_ROOT."
    fi
    python3 -m pip --version >/dev/null 2>&1 || ensurePackages python3-pip
    [[ $cuda == 1 ]] && arguments+=(--cuda)
    say "Downloading libtorch $version to $dest (once; every clone uses it)"
    # A damaged interpreter or pip says so itself.
    python3 "$root/cmake/fetch_libtorch.py" --dest "$dest" "${arguments[@]}" || exit $?
    say "libtorch is ready ($((SECONDS - start)) s)"
}

# Compile jobs: one a core, but 2.5 GB of memory each (torch's headers).
jobCount() {
    local cores memory limit
    if [[ -n ${BITLOOM_JOBS:-} ]]; then
        printf '%s\n' "$BITLOOM_JOBS"
        return
    fi
    cores=$(nproc)
    memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
    if [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1048576 < memory)); then
        memory=$((limit / 1048576))
    fi
    local byMemory=$((memory / 2500))
    ((byMemory < cores)) && cores=$byMemory
    ((cores < 1)) && cores=1
    printf '%s\n' "$cores"
}

# Shows ninja's progress from its output on stdin: one line on a terminal, else every tenth.
showProgress() {
    local line shown=-1 tenth
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]] || continue
        local done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]} what=${BASH_REMATCH[3]}
        if [[ -t 2 ]]; then
            printf '\r    %-72.72s' "[$done/$all] ${what##*/}" >&2
        else
            tenth=$((done * 10 / all))
            ((tenth == shown)) || printf '    %d of %d\n' "$done" "$all" >&2
            shown=$tenth
        fi
    done
    [[ -t 2 ]] && printf '\r%78s\r' '' >&2
    return 0
}

# configure WITH_TESTS: cmake, only where its arguments changed; ninja sees to changed files.
configure() {
    local arguments=("-DLIBTORCH_ROOT=$LIBTORCH_ROOT") log=$logDir/configure.log start=$SECONDS
    local stamp=$buildDir/.bitloom-configured cached=
    # Once there, the tests stay: both scripts share a build folder, and nothing is built twice.
    if [[ $1 == 1 || -e $buildDir/.bitloom-with-tests ]]; then
        arguments+=(-DBUILD_TESTING=ON)
    else
        arguments+=(-DBUILD_TESTING=OFF)
    fi
    if [[ -e $buildDir/build.ninja && $(cat "$stamp" 2>/dev/null) == "${arguments[*]}" ]]; then
        return
    fi
    # A copied or moved tree: the cache of the old place is of no use.
    cached=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$buildDir/CMakeCache.txt" \
        2>/dev/null || true)
    [[ -z $cached || $cached == "$root" ]] || arguments+=(--fresh)
    say "Configuring"
    mkdir -p "$logDir" "$buildDir"
    rm -f "$stamp"
    if ! (cd "$root" && cmake --preset release "${arguments[@]}") >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "Configuring failed; the whole log is in $log."
    fi
    [[ $1 == 1 ]] && touch "$buildDir/.bitloom-with-tests"
    printf '%s\n' "${arguments[*]/--fresh/}" | sed 's/ *$//' >"$stamp"
    say "Configured ($((SECONDS - start)) s)"
}

# build [TARGET]...: everything without a target. Silent where there is nothing to do.
build() {
    local log=$logDir/build.log jobs free start=$SECONDS status pending
    jobs=$(jobCount)
    mkdir -p "$logDir"
    # Says at once whether there is anything to do; a changed CMakeLists.txt counts.
    pending=$(cd "$buildDir" && ninja -n "$@" 2>&1 | tail -n 1) || true
    [[ $pending == "ninja: no work to do." ]] && return
    free=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
    ((free > 1000)) || die "Building needs about 1 GB of disk space, and $root has $free MB."
    say "Building with $jobs jobs (log: $log)"
    set +e
    NINJA_STATUS='[%f/%t] ' ninja -C "$buildDir" -j "$jobs" "$@" 2>&1 </dev/null |
        tee "$log" | showProgress
    status=${PIPESTATUS[0]}
    set -e
    if ((status != 0)); then
        # From the first error on; a linker's or compiler's own words are what helps.
        sed -n '/^FAILED: /,$p' "$log" | head -n 120 >&2
        grep -q '^FAILED: ' "$log" || tail -n 40 "$log" >&2
        die "Building failed; the whole log is in $log."
    fi
    say "Built ($((SECONDS - start)) s)"
}
