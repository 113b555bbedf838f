#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Checks that #include lines and CMake link lines follow the arrows between rooms.

    check_layers.py ROOT          prints every line that does not; exit code 1 if there is one
    check_layers.py --self-test   tries each rule on a made-up tree
"""
import re
import sys
import tempfile
from pathlib import Path

from source_tree import codeFiles, files

# What each room may include and link, besides itself. Tests may use anything.
CORE = ["core/base", "core/io", "core/model", "core/text", "core/stats", "core/plan", "core/format",
        "core/recipe"]
ALLOWED = {
    "kernels": [],
    "core/base": ["kernels"],
    "core/io": ["core/base", "kernels"],
    "core/model": ["core/base", "core/io", "kernels"],
    "core/text": ["core/base", "core/io", "kernels"],
    "core/stats": ["core/base", "core/io", "core/model", "core/text", "kernels"],
    "core/plan": ["core/base", "core/io", "core/model", "core/text", "core/stats", "kernels"],
    "core/format": [
        "core/base", "core/io", "core/model", "core/text", "core/stats", "core/plan", "kernels"],
    "core/recipe": [
        "core/base", "core/io", "core/model", "core/text", "core/stats", "core/plan", "core/format",
        "kernels"],
    "core/engine": [*CORE, "core", "kernels"],
    "core": ["kernels", *CORE],  # core/CMakeLists.txt itself
    "app/cli": ["core/engine", *CORE, "core", "kernels"],
    "app/studio": ["ui", *CORE, "core", "kernels"],
    "ui": [*CORE, "core", "kernels"],
    "installer": [],
    "tests": None,
}
# Headers with torch in them, for the engine's own .cpp files: torch must not reach anyone else
# through an include.
ENGINE_PRIVATE = "core/engine/detail/"
# Third-party parts, and the only rooms that may use them.
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
QT = re.compile(r"^(Q[A-Z]\w*|Qt\w*/.*|q[a-z0-9]+\.h)$")
QCUSTOMPLOT = re.compile(r"^qcustomplot\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
COMMAND = re.compile(r"\b(target_link_libraries|add_library|add_executable)\s*\(([^)]*)\)", re.I)
KEYWORDS = {"PUBLIC", "PRIVATE", "INTERFACE"}
SHARED_TARGETS = {"bitloom_options"}


def roomOf(path):
    """The room that a file is in: the longest known folder above it, or None."""
    parts = path.parts
    if path.name.startswith("studio_") and parts[0] == "app":
        return "app/studio"
    for length in range(len(parts) - 1, 0, -1):
        room = "/".join(parts[:length])
        if room == "core" and path.name != "CMakeLists.txt":
            return None
        if room in ALLOWED:
            return room
    return None


def mayUse(room, other):
    return room == other or ALLOWED[room] is None or other in ALLOWED[room]


def thirdPartyFault(room, path, header):
    if room == "tests":
        return None
    if TORCH.match(header):
        private = path.suffix == ".cpp" or str(path).startswith(ENGINE_PRIVATE)
        if room != "core/engine" or not private:
            return "torch headers belong into core/engine/*.cpp and core/engine/detail only"
    if QCUSTOMPLOT.match(header):
        return None if room == "ui" else "QCustomPlot belongs into ui only"
    if QT.match(header) and room not in ("ui", "app/studio"):
        return "Qt belongs into ui and the studio only"
    return None


def checkIncludes(root):
    known = codeFiles(root)
    existing = set(known)
    for path in known:
        room = roomOf(path)
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            where = f"{path}:{number}: {line.strip()}"
            if room is None:
                yield f"{where}: this folder belongs to no room"
                break
            fault = thirdPartyFault(room, path, header)
            if fault:
                yield f"{where}: {fault}"
                continue
            # Ours are included by their path from the root; a bare name is a file alongside.
            target = Path(header)
            if target not in existing and path.parent / header in existing:
                target = path.parent / header
            top = target.parts[0]
            if ".." in target.parts:
                yield f"{where}: include by the path from the root of the tree"
            elif top in ("kernels", "core", "ui", "app", "tests"):
                other = roomOf(target)
                if other is None:
                    yield f"{where}: there is no such room"
                elif str(target).startswith(ENGINE_PRIVATE) and room != "tests" and (
                        room != "core/engine" or not (
                            path.suffix == ".cpp" or str(path).startswith(ENGINE_PRIVATE))):
                    yield f"{where}: {ENGINE_PRIVATE} is for the engine's .cpp files alone"
                elif not mayUse(room, other):
                    yield f"{where}: {room} may not use {other}"


def checkLinks(root):
    homes, links = {}, []
    for path in files(root):
        if path.name != "CMakeLists.txt" and path.suffix != ".cmake":
            continue
        room = roomOf(path)
        if room is None:
            continue
        text = re.sub(r"#.*", "", (root / path).read_text(encoding="utf-8", errors="replace"))
        for match in COMMAND.finditer(text):
            words = match.group(2).split()
            if not words:
                continue
            if match.group(1).lower() == "target_link_libraries":
                links.append((path, words[0], [w for w in words[1:] if w not in KEYWORDS]))
            elif "::" not in words[0] and not words[0].startswith("$"):
                homes[words[0]] = room
    for path, target, libraries in links:
        room = homes.get(target, roomOf(path))
        if room == "tests":
            continue
        for library in libraries:
            where = f"{path}: target_link_libraries({target} … {library})"
            if library in SHARED_TARGETS:
                continue
            if library.startswith(("LibTorch::", "Torch::")) or library == "torch":
                if room != "core/engine":
                    yield f"{where}: only the engine links torch"
            elif library.startswith(("Qt6::", "Qt::", "QCustomPlot")):
                if room not in ("ui", "app/studio"):
                    yield f"{where}: only ui and the studio link Qt"
            elif library in homes and not mayUse(room, homes[library]):
                yield f"{where}: {room} may not use {homes[library]}"


def check(root):
    root = Path(root)
    return [*checkIncludes(root), *checkLinks(root)]


def selfTest():
    good = {
        "kernels/pack.h": "#include <vector>\n",
        "kernels/pack.cpp": '#include "kernels/pack.h"\n',
        "kernels/CMakeLists.txt": "add_library(bitloom_kernels STATIC)\n",
        "core/base/error.h": "#pragma once\n",
        "core/io/map.cpp": '#include "core/base/error.h"\n',
        "core/model/config.cpp": '#include "core/io/map.h"\n#include "kernels/pack.h"\n',
        "core/plan/plan.cpp": '#include "core/stats/statistics.h"\n',
        "core/format/write.cpp": '#include "core/plan/plan.h"\n',
        "core/engine/run.h": '#include "core/format/layout.h"\n',
        "core/engine/run.cpp": '#include <torch/torch.h>\n#include "core/engine/run.h"\n'
                               '#include "core/engine/detail/ops.h"\n',
        "core/engine/detail/ops.h": "#include <ATen/ATen.h>\n",
        "core/CMakeLists.txt": "add_library(bitloom_core STATIC)\n"
                               "target_link_libraries(bitloom_core PUBLIC bitloom_kernels)\n",
        "core/engine/CMakeLists.txt":
            "add_library(bitloom_engine STATIC)\n"
            "target_link_libraries(bitloom_engine PUBLIC bitloom_core PRIVATE LibTorch::LibTorch)\n",
        "app/cli/main.cpp": '#include "core/engine/run.h"\n#include <CLI/CLI.hpp>\n',
        "app/cli/CMakeLists.txt": "add_executable(bitloom main.cpp)\n"
                                  "target_link_libraries(bitloom PRIVATE bitloom_engine)\n",
        "ui/window.h": '#include <QWidget>\n#include <qcustomplot.h>\n'
                       '#include "core/plan/plan.h"\n',
        "ui/CMakeLists.txt": "add_library(bitloom_ui STATIC)\n"
                             "target_link_libraries(bitloom_ui PUBLIC Qt6::Widgets bitloom_core)\n",
        "app/studio_main.cpp": '#include "ui/window.h"\n#include <QApplication>\n',
        "tests/engine/tst_run.cpp": '#include <QtTest/QtTest>\n#include <ATen/ATen.h>\n',
        "build/x/junk.cpp": '#include <torch/torch.h>\n',
    }
    bad = [
        ("kernels/pack.cpp", '#include "core/base/error.h"\n', "kernels may not use core/base"),
        ("kernels/pack.cpp", "#include <QVector>\n", "Qt belongs"),
        ("kernels/pack.cpp", "#include <c10/util/Half.h>\n", "torch headers"),
        ("core/base/error.h", '#include "core/io/map.h"\n', "core/base may not use core/io"),
        ("core/io/map.cpp", '#include "core/model/config.h"\n', "core/io may not use core/model"),
        ("core/io/map.cpp", '  #  include "../model/config.h"\n', "path from the root"),
        ("core/model/config.cpp", '#include "core/text/tokenizer.h"\n', "may not use core/text"),
        ("core/text/bpe.cpp", '#include "core/stats/statistics.h"\n', "may not use core/stats"),
        ("core/stats/curves.cpp", '#include "core/plan/plan.h"\n', "may not use core/plan"),
        ("core/plan/plan.cpp", '#include "core/format/layout.h"\n', "may not use core/format"),
        ("core/plan/plan.cpp", '#include "core/engine/run.h"\n', "may not use core/engine"),
        ("core/plan/plan.cpp", "#include <QString>\n", "Qt belongs"),
        ("core/plan/plan.cpp", "#include <qglobal.h>\n", "Qt belongs"),
        ("core/plan/plan.cpp", "#include <QtCore/QString>\n", "Qt belongs"),
        ("core/engine/run.h", "#include <ATen/ATen.h>\n", "torch headers"),
        ("core/engine/run.cpp", '#include "app/cli/main.h"\n', "may not use app/cli"),
        ("core/engine/run.cpp", '#include "tests/support/helper.h"\n', "may not use tests"),
        ("core/engine/run.h", '#include "core/engine/detail/ops.h"\n', "alone"),
        ("app/cli/main.cpp", '#include "core/engine/detail/ops.h"\n', "alone"),
        ("core/newroom/x.cpp", '#include "kernels/pack.h"\n', "no room"),
        ("core/loose.cpp", "#include <vector>\n", "no room"),
        ("kernels/pack.cpp", '#include "core/newroom/x.h"\n', "no such room"),
        ("app/cli/main.cpp", '#include "ui/window.h"\n', "app/cli may not use ui"),
        ("app/cli/main.cpp", "#include <torch/torch.h>\n", "torch headers"),
        ("app/studio_main.cpp", '#include "core/engine/run.h"\n', "may not use core/engine"),
        ("ui/window.h", '#include "core/engine/run.h"\n', "ui may not use core/engine"),
        ("ui/window.h", '#include "app/cli/main.h"\n', "ui may not use app/cli"),
        ("core/plan/plan.cpp", "#include <qcustomplot.h>\n", "QCustomPlot"),
        ("kernels/CMakeLists.txt", "add_library(bitloom_kernels)\n"
         "target_link_libraries(bitloom_kernels PUBLIC bitloom_core)\n", "may not use core"),
        ("core/CMakeLists.txt", "add_library(bitloom_core)\n"
         "target_link_libraries(bitloom_core\n    PUBLIC bitloom_kernels\n"
         "    PRIVATE bitloom_engine)\n", "core may not use core/engine"),
        ("core/CMakeLists.txt", "add_library(bitloom_core)\n"
         "target_link_libraries(bitloom_core PRIVATE Qt6::Core)\n", "link Qt"),
        ("core/base/CMakeLists.txt",
         "target_link_libraries(bitloom_core PRIVATE LibTorch::LibTorch)\n", "links torch"),
        ("ui/CMakeLists.txt", "add_library(bitloom_ui)\n"
         "target_link_libraries(bitloom_ui PUBLIC bitloom_engine)\n", "may not use core/engine"),
    ]

    def tryTree(tree):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in tree.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check(folder)

    failures = [f"a good tree was refused: {f}" for f in tryTree(good)]
    for name, text, expected in bad:
        found = tryTree({**good, name: text})
        if len(found) != 1 or name not in found[0] or expected not in found[0]:
            failures.append(f"{name} with {text!r}: expected '{expected}', got {found}")
    for failure in failures:
        print(failure)
    print(f"{len(bad) + 1} trees, {len(failures)} failures")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return selfTest()
    faults = check(sys.argv[1])
    for fault in faults:
        print(fault)
    if faults:
        print(f"{len(faults)} lines against the arrows (ARCHITECTURE.md, Rooms)")
    elif not codeFiles(sys.argv[1]):
        print("no source files found: wrong folder?")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
