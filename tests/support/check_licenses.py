#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Checks that every source file says whose it is and under which licence.

    check_licenses.py ROOT          prints what is missing; exit code 1 if anything is
    check_licenses.py --self-test   tries each rule on a made-up tree
"""
import re
import sys
import tempfile
from pathlib import Path

from source_tree import CODE, files

SOURCES = CODE | {".py", ".sh", ".cmake", ".supp", ".qss", ".ui", ".ts"}
NAMED = re.compile(r"Apache-2\.0|Apache License|\bMIT\b|\bBSD\b|\bCC0|\bCC[- ]BY|public domain", re.I)
COPYRIGHT = "SPDX-FileCopyrightText: The Bitloom authors"


def isSource(path):
    if path.parts[0] in ("resources", "LICENSES") or path.parts[:2] == ("tests", "data"):
        return False
    return path.suffix in SOURCES or path.name == "CMakeLists.txt" or path == Path(".ci/run")


def expectedLicence(path):
    gpl = (path.parts[0] == "ui" or path.parts[:2] == ("tests", "ui") or
           (path.parts[0] == "app" and path.parts[1].startswith("studio")))
    return "GPL-3.0-or-later" if gpl else "Apache-2.0"


def namesLicence(folder):
    return any(folder.glob("LICENSE*")) or any(
        NAMED.search(p.read_text(encoding="utf-8", errors="replace"))
        for p in folder.glob("README*"))


def check(root):
    root = Path(root)
    faults = []
    everything = files(root)
    for path in filter(isSource, everything):
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        head = "\n".join(text.splitlines()[:4])
        match = re.search(r"SPDX-License-Identifier: (\S+)", head)
        if not match:
            faults.append(f"{path}: no SPDX-License-Identifier in the first lines")
        elif match.group(1) != expectedLicence(path):
            faults.append(f"{path}: is under {match.group(1)}, not {expectedLicence(path)}")
        elif not (root / "LICENSES" / f"{match.group(1)}.txt").is_file():
            faults.append(f"{path}: LICENSES/{match.group(1)}.txt is missing")
        if COPYRIGHT not in head:
            faults.append(f"{path}: no '{COPYRIGHT}' in the first lines")
    # Data: a LICENSE file, or a README that names one, beside it or above it below tests/data.
    for path in everything:
        if path.parts[:2] == ("tests", "data") and len(path.parts) > 2:
            folders = [p for p in path.parents if len(p.parts) >= 3] or [path.parent]
            if not any(namesLicence(root / f) for f in folders):
                faults.append(f"{path}: no LICENSE file, nor a README naming one, here or above")
    return faults


def selfTest():
    header = "# SPDX-License-Identifier: Apache-2.0\n# SPDX-FileCopyrightText: The Bitloom authors\n"
    good = {
        "LICENSES/Apache-2.0.txt": "text", "LICENSES/GPL-3.0-or-later.txt": "text",
        "core/base/error.h": header, "tool.py": "#!/usr/bin/env python3\n" + header,
        "ui/window.h": header.replace("Apache-2.0", "GPL-3.0-or-later"),
        "tests/data/text/corpus/a.txt": "a", "tests/data/text/LICENSE.corpus": "terms",
        "tests/data/golden/m.json": "{}", "tests/data/golden/README.md": "ours (Apache-2.0)",
        "README.md": "no header wanted",
    }
    bad = [
        ("core/base/error.h", "#pragma once\n", 2),
        ("core/base/error.h", header.splitlines()[0], 1),
        ("core/base/error.h", header.replace("Apache-2.0", "MIT"), 1),
        ("ui/window.h", header, 1),
        ("LICENSES/Apache-2.0.txt", None, 2),
        ("CMakeLists.txt", "project(x)", 2),
        ("tests/data/text/LICENSE.corpus", None, 1),
        ("tests/data/golden/README.md", "no word of it", 2),
    ]
    failures = 0
    for name, text, expected in [("README.md", "same", 0), *bad]:
        tree = {**good, name: text}
        with tempfile.TemporaryDirectory() as folder:
            for file, content in tree.items():
                if content is not None:
                    path = Path(folder, file)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(content)
            found = check(folder)
        if len(found) != expected:
            failures += 1
            print(f"{name} with {text!r}: expected {expected} faults, got {found}")
    print(f"{len(bad) + 1} trees, {failures} failures")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return selfTest()
    faults = check(sys.argv[1])
    print("\n".join(faults) if faults else "every file names its licence")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
