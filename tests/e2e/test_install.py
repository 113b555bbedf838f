#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""What `cmake --install` puts in place works from there, alone and by component, and is what desktops
and manual readers expect. Run by ctest; by hand: test_install.py CMAKE BUILD_FOLDER [TEST...]"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CMAKE, BUILD = "cmake", Path("build")


def run(command, env=None, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=env, timeout=240, **options)


def install(prefix, component=None, destdir=None):
    environment = {**os.environ, "DESTDIR": str(destdir)} if destdir else None
    command = [CMAKE, "--install", BUILD, "--prefix", prefix]
    done = run(command + (["--component", component] if component else []), environment)
    assert done.returncode == 0, done.stdout + done.stderr


def files(prefix):
    return {str(p.relative_to(prefix)) for p in Path(prefix).rglob("*") if p.is_file()}


def cleanEnvironment(home):
    """A user's, who has nothing yet: a small PATH without the build folder, no hints."""
    keep = {k: v for k, v in os.environ.items() if k in ("LANG", "LC_ALL", "ASAN_OPTIONS",
                                                         "LSAN_OPTIONS", "UBSAN_OPTIONS")}
    return {**keep, "HOME": str(home), "PATH": "/usr/bin:/bin", "OMP_WAIT_POLICY": "passive",
            "XDG_RUNTIME_DIR": str(home)}


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.top = Path(cls.folder.name)
        cls.prefix = cls.top / "a prefix"  # with a blank: paths are quoted everywhere
        install(cls.prefix)
        cls.studio = (cls.prefix / "bin/bitloom-studio").exists()
        cls.home = cls.top / "home"
        cls.home.mkdir()
        cls.env = cleanEnvironment(cls.home)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def bitloom(self, *words, prefix=None, code=0):
        done = run([(prefix or self.prefix) / "bin/bitloom", *words], self.env, cwd=self.home)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def result(self, *words, prefix=None):
        return json.loads(self.bitloom(*words, "--json", prefix=prefix).splitlines()[-1])

    def needStudio(self):
        if not self.studio:
            self.skipTest("the desktop application was not built")

    def tool(self, name):
        path = shutil.which(name)
        if not path:
            self.skipTest(f"{name} is not installed")
        return path

    # ---- programs

    def test_no_program_knows_where_it_was_built(self):
        for name in ("bitloom", "bitloom-studio") if self.studio else ("bitloom",):
            content = (self.prefix / "bin" / name).read_bytes()
            self.assertNotIn(str(ROOT / "resources").encode(), content)

    def test_engine_works_from_there(self):
        sample = self.prefix / "share/bitloom/models/bitloom-tales-4m"
        info = self.result("info", sample)
        self.assertEqual(info["architecture"], "LlamaForCausalLM")
        plan = self.result("plan", sample, "--bits", "3", "-o", self.home / "plan.json")
        out = self.home / "OUT"
        made = self.result("quantize", sample, "--plan", self.home / "plan.json", "--passes", "1",
                           "-o", out)
        self.assertEqual(made["bytes"], plan["predicted_bytes"])
        self.assertEqual(sum(p.stat().st_size for p in out.iterdir()), made["bytes"])
        self.assertTrue(self.result("info", out, "--verify")["verified"])

    def test_engine_finds_its_own_files(self):
        self.assertIn("token", self.bitloom("selftest"))  # reads selftest/ and the sample
        done = subprocess.run([self.prefix / "bin/bitloom", "serve"], env=self.env, text=True,
                              input='{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}\n',
                              capture_output=True, timeout=60)
        hello = json.loads(done.stdout.splitlines()[0])["result"]
        self.assertEqual(Path(hello["sample"]), self.prefix / "share/bitloom/models/bitloom-tales-4m")

    def test_destdir(self):
        stage = self.top / "stage"
        install("/usr", destdir=stage)
        self.assertEqual(files(stage / "usr"), files(self.prefix))
        sample = stage / "usr/share/bitloom/models/bitloom-tales-4m"
        blocks = json.loads((sample / "config.json").read_text())["num_hidden_layers"]
        self.assertEqual(self.result("info", sample, prefix=stage / "usr")["blocks"], blocks)

    def test_engine_installs_alone(self):
        alone = self.top / "engine"
        install(alone, "engine")
        self.assertFalse({f for f in files(alone) if "studio" in f or f.endswith(".desktop")})
        self.bitloom("plan", alone / "share/bitloom/models/bitloom-tales-4m", "--bits", "4",
                     prefix=alone)
        if self.studio:
            rest = self.top / "studio"
            install(rest, "studio")
            self.assertFalse(files(rest) & files(alone))
            self.assertEqual(files(rest) | files(alone), files(self.prefix))

    def test_licences_go_along(self):
        there = files(self.prefix)
        for name in ("LICENSE", "LICENSES/Apache-2.0.txt", "LICENSES/GPL-3.0-or-later.txt"):
            self.assertIn(f"share/doc/bitloom/{name}", there)
        self.assertIn("share/bitloom/models/bitloom-tales-4m/MODEL_CARD.md", there)
        self.assertIn("share/bitloom/README.md", there)

    def test_studio_prints_without_a_display(self):
        self.needStudio()
        for word in ("--version", "--help"):
            done = run([self.prefix / "bin/bitloom-studio", word], self.env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("bitloom-studio", done.stdout)

    def test_studio_starts_from_there(self):
        """The first start opens the sample with the engine beside it, which says so in the log."""
        self.needStudio()
        home = self.top / "studio-home"
        home.mkdir()
        env = {**cleanEnvironment(home), "QT_QPA_PLATFORM": "offscreen"}
        log = home / ".local/state/bitloom-studio/bitloom-studio.log"
        settings = home / ".config/bitloom/bitloom-studio.ini"
        sample = str(self.prefix / "share/bitloom/models/bitloom-tales-4m")
        program = subprocess.Popen([self.prefix / "bin/bitloom-studio"], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        engine, sample_opened, limit = "", False, time.monotonic() + 60
        try:
            while time.monotonic() < limit and not (engine and sample_opened):
                self.assertIsNone(program.poll(), "it ended")
                time.sleep(0.1)
                engine = engine or childProgram(program.pid)
                sample_opened = settings.exists() and sample in settings.read_text()
        finally:
            program.send_signal(signal.SIGTERM)
            output = program.communicate(timeout=20)[0]
        text = output + (log.read_text() if log.exists() else "")
        self.assertEqual(engine, str(self.prefix / "bin/bitloom"), text)
        self.assertTrue(sample_opened, text)

    # ---- pages and completion: the programs' own --help says what has to be there

    def options(self, text):
        """Names at the beginnings of the lines of a --help page."""
        found = set()
        for line in text.splitlines():
            head = re.match(r"  ((?:-{1,2}[\w-]+(?:, )?)+)", line)
            if head:
                found |= set(head.group(1).split(", "))
        return found

    def commands(self):
        section = self.bitloom("--help").split("\nCommands:\n")[1].split("\n\n")[0]
        return re.findall(r"^  ([a-z]+)  ", section, re.M)

    def page(self, name):
        return (self.prefix / "share/man/man1" / name).read_text()

    @staticmethod
    def documented(mdoc):
        """The options of the items of an mdoc text."""
        names = set()
        for line in mdoc.splitlines():
            if line.startswith(".It "):
                names |= {"-" + n.replace("\\-", "-") for n in re.findall(r"Fl ([\w\\-]+)", line)}
        return names

    def test_every_command_and_option_is_in_the_manual(self):
        page = self.page("bitloom.1")
        common = self.documented(page.split(".Sh COMMON OPTIONS")[1].split(".Sh ")[0])
        self.assertLessEqual(self.options(self.bitloom("--help")), self.documented(page))
        commands = self.commands()
        self.assertGreaterEqual(len(commands), 14)
        for command in commands:
            section = page.split(f".Ss bitloom {command}\n")[1].split("\n.S")[0]
            wanted = self.options(self.bitloom(command, "--help"))
            self.assertTrue(wanted)
            self.assertEqual(wanted - {"-h", "--help"},
                             (self.documented(section) | common) - {"-h", "--help"}, command)

    def test_studio_manual(self):
        self.needStudio()
        done = run([self.prefix / "bin/bitloom-studio", "--help"], self.env)
        wanted = self.options(done.stdout)
        self.assertIn("--screenshots", wanted)
        self.assertEqual(wanted, self.documented(self.page("bitloom-studio.1")))

    def test_manuals_are_sound(self):
        mandoc = shutil.which("mandoc")
        man = shutil.which("man") and shutil.which("groff")
        if not mandoc and not man:
            self.skipTest("neither mandoc nor groff is installed")
        for page in (self.prefix / "share/man/man1").iterdir():
            if mandoc:
                done = run([mandoc, "-Tlint", "-Wwarning", page])
                self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
            if man:
                done = run(["man", "--warnings", "-E", "UTF-8", "-l", page],
                           {**os.environ, "MANROFFSEQ": "", "MANWIDTH": "90"})
                self.assertEqual(done.stderr, "")
                self.assertIn("SYNOPSIS", done.stdout)

    def test_completion(self):
        scripts = {"bash": "bash-completion/completions/bitloom", "zsh": "zsh/site-functions/_bitloom",
                   "fish": "fish/vendor_completions.d/bitloom.fish"}
        for shell, path in scripts.items():
            script = self.prefix / "share" / path
            self.assertTrue(script.is_file())
            if shutil.which(shell):
                done = run([shell, "-n", script])
                self.assertEqual((done.returncode, done.stderr), (0, ""))
        bash = self.prefix / "share" / scripts["bash"]

        def complete(*words):
            return set(run(["bash", "-c", f"""
                source '{bash}'
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
                _bitloom; printf '%s\\n' "${{COMPREPLY[@]}}" """, "-", *words]).stdout.split())
        self.assertEqual(complete("bitloom", "qu"), {"quantize"})
        self.assertLessEqual(set(self.commands()), complete("bitloom", ""))
        self.assertEqual(complete("bitloom", "quantize", "--method", ""), {"cmpq+", "cmpq", "rtn", "gptq"})
        for command in self.commands():
            self.assertEqual(complete("bitloom", command, "-"),
                             self.options(self.bitloom(command, "--help")), command)

    # ---- what desktops read

    def test_desktop_file(self):
        self.needStudio()
        entry = self.prefix / "share/applications/bitloom-studio.desktop"
        done = run([self.tool("desktop-file-validate"), entry])
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_metainfo(self):
        self.needStudio()
        path = self.prefix / "share/metainfo/org.bitloom.Studio.metainfo.xml"
        self.assertIn(run([self.prefix / "bin/bitloom-studio", "--version"], self.env)
                      .stdout.split()[-1], path.read_text())
        done = run([self.tool("appstreamcli"), "validate", "--no-net", "--no-color", path])
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_mime_type(self):
        self.needStudio()
        mime = self.prefix / "share/mime"
        done = run([self.tool("update-mime-database"), mime],
                   {**os.environ, "XDG_DATA_DIRS": str(self.prefix / "share")})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("application/x-bitloom-session+json:*.bitloom-session",
                      (mime / "globs").read_text())
        self.assertTrue((mime / "application/x-bitloom-session+json.xml").exists())
        for path in mime.iterdir():  # leave the prefix as it was installed
            if path.name != "packages":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def test_xml_is_well_formed(self):
        self.needStudio()
        xmllint = self.tool("xmllint")
        for pattern in ("mime/packages/*.xml", "metainfo/*.xml", "icons/**/*.svg"):
            found = list((self.prefix / "share").glob(pattern))
            self.assertTrue(found, pattern)
            for path in found:
                done = run([xmllint, "--noout", "--nonet", path])
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_icons_have_their_sizes(self):
        self.needStudio()
        for size in (48, 128, 256):
            path = self.prefix / f"share/icons/hicolor/{size}x{size}/apps/bitloom-studio.png"
            header = path.read_bytes()[:24]
            self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual([int.from_bytes(header[i:i + 4], "big") for i in (16, 20)], [size, size])
        self.assertTrue((self.prefix / "share/icons/hicolor/scalable/apps/bitloom-studio.svg").exists())


def childProgram(pid):
    """The path of the first child of a process; empty while it has none."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"serve" in words:
                return os.fsdecode(words[0])
    return ""


if __name__ == "__main__":
    CMAKE, BUILD = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
