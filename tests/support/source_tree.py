# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""The files of a source tree, for the checks beside this file."""
import os
from pathlib import Path

SKIPPED = {".git", ".cache", "peers", "shared", "__pycache__"}
CODE = {".h", ".cpp", ".inl", ".cu", ".cuh"}


def files(root, *folders):
    """All files below `root` (or its `folders`), without build folders; sorted, relative."""
    root = Path(root)
    found = []
    for start in folders or [""]:
        for folder, names, filenames in os.walk(root / start):
            names[:] = sorted(
                n for n in names if n not in SKIPPED and n != "build" and not n.startswith("build-"))
            found += [Path(folder, f).relative_to(root) for f in sorted(filenames)]
    return found


def codeFiles(root):
    """C++ and CUDA sources of our own: test data is not among them."""
    return [p for p in files(root) if p.suffix in CODE and p.parts[:2] != ("tests", "data")]
