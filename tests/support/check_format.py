#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Checks that clang-format would change nothing: check_format.py ROOT

Exit code 77 (skipped) where there is no clang-format 14: other versions format differently.
"""
import re
import shutil
import subprocess
import sys

from source_tree import codeFiles

VERSION = 14


def findClangFormat():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if program:
            text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
            match = re.search(r"version (\d+)\.", text)
            if match and int(match.group(1)) == VERSION:
                return program
    return None


def main():
    root = sys.argv[1]
    program = findClangFormat()
    if not program:
        print(f"skipped: clang-format {VERSION} is not installed (apt-get install "
              f"clang-format-{VERSION})")
        return 77
    names = [str(p) for p in codeFiles(root)]
    result = subprocess.run([program, "--dry-run", "--Werror", *names], cwd=root, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        faults = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", result.stdout, re.M)))
        print("\n".join(result.stdout.splitlines()[:40]) if not faults else "\n".join(faults))
        print(f"{len(faults)} files are not formatted. Run:\n  {program} -i {' '.join(faults)}")
        return 1
    print(f"{len(names)} files are formatted")
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main())
