# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""The set-up scripts, tried on made-up wheels and a made-up Debian: nothing is downloaded or
installed. Run by ctest; by hand: python3 -m unittest test_setup -v"""
import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCH = ROOT / "cmake" / "fetch_libtorch.py"
HAS_PIP = subprocess.run([sys.executable, "-m", "pip", "--version"],
                         capture_output=True).returncode == 0

TORCH = {
    "torch/include/ATen/ATen.h": "header",
    "torch/lib/libc10.so": "c10",
    "torch/lib/libtorch_cpu.so": "cpu",
    "torch/lib/libtorch_cuda.so": "cuda",
    "torch/lib/libtorch_python.so": "python",
    "torch/nn/functional.py": "python",
    "torch-9.9.0.dist-info/licenses/LICENSE": "terms",
}
NVIDIA = {
    "nvidia/cu13/lib/libcudart.so.13": "cudart",
    "nvidia/cudnn/lib/libcudnn.so.9": "cudnn",
    "nvidia/cu13/include/cuda.h": "header",
}


def makeWheel(folder, package, version, members):
    info = f"{package}-{version}.dist-info"
    path = Path(folder, f"{package}-{version}-py3-none-manylinux2014_x86_64.whl")
    members = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
                         "Tag: py3-none-manylinux2014_x86_64\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@unittest.skipUnless(os.uname().machine == "x86_64", "the pins are for x86-64")
class FetchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.top = Path(self.folder.name)
        self.index = self.top / "index"
        self.index.mkdir()
        self.dest = self.top / "cache" / "libtorch-9.9.0"
        self.pins = self.top / "pins"
        self.wheels = [makeWheel(self.index, "torch", "9.9.0", TORCH),
                       makeWheel(self.index, "nvidia_cuda_runtime", "1.0", NVIDIA)]
        self.writePins()

    def writePins(self, **changes):
        lines = []
        for wheel in self.wheels:
            package, version = wheel.name.split("-")[:2]
            size = changes.get("size", wheel.stat().st_size)
            digest = changes.get("sha256", hashlib.sha256(wheel.read_bytes()).hexdigest())
            lines.append(f"cpu {package.replace('_', '-')} {version} manylinux2014_x86_64 "
                         f"{size} {digest}\n")
        self.pins.write_text("# comment\n" + "".join(lines))

    def fetch(self, *arguments):
        environment = dict(os.environ, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.index))
        return subprocess.run(
            [sys.executable, FETCH, "--dest", self.dest, "--pins", self.pins, *arguments],
            env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def leftovers(self):
        return sorted(p.name for p in self.dest.parent.iterdir() if p != self.dest)

    @unittest.skipUnless(HAS_PIP, "needs pip")
    def testKeepsWhatIsUsedAndNothingElse(self):
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        files = sorted(str(p.relative_to(self.dest)) for p in self.dest.rglob("*") if p.is_file())
        self.assertEqual(files, [
            "nvidia/cu13/lib/libcudart.so.13",
            "torch-9.9.0.dist-info/licenses/LICENSE",
            "torch/include/ATen/ATen.h",
            "torch/lib/libc10.so",
            "torch/lib/libtorch_cpu.so",
        ])
        self.assertEqual(self.leftovers(), ["libtorch-9.9.0.lock"])

    @unittest.skipUnless(HAS_PIP, "needs pip")
    def testCudaIsAddedToWhatIsThere(self):
        self.assertEqual(self.fetch().returncode, 0)
        result = self.fetch("--cuda")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.dest / "torch/lib/libtorch_cuda.so").is_file())
        self.assertTrue((self.dest / "nvidia/cudnn/lib/libcudnn.so.9").is_file())
        self.assertTrue((self.dest / "torch/lib/libtorch_cpu.so").is_file())
        self.assertFalse((self.dest / "torch/lib/libtorch_python.so").exists())

    def testGoesOnAfterAnInterruption(self):
        # Both wheels had come, one of an earlier try is damaged, and unpacking was under way.
        wheels = Path(f"{self.dest}.wheels")
        partial = Path(f"{self.dest}.partial")
        (wheels / "tmpabc").mkdir(parents=True)
        (partial / "torch/lib").mkdir(parents=True)
        (partial / "torch/lib/libtorch_cpu.so").write_text("half")
        for wheel in self.wheels:
            (wheels / wheel.name).write_bytes(wheel.read_bytes())
            wheel.unlink()  # whoever downloads again fails
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.dest / "torch/lib/libtorch_cpu.so").read_text(), "cpu")
        self.assertEqual(self.leftovers(), ["libtorch-9.9.0.lock"])

    @unittest.skipUnless(HAS_PIP, "needs pip")
    def testADamagedDownloadIsFetchedAgain(self):
        wheels = Path(f"{self.dest}.wheels")
        wheels.mkdir(parents=True)
        whole = self.wheels[0].read_bytes()
        (wheels / self.wheels[0].name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)

    @unittest.skipUnless(HAS_PIP, "needs pip")
    def testAnotherHashIsRefused(self):
        self.writePins(sha256="0" * 64)
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("DO NOT MATCH THE HASHES", result.stderr)
        self.assertFalse(self.dest.exists())

    def testTooLittleSpace(self):
        self.writePins(size=10**15)
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("Not enough disk space", result.stderr)
        self.assertIn("XDG_CACHE_HOME", result.stderr)
        self.assertFalse(self.dest.exists())

    def testWheelsWithoutTheExpectedFiles(self):
        self.wheels = [makeWheel(self.index, "torch", "9.9.1", {"torch/include/ATen/ATen.h": ""})]
        self.writePins()
        wheels = Path(f"{self.dest}.wheels")
        wheels.mkdir(parents=True)
        (wheels / self.wheels[0].name).write_bytes(self.wheels[0].read_bytes())
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("do not hold what was expected", result.stderr)
        self.assertFalse(self.dest.exists())


class ScriptTest(unittest.TestCase):
    """bitloom.sh and setup.sh with stand-ins for dpkg-query, apt-get, sudo and python3."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.top = Path(self.folder.name)
        self.bin = self.top / "bin"
        self.bin.mkdir()
        self.log = self.top / "calls"
        # Says of every package but these two that it is installed.
        self.command("dpkg-query", 'for p in "$@"; do case $p in -*|ninja-build|libxxhash-dev) ;; '
                                   '*) echo "ii  $p";; esac; done; exit 1')
        self.command("apt-get", f'echo "apt-get $*" >>{self.log}; exit ${{APT_STATUS:-0}}')

    def command(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run_(self, script, user=None, **environment):
        """Runs bash text after sourcing setup.sh; `user`: what EUID is to look like."""
        source = f'root={self.top}; source {ROOT}/cmake/setup.sh\n'
        if user is not None:  # EUID is read-only: the text is changed instead
            setup = self.top / "setup.sh"
            setup.write_text((ROOT / "cmake/setup.sh").read_text().replace("EUID", str(user)))
            source = f'root={self.top}; source {setup}\n'
        variables = {k: v for k, v in os.environ.items()
                     if k not in ("LIBTORCH_ROOT", "BITLOOM_OFFLINE")}
        variables.update(PATH=f"{self.bin}:{environment.pop('path', os.environ['PATH'])}",
                         **environment)
        return subprocess.run(["bash", "-euo", "pipefail", "-c", source + script], env=variables,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def testFindsWhatIsMissing(self):
        result = self.run_("missingPackages g++ ninja-build cmake libxxhash-dev")
        self.assertEqual(result.stdout.split(), ["ninja-build", "libxxhash-dev"])

    def testRootInstallsOnlyThat(self):
        result = self.run_('ensurePackages "${buildPackages[@]}"', user=0)
        self.assertEqual(result.returncode, 0, result.stderr)
        calls = self.log.read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertTrue(calls[0].endswith(" update"), calls[0])
        self.assertTrue(calls[1].endswith(
            " install --no-install-recommends ninja-build libxxhash-dev"), calls[1])
        self.assertEqual(result.stdout, "")

    def testNothingMissingCallsNothing(self):
        result = self.run_("ensurePackages g++ cmake", user=0)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertFalse(self.log.exists())

    def testAFailingInstallationSaysSo(self):
        result = self.run_("ensurePackages ninja-build; echo unreachable", user=0, APT_STATUS="100")
        self.assertEqual(result.returncode, 1)
        self.assertIn("Installing packages failed", result.stderr)
        self.assertNotIn("unreachable", result.stdout)

    def testOfflineInstallsNothing(self):
        result = self.run_("offline=1; ensurePackages ninja-build libxxhash-dev", user=0)
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends ninja-build libxxhash-dev",
                      result.stderr)
        self.assertFalse(self.log.exists())

    def minimalPath(self):
        """A PATH with what setup.sh needs and no sudo."""
        tools = self.top / "tools"
        tools.mkdir()
        for name in ("bash", "sed", "grep", "cat", "env", "mkdir", "tail", "id", "getent", "cut"):
            for folder in ("/usr/bin", "/bin"):
                if Path(folder, name).exists():
                    (tools / name).symlink_to(Path(folder, name))
                    break
        return str(tools)

    def testAUserWithoutSudoIsToldWhatToInstall(self):
        result = self.run_("ensurePackages ninja-build", user=1000, path=self.minimalPath())
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no sudo here", result.stderr)
        self.assertIn("apt-get install --no-install-recommends ninja-build\n", result.stderr)
        self.assertFalse(self.log.exists())

    def testAUserWithSudoUsesIt(self):
        self.command("sudo", f'[ "$1" = -n ] && exit 0; echo "sudo $1" >>{self.log}; "$@"')
        result = self.run_("ensurePackages ninja-build", user=1000)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("sudo env", self.log.read_text())

    def testSudoThatWantsAPasswordAndNoTerminal(self):
        self.command("sudo", "exit 1")
        result = self.run_("ensurePackages ninja-build", user=1000)
        self.assertEqual(result.returncode, 1)
        self.assertIn("sudo apt-get install --no-install-recommends ninja-build", result.stderr)

    def testLibtorchRootIsRespectedAndChecked(self):
        good = self.top / "torch"
        for name in ("lib/libtorch_cpu.so", "include/ATen/ATen.h"):
            (good / name).parent.mkdir(parents=True, exist_ok=True)
            (good / name).touch()
        result = self.run_('ensureLibtorch; echo "$LIBTORCH_ROOT"', LIBTORCH_ROOT=str(good))
        self.assertEqual(result.stdout.strip(), str(good), result.stderr)
        (good / "lib/libtorch_cpu.so").unlink()
        result = self.run_("ensureLibtorch", LIBTORCH_ROOT=str(good))
        self.assertEqual(result.returncode, 1)
        self.assertIn("lib/libtorch_cpu.so", result.stderr)

    def testLibtorchInTheCacheIsUsedAtOnce(self):
        (self.top / "cmake").mkdir()
        (self.top / "cmake/libtorch.pins").write_text("cpu  torch 9.9.0 tag 1 abc\n")
        torch = self.top / "cache/bitloom/libtorch-9.9.0/torch"
        for name in ("lib/libtorch_cpu.so", "lib/libc10.so", "include/ATen/ATen.h"):
            (torch / name).parent.mkdir(parents=True, exist_ok=True)
            (torch / name).touch()
        cache = str(self.top / "cache")
        result = self.run_('ensureLibtorch; echo "$LIBTORCH_ROOT"', XDG_CACHE_HOME=cache)
        self.assertEqual((result.stdout.strip(), result.stderr), (str(torch), ""))
        # Without its CUDA part it is not enough for --cuda.
        result = self.run_("offline=1; cuda=1; ensureLibtorch", XDG_CACHE_HOME=cache)
        self.assertEqual(result.returncode, 1)
        self.assertIn("--offline", result.stderr)

    def testJobsAreAtLeastOneAndCanBeSet(self):
        self.assertGreaterEqual(int(self.run_("jobCount").stdout), 1)
        self.assertEqual(self.run_("jobCount", BITLOOM_JOBS="7").stdout.strip(), "7")

    def testUsage(self):
        for script in ("bitloom.sh", "test.sh"):
            result = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage: ./" + script, result.stdout)
        result = subprocess.run([ROOT / "bitloom.sh", "quantise"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("./bitloom.sh cli quantise", result.stderr)
        self.assertEqual(result.stdout, "")


if __name__ == "__main__":
    unittest.main()
