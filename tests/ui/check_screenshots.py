#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
"""Takes the pictures that need no engine, and looks at what came.

    check_screenshots.py BITLOOM-STUDIO
"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

BOTH = ["welcome", "welcome-recent", "welcome-error", "explore", "explore-dragging",
        "explore-table", "compare-predicted", "chat-empty", "dialog-preferences", "dialog-pin",
        "dialog-analyze", "dialog-model", "dialog-why", "dialog-guide", "panel-jobs-empty",
        "panel-log", "panel-layers", "panel-plan", "panel-pareto"]
ONCE = ["bar-size", "bar-perplexity", "focus-slider", "welcome-german", "explore-german",
        "explore-mirrored"]


def size(path):
    head = path.read_bytes()[:24]
    return struct.unpack(">II", head[16:24]) if head[:8] == b"\x89PNG\r\n\x1a\n" else (0, 0)


def main():
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([sys.argv[1], "--no-engine", "--screenshots", folder],
                             capture_output=True, text=True, timeout=240)
        if run.returncode:
            faults.append(f"exit code {run.returncode}: {run.stderr[-2000:]}")
        names = [f"{name}-{theme}" for name in BOTH for theme in ("light", "dark")]
        names += [f"{name}-light" for name in ONCE]
        for name in names:
            path = Path(folder) / f"{name}-1x.png"
            if not path.is_file():
                faults.append(f"{name} is missing")
                continue
            width, height = size(path)
            # An empty picture compresses to next to nothing.
            if width < 200 or height < 40 or path.stat().st_size < 3000:
                faults.append(f"{name} is {width}×{height}, {path.stat().st_size} bytes")
        light = Path(folder) / "explore-light-1x.png"
        dark = Path(folder) / "explore-dark-1x.png"
        if light.is_file() and dark.is_file() and light.read_bytes() == dark.read_bytes():
            faults.append("light and dark are the same")
    print("\n".join(faults) or f"{len(names)} pictures")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
