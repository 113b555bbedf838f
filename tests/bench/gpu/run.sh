#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
#
# Checks and measures the GPU kernels and the quantizer on this machine, in less than ten minutes. From an unpacked bundle
# (make_bundle.sh), or from the source tree with the build folder in BITLOOM_BUILD.
#
#     run.sh [RESULT_FOLDER]
#
# Writes selftest.txt, bench.txt, generation.txt, quantizer.txt and result.json (with driver, clocks and temperature before and after).
# Exit code 5 where there is no GPU that can be used, with the reason; then nothing is written but texts.
# The clocks and other settings of the GPU are left as they are.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=$(mkdir -p "${1:-$here/results}" && cd "${1:-$here/results}" && pwd) || exit 1
if [ -x "$here/bin/bench_gpu" ]; then
    bin=$here/bin
    bench=$bin/bench_gpu
    quantizer=$bin/bench_gpu_quantizer
    # The machine's own libtorch and CUDA, if Python has them.
    torch=$(python3 - 2>/dev/null <<'PY'
import importlib.util, pathlib
spec = importlib.util.find_spec("torch")
if spec:
    site = pathlib.Path(spec.origin).parent.parent
    print(":".join(str(p) for p in (site / "torch/lib", site / "nvidia/cu13/lib") if p.is_dir()))
PY
    )
    cuda=$(ls -d /usr/local/cuda/lib64 /usr/local/cuda/lib 2>/dev/null | paste -sd: -)
    libraries=$here/lib/shared
    export LD_LIBRARY_PATH=$libraries${torch:+:$torch}${cuda:+:$cuda}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
elif [ -n "${BITLOOM_BUILD:-}" ]; then
    bin=$BITLOOM_BUILD/bin
    bench=$(find "$BITLOOM_BUILD" -name bench_gpu -type f -perm -u+x | head -n 1)
    quantizer=$(find "$BITLOOM_BUILD" -name bench_gpu_quantizer -type f -perm -u+x | head -n 1)
else
    echo "run.sh: neither a bundle here nor a build folder in BITLOOM_BUILD" >&2
    exit 1
fi

state() {
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,temperature.gpu,power.draw,memory.used \
        --format=csv,noheader 2>/dev/null | head -n 1
}
before=$(state)
status=0
echo "== self-test"
timeout 120 "$bin/bitloom" selftest --device cuda 2>&1 | tee "$results/selftest.txt"
selftest=${PIPESTATUS[0]}
if [ "$selftest" = 5 ]; then exit 5; fi
if [ "$selftest" != 0 ]; then
    echo "self-test: exit code $selftest" | tee -a "$results/selftest.txt"
    status=1
fi
echo "== kernels"
timeout 200 "$bench" -o "$results/kernels.json" 2>&1 | tee "$results/bench.txt"
measured=${PIPESTATUS[0]}
if [ "$measured" = 5 ]; then exit 5; fi
if [ "$measured" != 0 ]; then status=1; fi
echo "== generation"
# Random weights of LLaMA-2-7B's shapes, made on the GPU: FP16 and column tables, the same graphs.
timeout 150 "$bin/bitloom" bench --device cuda --only model --shape 7b --layers 32 --bits 16,4,3,2.4,2 \
    --prompt 512 --tokens 128 --context 128 --save "$results/generation.json" 2>&1 | tee "$results/generation.txt"
if [ "${PIPESTATUS[0]}" != 0 ]; then status=1; fi
echo "== quantizer"
timeout 110 "$quantizer" --quick -o "$results/quantizer.json" 2>&1 | tee "$results/quantizer.txt"
if [ "${PIPESTATUS[0]}" != 0 ]; then status=1; fi
after=$(state)
SELFTEST=$selftest MEASURED=$measured BEFORE=$before AFTER=$after python3 - "$results" <<'PY'
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
read = lambda name: json.loads((folder / name).read_text()) if (folder / name).exists() else None
result = {"selftest_exit_code": int(os.environ["SELFTEST"]),
          "bench_exit_code": int(os.environ["MEASURED"]),
          "nvidia_smi_fields": "name, driver, SM clock, memory clock, their maxima, temperature, power, memory used",
          "before": os.environ["BEFORE"], "after": os.environ["AFTER"],
          "kernels": read("kernels.json"), "generation": read("generation.json"),
          "quantizer": read("quantizer.json")}
(folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
print(folder / "result.json")
PY
exit $status
