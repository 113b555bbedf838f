#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Downloads libtorch's wheels, as pinned in libtorch.pins, and unzips what Bitloom uses of them.

The folder DEST appears whole or not at all: everything is unpacked into DEST.partial, which is
renamed at the end. Finished downloads wait in DEST.wheels, so an interrupted run goes on where it
was. Several runs at once wait for each other. pip does the downloading, because it alone knows the
user's index, proxy and certificates. Python 3.9 and the standard library are enough.
"""
import argparse
import contextlib
import fcntl
import fnmatch
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

# Patterns of what is kept. libtorch_cpu.so needs libc10, libgomp, libcudart and libcupti, nothing
# else; Python's side of torch, profilers and protobuf's compiler stay in the wheel.
KEEP = {
    "cpu": [
        "torch/include/*",
        "torch/lib/libc10.so",
        "torch/lib/libtorch_cpu.so",
        "torch/lib/libgomp.so.1",
        "nvidia/cu13/lib/libcudart.so.13",
        "nvidia/cu13/lib/libcupti.so.13",
        "*.dist-info/licenses/*",
    ],
    "cuda": [
        "torch/lib/libtorch.so",
        "torch/lib/libtorch_cuda.so",
        "torch/lib/libtorch_cuda_linalg.so",
        "torch/lib/libtorch_nvshmem.so",
        "torch/lib/libc10_cuda.so",
        "torch/lib/libcaffe2_nvrtc.so",
        "nvidia/*/lib/*.so*",
    ],
}
# Present in every complete folder; cmake/setup.sh looks for the same ones.
REQUIRED = {
    "cpu": ["torch/include/ATen/ATen.h", "torch/lib/libc10.so", "torch/lib/libtorch_cpu.so"],
    "cuda": ["torch/lib/libtorch_cuda.so", "nvidia/cudnn/lib/libcudnn.so.9"],
}
UNPACKED_PER_BYTE = {"cpu": 1.0, "cuda": 1.7}  # measured on the pinned wheels, rounded up


class Pin(NamedTuple):
    package: str
    version: str
    platform: str
    size: int  # bytes
    sha256: str


class Failure(Exception):
    """Something the user has to do something about; the text says what."""


def readPins(path, variants):
    pins = []
    for line in Path(path).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            variant, package, version, tag, size, sha256 = line.split()
            if variant in variants:
                pins.append(Pin(package, version, tag, int(size), sha256))
    return pins


def isComplete(dest, variants):
    return all((dest / name).is_file() for variant in variants for name in REQUIRED[variant])


def say(text):
    print(f"    {text}", file=sys.stderr, flush=True)


def sizeText(bytes_):
    if bytes_ >= 1e9:
        return f"{bytes_ / 1e9:.1f} GB"
    return f"{bytes_ / 1e6:.0f} MB" if bytes_ >= 1e7 else f"{bytes_ / 1e6:.1f} MB"


def fileHash(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def findWheel(folder, pin):
    """The finished download of `pin`, or None. A damaged file is removed."""
    stem = f"{pin.package.replace('-', '_')}-{pin.version}-"
    for path in folder.glob(f"{stem}*.whl"):
        if path.stat().st_size == pin.size and fileHash(path) == pin.sha256:
            return path
        path.unlink()
    return None


def checkSpace(dest, pins, missing, variants):
    """Wheels still to come, pip's own copy of the largest while it downloads, and the result."""
    unpacked = sum(p.size for p in pins) * max(UNPACKED_PER_BYTE[v] for v in variants)
    needed = sum(p.size for p in missing) + max(
        unpacked, max((p.size for p in missing), default=0))
    free = shutil.disk_usage(dest.parent).free
    if free < needed * 1.05:
        raise Failure(
            f"Not enough disk space for libtorch: {sizeText(needed * 1.05)} are needed for a while "
            f"({sizeText(unpacked)} in the end) and {sizeText(free)} are free in {dest.parent}.\n"
            "Make room, or set XDG_CACHE_HOME to a folder on another disk.")


@contextlib.contextmanager
def progress(folder, pin):
    """Shows how far pip has come: a line that updates itself, or one every ten seconds."""
    terminal = sys.stderr.isatty()
    done = threading.Event()

    def watch():
        start, shown = time.monotonic(), time.monotonic()
        while not done.wait(0.5 if terminal else 1):
            now = time.monotonic()
            if not terminal and now - shown < 10:
                continue
            shown = now
            sizes = [0]
            for path in folder.rglob("*"):
                with contextlib.suppress(OSError):
                    sizes.append(path.stat().st_size if path.is_file() else 0)
            got = max(sizes)
            rate = got / (now - start)
            text = f"{sizeText(got)} of {sizeText(pin.size)}, {rate / 1e6:.1f} MB/s"
            if terminal:
                print(f"\r      {text:<50}", end="", file=sys.stderr, flush=True)
            else:
                say(f"  {text}")
        if terminal:
            print(f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def download(folder, pin):
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        requirements = Path(temporary, "requirements.txt")
        requirements.write_text(f"{pin.package}=={pin.version} --hash=sha256:{pin.sha256}\n")
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
            "--no-input", "--disable-pip-version-check", "--only-binary=:all:",
            "--python-version=3.11", "--implementation=cp", "--abi=cp311",
            f"--platform={pin.platform}", "--require-hashes", "-r", str(requirements),
            "-d", str(folder)]
        # pip copies through TMPDIR, and /tmp is often memory.
        environment = dict(os.environ, TMPDIR=temporary, PIP_REQUIRE_VIRTUALENV="0")
        with progress(Path(temporary), pin):
            return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fetch(folder, pin):
    start = time.monotonic()
    say(f"{pin.package} {pin.version} ({sizeText(pin.size)})")
    for attempt in range(1, 4):
        result = download(folder, pin)
        wheel = findWheel(folder, pin)
        if wheel:
            say(f"  done in {time.monotonic() - start:.0f} s")
            return wheel
        if "THESE PACKAGES DO NOT MATCH THE HASHES" in result.stdout:
            break
        if attempt < 3:
            say("  failed; trying again")
            time.sleep(2 * attempt)
    raise Failure(
        f"pip could not download {pin.package} {pin.version}. It said:\n{result.stdout.strip()}\n"
        "Run the same command again to go on from here. Behind a proxy or with an own package\n"
        "index, set up pip (pip.conf or PIP_INDEX_URL); or set LIBTORCH_ROOT to a libtorch of\n"
        "version 2.7 or later that is already on this machine.")


def unpack(wheel, dest, variants):
    patterns = [p for v in variants for p in KEEP[v]]
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or ".alt." in name:
                continue
            if not any(fnmatch.fnmatchcase(name, p) for p in patterns):
                continue
            if name.startswith("/") or ".." in name.split("/"):
                raise Failure(f"{wheel.name} holds a file outside of its folder: {name}")
            target = dest / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
                if info.file_size > 1 << 20:
                    # A power cut after the rename must not leave a truncated library behind it.
                    out.flush()
                    os.fsync(out.fileno())
            # Unpacked again (--cuda), the same headers must not look changed to ninja.
            written = time.mktime((*info.date_time, 0, 0, -1))
            os.utime(target, (written, written))


def install(dest, pinsFile, cuda):
    variants = ["cpu", "cuda"] if cuda else ["cpu"]
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Failure(
            f"The pinned libtorch is for x86-64, and this machine is {platform.machine()}.\n"
            "Set LIBTORCH_ROOT to a libtorch of version 2.7 or later for it (the torch/ folder of\n"
            "a pip-installed torch will do).")
    dest.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{dest}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is downloading libtorch; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if isComplete(dest, variants):
            return
        partial, wheels, old = (Path(f"{dest}.{s}") for s in ("partial", "wheels", "old"))
        # What a killed run left half done; finished wheels are kept.
        for leftover in (partial, old, *(p for p in wheels.glob("tmp*") if p.is_dir())):
            shutil.rmtree(leftover, ignore_errors=True)
        wheels.mkdir(exist_ok=True)

        pins = readPins(pinsFile, variants)
        found = {pin: findWheel(wheels, pin) for pin in pins}
        checkSpace(dest, pins, [p for p in pins if not found[p]], variants)
        for pin in pins:
            found[pin] = found[pin] or fetch(wheels, pin)
        say("unpacking")
        partial.mkdir()
        for pin in pins:
            unpack(found[pin], partial, variants)
        if not isComplete(partial, variants):
            raise Failure(f"The wheels do not hold what was expected; see {partial}.")
        if dest.exists():
            dest.rename(old)
        partial.rename(dest)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(wheels)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dest", type=Path, required=True, help="folder to make")
    parser.add_argument("--pins", type=Path, default=Path(__file__).with_name("libtorch.pins"))
    parser.add_argument("--cuda", action="store_true", help="with the CUDA libraries")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        install(arguments.dest.absolute(), arguments.pins, arguments.cuda)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except OSError as failure:
        print(f"error: libtorch could not be set up: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Finished downloads are kept; run the same command again to go on.",
              file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
