#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Packs what a machine with a GPU needs to check and measure the GPU kernels: the programs, the CUDA
# library, the small shared libraries that they are linked with, the sample model, and run.sh.
#
#     tests/bench/gpu/make_bundle.sh BUILD_FOLDER [BUNDLE.tar.gz]
#
# libtorch 2.11.0 (CUDA 13.0) is not packed: it is the other machine's own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=${1:?usage: make_bundle.sh BUILD_FOLDER [BUNDLE.tar.gz]}
out=${2:-$build/bitloom-gpu-bundle.tar.gz}
limit=$((25 * 1024 * 1024))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
top=$work/bitloom-gpu
mkdir -p "$top/bin" "$top/lib/bitloom" "$top/lib/shared" "$top/share/bitloom"
for program in bitloom bench_gpu bench_gpu_quantizer; do
    path=$build/bin/$program
    [ -x "$path" ] || path=$(find "$build/tests/bench" -maxdepth 2 -name "$program" -type f -perm -u+x | head -n 1)
    if [ ! -x "$path" ]; then
        echo "make_bundle.sh: $program is not built: cmake --build $build --target $program" >&2
        exit 1
    fi
    strip -o "$top/bin/$program" "$path"
done
if [ ! -f "$build/lib/bitloom/libbitloom_cuda.so" ]; then
    echo "make_bundle.sh: libbitloom_cuda.so is not built: cmake --build $build --target bitloom_cuda" >&2
    exit 1
fi
strip -o "$top/lib/bitloom/libbitloom_cuda.so" "$build/lib/bitloom/libbitloom_cuda.so"
# Libraries of distributions that another machine may lack. Neither the C and C++ run time, which belong to
# the machine, nor torch and CUDA.
ldd "$build/bin/bitloom" | awk '/=> \//{print $3}' | sort -u | while read -r library; do
    case $(basename "$library") in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | ld-linux* | libstdc++* | libgcc_s*) ;;
        libtorch* | libc10* | libcudart* | libcupti* | libgomp* | libcublas* | libcudnn* | libshm*) ;;
        *) cp -L "$library" "$top/lib/shared/" ;;
    esac
done
cp -r "$root/resources/models" "$root/resources/selftest" "$top/share/bitloom/"
cp "$here/run.sh" "$top/"
tar -C "$work" -czf "$out" bitloom-gpu
size=$(stat -c %s "$out")
echo "$out: $size bytes ($((size / 1024)) KiB)"
if [ "$size" -gt "$limit" ]; then
    echo "make_bundle.sh: more than $limit bytes" >&2
    exit 1
fi
